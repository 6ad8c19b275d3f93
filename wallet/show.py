"""Output for people: facts, tables, errors. Control characters of a node's text are replaced."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import click

from node.console import Cell, Style, say, show_facts, show_json, show_table
from node.console import plain as plain
from node.errors import Rejected
from node.views.texts import show_amount
from wallet.client import NodeRefused, UnmetGuard, unmet_of

_AMOUNT = re.compile("[0-9]{1,16}")


def counted(count: int, noun: str) -> str:
    """`1 condition`, `2 conditions`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def echo_json(value: Any) -> None:
    show_json(value)


def is_money(value: Any) -> bool:
    is_amount = isinstance(value, dict) and set(value) == {"amount", "currency"}
    return is_amount and _AMOUNT.fullmatch(str(value["amount"])) is not None


def value_text(value: Any) -> str:
    """A value on one line."""
    if value is None or value == "" or value == []:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if is_money(value):
        return show_amount(int(value["amount"]), plain(value["currency"]))
    if isinstance(value, dict) and {"value", "unit", "source"} <= set(value):
        return plain(_reading_text(value))
    if isinstance(value, dict) and set(value) == {"sequence", "digest"}:
        return plain(f"record {value['sequence']} ({value['digest']})")
    if isinstance(value, dict):
        return ", ".join(f"{plain(name)} {value_text(item)}" for name, item in value.items())
    if isinstance(value, list):
        return ("; " if isinstance(value[0], dict) else ", ").join(value_text(item) for item in value)
    return plain(value)


def _reading_text(value: Mapping[str, Any]) -> str:
    """An odometer reading: what was read first, and what differs from it."""
    others = value.get("others")
    entries = [each for each in others if isinstance(each, dict)] if isinstance(others, list) else []
    differing = [f"{each.get('source')} {each.get('value')}" for each in entries if each.get("value") != value["value"]]
    same = [str(each.get("source")) for each in entries if each.get("value") == value["value"]]
    text = f"{value['value']} {value['unit']} ({', '.join([str(value['source']), *same])})"
    tampered = ["signs of tampering"] if value.get("tamper_sign") is True else []
    return "; ".join([text, *differing, *tampered])


def fact_rows(values: Mapping[str, Any], indent: int = 0) -> list[tuple[str, str]]:
    """(name, value) as texts. Long structures and lists of structures are indented below their name."""
    rows = []
    pad = " " * indent
    for name, value in values.items():
        title = pad + plain(name).replace("_", " ")
        if isinstance(value, dict) and value and not is_money(value) and len(value_text(value)) > 60:
            rows += [(title, ""), *fact_rows(value, indent + 2)]
        elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
            rows += [(title, ""), *((f"{pad}  -", value_text(item)) for item in value)]
        else:
            rows.append((title, value_text(value)))
    return rows


def facts(values: Mapping[str, Any], indent: int = 0) -> list[str]:
    """One line for each name and value, without style."""
    rows = fact_rows(values, indent)
    width = max((len(name) for name, _ in rows), default=0)
    return [f"{name.ljust(width)}  {text}".rstrip() for name, text in rows]


STYLES: Final[dict[str, Style]] = {
    **dict.fromkeys(("LOGICAL", "committed", "settled", "final", "completed", "active", "open"), "good"),
    **dict.fromkeys(("NO_VERDICT", "pending", "withheld", "expired", "fallen", "suspended", "unwinding"), "warn"),
    **dict.fromkeys(("CONTESTED", "ILLOGICAL", "rejected", "refused", "revoked", "stolen", "disputed"), "bad"),
    **dict.fromkeys(("total_loss", "scrapped", "charged_back"), "bad"),
}
"""Values that stand out on a terminal."""


def styled(text: str) -> Cell:
    return Cell(text, STYLES.get(text, ""))


def echo_facts(values: Mapping[str, Any], wants_json: bool = False) -> None:
    """Print facts, as JSON if `wants_json`."""
    if wants_json:
        echo_json(values)
    else:
        show_facts([(name, styled(text)) for name, text in fact_rows(values)])


def echo_table(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table."""
    show_table(headings, [[styled(value_text(cell)) for cell in row] for row in rows])


# --- errors ------------------------------------------------------------------------------------------
def echo_unmet(guards: Iterable[UnmetGuard]) -> None:
    """Print unmet guards on standard error."""
    for guard in guards:
        click.echo(f"  {plain(guard.code)}: {plain(guard.text)}", err=True)


def echo_rejected(error: Rejected) -> None:
    """Print why a check or the wallet itself refused; or that a node did, whose words prove nothing."""
    if not isinstance(error, NodeRefused):
        say(f"Refused ({error.code}): {error}.", "bad", err=True)
        return
    unmet = unmet_of(error.problem)
    code, text = f" ({plain(error.problem_code)})", plain(error)
    if unmet:
        code, text = "", f"{counted(len(unmet), 'condition')} not met"
    say(f"Refused by the node{code}: {text}.", "bad", err=True)
    echo_unmet(unmet)
