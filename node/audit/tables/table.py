"""Tables of the read model, and the columns that follow from declared fields.

An absent option, an optional time of 0, an empty text and empty bytes are null. Addresses are bech32m, other bytes
lower-case hex, times milliseconds since 1970 UTC, amounts minor units beside their currency. The fields of a struct
become columns of their own, named `struct__field`. A list of plain values stays a list; a list of structs, and a union,
is JSON.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, assert_never

from node.crypto.addresses import to_text
from node.ledger import kinds
from node.ledger.json_form import value_to_json
from node.ledger.kinds import Kind, fields_of
from node.limits import TIME_MAX_MS

ColumnType = Literal["integer", "boolean", "text", "time", "texts", "integers", "json"]
"""Of a value: int of 64 bits, bool, str, int of milliseconds since 1970 UTC, list of str, list of int, JSON as str."""
Cell = int | bool | str | list[str] | list[int] | None
Row = tuple[Cell, ...]
INTEGER_MAX: Final = 2**63 - 1


class Column(NamedTuple):
    name: str
    type: ColumnType


@dataclass(frozen=True, eq=False)
class Table:
    """`key`: the columns that name a row. `is_state`: whether rows are replaced and deleted; else they are only
    added."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    is_state: bool = False

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        assert len(set(names)) == len(names), f"table {self.name} has a column twice: {sorted(names)}"
        assert set(self.key) <= set(names), f"table {self.name} has no key {self.key}"

    @property
    def definition(self) -> str:
        """The columns as text, to compare with that of another version."""
        columns = ", ".join(f"{column.name} {column.type}" for column in self.columns)
        return f"{columns}; key {', '.join(self.key)}"


def columns(text: str) -> tuple[Column, ...]:
    """Columns written as `"height integer, id text"`."""
    pairs = (entry.split() for entry in text.split(","))
    return tuple(Column(name, kind) for name, kind in pairs)  # type: ignore[arg-type] # a definition is wrong at import


# --- columns of declared fields -----------------------------------------------------------------------------
Write = Callable[[Any], Cell]


class Flattened(NamedTuple):
    """The columns of a struct, each with a function from a value of it to the cell. Of None the cells are empty."""

    columns: tuple[Column, ...]
    cells: Callable[[Any], Row]


def flattened(struct: type[Any], taken: frozenset[str] = frozenset()) -> Flattened:
    """Columns of a struct. One whose name is in `taken` is called `body_...`."""
    found = list(_columns(kinds.StructOf(struct), ""))
    named = tuple(Column(f"body_{c.name}" if c.name in taken else c.name, c.type) for c, _ in found)
    readers = [read for _, read in found]
    return Flattened(named, lambda value: tuple(read(value) for read in readers))


def _columns(kind: Kind, name: str) -> Iterator[tuple[Column, Write]]:
    """(column, cell of it from the value of this kind). Values may be None."""
    match kind:
        case kinds.OptionOf(item=item):
            yield from _columns(item, name)
        case kinds.StructOf(struct=struct):
            prefix = f"{name}__" if name else ""
            for field in fields_of(struct):
                for column, write in _columns(field.kind, prefix + field.json_name):
                    yield column, _of_field(field.name, write)
        case kinds.MoneyAmount():
            yield Column(f"{name}__amount", "integer"), _given(lambda money: _integer(money.amount))
            yield Column(f"{name}__currency", "text"), _given(lambda money: money.currency)
        case _:
            column_type, write = _leaf(kind)
            yield Column(name, column_type), _given(write)


def _of_field(name: str, write: Write) -> Write:
    return lambda value: None if value is None else write(getattr(value, name))


def _given(write: Write) -> Write:
    return lambda value: None if value is None else write(value)


def _leaf(kind: Kind) -> tuple[ColumnType, Write]:
    match kind:
        case kinds.Boolean():
            return "boolean", bool
        case kinds.Integer():
            return "integer", _integer
        case kinds.Time(is_optional=is_optional):
            return "time", lambda at_ms: None if is_optional and not at_ms else min(at_ms, TIME_MAX_MS)
        case kinds.Address():
            return "text", to_text
        case kinds.Bytes():
            return "text", lambda raw: raw.hex() or None
        case kinds.Text() | kinds.Code() | kinds.CodeOf() | kinds.Choice():
            return "text", lambda text: text or None
        case kinds.ListOf(item=item):
            return _list(kind, item)
        case kinds.UnionOf() | kinds.Plain():
            return "json", lambda value: json_text(value_to_json(kind, value))
        case kinds.StructOf() | kinds.OptionOf() | kinds.MoneyAmount():
            raise AssertionError("has columns of its own")
        case _:
            assert_never(kind)


def _list(kind: Kind, item: Kind) -> tuple[ColumnType, Write]:
    if isinstance(item, kinds.Integer):
        return "integers", lambda values: [_integer(value) for value in values]
    if isinstance(item, kinds.Text | kinds.Code | kinds.CodeOf | kinds.Choice):
        return "texts", list
    if isinstance(item, kinds.Address | kinds.Bytes):
        write: Callable[[bytes], str] = to_text if isinstance(item, kinds.Address) else bytes.hex
        return "texts", lambda values: [write(value) for value in values]
    return "json", lambda values: json_text(value_to_json(kind, values))


def _integer(value: int) -> int:
    """Of more than 63 bits only the largest such number is kept: no unit of the chain reaches it."""
    return min(value, INTEGER_MAX)


def json_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
