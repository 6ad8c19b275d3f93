"""The two clocks of a node, wall and steady (docs/adr/0019), and a check of the wall clock."""

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
    """Milliseconds since 1970, as this machine says. Raises `OperatorError` for an offset outside a development
    network."""
    offset = config.node.clock_offset_ms
    if offset and not allow_dev_keys:
        raise OperatorError("node.clock_offset_ms is for trying a wrong clock: remove it, or start with --dev")
    return lambda: time.time_ns() // 1_000_000 + offset


def steady_clock(now_ms: int) -> Clock:
    """Milliseconds that start at `now_ms` and advance evenly, however the wall clock is set."""
    started = time.monotonic_ns()
    return lambda: now_ms + (time.monotonic_ns() - started) // 1_000_000


class ClockWatch:
    """Compares the wall clock with the times of blocks that this node helped to decide: two thirds accepted those.

    The clock is off if blocks of validators with a third of the power are far from it, with no near one between them.
    """

    def __init__(self) -> None:
        self._far: set[bytes] = set()
        self.offset_ms = 0
        """How far our clock is ahead, by the newest block that could be compared."""

    def saw(self, proposer: bytes, offset_ms: int | None) -> None:
        """A block is committed; `offset_ms` is None where it was delivered to us, not decided with us."""
        if offset_ms is None:
            return
        self.offset_ms = offset_ms
        if abs(offset_ms) < FAR_MS:
            self._far.clear()
        else:
            self._far.add(proposer)

    def is_off(self, validators: ValidatorSet) -> bool:
        return validators.is_third(sum(validators.power(p) for p in self._far if p in validators))
