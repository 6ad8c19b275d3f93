"""Values as people write them, and their strict JSON form (`node.ledger.json_form`).

Forms that people write, on the command line and in `--body` files:

    amounts     52900.00EUR           exactly; a decimal more than the currency has is refused
    odometer    12000km, 7500mi:visual; with another source and signs of tampering 12000km,body_computer=11990,tampered
    next due    30000km,+730d, or one of both
    times       RFC 3339, now, +30d, -2h (relative to the head's time); the empty string is none
    days        2026-01-31, or relative: now, now-30d
    addresses   bmw1..., or the name of a key or of a genesis account
    structures  {"zone": "front", "extent": "bolt_on"} or zone=front,extent=bolt_on (a list: its name again)
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, assert_never

from node import limits
from node.errors import Malformed
from node.ledger import kinds
from node.ledger.example import DAY, parse_day, parse_time
from node.ledger.fields import Odometer
from node.ledger.json_form import time_to_text
from node.ledger.kinds import Kind, fields_of, tag_of
from node.rules.iso_codes import MINOR_UNITS
from node.rules.vin import VIN_PATTERN, is_vin
from node.txtypes.service.records import Due
from node.views.texts import show_amount
from wallet.reading import is_reading, parse_odometer, show_odometer

_AMOUNT = re.compile(r"([0-9]{1,16})(?:\.([0-9]{1,9}))? ?([A-Z]{3})")
DISTANCE = re.compile(r"([0-9]{1,7}) ?(km|mi)")


@dataclass(frozen=True)
class Names:
    """What relative times and names stand for. `address_of` raises `Malformed`; `key_of` returns None for no key."""

    now_ms: int
    address_of: Callable[[str], str]
    key_of: Callable[[str], bytes | None]


# --- single values -----------------------------------------------------------------------------------
def parse_amount(text: str) -> dict[str, str]:
    """`52900.00EUR` to {"amount": "5290000", "currency": "EUR"}, exactly. Raises `Malformed`."""
    parts = _AMOUNT.fullmatch(text)
    if parts is None:
        raise Malformed(f"{text!r} is not an amount: write digits and currency, such as 52900.00EUR")
    whole, decimals, currency = parts[1], parts[2] or "", parts[3]
    if currency not in MINOR_UNITS:
        raise Malformed(f"{currency} is not a currency of ISO 4217: write one such as EUR, CNY or USD")
    digits = MINOR_UNITS[currency]
    if len(decimals) > digits:
        example = f"52900{'.' + '0' * digits if digits else ''}{currency}"
        raise Malformed(f"{text!r} has {len(decimals)} decimals and {currency} has {digits}: write it like {example}")
    amount = int(whole + decimals.ljust(digits, "0"))
    if amount > limits.MONEY_MAX:
        raise Malformed(f"{text!r} is above the highest amount, {show_amount(limits.MONEY_MAX, currency)}")
    return {"amount": str(amount), "currency": currency}


def parse_vin(text: str) -> str:
    """Raises `Malformed`."""
    if not is_vin(text):
        raise Malformed(f"{text!r} is not a VIN: 17 characters of A-Z and 0-9 without I, O and Q")
    return text


def parse_due(text: str, now_ms: int) -> dict[str, Any]:
    """`30000km,+730d`, or one of both, to {"odometer": 30000, "at": "..."}. Raises `Malformed`."""
    due: dict[str, Any] = {"odometer": 0, "at": None}
    for part in filter(None, map(str.strip, text.split(","))):
        distance = DISTANCE.fullmatch(part)
        name, value = ("odometer", int(distance[1])) if distance else ("at", time_to_text(_due_time(part, now_ms)))
        if due[name]:
            raise Malformed(f"{text!r} has two times or two readings: write 30000km,+730d, or one of both")
        due[name] = value
    return due


def _due_time(text: str, now_ms: int) -> int:
    try:
        return parse_time(text, now_ms)
    except Malformed:
        raise Malformed(f"{text!r} is neither a reading nor a time: write 30000km,+730d, or one of both") from None


# --- any value ---------------------------------------------------------------------------------------
def _json(text: str, problem: str = "not JSON") -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"{problem}: {error}") from None


def _struct_text(kind: kinds.StructOf | kinds.UnionOf, text: str) -> Any:
    """A JSON object, or `name=value,name=value`. A list's name may be repeated, once for each item."""
    if text.lstrip().startswith("{"):
        return _json(text)
    values: dict[str, Any] = {}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        if not equals:
            raise Malformed(f"{text!r} is neither JSON nor name=value,name=value")
        values.setdefault(name.strip(), []).append(value.strip())
    fields = _kinds_of(kind, values.get("type", [""])[0])
    for name, items in values.items():
        if isinstance(fields.get(name), kinds.ListOf):
            continue
        if len(items) > 1:
            raise Malformed(f"{name} is given twice")
        values[name] = items[0]
    return values


def _kinds_of(kind: kinds.StructOf | kinds.UnionOf, tag: Any) -> dict[str, Kind]:
    """The kinds of the fields, by JSON name, of a struct or of the union's member with that tag."""
    structs = [s for s in kind.structs if tag_of(s) == tag] if isinstance(kind, kinds.UnionOf) else [kind.struct]
    return {field.json_name: field.kind for struct in structs for field in fields_of(struct)}


def strict(kind: Kind, value: Any, path: str, names: Names) -> Any:
    """The strict JSON form of a friendly value, a string or JSON. Raises `Malformed` with the path."""
    try:
        return _strict_text(kind, value, path, names) if isinstance(value, str) else _strict(kind, value, path, names)
    except Malformed as error:
        text = str(error)
        raise error if text.startswith(path) else Malformed(f"{path}: {text}") from None


def _strict_text(kind: Kind, text: str, path: str, names: Names) -> Any:
    match kind:
        case kinds.MoneyAmount():
            return _json(text) if text.lstrip().startswith("{") else parse_amount(text)
        case kinds.StructOf(struct=struct) if struct is Odometer and is_reading(text):
            return parse_odometer(text)
        case kinds.StructOf(struct=struct) if struct is Due and "=" not in text and "{" not in text:
            return parse_due(text, names.now_ms)
        case kinds.StructOf() | kinds.UnionOf():
            return _strict(kind, _struct_text(kind, text), path, names)
        case kinds.Time():
            return time_to_text(parse_time(text, names.now_ms))
        case kinds.Text() if kind == DAY:
            return parse_day(text, names.now_ms)
        case kinds.Address():
            return names.address_of(text)
        case kinds.Bytes(length=length):
            if length == 32 and re.search(r"\bkeys\b", path) and (key := names.key_of(text)) is not None:
                return key.hex()
            return text
        case kinds.Integer():
            if not re.fullmatch(r"-?[0-9]{1,18}", text):
                raise Malformed(f"{text!r} is not a whole number")
            return int(text)
        case kinds.Boolean():
            if text not in ("true", "false"):
                raise Malformed(f"{text!r} is neither true nor false")
            return text == "true"
        case kinds.OptionOf(item=item):
            return _strict_text(item, text, path, names)
        case kinds.ListOf():
            return _strict(kind, _json(text, f"{text!r} is not a JSON list"), path, names)
        case kinds.Text(pattern=pattern) if pattern == VIN_PATTERN:
            return parse_vin(text)
        case kinds.Text() | kinds.Code() | kinds.CodeOf() | kinds.Choice() | kinds.Plain():
            return text
        case _:
            assert_never(kind)


def _strict(kind: Kind, value: Any, path: str, names: Names) -> Any:
    match kind:
        case kinds.OptionOf(item=item) if value is not None:
            return strict(item, value, path, names)
        case kinds.ListOf(item=item) if isinstance(value, list | tuple):
            return [strict(item, entry, f"{path}[{index}]", names) for index, entry in enumerate(value)]
        case kinds.StructOf() | kinds.UnionOf() if isinstance(value, dict):
            known = _kinds_of(kind, value.get("type"))
            return {
                name: strict(known[name], entry, f"{path}.{name}", names) if name in known else entry
                for name, entry in value.items()
            }
        case _:
            return value


# --- back to what people write ------------------------------------------------------------------------
def written(kind: Kind, value: Any) -> Any:
    """A value of an example in its friendly form. Ids that only a run produces are shell variables (`$ORDER`)."""
    match kind:
        case kinds.OptionOf(item=item):
            return written(item, value)
        case kinds.ListOf(item=item):
            return [written(item, entry) for entry in value]
        case kinds.MoneyAmount():
            return show_amount(int(value["amount"]), value["currency"]).replace(" ", "")
        case kinds.StructOf(struct=struct) if struct is Odometer:
            return show_odometer(value)
        case kinds.StructOf(struct=struct) if struct is Due:
            return ",".join(filter(None, (f"{value['odometer']}km" if value["odometer"] else "", value["at"])))
        case kinds.StructOf(struct=struct):
            inner = {field.json_name: field.kind for field in fields_of(struct)}
            return {name: written(inner[name], entry) for name, entry in value.items() if entry is not None}
        case kinds.Bytes() if value.startswith("$key:"):
            return value.removeprefix("$key:")
        case kinds.Bytes() if value.startswith("$"):
            return value.upper()
        case _:
            return value
