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
from typing import Any, Final

import click

from node import limits
from node.errors import Malformed
from node.rules.currencies import MINOR_UNITS
from node.txtypes.body import Body
from node.txtypes.fields import Odometer
from node.txtypes.order import OrderOffer
from node.txtypes.schema import Field, Kind, fields_of, from_json, time_from_text, time_to_text

_AMOUNT = re.compile(r"([0-9]{1,13})(?:\.([0-9]{1,9}))? ?([A-Z]{3})")
_ODOMETER = re.compile(r"([0-9]{1,7}) ?(km|mi)(?::(cluster|body_computer|telematics|visual))?")
_RELATIVE = re.compile(r"(?:now)?(?:([+-])([0-9]{1,6})(ms|s|m|h|d|w))?")
_UNIT_MS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 7 * 86_400_000}

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


def parse_time(text: str, now_ms: int) -> int:
    """RFC 3339, `now`, `+30d`, `now-2h`; the empty string is 0, which everywhere means none. Raises `Malformed`."""
    if text == "":
        return 0
    found = _RELATIVE.fullmatch(text)
    if found is None:
        try:
            return time_from_text(text)
        except Malformed as error:
            raise Malformed(f"{error}, nor now, +30d or -2h (units {', '.join(_UNIT_MS)})") from None
    if found[1] is None:
        return now_ms
    moved = now_ms + (1 if found[1] == "+" else -1) * int(found[2]) * _UNIT_MS[found[3]]
    if not 0 < moved <= 253_402_300_799_999:
        raise Malformed(f"{text!r} lies outside the calendar")
    return moved


def _parse_int(text: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,18}", text):
        raise Malformed(f"{text!r} is not a whole number")
    return int(text)


def _parse_bool(text: str) -> bool:
    if text not in ("true", "false"):
        raise Malformed(f"{text!r} is neither true nor false")
    return text == "true"


# --- any value ---------------------------------------------------------------------------------------
def _struct_text(kind: Kind, text: str) -> dict[str, Any]:
    """JSON text, or `name=value,name=value`; a name that stands twice, and every list, gathers its values."""
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
        is_list = name in fields and fields[name].name == "list"
        if len(values) > 1 and not is_list:
            raise Malformed(f"{name} stands twice")
        gathered[name] = values if is_list else values[0]
    return gathered


def _struct_fields(kind: Kind, value: Mapping[str, Any]) -> tuple[Field, ...]:
    """The fields of a struct, or of the union's member that `type` names."""
    if kind.name != "union":
        return fields_of(kind.struct)
    tag = value.get("type")
    tag = tag[0] if isinstance(tag, list) and tag else tag
    return next((fields_of(k.struct) for k in kind.items if k.struct.__struct_config__.tag == tag), ())


def strict(kind: Kind, value: Any, path: str, names: Names) -> Any:
    """The strict JSON form of what was typed, a string or friendly JSON. Raises `Malformed` naming the path."""
    try:
        return _strict_text(kind, value, path, names) if isinstance(value, str) else _strict(kind, value, path, names)
    except Malformed as error:
        text = str(error)
        raise error if text.startswith(path) else Malformed(f"{path}: {text}") from None


def _strict_text(kind: Kind, text: str, path: str, names: Names) -> Any:
    match kind.name:
        case "money":
            return _strict(kind, _struct_text(kind, text) if "{" in text else parse_amount(text), path, names)
        case "struct" if kind.struct is Odometer and "=" not in text and "{" not in text:
            return parse_odometer(text)
        case "struct" | "union":
            return _strict(kind, _struct_text(kind, text), path, names)
        case "time":
            return time_to_text(parse_time(text, names.now_ms))
        case "address":
            return names.address_of(text)
        case "bytes":
            if kind.length == 32 and re.search(r"\bkeys\b", path) and (key := names.key_of(text)) is not None:
                return key.hex()
            return text
        case "int":
            return _parse_int(text)
        case "bool":
            return _parse_bool(text)
        case "optional":
            assert kind.item is not None
            return _strict_text(kind.item, text, path, names)
        case "list" | "tuple":
            try:
                values = json.loads(text)
            except (ValueError, RecursionError):
                raise Malformed(f"{text!r} is not a JSON list") from None
            return _strict(kind, values, path, names)
    return text


def _strict(kind: Kind, value: Any, path: str, names: Names) -> Any:
    if kind.name == "optional" and value is not None:
        assert kind.item is not None
        return strict(kind.item, value, path, names)
    if kind.name == "list" and isinstance(value, list | tuple):
        assert kind.item is not None
        return [strict(kind.item, item, f"{path}[{index}]", names) for index, item in enumerate(value)]
    if kind.name in ("struct", "union") and isinstance(value, dict):
        kinds = {field.json_name: field.kind for field in _struct_fields(kind, value)}
        return {
            name: strict(kinds[name], item, f"{path}.{name}", names) if name in kinds else item
            for name, item in value.items()
        }
    return value


# --- bodies ------------------------------------------------------------------------------------------
def default_of(field: Field) -> str | None:
    """What an option that was not given stands for; None where it must be given."""
    kind = field.kind
    if kind.name == "time" and field.json_name == "event_at":
        return "now"
    if kind.name == "bool" and field.default is not None:
        return "true" if field.default else "false"
    if kind.name == "bytes" and not kind.length:
        return ""
    if kind.name == "str" and kind.pattern and re.match(kind.pattern, ""):
        return ""
    return None


def is_required(field: Field) -> bool:
    return field.kind.name not in ("optional", "list") and default_of(field) is None


def option_name(field: Field) -> str:
    return "--" + field.json_name.replace("_", "-")


def body_from(struct: type[Body], given: Mapping[str, Any], names: Names) -> Body:
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
    kinds = {field.json_name: field.kind for field in fields}
    built: Body = from_json(struct, {n: strict(kinds[n], v, f"body.{n}", names) for n, v in values.items()})
    built.check_static()
    return built


# --- click -------------------------------------------------------------------------------------------
def _metavar(kind: Kind) -> str:
    match kind.name:
        case "optional" | "list":
            assert kind.item is not None
            return _metavar(kind.item)
        case "money":
            return "AMOUNT"
        case "struct" if kind.struct is Odometer:
            return "READING"
        case "bytes":
            return "HEX"
        case "struct" | "union" | "tuple":
            return "JSON"
        case "str":
            return "TEXT"
    return kind.name.upper()


FROM_THE_CHAIN: Final[dict[type[Body], frozenset[str]]] = {
    OrderOffer: frozenset({"listing_version", "disclosure_root"})
}
"""Fields that the wallet finds out itself where they are not given."""


def _help(field: Field, *, is_found: bool) -> str:
    kind, parts = field.kind, []
    if kind.name in ("optional", "list"):
        assert kind.item is not None
        kind = kind.item
    match kind.name:
        case "money":
            parts.append("such as 52900.00EUR")
        case "struct" if kind.struct is Odometer:
            parts.append("such as 12000km or 7500mi:visual")
        case "struct":
            parts.append(f"JSON, or {','.join(f.json_name + '=...' for f in fields_of(kind.struct))}")
        case "union":
            parts.append("JSON with a type of " + ", ".join(str(k.struct.__struct_config__.tag) for k in kind.items))
        case "time":
            parts.append("RFC 3339, now, or relative such as +30d")
        case "address":
            parts.append("bmw1..., or the name of a key or a genesis account")
        case "bytes":
            parts.append(f"{kind.length or 'up to ' + str(kind.max_length)} bytes in hex")
        case _:
            parts.append(kind.description)
    if field.kind.name == "list":
        parts.append("(may be repeated)")
    default = default_of(field)
    if is_found:
        parts.append("[default: as the chain has it now]")
    elif is_required(field):
        parts.append("[required]")
    elif default is not None:
        parts.append(f"[default: {default or 'empty'}]")
    return " ".join(part for part in parts if part)


def options_of(struct: type[Body]) -> list[click.Option]:
    """One option for each field; values come as typed and become strict in `body_from`."""
    made = []
    for field in fields_of(struct):
        assert field.json_name not in RESERVED, f"{struct.__name__}.{field.name} bears the name of a common option"
        name, kind = option_name(field), field.kind
        item = kind.item if kind.name in ("list", "optional") else kind
        assert item is not None
        text = _help(field, is_found=field.json_name in FROM_THE_CHAIN.get(struct, ()))
        if kind.name == "bool":
            flags = f"{name}/--no-{name[2:]}"
            made.append(click.Option([field.json_name, flags], default=None, help=text))
            continue
        choice = click.Choice(item.choices) if item.name == "enum" else None
        made.append(
            click.Option(
                [field.json_name, name],
                type=choice or str,
                multiple=kind.name == "list",
                default=None,
                metavar=None if choice else _metavar(kind),
                help=text,
            )
        )
    return made
