"""All codes for machines (`GET /v1/codes`): tables of the ruleset, texts, guards, outcomes, problems."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from node.ledger.guards import GUARDS
from node.ledger.ruleset import Ruleset
from node.rpc.problems import PROBLEMS
from node.rules.outcomes import OUTCOMES
from node.rules.texts.tables import TEXTS

Json = dict[str, Any]


def codes_document(ruleset: Ruleset) -> Json:
    """`codes`: the codes of each table, in the table's order if it has one; `tables`: the tables as a whole; `texts`:
    what the codes mean, in three languages."""
    tables = ruleset.tables._asdict()
    codes = {name: found for name, table in sorted(tables.items()) if (found := _codes(table))}
    guards = {
        code: {"en": guard.en, "de": guard.de, "zh": guard.zh, "is_permission": guard.is_permission}
        for code, guard in sorted(GUARDS.items())
    }
    return {
        "ruleset": ruleset.number, "ruleset_hash": ruleset.hash.hex(), "codes": codes,
        "tables": {name: _json(table) for name, table in sorted(tables.items())},
        "texts": {name: _texts(name, found) for name, found in codes.items() if name in TEXTS},
        "guards": guards,
        "outcomes": dict(OUTCOMES),
        "problems": {code: {"status": status, "title": title} for code, (status, title) in PROBLEMS.items()},
    }  # fmt: skip


def _codes(table: object) -> list[str]:
    """The codes of a table; empty if the table has no codes but numbers or patterns."""
    if not isinstance(table, tuple | frozenset | Mapping):
        return []
    codes = list(table) if isinstance(table, tuple) else sorted(table)
    return codes if all(isinstance(code, str) for code in codes) else []


def _texts(name: str, codes: list[str]) -> Json:
    return {code: TEXTS[name][code]._asdict() for code in codes if code in TEXTS[name]}


def _json(table: object) -> Any:
    match table:
        case Mapping():
            return {key: _json(table[key]) for key in sorted(table)}
        case frozenset():
            return sorted(table)
        case tuple():
            fields = getattr(table, "_fields", None)
            return (
                [_json(entry) for entry in table]
                if fields is None
                else dict(zip(fields, map(_json, table), strict=True))
            )
        case _:
            return table


def _map_of(value: Json, description: str) -> Json:
    return {"type": "object", "additionalProperties": value, "description": description}


_STRING: Final[Json] = {"type": "string"}
_TEXT: Final[Json] = {
    "type": "object",
    "properties": {
        "en": _STRING | {"description": "in English", "examples": ["front brake pads"]},
        "de": _STRING | {"description": "in German", "examples": ["Bremsbeläge vorn"]},
        "zh": _STRING | {"description": "in Chinese", "examples": ["前制动摩擦片"]},
    },
    "required": ["en", "de", "zh"],
    "description": "What a code means: a name, not a sentence.",
}
_GUARD: Final[Json] = {
    "type": "object",
    "properties": {
        "en": _STRING | {"description": "in English", "examples": ["a required signature is missing"]},
        "de": _STRING | {"description": "in German", "examples": ["eine nötige Unterschrift fehlt"]},
        "zh": _STRING | {"description": "in Chinese", "examples": ["缺少必需的签名"]},
        "is_permission": {"type": "boolean", "description": "about who may act: answered 403", "examples": [True]},
    },
    "required": ["en", "de", "zh", "is_permission"],
    "description": "A guard: the texts say in one clause that it is not met.",
}
_PROBLEM: Final[Json] = {
    "type": "object",
    "properties": {
        "status": {"type": "integer", "description": "HTTP status", "examples": [422]},
        "title": _STRING | {"description": "one sentence", "examples": ["The transaction is not valid now"]},
    },
    "required": ["status", "title"],
    "description": "A problem of the interface.",
}
CODES_SCHEMA: Final[Json] = {
    "type": "object",
    "properties": {
        "ruleset": {"type": "integer", "description": "number of the ruleset in force", "examples": [1]},
        "ruleset_hash": _STRING | {"description": "its hash in hex", "examples": ["ab" * 32]},
        "codes": _map_of({"type": "array", "items": _STRING}, "table to its codes; `x-codes` of a field names a table")
        | {"examples": [{"services": ["AC_SERVICE", "ENGINE_OIL"]}]},
        "tables": _map_of({}, "table to its whole content, such as a rail and its statuses")
        | {"examples": [{"odometer_units": ["km", "mi"]}]},
        "texts": _map_of(_map_of({"$ref": "#/components/schemas/CodeText"}, "code to its text"),
                         "table to the texts of its codes; no part of the ruleset")
        | {"examples": [{"services": {"BRAKE_PADS_FRONT": {"en": "front brake pads", "de": "Bremsbeläge vorn",
                                                           "zh": "前制动摩擦片"}}}]},
        "guards": _map_of({"$ref": "#/components/schemas/GuardTexts"}, "guard code to its texts")
        | {"examples": [{}]},
        "outcomes": _map_of(_STRING, "outcome code of a record to its meaning")
        | {"examples": [{"severity:minor": "the damage was computed to be minor"}]},
        "problems": _map_of({"$ref": "#/components/schemas/ProblemTitle"}, "problem code to HTTP status and title")
        | {"examples": [{}]},
    },
    "required": ["ruleset", "ruleset_hash", "codes", "tables", "texts", "guards", "outcomes", "problems"],
    "description": "All code tables of the ruleset in force, and the codes of the interface.",
}  # fmt: skip
CODES_COMPONENTS: Final[dict[str, Json]] = {
    "Codes": CODES_SCHEMA, "CodeText": _TEXT, "GuardTexts": _GUARD, "ProblemTitle": _PROBLEM,
}  # fmt: skip
