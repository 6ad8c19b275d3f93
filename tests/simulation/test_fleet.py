"""scripts/fleet in a short form: a few hundred cars over two years, through the real execution."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from fleet_simulation.__main__ import main
from fleet_simulation.measures import measured
from fleet_simulation.odometer_frauds import LEAST_METRES, MORE_WAYS, ROLLBACKS
from fleet_simulation.rivals import DISPUTE, KINDS
from fleet_simulation.running import simulated
from fleet_simulation.sale_frauds import DOUBLE, FAKE_PAYMENT
from fleet_simulation.watching import Watch
from fleet_simulation.world import Plan, World

EVERY_WAY = (*ROLLBACKS, *MORE_WAYS)
PLAN = Plan(seed=7, cars=220, years=2.5, regime="cross_border", tree_depth=10)


@pytest.fixture(scope="module")
def lived() -> tuple[World, Watch]:
    return simulated(PLAN)


@pytest.fixture(scope="module")
def result(lived: tuple[World, Watch]) -> dict[str, Any]:
    return measured(*lived)


def rows(result: dict[str, Any], *kinds: str) -> list[dict[str, Any]]:
    return [row for row in result["cases"] if row["kind"] in kinds]


def test_every_visible_rollback_is_found(lived: tuple[World, Watch], result: dict[str, Any]) -> None:
    found = rows(result, *EVERY_WAY)
    assert sum(row["injected"] for row in found) >= 10
    assert sum(row["visible"] for row in found) >= 8
    assert [row for row in found if row["found_of_visible"] != 1.0 and row["visible"]] == []
    turned = [case for case in lived[0].cases if case.kind in EVERY_WAY]
    assert all(case.metres >= LEAST_METRES for case in turned)


def test_most_rollbacks_are_found_before_the_car_is_handed_over(result: dict[str, Any]) -> None:
    found = rows(result, *EVERY_WAY)
    assert sum(row["found_before_sale"] for row in found) >= 0.8 * sum(row["injected"] for row in found)


def test_no_honest_car_is_contradicted(result: dict[str, Any]) -> None:
    honest = result["false_alarms"]["honest"]
    assert honest["car_years"] > 150
    assert (honest["CONTESTED"], honest["ILLOGICAL"], honest["alerts"]) == (0, 0, {})


def test_one_mistake_makes_no_car_illogical(lived: tuple[World, Watch], result: dict[str, Any]) -> None:
    world, _ = lived
    for vin, kinds in result["false_alarms"]["errors of the ILLOGICAL"].items():
        uncorrected = [case for case in world.by_vin[vin].cases if not case.facts.get("amended")]
        assert len(uncorrected) > 1, (vin, kinds)


def test_what_is_no_sale_is_refused(result: dict[str, Any]) -> None:
    found = rows(result, DOUBLE, FAKE_PAYMENT, DISPUTE)
    assert found
    assert [row["found_of_all"] for row in found] == [1.0] * len(found)
    assert sum(row["facts"].get("accepted", 0) for row in found) == 0


def test_a_false_report_that_is_disputed_brands_no_car(result: dict[str, Any]) -> None:
    attacked = result["attacks"]
    assert attacked["attacked cars"] >= len(KINDS)
    assert "disputed: confirmed" not in attacked["brands"]


def test_honest_people_meet_no_guard_but_those_of_a_sale(result: dict[str, Any]) -> None:
    met = {key for key in result["refused"] if key.startswith("honest /")}
    assert met <= {"honest / recall.done / recall_absent"}  # the workshop of the sale was faster
    assert result["sales"]["completed"] > 300


def test_readings_of_the_truth_are_those_of_the_chain(lived: tuple[World, Watch]) -> None:
    """What the world believes to have written is what the records' readings are."""
    from node.txtypes.vehicle.readings import ODOMETER

    world, compared = lived[0], 0
    for car in world.cars:
        for reading in world.chain.state(ODOMETER, car.vin).readings:
            if reading.sequence in car.told:
                assert reading.metres == car.told[reading.sequence].metres
                compared += 1
    assert compared > 1_000


def test_the_same_seed_makes_the_same_chain(tmp_path: Path) -> None:
    roots = []
    for seed in ("3", "3", "4"):
        arguments = ["--seed", seed, "--cars", "25", "--years", "0.8", "--regime", "none", "--out", str(tmp_path)]
        run = CliRunner().invoke(main, arguments)
        assert run.exit_code == 0, run.output
        roots.append(json.loads((tmp_path / "fleet-none.json").read_text())["state_root"])
        assert roots[-1] in run.output.replace("\n", "")
    assert roots[0] == roots[1] != roots[2]
