"""Before a node runs: where its store is new and the chain is long, bring it up from a snapshot."""

from __future__ import annotations

import asyncio
import shutil

from node.chain.genesis import genesis_hash, start_height
from node.daemon.clocks import Clock
from node.daemon.config import Config
from node.daemon.home import Home
from node.daemon.log import log
from node.daemon.networking import network_config
from node.daemon.snapshot_sync import Choice, SnapshotSync
from node.p2p.network import Events, Network
from node.storage.chain_store import ChainReader
from node.storage.leveldb import LevelStore


def is_new(home: Home) -> bool:
    """No store, or one that has nothing but the genesis state."""
    shutil.rmtree(home.incoming, ignore_errors=True)
    if not (home.store / "CURRENT").exists():
        return True
    kv = LevelStore(home.store)
    try:
        return ChainReader(kv).height() <= start_height(home.read_genesis())
    finally:
        kv.close()


async def begin(home: Home, config: Config, choice: Choice, clock: Clock, stopping: asyncio.Event) -> int:
    """The height of the snapshot that the store now is; 0 where the node starts as it is. Raises `OperatorError`."""
    if not is_new(home):
        return 0
    genesis = home.read_genesis()
    sync = SnapshotSync(genesis, choice, clock)
    events = Events(
        connected=sync.connected,
        lost=sync.lost,
        received=sync.received,
        key_in_use=lambda: None,
        notice=log,
        members=dict,
        snapshot=sync.snapshot,
    )
    network = Network(network_config(config, home), home.read_key("node"), genesis_hash(genesis), events, clock)
    sync.network = network
    await network.start()
    work = asyncio.create_task(sync.run(home.incoming))
    stop = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            return 0
        height = work.result()
    finally:
        stop.cancel()
        await network.stop()
    if height:
        shutil.rmtree(home.store, ignore_errors=True)
        home.incoming.rename(home.store)
        log("snapshot_used", "info", {"height": height})
    return height
