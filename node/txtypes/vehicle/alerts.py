"""Alerts: contradictions between records, which the chain raises by itself (see `rules.alerts`), and how they change.

One author's alert is shown and changes nothing else. A second author who is not related to the first, police, a
registrar, or an inspector to whom the car was presented confirms it: then a buyer has to know. Police or a registrar
who has looked into it closes it with `alert.close`, a decision by annulling the record that raised it, and the
acceptance of a car closes that its export was not confirmed. A closed alert stays visible.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, ClassVar, Final, Literal

from msgspec import Meta
from msgspec.structs import replace

from node.crypto.addresses import to_text
from node.ledger.body import TransactionBody
from node.ledger.example import Example
from node.ledger.fields import AlertCode, AlertReason, Hash32, Vin
from node.ledger.guards import Guard
from node.ledger.overlay import Ledger
from node.rules.outcomes import alert_outcome
from node.txtypes.members.conduct import check_not_on_hold
from node.txtypes.members.member import Roles, has_role, require_role
from node.txtypes.vehicle.guards import VEHICLE_UNKNOWN
from node.txtypes.vehicle.record import Effect, append_record
from node.txtypes.vehicle.regions import Alert, Alerts, find_alert, raise_alert
from node.txtypes.vehicle.relation import NOT_INDEPENDENT, is_independent, related
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle, vehicle_at

BINDING: Final = ("police", "registrar")
"""Roles whose alert is confirmed at once, and who close one."""


ALERT_ABSENT = Guard("alert_absent", "the car has no such alert that is open",
                     "das Fahrzeug hat keinen solchen offenen Hinweis", "车辆没有该未关闭的警示")  # fmt: skip
ALERT_DIFFERS = Guard("alert_differs", "the alert was reported or confirmed again since: look at it first",
                      "der Hinweis wurde seither wieder gemeldet oder bestätigt: ihn zuerst ansehen",
                      "该警示此后又被报告或确认：请先查看")  # fmt: skip


def close_alert(alerts: Alerts, code: str, sequence: int = -1) -> Alerts:
    """The alerts after police, a registrar or a decision has settled `code`, by the record `sequence`, if there is one.
    It stays visible."""

    def closed(alert: Alert) -> Alert:
        return replace(alert, state="closed", sequence=alert.sequence if sequence < 0 else sequence)

    return tuple(closed(alert) if alert.code == code else alert for alert in alerts)


def unconfirmed(alerts: Alerts, code: str) -> Alerts:
    """The alerts after the record that confirmed `code` has turned out to be wrong: it is reported, as before."""
    return tuple(
        replace(alert, state="reported", sequence=alert.raised_by) if alert.code == code else alert for alert in alerts
    )


def reopened(alerts: Alerts, code: str, state: Literal["reported", "confirmed"], sequence: int) -> Alerts:
    """The alerts after the record `sequence`, which closed `code`, has turned out to be wrong."""
    return tuple(
        replace(alert, state=state)
        if (alert.code, alert.state, alert.sequence) == (code, "closed", sequence) else alert for alert in alerts
    )  # fmt: skip


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
    """The effect of a record of something material, with the alert `late_disclosure` if its event is before the title
    last moved: whoever bought the car was not told."""
    vehicle = effect.vehicle
    if not vehicle.transfer_count or event_at_ms >= vehicle.title_since_ms:
        return effect
    late = alerted(ledger, vin, vehicle, ("late_disclosure",))
    return Effect(late.vehicle, (*effect.outcome, *late.outcome), is_material=effect.is_material or late.is_material)


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


class AlertClose(TransactionBody, tag="alert.close", frozen=True):
    """Police, or a registrar of the car's country, who has looked into an alert closes it. `state` and `count`: those
    of the alert that it has looked at, so that nobody closes what was reported since. `case`: commitment to its file.
    A closed alert stays visible, and one that is reported again is open again."""

    vin: Vin
    alert: AlertCode
    state: Literal["reported", "confirmed"]
    count: Annotated[int, Meta(ge=1, le=2**40)]
    reason: AlertReason
    case: Hash32
    by: ClassVar[Roles] = Roles(*BINDING)
    headline: ClassVar[tuple[str, ...]] = ("alert", "reason")
    reports_event: ClassVar[bool] = False
    EXAMPLE: ClassVar[Example] = Example("police-1", {
        "vin": "WBA8E9G50GNU12345", "alert": "part_elsewhere", "state": "reported", "count": 1, "reason": "settled",
        "case": "00" * 32,
    })  # fmt: skip

    def guards(self, ledger: Ledger) -> None:
        """Those of a car that is no more are closed too."""
        stored = ledger.get(VEHICLE, self.vin)
        if stored is None:
            ledger.unmet(VEHICLE_UNKNOWN, self.vin)
            return
        vehicle, sender = vehicle_at(stored, ledger.now_ms), ledger.sender
        check_not_on_hold(ledger, sender)
        country = vehicle.registration.country
        if has_role(ledger, sender, "registrar") and not has_role(ledger, sender, "police"):
            require_role(ledger, sender, "registrar", country=country)
        if not is_independent(ledger, self.vin, vehicle, sender, ledger.now_ms, ledger.now_ms):
            ledger.unmet(NOT_INDEPENDENT, to_text(sender))
        found = find_alert(vehicle.alerts, self.alert)
        if found is None or found.state == "closed":
            ledger.unmet(ALERT_ABSENT, self.vin, self.alert)
        elif (found.state, found.count) != (self.state, self.count):
            ledger.unmet(ALERT_DIFFERS, self.vin, f"{found.state} {found.count}", f"{self.state} {self.count}")

    def apply(self, ledger: Ledger) -> None:
        vehicle = vehicle_at(ledger.the(VEHICLE, self.vin), ledger.now_ms)
        alerts = close_alert(vehicle.alerts, self.alert, vehicle.record_count)
        ledger.happened("vehicle.alert", f"vehicle/{self.vin}")
        append_record(ledger, self.vin, replace(vehicle, alerts=alerts), self, ledger.now_ms)


def _states(vehicle: Vehicle) -> list[tuple[str, str]]:
    return [(alert.code, alert.state) for alert in vehicle.alerts]
