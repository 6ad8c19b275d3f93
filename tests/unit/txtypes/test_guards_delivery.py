"""Guards of delivery and of the handover, where title moves."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.chain import DAY_MS, address
from support.life import PRICE, VIN, Life, attest, handover, km, read
from support.ordering import acknowledge
from support.stages import Case, at, change, put_on_hold, table

from node import limits
from node.ledger.fields import Money
from node.txtypes.payment.payment import PaymentInitiate
from node.txtypes.sale.delivery import DELIVERY, NEXT_STAGES, DeliveryEvent, DeliverySchedule
from node.txtypes.sale.order import ORDER, PAYMENT
from node.txtypes.vehicle.regions import OFF_MARKET
from node.txtypes.vehicle.vehicle import VEHICLE

SELLER, BUYER = "dealer-munich", "buyer-1"


def schedule(life: Life, start: int = 0, end: int = DAY_MS, order: bytes | None = None) -> DeliverySchedule:
    now = life.chain.now
    return DeliverySchedule(life.order if order is None else order, "MUC-1", now + start, now + end)


def event(life: Life, stage: str = "arrived", order: bytes | None = None) -> DeliveryEvent:
    return DeliveryEvent(life.order if order is None else order, stage, "MUC-1", life.chain.now, None)


def codes_of(life: Life, sender: str, body, *cosigners: str) -> list[str]:
    return life.chain.unmet(life.chain.sign(sender, body, *cosigners))


def read_often(life: Life) -> None:
    for _ in range(2):
        for _ in range(8):
            life.chain.do("carrier-1", read(VIN, km(150), life.chain.now))
        life.chain.now += DAY_MS


# --- delivery -----------------------------------------------------------------------------------------
@table(
    Case("schedule by the seller", "accepted", SELLER, schedule),
    Case("schedule by a carrier", "accepted", "carrier-1", schedule),
    Case("schedule by the buyer", "accepted", BUYER, schedule, ("not_a_party",)),
    Case("schedule of none", "accepted", SELLER, lambda life: schedule(life, order=bytes(32)), ("order_unknown",)),
    Case("schedule before acceptance", "offered", SELLER, schedule, ("order_status",)),
    Case("a window that ends in a moment", "accepted", SELLER, lambda life: schedule(life, -1, 1)),
    Case("a window that ends now", "accepted", SELLER, lambda life: schedule(life, -1, 0), ("delivery_window",)),
    Case("a window of a moment", "accepted", SELLER, lambda life: schedule(life, 5, 6)),
    Case("a window of nothing", "accepted", SELLER, lambda life: schedule(life, 5, 5), ("delivery_window",)),
    Case("a window backwards", "accepted", SELLER, lambda life: schedule(life, 6, 5), ("delivery_window",)),
    Case("no order and no window", "accepted", SELLER, lambda life: schedule(life, 6, 5, bytes(32)),
         ("order_unknown", "delivery_window")),
    Case("event by the seller", "accepted", SELLER, event),
    Case("event by a carrier", "accepted", "carrier-1", event),
    Case("event by a carrier on hold", "accepted", "carrier-1", event, ("author_on_hold",), (),
         lambda life: put_on_hold(life.chain, address("carrier-1"))),
    Case("a reading by a carrier that has read the car too often", "accepted", "carrier-1",
         lambda life: replace(event(life), odometer=km(160)), ("reports_on_vehicle",), (), read_often),
    Case("no reading by it", "accepted", "carrier-1", event, (), (), read_often),
    Case("event by the buyer", "accepted", BUYER, event, ("not_a_party",)),
    Case("event by another dealer", "accepted", "dealer-shanghai", event, ("not_a_party",)),
    Case("event of none", "accepted", SELLER, lambda life: event(life, order=bytes(32)), ("order_unknown",)),
    Case("event once completed", "handed_over", SELLER, event, ("order_status",), (),
         lambda life: change(life.chain, ORDER, life.order, delivery_stage="")),
)  # fmt: skip
def test_delivery(case: Case) -> None:
    assert case.codes == case.run()


@pytest.mark.parametrize("body", [schedule, event])
@pytest.mark.parametrize(("count", "codes"), [(31, []), (32, ["deliveries_full"])])
def test_an_order_has_thirty_two_delivery_events(count: int, codes: list[str], body) -> None:
    assert 32 == limits.DELIVERIES_PER_ORDER_MAX
    life = at("accepted")
    change(life.chain, ORDER, life.order, deliveries=count)
    assert codes == codes_of(life, SELLER, body(life))


@pytest.mark.parametrize("stage", NEXT_STAGES)
def test_the_legs_follow_each_other(stage: str) -> None:
    life = at("accepted")
    change(life.chain, ORDER, life.order, delivery_stage=stage)
    for following in ("scheduled", "picked_up", "in_transit", "arrived"):
        expected = [] if following in NEXT_STAGES[stage] else ["delivery_order"]
        body = schedule(life) if following == "scheduled" else event(life, following)
        assert expected == codes_of(life, SELLER, body)


def test_the_legs_are_the_table_of_the_design() -> None:
    assert {
        "": {"scheduled", "picked_up", "arrived"},
        "scheduled": {"scheduled", "picked_up", "arrived"},
        "picked_up": {"in_transit", "arrived"},
        "in_transit": {"in_transit", "arrived"},
        "arrived": set(),
    } == NEXT_STAGES


def test_delivery_events_are_numbered() -> None:
    life = at("accepted")
    window = schedule(life)
    life.chain.do(SELLER, window)
    life.chain.do("carrier-1", event(life, "picked_up"))
    order = life.chain.state(ORDER, life.order)
    assert (2, "picked_up") == (order.deliveries, order.delivery_stage)
    entries = [life.chain.state(DELIVERY, f"{life.order.hex()}-{number}") for number in range(2)]
    assert ["scheduled", "picked_up"] == [entry.stage for entry in entries]
    assert (window.window_from_ms, window.window_to_ms) == (entries[0].window_from_ms, entries[0].window_to_ms)


# --- handover -----------------------------------------------------------------------------------------
def hand_over(life: Life, *cosigners: str, sender: str = SELLER, **changes) -> list[str]:
    return codes_of(life, sender, handover(life.chain, life.order, **changes), *(cosigners or (BUYER,)))


def test_everything_that_is_missing_is_named_at_once() -> None:
    life = at("accepted")
    raw = life.chain.sign(SELLER, handover(life.chain, life.order, odometer=None))
    assert ["signature_missing", "payment_not_final", "odometer_missing"] == life.chain.unmet(raw)


@table(
    Case("paid", "paid", SELLER, lambda life: handover(life.chain, life.order), (), (BUYER,)),
    Case("sent by the buyer", "paid", BUYER, lambda life: handover(life.chain, life.order), (), (SELLER,)),
    Case("not paid", "accepted", SELLER, lambda life: handover(life.chain, life.order), ("payment_not_final",),
         (BUYER,)),
    Case("paying", "paying", SELLER, lambda life: handover(life.chain, life.order), ("payment_not_final",), (BUYER,)),
    Case("no reading", "paid", SELLER, lambda life: handover(life.chain, life.order, odometer=None),
         ("odometer_missing",), (BUYER,)),
    Case("no such order", "paid", SELLER, lambda life: handover(life.chain, bytes(32)), ("order_unknown",)),
    Case("twice", "handed_over", SELLER, lambda life: handover(life.chain, life.order), ("order_status",
         "not_the_holder", "order_not_reserving"), (BUYER,)),
    Case("sent by a third", "paid", "bmw", lambda life: handover(life.chain, life.order), ("not_a_party",),
         (SELLER, BUYER)),
)  # fmt: skip
def test_handover(case: Case) -> None:
    assert case.codes == case.run()


@pytest.mark.parametrize(
    ("parts", "codes"),
    [
        ((PRICE.amount,), []),
        ((PRICE.amount - 1,), ["payment_not_final"]),
        ((PRICE.amount - 1, 1), []),
        ((1, 2, PRICE.amount - 3), []),
    ],
)
def test_title_moves_against_the_whole_price(parts, codes: list[str]) -> None:
    life = at("accepted")
    for number, part in enumerate(parts):
        amount = Money(part, "EUR")
        payment = life.chain.do(BUYER, PaymentInitiate(life.order, "bank_transfer", amount))
        life.chain.do("payment-provider-1", attest(payment, reference=bytes([number + 1]), amount=amount))
    assert codes == hand_over(life)


@pytest.mark.parametrize("amount", [PRICE.amount - 1, PRICE.amount + 1])
def test_neither_less_nor_more_than_the_price_is_the_price(amount: int) -> None:
    life = at("paid")
    change(life.chain, PAYMENT, life.payment, amount=Money(amount, "EUR"))
    assert ["payment_not_final"] == hand_over(life)


def test_the_seller_still_holds_the_title() -> None:
    life = at("paid")
    change(life.chain, VEHICLE, VIN, holder=address("bmw"))
    assert ["not_the_holder"] == hand_over(life)


def test_the_car_is_reserved_by_this_very_order() -> None:
    life = at("paid")
    market, now = life.chain.state(VEHICLE, VIN).market, life.chain.now
    change(life.chain, VEHICLE, VIN, market=replace(market, order=bytes(32)))
    assert ["order_not_reserving"] == hand_over(life)
    for until, holds_money, codes in ((now, False, ["order_not_reserving"]), (now, True, []), (now + 1, False, [])):
        change(life.chain, VEHICLE, VIN, market=replace(market, until_ms=until, holds_money=holds_money))
        assert codes == hand_over(life)


def test_handover_moves_title_and_takes_the_car_off_the_market() -> None:
    life = at("delivered")
    before = life.chain.state(VEHICLE, VIN)
    now = life.chain.now
    txid = life.chain.do(SELLER, handover(life.chain, life.order), BUYER)
    vehicle, order = life.chain.state(VEHICLE, VIN), life.chain.state(ORDER, life.order)
    assert (address(BUYER), now, "in_service", before.transfer_count + 1, before.record_count + 1) == (
        vehicle.holder, vehicle.title_since_ms, vehicle.existence, vehicle.transfer_count, vehicle.record_count,
    )  # fmt: skip
    assert OFF_MARKET == vehicle.market
    assert ("completed", txid) == (order.status, order.title_record)


@pytest.mark.parametrize(("existence", "after"), [("born", "in_service"), ("rebuilt", "rebuilt")])
def test_a_handover_begins_service_and_undoes_nothing(existence: str, after: str) -> None:
    life = at("paid")
    change(life.chain, VEHICLE, VIN, existence=existence)
    life.chain.do(SELLER, handover(life.chain, life.order), BUYER)
    assert after == life.chain.state(VEHICLE, VIN).existence


def test_a_lower_reading_is_judged_and_does_not_stop_the_handover() -> None:
    life = at("wholesale")
    life.chain.do("workshop-berlin", read(VIN, km(1_200), life.chain.now))
    for step in (life.listed, life.offered, life.accepted, life.paying, life.paid):
        step()
    lower = handover(life.chain, life.order, 690)
    assert ["handover_reading"] == life.chain.unmet(life.chain.sign(SELLER, lower, BUYER))
    life.chain.do("workshop-berlin", read(VIN, km(690), life.chain.now))
    assert ["verdict_contested", "acknowledgement_missing"] == life.chain.unmet(
        life.chain.sign(SELLER, handover(life.chain, life.order, 690), BUYER)
    )
    life.chain.do(BUYER, acknowledge(life))
    life.chain.do(SELLER, handover(life.chain, life.order, 690), BUYER)
    vehicle = life.chain.state(VEHICLE, VIN)
    assert address(BUYER) == vehicle.holder
    assert "CONTESTED" == vehicle.verdict
