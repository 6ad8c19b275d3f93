"""Shared by the mutation tests of the simulator: a mild world, and its first violation."""

from __future__ import annotations

from collections.abc import Iterable

from support.simulation.options import Options
from support.simulation.running import play

MILD = Options(powers=(1, 1, 1, 1), fault_ms=15_000)
"""Four equal correct validators in a working network. Nothing is drawn, since a seed's draws change with the code."""
LONG = "fault_ms=40000"


def first_violation(*settings: str, seeds: Iterable[int]) -> str:
    """The first violation of the seeds; empty if there is none."""
    return next((played.violation for seed in seeds if (played := play(seed, 2, settings, base=MILD)).violation), "")
