"""Guards of the handover, where title moves: signatures, final money, the car as it is, the reading; its effects."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.chain import DAY_MS, address
from support.life import PRICE, VIN, Life, acknowledge, flag, handover, km, read
from support.selling import (
    AGENT,
    BANK,
    BUYER,
    OTHER,
    SELLER,
    begin,
    codes_of,
    hand_over,
    handing_over,
    leg,
    market_of_car,
    order_of,
    ordered,
    pay,
    root_of,
    tell,
    terms,
    through_agent,
    with_credit,
)
from support.stages import Case, at, change, table

from node import limits
from node.audit.invariants import check_invariants
from node.errors import Malformed
from node.txtypes.sale.listing import LISTING
from node.txtypes.vehicle.regions import LIENS_MAX, OFF_MARKET
from node.txtypes.vehicle.vehicle import VEHICLE

ALL = PRICE.amount


def handing(value: int = 160, **changes):
    return lambda life: handover(life.chain, life.order, value, **changes)


def at_time(ms: int):
    """A handover so long after the chain's time."""
    return lambda life: handover(life.chain, life.order, event_at_ms=life.chain.now + ms)


def with_liens(*banks: str):
    """The car has liens, of which the buyer knows."""

    def place(life: Life) -> None:
        liens = tuple(flag("lien", bank, life.chain.now) for bank in banks)
        change(life.chain, VEHICLE, VIN, flags=liens)
        if order_of(life).agreed_root != root_of(life):
            life.chain.do(BUYER, acknowledge(life.chain, life.order))

    return place


def later(days: float):
    return lambda life: setattr(life.chain, "now", life.chain.now + int(days * DAY_MS))


@table(
    Case("paid", "paid", SELLER, handing(), (), (BUYER,)),
    Case("sent by the buyer", "paid", BUYER, handing(), (), (SELLER,)),
    Case("signed by one", "paid", SELLER, handing(), ("signature_missing",)),
    Case("signed by others besides", "paid", SELLER, handing(), ("signature_superfluous",), (BUYER, OTHER)),
    Case("sent by a third", "paid", OTHER, handing(), ("not_a_party",), (SELLER, BUYER)),
    Case("not paid", "accepted", SELLER, handing(), ("payment_not_final",), (BUYER,)),
    Case("only begun", "paying", SELLER, handing(), ("payment_not_final",), (BUYER,)),
    Case("of none", "paid", SELLER, lambda life: handover(life.chain, bytes(32)), ("order_unknown",)),
    Case("of an offer", "offered", SELLER, handing(), ("order_status",), (BUYER,)),
    Case("twice", "handed_over", SELLER, handing(), ("order_status",), (BUYER,)),
    Case("without a reading", "paid", SELLER, handing(odometer=None), ("odometer_missing",), (BUYER,)),
    Case("as the reading was", "paid", SELLER, handing(150), (), (BUYER,)),
    Case("below the reading", "paid", SELLER, handing(160), ("handover_reading",), (BUYER,),
         lambda life: life.chain.do("workshop-berlin", read(VIN, km(1_100), life.chain.now))),
    Case("another state of the car", "paid", SELLER, handing(material_root=bytes(32)), ("disclosure_stale",),
         (BUYER,)),
    Case("in five minutes", "paid", SELLER, at_time(limits.EVENT_AHEAD_MAX_MS), (), (BUYER,)),
    Case("later", "paid", SELLER, at_time(limits.EVENT_AHEAD_MAX_MS + 1), ("event_in_future",), (BUYER,)),
    Case("three days ago", "paid", SELLER, at_time(-limits.HANDOVER_AGE_MAX_MS), (), (BUYER,), later(4)),
    Case("before that", "paid", SELLER, at_time(-limits.HANDOVER_AGE_MAX_MS - 1), ("event_not_now",), (BUYER,),
         later(4)),
    Case("before the acceptance", "paid", SELLER,
         lambda life: handover(life.chain, life.order, event_at_ms=order_of(life).accepted_at_ms - 1),
         ("event_not_now",), (BUYER,)),
    Case("of a stolen car", "paid", SELLER, handing(), ("stop_flag",), (BUYER,),
         lambda life: change(life.chain, VEHICLE, VIN, flags=(flag("stolen"),))),
    Case("with a lien", "paid", SELLER, handing(), ("stop_flag",), (BUYER,), with_liens(BANK)),
    Case("with a lien whose bank signs", "paid", SELLER, handing(paid_off=(address(BANK),)), (), (BUYER, BANK),
         with_liens(BANK)),
    Case("with a lien whose bank is only named", "paid", SELLER, handing(paid_off=(address(BANK),)),
         ("signature_missing",), (BUYER,), with_liens(BANK)),
    Case("with liens of which one ends", "paid", SELLER, handing(paid_off=(address(BANK),)), ("stop_flag",),
         (BUYER, BANK), with_liens(BANK, "insurer-1")),
    Case("a bank without a lien", "paid", SELLER, handing(paid_off=(address(BANK),)), ("flag_absent",),
         (BUYER, BANK)),
    Case("a promise without a credit", "accepted", SELLER, handing(promises=True),
         ("promise_unfit", "payment_not_final"), (BUYER,)),
    Case("a car in payment that was not agreed on", "paid", SELLER, handing(trade_odometer=km(1)),
         ("trade_in_unready",), (BUYER,)),
)  # fmt: skip
def test_handover(case: Case) -> None:
    assert case.codes == case.run()


def test_everything_that_is_missing_is_named_at_once() -> None:
    life = at("accepted")
    raw = life.chain.sign(SELLER, handover(life.chain, life.order, odometer=None, material_root=bytes(32)))
    assert ["signature_missing", "payment_not_final", "odometer_missing", "disclosure_stale"] == life.chain.unmet(raw)


def test_a_bank_is_named_once() -> None:
    life = at("paid")
    with pytest.raises(Malformed, match="paid_off"):
        life.chain.sign(SELLER, handover(life.chain, life.order, paid_off=(address(BANK),) * 2), BUYER)


# --- money --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("parts", "codes"),
    [
        ((ALL,), []),
        ((ALL - 1,), ["payment_not_final"]),
        ((ALL - 1, 1), []),
        ((1, 2, ALL - 3), []),
        ((1, 2, ALL - 4), ["payment_not_final"]),
        ((ALL, 50), []),
    ],
)
def test_title_moves_against_the_whole_price_and_more_is_no_obstacle(parts, codes: list[str]) -> None:
    life = at("accepted")
    life.payment = begin(life)
    for part in parts:
        tell(life, "settled", part)
    assert codes == handing_over(life)


def test_money_that_went_back_does_not_count() -> None:
    life = at("paid")
    tell(life, "returned", 1)
    assert ["payment_not_final"] == handing_over(life)
    tell(life, "settled", 1)
    assert [] == handing_over(life)


def test_every_part_may_pay_for_every_other() -> None:
    """The price counts, not its parts."""
    life = ordered(terms(leg(10), leg(ALL - 10)))
    pay(life, 0, 10)
    life.payment = begin(life, 1, ALL - 10)
    tell(life, "settled", ALL - 10)
    assert [] == handing_over(life)


# --- the car --------------------------------------------------------------------------------------------------
def test_the_seller_still_holds_the_title() -> None:
    life = at("paid")
    change(life.chain, VEHICLE, VIN, holder=address(OTHER))
    assert "not_the_holder" in handing_over(life)


def test_the_car_is_reserved_by_this_very_order() -> None:
    life = at("paid")
    market = market_of_car(life)
    for changed, codes in (
        (market, []),
        (replace(market, order=bytes(32)), ["order_not_reserving"]),
        (replace(market, until_ms=1, money_until_ms=0), ["order_not_reserving"]),
        (OFF_MARKET, ["order_not_reserving"]),
    ):
        change(life.chain, VEHICLE, VIN, market=changed)
        assert codes == handing_over(life)


def test_a_handover_after_the_reservation_is_none() -> None:
    life = at("paid")
    life.chain.now = order_of(life).hold_until_ms
    assert ["order_expired", "order_not_reserving"] == handing_over(life)


def test_handover_moves_title_and_takes_the_car_off_the_market() -> None:
    life = at("delivered")
    before = life.chain.state(VEHICLE, VIN)
    now = life.chain.now
    txid = life.chain.do(SELLER, handover(life.chain, life.order), BUYER)
    vehicle, order = life.chain.state(VEHICLE, VIN), order_of(life)
    assert (address(BUYER), now, "in_service", before.transfer_count + 1, before.record_count + 1) == (
        vehicle.holder, vehicle.title_since_ms, vehicle.existence, vehicle.transfer_count, vehicle.record_count,
    )  # fmt: skip
    assert OFF_MARKET == vehicle.market
    assert ("completed", txid, now) == (order.status, order.title_record, order.ended_at_ms)
    assert "sold" == life.chain.state(LISTING, life.listing).status
    check_invariants(life.chain.store)


@pytest.mark.parametrize(("existence", "after_it"), [("born", "in_service"), ("rebuilt", "rebuilt")])
def test_a_handover_begins_service_and_undoes_nothing(existence: str, after_it: str) -> None:
    life = at("paid")
    change(life.chain, VEHICLE, VIN, existence=existence)
    change_agreement(life)
    hand_over(life)
    assert after_it == life.chain.state(VEHICLE, VIN).existence


def change_agreement(life: Life) -> None:
    if order_of(life).agreed_root != root_of(life):
        life.chain.do(BUYER, acknowledge(life.chain, life.order))


def test_a_lower_reading_is_judged_and_does_not_stop_the_handover() -> None:
    life = at("wholesale")
    life.chain.do("workshop-berlin", read(VIN, km(1_200), life.chain.now))
    for step in (life.listed, life.offered, life.accepted, life.paying, life.paid):
        step()
    assert ["handover_reading"] == codes_of(life, SELLER, handover(life.chain, life.order, 690), BUYER)
    life.chain.do("workshop-berlin", read(VIN, km(690), life.chain.now))
    assert ["verdict_contested", "acknowledgement_missing"] == codes_of(
        life, SELLER, handover(life.chain, life.order, 690), BUYER
    )
    life.chain.do(BUYER, acknowledge(life.chain, life.order))
    life.chain.do(SELLER, handover(life.chain, life.order, 690), BUYER)
    vehicle = life.chain.state(VEHICLE, VIN)
    assert address(BUYER) == vehicle.holder
    assert "CONTESTED" == vehicle.verdict


# --- credits, liens, promises ----------------------------------------------------------------------------------
def financed(**changes) -> Life:
    life = ordered(with_credit(**changes))
    pay(life, 0)
    return life


def test_a_lender_that_takes_a_lien_has_it_with_the_title() -> None:
    life = financed(takes_lien=True)
    pay(life, 1)
    before = root_of(life)
    hand_over(life)
    vehicle = life.chain.state(VEHICLE, VIN)
    (lien,) = vehicle.flags
    assert ("lien", address(BANK), True, address(BUYER)) == (lien.name, lien.setter, lien.is_firm, vehicle.holder)
    assert before != root_of(life), "a lien is material for the next buyer"


def test_a_lender_that_takes_the_title_signs_and_gets_it() -> None:
    life = financed(title_to="lender")
    pay(life, 1)
    assert ["signature_missing"] == handing_over(life)
    hand_over(life, BUYER, BANK)
    assert address(BANK) == life.chain.state(VEHICLE, VIN).holder


def test_a_lien_that_ends_makes_room_for_the_lenders() -> None:
    life = financed(takes_lien=True)
    pay(life, 1)
    others = ["insurer-1", "carrier-1", "police-1", "registrar-1"]
    assert LIENS_MAX == len(others)
    with_liens(*others)(life)
    some = tuple(map(address, others[:3]))
    assert ["stop_flag"] == handing_over(life, BUYER, *others[:3], paid_off=some)
    assert ["stop_flag"] * 4 + ["flags_full"] == handing_over(life)
    hand_over(life, BUYER, *others, paid_off=tuple(map(address, others)))
    assert [address(BANK)] == [lien.setter for lien in life.chain.state(VEHICLE, VIN).flags]


def test_a_promised_credit_counts_as_final_if_its_lender_signs() -> None:
    life = financed()
    assert ["payment_not_final"] == handing_over(life)
    assert ["signature_missing"] == handing_over(life, promises=True)
    assert [] == handing_over(life, BUYER, BANK, promises=True)


def test_a_promise_covers_the_credit_and_not_the_buyers_part() -> None:
    life = ordered(with_credit())
    assert ["payment_not_final"] == handing_over(life, BUYER, BANK, promises=True)


# --- agents ----------------------------------------------------------------------------------------------------
def test_an_agent_hands_over_with_its_right_and_needs_no_signature_of_its_principal() -> None:
    life = through_agent("paid")
    assert [] == handing_over(life, BUYER, sender=AGENT)
    assert [] == handing_over(life, BUYER, sender=SELLER)
    life = through_agent("paid", ("list", "negotiate", "accept"))
    assert ["mandate_missing"] == handing_over(life, BUYER, sender=AGENT)
