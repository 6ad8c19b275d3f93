"""Kinds: the semantic types of the fields of transactions, state values and views, as a closed union.

A kind is derived once from the annotation. `int`, `str`, `bytes`, `bool`, literals, tuples, unions and structs name
their kind by themselves; where the Python type is too wide, the annotation carries a marker (`TIME`, `ADDRESS`, `CODE`,
`CodeOf(...)`). Codec, JSON, command options, OpenAPI and the schema document all walk this union.
"""

from __future__ import annotations

import types
from functools import cache
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints

import msgspec


class _Kind(msgspec.Struct, frozen=True):
    """Base of all kinds: hashable values without behaviour."""


class Boolean(_Kind, frozen=True):
    pass


class Integer(_Kind, frozen=True):
    minimum: int | None = None
    maximum: int | None = None


class Time(_Kind, frozen=True):
    """Milliseconds since 1970 UTC. In JSON RFC 3339 under the field's name without `_ms`. `is_optional`: 0 is none, and
    null in JSON."""

    is_optional: bool = False


class Text(_Kind, frozen=True):
    pattern: str = ""
    max_length: int | None = None


class Code(_Kind, frozen=True):
    """An open code such as a part number: scanned for payment card numbers, IBANs and telephone numbers, since its
    author chooses it freely."""

    pattern: str = ""
    max_length: int | None = None


class CodeOf(_Kind, frozen=True):
    """A code of a table in the ruleset. Membership is a guard, so a later ruleset can extend the table."""

    table: str
    pattern: str = ""


class Choice(_Kind, frozen=True):
    """One of fixed strings, which decoding itself checks."""

    values: tuple[str, ...]


class Address(_Kind, frozen=True):
    """20 bytes; bech32m in JSON."""


class Bytes(_Kind, frozen=True):
    """`length` bytes exactly, or up to `max_length`; hex in JSON."""

    length: int = 0
    max_length: int | None = None


class MoneyAmount(_Kind, frozen=True):
    """Minor units with their currency: `{"amount": "123", "currency": "EUR"}` in JSON."""


class ListOf(_Kind, frozen=True):
    item: Kind
    min_length: int | None = None
    max_length: int | None = None


class OptionOf(_Kind, frozen=True):
    item: Kind


class StructOf(_Kind, frozen=True):
    struct: Any


class UnionOf(_Kind, frozen=True):
    """One of several tagged structs; `type` names it in JSON."""

    structs: tuple[Any, ...]


class Plain(_Kind, frozen=True):
    """A value that is JSON already: a document whose form depends on the request, or (`is_any`) any JSON value."""

    is_any: bool = False


Kind = (
    Boolean | Integer | Time | Text | Code | CodeOf | Choice | Address | Bytes | MoneyAmount | ListOf | OptionOf
    | StructOf | UnionOf | Plain
)  # fmt: skip
TIME: Final = Time()
OPTIONAL_TIME: Final = Time(is_optional=True)
ADDRESS: Final = Address()
CODE: Final = Code()
MONEY: Final = MoneyAmount()
PLAIN: Final = Plain()
_Marker = Time | Address | Code | CodeOf | MoneyAmount | Plain
_CONSTRAINTS: Final = ("pattern", "description", "ge", "le", "min_length", "max_length")


class Field(msgspec.Struct, frozen=True):
    """One field of a struct, in encoding order."""

    name: str
    json_name: str
    kind: Kind
    description: str = ""
    has_default: bool = False
    default: bool | int | str | None = None
    """The value where JSON leaves the field out."""


def _unwrapped(annotation: Any) -> tuple[Any, _Marker | None, dict[str, Any]]:
    """The bare type of an `Annotated` one, its marker and its constraints; a later constraint replaces an earlier."""
    bare, *extras = get_args(annotation) if get_origin(annotation) is Annotated else (annotation,)
    marker, constraints = None, dict[str, Any]()
    for extra in extras:
        if isinstance(extra, _Marker):
            marker = extra
        elif isinstance(extra, msgspec.Meta):
            constraints |= {name: value for name in _CONSTRAINTS if (value := getattr(extra, name)) is not None}
            constraints |= extra.extra or {}  # of a `Stored` text
    return bare, marker, constraints


def kind_of(annotation: Any) -> Kind:
    """The kind that an annotation declares. Raises `AssertionError` for a type no field may have."""
    bare, marker, meta = _unwrapped(annotation)
    pattern, least, most = meta.get("pattern", ""), meta.get("min_length"), meta.get("max_length")
    if isinstance(marker, CodeOf):
        return CodeOf(marker.table, pattern)
    if isinstance(marker, Code):
        return Code(pattern, most)
    if marker is not None:
        return marker
    origin = get_origin(bare)
    if origin in (Union, types.UnionType):
        return _of_union(get_args(bare))
    if origin is Literal:
        return Choice(get_args(bare))
    if origin is tuple:
        item, *more = get_args(bare)
        assert more == [Ellipsis], f"{bare}: fields have lists, not tuples of fixed length"
        return ListOf(kind_of(item), least, most)
    if bare is bool:
        return Boolean()
    if bare is int:
        return Integer(meta.get("ge"), meta.get("le"))
    if bare is str:
        return Text(pattern, most)
    if bare is bytes:
        return Bytes(least) if least and least == most else Bytes(0, most)
    if isinstance(bare, type) and issubclass(bare, msgspec.Struct):
        own = getattr(bare, "KIND", None)
        return own if isinstance(own, _Marker) else StructOf(bare)
    raise AssertionError(f"no field can have the type {annotation}")


def _of_union(members: tuple[Any, ...]) -> Kind:
    given = tuple(member for member in members if member is not type(None))
    if len(given) < len(members):
        return OptionOf(kind_of(given[0]) if len(given) == 1 else _of_union(given))
    if all(get_origin(member) is Literal for member in given):
        return Choice(tuple(value for member in given for value in get_args(member)))
    return UnionOf(given)


def fields_of(struct: type[Any]) -> tuple[Field, ...]:
    """The fields of a struct in encoding order."""
    return _fields_of(struct)  # type: ignore[arg-type] # mypy takes type[Any] for unhashable


@cache
def _fields_of(struct: Any) -> tuple[Field, ...]:
    hints = get_type_hints(struct, include_extras=True)
    defaults = {f.name: f.default for f in msgspec.structs.fields(struct) if f.default is not msgspec.NODEFAULT}
    fields = []
    for name in struct.__struct_fields__:
        kind, description = kind_of(hints[name]), _unwrapped(hints[name])[2].get("description", "")
        json_name = name.removesuffix("_ms") if isinstance(kind, Time) else name
        fields.append(Field(name, json_name, kind, description, name in defaults, defaults.get(name)))
    return tuple(fields)


def tag_of(struct: type[Any]) -> str:
    """The type name of a tagged struct (a transaction, an action); empty for any other."""
    tag = struct.__struct_config__.tag
    return tag if isinstance(tag, str) else ""
