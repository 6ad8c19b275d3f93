"""Mempool: valid transactions that wait for a block. Bounded in count, bytes, and for each sender and sponsor.

The sponsor of a transaction is the member that pays for it: the sender itself, or the member that opened its account.
Transactions are indexed by the state keys they depend on, so that a commit rechecks only those that its diff affects.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from heapq import merge
from itertools import islice
from typing import Final, NamedTuple

from node import limits
from node.crypto.addresses import to_text
from node.txtypes.envelope import CheckedTx

TURN: Final = 100
"""Transactions of one sponsor in a turn: nobody's second turn begins before everybody's first is over."""


class PoolFull(Exception):
    """The pool, or a payer's share of it, is full."""


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """The settings of the section `mempool`."""

    txs_max: int = limits.POOL_TXS_MAX
    bytes_max: int = limits.POOL_BYTES_MAX
    per_account_max: int = limits.POOL_PER_ACCOUNT_MAX
    bytes_per_account_max: int = limits.POOL_BYTES_PER_ACCOUNT_MAX
    per_sponsor_max: int = limits.POOL_PER_SPONSOR_MAX
    bytes_per_sponsor_max: int = limits.POOL_BYTES_PER_SPONSOR_MAX


class Payer(NamedTuple):
    """An account that pays for a transaction, and the weight that its quota of the day has left at the head."""

    address: bytes
    left: int


class Claim(NamedTuple):
    """The weight that a transaction will be charged, and its payers, the sponsor last."""

    weight: int
    payers: tuple[Payer, ...]


class Entry(NamedTuple):
    """A transaction of the pool. `number`: increases with arrival."""

    number: int
    tx: CheckedTx
    claim: Claim

    @property
    def sponsor(self) -> bytes:
        return self.claim.payers[-1].address


@dataclass(slots=True)
class _Share:
    """Pending transactions of one sender or sponsor, in arrival order, and their size."""

    entries: dict[bytes, Entry] = field(default_factory=dict)
    bytes: int = 0


NOTHING: Final = _Share()
"""Of who has no transaction in the pool."""


class Pool:
    """Transactions by txid; of several with the same payload and other signatures the first is kept."""

    def __init__(self, bounds: PoolLimits | None = None) -> None:
        self._bounds = bounds or PoolLimits()
        self._by_txid: dict[bytes, Entry] = {}
        self._by_wire_id: dict[bytes, CheckedTx] = {}
        self._contended: dict[bytes, tuple[bytes, ...]] = {}
        """Transaction id to the state keys it depends on."""
        self._by_key: dict[bytes, dict[bytes, None]] = {}
        self._senders: defaultdict[bytes, _Share] = defaultdict(_Share)
        self._sponsors: defaultdict[bytes, _Share] = defaultdict(_Share)
        self._reserved: Counter[bytes] = Counter()
        """Payer to the weight that it will be charged for pending transactions."""
        self._next = 0
        self._first_expiry_ms = limits.TIME_MAX_MS
        """No transaction expires before; it may be too early, since one that is removed does not change it."""
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._by_txid)

    def __contains__(self, txid: bytes) -> bool:
        return txid in self._by_txid

    def __iter__(self) -> Iterator[CheckedTx]:
        """In arrival order."""
        return (entry.tx for entry in self._by_txid.values())

    def in_turns(self) -> Iterator[Entry]:
        """The order for a block: the first `TURN` transactions of every sponsor, then the next of each. Those of a turn
        and those of one sender are in arrival order."""
        waiting = [iter(list(share.entries.values())) for share in self._sponsors.values()]
        while waiting:
            turns = [list(islice(entries, TURN)) for entries in waiting]
            yield from merge(*turns, key=lambda entry: entry.number)
            waiting = [entries for entries, turn in zip(waiting, turns, strict=True) if len(turn) == TURN]

    def check_room(self, sender: bytes, size: int, claim: Claim) -> None:
        """Raises `PoolFull`, naming the bound, if `sender` and its payers can't add `size` bytes. The last fifth of the
        pool is for sponsors that have less than a turn in it."""
        bounds, sponsor = self._bounds, claim.payers[-1].address
        own, all_ = self._senders.get(sender, NOTHING), self._sponsors.get(sponsor, NOTHING)
        is_first_turn = len(all_.entries) < TURN
        txs_max, bytes_max = (n if is_first_turn else n - n // 5 for n in (bounds.txs_max, bounds.bytes_max))
        if len(self) >= txs_max or self.bytes + size > bytes_max:
            raise PoolFull(f"the pool is full ({len(self)} transactions, {self.bytes} bytes)")
        if len(own.entries) >= bounds.per_account_max or own.bytes + size > bounds.bytes_per_account_max:
            raise PoolFull(f"the sender already has {len(own.entries)} pending transactions ({own.bytes} bytes)")
        if len(all_.entries) >= bounds.per_sponsor_max or all_.bytes + size > bounds.bytes_per_sponsor_max:
            raise PoolFull(
                f"the sender's sponsor {to_text(sponsor)} already has {len(all_.entries)} pending transactions "
                f"({all_.bytes} bytes), those of the accounts that it sponsors included"
            )
        for payer in claim.payers if claim.weight else ():
            if self._reserved[payer.address] + claim.weight > payer.left:
                raise PoolFull(
                    f"the pending transactions that {to_text(payer.address)} pays for use up its quota of weight for "
                    "today"
                )

    def add(self, tx: CheckedTx, contended: tuple[bytes, ...], claim: Claim) -> bool:
        """Add a transaction; False if its txid is in the pool already. `contended`: the state keys it depends on.
        Raises `PoolFull`."""
        if tx.txid in self._by_txid:
            return False
        sender, size = tx.payload.sender, len(tx.raw)
        self.check_room(sender, size, claim)
        self._next += 1
        entry = Entry(self._next, tx, claim)
        self._by_txid[tx.txid] = entry
        self._by_wire_id[tx.wire_id] = tx
        for share in self._shares_of(entry):
            share.entries[tx.txid] = entry
            share.bytes += size
        for payer in claim.payers:
            self._reserved[payer.address] += claim.weight
        self._first_expiry_ms = min(self._first_expiry_ms, tx.payload.expires_at_ms)
        self.bytes += size
        self._note(tx.txid, contended)
        return True

    def _shares_of(self, entry: Entry) -> tuple[_Share, _Share]:
        return self._senders[entry.tx.payload.sender], self._sponsors[entry.sponsor]

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
        entry = self._by_txid.pop(txid, None)
        if entry is None:
            return None
        tx, size = entry.tx, len(entry.tx.raw)
        del self._by_wire_id[tx.wire_id]
        for share in self._shares_of(entry):
            del share.entries[txid]
            share.bytes -= size
        for shares, party in ((self._senders, tx.payload.sender), (self._sponsors, entry.sponsor)):
            if not shares[party].entries:
                del shares[party]
        for payer in entry.claim.payers:
            self._reserved[payer.address] -= entry.claim.weight
            if self._reserved[payer.address] <= 0:
                del self._reserved[payer.address]
        self.bytes -= size
        self._forget(txid)
        return tx

    def get(self, txid: bytes) -> CheckedTx | None:
        entry = self._by_txid.get(txid)
        return None if entry is None else entry.tx

    def by_wire_id(self, wire_id: bytes) -> CheckedTx | None:
        return self._by_wire_id.get(wire_id)

    def touching(self, keys: Iterable[bytes]) -> list[CheckedTx]:
        """Transactions that a change of these state keys may have made invalid: key by key, in arrival order.

        Set order differs between processes and would break the simulator's determinism.
        """
        touching: dict[bytes, CheckedTx] = {}
        for key in keys:
            for txid in self._by_key.get(key, ()):
                touching[txid] = self._by_txid[txid].tx
        return list(touching.values())

    def expired(self, now_ms: int) -> list[CheckedTx]:
        """Transactions that expire before `now_ms`. Looks at none unless the first of them has passed."""
        if now_ms <= self._first_expiry_ms:
            return []
        expired = [tx for tx in self if tx.payload.expires_at_ms < now_ms]
        later = (tx.payload.expires_at_ms for tx in self if tx.payload.expires_at_ms >= now_ms)
        self._first_expiry_ms = min(later, default=limits.TIME_MAX_MS)
        return expired
