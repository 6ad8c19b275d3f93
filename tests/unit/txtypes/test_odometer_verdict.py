"""The odometer verdict of a vehicle on the chain, whatever order its readings came in."""

from __future__ import annotations

from support.life import VIN, Life, accident, km, read, register
from support.stages import at

from node import limits
from node.limits import DAY_MS
from node.txtypes.service.records import OdometerRead
from node.txtypes.vehicle.readings import ODOMETER
from node.txtypes.vehicle.vehicle import VEHICLE


def record(life: Life, value: int, by: str = "workshop-berlin", at_ms: int | None = None) -> None:
    life.chain.do(by, read(VIN, km(value), life.chain.now if at_ms is None else at_ms))


def test_the_vehicle_carries_the_verdict_and_counts_its_changes() -> None:
    life = at("born")
    chain = life.chain
    seen = []
    for value in (100, 2_000, 1_000, 2_100, 1_100):
        record(life, value)
        found = chain.state(VEHICLE, VIN)
        seen.append((found.verdict, found.material_changes))
    # growing from nothing into LOGICAL is no change that a buyer must acknowledge
    assert [("NO_VERDICT", 0), ("LOGICAL", 0), ("CONTESTED", 1), ("CONTESTED", 1), ("ILLOGICAL", 2)] == seen


def test_a_contradiction_is_a_change_even_where_there_was_no_verdict_before() -> None:
    life = at("born")
    seen = []
    for value in (5_000, 500):
        record(life, value)
        found = life.chain.state(VEHICLE, VIN)
        seen.append((found.verdict, found.material_changes))
    assert [("NO_VERDICT", 0), ("CONTESTED", 1)] == seen


def test_a_late_reading_takes_its_place_in_event_time() -> None:
    life = at("born")
    born = life.chain.state(VEHICLE, VIN).born_at_ms
    record(life, 100, at_ms=born + DAY_MS)
    record(life, 300, at_ms=born + 3 * DAY_MS)
    record(life, 200, at_ms=born + 2 * DAY_MS)
    found = life.chain.state(ODOMETER, VIN)
    assert "LOGICAL" == found.verdict
    assert born + 3 * DAY_MS == found.newest_event_ms
    assert [1, 3, 2] == [r.sequence for r in found.readings]
    record(life, 5_000, at_ms=born + 2 * DAY_MS + 1)
    found = life.chain.state(ODOMETER, VIN)
    assert ("CONTESTED", {(4,), (2,)}) == (found.verdict, {e.sequences for e in found.explanations})


def test_a_mile_is_1609_metres() -> None:
    life = at("born")
    life.chain.do("bmw", register("WBA8E9G50GNU12346", odometer_unit="mi"))
    life.chain.do("bmw", read("WBA8E9G50GNU12346", km(1_000, "mi"), life.chain.now))
    assert [1_609_344] == [r.metres for r in life.chain.state(ODOMETER, "WBA8E9G50GNU12346").readings]


def test_a_self_reported_reading_changes_no_verdict() -> None:
    life = at("handed_over")
    record(life, 400)
    verdict = life.chain.state(VEHICLE, VIN).verdict
    life.chain.do("buyer-1", accident(life.chain, 1))
    assert "LOGICAL" == verdict == life.chain.state(VEHICLE, VIN).verdict


def signed(life: Life, value: int, by: str) -> OdometerRead:
    """A reading that the holder signs, if another wrote it: of those an author may write more than 16 in a month."""
    return read(VIN, km(100 + value), life.chain.now, holder_signs=by != "bmw")


def test_the_working_set_stops_growing_at_its_limit() -> None:
    life = at("born")
    count = 0
    while count < limits.READINGS_MAX + 1:
        life.chain.now += DAY_MS
        life.chain.produce(
            *(
                life.chain.sign(by, signed(life, count + n, by), *(["bmw"] if by != "bmw" else []))
                for by in ("bmw", "workshop-berlin", "police-1", "insurer-1")
                for n in range(4)
            )
        )
        count += 16
    known = life.chain.state(ODOMETER, VIN)
    assert (limits.READINGS_MAX, "NO_VERDICT", ("limit",)) == (len(known.readings), known.verdict, known.reasons)
    assert count - limits.READINGS_MAX == known.left_out
    assert count + 1 == life.chain.state(VEHICLE, VIN).record_count
