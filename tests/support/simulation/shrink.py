"""Makes a failing seed smaller: first milder options, then fewer faults, as long as the same thing goes wrong."""

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
    """What went wrong without numbers and names, so that a smaller play can be compared."""
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
        if left and (found := attempt((*settings, setting), frozenset())):
            settings, best = (*settings, setting), found
            tell(f"still fails with {setting}")
    plan = planned(seed, changed(drawn(seed), list(settings)))
    without: frozenset[int] = frozenset()
    # Boots stay: a node that never starts is another play.
    removable = [number for number, fault in enumerate(plan) if fault.kind != "boot"]
    portion = max(1, len(removable) // 2)
    while left and removable:
        for start in range(0, len(removable), portion):
            piece = frozenset(islice(removable, start, start + portion)) - without
            if left and piece and (found := attempt(settings, without | piece)):
                without, best = without | piece, found
        removable = [number for number in removable if number not in without]
        if portion == 1:
            break
        portion = max(1, portion // 2)
    tell(f"{len(plan) - len(without)} of {len(plan)} planned events are left")
    return best
