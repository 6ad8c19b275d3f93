"""Answers for people: facts, tables, timelines. Plain text; what came from a node can't move the cursor."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

from node.errors import Rejected
from node.ledger.guards import GuardsUnmet
from node.txtypes.registry import TYPES
from wallet.client import NodeRefused, UnmetGuard
from wallet.options import show_amount


def plain(value: Any) -> str:
    """One line without control characters, whoever wrote it."""
    return "".join(c if c.isprintable() else "?" for c in str(value))


def echo_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def is_money(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"amount", "currency"}


def value_text(value: Any) -> str:
    """A value on one line."""
    if value is None or value == "" or value == []:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if is_money(value) and str(value["amount"]).isdecimal():
        return show_amount(int(value["amount"]), plain(value["currency"]))
    if isinstance(value, dict) and set(value) == {"value", "unit", "source"}:
        return plain(f"{value['value']} {value['unit']} ({value['source']})")
    if isinstance(value, dict):
        return ", ".join(f"{plain(name)} {value_text(item)}" for name, item in value.items())
    if isinstance(value, list):
        return ", ".join(value_text(item) for item in value)
    return plain(value)


def facts(values: Mapping[str, Any], indent: int = 0) -> list[str]:
    """Name and value, one line each; structures and lists of structures indented below their name."""
    width = max((len(name) for name in values), default=0)
    lines = []
    pad = " " * indent
    for name, value in values.items():
        shown = plain(name).replace("_", " ")
        if isinstance(value, dict) and value and not is_money(value) and len(value_text(value)) > 60:
            lines.append(f"{pad}{shown}")
            lines.extend(facts(value, indent + 2))
        elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
            lines.append(f"{pad}{shown}")
            lines.extend(f"{pad}  - {value_text(item)}" for item in value)
        else:
            lines.append(f"{pad}{shown.ljust(width)}  {value_text(value)}")
    return lines


def echo_facts(values: Mapping[str, Any]) -> None:
    for line in facts(values):
        click.echo(line)


def table(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    """Columns as wide as what they hold."""
    shown = [[value_text(cell) for cell in row] for row in rows]
    widths = [max([len(h), *(len(row[i]) for row in shown)]) for i, h in enumerate(headings)]
    lines = ["  ".join(h.ljust(w) for h, w in zip(headings, widths, strict=True)).rstrip()]
    lines.extend("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in shown)
    return lines


def echo_table(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    lines = table(headings, rows)
    click.secho(lines[0], bold=True)
    for line in lines[1:]:
        click.echo(line)


def timeline(records: Iterable[Mapping[str, Any]]) -> list[str]:
    """One entry a record, the oldest first."""
    lines = []
    for record in records:
        kind = plain(record.get("kind", "?"))
        content = record.get("content")
        author = plain(record.get("author_name") or record.get("author") or "?")
        late = ", reported late" if record.get("late") else ""
        fraud = ", AUTHOR REVOKED FOR FRAUD" if record.get("author_is_fraudulent") else ""
        when = plain(record.get("event_at") or record.get("time") or "")[:16].replace("T", " ")
        lines.append(f"{when}  #{plain(record.get('sequence', '?'))} {kind}  by {author}{late}{fraud}")
        if not isinstance(content, dict):
            lines.append("                    withheld: only its digest is shown")
            continue
        headline = TYPES[kind].headline if kind in TYPES else ()
        names = [name for name in headline if content.get(name) not in (None, "", [], False)]
        details = [f"{name.replace('_', ' ')}: {value_text(content[name])}" for name in names]
        details.extend(value_text(code).replace(":", " ", 1) for code in record.get("outcome") or [])
        if details:
            lines.append("                    " + ", ".join(details))
    return lines


# --- errors ------------------------------------------------------------------------------------------
def echo_unmet(guards: Iterable[UnmetGuard]) -> None:
    """Every guard that does not hold, on standard error."""
    for guard in guards:
        click.echo(f"  {plain(guard.code)}: {plain(guard.text)}", err=True)


def echo_rejected(error: Rejected) -> None:
    """Why the chain, a check or the wallet itself refused."""
    if isinstance(error, NodeRefused) and error.unmet:
        count = len(error.unmet)
        click.secho(f"Refused: {count} condition{'' if count == 1 else 's'} not met.", fg="red", err=True)
        echo_unmet(error.unmet)
    elif isinstance(error, NodeRefused):
        click.secho(f"Refused ({plain(error.problem_code)}): {plain(error)}.", fg="red", err=True)
    elif isinstance(error, GuardsUnmet):
        click.secho("Refused:", fg="red", err=True)
        echo_unmet(UnmetGuard(guard.code, guard.text()) for guard in error.unmet)
    else:
        click.secho(f"Refused ({error.code}): {plain(error)}.", fg="red", err=True)


def is_terminal() -> bool:
    return sys.stderr.isatty()
