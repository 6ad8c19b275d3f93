"""Transactions that hold now and wait for a block. Bounded in count, bytes and per sender; arrival order is kept.

Entries are indexed by the state keys they touch, so that a commit rechecks only what meets its diff.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from node import limits
from node.txtypes.envelope import CheckedTx


class PoolFull(Exception):
    """No room for this transaction now."""


@dataclass(frozen=True, slots=True)
class PoolLimits:
    txs: int = limits.POOL_TXS_MAX
    bytes: int = limits.POOL_BYTES_MAX
    per_account: int = limits.POOL_PER_ACCOUNT_MAX


class Pool:
    """One variant (signature set) per txid: the first that was admitted."""

    def __init__(self, bounds: PoolLimits | None = None) -> None:
        self._bounds = bounds or PoolLimits()
        self._by_txid: dict[bytes, CheckedTx] = {}
        self._by_wire_id: dict[bytes, CheckedTx] = {}
        self._by_subject: dict[bytes, dict[bytes, None]] = {}
        self._per_sender: dict[bytes, int] = {}
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._by_txid)

    def __contains__(self, txid: bytes) -> bool:
        return txid in self._by_txid

    def __iter__(self) -> Iterator[CheckedTx]:
        return iter(self._by_txid.values())

    def check_room(self, sender: bytes, size: int) -> None:
        """Raises `PoolFull`, naming the bound."""
        if len(self._by_txid) >= self._bounds.txs or self.bytes + size > self._bounds.bytes:
            raise PoolFull(f"the pool is full ({len(self._by_txid)} transactions, {self.bytes} bytes)")
        if self._per_sender.get(sender, 0) >= self._bounds.per_account:
            raise PoolFull(f"the sender has {self._bounds.per_account} pending transactions already")

    def add(self, tx: CheckedTx) -> bool:
        """Whether the transaction is new here. Raises `PoolFull`."""
        if tx.txid in self._by_txid:
            return False
        sender = tx.payload.sender
        self.check_room(sender, len(tx.raw))
        self._by_txid[tx.txid] = tx
        self._by_wire_id[tx.wire_id] = tx
        self._per_sender[sender] = self._per_sender.get(sender, 0) + 1
        self.bytes += len(tx.raw)
        for subject in subjects_of(tx):
            self._by_subject.setdefault(subject, {})[tx.txid] = None
        return True

    def remove(self, txid: bytes) -> CheckedTx | None:
        tx = self._by_txid.pop(txid, None)
        if tx is None:
            return None
        del self._by_wire_id[tx.wire_id]
        sender = tx.payload.sender
        self._per_sender[sender] -= 1
        if not self._per_sender[sender]:
            del self._per_sender[sender]
        self.bytes -= len(tx.raw)
        for subject in subjects_of(tx):
            waiting = self._by_subject[subject]
            del waiting[txid]
            if not waiting:
                del self._by_subject[subject]
        return tx

    def get(self, txid: bytes) -> CheckedTx | None:
        return self._by_txid.get(txid)

    def by_wire_id(self, wire_id: bytes) -> CheckedTx | None:
        return self._by_wire_id.get(wire_id)

    def touching(self, keys: Iterable[bytes]) -> list[CheckedTx]:
        """Entries that a change of these state keys may have made invalid: key by key, in order of arrival.

        Never in a set's order, which differs from process to process: a seed must play the same everywhere.
        """
        found: dict[bytes, CheckedTx] = {}
        for key in keys:
            for txid in self._by_subject.get(key, ()):
                found[txid] = self._by_txid[txid]
        return list(found.values())

    def expired(self, now_ms: int) -> list[CheckedTx]:
        return [tx for tx in self._by_txid.values() if tx.payload.expires_at_ms < now_ms]


def subjects_of(tx: CheckedTx) -> list[bytes]:
    """State keys the transaction depends on, each once: its type's, its sender's account and membership."""
    sender = tx.payload.sender.hex().encode("ascii")
    named = [subject.encode("ascii") for subject in tx.payload.body.subjects()]
    return list(dict.fromkeys((*named, b"account/" + sender, b"member/" + sender)))
