"""From what people type to strict JSON for `schema.from_json`, and command options from a type's fields.

Friendly forms, on the command line and within `--body` files alike:

    amounts     52900.00EUR           exactly; a decimal more than the currency has is refused
    odometer    12000km, 7500mi:visual
    times       RFC 3339, now, +30d, -2h (relative to the head's time); the empty string is none
    addresses   bmw1..., or the name of a key or of a genesis account
    structures  {"zone": "front", "extent": "bolt_on"} or zone=front,extent=bolt_on (a list: its name again)
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, assert_never

import click

from node import limits
from node.errors import Malformed
from node.ledger import kinds
from node.ledger.body import TransactionBody
from node.ledger.example import parse_time
from node.ledger.fields import Money, Odometer
from node.ledger.json_form import from_json, time_to_text
from node.ledger.kinds import Field, Kind, fields_of, tag_of
from node.rules.currencies import MINOR_UNITS
from node.txtypes.rulesets import RULESETS
from node.txtypes.sale.offer import OrderOffer

_AMOUNT = re.compile(r"([0-9]{1,16})(?:\.([0-9]{1,9}))? ?([A-Z]{3})")
_ODOMETER = re.compile(r"([0-9]{1,7}) ?(km|mi)(?::(cluster|body_computer|telematics|visual))?")

RESERVED: Final = frozenset(
    {"from", "cosign", "wait", "dry_run", "offline", "output", "body", "expires", "json", "help", "yes"}
)
"""Names of the options that every transaction command has; no field may bear one."""


@dataclass(frozen=True)
class Names:
    """What relative times and names refer to. `address_of` raises `Malformed`; `key_of` gives None for no key."""

    now_ms: int
    address_of: Callable[[str], str]
    key_of: Callable[[str], bytes | None]


# --- single values -----------------------------------------------------------------------------------
def parse_amount(text: str) -> dict[str, str]:
    """`52900.00EUR` to {"amount": "5290000", "currency": "EUR"}, exactly. Raises `Malformed`."""
    found = _AMOUNT.fullmatch(text)
    if found is None:
        raise Malformed(f"{text!r} is not an amount: write digits and currency, such as 52900.00EUR")
    whole, decimals, currency = found[1], found[2] or "", found[3]
    if currency not in MINOR_UNITS:
        raise Malformed(f"{currency} is not a currency of ISO 4217: write one such as EUR, CNY or USD")
    digits = MINOR_UNITS[currency]
    if len(decimals) > digits:
        raise Malformed(
            f"{text!r} has {len(decimals)} decimals and {currency} has {digits}: write {_amount_example(currency)}"
        )
    amount = int(whole + decimals.ljust(digits, "0"))
    if amount > limits.MONEY_MAX:
        raise Malformed(f"{text!r} is above the highest amount, {show_amount(limits.MONEY_MAX, currency)}")
    return {"amount": str(amount), "currency": currency}


def _amount_example(currency: str) -> str:
    digits = MINOR_UNITS[currency]
    return f"it like 52900{'.' + '0' * digits if digits else ''}{currency}"


def show_amount(amount: int, currency: str) -> str:
    """5290000 EUR to `52900.00 EUR`; minor units where the currency is not known."""
    digits = MINOR_UNITS.get(currency, 0)
    if not digits:
        return f"{amount} {currency}"
    return f"{amount // 10**digits}.{amount % 10**digits:0{digits}d} {currency}"


def parse_odometer(text: str) -> dict[str, Any]:
    """`12000km`, `12000km:visual`. Raises `Malformed`."""
    found = _ODOMETER.fullmatch(text)
    if found is None:
        raise Malformed(
            f"{text!r} is not an odometer reading: write 12000km or 7500mi, "
            "and :visual, :telematics or :body_computer where it was not read from the cluster"
        )
    return {"value": int(found[1]), "unit": found[2], "source": found[3] or "cluster"}


def _parse_int(text: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,18}", text):
        raise Malformed(f"{text!r} is not a whole number")
    return int(text)


def _parse_bool(text: str) -> bool:
    if text not in ("true", "false"):
        raise Malformed(f"{text!r} is neither true nor false")
    return text == "true"


# --- any value ---------------------------------------------------------------------------------------
Structured = kinds.StructOf | kinds.UnionOf


def _struct_text(kind: Structured | kinds.MoneyAmount, text: str) -> dict[str, Any]:
    """JSON text, or `name=value,name=value`; a name that occurs twice, and every list, gathers its values."""
    if text.lstrip().startswith("{"):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise Malformed(f"not JSON: {error}") from None
        if not isinstance(value, dict):
            raise Malformed("an object is expected")
        return value
    gathered: dict[str, Any] = {}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        if not equals:
            raise Malformed(f"{text!r} is neither JSON nor name=value,name=value")
        gathered.setdefault(name.strip(), []).append(value.strip())
    fields = {field.json_name: field.kind for field in _struct_fields(kind, gathered)}
    for name, values in gathered.items():
        is_list = isinstance(fields.get(name), kinds.ListOf)
        if len(values) > 1 and not is_list:
            raise Malformed(f"{name} stands twice")
        gathered[name] = values if is_list else values[0]
    return gathered


def _struct_fields(kind: Structured | kinds.MoneyAmount, value: Mapping[str, Any]) -> tuple[Field, ...]:
    """The fields of a struct, or of the union's member that `type` names."""
    match kind:
        case kinds.StructOf(struct=struct):
            return fields_of(struct)
        case kinds.MoneyAmount():
            return fields_of(Money)
        case kinds.UnionOf(structs=structs):
            tag = value.get("type")
            tag = tag[0] if isinstance(tag, list) and tag else tag
            return next((fields_of(struct) for struct in structs if tag_of(struct) == tag), ())


def strict(kind: Kind, value: Any, path: str, names: Names) -> Any:
    """The strict JSON form of what was typed, a string or friendly JSON. Raises `Malformed` naming the path."""
    try:
        return _strict_text(kind, value, path, names) if isinstance(value, str) else _strict(kind, value, path, names)
    except Malformed as error:
        text = str(error)
        raise error if text.startswith(path) else Malformed(f"{path}: {text}") from None


def _strict_text(kind: Kind, text: str, path: str, names: Names) -> Any:
    match kind:
        case kinds.MoneyAmount():
            return _strict(kind, _struct_text(kind, text) if "{" in text else parse_amount(text), path, names)
        case kinds.StructOf(struct=struct) if struct is Odometer and "=" not in text and "{" not in text:
            return parse_odometer(text)
        case kinds.StructOf() | kinds.UnionOf():
            return _strict(kind, _struct_text(kind, text), path, names)
        case kinds.Time():
            return time_to_text(parse_time(text, names.now_ms))
        case kinds.Address():
            return names.address_of(text)
        case kinds.Bytes(length=length):
            if length == 32 and re.search(r"\bkeys\b", path) and (key := names.key_of(text)) is not None:
                return key.hex()
            return text
        case kinds.Integer():
            return _parse_int(text)
        case kinds.Boolean():
            return _parse_bool(text)
        case kinds.OptionOf(item=item):
            return _strict_text(item, text, path, names)
        case kinds.ListOf():
            try:
                values = json.loads(text)
            except (ValueError, RecursionError):
                raise Malformed(f"{text!r} is not a JSON list") from None
            return _strict(kind, values, path, names)
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
            known = {field.json_name: field.kind for field in _struct_fields(kind, value)}
            return {
                name: strict(known[name], entry, f"{path}.{name}", names) if name in known else entry
                for name, entry in value.items()
            }
        case _:
            return value


# --- bodies ------------------------------------------------------------------------------------------
def default_of(field: Field) -> str | None:
    """What an option that was not given stands for; None where it must be given."""
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
    """The body from friendly values by JSON name. Raises `Malformed`, naming option or path."""
    fields = fields_of(struct)
    if unknown := sorted(set(given) - {field.json_name for field in fields}):
        raise Malformed(f"body.{unknown[0]}: unknown field; known are {', '.join(f.json_name for f in fields)}")
    values = dict(given)
    missing = []
    for field in fields:
        if values.get(field.json_name) is None:
            values.pop(field.json_name, None)
            if is_required(field):
                missing.append(option_name(field))
            elif (default := default_of(field)) is not None:
                values[field.json_name] = default
    if missing:
        raise Malformed(f"{', '.join(missing)} must be given, or the whole body with --body FILE.json")
    known = {field.json_name: field.kind for field in fields}
    built: TransactionBody = from_json(struct, {n: strict(known[n], v, f"body.{n}", names) for n, v in values.items()})
    built.check_static()
    return built


# --- click -------------------------------------------------------------------------------------------
def _item(kind: Kind) -> Kind:
    """What an option takes once: of a list or an optional field, the item."""
    return kind.item if isinstance(kind, kinds.ListOf | kinds.OptionOf) else kind


def _metavar(kind: Kind) -> str:
    match _item(kind):
        case kinds.MoneyAmount():
            return "AMOUNT"
        case kinds.StructOf(struct=struct) if struct is Odometer:
            return "READING"
        case kinds.Bytes():
            return "HEX"
        case kinds.StructOf() | kinds.UnionOf():
            return "JSON"
        case kinds.Text():
            return "TEXT"
        case kinds.Integer():
            return "INT"
        case kinds.Code() | kinds.CodeOf():
            return "CODE"
        case other:
            return type(other).__name__.upper()


FROM_THE_CHAIN: Final[dict[type[TransactionBody], frozenset[str]]] = {
    OrderOffer: frozenset({"listing_version", "disclosure_root"})
}
"""Fields that the wallet finds out itself where they are not given."""

CHOICES_MAX: Final = 30
"""Tables with more codes than this are named in the help instead of listed."""


def _choices(kind: Kind) -> tuple[str, ...]:
    """All values there are, where they are few; those of the newest ruleset that this software knows."""
    match kind:
        case kinds.Choice(values=values):
            return values
        case kinds.CodeOf(table=table):
            codes = RULESETS[max(RULESETS)].codes[table]
            return tuple(sorted(codes)) if len(codes) <= CHOICES_MAX else ()
        case _:
            return ()


def _form(kind: Kind, description: str) -> str:
    """How a value is written."""
    match kind:
        case kinds.MoneyAmount():
            return "such as 52900.00EUR"
        case kinds.StructOf(struct=struct) if struct is Odometer:
            return "such as 12000km or 7500mi:visual"
        case kinds.StructOf(struct=struct):
            return f"JSON, or {','.join(f.json_name + '=...' for f in fields_of(struct))}"
        case kinds.UnionOf(structs=structs):
            return "JSON with a type of " + ", ".join(tag_of(struct) for struct in structs)
        case kinds.Time():
            return "RFC 3339, now, or relative such as +30d"
        case kinds.Address():
            return "bmw1..., or the name of a key or a genesis account"
        case kinds.Bytes(length=length, max_length=most):
            return f"{length or f'up to {most}'} bytes in hex"
        case kinds.CodeOf(table=table) if not _choices(kind):
            return description or f"a code of the table of {table}"
        case _:
            return description


def _help(field: Field, *, is_found: bool) -> str:
    parts = [_form(_item(field.kind), field.description)]
    if isinstance(field.kind, kinds.ListOf):
        parts.append("(may be repeated)")
    default = default_of(field)
    if is_found:
        parts.append("[default: as the chain has it now]")
    elif is_required(field):
        parts.append("[required]")
    elif default is not None:
        parts.append(f"[default: {default or 'empty'}]")
    return " ".join(part for part in parts if part)


def options_of(struct: type[TransactionBody]) -> list[click.Option]:
    """One option for each field; values come as typed and become strict in `body_from`."""
    made = []
    for field in fields_of(struct):
        assert field.json_name not in RESERVED, f"{struct.__name__}.{field.name} bears the name of a common option"
        name, kind = option_name(field), field.kind
        text = _help(field, is_found=field.json_name in FROM_THE_CHAIN.get(struct, ()))
        if isinstance(kind, kinds.Boolean):
            flags = f"{name}/--no-{name[2:]}"
            made.append(click.Option([field.json_name, flags], default=None, help=text))
            continue
        choices = _choices(_item(kind))
        made.append(
            click.Option(
                [field.json_name, name],
                type=click.Choice(choices) if choices else str,
                multiple=isinstance(kind, kinds.ListOf),
                default=None,
                metavar=None if choices else _metavar(kind),
                help=text,
            )
        )
    return made
