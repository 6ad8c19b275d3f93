"""An illogical odometer blocks listing and title until the seller discloses it, and the buyer has agreed to it."""

from __future__ import annotations

import pytest
from support import second_codec
from support.chain import DAY_MS, address
from support.life import (
    VIN,
    Life,
    accept,
    acknowledge,
    attest,
    flag,
    handover,
    initiate,
    km,
    listing,
    offer,
    read,
    terms,
    transfer,
)
from support.specimens import specimen
from support.stages import at, change, ledger_of
from support.views import view_of

from node.codec import encode
from node.crypto.addresses import to_text
from node.errors import Malformed
from node.ledger.json_form import from_json, to_json
from node.txtypes.envelope import Payload, decode_payload
from node.txtypes.sale.disclosure import disclosure_root
from node.txtypes.sale.ending import OrderCancel
from node.txtypes.sale.listing import LISTING
from node.txtypes.sale.listing_types import ListingUpdate
from node.txtypes.sale.order_family import ORDER, status_of
from node.txtypes.vehicle.vehicle import VEHICLE
from wallet.options import body_from, options_of
from wallet.values import Names

ODOMETER = ("odometer",)
SELLER, BUYER, PROVIDER = "dealer-munich", "buyer-1", "payment-provider-1"
PROVIDER_TEXT = to_text(address(PROVIDER))


def codes_of(life: Life, sender: str, body, *cosigners: str) -> list[str]:
    return life.chain.unmet(life.chain.sign(sender, body, *cosigners))


def roll_back(life: Life) -> None:
    """Readings that contradict each other, two on either side: no single mistake explains them."""
    for author, value in (("workshop-berlin", 10_000), ("workshop-hamburg", 10_001),
                          ("workshop-berlin", 5_000), ("workshop-hamburg", 5_000)):  # fmt: skip
        life.chain.do(author, read(VIN, km(value), life.chain.now))
    assert "ILLOGICAL" == life.chain.state(VEHICLE, VIN).verdict


def update(life: Life, **changes) -> ListingUpdate:
    told = dict(expires_at_ms=life.chain.now + DAY_MS)
    return specimen("listing.update", life.chain, {"listing": life.listing}, **told | changes)


# --- listing ------------------------------------------------------------------------------------------
def test_a_listing_of_an_illogical_odometer_says_so() -> None:
    life = at("wholesale")
    assert [] == codes_of(life, SELLER, listing(life.chain, discloses=ODOMETER))
    roll_back(life)
    assert ["verdict_illogical"] == codes_of(life, SELLER, listing(life.chain))
    life.listing = life.chain.do(SELLER, listing(life.chain, discloses=ODOMETER))
    found = life.chain.state(LISTING, life.listing)
    assert ODOMETER == found.discloses
    shown = view_of(life.chain, LISTING, life.listing)
    assert (["odometer"], "open") == (shown["discloses"], shown["status"])


def test_a_listing_says_it_from_its_next_version_on() -> None:
    life = at("listed")
    assert () == life.chain.state(LISTING, life.listing).discloses
    roll_back(life)
    assert ["verdict_illogical"] == codes_of(life, BUYER, offer(life.chain, life.listing))
    assert ["verdict_illogical"] == codes_of(life, SELLER, update(life))
    life.chain.do(SELLER, update(life, discloses=ODOMETER))
    assert ODOMETER == life.chain.state(LISTING, life.listing).discloses
    assert [] == codes_of(life, BUYER, offer(life.chain, life.listing))
    assert ["verdict_illogical"] == codes_of(life, SELLER, update(life)), "said once is not said for ever"


def test_the_mark_is_pinned_by_the_listings_version() -> None:
    """So the disclosure needs no element of its own for it: the version is in it."""
    life = at("wholesale")
    roll_back(life)
    life.listing = life.chain.do(SELLER, listing(life.chain, discloses=ODOMETER))
    first, vehicle = life.chain.state(LISTING, life.listing), life.chain.state(VEHICLE, VIN)
    life.chain.do(SELLER, update(life, discloses=ODOMETER, expires_at_ms=first.expires_at_ms))
    second = life.chain.state(LISTING, life.listing)
    assert (1, 2) == (first.version, second.version)
    assert disclosure_root(life.listing, first, vehicle) != disclosure_root(life.listing, second, vehicle)


def test_a_new_version_obeys_stop_flags_and_the_end_of_a_car() -> None:
    life = at("listed")
    change(life.chain, VEHICLE, VIN, flags=(flag("stolen", "police-1", 0),))
    assert ["stop_flag"] == codes_of(life, SELLER, update(life, discloses=ODOMETER))
    change(life.chain, VEHICLE, VIN, flags=(), existence="scrapped")
    assert ["vehicle_ended"] == codes_of(life, SELLER, update(life))


# --- title.transfer -----------------------------------------------------------------------------------
def test_a_transfer_between_members_says_so_too() -> None:
    life = at("wholesale")
    roll_back(life)
    silent, open_ = (transfer(life.chain, "bmw", 10_001, discloses=told) for told in ((), ODOMETER))
    assert ["verdict_illogical"] == codes_of(life, SELLER, silent, "bmw")
    assert [] == codes_of(life, SELLER, open_, "bmw")


# --- from offer to handover ---------------------------------------------------------------------------
def sold(disclosed: bool) -> Life:
    """A car of which the seller `disclosed` that its odometer is illogical, accepted and paid."""
    life = at("wholesale")
    if disclosed:
        roll_back(life)
    life.listing = life.chain.do(SELLER, listing(life.chain, discloses=ODOMETER if disclosed else ()))
    for step in (life.offered, life.accepted, life.paying, life.paid):
        step()
    return life


def status(life: Life) -> str:
    return status_of(life.chain.state(ORDER, life.order), ledger_of(life.chain), life.chain.now)


def handing_over(life: Life, value: int = 5_001) -> list[str]:
    return codes_of(life, SELLER, handover(life.chain, life.order, value), BUYER)


def test_who_buys_what_was_disclosed_gets_it() -> None:
    life = sold(disclosed=True)
    assert "ILLOGICAL" == life.chain.state(ORDER, life.order).agreed_verdict
    assert [] == handing_over(life)
    life.chain.do(SELLER, handover(life.chain, life.order, 5_001), BUYER)
    assert "completed" == life.chain.state(ORDER, life.order).status


@pytest.mark.parametrize("said_in_advance", [False, True])
def test_a_verdict_that_turns_after_the_acceptance_blocks_until_the_buyer_agrees(said_in_advance: bool) -> None:
    life = at("wholesale")
    life.listing = life.chain.do(SELLER, listing(life.chain, discloses=ODOMETER if said_in_advance else ()))
    for step in (life.offered, life.accepted, life.paying, life.paid):
        step()
    agreed = life.chain.state(ORDER, life.order).agreed_verdict
    assert agreed == life.chain.state(VEHICLE, VIN).verdict != "ILLOGICAL"
    assert [] == handing_over(life, 151)
    roll_back(life)
    assert ["verdict_illogical", "acknowledgement_missing"] == handing_over(life)
    life.chain.do(BUYER, acknowledge(life.chain, life.order))
    assert "ILLOGICAL" == life.chain.state(ORDER, life.order).agreed_verdict
    assert [] == handing_over(life)


def test_without_the_buyers_word_the_money_goes_back_and_the_order_ends() -> None:
    life = sold(disclosed=False)
    roll_back(life)
    life.chain.do(BUYER, OrderCancel(life.order, "vehicle_changed"))
    assert "unwinding" == status(life)
    life.chain.do(PROVIDER, attest(life.chain, life.payment, "refunded", b"back"))
    assert "unwound" == status(life)
    assert ["verdict_illogical"] == codes_of(life, BUYER, offer(life.chain, life.listing))
    life.chain.do(SELLER, update(life, discloses=ODOMETER))
    assert [] == codes_of(life, BUYER, offer(life.chain, life.listing))


def test_a_listing_that_says_nothing_takes_no_acceptance() -> None:
    life = at("offered")
    roll_back(life)
    now = offer(life.chain, life.listing).disclosure_root
    change(life.chain, ORDER, life.order, disclosure_root=now)
    assert ["verdict_illogical"] == codes_of(life, SELLER, accept(life.chain, life.order), BUYER)
    change(life.chain, LISTING, life.listing, discloses=ODOMETER)
    assert [] == codes_of(life, SELLER, accept(life.chain, life.order), BUYER)


# --- form ---------------------------------------------------------------------------------------------
BODIES = {
    "listing.create": lambda life: listing(life.chain),
    "listing.update": lambda life: update(life),
    "title.transfer": lambda life: transfer(life.chain),
}


@pytest.mark.parametrize("name", BODIES)
def test_the_mark_is_no_unless_said_and_always_in_the_bytes(name: str) -> None:
    body = BODIES[name](at("listed"))
    assert () == body.discloses
    shown = to_json(body)
    assert (name, []) == (shown.pop("type"), shown["discloses"])
    assert body == from_json(type(body), {k: v for k, v in shown.items() if k != "discloses"})
    whole = second_codec.unpack(encode(Payload(bytes(20), 1, 1, body)))
    assert body == decode_payload(second_codec.pack(whole)).body
    with pytest.raises(Malformed):
        decode_payload(second_codec.pack([*whole[:3], whole[3][:-1]]))


@pytest.mark.parametrize(("given", "told"), [({}, ()), ({"discloses": ["odometer"]}, ODOMETER)])
def test_the_wallet_says_it_only_where_it_is_asked_to(given: dict, told: tuple[str, ...]) -> None:
    names = Names(0, lambda text: text, lambda text: None)
    fields = dict(
        listing="00" * 32, price="1EUR", tax="scheme=private,rate_permille=0,amount=0", expires_at="+1d",
        rails=["rail=card,providers=" + PROVIDER_TEXT], contracts=["private"],
    )  # fmt: skip
    assert told == body_from(ListingUpdate, fields | given, names).discloses
    (option,) = (o for o in options_of(ListingUpdate) if o.name == "discloses")
    assert ["--discloses"] == option.opts and option.multiple


def test_a_payment_waits_for_no_verdict() -> None:
    life = at("accepted")
    roll_back(life)
    assert [] == codes_of(life, BUYER, initiate(life.order))


# --- what the buyer has agreed to -----------------------------------------------------------------------
def test_the_sellers_acceptance_agrees_to_nothing_in_the_buyers_place() -> None:
    """40,000 km that were read after the offer: the offer is not stale, and the seller accepts it."""
    life = at("listed")
    life.order = life.chain.do(BUYER, offer(life.chain, life.listing, terms=terms(contract="distance")))
    life.chain.do("workshop-berlin", read(VIN, km(40_000), life.chain.now))
    life.chain.do(SELLER, accept(life.chain, life.order))
    for step in (life.paying, life.paid):
        step()
    assert 150_000 == life.chain.state(ORDER, life.order).agreed_metres
    assert ["acknowledgement_missing"] == handing_over(life, 40_010)
    life.chain.do(BUYER, acknowledge(life.chain, life.order))
    assert [] == handing_over(life, 40_010)


def test_who_accepts_a_counter_offer_agrees_to_what_has_been_read_until_then() -> None:
    life = at("offered")
    life.chain.do("workshop-berlin", read(VIN, km(40_000), life.chain.now))
    countered = specimen("order.counter", life.chain, {"order": life.order}, terms=terms(contract="distance"))
    life.chain.do(SELLER, countered)
    life.chain.do(BUYER, accept(life.chain, life.order))
    assert 40_000_000 == life.chain.state(ORDER, life.order).agreed_metres


@pytest.mark.parametrize(("value", "codes"), [(600, []), (200, ["handover_reading"])])
def test_no_handover_makes_the_verdict_worse_by_its_own_reading(value: int, codes: list[str]) -> None:
    """400 km less two days later: within what the order of two visits of one day explains, and not any more."""
    life = at("paid")
    life.chain.do("workshop-berlin", read(VIN, km(600), life.chain.now))
    life.chain.now += 2 * DAY_MS
    assert codes == handing_over(life, value)
    life.chain.do("workshop-hamburg", read(VIN, km(value), life.chain.now))
    if codes:
        assert ["verdict_contested", "acknowledgement_missing"] == handing_over(life, value)
        life.chain.do(BUYER, acknowledge(life.chain, life.order))
    assert [] == handing_over(life, value)
