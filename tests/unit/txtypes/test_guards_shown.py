"""What a buyer was shown of a car is what is sold: checked at offer and acceptance; what changes is acknowledged."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.life import PRICE, VIN, accept, accident, acknowledge, km, maintenance, offer, read
from support.selling import BUYER, SELLER, codes_of, euro, handing_over, root_of
from support.specimens import specimen
from support.stages import Case, at, change, table

from node.ledger.fields import Money
from node.txtypes.sale.disclosure import disclosure_root
from node.txtypes.sale.listing import LISTING
from node.txtypes.sale.order_family import ORDER
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


def accepting(life, **changes) -> list[str]:
    return codes_of(life, SELLER, accept(life.chain, life.order, **changes), BUYER)


@pytest.mark.parametrize("name", NOT_MATERIAL)
def test_what_is_not_material_leaves_every_offer_as_it_is(name: str) -> None:
    life = at("offered")
    before = offer(life.chain, life.listing)
    NOT_MATERIAL[name](life)
    assert before == offer(life.chain, life.listing, expires_at_ms=before.expires_at_ms)
    assert [] == codes_of(life, BUYER, before)
    assert [] == accepting(life)


@pytest.mark.parametrize("name", CHANGES)
def test_what_was_shown_is_checked_at_the_offer_and_at_acceptance(name: str) -> None:
    life = at("offered")
    before, seen = offer(life.chain, life.listing), root_of(life)
    assert [] == accepting(life)
    CHANGES[name](life)
    assert ["disclosure_stale"] == codes_of(life, BUYER, before)
    assert ["disclosure_stale"] == accepting(life), "the offer is of another state of the car"
    assert ["disclosure_stale"] * 2 == accepting(life, material_root=seen)
    assert [] == codes_of(life, BUYER, offer(life.chain, life.listing))


def test_a_new_version_makes_older_offers_fall() -> None:
    life = at("offered")
    before = offer(life.chain, life.listing)
    life.chain.do(SELLER, specimen("listing.update", life.chain, {"listing": life.listing}, price=euro(5_000_000)))
    assert ["listing_version", "disclosure_stale"] == codes_of(life, BUYER, before)
    assert ["listing_version", "disclosure_stale"] == accepting(life)


def test_only_the_version_counts_where_all_else_is_as_shown() -> None:
    life = at("offered")
    change(life.chain, ORDER, life.order, listing_version=2)
    assert ["listing_version"] == accepting(life)


def test_the_disclosure_depends_on_price_listing_and_car() -> None:
    life = at("listed")
    found, vehicle = life.chain.state(LISTING, life.listing), life.chain.state(VEHICLE, VIN)
    variants = [
        (life.listing, found, vehicle),
        (bytes(32), found, vehicle),
        (life.listing, replace(found, price=euro(1)), vehicle),
        (life.listing, replace(found, price=Money(PRICE.amount, "USD")), vehicle),
        (life.listing, replace(found, version=2), vehicle),
        (life.listing, found, replace(vehicle, material_changes=99)),
        (life.listing, replace(found, vin="WBA8E9G50GNU99999"), vehicle),
    ]
    assert len(variants) == len({disclosure_root(*variant) for variant in variants})


# --- order.acknowledge --------------------------------------------------------------------------------
def agreeing(**changes):
    return lambda life: acknowledge(life.chain, life.order, **changes)


@table(
    Case("nothing changed", "accepted", BUYER, agreeing(), ("nothing_to_acknowledge",)),
    Case("a service is no matter", "accepted", BUYER, agreeing(), ("nothing_to_acknowledge",), (),
         NOT_MATERIAL["a service"]),
    Case("an accident is", "accepted", BUYER, agreeing(), (), (), CHANGES["an accident"]),
    Case("an accident, by another state of the car", "accepted", BUYER, agreeing(material_root=bytes(32)),
         ("disclosure_stale",), (), CHANGES["an accident"]),
    Case("a distance of more than a thousand kilometres is", "accepted", BUYER, agreeing(), (), (),
         lambda life: life.chain.do("workshop-berlin", read(VIN, km(1_151), life.chain.now))),
    Case("a shorter one is not", "accepted", BUYER, agreeing(), ("nothing_to_acknowledge",), (),
         lambda life: life.chain.do("workshop-berlin", read(VIN, km(1_150), life.chain.now))),
    Case("not the seller's", "accepted", SELLER, agreeing(), ("not_a_party",), (), CHANGES["an accident"]),
    Case("of none", "accepted", BUYER, lambda life: acknowledge(life.chain, bytes(32)), ("order_unknown",)),
    Case("before acceptance", "offered", BUYER, agreeing(), ("order_status",), (), CHANGES["an accident"]),
    Case("of a car that has ended", "accepted", BUYER, agreeing(), ("vehicle_ended",), (),
         lambda life: change(life.chain, VEHICLE, VIN, existence="scrapped", material_changes=1)),
)  # fmt: skip
def test_acknowledge(case: Case) -> None:
    assert case.codes == case.run()


def test_an_acknowledgement_covers_what_has_changed_until_then() -> None:
    life = at("paid")
    life.chain.do("workshop-berlin", accident(life.chain, 160))
    assert ["acknowledgement_missing"] == handing_over(life)
    life.chain.do(BUYER, acknowledge(life.chain, life.order))
    assert [] == handing_over(life)
    assert ["nothing_to_acknowledge"] == codes_of(life, BUYER, acknowledge(life.chain, life.order))
    life.chain.do("police-1", accident(life.chain, 170))
    assert ["acknowledgement_missing"] == handing_over(life)


def test_a_signature_for_a_scratch_covers_no_crash() -> None:
    """The buyer signs a root, not `whatever there is by then`."""
    life = at("paid")
    life.chain.do("workshop-berlin", accident(life.chain, 160))
    scratch = acknowledge(life.chain, life.order)
    life.chain.do("workshop-berlin", accident(life.chain, 170, extent="structural"))
    assert ["disclosure_stale"] == codes_of(life, BUYER, scratch)
