"""A running node: its parts, started in order and stopped in reverse order."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from functools import partial
from typing import Any

import msgspec

from node.chain.genesis import Genesis, genesis_hash, uses_dev_keys
from node.collector import settle_collector
from node.crypto.addresses import address_of, from_text, to_text
from node.crypto.signing import PrivateKey
from node.daemon.admin import AdminSocket
from node.daemon.clocks import ClockWatch, steady_clock, wall_clock
from node.daemon.config import Config
from node.daemon.debug_view import consensus_view, peers_view, settings_view, status_view
from node.daemon.home import Home
from node.daemon.key_rotation import key_on_chain, rotated
from node.daemon.loop_turns import NOTED_MS, LoopTurns
from node.daemon.member_nodes import MemberNodes
from node.daemon.memory import settle_allocator, trim_for_ever
from node.daemon.node_backend import NodeBackend
from node.daemon.node_metrics import NodeMetrics
from node.daemon.pruning import Pruner
from node.daemon.pump import Pump
from node.daemon.remote_signer import RemoteSigner, SignerLink
from node.daemon.settings import network_config, rpc_config, warn_of_few_descriptors
from node.daemon.signing_status import SigningStatus
from node.daemon.snapshots import SnapshotServer
from node.daemon.submissions import Submissions
from node.daemon.tx_status import TxStatuses
from node.daemon.verifiers import Verifiers
from node.errors import Corrupted, OperatorError
from node.file_lock import FileLock
from node.log import log
from node.mempool.pool import PoolLimits
from node.p2p.network import Events, Network
from node.p2p.wire import SnapshotMessage
from node.replica import events as e
from node.replica.replica import Replica, ReplicaConfig
from node.replica.signer import LocalSigner
from node.rpc.app import RpcServer
from node.storage import schema
from node.storage.chain_store import ChainStore
from node.storage.journal import Journal, open_journal
from node.storage.leveldb import LevelStore
from node.storage.safety_store import RUN_BYTES, SafetyFile
from node.storage.store_dirs import settle
from node.storage.tree_file import read_tree, write_tree
from node.txtypes.chain.validator_set import CONSENSUS_KEY


def check_dev_keys(genesis: Genesis) -> None:
    """Raises `OperatorError` for a genesis of a development network."""
    names = uses_dev_keys(genesis)
    if names:
        raise OperatorError(
            f"this genesis uses the public development keys ({', '.join(names[:3])}, ...), which anybody can sign "
            "with: start with --dev if this is a development network"
        )


class Node:
    """The process behind `bmw-node start`."""

    def __init__(self, home: Home, config: Config, *, allow_dev_keys: bool, turns: LoopTurns | None = None) -> None:
        """Reads files and opens the store. Raises `OperatorError` or `Corrupted`; nothing listens yet.

        `turns`: of the event loop that it will run in, for its metrics.
        """
        self._turns = turns or LoopTurns()
        self.home = home
        self.config = config
        self.genesis = home.read_genesis()
        self.genesis_hash = genesis_hash(self.genesis)
        self._clock = wall_clock(config, allow_dev_keys=allow_dev_keys)
        self._node_key = home.read_key("node")
        signer_socket = config.node.signer_socket
        has_key = not signer_socket and home.key_file("consensus").exists()
        consensus_key = home.read_key("consensus") if has_key else None
        self._verifiers = Verifiers(config.node.verify_workers, self.genesis_hash)
        settle(home.store)
        self._kv = LevelStore(home.store)
        self._journal_kv = open_journal(home.journal)
        self.store = ChainStore(
            self._kv, self.genesis, config.storage.state_history, partial(read_tree, home.tree_file)
        )
        self._journal = Journal(self._journal_kv)
        self._tx_statuses = TxStatuses(self._journal, self.store)
        run = secrets.token_bytes(RUN_BYTES)
        self._kv.write({schema.META_RUN: run}, [])
        self._signing_lock: FileLock | None = None
        account = home.key_file("account")
        self._account = address_of(home.read_key("account").public) if account.exists() else b""
        signer, address = None, self._own_address(consensus_key)
        if consensus_key is not None and address:
            self._signing_lock = home.hold_signing()
            consensus_key = rotated(home, self.store, address) or consensus_key
            signer = LocalSigner(address, consensus_key, SafetyFile(home.hard_state, run), self.genesis_hash)
        self._local_signer = signer
        self._signer_link: SignerLink | None = None
        if signer_socket:
            self._signer_link = SignerLink(home.path / signer_socket, self.genesis_hash, self._on_signer)
        settings = ReplicaConfig(
            config.consensus.block_interval_min_ms,
            config.consensus.block_interval_full_ms,
            config.consensus.block_interval_empty_ms,
            config.consensus.build_txs_max,
            pool=PoolLimits(**msgspec.structs.asdict(config.mempool)),
            announce_after_ms=config.p2p.announce_after_ms,
            stopwatch=time.monotonic,
        )
        self.replica = Replica(self.store, signer, settings, run)
        self._signing_status = SigningStatus(self.store, self.replica, self._signer_link, address, self._account)
        self._steady = steady_clock(self._clock())
        self._pump = Pump(self.replica, self._verifiers, self._steady, self._clock)
        self._pruner = Pruner(
            self.store,
            self._kv,
            SnapshotServer(
                home.snapshots, self.store, config.storage.snapshot_interval, config.storage.snapshot_archive_every
            ),
            config.storage.keep_blocks,
            config.storage.keep_days,
            self._on_failure,
        )
        self._members = MemberNodes(self.store)
        self._network = self._make_network()
        self._rpc: RpcServer | None = None
        self._admin = AdminSocket(home, self._kv, self.genesis, self.describe)
        self._submissions = Submissions(self.store, self._pump, self._verifiers, self._tx_statuses)
        self._clock_watch = ClockWatch()
        self._metrics = NodeMetrics(
            self.store,
            (self._kv, self._journal_kv),
            self._network,
            self._submissions,
            self.replica,
            self._verifiers,
            self._clock,
            self._clock_watch,
            self._pruner.snapshots,
            home.store,
            self._turns,
        )
        self.backend = NodeBackend(
            self.genesis,
            config.node.moniker or home.path.name,
            self._node_key,
            store=self.store,
            replica=self.replica,
            network=self._network,
            submissions=self._submissions,
            signing_status=self._signing_status,
            clock_watch=self._clock_watch,
            metrics=self._metrics,
            on_failure=self._on_failure,
        )
        self._settling: asyncio.Task[None] | None = None
        self._trimming: asyncio.Task[None] | None = None
        self._stopped = asyncio.Event()
        self.failure: BaseException | None = None

    def _own_address(self, consensus_key: PrivateKey | None) -> bytes:
        """The member this node signs for: as configured, else the one that has our consensus key, else our own."""
        if consensus_key is None:
            return b""
        if self.config.node.validator:
            return from_text(self.config.node.validator)
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

    # --- start and stop ---------------------------------------------------------------------------------------
    async def start(self) -> None:
        """p2p, replica, journal, signer link, RPC, admin socket, in this order. Stops them again before it raises."""
        self._pump.on_committed = self._on_committed
        self._pump.on_dropped = self._on_dropped
        self._pump.on_admitted = self._submissions.admitted
        self._pump.on_failure = self._on_failure
        self._pump.on_notice = self._metrics.noticed
        self._pump.on_handled = self._on_handled
        try:
            if self.config.rpc.port:
                warn_of_few_descriptors(self.config)
                self._rpc = RpcServer(self.backend, rpc_config(self.config))
            settle_allocator()
            settle_collector()
            await asyncio.sleep(0)
            self._turns.begin()
            await self._network.start()
            self._pump.network = self._network
            self._pump.start()
            await self._submissions.reload()
            if self._signer_link is not None:
                self._signer_link.start()
            if self._rpc is not None:
                await self._rpc.start()
            await self._admin.start()
            self._trimming = asyncio.create_task(trim_for_ever())
        except BaseException:
            await self.stop()
            raise
        self._signing_status.log_changes()
        log("listening", "info", {"p2p": self.config.p2p.port, "rpc": self.rpc_url()})

    def rpc_url(self) -> str:
        return self._rpc.url if self._rpc is not None else ""

    async def stop(self) -> None:
        """Stop in reverse order, within 5 s."""
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
        try:
            write_tree(self.home.tree_file, self.store.tree)
        except OSError as error:  # the next start computes the tree from the store
            log("tree_file", "warning", {"why": f"{self.home.tree_file} can't be written ({error.strerror})"})
        self._journal_kv.close()
        self._kv.close()
        if self._signing_lock is not None:
            self._signing_lock.close()
        self._stopped.set()

    def _on_failure(self, error: BaseException) -> None:
        """Stop the node: its disk is full or damaged, or its software is at fault. The first failure counts."""
        if self.failure is not None:
            return
        self.failure = error
        reason = str(error) or repr(error)
        self._pump.fail(reason)
        log("failed", "critical", {"why": reason, "kind": type(error).__name__})
        self._stopped.set()

    async def wait_stopped(self) -> None:
        """Until `request_stop` is called or the node fails."""
        await self._stopped.wait()

    def request_stop(self) -> None:
        self._stopped.set()

    def _on_signer(self, signer: RemoteSigner) -> None:
        self._signing_status.address = signer.address
        self._pump.post(e.SignerConnected(signer))

    def _rotate_key(self) -> None:
        """Go on with the home's next consensus key as soon as the chain names it for this validator."""
        old = self._local_signer
        if old is None or key_on_chain(self.store, old.address) == old.public:
            return
        try:
            key = rotated(self.home, self.store, old.address)
            if key is None:
                return
            old.retire()
            self._local_signer = LocalSigner(old.address, key, SafetyFile(self.home.hard_state), self.genesis_hash)
        except (OperatorError, Corrupted) as error:
            self._on_failure(error)
            return
        log("key_rotated", "info", {"validator": to_text(old.address), "consensus_key": key.public.hex()})
        self._pump.post(e.SignerConnected(self._local_signer))

    def _on_handled(self, event: e.Event, took_ms: int) -> None:
        if took_ms >= NOTED_MS:
            subject = event.message if isinstance(event, e.Received) else event
            self._turns.part(type(subject).__name__, took_ms)

    # --- actions of the replica ----------------------------------------------------------------------
    def _on_committed(self, action: e.BlockCommitted) -> None:
        header = action.block.header
        self._metrics.committed(action)
        log("committed", "info", {"height": header.height, "txs": len(action.transactions), "round": action.round})
        self._rotate_key()
        self._signing_status.log_changes()
        self._clock_watch.saw(header.proposer, self.replica.clock_offset_ms())
        self._tx_statuses.committed(tx.txid for tx in action.transactions)
        self._pruner.committed(header.height)
        self._submissions.admit_left_over()
        self.backend.committed(header.height)
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

    def describe(self) -> dict[str, Any]:
        """This node's part of a debug bundle; nothing secret."""
        return {
            "config": settings_view(self.config),
            "status": status_view(self.backend.status()),
            "metrics": self.backend.metrics(),
            "consensus": consensus_view(self.replica),
            "peers": peers_view(self.backend.peers()),
            "failure": repr(self.failure) if self.failure is not None else "",
        }
