"""A country's claim of a car that another has: from the application to its effect, or to an objection."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from support.chain import Chain, address
from support.life import VIN, Life, maintenance
from support.registering import (
    car,
    claim,
    claim_it,
    claimed,
    deregistered,
    end,
    export,
    registered,
    registration,
    root,
    suspend,
    view,
)
from support.stages import Case, at, ledger_of, table

from node.codec import encode
from node.ledger.family import AsOf
from node.txtypes.rulesets import RULESETS
from node.txtypes.sale.disclosure import Disclosure
from node.txtypes.sale.listing import LISTING
from node.txtypes.vehicle.brands import brand_state
from node.txtypes.vehicle.record import Content, stored_record
from node.txtypes.vehicle.regions import (
    CLAIM_AGAIN_MS,
    CLAIM_MS,
    REFUSALS_MAX,
    Flag,
    Refusal,
    Registration,
    RegistrationClaim,
    RegistrationFacts,
    ended_registration,
    objected,
    objected_by,
)
from node.txtypes.vehicle.stop_flags import FlagSet
from node.txtypes.vehicle.vehicle import VEHICLE, blocks_of


def outcome(chain: Chain) -> tuple[str, ...]:
    """Of the car's last record."""
    raw = chain.store.state.record(VIN, car(chain).record_count - 1)
    assert raw is not None
    content: Content = msgspec.msgpack.decode(stored_record(raw).content, type=Content)
    return content.outcome


def flag(life: Life, name: str) -> FlagSet:
    return FlagSet(VIN, name, None, 0, False)


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


def test_a_car_is_listed_by_an_alert_from_when_time_raises_it() -> None:
    """The index has what may come, and a list leaves out what has not."""
    life = at("born")
    claimed(life)
    chain = life.chain
    index = next(index for index in VEHICLE.indexes if index.name == "alert")
    assert index.counts is not None and ["double_registration"] == list(index.values(car(chain)))
    for later_ms, expected in ((CLAIM_MS - 1001, False), (CLAIM_MS - 1000, True)):
        as_of = AsOf(chain.now + later_ms, RULESETS[1])
        assert expected == index.counts(VIN, car(chain), "double_registration", ledger_of(chain), as_of), later_ms
    chain.do("registrar-1", end(chain))
    assert [] == list(index.values(car(chain)))


def test_a_listing_discloses_what_time_has_done() -> None:
    life = at("listed")
    claim_by_dealer = ("dealer-munich",)
    chain = life.chain
    registered(life)
    chain.do("registrar-2", claim(chain, usage="taxi"), *claim_by_dealer)
    chain.now += CLAIM_MS
    found = Disclosure.of(life.listing.hex(), chain.state(LISTING, life.listing), ledger_of(chain),
                          AsOf(chain.now, RULESETS[1]))  # fmt: skip
    assert "alert_confirmed" in found.conditions and "registration_claim" not in found.conditions
    assert ["taxi"] == [brand.code for brand in found.brands]


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
    without = replace(open_claim, claim=None)
    assert without == after("court_hold", "CN"), "of the country that claims: no objection, and no registration"
    assert without == after("stolen", "FR"), "of a third country"
    assert open_claim == after("odometer_investigation", "CN")
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
    assert registration(chain).claim is None
    chain.now += CLAIM_MS
    assert "DE" == view(chain).registration.country
    raw = chain.sign("registrar-2", claim(chain), "bmw")
    waits = [] if case.sender == "registrar-2" else ["claim_cooldown"]
    assert ["stop_flag", "stop_flag", *waits] == chain.unmet(raw)


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
    found = Registration("registered", "DE", b"", "permanent", "private", 0, 0, "", 0, "", False, None, (), None)
    for number, country in enumerate(("CN", "FR", "IT", "ES", "CN", "GB")):
        made = RegistrationClaim(country, bytes(32), "permanent", "private", "", 0, now, number)
        found = objected(replace(found, claim=made), now)
    assert ["IT", "ES", "CN", "GB"] == [refusal.country for refusal in found.refusals]
    assert REFUSALS_MAX == len(found.refusals)
    later_ms = now + CLAIM_AGAIN_MS
    made = RegistrationClaim("PL", bytes(32), "permanent", "private", "", 0, later_ms, 9)
    assert ["PL"] == [refusal.country for refusal in objected(replace(found, claim=made), later_ms).refusals]
    assert found == objected(found, later_ms), "without a claim nobody objects"


def test_a_scrapped_car_has_no_registration_and_no_claim() -> None:
    life = at("born")
    claimed(life)
    ended = ended_registration(registration(life.chain), life.chain.now, 7, "scrapped")
    assert ("deregistered", None, 7) == (ended.status, ended.claim, ended.sequence)
    none = replace(ended, status="none")
    assert none == ended_registration(none, life.chain.now, 8, "scrapped"), "a car that nobody registered"


def test_the_region_is_bounded() -> None:
    """With a claim and every list full, within what the vehicle's leaf has room for."""
    longest = 253_402_300_799_999
    made = RegistrationClaim("CN", bytes(32), "permanent", "driving_school", "driving_school", longest, longest, 2**32)
    refusals = tuple(Refusal("CN", longest) for _ in range(REFUSALS_MAX))
    status = ("DE", bytes(32), "permanent", "driving_school", longest, longest, "CN", 2**32, "export_confirmed", True)
    before = RegistrationFacts("export_pending", *status)
    full = Registration("export_pending", *status, made, refusals, before)
    assert 512 > len(encode(full))
