"""Bootstrap of a node before it runs: replaces its store by a peer's snapshot if the store is empty and the chain long,
or if no peer has the node's next blocks any more."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import NamedTuple

from node.chain.block import block_id_of
from node.chain.genesis import genesis_hash, start_height
from node.chain.trust import Trust
from node.daemon.clocks import Clock
from node.daemon.config import Config
from node.daemon.home import Home
from node.daemon.member_nodes import members_of
from node.daemon.settings import network_config, rpc_config
from node.daemon.snapshot_sync import Choice, SnapshotSync
from node.errors import OperatorError
from node.log import log
from node.p2p.network import Events, Network
from node.rpc.app import StartupServer, StartupStatus
from node.storage import schema
from node.storage.chain_store import ChainReader
from node.storage.leveldb import LevelStore
from node.storage.lost_blocks import check_not_lost
from node.storage.store_dirs import (
    SNAPSHOT,
    Rebuilt,
    drop_unfinished,
    exchange,
    finish_rebuilt,
    kept_name,
    rebuilt_folder,
    repairing,
    settle,
    unwanted_folder,
)


class OwnChain(NamedTuple):
    """The head of the store in the home, and the node keys of the members in its state."""

    head: Trust
    members: frozenset[bytes]


def own_chain(home: Home) -> OwnChain | None:
    """None where there is no store, or it has no block. Raises `OperatorError` for a store that only newer software can
    read, and `Corrupted` for one that has lost blocks."""
    shutil.rmtree(home.incoming, ignore_errors=True)
    settle(home.store)
    if not (home.store / "CURRENT").exists():
        return None
    kv = LevelStore(home.store)
    try:
        drop_unfinished(home.store)
        reader = ChainReader(kv)
        schema.read_version(kv.get(schema.META_SCHEMA))
        check_not_lost(kv, home.store, home.hard_state)
        reader.check_rules()
        if reader.height() <= start_height(home.read_genesis()):
            return None
        head = reader.head()
        block = reader.block(head.height)
        members = frozenset(m.node_key for _, m in members_of(reader) if m.node_key and m.status == "active")
    finally:
        kv.close()
    header = None if block is None else block.header
    return OwnChain(Trust(head.height, head.block_id, head.time_ms, head.validators, header), members)


def _check_trust(home: Home, head: Trust, height: int, block_id: bytes) -> None:
    """Compare the block that the operator trusts with the store in the home. Raises `OperatorError`."""
    kv = LevelStore(home.store)
    try:
        block = ChainReader(kv).block(height) if height <= head.height else None
    finally:
        kv.close()
    if block is None:
        why = f"the store is at height {head.height} and does not have that block; it continues from its own head"
        log("trust_unused", "warning", {"height": height, "why": why})
    elif block_id_of(block.header, genesis_hash(home.read_genesis())) != block_id:
        raise OperatorError(
            f"block {height} of the store in {home.store} has another id than --trust names: compare the id again; if "
            "it is right, this store has another history: move it away and sync again"
        )


def _may_lack_many(head: Trust, config: Config, now_ms: int) -> bool:
    """Whether enough blocks can have been made since the head for a snapshot to be worthwhile."""
    least_ms = config.storage.snapshot_gap * config.consensus.block_interval_min_ms
    return now_ms - head.time_ms >= least_ms


def put_in_place(home: Home, had: int, height: int, *, keeps: bool = False) -> Path | None:
    """The incoming store becomes the node's. After a crash at any point the next start has one of the two, whole.

    `keeps`: the old store stays beside the new one, because its blocks are an archive; returns its folder.
    """
    if not home.store.exists():
        home.incoming.rename(home.store)
        return None
    rebuilt = rebuilt_folder(home.store)
    shutil.rmtree(rebuilt, ignore_errors=True)
    home.incoming.rename(rebuilt)
    unwanted = unwanted_folder(home.store)
    shutil.rmtree(unwanted, ignore_errors=True)
    kept_as = kept_name(home.store, SNAPSHOT) if keeps else unwanted.name
    finish_rebuilt(rebuilt, Rebuilt(SNAPSHOT, had, height, kept_as))
    old = exchange(home.store)
    if keeps:
        return old
    shutil.rmtree(old, ignore_errors=True)
    return None


async def bootstrap(home: Home, config: Config, choice: Choice, clock: Clock, stopping: asyncio.Event) -> int:
    """Returns the height of the snapshot that is the store now; 0 where the node keeps the store it has.

    Raises `OperatorError` or `Corrupted`.
    """
    with repairing(home.store):
        return await _bootstrap(home, config, choice, clock, stopping)


async def _bootstrap(home: Home, config: Config, choice: Choice, clock: Clock, stopping: asyncio.Event) -> int:
    own = own_chain(home)
    head = own.head if own is not None else None
    if head is not None and choice.trust is not None:
        _check_trust(home, head, *choice.trust)
    if head is not None and not _may_lack_many(head, config, clock()):
        return 0
    genesis = home.read_genesis()
    sync = SnapshotSync(genesis, choice, clock, head, len(config.p2p.peers))
    if own is not None:
        sync.member_keys = own.members
    events = Events(
        connected=sync.connected,
        lost=sync.lost,
        received=sync.received,
        key_in_use=lambda: None,
        notice=log,
        members=lambda: dict.fromkeys(sync.member_keys, ()),
        snapshot=sync.snapshot,
    )
    network = Network(network_config(config, home), home.read_key("node"), genesis_hash(genesis), events, clock)
    sync.network = network
    rpc = StartupServer(rpc_config(config), lambda: StartupStatus(len(network.connected()), *(sync.progress or ())))
    await network.start()
    stop = asyncio.create_task(stopping.wait())
    try:
        if config.rpc.port:
            await rpc.start()
        work = asyncio.create_task(sync.run(home.incoming))
        await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            return 0
        height = work.result()
    finally:
        stop.cancel()
        await rpc.stop()
        await network.stop()
    if not height and head is None and choice.trust is not None:
        why = "no peer offers a snapshot at or above it: blocks are synced from genesis, which needs no trust"
        log("trust_unused", "warning", {"height": choice.trust[0], "why": why})
    if height:
        is_archive = head is not None and not config.storage.keep_blocks
        kept = put_in_place(home, head.height if head is not None else 0, height, keeps=is_archive)
        log("snapshot_used", "info", {"height": height, **({"old_store": kept} if kept else {})})
    return height
