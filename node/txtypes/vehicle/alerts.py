"""Alerts: contradictions between records that the chain raises by itself (see `rules.alerts`), and how they change.

One author's alert is shown and changes nothing else. A second author who is not related to the first, police, a
registrar, or an inspector to whom the car was presented confirms it: then a buyer has to know.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from node.ledger.body import TransactionBody
from node.ledger.overlay import Ledger
from node.rules.outcomes import alert_outcome
from node.txtypes.members.member import has_role
from node.txtypes.vehicle.record import Effect, append_record
from node.txtypes.vehicle.regions import Alerts, find_alert, raise_alert
from node.txtypes.vehicle.relation import related
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle

BINDING: Final = ("police", "registrar")
"""Roles whose alert is confirmed at once."""


def close_alert(alerts: Alerts, code: str) -> Alerts:
    """The alerts after police, a registrar or a decision has settled `code`. It stays visible."""
    return tuple(replace(alert, state="closed") if alert.code == code else alert for alert in alerts)


def close_all(alerts: Alerts) -> Alerts:
    return tuple(replace(alert, state="closed") for alert in alerts)


def confirms(ledger: Ledger, vin: str, alerts: Alerts, code: str, *, is_presented: bool = False) -> bool:
    """Whether a report by the sender confirms the alert. `is_presented`: the holder, or an agent, has shown the car."""
    sender, found = ledger.sender, find_alert(alerts, code)
    if ledger.rules.tables.alerts[code] == "confirmed" or has_role(ledger, sender, *BINDING):
        return True
    if is_presented and has_role(ledger, sender, "inspector"):
        return True
    is_second = found is not None and found.state == "reported"
    return is_second and found is not None and not related(ledger, found.author, sender, vin, ledger.now_ms)


def alerted(ledger: Ledger, vin: str, vehicle: Vehicle, codes: Iterable[str], *, is_presented: bool = False) -> Effect:
    """The vehicle after the sender's next record on it has reported each of `codes`, the outcome codes of that record,
    and whether it has confirmed one."""
    alerts, outcome, is_material = vehicle.alerts, [], False
    for code in sorted(set(codes)):
        was = find_alert(alerts, code)
        alerts = raise_alert(
            alerts, code, ledger.sender, vehicle.record_count, ledger.now_ms,
            is_confirmed=confirms(ledger, vin, alerts, code, is_presented=is_presented),
        )  # fmt: skip
        now = find_alert(alerts, code)
        assert now is not None, "it was just reported"
        outcome.append(alert_outcome(code))
        if was is None or was.state != now.state:
            ledger.happened("vehicle.alert", f"vehicle/{vin}")
            is_material = is_material or now.state == "confirmed"
    return Effect(replace(vehicle, alerts=alerts), tuple(outcome), is_material)


def alert_elsewhere(ledger: Ledger, vin: str, body: TransactionBody, event_at_ms: int, codes: Iterable[str]) -> None:
    """Report alerts on a car that `body` is not a record of, whatever has become of it. The body is appended to the
    car's history where an alert changes its state, since the alert names a record; so nobody fills a history by
    repeating himself. An unknown VIN has no alerts."""
    vehicle = ledger.get(VEHICLE, vin)
    if vehicle is None or not codes:
        return
    effect = alerted(ledger, vin, vehicle, codes)
    if _states(vehicle) == _states(effect.vehicle):
        ledger.put(VEHICLE, vin, effect.vehicle)
    else:
        append_record(ledger, vin, effect.vehicle, body, event_at_ms, effect.outcome, is_material=effect.is_material)


def _states(vehicle: Vehicle) -> list[tuple[str, str]]:
    return [(alert.code, alert.state) for alert in vehicle.alerts]
