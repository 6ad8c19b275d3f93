"""The document: generated from the types, whole, and about exactly the routes there are."""

import json
import re

import pytest
from support.backend import SingleNode, serving
from support.chain import Chain
from support.http import over_http
from support.json_schema import KNOWN, errors, resolve
from support.life import Life, register

from node.ledger.json_form import to_json
from node.ledger.kinds import fields_of
from node.rpc.app import RPC, make_app
from node.rpc.config import RpcConfig
from node.rpc.examples import GLOSSARY, WRITTEN
from node.rpc.openapi import BYTES, openapi_document, pattern_of
from node.rpc.problems import PROBLEMS
from node.rpc.routes import ROUTES
from node.txtypes.registry import TYPES

DOCUMENT = json.loads(openapi_document(ROUTES, "bmw-test", RpcConfig()))


def walk(value):
    yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walk(part)


def schemas():
    """Every JSON schema of the document."""
    roots = list(DOCUMENT["components"]["schemas"].values())
    for value in walk(DOCUMENT["paths"]):
        if isinstance(value, dict) and isinstance(value.get("schema"), dict):
            roots.append(value["schema"])
    return roots


def test_it_is_openapi_3_1_in_structure() -> None:
    assert "3.1.0" == DOCUMENT["openapi"]
    assert DOCUMENT["info"]["title"] and DOCUMENT["info"]["version"]
    names = [op["operationId"] for path in DOCUMENT["paths"].values() for op in path.values()]
    assert len(names) == len(set(names))
    for path, operations in DOCUMENT["paths"].items():
        assert path.startswith("/")
        for method, operation in operations.items():
            assert method in ("get", "post")
            assert operation["responses"] and operation["summary"]
            in_path = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"}
            assert set(re.findall(r"{(\w+)}", path)) == in_path
            assert all(p["required"] for p in operation.get("parameters", ()) if p["in"] == "path")
            for status, answer in operation["responses"].items():
                assert status.isdecimal() and answer["description"]


def test_every_reference_leads_somewhere() -> None:
    references = [value["$ref"] for value in walk(DOCUMENT) if isinstance(value, dict) and "$ref" in value]
    assert references
    for reference in references:
        assert isinstance(resolve(DOCUMENT, reference), dict)
        assert resolve(DOCUMENT, reference), reference


def test_every_route_is_in_the_document_and_the_other_way_round() -> None:
    app = make_app(SingleNode(), RpcConfig())
    routed = {(r.method, r.resource.canonical) for r in app.router.routes() if r.method != "HEAD"}
    written = {(m.upper(), path) for path, operations in DOCUMENT["paths"].items() for m in operations}
    assert routed == written
    assert json.loads(app[RPC].openapi)["paths"] == DOCUMENT["paths"]


def test_every_query_parameter_is_one_that_is_read() -> None:
    for route in ROUTES:
        operation = DOCUMENT["paths"][route.path][route.method.lower()]
        written = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "query"}
        assert set(route.query.__struct_encode_fields__) == written


def test_a_default_fits_its_own_schema() -> None:
    found = [schema for schema in schemas() if isinstance(schema, dict) and "default" in schema]
    assert found
    for schema in found:
        assert not errors(DOCUMENT, schema, schema["default"]), schema


@pytest.mark.parametrize(("name", "field", "is_optional"), [("OrderHandover", "event_at", False), ("Due", "at", True)])
def test_a_time_is_a_date_time_and_null_only_where_there_may_be_none(name: str, field: str, is_optional: bool) -> None:
    schema = resolve(DOCUMENT, f"#/components/schemas/{name}")["properties"][field]
    assert not errors(DOCUMENT, schema, "2026-01-02T00:00:00.000Z")
    assert is_optional == (not errors(DOCUMENT, schema, None))
    for value in ("", "yesterday", "1767312000000", 1_767_312_000_000):
        assert errors(DOCUMENT, schema, value)


def test_patterns_are_those_of_javascript() -> None:
    assert "^[A-Z]{2}$" == pattern_of(r"^[A-Z]{2}\Z")
    patterns = [v["pattern"] for v in walk(DOCUMENT) if isinstance(v, dict) and isinstance(v.get("pattern"), str)]
    assert patterns
    for pattern in patterns:
        assert r"\Z" not in pattern
        re.compile(pattern)


def test_only_keywords_of_json_schema_are_used() -> None:
    def check(schema) -> None:
        assert set(schema) <= KNOWN, set(schema) - KNOWN
        for name in ("properties",):
            for part in schema.get(name, {}).values():
                check(part)
        for name in ("allOf", "oneOf", "anyOf", "prefixItems"):
            for part in schema.get(name, ()):
                check(part)
        if isinstance(schema.get("items"), dict):
            check(schema["items"])

    for schema in schemas():
        check(schema)


@pytest.mark.parametrize("name", sorted(TYPES))
def test_every_transaction_type_is_a_schema_with_all_its_fields(name: str) -> None:
    body = DOCUMENT["components"]["schemas"]["Body"]
    schema = resolve(DOCUMENT, body["discriminator"]["mapping"][name])
    assert {"type", *(f.json_name for f in fields_of(TYPES[name]))} == set(schema["properties"])
    assert name == schema["properties"]["type"]["const"]


def test_a_body_fits_its_schema_and_a_wrong_one_does_not() -> None:
    shown = to_json(register())
    assert not errors(DOCUMENT, {"$ref": "#/components/schemas/Body"}, shown)
    assert errors(DOCUMENT, {"$ref": "#/components/schemas/Body"}, {**shown, "vin": "short"})


def test_bodies_of_a_life_fit_their_schemas() -> None:
    chain = Life(Chain()).to("handed_over").chain
    found = set()
    for height in range(1, chain.store.height() + 1):
        for raw in chain.store.block(height).transactions:
            shown = to_json(chain.check(raw).payload.body)
            found.add(shown["type"])
            assert not errors(DOCUMENT, {"$ref": "#/components/schemas/Body"}, shown)
    assert len(found) >= 8


def properties():
    """(place, schema of the property) of every component."""
    for struct, schema in DOCUMENT["components"]["schemas"].items():
        for name, part in schema.get("properties", {}).items():
            yield f"{struct}.{name}", part


def refers(part) -> bool:
    """Whether a property is one of other schemas, which have examples of their own."""
    return any(isinstance(value, dict) and "$ref" in value for value in walk(part))


def test_every_property_has_a_description_and_an_example_that_fits() -> None:
    """A new property is described in node/rpc/glossary.json."""
    assert [place for place, part in properties() if not part.get("description")] == []
    own = [(place, part) for place, part in properties() if not refers(part)]
    assert [place for place, part in own if not part.get("examples")] == []
    misfits = [f"{place}: {found}" for place, part in own for found in errors(DOCUMENT, part, part["examples"][0])]
    assert misfits == []
    assert [name for name, schema in DOCUMENT["components"]["schemas"].items()
            if schema.get("type") == "object" and not schema.get("description")] == []  # fmt: skip


def test_the_glossary_has_no_property_that_does_not_exist() -> None:
    places = {place for place, _ in properties()}
    known = places | {place.partition(".")[2] for place in places} | {"txid"}
    assert [name for name in GLOSSARY if name not in known] == []


def test_every_operation_is_described_and_has_examples_that_fit() -> None:
    for path, operations in DOCUMENT["paths"].items():
        for method, operation in operations.items():
            assert operation["description"].startswith(operation["summary"]), path
            for parameter in operation.get("parameters", ()):
                assert parameter["description"], (path, parameter["name"])
                assert [] == errors(DOCUMENT, parameter["schema"], parameter["example"]), (path, parameter["name"])
            bodies = [operation["requestBody"]] if method == "post" else []
            for body in [*bodies, *(operation["responses"][status] for status in operation["responses"])]:
                for media, content in body.get("content", {}).items():
                    if media in BYTES:
                        continue
                    examples = [example["value"] for example in content.get("examples", {}).values()]
                    examples += [content["example"]] if "example" in content else []
                    assert examples and all(examples), (path, media)
                    for example in examples:
                        assert [] == errors(DOCUMENT, content["schema"], example), (path, media)


@over_http
async def test_an_example_of_a_document_without_a_schema_is_like_the_document() -> None:
    async with serving() as (_, _, http):
        answers = {path: await (await http.get(path)).text() for path in WRITTEN if path != "/v1/stream"}
    samples, names = WRITTEN["/metrics"], answers["/metrics"]
    assert {line.split()[0] for line in samples.splitlines()} <= {line.split()[0] for line in names.splitlines()}
    for line in WRITTEN["/docs"].splitlines():
        assert line.removeprefix("<head>").removesuffix("</head>") in answers["/docs"]
    schema, document = json.loads(answers["/v1/schema"]), json.loads(answers["/openapi.json"])
    for name, part in WRITTEN["/v1/schema"].items():
        assert part.items() <= schema[name].items() if isinstance(part, dict) else part == schema[name]
    assert set(WRITTEN["/openapi.json"]) <= set(document) and document["openapi"] == WRITTEN["/openapi.json"]["openapi"]
    ident, event, data, *end = WRITTEN["/v1/stream"].split("\n")
    assert ("id: 75-0", "event: block", ["", ""]) == (ident, event, end)
    assert 75 == json.loads(data.removeprefix("data: "))["height"]


@pytest.mark.parametrize("path", ["encode", "check"])
def test_a_body_of_every_type_is_an_example_of_a_request(path: str) -> None:
    content = DOCUMENT["paths"][f"/v1/transactions/{path}"]["post"]["requestBody"]["content"]["application/json"]
    assert set(TYPES) == set(content["examples"])


def test_every_choice_between_structs_is_named_and_has_a_discriminator() -> None:
    named = {name for name, schema in DOCUMENT["components"]["schemas"].items() if "discriminator" in schema}
    assert {"Body", "Action", "TransactionStatus"} == named
    choices = [value for value in walk(DOCUMENT) if isinstance(value, dict) and "oneOf" in value]
    assert len(named) == len(choices)
    for name in named:
        schema = DOCUMENT["components"]["schemas"][name]
        by, mapping = schema["discriminator"]["propertyName"], schema["discriminator"]["mapping"]
        for value, reference in mapping.items():
            part = resolve(DOCUMENT, reference)["properties"][by]
            assert [value] == [part["const"]] if "const" in part else part["enum"]
        assert set(mapping.values()) == {part["$ref"] for part in schema["oneOf"]}


def test_a_generated_package_is_not_named_after_a_chain() -> None:
    assert "Vehicle chain" == DOCUMENT["info"]["title"]
    assert "bmw-test" in DOCUMENT["info"]["description"]


def test_every_problem_code_is_written_down() -> None:
    assert list(PROBLEMS) == DOCUMENT["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]
