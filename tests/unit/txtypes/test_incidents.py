"""`accident.report`: what it can say, which incident it joins, what it confirms, how often an author may report."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.chain import DAY_MS, HOUR_MS, address
from support.damage import (
    INSURER,
    LIFE_BYTES_MAX,
    POLICE,
    SECOND_WORKSHOP,
    WORKSHOP,
    brands,
    give_role,
    group,
    hit,
    last_sequence,
    life_of,
    outcome_of,
    report,
)
from support.disputing import amend
from support.life import VIN, Life, km
from support.stages import Case, at, change, force, ledger_of, table, use_up_acts

from node import limits
from node.codec import encode
from node.errors import Malformed
from node.rules.brands import BRANDS
from node.rules.damage import CAUSES, DAMAGE_CLASSES, SEVERITIES, ZONE_CLASSES, ZONES
from node.rules.disputes import DISPUTE_STANDINGS
from node.txtypes.members.member import FRAUDS, Fraud, Frauds
from node.txtypes.service.damage import Damage
from node.txtypes.vehicle.brands import Brand, with_brand, without_record
from node.txtypes.vehicle.conditions import conditions_of
from node.txtypes.vehicle.incidents import INCIDENTS_MAX, REPAIRS_MAX, REPORTERS_MAX, Incident, IncidentView, Reporter
from node.txtypes.vehicle.life import (
    COOLDOWNS_MAX,
    DISPUTES_MAX,
    HOLDERS_MAX,
    LIFE,
    PARTS_MAX,
    REPAIRERS_MAX,
    STRUCTURAL_ALONE_MAX,
    Cooldown,
    FormerHolder,
    OpenDispute,
    PartTaken,
    Repairer,
    Unproven,
)
from node.txtypes.vehicle.life import Life as Working
from node.txtypes.vehicle.vehicle import VEHICLE


# --- what is possible -------------------------------------------------------------------------------------
@pytest.mark.parametrize("zone", sorted(ZONES))
@pytest.mark.parametrize("extent", DAMAGE_CLASSES)
def test_a_zone_has_the_damage_that_the_table_allows(zone: str, extent: str) -> None:
    life = at("born")
    change(life.chain, VEHICLE, VIN, powertrain="bev")
    codes = life.chain.unmet(life.chain.sign(WORKSHOP, hit(life.chain, zone, extent)))
    assert codes == ([] if extent in ZONE_CLASSES[zone] else ["damage_impossible"])


def electric(life: Life) -> None:
    change(life.chain, VEHICLE, VIN, powertrain="phev")


@table(
    Case("a battery that is there", "born", WORKSHOP, lambda life: hit(life.chain, "hv_battery"), before=electric),
    Case("hit, and there", "born", WORKSHOP, lambda life: hit(life.chain, hv_battery_hit=True), before=electric),
    Case("a petrol car's battery", "born", WORKSHOP, lambda life: hit(life.chain, "hv_battery"),
         ("damage_impossible",)),
    Case("a petrol car's is hit", "born", WORKSHOP, lambda life: hit(life.chain, hv_battery_hit=True),
         ("damage_impossible",)),
    Case("each impossible zone", "born", WORKSHOP, lambda life: hit(life.chain, "windscreen wheels", "structural"),
         ("damage_impossible", "damage_impossible")),
    Case("an unknown zone", "born", WORKSHOP, lambda life: hit(life.chain, "keel"), ("code_unknown",)),
    Case("an unknown cause", "born", WORKSHOP, lambda life: hit(life.chain, cause="meteor"), ("code_unknown",)),
    Case("a dealer", "wholesale", "dealer-shanghai", lambda life: report(life.chain), ("role_missing",)),
    Case("the holder", "wholesale", "dealer-munich", lambda life: report(life.chain)),
)  # fmt: skip
def test_reporting_damage(case: Case) -> None:
    assert case.codes == case.run()


@pytest.mark.parametrize("cause", CAUSES)
def test_a_cause_leaves_the_brand_of_the_table(cause: str) -> None:
    """Theft leaves one only by insurer or police, who know that the car came back."""
    life = at("born")
    life.chain.do(WORKSHOP, hit(life.chain, cause=cause))
    assert brands(life.chain) == ({CAUSES[cause]: "pending"} if CAUSES[cause] else {})
    assert set(CAUSES.values()) - {""} <= set(BRANDS)


def test_theft_leaves_its_brand_by_insurer_or_police() -> None:
    life = at("born")
    life.chain.do(INSURER, report(life.chain, cause="theft"))
    assert {"theft_recovered": "pending"} == brands(life.chain)


def test_what_was_hit_leaves_brands() -> None:
    life = at("born")
    electric(life)
    body = hit(life.chain, "front hv_battery", "structural", airbags=3, cause="fire")
    life.chain.do(WORKSHOP, body)
    assert set(brands(life.chain)) == {"fire", "collision_structural", "hv_battery_hit", "airbag_deployed"}
    assert ("severity:total_candidate", "verdict:NO_VERDICT") == outcome_of(life.chain, last_sequence(life.chain))


def test_a_battery_that_bends_is_hit_and_is_no_frame() -> None:
    life = at("born")
    electric(life)
    life.chain.do(WORKSHOP, hit(life.chain, "hv_battery", "structural"))
    assert set(brands(life.chain)) == {"hv_battery_hit"}


# --- one accident is one incident -----------------------------------------------------------------------------
def grown_old(life: Life) -> Life:
    """So that events some days back are after the birth and the report is no disclosure that came late."""
    life.chain.now += 20 * DAY_MS
    return life


@pytest.mark.parametrize(
    ("zones", "hours", "cases", "count"),
    [
        ("front", 0, (None, None), 1),
        ("front bonnet", 72, (None, None), 1),
        ("front", -72, (None, None), 1),
        ("front", 73, (None, None), 2),
        ("front", -73, (None, None), 2),
        ("rear", 0, (None, None), 2),
        ("rear", 0, (b"c" * 32, b"c" * 32), 1),
        ("rear", 0, (b"c" * 32, b"d" * 32), 2),
        ("rear", 73, (b"c" * 32, b"c" * 32), 2),
    ],
)
def test_a_report_joins_by_time_and_by_zone_or_case(
    zones: str, hours: int, cases: tuple[bytes | None, bytes | None], count: int
) -> None:
    life = grown_old(at("born"))
    first = life.chain.now - 10 * DAY_MS
    life.chain.do(WORKSHOP, report(life.chain, event_at_ms=first, case=cases[0]))
    second = report(life.chain, zones=zones, event_at_ms=first + hours * HOUR_MS, case=cases[1])
    life.chain.do(SECOND_WORKSHOP, second)
    assert count == len(life_of(life.chain).incidents) == life.chain.state(VEHICLE, VIN).accident_count
    joined = "incident_joined" in outcome_of(life.chain, last_sequence(life.chain))
    assert joined is (count == 1)


def test_an_incident_has_the_worst_severity_and_the_span_of_its_reports() -> None:
    """The holder's mild report first and the insurer's later are one incident of the insurer's severity."""
    life = grown_old(at("wholesale"))
    first = life.chain.now - 10 * DAY_MS
    life.chain.do("dealer-munich", report(life.chain, event_at_ms=first, extent="cosmetic"))
    assert "self_reported" in outcome_of(life.chain, last_sequence(life.chain))
    later = report(life.chain, "front rear", event_at_ms=first + DAY_MS, extent="structural", case=b"i" * 32)
    life.chain.do(INSURER, later)
    life.chain.do(WORKSHOP, report(life.chain, "rear", event_at_ms=first - DAY_MS))
    [incident] = life_of(life.chain).incidents
    assert (first - DAY_MS, first + DAY_MS) == (incident.first_ms, incident.last_ms)
    assert ("severe", 3, b"i" * 32) == (incident.severity, incident.reports, incident.case)
    assert ("front", "rear") == incident.damaged
    assert 1 == life.chain.state(VEHICLE, VIN).accident_count


def test_an_annulled_incident_takes_no_more_reports() -> None:
    life = at("born")
    life.chain.do(WORKSHOP, hit(life.chain))
    working = life_of(life.chain)
    [incident] = working.incidents
    force(life.chain, LIFE, VIN, replace(working, incidents=(replace(incident, state="annulled"),)))
    life.chain.do(SECOND_WORKSHOP, report(life.chain))
    assert ["annulled", "pending"] == [entry.state for entry in life_of(life.chain).incidents]


def test_of_the_seventeenth_on_the_first_reported_becomes_a_count() -> None:
    life = grown_old(at("born"))
    life.chain.now += 400 * DAY_MS
    start = life.chain.now
    for number in range(INCIDENTS_MAX + 2):
        body = hit(life.chain, event_at_ms=start - 400 * DAY_MS + number * 5 * DAY_MS)
        life.chain.do(WORKSHOP, replace(body, holder_signs=True), "bmw")
        life.chain.now += DAY_MS
    working = life_of(life.chain)
    assert (INCIDENTS_MAX, 2) == (len(working.incidents), working.older_incidents)
    assert INCIDENTS_MAX + 2 == life.chain.state(VEHICLE, VIN).accident_count
    assert [entry.sequence for entry in working.incidents] == list(range(3, INCIDENTS_MAX + 3))


def test_scratches_displace_no_accident() -> None:
    """The mildest incident is dropped first, of those one that nobody has confirmed."""
    life = grown_old(at("wholesale"))
    life.chain.do(POLICE, report(life.chain, "interior underbody", event_at_ms=life.chain.now - 10 * DAY_MS))
    life.chain.do(WORKSHOP, hit(life.chain, "roof", "cosmetic"))
    for zone in sorted(set(ZONES) - {"roof", "interior", "underbody", "hv_battery"})[:INCIDENTS_MAX]:
        life.chain.do("dealer-munich", report(life.chain, zone, extent="cosmetic", odometer=km(200)))
        life.chain.now += DAY_MS
    working = life_of(life.chain)
    assert (INCIDENTS_MAX, 2) == (len(working.incidents), working.older_incidents)
    assert [("interior", "underbody"), True] == [
        working.incidents[0].damaged, all(entry.state == "confirmed" for entry in working.incidents)
    ]  # fmt: skip


# --- one writer informs, two bind -----------------------------------------------------------------------------
STRUCTURAL = dict(extent="structural")


def test_what_one_author_reports_is_pending_and_confirmed_by_time() -> None:
    life = at("born")
    life.chain.do(WORKSHOP, hit(life.chain, **STRUCTURAL))
    assert {"collision_structural": "pending"} == brands(life.chain)
    assert "pending" == life_of(life.chain).incidents[0].state
    life.chain.now += 30 * DAY_MS - 2_000
    assert {"collision_structural": "pending"} == brands(life.chain)
    life.chain.now += 2_000
    assert {"collision_structural": "confirmed"} == brands(life.chain)
    assert "confirmed" == IncidentView.of(life_of(life.chain).incidents[0], life.chain.now).state


def test_the_holder_and_the_police_bind() -> None:
    for sender, cosigners in ((WORKSHOP, ("bmw",)), (POLICE, ()), ("bmw", ())):
        life = at("born")
        body = report(life.chain, holder_signs=bool(cosigners), **STRUCTURAL)
        life.chain.do(sender, body, *cosigners)
        assert {"collision_structural": "confirmed"} == brands(life.chain), sender
        assert "confirmed" == life_of(life.chain).incidents[0].state


def test_a_second_unrelated_author_confirms_what_both_say() -> None:
    life = at("born")
    life.chain.do(WORKSHOP, hit(life.chain, extent="structural", airbags=2))
    life.chain.do(SECOND_WORKSHOP, report(life.chain, extent="structural", cause="fire"))
    assert brands(life.chain) == {
        "airbag_deployed": "pending",
        "collision_structural": "confirmed",
        "fire": "pending",
    }
    assert "confirmed" == life_of(life.chain).incidents[0].state


def test_a_milder_second_report_confirms_the_incident_and_no_brand() -> None:
    life = at("born")
    life.chain.do(WORKSHOP, hit(life.chain, **STRUCTURAL))
    life.chain.do(INSURER, report(life.chain))
    assert {"collision_structural": "pending"} == brands(life.chain)
    assert "confirmed" == life_of(life.chain).incidents[0].state


def related_workshops(life: Life) -> None:
    group(life.chain, "garages", WORKSHOP, SECOND_WORKSHOP)


def first_is_a_fraud(life: Life) -> None:
    force(life.chain, FRAUDS, "all", Frauds((Fraud(address(WORKSHOP), "", life.chain.now - DAY_MS),)))


@pytest.mark.parametrize("second", [WORKSHOP, SECOND_WORKSHOP])
@pytest.mark.parametrize("before", [related_workshops, first_is_a_fraud])
def test_who_is_related_or_a_fraud_is_no_second_author(second: str, before) -> None:
    if (second, before) == (WORKSHOP, first_is_a_fraud):
        return
    life = at("born")
    life.chain.do(WORKSHOP, hit(life.chain, **STRUCTURAL))
    before(life)
    life.chain.do(second, report(life.chain, **STRUCTURAL))
    assert {"collision_structural": "pending"} == brands(life.chain)
    assert "pending" == life_of(life.chain).incidents[0].state


def test_another_accident_confirms_nothing() -> None:
    life = grown_old(at("born"))
    life.chain.do(WORKSHOP, hit(life.chain, event_at_ms=life.chain.now - 10 * DAY_MS, **STRUCTURAL))
    life.chain.do(SECOND_WORKSHOP, report(life.chain, **STRUCTURAL))
    assert {"collision_structural": "pending"} == brands(life.chain)
    life.chain.do(INSURER, report(life.chain, **STRUCTURAL))
    assert {"collision_structural": "confirmed"} == brands(life.chain)


def test_a_brand_names_every_record_that_tells_it_and_falls_with_the_last() -> None:
    """Or a friend of the seller would tell it too, take its word back, and the brand would be gone."""
    now = 100 * DAY_MS
    told = with_brand((), "fire", now, 3, is_confirmed=False)
    told = with_brand(told, "fire", now + DAY_MS, 5, is_confirmed=False)
    [brand] = told
    assert (3, (5,), "pending", now) == (brand.sequence, brand.others, brand.state, brand.since_ms)
    assert brand == without_record(brand, 4, now)
    later = now + 20 * DAY_MS
    first = without_record(replace(brand, disputed_until_ms=later), 3, later)
    assert (5, (), later, 0) == (first.sequence, first.others, first.since_ms, first.disputed_until_ms)
    second = without_record(replace(brand, disputed_until_ms=later + 1), 5, later)
    assert (3, (), later, later + 1) == (second.sequence, second.others, second.since_ms, second.disputed_until_ms)
    assert without_record(first, 5, now) is None
    [confirmed] = with_brand(told, "fire", now + 2 * DAY_MS, 7, is_confirmed=True)
    kept = without_record(confirmed, 3, now + 9 * DAY_MS)
    assert (5, (7,), "confirmed", now) == (kept.sequence, kept.others, kept.state, kept.since_ms)


def test_a_brand_names_four_records_at_most() -> None:
    told: tuple[Brand, ...] = ()
    for sequence in range(6):
        told = with_brand(told, "fire", DAY_MS, sequence, is_confirmed=False)
    assert (0, (1, 2, 3)) == (told[0].sequence, told[0].others)


@pytest.mark.parametrize(
    ("state", "is_confirmed", "after"),
    [
        ("pending", False, "pending"),
        ("pending", True, "confirmed"),
        ("undecided", False, "undecided"),
        ("undecided", True, "confirmed"),
        ("confirmed", False, "confirmed"),
        ("annulled", False, "pending"),
        ("annulled", True, "confirmed"),
    ],
)
def test_what_a_report_makes_of_a_brand(state: str, is_confirmed: bool, after: str) -> None:
    before = (Brand("fire", state, DAY_MS, 1, 0), Brand("hail", "pending", DAY_MS, 1, 0))
    fire, hail = with_brand(before, "fire", 2 * DAY_MS, 9, is_confirmed=is_confirmed)
    assert (after, before[1]) == (fire.state, hail)
    assert (fire.sequence, fire.since_ms) == ((9, 2 * DAY_MS) if state == "annulled" else (1, DAY_MS))


# --- how often --------------------------------------------------------------------------------------------
def reported(count: int):
    def before(life: Life) -> None:
        grown_old(life)
        for number in range(count):
            life.chain.do(WORKSHOP, hit(life.chain, event_at_ms=life.chain.now - (10 - 5 * number) * DAY_MS))

    return before


def a_year_later(life: Life) -> None:
    reported(2)(life)
    life.chain.now += 365 * DAY_MS


def police_twice(life: Life) -> None:
    for _ in range(2):
        life.chain.do(POLICE, report(life.chain))


def taken_back_twice(life: Life) -> None:
    grown_old(life)
    for _ in range(2):
        life.chain.do(INSURER, report(life.chain, odometer=None))
        life.chain.do(INSURER, amend(life.chain, last_sequence(life.chain), reason="duplicate"))


def thirty_today(sender: str):
    most = limits.DAMAGE_ALONE_PER_DAY_MAX
    return lambda life: use_up_acts(life.chain, address(sender), "damage.alone", most)


@table(
    Case("a third one, of two that were taken back", "born", INSURER,
         lambda life: report(life.chain, odometer=None), ("reports_on_vehicle",), before=taken_back_twice),
    Case("the 31st alone today", "born", WORKSHOP, lambda life: hit(life.chain), ("acts_exhausted",),
         before=thirty_today(WORKSHOP)),
    Case("the 31st today, signed", "born", WORKSHOP, lambda life: hit(life.chain, holder_signs=True), (), ("bmw",),
         before=thirty_today(WORKSHOP)),
    Case("the 31st today of the police", "born", POLICE, lambda life: report(life.chain),
         before=thirty_today(POLICE)),
    Case("a second one", "born", WORKSHOP, lambda life: hit(life.chain), before=reported(1)),
    Case("a third one", "born", WORKSHOP, lambda life: hit(life.chain), ("reports_on_vehicle",), before=reported(2)),
    Case("a third one, of an incident", "born", WORKSHOP,
         lambda life: hit(life.chain, event_at_ms=life.chain.now - 10 * DAY_MS), ("reports_on_vehicle",),
         before=reported(2)),
    Case("another author", "born", SECOND_WORKSHOP, lambda life: report(life.chain), before=reported(2)),
    Case("the holder signs", "born", WORKSHOP, lambda life: hit(life.chain, holder_signs=True), (), ("bmw",),
         before=reported(2)),
    Case("a year later", "born", WORKSHOP, lambda life: hit(life.chain), before=a_year_later),
    Case("the police", "born", POLICE, lambda life: report(life.chain), before=police_twice),
)  # fmt: skip
def test_an_author_reports_damage_twice_a_year(case: Case) -> None:
    assert case.codes == case.run()


# --- what a sale sees -----------------------------------------------------------------------------------------
def test_damage_before_the_last_transfer_that_is_told_after_it_is_an_alert() -> None:
    life = at("wholesale")
    title_since = life.chain.state(VEHICLE, VIN).title_since_ms
    life.chain.do(WORKSHOP, hit(life.chain, event_at_ms=title_since, odometer=km(200)))
    assert () == life.chain.state(VEHICLE, VIN).alerts
    life.chain.do(SECOND_WORKSHOP, report(life.chain, event_at_ms=title_since - 1, odometer=km(200)))
    [alert] = life.chain.state(VEHICLE, VIN).alerts
    assert ("late_disclosure", "confirmed") == (alert.code, alert.state)


def test_a_pending_brand_is_open_for_a_sale() -> None:
    life = at("born")
    life.chain.do(WORKSHOP, hit(life.chain, **STRUCTURAL))
    ledger = ledger_of(life.chain)
    vehicle = life.chain.state(VEHICLE, VIN)
    assert "brand_open" in set(conditions_of(ledger, VIN, vehicle, life.chain.now, ledger.rules))
    assert 1 == vehicle.material_changes


# --- bounds -----------------------------------------------------------------------------------------------
def test_the_working_sets_with_every_list_full_are_within_their_bound() -> None:
    late = 253_402_300_799_999
    reporter = Reporter(b"a" * 20, 2**32, late, 2 ** len(ZONES) - 1, 3, "struck")
    incident = Incident(
        late, late, 2**32, b"c" * 32, tuple(sorted(ZONES)), 2**32, "confirmed", late, late,
        (reporter,) * REPORTERS_MAX, 2 ** len(ZONES) - 1, 3, (2**32,) * REPAIRS_MAX, 2**32,
    )  # fmt: skip
    working = Working(
        (FormerHolder(b"h" * 20, b"r" * 20, late),) * HOLDERS_MAX, late,
        (Repairer(b"a" * 20, 2**32, late, (late,) * STRUCTURAL_ALONE_MAX),) * REPAIRERS_MAX, late,
        (incident,) * INCIDENTS_MAX, 2**32, (Cooldown(b"s" * 20, late),) * COOLDOWNS_MAX,
        tuple(Unproven(zone, 2**32, late, 2**32) for zone in sorted(ZONES)),
        (OpenDispute(b"d" * 32, b"o" * 20, max(DISPUTE_STANDINGS, key=len), late),) * DISPUTES_MAX,
        (PartTaken(VIN, late, 2**32),) * PARTS_MAX,
    )  # fmt: skip
    assert LIFE_BYTES_MAX * 3 // 4 < len(encode(working)) <= LIFE_BYTES_MAX


MORE = ("carrier-1", "dismantler-1", "dealer-munich", "dealer-shanghai", "bank-1", "payment-provider-1")


def test_the_newest_reporters_and_the_gravest_are_kept() -> None:
    """So that the severity of the gravest goes with it."""
    life = at("born")
    names = [WORKSHOP, SECOND_WORKSHOP, INSURER, *MORE]
    for name in MORE:
        give_role(life.chain, name, "workshop")
    for name in names:
        life.chain.do(name, report(life.chain, extent="structural" if name == INSURER else "bolt_on"))
    [incident] = life_of(life.chain).incidents
    kept = [address(INSURER), *map(address, names[-REPORTERS_MAX + 1 :])]
    assert kept == [entry.author for entry in incident.reporters]
    assert (9, "severe", "minor") == (incident.reports, incident.severity, SEVERITIES[incident.older_severity])
    life.chain.do(INSURER, amend(life.chain, incident.reporters[0].sequence, witness=address("inspector-1")),
                  "inspector-1")  # fmt: skip
    assert "minor" == life_of(life.chain).incidents[0].severity


def test_more_damaged_zones_than_there_are_do_not_decode() -> None:
    life = at("born")
    body = hit(life.chain, " ".join(sorted(ZONES)), "cosmetic")
    electric(life)
    assert [] == life.chain.unmet(life.chain.sign(WORKSHOP, body))
    with pytest.raises(Malformed, match="damages"):
        life.chain.sign(WORKSHOP, replace(body, damages=(*body.damages, Damage("keel", "cosmetic"))))
