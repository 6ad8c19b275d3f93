"""Percentiles of measured values, by the nearest rank: each is a value that was measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest of the ascending values that at least `share` (above 0, up to 1) of them do not exceed."""
    assert ordered and 0 < share <= 1, "a percentile is of values, and of a share of them"
    return ordered[math.ceil(share * len(ordered)) - 1]


@dataclass(frozen=True)
class Percentiles:
    """What half, nine tenths, 99 of 100 and all of the values do not exceed, in the values' unit."""

    p50: float
    p90: float
    p99: float
    max: float

    @staticmethod
    def of(values: Sequence[float]) -> Percentiles | None:
        """None without a value."""
        ordered = sorted(values)
        return Percentiles(*(percentile(ordered, share) for share in (0.5, 0.9, 0.99, 1))) if ordered else None

    def to_json(self) -> dict[str, Any]:
        return {name: round(value, 1) for name, value in vars(self).items()}
