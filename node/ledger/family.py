"""State families: one declaration per kind of state value, from which storage, lists, proofs and answers follow.

A view is a frozen struct and a pure function of the value, a reader of state and the time. Over proven values of one
height it gives exactly what a node answers at that height.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from difflib import get_close_matches
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar, Union

import msgspec

from node.codec import Value, encode
from node.crypto.addresses import from_text
from node.errors import Corrupted, Malformed
from node.ledger.caution import Caution
from node.ledger.ruleset import Ruleset
from node.rules.vin import VIN_PATTERN

V = TypeVar("V", bound=Value)
W = TypeVar("W", bound=msgspec.Struct)
KEYS_KEPT: Final = 1_024
"""Cached state keys of a family: transactions read the same few again and again."""


def nearest(value: str, known: tuple[str, ...]) -> tuple[str, str]:
    """(closest known value or empty, hint for an error text)."""
    near = get_close_matches(value, known, 1, 0.5)
    return (near[0], f"did you mean {near[0]}?") if near else ("", f"known are {', '.join(known)}")


class Ident(NamedTuple):
    """The form of a family's ids: a proof of absence is given for possible ids only. `choices`: all ids of a small
    family. `param`: the name of an id in an HTTP path."""

    what: str
    pattern: str
    choices: tuple[str, ...] = ()
    param: str = ""

    def canonical(self, text: str) -> str:
        """The id in its canonical form; an address may be given in bech32m. Raises `Malformed`."""
        ident = from_text(text).hex() if self is ADDRESS_IDENT and text.startswith("bmw1") else text
        if self.choices and text not in self.choices:
            raise Malformed(f"{text[:80]!r} is unknown; {nearest(text, self.choices)[1]}")
        if _compiled(self.pattern).fullmatch(ident) is None:
            raise Malformed(f"{text[:80]!r} is not {self.what}")
        return ident


_compiled = cache(re.compile)
ADDRESS_IDENT: Final = Ident("an address: bmw1..., or 40 characters of lower-case hex", "[0-9a-f]{40}", (), "address")
HASH_IDENT: Final = Ident("an id: 64 characters of lower-case hex", "[0-9a-f]{64}")
VIN_IDENT: Final = Ident("a VIN: 17 characters of A-Z and 0-9 without I, O, Q", VIN_PATTERN.strip("^$"), (), "vin")
NAME_IDENT: Final = Ident("a member's name", "[a-z0-9][a-z0-9-]{0,39}")


def fixed_ident(*names: str) -> Ident:
    """The ids of a family that has a fixed set of values."""
    return Ident(f"one of {', '.join(names)}", "|".join(map(re.escape, names)), names)


class Reader(Protocol):
    """Typed reads of state: a transaction's `Ledger`, a store, or proven values."""

    def get(self, family: Family[V], ident: str | bytes) -> V | None: ...


class AsOf(NamedTuple):
    """The time and the ruleset of the head, as of which a view is computed."""

    now_ms: int
    rules: Ruleset


class Index(NamedTuple):
    """An index over a family: `values` gives the strings under which a value is listed, `ident` their form. Entries are
    `X<family>/<index>/<value>/<id>`, a pure function of one state value, in ascending order. Reading a list filters
    what has lapsed by `counts(id, value, asked, reader, as of)`. An index without `ident` lists open things: its values
    are expiries (see `expiry_value`), and a list begins at the present time."""

    name: str
    values: Callable[[Any], Sequence[str]]
    ident: Ident | None = None
    counts: Callable[[str, Any, str, Reader, AsOf], bool] | None = None
    description: str = ""


class Filter(NamedTuple):
    """A further condition of a list: `fits(value, text, reader)`."""

    name: str
    ident: Ident
    fits: Callable[[Any, str, Reader], bool]
    description: str = ""


def expiry_value(expires_at_ms: int) -> str:
    """A time as an index value: hex of fixed width, so that entries ascend by time."""
    return f"{expires_at_ms:014x}"


class Older(NamedTuple):
    """An older version of a value, written from ruleset `since` on; `downgrade` covers every value of that ruleset."""

    version: int
    since: int
    kind: type[Value]
    upgrade: Callable[[Any], Any]
    downgrade: Callable[[Any], Any]


@dataclass(eq=False)
class Family(Generic[V]):
    """One kind of state value: `name/id` to a struct, whose tag is the value's version. `version` is written from
    ruleset `since` on. `path`: where HTTP serves values and lists, each as its `view`. `concerns(id, value)`: the
    subjects (state keys of vehicles, accounts, orders, listings) of a change; a family without it has no receipts.
    `indexed`: the fields that the indexes read, of a value that mostly changes in others; empty for any.
    `event`: the event name of a change. `status(value)`: the value's status in receipts. `contended`: whether a change
    of a value has the pending transactions that read it judged again. `is_checked`: whoever would write a value out of
    its bounds is poison; for values that grow by what several parties do. `is_common`: whether views of many values
    read the same one, such as the name of a member. In a forecast: `internal` are fields of the
    view that it leaves out, `forecast_view` is shown if there is no `view`, `cautions(old, new)` are given."""

    name: str
    kind: type[V]
    _: KW_ONLY
    ident: Ident
    version: int = 1
    since: int = 1
    older: tuple[Older, ...] = ()
    indexes: tuple[Index, ...] = ()
    indexed: tuple[str, ...] = ()
    filters: tuple[Filter, ...] = ()
    concerns: Callable[[str, V], tuple[str, ...]] | None = None
    event: str = ""
    status: Callable[[V], str] = lambda _: ""
    path: str = ""
    view: type[Any] | None = None
    contended: bool = True
    is_checked: bool = False
    is_common: bool = False
    internal: tuple[str, ...] = ()
    forecast_view: type[Any] | None = None
    cautions: Callable[[V | None, V | None], tuple[Caution, ...]] | None = None

    def __post_init__(self) -> None:
        self.parameters: tuple[Index | Filter, ...] = (*(i for i in self.indexes if i.ident), *self.filters)
        """Query parameters of a list."""
        self.param = self.ident.param or self.name
        """The name of an id in an HTTP path."""
        self.word = self.name.replace("-", "_")
        """The name in codes and operation ids."""
        self.key = lru_cache(maxsize=KEYS_KEPT)(self.new_key)
        """As `new_key`, for ids that are read again and again."""
        self._prefix = self.name.encode("ascii") + b"/"
        self._indexed = attrgetter(*self.indexed) if self.indexed else None
        self._decoder = msgspec.msgpack.Decoder(Union[self.kind, *(entry.kind for entry in self.older)])
        self._upgrades = {entry.kind: entry.upgrade for entry in self.older}

    def new_key(self, ident: str | bytes) -> bytes:
        """(id) to the ASCII state key; binary ids are written in hex."""
        return self._prefix + (ident.hex() if isinstance(ident, bytes) else ident).encode("ascii")

    def subject(self, ident: str | bytes) -> str:
        """The state key as a receipt's subject."""
        return self.key(ident).decode("ascii")

    def decode(self, raw: bytes) -> V:
        """The value, upgraded to the newest version. Raises `Corrupted`: only our own encoding is ever stored."""
        try:
            value = self._decoder.decode(raw)
        except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Corrupted(f"a stored value of family {self.name} does not decode: {error}") from None
        if self._upgrades and (upgrade := self._upgrades.get(type(value))) is not None:
            value = upgrade(value)
        return value  # type: ignore[no-any-return]

    def check(self, value: V) -> None:
        """A value that could not be read again must never be committed: it would stop every node."""
        try:
            self._decoder.decode(encode(value))
        except (msgspec.ValidationError, OverflowError) as error:
            raise AssertionError(f"a value of family {self.name} is out of its bounds: {error}") from None

    def version_at(self, ruleset: int) -> int:
        """The version that a ruleset writes; 0 where it does not have the family."""
        versions = [(self.since, self.version), *((entry.since, entry.version) for entry in self.older)]
        return max((version for since, version in versions if since <= ruleset), default=0)

    def encode(self, value: V, version: int) -> bytes:
        """The stored bytes in the version that the ruleset in force names."""
        if version == self.version:
            return encode(value)
        [older] = [entry for entry in self.older if entry.version == version]
        return encode(older.downgrade(value))

    def is_listed_alike(self, old: V, new: V) -> bool:
        """Whether two values of one id have the same index entries."""
        if self._indexed is not None and self._indexed(old) == self._indexed(new):
            return True
        return all(index.values(old) == index.values(new) for index in self.indexes)

    def index_keys(self, ident: str, value: V) -> list[bytes]:
        """Store keys of the index entries that follow from a value."""
        return [index_prefix(self, index.name, listed) + ident.encode("ascii")
                for index in self.indexes for listed in index.values(value)]  # fmt: skip


def index_prefix(family: Family[Any], index: str, value: str = "") -> bytes:
    """The store key prefix of an index: of all its entries, or of those listed under `value`."""
    return f"X{family.name}/{index}/{value}{'/' if value else ''}".encode("ascii")


def index_changes(family: Family[V], key: bytes, old: V | None, new: V | None) -> tuple[list[bytes], list[bytes]]:
    """(keys to put, keys to delete) for one state value that changes from `old` to `new`; None is absent."""
    if old is not None and new is not None and family.is_listed_alike(old, new):
        return [], []
    ident = key[len(family.name) + 1 :].decode("ascii")
    before = set() if old is None else set(family.index_keys(ident, old))
    after = set() if new is None else set(family.index_keys(ident, new))
    return sorted(after - before), sorted(before - after)


class View(msgspec.Struct, frozen=True):
    """Base of views that do not extend a state value."""


def extension(view: type[W], *derived: str) -> Callable[..., W]:
    """A function that builds a view from a state value. Each field of the view is the value's field of the same name,
    except those in `derived`, which the caller passes by keyword. The function is compiled once."""
    values = (name if name in derived else f"_value.{name}" for name in view.__struct_fields__)
    source = f"lambda {', '.join(('_value', *derived))}: _view({', '.join(values)})"
    return eval(source, {"_view": view})  # type: ignore[no-any-return]


_extension = cache(extension)


def extended(view: type[W], value: Value, **derived: Any) -> W:
    """A view that has the fields of `value`, those in `derived` replaced or added."""
    return _extension(view, *derived)(value, **derived)  # type: ignore[no-any-return]


class MissingKey(Exception):
    """A view reads a state key that was not given."""

    def __init__(self, key: bytes) -> None:
        super().__init__(key.decode("ascii"))
        self.key = key


class GivenReader(NamedTuple):
    """A `Reader` of given values: state key to raw value, None for an absent one. Other keys raise `MissingKey`."""

    values: dict[bytes, bytes | None]

    def get(self, family: Family[V], ident: str | bytes) -> V | None:
        key = family.key(ident)
        if key not in self.values:
            raise MissingKey(key)
        raw = self.values[key]
        return None if raw is None else family.decode(raw)
