"""Command options for a type's fields, conversion of their values to the strict JSON of `node.ledger.json_form`, and
example commands.

Friendly forms, on the command line and in `--body` files:

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
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, assert_never

import click

from node import limits
from node.errors import Malformed
from node.ledger import kinds
from node.ledger.body import TransactionBody
from node.ledger.example import DAY, parse_day, parse_time
from node.ledger.fields import Odometer
from node.ledger.json_form import from_json, time_to_text
from node.ledger.kinds import Field, Kind, fields_of, tag_of
from node.rules.iso_codes import MINOR_UNITS
from node.rules.vin import VIN_PATTERN, is_vin
from node.txtypes.registry import TYPES
from node.txtypes.rulesets import RULESETS
from node.txtypes.service.records import Due
from wallet.reading import is_reading, parse_odometer, show_odometer

_AMOUNT = re.compile(r"([0-9]{1,16})(?:\.([0-9]{1,9}))? ?([A-Z]{3})")
_DISTANCE = re.compile(r"([0-9]{1,7}) ?(km|mi)")

RESERVED: Final = frozenset(
    {"from", "cosign", "wait", "dry_run", "offline", "output", "body", "expires", "json", "help", "yes"}
) | {"accept_old_root", "expect"}
"""Names of the options that every transaction command has: no field may have one of them."""


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


def show_amount(amount: int, currency: str) -> str:
    """5290000 EUR to `52900.00 EUR`; in minor units if the currency is unknown."""
    digits = MINOR_UNITS.get(currency, 0)
    if not digits:
        return f"{amount} {currency}"
    return f"{amount // 10**digits}.{amount % 10**digits:0{digits}d} {currency}"


def parse_vin(text: str) -> str:
    """Raises `Malformed`."""
    if not is_vin(text):
        raise Malformed(f"{text!r} is not a VIN: 17 characters of A-Z and 0-9 without I, O and Q")
    return text


def parse_due(text: str, now_ms: int) -> dict[str, Any]:
    """`30000km,+730d`, or one of both, to {"odometer": 30000, "at": "..."}. Raises `Malformed`."""
    due: dict[str, Any] = {"odometer": 0, "at": None}
    for part in filter(None, map(str.strip, text.split(","))):
        distance = _DISTANCE.fullmatch(part)
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


def _check_due_unit(body: TransactionBody, given: Mapping[str, Any]) -> None:
    """A service that is due at a reading in another unit than the odometer's is a mistake: the body has no unit."""
    for field in fields_of(type(body)):
        text = given.get(field.json_name)
        if field.kind == kinds.StructOf(Due) and isinstance(text, str) and (due := _DISTANCE.search(text)):
            odometer = getattr(body, "odometer", None)
            if isinstance(odometer, Odometer) and odometer.unit != due[2]:
                raise Malformed(f"body.{field.json_name}: {due[0]} is in {due[2]}, the odometer in {odometer.unit}")


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


# --- bodies ------------------------------------------------------------------------------------------
def default_of(field: Field) -> str | None:
    """The value of an option that is not given, None if the field has no default."""
    match field.kind:
        case kinds.Time() if field.json_name == "event_at":
            return "now"
        case kinds.Boolean() if field.has_default:
            return "true" if field.default else "false"
        case kinds.Bytes(length=0):
            return ""
        case kinds.Text(pattern=pattern) | kinds.CodeOf(pattern=pattern) if pattern and re.match(pattern, ""):
            return ""
        case _:
            return None


def is_required(field: Field) -> bool:
    return not isinstance(field.kind, kinds.OptionOf | kinds.ListOf) and default_of(field) is None


def option_name(field: Field) -> str:
    return "--" + field.json_name.replace("_", "-")


def body_from(struct: type[TransactionBody], given: Mapping[str, Any], names: Names) -> TransactionBody:
    """The body with these friendly values by JSON name. Raises `Malformed` that names the option or the path."""
    values = {name: value for name, value in given.items() if value is not None}
    fields = fields_of(struct)
    if missing := [option_name(field) for field in fields if is_required(field) and field.json_name not in values]:
        raise Malformed(f"{', '.join(missing)} must be given, or the whole body with --body FILE.json")
    defaults = {field.json_name: value for field in fields if (value := default_of(field)) is not None}
    body: TransactionBody = from_json(struct, _strict(kinds.StructOf(struct), defaults | values, "body", names))
    body.check_static()
    _check_due_unit(body, given)
    return body


# --- click -------------------------------------------------------------------------------------------
FROM_THE_CHAIN: Final = frozenset({"listing_version", "disclosure_root", "shown"})
"""Fields that the wallet reads from the chain if they are not given."""

CHOICES_MAX: Final = 30
"""The help lists the codes of a table up to this number. Above: only the table's name."""


def _choices(kind: Kind) -> tuple[str, ...]:
    """All values if they are few; codes are those of the newest ruleset that this software knows."""
    match kind:
        case kinds.Choice(values=values):
            return values
        case kinds.CodeOf(table=table):
            codes = RULESETS[max(RULESETS)].codes[table]
            return tuple(sorted(codes)) if len(codes) <= CHOICES_MAX else ()
        case _:
            return ()


def _metavar_and_form(kind: Kind, description: str) -> tuple[str, str]:
    """The placeholder of a value in the help, and how the value is written."""
    match kind:
        case kinds.MoneyAmount():
            return "AMOUNT", "such as 52900.00EUR"
        case kinds.StructOf(struct=struct) if struct is Odometer:
            return "READING", "such as 12000km or 7500mi:visual, with further sources 12000km,body_computer=11990"
        case kinds.StructOf(struct=struct) if struct is Due:
            return "DUE", "a reading, a time or both, such as 30000km,+730d"
        case kinds.StructOf(struct=struct):
            return "JSON", f"JSON, or {','.join(f.json_name + '=...' for f in fields_of(struct))}"
        case kinds.UnionOf(structs=structs):
            return "JSON", "JSON with a type of " + ", ".join(tag_of(struct) for struct in structs)
        case kinds.Time():
            return "TIME", "RFC 3339, now, or relative such as +30d"
        case kinds.Address():
            return "ADDRESS", "bmw1..., or the name of a key or a genesis account"
        case kinds.Bytes(length=length, max_length=most):
            return "HEX", f"{length or f'up to {most}'} bytes in hex"
        case kinds.CodeOf(table=table):
            return "CODE", description or ("" if _choices(kind) else f"a code of the table of {table}")
        case kinds.Integer():
            return "INT", description
        case _:
            return type(kind).__name__.upper(), description


def _note(field: Field) -> str:
    if field.json_name in FROM_THE_CHAIN:
        return "[default: as the chain has it now]"
    if is_required(field):
        return "[required]"
    default = default_of(field)
    return "" if default is None else f"[default: {default or 'empty'}]"


def options_of(struct: type[TransactionBody]) -> list[click.Parameter]:
    """One option for each field. Their values are strings or flags, which `body_from` converts."""
    options: list[click.Parameter] = []
    for field in fields_of(struct):
        assert field.json_name not in RESERVED, f"{struct.__name__}.{field.name} has the name of a common option"
        name, kind = option_name(field), field.kind
        is_flag, is_list = isinstance(kind, kinds.Boolean), isinstance(kind, kinds.ListOf)
        item = kind.item if isinstance(kind, kinds.ListOf | kinds.OptionOf) else kind
        metavar, form = _metavar_and_form(item, field.description)
        choices = _choices(item)
        parts = (form, "(may be repeated)" if is_list else "", _note(field))
        options.append(
            click.Option(
                [field.json_name, f"{name}/--no-{name[2:]}" if is_flag else name],
                type=None if is_flag else click.Choice(choices) if choices else str,
                multiple=is_list,
                default=None,
                metavar=None if is_flag or choices else metavar,
                help=" ".join(part for part in parts if part),
            )
        )
    return options


# --- examples ------------------------------------------------------------------------------------------
def _friendly(kind: Kind, value: Any) -> Any:
    """A value of an example in its friendly form. Ids that only a run produces are shell variables (`$ORDER`)."""
    match kind:
        case kinds.OptionOf(item=item):
            return _friendly(item, value)
        case kinds.ListOf(item=item):
            return [_friendly(item, entry) for entry in value]
        case kinds.MoneyAmount():
            return show_amount(int(value["amount"]), value["currency"]).replace(" ", "")
        case kinds.StructOf(struct=struct) if struct is Odometer:
            return show_odometer(value)
        case kinds.StructOf(struct=struct) if struct is Due:
            return ",".join(filter(None, (f"{value['odometer']}km" if value["odometer"] else "", value["at"])))
        case kinds.StructOf(struct=struct):
            inner = {field.json_name: field.kind for field in fields_of(struct)}
            return {name: _friendly(inner[name], entry) for name, entry in value.items() if entry is not None}
        case kinds.Bytes() if value.startswith("$key:"):
            return value.removeprefix("$key:")
        case kinds.Bytes() if value.startswith("$"):
            return value.upper()
        case _:
            return value


def _words(field: Field, value: Any) -> Iterator[str]:
    option, friendly = option_name(field), _friendly(field.kind, value)
    if isinstance(field.kind, kinds.Boolean):
        yield option if value else f"--no-{option[2:]}"
        return
    for entry in friendly if isinstance(field.kind, kinds.ListOf) else [friendly]:
        yield option
        if isinstance(entry, dict) and any(str(part).startswith("$") for part in entry.values()):
            yield ",".join(f"{name}={part}" for name, part in entry.items())  # a shell replaces nothing within '...'
        else:
            yield json.dumps(entry) if isinstance(entry, dict | list) else str(entry)


def example_arguments(name: str) -> list[str]:
    """The arguments of `bmw-wallet tx TYPE`: the fields that differ from their default, sender and cosigners."""
    struct, words = TYPES[name], list[str]()
    example = struct.EXAMPLE
    for field in fields_of(struct):
        value = example.body.get(field.json_name)
        if value not in (None, [], default_of(field)) and field.json_name not in FROM_THE_CHAIN:
            words.extend(_words(field, value))
    words.extend(["--from", example.sender])
    for cosigner in example.cosigners:
        words.extend(["--cosign", cosigner])
    return words


def _quoted(word: str) -> str:
    return word if re.fullmatch(r"[a-z0-9_=,]*\$[A-Z_]+", word) else shlex.quote(word)


def example_of(name: str) -> str:
    """The example command of a transaction type, wrapped if it is long."""
    lines, line = [], f"bmw-wallet tx {name}"
    words = [*example_arguments(name), "--wait"]
    while words:
        size = 1 if len(words) == 1 or words[1].startswith("--") else 2
        part = " ".join(_quoted(word) for word in words[:size])
        words = words[size:]
        if len(line) + len(part) > 90:
            lines.append(line + " \\")
            line = "   "
        line += " " + part
    return "\n".join([*lines, line])
