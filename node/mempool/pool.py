"""Mempool: valid transactions that wait for a block, in arrival order. Bounded in count, bytes and per sender.

Transactions are indexed by the state keys they depend on, so that a commit rechecks only those that its diff affects.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from node import limits
from node.txtypes.envelope import CheckedTx


class PoolFull(Exception):
    """The pool, or the sender's share of it, is full."""


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """The settings of the section `mempool`."""

    txs_max: int = limits.POOL_TXS_MAX
    bytes_max: int = limits.POOL_BYTES_MAX
    per_account_max: int = limits.POOL_PER_ACCOUNT_MAX
    bytes_per_account_max: int = limits.POOL_BYTES_PER_ACCOUNT_MAX


@dataclass(slots=True)
class _Share:
    """Pending transactions of one sender."""

    txs: int = 0
    bytes: int = 0


class Pool:
    """Transactions by txid; of several with the same payload and other signatures the first is kept."""

    def __init__(self, bounds: PoolLimits | None = None) -> None:
        self._bounds = bounds or PoolLimits()
        self._by_txid: dict[bytes, CheckedTx] = {}
        self._by_wire_id: dict[bytes, CheckedTx] = {}
        self._contended: dict[bytes, tuple[bytes, ...]] = {}
        """Transaction id to the state keys it depends on."""
        self._by_key: dict[bytes, dict[bytes, None]] = {}
        self._shares: dict[bytes, _Share] = {}
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._by_txid)

    def __contains__(self, txid: bytes) -> bool:
        return txid in self._by_txid

    def __iter__(self) -> Iterator[CheckedTx]:
        return iter(self._by_txid.values())

    def check_room(self, sender: bytes, size: int) -> None:
        """Raises `PoolFull`, naming the bound, if `sender` can't add `size` bytes."""
        if len(self._by_txid) >= self._bounds.txs_max or self.bytes + size > self._bounds.bytes_max:
            raise PoolFull(f"the pool is full ({len(self._by_txid)} transactions, {self.bytes} bytes)")
        share = self._shares.get(sender, _Share())
        if share.txs >= self._bounds.per_account_max or share.bytes + size > self._bounds.bytes_per_account_max:
            raise PoolFull(f"the sender already has {share.txs} pending transactions ({share.bytes} bytes)")

    def add(self, tx: CheckedTx, contended: tuple[bytes, ...] = ()) -> bool:
        """Add a transaction; False if its txid is in the pool already. `contended`: the state keys it depends on.
        Raises `PoolFull`."""
        if tx.txid in self._by_txid:
            return False
        sender = tx.payload.sender
        self.check_room(sender, len(tx.raw))
        self._by_txid[tx.txid] = tx
        self._by_wire_id[tx.wire_id] = tx
        share = self._shares.setdefault(sender, _Share())
        share.txs += 1
        share.bytes += len(tx.raw)
        self.bytes += len(tx.raw)
        self._note(tx.txid, contended)
        return True

    def _note(self, txid: bytes, contended: tuple[bytes, ...]) -> None:
        self._contended[txid] = contended
        for key in contended:
            self._by_key.setdefault(key, {})[txid] = None

    def _forget(self, txid: bytes) -> None:
        for key in self._contended.pop(txid):
            waiting = self._by_key[key]
            del waiting[txid]
            if not waiting:
                del self._by_key[key]

    def judged_again(self, txid: bytes, contended: tuple[bytes, ...]) -> None:
        """The state keys that a transaction of the pool depends on now."""
        self._forget(txid)
        self._note(txid, contended)

    def remove(self, txid: bytes) -> CheckedTx | None:
        tx = self._by_txid.pop(txid, None)
        if tx is None:
            return None
        del self._by_wire_id[tx.wire_id]
        sender = tx.payload.sender
        share = self._shares[sender]
        share.txs -= 1
        share.bytes -= len(tx.raw)
        if not share.txs:
            del self._shares[sender]
        self.bytes -= len(tx.raw)
        self._forget(txid)
        return tx

    def get(self, txid: bytes) -> CheckedTx | None:
        return self._by_txid.get(txid)

    def by_wire_id(self, wire_id: bytes) -> CheckedTx | None:
        return self._by_wire_id.get(wire_id)

    def touching(self, keys: Iterable[bytes]) -> list[CheckedTx]:
        """Transactions that a change of these state keys may have made invalid: key by key, in arrival order.

        Set order differs between processes and would break the simulator's determinism.
        """
        touching: dict[bytes, CheckedTx] = {}
        for key in keys:
            for txid in self._by_key.get(key, ()):
                touching[txid] = self._by_txid[txid]
        return list(touching.values())

    def expired(self, now_ms: int) -> list[CheckedTx]:
        return [tx for tx in self._by_txid.values() if tx.payload.expires_at_ms < now_ms]
