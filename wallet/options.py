"""Command options for the fields of a type, and the body that their values make."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import click

from node.errors import Malformed
from node.ledger import kinds
from node.ledger.body import TransactionBody
from node.ledger.fields import Odometer
from node.ledger.json_form import from_json
from node.ledger.kinds import Field, Kind, fields_of, tag_of
from node.txtypes.rulesets import RULESETS
from node.txtypes.service.records import Due
from wallet.values import DISTANCE, Names, strict

RESERVED: Final = frozenset(
    {"from", "cosign", "wait", "dry_run", "offline", "output", "body", "expires", "json", "help", "yes"}
) | {"accept_old_root", "expect"}
"""Names of the options that every transaction command has: no field may have one of them."""


# --- fields ------------------------------------------------------------------------------------------
def default_of(field: Field) -> str | None:
    """The value of an option that is not given, None if the field has no default."""
    match field.kind:
        case kinds.Time() if field.json_name == "event_at":
            return "now"
        case kinds.Time(is_optional=True) if field.has_default:
            return ""
        case kinds.Boolean() if field.has_default:
            return "true" if field.default else "false"
        case kinds.Bytes(length=0):
            return ""
        case kinds.Text(pattern=pattern) | kinds.CodeOf(pattern=pattern) if pattern and re.match(pattern, ""):
            return ""
        case _ if isinstance(field.default, int | str):
            return str(field.default)
        case _:
            return None


def is_required(field: Field) -> bool:
    return not isinstance(field.kind, kinds.OptionOf | kinds.ListOf) and default_of(field) is None


def option_name(field: Field) -> str:
    return "--" + field.json_name.replace("_", "-")


# --- bodies ------------------------------------------------------------------------------------------
def _check_due_unit(body: TransactionBody, given: Mapping[str, Any]) -> None:
    """A service that is due at a reading in another unit than the odometer's is a mistake: the body has no unit."""
    for field in fields_of(type(body)):
        text = given.get(field.json_name)
        if field.kind == kinds.StructOf(Due) and isinstance(text, str) and (due := DISTANCE.search(text)):
            odometer = getattr(body, "odometer", None)
            if isinstance(odometer, Odometer) and odometer.unit != due[2]:
                raise Malformed(f"body.{field.json_name}: {due[0]} is in {due[2]}, the odometer in {odometer.unit}")


def body_from(struct: type[TransactionBody], given: Mapping[str, Any], names: Names) -> TransactionBody:
    """The body with these friendly values by JSON name. Raises `Malformed` that names the option or the path."""
    values = {name: value for name, value in given.items() if value is not None}
    fields = fields_of(struct)
    if missing := [option_name(field) for field in fields if is_required(field) and field.json_name not in values]:
        raise Malformed(f"{', '.join(missing)} must be given, or the whole body with --body FILE.json")
    defaults = {field.json_name: value for field in fields if (value := default_of(field)) is not None}
    body: TransactionBody = from_json(struct, strict(kinds.StructOf(struct), defaults | values, "body", names))
    body.check_static()
    _check_due_unit(body, given)
    return body


# --- options -----------------------------------------------------------------------------------------
FROM_THE_CHAIN: Final = frozenset({
    "listing_version", "disclosure_root", "round", "material_root", "trade_material_root",
})  # fmt: skip
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
