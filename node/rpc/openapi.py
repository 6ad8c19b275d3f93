"""OpenAPI 3.1 from the types that decode requests and make answers: the route table, its query and body structs, and
all else through field kinds. Nothing is written twice.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, assert_never

import msgspec

from node.ledger import kinds
from node.ledger.guards import GUARDS
from node.ledger.json_form import is_required
from node.ledger.kinds import Field, Kind, fields_of, tag_of
from node.ledger.views import View
from node.limits import TX_BYTES_MAX
from node.rpc import answers, transactions
from node.rpc.answers import PageOf, Stamped
from node.rpc.config import RpcConfig
from node.rpc.problems import PROBLEM_TYPE, PROBLEMS
from node.rpc.request_parsing import MSGPACK, Query
from node.rules.vin import VIN_PATTERN
from node.txtypes.registry import TYPES

if TYPE_CHECKING:
    from node.rpc.routes import Route

Schema = dict[str, Any]
ADDRESS_PATTERN = "^bmw1[qpzry9x8gf2tvdw0s3jn54khce6mua7l]{38}$"
HEX_PATTERN = "^([0-9a-f]{2})*$"
_REQUESTS = (transactions.SubmitRequest, transactions.CheckRequest, transactions.EncodeRequest)
TIME: Schema = {
    "type": "string",
    "anyOf": [{"format": "date-time"}, {"maxLength": 0}],
    "description": "RFC 3339 with milliseconds, UTC; empty for none",
}
MONEY: Schema = {
    "type": "object",
    "properties": {
        "amount": {"type": "string", "pattern": "^[0-9]{1,16}$", "description": "minor units (cents, yen)"},
        "currency": {"type": "string", "pattern": "^[A-Z]{3}$", "description": "ISO 4217"},
    },
    "required": ["amount", "currency"],
}
PATH_PARTS: dict[str, Schema] = {
    "vin": {"type": "string", "pattern": VIN_PATTERN},
    "address": {"type": "string", "pattern": ADDRESS_PATTERN},
    "block": {"type": "string", "description": "a height, a block id in hex, or `latest`"},
    "key": {"type": "string", "description": "a state key such as `vehicle/<vin>`; its slash stays as it is"},
}


def pattern_of(pattern: str) -> str:
    """Python's `\\Z` is `$` in the regular expressions of JSON Schema (ECMA-262), which has no newline rule."""
    return pattern.replace(r"\Z", "$")


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def array(items: Schema, most: int | None = None) -> Schema:
    return {"type": "array", "items": items} | ({"maxItems": most} if most else {})


def _of_union(names: list[Schema], tags: list[str]) -> Schema:
    mapping = {tag: name["$ref"] for tag, name in zip(tags, names, strict=True)}
    return {"oneOf": names, "discriminator": {"propertyName": "type", "mapping": mapping}}


class Components:
    """Schemas by name; a struct that is met gets its own entry once."""

    def __init__(self) -> None:
        self.schemas: dict[str, Schema] = {"Money": MONEY}
        self._names: dict[type[Any], str] = {}

    def struct(self, struct: type[Any]) -> Schema:
        """A reference to the schema of a struct."""
        name = self._names.get(struct)
        if name is None:
            name = struct.__name__
            if name in self.schemas:
                name = struct.__module__.rpartition(".")[2].title().replace("_", "") + name
            self._names[struct] = name
            self.schemas[name] = {}
            self.schemas[name] = self._struct_schema(struct)
        return ref(name)

    def _struct_schema(self, struct: type[Any]) -> Schema:
        tag = tag_of(struct)
        properties: Schema = {"type": {"const": tag}} if tag else {}
        required = ["type"] if tag else []
        is_answer = issubclass(struct, View)
        for field in fields_of(struct):
            properties[field.json_name] = self._field(field)
            if is_required(field) or (is_answer and not field.has_default):
                required.append(field.json_name)
        schema: Schema = {"type": "object", "properties": properties, "required": required}
        if struct.__doc__ and not struct.__doc__.startswith(struct.__name__):
            schema["description"] = " ".join(struct.__doc__.split())
        return schema

    def _field(self, field: Field) -> Schema:
        schema = self.kind(field.kind)
        if field.description and "$ref" not in schema and not isinstance(field.kind, kinds.Time):
            schema = {**schema, "description": field.description}
        return schema

    def kind(self, kind: Kind) -> Schema:
        match kind:
            case kinds.Address():
                return {"type": "string", "pattern": ADDRESS_PATTERN}
            case kinds.Bytes(length=length, max_length=most):
                bounds = {"minLength": 2 * length, "maxLength": 2 * length} if length else {}
                if not bounds and most is not None:
                    bounds = {"maxLength": 2 * most}
                return {"type": "string", "pattern": HEX_PATTERN, **bounds}
            case kinds.Time():
                return TIME
            case kinds.Integer(minimum=minimum, maximum=maximum):
                range_ = {"minimum": minimum, "maximum": maximum}
                return {"type": "integer", **{name: bound for name, bound in range_.items() if bound is not None}}
            case kinds.Boolean():
                return {"type": "boolean"}
            case kinds.Text(pattern=pattern, max_length=most) | kinds.Code(pattern=pattern, max_length=most):
                return _text(pattern, most)
            case kinds.CodeOf(table=table, pattern=pattern):
                return _text(pattern, None) | {"x-codes": table}
            case kinds.Choice(values=values):
                return {"type": "string", "enum": list(values)}
            case kinds.MoneyAmount():
                return ref("Money")
            case kinds.ListOf(item=item, max_length=most):
                return array(self.kind(item), most)
            case kinds.OptionOf(item=item):
                return {"anyOf": [self.kind(item), {"type": "null"}]}
            case kinds.StructOf(struct=struct):
                return self.struct(struct)
            case kinds.UnionOf(structs=structs):
                return ref("Body") if set(structs) == set(TYPES.values()) else self.union(structs)
            case kinds.Plain():
                return {}
            case _:
                assert_never(kind)

    def union(self, structs: tuple[type[Any], ...]) -> Schema:
        """One of several tagged structs, told apart by `type`."""
        return _of_union([self.struct(struct) for struct in structs], [tag_of(struct) for struct in structs])

    def shape(self, shape: Any) -> Schema:
        """What a route answers, a `Shape`."""
        match shape:
            case "text":
                return {"type": "string"}
            case "object":
                return {"type": "object"}
            case PageOf(family=family):
                assert family.view is not None, "a listed family has a view"
                entries = array(self.struct(family.view))
                name = family.path.rpartition("/")[2]
                cursor = self.kind(fields_of(answers.BlocksPage)[1].kind)
                page = {"type": "object", "properties": {name: entries, "cursor": cursor}, "required": [name, "cursor"]}
                return {"allOf": [page, self.struct(answers.Stamp)]}
            case Stamped(view=view):
                return {"allOf": [self.struct(view), self.struct(answers.Stamp)]}
            case tuple():
                return {"anyOf": [self.struct(struct) for struct in shape]}
            case _:
                return self.struct(shape)


def _text(pattern: str, most: int | None) -> Schema:
    schema: Schema = {"type": "string"}
    if pattern:
        schema["pattern"] = pattern_of(pattern)
    return schema | ({} if most is None else {"maxLength": most})


def _components(routes: tuple[Route, ...], config: RpcConfig) -> Components:
    components = Components()
    components.schemas["Body"] = {}
    components.schemas["Body"] = components.union(tuple(TYPES.values()))
    for route in routes:
        for _, shape in route.answers:
            components.shape(shape)
    components.struct(answers.Problem)
    for name, codes in (("Problem", PROBLEMS), ("Unmet", sorted(GUARDS))):
        components.schemas[name]["properties"]["code"]["enum"] = list(codes)
    requests = msgspec.json.schema_components(_REQUESTS, ref_template="#/components/schemas/{name}")[1]
    for name, schema in requests.items():
        if "body" in schema.get("properties", {}):
            schema["properties"]["body"] = ref("Body")
        components.schemas[name] = schema
    components.schemas["BatchRequest"] = {
        "type": "object",
        "properties": {"transactions": array({"type": "string", "pattern": HEX_PATTERN}, config.batch_max)},
        "required": ["transactions"],
        "additionalProperties": False,
    }
    return components


def _parameters(route: Route) -> list[Schema]:
    found: list[Schema] = []
    for name in re.findall(r"{(\w+)}", route.path):
        schema = PATH_PARTS.get(name, {"type": "string", "pattern": "^[0-9a-f]{64}$"})
        found.append({"name": name, "in": "path", "required": True, "schema": schema})
    found.extend(_query_parameters(route.query))
    if route.path == "/v1/stream":
        found.append({"name": "Last-Event-ID", "in": "header", "schema": {"type": "string"},
                      "description": "id of the last event that was seen; wins over from_height"})  # fmt: skip
    if route.tag == "transactions":
        found.append({"name": "Accept-Language", "in": "header", "schema": {"type": "string"},
                      "description": "en, zh or de: the language of `text`"})  # fmt: skip
    return found


def _query_parameters(query: type[Query]) -> list[Schema]:
    schema = next(iter(msgspec.json.schema_components([query])[1].values()))
    found = []
    for name, field in schema.get("properties", {}).items():
        description = field.pop("description", "")
        if "anyOf" in field and len(field["anyOf"]) == 2:
            real = next(option for option in field["anyOf"] if option.get("type") != "null")
            description = real.pop("description", description)
            field = real
        if field.get("default") == "":
            del field["default"]
        found.append({"name": name, "in": "query", "required": False, "description": description, "schema": field})
    return found


def _operation(route: Route, components: Components) -> Schema:
    responses: dict[str, Schema] = {}
    for status, shape in route.answers:
        content = {
            media: {
                "schema": {"type": "string", "contentMediaType": MSGPACK}
                if media == MSGPACK
                else components.shape(shape)
            }
            for media in route.media
        }
        height = {"X-Chain-Height": {"schema": {"type": "string"}, "description": "the height it was read at"}}
        responses[str(status)] = {"description": route.summary, "headers": height, "content": content}
    codes: dict[int, list[str]] = {}
    for code in sorted(
        {"malformed", "unknown_parameter", "not_acceptable", "rate_limited", "internal", *route.problems}
    ):
        codes.setdefault(PROBLEMS[code][0], []).append(code)
    for status, names in sorted(codes.items()):
        content = {PROBLEM_TYPE: {"schema": components.struct(answers.Problem)}}
        responses[str(status)] = {"description": ", ".join(names), "content": content}
    operation: Schema = {"operationId": route.operation, "summary": route.summary, "tags": [route.tag]}
    if parameters := _parameters(route):
        operation["parameters"] = parameters
    if route.body:
        content = {
            media: {"schema": {"type": "string", "contentMediaType": MSGPACK, "maxLength": TX_BYTES_MAX}}
            if media == MSGPACK
            else {"schema": ref(route.body)}
            for media in route.body_media
        }
        operation["requestBody"] = {"required": True, "content": content}
    return {**operation, "responses": responses}


def openapi_document(routes: tuple[Route, ...], chain_id: str, config: RpcConfig) -> bytes:
    """The document as JSON. `x-codes` names the ruleset's table that a code comes from."""
    components = _components(routes, config)
    paths: dict[str, Schema] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, components)
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": f"Vehicle chain {chain_id}",
            "version": "1",
            "description": "Bytes are lower-case hex, addresses bech32m, amounts strings of minor units, times RFC "
            "3339. Errors are problem documents (RFC 9457) with a stable `code`.",
        },
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "paths": paths,
        "components": {"schemas": components.schemas},
    }
    return msgspec.json.encode(document)
