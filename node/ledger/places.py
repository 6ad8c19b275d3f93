"""Where a decoding error lies, by the names of the JSON form.

Structs are encoded as arrays, so msgspec names a place by positions: `$[3][4][0]`. Here that is `body.odometer.value`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from node.ledger import kinds
from node.ledger.fields import Money
from node.ledger.kinds import Kind, fields_of, tag_of

_PLACED = re.compile(r"(.*) - at `\$((?:\[[0-9]+\])+)`", re.DOTALL)


def placed(error: Exception, kind: Kind, raw: bytes, path: str = "", *, whole: str = "") -> str:
    """The text of msgspec's error about `raw`: the field's path below `path`, then what is wrong with it. What concerns
    no single field is said of `whole`. Bytes that are no MessagePack have no fields."""
    try:
        value = msgspec.msgpack.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError) as broken:
        return f"{path or whole}: {broken}"
    found = _PLACED.fullmatch(str(error))
    reason, steps = (found[1], [int(step) for step in re.findall(r"[0-9]+", found[2])]) if found else (str(error), [])
    place = (path + _place(kind, value, steps)).lstrip(".")
    return f"{place or whole}: {reason}"


def _place(kind: Kind, value: Any, steps: list[int]) -> str:
    """The path of what is at `steps` within an encoded value, such as `.parts[2].number`."""
    if not steps:
        return ""
    first, *rest = steps
    match kind:
        case kinds.OptionOf(item=item):
            return _place(item, value, steps)
        case kinds.ListOf(item=item):
            return f"[{first}]" + _place(item, value[first], rest)
        case kinds.StructOf(struct=struct):
            return _in_struct(struct, value, first, rest)
        case kinds.MoneyAmount():
            return _in_struct(Money, value, first, rest)
        case kinds.UnionOf(structs=structs):
            struct = next((struct for struct in structs if tag_of(struct) == value[0]), None)
            return ".type" if struct is None else _in_struct(struct, value, first, rest)
        case _:
            return "".join(f"[{step}]" for step in steps)


def _in_struct(struct: type[Any], value: Any, index: int, rest: list[int]) -> str:
    """The path of element `index` of an encoded struct. A tagged struct has its tag as element 0."""
    fields: tuple[kinds.Field | None, ...] = fields_of(struct)
    field = ((None, *fields) if struct.__struct_config__.tag is not None else fields)[index]
    return ".type" if field is None else f".{field.json_name}" + _place(field.kind, value[index], rest)


def code_places(value: Any) -> Iterator[tuple[str, str]]:
    """(path, code) of every `Code` string within a struct."""
    for field in fields_of(type(value)):
        yield from _codes(field.kind, getattr(value, field.name), f".{field.json_name}")


def _codes(kind: Kind, value: Any, path: str) -> Iterator[tuple[str, str]]:
    match kind:
        case kinds.Code():
            yield path, value
        case kinds.ListOf(item=item):
            for index, entry in enumerate(value):
                yield from _codes(item, entry, f"{path}[{index}]")
        case kinds.OptionOf(item=item) if value is not None:
            yield from _codes(item, value, path)
        case kinds.StructOf() | kinds.UnionOf():
            for inner, code in code_places(value):
                yield path + inner, code
        case _:
            return
