"""Guards of listings: whose, of what, on which terms, until when."""

from __future__ import annotations

import pytest
from support.chain import DAY_MS, address
from support.life import PRICE, VIN, Life, changed, listing, transfer
from support.stages import Case, at, change, force, table

from node.errors import Malformed
from node.ledger.fields import Money
from node.ledger.json_form import time_to_text
from node.rules.iso_codes import MINOR_UNITS
from node.rules.rails import FORBIDDEN_RAILS, RAILS
from node.txtypes.members.member import MEMBER
from node.txtypes.sale.listing import LISTING, VERSIONS_MAX, AcceptedRail, ListingUpdate, ListingWithdraw, PricePoint
from node.txtypes.vehicle.readings import NO_READINGS, ODOMETER
from node.txtypes.vehicle.vehicle import VEHICLE

PROVIDER = address("payment-provider-1")


def rail(name: str = "bank_transfer", *providers: str) -> AcceptedRail:
    return AcceptedRail(name, tuple(map(address, providers or ("payment-provider-1",))))


def update(life: Life, ident: bytes | None = None, **changes) -> ListingUpdate:
    fields = dict(listing=ident or life.listing, price=Money(5_000_000, "EUR"), rails=(rail(),),
                  expires_at_ms=life.chain.now + 30 * DAY_MS)  # fmt: skip
    return ListingUpdate(**fields | changes)


def create(stage: str = "wholesale", sender: str = "dealer-munich", **changes) -> list[str]:
    life = at(stage)
    return life.chain.unmet(life.chain.sign(sender, listing(life.chain, **changes)))


def alter(life: Life, **changes) -> list[str]:
    return life.chain.unmet(life.chain.sign("dealer-munich", update(life, **changes)))


# --- whose --------------------------------------------------------------------------------------------
@table(
    Case("the holder", "wholesale", "dealer-munich", lambda life: listing(life.chain)),
    Case("the maker still holds it", "born", "dealer-munich", lambda life: listing(life.chain),
         ("not_the_holder", "odometer_stale")),
    Case("a private holder", "handed_over", "buyer-1", lambda life: listing(life.chain)),
    Case("the holder before", "handed_over", "dealer-munich", lambda life: listing(life.chain), ("not_the_holder",)),
    Case("no such car", "wholesale", "dealer-munich", lambda life: listing(life.chain, "WBA8E9G50GNU99999"),
         ("vehicle_unknown",)),
    Case("listed already", "listed", "dealer-munich", lambda life: listing(life.chain), ("market_live",)),
    Case("reserved", "accepted", "dealer-munich", lambda life: listing(life.chain), ("market_live",)),
    Case("update", "listed", "dealer-munich", lambda life: update(life)),
    Case("update of another's", "listed", "bmw", lambda life: update(life), ("not_a_party",)),
    Case("update of none", "listed", "dealer-munich", lambda life: update(life, bytes(32)), ("listing_unknown",)),
    Case("update while reserved", "accepted", "dealer-munich", lambda life: update(life), ("listing_closed",)),
    Case("update once sold", "handed_over", "dealer-munich", lambda life: update(life), ("listing_closed",)),
    Case("withdraw", "listed", "dealer-munich", lambda life: ListingWithdraw(life.listing)),
    Case("withdraw another's", "listed", "bmw", lambda life: ListingWithdraw(life.listing), ("not_a_party",)),
    Case("withdraw none", "listed", "dealer-munich", lambda life: ListingWithdraw(bytes(32)), ("listing_unknown",)),
    Case("withdraw while reserved", "accepted", "dealer-munich", lambda life: ListingWithdraw(life.listing),
         ("listing_closed",)),
)  # fmt: skip
def test_listings(case: Case) -> None:
    assert case.codes == case.run()


def test_a_withdrawn_listing_is_closed_and_the_car_can_be_listed_anew() -> None:
    life = at("offered")
    life.chain.do("dealer-munich", ListingWithdraw(life.listing))
    assert ("withdrawn", "off") == (
        life.chain.state(LISTING, life.listing).status, life.chain.state(VEHICLE, VIN).market.status,
    )  # fmt: skip
    assert ["listing_closed"] == alter(life)
    assert ["listing_closed"] == life.chain.unmet(life.chain.sign("dealer-munich", ListingWithdraw(life.listing)))
    assert [] == life.chain.unmet(life.chain.sign("dealer-munich", listing(life.chain)))


# --- terms --------------------------------------------------------------------------------------------
TERMS = [
    ({"price": Money(1, "JPY")}, []),
    ({"price": Money(1, "XTS")}, ["code_unknown"]),
    ({"price": Money(1, "BGN")}, ["code_unknown"]),
    ({"rails": (rail("card", "bank-1", "payment-provider-1"), rail("bitcoin"))}, []),
    ({"rails": (rail("card", "dealer-munich"),)}, ["provider_unaccredited"]),
    ({"rails": (rail("card", "bank-1", "buyer-1"), rail("finance", "bmw"))}, ["provider_unaccredited"] * 2),
]


@pytest.mark.parametrize(("changes", "codes"), TERMS)
def test_terms_of_a_new_listing(changes: dict, codes: list[str]) -> None:
    assert codes == create(**changes)


@pytest.mark.parametrize(("changes", "codes"), TERMS)
def test_terms_of_a_new_version(changes: dict, codes: list[str]) -> None:
    assert codes == alter(at("listed"), **changes)


@pytest.mark.parametrize(("country", "codes"), [("FR", []), ("XX", ["code_unknown"]), ("EU", ["code_unknown"])])
def test_the_country_is_in_the_table(country: str, codes: list[str]) -> None:
    assert codes == create(country=country)


@pytest.mark.parametrize("country", ["DE", *FORBIDDEN_RAILS])
@pytest.mark.parametrize("name", RAILS)
def test_a_forbidden_rail_is_never_listed(country: str, name: str) -> None:
    expected = ["rail_forbidden"] if name in FORBIDDEN_RAILS.get(country, ()) else []
    assert expected == create(country=country, rails=(rail(name),))
    life = at("listed")
    change(life.chain, LISTING, life.listing, country=country)
    assert expected == alter(life, rails=(rail(name),))


def test_a_provider_that_has_lost_its_role_is_refused() -> None:
    life = at("wholesale")
    change(life.chain, MEMBER, PROVIDER, changes=changed("suspended", "other"))
    codes = life.chain.unmet(life.chain.sign("dealer-munich", listing(life.chain)))
    assert ["provider_unaccredited"] * 2 == codes
    assert [] == life.chain.unmet(
        life.chain.sign("dealer-munich", listing(life.chain, rails=(rail("card", "bank-1"),)))
    )


def test_every_currency_of_the_table_is_taken() -> None:
    for currency in MINOR_UNITS:
        assert [] == create(price=Money(1, currency))


# --- time ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("ahead_ms", "codes"),
    [(0, ["expiry_passed"]), (1, []), (180 * DAY_MS, []), (180 * DAY_MS + 1, ["expiry_passed"])],
)
def test_a_listing_lives_from_now_to_its_longest(ahead_ms: int, codes: list[str]) -> None:
    life = at("wholesale")
    assert codes == create(expires_at_ms=life.chain.now + ahead_ms)
    life = at("listed")
    assert codes == alter(life, expires_at_ms=life.chain.now + ahead_ms)


@pytest.mark.parametrize("body", [update, lambda life: ListingWithdraw(life.listing)])
def test_a_listing_past_its_time_is_closed(body) -> None:
    life = at("listed")
    expires = life.chain.state(LISTING, life.listing).expires_at_ms
    for now, codes in ((expires - 1, []), (expires, ["listing_closed"])):
        life.chain.now = now
        assert codes == life.chain.unmet(life.chain.sign("dealer-munich", body(life)))
    assert [] == life.chain.unmet(life.chain.sign("dealer-munich", listing(life.chain)))
    assert "open" == life.chain.state(LISTING, life.listing).status


@pytest.mark.parametrize(("age_ms", "codes"), [(90 * DAY_MS, []), (90 * DAY_MS + 1, ["odometer_stale"])])
def test_the_newest_reading_is_fresh(age_ms: int, codes: list[str]) -> None:
    life = at("wholesale")
    life.chain.now = life.chain.state(ODOMETER, VIN).newest_event_ms + age_ms
    assert codes == life.chain.unmet(life.chain.sign("dealer-munich", listing(life.chain)))


def test_a_car_that_was_never_read_is_stale() -> None:
    life = at("born")
    assert ["odometer_stale"] == life.chain.unmet(life.chain.sign("bmw", listing(life.chain)))
    force(life.chain, ODOMETER, VIN, NO_READINGS)
    change(life.chain, ODOMETER, VIN, newest_event_ms=life.chain.now)
    assert [] == life.chain.unmet(life.chain.sign("bmw", listing(life.chain)))


# --- versions -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(("version", "codes"), [(VERSIONS_MAX - 1, []), (VERSIONS_MAX, ["listing_versions_full"])])
def test_a_listing_has_sixty_four_versions(version: int, codes: list[str]) -> None:
    life = at("listed")
    change(life.chain, LISTING, life.listing, version=version)
    assert codes == alter(life)


def test_an_update_is_a_new_version_and_keeps_the_price_history() -> None:
    life = at("listed")
    created = life.chain.state(LISTING, life.listing).prices[0].since_ms
    body = update(life)
    life.chain.do("dealer-munich", body)
    found = life.chain.state(LISTING, life.listing)
    assert (2, body.price, body.rails, body.expires_at_ms, "open") == (
        found.version, found.price, found.rails, found.expires_at_ms, found.status,
    )  # fmt: skip
    updated = life.chain.now - 1000
    assert (PricePoint(1, PRICE, created), PricePoint(2, body.price, updated)) == found.prices
    market = life.chain.state(VEHICLE, VIN).market
    assert ("listed", life.listing, body.expires_at_ms) == (market.status, market.listing, market.until_ms)


@pytest.mark.parametrize("kind", ["create", "update"])
def test_a_rail_stands_once(kind: str) -> None:
    life = at("listed")
    twice = (rail("card"), rail("card", "bank-1"))
    body = listing(life.chain, rails=twice) if kind == "create" else update(life, rails=twice)
    with pytest.raises(Malformed, match="same rail"):
        life.chain.sign("dealer-munich", body)


def test_a_transfer_leaves_an_expired_listing_behind() -> None:
    life = at("listed")
    life.chain.now = life.chain.state(LISTING, life.listing).expires_at_ms
    life.chain.do("dealer-munich", transfer(life.chain, "dealer-shanghai"), "dealer-shanghai")
    assert ["listing_closed"] == alter(life)
    life.chain.do("dealer-shanghai", listing(life.chain))
    assert address("dealer-shanghai") == life.chain.state(VEHICLE, VIN).holder


def test_a_stale_odometer_is_told_in_times_that_people_read() -> None:
    life = at("wholesale")
    life.chain.now += 100 * DAY_MS
    raw = life.chain.sign("dealer-munich", listing(life.chain))
    (unmet,) = life.chain.run().judge(life.chain.check(raw)).unmet_guards
    newest = life.chain.state(ODOMETER, VIN).newest_event_ms
    oldest = life.chain.now - 90 * DAY_MS
    assert ("odometer_stale", time_to_text(newest)) == (unmet.code, unmet.have)
    assert f"at least {time_to_text(oldest)}" == unmet.need
    assert unmet.have.startswith("2026-01-")


def test_an_unknown_code_names_its_table_before_anything_else() -> None:
    life = at("wholesale")
    body = listing(life.chain, country="XX", price=Money(1, "XTS"), expires_at_ms=life.chain.now)
    unmet = life.chain.run().judge(life.chain.check(life.chain.sign("bmw", body))).unmet_guards
    told = [(guard.code, guard.subject, guard.have) for guard in unmet]
    assert [("code_unknown", "currencies", "XTS"), ("code_unknown", "countries", "XX")] == told[:2]
    assert ["not_the_holder", "expiry_passed"] == [code for code, *_ in told[2:]]


@pytest.mark.parametrize("known", ["card", "cash"])
def test_a_rail_is_a_code_of_the_ruleset(known: str) -> None:
    life = at("wholesale")
    body = listing(life.chain, rails=(AcceptedRail(known, (address("bank-1"),)),))
    expected = [] if known == "card" else ["code_unknown"]
    assert expected == life.chain.unmet(life.chain.sign("dealer-munich", body))
