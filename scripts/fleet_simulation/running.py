"""One run: the world of a plan with all behaviours, attacks and frauds, and what it found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fleet_simulation import odometer_frauds, rivals, sale_frauds
from fleet_simulation.honest import born
from fleet_simulation.imports import imports
from fleet_simulation.measures import measured
from fleet_simulation.recalling import campaigns
from fleet_simulation.watching import Watch
from fleet_simulation.world import START_MS, Plan, World


def simulated(plan: Plan, progress: Callable[[int], None] = lambda day: None) -> tuple[World, Watch]:
    """The world at the end of the plan."""
    world = World(plan)
    world.draw_tampering += [odometer_frauds.draw, rivals.draw]
    world.before_listing.append(rivals.Rivals(world).attack)
    world.once_reserved.append(sale_frauds.attempt)
    watch = Watch(world)
    for number in range(plan.cars):
        world.start(born(world, number), START_MS)
    world.start(campaigns(world), START_MS)
    world.start(imports(world), START_MS)
    world.run(progress)
    return world, watch


def run(plan: Plan, progress: Callable[[int], None] = lambda day: None) -> dict[str, Any]:
    return measured(*simulated(plan, progress))
