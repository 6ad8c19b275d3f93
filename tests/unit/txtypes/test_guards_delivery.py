"""Guards of the delivery: the window and the named carrier, the legs on the way, and the refusal at the door."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.chain import DAY_MS, address
from support.life import VIN, Life, km
from support.selling import (
    AGENT,
    BUYER,
    OTHER,
    SELLER,
    cancel,
    codes_of,
    handing_over,
    order_of,
    root_of,
    through_agent,
)
from support.specimens import specimen
from support.stages import Case, at, change, table

from node import limits
from node.txtypes.members.member import MEMBER
from node.txtypes.sale.delivery import DELIVERY, NEXT_STAGES
from node.txtypes.sale.order_family import ORDER
from node.txtypes.vehicle.vehicle import VEHICLE

CARRIER = "carrier-1"


def schedule(life: Life, start: int = DAY_MS, end: int = 2 * DAY_MS, **changes):
    now = life.chain.now
    window = dict(order=life.order, window_from_ms=now + start, window_to_ms=now + end, carrier=address(CARRIER))
    return specimen("delivery.schedule", life.chain, **window | changes)


def event(life: Life, stage: str = "arrived", **changes):
    return specimen("delivery.event", life.chain, **dict(order=life.order, stage=stage) | changes)


def confirm(life: Life, number: int = 0, **changes):
    return specimen("delivery.confirm", life.chain, **dict(order=life.order, number=number) | changes)


def refuse(life: Life, **changes):
    return specimen("delivery.refuse", life.chain, {"order": life.order}, **changes)


def scheduling(**changes):
    return lambda life: schedule(life, **changes)


def telling(stage: str = "arrived", **changes):
    return lambda life: event(life, stage, **changes)


def scheduled(life: Life) -> None:
    life.chain.do(SELLER, schedule(life))


def confirmed(life: Life) -> None:
    scheduled(life)
    life.chain.do(BUYER, confirm(life))


def passed(then):
    """The window is over."""

    def place(life: Life) -> None:
        then(life)
        life.chain.now = order_of(life).window_to_ms + 1

    return place


def arrived(life: Life) -> None:
    scheduled(life)
    life.chain.do(CARRIER, event(life, "arrived"))


def having(**changes):
    return lambda life: change(life.chain, ORDER, life.order, **changes)


# --- delivery.schedule ---------------------------------------------------------------------------------------
@table(
    Case("by the seller", "accepted", SELLER, schedule),
    Case("by a carrier", "accepted", CARRIER, schedule, ("not_a_party",)),
    Case("by the buyer", "accepted", BUYER, schedule, ("not_a_party",)),
    Case("of none", "accepted", SELLER, scheduling(order=bytes(32)), ("order_unknown",)),
    Case("before acceptance", "offered", SELLER, schedule, ("order_status",)),
    Case("without a carrier", "accepted", SELLER, scheduling(carrier=None)),
    Case("by a carrier that is none", "accepted", SELLER, scheduling(carrier=address(OTHER)), ("role_missing",)),
    Case("at no site of the parties", "accepted", SELLER, scheduling(site="XXX-1"), ("site_unknown",)),
    Case("at a site of another member", "accepted", SELLER, scheduling(site="BER-1"), ("site_unknown",)),
    Case("without a site", "accepted", SELLER, scheduling(site="")),
    Case("from now", "accepted", SELLER, scheduling(start=0), ("delivery_window",)),
    Case("from a moment on, for a moment", "accepted", SELLER, scheduling(start=1, end=2)),
    Case("of nothing", "accepted", SELLER, scheduling(start=5, end=5), ("delivery_window",)),
    Case("backwards", "accepted", SELLER, scheduling(start=6, end=5), ("delivery_window",)),
    Case("for a week", "accepted", SELLER, scheduling(start=1, end=7 * DAY_MS + 1)),
    Case("for longer", "accepted", SELLER, scheduling(start=1, end=7 * DAY_MS + 2), ("delivery_window",)),
    Case("in half a year", "accepted", SELLER, scheduling(start=179 * DAY_MS, end=180 * DAY_MS)),
    Case("later", "accepted", SELLER, scheduling(start=179 * DAY_MS, end=180 * DAY_MS + 1), ("delivery_window",)),
    Case("after the arrival", "accepted", SELLER, schedule, before=arrived),
)  # fmt: skip
def test_schedule(case: Case) -> None:
    assert case.codes == case.run()


def test_a_site_in_a_country_that_forbids_the_rail_takes_no_car() -> None:
    life = at("accepted")
    site, *_ = life.chain.state(MEMBER, address(SELLER)).sites
    change(life.chain, MEMBER, address(SELLER), sites=(replace(site, country="CN"),))
    assert [] == codes_of(life, SELLER, schedule(life))
    terms = order_of(life).terms
    coins = replace(terms.legs[0], rail="bitcoin")
    change(life.chain, ORDER, life.order, terms=replace(terms, legs=(coins,)))
    assert ["rail_not_yet", "rail_forbidden"] == codes_of(life, SELLER, schedule(life))


def test_an_agent_schedules_and_tells_for_its_principal() -> None:
    life = through_agent("accepted")
    assert [] == codes_of(life, AGENT, schedule(life, site="SHA-1"))
    assert [] == codes_of(life, AGENT, event(life, site=""))


def test_a_new_schedule_names_a_new_carrier_and_has_to_be_confirmed_anew() -> None:
    life = at("accepted")
    confirmed(life)
    order = order_of(life)
    assert (address(CARRIER), True, 1) == (order.carrier, order.is_window_confirmed, order.deliveries)
    life.chain.do(SELLER, schedule(life, 3 * DAY_MS, 4 * DAY_MS, carrier=None))
    order = order_of(life)
    assert (None, False, 2) == (order.carrier, order.is_window_confirmed, order.deliveries)
    assert ["not_a_party"] == codes_of(life, CARRIER, event(life))
    assert ["delivery_order"] == codes_of(life, BUYER, confirm(life, 0))
    assert [] == codes_of(life, BUYER, confirm(life, 1))


# --- delivery.confirm ---------------------------------------------------------------------------------------
@table(
    Case("the window", "accepted", BUYER, confirm, before=scheduled),
    Case("another window", "accepted", BUYER, lambda life: confirm(life, 1), ("delivery_order",), before=scheduled),
    Case("by the seller", "accepted", SELLER, confirm, ("not_a_party",), before=scheduled),
    Case("none", "accepted", BUYER, confirm, ("delivery_order", "delivery_window")),
    Case("one that has passed", "accepted", BUYER, confirm, ("delivery_window",), before=passed(scheduled)),
    Case("once the car is there", "accepted", BUYER, confirm, ("delivery_order",), before=arrived),
    Case("of no order", "accepted", BUYER, lambda life: confirm(life, order=bytes(32)), ("order_unknown",)),
)  # fmt: skip
def test_confirm(case: Case) -> None:
    assert case.codes == case.run()


# --- delivery.event -----------------------------------------------------------------------------------------
@table(
    Case("by the seller", "accepted", SELLER, telling()),
    Case("by the named carrier", "accepted", CARRIER, telling(), before=scheduled),
    Case("by a carrier that nobody named", "accepted", CARRIER, telling(), ("not_a_party",)),
    Case("by the buyer", "accepted", BUYER, telling(), ("not_a_party",)),
    Case("by another dealer", "accepted", "dealer-shanghai", telling(), ("not_a_party",)),
    Case("of none", "accepted", SELLER, telling(order=bytes(32)), ("order_unknown",)),
    Case("before acceptance", "offered", SELLER, telling(), ("order_status",)),
    Case("once completed", "handed_over", SELLER, telling(site=""), ("order_status",),
         before=having(delivery_stage="")),
    Case("at no site of the parties", "accepted", SELLER, telling(site="XXX-1"), ("site_unknown",)),
    Case("before the acceptance", "accepted", SELLER,
         lambda life: event(life, event_at_ms=order_of(life).accepted_at_ms - 1), ("delivery_order",)),
    Case("in the future", "accepted", SELLER,
         lambda life: event(life, event_at_ms=life.chain.now + limits.EVENT_AHEAD_MAX_MS + 1), ("event_in_future",)),
    Case("before the event before", "accepted", SELLER,
         lambda life: event(life, event_at_ms=order_of(life).delivery_at_ms - 1), ("delivery_order",),
         before=lambda life: life.chain.do(SELLER, event(life, "picked_up"))),
    Case("a window that was missed", "accepted", SELLER, telling("no_show"), before=passed(confirmed)),
    Case("a window that was not confirmed", "accepted", SELLER, telling("no_show"), ("delivery_window",),
         before=passed(scheduled)),
    Case("a window that runs", "accepted", SELLER, telling("no_show"), ("delivery_window",), before=confirmed),
    Case("a reading below the last", "accepted", SELLER, telling(odometer=km(1))),
)  # fmt: skip
def test_events(case: Case) -> None:
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
    missed = dict(is_window_confirmed=True, window_to_ms=life.chain.now - 1)
    change(life.chain, ORDER, life.order, delivery_stage=stage, **missed)
    for following in ("scheduled", "picked_up", "in_transit", "arrived", "no_show"):
        expected = [] if following in NEXT_STAGES[stage] else ["delivery_order"]
        body = schedule(life) if following == "scheduled" else event(life, following)
        assert expected == codes_of(life, SELLER, body)


def test_the_legs_are_the_table_of_the_design() -> None:
    assert {
        "": {"scheduled", "picked_up", "arrived"},
        "scheduled": {"scheduled", "picked_up", "arrived", "no_show"},
        "picked_up": {"in_transit", "arrived", "scheduled"},
        "in_transit": {"in_transit", "arrived", "scheduled"},
        "arrived": {"scheduled", "no_show"},
        "no_show": {"scheduled"},
    } == NEXT_STAGES


def test_delivery_events_are_numbered() -> None:
    life = at("accepted")
    window = schedule(life)
    life.chain.do(SELLER, window)
    life.chain.do(CARRIER, event(life, "picked_up", odometer=km(155)))
    order = order_of(life)
    assert (2, "picked_up") == (order.deliveries, order.delivery_stage)
    entries = [life.chain.state(DELIVERY, f"{life.order.hex()}-{number}") for number in range(2)]
    assert ["scheduled", "picked_up"] == [entry.stage for entry in entries]
    assert (window.window_from_ms, window.window_to_ms) == (entries[0].window_from_ms, entries[0].window_to_ms)
    assert km(155) == entries[1].odometer


def test_a_leg_with_a_damage_is_material_and_one_without_is_not() -> None:
    life = at("paid")
    before = root_of(life)
    life.chain.do(SELLER, event(life, "picked_up"))
    assert (before, []) == (root_of(life), handing_over(life))
    life.chain.do(SELLER, event(life, "arrived", is_damaged=True))
    assert before != root_of(life)
    assert ["acknowledgement_missing"] == handing_over(life)
    assert [] == codes_of(life, BUYER, cancel(life, "vehicle_changed"))


def test_every_leg_and_refusal_is_a_record_of_the_car() -> None:
    life = at("accepted")
    scheduled(life)
    count = life.chain.state(VEHICLE, VIN).record_count
    life.chain.do(CARRIER, event(life, "picked_up"))
    life.chain.do(CARRIER, event(life, "arrived"))
    life.chain.do(BUYER, refuse(life))
    assert count + 3 == life.chain.state(VEHICLE, VIN).record_count


def test_a_missed_window_lets_the_seller_end_an_order_that_is_paid() -> None:
    life = at("paid")
    passed(confirmed)(life)
    missed = life.chain.now
    life.chain.do(SELLER, event(life, "no_show"))
    assert missed == order_of(life).missed_at_ms
    life.chain.now = order_of(life).until_ms
    assert [] == codes_of(life, SELLER, cancel(life, "time_over"))


# --- delivery.refuse ----------------------------------------------------------------------------------------
@table(
    Case("a car that has arrived", "accepted", BUYER, refuse, before=arrived),
    Case("a car that has not", "accepted", BUYER, refuse, ("delivery_order",), before=scheduled),
    Case("by the seller", "accepted", SELLER, refuse, ("not_a_party",), before=arrived),
    Case("twice", "accepted", BUYER, refuse, ("delivery_order",),
         before=lambda life: (arrived(life), life.chain.do(BUYER, refuse(life)))),
    Case("of none", "accepted", BUYER, lambda life: refuse(life, order=bytes(32)), ("order_unknown",)),
    Case("after the handover", "handed_over", BUYER, refuse, ("order_status",),
         before=having(delivery_stage="arrived")),
)  # fmt: skip
def test_refuse(case: Case) -> None:
    assert case.codes == case.run()


def test_a_seller_has_two_weeks_to_mend_what_was_refused() -> None:
    life = at("paid")
    arrived(life)
    life.chain.do(BUYER, refuse(life))
    refused = order_of(life).refused_at_ms
    for now, codes in ((refused + 14 * DAY_MS, ["cancel_reason"]), (refused + 14 * DAY_MS + 1, [])):
        life.chain.now = now
        assert codes == codes_of(life, BUYER, cancel(life, "refused"))
