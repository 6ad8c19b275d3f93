"""Reports: what accredited writers record about a car. Base of their types, with the fields that all of them have."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from node import limits
from node.crypto.addresses import to_text
from node.ledger.fields import Attachments, Hash32, Odometer, Time, Where
from node.ledger.guards import Guard
from node.ledger.overlay import Ledger
from node.rules.vin import wmi_of
from node.txtypes.members.conduct import check_not_on_hold
from node.txtypes.members.mandate import agent_of
from node.txtypes.members.member import (
    MEMBER,
    ROLE_AT_EVENT,
    ROLE_MISSING,
    ROLE_SCOPE,
    active_member,
    group_of,
    has_role,
    is_any_active,
    site_of,
)
from node.txtypes.vehicle.guards import SITE_UNKNOWN, check_event_time, require_vehicle
from node.txtypes.vehicle.odometer import ODOMETER_MISSING, check_readings_today
from node.txtypes.vehicle.readings import (
    NO_READINGS,
    ODOMETER,
    Readings,
    activity_of,
    taken_back,
    with_silent_record,
)
from node.txtypes.vehicle.record import VehicleRecord
from node.txtypes.vehicle.relation import is_close
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle

WITHOUT_READING: Final = ("police", "insurer", "registrar")
"""Roles that may report without a reading: a burnt wreck shows none."""

MODEL_DIFFERS = Guard("model_differs", "the model seen on the car is another than that of this VIN: compare the VIN",
                      "das gesehene Modell ist ein anderes als das dieser FIN: die FIN vergleichen",
                      "所见车型与该 VIN 不符：请核对 VIN")  # fmt: skip
REPORTS_ON_VEHICLE = Guard("reports_on_vehicle", "too many records of this author on this car without the holder's "
                           "signature", "zu viele Einträge dieses Autors zu diesem Fahrzeug ohne Unterschrift des "
                           "Halters", "该作者未经所有人签名的记录过多")  # fmt: skip


class Author:
    """The sender of a report: a member with one of the roles, for the car's maker and the country of the site, both now
    and at the time of the event. A grant that names a country takes a site in it, but for authorities and insurers,
    who have none. `is_holder_allowed`: the holder of the title may send it too."""

    def __init__(self, *roles: str, is_holder_allowed: bool = False, capability: str = "") -> None:
        self.roles = roles
        self.is_holder_allowed = is_holder_allowed
        self.capability = capability
        self.text = ("the holder of the title, or " if is_holder_allowed else "") + " or ".join(roles)
        self.text += ", now and at the time of the event"

    def check(self, ledger: Ledger, body: Any) -> None:
        sender = ledger.sender
        vehicle = ledger.get(VEHICLE, body.vin) if self.is_holder_allowed else None
        if vehicle is not None and vehicle.holder == sender:
            return
        member, roles, event_at_ms = active_member(ledger, sender), self.roles, body.event_at_ms
        site = site_of(member, body.where.site) if body.where.site else None
        wmi, country, capability = wmi_of(body.vin), site.country if site is not None else "", self.capability
        grants = [grant for grant in member.grants if grant.role in roles] if member is not None else []
        able = [
            grant for grant in grants
            if grant.covers(wmi, country) and (country or not grant.country or grant.role in WITHOUT_READING)
            and (not capability or capability in grant.capabilities)
        ]  # fmt: skip
        is_able = is_any_active(able, ledger.now_ms)
        if member is None or not (is_able or is_any_active(grants, ledger.now_ms)):
            ledger.unmet(ROLE_MISSING, to_text(sender), need=" or ".join(roles))
        elif not is_able:
            ledger.unmet(
                ROLE_SCOPE, to_text(sender), need=" ".join(filter(None, (wmi, country or "a site", capability)))
            )
        elif not (member.is_active(event_at_ms) and is_any_active(able, event_at_ms)):
            ledger.unmet(ROLE_AT_EVENT, to_text(sender), need=" or ".join(roles))


class Registrar(Author):
    """The sender of a registrar's act: a registrar whose grant names the country of the body, both now and at the time
    of the event."""

    def __init__(self) -> None:
        super().__init__("registrar")
        self.text = "registrar whose grant names the country, now and at the time of the event"

    def check(self, ledger: Ledger, body: Any) -> None:
        check_registrar(ledger, body.country, body.event_at_ms)


def check_registrar(ledger: Ledger, country: str, event_at_ms: int) -> None:
    """Notes if the sender is not a registrar of the country, both now and at the time of the event. A grant without a
    country does not suffice. An empty `country` stands for any."""
    if not has_role(ledger, ledger.sender, "registrar"):
        ledger.unmet(ROLE_MISSING, to_text(ledger.sender), need="registrar")
    elif not _is_registrar(ledger, ledger.now_ms, country):
        ledger.unmet(ROLE_SCOPE, to_text(ledger.sender), need=country)
    elif not _is_registrar(ledger, event_at_ms, country):
        ledger.unmet(ROLE_AT_EVENT, to_text(ledger.sender), need=f"registrar {country}".strip())


def _is_registrar(ledger: Ledger, at_ms: int, country: str) -> bool:
    member = ledger.get(MEMBER, ledger.sender)
    return member is not None and member.is_active(at_ms) and any(
        grant.role == "registrar" and grant.is_active(at_ms) and country in ("", grant.country)
        for grant in member.grants
    )  # fmt: skip


def check_number(ledger: Ledger, vin: str, leaf: Readings, unsigned: int) -> None:
    """Notes if the sender has written on the car too often within 30 days without the holder's signature, or has taken
    back too many of such readings: else it would make offers stale as often as it likes, and leave nothing.
    `unsigned`: how many records without that signature the sender has written, see `activity_of`."""
    if unsigned >= limits.RECORDS_PER_AUTHOR_MAX:
        ledger.unmet(REPORTS_ON_VEHICLE, vin, unsigned, f"at most {limits.RECORDS_PER_AUTHOR_MAX} in 30 days")
    taken = taken_back(leaf, ledger.sender, ledger.now_ms - limits.TAKEN_BACK_MS)
    if taken >= limits.TAKEN_BACK_MAX:
        ledger.unmet(REPORTS_ON_VEHICLE, vin, f"{taken} taken back", f"below {limits.TAKEN_BACK_MAX} in 30 days")


class Report(VehicleRecord, frozen=True, kw_only=True):
    """A record of what an accredited writer has seen or done. Its fields follow those of the type. `holder_signs`: the
    holder signs too, or the agent of its `mandate` with the right to present the car."""

    event_at_ms: Time
    where: Where
    odometer: Odometer | None
    holder_signs: bool = False
    mandate: Hash32 | None = None
    attachments: Attachments = ()
    by: ClassVar[Author]

    def _presenter(self, ledger: Ledger, vehicle: Vehicle) -> bytes:
        return agent_of(ledger, self.mandate, "present", vehicle.holder, self.vin, vehicle.title_since_ms)

    def signers(self, ledger: Ledger) -> tuple[bytes, ...]:
        vehicle = ledger.get(VEHICLE, self.vin) if self.holder_signs else None
        return (self._presenter(ledger, vehicle),) if vehicle is not None else ()

    def is_acknowledged(self, ledger: Ledger, vehicle: Vehicle) -> bool:
        """Whether the holder has signed, or an agent that is not related to the author. A holder is believed at once
        against its own interest."""
        if vehicle.holder == ledger.sender:
            return True
        if not self.holder_signs:
            return False
        presenter = self._presenter(ledger, vehicle)
        return presenter == vehicle.holder or not is_close(ledger, presenter, ledger.sender, self.vin, self.event_at_ms)

    def guards(self, ledger: Ledger) -> None:
        vehicle = require_vehicle(ledger, self.vin)
        check_not_on_hold(ledger, ledger.sender)
        check_event_time(ledger, self.vin, vehicle, self.event_at_ms)
        if self.where.site and site_of(active_member(ledger, ledger.sender), self.where.site) is None:
            ledger.unmet(SITE_UNKNOWN, self.where.site)
        if vehicle is not None and self.where.model_seen != vehicle.model:
            ledger.unmet(MODEL_DIFFERS, self.vin, self.where.model_seen, vehicle.model)
        readings = ledger.get(ODOMETER, self.vin) or NO_READINGS
        today, unsigned = activity_of(readings, ledger.sender, ledger.now_ms)
        if self.odometer is not None:
            check_readings_today(ledger, self.vin, today)
        elif not has_role(ledger, ledger.sender, *self._without_reading()):
            ledger.unmet(ODOMETER_MISSING, self.vin)
        if vehicle is not None and self._is_numbered(ledger, vehicle):
            check_number(ledger, self.vin, readings, unsigned)
        self.record_guards(ledger, vehicle)

    def _without_reading(self) -> tuple[str, ...]:
        """Roles in which this may be reported without a reading: another role of the sender is none."""
        return tuple(role for role in WITHOUT_READING if role in self.by.roles)

    def _is_numbered(self, ledger: Ledger, vehicle: Vehicle) -> bool:
        """Whether it is one of the records without the holder's signature that an author may write on a car."""
        return not self.holder_signs and ledger.sender not in (vehicle.holder, vehicle.maker)

    def apply(self, ledger: Ledger) -> None:
        if self.odometer is None and self._is_numbered(ledger, ledger.the(VEHICLE, self.vin)):
            leaf = ledger.get(ODOMETER, self.vin) or NO_READINGS
            group = group_of(ledger, ledger.sender)
            ledger.put(ODOMETER, self.vin, with_silent_record(leaf, ledger.sender, group, ledger.now_ms))
        super().apply(ledger)
