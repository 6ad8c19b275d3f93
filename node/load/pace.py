"""Pace: when each transaction of a load is due, whatever happened to those before it (an open loop)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LATE_MAX_S: Final = 1.0
"""How long a place in the schedule waits for room. Above, it is missed: it is counted, and never made up for, because a
burst of late transactions would be another rate than the one asked for."""


@dataclass
class Pace:
    """A schedule of `total` places, `per_second` of them each second. A request takes `at_once` places, and is due with
    the last of them. `missed` counts the places that were not used in time."""

    per_second: float
    total: int
    at_once: int = 1
    passed: int = 0
    missed: int = 0

    @property
    def size(self) -> int:
        """The number of transactions in the next request; 0 at the end of the schedule."""
        return min(self.at_once, self.total - self.passed)

    @property
    def due_s(self) -> float:
        """When the next request is due, in seconds since the start."""
        return (self.passed + self.size - 1) / self.per_second

    def skip_late(self, elapsed_s: float) -> None:
        """Give up the places that are more than `LATE_MAX_S` late."""
        while self.size and elapsed_s - self.due_s > LATE_MAX_S:
            self.missed += self.size
            self.passed += self.size

    def take(self) -> int:
        """Use the places of the next request; returns their number."""
        taken = self.size
        self.passed += taken
        return taken
