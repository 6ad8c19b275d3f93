"""The car that a buyer gives in payment."""

from __future__ import annotations

from node.ledger.guards import Guard
from node.ledger.overlay import Ledger
from node.txtypes.members.mandate import MANDATE
from node.txtypes.sale.deal import TradeIn, traded_in
from node.txtypes.sale.order import Order
from node.txtypes.vehicle.claims import check_owes_nothing
from node.txtypes.vehicle.conditions import check_flags, check_shown
from node.txtypes.vehicle.guards import check_holder, check_off_market, require_vehicle

TRADE_IN_UNREADY = Guard(
    "trade_in_unready",
    "this car cannot be taken in payment now",
    "dieses Fahrzeug kann jetzt nicht in Zahlung genommen werden",
    "该车目前不能用于置换",
)
TRADE_IN_VALUE = Guard("trade_in_value", "the value of the car in payment does not hold: amend the order",
                       "der Wert des Fahrzeugs in Zahlung gilt nicht: den Auftrag ändern",
                       "置换车辆的作价不成立：请修改订单")  # fmt: skip


def check_trade_in(ledger: Ledger, order: Order, *, is_sellers: bool) -> None:
    """Notes why the buyer's car cannot be reserved for the order now. `is_sellers`: the seller itself agrees."""
    trade_in = order.terms.trade_in
    if trade_in is None:
        return
    check_taker(ledger, order, trade_in, is_sellers=is_sellers)
    if trade_in.vin == order.vin:
        ledger.unmet(TRADE_IN_UNREADY, trade_in.vin, "the car that is sold", "another car")
    vehicle = require_vehicle(ledger, trade_in.vin)
    if vehicle is not None:
        check_holder(ledger, trade_in.vin, vehicle, order.buyer)
        check_shown(ledger, trade_in.vin, vehicle, trade_in.material_root)
        check_flags(ledger, trade_in.vin, vehicle, "accept")
        check_off_market(ledger, trade_in.vin, vehicle)
    check_owes_nothing(ledger, order.buyer, trade_in.vin)


def check_taker(ledger: Ledger, order: Order, trade_in: TradeIn, *, is_sellers: bool) -> None:
    """Notes a taker who is neither the seller nor its agent, or a value above what the agent may agree on."""
    if trade_in.taker not in (order.seller, order.agent):
        ledger.unmet(TRADE_IN_UNREADY, trade_in.vin, need="the seller or its agent takes the car")
    if order.agent is not None and not (is_sellers and trade_in.taker == order.seller):
        mandate = ledger.get(MANDATE, order.mandate) if order.mandate is not None else None
        most = mandate.sale.trade_in_max if mandate is not None and mandate.sale is not None else 0
        if traded_in(order.terms) > most:
            ledger.unmet(TRADE_IN_VALUE, trade_in.vin, traded_in(order.terms), f"at most {most}")
