"""What comes back of a car's fails and flags when the record of the pass that ended them is struck."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.chain import DAY_MS, HOUR_MS, address
from support.damage import repair
from support.disputing import HOLDER, WORKSHOP, amend, car, name_of, newest, through
from support.life import VIN, Life, km, where
from support.specimens import specimen
from support.stages import at, ledger_of

from node.txtypes.service.findings import Defect
from node.txtypes.vehicle.conditions import conditions_of
from node.txtypes.vehicle.regions import flags_at

BRAKES = "1.1.12"
SITES = {"inspector-1": "INS-1", "inspector-2": "INS-2"}


def inspected(life: Life, by: str, severity: str = "", **changes: object) -> int:
    """The sequence of an inspection of the brakes an hour later, presented by the holder."""
    life.chain.now += HOUR_MS
    defects = (Defect(BRAKES, severity),) if severity else ()
    plain: dict[str, object] = dict(defects=defects, odometer=km(200), valid_until_day=None, event_at_ms=life.chain.now)
    body = specimen("inspection.record", life.chain, **plain | changes)
    cosigners = (HOLDER,) if body.holder_signs else ()
    life.chain.do(by, replace(body, where=where(SITES[by])), *cosigners)
    return newest(life.chain)


def mended(life: Life) -> dict[str, object]:
    life.chain.do(WORKSHOP, repair(life.chain, "wheels mechanical", value=200))
    return dict(repair=name_of(life.chain, newest(life.chain)))


def flags(life: Life) -> list[tuple[str, int]]:
    return [(flag.name, flag.sequence) for flag in flags_at(car(life).flags, life.chain.now)]


def struck(life: Life, sequence: int, author: str, how: str) -> None:
    if how == "annulled":
        through(life, sequence, "annulled", author=author)
    else:
        witness = next(name for name in SITES if name != author)
        life.chain.do(author, amend(life.chain, sequence, witness=address(witness)), witness)


@pytest.mark.parametrize("how", ["annulled", "amended"])
def test_a_danger_is_back_with_its_flag_once_the_pass_is_struck(how: str) -> None:
    """Else a friend's pass, which arbiters have annulled, would leave a dangerous car on the road."""
    life = at("wholesale")
    fail = inspected(life, "inspector-2", "dangerous")
    noted, changes = car(life).inspection, car(life).material_changes
    passed = inspected(life, "inspector-1", **mended(life))
    assert ([], "pass", changes) == (flags(life), car(life).inspection.result, car(life).material_changes)
    struck(life, passed, "inspector-1", how)
    assert ([("unroadworthy", fail)], noted) == (flags(life), car(life).inspection)
    assert changes + 1 == car(life).material_changes
    inspected(life, "inspector-1", **mended(life))
    assert [] == flags(life)


def test_a_retest_is_owed_again_once_the_pass_is_struck() -> None:
    life = at("wholesale")
    inspected(life, "inspector-2", "major")
    noted = car(life).inspection
    struck(life, inspected(life, "inspector-1"), "inspector-1", "annulled")
    assert noted == car(life).inspection
    life.chain.now = noted.retest_due_ms
    ledger = ledger_of(life.chain)
    assert "retest_overdue" in set(conditions_of(ledger, VIN, car(life), life.chain.now, ledger.rules))


def test_who_passes_twice_answers_for_what_its_first_pass_has_ended() -> None:
    life = at("wholesale")
    inspected(life, "inspector-2", "major")
    noted = car(life).inspection
    first, second = inspected(life, "inspector-1"), inspected(life, "inspector-1")
    struck(life, first, "inspector-1", "annulled")
    assert second == car(life).inspection.sequence
    struck(life, second, "inspector-1", "annulled")
    assert noted == car(life).inspection


def test_a_later_pass_of_another_inspector_stands_alone() -> None:
    life = at("wholesale")
    inspected(life, "inspector-2", "major")
    inspected(life, "inspector-1")
    life.chain.now += 30 * DAY_MS
    later = inspected(life, "inspector-2")
    struck(life, later, "inspector-2", "amended")
    assert (None, []) == (car(life).inspection, flags(life))


def test_a_danger_that_was_none_does_not_come_back() -> None:
    """Its own record is struck, or nobody but its author had said so."""
    life = at("wholesale")
    fail = inspected(life, "inspector-2", "dangerous")
    passed = inspected(life, "inspector-1", **mended(life))
    struck(life, fail, "inspector-2", "annulled")
    struck(life, passed, "inspector-1", "annulled")
    assert (None, []) == (car(life).inspection, flags(life))
    alone = at("wholesale")
    inspected(alone, "inspector-2", "dangerous", holder_signs=False)
    passed = inspected(alone, "inspector-1", **mended(alone))
    struck(alone, passed, "inspector-1", "annulled")
    assert (None, []) == (car(alone).inspection, flags(alone))
