"""The pause after a block: short while little is pending, longer while much is, none once a whole block is, and never
longer than without work."""

from __future__ import annotations

import pytest

from node.replica.pause import FULL_TXS, Pause
from node.replica.services import ReplicaConfig


@pytest.mark.parametrize(
    ("least", "full", "empty", "pending", "expected"),
    [
        (50, 200, 10_000, 0, 50),
        (50, 200, 10_000, 1, 52),
        (50, 200, 10_000, FULL_TXS // 2, 125),
        (50, 200, 10_000, FULL_TXS, 200),
        (50, 200, 10_000, 499, 200),
        (50, 200, 10_000, 500, 0),
        (300, 200, 10_000, 50_000, 0),
        (50, 200, 100, FULL_TXS, 100),
        (300, 200, 10_000, FULL_TXS, 300),
        (0, 0, 0, 5, 0),
    ],
)
def test_the_pause_grows_with_what_is_pending(least: int, full: int, empty: int, pending: int, expected: int) -> None:
    config = ReplicaConfig(least, full, empty, build_txs_max=500)
    pause = Pause(config, 7_000)
    assert (7_000 + expected, 7_000 + empty) == (pause.end_ms(pending), pause.end_of_empty_ms())
