"""The report of `bmw-node load` for people."""

from __future__ import annotations

from collections import Counter

from node.console import Cell, Style, show_facts, show_table
from node.load.percentiles import Percentiles
from node.load.report import Report


def show(report: Report, chain_id: str, registered: int) -> None:
    """Facts, then tables of times, kinds, reasons and nodes; an empty table is left out."""
    fates = report.fates()
    facts: list[tuple[str, str | Cell]] = [("chain", chain_id)]
    if registered:
        facts.append(("cars registered first", f"{registered:,}"))
    facts += [
        ("offered", f"{report.offered:,}"),
        ("missed", _number(report.missed, "warn")),
        ("accepted", f"{report.accepted:,}"),
        ("committed", Cell(f"{fates['committed']:,}", "good")),
        ("refused", _number(fates["refused"], "warn")),
        ("rejected later", _number(fates["rejected"], "bad")),
        ("undecided", _number(fates["undecided"], "bad")),
        ("unanswered", _number(fates["unanswered"], "warn")),
        ("committed per second", f"{report.committed_per_second:.1f}"),
        ("blocks", f"{len(report.blocks):,}" + _heights(report)),
    ]
    show_facts(facts)
    _show_times(report)
    reasons: list[tuple[str, dict[str, int]]] = [(fate, report.reasons(fate)) for fate in ("refused", "rejected")]
    reasons.append(("no answer", dict(sum((node.failures for node in report.nodes), Counter[str]()).most_common())))
    rows = [[what, code, str(count)] for what, found in reasons for code, count in found.items()]
    show_table(["", "code or reason", "times"], rows)
    show_table(
        ["node", "offered", "accepted", "refused", "no answer", "p50 ms", "p99 ms"],
        [
            [node.url, str(node.offered), str(node.accepted), _number(node.refusals.total(), "warn"),
             _number(node.failures.total(), "bad"), *_two(Percentiles.of(node.answers_ms))]
            for node in report.nodes
        ],
        optional=2,
    )  # fmt: skip


def _show_times(report: Report) -> None:
    measured = [
        ("answer, ms", report.answer_ms),
        ("finality, ms", report.finality_ms),
        ("tool late, ms", report.late_ms),
        ("transactions per block", report.per_block),
    ]
    rows = [
        [name, *(f"{value:.0f}" for value in (found.p50, found.p90, found.p99, found.max))]
        for name, found in measured
        if found is not None
    ]
    show_table(["measured", "p50", "p90", "p99", "max"], rows)


def _number(value: int, style: Style) -> Cell:
    return Cell(f"{value:,}", style if value else "")


def _two(found: Percentiles | None) -> tuple[str, str]:
    return ("-", "-") if found is None else (f"{found.p50:.0f}", f"{found.p99:.0f}")


def _heights(report: Report) -> str:
    return f" ({min(report.blocks)} to {max(report.blocks)})" if report.blocks else ""
