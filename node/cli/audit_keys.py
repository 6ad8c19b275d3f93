"""What `bmw-audit compare` shows of states that differ."""

from __future__ import annotations

import json
from typing import Any

import click

from node.audit.finder import StateDifference

KEYS_SHOWN = 20
"""The output for programs has all keys."""
VALUE_CHARS = 60


def print_state(state: StateDifference) -> None:
    for name, fault in zip(("first", "second"), state.faults, strict=True):
        if fault:
            click.echo(f"the {name} is not valid: {fault}")
    if state.note:
        click.echo(state.note)
        return
    click.echo(f"{len(state.keys)} keys differ after height {state.height}")
    for difference in state.keys[:KEYS_SHOWN]:
        click.echo(difference.key)
        for name, writer in zip(("first", "second"), difference.writers, strict=True):
            if writer is not None:
                click.echo(f"  written in the {name} by {writer}")
        for name, (one, other) in difference.fields().items():
            if isinstance(one, list) and isinstance(other, list):
                one, other = [x for x in one if x not in other], [x for x in other if x not in one]
            click.echo(f"  {name}{': ' if name else ''}{_text(one)} against {_text(other)}")
    if len(state.keys) > KEYS_SHOWN:
        click.echo(f"and {len(state.keys) - KEYS_SHOWN} more keys: --json has all")


def _text(value: Any) -> str:
    if value is None:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= VALUE_CHARS else text[:VALUE_CHARS] + "..."
