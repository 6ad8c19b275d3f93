"""Guards about the vehicle that many types share."""

from __future__ import annotations

from node import limits
from node.ledger.guards import Guard
from node.ledger.json_form import time_to_text
from node.ledger.overlay import Ledger
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle, market_of, vehicle_at

VEHICLE_UNKNOWN = Guard("vehicle_unknown", "there is no such vehicle on this chain",
                        "dieses Fahrzeug gibt es auf der Kette nicht", "链上没有该车辆")  # fmt: skip
VEHICLE_ENDED = Guard("vehicle_ended", "the vehicle is scrapped, or its import was voided: whoever has seen it "
                      "reports vehicle.sighting", "das Fahrzeug ist verschrottet, oder sein Import wurde für nichtig "
                      "erklärt: wer es gesehen hat, meldet vehicle.sighting",
                      "车辆已报废或其导入被作废；如发现该车请提交 vehicle.sighting")  # fmt: skip
EVENT_NOT_NOW = Guard("event_not_now", "an act is reported when it happens: the event is too long ago",
                      "eine Handlung wird gemeldet, wenn sie geschieht: das Ereignis liegt zu weit zurück",
                      "行为须在发生时报告：事件时间过早")  # fmt: skip
EVENT_IN_FUTURE = Guard("event_in_future", "the event is in the future", "das Ereignis liegt in der Zukunft",
                        "事件时间在未来")  # fmt: skip
EVENT_BEFORE_BIRTH = Guard("event_before_birth", "the event is before the vehicle's birth",
                           "das Ereignis liegt vor der Geburt des Fahrzeugs", "事件早于车辆诞生")  # fmt: skip
NOT_THE_HOLDER = Guard("not_the_holder", "the account does not hold the title", "das Konto ist nicht der Titelinhaber",
                       "该账户不是所有权人", is_permission=True)  # fmt: skip
STOP_FLAG = Guard("stop_flag", "a stop-flag blocks this operation", "ein Sperrvermerk verhindert dies", "存在禁止标记")
SITE_UNKNOWN = Guard("site_unknown", "no directory entry of the parties has such a site",
                     "kein Verzeichniseintrag der Beteiligten hat diesen Standort",
                     "当事方的目录中没有该营业场所")  # fmt: skip
MARKET_LIVE = Guard("market_live", "the vehicle is listed or reserved", "das Fahrzeug ist inseriert oder reserviert",
                    "车辆已挂牌或已预定")  # fmt: skip

RELIST_LOCKED = Guard(
    "relist_locked",
    "the car is kept for the buyer of an order that its seller has left, or that was paid in full",
    "das Fahrzeug ist dem Käufer eines Auftrags vorbehalten, den der Verkäufer verlassen hat oder der voll bezahlt war",
    "该车为已全额付款或被卖方弃约的订单买方保留",
)

ENDED = ("scrapped", "voided")
"""States of existence in which no further acts on the car are valid."""


def require_vehicle(ledger: Ledger, vin: str) -> Vehicle | None:
    """The vehicle as it counts now. Notes `vehicle_unknown`, then the result is None, or `vehicle_ended`."""
    vehicle = ledger.get(VEHICLE, vin)
    if vehicle is None:
        ledger.unmet(VEHICLE_UNKNOWN, vin)
        return None
    if vehicle.existence in ENDED:
        ledger.unmet(VEHICLE_ENDED, vin)
    return vehicle_at(vehicle, ledger.now_ms)


def check_event_time(ledger: Ledger, vin: str, vehicle: Vehicle | None, event_at_ms: int) -> None:
    """Notes an event more than five minutes after the block's time, or before the car's birth. A late report is
    valid."""
    if event_at_ms > ledger.now_ms + limits.EVENT_AHEAD_MAX_MS:
        latest = time_to_text(ledger.now_ms + limits.EVENT_AHEAD_MAX_MS)
        ledger.unmet(EVENT_IN_FUTURE, vin, time_to_text(event_at_ms), f"at most {latest}")
    if vehicle is not None and event_at_ms < vehicle.born_at_ms:
        born = time_to_text(vehicle.born_at_ms)
        ledger.unmet(EVENT_BEFORE_BIRTH, vin, time_to_text(event_at_ms), f"at least {born}")


def check_act_time(
    ledger: Ledger, vin: str, event_at_ms: int, *, age_max_ms: int = limits.ACT_AGE_MAX_MS, since_ms: int = 0
) -> None:
    """Notes `event_not_now` if an act (a handover, a transfer, an import) is backdated: a turned-back reading could
    hide behind honest later ones. `since_ms`: the earliest time of the act."""
    oldest = max(ledger.now_ms - age_max_ms, since_ms)
    if event_at_ms < oldest:
        ledger.unmet(EVENT_NOT_NOW, vin, time_to_text(event_at_ms), f"at least {time_to_text(oldest)}")


def check_holder(ledger: Ledger, vin: str, vehicle: Vehicle | None, address: bytes) -> None:
    if vehicle is not None and vehicle.holder != address:
        ledger.unmet(NOT_THE_HOLDER, vin)


def check_off_market(ledger: Ledger, vin: str, vehicle: Vehicle) -> None:
    """Notes a car that is listed, reserved or on its way back, or that is kept for the buyer of an order."""
    market = market_of(vehicle, ledger.now_ms)
    if market.status != "off":
        ledger.unmet(MARKET_LIVE, vin, market.status, "off")
    if ledger.now_ms < market.locked_until_ms:
        ledger.unmet(RELIST_LOCKED, vin, need=f"after {time_to_text(market.locked_until_ms)}")
