"""What amendments and disputes do: to the record, the car, the reading, the brand, the conduct of those involved."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations, product

import pytest
from msgspec.structs import replace
from support.chain import DAY_MS, address
from support.disputing import (
    ARBITERS,
    amend,
    answered,
    car,
    closed,
    copied,
    crashed,
    decided,
    dispute,
    disputed,
    name_of,
    newest,
    of,
    passed,
    reading,
    serviced,
    shown,
    status,
    voted,
    wholesale,
)
from support.governing import carry_out, codes_of
from support.life import VIN, Life, accident, handover, maintenance, register
from support.stages import at, change, force, ledger_of

from node import limits
from node.codec import encode
from node.ledger.fields import RecordName
from node.rules.disputes import DISPUTE_OUTCOMES, DISPUTE_STANDINGS
from node.txtypes.chain.actions import HoldLift, RoleGrant, RoleSetStatus
from node.txtypes.disputes import arbiters, rulings
from node.txtypes.disputes.arbiters import ARBITERS as NAMED
from node.txtypes.disputes.arbiters import ARBITERS_MAX, Arbiters, Cast, is_settled, outcome_of
from node.txtypes.disputes.dispute import (
    OPEN_DISPUTES,
    OPEN_PER_MEMBER_MAX,
    RECORD_DISPUTE,
    OpenDisputes,
    OpenOfAccount,
    RecordDispute,
    RecordStatus,
    Vote,
    open_of_account,
)
from node.txtypes.disputes.rulings import Ruling
from node.txtypes.disputes.types import RecordResolve, RecordWithdraw
from node.txtypes.history import decode_record
from node.txtypes.members import conduct as conducts
from node.txtypes.members.conduct import CONDUCT, NO_CONDUCT, QUARTER_MS, Conduct, Quarter, conduct_at, counted
from node.txtypes.vehicle.life import DISPUTES_MAX, LIFE, NO_LIFE, Incident, OpenDispute
from node.txtypes.vehicle.odometer import ODOMETER, reading_of
from node.txtypes.vehicle.regions import Clearance, Flag, Inspection, brand_state
from node.txtypes.vehicle.vehicle import VEHICLE

WORKSHOP, HOLDER, INSPECTOR = "workshop-berlin", "dealer-munich", "inspector-1"
WITNESS = address(INSPECTOR)


def outcomes_of(life: Life, sequence: int) -> tuple[str, ...]:
    raw = life.chain.store.state.record(VIN, sequence)
    assert raw is not None
    return decode_record(raw).content.outcome


def conduct(life: Life, account: str) -> Conduct:
    return conduct_at(life.chain.state(CONDUCT, address(account)) or NO_CONDUCT, life.chain.now)


def total(life: Life, account: str, counter: str) -> int:
    return sum(getattr(entry, counter) for entry in conduct(life, account).quarters)


def the_brand(life: Life) -> str:
    [brand] = car(life).brands
    return brand_state(brand, life.chain.now)


def through(life: Life, sequence: int, outcome: str, sender: str = HOLDER, ground: str = "not_done") -> bytes:
    """A dispute from its opening to its decision."""
    ident = disputed(life, sequence, sender, ground)
    author = "workshop-berlin" if of(life, ident).author == address(WORKSHOP) else INSPECTOR
    answered(life, ident, author)
    decided(life, ident, outcome)
    return ident


# --- the way of a dispute -----------------------------------------------------------------------------------
def test_a_dispute_is_shown_and_changes_nothing_that_a_buyer_agreed_to() -> None:
    life = wholesale()
    sequence = serviced(life)
    before = car(life)
    ident = disputed(life, sequence)
    after = car(life)
    assert (before.material_head, before.material_changes) == (after.material_head, after.material_changes)
    assert before.record_count + 1 == after.record_count
    assert (1, "awaiting_answer") == (
        shown(life, VEHICLE, VIN).disputes_open, shown(life, RECORD_DISPUTE, ident).status
    )  # fmt: skip
    found = of(life, ident)
    assert ("maintenance.record", address(WORKSHOP), address(HOLDER), "holder") == (
        found.kind, found.author, found.opener, found.standing
    )  # fmt: skip
    assert (found.opened_at_ms + 14 * DAY_MS, found.opened_at_ms + 28 * DAY_MS) == (
        found.answer_by_ms, found.ends_at_ms
    )  # fmt: skip
    assert (ident,) == status(life, sequence).disputes


def test_an_answer_begins_the_vote() -> None:
    life = wholesale()
    ident = disputed(life, serviced(life))
    passed(life, 3)
    at_ms = life.chain.now
    answered(life, ident, answer="evidence")
    found = of(life, ident)
    assert ("evidence", at_ms, at_ms + 14 * DAY_MS) == (found.answer, found.answer_by_ms, found.ends_at_ms)
    assert "voting" == shown(life, RECORD_DISPUTE, ident).status
    assert (at_ms + 14 * DAY_MS,) == tuple(e.ends_at_ms for e in life.chain.state(LIFE, VIN).disputes)
    assert (at_ms + 14 * DAY_MS,) == tuple(
        e.ends_at_ms for e in life.chain.state(OPEN_DISPUTES, address(HOLDER)).disputes
    )


def test_silence_counts_against_the_author_and_decides_nothing() -> None:
    life = wholesale()
    ident = disputed(life, serviced(life))
    passed(life, 13)
    assert (0, False) == (
        total(life, WORKSHOP, "unanswered"), shown(life, RECORD_DISPUTE, ident).is_unanswered
    )  # fmt: skip
    passed(life, 15)
    found = shown(life, RECORD_DISPUTE, ident)
    assert (1, True, "due", "undecided") == (
        total(life, WORKSHOP, "unanswered"), found.is_unanswered, found.status, found.outcome
    )  # fmt: skip
    assert 0 == shown(life, VEHICLE, VIN).disputes_open
    closed(life, ident)
    assert ("undecided", 1, 1) == (
        of(life, ident).outcome, total(life, WORKSHOP, "unanswered"), car(life).maintenance_count
    )  # fmt: skip
    assert ("decided:undecided",) == outcomes_of(life, newest(life.chain))


def test_of_a_member_without_a_role_no_answer_is_waited_for() -> None:
    life = wholesale()
    sequence = serviced(life)
    carry_out(life.chain, RoleSetStatus(address(WORKSHOP), "workshop", "revoked", "ended"))
    ident = disputed(life, sequence)
    assert ("voting", 0) == (
        shown(life, RECORD_DISPUTE, ident).status, len(conduct(life, WORKSHOP).answers_due)
    )  # fmt: skip
    passed(life, 20)
    assert (0, False) == (
        total(life, WORKSHOP, "unanswered"), shown(life, RECORD_DISPUTE, ident).is_unanswered
    )  # fmt: skip


def test_who_withdraws_in_time_loses_nothing() -> None:
    life = wholesale()
    first, second = serviced(life, 200), serviced(life, 210)
    early, late = disputed(life, first), disputed(life, second)
    answered(life, late)
    voted(life, late, "stands", "arbiter-1")
    for ident in (early, late):
        life.chain.do(HOLDER, RecordWithdraw(ident))
        assert "withdrawn" == of(life, ident).outcome
    assert 1 == total(life, HOLDER, "dismissed")
    assert () == conduct(life, WORKSHOP).answers_due
    assert () == life.chain.state(LIFE, VIN).disputes
    assert life.chain.state(OPEN_DISPUTES, address(HOLDER)) is None
    passed(life, 30)
    assert 0 == total(life, WORKSHOP, "unanswered")


# --- what is decided ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("outcome", "brand", "is_material"),
    [("annulled", "annulled", True), ("stands", "confirmed", True), ("undecided", "undecided", True),
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
    assert (f"decided:{outcome}",) == outcomes_of(life, newest(life.chain))
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
    life.chain.do(WORKSHOP, amend(life.chain, sequence))
    assert "annulled" == the_brand(life)


def test_an_amended_report_lifts_a_pending_brand() -> None:
    life = wholesale()
    sequence = crashed(life)
    life.chain.do(WORKSHOP, accident(life.chain, 301))
    replacement = name_of(life.chain, newest(life.chain))
    before = car(life).material_changes
    life.chain.do(WORKSHOP, amend(life.chain, sequence, replaced_by=replacement))
    assert ("annulled", before + 1) == (the_brand(life), car(life).material_changes)
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
    assert "ILLOGICAL" == turned.verdict
    through(life, false, "annulled", ground="wrong_reading")
    assert ("LOGICAL", turned.material_changes + 1) == (car(life).verdict, car(life).material_changes)
    leaf = life.chain.state(ODOMETER, VIN)
    assert [false] == [r.sequence for r in leaf.readings if r.state == 2]


@pytest.mark.parametrize("outcome", ["stands", "undecided", "amended"])
def test_a_reading_that_is_not_annulled_counts_on(outcome: str) -> None:
    life = wholesale()
    reading(life, INSPECTOR, 50_000)
    false = reading(life, WORKSHOP, 20_000)
    through(life, false, outcome, ground="wrong_reading")
    assert "ILLOGICAL" == car(life).verdict


def test_an_amended_reading_counts_no_more() -> None:
    life = wholesale()
    false = serviced(life, 200_000)
    reading(life, INSPECTOR, 210)
    assert ("ILLOGICAL", 1) == (car(life).verdict, car(life).maintenance_count)
    life.chain.do(WORKSHOP, amend(life.chain, false))
    assert ("LOGICAL", 0) == (car(life).verdict, car(life).maintenance_count)
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
    assert (flags[2:], before + 1) == (car(life).flags, car(life).material_changes)
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


@pytest.mark.parametrize(("outcome", "state"), [("annulled", "annulled"), ("stands", "confirmed"),
                                                ("undecided", "pending")])  # fmt: skip
@pytest.mark.parametrize("reports", [1, 2])
def test_an_incident_falls_and_stands_with_its_only_report(outcome: str, state: str, reports: int) -> None:
    life = wholesale()
    sequence = crashed(life)
    incident = Incident(
        0, 0, sequence, bytes(32), address(WORKSHOP), b"", ("front",), "severe", reports, "pending", False, False
    )  # fmt: skip
    force(life.chain, LIFE, VIN, replace(life.chain.state(LIFE, VIN) or NO_LIFE, incidents=(incident,)))
    through(life, sequence, outcome)
    [found] = life.chain.state(LIFE, VIN).incidents
    assert (state if reports == 1 else "pending") == found.state


def test_the_maker_voids_an_import_of_a_false_identity() -> None:
    """The import is put in place: the record's kind is what counts."""
    life = wholesale()
    ledger = ledger_of(life.chain)
    for kind, ground, standing, name, existence in (
        ("vehicle.import", "false_identity", "maker", "annulled", "voided"),
        ("vehicle.import", "false_identity", "maker", "stands", "born"),
        ("vehicle.import", "false_identity", "holder", "annulled", "born"),
        ("vehicle.import", "wrong_date", "maker", "annulled", "born"),
        ("odometer.read", "false_identity", "maker", "annulled", "born"),
    ):
        ruled = rulings.carry_out(ledger, Ruling(name, VIN, 0, kind, ground, standing), car(life))
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
    assert RecordStatus(right, other, True, "", ()) == status(life, sequence)
    assert 0 == car(life).maintenance_count and 1 == life.chain.state(VEHICLE, other).maintenance_count


# --- conduct ------------------------------------------------------------------------------------------------
def test_five_annulled_records_put_an_author_on_hold() -> None:
    life = wholesale()
    force(life.chain, CONDUCT, address(WORKSHOP), replace(
        NO_CONDUCT, quarters=(Quarter(life.chain.now // QUARTER_MS, 4, 0, 0),)
    ))  # fmt: skip
    through(life, serviced(life), "annulled")
    since = life.chain.now
    raw = life.chain.sign(WORKSHOP, maintenance(life.chain, 300))
    assert ["author_on_hold"] == life.chain.unmet(raw)
    assert shown(life, CONDUCT, address(WORKSHOP)).is_on_hold
    until = conduct(life, WORKSHOP).hold_until_ms
    assert since - DAY_MS < until - 90 * DAY_MS < since
    life.chain.now = until
    assert [] == life.chain.unmet(life.chain.sign(WORKSHOP, maintenance(life.chain, 300)))


def test_on_hold_an_author_still_amends_and_answers() -> None:
    life = wholesale()
    sequence = serviced(life)
    ident = disputed(life, sequence)
    held = replace(life.chain.state(CONDUCT, address(WORKSHOP)), hold_until_ms=life.chain.now + 90 * DAY_MS)
    force(life.chain, CONDUCT, address(WORKSHOP), held)
    answered(life, ident)
    life.chain.do(WORKSHOP, amend(life.chain, sequence, witness=WITNESS), INSPECTOR)
    assert held.hold_until_ms == conduct(life, WORKSHOP).hold_until_ms


def test_twenty_unanswered_disputes_put_an_author_on_hold_without_a_transaction() -> None:
    life = wholesale()
    start = life.chain.now
    due = tuple(start + n * DAY_MS for n in range(1, 21))
    force(life.chain, CONDUCT, address(WORKSHOP), replace(NO_CONDUCT, answers_due=due))
    life.chain.now = due[-1] - 1
    assert [] == life.chain.unmet(life.chain.sign(WORKSHOP, maintenance(life.chain, 300)))
    life.chain.now = due[-1]
    assert ["author_on_hold"] == life.chain.unmet(life.chain.sign(WORKSHOP, maintenance(life.chain, 300)))
    assert due[-1] + 90 * DAY_MS == conduct(life, WORKSHOP).hold_until_ms


def test_counters_look_back_four_quarters_and_are_kept_for_eight() -> None:
    conduct = NO_CONDUCT
    for number in range(12):
        conduct = counted(conduct, "annulled", number * QUARTER_MS)
        assert 0 == conduct.hold_until_ms, "four in four quarters"
    assert list(range(4, 12)) == [entry.quarter for entry in conduct.quarters]
    held = counted(conduct, "annulled", 11 * QUARTER_MS + 5)
    assert 11 * QUARTER_MS + 5 + conducts.HOLD_MS == held.hold_until_ms
    assert replace(conduct, quarters=held.quarters, hold_until_ms=held.hold_until_ms) == held


def test_three_dismissed_disputes_bar_their_opener_for_a_year() -> None:
    life = wholesale()
    for n in range(3):
        assert not conduct(life, HOLDER).barred_until_ms
        through(life, serviced(life, 200 + n), "stands")
    assert 3 == total(life, HOLDER, "dismissed")
    raw = life.chain.sign(HOLDER, dispute(life.chain, serviced(life, 300)))
    assert ["dispute_barred"] == life.chain.unmet(raw)
    life.chain.now = conduct(life, HOLDER).barred_until_ms
    assert [] == life.chain.unmet(life.chain.sign(HOLDER, dispute(life.chain, newest(life.chain))))


def test_governance_lifts_a_hold() -> None:
    life = wholesale()
    assert ["not_on_hold"] == codes_of(life.chain, HoldLift(address(WORKSHOP)))
    force(life.chain, CONDUCT, address(WORKSHOP), replace(NO_CONDUCT, hold_until_ms=life.chain.now + 90 * DAY_MS))
    assert ["author_on_hold"] == life.chain.unmet(life.chain.sign(WORKSHOP, maintenance(life.chain, 300)))
    assert "carried_out" == carry_out(life.chain, HoldLift(address(WORKSHOP)))
    assert [] == life.chain.unmet(life.chain.sign(WORKSHOP, maintenance(life.chain, 300)))


# --- arbiters -----------------------------------------------------------------------------------------------
def test_the_list_of_arbiters_follows_what_governance_grants() -> None:
    life = at("")
    at_genesis = life.chain.state(NAMED, "all").addresses
    assert sorted(map(address, ARBITERS)) == list(at_genesis)
    grant = RoleGrant(address("insurer-1"), "arbiter", (), "", (), 0, 0)
    assert "carried_out" == carry_out(life.chain, grant)
    assert {*at_genesis, address("insurer-1")} == set(life.chain.state(NAMED, "all").addresses)
    carry_out(life.chain, RoleSetStatus(address("arbiter-1"), "arbiter", "revoked", "ended"))
    assert address("arbiter-1") not in arbiters.named(ledger_of(life.chain))
    carry_out(life.chain, RoleSetStatus(address("arbiter-2"), "arbiter", "suspended", "ended"))
    assert address("arbiter-2") in arbiters.named(ledger_of(life.chain))


def test_there_are_at_most_fifteen_arbiters() -> None:
    life = at("")
    names = ("bank-1", "insurer-1", "carrier-1", "police-1", "dismantler-1", "registrar-1", "registrar-2", "bmw",
             "dealer-munich", "dealer-shanghai", "workshop-berlin")  # fmt: skip
    for name in names:
        grant = RoleGrant(address(name), "arbiter", (), "", (), 0, 0)
        assert [] == codes_of(life.chain, grant, "dealer-shanghai")
        carry_out(life.chain, grant)
    assert ARBITERS_MAX == len(arbiters.named(ledger_of(life.chain)))
    assert ["arbiters_full"] == codes_of(life.chain, RoleGrant(address("inspector-1"), "arbiter", (), "", (), 0, 0))
    again = RoleGrant(address("bank-1"), "arbiter", ("WBA",), "", (), 0, 0)
    assert [] == codes_of(life.chain, again, "dealer-shanghai"), "it is one already"


def casts(*votes: tuple[str, str]) -> list[Cast]:
    """(group, outcome) of each; `makers` is the maker's group."""
    return [Cast(bytes([n]) * 20, g.encode(), g == "makers", outcome) for n, (g, outcome) in enumerate(votes)]


@pytest.mark.parametrize(
    ("votes", "outcome"),
    [
        ((), "undecided"),
        ((("a", "annulled"), ("b", "annulled")), "undecided"),
        ((("a", "annulled"),) * 3, "undecided"),
        ((("a", "annulled"), ("a", "annulled"), ("b", "annulled")), "annulled"),
        ((("makers", "stands"), ("makers", "stands"), ("makers", "stands")), "undecided"),
        ((("makers", "stands"), ("makers", "stands"), ("a", "stands")), "stands"),
        ((("a", "annulled"), ("b", "annulled"), ("c", "stands")), "annulled"),
        ((("a", "annulled"), ("b", "stands"), ("c", "amended")), "undecided"),
        ((("a", "annulled"), ("b", "annulled"), ("c", "stands"), ("d", "stands")), "undecided"),
        ((("a", "undecided"), ("b", "undecided"), ("c", "stands")), "undecided"),
    ],
)
def test_what_votes_come_to(votes: tuple[tuple[str, str], ...], outcome: str) -> None:
    assert outcome == outcome_of(casts(*votes))


def completions(votes: list[Cast], waiting: list[Cast]) -> set[str]:
    """The outcome for every way in which those that wait vote or don't."""
    choices = [(None, *DISPUTE_OUTCOMES)] * len(waiting)
    return {
        outcome_of([*votes, *(c._replace(outcome=o) for c, o in zip(waiting, chosen, strict=True) if o is not None)])
        for chosen in product(*choices)
    }


@pytest.mark.parametrize("count", range(6))
def test_a_vote_is_settled_exactly_where_no_further_vote_can_change_it(count: int) -> None:
    groups = ("a", "a", "makers", "b", "c")
    for asked in product(("annulled", "stands", "undecided"), repeat=count):
        votes = casts(*zip(groups[:count], asked, strict=False))
        waiting = [Cast(bytes([20 + n]) * 20, g.encode(), g == "makers", "") for n, g in enumerate(groups[count:])]
        is_final = len(completions(votes, waiting)) == 1
        assert is_final == is_settled(votes, waiting, DISPUTE_OUTCOMES), (asked, groups)


def outcomes_by_order(settled: Callable[..., bool]) -> set[tuple[tuple[str, ...], frozenset[str]]]:
    """Every set of four votes with the outcomes that its orders come to: the vote ends as soon as `settled` says so."""
    groups, found = ("consumers", "consumers", "trade", "engineers"), set()
    for asked in product(DISPUTE_OUTCOMES, repeat=4):
        ballots = casts(*zip(groups, asked, strict=True))
        outcomes = set()
        for order in permutations(ballots):
            counted: list[Cast] = []
            for place, ballot in enumerate(order):
                counted.append(ballot)
                if settled(counted, order[place + 1 :], DISPUTE_OUTCOMES):
                    break
            outcomes.add(outcome_of(counted))
        found.add((asked, frozenset(outcomes)))
    return found


def test_no_order_of_votes_changes_an_outcome() -> None:
    assert [] == [asked for asked, outcomes in outcomes_by_order(is_settled) if len(outcomes) > 1]


def test_counting_the_first_three_would_be_noticed() -> None:
    """The mutant: the first majority wins."""

    def first_come(votes: list[Cast], waiting: object, outcomes: object) -> bool:
        return outcome_of(votes) != "undecided"

    assert [] != [asked for asked, outcomes in outcomes_by_order(first_come) if len(outcomes) > 1]


def test_no_order_of_votes_changes_an_outcome_on_a_chain() -> None:
    life = wholesale()
    ident = disputed(life, crashed(life), ground="wrong_damage")
    answered(life, ident)
    for ballots, outcome in (
        (dict(zip(ARBITERS, ("annulled", "annulled", "stands", "stands"), strict=True)), "undecided"),
        (dict(zip(ARBITERS, ("annulled", "annulled", "annulled", "stands"), strict=True)), "annulled"),
    ):
        seen = set()
        for order in list(permutations(ARBITERS))[::5]:
            fork = copied(life)
            for arbiter in order:
                if not of(fork, ident).outcome:
                    voted(fork, ident, ballots[arbiter], arbiter)
            seen.add((of(fork, ident).outcome, the_brand(fork)))
        assert {(outcome, outcome)} == seen


# --- bounds -------------------------------------------------------------------------------------------------
def test_values_are_within_their_bounds_with_every_list_full() -> None:
    who, longest = bytes(20), 2**53
    votes = tuple(Vote(who, "undecided", "not_competent") for _ in range(ARBITERS_MAX))
    full = RecordDispute(
        VIN, RecordName(2**32, bytes(32)), "registration.suspend", who, who, "holder", "not_this_vehicle",
        limits.TIME_MAX_MS, limits.TIME_MAX_MS, "withdraws", limits.TIME_MAX_MS, votes, "undecided", limits.TIME_MAX_MS,
    )  # fmt: skip
    assert len(encode(full)) <= 1_024
    assert len(encode(RecordStatus(RecordName(2**32, bytes(32)), VIN, True, "undecided", (bytes(32),) * 3))) <= 200
    opened = OpenDisputes(tuple(OpenOfAccount(bytes(32), longest) for _ in range(OPEN_PER_MEMBER_MAX)))
    assert len(encode(opened)) <= 2_560
    quarters = tuple(Quarter(longest, 10**6, 10**6, 10**6) for _ in range(conducts.QUARTERS_MAX))
    conduct = Conduct(quarters, longest, (longest,) * 5, longest, (longest,) * conducts.ANSWERS_DUE_MAX)
    assert len(encode(conduct)) <= 1_024
    assert len(encode(Arbiters((who,) * ARBITERS_MAX))) <= 400
    disputes = tuple(OpenDispute(bytes(32), who, "holder", longest) for _ in range(DISPUTES_MAX))
    assert len(encode(replace(NO_LIFE, disputes=disputes))) <= 800
    assert DISPUTES_MAX == sum(DISPUTE_STANDINGS.values())


def test_the_65th_answer_is_not_counted() -> None:
    life = wholesale()
    sequence = serviced(life)
    start = life.chain.now
    full = tuple(start + 30 * DAY_MS + n for n in range(conducts.ANSWERS_DUE_MAX))
    force(life.chain, CONDUCT, address(WORKSHOP), replace(NO_CONDUCT, answers_due=full))
    ident = disputed(life, sequence)
    assert full == life.chain.state(CONDUCT, address(WORKSHOP)).answers_due
    answered(life, ident)
    assert full == life.chain.state(CONDUCT, address(WORKSHOP)).answers_due


def test_the_places_that_are_shown_are_those_that_count() -> None:
    life = wholesale()
    ident = disputed(life, serviced(life))
    ledger = ledger_of(life.chain)
    assert (ident,) == tuple(e.dispute for e in open_of_account(ledger, address(HOLDER), life.chain.now))
    assert () == open_of_account(ledger, address(HOLDER), life.chain.now + 28 * DAY_MS)


def test_a_sale_goes_on_while_a_dispute_is_open() -> None:
    life = at("paid")
    disputed(life, serviced(life, 158), "buyer-1")
    assert [] == life.chain.unmet(life.chain.sign(HOLDER, handover(life.chain, life.order), "buyer-1"))
