"""A car in payment: reserved with the order, taken at the handover, and by whom and for how much."""

from __future__ import annotations

from msgspec.structs import replace
from support.chain import address
from support.life import PRICE, VIN, Life, accept, accident, flag, km, listing, offer, read
from support.selling import (
    AGENT,
    BANK,
    BUYER,
    OTHER,
    PROVIDER,
    SECOND,
    SELLER,
    codes_of,
    entrust,
    hand_over,
    handing_over,
    order_of,
    ordered,
    pay,
    root_of,
    second_car,
    through_agent,
    trade_fields,
    trading,
)
from support.stages import Case, change, table

from node.audit.invariants import check_invariants
from node.txtypes.members.accepted_rail import AcceptedRail
from node.txtypes.sale.deal import Terms
from node.txtypes.sale.order_family import ORDER
from node.txtypes.vehicle.claims import ORDER_CLAIMS
from node.txtypes.vehicle.regions import OFF_MARKET, Market
from node.txtypes.vehicle.vehicle import VEHICLE

VALUE = 1_000_000


def offered(life: Life, agreed: Terms | None = None) -> None:
    second_car(life)
    offering(life, agreed or trading(life))


def offering(life: Life, agreed: Terms) -> None:
    life.order = life.chain.do(BUYER, offer(life.chain, life.listing, terms=agreed))


def placed(**changes):
    """An offer with a car in payment that has changed since."""

    def place(life: Life) -> None:
        offered(life)
        change(life.chain, VEHICLE, SECOND, **changes)
        agreed = order_of(life).terms
        seen = replace(agreed.trade_in, material_root=root_of(life, SECOND))
        change(life.chain, ORDER, life.order, terms=replace(agreed, trade_in=seen))

    return place


def with_terms(**changes):
    def place(life: Life) -> None:
        second_car(life)
        offering(life, trading(life, **changes))

    return place


def through(value: int):
    """The agent has listed the car, and would take the buyer's one for a value."""

    def place(life: Life) -> None:
        second_car(life)
        rails = (AcceptedRail("bank_transfer", (address(PROVIDER),)), AcceptedRail("trade_in", ()))
        life.listing = life.chain.do(AGENT, listing(life.chain, mandate=entrust(life), rails=rails))
        offering(life, trading(life, value, taker=address(AGENT)))

    return place


def accepting(life: Life):
    return accept(life.chain, life.order)


@table(
    Case("the buyer's car", "listed", SELLER, accepting, (), (BUYER,), offered),
    Case("another's car", "listed", SELLER, accepting, ("not_the_holder",), (BUYER,), placed(holder=address(OTHER))),
    Case("the very car that is sold", "listed", SELLER, accepting, ("trade_in_unready", "not_the_holder",
         "market_live"), (BUYER,), lambda life: with_terms(vin=VIN, material_root=root_of(life))(life)),
    Case("a car that there is not", "listed", SELLER, accepting, ("vehicle_unknown",), (BUYER,),
         with_terms(vin="WBA8E9G50GNU99999")),
    Case("another state of the car", "listed", SELLER, accepting, ("disclosure_stale",), (BUYER,),
         with_terms(material_root=bytes(32))),
    Case("a stolen car", "listed", SELLER, accepting, ("stop_flag",), (BUYER,), placed(flags=(flag("stolen"),))),
    Case("a listed car", "listed", SELLER, accepting, ("market_live",), (BUYER,),
         placed(market=Market("listed", bytes(32), b"", 2**47))),
    Case("a car that is kept for another", "listed", SELLER, accepting, ("relist_locked",), (BUYER,),
         placed(market=Market("off", b"", bytes(32), 0, locked_until_ms=2**47))),
    Case("to a third", "listed", SELLER, accepting, ("trade_in_unready",), (BUYER,),
         with_terms(taker=address(OTHER))),
    Case("to the agent", "wholesale", AGENT, accepting, (), (BUYER,), through(VALUE)),
    Case("to the agent, above what it may take", "wholesale", AGENT, accepting, ("trade_in_value",), (BUYER,),
         through(VALUE + 1)),
)  # fmt: skip
def test_accepting_a_car_in_payment(case: Case) -> None:
    assert case.codes == case.run()


def traded(**changes: object) -> Life:
    life = ordered(None, before=second_car, terms_of=lambda life: trading(life, VALUE, **changes))
    pay(life)
    return life


def test_both_titles_move_in_one_step() -> None:
    life = traded()
    before = life.chain.state(VEHICLE, SECOND)
    hand_over(life, **trade_fields(life))
    sold, taken = life.chain.state(VEHICLE, VIN), life.chain.state(VEHICLE, SECOND)
    assert (address(BUYER), address(SELLER)) == (sold.holder, taken.holder)
    assert (OFF_MARKET, OFF_MARKET) == (sold.market, taken.market)
    assert (before.record_count + 1, before.transfer_count + 1) == (taken.record_count, taken.transfer_count)
    assert "completed" == order_of(life).status
    assert life.chain.state(ORDER_CLAIMS, life.order) is None, "the seller itself owes nobody its value"
    check_invariants(life.chain.store)


def test_the_money_is_the_price_without_the_cars_value() -> None:
    life = traded()
    assert PRICE.amount - VALUE == order_of(life).net
    assert [] == handing_over(life, **trade_fields(life))


def test_what_the_handover_says_of_the_car_in_payment() -> None:
    life = traded()
    good = trade_fields(life)
    for changes, codes in (
        ({}, []),
        ({"trade_odometer": None}, ["odometer_missing"]),
        ({"trade_odometer": km(1_000)}, []),
        ({"trade_odometer": km(1_001)}, ["trade_in_value"]),
        ({"trade_odometer": km(300, "mi")}, ["trade_in_value"]),
        ({"trade_material_root": None}, ["disclosure_stale"]),
        ({"trade_paid_off": (address(BANK),)}, ["signature_missing", "flag_absent"]),
    ):
        assert codes == handing_over(life, **good | changes), changes
    life.chain.do("workshop-berlin", read(SECOND, km(950), life.chain.now))
    assert ["handover_reading"] == handing_over(life, **trade_fields(life, 300))
    assert [] == handing_over(life, **trade_fields(life, 950))


def test_what_has_happened_to_the_car_in_payment_is_seen_at_the_handover() -> None:
    life = traded()
    shown = trade_fields(life)
    life.chain.do("workshop-berlin", accident(life.chain, 200, SECOND))
    assert ["disclosure_stale"] == handing_over(life, **shown)
    assert [] == handing_over(life, **trade_fields(life))
    change(life.chain, VEHICLE, SECOND, holder=address(OTHER))
    assert ["not_the_holder"] == handing_over(life, **trade_fields(life))
    change(life.chain, VEHICLE, SECOND, holder=address(BUYER), flags=(flag("stolen"),))
    assert ["stop_flag"] == handing_over(life, **trade_fields(life))
    change(life.chain, VEHICLE, SECOND, flags=(), market=OFF_MARKET)
    assert ["order_not_reserving"] == handing_over(life, **trade_fields(life))


def test_a_lien_on_the_car_in_payment_ends_if_its_bank_signs() -> None:
    life = traded()
    change(life.chain, VEHICLE, SECOND, flags=(flag("lien", BANK, life.chain.now),))
    assert ["stop_flag"] == handing_over(life, **trade_fields(life))
    ended = dict(trade_paid_off=(address(BANK),)) | trade_fields(life)
    assert ["signature_missing"] == handing_over(life, **ended)
    hand_over(life, BUYER, BANK, **ended)
    taken = life.chain.state(VEHICLE, SECOND)
    assert ((), address(SELLER)) == (taken.flags, taken.holder)


# --- an agent takes it ------------------------------------------------------------------------------------------
def taken_by_agent(value: int = VALUE) -> Life:
    life = through_agent("listed")
    second_car(life)
    offering(life, trading(life, value, taker=address(AGENT)))
    return life


def test_an_agent_takes_a_car_up_to_the_value_that_its_mandate_allows() -> None:
    for value, codes in ((VALUE, []), (VALUE + 1, ["trade_in_value"])):
        life = taken_by_agent(value)
        assert codes == codes_of(life, AGENT, accept(life.chain, life.order), BUYER)


def test_an_agent_that_takes_the_car_owes_its_principal_the_value() -> None:
    life = taken_by_agent()
    life.chain.do(AGENT, accept(life.chain, life.order), BUYER)
    pay(life)
    hand_over(life, BUYER, sender=AGENT, **trade_fields(life))
    assert address(AGENT) == life.chain.state(VEHICLE, SECOND).holder
    (claim,) = life.chain.state(ORDER_CLAIMS, life.order).entries
    assert (address(AGENT), address(SELLER), VALUE, "trade_in") == (
        claim.debtor, claim.creditor, claim.amount.amount, claim.cause,
    )  # fmt: skip


def test_a_taker_who_does_not_send_the_handover_signs_it() -> None:
    life = taken_by_agent()
    life.chain.do(AGENT, accept(life.chain, life.order), BUYER)
    pay(life)
    assert ["signature_missing"] == handing_over(life, BUYER, sender=SELLER, **trade_fields(life))
    assert [] == handing_over(life, BUYER, AGENT, sender=SELLER, **trade_fields(life))


def test_a_car_in_payment_is_sold_to_nobody_else() -> None:
    life = traded()
    assert ["market_live"] == codes_of(life, BUYER, listing(life.chain, SECOND, contracts=("private",)))
