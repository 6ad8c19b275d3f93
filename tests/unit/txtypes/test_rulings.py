"""What amendments and decisions do to the record and to the car."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.chain import DAY_MS, address
from support.damage import loss, repair
from support.disputing import (
    ARBITERS,
    HOLDER,
    INSPECTOR,
    WITNESS,
    WORKSHOP,
    amend,
    answered,
    car,
    closed,
    conduct,
    copied,
    crashed,
    decided,
    disputed,
    name_of,
    newest,
    of,
    outcomes_of,
    passed,
    reading,
    serviced,
    shown,
    status,
    the_brand,
    through,
    total,
    voted,
    wholesale,
)
from support.life import VIN, Life, accident, register
from support.stages import change, ledger_of

from node.txtypes.disputes import rulings
from node.txtypes.disputes.dispute import (
    RECORD_DISPUTE,
    RecordStatus,
)
from node.txtypes.disputes.rulings import Ruling
from node.txtypes.disputes.types import RecordResolve, RecordWithdraw
from node.txtypes.vehicle.life import LIFE
from node.txtypes.vehicle.readings import ODOMETER, reading_of
from node.txtypes.vehicle.regions import Alert, Clearance, Flag, Inspection
from node.txtypes.vehicle.vehicle import VEHICLE, existence_now


# --- what is decided ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("outcome", "brand", "is_material"),
    [("annulled", "annulled", False), ("stands", "confirmed", True), ("undecided", "undecided", True),
     ("amended", "undecided", True)],
)  # fmt: skip
def test_a_pending_brand(outcome: str, brand: str, is_material: bool) -> None:
    life = wholesale()
    sequence = crashed(life)
    assert "pending" == the_brand(life)
    before = car(life).material_changes
    ident = disputed(life, sequence, ground="wrong_damage")
    answered(life, ident)
    if outcome == "undecided":
        for arbiter, vote in zip(ARBITERS, ("stands", "annulled", "undecided", "undecided"), strict=True):
            if not of(life, ident).outcome:
                voted(life, ident, vote, arbiter)
    else:
        decided(life, ident, outcome)
    assert (outcome, brand, outcome) == (of(life, ident).outcome, the_brand(life), status(life, sequence).outcome)
    assert before + is_material == car(life).material_changes
    assert f"decided:{outcome}" == outcomes_of(life, newest(life.chain))[0]
    passed(life, 100)
    assert brand == the_brand(life)


def test_a_brand_whose_dispute_nobody_decides_is_undecided_when_the_vote_ends() -> None:
    life = wholesale()
    sequence = crashed(life)
    passed(life, 29)
    ident = disputed(life, sequence, ground="wrong_damage")
    passed(life, 27)
    assert "pending" == the_brand(life)
    passed(life, 1)
    assert "undecided" == the_brand(life)
    closed(life, ident)
    assert "undecided" == the_brand(life)


def test_a_late_decision_confirms_or_annuls_an_undecided_brand() -> None:
    for outcome, brand in (("annulled", "annulled"), ("stands", "confirmed")):
        life = wholesale()
        ident = disputed(life, crashed(life), ground="wrong_damage")
        passed(life, 15)
        voted(life, ident, outcome, "arbiter-1", "arbiter-3")
        life.chain.do("arbiter-4", RecordResolve(ident, "undecided", "not_proven"))
        passed(life, 14)
        assert ("undecided", "due") == (the_brand(life), shown(life, RECORD_DISPUTE, ident).status)
        closed(life, ident)
        assert (outcome, brand) == (of(life, ident).outcome, the_brand(life))


def test_a_brand_whose_dispute_is_withdrawn_is_as_if_never_disputed() -> None:
    life = wholesale()
    ident = disputed(life, crashed(life), ground="wrong_damage")
    life.chain.do(HOLDER, RecordWithdraw(ident))
    passed(life, 29)
    assert "pending" == the_brand(life)
    passed(life, 1)
    assert "confirmed" == the_brand(life)


def test_a_confirmed_brand_falls_by_a_decision_only() -> None:
    life = wholesale()
    sequence = crashed(life)
    passed(life, 31)
    assert "confirmed" == the_brand(life)
    fork = copied(life)
    life.chain.do(WORKSHOP, amend(life.chain, sequence, witness=WITNESS), INSPECTOR)
    assert "confirmed" == the_brand(life)
    through(fork, sequence, "annulled", ground="wrong_damage")
    assert "annulled" == the_brand(fork)


def test_what_is_to_be_amended_falls_when_its_author_amends_it() -> None:
    life = wholesale()
    sequence = crashed(life)
    passed(life, 31)
    through(life, sequence, "amended", ground="wrong_damage")
    assert "confirmed" == the_brand(life)
    life.chain.do(WORKSHOP, accident(life.chain, 300, extent="cosmetic"))
    life.chain.do(WORKSHOP, amend(life.chain, sequence, replaced_by=name_of(life.chain, newest(life.chain))))
    assert "annulled" == the_brand(life)


def test_an_amended_report_lifts_a_pending_brand() -> None:
    life = wholesale()
    sequence = crashed(life)
    life.chain.do(WORKSHOP, accident(life.chain, 301))
    replacement = name_of(life.chain, newest(life.chain))
    before = car(life).material_changes
    life.chain.do(WORKSHOP, amend(life.chain, sequence, replaced_by=replacement))
    assert ("annulled", before) == (the_brand(life), car(life).material_changes)
    assert (replacement, True) == (status(life, sequence).superseded_by, status(life, sequence).is_superseded)


def test_a_report_that_takes_its_place_keeps_the_brand() -> None:
    """Structural damage in the first report and in the one that replaces it."""
    life = wholesale()
    first, second = crashed(life), crashed(life, value=301)
    life.chain.do(WORKSHOP, amend(life.chain, first, replaced_by=name_of(life.chain, second)))
    assert ("pending", second) == (the_brand(life), car(life).brands[0].sequence)


def test_an_annulled_reading_counts_no_more() -> None:
    life = wholesale()
    reading(life, INSPECTOR, 50_000)
    false = reading(life, WORKSHOP, 20_000)
    reading(life, "inspector-2", 50_100)
    turned = car(life)
    assert "CONTESTED" == turned.verdict
    through(life, false, "annulled", ground="wrong_reading")
    assert ("LOGICAL", turned.material_changes) == (car(life).verdict, car(life).material_changes)
    assert ("decided:annulled", "verdict:LOGICAL") == outcomes_of(life, newest(life.chain))
    leaf = life.chain.state(ODOMETER, VIN)
    assert [false] == [r.sequence for r in leaf.readings if r.state == 2]


@pytest.mark.parametrize("outcome", ["stands", "undecided", "amended"])
def test_a_reading_that_is_not_annulled_counts_on(outcome: str) -> None:
    life = wholesale()
    reading(life, INSPECTOR, 50_000)
    false = reading(life, WORKSHOP, 20_000)
    through(life, false, outcome, ground="wrong_reading")
    assert "CONTESTED" == car(life).verdict


def test_an_amended_reading_counts_no_more() -> None:
    life = wholesale()
    false = serviced(life, 200_000)
    reading(life, INSPECTOR, 210)
    assert ("CONTESTED", 1) == (car(life).verdict, car(life).maintenance_count)
    life.chain.do(WORKSHOP, amend(life.chain, false))
    assert ("LOGICAL", 0) == (car(life).verdict, car(life).maintenance_count)
    assert ("verdict:LOGICAL",) == outcomes_of(life, newest(life.chain))
    found = reading_of(life.chain.state(ODOMETER, VIN), false)
    assert found is not None and found.state == 1
    assert life.chain.store.state.record(VIN, false) is not None


def test_an_annulled_records_flags_are_cleared() -> None:
    life = wholesale()
    sequence, other = serviced(life, 200), serviced(life, 201)
    flags = tuple(
        Flag("court_hold", address("registrar-1"), "DE", b"", life.chain.now, 0, is_firm, of_record)
        for is_firm, of_record in ((True, sequence), (False, sequence), (True, other))
    )
    change(life.chain, VEHICLE, VIN, flags=flags)
    fork = copied(life)
    before = car(life).material_changes
    through(life, sequence, "annulled", ground="flag_unfounded")
    assert (flags[2:], before) == (car(life).flags, car(life).material_changes)
    fork.chain.do(WORKSHOP, amend(fork.chain, sequence, witness=WITNESS), INSPECTOR)
    assert (flags[0], flags[2]) == car(fork).flags


def test_an_annulled_inspection_clears_nothing() -> None:
    life = wholesale()
    sequence = serviced(life)
    cleared = tuple(
        Clearance(what, address(INSPECTOR), sequence, life.chain.now) for what in ("structural_release", "unroadworthy")
    )
    other = Clearance("rebuild", address(INSPECTOR), 1, life.chain.now)
    seen = Inspection(sequence, "pass", address(INSPECTOR), life.chain.now, 0, 0)
    change(life.chain, VEHICLE, VIN, clearances=(*cleared, other), inspection=seen)
    through(life, sequence, "annulled")
    found = car(life)
    assert ((other,), None, ("structural_release",)) == (
        found.clearances, found.inspection, tuple(duty.code for duty in found.duties)
    )  # fmt: skip


@pytest.mark.parametrize(
    ("outcome", "state", "accidents"),
    [("annulled", "annulled", 0), ("stands", "confirmed", 1), ("undecided", "undecided", 1)],
)
def test_an_incident_falls_and_stands_with_its_only_report(outcome: str, state: str, accidents: int) -> None:
    life = wholesale()
    sequence = crashed(life)
    assert 1 == car(life).accident_count
    through(life, sequence, outcome)
    [found] = life.chain.state(LIFE, VIN).incidents
    assert (state, accidents) == (found.state, car(life).accident_count)


@pytest.mark.parametrize("place", [0, 1])
def test_an_incident_and_its_brand_rest_on_the_other_report(place: int) -> None:
    life = wholesale()
    reports = crashed(life), crashed(life, value=301)
    through(life, reports[place], "annulled", ground="wrong_damage")
    [found] = life.chain.state(LIFE, VIN).incidents
    assert ("pending", 1, (reports[1 - place],)) == (
        found.state, found.reports, tuple(reporter.sequence for reporter in found.counted)
    )  # fmt: skip
    assert ("pending", reports[1 - place]) == (the_brand(life), car(life).brands[0].sequence)
    assert 1 == car(life).accident_count
    passed(life, 91)
    through(life, reports[1 - place], "annulled", ground="wrong_damage")
    assert ("annulled", 0) == (the_brand(life), car(life).accident_count)


def written_off(life: Life) -> int:
    """By an insurer alone."""
    life.chain.do("insurer-1", loss(life.chain, holder_signs=False))
    return newest(life.chain)


@pytest.mark.parametrize(
    ("outcome", "state", "existence"),
    [("annulled", "annulled", "born"), ("stands", "confirmed", "total_loss"), ("undecided", "undecided", "born"),
     ("amended", "undecided", "born")],
)  # fmt: skip
def test_a_provisional_total_loss(outcome: str, state: str, existence: str) -> None:
    life = wholesale()
    sequence = written_off(life)
    before = car(life).material_changes
    ident = disputed(life, sequence, ground="wrong_damage")
    answered(life, ident, "insurer-1")
    decided(life, ident, outcome)
    found = car(life)
    assert found.loss is not None
    assert (state, existence, before + (outcome != "annulled")) == (
        found.loss.state, existence_now(found, life.chain.now), found.material_changes
    )  # fmt: skip
    assert {state} == {brand.state for brand in found.brands}
    passed(life, 100)
    assert existence == existence_now(car(life), life.chain.now)


def test_a_total_loss_whose_dispute_nobody_decides_is_none_when_the_vote_ends() -> None:
    life = wholesale()
    sequence = written_off(life)
    fork = copied(life)
    disputed(life, sequence, ground="wrong_damage")
    for days in (31, 61):
        passed(life, days)
        passed(fork, days)
        assert "born" == existence_now(car(life), life.chain.now)
        assert "total_loss" == existence_now(car(fork), fork.chain.now), "undisputed"


def repaired(life: Life, *cosigners: str) -> int:
    body = repair(life.chain, "front weld", holder_signs=bool(cosigners))
    life.chain.do(WORKSHOP, body, *cosigners)
    return newest(life.chain)


@pytest.mark.parametrize(
    ("outcome", "due_in_days"), [("annulled", None), ("stands", 0), ("undecided", 30), ("amended", 30)]
)
def test_the_duty_of_a_repair(outcome: str, due_in_days: int | None) -> None:
    life = wholesale()
    sequence = repaired(life)
    [duty] = car(life).duties
    through(life, sequence, outcome)
    found = car(life).duties
    if due_in_days is None:
        assert () == found
    else:
        [after] = found
        assert after.due_ms == duty.due_ms if due_in_days else after.due_ms <= life.chain.now


def test_a_repairer_takes_back_a_duty_that_is_not_due() -> None:
    for cosigners, left in (((), 0), ((HOLDER,), 1)):
        life = wholesale()
        sequence = repaired(life, *cosigners)
        life.chain.do(WORKSHOP, amend(life.chain, sequence, witness=WITNESS), INSPECTOR)
        assert left == len(car(life).duties)


@pytest.mark.parametrize(("outcome", "state"), [("annulled", "closed"), ("stands", "confirmed")])
def test_an_alert_that_a_record_raised(outcome: str, state: str) -> None:
    life = wholesale()
    sequence = serviced(life)
    raised = (
        Alert("clone_vin", "confirmed", life.chain.now, life.chain.now, 2, sequence, address(WORKSHOP), sequence),
        Alert("part_elsewhere", "confirmed", life.chain.now, life.chain.now, 1, 0, address(WORKSHOP), 0),
    )
    change(life.chain, VEHICLE, VIN, alerts=raised)
    through(life, sequence, outcome)
    assert [state, "confirmed"] == [alert.state for alert in car(life).alerts]


def test_the_maker_voids_an_import_of_a_false_identity() -> None:
    """The import is put in place: the record's kind is what counts."""
    life = wholesale()
    ledger, imported = ledger_of(life.chain), replace(car(life), origin="imported", existence="in_service")
    for kind, ground, standing, name, existence in (
        ("vehicle.import", "false_identity", "maker", "annulled", "voided"),
        ("vehicle.import", "false_identity", "maker", "stands", "in_service"),
        ("vehicle.import", "false_identity", "holder", "annulled", "in_service"),
        ("vehicle.import", "wrong_date", "maker", "annulled", "in_service"),
        ("odometer.read", "false_identity", "maker", "annulled", "in_service"),
    ):
        ruled = rulings.carry_out(ledger, Ruling(name, VIN, 0, kind, ground, standing), imported)
        assert (existence, existence == "voided") == (ruled.vehicle.existence, ruled.is_material)


def test_a_decision_that_changes_nothing_is_not_material() -> None:
    life = wholesale()
    reading(life, INSPECTOR, 190)
    sequence = serviced(life)
    before = car(life).material_changes
    through(life, sequence, "annulled")
    assert (before, 0) == (car(life).material_changes, car(life).maintenance_count)


def test_other_disputes_about_an_annulled_record_have_reached_their_aim() -> None:
    life = wholesale()
    passed(life, 91)
    sequence = serviced(life)
    mine, sellers = disputed(life, sequence), disputed(life, sequence, "bmw")
    answered(life, mine)
    decided(life, mine, "annulled")
    assert ("annulled", "annulled") == (of(life, mine).outcome, of(life, sellers).outcome)
    assert (1, 0) == (total(life, WORKSHOP, "annulled"), len(conduct(life, WORKSHOP).answers_due))
    assert () == life.chain.state(LIFE, VIN).disputes


def test_a_retraction_ends_the_dispute_for_its_opener() -> None:
    life = wholesale()
    sequence = serviced(life, 200_000)
    reading(life, INSPECTOR, 210)
    ident = disputed(life, sequence)
    answered(life, ident, answer="withdraws")
    assert ("amended", True, "LOGICAL") == (
        of(life, ident).outcome, status(life, sequence).is_superseded, car(life).verdict
    )  # fmt: skip
    assert (0, 0) == (total(life, WORKSHOP, "annulled"), total(life, HOLDER, "dismissed"))


def test_a_record_of_another_car_is_marked_and_stays() -> None:
    life = wholesale()
    other = "WBA8E9G50GNU12346"
    life.chain.do("bmw", register(other))
    sequence = serviced(life)
    serviced(life, 200, vin=other)
    right = name_of(life.chain, newest(life.chain, other), other)
    body = amend(life.chain, sequence, reason="wrong_vehicle", belongs_to=other, replaced_by=right, witness=WITNESS)
    life.chain.do(WORKSHOP, body, INSPECTOR)
    assert RecordStatus(right, other, True, "", (), False) == status(life, sequence)
    assert 0 == car(life).maintenance_count and 1 == life.chain.state(VEHICLE, other).maintenance_count


def test_a_service_of_long_ago_was_never_counted_and_is_not_taken_away() -> None:
    life = wholesale()
    life.chain.now += 500 * DAY_MS
    counted = serviced(life, 300)
    backfilled = serviced(life, 250, event_at_ms=life.chain.now - 401 * DAY_MS)
    assert 1 == car(life).maintenance_count
    for sequence, left in ((backfilled, 1), (counted, 0)):
        ident = disputed(life, sequence)
        answered(life, ident)
        decided(life, ident, "annulled")
        assert left == car(life).maintenance_count


@pytest.mark.parametrize("is_raiser_struck", [False, True])
def test_an_alert_outlives_the_annulled_record_that_confirmed_it(is_raiser_struck: bool) -> None:
    """Else a friend would confirm an honest workshop's alert with an evident untruth, and have both annulled."""
    life = wholesale()
    raised, confirmed = serviced(life), serviced(life, 201)
    now = life.chain.now
    alert = Alert("clone_vin", "confirmed", now, now, 2, confirmed, address("workshop-hamburg"), raised)
    change(life.chain, VEHICLE, VIN, alerts=(alert,))
    if is_raiser_struck:
        through(life, raised, "annulled")
        assert "confirmed" == car(life).alerts[0].state
    through(life, confirmed, "annulled")
    expected = ("closed", confirmed) if is_raiser_struck else ("reported", raised)
    assert expected == (car(life).alerts[0].state, car(life).alerts[0].sequence)
