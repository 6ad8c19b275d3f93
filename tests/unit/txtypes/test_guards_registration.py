"""Guards and effects of the registrars' records."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from support.chain import DAY_MS, address
from support.life import VIN, Life, where
from support.registering import (
    accept,
    car,
    claim,
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
    view,
)
from support.specimens import specimen
from support.stages import Case, at, change, table

from node import limits
from node.rules.registration import REGISTRATION_USAGES
from node.rules.stop_flags import STOP_FLAGS
from node.txtypes.members.mandate import MandateGrant
from node.txtypes.members.member import MEMBER, StatusChange
from node.txtypes.vehicle.brands import Loss
from node.txtypes.vehicle.regions import (
    CLAIM_MS,
    UNREGISTERED,
    Flag,
    Inspection,
    OpenRecall,
    Registration,
    status_of,
)
from node.txtypes.vehicle.vehicle import VEHICLE, material_root


def flagged(*names: str, setter: str = "police-1", country: str = "DE"):
    def before(life: Life) -> None:
        flags = tuple(Flag(n, address(setter), country, b"", 0, 0, True, 0) for n in names)  # type: ignore[arg-type]
        change(life.chain, VEHICLE, VIN, flags=flags)

    return before


def inspected(valid_days: int, result: str = "pass", retest_days: int = 0):
    def before(life: Life) -> None:
        now = life.chain.now
        due = now + retest_days * DAY_MS if retest_days else 0
        found = Inspection(0, result, address("inspector-1"), now, now + valid_days * DAY_MS, due)  # type: ignore[arg-type]
        change(life.chain, VEHICLE, VIN, inspection=found)

    return before


def recalled(recall_class: str):
    def before(life: Life) -> None:
        change(life.chain, VEHICLE, VIN, recalls=(OpenRecall(address("bmw"), "C-1", recall_class, 0),))

    return before


def lost(state: str):
    def before(life: Life) -> None:
        found = Loss("S", state, life.chain.now, 0, 0, address("insurer-1"), ())  # type: ignore[arg-type]
        change(life.chain, VEHICLE, VIN, loss=found)

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
    Case("a total loss", "born", "registrar-1", lambda life: put(life.chain), ("total_loss",),
         before=lost("confirmed")),
    Case("an insurer alone says so", "born", "registrar-1", lambda life: put(life.chain), before=lost("pending")),
    Case("that time has confirmed", "born", "registrar-1", lambda life: put(life.chain), ("total_loss",),
         before=then(lost("pending"), later(30))),
    Case("rebuilt", "born", "registrar-1", lambda life: put(life.chain),
         before=lambda life: change(life.chain, VEHICLE, VIN, existence="rebuilt")),
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
    status = ("registered", "DE", b"\xab" * 32, "permanent", "private", life.chain.now - 1000, 0, "", 1, "", True)
    assert Registration(*status, None, (), status_of(UNREGISTERED)) == found.registration
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
    Case("shown something else", "born", "registrar-2", lambda life: accept(life.chain, material_root=bytes(32)),
         ("disclosure_stale",), before=leaving),
    Case("a total loss that leaves", "born", "registrar-2", lambda life: accept(life.chain), ("total_loss",),
         before=then(leaving, lost("confirmed"))),
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
    Case("a claim that shows something else", "born", "registrar-2",
         lambda life: claim(life.chain, material_root=bytes(32)),
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


def test_an_imported_car_is_accepted_not_registered() -> None:
    life = at("")
    chain = life.chain
    body = specimen("vehicle.import", chain)
    chain.do("dealer-munich", body, "inspector-1")
    vin, seen = body.vin, where(model="PRIUS")
    refused = chain.sign("registrar-1", put(chain, vin=vin, where=seen))
    assert ["registration_status"] == chain.unmet(refused)
    chain.do("registrar-1", accept(chain, "DE", vin=vin, where=seen, material_root=root(chain, vin)))
    found = chain.state(VEHICLE, vin)
    assert ("registered", "DE", "in_service") == (
        found.registration.status,
        found.registration.country,
        found.existence,
    )
    chain.do("registrar-1", end(chain, vin=vin, where=seen))
    assert [] == chain.unmet(chain.sign("registrar-1", put(chain, vin=vin, where=seen)))


def test_a_registrar_has_sixteen_records_on_a_car_also_without_readings() -> None:
    """In 30 days, without the holder: each is material, and makes the car's offers stale."""
    chain = at("wholesale").chain
    chain.do("registrar-1", put(chain))
    for number in range(limits.RECORDS_PER_AUTHOR_MAX - 1):
        chain.do("registrar-1", suspend(chain, resume=bool(number % 2)))
    again = suspend(chain, resume=True)
    assert ["reports_on_vehicle"] == chain.unmet(chain.sign("registrar-1", again))
    assert [] == chain.unmet(chain.sign("registrar-1", replace(again, holder_signs=True), "dealer-munich"))
    chain.now += 45 * DAY_MS
    assert [] == chain.unmet(chain.sign("registrar-1", suspend(chain, resume=True)))
