"""The two clocks of a node (docs/adr/0019), and whether the one on the wall is right."""

from __future__ import annotations

import time
from collections.abc import Callable

from node.chain.validators import ValidatorSet
from node.daemon.config import Config
from node.errors import OperatorError

Clock = Callable[[], int]

UNTIMELY_WINDOW_MS = 120_000
"""In an idle chain of four everybody proposes once in 40 s."""


def wall_clock(config: Config, *, allow_dev_keys: bool) -> Clock:
    """Milliseconds since 1970, as this machine says. Raises `OperatorError` for a wrong clock outside a development
    network."""
    offset = config.node["clock_offset_ms"]
    if offset and not allow_dev_keys:
        raise OperatorError("node.clock_offset_ms is for trying a wrong clock: remove it, or start with --dev")
    return lambda: time.time_ns() // 1_000_000 + offset


def steady_clock(now_ms: int) -> Clock:
    """Milliseconds that begin at `now_ms` and pass evenly, whatever is done to the clock on the wall."""
    begun = time.monotonic_ns()
    return lambda: now_ms + (time.monotonic_ns() - begun) // 1_000_000


class ClockWatch:
    """Validators of a third of the power have proposed of late at times that, by our clock, no correct one could have
    chosen. They can't all be faulty, so it is our clock that is wrong."""

    def __init__(self, steady: Clock) -> None:
        self._steady = steady
        self._seen: dict[bytes, int] = {}
        self.untimely = 0

    def saw_untimely(self, proposer: bytes) -> None:
        self.untimely += 1
        self._seen[proposer] = self._steady()

    def is_off(self, validators: ValidatorSet) -> bool:
        since = self._steady() - UNTIMELY_WINDOW_MS
        self._seen = {proposer: at for proposer, at in self._seen.items() if at > since}
        return validators.is_third(sum(validators.power(p) for p in self._seen if p in validators))
