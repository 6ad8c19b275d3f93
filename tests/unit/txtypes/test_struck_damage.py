"""What becomes of damage, repairs and total losses when their records are disputed, annulled or taken back."""

from __future__ import annotations

import pytest
from support.chain import DAY_MS, address
from support.damage import SECOND_WORKSHOP, give_role, loss, repair, report
from support.disputing import (
    HOLDER,
    WORKSHOP,
    amend,
    answered,
    car,
    crashed,
    decided,
    disputed,
    name_of,
    newest,
    of,
    the_brand,
    through,
    wholesale,
)
from support.life import VIN, accident, km, where
from support.specimens import specimen

from node.txtypes.service.repair import Operation
from node.txtypes.vehicle.brands import brand_state
from node.txtypes.vehicle.life import LIFE, unproven_at
from node.txtypes.vehicle.vehicle import existence_now


@pytest.mark.parametrize("struck", [0, 1])
def test_an_incident_of_two_reports_falls_with_the_last(struck: int) -> None:
    """So does the brand that both tell: nobody takes another's word back."""
    life = wholesale()
    told = [crashed(life), crashed(life, value=301)]
    kept = told.pop(1 - struck)
    through(life, told[0], "annulled")
    [found] = life.chain.state(LIFE, VIN).incidents
    assert 1 == car(life).accident_count
    assert ("pending", 1, [kept]) == (found.state, found.reports, [entry.sequence for entry in found.counted])
    assert ("pending", kept, ()) == (the_brand(life), car(life).brands[0].sequence, car(life).brands[0].others)
    through(life, kept, "annulled")
    assert ("annulled", "annulled") == (life.chain.state(LIFE, VIN).incidents[0].state, the_brand(life))
    assert 0 == car(life).accident_count


def test_a_brand_is_pending_while_one_of_its_records_is_disputed() -> None:
    life = wholesale()
    first, second = crashed(life), crashed(life, value=301)
    ident = disputed(life, second, HOLDER, "not_done")
    ends = of(life, ident).ends_at_ms
    assert ends == car(life).brands[0].disputed_until_ms
    assert ((first, second), "pending") == (car(life).brands[0].records, the_brand(life))


@pytest.mark.parametrize(
    ("outcome", "state", "existence"),
    [("annulled", "annulled", "born"), ("stands", "confirmed", "total_loss"), ("undecided", "undecided", "born")],
)
def test_a_total_loss_that_one_insurer_reports_falls_and_stands_with_its_record(
    outcome: str, state: str, existence: str
) -> None:
    life = wholesale()
    life.chain.do("insurer-1", specimen("vehicle.total_loss", life.chain, holder_signs=False))
    sequence = newest(life.chain)
    before = car(life).material_changes
    ident = disputed(life, sequence, HOLDER, "not_done")
    assert of(life, ident).ends_at_ms == car(life).loss.disputed_until_ms
    answered(life, ident, "insurer-1")
    decided(life, ident, outcome)
    assert state == car(life).loss.state
    assert {state} == {brand_state(brand, life.chain.now) for brand in car(life).brands}
    assert existence == existence_now(car(life), life.chain.now)
    assert before + (outcome != "annulled") == car(life).material_changes


@pytest.mark.parametrize("first_is", ["counting", "undecided", "annulled"])
def test_a_loss_is_as_the_first_insurer_says_once_the_second_is_annulled(first_is: str) -> None:
    """Else a friend would confirm an honest insurer's report, and have it fall with its own."""
    life = wholesale()
    give_role(life.chain, "carrier-1", "insurer")
    life.chain.do("insurer-1", loss(life.chain, "B"))
    first = newest(life.chain)
    if first_is == "undecided":
        through(life, first, "undecided", author="insurer-1")
    life.chain.do("carrier-1", loss(life.chain, "N"))
    second = newest(life.chain)
    assert "total_loss" == existence_now(car(life), life.chain.now)
    if first_is == "annulled":
        through(life, first, "annulled", author="insurer-1")
    through(life, second, "annulled", author="carrier-1")
    found, now = car(life).loss, life.chain.now
    expected = {"counting": ("B", "pending", first), "undecided": ("B", "undecided", first),
                "annulled": ("N", "annulled", second)}  # fmt: skip
    assert expected[first_is] == (found.category, brand_state(found, now), found.sequence)
    assert (first_is == "counting") == ("total_loss" == existence_now(car(life), now + 30 * DAY_MS))


def test_a_repair_that_was_not_done_needs_no_release() -> None:
    life = wholesale()
    operations = (Operation("front", "weld"),)
    life.chain.do(WORKSHOP, specimen("repair.record", life.chain, operations=operations, odometer=km(300)))
    assert 1 == len(car(life).duties)
    through(life, newest(life.chain), "annulled")
    assert ((), "annulled") == (car(life).duties, the_brand(life))


@pytest.mark.parametrize("is_signed", [False, True])
@pytest.mark.parametrize("struck", [0, 1])
def test_a_duty_of_two_repairs_rests_on_the_one_left(struck: int, is_signed: bool) -> None:
    """Else a partner's record, taken back at once, would spare another's structural repair its release."""
    life, cosigners = wholesale(), (HOLDER,) if is_signed else ()
    give_role(life.chain, SECOND_WORKSHOP, "workshop", ("structural",))
    told = []
    for author, zone in ((SECOND_WORKSHOP, "front"), (WORKSHOP, "rear")):
        life.chain.do(author, repair(life.chain, f"{zone} weld", value=300, holder_signs=is_signed), *cosigners)
        told.append(newest(life.chain))
    due_ms, authors = car(life).duties[0].due_ms, (SECOND_WORKSHOP, WORKSHOP)
    if is_signed:
        through(life, told[struck], "annulled", author=authors[struck])
    else:
        witnessed = amend(life.chain, told[struck], witness=address("inspector-1"))
        life.chain.do(authors[struck], witnessed, "inspector-1")
    [duty] = car(life).duties
    assert ("structural_release", told[1 - struck], due_ms) == (duty.code, duty.sequence, duty.due_ms)


@pytest.mark.parametrize("is_signed", [False, True])
def test_an_author_alone_takes_back_what_is_not_confirmed(is_signed: bool) -> None:
    """Neither the holder's own word nor a duty that is due is lifted by who wrote it."""
    life, cosigners = wholesale(), (HOLDER,) if is_signed else ()
    operations = (Operation("front", "weld"),)
    body = specimen("repair.record", life.chain, operations=operations, odometer=km(300), holder_signs=is_signed)
    life.chain.do(WORKSHOP, body, *cosigners)
    life.chain.do(WORKSHOP, amend(life.chain, newest(life.chain), witness=address("inspector-1")), "inspector-1")
    assert (is_signed, "confirmed" if is_signed else "annulled") == (bool(car(life).duties), the_brand(life))
    life.chain.do(WORKSHOP, accident(life.chain, 301, holder_signs=is_signed), *cosigners)
    life.chain.do(WORKSHOP, amend(life.chain, newest(life.chain), witness=address("inspector-1")), "inspector-1")
    [incident] = life.chain.state(LIFE, VIN).incidents
    assert (incident.state, car(life).accident_count) == (("confirmed", 1) if is_signed else ("annulled", 0))


def test_an_incident_is_what_the_reports_left_say() -> None:
    """Not as severe, nor as confirmed, as a report that arbiters have annulled."""
    life = wholesale()
    life.chain.do(WORKSHOP, accident(life.chain, 300))
    life.chain.do(SECOND_WORKSHOP, report(life.chain, "front roof", extent="structural", value=301, airbags=4))
    [before] = life.chain.state(LIFE, VIN).incidents
    assert ("total_candidate", ("front", "roof"), "confirmed") == (before.severity, before.damaged, before.state)
    through(life, newest(life.chain), "annulled", author=SECOND_WORKSHOP)
    [found] = life.chain.state(LIFE, VIN).incidents
    assert ("minor", ("front",), "pending", 1) == (found.severity, found.damaged, found.state, found.reports)
    assert {"annulled"} == {brand.state for brand in car(life).brands}
    assert "confirmed" == brand_state(found, life.chain.now + 30 * DAY_MS)


def test_two_reports_left_still_confirm_each_other() -> None:
    life = wholesale()
    crashed(life)
    life.chain.do(SECOND_WORKSHOP, report(life.chain, value=301))
    life.chain.do("insurer-1", report(life.chain, value=301))
    through(life, newest(life.chain), "annulled", author="insurer-1")
    assert "confirmed" == life.chain.state(LIFE, VIN).incidents[0].state


def test_a_repair_and_a_release_count_while_their_records_do() -> None:
    life = wholesale()
    incident = name_of(life.chain, crashed(life))
    mended = repair(life.chain, "front section", value=302, incident=incident, holder_signs=True)
    life.chain.do(WORKSHOP, mended, HOLDER)
    repaired = newest(life.chain)
    release = specimen(
        "inspection.record", life.chain, checklist="STRUCTURAL", kind="structural_release", defects=(),
        odometer=km(310), where=where("INS-2"), valid_until_day=None,
    )  # fmt: skip
    life.chain.do("inspector-2", release, HOLDER)
    released = newest(life.chain)
    [found] = life.chain.state(LIFE, VIN).incidents
    assert (True, True, ()) == (found.is_repaired, found.is_released, car(life).duties)
    through(life, released, "annulled", author="inspector-2")
    [found] = life.chain.state(LIFE, VIN).incidents
    assert (True, False, 1) == (found.is_repaired, found.is_released, len(car(life).duties))
    through(life, repaired, "annulled")
    [found] = life.chain.state(LIFE, VIN).incidents
    assert (False, False) == (found.is_repaired, found.is_released)


@pytest.mark.parametrize(("is_signed", "days", "zones"), [(False, 0, ()), (False, 30, ("interior",)),
                                                          (True, 0, ("interior",))])  # fmt: skip
def test_parts_that_no_record_names_count_as_their_brand_does(is_signed: bool, days: int, zones: tuple) -> None:
    """One workshop alone blocks no rebuild at once, and none once arbiters have annulled its record."""
    life = wholesale()
    body = repair(life.chain, "interior replace_airbag", value=300, parts=(), holder_signs=is_signed)
    life.chain.do(WORKSHOP, body, *((HOLDER,) if is_signed else ()))
    sequence = newest(life.chain)
    life.chain.now += days * DAY_MS
    assert zones == unproven_at(life.chain.state(LIFE, VIN), life.chain.now)
    life.chain.do(SECOND_WORKSHOP, repair(life.chain, "interior refinish", value=301))
    proof = newest(life.chain)
    assert () == unproven_at(life.chain.state(LIFE, VIN), life.chain.now)
    through(life, proof, "annulled", author=SECOND_WORKSHOP)
    assert zones == unproven_at(life.chain.state(LIFE, VIN), life.chain.now)
    through(life, sequence, "annulled")
    assert () == life.chain.state(LIFE, VIN).unproven


@pytest.mark.parametrize("is_signed", [False, True])
def test_an_author_alone_takes_back_unnamed_parts_that_nobody_has_confirmed(is_signed: bool) -> None:
    life = wholesale()
    body = repair(life.chain, "interior replace_airbag", value=300, parts=(), holder_signs=is_signed)
    life.chain.do(WORKSHOP, body, *((HOLDER,) if is_signed else ()))
    life.chain.do(WORKSHOP, amend(life.chain, newest(life.chain), witness=address("inspector-1")), "inspector-1")
    assert is_signed == bool(life.chain.state(LIFE, VIN).unproven)
