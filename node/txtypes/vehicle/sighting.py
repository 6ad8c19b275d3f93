"""`vehicle.sighting` reports that a car was seen somewhere. The car may be unknown to this chain, scrapped or voided.

Sightings are kept beside the car's history: an unknown VIN has none, and nobody can fill a history with sightings.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Final

from msgspec import Meta

from node import limits
from node.codec import Value
from node.ledger.body import TransactionBody
from node.ledger.example import Example
from node.ledger.family import VIN_IDENT, AsOf, Family, Reader, extended
from node.ledger.fields import Address, Attachments, Hash32, Odometer, OptionalCountry, SightingReason, Time, Vin, Where
from node.ledger.overlay import Ledger
from node.rules.odometer import to_metres
from node.txtypes.identity.quota import check_acts, count_act
from node.txtypes.members.conduct import check_not_on_hold
from node.txtypes.members.member import Site, active_member, site_of
from node.txtypes.vehicle import places
from node.txtypes.vehicle.alerts import alert_elsewhere
from node.txtypes.vehicle.guards import SITE_UNKNOWN, check_event_time
from node.txtypes.vehicle.odometer import ACCREDITED
from node.txtypes.vehicle.report import Author
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle, vehicle_at

SEEN_MAX: Final = 8
ALIVE: Final = {"scrapped": "alive_after_scrap", "voided": "alive_after_void"}
"""State of a car whose history has ended, and the alert that a later sighting of it raises."""


class Seen(Value, frozen=True):
    """One sighting of a car. Country and place are those of the author's site; without a site they are empty or 0."""

    at_ms: Time
    author: Address
    reason: SightingReason
    country: OptionalCountry
    latitude_e6: int
    longitude_e6: int
    plate: Hash32 | None
    metres: int | None


class Sightings(Value, tag=1, frozen=True):
    """The number of all sightings of a VIN, and the newest of them in the order of their inclusion."""

    count: int
    seen: Annotated[tuple[Seen, ...], Meta(max_length=SEEN_MAX)]


def places_of(sightings: Sightings) -> tuple[places.Seen, ...]:
    """The places of the sightings that were made at a site."""
    return tuple(
        places.Seen(seen.at_ms, seen.latitude_e6, seen.longitude_e6, seen.metres)
        for seen in sightings.seen if seen.country
    )  # fmt: skip


def has_parallel_life(sightings: Sightings) -> bool:
    """Whether two cars seem to have this VIN: one car cannot have been at all places of its sightings in the time
    between."""
    return places.has_parallel_life(places_of(sightings))


class SightingsView(Sightings, frozen=True):
    """The sightings of a VIN. `parallel_life`: one car cannot have been at all these places in the time between
    them."""

    vin: Vin
    parallel_life: bool

    @staticmethod
    def of(ident: str, sightings: Sightings, reader: Reader, as_of: AsOf) -> SightingsView:
        return extended(SightingsView, sightings, vin=ident, parallel_life=has_parallel_life(sightings))


SIGHTINGS = Family(
    "sighting", Sightings, ident=VIN_IDENT, concerns=lambda vin, sightings: (f"vehicle/{vin}",), event="sighting",
    path="/v1/sightings", view=SightingsView, internal=("vin",),
)  # fmt: skip
NO_SIGHTINGS: Final = Sightings(0, ())


class VehicleSighting(TransactionBody, tag="vehicle.sighting", frozen=True):
    """Report that a car was seen. The car may be in service, scrapped, voided or unknown to this chain. A sighting is
    not appended to the car's history unless it changes an alert, so nobody can fill a history with sightings. `plate`:
    commitment to the plate that was seen, or none: only its author can show what it says."""

    vin: Vin
    reason: SightingReason
    plate: Hash32 | None
    event_at_ms: Time
    where: Where
    odometer: Odometer | None
    attachments: Attachments = ()
    by: ClassVar[Author] = Author(*ACCREDITED)
    headline: ClassVar[tuple[str, ...]] = ("reason",)
    EXAMPLE: ClassVar[Example] = Example("police-1", {
        "vin": "WBA8E9G50GNU99999", "reason": "roadside", "plate": None, "event_at": "now", "odometer": None,
        "where": {"site": "", "vin_source": "typed_twice", "model_seen": "330I"},
    })  # fmt: skip

    def guards(self, ledger: Ledger) -> None:
        check_not_on_hold(ledger, ledger.sender)
        check_event_time(ledger, self.vin, None, self.event_at_ms)
        if self.where.site and self._site(ledger) is None:
            ledger.unmet(SITE_UNKNOWN, self.where.site)
        check_acts(ledger, "vehicle.sighting", limits.SIGHTINGS_PER_DAY_MAX)

    def _site(self, ledger: Ledger) -> Site | None:
        return site_of(active_member(ledger, ledger.sender), self.where.site)

    def apply(self, ledger: Ledger) -> None:
        count_act(ledger, "vehicle.sighting")
        site, odometer = self._site(ledger), self.odometer
        country, place = ("", (0, 0)) if site is None else (site.country, (site.latitude_e6, site.longitude_e6))
        metres = None if odometer is None else to_metres(odometer.value, odometer.unit)
        seen = Seen(self.event_at_ms, ledger.sender, self.reason, country, *place, self.plate, metres)
        known = ledger.get(SIGHTINGS, self.vin) or NO_SIGHTINGS
        ledger.put(SIGHTINGS, self.vin, Sightings(known.count + 1, (*known.seen, seen)[-SEEN_MAX:]))
        vehicle = ledger.get(VEHICLE, self.vin)
        if vehicle is not None:
            codes = alerts_of(vehicle_at(vehicle, ledger.now_ms), seen)
            alert_elsewhere(ledger, self.vin, self, self.event_at_ms, codes)


def alerts_of(vehicle: Vehicle, seen: Seen) -> tuple[str, ...]:
    """The alerts that a sighting raises: the car was seen after it was scrapped or voided. Its plate raises none, since
    commitments of two authors differ for the same plate."""
    is_late = vehicle.existence in ALIVE and seen.at_ms > vehicle.ended_at_ms
    return (ALIVE[vehicle.existence],) if is_late else ()
