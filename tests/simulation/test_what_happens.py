"""What a world is asked to contain happens in it: a dimension that does nothing would test nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from support.simulation.teeth import MILD
from support.simulation.world import World


def a_world(**options: Any) -> World:
    world = World(1, replace(MILD, fault_ms=40_000, **options))
    world.play(2)
    return world


def test_cars_live_to_their_end() -> None:
    world = a_world(lives=2, replays=3)

    assert (world.faults["life_done"], world.faults["submitted_again"]) == (2, 3)


def test_a_validator_that_pauses_comes_back() -> None:
    world = a_world(powers=(10,) * 5, pauses=1)

    sizes = [len(world.checks.sets[height]) for height in sorted(world.checks.sets)]
    assert min(sizes) == 4 and (sizes[0], sizes[-1]) == (5, 5)


def test_a_validator_goes_on_with_another_key() -> None:
    """The old one ends with the height that changes it; what the new one signs holds, or there would be no progress."""
    world = a_world(rotations=1)

    keys = [{entry.consensus_key for entry in entries} for entries in world.checks.sets.values()]
    assert world.faults["key_changed"] == 1 and len(set.union(*keys)) == 5


def test_a_stall_makes_one_height_go_on_and_on() -> None:
    world = a_world(stalls=1)

    assert world.rules["L61 prevote timeout"] > 10
