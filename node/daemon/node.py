"""A running node: everything started in order, stopped in order, and the backend of its RPC."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator
from importlib.metadata import version
from typing import Any

from node.chain.genesis import Genesis, genesis_hash, uses_dev_keys
from node.crypto.addresses import address_of, from_text
from node.crypto.signing import PrivateKey
from node.crypto.state_tree import StateProof
from node.daemon.admin import AdminSocket
from node.daemon.clocks import ClockWatch, steady_clock, wall_clock
from node.daemon.config import Config
from node.daemon.debug_view import consensus_view, peers_view, settings_view, status_view
from node.daemon.home import Home, SigningLock
from node.daemon.member_nodes import MemberNodes, members_of
from node.daemon.memory import memory_numbers, settle_allocator, trim_for_ever
from node.daemon.pruning import Pruner
from node.daemon.pump import Pump
from node.daemon.remote_signer import RemoteSigner, SignerLink
from node.daemon.settings import network_config, rpc_config, tell_few_descriptors
from node.daemon.signing_status import SigningStatus
from node.daemon.snapshots import SnapshotServer
from node.daemon.submissions import Submissions
from node.daemon.tx_status import TxStatuses
from node.daemon.verifiers import Verifiers
from node.errors import Corrupted, OperatorError
from node.ledger.guards import Unmet
from node.log import log
from node.mempool.pool import PoolLimits
from node.p2p.network import Events, Network
from node.p2p.wire import SnapshotMessage
from node.replica import events as e
from node.replica.replica import Replica, ReplicaConfig
from node.replica.signer import LocalSigner
from node.rpc.backend import CommittedHeight, NodeStatus, PeerInfo, Syncing, TxStatus
from node.rpc.server import RpcServer
from node.storage.chain_store import ChainReader, ChainStore
from node.storage.journal import Journal, open_journal
from node.storage.leveldb import LevelStore
from node.storage.safety_store import SafetyFile
from node.storage.store_dirs import settle
from node.txtypes.chain.validator_set import CONSENSUS_KEY
from node.txtypes.envelope import CheckedTx


class Node:
    """Implements `rpc.backend.Backend`."""

    def __init__(self, home: Home, config: Config, *, allow_dev_keys: bool) -> None:
        """Reads files and opens the store. Raises `OperatorError` or `Corrupted`; nothing listens yet."""
        self.home = home
        self.config = config
        self.genesis: Genesis = home.read_genesis()
        self.genesis_hash: bytes = genesis_hash(self.genesis)
        known = uses_dev_keys(self.genesis)
        if known and not allow_dev_keys:
            raise OperatorError(
                f"this genesis uses the public development keys ({', '.join(known[:3])}, ...), which anybody can sign "
                "with: start with --dev if this is a development network"
            )
        self._clock = wall_clock(config, allow_dev_keys=allow_dev_keys)
        self._node_key = home.read_key("node")
        signer_socket = config.node["signer_socket"]
        has_key = not signer_socket and home.key_file("consensus").exists()
        consensus_key = home.read_key("consensus") if has_key else None
        self._verifiers = Verifiers(config.node["verify_workers"], self.genesis_hash)
        settle(home.store)
        self._kv = LevelStore(home.store)
        self._journal_kv = open_journal(home.journal)
        self.store = ChainStore(self._kv, self.genesis)
        self._journal = Journal(self._journal_kv)
        self._tx_statuses = TxStatuses(self._journal, self.store)
        self._signing_lock: SigningLock | None = None
        account = home.key_file("account")
        self._account = address_of(home.read_key("account").public) if account.exists() else b""
        signer, address = None, self._own_address(consensus_key)
        if consensus_key is not None and address:
            self._signing_lock = home.hold_signing()
            signer = LocalSigner(address, consensus_key, SafetyFile(home.hard_state), self.genesis_hash)
        self._address = address
        self._key_told = ""
        self._upgrade_told = 0
        self._signer_link: SignerLink | None = None
        if signer_socket:
            self._signer_link = SignerLink(home.path / signer_socket, self.genesis_hash, self._on_signer)
        settings = ReplicaConfig(
            config.consensus["block_interval_min_ms"],
            config.consensus["block_interval_empty_ms"],
            config.consensus["build_txs_max"],
            pool=PoolLimits(**config.mempool),
            stopwatch=time.monotonic,
        )
        self.replica = Replica(self.store, signer, settings, secrets.token_bytes(16))
        self._signing_status = SigningStatus(self.store, self.replica, self._signer_link, address, self._account)
        self._steady = steady_clock(self._clock())
        self._pump = Pump(self.replica, self._verifiers, self._steady, self._clock)
        self._pruner = Pruner(
            self.store,
            self._kv,
            SnapshotServer(home.snapshots, self.store, config.storage["snapshot_interval"]),
            config.storage["keep_blocks"],
            config.storage["keep_days"],
            self._on_failure,
        )
        self._members = MemberNodes(self.store)
        self._network = self._make_network()
        self._rpc: RpcServer | None = None
        self._admin = AdminSocket(home, self._kv, self.genesis, self.describe)
        self._subscribers: set[asyncio.Queue[CommittedHeight]] = set()
        self._submissions = Submissions(self.store, self._pump, self._verifiers, self._tx_statuses)
        self._settling: asyncio.Task[None] | None = None
        self._trimming: asyncio.Task[None] | None = None
        self._stopped = asyncio.Event()
        self.failure: BaseException | None = None
        self._clock_watch = ClockWatch()
        self._counters = {"proposals_untimely": 0, "blocks_committed": 0, "txs_committed": 0, "rounds_above_zero": 0}
        self.version = version("bmw-chain")

    def _own_address(self, consensus_key: PrivateKey | None) -> bytes:
        """The member this node signs for: as configured, else the one that the chain knows the key of, else our own."""
        if consensus_key is None:
            return b""
        if self.config.node["validator"]:
            return from_text(self.config.node["validator"])
        raw = self.store.state.get(CONSENSUS_KEY.key(consensus_key.public))
        if raw is not None:
            return CONSENSUS_KEY.decode(raw).member
        return self._account

    def _make_network(self) -> Network:
        settings = network_config(self.config, self.home)
        events = Events(
            connected=lambda peer, key: self._pump.post(e.PeerConnected(peer, key, key in self._members())),
            lost=lambda peer: self._pump.post(e.PeerLost(peer)),
            received=lambda peer, message, at: self._pump.post(e.Received(peer, message, at)),
            key_in_use=lambda: self._pump.post(e.KeyInUse()),
            notice=lambda name, level, fields: log(name, level, fields),
            members=self._members,
            snapshot=self._on_snapshot_message,
        )
        return Network(settings, self._node_key, self.genesis_hash, events, self._steady)

    def _on_snapshot_message(self, peer: int, message: SnapshotMessage) -> None:
        answer = self._pruner.snapshots.answer(message)
        if answer is not None:
            self._network.send(peer, answer)

    # --- life ---------------------------------------------------------------------------------------
    async def start(self) -> None:
        """Journal, replica, p2p, RPC, in this order. Raises `OperatorError`; what had started is stopped again."""
        self._pump.on_committed = self._on_committed
        self._pump.on_dropped = self._on_dropped
        self._pump.on_admitted = self._submissions.admitted
        self._pump.on_failure = self._on_failure
        self._pump.on_notice = self._on_notice
        try:
            await self._network.start()
            self._pump.network = self._network
            self._pump.start()
            await self._submissions.reload()
            if self._signer_link is not None:
                self._signer_link.start()
            if self.config.rpc["port"]:
                tell_few_descriptors(self.config)
                self._rpc = RpcServer(self, rpc_config(self.config))
                await self._rpc.start()
            await self._admin.start()
            settle_allocator()
            self._trimming = asyncio.create_task(trim_for_ever())
        except BaseException:
            await self.stop()
            raise
        self._signing_status.tell()
        log("listening", "info", {"p2p": self.config.p2p["port"], "rpc": self.rpc_url()})

    def rpc_url(self) -> str:
        return self._rpc.url if self._rpc is not None else ""

    async def stop(self) -> None:
        """In reverse order; within 5 s."""
        if self._rpc is not None:
            await self._rpc.stop()
            self._rpc = None
        await self._admin.stop()
        self._pump.stop()
        if self._signer_link is not None:
            await self._signer_link.stop()
        with contextlib.suppress(Exception):
            await self._network.stop()
        if self._settling is not None:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(self._settling, 2)
        if self._trimming is not None:
            self._trimming.cancel()
        await self._tx_statuses.stop()
        await self._pruner.stop()
        self._verifiers.close()
        self._journal_kv.close()
        self._kv.close()
        if self._signing_lock is not None:
            self._signing_lock.close()
        self._stopped.set()

    def _on_failure(self, error: BaseException) -> None:
        """Something that must stop the node: a full or damaged disk, or our own fault."""
        self.failure = error
        self.replica.halted = str(error) or repr(error)
        log("failed", "critical", {"why": str(error) or repr(error), "kind": type(error).__name__})
        self._stopped.set()

    async def wait_stopped(self) -> None:
        """Until `request_stop` is called or the node fails."""
        await self._stopped.wait()

    def request_stop(self) -> None:
        self._stopped.set()

    def _on_signer(self, signer: RemoteSigner) -> None:
        self._signing_status.address = signer.address
        self._pump.post(e.SignerConnected(signer))

    def _on_notice(self, notice: e.Notice) -> None:
        self._counters["proposals_untimely"] += notice.name == "untimely"

    # --- what the replica says ----------------------------------------------------------------------
    def _on_committed(self, action: e.BlockCommitted) -> None:
        header = action.block.header
        self._counters["blocks_committed"] += 1
        self._counters["txs_committed"] += len(action.transactions)
        self._counters["rounds_above_zero"] += action.round > 0
        log("committed", "info", {"height": header.height, "txs": len(action.transactions), "round": action.round})
        self._signing_status.tell()
        self._clock_watch.saw(header.proposer, self.replica.clock_offset_ms())
        self._tx_statuses.committed(tx.txid for tx in action.transactions)
        self._pruner.committed(header.height)
        self._submissions.admit_left_over()
        for queue in list(self._subscribers):
            queue.put_nowait(CommittedHeight(header.height))
        if self._settling is None or self._settling.done():
            self._settling = asyncio.create_task(self._settle())

    async def _settle(self) -> None:
        try:
            await self._tx_statuses.settle(self.store.head().time_ms)
        except (OperatorError, Corrupted) as error:
            self._on_failure(error)

    def _on_dropped(self, action: e.Dropped) -> None:
        if not action.is_expired:
            self._tx_statuses.rejected(action.tx.txid, action.tx.payload.expires_at_ms, action.unmet)

    # --- Backend --------------------------------------------------------------------------------------
    def reader(self) -> ChainReader:
        return self.store

    def proof(self, key: bytes) -> StateProof:
        return self.store.proof(key)

    def _is_syncing(self) -> bool:
        return self.replica.is_syncing()

    def status(self) -> NodeStatus:
        machine = self.replica.machine
        return NodeStatus(
            moniker=self.config.node["moniker"] or self.home.path.name,
            node_key=self._node_key.public,
            validator=self._signing_status.address,
            is_validator=self._signing_status.is_validator(),
            is_syncing=self._is_syncing(),
            signing=self._signing_status.signing(),
            round=machine.round,
            step=machine.step_now.name.lower(),
            peers=len(self._network.connected()),
            pool_txs=len(self.replica.pool),
            pool_bytes=self.replica.pool.bytes,
            halted=self.replica.halted,
            version=self.version,
            pace=self.replica.pace(),
            is_clock_off=self._clock_watch.is_off(self.store.head().validators),
        )

    def peers(self) -> list[PeerInfo]:
        by_key = {member.node_key: address for address, member in members_of(self.store) if member.node_key}
        return [
            PeerInfo(
                link.hello.node_key,
                f"{link.host}:{link.hello.listen_port or link.port}",
                link.hello.moniker,
                link.is_outbound,
                self._network.height_of(peer),
                by_key.get(link.hello.node_key, b""),
            )
            for peer, link in self._network.connected().items()
        ]

    def tx_status(self, txid: bytes) -> TxStatus | None:
        return self._submissions.tx_status(txid)

    def judge(self, tx: CheckedTx) -> tuple[Unmet, ...]:
        self._check_running()
        return self.replica.judge(tx)

    def _check_running(self) -> None:
        """Raises `Syncing` for a node that has halted: it cannot judge what comes next."""
        if self.replica.halted:
            raise Syncing(f"the node has halted: {self.replica.halted}")

    async def submit(self, raws: list[bytes]) -> list[TxStatus | Exception]:
        try:
            self._check_running()
            if self._is_syncing():
                raise Syncing("the node is catching up and takes no transactions now")
        except Syncing as refusal:
            return [refusal] * len(raws)
        try:
            return await self._submissions.submit(raws)
        except (OperatorError, Corrupted) as error:  # a journal that can't be written stops the node, as a store does
            if self.failure is None:
                self._on_failure(error)
            raise

    async def wait_for(self, txid: bytes, timeout_ms: int) -> TxStatus | None:
        return await self._submissions.wait_for(txid, timeout_ms)

    async def commits(self) -> AsyncIterator[CommittedHeight]:
        queue: asyncio.Queue[CommittedHeight] = asyncio.Queue()
        self._subscribers.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._subscribers.discard(queue)

    def describe(self) -> dict[str, Any]:
        """For a debug bundle; nothing secret."""
        return {
            "config": settings_view(self.config),
            "status": status_view(self.status()),
            "metrics": self.metrics(),
            "consensus": consensus_view(self.replica),
            "peers": peers_view(self.peers()),
            "failure": repr(self.failure) if self.failure is not None else "",
        }

    def metrics(self) -> dict[str, Any]:
        status = self.status()
        head = self.store.head()
        network = self._network
        links = network.connected().values()
        return {
            "height": head.height,
            "head_age_seconds": max(0, self._clock() - head.time_ms) / 1000,
            "round": status.round,
            "peers": status.peers,
            "validators": len(head.validators),
            "is_validator": int(status.is_validator),
            "is_signing": int(status.signing == "signing"),
            "is_syncing": int(status.is_syncing),
            "sync_target_height": status.pace.target,
            "sync_seconds_left": status.pace.seconds_left,
            "is_halted": int(bool(status.halted)),
            "upgrade_needed_before_height": self._signing_status.upgrade_height(),
            "pool_txs": status.pool_txs,
            "pool_bytes": status.pool_bytes,
            "clock_offset_seconds": self._clock_watch.offset_ms / 1000,
            "verifiers_replaced": self._verifiers.replaced,
            **memory_numbers(self._kv, self._journal_kv),
            "p2p_bytes_in": sum(link.bytes_in for link in links),
            "p2p_bytes_out": sum(link.bytes_out for link in links),
            "txs_submitted_total": self._submissions.count,
            **{f"{name}_total": value for name, value in self._counters.items()},
            **{f"p2p_{name}_total": value for name, value in network.counters.items()},
        }
