"""Inspections: who may inspect, what a fail does with and without a witness, and what a pass lifts."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.chain import DAY_MS, HOUR_MS, Chain, address
from support.hostile.checks import RECORDS_READ_MAX
from support.hostile.walk import CountingRun
from support.life import VIN, Life, flag, km, transfer, where
from support.registering import root
from support.specimens import specimen
from support.stages import Case, at, change, force, ledger_of, put_on_hold, table, use_up_acts

from node import limits
from node.ledger.fields import RecordName
from node.rules.checklists import CHECKLISTS
from node.rules.inspection_items import INSPECTION_ITEMS
from node.rules.odometer import BACKFILLED_MS
from node.txtypes.identity.account import ACCOUNT
from node.txtypes.identity.quota import QUOTA, Acts
from node.txtypes.members.conduct import CONDUCT
from node.txtypes.members.member import FRAUDS, MEMBER, Fraud, Frauds
from node.txtypes.service.findings import Defect
from node.txtypes.service.inspection import CLEARING, InspectionRecord
from node.txtypes.service.repair import Operation
from node.txtypes.vehicle.conditions import conditions_of
from node.txtypes.vehicle.life import LIFE, Repairer
from node.txtypes.vehicle.record import content_of, digest_of, stored_record
from node.txtypes.vehicle.regions import UNREGISTERED, Duty, Inspection, flags_at, is_retest_overdue
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle

BRAKES, STEERING, LAMP, IDENTITY, ROLLOVER = "1.1.12", "2.1.1", "4.1.1", "0.2", "O4"
HOLDER = "dealer-munich"


def inspection(chain: Chain, *defects: tuple[str, str], **changes: object) -> InspectionRecord:
    plain: dict[str, object] = dict(
        defects=tuple(Defect(*entry) for entry in defects), odometer=km(200), valid_until_day=None, where=where("INS-1")
    )
    body: InspectionRecord = specimen("inspection.record", chain, **plain | changes)
    return body


def release(chain: Chain, *defects: tuple[str, str], **changes: object) -> InspectionRecord:
    return inspection(chain, *defects, **dict(checklist="STRUCTURAL", kind="structural_release") | changes)


def retest(chain: Chain, *items: str, **changes: object) -> InspectionRecord:
    return inspection(chain, **dict(kind="retest", items=items) | changes)


def inspected(life: Life, body: InspectionRecord, sender: str = "inspector-1", *others: str) -> None:
    """Commit it, signed by the holder where it says so, and by the others."""
    signers = (*([HOLDER] if body.holder_signs else []), *others)
    site = {"inspector-1": "INS-1", "inspector-2": "INS-2"}[sender]
    life.chain.do(sender, replace(body, where=where(site), event_at_ms=life.chain.now), *signers)


def tried(life: Life, body, *cosigners: str, sender: str = "inspector-1") -> list[str]:
    signers = cosigners or ((HOLDER,) if body.holder_signs else ())
    return life.chain.unmet(life.chain.sign(sender, body, *signers))


def car(chain: Chain) -> Vehicle:
    found: Vehicle = chain.state(VEHICLE, VIN)
    return found


def alive(chain: Chain) -> list[tuple[str, bool]]:
    return [(entry.name, entry.is_firm) for entry in flags_at(car(chain).flags, chain.now)]


def outcome(chain: Chain) -> tuple[str, ...]:
    """Of the car's newest record."""
    return content_of(stored_record(chain.store.record(VIN, car(chain).record_count - 1))).outcome


def newest(chain: Chain) -> RecordName:
    sequence = car(chain).record_count - 1
    return RecordName(sequence, digest_of(stored_record(chain.store.record(VIN, sequence))))


def in_group(life: Life, group: str, *members: str) -> None:
    for member in members:
        change(life.chain, MEMBER, address(member), group=group)


# --- guards -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        (dict(), []),
        (dict(checklist="NONE"), ["code_unknown"]),
        (dict(kind="sometimes"), ["code_unknown", "checklist_kind"]),
        (dict(kind="buyer"), ["checklist_kind"]),
        (dict(checklist="USED-CAR", kind="buyer"), []),
        (dict(items=(BRAKES,)), ["checklist_partial"]),
        (dict(items=(BRAKES,), kind="retest"), []),
        (dict(items=("H3",), kind="retest"), ["checklist_partial"]),
        (dict(defects=(Defect("9.9", "minor"),)), ["code_unknown"]),
        (dict(defects=(Defect("4.9.2", "dangerous"),)), ["defect_severity"]),
        (dict(defects=(Defect(BRAKES, "dangerous"), Defect(LAMP, "minor"))), []),
        (dict(valid_until_day="2026-01-01"), ["expiry_passed"]),
        (dict(valid_until_day="2026-01-02"), []),
        (dict(valid_until_day="2031-01-06"), ["expiry_passed"]),
        (dict(valid_until_day="2031-01-05"), []),
        (dict(repair=RecordName(99, bytes(32))), ["record_unknown"]),
        (dict(repair=RecordName(0, bytes(32))), ["record_differs"]),
        (dict(odometer=None), ["odometer_missing"]),
    ],
)
def test_what_an_inspection_says(changes: dict[str, object], codes: list[str]) -> None:
    life = at("wholesale")
    assert codes == tried(life, inspection(life.chain, **changes))


def test_only_an_inspector_inspects() -> None:
    life = at("wholesale")
    body = inspection(life.chain, where=where())
    assert ["role_missing"] == tried(life, body, HOLDER, sender="workshop-hamburg")


def test_the_named_repair_is_one() -> None:
    life = at("wholesale")
    body = inspection(life.chain, repair=newest(life.chain))
    assert ["record_unknown"] == tried(life, body)


@pytest.mark.parametrize(("checklist", "kind"), [(n, k) for n, rule in CHECKLISTS.items() for k in rule.kinds])
def test_what_is_made_to_clear_needs_a_presenter(checklist: str, kind: str) -> None:
    life = at("wholesale")
    body = inspection(life.chain, checklist=checklist, kind=kind, holder_signs=False)
    assert (["presenter_missing"] if kind in CLEARING else []) == tried(life, body)


def test_police_presents_on_the_road_only() -> None:
    life = at("wholesale")
    body = inspection(life.chain, police=address("police-1"), holder_signs=False)
    assert ["checklist_kind"] == tried(life, body, "police-1")
    assert [] == tried(life, replace(body, kind="roadside"), "police-1")
    assert ["signature_missing"] == tried(life, replace(body, kind="roadside"))
    carrier = replace(body, kind="roadside", police=address("carrier-1"))
    assert ["role_missing"] == tried(life, carrier, "carrier-1")


def test_eighty_inspections_a_day() -> None:
    life = at("wholesale")
    inspected(life, inspection(life.chain))
    quota = life.chain.state(QUOTA, address("inspector-1"))
    assert (Acts("inspection", 1),) == quota.acts
    force(life.chain, QUOTA, address("inspector-1"), replace(quota, acts=(Acts("inspection", 79),)))
    assert [] == tried(life, inspection(life.chain))
    full = replace(quota, acts=(Acts("inspection", limits.INSPECTIONS_PER_DAY_MAX),))
    force(life.chain, QUOTA, address("inspector-1"), full)
    assert ["acts_exhausted"] == tried(life, inspection(life.chain))
    life.chain.now += DAY_MS
    assert [] == tried(life, inspection(life.chain))


# --- independence -----------------------------------------------------------------------------------------
def related_to(party: str, *, repaired: bool = False) -> Life:
    """The inspector belongs to the group of a party, which has perhaps repaired the car."""
    life = at("wholesale")
    in_group(life, "shell", "inspector-1", party)
    if repaired:
        entry = Repairer(address(party), 0, life.chain.now)
        force(life.chain, LIFE, VIN, replace(life.chain.state(LIFE, VIN), repairers=(entry,)))
    return life


@pytest.mark.parametrize("checklist", CHECKLISTS)
@pytest.mark.parametrize(
    ("party", "repaired", "levels"),
    [(HOLDER, False, ("full",)), ("bmw", False, ("full",)), ("workshop-hamburg", True, ("full", "repairer"))],
)
def test_from_whom_an_inspector_must_be_distant(
    checklist: str, party: str, repaired: bool, levels: tuple[str, ...]
) -> None:
    rule = CHECKLISTS[checklist]
    life = related_to(party, repaired=repaired)
    body = inspection(life.chain, checklist=checklist, kind=rule.kinds[0])
    assert (["not_independent"] if rule.independence in levels else []) == tried(life, body)


def test_a_repairer_is_one_for_180_days() -> None:
    life = related_to("workshop-hamburg", repaired=True)
    life.chain.now += 180 * DAY_MS - 1
    assert ["not_independent"] == tried(life, inspection(life.chain))
    life.chain.now += 1
    assert [] == tried(life, inspection(life.chain))


def test_whoever_presents_the_car_is_not_its_inspector() -> None:
    life = at("wholesale")
    mandate = life.chain.do(HOLDER, specimen("mandate.grant", life.chain, agent=address("workshop-berlin")))
    body = inspection(life.chain, mandate=mandate)
    assert [] == tried(life, body, "workshop-berlin")
    in_group(life, "shell", "inspector-1", "workshop-berlin")
    assert ["not_independent"] == tried(life, body, "workshop-berlin")


def test_a_mandate_that_does_not_cover_it_presents_nothing() -> None:
    life = at("wholesale")
    mandate = life.chain.do(
        HOLDER, specimen("mandate.grant", life.chain, agent=address("workshop-berlin"), rights=("respond",))
    )
    assert {"mandate_missing"} == set(tried(life, inspection(life.chain, mandate=mandate), "workshop-berlin"))


def test_where_repairers_are_unknown_two_inspectors_pass_it() -> None:
    life = at("wholesale")
    overflow = life.chain.now
    force(life.chain, LIFE, VIN, replace(life.chain.state(LIFE, VIN), repairers_overflow_ms=overflow))
    assert ["not_independent"] == tried(life, inspection(life.chain))
    assert [] == tried(life, inspection(life.chain, (BRAKES, "major"))), "a fail is heard"
    second = inspection(life.chain, second_inspector=address("inspector-2"))
    assert [] == tried(life, second, HOLDER, "inspector-2")
    life.chain.now = overflow + 180 * DAY_MS
    assert [] == tried(life, inspection(life.chain))


def test_where_sellers_are_unknown_two_inspectors_pass_it() -> None:
    """The seller's own inspector is not independent after a few quick transfers either."""
    life = at("wholesale")
    in_group(life, "seller", HOLDER, "inspector-2")
    between = ("dealer-shanghai", "bmw")
    holder = HOLDER
    for n in range(5):
        receiver = between[n % 2]
        life.chain.do(holder, transfer(life.chain, receiver, 200), receiver)
        holder = receiver
    body = inspection(life.chain, where=where("INS-2"))
    assert ["not_independent"] == tried(life, body, holder, sender="inspector-2")
    both = replace(body, second_inspector=address("inspector-1"))
    assert [] == tried(life, both, holder, "inspector-1", sender="inspector-2")
    dropped = life.chain.state(LIFE, VIN).holders_overflow_ms
    life.chain.now = dropped + 90 * DAY_MS
    late = replace(body, event_at_ms=life.chain.now)
    assert ["not_independent"] == tried(life, late, holder, sender="inspector-2")
    life.chain.now += 1
    assert [] == tried(life, replace(late, event_at_ms=life.chain.now), holder, sender="inspector-2")


def test_the_group_of_the_holders_sponsor_is_not_independent() -> None:
    life = at("wholesale")
    change(life.chain, ACCOUNT, address("buyer-1"), sponsor=address("dealer-shanghai"))
    in_group(life, "shanghai", "dealer-shanghai", "inspector-2")
    life.chain.do(HOLDER, specimen("title.assign", life.chain, receiver=address("buyer-1"), reason="gift",
                  material_root=root(life.chain), odometer=km(200)), "buyer-1")  # fmt: skip
    assert ["not_independent"] == tried(life, inspection(life.chain, where=where("INS-2")), "buyer-1",
                                        sender="inspector-2")  # fmt: skip
    assert [] == tried(life, inspection(life.chain), "buyer-1")


def test_a_second_inspector_is_one_of_another_group() -> None:
    life = at("wholesale")
    body = inspection(life.chain, second_inspector=address("inspector-2"))
    in_group(life, "inspection", "inspector-1", "inspector-2")
    assert ["not_independent"] == tried(life, body, HOLDER, "inspector-2")
    workshop = inspection(life.chain, second_inspector=address("workshop-hamburg"))
    assert ["role_missing"] == tried(life, workshop, HOLDER, "workshop-hamburg")
    in_group(life, "shell", "inspector-2", HOLDER)
    assert ["not_independent"] == tried(life, body, HOLDER, "inspector-2")


@pytest.mark.parametrize(("party", "changes"), [
    ("inspector-2", dict(second_inspector=address("inspector-2"))),
    ("police-1", dict(police=address("police-1"), kind="roadside")),
])  # fmt: skip
def test_whoever_signs_too_is_not_on_hold(party: str, changes: dict[str, object]) -> None:
    life = at("wholesale")
    body = inspection(life.chain, **changes)
    assert [] == tried(life, body, HOLDER, party)
    put_on_hold(life.chain, address(party))
    assert ["author_on_hold"] == tried(life, body, HOLDER, party)


def test_a_grant_for_a_country_takes_a_site_there() -> None:
    life = at("wholesale")
    grants = tuple(replace(grant, country="FR") for grant in life.chain.state(MEMBER, address("inspector-1")).grants)
    change(life.chain, MEMBER, address("inspector-1"), grants=grants)
    for site in ("INS-1", ""):
        assert ["role_scope"] == tried(life, inspection(life.chain, where=where(site)))
    change(life.chain, MEMBER, address("inspector-1"), grants=tuple(replace(g, country="DE") for g in grants))
    assert [] == tried(life, inspection(life.chain))


# --- the result -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("defects", "result"),
    [
        ((), "pass"),
        (((LAMP, "minor"),), "minor"),
        (((LAMP, "minor"), (BRAKES, "major")), "major"),
        (((BRAKES, "dangerous"), (LAMP, "minor"), (STEERING, "major")), "dangerous"),
    ],
)
def test_the_result_is_the_worst_defect(defects: tuple[tuple[str, str], ...], result: str) -> None:
    life = at("wholesale")
    inspected(life, inspection(life.chain, *defects))
    noted = car(life.chain).inspection
    assert (result, address("inspector-1")) == (noted.result, noted.inspector)
    assert f"inspection:{result}" in outcome(life.chain)
    assert ([("unroadworthy", True)] if result == "dangerous" else []) == alive(life.chain)


@pytest.mark.parametrize(("checklist", "country", "days"), [
    ("EU-PTI-2014/45", "DE", 31), ("EU-PTI-2014/45", "CN", 61), ("DE-HU", "DE", 31), ("GB-MOT", "DE", 14),
    ("CN-GB38900", "CN", 31),
])  # fmt: skip
def test_a_major_defect_makes_the_car_unroadworthy_unless_it_is_tested_again(
    checklist: str, country: str, days: int
) -> None:
    life = at("wholesale")
    member = life.chain.state(MEMBER, address("inspector-1"))
    sites = tuple(replace(site, country=country) for site in member.sites)
    change(life.chain, MEMBER, address("inspector-1"), sites=sites)
    inspected(life, inspection(life.chain, (BRAKES, "major"), checklist=checklist))
    due = car(life.chain).inspection.retest_due_ms
    assert life.chain.now - 1_000 + days * DAY_MS == due
    assert not is_retest_overdue(car(life.chain).inspection, due - 1)
    assert is_retest_overdue(car(life.chain).inspection, due)


def test_a_buyers_inspection_says_nothing_about_the_road() -> None:
    life = at("wholesale")
    inspected(life, inspection(life.chain, (BRAKES, "major"), checklist="USED-CAR", kind="buyer"))
    assert (None, []) == (car(life.chain).inspection, alive(life.chain))
    inspected(life, inspection(life.chain, (BRAKES, "dangerous"), checklist="USED-CAR", kind="buyer"))
    assert (None, [("unroadworthy", True)]) == (car(life.chain).inspection, alive(life.chain))


def test_a_pass_holds_until_the_end_of_its_day_and_a_roadside_check_does_not_shorten_it() -> None:
    life = at("wholesale")
    inspected(life, inspection(life.chain, valid_until_day="2028-01-31"))
    until = car(life.chain).inspection.valid_until_ms
    assert 1_832_976_000_000 == until  # 2028-02-01T00:00:00Z
    inspected(life, inspection(life.chain, kind="roadside"))
    assert ("pass", until) == (car(life.chain).inspection.result, car(life.chain).inspection.valid_until_ms)


# --- a fail without witness -------------------------------------------------------------------------------
def test_a_fail_that_nobody_witnesses_is_provisional() -> None:
    life = at("wholesale")
    inspected(life, inspection(life.chain, (BRAKES, "dangerous"), holder_signs=False))
    assert (None, [("unroadworthy", False)]) == (car(life.chain).inspection, alive(life.chain))
    assert "unpresented" in outcome(life.chain)
    assert 1 == len(life.chain.state(CONDUCT, address("inspector-1")).provisional_until_ms)
    life.chain.now = car(life.chain).flags[0].until_ms
    assert [] == alive(life.chain)


def test_an_unwitnessed_major_defect_leaves_no_deadline() -> None:
    life = at("wholesale")
    inspected(life, inspection(life.chain, (BRAKES, "major"), holder_signs=False))
    assert car(life.chain).inspection is None


@pytest.mark.parametrize("witness", ["police", "second_inspector", "second record"])
def test_a_witness_makes_a_fail_firm(witness: str) -> None:
    life = at("wholesale")
    danger = inspection(life.chain, (BRAKES, "dangerous"), holder_signs=False, kind="roadside")
    match witness:
        case "police":
            inspected(life, replace(danger, police=address("police-1")), "inspector-1", "police-1")
        case "second_inspector":
            body = replace(danger, second_inspector=address("inspector-2"))
            inspected(life, body, "inspector-1", "inspector-2")
        case _:
            inspected(life, danger)
            inspected(life, danger, "inspector-2")
    assert [("unroadworthy", True)] == alive(life.chain)


def test_an_agent_of_the_inspectors_group_is_no_witness() -> None:
    life = at("wholesale")
    mandate = life.chain.do(HOLDER, specimen("mandate.grant", life.chain, agent=address("workshop-berlin")))
    in_group(life, "shell", "inspector-1", "workshop-berlin")
    body = inspection(life.chain, (BRAKES, "dangerous"), checklist="PDI", kind="buyer", mandate=mandate)
    life.chain.do("inspector-1", body, "workshop-berlin")
    assert [("unroadworthy", False)] == alive(life.chain)


def test_an_inspector_who_cools_down_still_writes_what_it_found() -> None:
    life = at("wholesale")
    danger = inspection(life.chain, (BRAKES, "dangerous"), holder_signs=False)
    inspected(life, danger)
    life.chain.now = car(life.chain).flags[0].until_ms
    inspected(life, danger)
    assert [] == alive(life.chain)
    assert "inspection:dangerous" in outcome(life.chain)


# --- what a pass lifts ------------------------------------------------------------------------------------
def failed(*defects: tuple[str, str], by: str = "inspector-1") -> Life:
    life = at("wholesale")
    inspected(life, inspection(life.chain, *defects), by)
    life.chain.now += HOUR_MS
    return life


def is_lifted(life: Life) -> bool:
    return alive(life.chain) == [] and car(life.chain).inspection.result in ("pass", "minor")


def test_a_pass_lifts_the_flag_and_is_noted() -> None:
    life = failed((BRAKES, "dangerous"))
    changes = car(life.chain).material_changes
    inspected(life, inspection(life.chain))
    assert is_lifted(life)
    (clearance,) = car(life.chain).clearances
    assert ("unroadworthy", address("inspector-1")) == (clearance.what, clearance.author)
    assert car(life.chain).record_count - 1 == clearance.sequence
    assert changes == car(life.chain).material_changes


def test_a_pass_without_presenter_clears_nothing() -> None:
    life = failed((BRAKES, "dangerous"))
    inspected(life, inspection(life.chain, holder_signs=False))
    assert not is_lifted(life)
    assert "dangerous" == car(life.chain).inspection.result


def test_an_overdue_retest_ends_with_a_pass() -> None:
    life = failed((BRAKES, "major"))
    life.chain.now = car(life.chain).inspection.retest_due_ms
    inspected(life, inspection(life.chain))
    assert not is_retest_overdue(car(life.chain).inspection, life.chain.now)
    assert ["unroadworthy"] == [entry.what for entry in car(life.chain).clearances]


@pytest.mark.parametrize(("items", "lifted"), [((BRAKES, STEERING), True), ((BRAKES,), False), ((), True)])
def test_a_retest_lifts_what_it_looked_at(items: tuple[str, ...], lifted: bool) -> None:
    life = failed((BRAKES, "major"), (STEERING, "dangerous"), (LAMP, "minor"))
    inspected(life, retest(life.chain, *items))
    assert lifted == is_lifted(life)
    assert lifted == ("not_cleared" not in outcome(life.chain))


def test_a_retest_of_nothing_clears_and_renews_nothing() -> None:
    """The police's flag names no item, so it takes the whole list; an outdated inspection takes a periodic one."""
    life = at("wholesale")
    inspected(life, inspection(life.chain, valid_until_day="2026-02-01"))
    noted = car(life.chain).inspection
    life.chain.now += 60 * DAY_MS
    for body in (retest(life.chain, LAMP, valid_until_day="2030-01-01"), retest(life.chain, kind="retest")):
        inspected(life, body)
        assert noted == car(life.chain).inspection
        assert "not_cleared" in outcome(life.chain)
    life.chain.do("police-1", specimen("flag.set", life.chain, name="unroadworthy", until_ms=0))
    life.chain.now += HOUR_MS
    inspected(life, retest(life.chain, LAMP))
    assert [("unroadworthy", True)] == alive(life.chain)
    inspected(life, retest(life.chain))
    assert ([], noted) == (alive(life.chain), car(life.chain).inspection)


@pytest.mark.parametrize(("kind", "is_renewed"), [("periodic", True), ("roadside", False)])
def test_a_retest_is_valid_as_long_as_the_inspection_that_it_completes(kind: str, is_renewed: bool) -> None:
    life = at("wholesale")
    inspected(life, inspection(life.chain, (BRAKES, "major"), kind=kind))
    life.chain.now += DAY_MS
    inspected(life, retest(life.chain, BRAKES, valid_until_day="2027-01-01"))
    assert ("pass", is_renewed) == (car(life.chain).inspection.result, car(life.chain).inspection.valid_until_ms > 0)


def test_after_its_time_a_retest_looks_at_everything() -> None:
    life = failed((BRAKES, "major"))
    life.chain.now = car(life.chain).inspection.retest_due_ms
    inspected(life, retest(life.chain, BRAKES))
    assert not is_lifted(life)
    inspected(life, retest(life.chain))
    assert is_lifted(life)


def test_a_retest_that_fails_again_forgets_nothing() -> None:
    life = failed((BRAKES, "major"), (STEERING, "major"))
    noted = car(life.chain).inspection
    inspected(life, inspection(life.chain, (BRAKES, "major"), kind="retest", items=(BRAKES,)))
    assert noted == car(life.chain).inspection
    inspected(life, inspection(life.chain, (LAMP, "major"), kind="retest", items=(LAMP,)))
    inspected(life, retest(life.chain, LAMP, BRAKES, STEERING))
    assert not is_lifted(life), "nobody knows what all is wrong"
    inspected(life, retest(life.chain))
    assert is_lifted(life)


@pytest.mark.parametrize(("checklist", "lifted"), [("US-SAFETY", False), ("DE-HU", True), ("EU-PTI-2014/45", True)])
def test_a_fail_ends_by_a_list_of_as_distant_inspectors(checklist: str, lifted: bool) -> None:
    """Otherwise the seller's own inspector would choose the list of a country that lets it inspect."""
    life = failed((BRAKES, "major"))
    if not lifted:
        in_group(life, "seller", "inspector-2", HOLDER)
        inspected(life, inspection(life.chain, (LAMP, "major"), checklist=checklist), "inspector-2")
    inspected(life, retest(life.chain, BRAKES, LAMP, checklist=checklist), "inspector-2")
    assert lifted == is_lifted(life)


def test_a_retest_looks_at_what_was_found_beside_the_list() -> None:
    life = failed(("H3", "major"))
    assert ["checklist_partial"] == tried(life, retest(life.chain, "H4"))
    inspected(life, retest(life.chain, "H3"))
    assert is_lifted(life)


def test_what_the_checklist_does_not_have_is_not_lifted_by_it() -> None:
    assert "H3" in INSPECTION_ITEMS and "H3" not in CHECKLISTS["DE-HU"].items
    life = failed(("H3", "dangerous"))
    inspected(life, inspection(life.chain))
    assert not is_lifted(life)
    inspected(life, inspection(life.chain, checklist="CN-GB38900"))
    assert is_lifted(life)


def test_another_list_that_has_it_lifts_the_flag_and_says_nothing_about_the_road() -> None:
    life = failed(("H3", "dangerous"))
    noted = car(life.chain).inspection
    inspected(life, inspection(life.chain, checklist="USED-CAR", kind="buyer"))
    assert ([], noted) == (alive(life.chain), car(life.chain).inspection)
    assert ["unroadworthy"] == [entry.what for entry in car(life.chain).clearances]


def test_a_list_without_distance_lifts_no_flag() -> None:
    life = related_to(HOLDER)
    change(life.chain, VEHICLE, VIN, flags=(flag("unroadworthy"),))
    inspected(life, inspection(life.chain, checklist="PDI", kind="buyer"))
    assert [("unroadworthy", True)] == alive(life.chain)
    assert "not_cleared" in outcome(life.chain)


def test_the_danger_of_another_inspector_takes_a_second_one() -> None:
    life = failed((BRAKES, "dangerous"))
    inspected(life, inspection(life.chain), "inspector-2")
    assert not is_lifted(life)
    assert "findings_differ" in outcome(life.chain)
    both = inspection(life.chain, second_inspector=address("inspector-1"))
    inspected(life, both, "inspector-2", "inspector-1")
    assert is_lifted(life)


@pytest.mark.parametrize(("zone", "lifted"), [("suspension", True), ("roof", False)])
def test_the_danger_of_another_inspector_may_have_been_repaired(zone: str, lifted: bool) -> None:
    assert "suspension" in INSPECTION_ITEMS[BRAKES].zones and "roof" not in INSPECTION_ITEMS[BRAKES].zones
    life = failed((BRAKES, "dangerous"))
    method = "mechanical" if zone == "suspension" else "refinish"
    body = specimen("repair.record", life.chain, odometer=km(210), operations=(Operation(zone, method),))
    life.chain.do("workshop-berlin", body)
    inspected(life, inspection(life.chain, repair=newest(life.chain), odometer=km(220)), "inspector-2")
    assert lifted == is_lifted(life)


def test_a_pass_reads_three_records_at_most() -> None:
    """The one that flagged the car, the one that failed it since, and the repair of both."""
    life = failed((BRAKES, "dangerous"))
    inspected(life, inspection(life.chain, (BRAKES, "major")), "inspector-2")
    life.chain.now += HOUR_MS
    body = specimen("repair.record", life.chain, odometer=km(210), operations=(Operation("suspension", "mechanical"),))
    life.chain.do("workshop-berlin", body)
    passed = replace(inspection(life.chain, repair=newest(life.chain), odometer=km(220)), where=where("INS-2"))
    tx = life.chain.check(life.chain.sign("inspector-2", passed, HOLDER))
    store = life.chain.store
    run = CountingRun(store.state, store.tree, store.head(), life.chain.genesis_hash, life.chain.now)
    run.add(tx)
    assert 3 == len(run.ledger.records_read) == RECORDS_READ_MAX["inspection.record"]


def test_a_repair_before_the_danger_was_found_is_none_of_it() -> None:
    life = at("wholesale")
    repair = specimen(
        "repair.record", life.chain, odometer=km(190), operations=(Operation("suspension", "mechanical"),)
    )
    life.chain.do("workshop-berlin", repair)
    name = newest(life.chain)
    inspected(life, inspection(life.chain, (BRAKES, "dangerous")))
    life.chain.now += HOUR_MS
    inspected(life, inspection(life.chain, repair=name, odometer=km(220)), "inspector-2")
    assert "findings_differ" in outcome(life.chain)


def test_what_the_police_said_one_inspector_lifts() -> None:
    life = at("wholesale")
    life.chain.do("police-1", specimen("flag.set", life.chain, name="unroadworthy", until_ms=0))
    life.chain.now += HOUR_MS
    inspected(life, inspection(life.chain))
    assert is_lifted(life)


def test_a_pass_from_before_the_flag_does_not_lift_it() -> None:
    life = at("wholesale")
    early = inspection(life.chain)
    life.chain.now += DAY_MS
    life.chain.do("police-1", specimen("flag.set", life.chain, name="unroadworthy", until_ms=0))
    life.chain.do("inspector-1", early, HOLDER)
    assert [("unroadworthy", True)] == alive(life.chain)
    assert "not_cleared" in outcome(life.chain)


def test_an_older_inspection_does_not_take_the_place_of_a_newer() -> None:
    life = at("wholesale")
    late = inspection(life.chain, (BRAKES, "dangerous"))
    life.chain.now += DAY_MS
    inspected(life, inspection(life.chain))
    life.chain.do("inspector-1", late, HOLDER)
    assert ("pass", []) == (car(life.chain).inspection.result, alive(life.chain))


def test_an_inspection_of_400_days_ago_counts_for_nothing() -> None:
    life = at("wholesale")
    early = inspection(life.chain, (BRAKES, "dangerous"))
    life.chain.now += BACKFILLED_MS + DAY_MS
    life.chain.do("inspector-1", early, HOLDER)
    assert (None, []) == (car(life.chain).inspection, alive(life.chain))


def test_a_garage_that_tests_what_it_repairs_lifts_no_flag() -> None:
    """Where the law lets it test, its pass ends an overdue retest, and no more."""
    life = related_to("workshop-hamburg", repaired=True)
    noted = Inspection(0, "major", address("inspector-2"), life.chain.now, 0, life.chain.now + 1)
    change(life.chain, VEHICLE, VIN, inspection=noted)
    inspected(life, inspection(life.chain, checklist="GB-MOT"))
    assert ("pass", ()) == (car(life.chain).inspection.result, car(life.chain).clearances)
    change(life.chain, VEHICLE, VIN, flags=(flag("unroadworthy"),))
    inspected(life, inspection(life.chain, checklist="GB-MOT"))
    assert [("unroadworthy", True)] == alive(life.chain)
    assert "not_cleared" in outcome(life.chain)


def test_a_clearance_of_a_revoked_inspector_is_made_again() -> None:
    life = failed((BRAKES, "dangerous"))
    inspected(life, inspection(life.chain))
    force(life.chain, FRAUDS, "all", Frauds((Fraud(address("inspector-1"), "inspector", 0),)))
    assert "clearance_void" in conditions(life)
    inspected(life, inspection(life.chain), "inspector-2")
    assert "clearance_void" not in conditions(life)


def conditions(life: Life) -> list[str]:
    ledger = ledger_of(life.chain)
    return list(conditions_of(ledger, VIN, car(life.chain), life.chain.now, ledger.rules))


# --- the release of a repaired structure ------------------------------------------------------------------
def repaired() -> Life:
    life = at("wholesale")
    operations = (Operation("front", "straighten"),)
    body = specimen("repair.record", life.chain, odometer=km(200), operations=operations, holder_signs=True)
    life.chain.do("workshop-berlin", body, HOLDER)
    life.chain.now += HOUR_MS
    return life


def test_a_release_lifts_the_duty() -> None:
    life = repaired()
    assert ["structural_release"] == [duty.code for duty in car(life.chain).duties]
    inspected(life, release(life.chain))
    assert () == car(life.chain).duties
    assert ["structural_release"] == [entry.what for entry in car(life.chain).clearances]


def test_a_release_that_fails_lifts_nothing() -> None:
    life = repaired()
    inspected(life, release(life.chain, ("6.1.1", "major")))
    assert ["structural_release"] == [duty.code for duty in car(life.chain).duties]


def test_a_release_from_before_the_repair_lifts_nothing() -> None:
    life = at("wholesale")
    early = release(life.chain)
    life.chain.now += DAY_MS
    operations = (Operation("front", "straighten"),)
    body = specimen("repair.record", life.chain, odometer=km(200), operations=operations, holder_signs=True)
    life.chain.do("workshop-berlin", body, HOLDER)
    life.chain.do("inspector-1", early, HOLDER)
    assert 1 == len(car(life.chain).duties)
    assert "not_cleared" in outcome(life.chain)


def test_a_release_counts_though_the_car_was_inspected_since() -> None:
    life = repaired()
    late = release(life.chain)
    life.chain.now += DAY_MS
    inspected(life, inspection(life.chain))
    life.chain.do("inspector-1", late, HOLDER)
    assert () == car(life.chain).duties
    assert "not_cleared" not in outcome(life.chain)


def test_a_pass_that_comes_too_late_to_lift_anything_says_so() -> None:
    life = repaired()
    late = release(life.chain)
    life.chain.now += BACKFILLED_MS + HOUR_MS
    life.chain.do("inspector-1", late, HOLDER)
    assert (1, True) == (len(car(life.chain).duties), "not_cleared" in outcome(life.chain))
    early = inspection(life.chain)
    life.chain.now += HOUR_MS
    inspected(life, inspection(life.chain, (BRAKES, "major")))
    life.chain.do("inspector-1", early, HOLDER)
    assert ("major", True) == (car(life.chain).inspection.result, "not_cleared" in outcome(life.chain))


def test_the_repairers_group_does_not_release() -> None:
    life = repaired()
    in_group(life, "shell", "inspector-1", "workshop-berlin")
    assert ["not_independent"] == tried(life, release(life.chain))


def test_a_periodic_pass_is_no_release() -> None:
    life = repaired()
    inspected(life, inspection(life.chain))
    assert 1 == len(car(life.chain).duties)


def test_a_rebuild_stays_a_duty() -> None:
    life = at("wholesale")
    change(life.chain, VEHICLE, VIN, duties=(Duty("rebuild", 0, 0),))
    inspected(life, release(life.chain))
    assert ["rebuild"] == [duty.code for duty in car(life.chain).duties]


# --- identity and rollover --------------------------------------------------------------------------------
def test_a_car_that_is_another_raises_the_alert() -> None:
    life = at("wholesale")
    inspected(life, inspection(life.chain, (IDENTITY, "major")))
    assert [("clone_vin", "confirmed")] == [(alert.code, alert.state) for alert in car(life.chain).alerts]
    assert [("identity_suspect", False)] == alive(life.chain)


def test_without_presenter_the_alert_is_reported_only() -> None:
    life = at("wholesale")
    inspected(life, inspection(life.chain, (IDENTITY, "major"), holder_signs=False))
    assert ["reported"] == [alert.state for alert in car(life.chain).alerts]


def test_an_illegible_paper_is_no_clone() -> None:
    life = at("wholesale")
    inspected(life, inspection(life.chain, (IDENTITY, "minor")))
    assert ((), []) == (car(life.chain).alerts, alive(life.chain))


def test_a_plate_alone_accuses_nobody() -> None:
    """Each author salts its commitment, so an inspector's never equals the registrar's."""
    life = at("wholesale")
    registration = replace(UNREGISTERED, status="registered", country="FR", plate_commitment=b"p" * 32)
    change(life.chain, VEHICLE, VIN, registration=registration)
    inspected(life, inspection(life.chain, plate=b"q" * 32))
    assert ((), []) == (car(life.chain).alerts, alive(life.chain))


def test_two_inspectors_make_the_suspicion_firm() -> None:
    life = at("wholesale")
    suspect = inspection(life.chain, (IDENTITY, "major"), holder_signs=False)
    inspected(life, suspect)
    inspected(life, suspect, "inspector-2")
    assert ["confirmed"] == [alert.state for alert in car(life.chain).alerts]
    assert [("identity_suspect", True)] == alive(life.chain)


@pytest.mark.parametrize(("signs", "state"), [(True, "confirmed"), (False, "pending")])
def test_an_odometer_past_its_last_digit_leaves_a_brand(signs: bool, state: str) -> None:
    life = at("wholesale")
    before = car(life.chain).material_changes
    body = inspection(life.chain, (ROLLOVER, "minor"), checklist="USED-CAR", kind="buyer", holder_signs=signs)
    inspected(life, body)
    assert [("exceeds_limits", state)] == [(brand.code, brand.state) for brand in car(life.chain).brands]
    assert before + 1 == car(life.chain).material_changes


@pytest.mark.parametrize(("signs", "state"), [(True, "confirmed"), (False, "pending")])
def test_a_manipulated_odometer_leaves_a_brand(signs: bool, state: str) -> None:
    life = at("wholesale")
    inspected(life, inspection(life.chain, ("7.11", "minor"), holder_signs=signs))
    assert () == car(life.chain).brands
    inspected(life, inspection(life.chain, ("7.11", "major"), holder_signs=signs))
    assert [("odometer_altered", state)] == [(brand.code, brand.state) for brand in car(life.chain).brands]


def test_an_ordinary_pass_is_not_material() -> None:
    life = at("wholesale")
    before = car(life.chain).material_head
    inspected(life, inspection(life.chain, (LAMP, "minor")))
    assert before == car(life.chain).material_head


# --- one refusal for each guard ------------------------------------------------------------------------------
def _eighty(life: Life) -> None:
    use_up_acts(life.chain, address("inspector-1"), "inspection", limits.INSPECTIONS_PER_DAY_MAX)


@table(
    Case("of a kind that the list is not for", "wholesale", "inspector-1",
         lambda life: inspection(life.chain, kind="buyer"), ("checklist_kind",), (HOLDER,)),
    Case("of a part of the list", "wholesale", "inspector-1", lambda life: inspection(life.chain, items=(BRAKES,)),
         ("checklist_partial",), (HOLDER,)),
    Case("a tell-tale that is dangerous", "wholesale", "inspector-1",
         lambda life: inspection(life.chain, ("4.9.2", "dangerous")), ("defect_severity",), (HOLDER,)),
    Case("a release of what nobody presents", "wholesale", "inspector-1",
         lambda life: release(life.chain, holder_signs=False), ("presenter_missing",)),
    Case("by one of the holder's group", "wholesale", "inspector-1", lambda life: inspection(life.chain),
         ("not_independent",), (HOLDER,), lambda life: in_group(life, "cars", "inspector-1", HOLDER)),
    Case("the eighty-first of the day", "wholesale", "inspector-1", lambda life: inspection(life.chain),
         ("acts_exhausted",), (HOLDER,), _eighty),
)  # fmt: skip
def test_an_inspection(case: Case) -> None:
    assert case.codes == case.run()
