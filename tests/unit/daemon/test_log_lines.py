"""One line an event, for people or for collectors."""

from __future__ import annotations

import json
import logging

import pytest

from node.log import log, logger, set_up_logging


@pytest.fixture(autouse=True)
def _restored():
    handlers, level, propagate = logger.handlers, logger.level, logger.propagate
    yield
    logger.handlers, logger.propagate = handlers, propagate
    logger.setLevel(level)


def test_json_lines_are_one_object_each(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("info", "json")
    log("committed", "info", {"height": 7, "id": b"\xab\xcd", "why": 'two "lines"\nof text'})
    (line,) = capsys.readouterr().err.splitlines()
    shown = json.loads(line)
    assert ("committed", "info", 7, "abcd", 'two "lines"\nof text') == tuple(
        shown[name] for name in ("event", "level", "height", "id", "why")
    )
    assert shown["time"] > 1_700_000_000_000


def test_text_lines_name_event_and_fields(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("info", "text")
    log("peer_lost", "warning", {"peer": "two"})
    assert capsys.readouterr().err.rstrip().endswith("warning  peer_lost peer=two")


def test_below_the_level_nothing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("warning", "text")
    log("committed", "info", {})
    log("halted", "critical", {})
    assert 1 == len(capsys.readouterr().err.splitlines())
    assert logging.WARNING == logger.level
