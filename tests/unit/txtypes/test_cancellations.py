"""How an order ends without title: the reason that state has to prove, what the seller keeps, and what becomes of the
cars."""

from __future__ import annotations

import pytest
from support.chain import DAY_MS, address
from support.disputing import conduct
from support.life import PRICE, VIN, Life, accident, flag, listing, offer, transfer
from support.life import terms as plain
from support.selling import (
    BUYER,
    LONG,
    OTHER,
    SECOND,
    SELLER,
    about_payment,
    after,
    amend,
    begin,
    cancel,
    cancelling,
    codes_of,
    leg,
    market_of_car,
    order_of,
    ordered,
    pay,
    second_car,
    tell,
    terms,
    trading,
    with_credit,
)
from support.specimens import specimen
from support.stages import Case, at, change, table

from node.audit.invariants import check_invariants
from node.rules.deals import CANCEL_REASONS
from node.txtypes.sale.listing import LISTING
from node.txtypes.sale.order_family import ORDER
from node.txtypes.vehicle.regions import OFF_MARKET
from node.txtypes.vehicle.vehicle import VEHICLE

ALL, TENTH = PRICE.amount, PRICE.amount // 10


def days(count: float, then=lambda life: None):
    def pass_time(life: Life) -> None:
        then(life)
        life.chain.now += int(count * DAY_MS)

    return pass_time


def since_acceptance(ms: int):
    def pass_time(life: Life) -> None:
        life.chain.now = order_of(life).accepted_at_ms + ms

    return pass_time


def declared(life: Life) -> None:
    life.payment = begin(life)
    life.chain.do(BUYER, specimen("payment.declare", life.chain, {"payment": life.payment}))


def pending(life: Life) -> None:
    life.payment = begin(life)
    tell(life, "pending")


def hit(author: str):
    return lambda life: life.chain.do(author, accident(life.chain, 160))


def flagged(name: str, *, is_firm: bool = True):
    return lambda life: change(life.chain, VEHICLE, VIN, flags=(flag(name, is_firm=is_firm),))


def having(**changes: object):
    return lambda life: change(life.chain, ORDER, life.order, **changes)


def late(ms: int):
    """The agreed time of delivery, so long ago."""

    def place(life: Life) -> None:
        agreed = plain(deliver_by_ms=life.chain.now - ms)
        change(life.chain, ORDER, life.order, terms=agreed)

    return place


def turned_down(ms: int):
    return lambda life: change(life.chain, ORDER, life.order, refused_at_ms=life.chain.now - ms)


def until(*, ms: int = 0, **changes: object):
    """To the end of the reservation, which money prolongs."""

    def place(life: Life) -> None:
        change(life.chain, ORDER, life.order, **changes)
        life.chain.now = order_of(life).until_ms + ms

    return place


def missed(life: Life) -> None:
    change(life.chain, ORDER, life.order, missed_at_ms=life.chain.now)
    life.chain.now = order_of(life).until_ms


def part_paid(life: Life) -> None:
    pay(life, 0, 10)


def of_an_offer(
    name: str, sender: str, reason: str, codes: tuple[str, ...] = (), kept: int = 0, *cosigners: str
) -> Case:
    return Case(f"an offer: {name}", "offered", sender, cancelling(reason, kept), codes, cosigners)


NOT = ("cancel_reason",)


@table(
    of_an_offer("by the buyer", BUYER, "changed_mind"),
    of_an_offer("by the seller", SELLER, "changed_mind"),
    of_an_offer("by both", SELLER, "mutual", (), 0, BUYER),
    of_an_offer("by a third", OTHER, "changed_mind", ("not_a_party",)),
    of_an_offer("for default", SELLER, "seller_default", NOT),
    of_an_offer("keeping money", BUYER, "changed_mind", NOT, 1),
    Case("of none", "accepted", BUYER, lambda life: cancel(life, order=bytes(32)), ("order_unknown",)),
    Case("by a third", "accepted", OTHER, cancel, ("not_a_party", "cancel_reason")),
    Case("once completed", "handed_over", BUYER, cancel, ("order_status",)),
    Case("no such reason", "accepted", BUYER, cancelling("whim"), ("code_unknown", "cancel_reason")),
    Case("by both", "accepted", SELLER, cancelling("mutual"), (), (BUYER,)),
    Case("by both, signed by one", "accepted", SELLER, cancelling("mutual"), ("signature_missing",)),
    Case("by both, keeping what came", "paid", SELLER, cancelling("mutual", ALL), (), (BUYER,)),
    Case("by both, keeping more", "paid", SELLER, cancelling("mutual", ALL + 1), ("kept_exceeds",), (BUYER,)),
    Case("by both, keeping of nothing", "accepted", SELLER, cancelling("mutual", 1), ("kept_exceeds",), (BUYER,)),
    Case("keeping money alone", "paid", BUYER, cancelling("changed_mind", 1), ("kept_exceeds",)),
    Case("the buyer's mind", "accepted", BUYER, cancel),
    Case("the buyer's mind, with money there", "paid", BUYER, cancel),
    Case("the seller's mind", "accepted", SELLER, cancel, NOT),
    Case("the seller's default", "accepted", SELLER, cancelling("seller_default")),
    Case("the seller's default, with money there", "paid", SELLER, cancelling("seller_default")),
    Case("the seller's default, told by the buyer", "accepted", BUYER, cancelling("seller_default"), NOT),
    Case("a part three days overdue", "accepted", SELLER, cancelling("buyer_default"), NOT,
         before=since_acceptance(10 * DAY_MS)),
    Case("a part overdue for longer", "accepted", SELLER, cancelling("buyer_default"),
         before=since_acceptance(10 * DAY_MS + 1)),
    Case("told by the buyer", "accepted", BUYER, cancelling("buyer_default"), NOT, before=days(10.01)),
    Case("what is paid is not overdue", "paid", SELLER, cancelling("buyer_default"), NOT, before=days(11)),
    Case("what is paid in part is overdue", "accepted", SELLER, cancelling("buyer_default"),
         before=days(11, part_paid)),
    Case("what was initiated is overdue", "paying", SELLER, cancelling("buyer_default"), before=days(11)),
    Case("what is pending is not overdue", "accepted", SELLER, cancelling("buyer_default"), NOT,
         before=lambda life: (days(5)(life), pending(life), days(9.9)(life))),
    Case("what was pending for ten days is", "accepted", SELLER, cancelling("buyer_default"),
         before=lambda life: (days(5)(life), pending(life), days(10)(life))),
    Case("what was declared within seven days is not", "accepted", SELLER, cancelling("buyer_default"), NOT,
         before=lambda life: (days(5)(life), declared(life), days(6.9)(life))),
    Case("what was declared before is", "accepted", SELLER, cancelling("buyer_default"),
         before=lambda life: (days(5)(life), declared(life), days(7)(life))),
    Case("late", "accepted", BUYER, cancelling("late_delivery"), before=late(1)),
    Case("not late", "accepted", BUYER, cancelling("late_delivery"), NOT, before=late(0)),
    Case("without an agreed time", "accepted", BUYER, cancelling("late_delivery"), NOT),
    Case("late, told by the seller", "accepted", SELLER, cancelling("late_delivery"), NOT, before=late(1)),
    Case("an accident", "accepted", BUYER, cancelling("vehicle_changed"), before=hit("workshop-berlin")),
    Case("an accident, told by the seller", "accepted", SELLER, cancelling("vehicle_changed"), NOT,
         before=hit("workshop-berlin")),
    Case("no change", "accepted", BUYER, cancelling("vehicle_changed"), NOT),
    Case("stolen", "accepted", BUYER, cancelling("vehicle_lost"), before=flagged("stolen")),
    Case("held by a court, told by the seller", "accepted", SELLER, cancelling("vehicle_lost"),
         before=flagged("court_hold")),
    Case("perhaps stolen", "accepted", BUYER, cancelling("vehicle_lost"), NOT,
         before=flagged("stolen", is_firm=False)),
    Case("with a lien", "accepted", BUYER, cancelling("vehicle_lost"), NOT, before=flagged("lien")),
    Case("scrapped", "accepted", BUYER, cancelling("vehicle_lost"),
         before=lambda life: change(life.chain, VEHICLE, VIN, existence="scrapped")),
    Case("not lost", "accepted", BUYER, cancelling("vehicle_lost"), NOT),
    Case("refused two weeks ago", "accepted", BUYER, cancelling("refused"), NOT, before=turned_down(14 * DAY_MS)),
    Case("refused before", "accepted", BUYER, cancelling("refused"), before=turned_down(14 * DAY_MS + 1)),
    Case("refused, told by the seller", "accepted", SELLER, cancelling("refused"), NOT,
         before=turned_down(14 * DAY_MS + 1)),
    Case("never refused", "accepted", BUYER, cancelling("refused"), NOT, before=days(30)),
    Case("no credit", "accepted", BUYER, cancelling("financing_failed"), NOT),
    Case("before its time", "paid", BUYER, cancelling("time_over"), NOT, before=until(ms=-1)),
    Case("at its time, by the buyer", "paid", BUYER, cancelling("time_over"), before=until()),
    Case("at its time, by the seller who was paid", "paid", SELLER, cancelling("time_over"), NOT, before=until()),
    Case("by the seller whose buyer missed a window", "paid", SELLER, cancelling("time_over"), before=missed),
    Case("by the seller who was paid in part", "accepted", SELLER, cancelling("time_over"),
         before=lambda life: (part_paid(life), until()(life))),
    Case("after its hard end", "paid", BUYER, cancelling("time_over"), ("order_expired",),
         before=until(ms=30 * DAY_MS)),
)  # fmt: skip
def test_reasons(case: Case) -> None:
    assert case.codes == case.run()


def test_every_reason_of_the_table_has_a_case_that_holds_and_one_that_does_not() -> None:
    """A credit that failed is below; `decided` is what arbiters write, and nobody may give it."""
    (mark,) = test_reasons.pytestmark
    cases = [entry.values[0] for entry in mark.args[1]]
    for holds in (True, False):
        told = {case.body(at(case.stage)).reason for case in cases if (not case.codes) == holds}
        missing = set(CANCEL_REASONS) - {"decided"} - told - (set() if holds else {"mutual"})
        assert (missing == {"financing_failed"}) if holds else not missing


def test_a_buyer_who_changes_the_car_does_not_get_out_by_it() -> None:
    life = at("paid")
    change(life.chain, VEHICLE, VIN, material_changes=9, material_author=address(BUYER))
    assert ["cancel_reason"] == codes_of(life, BUYER, cancel(life, "vehicle_changed"))
    change(life.chain, VEHICLE, VIN, material_author=address(SELLER))
    assert [] == codes_of(life, BUYER, cancel(life, "vehicle_changed"))


def test_what_the_buyer_has_agreed_to_is_no_change() -> None:
    life = at("accepted")
    hit("workshop-berlin")(life)
    life.chain.do(BUYER, specimen("order.acknowledge", life.chain, {"order": life.order}))
    assert ["cancel_reason"] == codes_of(life, BUYER, cancel(life, "vehicle_changed"))


# --- the credit that fails -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("steps", "wait", "codes"),
    [
        ((), 7, ["cancel_reason"]),
        ((), 7.01, []),
        (("failed",), 0, []),
        (("authorised",), 8, ["cancel_reason"]),
        (("authorised", "voided"), 0, []),
        (("authorised", "failed"), 0, []),
        (("settled",), 8, ["cancel_reason"]),
        (("settled", "returned"), 0, []),
    ],
)
def test_a_credit_fails_if_it_is_refused_or_not_there_when_it_is_due(steps, wait: float, codes: list[str]) -> None:
    life = ordered(with_credit())
    if steps:
        life.payment = begin(life, 1)
    for step in steps:
        tell(life, step)
    life.chain.now = max(life.chain.now, order_of(life).accepted_at_ms + int(wait * DAY_MS))
    assert codes == codes_of(life, BUYER, cancel(life, "financing_failed"))
    assert ["cancel_reason"] == codes_of(life, SELLER, cancel(life, "financing_failed"))


# --- what is kept ----------------------------------------------------------------------------------------------
FEE = 100_000


def left(reason: str, contract: str = "on_premises", sender: str = BUYER, before=lambda life: None, *cosigners: str,
         kept: int = 0) -> int:  # fmt: skip
    life = ordered(terms(leg(TENTH), leg(ALL - TENTH, due_days=8), cancel_fee=FEE, contract=contract), "offered")
    life.chain.do(SELLER, specimen("order.accept", life.chain, {"order": life.order}),
                  *((BUYER,) if contract == "on_premises" else ()))  # fmt: skip
    pay(life, 0)
    before(life)
    life.chain.do(sender, cancel(life, reason, kept), *cosigners)
    order = order_of(life)
    assert ("cancelled", reason, life.chain.now - 1000) == (order.status, order.cause, order.ended_at_ms)
    return order.kept


def test_the_fee_is_kept_for_a_change_of_mind_and_a_default_of_the_buyer() -> None:
    assert FEE == left("changed_mind")
    assert FEE == left("buyer_default", "on_premises", SELLER, days(12))


def test_a_consumer_leaves_a_distance_contract_without_a_fee() -> None:
    assert 0 == left("changed_mind", "distance")


def test_a_provider_that_is_silent_earns_the_seller_nothing() -> None:
    def silent(life: Life) -> None:
        payment = begin(life, 1)
        life.chain.do(BUYER, specimen("payment.declare", life.chain, {"payment": payment}))
        life.chain.now += 12 * DAY_MS

    assert 0 == left("buyer_default", "on_premises", SELLER, silent)


def test_for_every_other_reason_nothing_is_kept_but_what_both_agree_on() -> None:
    assert 0 == left("seller_default", "on_premises", SELLER)
    assert 0 == left("vehicle_changed", "on_premises", BUYER, hit("workshop-berlin"))
    assert 0 == left("vehicle_lost", "on_premises", SELLER, flagged("stolen"))
    assert 77 == left("mutual", "on_premises", SELLER, lambda life: None, BUYER, kept=77)


# --- the cars -----------------------------------------------------------------------------------------------
def test_a_cancelled_order_puts_the_car_back_on_the_market() -> None:
    life = at("accepted")
    life.chain.do(BUYER, cancel(life))
    market = market_of_car(life)
    assert ("listed", life.listing, b"") == (market.status, market.listing, market.order)
    assert ("cancelled", "open") == (order_of(life).status, life.chain.state(LISTING, life.listing).status)
    assert market.until_ms == life.chain.state(LISTING, life.listing).expires_at_ms
    assert [] == codes_of(life, BUYER, offer(life.chain, life.listing))
    check_invariants(life.chain.store)


def test_a_cancelled_order_of_an_expired_listing_leaves_the_car_off() -> None:
    life = at("accepted")
    life.chain.now = life.chain.state(LISTING, life.listing).expires_at_ms
    life.chain.do(BUYER, cancel(life))
    assert OFF_MARKET == market_of_car(life)
    check_invariants(life.chain.store)


def test_a_cancelled_offer_leaves_the_market_alone() -> None:
    life = at("offered")
    second = life.chain.do(OTHER, offer(life.chain, life.listing, terms=plain(contract="business")))
    life.accepted()
    before = life.chain.state(VEHICLE, VIN)
    life.chain.do(OTHER, cancel(life, order=second))
    assert before == life.chain.state(VEHICLE, VIN)
    assert "reserved" == life.chain.state(LISTING, life.listing).status


def test_the_car_in_payment_is_free_again() -> None:
    life = ordered(None, before=second_car, terms_of=trading)
    records = life.chain.state(VEHICLE, SECOND).record_count
    life.chain.do(BUYER, cancel(life))
    found = life.chain.state(VEHICLE, SECOND)
    assert (OFF_MARKET, records + 1) == (found.market, found.record_count)
    assert "listed" == market_of_car(life).status


def test_a_seller_who_defaults_sells_the_car_to_nobody_else_for_two_weeks() -> None:
    life = ordered(listed_ms=LONG, stage="paid")
    life.chain.do(SELLER, cancel(life, "seller_default"))
    ended = life.chain.now - 1000
    assert ("off", ended + 14 * DAY_MS) == (market_of_car(life).status, market_of_car(life).locked_until_ms)
    (quarter,) = conduct(life, SELLER).quarters
    assert 1 == quarter.defaulted
    for now, codes in ((ended + 14 * DAY_MS - 1, ["relist_locked"]), (ended + 14 * DAY_MS, [])):
        life.chain.now = now
        assert codes == codes_of(life, SELLER, listing(life.chain))
        assert codes == codes_of(life, SELLER, transfer(life.chain, OTHER), OTHER)
    assert "listing_closed" in codes_of(life, BUYER, offer(life.chain, life.listing))
    check_invariants(life.chain.store)


def test_no_other_reason_counts_as_a_default() -> None:
    life = at("accepted")
    life.chain.do(BUYER, cancel(life))
    assert () == conduct(life, SELLER).quarters


def test_a_default_does_not_touch_the_car_in_payment() -> None:
    life = ordered(None, before=second_car, terms_of=trading)
    life.chain.do(SELLER, cancel(life, "seller_default"))
    assert OFF_MARKET == market_of_car(life, SECOND)


def test_an_order_that_was_amended_ends_by_its_new_terms() -> None:
    life = ordered(terms(leg(ALL), cancel_fee=FEE))
    life.chain.do(SELLER, amend(life, terms(leg(ALL), cancel_fee=1)), BUYER)
    pay(life)
    life.chain.do(BUYER, cancel(life))
    assert 1 == order_of(life).kept
    assert ["refund_exceeds"] == codes_of(after(life), BUYER, about_payment(life, "payment.confirm_refund", ALL))
    assert [] == codes_of(life, BUYER, about_payment(life, "payment.confirm_refund", ALL - 1))
