"""Example command lines, from the specimen that every transaction type has."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from typing import Any

from node.ledger import kinds
from node.ledger.fields import Odometer
from node.ledger.kinds import Field, Kind, fields_of
from node.txtypes.registry import TYPES
from wallet.options import FROM_THE_CHAIN, default_of, option_name, show_amount


def _friendly(kind: Kind, value: Any) -> Any:
    """A value of a specimen as people write it. What only a run can know is a shell variable such as `$ORDER`."""
    match kind:
        case kinds.OptionOf(item=item):
            return _friendly(item, value)
        case kinds.ListOf(item=item):
            return [_friendly(item, entry) for entry in value]
        case kinds.MoneyAmount():
            return show_amount(int(value["amount"]), value["currency"]).replace(" ", "")
        case kinds.StructOf(struct=struct) if struct is Odometer:
            source = "" if value["source"] == "cluster" else f":{value['source']}"
            return f"{value['value']}{value['unit']}{source}"
        case kinds.StructOf(struct=struct):
            inner = {field.json_name: field.kind for field in fields_of(struct)}
            return {name: _friendly(inner[name], entry) for name, entry in value.items() if entry is not None}
        case kinds.Bytes() if value.startswith("$key:"):
            return value.removeprefix("$key:")
        case kinds.Bytes() if value.startswith("$"):
            return value.upper()
        case _:
            return value


def _words(field: Field, value: Any) -> Iterator[str]:
    option, friendly = option_name(field), _friendly(field.kind, value)
    match field.kind:
        case kinds.Boolean():
            yield option if value else f"--no-{option[2:]}"
        case kinds.ListOf():
            for entry in friendly:
                yield from (option, _text(entry))
        case _:
            yield from (option, _text(friendly))


def _text(value: Any) -> str:
    return json.dumps(value) if isinstance(value, dict | list) else str(value)


def example_arguments(name: str) -> list[str]:
    """What follows `bmw-wallet tx TYPE`: the fields that are not left to their default, and who signs."""
    struct, words = TYPES[name], list[str]()
    specimen = struct.EXAMPLE
    for field in fields_of(struct):
        value = specimen.body.get(field.json_name)
        is_left_out = value is None or value == [] or value == default_of(field)
        if not is_left_out and field.json_name not in FROM_THE_CHAIN.get(struct, ()):
            words.extend(_words(field, value))
    words.extend(["--from", specimen.sender])
    for cosigner in specimen.cosigners:
        words.extend(["--cosign", cosigner])
    return words


def _quoted(word: str) -> str:
    is_variable = word.startswith("$") and word[1:].replace("_", "").isalnum()
    return word if is_variable else shlex.quote(word)


def example_of(name: str) -> str:
    """One command line, broken where it is long."""
    lines, line = [], f"bmw-wallet tx {name}"
    words = [*example_arguments(name), "--wait"]
    while words:
        size = 1 if len(words) == 1 or words[1].startswith("--") else 2
        part = " ".join(_quoted(word) for word in words[:size])
        words = words[size:]
        if len(line) + len(part) > 90:
            lines.append(line + " \\")
            line = "   "
        line += " " + part
    return "\n".join([*lines, line])
