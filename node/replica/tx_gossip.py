"""Transactions on their way into the pool: announced, fetched once, verified in the pool of verifiers, admitted."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from node import limits
from node.errors import BadSignature, TooLarge
from node.mempool.pool import Pool, PoolFull
from node.replica.messages import Announce
from node.replica.tx_fetcher import TxFetcher
from node.txtypes.envelope import CheckedTx, SignedTx, decode_signed_tx, is_of_unknown_type, wire_id_of

VERIFIED_MAX = 50_000
VERIFIED_BYTES_MAX = limits.BLOCK_BYTES_CAP + limits.BLOCK_BYTES_CAP // 2
"""Transactions whose signatures we know to verify, by wire id, until they are committed: a block names most again. In
bytes as signed, more than one block's; decoded, the worst (a directory entry of 64 sites) take thirty times as much."""
DONE_MAX = 30_000
"""Wire ids that were bad or are committed: not fetched again from every peer that announces them."""


class TxGossip:
    """The pool and what stands before it."""

    def __init__(self, pool: Pool, genesis_hash: bytes) -> None:
        self.pool = pool
        self._genesis_hash = genesis_hash
        self._verified: OrderedDict[bytes, CheckedTx] = OrderedDict()
        self._verified_bytes = 0
        self._done: OrderedDict[bytes, None] = OrderedDict()
        self.fetcher = TxFetcher()
        self.to_announce: list[bytes] = []

    # --- gossip ---
    def fresh_announcements(self) -> list[Announce]:
        """Of what was admitted since the last call."""
        fresh, self.to_announce = self.to_announce, []
        return _announcements(fresh)

    def announcements(self) -> list[Announce]:
        """Of the whole pool, oldest first: for a new peer, and now and then for all, since any may be lost."""
        return _announcements([tx.wire_id for tx in self.pool])

    def to_fetch(self, peer: int, wire_ids: tuple[bytes, ...], now_ms: int) -> tuple[bytes, ...]:
        """Those of the announced that are new here and not being fetched from another peer."""
        wanted = []
        for wire_id in wire_ids:
            if self.pool.by_wire_id(wire_id) or wire_id in self._done or wire_id in self._verified:
                continue
            if self.fetcher.is_open(wire_id, now_ms):
                continue
            self.fetcher.begin(peer, wire_id, now_ms)
            wanted.append(wire_id)
        return tuple(wanted)

    def verified_not_pooled(self, wire_ids: tuple[bytes, ...]) -> list[CheckedTx]:
        """Of the announced those that were verified in a block, perhaps one that was never decided."""
        return [tx for i in wire_ids if (tx := self._verified.get(i)) is not None and tx.txid not in self.pool]

    def have(self, wire_ids: tuple[bytes, ...]) -> list[tuple[bytes, ...]]:
        """Raw bytes of those in the pool, in portions of a message each."""
        portions: list[list[bytes]] = [[]]
        size = 0
        for wire_id in wire_ids:
            tx = self.pool.by_wire_id(wire_id)
            if tx is None:
                continue
            if size + len(tx.raw) > limits.TRANSACTIONS_BYTES_MAX and portions[-1]:
                portions.append([])
                size = 0
            size += len(tx.raw)
            portions[-1].append(tx.raw)
        return [tuple(portion) for portion in portions if portion]

    def raw_of(self, wire_id: bytes) -> bytes | None:
        """Signed bytes of a transaction whose signatures are known to verify."""
        tx = self.pool.by_wire_id(wire_id) or self._verified.get(wire_id)
        return tx.raw if tx is not None else None

    def fetched(self, raws: tuple[bytes, ...]) -> list[SignedTx]:
        """Decoded, only those that we asked for and whose type we know: one of another type is not asked for again, and
        nobody's fault, for other software may have it. Raises `Malformed` or `TooLarge`, also for more bytes than an
        answer has, and `BadSignature` for one that has none and so can hold nowhere: the peer's fault."""
        if (size := sum(map(len, raws))) > limits.TRANSACTIONS_BYTES_MAX:
            raise TooLarge(f"txs: {size} bytes, at most {limits.TRANSACTIONS_BYTES_MAX} in a message")
        found = []
        for raw in raws:
            wire_id = wire_id_of(self._genesis_hash, raw)
            if not self.fetcher.came(wire_id) or self.pool.by_wire_id(wire_id):
                continue
            signed = decode_signed_tx(raw, self._genesis_hash)
            if not signed.signatures:
                raise BadSignature("a transaction without a signature is passed on")
            if is_of_unknown_type(signed.payload):
                self.refuse(wire_id)
            else:
                found.append(signed)
        return found

    # --- verification ---
    def known(self, raw: bytes) -> CheckedTx | None:
        """The transaction where its signatures are known to verify."""
        wire_id = wire_id_of(self._genesis_hash, raw)
        return self.pool.by_wire_id(wire_id) or self._verified.get(wire_id)

    def note_verified(self, tx: CheckedTx) -> None:
        self._forget_verified(tx.wire_id)
        self._verified[tx.wire_id] = tx
        self._verified_bytes += len(tx.raw)
        while len(self._verified) > VERIFIED_MAX or self._verified_bytes > VERIFIED_BYTES_MAX:
            self._forget_verified(next(iter(self._verified)))

    def _forget_verified(self, wire_id: bytes) -> None:
        known = self._verified.pop(wire_id, None)
        if known is not None:
            self._verified_bytes -= len(known.raw)

    def refuse(self, wire_id: bytes) -> None:
        """It is bad: not to be fetched again."""
        self._forget_verified(wire_id)
        self._done[wire_id] = None
        if len(self._done) > DONE_MAX:
            self._done.popitem(last=False)

    def committed(self, transactions: Iterable[CheckedTx]) -> None:
        """They are in the chain: of no use any more, and not to be fetched again."""
        for tx in transactions:
            self.refuse(tx.wire_id)

    # --- admission ---
    def pooled(self, tx: CheckedTx, contended: tuple[bytes, ...]) -> str:
        """Into the pool with what holds, to be announced; why the pool takes no more, else empty."""
        try:
            if self.pool.add(tx, contended):
                self.to_announce.append(tx.wire_id)
        except PoolFull as error:
            return str(error)
        return ""

    def decode_block(self, raws: tuple[bytes, ...]) -> tuple[list[CheckedTx | None], list[SignedTx]]:
        """Transactions of a block in order, None where signatures are still to be verified; and those, in order.

        Raises `Rejected` where one does not decode.
        """
        found: list[CheckedTx | None] = []
        unknown: list[SignedTx] = []
        for raw in raws:
            tx = self.known(raw)
            found.append(tx)
            if tx is None:
                unknown.append(decode_signed_tx(raw, self._genesis_hash))
        return found, unknown


def _announcements(wire_ids: list[bytes]) -> list[Announce]:
    size = limits.ANNOUNCE_MAX
    return [Announce(tuple(wire_ids[start : start + size])) for start in range(0, len(wire_ids), size)]
