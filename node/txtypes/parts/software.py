"""`software.update`: the software of a car's systems, and the approvals that it is covered by."""

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
from node.txtypes.vehicle.record import Effect
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
    """What a car's systems run, the least recently updated first, and the newest identification number for each UN
    Regulation (UN R156). What there is no room for is forgotten."""

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
    """A system's version before, empty if it had none or the author could not tell, and after."""

    system: SoftwareSystem
    before: OptionalVersion
    after: Version


def is_older(version: str, than: str) -> bool:
    """Whether one version is older than another: they have the same text around their numbers, and the numbers are
    smaller, the first that differs. Versions that are named in different ways can't be compared."""
    parts, others = re.split("([0-9]+)", version), re.split("([0-9]+)", than)
    if parts[::2] != others[::2]:
        return False
    return [int(number) for number in parts[1::2]] < [int(number) for number in others[1::2]]


def regulation_of(rxswin: str) -> str:
    return rxswin.partition("SWIN")[0]


class SoftwareUpdate(Report, tag="software.update", frozen=True):
    """A manufacturer, also over the air, or a workshop has updated software. It is never refused for its versions: what
    does not follow from what is known leaves the outcome `gap`, an older version `rolled_back`, which is material where
    the update is one of cyber security (UN R155). `package`: hash of what was installed; `campaign`: the recall that
    asked for it."""

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

    def take_back(self, ledger: Ledger, sequence: int) -> None:
        """The record of this has turned out to be wrong: what runs on the systems that still are as it says is not
        known."""
        known = ledger.get(SOFTWARE, self.vin) or NO_SOFTWARE
        told = {(update.system, update.after) for update in self.updates}
        systems = tuple(entry for entry in known.systems if (entry.system, entry.version) not in told)
        rxswins = tuple(rxswin for rxswin in known.rxswins if rxswin not in self.rxswins)
        left = Software(systems, rxswins)
        ledger.put(SOFTWARE, self.vin, left if left != NO_SOFTWARE else None)

    def _rxswins(self, known: Software) -> tuple[str, ...]:
        by_regulation = {regulation_of(rxswin): rxswin for rxswin in known.rxswins}
        for rxswin in self.rxswins:
            by_regulation.pop(regulation_of(rxswin), None)
            by_regulation[regulation_of(rxswin)] = rxswin
        return tuple(by_regulation.values())[-RXSWINS_MAX:]
