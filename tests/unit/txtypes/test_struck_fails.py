"""Fails and repairs that are struck, or that their author takes back alone: what ends a car's danger, and what not."""

from __future__ import annotations

from msgspec.structs import replace
from support.chain import address
from support.disputing import HOLDER, INSPECTOR, WORKSHOP, amend, car, name_of, newest, passed, through, wholesale
from support.life import VIN, Life, km, where
from support.ordering import codes_of
from support.specimens import specimen
from support.stages import ledger_of

from node.rules.inspection_items import INSPECTION_ITEMS
from node.txtypes.service.findings import Defect
from node.txtypes.service.inspection import InspectionRecord
from node.txtypes.service.repair import Operation
from node.txtypes.vehicle.conditions import conditions_of

BRAKES, SECOND = "1.1.12", "inspector-2"
BLOCKING = {"retest_overdue", "unroadworthy"}


def inspected(
    life: Life, sender: str, *defects: tuple[str, str], others: tuple[str, ...] = (), **changes: object
) -> int:
    life.chain.do(sender, inspection(life, sender, *defects, **changes), HOLDER, *others)
    return newest(life.chain)


def inspection(life: Life, sender: str, *defects: tuple[str, str], **changes: object) -> InspectionRecord:
    site = {INSPECTOR: "INS-1", SECOND: "INS-2"}[sender]
    plain: dict[str, object] = dict(odometer=km(200), valid_until_day=None, where=where(site))
    found = tuple(Defect(*entry) for entry in defects)
    body: InspectionRecord = specimen("inspection.record", life.chain, defects=found, **plain | changes)
    return body


def blocking(life: Life) -> set[str]:
    ledger = ledger_of(life.chain)
    return BLOCKING & set(conditions_of(ledger, VIN, car(life), life.chain.now, ledger.rules))


def test_a_later_danger_is_not_forgotten_with_an_annulled_pass() -> None:
    life = wholesale()
    inspected(life, INSPECTOR, (BRAKES, "major"))
    false = inspected(life, SECOND)
    found = inspected(life, INSPECTOR, (BRAKES, "dangerous"))
    through(life, false, "annulled", author=SECOND)
    assert [found] == [flag.sequence for flag in car(life).flags]


def test_a_further_fail_puts_no_retest_off_nor_does_its_author_take_it_back() -> None:
    """Else a friend fails the car anew and takes that back: what the first inspector found is gone without a pass."""
    life = wholesale()
    inspected(life, INSPECTOR, (BRAKES, "major"))
    passed(life, 40)
    again = inspected(life, SECOND, (BRAKES, "major"))
    assert {"retest_overdue"} == blocking(life)
    other = inspected(life, SECOND, checklist="USED-CAR", kind="buyer")
    life.chain.do(SECOND, amend(life.chain, again, replaced_by=name_of(life.chain, other)))
    assert {"retest_overdue"} == blocking(life)
    inspected(life, SECOND)
    assert set() == blocking(life)


def test_a_fail_that_arbiters_annul_is_none() -> None:
    life = wholesale()
    through(life, inspected(life, INSPECTOR, (BRAKES, "major")), "annulled", author=INSPECTOR)
    passed(life, 70)
    assert set() == blocking(life)


def test_a_repair_that_counts_no_more_ends_no_danger() -> None:
    life = wholesale()
    inspected(life, INSPECTOR, (BRAKES, "dangerous"))
    passed(life, 1)
    work = (Operation(sorted(INSPECTION_ITEMS[BRAKES].zones & {"wheels"})[0], "replace_part"),)
    life.chain.do(WORKSHOP, specimen("repair.record", life.chain, incident=None, operations=work, odometer=km(210)))
    repair = name_of(life.chain, newest(life.chain))
    by_it = inspection(life, SECOND, repair=repair, odometer=km(220))
    assert [] == codes_of(life, SECOND, by_it, HOLDER)
    life.chain.do(WORKSHOP, amend(life.chain, newest(life.chain), witness=address(INSPECTOR)), INSPECTOR)
    assert ["record_unknown"] == codes_of(life, SECOND, by_it, HOLDER)
    inspected(life, SECOND, odometer=km(220))
    assert {"unroadworthy"} == blocking(life)
    assert [] == codes_of(life, SECOND, replace(by_it, repair=None), HOLDER)
