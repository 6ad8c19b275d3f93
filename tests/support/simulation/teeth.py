"""What the tests of the simulator's teeth share: a mild world, and the first thing that goes wrong under them."""

from __future__ import annotations

from collections.abc import Iterable

from support.simulation.options import Options
from support.simulation.running import play

MILD = Options(powers=(1, 1, 1, 1), fault_ms=15_000)
"""Four equal validators in a network that works, and none of them faulty. Nothing is drawn: what a seed draws changes
with the code, and a tooth must not."""
LONG = "fault_ms=40000"


def found(*settings: str, seeds: Iterable[int]) -> str:
    """The first violation of the seeds; empty where none of them notices."""
    return next((played.violation for seed in seeds if (played := play(seed, 2, settings, base=MILD)).violation), "")
