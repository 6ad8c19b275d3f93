"""`vehicle.scrap` ends the life of a car."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Final

from msgspec import Meta
from msgspec.structs import replace

from node import limits
from node.ledger.example import Example
from node.ledger.fields import Address, Hash32, Vin
from node.ledger.guards import Guard
from node.ledger.json_form import time_to_text
from node.ledger.overlay import Ledger
from node.ledger.static_rules import StaticRule, Unique
from node.limits import DAY_MS
from node.txtypes.members.conduct import require_cosigner
from node.txtypes.members.mandate import MANDATE_MISSING
from node.txtypes.members.member import has_role, require_role
from node.txtypes.parts.battery import free_battery
from node.txtypes.service.recall import without_recalls
from node.txtypes.vehicle.bindings import free_part
from node.txtypes.vehicle.brands import with_brand
from node.txtypes.vehicle.conditions import check_flags
from node.txtypes.vehicle.guards import check_act_time, check_off_market
from node.txtypes.vehicle.record import Effect
from node.txtypes.vehicle.regions import Registration, ended_registration
from node.txtypes.vehicle.report import Author, Report
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle

ABANDONED_MS: Final = 30 * DAY_MS
"""How long after the official end of its registration a registrar has an abandoned car scrapped: whoever ends it
himself, as for the winter, has not abandoned the car."""

NOT_ABANDONED = Guard("not_abandoned", "the registrar's country has not ended the car's registration officially, 30 "
                      "days ago",
                      "das Land der Zulassungsstelle hat die Zulassung nicht vor 30 Tagen von Amts wegen beendet",
                      "登记机关所在国未在 30 天前依职权终止该车登记")  # fmt: skip


class Scrap(Report, tag="vehicle.scrap", frozen=True):
    """A dismantler takes a car apart, and the holder signs; or a registrar has an abandoned car scrapped, 30 days after
    its country ended the registration officially. That is the car's end: its registration, its duties and its open
    recalls end too, and nothing but corrections, disputes and sightings is written any more. `certificate`: commitment
    to the certificate of destruction. `parts_kept`: keys of the parts and batteries that may be fitted to other
    cars."""

    vin: Vin
    certificate: Hash32
    parts_kept: Annotated[tuple[Hash32, ...], Meta(max_length=limits.LIST_MAX)]
    police: Address | None
    """The police that orders the end of a car of uncertain identity, and signs; null for none."""
    static_rules: ClassVar[tuple[StaticRule, ...]] = (Unique("parts_kept"),)
    weight: ClassVar[int] = 200
    weight_each: ClassVar[Mapping[str, int]] = {"parts_kept": 2}
    by: ClassVar[Author] = Author("dismantler", "registrar")
    EXAMPLE: ClassVar[Example] = Example("dismantler-1", {
        "vin": "WBA8E9G50GNU12345", "certificate": "00" * 32, "parts_kept": [], "police": None,
        "odometer": {"value": 250_000, "unit": "km", "source": "cluster"}, "event_at": "now",
        "where": {"site": "", "vin_source": "obd", "model_seen": "330I"}, "holder_signs": True,
    }, ("buyer-1",))  # fmt: skip

    def signers(self, ledger: Ledger) -> tuple[bytes, ...]:
        """The holder itself, unless a registrar acts. An agent with the right to present a car cannot scrap it."""
        ordering = (self.police,) if self.police is not None else ()
        vehicle = ledger.get(VEHICLE, self.vin)
        if vehicle is None or has_role(ledger, ledger.sender, "registrar"):
            return ordering
        return (vehicle.holder, *ordering)

    def is_acknowledged(self, ledger: Ledger, vehicle: Vehicle) -> bool:
        return vehicle.holder in (ledger.sender, *self.signers(ledger))

    def record_guards(self, ledger: Ledger, vehicle: Vehicle | None) -> None:
        if self.mandate is not None:
            ledger.unmet(MANDATE_MISSING, self.mandate.hex(), need="the holder's own signature")
        if vehicle is None:
            return
        check_act_time(ledger, self.vin, self.event_at_ms)
        check_off_market(ledger, self.vin, vehicle)
        ordering = (self.police,) if self.police is not None else ()
        for police in ordering:
            require_cosigner(ledger, police, "police")
        check_flags(ledger, self.vin, vehicle, "scrap", signed_by=ordering)
        if has_role(ledger, ledger.sender, "registrar"):
            self._check_abandoned(ledger, vehicle.registration)

    def _check_abandoned(self, ledger: Ledger, registration: Registration) -> None:
        is_official = registration.status == "deregistered" and registration.end_reason == "official"
        ended = registration.since_ms if is_official else 0
        if not ended or ledger.now_ms < ended + ABANDONED_MS:
            have = time_to_text(ended) if ended else f"{registration.status} {registration.end_reason}".strip()
            ledger.unmet(NOT_ABANDONED, self.vin, have, "deregistered officially 30 days ago")
        else:
            require_role(ledger, ledger.sender, "registrar", country=registration.country)

    def effect(self, ledger: Ledger, vehicle: Vehicle) -> Effect:
        registration = ended_registration(vehicle.registration, ledger.now_ms, vehicle.record_count, "scrapped")
        brands = with_brand(vehicle.brands, "dismantled", ledger.now_ms, vehicle.record_count, is_confirmed=True)
        for kept in self.parts_kept:
            free_part(ledger, kept, self.vin, vehicle.record_count)
            free_battery(ledger, kept, self.vin, vehicle.record_count)
        ended = replace(
            vehicle, existence="scrapped", ended_at_ms=self.event_at_ms, registration=registration, brands=brands,
            duties=(),
        )  # fmt: skip
        return Effect(without_recalls(ledger, ended), is_material=True)
