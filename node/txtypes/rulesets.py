"""The rulesets that this software can judge by, and the canonical schema of transaction types that their hashes cover.

The schema has names, kinds, bounds, patterns and nested structs, without texts, and what each type weighs: two builds
that decode or charge differently cannot claim the same ruleset.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, assert_never

from msgspec.structs import astuple

from node.ledger import kinds
from node.ledger.body import TransactionBody
from node.ledger.kinds import Kind, fields_of, tag_of
from node.ledger.params import ChainParams
from node.ledger.ruleset import Ruleset, Severity, Verdict
from node.rules.damage import severity
from node.rules.tables import Tables
from node.rules.verdict import judge
from node.txtypes.registry import FAMILIES, TYPES

Canonical = list[Any]
"""Strings, integers, booleans, None and lists of them."""


def schema_of(types: Mapping[str, type[TransactionBody]]) -> Canonical:
    """Every type with its fields and its weights, ascending by tag, and every struct they contain, once, by name."""
    structs: dict[str, Canonical] = {}
    bodies = [[tag, _fields(types[tag], structs), _weights(types[tag])] for tag in sorted(types)]
    return [bodies, [[name, structs[name]] for name in sorted(structs)]]


def _weights(kind: type[TransactionBody]) -> Canonical:
    """The weight, what each entry of a list adds to it, and whether payers are charged."""
    return [kind.weight, [[name, kind.weight_each[name]] for name in sorted(kind.weight_each)], kind.is_charged]


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
        case kinds.Time():
            return ["Time"]  # whether 0 is none changes the JSON form, not what is decoded
        case kinds.Boolean() | kinds.Integer() | kinds.Text() | kinds.Code() | kinds.CodeOf():
            return [type(kind).__name__, *astuple(kind)]
        case kinds.Address() | kinds.Bytes() | kinds.MoneyAmount():
            return [type(kind).__name__, *astuple(kind)]
        case kinds.Choice(values=values):
            return ["Choice", *values]
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


def build_ruleset(number: int, tables: Tables, severity: Severity, verdict: Verdict) -> Ruleset:
    """The ruleset with the types and the versions of values that the registry has for its number."""
    types = {tag: kind for tag, kind in TYPES.items() if kind.since <= number}
    versions = {name: version for name, family in FAMILIES.items() if (version := family.version_at(number))}
    return Ruleset(number, tables, types, schema_of(types), versions, severity, verdict)


RULESETS: Final[dict[int, Ruleset]] = {1: build_ruleset(1, Tables(), severity, judge)}
"""Number to ruleset."""
_INSTALL: Final = "which this software does not know: install a newer version and start again; the store is intact"


def unknown_rules(params: ChainParams, height: int) -> str:
    """Why this software cannot judge the block at `height`, where `params` are those before it; empty where it can."""
    number = params.ruleset_at(height)
    ruleset, name = RULESETS.get(number), f"ruleset {number}"
    if number != params.ruleset:
        name += f" with hash {params.next_ruleset_hash.hex()}"
        ruleset = ruleset if ruleset is not None and ruleset.hash == params.next_ruleset_hash else None
    return "" if ruleset is not None else f"from height {height} on the chain is judged by {name}, {_INSTALL}"


def unknown_ruleset(height: int, ruleset_hash: bytes) -> str:
    """Why this software cannot judge the block at `height`, whose header names `ruleset_hash`; empty where it can. A
    header counts only once its certificate is verified: before that, anybody can name any hash."""
    if any(ruleset.hash == ruleset_hash for ruleset in RULESETS.values()):
        return ""
    return f"at height {height} the chain is judged by a ruleset with hash {ruleset_hash.hex()}, {_INSTALL}"
