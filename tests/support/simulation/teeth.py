"""What the tests of the simulator's teeth share: mild settings, and the first thing that goes wrong under them."""

from __future__ import annotations

from collections.abc import Iterable

from support.simulation.running import play

CALM = ("faulty=()", "loss=0.0", "changes=0", "crashes=0", "power_cuts=0", "outages=0", "fault_ms=15000")

ALIKE = (
    *CALM[:-1],
    "fault_ms=40000",
    "powers=(1,1,1,1)",
    "delay=(1,30)",
    "split_views=0",
    "stalls=0",
    "starvings=0",
    "partitions=0",
    "one_way_cuts=0",
    "clogs=0",
)
"""Four equal validators in a network that works."""


def found(*settings: str, seeds: Iterable[int]) -> str:
    """The first violation of the seeds; empty where none of them notices."""
    return next((played.violation for seed in seeds if (played := play(seed, 2, settings)).violation), "")
