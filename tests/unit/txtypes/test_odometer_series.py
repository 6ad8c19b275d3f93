"""The odometer's series: every reading by name, what would explain contradictions, and hints that decide nothing."""

from __future__ import annotations

from typing import Any

import pytest
from support.chain import DAY_MS, address
from support.disputing import newest, through
from support.governing import carry_out
from support.life import VIN, Life, km, read
from support.specimens import specimen
from support.stages import at, force

from node.ledger.json_form import to_json
from node.rpc.moments import moment_of
from node.txtypes.chain.actions import RoleSetStatus
from node.txtypes.vehicle.readings import NO_READINGS, ODOMETER
from node.txtypes.vehicle.series import OdometerSeries
from node.txtypes.vehicle.vehicle import VEHICLE


def series(life: Life) -> dict[str, Any]:
    moment = moment_of(life.chain.store)
    vehicle = moment.get(VEHICLE, VIN)
    assert vehicle is not None
    return to_json(OdometerSeries.of(VIN, vehicle, moment, moment.as_of, parallel_life=False))


def grown(*told: tuple[str, int], days: int = 100) -> Life:
    """A car with readings by (author, value), so many days apart."""
    life = at("wholesale")
    for author, value in told:
        life.chain.now += days * DAY_MS
        life.chain.do(author, read(VIN, km(value), life.chain.now))
    return life


def test_a_reading_has_names_for_what_the_state_has_as_codes() -> None:
    shown = series(grown(("workshop-berlin", 9_000)))
    sold, serviced = shown["readings"]
    assert ("interested", "counted", "cluster", "bmw", 0) == tuple(
        sold[name] for name in ("standing", "state", "source", "author_name", "segment")
    )
    assert ("independent", 9_000_000, 9_000_000, "workshop-berlin", False) == tuple(
        serviced[name] for name in ("standing", "metres", "distance_metres", "author_name", "is_acknowledged")
    )
    assert ("LOGICAL", "the readings agree with each other", []) == (
        shown["verdict"], shown["sentence"], shown["explanations"]
    )  # fmt: skip
    assert (shown["newest_event"], "km", 0) == (serviced["event_at"], shown["unit"], shown["corrections"])


def test_a_contradiction_names_both_sides_and_says_how_far_the_odometer_may_have_been_turned_back() -> None:
    shown = series(grown(("workshop-berlin", 50_000), ("inspector-1", 12_000), ("workshop-hamburg", 13_000)))
    assert "CONTESTED" == shown["verdict"]
    (explanation,) = shown["explanations"]
    high, *low = (reading["sequence"] for reading in shown["readings"][-3:])
    assert ([high], low) == (explanation["sequences"], explanation["contradicts"])
    assert "either this reading is wrong or the odometer was turned back by about 38,000 km" == explanation["sentence"]


@pytest.mark.parametrize(("value", "slip"), [(21_000, "swapped"), (142_000, "added"), (52_000, "replaced")])
def test_a_slip_of_the_pen_is_a_hint_beside_the_reading(value: int, slip: str) -> None:
    shown = series(grown(("workshop-berlin", 11_500), ("inspector-1", value), ("workshop-hamburg", 13_000)))
    hints = [reading["digit_slip"] for reading in shown["readings"]]
    assert ("", slip) == (hints[1], hints[2])


def test_readings_that_rise_have_no_hints() -> None:
    shown = series(grown(("workshop-berlin", 11_000), ("inspector-1", 21_000)))
    assert {""} == {reading["digit_slip"] for reading in shown["readings"]}


def test_after_another_instrument_the_distance_goes_on() -> None:
    life = grown(("workshop-berlin", 12_000))
    life.chain.now += DAY_MS
    life.chain.do("workshop-berlin", specimen("odometer.replace", life.chain), "dealer-munich")
    life.chain.now += 50 * DAY_MS
    life.chain.do("inspector-1", read(VIN, km(400), life.chain.now))
    shown = series(life)
    (segment,) = shown["segments"]
    assert (12_600_000, True, False) == (segment["offset_metres"], segment["is_proven"], segment["is_rollover"])
    last = shown["readings"][-1]
    assert (400_000, 13_000_000, 1) == (last["metres"], last["distance_metres"], last["segment"])
    assert "LOGICAL" == shown["verdict"]


def test_an_instrument_whose_record_is_annulled_explains_nothing_any_more() -> None:
    life = grown(("workshop-berlin", 12_000))
    life.chain.now += DAY_MS
    life.chain.do("workshop-berlin", specimen("odometer.replace", life.chain), "dealer-munich")
    sequence = newest(life.chain)
    life.chain.now += 50 * DAY_MS
    life.chain.do("inspector-1", read(VIN, km(400), life.chain.now))
    through(life, sequence, "annulled")
    shown = series(life)
    assert ([], 400_000, "CONTESTED") == (
        shown["segments"], shown["readings"][-1]["distance_metres"], shown["verdict"]
    )  # fmt: skip


def test_the_readings_of_a_fraud_are_shown_as_excluded() -> None:
    life = grown(("workshop-berlin", 9_000), ("inspector-1", 20_000))
    before = life.chain.now - 365 * DAY_MS
    carry_out(life.chain, RoleSetStatus(address("workshop-berlin"), "workshop", "revoked", "fraud", before))
    shown = series(life)
    assert ["counted", "excluded", "counted"] == [reading["state"] for reading in shown["readings"]]
    assert "author_excluded" in shown["reasons"]


def test_a_car_without_readings_has_no_verdict() -> None:
    life = at("born")
    force(life.chain, ODOMETER, VIN, NO_READINGS)
    shown = series(life)
    assert ("NO_VERDICT", ["too_few"], [], None, 0) == tuple(
        shown[name] for name in ("verdict", "reasons", "readings", "newest_event", "coverage_per_mille")
    )


def test_the_longest_series_is_answered_within_its_bound() -> None:
    """256 readings that contradict each other: only those that the verdict rests on are looked at for slips."""
    life = grown(*(("workshop-berlin", 1_000 + 10 * n) for n in range(250)), days=3)
    for value in (500_000, 100):
        life.chain.now += 10 * DAY_MS
        life.chain.do("inspector-1", read(VIN, km(value), life.chain.now))
    shown = series(life)
    hinted = [reading["sequence"] for reading in shown["readings"] if reading["digit_slip"]]
    assert 253 == len(shown["readings"]) and len(hinted) <= 16
