"""Example bodies of transaction types. Values that are known only at run time have symbolic names.

A specimen's body is in JSON form, except that an address is a party's name, a time or a day is `now` or relative such
as `+7d`, and bytes are a symbol such as `$order`. `resolved` turns it into strict JSON.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Protocol, assert_never

from node.errors import Malformed
from node.ledger import kinds
from node.ledger.fields import Day
from node.ledger.json_form import time_from_text, time_to_text, value_to_json
from node.ledger.kinds import Kind, fields_of, kind_of, tag_of

_RELATIVE: Final = re.compile(r"(?:now)?(?:([+-])([0-9]{1,6})(ms|s|m|h|d|w))?")
_UNIT_MS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 7 * 86_400_000}
DAY: Final = kind_of(Day)
_LATEST_MS: Final = 253_402_300_799_999
"""The end of the year 9999."""


class Example(NamedTuple):
    """One valid transaction of a type: its sender, the body's fields, its cosigners."""

    sender: str
    body: Mapping[str, Any]
    cosigners: tuple[str, ...] = ()


class Names(Protocol):
    """The values of symbolic names in one run."""

    now_ms: int

    def address_text(self, name: str) -> str:
        """bech32m of a party."""
        ...

    def bytes_of(self, symbol: str) -> bytes:
        """The bytes that a symbol such as `$order` stands for."""
        ...


def parse_time(text: str, now_ms: int) -> int:
    """RFC 3339, `now`, `+30d`, `now-2h`; the empty string is 0, which everywhere means none. Raises `Malformed`."""
    if text == "":
        return 0
    relative = _RELATIVE.fullmatch(text)
    if relative is None:
        try:
            return time_from_text(text)
        except Malformed as error:
            raise Malformed(f"{error}, nor now, +30d or -2h (units {', '.join(_UNIT_MS)})") from None
    if relative[1] is None:
        return now_ms
    moved = now_ms + (1 if relative[1] == "+" else -1) * int(relative[2]) * _UNIT_MS[relative[3]]
    if not 0 < moved <= _LATEST_MS:
        raise Malformed(f"{text!r} is outside the calendar")
    return moved


def parse_day(text: str, now_ms: int) -> str:
    """A calendar day (ISO 8601), or the day of a relative time such as `now-30d`; UTC. Raises `Malformed`."""
    if _RELATIVE.fullmatch(text) is None or not text:
        return text
    return time_to_text(parse_time(text, now_ms)).partition("T")[0]


def resolved(struct: type[Any], given: Mapping[str, Any], names: Names) -> dict[str, Any]:
    """A specimen's fields as strict JSON."""
    kinds_by_name = {field.json_name: field.kind for field in fields_of(struct)}
    return {name: value if name == "type" else _resolved(kinds_by_name[name], value, names)
            for name, value in given.items()}  # fmt: skip


def _resolved(kind: Kind, value: Any, names: Names) -> Any:
    match kind:
        case kinds.Address():
            return names.address_text(value)
        case kinds.Time():
            return value_to_json(kind, parse_time(value, names.now_ms))
        case kinds.Text() if kind == DAY:
            return parse_day(value, names.now_ms)
        case kinds.Bytes():
            return names.bytes_of(value).hex() if value.startswith("$") else value
        case kinds.OptionOf(item=item):
            return None if value is None else _resolved(item, value, names)
        case kinds.ListOf(item=item):
            return [_resolved(item, entry, names) for entry in value]
        case kinds.StructOf(struct=struct):
            return resolved(struct, value, names)
        case kinds.UnionOf(structs=structs):
            return resolved(next(s for s in structs if tag_of(s) == value["type"]), value, names)
        case kinds.Boolean() | kinds.Integer() | kinds.Text() | kinds.Code() | kinds.CodeOf() | kinds.Choice():
            return value
        case kinds.MoneyAmount() | kinds.Plain():
            return value
        case _:
            assert_never(kind)
