"""The OpenAPI 3.1 document, derived from the route table, the request structs and the field kinds of all answers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, assert_never, get_args

import msgspec

from node.ledger import kinds
from node.ledger.family import View
from node.ledger.guards import GUARDS
from node.ledger.json_form import is_required
from node.ledger.kinds import Kind, fields_of, tag_of
from node.limits import TX_BYTES_MAX
from node.rpc import answers, transactions
from node.rpc.answers import OneOf, PageOf, Stamped
from node.rpc.call import JSON, MSGPACK
from node.rpc.codes import CODES_COMPONENTS
from node.rpc.config import RpcConfig
from node.rpc.examples import GLOSSARY, WRITTEN, Examples, described
from node.rpc.problems import PROBLEM_TYPE, PROBLEMS
from node.rpc.schema import example_body, example_sender
from node.rpc.values import plural_of
from node.rules.vin import VIN_PATTERN
from node.txtypes.chain.actions import Action
from node.txtypes.registry import TYPES

if TYPE_CHECKING:
    from node.rpc.routes import Route

Schema = dict[str, Any]
ADDRESS_PATTERN = "^bmw1[qpzry9x8gf2tvdw0s3jn54khce6mua7l]{38}$"
HEX_PATTERN = "^([0-9a-f]{2})*$"
_REQUESTS = (transactions.SubmitRequest, transactions.CheckRequest, transactions.EncodeRequest)
_TEXT: Schema = {"type": "string"}
BYTES: Final = (MSGPACK, "application/octet-stream")
"""Media types that are bytes, not text."""
_BINARY: Schema = {"type": "string"}
_OBJECT: Schema = {"type": "object", "additionalProperties": True}
_ANY: tuple[Schema, ...] = ({"type": "array", "items": {}}, _TEXT, {"type": "integer"}, {"type": "boolean"})
TIME: Schema = {"type": "string", "format": "date-time"}
MONEY: Schema = {
    "type": "object",
    "properties": {
        "amount": {"type": "string", "pattern": "^[0-9]{1,16}$", "description": "minor units (cents, yen)",
                   "examples": ["5290000"]},
        "currency": {"type": "string", "pattern": "^[A-Z]{3}$", "description": "ISO 4217", "x-codes": "currencies",
                     "examples": ["EUR"]},
    },
    "required": ["amount", "currency"],
    "description": "An amount of money.",
}  # fmt: skip
_ANY_ROUTE = ("malformed", "unknown_parameter", "not_acceptable", "rate_limited", "internal")
"""Problem codes of every route."""
_QUERY_EXAMPLES = {
    "wait": "commit", "keys": "chain/params,vehicle/WBA8E9G50GNU12345", "Last-Event-ID": "75-2",
    "Accept-Language": "en", "types": "vehicle.record", "country": "DE", "model": "330I", "role": "workshop",
    "vin": "WBA8E9G50GNU12345", "cursor": "", "timeout_ms": 10_000, "limit": 100,
    "If-None-Match": '"75-9f2c64d0a1b3e857-0.1.0"',
}  # fmt: skip
_HEADERS = {
    "stream": ("Last-Event-ID", "id of the last event received; takes precedence over from_height"),
    "transactions": ("Accept-Language", "en, zh or de: the language of `text`"),
}
"""Request header of the routes of a tag."""
_IN_LANGUAGES = ("sale_readiness", "order_next")
"""Further operations whose texts are in the requested language."""
_IF_NONE_MATCH = ("If-None-Match", "the ETag of an answer that the client has: 304 while that answer still counts")
PATH_PARTS: dict[str, Schema] = {
    "vin": {"type": "string", "pattern": VIN_PATTERN, "description": "vehicle identification number (ISO 3779)"},
    "address": {"type": "string", "pattern": ADDRESS_PATTERN, "description": "address of an account"},
    "block": {"type": "string", "description": "a height, a block id in hex, or `latest`", "examples": ["latest"]},
    "key": {"type": "string", "description": "a state key such as `vehicle/<vin>`; its slash stays as it is",
            "examples": ["vehicle/WBA8E9G50GNU12345"]},
    "recall": {"type": "string", "description": "manufacturer and campaign of a recall",
               "examples": ["bf81f345411ae2b75e91fd8c550e04c54008c818-0016560700"]},
    "warranty": {"type": "string", "description": "VIN and number of a warranty", "examples": ["WBA8E9G50GNU12345-1"]},
}  # fmt: skip
_UNIONS = {frozenset(TYPES.values()): "Body", frozenset(get_args(Action)): "Action"}
"""Unions that are schemas of their own."""


def pattern_of(pattern: str) -> str:
    """The pattern for JSON Schema (ECMA-262), where `$` means Python's `\\Z`: it does not match before a newline."""
    return pattern.replace(r"\Z", "$")


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def record(properties: Schema, required: list[str] | None = None) -> Schema:
    """An object. `required`: by default all properties."""
    return {"type": "object", "properties": properties, "required": list(properties) if required is None else required}


def _given(**keywords: Any) -> Schema:
    return {name: value for name, value in keywords.items() if value is not None}


def _text(pattern: str, most: int | None) -> Schema:
    return _TEXT | _given(pattern=pattern_of(pattern) or None, maxLength=most)


class Components:
    """Schemas by name. Each struct gets one entry when it is first referenced."""

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
            self.schemas[name] = {}  # reserves the name
            self.schemas[name] = self._schema(struct)
        return ref(name)

    def _schema(self, struct: type[Any]) -> Schema:
        tag = tag_of(struct)
        properties: Schema = {"type": {"const": tag, "description": "names the form", "examples": [tag]}} if tag else {}
        required = list(properties)
        for field in fields_of(struct):
            text = described(struct.__name__, field.json_name)
            if field.description and not isinstance(field.kind, kinds.Time):
                text = text if f"{struct.__name__}.{field.json_name}" in GLOSSARY else field.description
            properties[field.json_name] = {**self.kind(field.kind), "description": text}
            if is_required(field) or (issubclass(struct, View) and not field.has_default):
                required.append(field.json_name)
        schema = record(properties, required)
        if struct.__doc__ and not struct.__doc__.startswith(struct.__name__ + "("):
            schema["description"] = " ".join(struct.__doc__.split())
        return schema

    def kind(self, kind: Kind) -> Schema:
        match kind:
            case kinds.Address():
                return {"type": "string", "pattern": ADDRESS_PATTERN}
            case kinds.Bytes(length=length, max_length=most):
                sizes = {"minLength": length, "maxLength": length or most}
                digits = {name: 2 * size for name, size in sizes.items() if size}
                return {"type": "string", "pattern": HEX_PATTERN, **digits}
            case kinds.Time(is_optional=is_optional):
                return {"anyOf": [TIME, {"type": "null"}]} if is_optional else TIME
            case kinds.Integer(minimum=minimum, maximum=maximum):
                return {"type": "integer"} | _given(minimum=minimum, maximum=maximum)
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
                return {"type": "array", "items": self.kind(item)} | ({"maxItems": most} if most else {})
            case kinds.OptionOf(item=item):
                return {"anyOf": [self.kind(item), {"type": "null"}]}
            case kinds.StructOf(struct=struct):
                return self.struct(struct)
            case kinds.UnionOf(structs=structs):
                return self.union(structs)
            case kinds.Plain(is_any=is_any):
                return {"anyOf": [_OBJECT, *(_ANY if is_any else ()), {"type": "null"}]}
            case _:
                assert_never(kind)

    def union(self, structs: tuple[type[Any], ...]) -> Schema:
        """The schema of a choice between several structs; the JSON member `type` names which."""
        name = _UNIONS.get(frozenset(structs), "")
        if name in self.schemas:
            return ref(name)
        self.schemas |= {name: {}} if name else {}
        return self._one_of(name, "type", {tag_of(struct): struct for struct in structs})

    def _one_of(self, name: str, by: str, structs: dict[str, type[Any]]) -> Schema:
        """One of several structs, by the value of the property `by`; a schema of its own if it has a name."""
        refs = {value: self.struct(struct) for value, struct in structs.items()}
        mapping = {value: schema["$ref"] for value, schema in refs.items()}
        schema: Schema = {"oneOf": list(refs.values()), "discriminator": {"propertyName": by, "mapping": mapping}}
        if not name:
            return schema
        self.schemas[name] = schema
        return ref(name)

    def _flat(self, name: str, properties: Schema, required: list[str], description: str) -> Schema:
        """A named object with the properties of a stamp too."""
        if name in self.schemas:
            return ref(name)
        stamp = self.schemas[self.struct(answers.Stamp)["$ref"].rpartition("/")[2]]
        schema = record({**properties, **stamp["properties"]}, [*required, *stamp["required"]])
        self.schemas[name] = schema | {"description": description}
        return ref(name)

    def shape(self, shape: Any) -> Schema:
        """The schema of a `Shape`."""
        match shape:
            case "codes":
                self.schemas |= CODES_COMPONENTS
                return ref("Codes")
            case "text" | "object":
                return _TEXT if shape == "text" else _OBJECT
            case "binary":
                return _BINARY
            case PageOf(family=family):
                assert family.view is not None, "a listed family has a view"
                plural = plural_of(family)
                entries = {"type": "array", "items": self.struct(family.view), "description": f"the {plural}"}
                cursor = fields_of(answers.BlocksPage)[1]
                properties = {plural: entries, "cursor": {**self.kind(cursor.kind), "description": cursor.description}}
                return self._flat(f"{plural.title()}Page", properties, list(properties), f"A page of {plural}.")
            case Stamped(view=view):
                schema = self.schemas[self.struct(view)["$ref"].rpartition("/")[2]]
                text = f"{schema.get('description', view.__name__)} As of the head."
                return self._flat(f"{view.__name__}AtHead", schema["properties"], schema["required"], text)
            case OneOf(name=name, by=by, structs=structs):
                return self._one_of(name, by, structs)
            case _:
                return self.struct(shape)


def _components(routes: tuple[Route, ...], config: RpcConfig) -> Components:
    components = Components()
    components.union(tuple(TYPES.values()))
    for _, shape in (answer for route in routes for answer in route.answers):
        components.shape(shape)
    components.struct(answers.Problem)
    for name, codes in (("Problem", PROBLEMS), ("Unmet", sorted(GUARDS))):
        components.schemas[name]["properties"]["code"]["enum"] = list(codes)
    requests = msgspec.json.schema_components(_REQUESTS, ref_template="#/components/schemas/{name}")[1]
    for name, schema in requests.items():
        if "body" in schema["properties"]:
            schema["properties"]["body"] = ref("Body")
        for field, part in schema["properties"].items():
            part["description"] = described(name, field)
            # Generators take a property with a default for one that is always there.
            if part.get("default", "") is None:
                del part["default"]
        components.schemas[name] = schema
    text = described("BatchRequest", "transactions")
    transactions = {"type": "array", "items": _text(HEX_PATTERN, None), "maxItems": config.batch_max}
    batch = record({"transactions": transactions | {"description": text}}) | {"additionalProperties": False}
    components.schemas["BatchRequest"] = batch | {"description": "Signed transactions, each with a result of its own."}
    Examples(components.schemas).add()
    return components


def _parameters(route: Route) -> list[Schema]:
    parameters: list[Schema] = []
    for name in re.findall(r"{(\w+)}", route.path):
        schema = dict(PATH_PARTS.get(name, {"type": "string", "pattern": "^[0-9a-f]{64}$", "minLength": 64}))
        text = schema.pop("description", "") or f"id of the {name.replace('txid', 'transaction')}, in hex"
        parameters.append({"name": name, "in": "path", "required": True, "description": text, "schema": schema})
    query = next(iter(msgspec.json.schema_components([route.query])[1].values()))
    for name, field in query["properties"].items():
        description = field.pop("description", "")
        if "anyOf" in field:
            field = next(option for option in field["anyOf"] if option.get("type") != "null")
            description = field.pop("description", description)
        if field.get("default") == "":
            del field["default"]
        parameters.append({"name": name, "in": "query", "required": False, "description": description, "schema": field})
    name = route.name or getattr(route.handler, "__name__", "")
    header = _IF_NONE_MATCH if route.is_tagged else _HEADERS.get("transactions" if name in _IN_LANGUAGES else route.tag)
    if header:
        parameters.append({"name": header[0], "in": "header", "schema": dict(_TEXT), "description": header[1]})
    for parameter in parameters:
        schema, name = parameter["schema"], parameter["name"]
        parameter["example"] = _QUERY_EXAMPLES.get(name) or Examples({}).of(schema, name)
    return parameters


def _content(media_types: tuple[str, ...], schema: Schema, **bounds: int) -> Schema:
    """The content of a body; MessagePack has no JSON schema."""
    raw = {"type": "string", "format": "binary", **bounds}
    return {media: {"schema": raw | {"contentMediaType": media} if media in BYTES else schema} for media in media_types}


def _with_examples(content: Schema, components: Components, written: Any = None) -> Schema:
    """The content of a body with an example: of its JSON, or `written` where no schema describes it."""
    for media, part in content.items():
        if media not in BYTES:
            part["example"] = written or Examples(components.schemas).of(part["schema"], "")
    return content


_BODIES = {tag: {"value": {"sender": example_sender(tag), "body": example_body(tag)}} for tag in TYPES}
"""An example of an encode request for each type."""


def _operation(route: Route, components: Components) -> Schema:
    headers = {"X-Chain-Height": {"schema": _TEXT, "description": "height of the state that was read"}}
    if route.is_tagged:
        headers["ETag"] = {"schema": _TEXT, "description": "names the state and the form of the answer"}
    responses: dict[str, Schema] = {}
    for status, shape in route.answers:
        content = _with_examples(_content(route.media, components.shape(shape)), components, WRITTEN.get(route.path))
        responses[str(status)] = {"description": route.summary, "headers": headers, "content": content}
    if route.is_tagged:
        responses["304"] = {"description": "the answer that the client has still counts", "headers": headers}
    by_status: dict[int, list[str]] = {}
    for code in sorted({*_ANY_ROUTE, *route.problems}):
        by_status.setdefault(PROBLEMS[code][0], []).append(code)
    for status, codes in sorted(by_status.items()):
        problem = _content((PROBLEM_TYPE,), components.struct(answers.Problem))
        problem[PROBLEM_TYPE]["examples"] = {code: {"value": _problem_example(code)} for code in codes}
        responses[str(status)] = {"description": ", ".join(codes), "content": problem}
    name = route.name or getattr(route.handler, "__name__", "")
    text = f"{route.summary}. Problems: {', '.join(sorted({*_ANY_ROUTE, *route.problems}))}."
    operation: Schema = {"operationId": name, "summary": route.summary, "description": text, "tags": [route.tag]}
    if parameters := _parameters(route):
        operation["parameters"] = parameters
    if route.body:
        content = _content(route.body_media, ref(route.body), maxLength=TX_BYTES_MAX)
        if route.body in ("EncodeRequest", "CheckRequest"):
            content[JSON]["examples"] = _BODIES
        else:
            _with_examples(content, components)
        operation["requestBody"] = {"required": True, "content": content}
    return {**operation, "responses": responses}


def _problem_example(code: str) -> Schema:
    status, title = PROBLEMS[code]
    return {"type": f"/docs#{code}", "title": title, "status": status, "detail": title.lower(), "code": code}


def openapi_document(routes: tuple[Route, ...], chain_id: str, config: RpcConfig) -> bytes:
    """The document as JSON. `x-codes` names the table of the ruleset that lists the codes of a field."""
    components = _components(routes, config)
    paths: dict[str, Schema] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, components)
    description = (
        "Bytes are lower-case hex, addresses bech32m, amounts strings of minor units, times RFC 3339. "
        "Errors are problem documents (RFC 9457) with a stable `code`."
    )
    document = {
        "openapi": "3.1.0",
        "info": {"title": "Vehicle chain", "version": "1", "description": f"{description} Chain: {chain_id}."},
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "paths": paths,
        "components": {"schemas": components.schemas},
    }
    return msgspec.json.encode(document)
