"""The parts of scripts/fleet: what is true of a car, what counts as visible and as found, rates and numbers."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from random import Random

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from fleet_simulation import odometer_frauds
from fleet_simulation.cars import KM, Car, Case, Told, sets_apart, visible_since
from fleet_simulation.inspecting import ITEMS, defects_of, share_failed
from fleet_simulation.measures import _row
from fleet_simulation.presenting import COLUMNS, cells_of, plot, save
from fleet_simulation.world import START_MS, Plan, World, lognormal, metres_of, reading
from fleet_simulation.writing import delay_ms, mistyped, slip

from node.limits import DAY_MS

VIN = "WBA8E9G50GNU00001"


def car(**changes: object) -> Car:
    fields = dict(number=1, vin=VIN, model="330I", city="berlin", owner="owner-1", born_ms=0, metres_a_day=40 * KM,
                  has_telematics=False)  # fmt: skip
    return Car(**fields | changes)  # type: ignore[arg-type]


def told(sequence: int, day: int, km: int, *taints: Case, **changes: object) -> Told:
    fields = dict(sequence=sequence, event_at_ms=day * DAY_MS, included_ms=(day + 1) * DAY_MS, metres=km * KM,
                  distance=km * KM, author="workshop", is_judged=True, taints=frozenset(taints))  # fmt: skip
    return Told(**fields | changes)  # type: ignore[arg-type]


def known(*tolds: Told) -> Car:
    return car(told={one.sequence: one for one in tolds})


# --- the truth ----------------------------------------------------------------------------------------------
def test_a_car_drives_and_its_instrument_counts() -> None:
    driven = car()
    driven.advance(10 * DAY_MS)
    driven.advance(5 * DAY_MS)  # time does not go back
    assert (driven.driven, driven.shown, driven.other_shown) == (400 * KM,) * 3


def test_a_blocker_keeps_back_its_share() -> None:
    driven = car(blocked_per_mille=700)
    driven.advance(10 * DAY_MS)
    assert (driven.driven, driven.shown, driven.other_shown, driven.held_back) == (400_000, 120_000, 400_000, 280_000)


@pytest.mark.parametrize(("everywhere", "other"), [(True, 300 * KM), (False, 400 * KM)])
def test_turning_back_lowers_the_instrument_and_perhaps_the_rest(everywhere: bool, other: int) -> None:
    driven, case = car(), Case("rollback", VIN, 0)
    driven.advance(10 * DAY_MS)
    driven.turn_back(100 * KM, case, everywhere=everywhere)
    assert (driven.driven, driven.shown, driven.other_shown) == (400 * KM, 300 * KM, other)
    assert (case.metres, driven.taints, driven.cases) == (100 * KM, {case}, [case])


# --- visible ------------------------------------------------------------------------------------------------
def test_a_fall_by_reason_of_a_fraud_is_visible_since_its_later_record() -> None:
    fraud = Case("rollback", VIN, 0)
    assert visible_since(known(told(1, 100, 50_000), told(2, 200, 20_000, fraud)), fraud) == 201 * DAY_MS


@pytest.mark.parametrize(
    "second",
    [
        told(2, 200, 60_000, Case("another", VIN, 0)),  # it rises
        told(2, 200, 49_995),  # within the tolerance, and without the fraud
    ],
)
def test_what_contradicts_nothing_is_not_visible(second: Told) -> None:
    assert visible_since(known(told(1, 100, 50_000), second), Case("rollback", VIN, 0)) == 0


def test_what_earlier_instruments_counted_is_part_of_the_way() -> None:
    fraud = Case("rollback", VIN, 0)
    anew = told(2, 200, 100, fraud, distance=50_100 * KM)
    assert visible_since(known(told(1, 100, 50_000), anew), fraud) == 0


def test_a_declared_reading_shows_nothing() -> None:
    fraud = Case("rollback", VIN, 0)
    assert visible_since(known(told(1, 100, 50_000, is_judged=False), told(2, 200, 20_000, fraud)), fraud) == 0


def test_a_jump_longer_than_a_car_can_drive_is_visible() -> None:
    fraud = Case("false readings", VIN, 0)
    assert visible_since(known(told(1, 100, 10_000), told(2, 101, 90_000, fraud)), fraud) == 102 * DAY_MS


def test_sources_that_differ_are_visible() -> None:
    fraud = Case("rollback", VIN, 0)
    assert visible_since(known(told(1, 100, 10_000, fraud, sources_differ=True)), fraud) == 101 * DAY_MS


def test_a_case_is_the_reason_only_where_no_other_may_be() -> None:
    fraud, error = Case("rollback", VIN, 0), Case("typing error", VIN, 0, is_fraud=False)
    assert not sets_apart(fraud, frozenset({fraud, Case("rollback", VIN, 1)}), frozenset())
    apart = frozenset({fraud, error}), frozenset[Case]()
    assert sets_apart(fraud, *apart)
    assert not sets_apart(error, *apart)
    assert sets_apart(error, frozenset({fraud, error}), frozenset({fraud}))


# --- ways to turn back --------------------------------------------------------------------------------------
def test_just_above_the_reading_before_last_leaves_one_contradiction() -> None:
    turned = known(told(1, 100, 40_000), told(2, 200, 60_000))
    turned.at_ms, turned.shown = 300 * DAY_MS, 70_000 * KM
    left = turned.shown - odometer_frauds.above_the_reading_before_last(turned, Random(1), 0)
    assert 40_000 * KM < left < 41_000 * KM


def test_one_digit_is_all_that_changes() -> None:
    turned = car(shown=83_471 * KM)
    for seed in range(20):
        left = (turned.shown - odometer_frauds.by_one_digit(turned, Random(seed), 0)) // KM
        assert sum(a != b for a, b in zip("83471", f"{left:05}", strict=True)) == 1
        assert left <= 82_471


def test_miles_are_read_as_kilometres() -> None:
    turned = car(shown=160_934_400)
    assert turned.shown - odometer_frauds.as_miles(turned, Random(1), 0) == 100_000 * KM


def test_nothing_is_turned_back_where_there_is_no_room() -> None:
    world = World(Plan(cars=1, years=0.1, tree_depth=2))
    young = car(shown=1_200 * KM)
    odometer_frauds.turn_back("rollback", odometer_frauds.plainly, world, young, "owner-1", START_MS)
    assert (young.shown, young.cases, world.cases) == (1_200 * KM, [], [])


def test_a_mistyped_vin_is_that_of_another_car_or_its_own() -> None:
    world, one, other = World(Plan(cars=2, years=0.1, tree_depth=2)), car(), car(vin=f"{VIN[:-1]}7")
    world.by_vin = {one.vin: one, other.vin: other}
    chance = Random(1)
    assert {mistyped(world, one, chance).vin for _ in range(400)} == {one.vin, other.vin}


# --- rates --------------------------------------------------------------------------------------------------
def test_reports_are_late_as_often_as_the_design_says() -> None:
    chance = Random(1)
    delays = [delay_ms(chance) / DAY_MS for _ in range(40_000)]
    for days, share in ((1, 0.15), (30, 0.03), (400, 0.003)):
        assert sum(delay > days for delay in delays) / len(delays) == pytest.approx(share, rel=0.2)


@pytest.mark.parametrize(("years", "share"), [(1, 0.06), (3, 0.06), (6.5, 0.145), (10, 0.23), (11, 0.255), (20, 0.28)])
def test_older_cars_fail_more_often(years: float, share: float) -> None:
    assert share_failed(years) == pytest.approx(share)


def test_an_inspection_finds_defects_of_the_severities_that_their_items_can_have() -> None:
    chance, found = Random(1), Counter[str]()
    for _ in range(20_000):
        for defect in defects_of(chance, 10):
            assert defect.item in ITEMS[defect.severity]
            found[defect.severity] += 1
    assert found["major"] / 20_000 == pytest.approx(0.23, rel=0.1)
    assert found["minor"] / 20_000 == pytest.approx(0.115, rel=0.1)
    assert 0 < found["dangerous"] < 30


def test_distances_have_the_mean_of_the_source() -> None:
    chance = Random(1)
    assert sum(lognormal(chance, 14_075, 0.5) for _ in range(20_000)) / 20_000 == pytest.approx(14_075, rel=0.03)


def test_slips_of_the_pen_are_readings() -> None:
    chance, seen = Random(1), reading(83_471 * KM)
    slips = [slip(chance, seen) for _ in range(500)]
    assert all(0 <= wrong.value <= 9_999_999 for wrong in slips)
    assert sum(abs(metres_of(wrong) - metres_of(seen)) <= 6_000 * KM for wrong in slips) > 150


# --- numbers ------------------------------------------------------------------------------------------------
def cases(found: int, missed: int, invisible: int) -> list[Case]:
    made = [Case("rollback", VIN, 0, visible_ms=DAY_MS, found_ms=n * DAY_MS, found_by="CONTESTED", stands=True,
                 sold_ms=2 * DAY_MS)
            for n in range(1, found + 1)]  # fmt: skip
    made += [Case("rollback", VIN, 0, visible_ms=DAY_MS, sold_ms=DAY_MS) for _ in range(missed)]
    return made + [Case("rollback", VIN, 0, sold_ms=DAY_MS) for _ in range(invisible)]


def test_a_kind_is_counted_by_what_could_be_seen_and_by_all() -> None:
    row = _row("rollback", cases(found=3, missed=1, invisible=4))
    assert (row.injected, row.visible, row.found, row.sold) == (8, 4, 3, 8)
    assert (row.found_of_visible, row.found_of_all, row.median_days) == (0.75, 0.375, 2.0)
    assert (row.found_before_sale, row.goal, row.is_met) == (2, 1.0, False)


@pytest.mark.parametrize(("given", "is_met"), [((3, 0, 4), True), ((3, 1, 0), False), ((0, 0, 2), None)])
def test_a_goal_is_met_missed_or_not_asked(given: tuple[int, int, int], is_met: bool | None) -> None:
    assert _row("rollback", cases(*given)).is_met is is_met


def test_what_was_found_and_is_washed_away_again_meets_no_goal() -> None:
    washed = cases(found=3, missed=0, invisible=0)
    washed[0].stands = False
    row = _row("rollback", washed)
    assert (row.found_of_visible, row.standing, row.is_met) == (1.0, 2, False)


def test_a_row_has_a_cell_for_each_column() -> None:
    row = asdict(_row("rollback", cases(found=3, missed=1, invisible=4)))
    cells = cells_of(row)
    assert len(cells) == len(COLUMNS)
    assert cells[5:8] == ("75.0 %", "37.5 %", "2.0")
    assert cells[-1] == "100.0 % MISSED"


def test_a_table_in_markdown_has_the_cells(tmp_path: Path) -> None:
    row = asdict(_row("rollback", cases(found=3, missed=0, invisible=1)))
    written = save({"cases": [row], "regime": "none"}, tmp_path)
    assert [(path.stem, path.suffix) for path in written] == [("fleet-none", ".json"), ("fleet-none", ".md")]
    head, dashes, line = written[1].read_text().splitlines()
    assert head.count("|") == dashes.count("|") == line.count("|") == len(COLUMNS) + 1
    assert line.startswith("| rollback | 4 | 3 | 3 |")


def test_a_picture_needs_matplotlib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert plot({"cases": []}, tmp_path) is None
