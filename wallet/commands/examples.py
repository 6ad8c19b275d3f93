"""Example command lines, derived from the example of each transaction type."""

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
    """A value of an example in its friendly form. Ids that only a run produces are shell variables (`$ORDER`)."""
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
    if isinstance(field.kind, kinds.Boolean):
        yield option if value else f"--no-{option[2:]}"
        return
    for entry in friendly if isinstance(field.kind, kinds.ListOf) else [friendly]:
        yield option
        yield json.dumps(entry) if isinstance(entry, dict | list) else str(entry)


def example_arguments(name: str) -> list[str]:
    """The arguments of `bmw-wallet tx TYPE`: the fields that differ from their default, sender and cosigners."""
    struct, words = TYPES[name], list[str]()
    example = struct.EXAMPLE
    for field in fields_of(struct):
        value = example.body.get(field.json_name)
        if value not in (None, [], default_of(field)) and field.json_name not in FROM_THE_CHAIN.get(struct, ()):
            words.extend(_words(field, value))
    words.extend(["--from", example.sender])
    for cosigner in example.cosigners:
        words.extend(["--cosign", cosigner])
    return words


def _quoted(word: str) -> str:
    is_variable = word.startswith("$") and word[1:].replace("_", "").isalnum()
    return word if is_variable else shlex.quote(word)


def example_of(name: str) -> str:
    """The example command of a transaction type, wrapped if it is long."""
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
