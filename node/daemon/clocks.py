"""The two clocks of a node (docs/adr/0019), and whether the one on the wall is right."""

from __future__ import annotations

import time
from collections.abc import Callable

from node.chain.validators import ValidatorSet
from node.daemon.config import Config
from node.errors import OperatorError

Clock = Callable[[], int]

FAR_MS = 15_000
"""Much more than a block takes from its proposal to its commit, even under load."""


def wall_clock(config: Config, *, allow_dev_keys: bool) -> Clock:
    """Milliseconds since 1970, as this machine says. Raises `OperatorError` for a wrong clock outside a development
    network."""
    offset = config.node.clock_offset_ms
    if offset and not allow_dev_keys:
        raise OperatorError("node.clock_offset_ms is for trying a wrong clock: remove it, or start with --dev")
    return lambda: time.time_ns() // 1_000_000 + offset


def steady_clock(now_ms: int) -> Clock:
    """Milliseconds that begin at `now_ms` and pass evenly, whatever is done to the clock on the wall."""
    begun = time.monotonic_ns()
    return lambda: now_ms + (time.monotonic_ns() - begun) // 1_000_000


class ClockWatch:
    """Holds the clock against the blocks that this node took part in deciding: two thirds have found their times right.

    Where blocks of validators with a third of the power lie far from our clock, and none between them does not, it is
    our clock that is wrong.
    """

    def __init__(self) -> None:
        self._far: set[bytes] = set()
        self.offset_ms = 0
        """Of the newest block that could be compared: how far our clock is ahead."""

    def saw(self, proposer: bytes, offset_ms: int | None) -> None:
        """A block was decided; `offset_ms` is None where it was only delivered."""
        if offset_ms is None:
            return
        self.offset_ms = offset_ms
        if abs(offset_ms) < FAR_MS:
            self._far.clear()
        else:
            self._far.add(proposer)

    def is_off(self, validators: ValidatorSet) -> bool:
        return validators.is_third(sum(validators.power(p) for p in self._far if p in validators))
