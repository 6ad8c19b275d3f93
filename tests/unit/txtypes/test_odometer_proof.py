"""What proves another instrument, who may not, and how a reading that was put in another's place is amended."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.chain import DAY_MS, HOUR_MS, address
from support.damage import give_role
from support.disputing import amend, car, name_of, newest, passed, reading, through, wholesale
from support.life import VIN, Life, accident, km, listing, where
from support.ordering import codes_of
from support.specimens import specimen
from support.stages import at, force, ledger_of

from node.ledger.fields import Odometer, OtherSource
from node.txtypes.members.mandate import MandateGrant
from node.txtypes.members.member import FRAUDS, Fraud, Frauds
from node.txtypes.rulesets import RULESETS
from node.txtypes.vehicle.imports import PastEvent
from node.txtypes.vehicle.readings import ODOMETER
from node.txtypes.vehicle.vehicle import verdict_now

HOLDER, WORKSHOP = "dealer-munich", "workshop-berlin"


def old(value: int) -> Odometer:
    return Odometer(value, "km", "cluster", (OtherSource("body_computer", value),))


def replacing(life: Life, value: int = 200, **changes: object):
    return specimen("odometer.replace", life.chain, **dict(old=old(value), odometer=km(0), where=where()) | changes)


def revoked(life: Life, author: str, since_ms: int) -> None:
    force(life.chain, FRAUDS, "all", Frauds((Fraud(address(author), "", since_ms),)))


# --- who proves an instrument -----------------------------------------------------------------------------
def test_an_instrument_is_not_proven_once_who_proved_it_is_a_fraud() -> None:
    life = wholesale()
    reading(life, "inspector-2", 90_000)
    passed(life, 10)
    told_at = life.chain.now
    life.chain.do(WORKSHOP, replacing(life, 90_000, witness=address("inspector-1")), HOLDER, "inspector-1")
    passed(life, 10)
    reading(life, "inspector-2", 41_000)
    assert ("LOGICAL", 1) == (car(life).verdict, len(life.chain.state(ODOMETER, VIN).segments))
    for author, since, verdict in (
        ("inspector-1", told_at, "NO_VERDICT"), ("inspector-1", told_at + 1, "LOGICAL"), (WORKSHOP, told_at, "LOGICAL"),
    ):  # fmt: skip
        revoked(life, author, since)
        assert verdict == verdict_now(ledger_of(life.chain), VIN, car(life), RULESETS[1]), (author, since)


def test_an_independent_inspection_of_the_odometer_takes_the_place_of_a_void_clearance() -> None:
    life = wholesale()
    life.chain.do(WORKSHOP, replacing(life, witness=address("inspector-1")), HOLDER, "inspector-1")
    revoked(life, "inspector-1", life.chain.now - DAY_MS)
    passed(life, 10)
    assert "clearance_void" in codes_of(life, HOLDER, listing(life.chain))
    inspection = specimen(
        "inspection.record", life.chain, checklist="ODOMETER", kind="odometer", defects=(), odometer=km(20),
        where=where("INS-2"), holder_signs=True, valid_until_day=None,
    )  # fmt: skip
    life.chain.do("inspector-2", inspection, HOLDER)
    (clearance,) = car(life).clearances
    assert ("odometer_replace", address("inspector-2")) == (clearance.what, clearance.author)
    assert [] == codes_of(life, HOLDER, listing(life.chain))


# --- who signs --------------------------------------------------------------------------------------------
def test_the_author_does_not_sign_for_the_holder_where_the_holder_binds_itself() -> None:
    life = wholesale()
    grant = MandateGrant(address(WORKSHOP), (VIN,), (), ("present",), life.chain.now + 90 * DAY_MS)
    mandate = life.chain.do(HOLDER, grant)
    assert ["holder_missing"] == codes_of(life, WORKSHOP, replacing(life, mandate=mandate))
    life.chain.do("bmw", specimen("warranty.start", life.chain))
    claim = specimen("warranty.claim", life.chain, odometer=km(100), mandate=mandate, where=where())
    assert ["claim_unsigned"] == codes_of(life, WORKSHOP, claim)


def test_an_agent_that_presents_the_car_is_no_witness_of_its_instrument() -> None:
    life = wholesale()
    grant = MandateGrant(address("inspector-1"), (VIN,), (), ("present",), life.chain.now + 90 * DAY_MS)
    mandate = life.chain.do(HOLDER, grant)
    for witness, codes in (("inspector-1", ["witness_missing"]), ("inspector-2", [])):
        body = replacing(life, mandate=mandate, witness=address(witness))
        assert codes == codes_of(life, WORKSHOP, body, *sorted({"inspector-1", witness}))


def test_a_role_that_the_type_is_not_for_excuses_no_reading() -> None:
    life = at("born")
    give_role(life.chain, WORKSHOP, "insurer")
    body = replacing(life, old=None, odometer=None, witness=address("inspector-1"))
    assert "odometer_missing" in codes_of(life, WORKSHOP, body, "bmw", "inspector-1")


# --- a reading in another's place -------------------------------------------------------------------------
def test_a_reading_that_took_anothers_place_is_no_typing_error() -> None:
    """150,000 km, then 100,100 by another: amended upward to the same reading of a later day it would look like one."""
    life = wholesale()
    passed(life, 400)
    reading(life, "inspector-1", 100_000)
    passed(life, 360)
    true = reading(life, WORKSHOP, 150_000)
    passed(life, 5)
    reading(life, "workshop-hamburg", 100_100)
    passed(life, 1)
    again = reading(life, WORKSHOP, 150_000)
    life.chain.do(WORKSHOP, amend(life.chain, true, replaced_by=name_of(life.chain, again)))
    passed(life, 1)
    low = reading(life, WORKSHOP, 100_200)
    lowered = amend(life.chain, again, replaced_by=name_of(life.chain, low))
    assert ["witness_missing"] == codes_of(life, WORKSHOP, lowered)
    witnessed = replace(lowered, witness=address("inspector-2"))
    life.chain.do(WORKSHOP, witnessed, "inspector-2")
    assert "lowered" in life.chain.state(ODOMETER, VIN).reasons
    assert newest(life.chain) == car(life).record_count - 1


def test_a_low_reading_told_afterwards_makes_no_true_one_a_typing_error() -> None:
    """118,000 km, 200,000 a year later; then 119,000 dated an hour before: from there nobody drives to 200,000."""
    life = wholesale()
    passed(life, 400)
    reading(life, "inspector-1", 118_000)
    passed(life, 365)
    true = reading(life, WORKSHOP, 200_000)
    passed(life, 3)
    low = reading(life, WORKSHOP, 119_000, age_ms=3 * DAY_MS + HOUR_MS)
    again = amend(life.chain, true, replaced_by=name_of(life.chain, low))
    assert ["witness_missing"] == codes_of(life, WORKSHOP, again)


def test_a_reading_goes_down_once_within_the_tolerance_and_not_in_steps() -> None:
    life = wholesale()
    first = reading(life, WORKSHOP, 9_000)
    second, third = (reading(life, WORKSHOP, value) for value in (8_990, 8_980))
    life.chain.do(WORKSHOP, amend(life.chain, first, replaced_by=name_of(life.chain, second)))
    again = amend(life.chain, second, replaced_by=name_of(life.chain, third))
    assert ["witness_missing"] == codes_of(life, WORKSHOP, again)


def test_the_distance_counts_and_not_what_another_instrument_showed() -> None:
    """80,000 km on the second instrument, the car's 280,000th, become the first one's 80,000 of long ago."""
    life = wholesale()
    passed(life, 300)
    long_ago = life.chain.now
    passed(life, 300)
    reading(life, "inspector-1", 200_000)
    life.chain.do("workshop-hamburg", replacing(life, 200_000), HOLDER)
    passed(life, 200)
    true, early = reading(life, WORKSHOP, 80_000), reading(life, WORKSHOP, 80_000, age_ms=life.chain.now - long_ago)
    again = amend(life.chain, true, replaced_by=name_of(life.chain, early))
    assert ["witness_missing"] == codes_of(life, WORKSHOP, again)


def test_an_instrument_that_is_taken_back_lowers_no_reading() -> None:
    life = wholesale()
    passed(life, 300)
    reading(life, "inspector-1", 50_000)
    life.chain.do(WORKSHOP, replacing(life, 50_000), HOLDER)
    life.chain.do(WORKSHOP, amend(life.chain, newest(life.chain), witness=address("inspector-2")), "inspector-2")
    leaf = life.chain.state(ODOMETER, VIN)
    assert ((), 0, "LOGICAL") == (leaf.segments, leaf.lowered, leaf.verdict)


@pytest.mark.parametrize("grade", ["B", "C"])
def test_an_import_is_not_taken_back_for_its_first_reading(grade: str) -> None:
    """5 km when new, 180,000 before the import: without the import, 80,000 now would contradict nothing."""
    life = at("")
    events = tuple(
        PastEvent("inspection", life.chain.now - age * DAY_MS, "JP", value, bytes(32))
        for age, value in ((1_500, 5), (300, 180_000))
    )
    confirmer = ("registrar-1",) if grade == "B" else ()
    confirmed_by = address("registrar-1") if confirmer else None
    body = specimen(
        "vehicle.import", life.chain, grade=grade, confirmed_by=confirmed_by, history=events, odometer=km(180_500)
    )
    life.chain.do(HOLDER, body, "inspector-1", *confirmer)
    target = name_of(life.chain, 0, body.vin)
    assert ["witness_missing"] == codes_of(life, HOLDER, amend(life.chain, 0, vin=body.vin, target=target))


@pytest.mark.parametrize(("ground", "codes"), [("wrong_damage", ["witness_missing"]), ("wrong_reading", [])])
def test_arbiters_who_decide_on_the_damage_give_no_reading_away(ground: str, codes: list[str]) -> None:
    life = wholesale()
    passed(life, 700)
    life.chain.do(WORKSHOP, accident(life.chain, 200_000))
    true = newest(life.chain)
    through(life, true, "amended", ground=ground)
    life.chain.do(WORKSHOP, accident(life.chain, 199_900))
    lower = amend(life.chain, true, replaced_by=name_of(life.chain, newest(life.chain)))
    passed(life, 40)
    assert codes == codes_of(life, WORKSHOP, lower)
    life.chain.do(WORKSHOP, replace(lower, witness=address("inspector-2")), "inspector-2")
    assert bool(codes) == bool(life.chain.state(ODOMETER, VIN).lowered)


def test_what_is_decided_of_the_damage_is_amended_late_and_alone_with_the_same_reading() -> None:
    life = wholesale()
    life.chain.do(WORKSHOP, accident(life.chain, 500))
    true = newest(life.chain)
    through(life, true, "amended", ground="wrong_damage")
    passed(life, 40)
    life.chain.do(WORKSHOP, accident(life.chain, 500))
    assert [] == codes_of(life, WORKSHOP, amend(life.chain, true, replaced_by=name_of(life.chain, newest(life.chain))))
