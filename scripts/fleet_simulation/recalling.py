"""Recall campaigns of the maker: opened over part of its cars, and carried out or not."""

from __future__ import annotations

from typing import Final

from fleet_simulation.cars import Car
from fleet_simulation.inspecting import day_of
from fleet_simulation.world import START_MS, YEAR_MS, Behaviour, World, body_of, happens, workshop_of
from fleet_simulation.writing import visit
from node.ledger.body import TransactionBody
from node.ledger.fields import Odometer, Where
from node.limits import DAY_MS
from node.txtypes.service.recall import CampaignReference
from node.txtypes.service.records import Part

A_CAR_YEAR: Final = 0.4
CAMPAIGNS_A_YEAR: Final = 4
DONE_NEW, DONE_OLD = 0.83, 0.44
"""Share that is carried out of cars below and above five years."""
CLASSES: Final = ("quality", "quality", "safety", "safety", "safety", "compliance", "park_outside", "stop_drive")
VINS_IN_ONE: Final = 1_000
PART: Final = "34336888459"


def campaigns(world: World) -> Behaviour:
    """Four campaigns a year, each over so many cars that a car has 0.4 a year."""
    chance = world.chance("campaigns")
    at_ms = START_MS + YEAR_MS // 2
    number = 0
    while True:
        yield at_ms
        number += 1
        code = f"00{16_000 + number}0700"
        kind = chance.choice(CLASSES)
        body = body_of(
            "recall.open", campaign=code, recall_class=kind, remedy="replace", part_numbers=(PART,),
            references=(CampaignReference("KBA", f"{14_000 + number}R"),), remedy_from_day=day_of(at_ms),
        )  # fmt: skip
        world.send("bmw", body)
        cars = [car for car in world.cars if not car.is_gone and happens(chance, A_CAR_YEAR / CAMPAIGNS_A_YEAR)]
        for first in range(0, len(cars), VINS_IN_ONE):
            chunk = cars[first : first + VINS_IN_ONE]
            vins = tuple(sorted(car.vin for car in chunk))
            named = body_of("recall.extend", campaign=code, action="add", reason="scope", vins=vins)
            if world.send("bmw", named).is_accepted:
                for car in chunk:
                    world.start(_done(world, car, code, at_ms, is_urgent=kind == "stop_drive"), at_ms + 1)
        at_ms += YEAR_MS // CAMPAIGNS_A_YEAR


def _done(world: World, car: Car, code: str, at_ms: int, *, is_urgent: bool) -> Behaviour:
    chance = world.chance(f"{car.number}/recall/{code}")
    is_new = at_ms - car.born_ms < 5 * YEAR_MS
    if not happens(chance, DONE_NEW if is_new else DONE_OLD):
        return
    at_ms += chance.randrange(3 * DAY_MS, (30 if is_urgent else 300) * DAY_MS)
    yield at_ms

    def write(vin: str, odometer: Odometer, place: Where, event_at_ms: int) -> TransactionBody:
        return body_of(
            "recall.done", vin=vin, manufacturer=world.chain.address("bmw"), campaign=code, software=None,
            parts=(Part(PART, 1, True, None),), odometer=odometer, where=place, event_at_ms=event_at_ms,
        )  # fmt: skip

    visit(world, car, chance, workshop_of(chance, car), at_ms, write, is_prompt=True)
