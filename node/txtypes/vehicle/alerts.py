"""Alerts: contradictions between records, which the chain raises by itself (see `rules.alerts`), and how they change.

An alert that one author has raised is shown and has no other effect. It is confirmed by a second author who is not
related to the first, by police, by a registrar, or by an inspector to whom the car was presented. A buyer has to know
of a confirmed alert.
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
"""Roles whose reports confirm an alert at once."""


def close_alert(alerts: Alerts, code: str) -> Alerts:
    """Close the alert `code`, which police, a registrar or a decision has settled. A closed alert stays visible."""
    return tuple(replace(alert, state="closed") if alert.code == code else alert for alert in alerts)


def close_all(alerts: Alerts) -> Alerts:
    return tuple(replace(alert, state="closed") for alert in alerts)


def confirms(ledger: Ledger, vin: str, alerts: Alerts, code: str, *, is_presented: bool = False) -> bool:
    """Whether a report by the sender confirms the alert `code`. `is_presented`: the holder or an agent presented the
    car."""
    sender, found = ledger.sender, find_alert(alerts, code)
    if ledger.rules.tables.alerts[code] == "confirmed" or has_role(ledger, sender, *BINDING):
        return True
    if is_presented and has_role(ledger, sender, "inspector"):
        return True
    is_second = found is not None and found.state == "reported"
    return is_second and found is not None and not related(ledger, found.author, sender, vin, ledger.now_ms)


def alerted(ledger: Ledger, vin: str, vehicle: Vehicle, codes: Iterable[str], *, is_presented: bool = False) -> Effect:
    """Report each of the alerts `codes` by the sender's next record on the vehicle. The effect has the vehicle after
    it, an outcome code for each alert, and whether an alert was confirmed."""
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


def told_late(ledger: Ledger, vin: str, effect: Effect, event_at_ms: int) -> Effect:
    """The effect of a material record, with the alert `late_disclosure` if its event is before the title last moved:
    whoever bought the car was not told."""
    vehicle = effect.vehicle
    if not vehicle.transfer_count or event_at_ms >= vehicle.title_since_ms:
        return effect
    late = alerted(ledger, vin, vehicle, ("late_disclosure",))
    return Effect(late.vehicle, (*effect.outcome, *late.outcome), is_material=True)


def alert_elsewhere(ledger: Ledger, vin: str, body: TransactionBody, event_at_ms: int, codes: Iterable[str]) -> None:
    """Report alerts on another car than the one that `body` is a record of, even if that car's history has ended. The
    body is appended to the car's history only where an alert changes its state, since the alert names a record; so
    repeated reports do not fill a history. A VIN that is not registered has no alerts."""
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
