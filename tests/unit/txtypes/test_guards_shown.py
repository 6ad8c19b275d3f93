"""What a buyer was shown of a car is what is sold: checked at offer and acceptance; what changes is acknowledged."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.chain import DAY_MS
from support.disputing import WORKSHOP, amend, name_of, passed, reading
from support.life import PRICE, VIN, accident, km, maintenance, offer, read
from support.ordering import BUYER, SELLER, acknowledge, codes_of, handing_over
from support.stages import Case, at, change, table

from node.ledger.fields import Money
from node.txtypes.sale.listing import LISTING, ListingUpdate, disclosure_root
from node.txtypes.sale.order import ORDER
from node.txtypes.sale.order_types import OrderAccept, OrderAcknowledge
from node.txtypes.vehicle.vehicle import VEHICLE

# --- what was shown ---------------------------------------------------------------------------------
CHANGES = {
    "an accident": lambda life: life.chain.do("workshop-berlin", accident(life.chain, 160)),
    "a material record": lambda life: change(life.chain, VEHICLE, VIN, material_head=bytes(31) + b"\x01"),
    "another number of material changes": lambda life: change(life.chain, VEHICLE, VIN, material_changes=7),
    "another origin": lambda life: change(life.chain, VEHICLE, VIN, origin="imported", grade="C"),
    "another title": lambda life: change(life.chain, VEHICLE, VIN, transfer_count=9),
}  # fmt: skip
NOT_MATERIAL = {
    "a service": lambda life: life.chain.do("workshop-berlin", maintenance(life.chain, 155)),
    "a reading": lambda life: life.chain.do("carrier-1", read(VIN, km(156), life.chain.now)),
}


@pytest.mark.parametrize("name", NOT_MATERIAL)
def test_what_is_not_material_leaves_every_offer_as_it_is(name: str) -> None:
    life = at("offered")
    before = offer(life.chain, life.listing)
    NOT_MATERIAL[name](life)
    assert before == offer(life.chain, life.listing, expires_at_ms=before.expires_at_ms)
    assert [] == codes_of(life, BUYER, before)
    assert [] == codes_of(life, SELLER, OrderAccept(life.order))


@pytest.mark.parametrize("name", CHANGES)
def test_what_was_shown_is_checked_at_the_offer_and_at_acceptance(name: str) -> None:
    life = at("offered")
    before = offer(life.chain, life.listing)
    assert [] == codes_of(life, SELLER, OrderAccept(life.order))
    CHANGES[name](life)
    assert ["disclosure_stale"] == codes_of(life, BUYER, before)
    assert ["disclosure_stale"] == codes_of(life, SELLER, OrderAccept(life.order))
    assert [] == codes_of(life, BUYER, offer(life.chain, life.listing))


def test_a_rival_that_takes_its_readings_back_makes_offers_stale_twice_and_no_more() -> None:
    """A low reading makes the verdict worse, its author mends it upward, and begins again."""
    life = at("listed")
    reading(life, "workshop-hamburg", 20_000)
    passed(life, 2)
    for _ in range(2):
        low, mended = reading(life, WORKSHOP, 500), reading(life, WORKSHOP, 20_000)
        life.chain.do(WORKSHOP, amend(life.chain, low, replaced_by=name_of(life.chain, mended)))
    assert 2 == life.chain.state(VEHICLE, VIN).material_changes
    again = maintenance(life.chain, 500, holder_signs=True)
    assert ["reports_on_vehicle"] == codes_of(life, WORKSHOP, replace(again, holder_signs=False))
    assert [] == codes_of(life, WORKSHOP, again, SELLER)
    passed(life, 31)
    assert [] == codes_of(life, WORKSHOP, maintenance(life.chain, 20_000))


def test_a_new_version_makes_older_offers_fall() -> None:
    life = at("offered")
    before = offer(life.chain, life.listing)
    rails = life.chain.state(LISTING, life.listing).rails
    life.chain.do(SELLER, ListingUpdate(life.listing, Money(5_000_000, "EUR"), rails, life.chain.now + DAY_MS))
    assert ["listing_version", "disclosure_stale"] == codes_of(life, BUYER, before)
    assert ["listing_version", "disclosure_stale"] == codes_of(life, SELLER, OrderAccept(life.order))


def test_only_the_version_counts_where_all_else_is_as_shown() -> None:
    life = at("offered")
    change(life.chain, ORDER, life.order, listing_version=2)
    assert ["listing_version"] == codes_of(life, SELLER, OrderAccept(life.order))


def test_the_disclosure_depends_on_price_listing_and_car() -> None:
    life = at("listed")
    found, vehicle = life.chain.state(LISTING, life.listing), life.chain.state(VEHICLE, VIN)
    variants = [
        (life.listing, found, vehicle),
        (bytes(32), found, vehicle),
        (life.listing, replace(found, price=Money(1, "EUR")), vehicle),
        (life.listing, replace(found, price=Money(PRICE.amount, "USD")), vehicle),
        (life.listing, replace(found, version=2), vehicle),
        (life.listing, found, replace(vehicle, material_changes=99)),
        (life.listing, replace(found, vin="WBA8E9G50GNU99999"), vehicle),
    ]
    assert len(variants) == len({disclosure_root(*variant) for variant in variants})


# --- order.acknowledge --------------------------------------------------------------------------------
@table(
    Case("nothing changed", "accepted", BUYER, acknowledge, ("nothing_to_acknowledge",)),
    Case("a service is no matter", "accepted", BUYER, acknowledge,
         ("nothing_to_acknowledge",), (), NOT_MATERIAL["a service"]),
    Case("an accident is", "accepted", BUYER, acknowledge, (), (),
         CHANGES["an accident"]),
    Case("not the seller's", "accepted", SELLER, acknowledge, ("not_a_party",), (),
         CHANGES["an accident"]),
    Case("of none", "accepted", BUYER, lambda life: OrderAcknowledge(bytes(32), bytes(32)), ("order_unknown",)),
    Case("before acceptance", "offered", BUYER, acknowledge,
         ("order_status",), (), CHANGES["an accident"]),
    Case("of a car that has ended", "accepted", BUYER, acknowledge,
         ("vehicle_ended",), (), lambda life: change(life.chain, VEHICLE, VIN, existence="scrapped",
                                                     material_changes=1)),
)  # fmt: skip
def test_acknowledge(case: Case) -> None:
    assert case.codes == case.run()


def test_an_acknowledgement_covers_what_has_changed_until_then() -> None:
    life = at("paid")
    life.chain.do("workshop-berlin", accident(life.chain, 160))
    assert ["acknowledgement_missing"] == handing_over(life)
    life.chain.do(BUYER, acknowledge(life))
    assert [] == handing_over(life)
    assert ["nothing_to_acknowledge"] == codes_of(life, BUYER, acknowledge(life))
    life.chain.do("police-1", accident(life.chain, 170))
    assert ["acknowledgement_missing"] == handing_over(life)


def test_an_acknowledgement_covers_nothing_that_the_buyer_has_not_seen() -> None:
    """A scratch is told, the buyer agrees; in the same block, before his word, comes what is structural."""
    life = at("paid")
    life.chain.do("workshop-berlin", accident(life.chain, 160))
    seen = life.chain.sign(BUYER, acknowledge(life))
    assert [] == life.chain.unmet(seen)
    life.chain.do("workshop-hamburg", accident(life.chain, 165, extent="structural"))
    assert ["disclosure_stale"] == life.chain.unmet(seen)
    assert ["acknowledgement_missing"] == handing_over(life)
    assert [] == codes_of(life, BUYER, acknowledge(life))
