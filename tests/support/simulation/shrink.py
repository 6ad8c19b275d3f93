"""Shrinks a failing play: first milder options, then fewer faults, as long as the same violation occurs."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

from support.simulation.faults import planned
from support.simulation.options import changed, drawn
from support.simulation.running import Played, play

MILDER = (
    "fault_ms=15000",
    "loss=0.0",
    "duplicate=0.0",
    "starvings=0",
    "split_views=0",
    "stalls=0",
    "skew_ms=0",
    "delay=(1,30)",
    "outages=0",
    "power_cuts=0",
    "crashes=0",
    "partitions=0",
    "one_way_cuts=0",
    "clogs=0",
    "clock_steps=0",
    "changes=0",
    "pauses=0",
    "rotations=0",
    "lives=0",
    "replays=0",
    "transactions=0",
    "transactions=2",
    "faulty=()",
)


def kind_of(violation: str) -> str:
    """The violation without numbers and names, to compare it with that of a smaller play."""
    words = violation.split(":")[0].split()
    return " ".join(word for word in words if word.isalpha())


def shrunk(first: Played, heights: int, tell: Callable[[str], None], plays_max: int = 200) -> Played:
    """The smallest failing play found within `plays_max` tries."""
    wanted, best, seed = kind_of(first.violation), first, first.seed
    settings: tuple[str, ...] = ()
    left = plays_max

    def attempt(tried: tuple[str, ...], without: frozenset[int]) -> Played | None:
        nonlocal left
        left -= 1
        played = play(seed, heights, tried, without)
        return played if kind_of(played.violation) == wanted else None

    for setting in MILDER:
        if left and (smaller := attempt((*settings, setting), frozenset())):
            settings, best = (*settings, setting), smaller
            tell(f"still fails with {setting}")
    plan = planned(seed, changed(drawn(seed), list(settings)))
    without: frozenset[int] = frozenset()
    # Keep boots: a node that never starts would be another scenario.
    removable = [number for number, fault in enumerate(plan) if fault.kind != "boot"]
    portion = max(1, len(removable) // 2)
    while left and removable:
        for start in range(0, len(removable), portion):
            piece = frozenset(islice(removable, start, start + portion)) - without
            if left and piece and (smaller := attempt(settings, without | piece)):
                without, best = without | piece, smaller
        removable = [number for number in removable if number not in without]
        if portion == 1:
            break
        portion = max(1, portion // 2)
    tell(f"{len(plan) - len(without)} of {len(plan)} planned events are left")
    return best
