"""Statutory inspections: what they find by age, repairs and retests after a fail."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random
from typing import Final

from fleet_simulation.cars import Car
from fleet_simulation.correcting import Write
from fleet_simulation.world import YEAR_MS, Behaviour, World, body_of, inspector_of, workshop_of
from fleet_simulation.writing import visit
from node.ledger.body import TransactionBody
from node.ledger.fields import Odometer, Where
from node.limits import DAY_MS
from node.rules.checklists import CHECKLISTS
from node.rules.inspection_items import INSPECTION_ITEMS
from node.txtypes.service.findings import Defect
from node.txtypes.service.repair import Operation

CHECKLIST: Final = "DE-HU"
FIRST_MS: Final = 4 * YEAR_MS
EVERY_MS: Final = 2 * YEAR_MS
FAILS: Final = ((3, 0.06), (10, 0.23), (12, 0.28))
"""Age in years to the share that fails (TÜV report 2025); between them on a line, beyond them constant."""
MINOR: Final = 0.115
UNROADWORTHY: Final = 0.0005


def share_failed(years: float) -> float:
    """Of the inspections at an age."""
    if years <= FAILS[0][0]:
        return FAILS[0][1]
    for (young, low), (old, high) in zip(FAILS, FAILS[1:], strict=False):
        if years <= old:
            return low + (high - low) * (years - young) / (old - young)
    return FAILS[-1][1]


def _items_of(severity: str) -> list[str]:
    return [item for item in CHECKLISTS[CHECKLIST].items if severity in INSPECTION_ITEMS[item].severities]


ITEMS: Final = {severity: _items_of(severity) for severity in ("minor", "major", "dangerous")}


def defects_of(chance: Random, years: float) -> tuple[Defect, ...]:
    """What an inspection finds. Identity and odometer, of which an honest car is never in doubt, are left out."""
    drawn, failed = chance.random(), share_failed(years)
    if drawn < UNROADWORTHY:
        severity = "dangerous"
    elif drawn < UNROADWORTHY + failed:
        severity = "major"
    elif drawn < UNROADWORTHY + failed + MINOR:
        severity = "minor"
    else:
        return ()
    fitting = [item for item in ITEMS[severity] if not item.startswith(("0", "7.11", "S", "O"))]
    return (Defect(chance.choice(fitting), severity),)


def inspection(world: World, car: Car) -> Behaviour:
    """The statutory inspection at four years and then every two; after a fail a repair and a retest."""
    chance = world.chance(f"{car.number}/inspection")
    at_ms = car.born_ms + FIRST_MS + chance.randrange(30 * DAY_MS)
    while not car.is_gone:
        yield at_ms
        defects = defects_of(chance, (at_ms - car.born_ms) / YEAR_MS)
        inspector = inspector_of(chance, car)
        visit(world, car, chance, inspector, at_ms, _write(defects, "periodic"), car.owner, is_prompt=True)
        if any(defect.severity != "minor" for defect in defects):
            at_ms += chance.randrange(2 * DAY_MS, 20 * DAY_MS)
            yield at_ms
            visit(world, car, chance, workshop_of(chance, car), at_ms, _repair, car.owner, is_prompt=True)
            at_ms += chance.randrange(DAY_MS, 5 * DAY_MS)
            yield at_ms
            visit(world, car, chance, inspector, at_ms, _write((), "retest"), car.owner, is_prompt=True)
        at_ms += EVERY_MS + chance.randrange(30 * DAY_MS)


def day_of(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms // 1_000, UTC).date().isoformat()


def _write(defects: tuple[Defect, ...], kind: str) -> Write:
    def write(vin: str, odometer: Odometer, place: Where, event_at_ms: int) -> TransactionBody:
        return body_of(
            "inspection.record", vin=vin, checklist=CHECKLIST, kind=kind, defects=defects, items=(),
            valid_until_day=day_of(event_at_ms + EVERY_MS), odometer=odometer, where=place, event_at_ms=event_at_ms,
            holder_signs=True,
        )  # fmt: skip

    return write


def _repair(vin: str, odometer: Odometer, place: Where, event_at_ms: int) -> TransactionBody:
    return body_of(
        "repair.record", vin=vin, incident=None, operations=(Operation("suspension", "mechanical"),), parts=(),
        odometer=odometer, where=place, event_at_ms=event_at_ms, holder_signs=True,
    )  # fmt: skip
