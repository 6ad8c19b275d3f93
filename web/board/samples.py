"""Samples of a node's `/metrics`, and how counters among them grew. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import ceil, isfinite
from typing import Final, NamedTuple

SAMPLES_MAX: Final = 5_000
"""Samples that are read of one answer. Above: the rest is left out."""
RATE_SPAN_S: Final = 60.0
"""A rate over a shorter time than this says nothing yet."""
_NAME: Final = r'[a-zA-Z_:][a-zA-Z0-9_:]*(?:\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\})?'
_SAMPLE: Final = re.compile(rf"({_NAME})[ \t]+(\S+)(?:[ \t]+-?\d+)?")


class Past(NamedTuple):
    """Counters at a time of the past, by metric."""

    at_s: float
    counters: Mapping[str, float]


def parsed(text: str) -> dict[str, float]:
    """The samples of a page in the text format of Prometheus (0.0.4), by name with labels as they are written there.
    What is no sample, or no finite number, is left out."""
    found: dict[str, float] = {}
    for line in text.splitlines():
        if len(found) >= SAMPLES_MAX:
            break
        if (sample := _SAMPLE.fullmatch(line.strip())) is None:
            continue
        try:
            value = float(sample[2])
        except ValueError:
            continue
        if isfinite(value):
            found[sample[1]] = value
    return found


def increase(history: Sequence[Past], metric: str, over_s: float, now_s: float) -> tuple[float, float]:
    """How much a counter grew in the last `over_s` seconds, and the seconds that this was seen over. `history`: the
    oldest first. A counter that is less than before began anew at 0, because its node did."""
    known = [(past.at_s, past.counters[metric]) for past in history
             if metric in past.counters and past.at_s >= now_s - over_s]  # fmt: skip
    if not known:
        return 0.0, 0.0
    grown = sum(
        later - earlier if later >= earlier else later
        for (_, earlier), (_, later) in zip(known, known[1:], strict=False)
    )
    return grown, known[-1][0] - known[0][0]


def quantile(values: Sequence[float], share: float) -> float | None:
    """The value that at least this share of the values is not above; None of no values."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(0, ceil(len(ordered) * share) - 1)]
