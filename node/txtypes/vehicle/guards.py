"""Guards over the vehicle, shared by many types."""

from __future__ import annotations

from node import limits
from node.ledger.guards import Guard
from node.ledger.json_form import time_to_text
from node.ledger.overlay import Ledger
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle, market_of

VEHICLE_UNKNOWN = Guard("vehicle_unknown", "there is no such vehicle on this chain",
                        "dieses Fahrzeug gibt es auf der Kette nicht", "链上没有该车辆")  # fmt: skip
VEHICLE_ENDED = Guard("vehicle_ended", "the vehicle is scrapped", "das Fahrzeug ist verschrottet", "车辆已终结")
EVENT_IN_FUTURE = Guard("event_in_future", "the event is in the future", "das Ereignis liegt in der Zukunft",
                        "事件时间在未来")  # fmt: skip
EVENT_BEFORE_BIRTH = Guard("event_before_birth", "the event is before the vehicle's birth",
                           "das Ereignis liegt vor der Geburt des Fahrzeugs", "事件早于车辆诞生")  # fmt: skip
NOT_THE_HOLDER = Guard("not_the_holder", "the account does not hold the title", "das Konto ist nicht der Titelinhaber",
                       "该账户不是所有权人", is_permission=True)  # fmt: skip
STOP_FLAG = Guard("stop_flag", "a stop-flag blocks this operation", "ein Sperrvermerk verhindert dies", "存在禁止标记")
VERDICT_ILLOGICAL = Guard(
    "verdict_illogical",
    "the odometer readings contradict each other, and the other party has not agreed to that: set odometer_disclosed "
    "in the listing or the transfer; in an accepted order the buyer sends order.acknowledge",
    "die Kilometerstände widersprechen sich, und die andere Partei hat dem nicht zugestimmt: odometer_disclosed im "
    "Inserat oder in der Übertragung setzen; bei einem angenommenen Auftrag sendet der Käufer order.acknowledge",
    "里程读数矛盾，且对方尚未认可：请在挂牌或过户中设置 odometer_disclosed；订单已接受的，由买方发送 order.acknowledge",
)
MARKET_LIVE = Guard("market_live", "the vehicle is listed or reserved", "das Fahrzeug ist inseriert oder reserviert",
                    "车辆已挂牌或已预定")  # fmt: skip


def require_vehicle(ledger: Ledger, vin: str) -> Vehicle | None:
    """The living vehicle, or None after noting why not."""
    vehicle = ledger.get(VEHICLE, vin)
    if vehicle is None:
        ledger.unmet(VEHICLE_UNKNOWN, vin)
    elif vehicle.existence == "scrapped":
        ledger.unmet(VEHICLE_ENDED, vin)
    return vehicle


def check_event_time(ledger: Ledger, vin: str, vehicle: Vehicle | None, event_at_ms: int) -> None:
    """At most five minutes above the block's time, never before birth; late is allowed."""
    if event_at_ms > ledger.now_ms + limits.EVENT_AHEAD_MAX_MS:
        latest = time_to_text(ledger.now_ms + limits.EVENT_AHEAD_MAX_MS)
        ledger.unmet(EVENT_IN_FUTURE, vin, time_to_text(event_at_ms), f"at most {latest}")
    if vehicle is not None and event_at_ms < vehicle.born_at_ms:
        born = time_to_text(vehicle.born_at_ms)
        ledger.unmet(EVENT_BEFORE_BIRTH, vin, time_to_text(event_at_ms), f"at least {born}")


def check_flags(ledger: Ledger, vin: str, vehicle: Vehicle, operation: str, *, is_disclosed: bool) -> None:
    """Notes every stop-flag that blocks `operation`, and an illogical odometer that was not disclosed."""
    for flag in vehicle.flags:
        if operation in ledger.rules.tables.flags[flag.name].blocks:
            ledger.unmet(STOP_FLAG, vin, flag.name, f"no flag that blocks {operation}")
    if vehicle.verdict == "ILLOGICAL" and not is_disclosed:
        ledger.unmet(VERDICT_ILLOGICAL, vin, vehicle.verdict)


def check_holder(ledger: Ledger, vin: str, vehicle: Vehicle | None, address: bytes) -> None:
    if vehicle is not None and vehicle.holder != address:
        ledger.unmet(NOT_THE_HOLDER, vin)


def check_off_market(ledger: Ledger, vin: str, vehicle: Vehicle) -> None:
    market = market_of(vehicle, ledger.now_ms)
    if market.status != "off":
        ledger.unmet(MARKET_LIVE, vin, market.status, "off")
