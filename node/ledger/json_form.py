"""The JSON form of transactions, state values and views, derived from their field kinds.

Addresses are bech32m, times RFC 3339 with milliseconds (null for none), money `{"amount": "123", "currency": "EUR"}` in
minor units, other bytes lower-case hex; a tagged struct names its `type` first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from typing import Any, assert_never

import msgspec

from node.crypto.addresses import from_text, to_text
from node.errors import Malformed
from node.ledger import kinds
from node.ledger.fields import Money
from node.ledger.kinds import Field, Kind, fields_of, tag_of
from node.ledger.places import placed
from node.limits import DAY_MS, TIME_MAX_MS

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339 = re.compile(r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,3})?(Z|[+-]\d{2}:\d{2})$")
_HEX = re.compile(r"([0-9a-f]{2})*")
_AMOUNT = re.compile(r"[0-9]{1,16}")


# --- times ------------------------------------------------------------------------------------------------
def time_to_text(millis: int) -> str:
    """RFC 3339 with milliseconds, UTC, for texts; the empty string for 0."""
    return "" if millis == 0 else _rfc3339(millis)


@lru_cache(maxsize=4_096)
def _optional_time(millis: int) -> str | None:
    return None if millis == 0 else _rfc3339(millis)


@lru_cache(maxsize=4_096)
def _rfc3339(millis: int) -> str:
    day, left = divmod(min(millis, TIME_MAX_MS), DAY_MS)  # a bound that is added to a time may pass the greatest time
    return f"{_date(day)}T{left // 3_600_000:02}:{left // 60_000 % 60:02}:{left // 1_000 % 60:02}.{left % 1_000:03}Z"


@lru_cache(maxsize=4_096)
def _date(day: int) -> str:
    """The date so many days after 1970-01-01."""
    return (_EPOCH + timedelta(days=day)).date().isoformat()


def time_from_text(text: str) -> int:
    """Milliseconds since 1970 UTC; the empty string is 0. Raises `Malformed`."""
    if text == "":
        return 0
    if not _RFC3339.match(text):
        raise Malformed(f"{text!r} is not an RFC 3339 time such as 2026-11-22T10:00:00Z")
    try:
        return (datetime.fromisoformat(text.replace("Z", "+00:00")) - _EPOCH) // timedelta(milliseconds=1)
    except ValueError as error:
        raise Malformed(f"{text!r}: {error}") from None


# --- to JSON ----------------------------------------------------------------------------------------------
def _source(kind: Kind, value: str) -> str:
    """Python source that converts the expression `value` to JSON; `value` unchanged if it needs no conversion."""
    match kind:
        case kinds.Address():
            return f"to_text({value})"
        case kinds.Bytes():
            return f"{value}.hex()"
        case kinds.Time(is_optional=is_optional):
            return f"{'optional_time' if is_optional else 'rfc3339'}({value})"
        case kinds.MoneyAmount():
            return f"money({value})"
        case kinds.ListOf(item=item):
            each = _source(item, "item")
            return value if each == "item" else f"({value} and [{each} for item in {value}])"
        case kinds.OptionOf(item=item):
            given = _source(item, value)
            return value if given == value else f"(None if {value} is None else {given})"
        case kinds.StructOf() | kinds.UnionOf():
            return f"formers[type({value})]({value})"
        case kinds.Boolean() | kinds.Integer() | kinds.Text() | kinds.Code() | kinds.CodeOf() | kinds.Choice():
            return value
        case kinds.Plain():
            return value
        case _:
            assert_never(kind)


def _money(money: Money) -> dict[str, str]:
    return {"amount": str(money.amount), "currency": money.currency}


_NOTHING: Mapping[str, Any] = {}
Form = Callable[..., msgspec.Struct]
"""A function that takes a struct, and the values of members to append, and returns a struct of JSON values."""


class _Formers(dict[type[msgspec.Struct], Form]):
    """Struct type to the function that builds its JSON form without further members."""

    def __missing__(self, struct: type[msgspec.Struct]) -> Form:
        return self.setdefault(struct, _former(struct))


_NAMES = {
    "to_text": to_text, "optional_time": _optional_time, "rfc3339": _rfc3339, "money": _money, "formers": _Formers(),
}  # fmt: skip


@cache
def _writer(kind: Kind) -> Callable[[Any], Any]:
    """A function that converts a value of this kind to JSON."""
    return eval(f"lambda value: {_source(kind, 'value')}", dict(_NAMES))  # type: ignore[no-any-return]


@cache
def _former(struct: Any, *more: str) -> Form:
    """The `Form` of a struct type; `more` names the members to append. It is compiled once for each type."""
    fields, tag = fields_of(struct), tag_of(struct)
    members = [(name, Any) for name in (*(field.json_name for field in fields), *more)]
    form = msgspec.defstruct(struct.__name__, members, tag_field="type" if tag else None, tag=tag or None)
    given = ["value", *(f"more_{name}" for name in more)]
    values = [*(_source(field.kind, f"value.{field.name}") for field in fields), *given[1:]]
    source = f"lambda {', '.join(given)}: struct({', '.join(values)})"
    return eval(source, _NAMES | {"struct": form})  # type: ignore[no-any-return]


def json_form(value: msgspec.Struct, more: Mapping[str, Any] = _NOTHING) -> msgspec.Struct:
    """A struct of JSON values, which msgspec encodes as it is: a tagged one (a transaction body, an action) with its
    `type` first, the members `more` last."""
    return _former(type(value), *more)(value, *more.values())


def _plain(form: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(form))


def value_to_json(kind: Kind, value: Any) -> Any:
    """The JSON form of one field's value."""
    return _plain(_writer(kind)(value))


def to_json(value: msgspec.Struct) -> dict[str, Any]:
    """A struct as plain JSON values, as `json_form` has them."""
    return _plain(json_form(value))  # type: ignore[no-any-return]


# --- from JSON --------------------------------------------------------------------------------------------
def _expect(value: Any, wanted: type, path: str, name: str) -> Any:
    if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
        raise Malformed(f"{path}: {name} expected")
    return value


def _parsed(parse: Callable[[str], Any], value: Any, path: str, name: str) -> Any:
    text = _expect(value, str, path, name)
    try:
        return parse(text)
    except Malformed as error:
        raise Malformed(f"{path}: {error}") from None


def _bytes_from(kind: kinds.Bytes, value: Any, path: str) -> bytes:
    if not isinstance(value, str) or not _HEX.fullmatch(value):
        raise Malformed(f"{path}: lower-case hex expected")
    raw = bytes.fromhex(value)
    if kind.length and len(raw) != kind.length:
        raise Malformed(f"{path}: {kind.length} bytes expected, {len(raw)} given")
    return raw


def _money_from(value: Any, path: str) -> Money:
    given = _expect(value, dict, path, "amount and currency")
    if set(given) != {"amount", "currency"} or not _AMOUNT.fullmatch(str(given["amount"])):
        raise Malformed(f"{path}: amount (digits of minor units, as a string) and currency expected")
    return Money(int(given["amount"]), _expect(given["currency"], str, path, "a currency"))


def value_from_json(kind: Kind, value: Any, path: str) -> Any:
    """The value of one field. Raises `Malformed`, naming the path."""
    match kind:
        case kinds.Address():
            return _parsed(from_text, value, path, "an address")
        case kinds.Time(is_optional=is_optional):
            if value == "" and not is_optional:
                raise Malformed(f"{path}: an RFC 3339 time expected")
            return 0 if value is None and is_optional else _parsed(time_from_text, value, path, "an RFC 3339 time")
        case kinds.Bytes():
            return _bytes_from(kind, value, path)
        case kinds.Integer():
            return _expect(value, int, path, "an integer")
        case kinds.Boolean():
            return _expect(value, bool, path, "true or false")
        case kinds.Text() | kinds.Code() | kinds.CodeOf() | kinds.Choice():
            return _expect(value, str, path, "a string")
        case kinds.MoneyAmount():
            return _money_from(value, path)
        case kinds.ListOf(item=item):
            given = _expect(value, list, path, "a list")
            return tuple(value_from_json(item, entry, f"{path}[{index}]") for index, entry in enumerate(given))
        case kinds.OptionOf(item=item):
            return None if value is None else value_from_json(item, value, path)
        case kinds.StructOf(struct=struct):
            return from_json(struct, value, path)
        case kinds.UnionOf(structs=structs):
            return union_from_json({tag_of(struct): struct for struct in structs}, value, path)
        case kinds.Plain():
            raise AssertionError("only answers have plain fields, and no answer is read")
        case _:
            assert_never(kind)


def union_from_json(structs: dict[str, type[Any]], value: Any, path: str) -> Any:
    """The struct that `type` names."""
    tag = _expect(value, dict, path, "an object").get("type")
    if not isinstance(tag, str) or tag not in structs:
        raise Malformed(f"{path}.type: one of {', '.join(sorted(structs))} expected, {tag!r} given")
    return from_json(structs[tag], {k: v for k, v in value.items() if k != "type"}, path)


def is_required(field: Field) -> bool:
    """Whether JSON must give the field. Options, lists and fields with a default may be left out."""
    return not isinstance(field.kind, kinds.OptionOf | kinds.ListOf) and not field.has_default


def from_json(struct: type[Any], value: Any, path: str = "body") -> Any:
    """Build a struct from JSON values, strictly: unknown and missing fields are named. Raises `Malformed`."""
    _expect(value, dict, path, "an object")
    fields = {field.json_name: field for field in fields_of(struct)}
    if unknown := sorted(set(value) - set(fields)):
        raise Malformed(f"{path}.{unknown[0]}: unknown field; known are {', '.join(fields)}")
    values: dict[str, Any] = {}
    for json_name, field in fields.items():
        if json_name in value:
            values[field.name] = value_from_json(field.kind, value[json_name], f"{path}.{json_name}")
        elif is_required(field):
            raise Malformed(f"{path}.{json_name}: missing")
        elif isinstance(field.kind, kinds.OptionOf):
            values[field.name] = None
        else:
            values[field.name] = () if isinstance(field.kind, kinds.ListOf) else field.default
    try:
        raw = msgspec.msgpack.encode(struct(**values))
    except (OverflowError, UnicodeEncodeError):
        raise Malformed(f"{path}: a number beyond 64 bits, or text that is no Unicode") from None
    try:
        return msgspec.msgpack.decode(raw, type=struct)
    except msgspec.ValidationError as error:
        raise Malformed(placed(error, kinds.StructOf(struct), raw, path)) from None
