"""Agents in a sale: what they may do for a seller under a mandate, and on which terms."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.chain import address
from support.life import Life, accept, km, listing, offer, transfer
from support.life import terms as plain
from support.selling import (
    AGENT,
    BANK,
    BUYER,
    OTHER,
    PROVIDER,
    RIGHTS,
    SELLER,
    about_payment,
    amend,
    cancel,
    codes_of,
    counter,
    entrust,
    euro,
    hand_over,
    handing_over,
    order_of,
    reinstate,
    reject,
    through_agent,
)
from support.specimens import specimen
from support.stages import Case, at, change, table

from node.ledger.fields import Money
from node.txtypes.members.accepted_rail import AcceptedRail
from node.txtypes.members.mandate import MANDATE, MandateEnd
from node.txtypes.sale.listing import LISTING
from node.txtypes.sale.listing_types import ListingWithdraw

FLOOR = 5_000_000
TRANSFER = AcceptedRail("bank_transfer", (address(PROVIDER),))


def listing_by(rights: tuple[str, ...] = RIGHTS, *, sender: str = AGENT, rails=(TRANSFER,), price: int = 5_290_000,
               **sale) -> list[str]:  # fmt: skip
    life = at("wholesale")
    mandate = entrust(life, rights, **sale)
    return codes_of(life, sender, listing(life.chain, mandate=mandate, rails=rails, price=euro(price)))


def test_an_agent_lists_in_the_name_of_the_holder() -> None:
    life = through_agent("listed")
    found = life.chain.state(LISTING, life.listing)
    assert (address(SELLER), address(AGENT), life.mandate) == (  # type: ignore[attr-defined]
        found.seller, found.agent, found.mandate,
    )  # fmt: skip
    for sender in (AGENT, SELLER):
        assert [] == codes_of(life, sender, ListingWithdraw(life.listing))
    assert ["not_a_party"] == codes_of(life, OTHER, ListingWithdraw(life.listing))


@pytest.mark.parametrize(
    ("given", "codes"),
    [
        ({}, []),
        ({"rights": ("negotiate", "accept")}, ["mandate_missing"]),
        ({"sender": OTHER}, ["mandate_missing"]),
        ({"price": FLOOR}, []),
        ({"price": FLOOR - 1}, ["mandate_floor"]),
        ({"rails": (replace(TRANSFER, providers=(address(BANK),)),)}, ["mandate_rails"]),
        ({"rails": (TRANSFER, AcceptedRail("card", (address(PROVIDER),)))}, ["mandate_rails"]),
        ({"rails": (replace(TRANSFER, share_max_permille=900),)}, []),
        ({"rails": (replace(TRANSFER, hold_ms=1),)}, []),
        ({"rails": (replace(TRANSFER, allow_sponsored=True),)}, ["mandate_rails"]),
    ],
)
def test_what_an_agent_may_list(given: dict, codes: list[str]) -> None:
    assert codes == listing_by(**given)


@pytest.mark.parametrize("laxer", [dict(share_max_permille=1_000), dict(hold_ms=9), dict(allow_sponsored=True)])
def test_an_agent_is_not_laxer_with_a_rail_than_its_principal(laxer: dict) -> None:
    strict = replace(TRANSFER, share_max_permille=500, hold_ms=10)
    life = at("wholesale")
    mandate = entrust(life, RIGHTS, rails=(strict,))
    for rail, codes in ((strict, []), (replace(strict, **laxer), ["mandate_rails"])):
        assert codes == codes_of(life, AGENT, listing(life.chain, mandate=mandate, rails=(rail,)))


def listing_under(**changes):
    """A listing under a new mandate."""
    return lambda life: listing(life.chain, mandate=entrust(life), **dict(rails=(TRANSFER,)) | changes)


def buying(life: Life):
    return offer(life.chain, life.listing, terms=plain(contract="business"))


def entrusted(life: Life) -> None:
    """The agent has listed the car."""
    life.listing = life.chain.do(AGENT, listing_under()(life))


@table(
    Case("within its mandate", "wholesale", AGENT, listing_under()),
    Case("below its floor", "wholesale", AGENT, listing_under(price=euro(FLOOR - 1)), ("mandate_floor",)),
    Case("in another currency", "wholesale", AGENT, listing_under(price=Money(FLOOR, "CHF")), ("mandate_floor",)),
    Case("on a rail that its principal does not take", "wholesale", AGENT,
         listing_under(rails=(AcceptedRail("card", (address(PROVIDER),)),)), ("mandate_rails",)),
    Case("by another member", "wholesale", OTHER, listing_under(), ("mandate_missing",)),
    Case("to itself", "wholesale", AGENT, buying, ("self_dealing",), before=entrusted),
)  # fmt: skip
def test_selling_as_an_agent(case: Case) -> None:
    assert case.codes == case.run()


def test_a_mandate_that_there_is_not_lists_nothing() -> None:
    life = at("wholesale")
    assert ["mandate_unknown"] == codes_of(life, AGENT, listing(life.chain, mandate=bytes(31) + b"\x01"))
    assert ["not_a_party"] == codes_of(life, AGENT, listing(life.chain))


def test_an_agent_buys_its_principals_car_only_where_it_is_allowed_to() -> None:
    bid = dict(terms=plain(contract="business"))
    for allowed, codes in ((False, ["self_dealing"]), (True, [])):
        life = through_agent("listed", allow_self=allowed)
        assert codes == codes_of(life, AGENT, offer(life.chain, life.listing, **bid))


# --- negotiation ----------------------------------------------------------------------------------------------
def offered_at(price: int, rights: tuple[str, ...] = RIGHTS) -> Life:
    life = through_agent("listed", rights)
    life.order = life.chain.do(BUYER, offer(life.chain, life.listing, terms=plain(euro(price))))
    return life


def test_an_agent_agrees_on_no_price_below_the_floor_and_says_no_to_one() -> None:
    for price, codes in ((FLOOR, []), (FLOOR - 1, ["mandate_floor"])):
        life = offered_at(price)
        assert codes == codes_of(life, AGENT, accept(life.chain, life.order), BUYER)
        assert [] == codes_of(life, SELLER, accept(life.chain, life.order), BUYER)
        assert [] == codes_of(life, AGENT, reject(life))


def test_an_agents_counter_offer_is_held_to_the_floor_by_its_own_price() -> None:
    """Whatever the buyer has offered: a counter below the floor would bind the seller once the buyer accepts it."""
    for bid in (FLOOR - 100, 5_290_000):
        life = offered_at(bid)
        assert [] == codes_of(life, AGENT, counter(life, FLOOR))
        assert ["mandate_floor"] == codes_of(life, AGENT, counter(life, FLOOR - 1))
        assert [] == codes_of(life, SELLER, counter(life, FLOOR - 1))


def test_every_answer_needs_its_right() -> None:
    life = offered_at(5_290_000, ("list", "negotiate"))
    assert [] == codes_of(life, AGENT, counter(life)) == codes_of(life, AGENT, reject(life))
    assert ["mandate_missing"] == codes_of(life, AGENT, accept(life.chain, life.order), BUYER)
    life = offered_at(5_290_000, ("list", "accept"))
    assert [] == codes_of(life, AGENT, accept(life.chain, life.order), BUYER)
    assert ["mandate_missing"] == codes_of(life, AGENT, counter(life)) == codes_of(life, AGENT, reject(life))


def test_a_contract_on_the_premises_is_signed_by_the_agent_who_made_it() -> None:
    life = offered_at(5_290_000)
    life.chain.do(AGENT, counter(life))
    assert [] == codes_of(life, BUYER, accept(life.chain, life.order), AGENT)
    assert ["signature_missing", "signature_superfluous"] == codes_of(
        life, BUYER, accept(life.chain, life.order), SELLER
    )


# --- the accepted order ----------------------------------------------------------------------------------------
def test_an_agent_amends_within_its_mandate() -> None:
    life = through_agent("accepted")
    assert [] == codes_of(life, AGENT, amend(life, plain(euro(FLOOR))), BUYER)
    assert ["mandate_floor"] == codes_of(life, AGENT, amend(life, plain(euro(FLOOR - 1))), BUYER)
    assert [] == codes_of(life, SELLER, amend(life, plain(euro(FLOOR - 1))), BUYER)


def test_only_the_seller_itself_ends_an_order() -> None:
    life = through_agent("accepted")
    assert "not_a_party" in codes_of(life, AGENT, cancel(life, "seller_default"))
    assert [] == codes_of(life, SELLER, cancel(life, "seller_default"))


def test_an_agent_reinstates_with_its_right_to_accept() -> None:
    life = through_agent("accepted")
    life.chain.do(BUYER, cancel(life))
    assert [] == codes_of(life, AGENT, reinstate(life), BUYER)


def test_an_agent_takes_a_car_back_with_its_right_to_return() -> None:
    for rights, codes in ((RIGHTS, []), (("list", "accept", "handover"), ["mandate_missing"])):
        life = through_agent("paid", rights)
        hand_over(life)
        back = specimen("order.return", life.chain, {"order": life.order}, odometer=km(250), event_at_ms=life.chain.now)
        assert codes == codes_of(life, AGENT, back, BUYER)
        assert [*codes, "refund_exceeds"] == codes_of(life, AGENT, about_payment(life, "payment.refund", 1))
        assert [] == codes_of(life, SELLER, back, BUYER)


# --- the end of a mandate ----------------------------------------------------------------------------------------
def test_a_mandate_that_has_ended_lets_its_agent_do_nothing_more() -> None:
    life = through_agent("paid")
    life.chain.do(AGENT, MandateEnd(life.mandate))  # type: ignore[attr-defined]
    assert ["mandate_missing"] == handing_over(life, BUYER, sender=AGENT)
    assert [] == handing_over(life, BUYER, sender=SELLER)
    life = offered_at(5_290_000)
    life.chain.now = life.chain.state(MANDATE, order_of(life).mandate).ends_at_ms
    assert "mandate_missing" in codes_of(life, AGENT, accept(life.chain, life.order), BUYER)


def test_a_mandate_is_of_one_agent() -> None:
    life = offered_at(5_290_000)
    change(life.chain, MANDATE, order_of(life).mandate, agent=address(OTHER))
    assert ["mandate_missing"] == codes_of(life, AGENT, accept(life.chain, life.order), BUYER)


def test_a_new_holder_has_no_agent() -> None:
    life = through_agent("listed")
    life.chain.do(SELLER, ListingWithdraw(life.listing))
    life.chain.do(SELLER, transfer(life.chain, OTHER), OTHER)
    body = listing(life.chain, mandate=life.mandate, rails=(TRANSFER,))  # type: ignore[attr-defined]
    assert ["mandate_missing"] == codes_of(life, AGENT, body)
