"""The result of a run on a terminal, as a file and as a picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

COLUMNS = (
    "", "injected", "visible", "found", "at the end", "of visible", "of all", "median days", "before sale",
    "found by", "goal",
)  # fmt: skip

COLOURS = {"injected": "#b0b7c3", "visible": "#f2a541", "found": "#1c69d4"}


def _title(result: dict[str, Any]) -> str:
    size = f"{result['cars']:,} cars, {result['years']:g} years"
    return f"{size}, regime {result['regime']}, seed {result['seed']}"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f} %"


def cells_of(row: dict[str, Any]) -> tuple[str, ...]:
    """The cells of one kind of case, in the order of `COLUMNS`."""
    goal = "" if row["goal"] is None else f"{_percent(row['goal'])} {'met' if row['is_met'] else 'MISSED'}"
    if row["goal"] is not None and row["is_met"] is None:
        goal = f"{_percent(row['goal'])} none visible"
    days = "" if row["median_days"] is None else f"{row['median_days']:.1f}"
    by = ", ".join(f"{name} {count}" for name, count in sorted(row["found_by"].items()))
    return (
        row["kind"], f"{row['injected']:,}", f"{row['visible']:,}", f"{row['found']:,}",
        f"{row['standing']:,}" if row["found"] else "",
        _percent(row["found_of_visible"]), _percent(row["found_of_all"]), days,
        f"{row['found_before_sale']:,} of {row['sold']:,}" if row["found"] else "", by, goal,
    )  # fmt: skip


def show(result: dict[str, Any], console: Console) -> None:
    """A table of the cases, and lines of what else was measured."""
    console.print(
        f"{_title(result)}: {result['transactions']:,} transactions in {result['height']:,} blocks, "
        f"state root {result['state_root']}"
    )
    for title, is_fraud in (("Frauds and attacks", True), ("Errors of honest authors", False)):
        table = Table(title=title, title_justify="left")
        for number, column in enumerate(COLUMNS):
            table.add_column(column, justify="left" if number in (0, 9, 10) else "right")
        for row in result["cases"]:
            if row["is_fraud"] == is_fraud:
                table.add_row(*cells_of(row))
        console.print(table)
    for name in ("false_alarms", "attacks", "sales", "clearances"):
        console.print(f"{name.replace('_', ' ')}:")
        for key, value in result[name].items():
            console.print(f"  {key}: {value}", highlight=False)
    console.print("transactions that a guard refused (who / type / guard):")
    for key, count in result["refused"].items():
        console.print(f"  {key}: {count:,}", highlight=False)


def in_markdown(result: dict[str, Any]) -> str:
    """The table of the cases, as docs/FLEET.md has it."""
    head = ("case", *COLUMNS[1:])
    rows = [head, tuple("---" if n in (0, 9, 10) else "---:" for n in range(len(head)))]
    rows += [cells_of(row) for row in result["cases"]]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in rows)


def save(result: dict[str, Any], folder: Path) -> list[Path]:
    """Writes the result as JSON, and its table in Markdown."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for suffix, text in (("json", json.dumps(result, indent=1) + "\n"), ("md", in_markdown(result))):
        path = folder / f"fleet-{result['regime']}.{suffix}"
        path.write_text(text, "utf-8")
        written.append(path)
    return written


def plot(result: dict[str, Any], folder: Path) -> Path | None:
    """Writes a picture of injected, visible and found cases; None where matplotlib is not installed."""
    try:
        import matplotlib

        matplotlib.use("agg")
        from matplotlib import pyplot
    except ImportError:
        return None
    rows = [row for row in result["cases"] if row["is_fraud"]][::-1]
    figure, axes = pyplot.subplots(figsize=(10, 1.5 + 0.5 * len(rows)), layout="constrained")
    places = range(len(rows))
    for offset, key, colour in (
        (0.27, "injected", "#b0b7c3"),
        (0.0, "visible", "#f2a541"),
        (-0.27, "found", "#1c69d4"),
    ):
        bars = axes.barh(
            [place + offset for place in places], [row[key] for row in rows], 0.26, label=key, color=colour
        )
        axes.bar_label(bars, padding=2, fontsize=8)
    axes.set_yticks(list(places), [row["kind"] for row in rows])
    axes.set_xlabel("cases")
    axes.set_title(
        f"{result['cars']:,} cars, {result['years']:g} years, regime {result['regime']}, seed {result['seed']}"
    )
    axes.legend(loc="lower right")
    path = folder / f"fleet-{result['regime']}.png"
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
    return path
