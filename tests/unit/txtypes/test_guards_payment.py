"""Guards of payments: every rail's every step, amounts, currencies, references; and when money is final."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.chain import address
from support.life import PRICE, Life, attest, changed, offer
from support.stages import Case, at, change, force, ledger_of, table

from node import limits
from node.errors import Malformed
from node.ledger.fields import Money
from node.rules.rails import FINAL_FOR_TITLE, FORBIDDEN_RAILS, RAILS, STATUSES, TRANSITIONS
from node.txtypes.members.member import MEMBER
from node.txtypes.payment.payment import NEEDS_REFERENCE, PaymentAttest, PaymentInitiate
from node.txtypes.sale.listing import LISTING
from node.txtypes.sale.order import (
    ORDER,
    PAYMENT,
    REFERENCE,
    ReferenceUse,
    Step,
    has_money,
    reference_id,
    settled_amount,
)
from node.txtypes.sale.order_types import OrderAccept

PROVIDER, BUYER = "payment-provider-1", "buyer-1"
REF, OTHER_REF = b"\x01" * 32, b"\x02" * 32
ATTESTED = tuple(status for status in STATUSES if status != "initiated")


def initiate(life: Life, amount: int = PRICE.amount, currency: str = "EUR", rail: str = "bank_transfer", **changes):
    return PaymentInitiate(**dict(order=life.order, rail=rail, amount=Money(amount, currency)) | changes)


def codes_of(life: Life, sender: str, body) -> list[str]:
    return life.chain.unmet(life.chain.sign(sender, body))


def tell(life: Life, status: str, reference: bytes = REF, sender: str = PROVIDER, amount: Money = PRICE) -> list[str]:
    return codes_of(life, sender, PaymentAttest(life.payment, status, amount, reference))


# --- payment.initiate ---------------------------------------------------------------------------------
@table(
    Case("all of it", "accepted", BUYER, initiate),
    Case("a deposit", "accepted", BUYER, lambda life: initiate(life, 1)),
    Case("more than the price", "accepted", BUYER, lambda life: initiate(life, PRICE.amount + 1),
         ("payment_exceeds_price",)),
    Case("once more", "paying", BUYER, lambda life: initiate(life, 1), ("payment_exceeds_price",)),
    Case("by the seller", "accepted", "dealer-munich", initiate, ("not_a_party",)),
    Case("by a third", "accepted", "bmw", initiate, ("not_a_party",)),
    Case("on another rail", "accepted", BUYER, lambda life: initiate(life, rail="card"), ("rail_not_accepted",)),
    Case("in another currency", "accepted", BUYER, lambda life: initiate(life, currency="USD"),
         ("payment_currency",)),
    Case("of none", "accepted", BUYER, lambda life: initiate(life, order=bytes(32)), ("order_unknown",)),
    Case("before acceptance", "offered", BUYER, initiate, ("order_status",)),
)  # fmt: skip
def test_initiate(case: Case) -> None:
    assert case.codes == case.run()


@pytest.mark.parametrize(
    ("status", "codes"),
    [(status, [] if status in ("failed", "returned", "charged_back", "refunded") else ["payment_exceeds_price"])
     for status in STATUSES],
)  # fmt: skip
def test_money_that_went_back_frees_its_amount(status: str, codes: list[str]) -> None:
    life = at("paying")
    change(life.chain, PAYMENT, life.payment, status=status)
    assert codes == codes_of(life, BUYER, initiate(life))


def test_parts_add_up_to_the_price_and_no_further() -> None:
    life = at("accepted")
    life.chain.do(BUYER, initiate(life, PRICE.amount - 10))
    assert [] == codes_of(life, BUYER, initiate(life, 10))
    assert ["payment_exceeds_price"] == codes_of(life, BUYER, initiate(life, 11))


def test_an_order_has_eight_payments() -> None:
    life = at("accepted")
    for _ in range(limits.PAYMENTS_PER_ORDER_MAX - 1):
        life.chain.do(BUYER, initiate(life, 1))
    assert [] == codes_of(life, BUYER, initiate(life, 1))
    life.chain.do(BUYER, initiate(life, 1))
    assert ["payments_full"] == codes_of(life, BUYER, initiate(life, 1))


@pytest.mark.parametrize("country", ["DE", "CN", "RU"])
@pytest.mark.parametrize("rail", RAILS)
def test_a_forbidden_rail_never_starts(country: str, rail: str) -> None:
    life = at("accepted")
    change(life.chain, ORDER, life.order, rail=rail)
    change(life.chain, LISTING, life.listing, country=country)
    expected = ["rail_forbidden"] if rail in FORBIDDEN_RAILS.get(country, ()) else []
    assert expected == codes_of(life, BUYER, initiate(life, rail=rail))


def test_an_initiated_payment_names_the_provider_that_the_seller_fixed() -> None:
    life = at("paying")
    payment = life.chain.state(PAYMENT, life.payment)
    assert (life.order, address(BUYER), "bank_transfer", address(PROVIDER), PRICE, "initiated", b"", 0, 0) == (
        payment.order, payment.payer, payment.rail, payment.provider, payment.amount, payment.status,
        payment.reference, payment.settled, payment.refunded,
    )  # fmt: skip
    assert (life.payment,) == life.chain.state(ORDER, life.order).payments
    assert (Step("initiated", life.chain.now - 1000),) == payment.steps


def test_nothing_is_no_payment() -> None:
    PaymentInitiate(bytes(32), "card", Money(1, "EUR")).check_static()
    with pytest.raises(Malformed, match="an amount above zero"):
        PaymentInitiate(bytes(32), "card", Money(0, "EUR")).check_static()


# --- payment.attest: steps ------------------------------------------------------------------------------
@pytest.mark.parametrize("rail", RAILS)
def test_every_step_of_every_rail(rail: str) -> None:
    life = at("paying")
    for status in STATUSES:
        change(life.chain, PAYMENT, life.payment, rail=rail, status=status)
        for following in ATTESTED:
            expected = [] if following in TRANSITIONS[rail][status] else ["payment_transition"]
            assert expected == tell(life, following), (rail, status, following)


def test_the_rails_steps_lead_somewhere() -> None:
    assert set(RAILS) == set(TRANSITIONS) == set(FINAL_FOR_TITLE)
    for rail in RAILS:
        reached = {"initiated"}
        while (more := reached | {s for status in reached for s in TRANSITIONS[rail][status]}) != reached:
            reached = more
        assert FINAL_FOR_TITLE[rail] <= reached
        assert "failed" in reached
        assert not TRANSITIONS[rail]["failed"]
        assert not TRANSITIONS[rail]["refunded"]


# --- payment.attest: who, how much, with which reference -------------------------------------------------
@table(
    Case("the provider", "paying", PROVIDER, lambda life: attest(life.payment)),
    Case("another provider", "paying", "bank-1", lambda life: attest(life.payment), ("not_the_provider",)),
    Case("the buyer", "paying", BUYER, lambda life: attest(life.payment), ("not_the_provider",)),
    Case("of none", "paying", PROVIDER, lambda life: attest(bytes(32)), ("payment_unknown",)),
    Case("more", "paying", PROVIDER, lambda life: attest(life.payment, amount=Money(PRICE.amount + 1, "EUR")),
         ("payment_amount",)),
    Case("less", "paying", PROVIDER, lambda life: attest(life.payment, amount=Money(PRICE.amount - 1, "EUR")),
         ("payment_amount",)),
    Case("another currency", "paying", PROVIDER, lambda life: attest(life.payment, amount=Money(PRICE.amount, "USD")),
         ("payment_currency",)),
    Case("again", "paid", PROVIDER, lambda life: attest(life.payment), ("payment_transition",)),
    Case("another reference", "paid", PROVIDER, lambda life: attest(life.payment, "returned", b"other"),
         ("reference_differs",)),
    Case("the same reference", "paid", PROVIDER, lambda life: attest(life.payment, "returned")),
    Case("no reference any more", "paid", PROVIDER, lambda life: attest(life.payment, "returned", b"")),
    Case("of a completed order", "handed_over", PROVIDER, lambda life: attest(life.payment, "returned")),
)  # fmt: skip
def test_attest(case: Case) -> None:
    assert case.codes == case.run()


def test_a_provider_that_has_lost_its_role_attests_nothing() -> None:
    life = at("paying")
    change(life.chain, MEMBER, address(PROVIDER), changes=changed("suspended", "other"))
    assert ["role_missing"] == tell(life, "settled")


@pytest.mark.parametrize("status", ATTESTED)
def test_money_that_moves_has_a_reference(status: str) -> None:
    life = at("paying")
    before = next(s for s in STATUSES if status in TRANSITIONS["card"][s] | TRANSITIONS["bank_transfer"][s])
    rail = "card" if status in TRANSITIONS["card"][before] else "bank_transfer"
    change(life.chain, PAYMENT, life.payment, rail=rail, status=before)
    assert (status in ("captured", "pending", "settled")) == (status in NEEDS_REFERENCE)
    assert (["reference_missing"] if status in NEEDS_REFERENCE else []) == tell(life, status, b"")
    assert [] == tell(life, status, REF)


def test_a_reference_is_consumed_once_on_the_whole_chain() -> None:
    life = at("accepted")
    first, second = (life.chain.do(BUYER, initiate(life, 10)) for _ in range(2))
    ten = Money(10, "EUR")
    bodies = [PaymentAttest(payment, "settled", ten, REF) for payment in (first, second)]
    run = life.chain.run()
    run.add(life.chain.check(life.chain.sign(PROVIDER, bodies[0])))
    assert ["reference_used"] == [
        guard.code for guard in run.judge(life.chain.check(life.chain.sign(PROVIDER, bodies[1]))).unmet_guards
    ]
    life.chain.do(PROVIDER, bodies[0])
    assert ReferenceUse(first) == life.chain.state(REFERENCE, REF)
    assert ["reference_used"] == codes_of(life, PROVIDER, bodies[1])
    assert [] == codes_of(life, PROVIDER, replace(bodies[1], reference=OTHER_REF))
    life.chain.do(PROVIDER, PaymentAttest(second, "failed", ten, b""))
    assert life.chain.state(PAYMENT, second).reference == b""
    assert life.chain.state(REFERENCE, b"") is None, "none was given, none is consumed"


@pytest.mark.parametrize("length", [1, 16, 31])
def test_a_reference_has_32_bytes_or_none(length: int) -> None:
    with pytest.raises(Malformed, match="reference"):
        PaymentAttest(bytes(32), "settled", PRICE, bytes(length)).check_static()
    for whole in (0, 32):
        PaymentAttest(bytes(32), "settled", PRICE, bytes(whole)).check_static()


def test_reference_ids_are_apart_by_rail_provider_and_reference() -> None:
    variants = {
        reference_id(rail, provider, reference)
        for rail in ("card", "bitcoin")
        for provider in (bytes(20), b"\x01" * 20)
        for reference in (b"a", b"b")
    }
    assert 8 == len(variants)


# --- effects ------------------------------------------------------------------------------------------
def test_a_payment_keeps_its_steps_amounts_and_reference() -> None:
    life = at("paying")
    seen = []
    for status, reference in (("pending", REF), ("settled", b""), ("refunded", REF)):
        life.chain.do(PROVIDER, PaymentAttest(life.payment, status, PRICE, reference))
        payment = life.chain.state(PAYMENT, life.payment)
        seen.append((payment.status, payment.settled, payment.refunded, payment.reference))
    all_of_it = PRICE.amount
    assert [("pending", 0, 0, REF), ("settled", all_of_it, 0, REF), ("refunded", all_of_it, all_of_it, REF)] == seen
    assert ["initiated", "pending", "settled", "refunded"] == [step.status for step in payment.steps]
    assert sorted(step.at_ms for step in payment.steps) == [step.at_ms for step in payment.steps]


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("rail", RAILS)
def test_only_settled_money_counts_towards_the_price(rail: str, status: str) -> None:
    life = at("paying")
    change(life.chain, PAYMENT, life.payment, rail=rail, status=status)
    ledger, payments = ledger_of(life.chain), life.chain.state(ORDER, life.order).payments
    assert (PRICE.amount if status == "settled" else 0) == settled_amount(ledger, payments, ledger.rules)
    assert (status in ("authorised", "captured", "pending", "settled")) == has_money(ledger, payments)


def test_a_charge_back_never_moves_title_back() -> None:
    life = at("handed_over")
    change(life.chain, PAYMENT, life.payment, rail="card")
    order = life.chain.state(ORDER, life.order)
    life.chain.do(PROVIDER, PaymentAttest(life.payment, "charged_back", PRICE, b""))
    assert order == life.chain.state(ORDER, life.order)
    assert "completed" == order.status


def test_by_card_through_the_bank() -> None:
    life = at("listed")
    life.order = life.chain.do(BUYER, offer(life.chain, life.listing, rail="card", provider=address("bank-1")))
    life.chain.do("dealer-munich", OrderAccept(life.order))
    life.payment = life.chain.do(BUYER, initiate(life, rail="card"))
    assert ["not_the_provider"] == tell(life, "authorised")
    for status in ("authorised", "captured", "settled"):
        assert [] == tell(life, status, sender="bank-1")
        life.chain.do("bank-1", PaymentAttest(life.payment, status, PRICE, REF))
    force(life.chain, REFERENCE, OTHER_REF, ReferenceUse(life.payment))
    assert ["reference_differs"] == tell(life, "refunded", OTHER_REF, sender="bank-1")
