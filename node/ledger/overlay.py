"""The ledger that a transaction reads and writes: typed state families, its block, and vehicle records.

A `Ledger` belongs to one transaction. Reads fall through to the block's overlay and then to the state before the
block; writes stay in the ledger until the transaction as a whole is valid.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import msgspec

from node.codec import Value
from node.ledger.family import Family
from node.ledger.guards import Guard, GuardsUnmet, Unmet
from node.ledger.params import CHAIN, PARAMS_ID, PARAMS_KEY, ChainParams
from node.ledger.receipts import Happening
from node.ledger.ruleset import Ruleset

V = TypeVar("V", bound=Value)


class StateReader(Protocol):
    """The state before the block."""

    def get(self, key: bytes) -> bytes | None: ...

    def bucket(self, number: int) -> bytes:
        """The bucket's entries (see `crypto.state_tree`), empty where there are none."""
        ...

    def was_committed(self, txid: bytes) -> bool:
        """Whether a block has the transaction. Of one that has expired the store may not know."""
        ...

    def record(self, vin: str, sequence: int) -> bytes | None:
        """A vehicle record as it is stored."""
        ...


@dataclass(frozen=True, slots=True)
class BlockContext:
    """The block that a transaction is in. `rules`: the ruleset that judges the block."""

    genesis_hash: bytes
    height: int
    time_ms: int
    rules: Ruleset


class Record(msgspec.Struct, frozen=True):
    """One entry of a vehicle's history, as stored: `<vin>/<sequence>`."""

    vin: str
    sequence: int
    body: bytes


Overlay = dict[bytes, tuple[Family[Any], Any]]
"""State key to its family and new value; None deletes."""


class BlockOverlay:
    """The state values that the block's transactions have read or changed so far."""

    def __init__(self, state: StateReader) -> None:
        self.state = state
        self.values: dict[bytes, Any] = {}
        """The present value of each key that was read or changed; None where there is none."""
        self.changes: Overlay = {}
        self.before: dict[bytes, Any] = {}
        """The value before the block of each key that has changed."""
        self.records: dict[tuple[str, int], bytes] = {}
        """The vehicle records that the block has appended so far, by VIN and sequence."""

    def get(self, family: Family[V], key: bytes) -> V | None:
        return self.values[key] if key in self.values else self.load(family, key)

    def load(self, family: Family[V], key: bytes) -> V | None:
        """Read a value that is not in `values` yet."""
        raw = self.state.get(key)
        value = None if raw is None else family.decode(raw)
        self.values[key] = value
        return value

    def put(self, family: Family[V], key: bytes, value: V | None) -> None:
        """None deletes."""
        if key not in self.before:
            self.before[key] = self.get(family, key)
        self.values[key] = value
        self.changes[key] = (family, value)

    def take(self, ledger: Ledger) -> None:
        """Take over the changes and records of a transaction that is valid as a whole."""
        before, values = self.before, self.values
        for key, (family, value) in ledger.changes.items():
            if key not in before:
                before[key] = self.get(family, key)
            values[key] = value
        self.changes.update(ledger.changes)
        for record in ledger.records:
            self.records[record.vin, record.sequence] = record.body


class Ledger(msgspec.Struct, eq=False):
    """One transaction's view of state, and its effects: writes, records, happenings, unmet guards. `reads`: the
    contended state keys read so far, while they are recorded; `contended`: those that judging has read. A pending
    transaction is judged again when one of them changes."""

    overlay: BlockOverlay
    block: BlockContext
    txid: bytes
    sender: bytes
    payload_bytes: bytes = b""
    reads: dict[bytes, None] | None = None
    contended: tuple[bytes, ...] = ()
    changes: Overlay = {}
    replaced: dict[bytes, Any] = {}
    created: list[bytes] = []
    records: list[Record] = []
    happenings: list[Happening] = []
    unmet_guards: list[Unmet] = []

    def get(self, family: Family[V], ident: str | bytes) -> V | None:
        key = family.key(ident)
        if self.reads is not None and family.contended:
            self.reads[key] = None
        changed = self.changes.get(key)
        if changed is not None:
            return changed[1]  # type: ignore[no-any-return]
        values = self.overlay.values  # the overlay's `get`, without the cost of a call
        return values[key] if key in values else self.overlay.load(family, key)

    def the(self, family: Family[V], ident: str | bytes) -> V:
        """The value, which exists because the guards were met."""
        value = self.get(family, ident)
        assert value is not None, f"no {family.name} {ident!r}, though the guards were met"
        return value

    def put(self, family: Family[V], ident: str | bytes, value: V | None) -> None:
        """None deletes."""
        self.changes[family.key(ident)] = (family, value)

    def record(self, vin: str, sequence: int) -> bytes | None:
        """A vehicle record as it is stored, also one that this block has appended before this transaction."""
        return self.overlay.records.get((vin, sequence)) or self.overlay.state.record(vin, sequence)

    def note_replaced(self) -> None:
        """Note the value that each change replaces, None where there is none, and the keys that are new."""
        overlay, self.replaced, self.created = self.overlay, {}, []
        values = overlay.values
        for key, (family, new) in self.changes.items():
            old = values[key] if key in values else overlay.load(family, key)
            self.replaced[key] = old
            if old is None and new is not None:
                self.created.append(key)

    @property
    def now_ms(self) -> int:
        """The block's time: the only clock there is."""
        return self.block.time_ms

    @property
    def params(self) -> ChainParams:
        return self.the(CHAIN, PARAMS_ID)

    @property
    def rules(self) -> Ruleset:
        """The ruleset in force; reading it counts as reading the chain parameters."""
        if self.reads is not None:
            self.reads[PARAMS_KEY] = None
        return self.block.rules

    def happened(self, name: str, *subjects: str) -> None:
        """Note a fact that no single state value shows, such as a moved title."""
        self.happenings.append(Happening(name, subjects))

    def unmet(self, guard: Guard, subject: str = "", have: object = "", need: object = "") -> None:
        """Note one guard that is not met."""
        self.unmet_guards.append(Unmet(guard.code, subject, str(have), str(need)))

    def check_guards(self) -> None:
        """Raises `GuardsUnmet` with every noted guard."""
        if self.unmet_guards:
            raise GuardsUnmet(tuple(self.unmet_guards))
