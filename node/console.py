"""The console: how the programs show tables, facts, progress and errors.

On a terminal, rich draws tables and colours, as wide as the terminal; with NO_COLOR without colours and other styles.
Elsewhere the output is plain: no escape codes, no boxes, one line for a row, tabs between columns. Shown text is never
markup, and its control characters are replaced. rich is imported only where something is drawn: it costs 0.1 s.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TextIO

import click

if TYPE_CHECKING:
    from rich.console import Console

Style = Literal["", "good", "warn", "bad", "dim", "strong"]
_RICH: Final[dict[str, str]] = {"good": "green", "warn": "yellow", "bad": "bold red", "dim": "dim", "strong": "bold"}
REDRAWN_S: Final = 0.2
"""A bar is drawn again at most this often."""
COLUMN_PADDING: Final = 3
"""Cells that a drawn column takes besides its text."""
SPARKS: Final = "▁▂▃▄▅▆▇█"


class Cell(NamedTuple):
    """A text with its style on a terminal."""

    text: str
    style: Style = ""


def plain(value: Any) -> str:
    """One line of text without control characters."""
    return "".join(c if c.isprintable() else "?" for c in str(value))


def is_terminal(stream: TextIO | None = None) -> bool:
    """Whether a person looks at `stream` (standard output): then tables are drawn."""
    stream = stream or sys.stdout  # None where it was closed
    return stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"


def _console(stream: TextIO) -> Console:
    from rich.console import Console

    colours: Literal["auto"] | None = None if os.environ.get("NO_COLOR") else "auto"
    return Console(file=stream, force_terminal=True, color_system=colours, markup=False, emoji=False, highlight=False)


def _text(cell: str | Cell) -> Any:
    from rich.text import Text

    text, style = cell if isinstance(cell, Cell) else (cell, "")
    return Text(plain(text), style=_RICH.get(style, ""))


def _words(cell: str | Cell) -> str:
    return plain(cell.text if isinstance(cell, Cell) else cell)


def show_json(value: Any) -> None:
    """JSON, with characters that are not printable escaped: some terminals take them as commands."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    click.echo("".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text))


# --- lines, facts, tables -----------------------------------------------------------------------------------
def say(text: str, style: Style = "", *, err: bool = False) -> None:
    """One line, wrapped by the terminal itself so that it can be copied."""
    stream = sys.stderr if err else sys.stdout
    if style and is_terminal(stream):
        _console(stream).print(_text(Cell(text, style)), soft_wrap=True)
    else:
        click.echo(plain(text), err=err)


def show_facts(rows: Sequence[tuple[str, str | Cell]]) -> None:
    """One line for each name and value. A name may be indented; an empty value is a heading."""
    if not is_terminal():
        width = max((len(name) for name, _ in rows), default=0)
        for name, cell in rows:
            click.echo(f"{plain(name).ljust(width)}  {_words(cell)}".rstrip())
        return
    from rich.table import Table

    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, cell in rows:
        grid.add_row(_text(Cell(name, "dim" if _words(cell) else "strong")), _text(cell))
    _console(sys.stdout).print(grid)


def show_table(
    headings: Sequence[str], rows: Iterable[Sequence[str | Cell]], *, optional: int = 0, empty: str = ""
) -> None:
    """A table: drawn on a terminal, else headings and rows with tabs. `optional`: how many of the last columns a
    terminal that is too narrow goes without; the others are folded. Without rows only `empty`, on standard error."""
    rows = list(rows)
    if not rows:
        if empty:
            say(empty, err=True)
        return
    if not is_terminal():
        for line in (headings, *rows):
            click.echo("\t".join(map(_words, line)))
        return
    from rich import box
    from rich.cells import cell_len
    from rich.table import Table

    console = _console(sys.stdout)
    widths = [max(map(cell_len, map(_words, column))) + COLUMN_PADDING for column in zip(headings, *rows, strict=True)]
    shown = len(headings)
    while shown > len(headings) - optional and sum(widths[:shown]) > console.width:
        shown -= 1
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for place, heading in enumerate(headings[:shown]):
        is_number = all(_words(row[place]).isdecimal() for row in rows)
        table.add_column(_text(heading), overflow="fold", justify="right" if is_number else "left")
    for row in rows:
        table.add_row(*map(_text, row[:shown]))
    console.print(table)


def spark(values: Sequence[int]) -> str:
    """A line of one block for each value, as high as the value; empty where it can't be drawn."""
    if not values or not is_terminal() or "utf" not in (sys.stdout.encoding or "").lower():
        return ""
    low, high = min(values), max(values)
    return "".join(SPARKS[(value - low) * (len(SPARKS) - 1) // max(high - low, 1)] for value in values)


# --- progress -----------------------------------------------------------------------------------------------
class Bar:
    """Progress of a long run on one line, drawn only where `stream` is a terminal. `total`: None if it is unknown."""

    def __init__(self, total: int | None, stream: TextIO | None = None) -> None:
        self._total = total
        self._stream = stream or sys.stderr
        self._progress: Any = None
        self._task: Any = None
        self._drawn = float("-inf")
        self.is_shown = is_terminal(self._stream)

    def is_due(self, *, is_last: bool = False) -> bool:
        """Whether `update` would draw: texts need not be made more often."""
        return self.is_shown and (is_last or time.monotonic() - self._drawn >= REDRAWN_S)

    def update(self, done: int, text: str) -> None:
        """Draw the bar with `text` after it."""
        if not self.is_shown:
            return
        from rich.progress import BarColumn, Progress, TextColumn

        self._drawn = time.monotonic()
        if self._progress is None:
            console = _console(self._stream)
            columns = () if self._total is None else (BarColumn(bar_width=24),)
            self._progress = Progress(
                *columns, TextColumn("{task.fields[text]}", markup=False), console=console, transient=True,
                auto_refresh=False, redirect_stdout=False, redirect_stderr=False,
            )  # fmt: skip
            self._task = self._progress.add_task("", total=self._total, text="")
            self._progress.start()
            console.show_cursor(True)  # a program that is killed must not leave a terminal without one
        self._progress.update(self._task, completed=done, text=plain(text))
        self._progress.refresh()

    def close(self) -> None:
        """Clear the line."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
