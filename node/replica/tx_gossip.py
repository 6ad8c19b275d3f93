"""Transaction gossip: announce, fetch once, verify, and add to the pool."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from node import limits
from node.errors import BadSignature, TooLarge
from node.ledger.body import UnknownBody
from node.ledger.signed import wire_id_of
from node.mempool.pool import Pool
from node.replica.messages import Announce
from node.replica.tx_fetcher import TxFetcher
from node.txtypes.envelope import CheckedTx, SignedTx, decode_signed_tx

VERIFIED_MAX = 50_000
VERIFIED_BYTES_MAX = limits.BLOCK_BYTES_CAP + limits.BLOCK_BYTES_CAP // 2
"""Bounds of the cache of verified transactions, by wire id: most are needed again in a block. The bytes are as signed,
more than one block's; decoded, the worst case (a directory entry of 64 sites) takes thirty times as much."""
DONE_MAX = 30_000
"""Wire ids of bad or committed transactions, which are not fetched again."""


class TxGossip:
    """The pool, the cache of verified transactions, and the fetcher."""

    def __init__(self, pool: Pool, genesis_hash: bytes) -> None:
        self.pool = pool
        self._genesis_hash = genesis_hash
        self._verified: OrderedDict[bytes, CheckedTx] = OrderedDict()
        self._verified_bytes = 0
        self._done: OrderedDict[bytes, None] = OrderedDict()
        self.fetcher = TxFetcher()
        self._to_announce: list[bytes] = []

    # --- gossip ---
    def announce(self, tx: CheckedTx) -> None:
        self._to_announce.append(tx.wire_id)

    def fresh_announcements(self) -> list[Announce]:
        """What is to be announced since the last call."""
        fresh, self._to_announce = self._to_announce, []
        return _announcements(fresh)

    def announcements(self) -> list[Announce]:
        """Announcements of the whole pool, oldest first: for new peers, and periodically since messages may be lost."""
        return _announcements([tx.wire_id for tx in self.pool])

    def to_fetch(self, peer: int, wire_ids: tuple[bytes, ...], now_ms: int) -> tuple[bytes, ...]:
        """The announced wire ids that are new here and not requested yet; they are now requested from `peer`."""
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
        """Announced transactions that are verified but not in the pool: from a block that may never be decided."""
        return [tx for i in wire_ids if (tx := self._verified.get(i)) is not None and tx.txid not in self.pool]

    def have(self, wire_ids: tuple[bytes, ...]) -> list[tuple[bytes, ...]]:
        """Signed bytes of those in the pool, split into messages."""
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
        """Signed bytes of a verified transaction."""
        tx = self.pool.by_wire_id(wire_id) or self._verified.get(wire_id)
        return tx.raw if tx is not None else None

    def fetched(self, raws: tuple[bytes, ...]) -> list[SignedTx]:
        """Decode the transactions that we requested and whose type we know; others are ignored.

        A transaction of another type is not requested again, and is nobody's fault: other software may know the type.
        Raises `Malformed`, `TooLarge` (for the whole answer too), and `BadSignature` for one without signatures: the
        peer's fault.
        """
        if (size := sum(map(len, raws))) > limits.TRANSACTIONS_BYTES_MAX:
            raise TooLarge(f"txs: {size} bytes, at most {limits.TRANSACTIONS_BYTES_MAX} in a message")
        transactions = []
        for raw in raws:
            wire_id = wire_id_of(self._genesis_hash, raw)
            if not self.fetcher.came(wire_id) or self.pool.by_wire_id(wire_id):
                continue
            signed = decode_signed_tx(raw, self._genesis_hash)
            if not signed.signatures:
                raise BadSignature("a transaction without a signature was relayed")
            if isinstance(signed.payload.body, UnknownBody):
                self.refuse(wire_id)
            else:
                transactions.append(signed)
        return transactions

    # --- verification ---
    def verified(self, raw: bytes) -> CheckedTx | None:
        """The transaction if it is verified, else None."""
        wire_id = wire_id_of(self._genesis_hash, raw)
        return self.pool.by_wire_id(wire_id) or self._verified.get(wire_id)

    def note_verified(self, tx: CheckedTx) -> None:
        self._forget_verified(tx.wire_id)
        self._verified[tx.wire_id] = tx
        self._verified_bytes += len(tx.raw)
        while len(self._verified) > VERIFIED_MAX or self._verified_bytes > VERIFIED_BYTES_MAX:
            self._forget_verified(next(iter(self._verified)))

    def _forget_verified(self, wire_id: bytes) -> None:
        tx = self._verified.pop(wire_id, None)
        if tx is not None:
            self._verified_bytes -= len(tx.raw)

    def refuse(self, wire_id: bytes) -> None:
        """Never fetch this transaction again."""
        self._forget_verified(wire_id)
        self._done[wire_id] = None
        if len(self._done) > DONE_MAX:
            self._done.popitem(last=False)

    def committed(self, transactions: Iterable[CheckedTx]) -> None:
        """Forget committed transactions, and never fetch them again."""
        for tx in transactions:
            self.refuse(tx.wire_id)

    # --- blocks ---
    def decode_block(self, raws: tuple[bytes, ...]) -> tuple[list[CheckedTx | None], list[SignedTx]]:
        """Transactions of a block in order, None for each unverified one; and the unverified ones, in order.

        Raises `Rejected` if one does not decode.
        """
        transactions: list[CheckedTx | None] = []
        unknown: list[SignedTx] = []
        for raw in raws:
            tx = self.verified(raw)
            transactions.append(tx)
            if tx is None:
                unknown.append(decode_signed_tx(raw, self._genesis_hash))
        return transactions, unknown


def _announcements(wire_ids: list[bytes]) -> list[Announce]:
    size = limits.ANNOUNCE_MAX
    return [Announce(tuple(wire_ids[start : start + size])) for start in range(0, len(wire_ids), size)]
