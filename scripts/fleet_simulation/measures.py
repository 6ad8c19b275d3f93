"""What a run has found, as numbers: by fraud, false alarms, sales under attack, refusals of honest transactions."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, Final

from fleet_simulation import clones, imports, instruments, losses, odometer_frauds, rivals, sale_frauds
from fleet_simulation.cars import Car, Case, visible_since
from fleet_simulation.genesis import TRADE
from fleet_simulation.watching import CONTRADICTED, Watch, evidence, shows
from fleet_simulation.world import YEAR_MS, World
from node.limits import DAY_MS
from node.rules.verdict import PINNED_MAX
from node.txtypes.vehicle.brands import brand_state
from node.txtypes.vehicle.readings import ODOMETER
from node.txtypes.vehicle.vehicle import VEHICLE

GOALS: Final[dict[str, float]] = {
    **dict.fromkeys((*odometer_frauds.ROLLBACKS, *odometer_frauds.MORE_WAYS), 1.0),
    odometer_frauds.REMOVED: 0.95, odometer_frauds.GIVEN_BACK: 0.95, rivals.STAMPED: 1.0, losses.EXPORTED: 1.0,
    losses.DELAYED: 1.0, losses.RELATED: 1.0, losses.SHELL: 0.6,
    imports.WRECK: 1.0, sale_frauds.DOUBLE: 1.0, sale_frauds.FAKE_PAYMENT: 1.0,
    clones.FROM_STOLEN: 1.0, clones.FROM_ALIVE: 1.0, clones.CLONE: 0.9,
}  # fmt: skip
"""Kind to the share of the visible cases that must be found, at the end too. Other kinds are reported."""

PAIR_LEAST: Final = 3
PAIR_SHARE: Final = 0.6
"""An inspector is concentrated on a holder from so many clearances, and such a share of all its own, on."""


@dataclass(frozen=True)
class Row:
    """One kind of fraud, attack or error. Medians are in days, None without a case."""

    kind: str
    is_fraud: bool
    injected: int
    visible: int
    found: int
    standing: int
    """Found, and the evidence is still shown at the end."""
    found_of_visible: float | None
    found_of_all: float
    median_days: float | None
    found_before_sale: int
    sold: int
    found_by: dict[str, int]
    facts: dict[str, int]
    """What else was counted, summed over the cases."""
    goal: float | None
    is_met: bool | None


def _note_concentration(world: World) -> None:
    """A shell is found with the clearance by which it is concentrated on its holder."""
    pairs, by_inspector = Counter[tuple[str, str]](), Counter[str]()
    for inspector, holder, at_ms in world.cleared:
        pairs[inspector, holder] += 1
        by_inspector[inspector] += 1
        if is_concentrated(pairs[inspector, holder], by_inspector[inspector]):
            for case in world.cases:
                if case.kind == losses.SHELL and not case.found_ms and inspector in TRADE.shady:
                    case.found_ms, case.found_by = max(at_ms, case.at_ms), "pair concentration"


def is_concentrated(of_pair: int, of_inspector: int) -> bool:
    """Whether an inspector clears mostly for one holder, who is then looked at."""
    return of_pair >= PAIR_LEAST and of_pair >= PAIR_SHARE * of_inspector


def _note_known(world: World, watch: Watch, case: Case) -> None:
    """A visible fraud on a car whose readings contradict each other already, or that is branded already, is found too:
    the answer has no further word for it."""
    if case.kind in (instruments.FAKE, instruments.LATE):
        if any(b.code == "odometer_replaced" for b in world.chain.state(VEHICLE, case.vin).brands):
            case.found_ms, case.found_by = case.visible_ms, "branded already"
        return
    seen = watch.of(case.vin)
    since = [seen.verdicts[verdict] for verdict in CONTRADICTED if verdict in seen.verdicts]
    if seen.verdict in CONTRADICTED and min(since) <= case.visible_ms:
        case.found_ms, case.found_by = case.visible_ms, "contradicted already"


def rows_of(world: World, watch: Watch) -> list[Row]:
    """The kinds of case, frauds first."""
    _note_concentration(world)
    by_kind: dict[str, list[Case]] = defaultdict(list)
    for case in world.cases:
        case.visible_ms = case.visible_ms or visible_since(world.by_vin[case.vin], case)
        if case.is_fraud and case.visible_ms and not case.found_ms:
            _note_known(world, watch, case)
        case.stands = case.found_ms > 0 and _stands(world, case)
        by_kind[case.kind].append(case)
    return [_row(kind, cases) for kind, cases in sorted(by_kind.items(), key=lambda i: (not i[1][0].is_fraud, i[0]))]


def _stands(world: World, case: Case) -> bool:
    """Whether the readings of the car still contradict each other by reason of the case; what was found otherwise is in
    the records for ever."""
    if case.kind in (instruments.FAKE, instruments.LATE):
        return any(b.code == "odometer_replaced" for b in world.chain.state(VEHICLE, case.vin).brands)
    leaf, car = world.chain.state(ODOMETER, case.vin), world.by_vin[case.vin]
    is_crowded_out = case.found_by in CONTRADICTED and len(leaf.pinned) == PINNED_MAX
    if case.found_by == "contradicted already" or is_crowded_out:  # larger falls of the same car stand for it
        return leaf.verdict in CONTRADICTED
    is_of_readings = not case.found_by.startswith(("alert", "refused", "brand", "grade", "parallel", "pair"))
    return not is_of_readings or bool(shows(car, case, leaf, evidence(leaf)))


def _row(kind: str, cases: list[Case]) -> Row:
    visible = [case for case in cases if case.visible_ms]
    found = [case for case in cases if case.found_ms]
    both = sum(1 for case in visible if case.found_ms)
    share = both / len(visible) if visible else None
    goal = GOALS.get(kind)
    before = sum(1 for case in found if not case.sold_ms or case.found_ms <= case.sold_ms)
    days = [(case.found_ms - case.at_ms) / DAY_MS for case in found]
    return Row(
        kind, cases[0].is_fraud, len(cases), len(visible), len(found), sum(case.stands for case in found), share,
        len(found) / len(cases),
        round(median(days), 1) if days else None, before, sum(1 for case in cases if case.sold_ms),
        dict(Counter(case.found_by for case in found)),
        dict(sum((Counter(case.facts) for case in cases), Counter())), goal,
        None if goal is None or not visible else sum(case.stands for case in visible) >= goal * len(visible),
    )  # fmt: skip


def car_years(world: World, cars: list[Car]) -> float:
    return sum(world.plan.end_ms - car.born_ms for car in cars) / YEAR_MS


def false_alarms(world: World, watch: Watch) -> dict[str, Any]:
    """Per 1,000 car-years of cars of which nothing is wrong, and of those on which only errors were made."""
    honest = [car for car in world.cars if not car.cases]
    erring = [car for car in world.cars if car.cases and not any(case.is_fraud for case in car.cases)]
    found: dict[str, Any] = {}
    for name, cars in (("honest", honest), ("honest with an error", erring)):
        years = car_years(world, cars)
        counts = {verdict: sum(1 for car in cars if verdict in watch.of(car.vin).verdicts) for verdict in CONTRADICTED}
        found[name] = {
            "cars": len(cars), "car_years": round(years, 1), **counts,
            **{f"{key}_per_1000": round(1_000 * n / years, 3) if years else None for key, n in counts.items()},
            "alerts": dict(Counter(code for car in cars for code in watch.of(car.vin).alerts)),
        }  # fmt: skip
    illogical = [car for car in erring if "ILLOGICAL" in watch.of(car.vin).verdicts]
    found["errors of the ILLOGICAL"] = {car.vin: [case.kind for case in car.cases] for car in illogical}
    return found


def attacks(world: World, watch: Watch) -> dict[str, Any]:
    """What the attacks of rivals did to honest sellers."""
    attacked = {case.vin: case for case in world.cases if case.kind in rivals.KINDS}
    sales = [
        sale for sale in world.sales
        if sale.vin in attacked and sale.is_resale and sale.handed_over_ms
        and sale.listed_ms <= attacked[sale.vin].at_ms <= sale.handed_over_ms
    ]  # fmt: skip
    others = [sale for sale in world.sales if sale.is_resale and sale.handed_over_ms and sale.vin not in attacked]
    by_kind = {
        kind: _median_days([sale for sale in sales if attacked[sale.vin].kind == kind]) for kind in rivals.KINDS
    }  # fmt: skip
    acknowledged = Counter(f"{attacked[sale.vin].kind}: {sale.acknowledged}" for sale in sales)
    confirmed = Counter[str]()
    for vin, case in attacked.items():
        if case.kind == rivals.DAMAGE:
            vehicle = world.chain.state(VEHICLE, vin)
            how = "disputed" if case.facts.get("disputed") else "never disputed"
            states = [brand_state(b, world.now) for b in vehicle.brands if b.code == "collision_structural"]
            confirmed.update(f"{how}: {state}" for state in states)
    return {
        "attacked cars": len(attacked), "sales under attack": len(sales),
        "median days of such a sale": _median_days(sales), "median days of another resale": _median_days(others),
        "by kind of attack": by_kind,
        "acknowledgements of a sale": dict(sorted(acknowledged.items())),
        "refused steps of such sales": dict(sum((sale.refused for sale in sales), Counter())),
        "ILLOGICAL at some time": sum(1 for vin in attacked if "ILLOGICAL" in watch.of(vin).verdicts),
        "ILLOGICAL at the end": sum(1 for vin in attacked if watch.of(vin).verdict == "ILLOGICAL"),
        "brands": dict(confirmed),
    }  # fmt: skip


def clearances(world: World) -> dict[str, Any]:
    """How often one inspector cleared total losses for one holder: an undeclared shell shows as a pair."""
    pairs = Counter((inspector, holder) for inspector, holder, _ in world.cleared)
    by_inspector = Counter(inspector for inspector, _, _ in world.cleared)
    suspicious = [
        [inspector, holder, count] for (inspector, holder), count in pairs.items()
        if is_concentrated(count, by_inspector[inspector])
    ]  # fmt: skip
    return {"rebuilt": len(world.cleared), "inspectors": len(by_inspector), "concentrated pairs": suspicious}


def _median_days(sales: list[Any]) -> float | None:
    days = [(sale.handed_over_ms - sale.listed_ms) / DAY_MS for sale in sales]
    return round(median(days), 1) if days else None


def sale_measures(world: World) -> dict[str, Any]:
    resales = [sale for sale in world.sales if sale.is_resale]
    return {
        "sales": len(world.sales),
        "resales": len(resales),
        "completed": sum(1 for sale in world.sales if sale.handed_over_ms),
        "given up": sum(1 for sale in world.sales if sale.is_given_up),
        "needed another reading": sum(1 for sale in world.sales if sale.read_again),
        "refused steps": dict(sum((sale.refused for sale in world.sales), Counter())),
    }


def measured(world: World, watch: Watch) -> dict[str, Any]:
    """The whole result, ready for JSON."""
    plan = world.plan
    return {
        "seed": plan.seed, "cars": plan.cars, "years": plan.years, "regime": plan.regime,
        "state_root": world.chain.state_root.hex(), "height": world.chain.height,
        "transactions": world.chain.transactions, "car_years": round(car_years(world, world.cars), 1),
        "by_type": dict(sorted(world.sent.items())),
        "cases": [asdict(row) for row in rows_of(world, watch)],
        "false_alarms": false_alarms(world, watch), "attacks": attacks(world, watch), "sales": sale_measures(world),
        "clearances": clearances(world),
        "refused": {" / ".join(key): count for key, count in sorted(world.refused.items())},
    }  # fmt: skip
