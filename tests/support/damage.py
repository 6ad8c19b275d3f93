"""Damage, repair, total loss and scrapping of a car, as bodies for tests."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from node.ledger.fields import RecordName
from node.txtypes.history import decode_record
from node.txtypes.members.member import MEMBER, Grant
from node.txtypes.service.damage import Damage
from node.txtypes.service.repair import Operation
from node.txtypes.vehicle.brands import brand_state
from node.txtypes.vehicle.life import LIFE, NO_LIFE, Life
from node.txtypes.vehicle.record import record_digest
from node.txtypes.vehicle.vehicle import VEHICLE
from support.chain import Chain, address
from support.life import VIN, accident, km
from support.specimens import Readable, specimen
from support.stages import change

WORKSHOP, SECOND_WORKSHOP, INSURER, POLICE = "workshop-berlin", "workshop-hamburg", "insurer-1", "police-1"

LIFE_BYTES_MAX = 15 * 1024
"""The most that the working sets of a car take (`node.txtypes.vehicle.life`)."""


def hit(chain: Readable, zones: str = "front", extent: str = "bolt_on", **changes):
    """An accident report; `zones` in one string."""
    return accident(chain, damages=tuple(Damage(zone, extent) for zone in zones.split()), **changes)


def report(chain: Readable, zones: str = "front", **changes):
    """An accident report without a site, as an author without one makes it."""
    body = hit(chain, zones, **changes)
    return replace(body, where=replace(body.where, site=""))


def repair(chain: Readable, operations: str = "front replace_part", value: int = 120, **changes):
    """A repair; `operations` as pairs of zone and method in one string."""
    words = iter(operations.split())
    done = tuple(Operation(zone, method) for zone, method in zip(words, words, strict=True))
    body = specimen("repair.record", chain, **dict(operations=done, odometer=km(value)) | changes)
    return replace(body, where=replace(body.where, site=""))


def loss(chain: Readable, category: str = "S", **changes):
    """A total loss without the holder's signature."""
    return specimen("vehicle.total_loss", chain, category=category, **dict(holder_signs=False) | changes)


def scrap(chain: Readable, **changes):
    return specimen("vehicle.scrap", chain, **changes)


def give_role(chain: Chain, name: str, role: str, capabilities: Iterable[str] = (), country: str = "") -> None:
    """A member has one more role, as if governance had granted it long ago."""
    member = chain.state(MEMBER, address(name))
    grant = Grant(role, (), country, tuple(capabilities), 0, 0, ())
    change(chain, MEMBER, address(name), grants=(*member.grants, grant))


def group(chain: Chain, name: str, *names: str) -> None:
    """Members become one group of companies."""
    for member in names:
        change(chain, MEMBER, address(member), group=name)


def life_of(chain: Chain, vin: str = VIN) -> Life:
    return chain.state(LIFE, vin) or NO_LIFE


def brands(chain: Chain, vin: str = VIN) -> dict[str, str]:
    """Brand to its state now."""
    return {brand.code: brand_state(brand, chain.now) for brand in chain.state(VEHICLE, vin).brands}


def name_of_record(chain: Chain, sequence: int, vin: str = VIN) -> RecordName:
    raw = chain.store.state.record(vin, sequence)
    return RecordName(sequence, record_digest(raw))


def last_sequence(chain: Chain, vin: str = VIN) -> int:
    return chain.state(VEHICLE, vin).record_count - 1


def outcome_of(chain: Chain, sequence: int, vin: str = VIN) -> tuple[str, ...]:
    return decode_record(chain.store.state.record(vin, sequence)).content.outcome
