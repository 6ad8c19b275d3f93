"""A node that decides alone: `Backend` over the real store, ledger and blocks, without consensus and network."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import replace

import aiohttp
import msgspec

from node import limits
from node.chain.block import Block
from node.crypto.dev_keys import dev_key
from node.errors import Rejected
from node.execution.block_run import BlockFull, BlockRun
from node.ledger.guards import GuardsUnmet
from node.rpc.app import RpcServer
from node.rpc.backend import NodeStatus, NotAdmitted, PeerInfo, Submitted, Syncing, TxStatus
from node.rpc.config import RpcConfig
from node.txtypes.envelope import CheckedTx, check_signatures, decode_signed_tx
from node.txtypes.forecast import Forecast, forecast_of
from support.chain import Chain, address

NODE_KEY = dev_key("node", "single")


class SingleNode:
    """Takes transactions, keeps them pending, and makes a block of them when told to (`produce`)."""

    def __init__(self, chain: Chain | None = None) -> None:
        self.chain = chain or Chain()
        self.genesis = self.chain.genesis
        self.genesis_hash = self.chain.genesis_hash
        self.pool_max = limits.POOL_TXS_MAX
        self.node_key, self.sign = NODE_KEY.public, NODE_KEY.sign
        self.now_status = NodeStatus(
            moniker="single", node_key=NODE_KEY.public, validator=address("bmw"), is_validator=True, is_syncing=False,
            signing="signing", round=0, step="propose", peers=3, pool_txs=0, pool_bytes=0, halted="", version="0.1.0",
        )  # fmt: skip
        self.peer_list = [PeerInfo(bytes(32), "127.0.0.1:26801", "two", True, 0, address("dealer-munich"))]
        self._pending: dict[bytes, CheckedTx] = {}
        self._tx_statuses: dict[bytes, TxStatus] = {}
        self._run: BlockRun | None = None
        self._changed = asyncio.Event()

    # --- reading ---
    def reader(self):
        return self.chain.store

    def proof(self, key: bytes, height: int | None = None):
        return self.chain.store.proof(key, height)

    def status(self) -> NodeStatus:
        size = sum(len(tx.raw) for tx in self._pending.values())
        return replace(self.now_status, pool_txs=len(self._pending), pool_bytes=size)

    def peers(self) -> list[PeerInfo]:
        return self.peer_list

    def metrics(self) -> dict[str, float]:
        return {"height": self.chain.store.height(), "pool_txs": len(self._pending), "blocks_committed_total": 1}

    # --- transactions ---
    def tx_status(self, txid: bytes) -> TxStatus | None:
        place = self.chain.store.place(txid)
        if place is not None:
            return TxStatus(txid, "committed", height=place.height, index=place.index)
        if txid in self._pending:
            return TxStatus(txid, "pending", self._pending[txid].payload.expires_at_ms)
        known = self._tx_statuses.get(txid)
        if known is not None and self.chain.store.head().time_ms > known.expires_at_ms:
            return msgspec.structs.replace(known, status="expired")
        return known

    def forecast(self, tx: CheckedTx) -> Forecast:
        return forecast_of(self.chain.run().foresee(tx))

    async def submit(self, raws: list[bytes]) -> list[Submitted]:
        return [self._submit(raw) for raw in raws]

    def _submit(self, raw: bytes) -> Submitted:
        if self.now_status.is_syncing:
            return Submitted(b"", None, Syncing())
        try:
            signed = decode_signed_tx(raw, self.chain.genesis_hash)
        except Rejected as error:
            return Submitted(b"", None, error)
        known = self.tx_status(signed.txid)
        if known is not None and known.status != "rejected":
            return Submitted(signed.txid, known)
        try:
            tx = check_signatures(signed, self.chain.genesis_hash)
            if len(self._pending) >= self.pool_max:
                return Submitted(tx.txid, known, NotAdmitted("the pool is full", 2))
            self._run = self._run or self.chain.run()
            self._run.add(tx)
        except GuardsUnmet as error:
            rejected = TxStatus(signed.txid, "rejected", signed.payload.expires_at_ms, unmet=error.unmet)
            return Submitted(signed.txid, msgspec.structs.replace(rejected, accepted=known is not None))
        except Rejected as error:
            return Submitted(signed.txid, known, error)
        except BlockFull:
            return Submitted(signed.txid, known, NotAdmitted("the next block is full", 1))
        self._pending[tx.txid] = tx
        return Submitted(tx.txid, TxStatus(tx.txid, "pending", tx.payload.expires_at_ms))

    async def wait_for(self, txid: bytes, timeout_ms: int) -> TxStatus | None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_ms / 1000):
                while (tx_status := self.tx_status(txid)) is not None and tx_status.status == "pending":
                    await self._changed.wait()
        return self.tx_status(txid)

    async def commits(self) -> AsyncGenerator[int, None]:
        height = self.chain.store.height()
        while True:
            changed = self._changed
            while height < self.chain.store.height():
                height += 1
                yield height
            await changed.wait()

    # --- blocks ---
    def produce(self, *raws: bytes) -> Block:
        """A block of `raws`, as if another node had proposed them, then of everything pending that still holds."""
        run = self.chain.run()
        taken = list(raws)
        for raw in raws:
            run.add(self.chain.check(raw))
        for txid, tx in self._pending.items():
            try:
                run.add(tx)
                taken.append(tx.raw)
            except GuardsUnmet as error:
                self._tx_statuses[txid] = TxStatus(txid, "rejected", tx.payload.expires_at_ms, unmet=error.unmet)
        block = self.chain.produce(*taken)
        self._pending.clear()
        self.wake()
        return block

    def wake(self) -> None:
        """Tell everybody who waits that the head has moved."""
        self._run = None
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def produce_for_ever(self, interval_s: float) -> None:
        while True:
            await asyncio.sleep(interval_s)
            if self._pending:
                self.produce()


@contextlib.asynccontextmanager
async def serving(node: SingleNode | None = None, **settings):
    """(node, server, HTTP session) over a real socket."""
    node = node or SingleNode()
    server = RpcServer(node, RpcConfig(**{"port": 0, "stream_heartbeat_s": 0.2, **settings}))
    await server.start()
    try:
        async with aiohttp.ClientSession(server.url) as http:
            yield node, server, http
    finally:
        await server.stop()
