"""Claims that a sale leaves behind: money that goes back after the handover, a promise not kept. Title stays."""

from __future__ import annotations

from msgspec.structs import replace
from support.chain import DAY_MS, address
from support.life import PRICE, VIN, Life, listing, offer
from support.life import terms as plain
from support.selling import (
    AGENT,
    BANK,
    BUYER,
    SECOND,
    SELLER,
    about_payment,
    begin,
    by_card,
    claims,
    codes_of,
    euro,
    hand_over,
    leg,
    order_of,
    ordered,
    pay,
    payment_of,
    second_car,
    sold_by_card,
    tell,
    told,
    trading,
    with_credit,
)
from support.stages import at, ledger_of

from node.txtypes.sale.accounts import account_parties
from node.txtypes.sale.deal import Account, Finance, Tax, Terms
from node.txtypes.vehicle.claims import (
    CLAIMS_MAX,
    DEBTOR,
    ORDER_CLAIMS,
    Claim,
    Debtor,
    claims_of,
    debtor_key,
    is_debtor,
    write_claims,
)
from node.txtypes.vehicle.vehicle import VEHICLE

ALL, CREDIT = PRICE.amount, 4_000_000


def everybody(life: Life) -> Terms:
    """Terms with all whom an order can have an account of."""
    agreed = trading(life, taker=address(AGENT))
    rest = ALL - 1_000_000 - CREDIT
    parts = (agreed.legs[0], leg(rest), leg(CREDIT, "finance", BANK))
    return replace(agreed, legs=parts, finance=Finance(address(BANK), "buyer", takes_lien=False))


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
    assert [(BUYER, SELLER, 70, "price")] == claims(life)
    assert address(BUYER) == life.chain.state(VEHICLE, VIN).holder
    account = Account(address(BUYER), since_ms=life.chain.now - 1000)
    assert replace(order, net=ALL - 70, accounts=(account,)) == order_of(life)
    tell(life, "charged_back", 30)
    assert [(BUYER, SELLER, 100, "price")] == claims(life), "one claim of one debtor"


def test_a_debtor_neither_sells_nor_buys_the_very_car_until_it_has_paid() -> None:
    life = sold_by_card()
    assert [] == codes_of(life, BUYER, listing(life.chain))
    tell(life, "charged_back", 70)
    assert ["claims_open"] == codes_of(life, BUYER, listing(life.chain))
    by_card(life, 255, 70)
    assert ([], []) == (claims(life), codes_of(life, BUYER, listing(life.chain)))


def test_a_charge_back_that_the_seller_wins_back_ends_its_own_claim() -> None:
    life = sold_by_card()
    tell(life, "charged_back", 70)
    tell(life, "represented", 50)
    assert [(BUYER, SELLER, 20, "price")] == claims(life)
    tell(life, "represented", 20)
    assert ([], ALL) == (claims(life), order_of(life).net)


def test_money_beyond_the_price_that_goes_back_leaves_no_claim() -> None:
    life = at("paying")
    tell(life, "settled", ALL + 100)
    hand_over(life)
    tell(life, "returned", 60)
    assert [] == claims(life)
    tell(life, "returned", 60)
    assert [(BUYER, SELLER, 20, "price")] == claims(life)


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
    assert [(BANK, SELLER, CREDIT, "credit")] == claims(life)
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
    assert [(BANK, SELLER, 1, "credit")] == claims(life)
    tell(life, "settled", 1)
    assert ([], ALL) == (claims(life), order_of(life).net)


def test_what_has_come_before_is_not_promised_again() -> None:
    life = ordered(with_credit(CREDIT))
    pay(life, 0)
    life.payment = begin(life, 1)
    tell(life, "settled", 1_000_000)
    hand_over(life, BUYER, BANK, promises=True)
    assert [(BANK, SELLER, CREDIT - 1_000_000, "credit")] == claims(life)


def test_a_credit_that_is_taken_back_after_the_handover_is_owed_by_its_lender() -> None:
    life = ordered(with_credit(CREDIT))
    pay(life)
    hand_over(life)
    tell(life, "returned", CREDIT)
    assert [(BANK, SELLER, CREDIT, "credit")] == claims(life)
    assert not is_debtor(ledger_of(life.chain), address(BUYER), VIN), "the buyer deals in its car"


# --- the list ------------------------------------------------------------------------------------------------
ORDER_1, ORDER_2 = bytes(32), b"\x01" * 32


def claim(amount: int = 10, debtor: str = BUYER, vin: str = VIN) -> Claim:
    return Claim(vin, address(debtor), address(SELLER), euro(amount), "price", 0)


def test_an_order_has_room_for_a_claim_on_each_of_its_parties() -> None:
    order = order_of(ordered(None, "offered", before=second_car, terms_of=everybody))
    assert 3 == len(account_parties(order)) == CLAIMS_MAX
    ledger = ledger_of(at("born").chain)
    entries = tuple(claim(debtor=name) for name in (BUYER, BANK, AGENT))
    write_claims(ledger, ORDER_1, entries)
    assert entries == claims_of(ledger, ORDER_1)
    assert all(is_debtor(ledger, address(name), VIN) for name in (BUYER, BANK, AGENT))
    write_claims(ledger, ORDER_1, entries[1:])
    assert [False, True, True] == [is_debtor(ledger, address(name), VIN) for name in (BUYER, BANK, AGENT)]


def test_a_claim_whose_amount_changes_is_one_claim() -> None:
    ledger = ledger_of(at("born").chain)
    for amount in (10, 20, 5):
        write_claims(ledger, ORDER_1, (claim(amount),))
        assert Debtor(1) == ledger.get(DEBTOR, debtor_key(VIN, address(BUYER)))
    write_claims(ledger, ORDER_1, ())
    assert (None, None) == (ledger.get(ORDER_CLAIMS, ORDER_1), ledger.get(DEBTOR, debtor_key(VIN, address(BUYER))))


def test_a_claim_bars_from_the_car_that_it_is_about_now() -> None:
    ledger = ledger_of(at("born").chain)
    write_claims(ledger, ORDER_1, (claim(),))
    write_claims(ledger, ORDER_1, (claim(vin=SECOND),))
    assert [False, True] == [is_debtor(ledger, address(BUYER), vin) for vin in (VIN, SECOND)]


def test_a_debtor_of_two_orders_is_barred_until_both_are_satisfied() -> None:
    ledger = ledger_of(at("born").chain)
    for order in (ORDER_1, ORDER_2):
        write_claims(ledger, order, (claim(),))
    for order, is_barred in ((ORDER_1, True), (ORDER_2, False)):
        write_claims(ledger, order, ())
        assert is_barred == is_debtor(ledger, address(BUYER), VIN)
