"""Two processes with one key: an operator's mistake. Once they have met, at most one of them signs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from node.replica.doppelganger import Duty
from support.simulation.errors import Violation
from support.simulation.node import SimulatedNode

if TYPE_CHECKING:
    from support.simulation.world import World

NAME = "twins"
TOGETHER_MS = 4_000
"""When both were up and linked for this long, each has sent several presence messages."""
MEETING_MS = 20_000
"""A power cut planned before may still happen, and the pair starts again."""


def twin_of(node: SimulatedNode, index: int) -> SimulatedNode:
    """The same keys on a disk of its own."""
    return SimulatedNode(node.world, index, node.name, f"{node.name}-twin", NAME)


def demand_that_one_gives_way(world: World) -> None:
    """In a healed network with all nodes up, one twin must stop signing. Raises `Violation`."""
    healed = world.now
    pairs = [(a, b) for a in world.nodes for b in world.nodes if a.index < b.index and a.name == b.name]

    def have_met() -> bool:
        together = [max(healed, a.up_since, b.up_since) if a.is_up and b.is_up else world.now for a, b in pairs]
        return all(world.now - since >= TOGETHER_MS for since in together)

    if not world.clock.run_until(world.now + MEETING_MS, have_met):
        raise Violation(f"twins are not up together for {TOGETHER_MS} ms, though nothing goes wrong any more")
    for a, b in pairs:
        if _signs(a) and _signs(b):
            raise Violation(f"{a.label} and {b.label} both sign with one key")


def _signs(node: SimulatedNode) -> bool:
    double = node.running.doppelganger
    return double is not None and double.duty is Duty.SIGNING
