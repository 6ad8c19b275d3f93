"""Guards of listings: whose, of what, until when, and their versions."""

from __future__ import annotations

import pytest
from support.chain import DAY_MS, address
from support.life import PRICE, VIN, Life, listing, transfer
from support.selling import OTHER, SELLER, codes_of, euro
from support.specimens import specimen
from support.stages import Case, at, change, force, table

from node.errors import Malformed
from node.ledger.fields import Money
from node.ledger.json_form import time_to_text
from node.rules.iso_codes import MINOR_UNITS
from node.txtypes.members.accepted_rail import AcceptedRail
from node.txtypes.sale.listing import LISTING, VERSIONS_MAX, PricePoint
from node.txtypes.sale.listing_types import ListingUpdate, ListingWithdraw
from node.txtypes.vehicle.readings import NO_READINGS, ODOMETER
from node.txtypes.vehicle.regions import OFF_MARKET, Market
from node.txtypes.vehicle.vehicle import VEHICLE


def update(life: Life, ident: bytes | None = None, **changes) -> ListingUpdate:
    return specimen("listing.update", life.chain, **dict(listing=ident or life.listing) | changes)


def withdraw(life: Life, ident: bytes | None = None) -> ListingWithdraw:
    return ListingWithdraw(ident or life.listing)


def locked(life: Life, until_ms: int) -> None:
    """The car is kept for the buyer of an order until a time."""
    change(life.chain, VEHICLE, VIN, market=Market("off", b"", bytes(32), 0, locked_until_ms=until_ms))


# --- whose ------------------------------------------------------------------------------------------------
@table(
    Case("the holder", "wholesale", SELLER, lambda life: listing(life.chain)),
    Case("the maker still holds it", "born", "bmw", lambda life: listing(life.chain), ("odometer_stale",)),
    Case("a private holder", "handed_over", "buyer-1", lambda life: listing(life.chain)),
    Case("who does not hold it", "wholesale", "bmw", lambda life: listing(life.chain), ("not_a_party",)),
    Case("the holder before", "handed_over", SELLER, lambda life: listing(life.chain), ("not_a_party",)),
    Case("no such car", "wholesale", SELLER, lambda life: listing(life.chain, "WBA8E9G50GNU99999"),
         ("vehicle_unknown",)),
    Case("listed already", "listed", SELLER, lambda life: listing(life.chain), ("market_live",)),
    Case("reserved", "accepted", SELLER, lambda life: listing(life.chain), ("market_live",)),
    Case("kept for a buyer", "wholesale", SELLER, lambda life: listing(life.chain), ("relist_locked",),
         before=lambda life: locked(life, life.chain.now + 1)),
    Case("equipment that the car has", "wholesale", SELLER, lambda life: listing(life.chain, configuration=("S205A",))),
    Case("equipment that the car lacks", "wholesale", SELLER,
         lambda life: listing(life.chain, configuration=("S205A", "S999A")), ("configuration_differs",)),
    Case("update", "listed", SELLER, update),
    Case("update of another's", "listed", "bmw", update, ("not_a_party",)),
    Case("update of none", "listed", SELLER, lambda life: update(life, bytes(32)), ("listing_unknown",)),
    Case("update while reserved", "accepted", SELLER, update, ("listing_closed",)),
    Case("update once sold", "handed_over", SELLER, update, ("listing_closed",)),
    Case("withdraw", "listed", SELLER, withdraw),
    Case("withdraw another's", "listed", "bmw", withdraw, ("not_a_party",)),
    Case("withdraw none", "listed", SELLER, lambda life: withdraw(life, bytes(32)), ("listing_unknown",)),
    Case("withdraw while reserved", "accepted", SELLER, withdraw, ("listing_closed",)),
)  # fmt: skip
def test_listings(case: Case) -> None:
    assert case.codes == case.run()


def test_a_withdrawn_listing_is_closed_and_the_car_can_be_listed_anew() -> None:
    life = at("offered")
    life.chain.do(SELLER, withdraw(life))
    assert ("withdrawn", OFF_MARKET) == (
        life.chain.state(LISTING, life.listing).status, life.chain.state(VEHICLE, VIN).market,
    )  # fmt: skip
    assert ["listing_closed"] == codes_of(life, SELLER, update(life))
    assert ["listing_closed"] == codes_of(life, SELLER, withdraw(life))
    assert [] == codes_of(life, SELLER, listing(life.chain))


def test_a_car_that_is_kept_for_a_buyer_is_not_transferred_either() -> None:
    life = at("wholesale")
    until = life.chain.now + DAY_MS
    locked(life, until)
    assert ["relist_locked"] == codes_of(life, SELLER, transfer(life.chain, OTHER), OTHER)
    life.chain.now = until
    assert [] == codes_of(life, SELLER, transfer(life.chain, OTHER), OTHER)
    assert [] == codes_of(life, SELLER, listing(life.chain))


@pytest.mark.parametrize("code", ["XX", "EU"])
def test_the_country_is_in_the_table(code: str) -> None:
    life = at("wholesale")
    assert [] == codes_of(life, SELLER, listing(life.chain, country="FR"))
    assert ["code_unknown"] == codes_of(life, SELLER, listing(life.chain, country=code))


def test_every_currency_of_the_table_is_taken() -> None:
    life = at("wholesale")
    for currency in MINOR_UNITS:
        assert [] == codes_of(life, SELLER, listing(life.chain, price=Money(1, currency)))
    for unknown in ("XTS", "BGN"):
        assert ["code_unknown"] == codes_of(life, SELLER, listing(life.chain, price=Money(1, unknown)))


# --- time -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("ahead_ms", "codes"),
    [(0, ["expiry_passed"]), (1, []), (180 * DAY_MS, []), (180 * DAY_MS + 1, ["expiry_passed"])],
)
def test_a_listing_lives_from_now_to_its_longest(ahead_ms: int, codes: list[str]) -> None:
    life = at("wholesale")
    assert codes == codes_of(life, SELLER, listing(life.chain, expires_at_ms=life.chain.now + ahead_ms))
    life = at("listed")
    assert codes == codes_of(life, SELLER, update(life, expires_at_ms=life.chain.now + ahead_ms))


@pytest.mark.parametrize("body", [update, withdraw])
def test_a_listing_past_its_time_is_closed(body) -> None:
    life = at("listed")
    expires = life.chain.state(LISTING, life.listing).expires_at_ms
    for now, codes in ((expires - 1, []), (expires, ["listing_closed"])):
        life.chain.now = now
        assert codes == codes_of(life, SELLER, body(life))
    assert [] == codes_of(life, SELLER, listing(life.chain))
    assert "open" == life.chain.state(LISTING, life.listing).status


@pytest.mark.parametrize(("age_ms", "codes"), [(90 * DAY_MS, []), (90 * DAY_MS + 1, ["odometer_stale"])])
def test_the_newest_reading_is_fresh(age_ms: int, codes: list[str]) -> None:
    life = at("wholesale")
    life.chain.now = life.chain.state(ODOMETER, VIN).newest_event_ms + age_ms
    assert codes == codes_of(life, SELLER, listing(life.chain))


def test_a_car_that_was_never_read_is_stale() -> None:
    life = at("born")
    assert ["odometer_stale"] == codes_of(life, "bmw", listing(life.chain))
    force(life.chain, ODOMETER, VIN, NO_READINGS)
    change(life.chain, ODOMETER, VIN, newest_event_ms=life.chain.now)
    assert [] == codes_of(life, "bmw", listing(life.chain))


def test_a_stale_odometer_is_told_in_times_that_people_read() -> None:
    life = at("wholesale")
    life.chain.now += 100 * DAY_MS
    raw = life.chain.sign(SELLER, listing(life.chain))
    (unmet,) = life.chain.run().judge(life.chain.check(raw)).unmet_guards
    newest = life.chain.state(ODOMETER, VIN).newest_event_ms
    oldest = life.chain.now - 90 * DAY_MS
    assert ("odometer_stale", time_to_text(newest)) == (unmet.code, unmet.have)
    assert f"at least {time_to_text(oldest)}" == unmet.need
    assert unmet.have.startswith("2026-01-")


# --- versions ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("version", "codes"), [(VERSIONS_MAX - 1, []), (VERSIONS_MAX, ["listing_versions_full"])])
def test_a_listing_has_sixty_four_versions(version: int, codes: list[str]) -> None:
    life = at("listed")
    change(life.chain, LISTING, life.listing, version=version)
    assert codes == codes_of(life, SELLER, update(life))


def test_an_update_is_a_new_version_and_keeps_the_price_history() -> None:
    life = at("listed")
    created = life.chain.state(LISTING, life.listing).prices[0].since_ms
    body = update(life, price=euro(5_000_000), contracts=("business",), offer_floor=7, discloses=("duty",))
    life.chain.do(SELLER, body)
    found = life.chain.state(LISTING, life.listing)
    told = ("price", "tax", "rails", "contracts", "expires_at_ms", "offer_floor", "discloses")
    assert [getattr(body, name) for name in told] == [getattr(found, name) for name in told]
    assert (2, "open") == (found.version, found.status)
    updated = life.chain.now - 1000
    assert (PricePoint(1, PRICE, created), PricePoint(2, body.price, updated)) == found.prices
    market = life.chain.state(VEHICLE, VIN).market
    assert ("listed", life.listing, body.expires_at_ms) == (market.status, market.listing, market.until_ms)


@pytest.mark.parametrize("write", [lambda life, **rails: listing(life.chain, **rails), update])
@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (dict(rails=(AcceptedRail("card", (address("bank-1"),)),) * 2), "same rail"),
        (dict(contracts=("business", "business")), "contracts"),
        (dict(price=euro(0)), "an amount above zero"),
    ],
)
def test_a_rail_and_a_contract_stand_once_and_a_price_is_one(write, changes: dict, told: str) -> None:
    life = at("listed")
    with pytest.raises(Malformed, match=told):
        life.chain.sign(SELLER, write(life, **changes))


def test_a_transfer_leaves_an_expired_listing_behind() -> None:
    life = at("listed")
    life.chain.now = life.chain.state(LISTING, life.listing).expires_at_ms
    life.chain.do(SELLER, transfer(life.chain, "dealer-shanghai"), "dealer-shanghai")
    assert ["listing_closed"] == codes_of(life, SELLER, update(life))
    life.chain.do("dealer-shanghai", listing(life.chain))
    assert address("dealer-shanghai") == life.chain.state(VEHICLE, VIN).holder


def test_an_unknown_code_names_its_table_before_anything_else() -> None:
    life = at("wholesale")
    body = listing(life.chain, country="XX", price=Money(1, "XTS"), expires_at_ms=life.chain.now)
    unmet = life.chain.run().judge(life.chain.check(life.chain.sign("bmw", body))).unmet_guards
    told = [(guard.code, guard.subject, guard.have) for guard in unmet]
    assert [("code_unknown", "currencies", "XTS"), ("code_unknown", "countries", "XX")] == told[:2]
    assert ["not_a_party", "expiry_passed"] == [code for code, *_ in told[2:]]
