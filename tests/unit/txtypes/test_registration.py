"""Guards and effects of the registrars' records, and claims from application to decision."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from support.chain import DAY_MS, Chain, address
from support.life import VIN, Life, maintenance
from support.registering import (
    accept,
    claim,
    claim_it,
    claimed,
    deregistered,
    end,
    export,
    exported,
    imported,
    leaving,
    put,
    registered,
    registration,
    root,
    suspend,
)
from support.stages import Case, at, change, ledger_of, table

from node.codec import encode
from node.ledger.family import AsOf
from node.rules.registration import REGISTRATION_USAGES
from node.rules.stop_flags import STOP_FLAGS
from node.txtypes.members.mandate import MandateGrant
from node.txtypes.members.member import MEMBER, StatusChange
from node.txtypes.rulesets import RULESETS
from node.txtypes.vehicle.record import Content, stored_record
from node.txtypes.vehicle.regions import (
    CLAIM_AGAIN_MS,
    CLAIM_MS,
    REFUSALS_MAX,
    Claim,
    Flag,
    Inspection,
    OpenRecall,
    Refusal,
    Registration,
    brand_state,
    ended_registration,
    objected,
    objected_by,
)
from node.txtypes.vehicle.stop_flags import FlagSet
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle, VehicleView, blocks_of, material_root


def car(chain: Chain) -> Vehicle:
    found: Vehicle = chain.state(VEHICLE, VIN)
    return found


def view(chain: Chain) -> VehicleView:
    return VehicleView.of(VIN, car(chain), ledger_of(chain), AsOf(chain.now, RULESETS[1]))


def outcome(chain: Chain) -> tuple[str, ...]:
    """Of the car's last record."""
    raw = chain.store.state.record(VIN, car(chain).record_count - 1)
    assert raw is not None
    content: Content = msgspec.msgpack.decode(stored_record(raw).content, type=Content)
    return content.outcome


def flagged(*names: str, setter: str = "police-1", country: str = "DE"):
    def before(life: Life) -> None:
        flags = tuple(Flag(n, address(setter), country, b"", 0, 0, True, 0) for n in names)  # type: ignore[arg-type]
        change(life.chain, VEHICLE, VIN, flags=flags)

    return before


def flag(life: Life, name: str) -> FlagSet:
    return FlagSet(VIN, name, None, 0, False)


def inspected(valid_days: int, result: str = "pass", retest_days: int = 0):
    def before(life: Life) -> None:
        now = life.chain.now
        due = now + retest_days * DAY_MS if retest_days else 0
        found = Inspection(0, result, address("inspector-1"), now, now + valid_days * DAY_MS, due)  # type: ignore[arg-type]
        change(life.chain, VEHICLE, VIN, inspection=found)

    return before


def recalled(recall_class: str):
    def before(life: Life) -> None:
        change(life.chain, VEHICLE, VIN, recalls=(OpenRecall(address("bmw"), "C-1", recall_class),))

    return before


def granted(country: str, **changes: Any):
    """registrar-1 has its role for this country."""

    def before(life: Life) -> None:
        ident = address("registrar-1")
        grants = tuple(replace(g, country=country, **changes) for g in life.chain.state(MEMBER, ident).grants)
        change(life.chain, MEMBER, ident, grants=grants)

    return before


def then(*steps: Any):
    def before(life: Life) -> None:
        for step in steps:
            step(life)

    return before


def refused_before(life: Life) -> None:
    """DE has objected to a claim of CN."""
    claimed(life)
    life.chain.do("registrar-1", end(life.chain, reason="official"))


def later(days: int):
    def before(life: Life) -> None:
        life.chain.now += days * DAY_MS

    return before


# --- registration.set ---------------------------------------------------------------------------------------
@table(
    Case("a new car", "born", "registrar-1", lambda life: put(life.chain)),
    Case("a temporary one", "born", "registrar-1",
         lambda life: put(life.chain, kind="temporary", until_ms=life.chain.now + DAY_MS)),
    Case("a temporary one of the longest time", "born", "registrar-1",
         lambda life: put(life.chain, kind="temporary", until_ms=life.chain.now + 400 * DAY_MS)),
    Case("a temporary one of a longer time", "born", "registrar-1",
         lambda life: put(life.chain, kind="temporary", until_ms=life.chain.now + 400 * DAY_MS + 1),
         ("registration_term",)),
    Case("a temporary one without an end", "born", "registrar-1", lambda life: put(life.chain, kind="temporary"),
         ("registration_term",)),
    Case("a temporary one that ends now", "born", "registrar-1",
         lambda life: put(life.chain, kind="temporary", until_ms=life.chain.now), ("registration_term",)),
    Case("a permanent one with an end", "born", "registrar-1",
         lambda life: put(life.chain, until_ms=life.chain.now + DAY_MS), ("registration_term",)),
    Case("an imported car", "born", "registrar-1", lambda life: put(life.chain), ("registration_status",),
         before=imported),
    Case("an imported car that was registered before", "born", "registrar-1", lambda life: put(life.chain),
         before=then(deregistered, imported)),
    Case("the registrar of another country", "born", "registrar-2", lambda life: put(life.chain), ("role_scope",)),
    Case("a workshop", "born", "workshop-berlin", lambda life: put(life.chain), ("role_missing", "odometer_missing")),
    Case("no member", "born", "buyer-1", lambda life: put(life.chain), ("role_missing", "odometer_missing")),
    Case("a registrar of everywhere", "born", "registrar-1", lambda life: put(life.chain), ("role_scope",),
         before=granted("")),
    Case("a registrar since yesterday, of an event before", "born", "registrar-1",
         lambda life: put(life.chain, event_at_ms=life.chain.now - 2 * DAY_MS), ("role_at_event",),
         before=lambda life: (later(3)(life), granted("DE", starts_at_ms=life.chain.now - DAY_MS)(life))),
    Case("an event of 30 days ago", "born", "registrar-1",
         lambda life: put(life.chain, event_at_ms=life.chain.now - 30 * DAY_MS), before=later(40)),
    Case("an older event", "born", "registrar-1",
         lambda life: put(life.chain, event_at_ms=life.chain.now - 30 * DAY_MS - 1), ("event_not_now",),
         before=later(40)),
    Case("an unknown car", "", "registrar-1", lambda life: put(life.chain), ("vehicle_unknown",)),
    Case("a scrapped car", "born", "registrar-1", lambda life: put(life.chain), ("vehicle_ended",),
         before=lambda life: change(life.chain, VEHICLE, VIN, existence="scrapped")),
    Case("another model seen", "born", "registrar-1",
         lambda life: put(life.chain, where=replace(put(life.chain).where, model_seen="X5")), ("model_differs",)),
    Case("an unknown country", "born", "registrar-1", lambda life: put(life.chain, country="ZZ"),
         ("code_unknown", "role_scope")),
    Case("an unknown kind", "born", "registrar-1", lambda life: put(life.chain, kind="eternal"), ("code_unknown",)),
    Case("inspected", "born", "registrar-1", lambda life: put(life.chain), before=inspected(1)),
    Case("inspection run out", "born", "registrar-1", lambda life: put(life.chain), ("inspection_overdue",),
         before=then(inspected(1), later(1))),
    Case("failed, retest not due yet", "born", "registrar-1", lambda life: put(life.chain),
         before=inspected(60, "major", 30)),
    Case("failed, retest overdue", "born", "registrar-1", lambda life: put(life.chain), ("inspection_overdue",),
         before=then(inspected(60, "major", 30), later(30))),
    Case("recall of class compliance", "born", "registrar-1", lambda life: put(life.chain), ("recall_compliance",),
         before=recalled("compliance")),
    Case("recall of class safety", "born", "registrar-1", lambda life: put(life.chain), before=recalled("safety")),
    Case("stolen", "born", "registrar-1", lambda life: put(life.chain), ("stop_flag",), before=flagged("stolen")),
    Case("a lien", "born", "registrar-1", lambda life: put(life.chain), before=flagged("lien", setter="bank-1")),
    Case("while another country claims the car", "born", "registrar-1", lambda life: put(life.chain), ("claim_open",),
         before=claimed),
)  # fmt: skip
def test_registering(case: Case) -> None:
    assert case.codes == case.run()


@pytest.mark.parametrize("flag", STOP_FLAGS)
def test_flags_that_block_registration_and_export(flag: str) -> None:
    blocks = STOP_FLAGS[flag].blocks
    for operation, prepare, body, cosigners in (
        ("register_country", registered, put, ()),
        ("export", registered, export, ("bank-1",) if flag == "lien" else ()),
    ):
        life = at("born")
        prepare(life)
        flagged(flag, setter="bank-1")(life)
        is_blocked = operation in blocks and not cosigners
        expected = ["stop_flag"] if is_blocked else []
        assert expected == life.chain.unmet(life.chain.sign("registrar-1", body(life.chain), *cosigners)), operation


def test_the_first_registration_takes_a_new_car_into_service() -> None:
    life = at("born")
    assert "born" == car(life.chain).existence
    registered(life)
    found = car(life.chain)
    assert ("in_service", 0, ()) == (found.existence, found.material_changes, found.brands)
    assert (
        Registration(
            "registered", "DE", b"\xab" * 32, "permanent", "private", life.chain.now - 1000, 0, "", 1, None, ()
        )
        == found.registration
    )
    change(life.chain, VEHICLE, VIN, existence="rebuilt")
    life.chain.do("registrar-1", put(life.chain, plate=b"\xcd" * 32))
    assert ("rebuilt", b"\xcd" * 32) == (car(life.chain).existence, registration(life.chain).plate_commitment)


@pytest.mark.parametrize(("usage", "brand"), REGISTRATION_USAGES.items())
def test_a_usage_leaves_its_brand_for_ever(usage: str, brand: str) -> None:
    life = at("born")
    chain = life.chain
    chain.do("registrar-1", put(chain, usage=usage))
    expected = ((brand, "confirmed", 1),) if brand else ()
    assert expected == tuple((b.code, b.state, b.sequence) for b in car(chain).brands)
    assert (1 if brand else 0) == car(chain).material_changes
    chain.do("registrar-1", put(chain, usage="private"))
    chain.do("registrar-1", put(chain, usage=usage))
    assert expected == tuple((b.code, b.state, b.sequence) for b in car(chain).brands)
    assert (1 if brand else 0) == car(chain).material_changes, "known before"


# --- suspend, end, export -----------------------------------------------------------------------------------
@table(
    Case("suspend", "born", "registrar-1", lambda life: suspend(life.chain), before=registered),
    Case("suspend for no known reason", "born", "registrar-1", lambda life: suspend(life.chain, reason="mood"),
         ("code_unknown",), before=registered),
    Case("suspend by a dealer", "born", "dealer-munich", lambda life: suspend(life.chain),
         ("role_missing", "odometer_missing"),
         before=registered),
    Case("end by the registrar of another country", "born", "registrar-2", lambda life: end(life.chain),
         ("role_scope",), before=registered),
    Case("end of a scrapped car's", "born", "registrar-1", lambda life: end(life.chain, reason="scrapped"),
         ("registration_reason",), before=registered),
    Case("end for no known reason", "born", "registrar-1", lambda life: end(life.chain, reason="mood"),
         ("code_unknown",), before=registered),
    Case("end of a car with a flag", "born", "registrar-1", lambda life: end(life.chain),
         before=then(registered, flagged("stolen", "court_hold"))),
    Case("export home", "born", "registrar-1", lambda life: export(life.chain, to="DE"), ("same_country",),
         before=registered),
    Case("export nowhere", "born", "registrar-1", lambda life: export(life.chain, to="ZZ"), ("code_unknown",),
         before=registered),
    Case("export of a financed car", "born", "registrar-1", lambda life: export(life.chain), (), ("bank-1",),
         before=then(registered, flagged("lien", setter="bank-1"))),
    Case("export of a financed car without the bank", "born", "registrar-1", lambda life: export(life.chain),
         ("signature_missing",), before=then(registered, flagged("lien", setter="bank-1"))),
    Case("export that another signs", "born", "registrar-1", lambda life: export(life.chain),
         ("signature_superfluous",), ("bank-1",), before=registered),
    Case("export of a stolen car", "born", "registrar-1", lambda life: export(life.chain), ("stop_flag",),
         before=then(registered, flagged("stolen"))),
)  # fmt: skip
def test_leaving(case: Case) -> None:
    assert case.codes == case.run()


def test_an_end_is_material_and_a_suspension_is_not() -> None:
    life = at("born")
    registered(life)
    chain, before = life.chain, root(life.chain)
    chain.do("registrar-1", suspend(chain))
    assert before == root(chain)
    chain.do("registrar-1", end(chain))
    assert (1, "deregistered") == (car(chain).material_changes, registration(chain).status)
    assert before != root(chain)


# --- registration.accept ------------------------------------------------------------------------------------
@table(
    Case("leaving for the country", "born", "registrar-2", lambda life: accept(life.chain), before=leaving),
    Case("exported", "born", "registrar-2", lambda life: accept(life.chain), before=exported),
    Case("an imported car", "born", "registrar-2", lambda life: accept(life.chain), before=imported),
    Case("a new car", "born", "registrar-2", lambda life: accept(life.chain), ("registration_status",)),
    Case("shown something else", "born", "registrar-2", lambda life: accept(life.chain, shown=bytes(32)),
         ("disclosure_stale",), before=leaving),
    Case("compliance", "born", "registrar-2", lambda life: accept(life.chain), ("recall_compliance",),
         before=then(leaving, recalled("compliance"))),
    Case("inspection run out", "born", "registrar-2", lambda life: accept(life.chain), ("inspection_overdue",),
         before=then(leaving, inspected(1), later(1))),
    Case("a flag", "born", "registrar-2", lambda life: accept(life.chain), ("stop_flag",),
         before=then(leaving, flagged("identity_suspect"))),
    Case("not asked by the holder", "born", "registrar-2", lambda life: accept(life.chain), ("registered_elsewhere",),
         before=registered),
    Case("in its own country", "born", "registrar-1", lambda life: claim(life.chain, "DE"), ("registration_status",),
         ("bmw",), before=registered),
    Case("a claim", "born", "registrar-2", lambda life: claim(life.chain), (), ("bmw",), before=registered),
    Case("a claim without the holder's signature", "born", "registrar-2", lambda life: claim(life.chain),
         ("signature_missing",), before=registered),
    Case("a claim that shows something else", "born", "registrar-2", lambda life: claim(life.chain, shown=bytes(32)),
         ("disclosure_stale",), ("bmw",), before=registered),
    Case("a claim of a financed car", "born", "registrar-2", lambda life: claim(life.chain), (), ("bmw", "bank-1"),
         before=then(registered, flagged("lien", setter="bank-1"))),
    Case("a claim of a financed car without the bank", "born", "registrar-2", lambda life: claim(life.chain),
         ("signature_missing",), ("bmw",), before=then(registered, flagged("lien", setter="bank-1"))),
    Case("a second claim", "born", "registrar-2", lambda life: claim(life.chain), ("claim_open",), ("bmw",),
         before=claimed),
    Case("a claim of a temporary registration that ends before it takes effect", "born", "registrar-2",
         lambda life: claim(life.chain, kind="temporary", until_ms=life.chain.now + CLAIM_MS), ("registration_term",),
         ("bmw",), before=registered),
    Case("a claim of a longer temporary registration", "born", "registrar-2",
         lambda life: claim(life.chain, kind="temporary", until_ms=life.chain.now + CLAIM_MS + 1), (), ("bmw",),
         before=registered),
    Case("a claim soon after an objection", "born", "registrar-2", lambda life: claim(life.chain),
         ("claim_cooldown",), ("bmw",), before=then(refused_before, later(179))),
    Case("a claim long after an objection", "born", "registrar-2", lambda life: claim(life.chain), (), ("bmw",),
         before=then(refused_before, later(180))),
    Case("an export after an objection", "born", "registrar-2", lambda life: accept(life.chain),
         before=then(refused_before, lambda life: life.chain.do("registrar-1", export(life.chain)))),
    Case("an export to the country that claims", "born", "registrar-2", lambda life: accept(life.chain),
         before=then(claimed, lambda life: life.chain.do("registrar-1", export(life.chain)))),
)  # fmt: skip
def test_accepting(case: Case) -> None:
    assert case.codes == case.run()


def test_an_agent_does_not_apply_for_the_holder() -> None:
    """A workshop that may present the car for its inspection can't move it to another country."""
    life = at("born")
    chain = life.chain
    registered(life)
    grant = MandateGrant(address("workshop-berlin"), (VIN,), (), ("present",), chain.now + 9 * DAY_MS)
    mandate = chain.do("bmw", grant)
    raw = chain.sign("registrar-2", replace(claim(chain), mandate=mandate), "workshop-berlin")
    assert ["registered_elsewhere"] == chain.unmet(raw)


# --- claims -------------------------------------------------------------------------------------------------
def test_an_open_claim_is_shown_and_material_and_changes_no_status() -> None:
    life = at("born")
    registered(life)
    chain, before = life.chain, root(life.chain)
    claim_it(life)
    found = view(chain)
    assert ("registered", "DE", "CN") == (
        found.registration.status, found.registration.country, found.registration.claim.country  # type: ignore[union-attr]
    )  # fmt: skip
    assert (1, ("claim_opened",)) == (car(chain).material_changes, outcome(chain))
    assert before != root(chain)
    for body in (suspend(chain), export(chain), end(chain)):
        assert [] == chain.unmet(chain.sign("registrar-1", body)), "it blocks new registrations only"


@pytest.mark.parametrize(("prepare", "alerts"), [(registered, ["double_registration"]), (deregistered, [])])
def test_a_claim_takes_effect_after_thirty_days(prepare: Any, alerts: list[str]) -> None:
    life = at("born")
    chain = life.chain
    prepare(life)
    chain.do("registrar-2", claim(chain, usage="taxi"), "bmw")
    made, stored, shown = chain.now - 1000, car(chain), root(chain)
    chain.now = made + CLAIM_MS - 1
    assert "DE" == view(chain).registration.country and () == view(chain).brands
    chain.now += 1
    found = view(chain)
    assert ("registered", "CN", made + CLAIM_MS, None) == (
        found.registration.status, found.registration.country, found.registration.since_ms, found.registration.claim
    )  # fmt: skip
    assert alerts == [alert.code for alert in found.alerts if alert.state == "confirmed"]
    assert [("taxi", "confirmed", made + CLAIM_MS)] == [(b.code, b.state, b.since_ms) for b in found.brands]
    assert stored == car(chain), "nothing was written"
    assert shown == found.material_root, "what only time does changes no root"
    assert ["registered_elsewhere"] == chain.unmet(chain.sign("registrar-1", suspend(chain)))
    chain.do("registrar-2", suspend(chain, "CN"))
    written = car(chain)
    assert (found.alerts, "suspended", "CN") == (
        written.alerts, written.registration.status, written.registration.country
    )  # fmt: skip
    assert ["confirmed"] == [brand_state(brand, chain.now) for brand in written.brands]


def test_any_record_of_the_car_writes_what_time_has_done() -> None:
    life = at("born")
    claimed(life)
    chain = life.chain
    chain.now += CLAIM_MS
    chain.do("workshop-berlin", maintenance(chain))
    assert ("CN", ["double_registration"]) == (registration(chain).country, [a.code for a in car(chain).alerts])


def test_a_confirmed_export_lets_the_claim_take_effect_at_once() -> None:
    life = at("born")
    chain = life.chain
    registered(life)
    chain.do("registrar-2", claim(chain, usage="taxi"), "bmw")
    chain.do("registrar-1", end(chain, reason="export_confirmed"))
    found = car(chain)
    assert ("registered", "CN", "taxi", None) == (
        found.registration.status, found.registration.country, found.registration.usage, found.registration.claim
    )  # fmt: skip
    assert ((), ["taxi"], ("claim_takes_effect",)) == (found.alerts, [b.code for b in found.brands], outcome(chain))


@pytest.mark.parametrize("reason", ["owner", "total_loss", "theft", "official"])
def test_an_end_for_another_reason_is_an_objection(reason: str) -> None:
    life = at("born")
    chain = life.chain
    claimed(life)
    chain.do("registrar-1", end(chain, reason=reason))
    assert ("deregistered", "DE", None, (Refusal("CN", chain.now - 1000 + CLAIM_AGAIN_MS),)) == (
        registration(chain).status, registration(chain).country, registration(chain).claim,
        registration(chain).refusals,
    )  # fmt: skip
    assert ("claim_objected",) == outcome(chain)
    chain.now += CLAIM_MS
    assert "deregistered" == view(chain).registration.status


def test_a_flag_of_the_country_that_has_the_car_is_an_objection() -> None:
    life = at("born")
    claimed(life)
    open_claim, now = registration(life.chain), life.chain.now

    def after(name: str, country: str = "DE", is_firm: bool = True) -> Registration:
        flag = Flag(name, address("registrar-1"), country, b"", now, 0, is_firm, 0)
        return objected_by(flag, open_claim, blocks_of(flag, RULESETS[1]), now)

    closed = replace(open_claim, claim=None, refusals=(Refusal("CN", now + CLAIM_AGAIN_MS),))
    assert closed == after("court_hold") == after("title_dispute") == after("identity_suspect") == after("stolen")
    assert open_claim == after("odometer_investigation"), "it does not block registration"
    assert open_claim == after("court_hold", "CN"), "of the country that claims"
    assert open_claim == after("court_hold", "FR"), "of a third country"
    assert open_claim == after("court_hold", is_firm=False), "a provisional one blocks handover and transfer only"


@table(
    Case("registrar of the country", "born", "registrar-1", lambda life: flag(life, "court_hold")),
    Case("police of the country", "born", "police-1", lambda life: flag(life, "stolen")),
    Case("registrar of the country that claims", "born", "registrar-2", lambda life: flag(life, "court_hold")),
)
def test_a_flag_that_is_set_closes_the_claim_of_another_country(case: Case) -> None:
    life = at("born")
    claimed(life)
    chain = life.chain
    chain.do(case.sender, case.body(life))
    is_open = case.sender == "registrar-2"
    assert is_open == (registration(chain).claim is not None)
    chain.now += CLAIM_MS
    assert ("CN" if is_open else "DE") == view(chain).registration.country
    if not is_open:
        raw = chain.sign("registrar-2", claim(chain), "bmw")
        assert ["stop_flag", "stop_flag", "claim_cooldown"] == chain.unmet(raw)


def test_a_flag_comes_too_late_for_a_claim_that_has_taken_effect() -> None:
    life = at("born")
    claimed(life)
    chain = life.chain
    chain.now += CLAIM_MS
    chain.do("registrar-1", flag(life, "court_hold"))
    assert ("registered", "CN", ()) == (
        registration(chain).status, registration(chain).country, registration(chain).refusals
    )  # fmt: skip
    assert ["double_registration"] == [alert.code for alert in car(chain).alerts]


def test_refusals_are_bounded_and_forgotten_when_they_are_over() -> None:
    now = 1_000
    found = Registration("registered", "DE", b"", "permanent", "private", 0, 0, "", 0, None, ())
    for number, country in enumerate(("CN", "FR", "IT", "ES", "CN", "GB")):
        made = Claim(country, bytes(32), "permanent", "private", "", 0, now, number)
        found = objected(replace(found, claim=made), now)
    assert ["IT", "ES", "CN", "GB"] == [refusal.country for refusal in found.refusals]
    assert REFUSALS_MAX == len(found.refusals)
    later_ms = now + CLAIM_AGAIN_MS
    made = Claim("PL", bytes(32), "permanent", "private", "", 0, later_ms, 9)
    assert ["PL"] == [refusal.country for refusal in objected(replace(found, claim=made), later_ms).refusals]
    assert found == objected(found, later_ms), "without a claim nobody objects"


def test_a_scrapped_car_has_no_registration_and_no_claim() -> None:
    life = at("born")
    claimed(life)
    ended = ended_registration(registration(life.chain), life.chain.now, 7)
    assert ("deregistered", None, 7) == (ended.status, ended.claim, ended.sequence)
    none = replace(ended, status="none")
    assert none == ended_registration(none, life.chain.now, 8), "a car that nobody registered"


def test_the_region_is_bounded() -> None:
    """With a claim and every list full, within what the vehicle's leaf has room for."""
    longest = 253_402_300_799_999
    made = Claim("CN", bytes(32), "permanent", "driving_school", "driving_school", longest, longest, 2**32)
    refusals = tuple(Refusal("CN", longest) for _ in range(REFUSALS_MAX))
    full = Registration(
        "export_pending", "DE", bytes(32), "permanent", "driving_school", longest, longest, "CN", 2**32, made, refusals
    )
    assert 512 > len(encode(full))


def test_a_registrar_that_was_suspended_at_the_event_is_refused() -> None:
    life = at("born")
    chain = life.chain
    ident = address("registrar-1")
    chain.now += 10 * DAY_MS
    out = StatusChange("suspended", "security", chain.now - 5 * DAY_MS)
    back = StatusChange("active", "", chain.now - 3 * DAY_MS)
    grants = tuple(replace(grant, changes=(out, back)) for grant in chain.state(MEMBER, ident).grants)
    change(chain, MEMBER, ident, grants=grants)
    for days, expected in ((6, []), (4, ["role_at_event"]), (2, [])):
        body = put(chain, event_at_ms=chain.now - days * DAY_MS)
        assert expected == chain.unmet(chain.sign("registrar-1", body)), days


def test_a_registered_car_is_shown_with_its_material_root() -> None:
    life = at("born")
    registered(life)
    assert view(life.chain).material_root == material_root(VIN, car(life.chain)) == root(life.chain)
