"""`software.update` records the software of a car's systems, and the approvals that cover it."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Final

from msgspec import Meta

from node.codec import Value
from node.ledger import kinds
from node.ledger.example import Example
from node.ledger.family import VIN_IDENT, AsOf, Family, Reader, extended
from node.ledger.fields import Code, Hash32, Rxswin, SoftwareSystem, Vin
from node.ledger.overlay import Ledger
from node.ledger.static_rules import StaticRule, Unique
from node.rules.outcomes import GAP, ROLLED_BACK
from node.txtypes.vehicle.record import Effect, OwnEffect
from node.txtypes.vehicle.report import Author, Report
from node.txtypes.vehicle.vehicle import Vehicle

SYSTEMS_MAX: Final = 16
RXSWINS_MAX: Final = 8
Version = Annotated[
    str, Meta(pattern=r"^[A-Z0-9][A-Z0-9._/-]{0,19}\Z", description="as the maker writes it"), kinds.CODE
]
OptionalVersion = Annotated[str, Meta(pattern=r"^([A-Z0-9][A-Z0-9._/-]{0,19})?\Z"), kinds.CODE]


class Installed(Value, frozen=True):
    """The version of a system."""

    system: SoftwareSystem
    version: Version


class Software(Value, tag=1, frozen=True):
    """The installed version of each of a car's systems, the least recently updated first, and the newest software
    identification number for each UN Regulation (UN R156). Beyond the bounds the oldest entries are dropped."""

    systems: Annotated[tuple[Installed, ...], Meta(max_length=SYSTEMS_MAX)]
    rxswins: Annotated[tuple[Rxswin, ...], Meta(max_length=RXSWINS_MAX)]


class SoftwareView(Software, frozen=True):
    """The software of a car."""

    vin: Vin

    @staticmethod
    def of(ident: str, software: Software, reader: Reader, as_of: AsOf) -> SoftwareView:
        return extended(SoftwareView, software, vin=ident)


SOFTWARE = Family(
    "software", Software, ident=VIN_IDENT, concerns=lambda vin, software: (f"vehicle/{vin}",), event="software",
    path="/v1/installed-software", view=SoftwareView, internal=("vin",),
)  # fmt: skip
NO_SOFTWARE: Final = Software((), ())


class Update(Value, frozen=True):
    """One system's version after an update and before it. `before` is empty if the system had no software or the author
    could not tell."""

    system: SoftwareSystem
    before: OptionalVersion
    after: Version


def is_older(version: str, than: str) -> bool:
    """Whether `version` is older than `than`. Two versions are compared by their numbers, from left to right, if the
    text around the numbers is the same; otherwise neither is older."""
    parts, others = re.split("([0-9]+)", version), re.split("([0-9]+)", than)
    if parts[::2] != others[::2]:
        return False
    return [int(number) for number in parts[1::2]] < [int(number) for number in others[1::2]]


def regulation_of(rxswin: str) -> str:
    return rxswin.partition("SWIN")[0]


class SoftwareUpdate(Report, tag="software.update", frozen=True):
    """Record that the software of a car's systems was updated, by a workshop or by the manufacturer, also over the air.
    Versions never make the update invalid. If a previous version is not the one on record, the outcome is `gap`; if a
    new version is older than the one before, the outcome is `rolled_back`, which is material for a security update (UN
    R155). `package`: hash of the installed package; `campaign`: the recall that asked for the update."""

    vin: Vin
    updates: Annotated[tuple[Update, ...], Meta(min_length=1, max_length=16)]
    rxswins: Annotated[tuple[Rxswin, ...], Meta(max_length=RXSWINS_MAX)]
    package: Hash32
    over_air: bool
    security: bool
    campaign: Code | None
    static_rules: ClassVar[tuple[StaticRule, ...]] = (Unique("updates", by="system"), Unique("rxswins"))
    by: ClassVar[Author] = Author("manufacturer", "workshop")
    headline: ClassVar[tuple[str, ...]] = ("updates", "over_air", "security")
    EXAMPLE: ClassVar[Example] = Example("bmw", {
        "vin": "WBA8E9G50GNU12345", "updates": [{"system": "gateway", "before": "", "after": "21-07-540"}],
        "rxswins": ["R155SWIN01"], "package": "00" * 32, "over_air": True, "security": False, "campaign": None,
        "odometer": {"value": 12_000, "unit": "km", "source": "telematics"}, "event_at": "now",
        "where": {"site": "", "vin_source": "obd", "model_seen": "330I"},
    })  # fmt: skip

    def effect(self, ledger: Ledger, vehicle: Vehicle) -> Effect:
        known = ledger.get(SOFTWARE, self.vin) or NO_SOFTWARE
        versions = {entry.system: entry.version for entry in known.systems}
        has_gap = is_back = False
        for update in self.updates:
            was = versions.pop(update.system, "")
            has_gap = has_gap or (bool(was) and update.before != was)
            is_back = is_back or is_older(update.after, was or update.before)
            versions[update.system] = update.after
        systems = tuple(Installed(*entry) for entry in versions.items())[-SYSTEMS_MAX:]
        ledger.put(SOFTWARE, self.vin, Software(systems, self._rxswins(known)))
        outcome = (*((GAP,) if has_gap else ()), *((ROLLED_BACK,) if is_back else ()))
        return Effect(vehicle, outcome, is_material=is_back and self.security)

    def struck(self, ledger: Ledger, vehicle: Vehicle, sequence: int, by: OwnEffect | None) -> Vehicle:
        """The record of this has turned out to be wrong: what runs on the systems that still are as it says is not
        known."""
        if sequence < vehicle.first_sequence:
            return vehicle
        known = ledger.get(SOFTWARE, self.vin) or NO_SOFTWARE
        told = {(update.system, update.after) for update in self.updates}
        systems = tuple(entry for entry in known.systems if (entry.system, entry.version) not in told)
        rxswins = tuple(rxswin for rxswin in known.rxswins if rxswin not in self.rxswins)
        left = Software(systems, rxswins)
        ledger.put(SOFTWARE, self.vin, left if left != NO_SOFTWARE else None)
        return vehicle

    def _rxswins(self, known: Software) -> tuple[str, ...]:
        by_regulation = {regulation_of(rxswin): rxswin for rxswin in known.rxswins}
        for rxswin in self.rxswins:
            by_regulation.pop(regulation_of(rxswin), None)
            by_regulation[regulation_of(rxswin)] = rxswin
        return tuple(by_regulation.values())[-RXSWINS_MAX:]
