"""Claims that a sale leaves behind: money that goes back after the handover, a promise not kept. Title stays."""

from __future__ import annotations

from msgspec.structs import replace
from support.chain import DAY_MS, address
from support.life import PRICE, VIN, Life, initiate, listing, offer
from support.life import terms as plain
from support.selling import (
    BANK,
    BUYER,
    OTHER,
    SELLER,
    about_payment,
    begin,
    codes_of,
    euro,
    hand_over,
    order_of,
    ordered,
    pay,
    payment_of,
    sold_by_card,
    tell,
    told,
    with_credit,
)
from support.stages import at, ledger_of

from node import limits
from node.ledger.overlay import Ledger
from node.txtypes.sale.deal import Tax
from node.txtypes.vehicle.claims import (
    CLAIMS_MAX,
    ORDER_CLAIMS,
    Cause,
    Claim,
    add_claim,
    claims_of,
    is_debtor,
    reduce_claims,
)
from node.txtypes.vehicle.vehicle import VEHICLE

ALL, CREDIT = PRICE.amount, 4_000_000


def claims(life: Life) -> list[tuple[str, str, int, str]]:
    """(debtor, creditor, minor units, cause) of the car's claims."""
    names = {address(name): name for name in (BUYER, SELLER, BANK, OTHER)}
    found = life.chain.state(ORDER_CLAIMS, life.order)
    return [
        (names[claim.debtor], names[claim.creditor], claim.amount.amount, claim.cause)
        for claim in (found.entries if found else ())
    ]


def financed() -> Life:
    """A car that was handed over against a promise of its lender."""
    life = ordered(with_credit(CREDIT))
    pay(life, 0)
    life.payment = begin(life, 1)
    hand_over(life, BUYER, BANK, promises=True)
    return life


def test_a_charge_back_after_the_handover_leaves_a_claim_and_the_title_where_it_is() -> None:
    life = sold_by_card()
    order = order_of(life)
    tell(life, "charged_back", 70)
    assert [(BUYER, SELLER, 70, "charged_back")] == claims(life)
    assert address(BUYER) == life.chain.state(VEHICLE, VIN).holder
    assert ("completed", replace(order, net=ALL - 70)) == (order_of(life).status, order_of(life))
    tell(life, "charged_back", 30)
    assert [(BUYER, SELLER, 100, "charged_back")] == claims(life), "one claim of one payment and cause"


def test_a_debtor_neither_sells_nor_buys_the_very_car_until_it_has_paid() -> None:
    life = sold_by_card()
    assert [] == codes_of(life, BUYER, listing(life.chain))
    tell(life, "charged_back", 70)
    assert ["claims_open"] == codes_of(life, BUYER, listing(life.chain))
    life.payment = life.chain.do(BUYER, initiate(life.order, euro(70), leg=255, scheme="visa"))
    for kind in ("authorised", "captured", "settled"):
        tell(life, kind)
    assert ([], []) == (claims(life), codes_of(life, BUYER, listing(life.chain)))


def test_a_charge_back_that_the_seller_wins_back_ends_its_own_claim() -> None:
    life = sold_by_card()
    tell(life, "charged_back", 70)
    tell(life, "represented", 50)
    assert [(BUYER, SELLER, 20, "charged_back")] == claims(life)
    tell(life, "represented", 20)
    assert ([], ALL) == (claims(life), order_of(life).net)


def test_money_beyond_the_price_that_goes_back_leaves_no_claim() -> None:
    life = at("paying")
    tell(life, "settled", ALL + 100)
    hand_over(life)
    tell(life, "returned", 60)
    assert [] == claims(life)
    tell(life, "returned", 60)
    assert [(BUYER, SELLER, 20, "returned")] == claims(life)


def test_what_the_seller_itself_gives_back_leaves_no_claim() -> None:
    life = at("handed_over")
    assert ["refund_not_instructed"] == told(life, "refunded", 100)
    life.chain.do(SELLER, about_payment(life, "payment.refund", 100))
    tell(life, "refunded", 100)
    assert ([], ALL - 100) == (claims(life), payment_of(life).settled - payment_of(life).refunded)


def test_money_that_went_back_before_the_handover_leaves_none() -> None:
    life = at("paid")
    tell(life, "returned", 10)
    assert [] == claims(life)


# --- promises -----------------------------------------------------------------------------------------------
def test_a_promise_is_a_claim_against_the_lender_that_bars_it_until_it_has_paid() -> None:
    life = financed()
    handed_over = life.chain.now - 1000
    assert [(BANK, SELLER, CREDIT, "promise")] == claims(life)
    (claim,) = life.chain.state(ORDER_CLAIMS, life.order).entries
    assert handed_over + 5 * DAY_MS == claim.due_ms
    life.listing = life.chain.do(BUYER, listing(life.chain, contracts=("private", "business")))
    bid = plain(contract="private", tax=Tax("private", 0, 0))
    assert "claims_open" in codes_of(life, BANK, offer(life.chain, life.listing, terms=bid))
    tell(life, "settled", CREDIT)
    assert "claims_open" not in codes_of(life, BANK, offer(life.chain, life.listing, terms=bid))


def test_a_promise_that_is_kept_is_no_claim_any_more() -> None:
    life = financed()
    tell(life, "settled", CREDIT - 1)
    assert [(BANK, SELLER, 1, "promise")] == claims(life)
    tell(life, "settled", 1)
    assert ([], ALL) == (claims(life), order_of(life).net)


def test_what_has_come_before_is_not_promised_again() -> None:
    life = ordered(with_credit(CREDIT))
    pay(life, 0)
    life.payment = begin(life, 1)
    tell(life, "settled", 1_000_000)
    hand_over(life, BUYER, BANK, promises=True)
    assert [(BANK, SELLER, CREDIT - 1_000_000, "promise")] == claims(life)


def test_a_credit_that_is_taken_back_after_the_handover_is_the_buyers_debt() -> None:
    life = ordered(with_credit(CREDIT))
    pay(life)
    hand_over(life)
    tell(life, "returned", CREDIT)
    assert [(BUYER, SELLER, CREDIT, "returned")] == claims(life)


# --- the list ------------------------------------------------------------------------------------------------
ORDER_1, ORDER_2 = bytes(32), b"\x01" * 32


def claim(number: int, amount: int = 10, debtor: str = BUYER) -> Claim:
    return Claim(VIN, bytes([number]) * 32, address(debtor), address(SELLER), euro(amount), "returned", 0)


def debtors(ledger: Ledger) -> dict[str, bool]:
    return {name: is_debtor(ledger, address(name), VIN) for name in (BUYER, OTHER)}


def test_no_claim_displaces_another_one_and_an_order_has_room_for_all_that_it_can_leave() -> None:
    ledger = ledger_of(at("born").chain)
    parties = (claim(0, debtor=BUYER), claim(0, debtor=OTHER))
    sides: tuple[Cause, ...] = ("promise", "trade_in", "decided")
    every = [claim(number) for number in range(1, limits.PAYMENTS_PER_ORDER_MAX + 1)]
    every += [replace(side, payment=b"", cause=cause) for cause in sides for side in parties]
    for order in (ORDER_1, ORDER_2):
        for entry in every:
            add_claim(ledger, order, entry)
        assert tuple(every) == claims_of(ledger, order)
    assert len(every) <= CLAIMS_MAX
    assert {BUYER: True, OTHER: True} == debtors(ledger)


def test_an_amount_ends_the_oldest_claims_of_one_order_and_debtor_first() -> None:
    entries = (claim(1), claim(2, 10, OTHER), claim(3))
    for amount, payment, left, bars in (
        (5, b"", [5, 10, 10], {BUYER: True, OTHER: True}),
        (15, b"", [10, 5], {BUYER: True, OTHER: True}),
        (99, b"", [10], {BUYER: False, OTHER: True}),
        (99, b"\x03" * 32, [10, 10], {BUYER: True, OTHER: True}),
    ):
        ledger = ledger_of(at("born").chain)
        for entry in entries:
            add_claim(ledger, ORDER_1, entry)
        reduce_claims(ledger, ORDER_1, amount, debtor=address(BUYER), payment=payment)
        assert left == [entry.amount.amount for entry in claims_of(ledger, ORDER_1)]
        assert bars == debtors(ledger)


def test_a_debtor_of_two_orders_is_barred_until_both_are_satisfied() -> None:
    ledger = ledger_of(at("born").chain)
    for order in (ORDER_1, ORDER_2):
        add_claim(ledger, order, claim(1))
        add_claim(ledger, order, claim(1))
    for order, is_barred in ((ORDER_1, True), (ORDER_2, False)):
        reduce_claims(ledger, order, 20, debtor=address(BUYER))
        assert is_barred == is_debtor(ledger, address(BUYER), VIN)
