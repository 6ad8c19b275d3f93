"""All that a transaction may touch: typed families of state, the block's time, and the vehicle's record chain.

`Ledger` belongs to one transaction. Reads fall through to the block's overlay and then to the state before the block;
writes stay here until the transaction holds as a whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from node.codec import Value, encode
from node.errors import Corrupted
from node.txtypes.unmet import GuardsUnmet, Unmet

V = TypeVar("V", bound=Value)

FAMILIES: dict[str, Family[Any]] = {}


class Family(Generic[V]):
    """One kind of state value: `family/id` to a struct. Its first encoded element is the value's version."""

    def __init__(self, name: str, kind: type[V]) -> None:
        assert name not in FAMILIES, f"two families are called {name}"
        self.name = name
        self.kind = kind
        self._prefix = name.encode("ascii") + b"/"
        self._decoder = msgspec.msgpack.Decoder(kind)
        FAMILIES[name] = self

    def key(self, ident: str | bytes) -> bytes:
        """The ASCII state key; binary ids are written in hex."""
        return self._prefix + (ident.hex() if isinstance(ident, bytes) else ident).encode("ascii")

    def decode(self, raw: bytes) -> V:
        """Raises `Corrupted`: only our own encoding is ever stored."""
        try:
            return self._decoder.decode(raw)
        except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Corrupted(f"a stored value of family {self.name} does not decode: {error}") from None


class StateReader(Protocol):
    """The state before the block."""

    def get(self, key: bytes) -> bytes | None: ...

    def bucket(self, number: int) -> bytes:
        """The bucket's entries (see `crypto.state_tree`), empty where there are none."""
        ...

    def was_committed(self, txid: bytes, expires_at_ms: int) -> bool:
        """Whether the replay window holds the txid."""
        ...


@dataclass(frozen=True, slots=True)
class BlockContext:
    """What a transaction may know of the block it is in."""

    genesis_hash: bytes
    height: int
    time_ms: int


@dataclass(frozen=True, slots=True)
class Record:
    """One entry of a vehicle's history, as stored: `<vin>/<sequence>`."""

    vin: str
    sequence: int
    body: bytes


Overlay = dict[bytes, tuple[Family[Any], Any]]


class BlockOverlay:
    """Everything the block's accepted transactions have changed so far, and what they read."""

    def __init__(self, state: StateReader) -> None:
        self.state = state
        self.changes: Overlay = {}
        self._read: dict[bytes, Any] = {}

    def get(self, family: Family[V], key: bytes) -> V | None:
        changed = self.changes.get(key)
        if changed is not None:
            return changed[1]  # type: ignore[no-any-return]
        if key in self._read:
            return self._read[key]  # type: ignore[no-any-return]
        raw = self.state.get(key)
        value = None if raw is None else family.decode(raw)
        self._read[key] = value
        return value


class Ledger:
    """One transaction's view. `unmet` gathers every guard that does not hold."""

    __slots__ = ("block", "changes", "overlay", "payload_bytes", "records", "sender", "txid", "unmet_guards")

    def __init__(
        self, overlay: BlockOverlay, block: BlockContext, txid: bytes, sender: bytes, payload_bytes: bytes = b""
    ) -> None:
        self.overlay = overlay
        self.block = block
        self.txid = txid
        self.sender = sender
        self.payload_bytes = payload_bytes
        self.changes: Overlay = {}
        self.records: list[Record] = []
        self.unmet_guards: list[Unmet] = []

    # --- state ---
    def get(self, family: Family[V], ident: str | bytes) -> V | None:
        key = family.key(ident)
        changed = self.changes.get(key)
        if changed is not None:
            return changed[1]  # type: ignore[no-any-return]
        return self.overlay.get(family, key)

    def put(self, family: Family[V], ident: str | bytes, value: V | None) -> None:
        """None deletes."""
        self.changes[family.key(ident)] = (family, value)

    @property
    def now_ms(self) -> int:
        """The block's time: the only clock there is."""
        return self.block.time_ms

    # --- guards ---
    def unmet(self, code: str, subject: str = "", have: object = "", need: object = "") -> None:
        """Note one guard that does not hold."""
        self.unmet_guards.append(Unmet(code, subject, str(have), str(need)))

    def check_guards(self) -> None:
        """Raises `GuardsUnmet` with all that were noted."""
        if self.unmet_guards:
            raise GuardsUnmet(tuple(self.unmet_guards))


def encoded(value: Value) -> bytes:
    """The bytes a state value is stored and hashed as."""
    return encode(value)


IndexEntries = Callable[[str, Any], list[bytes]]
"""(id, value) to the index keys that a value has; see `storage.indexes`."""
