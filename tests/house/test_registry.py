"""The registry is complete: what a module declares is in it, and everything that follows from a declaration does."""

from __future__ import annotations

import ast
import importlib
import json
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from support.specimens import specimen

import node.ledger
import node.txtypes
from node.codec import Value, encode
from node.ledger.body import TransactionBody, UnknownBody, type_of
from node.ledger.family import Family, index_prefix
from node.ledger.json_form import to_json
from node.ledger.kinds import fields_of
from node.rpc.config import RpcConfig
from node.rpc.openapi import openapi_document
from node.rpc.routes import ROUTES, list_query
from node.txtypes.envelope import Payload, decode_payload
from node.txtypes.registry import FAMILIES, HAPPENINGS, TYPES
from node.txtypes.rulesets import RULESETS

ROOT = Path(__file__).resolve().parents[2]


def modules() -> Iterator[ModuleType]:
    for package in (node.ledger, node.txtypes):
        for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            yield importlib.import_module(found.name)


def declared(wanted: type) -> dict[int, Any]:
    """Every instance or subclass of `wanted` that some module names, once."""
    found = {}
    for module in modules():
        for value in vars(module).values():
            is_one = isinstance(value, wanted) or (isinstance(value, type) and issubclass(value, wanted))
            if is_one and value is not wanted:
                found[id(value)] = value
    return found


# --- nothing is forgotten -----------------------------------------------------------------------------------
def test_every_family_is_registered_under_its_name() -> None:
    families = declared(Family).values()
    assert {family.name for family in families} == set(FAMILIES)
    assert all(FAMILIES[family.name] is family for family in families)


def test_every_transaction_type_is_registered_under_its_tag() -> None:
    """Classes without a tag are bases of types."""
    tagged = [kind for kind in declared(TransactionBody).values() if kind.__struct_config__.tag is not None]
    assert {kind.__struct_config__.tag for kind in tagged} == set(TYPES)
    assert all(TYPES[kind.__struct_config__.tag] is kind for kind in tagged)
    assert UnknownBody not in TYPES.values()


def test_every_versioned_value_belongs_to_a_family() -> None:
    """A struct whose tag is a number is a state value or a part of a record."""
    versioned = {kind for kind in declared(Value).values()
                 if isinstance(kind, type) and isinstance(kind.__struct_config__.tag, int)}  # fmt: skip
    of_families = {family.kind for family in FAMILIES.values()}
    of_families |= {older.kind for family in FAMILIES.values() for older in family.older}
    views = {family.view for family in FAMILIES.values()}
    left = {kind.__name__ for kind in versioned - of_families if not (set(kind.__mro__[1:]) & of_families)}
    assert {"Face", "Content", "RecordView"} == left
    assert views - {None}


def test_every_family_has_a_version_that_a_ruleset_writes() -> None:
    for family in FAMILIES.values():
        assert family.kind.__struct_config__.tag == family.version, family.name
        assert all(older.kind.__struct_config__.tag == older.version for older in family.older)
    assert set(RULESETS[max(RULESETS)].value_versions) == set(FAMILIES)


# --- types --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("tag", TYPES)
def test_a_types_specimen_decodes(tag: str) -> None:
    body = specimen(tag)
    payload = Payload(bytes(20), 1, 2**47, body)
    assert payload == decode_payload(encode(payload))
    assert (tag, tag) == (type_of(body), to_json(body)["type"])
    assert TYPES[tag].EXAMPLE.sender


def test_a_specimen_is_the_types_own() -> None:
    assert [tag for tag, kind in TYPES.items() if "EXAMPLE" not in vars(kind)] == []


@pytest.mark.parametrize("tag", TYPES)
def test_what_a_timeline_shows_and_who_may_send_are_said_of_fields_and_in_words(tag: str) -> None:
    kind = TYPES[tag]
    assert set(kind.headline) <= set(kind.__struct_fields__)
    assert kind.by is None or kind.by.text


# --- happenings ---------------------------------------------------------------------------------------------
def happenings() -> set[str]:
    """Every name that some code notes."""
    found = set()
    for path in (ROOT / "node").rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(call, ast.Call) or not call.args:
                continue
            name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            if name in ("happened", "Happening") and isinstance(call.args[0], ast.Constant):
                found.add(call.args[0].value)
    return found


def test_every_happening_is_registered_and_happens() -> None:
    assert set(HAPPENINGS) == happenings()


# --- families over HTTP -------------------------------------------------------------------------------------
SHOWN = [family for family in FAMILIES.values() if family.view is not None]
DOCUMENT = json.loads(openapi_document(ROUTES, "bmw-test", RpcConfig()))


@pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda family: family.name)
def test_every_index_of_a_family_is_reachable_by_a_list(family: Family[Any]) -> None:
    assert not family.indexes or family.view is not None, "an index that nothing reads"
    names = [index.name for index in family.indexes]
    assert len(names) == len(set(names))
    assert sum(index.ident is None for index in family.indexes) <= 1, "a list walks one index of open things"
    if family.view is None:
        return
    asked = set(list_query(family).__struct_fields__)
    assert {index.name for index in family.indexes if index.ident is not None} <= asked
    assert {entry.name for entry in family.filters} <= asked
    assert all(entry.description for entry in family.parameters)
    assert all(index_prefix(family, name) for name in names)


@pytest.mark.parametrize("family", SHOWN, ids=lambda family: family.name)
def test_a_family_with_a_view_is_served_and_listed(family: Family[Any]) -> None:
    assert family.path.startswith("/v1/")
    paths = {route.path for route in ROUTES}
    assert {family.path, f"{family.path}/{{{family.param}}}"} <= paths


def _properties(schema: dict[str, Any]) -> set[str]:
    """The properties of a schema, references and parts included."""
    if "$ref" in schema:
        return _properties(DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    parts = [part for name in ("allOf", "oneOf", "anyOf") for part in schema.get(name, [])]
    return set(schema.get("properties", {})) | {name for part in parts for name in _properties(part)}


@pytest.mark.parametrize("family", SHOWN, ids=lambda family: family.name)
def test_every_key_of_a_view_is_documented(family: Family[Any]) -> None:
    operation = DOCUMENT["paths"][f"{family.path}/{{{family.param}}}"]["get"]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    assert family.view is not None
    wanted = {field.json_name for field in fields_of(family.view)} | {"height", "time"}
    assert wanted == _properties(schema)
    assert operation["responses"]["404"], f"{family.name}_unknown"


@pytest.mark.parametrize("family", SHOWN, ids=lambda family: family.name)
def test_every_parameter_of_a_list_is_documented(family: Family[Any]) -> None:
    entries = DOCUMENT["paths"][family.path]["get"]["parameters"]
    parameters = {entry["name"] for entry in entries if entry["in"] == "query"}
    assert {entry.name for entry in family.parameters} | {"limit", "cursor"} == parameters


def test_families_that_events_name_are_told_in_receipts() -> None:
    assert [family.name for family in FAMILIES.values() if family.event and family.concerns is None] == []
