"""What becomes of damage, repairs and total losses when their records are disputed, annulled or taken back."""

from __future__ import annotations

import pytest
from support.chain import address
from support.disputing import (
    HOLDER,
    WORKSHOP,
    amend,
    answered,
    car,
    crashed,
    decided,
    disputed,
    newest,
    of,
    the_brand,
    through,
    wholesale,
)
from support.life import VIN, accident, km
from support.specimens import specimen

from node.txtypes.service.repair import Operation
from node.txtypes.vehicle.brands import brand_state
from node.txtypes.vehicle.life import LIFE
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
    assert ("pending", 1, [kept]) == (found.state, found.reports, [entry.sequence for entry in found.reporters])
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


def test_a_repair_that_was_not_done_needs_no_release() -> None:
    life = wholesale()
    operations = (Operation("front", "weld"),)
    life.chain.do(WORKSHOP, specimen("repair.record", life.chain, operations=operations, odometer=km(300)))
    assert 1 == len(car(life).duties)
    through(life, newest(life.chain), "annulled")
    assert ((), "annulled") == (car(life).duties, the_brand(life))


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
