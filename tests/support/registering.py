"""Records of registrars, as bodies for tests, and a car brought to each status of its registration."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from node.ledger.family import AsOf
from node.txtypes.registration.registration import RegistrationAccept
from node.txtypes.rulesets import RULESETS
from node.txtypes.vehicle.regions import Registration, registration_lapses
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle, VehicleView, material_root
from support.chain import Chain
from support.life import VIN, Life
from support.specimens import specimen
from support.stages import at, change, ledger_of

REGISTRARS = {"DE": "registrar-1", "CN": "registrar-2", "FR": "registrar-3"}
"""Country to its registrar; the third is in no development genesis."""


def put(chain: Chain, country: str = "DE", **changes: object):
    return specimen("registration.set", chain, country=country, **changes)


def suspend(chain: Chain, country: str = "DE", **changes: object):
    return specimen("registration.suspend", chain, country=country, **changes)


def end(chain: Chain, country: str = "DE", reason: str = "owner", **changes: object):
    return specimen("registration.end", chain, country=country, reason=reason, **changes)


def export(chain: Chain, country: str = "DE", to: str = "CN", **changes: object):
    return specimen("registration.export", chain, country=country, to_country=to, **changes)


def accept(chain: Chain, country: str = "CN", **changes: object) -> RegistrationAccept:
    body: RegistrationAccept = specimen("registration.accept", chain, country=country, **changes)
    return body


def claim(chain: Chain, country: str = "CN", **changes: object) -> RegistrationAccept:
    return replace(accept(chain, country, **changes), holder_signs=True)


def root(chain: Chain, vin: str = VIN) -> bytes:
    """What whoever takes the car is shown now."""
    return material_root(vin, chain.state(VEHICLE, vin))


def registration(chain: Chain) -> Registration:
    """As it is stored."""
    found: Registration = chain.state(VEHICLE, VIN).registration
    return found


def registration_at(registration: Registration, now_ms: int) -> Registration:
    """As it counts at a time."""
    for _, after in registration_lapses(registration, now_ms):
        registration = after
    return registration


def imported(life: Life) -> None:
    change(life.chain, VEHICLE, VIN, origin="imported", grade="C", existence="in_service")


def registered(life: Life) -> None:
    life.chain.do("registrar-1", put(life.chain))


def suspended(life: Life) -> None:
    registered(life)
    life.chain.do("registrar-1", suspend(life.chain))


def deregistered(life: Life) -> None:
    registered(life)
    life.chain.do("registrar-1", end(life.chain))


def leaving(life: Life, to: str = "CN") -> None:
    registered(life)
    life.chain.do("registrar-1", export(life.chain, to=to))


def exported(life: Life) -> None:
    leaving(life)
    life.chain.do("registrar-1", end(life.chain, reason="export_confirmed"))


def accepted(life: Life) -> None:
    """By CN."""
    leaving(life)
    life.chain.do("registrar-2", accept(life.chain))


def claimed(life: Life) -> None:
    registered(life)
    claim_it(life)


def claim_it(life: Life) -> None:
    life.chain.do("registrar-2", claim(life.chain), "bmw")


STATUSES: dict[str, Callable[[Life], object]] = {
    "none": lambda life: None,
    "registered": registered,
    "suspended": suspended,
    "deregistered": deregistered,
    "export_pending": leaving,
    "exported": exported,
}


def in_status(status: str) -> Life:
    """A new car whose registration in DE is in this status; an export goes to CN."""
    life = at("born")
    STATUSES[status](life)
    assert status == registration(life.chain).status
    return life


def car(chain: Chain) -> Vehicle:
    found: Vehicle = chain.state(VEHICLE, VIN)
    return found


def view(chain: Chain) -> VehicleView:
    return VehicleView.of(VIN, car(chain), ledger_of(chain), AsOf(chain.now, RULESETS[1]))
