"""The console: drawn for a person, plain for a program, and what is shown is text, never a command to the terminal."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable

import pytest
from support.terminal import STYLES, drawn, without_escapes

from node.audit.progress import ReplayProgress
from node.console import Bar, Cell, say, show_facts, show_json, show_table, spark

HOSTILE = "[bold red]x[/] \x1b[2J\x1b]0;owned\x07 \u202etxt\tb\nc :smile: [link=http://x]y[/link]"
HARMLESS = "[bold red]x[/] ?[2J?]0;owned? ?txt?b?c :smile: [link=http://x]y[/link]"
HEADINGS = ("name", "power")
ROWS = [("bmw", Cell("10", "good")), (HOSTILE, "7")]

SHOWN: dict[str, Callable[[], None]] = {
    "table": lambda: show_table(HEADINGS, ROWS),
    "facts": lambda: show_facts([("name", "bmw"), (HOSTILE, Cell(HOSTILE, "bad"))]),
    "line": lambda: say(HOSTILE, "bad"),
    "line without style": lambda: say(HOSTILE),
}


@pytest.mark.parametrize("name", SHOWN)
def test_text_of_a_node_is_neither_markup_nor_a_command_to_the_terminal(name: str) -> None:
    found = drawn(SHOWN[name], columns=200)
    assert HARMLESS in without_escapes(found)
    assert "\x1b[2J" not in found and "\x07" not in found and "\x1b]" not in found


@pytest.mark.parametrize("name", SHOWN)
def test_without_a_terminal_there_are_no_codes_and_no_boxes(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    SHOWN[name]()
    found = capsys.readouterr().out
    assert HARMLESS in found and "\x1b" not in found
    assert not any("\u2500" <= c <= "\u259f" for c in found)


@pytest.mark.parametrize("text", ["\x9b2J", "\ud800", "\u202e", "\U000e0001", "\x1b[2J\n", "Zoë 车"])
def test_json_is_whole_and_has_nothing_that_a_terminal_obeys(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    show_json({"a": [text]})
    shown = capsys.readouterr().out
    assert {"a": [text]} == json.loads(shown)
    assert all(c.isprintable() for c in shown.replace("\n", ""))
    assert ("车" in shown) == ("车" in text), "what can be read stays readable"


def test_closed_output_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    for show in SHOWN.values():
        show()
    assert "" == spark([1, 2])


def test_piped_columns_are_separated_by_tabs_that_no_cell_can_have(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(HEADINGS, ROWS)
    lines = capsys.readouterr().out.splitlines()
    assert [["name", "power"], ["bmw", "10"], [HARMLESS, "7"]] == [line.split("\t") for line in lines]


def test_colours_are_drawn_on_a_terminal_unless_they_are_not_wanted() -> None:
    assert STYLES.search(drawn(SHOWN["table"]))
    without = drawn(SHOWN["table"], NO_COLOR="1")
    assert not STYLES.search(without) and "─" in without
    assert "\x1b" not in drawn(SHOWN["table"], TERM="dumb") and "bmw\t10" in drawn(SHOWN["table"], TERM="dumb")


@pytest.mark.parametrize("columns", [24, 40, 80, 160])
def test_a_table_is_as_wide_as_the_terminal_and_loses_nothing(columns: int) -> None:
    address = "bmw1h7qlx32prt3twh53lkx92rsyc4qq3jqctagmze" * 2
    found = without_escapes(drawn(lambda: show_table(("address", "name"), [(address, "")]), columns=columns))
    assert max(map(len, found.splitlines())) <= columns
    assert address in "".join(found.split())


@pytest.mark.parametrize(("columns", "shown"), [(40, False), (160, True)])
def test_a_narrow_terminal_goes_without_the_last_columns_and_a_program_never(
    columns: int, shown: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    def show() -> None:
        show_table(("name", "key"), [("bmw", "ab" * 32)], optional=1)

    assert shown == ("ab" * 32 in drawn(show, columns=columns))
    show()
    assert "bmw\t" + "ab" * 32 in capsys.readouterr().out


def test_no_rows_are_a_sentence_for_a_person_and_nothing_for_a_program(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(HEADINGS, [], empty="no peers")
    assert ("", "no peers\n") == capsys.readouterr()


def test_a_spark_line_has_a_block_for_each_value_where_it_can_be_drawn() -> None:
    lines: list[str] = []
    drawn(lambda: lines.append(spark([12, 12, 10_000, 20_002])))
    assert ["▁▁▄█"] == lines
    drawn(lambda: lines.append(spark([5, 5, 5])))
    assert "▁▁▁" == lines[-1]
    assert "" == spark([1, 2, 3]), "a program has no use for it"


def test_progress_is_one_line_with_a_bar_that_is_cleared() -> None:
    def run() -> None:
        progress = ReplayProgress(100, sys.stderr)
        for height in range(1, 101):
            progress(height, height * 3)
        progress.close()

    found = drawn(run, columns=120)
    shown = without_escapes(found)
    assert "block 100 of 100" in shown and "transactions/s" in shown and "━" in shown
    assert found.rstrip().endswith("\x1b[2K") or "\x1b[2K" in found.rpartition("block 100")[2], "the line is cleared"
    assert "\x1b[?25l" not in found.rpartition("\x1b[?25h")[2], "the cursor stays"


def test_progress_is_drawn_for_a_person_only() -> None:
    stream = io.StringIO()
    progress = ReplayProgress(10, stream)
    progress(10, 30)
    progress.close()
    assert "" == stream.getvalue() and not Bar(None, stream).is_due(is_last=True)
