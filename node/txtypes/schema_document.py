"""The canonical schema of transaction types: names, kinds, bounds, patterns, nested structs, without texts.

The ruleset's hash covers it, so that two builds that decode differently cannot claim the same ruleset.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_never

from node.ledger import kinds
from node.ledger.kinds import Kind, fields_of, tag_of

Canonical = list[Any]
"""Strings, integers, booleans, None and lists of them."""


def schema_of(types: Mapping[str, type[Any]]) -> Canonical:
    """Every type with its fields, ascending by tag, and every struct they contain, once, by name."""
    structs: dict[str, Canonical] = {}
    bodies = [[tag, _fields(types[tag], structs)] for tag in sorted(types)]
    return [bodies, [[name, structs[name]] for name in sorted(structs)]]


def _fields(struct: type[Any], structs: dict[str, Canonical]) -> Canonical:
    return [[f.json_name, _kind(f.kind, structs), f.default] for f in fields_of(struct)]


def _named(struct: type[Any], structs: dict[str, Canonical]) -> str:
    name = tag_of(struct) or struct.__name__
    if name not in structs:
        structs[name] = []
        structs[name] = _fields(struct, structs)
    return name


def _kind(kind: Kind, structs: dict[str, Canonical]) -> Canonical:
    match kind:
        case kinds.Boolean() | kinds.Time() | kinds.Address() | kinds.MoneyAmount():
            return [type(kind).__name__]
        case kinds.Integer(minimum=minimum, maximum=maximum):
            return ["Integer", minimum, maximum]
        case kinds.Text(pattern=pattern, max_length=most) | kinds.Code(pattern=pattern, max_length=most):
            return [type(kind).__name__, pattern, most]
        case kinds.CodeOf(table=table, pattern=pattern):
            return ["CodeOf", table, pattern]
        case kinds.Choice(values=values):
            return ["Choice", *values]
        case kinds.Bytes(length=length, max_length=most):
            return ["Bytes", length, most]
        case kinds.ListOf(item=item, min_length=least, max_length=most):
            return ["ListOf", _kind(item, structs), least, most]
        case kinds.OptionOf(item=item):
            return ["OptionOf", _kind(item, structs)]
        case kinds.StructOf(struct=struct):
            return ["StructOf", _named(struct, structs)]
        case kinds.UnionOf(structs=members):
            return ["UnionOf", *(_named(member, structs) for member in members)]
        case kinds.Plain():
            raise AssertionError("only answers have plain fields")
        case _:
            assert_never(kind)
