"""Guards of the terms of a deal: price, tax, fees, parts, providers, contract. An offer, a counter-offer, an acceptance
and an amendment share them."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.chain import DAY_MS, address
from support.life import PRICE, VIN, Life, accept, offer
from support.life import terms as plain
from support.selling import (
    AGENT,
    BANK,
    BUYER,
    OTHER,
    PROVIDER,
    SELLER,
    amend,
    codes_of,
    counter,
    credit,
    euro,
    leg,
    open_account,
    second_car,
    terms,
    trading,
    with_credit,
)
from support.stages import Case, at, change, table

from node.ledger.fields import Money
from node.ledger.params import CHAIN
from node.txtypes.members.accepted_rail import AcceptedRail
from node.txtypes.sale.deal import Fee, Tax
from node.txtypes.sale.listing import LISTING
from node.txtypes.sale.order_family import ORDER
from node.txtypes.vehicle.vehicle import VEHICLE

ALL = PRICE.amount


def rails(life: Life, **changes) -> None:
    """Change what the listing says of every rail."""
    found = life.chain.state(LISTING, life.listing).rails
    change(life.chain, LISTING, life.listing, rails=tuple(replace(each, **changes) for each in found))


def providing(*providers: str):
    """The listing takes transfers through others."""

    def place(life: Life) -> None:
        known = AcceptedRail("bank_transfer", tuple(map(address, providers)))
        change(life.chain, LISTING, life.listing, rails=(known,))

    return place


def limited(share: int):
    return lambda life: rails(life, share_max_permille=share)


def with_card(card: int, **changes):
    return terms(leg(card, "card"), leg(ALL - card), **changes)


def business(**changes):
    return plain(contract="business", **changes)


def offering(agreed):
    """An offer on the terms, or on those that a function makes for a life."""
    return lambda life: offer(life.chain, life.listing, terms=agreed(life) if callable(agreed) else agreed)


def sold_before(life: Life) -> None:
    change(life.chain, VEHICLE, VIN, transfer_count=1)


def private_seller(life: Life) -> None:
    """The seller is no trader, as a buyer who sells on."""
    change(life.chain, LISTING, life.listing, seller=address("workshop-berlin"), contracts=("private", "business"))


CASES = (
    Case("as the listing says", "listed", BUYER, offering(plain())),
    Case("a lower price", "listed", BUYER, offering(plain(euro(1), tax=Tax("standard", 190, 0)))),
    Case("a higher price", "listed", BUYER, offering(plain(euro(ALL + 1)))),
    Case("no price", "listed", BUYER, offering(plain(euro(0), tax=Tax("standard", 0, 0))),
         ("price_zero", "legs_sum", "legs_sum")),
    Case("another currency", "listed", BUYER, offering(plain(Money(ALL, "CHF"))), ("payment_currency",)),
    Case("tax above the price", "listed", BUYER, offering(plain(tax=Tax("standard", 190, ALL + 1))), ("tax_scheme",)),
    Case("a trader's private sale", "listed", BUYER, offering(plain(tax=Tax("private", 0, 0))), ("tax_scheme",)),
    Case("margin of a new car", "listed", BUYER, offering(plain(tax=Tax("margin", 190, 1))), ("tax_scheme",),
         before=lambda life: change(life.chain, VEHICLE, VIN, transfer_count=0)),
    Case("margin of a used car", "listed", BUYER, offering(plain(tax=Tax("margin", 190, 1))), before=sold_before),
    Case("fees that the price contains", "listed", BUYER, offering(plain(fees=(Fee("PLATES", ALL),)))),
    Case("fees above the price", "listed", BUYER, offering(plain(fees=(Fee("PLATES", ALL), Fee("TRANSPORT", 1)))),
         ("fees_exceed",)),
    Case("the highest fee for a change of mind", "listed", BUYER, offering(plain(cancel_fee=ALL * 150 // 1000))),
    Case("a higher one", "listed", BUYER, offering(plain(cancel_fee=ALL * 150 // 1000 + 1)), ("cancel_fee_high",)),
    Case("parts that make up the price", "listed", BUYER,
         offering(terms(leg(1, kind="deposit", due_days=0), leg(2, kind="part"), leg(ALL - 3)))),
    Case("parts below the price", "listed", BUYER, offering(plain(legs=(leg(ALL - 1),))), ("legs_sum",)),
    Case("parts above the price", "listed", BUYER, offering(plain(legs=(leg(ALL), leg(1)))),
         ("legs_sum", "rail_share", "rail_share")),
    Case("a part of nothing", "listed", BUYER, offering(plain(legs=(leg(ALL), leg(0)))), ("legs_sum",)),
    Case("parts out of order", "listed", BUYER, offering(terms(leg(1, due_days=8), leg(ALL - 1))), ("legs_order",)),
    Case("a credit", "listed", BUYER, offering(with_credit())),
    Case("a credit that pays nothing", "listed", BUYER, offering(plain(finance=with_credit().finance)),
         ("legs_kind",)),
    Case("a credit of nobody", "listed", BUYER, offering(replace(with_credit(), finance=None)), ("legs_kind",)),
    Case("two parts by credit", "listed", BUYER,
         offering(replace(with_credit(), legs=(leg(1), leg(1, "finance", BANK), leg(ALL - 2, "finance", BANK)))),
         ("legs_kind",)),
    Case("a deposit by credit", "listed", BUYER,
         offering(plain(legs=(leg(ALL, "finance", BANK, kind="deposit"),))), ("legs_kind",)),
    Case("a credit of another than its lender", "listed", BUYER, offering(with_credit(lender=address("insurer-1"))),
         ("legs_kind",)),
    Case("a car that pays nothing", "listed", BUYER,
         offering(lambda life: plain(trade_in=trading(life).trade_in)), ("legs_kind",), before=second_car),
    Case("a car that pays all", "listed", BUYER,
         offering(lambda life: plain(legs=(leg(ALL, "trade_in"),), trade_in=trading(life).trade_in)), ("legs_sum",),
         before=second_car),
    Case("a car that pays a part", "listed", BUYER, offering(trading), before=second_car),
    Case("a rail not named", "listed", BUYER, offering(plain(rail="instant_transfer")), ("rail_not_accepted",)),
    Case("a provider not named", "listed", BUYER, offering(plain(provider=address(BANK))), ("rail_not_accepted",)),
    Case("money through nobody", "listed", BUYER, offering(plain(provider=None)), ("rail_not_accepted",)),
    Case("coins", "listed", BUYER, offering(plain(rail="bitcoin")), ("rail_not_accepted", "rail_not_yet")),
    Case("by card of the bank", "listed", BUYER, offering(plain(rail="card", provider=address(BANK)))),
    Case("as much by card as the seller takes", "listed", BUYER, offering(with_card(ALL * 200 // 1000)),
         before=lambda life: change(life.chain, LISTING, life.listing, rails=(
             AcceptedRail("card", (address(PROVIDER),), 200), AcceptedRail("bank_transfer", (address(PROVIDER),))))),
    Case("more by card than the seller takes", "listed", BUYER, offering(with_card(ALL * 200 // 1000 + 1)),
         ("rail_share",), before=lambda life: change(life.chain, LISTING, life.listing, rails=(
             AcceptedRail("card", (address(PROVIDER),), 200), AcceptedRail("bank_transfer", (address(PROVIDER),))))),
    Case("two parts that are too much together", "listed", BUYER,
         offering(terms(leg(ALL // 2), leg(ALL - ALL // 2))), ("rail_share", "rail_share"), before=limited(900)),
    Case("the seller's own bank", "listed", "bmw", offering(business(provider=address(SELLER))),
         ("provider_unaccredited", "provider_is_party"), before=providing(SELLER)),
    Case("a provider that buys", "listed", PROVIDER, offering(business()),
         ("provider_is_party", "provider_sponsors_buyer")),
    Case("a contract on the premises", "listed", BUYER, offering(plain(contract="on_premises"))),
    Case("a contract at a distance", "listed", BUYER, offering(plain(contract="distance"))),
    Case("a consumer's business", "listed", BUYER, offering(business()), ("contract_kind",)),
    Case("a trader's private contract", "listed", BUYER, offering(plain(contract="private")), ("contract_kind",)),
    Case("a member's business", "listed", OTHER, offering(business())),
    Case("a member as a consumer", "listed", OTHER, offering(plain()), ("contract_kind",)),
    Case("a contract that the seller makes not", "listed", BUYER, offering(plain(contract="distance")),
         ("contract_kind",), before=lambda life: change(life.chain, LISTING, life.listing, contracts=("business",))),
    Case("a private sale", "listed", BUYER, offering(plain(contract="private", tax=Tax("private", 0, 0))),
         before=private_seller),
    Case("a private sale with tax", "listed", BUYER, offering(plain(contract="private", tax=Tax("private", 0, 1))),
         ("tax_scheme",), before=private_seller),
    Case("a private sale with a trader's tax", "listed", BUYER, offering(plain(contract="private")), ("tax_scheme",),
         before=private_seller),
    Case("a private seller's distance contract", "listed", BUYER,
         offering(plain(contract="distance", tax=Tax("private", 0, 0))), ("contract_kind",), before=private_seller),
)  # fmt: skip


@table(*CASES)
def test_terms_of_an_offer(case: Case) -> None:
    assert case.codes == case.run()


@pytest.mark.parametrize("given", [case for case in CASES if case.sender == BUYER and case.codes], ids=lambda c: c.name)
def test_the_same_terms_are_refused_in_a_counter_offer_and_an_acceptance(given: Case) -> None:
    life = at("offered")
    given.before(life)
    agreed = given.body(life).terms  # type: ignore[attr-defined]
    seller = {address("workshop-berlin"): "workshop-berlin"}.get(life.chain.state(LISTING, life.listing).seller, SELLER)
    change(life.chain, ORDER, life.order, seller=address(seller))
    assert list(given.codes) == codes_of(life, seller, counter(life, terms=agreed))
    change(life.chain, ORDER, life.order, terms=agreed)
    codes = codes_of(life, seller, accept(life.chain, life.order), BUYER)
    assert list(given.codes) == [code for code in codes if code in given.codes]


def test_an_amendment_is_held_to_the_same_terms() -> None:
    life = at("accepted")
    for agreed, codes in (
        (plain(cancel_fee=10), []),
        (plain(legs=(leg(ALL - 1),)), ["legs_sum"]),
        (plain(contract="business"), ["contract_kind"]),
        (plain(fees=(Fee("PLATES", ALL + 1),)), ["fees_exceed"]),
    ):
        assert codes == codes_of(life, SELLER, amend(life, agreed), BUYER)


# --- time -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("due", "hold", "codes"), [
    (60, 0, []), (30, 30, []), (31, 30, ["hold_exceeds_reserve"]), (61, 0, ["hold_exceeds_reserve"]),
])  # fmt: skip
def test_the_last_part_is_final_within_the_reservation(due: int, hold: int, codes: list[str]) -> None:
    """Whatever place the last due part has: a car in payment has no due time."""
    life = at("listed")
    rails(life, hold_ms=hold * DAY_MS)
    assert codes == codes_of(life, BUYER, offering(terms(leg(ALL, due_days=due)))(life))
    second_car(life)
    car = trading(life)
    agreed = replace(car, legs=(replace(car.legs[1], due_ms=due * DAY_MS), car.legs[0]))
    assert codes == codes_of(life, BUYER, offering(agreed)(life))


def test_nobody_reserves_a_car_for_longer_than_the_chain_allows() -> None:
    life = at("listed")
    longest = life.chain.state(CHAIN, "params").reservation_ms
    for reserve, codes in ((longest, []), (longest + 1, ["hold_exceeds_reserve"])):
        assert codes == codes_of(life, BUYER, offering(plain(reserve_ms=reserve))(life))


# --- providers --------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("allowed", "codes"), [(True, []), (False, ["provider_sponsors_buyer"])])
def test_a_provider_serves_its_own_customer_where_the_seller_allows_it(allowed: bool, codes: list[str]) -> None:
    life = at("listed")
    open_account(life, "private", PROVIDER)
    rails(life, allow_sponsored=allowed)
    assert codes == codes_of(life, "private", offer(life.chain, life.listing))


def test_a_provider_is_no_agent_and_takes_no_car() -> None:
    life = at("listed")
    second_car(life)
    change(life.chain, LISTING, life.listing, agent=address(PROVIDER))
    assert ["provider_is_party"] == codes_of(life, BUYER, offer(life.chain, life.listing))
    change(life.chain, LISTING, life.listing, agent=None)
    agreed = trading(life, taker=address(PROVIDER))
    assert "provider_is_party" in codes_of(life, BUYER, offer(life.chain, life.listing, terms=agreed))
    assert [] == codes_of(life, BUYER, offer(life.chain, life.listing, terms=trading(life, taker=address(AGENT))))


def test_a_lender_is_a_bank() -> None:
    life = at("listed")
    lent = credit(1_000, lender=address(PROVIDER))
    parts = tuple(replace(part, provider=address(PROVIDER)) for part in lent["legs"])
    codes = codes_of(life, BUYER, offer(life.chain, life.listing, terms=plain(legs=parts, finance=lent["finance"])))
    assert ["rail_not_accepted", "provider_unaccredited"] == codes
