"""Attestations: what a provider may say next on each rail, how much, by which number; and when money is final."""

from __future__ import annotations

import pytest
from support.chain import DAY_MS, address
from support.life import PRICE, Life, attest, changed
from support.selling import (
    BANK,
    BUYER,
    PROVIDER,
    about_payment,
    begin,
    cancel,
    codes_of,
    handing_over,
    leg,
    order_of,
    ordered,
    payment_of,
    tell,
    telling,
    terms,
    told,
    with_credit,
)
from support.stages import Case, at, change, table
from support.views import view_of

from node.ledger.fields import Money
from node.limits import EVENT_AHEAD_MAX_MS
from node.rules.payment_codes import REASONS_OF_RAIL
from node.rules.rails import ATTESTATIONS, NEEDS_CODE, RAIL_RULES
from node.txtypes.members.accepted_rail import AcceptedRail
from node.txtypes.members.member import MEMBER, StatusChange
from node.txtypes.sale.payments import PAYMENT, STEPS_KEPT, final_of, net_of, status_of

ALL = PRICE.amount
RAILS = (AcceptedRail("card", (address(PROVIDER), address(BANK))), AcceptedRail("bank_transfer", (address(PROVIDER),)),
         AcceptedRail("instant_transfer", (address(PROVIDER),)), AcceptedRail("finance", (address(BANK),)))  # fmt: skip


def paying(rail: str, hold_ms: int = 0, amount: int = ALL) -> Life:
    """A payment of the price on a rail; a credit pays all but a cent."""
    rails = tuple(AcceptedRail(each.rail, each.providers, hold_ms=hold_ms) for each in RAILS)
    agreed = with_credit(ALL - 1) if rail == "finance" else terms(leg(ALL, rail))
    life = ordered(agreed, rails=rails)
    number = int(rail == "finance")
    life.payment = begin(life, number, amount - number)
    return life


def through(life: Life, *steps: str | tuple[str, int]) -> Life:
    for step in steps:
        kind, amount = step if isinstance(step, tuple) else (step, None)
        if kind == "refunded":
            life.chain.do("dealer-munich", about_payment(life, "payment.refund", amount or payment_of(life).settled))
        tell(life, kind, amount)
    return life


def possible(life: Life) -> dict[str, int]:
    """What may be attested next, each with the highest amount; one more is refused."""
    found = {}
    for kind in ATTESTATIONS:
        if "payment_transition" in told(life, kind, 1):
            continue
        if kind == "authorised" and payment_of(life).rail == "finance":  # as a whole or not at all
            found[kind] = payment_of(life).amount.amount
            assert [] == told(life, kind)
            continue
        low, high = 1, 4 * ALL
        while low < high:
            middle = (low + high + 1) // 2
            if "payment_amount" in told(life, kind, middle):
                high = middle - 1
            else:
                low = middle
        found[kind] = low
    return found


C = {"charged_back": ALL, "refunded": ALL}
LIFES: dict[str, list[tuple[tuple[str | tuple[str, int], ...], dict[str, int]]]] = {
    "card": [
        ((), {"authorised": ALL, "failed": ALL}),
        (("authorised",), {"voided": ALL, "captured": ALL, "failed": ALL}),
        ((("authorised", 100),), {"voided": 100, "captured": 100, "failed": ALL}),
        (("authorised", "voided"), {}),
        (("authorised", ("voided", 40)), {"voided": ALL - 40, "captured": ALL - 40, "failed": ALL}),
        (("authorised", ("captured", 60)), {"voided": ALL - 60, "captured": ALL - 60, "settled": 60}),
        (("authorised", ("captured", 60), ("settled", 60)),
         {"voided": ALL - 60, "captured": ALL - 60, "refunded": 60, "charged_back": 60}),
        (("authorised", "captured", ("settled", 10)), {"settled": ALL - 10, "refunded": 10, "charged_back": 10}),
        (("authorised", "captured", "settled"), C),
        (("authorised", "captured", "settled", ("charged_back", 70)),
         {"charged_back": ALL - 70, "refunded": ALL - 70, "represented": 70}),
        (("authorised", "captured", "settled", "charged_back", "represented"), C),
        (("authorised", "captured", "settled", "charged_back", ("represented", 5)),
         {"charged_back": 5, "refunded": 5, "represented": ALL - 5}),
        (("authorised", "captured", "settled", "charged_back", ("represented", 5), ("represented", 5)),
         {"charged_back": 10, "refunded": 10}),
        (("authorised", "captured", "settled", "refunded"), {}),
        (("failed",), {}),
    ],
    "bank_transfer": [
        ((), {"pending": ALL, "settled": 2 * ALL, "failed": ALL}),
        ((("pending", 30),), {"pending": ALL - 30, "settled": 2 * ALL, "failed": ALL}),
        (("pending", ("settled", 30)),
         {"settled": 2 * ALL - 30, "failed": ALL, "returned": 30, "refunded": 30}),
        (("settled",), {"settled": ALL, "returned": ALL, "refunded": ALL}),
        ((("settled", 2 * ALL),), {"returned": 2 * ALL, "refunded": 2 * ALL}),
        (("settled", ("returned", 9)), {"settled": ALL, "returned": ALL - 9, "refunded": ALL - 9}),
        (("settled", "returned"), {"settled": ALL}),
        (("pending", "failed"), {"settled": 2 * ALL}),
    ],
    "instant_transfer": [
        ((), {"settled": ALL, "failed": ALL}),
        ((("settled", 8),), {"refunded": 8}),
        (("settled",), {"refunded": ALL}),
        (("failed",), {}),
    ],
    "finance": [
        ((), {"authorised": ALL - 1, "settled": ALL - 1, "failed": ALL - 1}),
        (("authorised",), {"voided": ALL - 1, "settled": ALL - 1, "failed": ALL - 1}),
        (("authorised", "voided"), {}),
        (("authorised", ("settled", 5)), {"voided": ALL - 1, "settled": ALL - 6, "returned": 5, "refunded": 5}),
        (("authorised", "settled"), {"returned": ALL - 1, "refunded": ALL - 1}),
        (("settled", "returned"), {}),
    ],
}  # fmt: skip


@pytest.mark.parametrize(("rail", "number"), [(rail, n) for rail, lives in LIFES.items() for n in range(len(lives))])
def test_every_counter_has_its_bound_on_every_rail(rail: str, number: int) -> None:
    """What is not named here is refused, whatever its amount."""
    steps, expected = LIFES[rail][number]
    assert expected == possible(through(paying(rail), *steps))


def test_no_step_is_taken_that_a_rail_does_not_have() -> None:
    for rail in LIFES:
        life = paying(rail)
        for kind in set(ATTESTATIONS) - RAIL_RULES[rail].attested:
            assert "payment_transition" in told(life, kind, 1)


def test_a_credit_is_approved_as_a_whole() -> None:
    life = paying("finance")
    assert ["payment_amount"] == told(life, "authorised", ALL - 2)
    assert [] == told(life, "authorised")


def test_a_card_is_captured_while_its_authorisation_lasts() -> None:
    life = through(paying("card"), "authorised")
    life.chain.now = payment_of(life).authorised_until_ms - 1
    assert [] == told(life, "captured")
    life.chain.now += 1
    assert ["payment_transition"] == told(life, "captured")
    assert [] == told(life, "voided")


def test_money_that_comes_late_is_attested_even_after_the_order_was_cancelled() -> None:
    life = at("paying")
    life.chain.do(BUYER, cancel(life))
    assert [] == told(life, "settled", 2 * ALL)
    tell(life, "settled", 7)
    assert 7 == order_of(life).net


# --- who, which number, which form ---------------------------------------------------------------------------
def tells(kind: str = "settled", **changes):
    return lambda life: attest(life.chain, life.payment, kind, **changes)


def authorising(**changes):
    return lambda life: attest(life.chain, life.payment, "authorised", **changes)


def on_card(life: Life) -> None:
    change(life.chain, PAYMENT, life.payment, rail="card", scheme="visa")


def until(days: float):
    return lambda life: attest(life.chain, life.payment, "authorised", until_ms=life.chain.now + int(days * DAY_MS))


@table(
    Case("the provider", "paying", PROVIDER, tells()),
    Case("another provider", "paying", BANK, tells(), ("not_the_provider",)),
    Case("the buyer", "paying", BUYER, tells(), ("not_the_provider",)),
    Case("of none", "paying", PROVIDER, lambda life: attest(life.chain, bytes(32)), ("payment_unknown",)),
    Case("of another currency", "paying", PROVIDER, tells(amount=Money(ALL, "USD")), ("payment_currency",)),
    Case("more than can come", "paying", PROVIDER, tells(amount=Money(2 * ALL + 1, "EUR")), ("payment_amount",)),
    Case("what the rail has not", "paying", PROVIDER, tells("captured"), ("payment_transition",)),
    Case("a number too low", "paid", PROVIDER, tells(sequence=0, reference=b"other"), ("attest_sequence",)),
    Case("a number too high", "paying", PROVIDER, tells(sequence=1), ("attest_sequence",)),
    Case("in five minutes", "paying", PROVIDER,
         lambda life: attest(life.chain, life.payment, executed_at_ms=life.chain.now + EVENT_AHEAD_MAX_MS)),
    Case("later", "paying", PROVIDER,
         lambda life: attest(life.chain, life.payment, executed_at_ms=life.chain.now + EVENT_AHEAD_MAX_MS + 1),
         ("attest_form",)),
    Case("failed with a reason", "paying", PROVIDER, tells("failed", code="AC04")),
    Case("failed without a reason", "paying", PROVIDER, tells("failed", code=""), ("attest_form",)),
    Case("failed with a reason of cards", "paying", PROVIDER, tells("failed", code="declined"), ("attest_form",)),
    Case("failed with a reason that is none", "paying", PROVIDER, tells("failed", code="AC99"),
         ("code_unknown", "attest_form")),
    Case("settled with a reason", "paying", PROVIDER, tells(code="AC04"), ("attest_form",)),
    Case("settled with a validity", "paying", PROVIDER, tells(until_ms=2**40), ("attest_form",)),
    Case("settled with a check", "paying", PROVIDER, tells(card_check="exempt"), ("attest_form",)),
    Case("a card", "paying", PROVIDER, authorising(), before=on_card),
    Case("a card without a check", "paying", PROVIDER, authorising(card_check=""), ("attest_form",), before=on_card),
    Case("a card without a validity", "paying", PROVIDER, authorising(until_ms=0), ("attest_form",), before=on_card),
    Case("a card for thirty days", "paying", PROVIDER, until(30), before=on_card),
    Case("a card for longer", "paying", PROVIDER, until(30.1), ("attest_form",), before=on_card),
    Case("a card until now", "paying", PROVIDER, until(0), ("attest_form",), before=on_card),
    Case("a refund that nobody asked for", "paid", PROVIDER, tells("refunded", reference=b"back"),
         ("refund_not_instructed",)),
    Case("after the handover", "handed_over", PROVIDER, tells("returned", reference=b"back")),
)  # fmt: skip
def test_attest(case: Case) -> None:
    assert case.codes == case.run()


@pytest.mark.parametrize("rail", REASONS_OF_RAIL)
def test_every_reason_of_a_rail_can_be_told_on_it(rail: str) -> None:
    life = paying(rail)
    for code in REASONS_OF_RAIL[rail]:
        assert [] == told(life, "failed", code=code)
    assert {"failed", "returned", "charged_back"} == NEEDS_CODE


def test_the_same_bytes_or_a_retry_attest_nothing_twice() -> None:
    life = at("paying")
    sender, body = telling(life, "settled", 5)
    run = life.chain.run()
    run.add(life.chain.check(life.chain.sign(sender, body)))
    again = life.chain.check(life.chain.sign(sender, body))
    assert ["attest_sequence", "reference_used"] == [guard.code for guard in run.judge(again).unmet_guards]
    life.chain.do(sender, body)
    (guard, _) = life.chain.run().judge(life.chain.check(life.chain.sign(sender, body))).unmet_guards
    assert ("attest_sequence", "1, the newest is settled 5", "0") == (guard.code, guard.have, guard.need)


# --- the provider's role --------------------------------------------------------------------------------------
@pytest.mark.parametrize("status", ["suspended", "revoked"])
def test_a_provider_whose_role_has_ended_says_for_ninety_days_that_money_went_back(status: str) -> None:
    life = at("paid")
    ended = life.chain.now
    change(life.chain, MEMBER, address(PROVIDER), changes=changed(status, "other", ended))
    later = ended + 90 * DAY_MS
    for now, codes in ((ended, []), (later - 1, []), (later + 1, ["role_missing"])):
        life.chain.now = now
        assert codes == told(life, "returned")
        assert ["role_missing"] == told(life, "settled", 1)


def test_a_role_that_is_back_counts_again_and_one_that_never_was_does_not() -> None:
    life = at("paid")
    now = life.chain.now
    history = (StatusChange("suspended", "other", 0), StatusChange("active", "other", now - DAY_MS),
               StatusChange("suspended", "other", now - 1))  # fmt: skip
    change(life.chain, MEMBER, address(PROVIDER), changes=history)
    assert [] == told(life, "returned")
    change(life.chain, MEMBER, address(PROVIDER), changes=history[:1])
    assert ["role_missing"] == told(life, "returned")
    change(life.chain, MEMBER, address(PROVIDER), changes=(), grants=())
    assert ["role_missing"] == told(life, "returned")


# --- counters ---------------------------------------------------------------------------------------------
def test_a_payment_keeps_its_counters_and_its_newest_steps() -> None:
    life = at("paying")
    for number in range(40):
        tell(life, "settled", number + 1)
    payment = payment_of(life)
    assert (40, 820, 820) == (payment.sequence, payment.settled, net_of(payment))
    assert STEPS_KEPT == len(payment.steps)
    assert [number + 1 for number in range(8, 40)] == [step.amount for step in payment.steps]
    assert sorted(step.at_ms for step in payment.steps) == [step.at_ms for step in payment.steps]


@pytest.mark.parametrize(
    ("rail", "steps", "word", "net"),
    [
        ("bank_transfer", (), "initiated", 0),
        ("bank_transfer", ("pending",), "pending", 0),
        ("bank_transfer", ("failed",), "failed", 0),
        ("bank_transfer", (("settled", 5),), "final", 5),
        ("bank_transfer", ("settled", "returned"), "refunded", 0),
        ("bank_transfer", ("settled", ("returned", 1)), "final", ALL - 1),
        ("card", ("authorised",), "authorised", 0),
        ("card", ("authorised", "voided"), "failed", 0),
        ("card", ("authorised", "captured"), "captured", 0),
        ("card", ("authorised", "captured", "settled"), "final", ALL),
        ("card", ("authorised", "captured", "settled", ("charged_back", 3)), "disputed", ALL - 3),
        ("card", ("authorised", "captured", "settled", "charged_back"), "charged_back", 0),
        ("card", ("authorised", "captured", "settled", "charged_back", "represented"), "final", ALL),
        ("card", ("authorised", "captured", "settled", "refunded"), "refunded", 0),
    ],
)
def test_one_word_says_what_the_money_does(rail: str, steps, word: str, net: int) -> None:
    life = through(paying(rail), *steps)
    assert (word, net) == (status_of(payment_of(life), life.chain.now), net_of(payment_of(life)))
    assert (net, order_of(life).net) == (order_of(life).net, net)
    assert word == view_of(life.chain, PAYMENT, life.payment)["status"]


# --- final -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("rail", "check", "hold_days", "wait_days"), [
    ("bank_transfer", None, 0, 0), ("bank_transfer", None, 3, 3), ("instant_transfer", None, 0, 0),
    ("card", "challenge", 0, 0), ("card", "frictionless", 0, 14), ("card", "exempt", 0, 14),
    ("card", "challenge", 5, 5), ("card", "exempt", 5, 14), ("card", "exempt", 20, 20),
])  # fmt: skip
def test_money_is_final_after_the_sellers_hold_and_the_cards_wait(
    rail: str, check: str | None, hold_days: int, wait_days: int
) -> None:
    life = paying(rail, hold_days * DAY_MS)
    if check is not None:
        tell(life, "authorised", card_check=check)
        tell(life, "captured")
    tell(life, "settled")
    payment = payment_of(life)
    settled = life.chain.now - 1000
    assert (settled, settled + wait_days * DAY_MS) == (payment.settled_at_ms, payment.final_from_ms)
    if wait_days:
        life.chain.now = payment.final_from_ms - 1
        assert (0, "settled") == (final_of(payment, life.chain.now), status_of(payment, life.chain.now))
        assert ["payment_not_final"] == handing_over(life)
    life.chain.now = payment.final_from_ms
    assert ALL == final_of(payment, life.chain.now)
    assert [] == handing_over(life)


def test_a_card_shows_until_when_its_bank_can_take_the_money_back() -> None:
    life = through(paying("card"), "authorised", "captured", "settled")
    shown = view_of(life.chain, PAYMENT, life.payment)
    assert shown["reversible_until"].startswith("2026-05-")
    tell(life, "charged_back")
    assert view_of(life.chain, PAYMENT, life.payment)["reversible_until"] is None


def test_a_further_settlement_holds_the_whole_payment_again() -> None:
    life = paying("bank_transfer", DAY_MS)
    tell(life, "settled", 1)
    first = payment_of(life).final_from_ms
    life.chain.now = first
    assert 1 == final_of(payment_of(life), life.chain.now)
    tell(life, "settled", 1)
    assert 0 == final_of(payment_of(life), life.chain.now)
    assert first < payment_of(life).final_from_ms
    assert codes_of(life, BUYER, cancel(life)) == []
