"""As much of JSON Schema 2020-12 as our OpenAPI document uses, to hold real answers to it."""

from __future__ import annotations

import re
from typing import Any

KNOWN = {
    "$ref", "type", "properties", "required", "items", "allOf", "oneOf", "anyOf", "enum", "const", "pattern",
    "minimum", "maximum", "minLength", "maxLength", "maxItems", "minItems", "prefixItems", "additionalProperties",
    "description", "format", "discriminator", "x-codes", "contentMediaType", "title", "default", "propertyNames",
    "examples", "example",
}  # fmt: skip
TYPES = {
    "object": dict, "array": list, "string": str, "integer": int, "boolean": bool, "null": type(None),
    "number": (int, float),
}  # fmt: skip

DATE_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"


def resolve(document: Any, reference: str) -> Any:
    found = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def _is_type(value: Any, name: str) -> bool:
    return isinstance(value, TYPES[name]) and not (name in ("integer", "number") and isinstance(value, bool))


def errors(document: Any, schema: Any, value: Any, path: str = "$") -> list[str]:
    """What `value` breaks of `schema`; an unknown keyword is an error too."""
    found = [f"{path}: keyword {name}" for name in schema if name not in KNOWN]
    if "$ref" in schema:
        return found + errors(document, resolve(document, schema["$ref"]), value, path)
    wanted = schema.get("type")
    if wanted is not None:
        names = wanted if isinstance(wanted, list) else [wanted]
        if not any(_is_type(value, name) for name in names):
            return [*found, f"{path}: {type(value).__name__} is not {wanted}"]
    if "const" in schema and value != schema["const"]:
        found.append(f"{path}: {value!r} is not {schema['const']!r}")
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{path}: {value!r} is not in the enum")
    for part in schema.get("allOf", ()):
        found += errors(document, part, value, path)
    for keyword, most in (("oneOf", 1), ("anyOf", 99)):
        if keyword in schema:
            fits = [not errors(document, part, value, path) for part in schema[keyword]]
            if not 1 <= sum(fits) <= most:
                found.append(f"{path}: fits {sum(fits)} of {keyword}")
    if isinstance(value, str):
        if "pattern" in schema and not re.search(schema["pattern"], value):
            found.append(f"{path}: {value!r} does not match {schema['pattern']}")
        if schema.get("format") == "date-time" and not re.fullmatch(DATE_TIME, value):
            found.append(f"{path}: {value!r} is not a date-time")
        if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", 10**9):
            found.append(f"{path}: length of {value!r}")
    if _is_type(value, "integer") and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        found.append(f"{path}: {value} out of range")
    if isinstance(value, list):
        for index, item in enumerate(value):
            found += errors(document, schema.get("items", {}), item, f"{path}[{index}]")
    if isinstance(value, dict):
        found += [f"{path}.{name}: missing" for name in schema.get("required", ()) if name not in value]
        for name, part in schema.get("properties", {}).items():
            if name in value:
                found += errors(document, part, value[name], f"{path}.{name}")
        if schema.get("additionalProperties") is False:
            found += [f"{path}.{name}: not known" for name in value if name not in schema["properties"]]
    return found
