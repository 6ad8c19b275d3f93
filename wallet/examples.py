"""Example commands: how `bmw-wallet tx TYPE` is called for the type's `EXAMPLE`."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from typing import Any

from node.ledger import kinds
from node.ledger.kinds import Field, fields_of
from node.txtypes.registry import TYPES
from wallet.options import FROM_THE_CHAIN, default_of, option_name
from wallet.values import written


def _words(field: Field, value: Any) -> Iterator[str]:
    option, friendly = option_name(field), written(field.kind, value)
    if isinstance(field.kind, kinds.Boolean):
        yield option if value else f"--no-{option[2:]}"
        return
    for entry in friendly if isinstance(field.kind, kinds.ListOf) else [friendly]:
        yield option
        if isinstance(entry, dict) and any(str(part).startswith("$") for part in entry.values()):
            yield ",".join(f"{name}={part}" for name, part in entry.items())  # a shell replaces nothing within '...'
        else:
            yield json.dumps(entry) if isinstance(entry, dict | list) else str(entry)


def example_arguments(name: str) -> list[str]:
    """The arguments of `bmw-wallet tx TYPE`: the fields that differ from their default, sender and cosigners."""
    struct, words = TYPES[name], list[str]()
    example = struct.EXAMPLE
    for field in fields_of(struct):
        value = example.body.get(field.json_name)
        if value not in (None, [], default_of(field)) and field.json_name not in FROM_THE_CHAIN:
            words.extend(_words(field, value))
    words.extend(["--from", example.sender])
    for cosigner in example.cosigners:
        words.extend(["--cosign", cosigner])
    return words


def _quoted(word: str) -> str:
    return word if re.fullmatch(r"[a-z0-9_=,]*\$[A-Z_]+", word) else shlex.quote(word)


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
