"""Descriptions and examples of the OpenAPI document, from `glossary.json`, the specimens of types, and the schemas."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec

from node.rpc.events import event_text
from node.rpc.metrics import RouteCounters, render_metrics
from node.rpc.schema import EXAMPLE_TIME, ExampleNames, example_body, schema_document
from node.rules.vin import VIN_PATTERN
from node.txtypes.registry import TYPES
from node.txtypes.rulesets import RULESETS

Json = dict[str, Any]
_FILE: Final = Path(__file__).with_name("glossary.json").read_bytes()
GLOSSARY: Final[dict[str, list[Any]]] = msgspec.json.decode(_FILE, type=dict[str, list[Any]])
"""A property (`Struct.name` or `name`) to its description and, where it follows from nothing else, an example."""


def described(struct: str, name: str) -> str:
    """The description of a property; empty if the glossary has none."""
    entry = GLOSSARY.get(f"{struct}.{name}") or GLOSSARY.get(name)
    return "" if entry is None else str(entry[0])


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """(name, value) of every property below a JSON value."""
    if isinstance(value, dict):
        for key, entry in value.items():
            yield from _leaves(entry, key)
    elif isinstance(value, list):
        for entry in value:
            yield from _leaves(entry, name)
    else:
        yield name, value


_SPECIMENS: Final[dict[str, Any]] = {
    name: value for tag in TYPES for name, value in _leaves(example_body(tag)) if value not in ("", None)
}
"""A value for each property of a transaction."""


_BLOCK_EVENT: Final = {
    "height": 75, "time": EXAMPLE_TIME, "id": sha256(b"id").hexdigest(),
    "proposer": ExampleNames().address_text("bmw"), "state_root": sha256(b"state_root").hexdigest(),
    "transactions": 1, "evidence": 0,
}  # fmt: skip
WRITTEN: Final[dict[str, Any]] = {
    "/metrics": render_metrics({"height": 75, "pool_txs": 4}, RouteCounters()),
    "/v1/stream": event_text("block", "75-0", _BLOCK_EVENT).decode(),
    "/v1/schema": {
        name: {"mandate.end": part["mandate.end"]} if name == "types" else part
        for name, part in schema_document(RULESETS[1]).items() if name in ("title", "ruleset", "encoding", "types")
    },
    "/openapi.json": {"openapi": "3.1.0", "info": {"title": "Vehicle chain", "version": "1"}, "paths": {}},
    "/v1/vehicles/{vin}/certificate": "BMW1:NCFOXN%TS3DH3ZSUZK+.V0ETD%65NL-AH-R6IOOK.IR9B+9H7:8",
    "/docs": '<!doctype html>\n<html lang="en">\n<head><title>Vehicle chain: calls</title></head>\n</html>\n',
}  # fmt: skip
"""Path to an example of its answer, where no schema of ours describes that; of a long document its beginning."""


class Examples:
    """Examples by the schemas of a document."""

    def __init__(self, schemas: dict[str, Json]) -> None:
        self._schemas = schemas

    def add(self) -> None:
        """Give every property of every schema an example, except where it is a reference or a list of references."""
        for struct, schema in self._schemas.items():
            tag = schema.get("properties", {}).get("type", {}).get("const", "")
            body = example_body(tag) if tag in TYPES else {}
            for name, part in schema.get("properties", {}).items():
                if "examples" not in part and not _is_reference(part):
                    part["examples"] = [body[name] if name in body else self.of(part, name, struct)]

    def of(self, schema: Json, name: str, struct: str = "") -> Any:
        """A value that fits a schema, for a property with this name."""
        if "$ref" in schema:
            target = schema["$ref"].rpartition("/")[2]
            return self.of(self._schemas[target], name, target)
        if "examples" in schema:
            return schema["examples"][0]
        entry = GLOSSARY.get(f"{struct}.{name}") or GLOSSARY.get(name) or []
        if len(entry) > 1 and schema.get("type") in ("string", "boolean") and "enum" not in schema:
            return entry[1]
        if "const" in schema or "default" in schema:
            return schema.get("const", schema.get("default"))
        if "enum" in schema:
            return next(value for value in schema["enum"] if value)
        for keyword in ("oneOf", "anyOf"):
            if keyword in schema:
                return self.of(schema[keyword][0], name, struct)
        match schema.get("type"):
            case "object":
                return {key: self.of(part, key, struct) for key, part in schema.get("properties", {}).items()}
            case "array":
                return [self.of(schema["items"], name, struct)] if schema["items"] else []
            case "integer":
                return self._integer(schema, name)
            case "boolean":
                return False
            case "string":
                return self._string(schema, name)
        return {}

    @staticmethod
    def _integer(schema: Json, name: str) -> int:
        specimen = _SPECIMENS.get(name, 1)
        given = specimen if isinstance(specimen, int) else 1
        return int(min(max(given, schema.get("minimum", given)), schema.get("maximum", given)))

    @staticmethod
    def _string(schema: Json, name: str) -> str:
        pattern, specimen = schema.get("pattern", ""), _SPECIMENS.get(name)
        if schema.get("format") == "date-time":
            return EXAMPLE_TIME
        if pattern.startswith("^bmw1"):
            return ExampleNames().address_text("workshop-berlin")
        if pattern in (VIN_PATTERN, VIN_PATTERN.replace(r"\Z", "$")):
            return "WBA8E9G50GNU12345"
        if "[0-9a-f]" in pattern:
            length = schema.get("minLength", min(64, schema.get("maxLength", 64)))
            return (sha256(name.encode()).hexdigest() * 2)[:length]
        return specimen if isinstance(specimen, str) else ""


def _is_reference(schema: Json) -> bool:
    """Whether a property is described by another schema, alone, as an option or in a list."""
    options: list[Json] = schema.get("oneOf") or schema.get("anyOf") or [schema]
    return any("$ref" in option or _is_list_of_references(option) for option in options)


def _is_list_of_references(schema: Json) -> bool:
    return schema.get("type") == "array" and ("$ref" in schema["items"] or "oneOf" in schema["items"])
