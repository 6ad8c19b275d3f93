"""An example for every transaction type, made from its fields, so that a new type has one too."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any, Final

from node.txtypes.fields import Odometer
from node.txtypes.registry import TYPES
from node.txtypes.schema import Field, Kind, fields_of
from wallet.options import default_of, option_name

TEXTS: Final[dict[str, str]] = {
    "vin": "WBA8E9G50GNU12345", "produced_on": "2026-01-15", "model": "330I", "plant": "MUC", "services": "ENGINE_OIL",
    "configuration": "S205A", "zone": "front", "country": "DE", "site": "MUC-1", "name": "dealer-munich",
    "opening_hours": "Mo-Fr 08:00-18:00", "phone": "+49891234567", "mail": "sales@example.com",
}  # fmt: skip
"""Values of fields whose names say what they hold; other codes are `X1`."""

SENDERS: Final[dict[str, str]] = {
    "vehicle": "bmw", "title": "bmw", "maintenance": "workshop-berlin", "accident": "workshop-berlin",
    "odometer": "workshop-berlin", "listing": "dealer-munich", "delivery": "dealer-munich", "account": "dealer-munich",
    "member": "dealer-munich", "governance": "bmw",
}  # fmt: skip
TYPE_SENDERS: Final[dict[str, str]] = {
    "order.accept": "dealer-munich", "order.counter": "dealer-munich", "order.handover": "dealer-munich",
    "payment.attest": "payment-provider-1",
}  # fmt: skip
COSIGNERS: Final[dict[str, str]] = {
    "title.transfer": "dealer-munich",
    "order.handover": "buyer-1",
    "account.open": "alice",
}


def _text(name: str, kind: Kind) -> str:
    if name in TEXTS:
        return TEXTS[name]
    pattern = kind.pattern
    return next((text for text in ("X1", "DE", "EUR", "2026-01-15", "image/png") if re.match(pattern, text)), "")


def _value(name: str, kind: Kind) -> Any:
    """Friendly JSON for one value."""
    match kind.name:
        case "optional" | "list":
            assert kind.item is not None
            inner = _value(name, kind.item)
            return inner if kind.name == "optional" else [inner]
        case "address":
            return "dealer-munich" if name == "receiver" else "payment-provider-1"
        case "bytes":
            return "alice" if name == "keys" else "00" * kind.length
        case "time":
            return "now" if name == "event_at" else "+14d" if name == "window_to" else "+7d"
        case "money":
            return "52900.00EUR"
        case "struct" if kind.struct is Odometer:
            return "12000km"
        case "struct":
            return {f.json_name: _value(f.json_name, f.kind) for f in fields_of(kind.struct) if _is_shown(f)}
        case "union":
            chosen = kind.items[0]
            fields = {f.json_name: _value(f.json_name, f.kind) for f in fields_of(chosen.struct)}
            return {"type": str(chosen.struct.__struct_config__.tag), **fields}
        case "enum":
            return "bank_transfer" if "bank_transfer" in kind.choices else kind.choices[0]
        case "bool":
            return True
        case "int":
            return max(kind.minimum or 0, 1)
        case "tuple":
            return [_value(name, item) for item in kind.items]
    return _text(name, kind)


def _is_shown(field: Field) -> bool:
    return field.kind.name not in ("optional",)


def _words(field: Field) -> list[str]:
    kind, option = field.kind, option_name(field)
    value = _value(field.json_name, kind)
    if kind.name == "bool":
        return [option]
    if kind.name == "list":
        value = value[0]
    return [option, json.dumps(value) if isinstance(value, dict | list) else str(value)]


def example_arguments(name: str) -> list[str]:
    """What follows `bmw-wallet tx TYPE`: the fields that have no default, and who signs."""
    words: list[str] = []
    for field in fields_of(TYPES[name]):
        is_filled = name == "order.offer" and field.json_name in ("disclosure_root", "listing_version")
        is_optional_list = field.kind.name == "list" and field.json_name in ("configuration", "attachments", "parts")
        if field.kind.name == "optional" or default_of(field) is not None or is_filled or is_optional_list:
            continue
        words.extend(_words(field))
    sender = TYPE_SENDERS.get(name) or SENDERS.get(name.split(".")[0], "buyer-1")
    words.extend(["--from", sender])
    if name in COSIGNERS:
        words.extend(["--cosign", COSIGNERS[name]])
    return words


def example_of(name: str) -> str:
    """One command line, broken where it is long."""
    lines, line = [], f"bmw-wallet tx {name}"
    words = [*example_arguments(name), "--wait"]
    while words:
        size = 1 if len(words) == 1 or words[1].startswith("--") else 2
        part = " ".join(shlex.quote(word) for word in words[:size])
        words = words[size:]
        if len(line) + len(part) > 90:
            lines.append(line + " \\")
            line = "   "
        line += " " + part
    return "\n".join([*lines, line])
