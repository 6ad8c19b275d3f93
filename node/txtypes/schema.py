"""What a type's fields are, told once from its annotations: JSON in and out, command options and API schema follow.

In JSON: addresses in bech32m, times in RFC 3339 with milliseconds (and without the `_ms` of the name), money as
`{"amount": "123", "currency": "EUR"}` in minor units, other bytes in lower-case hex, unions by their `type`.
"""

from __future__ import annotations

import re
import types
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from node.codec import Value
from node.crypto.addresses import from_text, to_text
from node.errors import Malformed
from node.txtypes.fields import Money

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339 = re.compile(r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,3})?(Z|[+-]\d{2}:\d{2})$")


class Field(msgspec.Struct, frozen=True):
    """One field. `kind`: address, bytes, time, int, bool, str, enum, list, struct, union, optional, money, tuple."""

    name: str
    json_name: str
    kind: Kind
    default: bool | int | None = None
    """What it is where JSON leaves it out; None where it has no default."""


class Kind(msgspec.Struct, frozen=True):
    name: str
    item: Kind | None = None
    items: tuple[Kind, ...] = ()
    struct: Any = None
    choices: tuple[str, ...] = ()
    pattern: str = ""
    length: int = 0
    minimum: int | None = None
    maximum: int | None = None
    max_length: int | None = None
    title: str = ""
    description: str = ""


def time_to_text(millis: int) -> str:
    """RFC 3339 with milliseconds, UTC; the empty string for 0, which everywhere means none."""
    if millis == 0:
        return ""
    try:
        return (_EPOCH + timedelta(milliseconds=millis)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except OverflowError:
        return f"@{millis}"


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


def _kind(annotation: Any, meta: dict[str, Any]) -> Kind:
    origin = get_origin(annotation)
    if origin is Annotated:
        base, *extras = get_args(annotation)
        merged = dict(meta)
        for extra in extras:
            if isinstance(extra, msgspec.Meta):
                for name in ("pattern", "min_length", "max_length", "ge", "le", "title", "description"):
                    if getattr(extra, name) is not None:
                        merged[name] = getattr(extra, name)
        return _kind(base, merged)
    described = {"title": meta.get("title", ""), "description": meta.get("description", "")}
    if origin in (Union, types.UnionType):
        members = [m for m in get_args(annotation) if m is not type(None)]
        if len(members) < len(get_args(annotation)):
            inner = _kind(members[0] if len(members) == 1 else Union[tuple(members)], {})  # noqa: UP007
            return Kind("optional", item=inner, **described)
        if all(get_origin(m) is Literal for m in members):
            return Kind("enum", choices=tuple(c for m in members for c in get_args(m)), **described)
        return Kind("union", items=tuple(_kind(m, {}) for m in members), **described)
    if origin is Literal:
        return Kind("enum", choices=tuple(get_args(annotation)), **described)
    if origin is tuple:
        arguments = get_args(annotation)
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return Kind("list", item=_kind(arguments[0], {}), max_length=meta.get("max_length"), **described)
        return Kind("tuple", items=tuple(_kind(a, {}) for a in arguments), **described)
    if annotation is bytes:
        length = meta["min_length"] if meta.get("min_length") and meta["min_length"] == meta.get("max_length") else 0
        if length == 20:
            return Kind("address", length=20, **described)
        return Kind("bytes", length=length, max_length=meta.get("max_length"), **described)
    if annotation is bool:
        return Kind("bool", **described)
    if annotation is int:
        is_time = described["description"].startswith("milliseconds since 1970")
        return Kind("time" if is_time else "int", minimum=meta.get("ge"), maximum=meta.get("le"), **described)
    if annotation is str:
        return Kind("str", pattern=meta.get("pattern", ""), max_length=meta.get("max_length"), **described)
    if annotation is Money:
        return Kind("money", struct=Money, **described)
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return Kind("struct", struct=annotation, **described)
    raise AssertionError(f"the schema knows no field of type {annotation}")


@cache
def fields_of(struct: type[Value]) -> tuple[Field, ...]:
    """The fields of a struct in encoding order."""
    hints = get_type_hints(struct, include_extras=True)
    defaults = {f.name: f.default for f in msgspec.structs.fields(struct) if f.default is not msgspec.NODEFAULT}
    found = []
    for name in struct.__struct_fields__:
        kind = _kind(hints[name], {})
        is_time = kind.name == "time" and name.endswith("_ms")
        found.append(Field(name, name[:-3] if is_time else name, kind, defaults.get(name)))
    return tuple(found)


# --- to JSON ---------------------------------------------------------------------------------------
@cache
def _writer(kind: Kind) -> Callable[[Any], Any]:
    if kind.name == "address":
        return to_text
    if kind.name == "bytes":
        return bytes.hex
    if kind.name == "time":
        return time_to_text
    if kind.name == "money":
        return lambda money: {"amount": str(money.amount), "currency": money.currency}
    if kind.name == "list":
        item = _writer(kind.item)
        return lambda values: [item(value) for value in values]
    if kind.name == "tuple":
        writers = [_writer(item) for item in kind.items]
        return lambda values: [write(value) for write, value in zip(writers, values, strict=True)]
    if kind.name == "optional":
        inner = _writer(kind.item)
        return lambda value: None if value is None else inner(value)
    if kind.name in ("struct", "union"):
        return to_json
    return lambda value: value


@cache
def _struct_writers(struct: type[Value]) -> tuple[str | None, tuple[tuple[str, str, Callable[[Any], Any]], ...]]:
    tag = struct.__struct_config__.tag
    name = tag if isinstance(tag, str) else None
    return name, tuple((f.name, f.json_name, _writer(f.kind)) for f in fields_of(struct))


def to_json(value: Value) -> dict[str, Any]:
    """A struct as plain JSON values; a tagged one (a transaction body, an action) with its `type` first."""
    tag, writers = _struct_writers(type(value))
    shown = {} if tag is None else {"type": tag}
    for name, json_name, write in writers:
        shown[json_name] = write(getattr(value, name))
    return shown


# --- from JSON -------------------------------------------------------------------------------------
def _bytes_from(kind: Kind, value: Any, path: str) -> bytes:
    if not isinstance(value, str) or not re.fullmatch(r"([0-9a-f]{2})*", value):
        raise Malformed(f"{path}: lower-case hex expected")
    raw = bytes.fromhex(value)
    if kind.length and len(raw) != kind.length:
        raise Malformed(f"{path}: {kind.length} bytes expected, {len(raw)} given")
    return raw


def _expect(value: Any, wanted: type, path: str, name: str) -> Any:
    if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
        raise Malformed(f"{path}: {name} expected")
    return value


def value_from_json(kind: Kind, value: Any, path: str) -> Any:
    """The value of one field. Raises `Malformed`, naming the path."""
    match kind.name:
        case "address":
            try:
                return from_text(_expect(value, str, path, "an address"))
            except Malformed as error:
                raise Malformed(f"{path}: {error}") from None
        case "bytes":
            return _bytes_from(kind, value, path)
        case "time":
            try:
                return time_from_text(_expect(value, str, path, "an RFC 3339 time"))
            except Malformed as error:
                raise Malformed(f"{path}: {error}") from None
        case "int":
            return _expect(value, int, path, "an integer")
        case "bool":
            return _expect(value, bool, path, "true or false")
        case "str" | "enum":
            return _expect(value, str, path, "a string")
        case "money":
            amount = _expect(value, dict, path, "amount and currency")
            if set(amount) != {"amount", "currency"} or not re.fullmatch(r"[0-9]{1,15}", str(amount["amount"])):
                raise Malformed(f"{path}: amount (digits of minor units, as a string) and currency expected")
            return Money(int(amount["amount"]), _expect(amount["currency"], str, path, "a currency"))
        case "list":
            assert kind.item is not None
            return tuple(
                value_from_json(kind.item, item, f"{path}[{index}]")
                for index, item in enumerate(_expect(value, list, path, "a list"))
            )
        case "tuple":
            values = _expect(value, list, path, "a list")
            if len(values) != len(kind.items):
                raise Malformed(f"{path}: {len(kind.items)} values expected")
            return tuple(value_from_json(k, v, path) for k, v in zip(kind.items, values, strict=True))
        case "optional":
            assert kind.item is not None
            return None if value is None else value_from_json(kind.item, value, path)
        case "struct":
            return from_json(kind.struct, value, path)
        case "union":
            return union_from_json({k.struct.__struct_config__.tag: k.struct for k in kind.items}, value, path)
    raise AssertionError(f"no reader for {kind.name}")


def union_from_json(structs: dict[str, type[Any]], value: Any, path: str) -> Any:
    """The struct that `type` names."""
    tag = _expect(value, dict, path, "an object").get("type")
    if tag not in structs:
        raise Malformed(f"{path}.type: one of {', '.join(sorted(structs))} expected, {tag!r} given")
    return from_json(structs[tag], {k: v for k, v in value.items() if k != "type"}, path)


def from_json(struct: type[Value], value: Any, path: str = "body") -> Any:
    """Build a struct from JSON values, strictly: unknown and missing fields are named. Raises `Malformed`.

    An optional field may be left out, and so may a list, which is then empty, and what has a default.
    """
    _expect(value, dict, path, "an object")
    known = {field.json_name: field for field in fields_of(struct)}
    if unknown := sorted(set(value) - set(known)):
        raise Malformed(f"{path}.{unknown[0]}: unknown field; known are {', '.join(known)}")
    read: dict[str, Any] = {}
    for json_name, field in known.items():
        if json_name in value:
            read[field.name] = value_from_json(field.kind, value[json_name], f"{path}.{json_name}")
        elif field.kind.name in ("optional", "list"):
            read[field.name] = None if field.kind.name == "optional" else ()
        elif field.default is not None:
            read[field.name] = field.default
        else:
            raise Malformed(f"{path}.{json_name}: missing")
    built = struct(**read)
    try:
        return msgspec.msgpack.decode(msgspec.msgpack.encode(built), type=struct)
    except msgspec.ValidationError as error:
        raise Malformed(f"{path}: {_readable(str(error), struct)}") from None
    except (OverflowError, UnicodeEncodeError):
        raise Malformed(f"{path}: a number beyond 64 bits, or text that is no Unicode") from None


def _readable(text: str, struct: type[Value]) -> str:
    """msgspec names array places; turn `$[3]` into the field's name."""

    def name(match: re.Match[str]) -> str:
        index = int(match[1]) - (1 if struct.__struct_config__.tag is not None else 0)
        names = [field.json_name for field in fields_of(struct)]
        return "$." + names[index] if 0 <= index < len(names) else match[0]

    return re.sub(r"\$\[(\d+)\]", name, text)


# --- scanning ----------------------------------------------------------------------------------------
def _code_finder(kind: Kind) -> Callable[[Any], list[str]] | None:
    if kind.name == "str" and kind.title == "code":
        return lambda value: [value]
    if kind.name in ("list", "optional"):
        inner = _code_finder(kind.item)  # type: ignore[arg-type]
        if inner is None:
            return None
        if kind.name == "list":
            return lambda values: [text for value in values for text in inner(value)]
        return lambda value: [] if value is None else inner(value)
    if kind.name == "struct":
        finders = _code_finders(kind.struct)
        if finders:
            return lambda value: [text for name, find in finders for text in find(getattr(value, name))]
    if kind.name == "union":
        return code_strings
    return None


@cache
def _code_finders(struct: type[Value]) -> tuple[tuple[str, Callable[[Any], list[str]]], ...]:
    found = ((field.name, _code_finder(field.kind)) for field in fields_of(struct))
    return tuple((name, find) for name, find in found if find is not None)


def code_strings(value: Any) -> list[str]:
    """Every `Code` string within a struct."""
    return [text for name, find in _code_finders(value.__class__) for text in find(getattr(value, name))]
