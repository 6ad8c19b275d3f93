"""OpenAPI 3.1 from the types that decode the requests: the route table, its query and body structs, and the
transaction types through `schema.fields_of`. Nothing about a request is written twice.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from node.limits import TX_BYTES_MAX
from node.rpc import transactions
from node.rpc.config import RpcConfig
from node.rpc.openapi_answers import ANSWERS, STATE_VALUES, TIME, array, ref
from node.rpc.problems import PROBLEM_TYPE, PROBLEMS
from node.rpc.request_parsing import JSON, MSGPACK, Query
from node.rules.vin import VIN_PATTERN
from node.txtypes.registry import TYPES
from node.txtypes.schema import Kind, fields_of

if TYPE_CHECKING:
    from node.rpc.routes import Route

Schema = dict[str, Any]
ADDRESS_PATTERN = "^bmw1[qpzry9x8gf2tvdw0s3jn54khce6mua7l]{38}$"
HEX_PATTERN = "^([0-9a-f]{2})*$"
_REQUESTS = (transactions.SubmitRequest, transactions.CheckRequest, transactions.EncodeRequest)

PATH_PARTS: dict[str, Schema] = {
    "vin": {"type": "string", "pattern": VIN_PATTERN},
    "address": {"type": "string", "pattern": ADDRESS_PATTERN},
    "block": {"type": "string", "description": "a height, a block id in hex, or `latest`"},
    "key": {"type": "string", "description": "a state key such as `vehicle/<vin>`; its slash stays as it is"},
}


def pattern_of(pattern: str) -> str:
    """Python's `\\Z` is `$` in the regular expressions of JSON Schema (ECMA-262), which has no newline rule."""
    return pattern.replace(r"\Z", "$")


class Components:
    """Schemas by name; a struct that is met gets its own entry once."""

    def __init__(self) -> None:
        self.schemas: dict[str, Schema] = {}
        self._names: dict[type[Any], str] = {}

    def struct(self, struct: type[Any]) -> Schema:
        """A reference to the schema of a chain value."""
        name = self._names.get(struct)
        if name is None:
            name = struct.__name__
            if name in self.schemas:
                name = struct.__module__.rpartition(".")[2].capitalize() + name
            self._names[struct] = name
            self.schemas[name] = {}
            self.schemas[name] = self._struct_schema(struct)
        return ref(name)

    def _struct_schema(self, struct: type[Any]) -> Schema:
        tag = struct.__struct_config__.tag
        properties: Schema = {"type": {"const": tag}} if isinstance(tag, str) else {}
        required = ["type"] if properties else []
        defaults = {f.name for f in msgspec.structs.fields(struct) if f.default is not msgspec.NODEFAULT}
        for field in fields_of(struct):  # type: ignore[arg-type] # mypy takes type[Any] for unhashable
            properties[field.json_name] = self.kind(field.kind)
            if field.kind.name not in ("optional", "list") and field.name not in defaults:
                required.append(field.json_name)
        schema: Schema = {"type": "object", "properties": properties, "required": required}
        if struct.__doc__ and not struct.__doc__.startswith(struct.__name__):
            schema["description"] = " ".join(struct.__doc__.split())
        return schema

    def kind(self, kind: Kind) -> Schema:
        schema = self._kind(kind)
        if kind.description and "$ref" not in schema and kind.name != "time":
            schema = {**schema, "description": kind.description}
        return schema

    def _kind(self, kind: Kind) -> Schema:
        match kind.name:
            case "address":
                return {"type": "string", "pattern": ADDRESS_PATTERN}
            case "bytes":
                bounds = {"minLength": 2 * kind.length, "maxLength": 2 * kind.length} if kind.length else {}
                if not bounds and kind.max_length is not None:
                    bounds = {"maxLength": 2 * kind.max_length}
                return {"type": "string", "pattern": HEX_PATTERN, **bounds}
            case "time":
                return TIME
            case "int":
                range_ = {"minimum": kind.minimum, "maximum": kind.maximum}
                return {"type": "integer", **{name: bound for name, bound in range_.items() if bound is not None}}
            case "bool":
                return {"type": "boolean"}
            case "str":
                schema: Schema = {"type": "string"}
                if kind.pattern:
                    schema["pattern"] = pattern_of(kind.pattern)
                if kind.max_length is not None:
                    schema["maxLength"] = kind.max_length
                return schema
            case "enum":
                return {"type": "string", "enum": list(kind.choices)}
            case "money":
                return ref("Money")
            case "list":
                assert kind.item is not None, "a list has items"
                return array(self.kind(kind.item)) | ({"maxItems": kind.max_length} if kind.max_length else {})
            case "tuple":
                items = [self.kind(item) for item in kind.items]
                return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}
            case "optional":
                assert kind.item is not None, "an optional has a value"
                return {"anyOf": [self.kind(kind.item), {"type": "null"}]}
            case "struct":
                return self.struct(kind.struct)
            case "union":
                return self.union([item.struct for item in kind.items])
        raise AssertionError(f"OpenAPI has no schema for {kind.name}")

    def union(self, structs: list[type[Any]]) -> Schema:
        """One of several tagged structs, told apart by `type`."""
        refs = {str(struct.__struct_config__.tag): self.struct(struct) for struct in structs}
        mapping = {tag: found["$ref"] for tag, found in refs.items()}
        return {"oneOf": list(refs.values()), "discriminator": {"propertyName": "type", "mapping": mapping}}


def _components(config: RpcConfig) -> dict[str, Schema]:
    found = Components()
    found.schemas["Money"] = {
        "type": "object",
        "properties": {
            "amount": {"type": "string", "pattern": "^[0-9]{1,15}$", "description": "minor units (cents, yen)"},
            "currency": {"type": "string", "pattern": "^[A-Z]{3}$", "description": "ISO 4217"},
        },
        "required": ["amount", "currency"],
    }
    found.schemas["Body"] = {}
    found.schemas["Body"] = found.union(list(TYPES.values()))
    for struct in STATE_VALUES:
        found.struct(struct)
    requests = msgspec.json.schema_components(_REQUESTS, ref_template="#/components/schemas/{name}")[1]
    for name, schema in requests.items():
        if "body" in schema.get("properties", {}):
            schema["properties"]["body"] = ref("Body")
        found.schemas[name] = schema
    found.schemas["BatchRequest"] = {
        "type": "object",
        "properties": {"transactions": array({"type": "string", "pattern": HEX_PATTERN}, config.batch_max)},
        "required": ["transactions"],
        "additionalProperties": False,
    }
    found.schemas.update(ANSWERS)
    return found.schemas


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


def _operation(route: Route) -> Schema:
    answers: dict[str, Schema] = {}
    for status, schema in route.answers:
        content = {
            media: {"schema": {"type": "string", "contentMediaType": MSGPACK} if media == MSGPACK else ref(schema)}
            for media in route.media
        }
        height = {"X-Chain-Height": {"schema": {"type": "string"}, "description": "the height it was read at"}}
        answers[str(status)] = {"description": schema, "headers": height, "content": content}
    codes: dict[int, list[str]] = {}
    for code in sorted(
        {"malformed", "unknown_parameter", "not_acceptable", "rate_limited", "internal", *route.problems}
    ):
        codes.setdefault(PROBLEMS[code][0], []).append(code)
    for status, names in sorted(codes.items()):
        content = {PROBLEM_TYPE: {"schema": ref("Problem")}}
        answers[str(status)] = {"description": ", ".join(names), "content": content}
    name = route.handler.__name__
    operation: Schema = {"operationId": name, "summary": route.summary, "tags": [route.tag]}
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
    return {**operation, "responses": answers}


def openapi_document(routes: tuple[Route, ...], chain_id: str, config: RpcConfig) -> bytes:
    """The document as JSON."""
    paths: dict[str, Schema] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
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
        "components": {"schemas": _components(config)},
    }
    return msgspec.json.encode(document)


__all__ = ["JSON", "openapi_document", "pattern_of"]
