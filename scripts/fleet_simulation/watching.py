"""What the chain shows: every verdict, brand and alert as it changes, and the cases that it is evidence of."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product

from fleet_simulation.cars import Car, Case, sets_apart
from fleet_simulation.clones import CLONE, FROM_ALIVE, FROM_STOLEN
from fleet_simulation.instruments import FAKE, LATE
from fleet_simulation.odometer_frauds import AMENDED
from fleet_simulation.rivals import STAMPED
from fleet_simulation.world import World
from node.execution.block_run import BlockResult
from node.rules.odometer import BACKFILLED
from node.txtypes.vehicle.readings import ODOMETER, Readings
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle

ALERTS = {
    FROM_STOLEN: ("part_from_stolen", "part_elsewhere"), FROM_ALIVE: ("part_elsewhere",),
    CLONE: ("clone_vin", "parallel_life"),
}  # fmt: skip
"""Kind of case to the alerts that are evidence of it."""
CONTRADICTED = ("CONTESTED", "ILLOGICAL")


@dataclass(eq=False)
class Seen:
    """What the chain has shown of one car so far."""

    verdict: str = "NO_VERDICT"
    verdicts: dict[str, int] = field(default_factory=dict)
    """Each verdict to the time when it was first shown."""
    alerts: dict[str, int] = field(default_factory=dict)
    brands: dict[str, int] = field(default_factory=dict)


@dataclass(eq=False)
class Watch:
    """Follows the blocks of a world."""

    world: World
    seen: dict[str, Seen] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.world.chain.committed.append(self.follow)

    def of(self, vin: str) -> Seen:
        return self.seen.setdefault(vin, Seen())

    def follow(self, result: BlockResult) -> None:
        for key, (family, value) in result.overlay.changes.items():
            if family is ODOMETER or family is VEHICLE:
                vin = key.decode("ascii").partition("/")[2]
                car = self.world.by_vin.get(vin)
                if car is not None and family is ODOMETER:
                    self._readings(car, value, result.time_ms)
                elif car is not None:
                    self._vehicle(car, value, result.time_ms)

    def _vehicle(self, car: Car, vehicle: Vehicle, now_ms: int) -> None:
        seen = self.of(car.vin)
        for case in car.cases:
            codes = ALERTS.get(case.kind, ())
            alert = next((a for a in vehicle.alerts if a.code in codes and a.last_ms >= case.at_ms), None)
            if alert is not None and not case.found_ms:
                case.found_ms, case.found_by = now_ms, f"alert {alert.code}"
            if not case.found_ms and case.kind in (FAKE, LATE):
                codes = ("odometer_replaced", "odometer_discrepancy")
                brand = next((b for b in vehicle.brands if b.code in codes and b.since_ms >= case.at_ms), None)
                if brand is not None:
                    case.found_ms, case.found_by = now_ms, f"brand {brand.code}"
        for alert in vehicle.alerts:
            seen.alerts.setdefault(f"{alert.code} {alert.state}", now_ms)
        for brand in vehicle.brands:
            seen.brands.setdefault(f"{brand.code} {brand.state}", now_ms)

    def _readings(self, car: Car, leaf: Readings, now_ms: int) -> None:
        seen = self.of(car.vin)
        seen.verdict = leaf.verdict
        seen.verdicts.setdefault(leaf.verdict, now_ms)
        if not any(case.found_ms == 0 for case in car.cases):
            return
        pairs = list(evidence(leaf))
        for case in car.cases:
            if case.found_ms == 0 and (how := shows(car, case, leaf, pairs)):
                case.found_ms, case.found_by = now_ms, how


def evidence(leaf: Readings) -> list[tuple[int, int]]:
    """Sequences of the readings that the answer names against each other."""
    pairs = [(pair.earlier, pair.later) for pair in leaf.pinned]
    for explanation in leaf.explanations:
        pairs += product(explanation.sequences, explanation.contradicts)
    return pairs


def shows(car: Car, case: Case, leaf: Readings, pairs: list[tuple[int, int]]) -> str:
    """How the readings' answer is evidence of a case; empty where it is none."""

    def taints(sequence: int) -> frozenset[Case]:
        return car.told[sequence].taints if sequence in car.told else frozenset()

    if leaf.verdict in CONTRADICTED and any(sets_apart(case, taints(a), taints(b)) for a, b in pairs):
        return leaf.verdict
    if any(r.sources_differ and sets_apart(case, taints(r.sequence), frozenset()) for r in leaf.readings):
        return "sources_differ"
    if case.kind == AMENDED and "lowered" in leaf.reasons:
        return "lowered"
    if case.kind == STAMPED and any(r.state == BACKFILLED and case in taints(r.sequence) for r in leaf.readings):
        return "backfilled"
    jump = next((reason for reason in ("jump_confirmed", "outliers") if reason in leaf.reasons), "")
    order = [reading.sequence for reading in leaf.readings]
    for sequence in leaf.outliers if jump else ():
        place = order.index(sequence) if sequence in order else 0
        if place > 0 and sets_apart(case, taints(order[place - 1]), taints(sequence)):
            return jump
    return ""
