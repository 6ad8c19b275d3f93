"""Guards of a negotiation: offer, counter-offer, acceptance, rejection; rounds and turns."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.chain import DAY_MS, address
from support.life import PRICE, VIN, Life, accept, changed, offer
from support.life import terms as plain
from support.selling import (
    BUYER,
    OTHER,
    SECOND,
    SELLER,
    cancel,
    codes_of,
    counter,
    countered,
    euro,
    open_account,
    ordered,
    refresh,
    reject,
    root_of,
    second_car,
    trading,
)
from support.stages import Case, at, change, force, table

from node import limits
from node.txtypes.members.conduct import CONDUCT, NO_CONDUCT
from node.txtypes.members.member import MEMBER
from node.txtypes.sale.deal import Tax
from node.txtypes.sale.listing import LISTING
from node.txtypes.sale.listing_types import ListingWithdraw
from node.txtypes.sale.negotiation import LIVE_OFFERS, ROUNDS_MAX
from node.txtypes.sale.order_family import ORDER
from node.txtypes.vehicle.claims import DEBTOR, Debtor
from node.txtypes.vehicle.regions import Market
from node.txtypes.vehicle.vehicle import VEHICLE

BUSINESS = dict(terms=plain(contract="business"))


def offering(**changes):
    return lambda life: offer(life.chain, life.listing, **changes)


def accepting(**changes):
    return lambda life: accept(life.chain, life.order, **changes)


def owing(debtor: str):
    """The account owes money for the very car."""
    return lambda life: force(life.chain, DEBTOR, f"{VIN}-{address(debtor).hex()}", Debtor(1))


def barred(status: str = "suspended", reason: str = "other"):
    return lambda life: change(life.chain, MEMBER, address(SELLER), changes=changed(status, reason))


def overdue(life: Life) -> None:
    force(life.chain, CONDUCT, address(SELLER), replace(NO_CONDUCT, refunds_overdue=1))


def floor(amount: int):
    return lambda life: change(life.chain, LISTING, life.listing, offer_floor=amount)


# --- order.offer ------------------------------------------------------------------------------------------
@table(
    Case("an offer", "listed", BUYER, offering()),
    Case("a lower price", "listed", BUYER, offering(terms=plain(euro(1), tax=Tax("standard", 190, 0)))),
    Case("no such listing", "listed", BUYER, offering(listing=bytes(32)), ("listing_unknown",)),
    Case("another version", "listed", BUYER, offering(listing_version=2), ("listing_version",)),
    Case("one's own", "listed", SELLER, offering(**BUSINESS), ("own_listing",)),
    Case("at the floor", "listed", BUYER, offering(), before=floor(PRICE.amount)),
    Case("below the floor", "listed", BUYER, offering(), ("offer_floor",), before=floor(PRICE.amount + 1)),
    Case("not what was shown", "listed", BUYER, offering(disclosure_root=bytes(32)), ("disclosure_stale",)),
    Case("while reserved", "accepted", BUYER, offering(), ("listing_closed", "order_reserved")),
    Case("once sold", "handed_over", "dealer-shanghai", offering(**BUSINESS), ("listing_closed",)),
    Case("of a seller who is suspended", "listed", BUYER, offering(),
         ("tax_scheme", "contract_kind", "seller_barred"), before=barred()),
    Case("of a seller with an overdue refund", "listed", BUYER, offering(), ("refund_overdue",), before=overdue),
    Case("of a seller who owes for the car", "listed", BUYER, offering(), ("claims_open",), before=owing(SELLER)),
    Case("of a buyer who owes for the car", "listed", BUYER, offering(), ("claims_open",), before=owing(BUYER)),
    Case("of another than who owes for it", "listed", BUYER, offering(), before=owing(OTHER)),
)  # fmt: skip
def test_offer(case: Case) -> None:
    assert case.codes == case.run()


def test_a_reserved_car_gets_no_offer_even_where_its_listing_is_open() -> None:
    life = at("accepted")
    change(life.chain, LISTING, life.listing, status="open")
    assert ["order_reserved"] == codes_of(life, OTHER, offer(life.chain, life.listing, **BUSINESS))


@pytest.mark.parametrize(
    ("ahead_ms", "codes"), [(0, ["expiry_passed"]), (1, []), (30 * DAY_MS, []), (30 * DAY_MS + 1, ["expiry_passed"])]
)
def test_an_offer_and_a_counter_live_from_now_to_their_longest(ahead_ms: int, codes: list[str]) -> None:
    life = at("offered")
    expires = life.chain.now + ahead_ms
    assert codes == codes_of(life, BUYER, offer(life.chain, life.listing, expires_at_ms=expires))
    assert codes == codes_of(life, SELLER, counter(life, expires_at_ms=expires))


def test_a_listing_past_its_time_gets_no_offer_and_no_acceptance() -> None:
    life = at("offered")
    expires = life.chain.state(LISTING, life.listing).expires_at_ms
    life.order = life.chain.do(BUYER, offer(life.chain, life.listing, expires_at_ms=life.chain.now + 30 * DAY_MS))
    for now, codes in ((expires - 1, []), (expires, ["listing_closed"])):
        life.chain.now = now
        assert codes == codes_of(life, BUYER, offer(life.chain, life.listing))
        assert codes == codes_of(life, SELLER, accept(life.chain, life.order), BUYER)


def test_an_account_has_twenty_live_offers() -> None:
    life = at("listed")
    orders = [life.chain.do(BUYER, offer(life.chain, life.listing)) for _ in range(limits.OFFERS_LIVE_MAX - 1)]
    assert [] == codes_of(life, BUYER, offer(life.chain, life.listing))
    orders.append(life.chain.do(BUYER, offer(life.chain, life.listing)))
    assert ["offers_live"] == codes_of(life, BUYER, offer(life.chain, life.listing))
    assert [] == codes_of(life, OTHER, offer(life.chain, life.listing, **BUSINESS))
    life.chain.do(SELLER, reject(life, order=orders[4]))
    assert [] == codes_of(life, BUYER, offer(life.chain, life.listing))
    newest = life.chain.do(BUYER, offer(life.chain, life.listing))
    known = [live.order for live in life.chain.state(LIVE_OFFERS, address(BUYER)).offers]
    assert limits.OFFERS_LIVE_MAX == len(known)
    assert newest in known
    assert orders[4] not in known
    assert ["offers_live"] == codes_of(life, BUYER, offer(life.chain, life.listing))
    life.order = orders[0]
    life.chain.do(BUYER, cancel(life))
    assert [] == codes_of(life, BUYER, offer(life.chain, life.listing))


def test_an_accepted_order_is_no_live_offer() -> None:
    life = at("accepted")
    change(life.chain, LISTING, life.listing, status="open")
    change(life.chain, VEHICLE, VIN, market=Market("listed", life.listing, b"", life.chain.now + DAY_MS))
    newest = life.chain.do(BUYER, offer(life.chain, life.listing))
    assert [newest] == [live.order for live in life.chain.state(LIVE_OFFERS, address(BUYER)).offers]


def test_an_offer_is_written_down_as_it_was_made() -> None:
    life = at("offered")
    order, car = life.chain.state(ORDER, life.order), life.chain.state(VEHICLE, VIN)
    assert ("offered", address(SELLER), address(BUYER), None, PRICE) == (
        order.status, order.seller, order.buyer, order.agent, order.price,
    )  # fmt: skip
    assert (life.listing, 1, VIN, (), 0, "seller") == (
        order.listing, order.listing_version, order.vin, order.payments, order.round, order.turn,
    )  # fmt: skip
    assert offer(life.chain, life.listing).terms == order.terms
    assert root_of(life) == order.agreed_root and "listed" == car.market.status


# --- order.counter, accept, reject ------------------------------------------------------------------------
@table(
    Case("counter by the seller", "offered", SELLER, counter),
    Case("counter by the buyer", "offered", BUYER, counter, ("not_your_turn",)),
    Case("counter by a third", "offered", OTHER, counter, ("not_a_party",)),
    Case("counter by the buyer in turn", "offered", BUYER, counter, before=countered),
    Case("counter by the seller twice", "offered", SELLER, counter, ("not_your_turn",), before=countered),
    Case("counter of older terms", "offered", BUYER, lambda life: counter(life, round=0), ("round_differs",),
         before=countered),
    Case("counter of none", "offered", SELLER, lambda life: counter(life, order=bytes(32)), ("order_unknown",)),
    Case("counter once accepted", "accepted", SELLER, counter, ("order_status",)),
    Case("a tenth counter", "offered", SELLER, counter,
         before=lambda life: change(life.chain, ORDER, life.order, round=ROUNDS_MAX - 1)),
    Case("an eleventh counter", "offered", SELLER, counter, ("rounds_full",),
         before=lambda life: change(life.chain, ORDER, life.order, round=ROUNDS_MAX)),
    Case("accept by the seller", "offered", SELLER, accepting(), (), (BUYER,)),
    Case("accept without the consumer", "offered", SELLER, accepting(), ("signature_missing",)),
    Case("accept by the buyer", "offered", BUYER, accepting(), ("not_your_turn",), (SELLER,)),
    Case("accept by a third", "offered", OTHER, accepting(), ("not_a_party",), (BUYER,)),
    Case("accept of none", "offered", SELLER, lambda life: accept(life.chain, bytes(32)), ("order_unknown",)),
    Case("accept other terms", "offered", SELLER, accepting(round=1), ("round_differs",), (BUYER,)),
    Case("accept a counter by the buyer", "offered", BUYER, accepting(), (), (SELLER,), countered),
    Case("accept a counter by the seller", "offered", SELLER, accepting(), ("not_your_turn",), (BUYER,), countered),
    Case("accept what was there before the counter", "offered", BUYER, accepting(round=0), ("round_differs",),
         (SELLER,), countered),
    Case("accept another state of the car", "offered", SELLER, accepting(material_root=bytes(32)),
         ("disclosure_stale",), (BUYER,)),
    Case("accept twice", "accepted", SELLER, accepting(), ("order_status",), (BUYER,)),
    Case("accept as a suspended seller", "offered", SELLER, accepting(),
         ("tax_scheme", "contract_kind", "seller_barred"), (BUYER,), barred()),
    Case("accept with an overdue refund", "offered", SELLER, accepting(), ("refund_overdue",), (BUYER,), overdue),
    Case("accept where the buyer owes for it", "offered", SELLER, accepting(), ("claims_open",), (BUYER,),
         owing(BUYER)),
    Case("reject by the seller", "offered", SELLER, reject),
    Case("reject by the buyer", "offered", BUYER, reject, ("not_your_turn",)),
    Case("reject by a third", "offered", OTHER, reject, ("not_a_party",)),
    Case("reject of none", "offered", SELLER, lambda life: reject(life, order=bytes(32)), ("order_unknown",)),
    Case("reject a counter by the buyer", "offered", BUYER, reject, before=countered),
    Case("reject a counter by the seller", "offered", SELLER, reject, ("not_your_turn",), before=countered),
    Case("reject other terms", "offered", SELLER, lambda life: reject(life, round=1), ("round_differs",)),
    Case("reject once accepted", "accepted", SELLER, reject, ("order_status",)),
)  # fmt: skip
def test_answers(case: Case) -> None:
    assert case.codes == case.run()


def test_a_negotiation_goes_back_and_forth_over_ten_rounds() -> None:
    life = at("offered")
    for number in range(ROUNDS_MAX):
        order = life.chain.state(ORDER, life.order)
        assert (number, ("seller", "buyer")[number % 2]) == (order.round, order.turn)
        life.chain.do((SELLER, BUYER)[number % 2], counter(life, 5_200_000 - number))
    assert ["rounds_full"] == codes_of(life, SELLER, counter(life))
    life.chain.do(SELLER, accept(life.chain, life.order), BUYER)
    order = life.chain.state(ORDER, life.order)
    assert ("accepted", "", euro(5_200_000 - 9)) == (order.status, order.turn, order.price)


def test_a_distance_contract_needs_the_answer_alone() -> None:
    life = ordered(plain(contract="distance"), "offered")
    assert [] == codes_of(life, SELLER, accept(life.chain, life.order))
    assert ["signature_superfluous"] == codes_of(life, SELLER, accept(life.chain, life.order), BUYER)


def test_acceptance_needs_the_title() -> None:
    life = at("offered")
    change(life.chain, VEHICLE, VIN, holder=address("bmw"))
    assert ["disclosure_stale", "not_the_holder"] == codes_of(life, SELLER, accept(life.chain, life.order), BUYER)


def test_acceptance_needs_an_open_listing() -> None:
    life = at("offered")
    life.chain.do(SELLER, ListingWithdraw(life.listing))
    refresh(life)
    assert ["listing_closed"] == codes_of(life, SELLER, accept(life.chain, life.order), BUYER)


def test_acceptance_needs_its_listing() -> None:
    life = at("offered")
    change(life.chain, ORDER, life.order, listing=bytes(32))
    assert ["listing_unknown"] == codes_of(life, SELLER, accept(life.chain, life.order), BUYER)


def test_one_live_order_per_car() -> None:
    life = at("offered")
    second = life.chain.do(OTHER, offer(life.chain, life.listing, **BUSINESS))
    life.chain.do(SELLER, accept(life.chain, life.order), BUYER)
    assert ["listing_closed", "order_reserved"] == codes_of(life, SELLER, accept(life.chain, second))
    change(life.chain, LISTING, life.listing, status="open")
    change(life.chain, ORDER, second, disclosure_root=offer(life.chain, life.listing).disclosure_root)
    assert ["order_reserved"] == codes_of(life, SELLER, accept(life.chain, second))


def test_acceptance_reserves_the_car_and_sets_the_deadlines() -> None:
    life = at("offered")
    change(life.chain, VEHICLE, VIN, material_changes=3)
    refresh(life)
    now = life.chain.now
    life.chain.do(SELLER, accept(life.chain, life.order), BUYER)
    order, market = life.chain.state(ORDER, life.order), life.chain.state(VEHICLE, VIN).market
    until, hold_until = now + 60 * DAY_MS, now + 90 * DAY_MS
    assert ("accepted", now, until, hold_until) == (
        order.status, order.accepted_at_ms, order.until_ms, order.hold_until_ms,
    )  # fmt: skip
    assert root_of(life) == order.agreed_root
    listed_until = life.chain.state(LISTING, life.listing).expires_at_ms
    assert Market("reserved", life.listing, life.order, until, listed_until, hold_until) == market
    assert "reserved" == life.chain.state(LISTING, life.listing).status


def test_acceptance_reserves_the_car_in_payment_too() -> None:
    life = ordered(None, "accepted", before=second_car, terms_of=trading)
    for vin, listing_id in ((VIN, life.listing), (SECOND, b"")):
        market = life.chain.state(VEHICLE, vin).market
        assert ("reserved", listing_id, life.order) == (market.status, market.listing, market.order)


def test_a_counter_is_what_the_buyer_accepts() -> None:
    life = at("offered")
    countered(life)
    life.chain.do(BUYER, accept(life.chain, life.order), SELLER)
    order = life.chain.state(ORDER, life.order)
    assert ("accepted", euro(5_200_000), 1) == (order.status, order.price, order.round)


def test_a_stranger_that_a_member_sponsors_can_buy() -> None:
    life = at("listed")
    open_account(life, "private", "bank-1")
    assert [] == codes_of(life, "private", offer(life.chain, life.listing))


# --- deadlines of an offer --------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("sender", "body", "cosigners"),
    [(SELLER, counter, ()), (SELLER, accepting(), (BUYER,)), (SELLER, reject, ()), (BUYER, cancel, ())],
)
def test_an_offer_past_its_deadline_is_expired(sender: str, body, cosigners: tuple[str, ...]) -> None:
    life = at("offered")
    expires = life.chain.state(ORDER, life.order).expires_at_ms
    for now, codes in ((expires - 1, []), (expires, ["order_expired"])):
        life.chain.now = now
        assert codes == codes_of(life, sender, body(life), *cosigners)
    assert "offered" == life.chain.state(ORDER, life.order).status


def test_a_seller_who_was_revoked_for_fraud_sells_nothing() -> None:
    life = at("listed")
    barred("revoked", "fraud")(life)
    assert "seller_barred" in codes_of(life, BUYER, offer(life.chain, life.listing))
