"""What a running node answers to its HTTP interface."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from importlib.metadata import version

from node.chain.genesis import Genesis, genesis_hash
from node.crypto.signing import PrivateKey
from node.crypto.state_tree import StateProof
from node.daemon.clocks import ClockWatch
from node.daemon.member_nodes import members_of
from node.daemon.node_metrics import NodeMetrics
from node.daemon.signing_status import SigningStatus
from node.daemon.submissions import Submissions
from node.errors import Corrupted, OperatorError
from node.p2p.network import Network
from node.replica.replica import Replica
from node.rpc.backend import NodeStatus, PeerInfo, Submitted, Syncing, TxStatus
from node.storage.chain_store import ChainReader, ChainStore
from node.txtypes.envelope import CheckedTx
from node.txtypes.forecast import Forecast


class NodeBackend:
    """Implements `rpc.backend.Backend`."""

    def __init__(
        self,
        genesis: Genesis,
        moniker: str,
        node_key: PrivateKey,
        *,
        store: ChainStore,
        replica: Replica,
        network: Network,
        submissions: Submissions,
        signing_status: SigningStatus,
        clock_watch: ClockWatch,
        metrics: NodeMetrics,
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self.genesis: Genesis = genesis
        self.genesis_hash: bytes = genesis_hash(genesis)
        self._moniker = moniker
        self.node_key: bytes = node_key.public
        self.sign = node_key.sign
        self._store = store
        self._replica = replica
        self._network = network
        self._submissions = submissions
        self._signing_status = signing_status
        self._clock_watch = clock_watch
        self._metrics = metrics
        self._on_failure = on_failure
        self._subscribers: set[asyncio.Queue[int]] = set()
        self._version = version("bmw-chain")

    def committed(self, height: int) -> None:
        """Tell the subscribers of `commits`."""
        for queue in list(self._subscribers):
            queue.put_nowait(height)

    # --- Backend ----------------------------------------------------------------------------------------
    def reader(self) -> ChainReader:
        return self._store

    def proof(self, key: bytes, height: int | None = None) -> StateProof:
        return self._store.proof(key, height)

    def status(self) -> NodeStatus:
        machine = self._replica.machine
        return NodeStatus(
            moniker=self._moniker,
            node_key=self.node_key,
            validator=self._signing_status.address,
            is_validator=self._signing_status.is_validator(),
            is_syncing=self._replica.is_syncing(),
            signing=self._signing_status.signing(),
            round=machine.round,
            step=machine.step_now.name.lower(),
            peers=len(self._network.connected()),
            pool_txs=len(self._replica.pool),
            pool_bytes=self._replica.pool.bytes,
            halted=self._replica.halted,
            version=self._version,
            pace=self._replica.pace(),
            is_clock_off=self._clock_watch.is_off(self._store.head().validators),
        )

    def peers(self) -> list[PeerInfo]:
        by_key = {member.node_key: address for address, member in members_of(self._store) if member.node_key}
        return [
            PeerInfo(
                link.hello.node_key,
                f"{link.host}:{link.hello.listen_port or link.port}",
                link.hello.moniker,
                link.is_outbound,
                self._network.height_of(peer),
                by_key.get(link.hello.node_key, b""),
                self._network.score_of(peer),
            )
            for peer, link in self._network.connected().items()
        ]

    def tx_status(self, txid: bytes) -> TxStatus | None:
        return self._submissions.tx_status(txid)

    def forecast(self, tx: CheckedTx) -> Forecast:
        if self._replica.halted:
            raise self._halted()
        return self._replica.forecast(tx)

    def _halted(self) -> Syncing:
        return Syncing(f"the node has halted: {self._replica.halted}")

    async def submit(self, raws: list[bytes]) -> list[Submitted]:
        if self._replica.halted:
            return [Submitted(b"", None, self._halted())] * len(raws)
        if self._replica.is_syncing():
            error = Syncing("the node is catching up and takes no transactions now")
            return [Submitted(b"", None, error)] * len(raws)
        try:
            return await self._submissions.submit(raws)
        except (OperatorError, Corrupted) as error:  # a journal that can't be written stops the node, as a store does
            self._on_failure(error)
            raise

    async def wait_for(self, txid: bytes, timeout_ms: int) -> TxStatus | None:
        return await self._submissions.wait_for(txid, timeout_ms)

    async def commits(self) -> AsyncGenerator[int, None]:
        queue: asyncio.Queue[int] = asyncio.Queue()
        self._subscribers.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._subscribers.discard(queue)

    def metrics(self) -> dict[str, float]:
        return self._metrics.samples(self.status(), self._signing_status.upgrade_height())
