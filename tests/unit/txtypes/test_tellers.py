"""Who has told a brand: nobody's records crowd out those of others, and nobody alone makes offers stale at will."""

from __future__ import annotations

import pytest
from support.chain import DAY_MS, address
from support.damage import INSURER, SECOND_WORKSHOP, brands, give_role, group, life_of, loss, repair, report
from support.disputing import HOLDER, WORKSHOP, amend, car, name_of, newest, through, wholesale
from support.life import VIN, Life, km, where
from support.specimens import specimen
from support.stages import change

from node.txtypes.service.findings import Defect
from node.txtypes.vehicle.vehicle import VEHICLE

INSPECTOR = "inspector-1"


def taken_back(life: Life, *sequences: int, author: str = WORKSHOP) -> None:
    for sequence in sequences:
        life.chain.do(author, amend(life.chain, sequence, witness=address(INSPECTOR)), INSPECTOR)


def told_by(life: Life, author: str, zone: str) -> int:
    life.chain.do(author, report(life.chain, zone, extent="structural", value=300))
    return newest(life.chain)


def test_nobody_crowds_out_the_record_of_another() -> None:
    """Two partners tell four times, an insurer once: what they take back leaves what it says."""
    life = wholesale()
    group(life.chain, "partners", WORKSHOP, SECOND_WORKSHOP)
    told = [told_by(life, WORKSHOP, zone) for zone in ("front", "rear")]
    others = [told_by(life, SECOND_WORKSHOP, zone) for zone in ("roof", "underbody")]
    honest = told_by(life, INSURER, "left_side")
    assert honest in car(life).brands[0].records
    taken_back(life, *told)
    taken_back(life, *others, author=SECOND_WORKSHOP)
    assert ("pending", (honest,)) == (car(life).brands[0].state, car(life).brands[0].records)


def test_where_four_strangers_have_told_a_fifth_is_left_out() -> None:
    life = wholesale()
    names = (WORKSHOP, SECOND_WORKSHOP, INSURER, "carrier-1", "dismantler-1")
    for name in names[3:]:
        give_role(life.chain, name, "workshop")
    told = [told_by(life, name, "front") for name in names]
    assert (tuple(told[:4]), "confirmed") == (car(life).brands[0].records, car(life).brands[0].state)


@pytest.mark.parametrize("is_taken_back", [False, True])
def test_a_group_alone_reports_two_structural_repairs_in_180_days(is_taken_back: bool) -> None:
    life = wholesale()
    give_role(life.chain, SECOND_WORKSHOP, "workshop", ("structural",))
    group(life.chain, "partners", WORKSHOP, SECOND_WORKSHOP)
    for author in (WORKSHOP, SECOND_WORKSHOP):
        life.chain.do(author, repair(life.chain, "front weld", value=300))
        if is_taken_back:
            taken_back(life, newest(life.chain), author=author)
    third = repair(life.chain, "rear weld", value=300)
    assert ["reports_on_vehicle"] == life.chain.unmet(life.chain.sign(WORKSHOP, third))
    signed = repair(life.chain, "rear weld", value=300, holder_signs=True)
    assert [] == life.chain.unmet(life.chain.sign(WORKSHOP, signed, HOLDER))
    assert [] == life.chain.unmet(life.chain.sign(WORKSHOP, repair(life.chain, value=300)))
    assert 2 == sum(len(entry.alone) for entry in life_of(life.chain).repairers)
    life.chain.now += 180 * DAY_MS
    assert [] == life.chain.unmet(life.chain.sign(WORKSHOP, repair(life.chain, "rear weld", value=300)))


def test_a_loss_of_before_the_import_is_told_alone_once_in_180_days() -> None:
    life = wholesale()
    change(life.chain, VEHICLE, VIN, origin="imported", covered_since_ms=life.chain.now, grade="C")
    long_ago = life.chain.now - 1
    life.chain.do(INSURER, loss(life.chain, event_at_ms=long_ago))
    again = loss(life.chain, event_at_ms=long_ago)
    assert ["loss_cooldown"] == life.chain.unmet(life.chain.sign(INSURER, again))
    signed = loss(life.chain, event_at_ms=long_ago, holder_signs=True)
    assert [] == life.chain.unmet(life.chain.sign(INSURER, signed, HOLDER))


def tampered(life: Life, *cosigners: str, inspector: str = INSPECTOR) -> int:
    site = {"inspector-1": "INS-1", "inspector-2": "INS-2"}[inspector]
    body = specimen(
        "inspection.record", life.chain, defects=(Defect("7.11", "major"),), odometer=km(300), valid_until_day=None,
        where=where(site), holder_signs=bool(cosigners),
    )  # fmt: skip
    life.chain.do(inspector, body, *cosigners)
    return newest(life.chain)


def test_a_brand_that_fell_with_its_author_is_entered_anew_by_another_only() -> None:
    """Else one inspector would make the car's offers stale every day."""
    life = wholesale()
    through(life, tampered(life), "annulled")
    before = car(life).material_changes
    tampered(life)
    assert ({"odometer_altered": "annulled"}, before) == (brands(life.chain), car(life).material_changes)
    tampered(life, inspector="inspector-2")
    assert ({"odometer_altered": "pending"}, before + 1) == (brands(life.chain), car(life).material_changes)


def test_the_holder_confirms_at_once_what_its_author_had_taken_back() -> None:
    life = wholesale()
    through(life, tampered(life), "annulled")
    tampered(life, HOLDER)
    assert {"odometer_altered": "confirmed"} == brands(life.chain)


def test_a_corrected_finding_keeps_its_brand() -> None:
    life = wholesale()
    wrong, right = tampered(life), tampered(life)
    life.chain.do(INSPECTOR, amend(life.chain, wrong, replaced_by=name_of(life.chain, right)))
    assert ("pending", (right,)) == (car(life).brands[0].state, car(life).brands[0].records)
