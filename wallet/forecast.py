"""A node's forecast of a transaction, shown to the person who is about to send it. It is as the node says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from node.console import Cell, plain, say, show_table
from wallet.show import styled, value_text

COLUMNS = ("what", "field", "before", "after")


def echo_forecast(answer: Mapping[str, Any]) -> None:
    """Print what would change, the records that would be written, who must sign still, and cautions."""
    show_table(COLUMNS, list(_rows(answer)))
    for record in _objects(answer, "records"):
        outcome = ", ".join(value_text(code).replace(":", " ", 1) for code in _list(record, "outcome"))
        say(f"record {record.get('id', '?')}: {record.get('kind', '?')}" + (f", {outcome}" if outcome else ""))
    for signature in _objects(answer, "signatures"):
        who = " ".join(str(part) for part in (signature.get("name"), signature.get("address")) if part)
        say(f"still to sign: {who}, {signature.get('have', '?')} of {signature.get('need', '?')} signatures", "warn")
    for caution in _objects(answer, "cautions"):
        say(f"Caution: {caution.get('text') or caution.get('code')}.", "warn", err=True)


def _rows(answer: Mapping[str, Any]) -> Iterator[tuple[str | Cell, ...]]:
    for change in _objects(answer, "changes"):
        what = f"{plain(change.get('family', '?'))} {plain(change.get('id', '?'))}"
        fields = _objects(change, "fields")
        for field in fields:
            before, after = (styled(value_text(field.get(name))) for name in ("before", "after"))
            yield what, str(field.get("field", "?")), before, after
        if not fields:
            yield what, "", "", str(change.get("change", "?"))


def _list(answer: Mapping[str, Any], name: str) -> list[Any]:
    found = answer.get(name)
    return found if isinstance(found, list) else []


def _objects(answer: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    return [item for item in _list(answer, name) if isinstance(item, dict)]
