"""Guards of the payer's side: a payment begins, is declared, gets another provider; and money goes back."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.chain import DAY_MS, address
from support.life import PRICE, Life, attest, changed, initiate
from support.selling import (
    AGENT,
    BANK,
    BUYER,
    OTHER,
    PROVIDER,
    SELLER,
    about_payment,
    begin,
    cancel,
    claims,
    codes_of,
    euro,
    hand_over,
    leg,
    order_of,
    ordered,
    payment_of,
    second_car,
    tell,
    terms,
    through_agent,
    told,
    trading,
    with_credit,
)
from support.specimens import specimen
from support.stages import Case, at, change, table

from node import limits
from node.errors import Malformed
from node.ledger.fields import Money
from node.txtypes.identity.account import ACCOUNT
from node.txtypes.members.member import MEMBER
from node.txtypes.payment.initiating import OPEN_MAX
from node.txtypes.sale.listing import LISTING
from node.txtypes.sale.order_family import ORDER
from node.txtypes.sale.payments import creditor_reference
from node.txtypes.vehicle.claims import ORDER_CLAIMS

ALL = PRICE.amount


def beginning(amount: int = ALL, currency: str = "EUR", **changes):
    return lambda life: initiate(life.order, Money(amount, currency), **changes)


def suspended(life: Life) -> None:
    change(life.chain, MEMBER, address(PROVIDER), changes=changed("suspended", "other"))


def indebted(life: Life) -> None:
    """The buyer owes money for the car that it has."""
    tell(life, "returned", 100)


# --- payment.initiate -------------------------------------------------------------------------------------
@table(
    Case("all of it", "accepted", BUYER, beginning()),
    Case("a part", "accepted", BUYER, beginning(1)),
    Case("more than the part", "accepted", BUYER, beginning(ALL + 1), ("payment_exceeds_price",)),
    Case("once more", "paying", BUYER, beginning(1), ("payment_exceeds_price",)),
    Case("by the seller", "accepted", SELLER, beginning(), ("not_a_party",)),
    Case("by a third", "accepted", OTHER, beginning(), ("not_a_party",)),
    Case("of no part", "accepted", BUYER, beginning(leg=1), ("leg_unknown",)),
    Case("in another currency", "accepted", BUYER, beginning(currency="USD"), ("payment_currency",)),
    Case("by a scheme of another rail", "accepted", BUYER, beginning(scheme="visa"), ("scheme_unfit",)),
    Case("by a scheme that is none", "accepted", BUYER, beginning(scheme="pigeon"), ("code_unknown", "scheme_unfit")),
    Case("by a provider outside the scheme's countries", "accepted", BUYER, beginning(), ("scheme_unfit",),
         before=lambda life: change(life.chain, MEMBER, address(PROVIDER), country="US")),
    Case("by that provider's own scheme", "accepted", BUYER, beginning(scheme="swift"),
         before=lambda life: change(life.chain, MEMBER, address(PROVIDER), country="US")),
    Case("by a provider without its role", "accepted", BUYER, beginning(), ("provider_unaccredited",),
         before=suspended),
    Case("of none", "accepted", BUYER, lambda life: initiate(bytes(32)), ("order_unknown",)),
    Case("before acceptance", "offered", BUYER, beginning(), ("order_status",)),
    Case("after the reservation", "accepted", BUYER, beginning(), ("order_expired", "order_not_reserving"),
         before=lambda life: setattr(life.chain, "now", order_of(life).until_ms)),
    Case("of the price once completed", "handed_over", BUYER, beginning(1),
         ("order_status", "payment_exceeds_price")),
    Case("of a claim before", "accepted", BUYER, beginning(1, leg=255), ("payment_exceeds_price",)),
    Case("of a claim", "handed_over", BUYER, beginning(100, leg=255), before=indebted),
    Case("of more than the claim", "handed_over", BUYER, beginning(101, leg=255), ("payment_exceeds_price",),
         before=indebted),
    Case("of a claim that there is not", "handed_over", BUYER, beginning(1, leg=255), ("payment_exceeds_price",)),
)  # fmt: skip
def test_initiate(case: Case) -> None:
    assert case.codes == case.run()


def test_a_car_in_payment_is_no_part_in_money() -> None:
    life = ordered(None, before=second_car, terms_of=trading)
    assert ["leg_unknown"] == codes_of(life, BUYER, initiate(life.order, euro(1), leg=0))
    assert [] == codes_of(life, BUYER, initiate(life.order, euro(1), leg=1))


def test_payments_add_up_to_their_part_and_no_further() -> None:
    life = ordered(terms(leg(100), leg(ALL - 100, due_days=8)))
    begin(life, 0, 90)
    assert [] == codes_of(life, BUYER, initiate(life.order, euro(10), leg=0))
    assert ["payment_exceeds_price"] == codes_of(life, BUYER, initiate(life.order, euro(11), leg=0))
    assert [] == codes_of(life, BUYER, initiate(life.order, euro(ALL - 100), leg=1))


@pytest.mark.parametrize(
    ("steps", "free"),
    [
        ((), 0),
        ((("pending", ALL),), 0),
        ((("failed", ALL),), ALL),
        ((("settled", ALL),), 0),
        ((("settled", ALL), ("returned", 70)), 70),
        ((("settled", 60), ("failed", 1)), ALL - 60),
        ((("settled", ALL), ("returned", ALL)), ALL),
    ],
)
def test_money_that_failed_or_went_back_frees_its_part(steps: tuple[tuple[str, int], ...], free: int) -> None:
    life = at("paying")
    for kind, amount in steps:
        tell(life, kind, amount)
    if free:
        assert [] == codes_of(life, BUYER, initiate(life.order, euro(free)))
    assert ["payment_exceeds_price"] == codes_of(life, BUYER, initiate(life.order, euro(free + 1)))


def test_an_order_has_eight_open_payments_and_sixteen_in_all() -> None:
    life = at("accepted")
    assert (8, 16) == (OPEN_MAX, limits.PAYMENTS_PER_ORDER_MAX)
    open_ones = [begin(life, 0, 1) for _ in range(OPEN_MAX)]
    assert ["payments_full"] == codes_of(life, BUYER, initiate(life.order, euro(1)))
    for payment in open_ones:
        tell(life, "failed", 1, payment)
    for _ in range(limits.PAYMENTS_PER_ORDER_MAX - OPEN_MAX):
        assert [] == codes_of(life, BUYER, initiate(life.order, euro(1)))
        tell(life, "failed", 1, begin(life, 0, 1))
    assert ["payments_full"] == codes_of(life, BUYER, initiate(life.order, euro(1)))


def test_an_initiated_payment_names_what_was_agreed_on() -> None:
    rails = tuple(replace(each, hold_ms=DAY_MS) for each in at("listed").chain.state(
        LISTING, at("listed").listing).rails)  # fmt: skip
    life = ordered(rails=rails)
    life.payment = begin(life)
    payment = payment_of(life)
    assert (life.order, 0, address(BUYER), "bank_transfer", "sct", address(PROVIDER), PRICE, DAY_MS) == (
        payment.order, payment.leg, payment.payer, payment.rail, payment.scheme, payment.provider, payment.amount,
        payment.hold_ms,
    )  # fmt: skip
    assert (0, (), False, 0) == (payment.sequence, payment.steps, payment.is_closed, payment.settled)
    assert (life.payment,) == order_of(life).payments


@pytest.mark.parametrize("tag", ["payment.initiate", "payment.attest", "payment.refund", "payment.confirm_refund"])
def test_nothing_is_no_payment(tag: str) -> None:
    specimen(tag).check_static()
    with pytest.raises(Malformed, match="an amount above zero"):
        specimen(tag, amount=euro(0)).check_static()


def test_the_creditor_reference_of_a_payment_is_one_by_iso_11649() -> None:
    for ident in (bytes(32), b"\xff" * 32, at("paying").payment):
        text = creditor_reference(ident)
        assert 25 == len(text) and text.startswith("RF")
        digits = "".join(str(int(char, 36)) for char in text[4:] + text[:4])
        assert 1 == int(digits) % 97
    assert creditor_reference(b"\x01" + bytes(31)) != creditor_reference(bytes(32))


# --- payment.declare ----------------------------------------------------------------------------------------
def declare(life: Life, **changes):
    return specimen("payment.declare", life.chain, {"payment": life.payment}, **changes)


@table(
    Case("by the payer", "paying", BUYER, declare),
    Case("by the seller", "paying", SELLER, declare, ("not_a_party",)),
    Case("of none", "paying", BUYER, lambda life: declare(life, payment=bytes(32)), ("payment_unknown",)),
    Case("twice", "paying", BUYER, declare, ("declared_already",),
         before=lambda life: life.chain.do(BUYER, declare(life))),
    Case("after the provider has spoken", "paid", BUYER, declare, ("declared_already",)),
    Case("of one that has failed", "paying", BUYER, declare, ("declared_already",),
         before=lambda life: tell(life, "failed")),
)  # fmt: skip
def test_declare(case: Case) -> None:
    assert case.codes == case.run()


# --- payment.refund, confirm_refund ---------------------------------------------------------------------------
def refunding(units: int, **changes):
    return lambda life: about_payment(life, "payment.refund", units, **changes)


def confirming(units: int, **changes):
    return lambda life: about_payment(life, "payment.confirm_refund", units, **changes)


@table(
    Case("all of it", "paid", SELLER, refunding(ALL)),
    Case("more", "paid", SELLER, refunding(ALL + 1), ("refund_exceeds",)),
    Case("what is instructed already", "paid", SELLER, refunding(2), ("refund_exceeds",),
         before=lambda life: life.chain.do(SELLER, about_payment(life, "payment.refund", ALL - 1))),
    Case("what has not come", "paying", SELLER, refunding(1), ("refund_exceeds",)),
    Case("by the buyer", "paid", BUYER, refunding(1), ("not_a_party",)),
    Case("in another currency", "paid", SELLER, refunding(1, amount=Money(1, "USD")), ("payment_currency",)),
    Case("of none", "paid", SELLER, refunding(1, payment=bytes(32)), ("payment_unknown",)),
    Case("after the handover", "handed_over", SELLER, refunding(1)),
)  # fmt: skip
def test_refund(case: Case) -> None:
    assert case.codes == case.run()


@table(
    Case("by the buyer", "paid", BUYER, confirming(ALL)),
    Case("more than came", "paid", BUYER, confirming(ALL + 1), ("refund_exceeds",)),
    Case("by the seller", "paid", SELLER, confirming(1), ("not_a_party",)),
    Case("by the provider", "paid", PROVIDER, confirming(1), ("not_a_party",)),
    Case("in another currency", "paid", BUYER, confirming(1, amount=Money(1, "USD")), ("payment_currency",)),
    Case("of none", "paid", BUYER, confirming(1, payment=bytes(32)), ("payment_unknown",)),
    Case("of the price after the handover", "handed_over", BUYER, confirming(1), ("refund_exceeds",)),
)  # fmt: skip
def test_confirm_refund(case: Case) -> None:
    assert case.codes == case.run()


def test_an_excess_is_confirmed_after_the_handover_and_the_price_stays() -> None:
    life = at("paying")
    tell(life, "settled", ALL + 5)
    hand_over(life)
    assert [] == codes_of(life, BUYER, about_payment(life, "payment.confirm_refund", 5))
    assert ["refund_exceeds"] == codes_of(life, BUYER, about_payment(life, "payment.confirm_refund", 6))


def test_a_provider_refunds_what_it_was_told_to_or_what_is_owed_and_no_more() -> None:
    life = at("paid")
    assert ["refund_not_instructed"] == told(life, "refunded", 1)
    life.chain.do(SELLER, about_payment(life, "payment.refund", 100))
    assert ["refund_not_instructed"] == told(life, "refunded", 101)
    tell(life, "refunded", 60)
    assert ["refund_not_instructed"] == told(life, "refunded", 41)
    tell(life, "refunded", 40)
    life.chain.do(BUYER, cancel(life))
    assert [] == told(life, "refunded", ALL - 100)
    assert ["payment_amount", "refund_not_instructed"] == told(life, "refunded", ALL - 99)


def test_a_refund_without_an_instruction_does_not_count_against_a_later_one() -> None:
    life = at("paid")
    life.chain.do(BUYER, about_payment(life, "payment.confirm_refund", 50))
    life.chain.do(SELLER, about_payment(life, "payment.refund", 10))
    assert 60 == payment_of(life).instructed
    assert [] == told(life, "refunded", 10)
    assert ["refund_not_instructed"] == told(life, "refunded", 11)


def test_an_agent_refunds_with_its_right_to_take_back() -> None:
    life = through_agent("paid")
    assert ["refund_exceeds"] == codes_of(life, AGENT, about_payment(life, "payment.refund", 1)), "nothing is owed"
    life.chain.do(BUYER, cancel(life))
    assert [] == codes_of(life, AGENT, about_payment(life, "payment.refund", 1))
    life = through_agent("paid", ("list", "negotiate", "accept"))
    life.chain.do(BUYER, cancel(life))
    assert ["mandate_missing"] == codes_of(life, AGENT, about_payment(life, "payment.refund", 1))


# --- payment.reassign -----------------------------------------------------------------------------------------
def reassigning(provider: str = BANK, **changes):
    return lambda life: specimen(
        "payment.reassign", life.chain, {"payment": life.payment}, provider=address(provider), **changes
    )


@table(
    Case("by both", "paying", BUYER, reassigning(), (), (SELLER,)),
    Case("sent by the seller", "paying", SELLER, reassigning(), (), (BUYER,)),
    Case("by the buyer alone", "paying", BUYER, reassigning(), ("signature_missing",)),
    Case("by a third", "paying", OTHER, reassigning(), ("not_a_party",), (BUYER, SELLER)),
    Case("to one without the role", "paying", BUYER, reassigning("insurer-1"), ("provider_unaccredited",), (SELLER,)),
    Case("to the seller", "paying", BUYER, reassigning(SELLER), ("provider_unaccredited", "provider_is_party"),
         (SELLER,)),
    Case("to the buyer's sponsor", "paying", BUYER, reassigning(), ("provider_sponsors_buyer",), (SELLER,),
         lambda life: change(life.chain, ACCOUNT, address(BUYER), sponsor=address(BANK))),
    Case("of none", "paying", BUYER, reassigning(payment=bytes(32)), ("payment_unknown",)),
)  # fmt: skip
def test_reassign(case: Case) -> None:
    assert case.codes == case.run()


def test_a_payment_whose_provider_is_gone_goes_on_with_another() -> None:
    life = at("paying")
    suspended(life)
    assert ["role_missing"] == codes_of(life, PROVIDER, attest(life.chain, life.payment))
    life.chain.do(BUYER, reassigning()(life), SELLER)
    assert address(BANK) == payment_of(life).provider == order_of(life).terms.legs[0].provider
    assert ["not_the_provider"] == codes_of(life, PROVIDER, attest(life.chain, life.payment))
    tell(life, "settled")
    hand_over(life)


def test_a_payment_of_a_claim_ends_it() -> None:
    life = at("handed_over")
    indebted(life)
    life.payment = begin_claim(life, 100)
    tell(life, "settled", 60)
    assert [(BUYER, SELLER, 40, "price")] == claims(life)
    tell(life, "settled", 40)
    assert life.chain.state(ORDER_CLAIMS, life.order) is None
    assert ALL - 100 == life.chain.state(ORDER, life.order).net, "a claim is not the price"


def begin_claim(life: Life, amount: int) -> bytes:
    return life.chain.do(BUYER, initiate(life.order, euro(amount), leg=255))


def test_a_credit_is_attested_by_its_bank_alone() -> None:
    life = ordered(with_credit(1_000))
    life.payment = begin(life, 1)
    assert ["not_the_provider"] == codes_of(life, PROVIDER, attest(life.chain, life.payment, amount=euro(1_000)))
    assert [] == told(life, "authorised")
    assert address(BANK) == payment_of(life).provider
