"""Bindings: which car a part or a battery with a serial number is in.

A fitting is stored even if it contradicts the known binding. The binding is then contested until a removal is recorded.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta
from msgspec.structs import replace

from node.codec import Value, encode
from node.crypto.hashing import tagged
from node.ledger.family import HASH_IDENT, VIN_IDENT, AsOf, Family, Index, Reader, extended
from node.ledger.fields import Id, OptionalTime, PartClass, Time, Vin
from node.ledger.overlay import Ledger

CLAIMS_MAX: Final = 4
PREVIOUS_MAX: Final = 4
SEPARATORS: Final = "._/-"
_WITHOUT_SEPARATORS: Final = str.maketrans("", "", SEPARATORS)
ENGINE_ELSEWHERE: Final = ("clone_vin", "part_elsewhere")
"""Alerts that are raised if two cars have the same engine: one of them may have the other's VIN."""
State = Literal["free", "bound", "contested"]


class Place(Value, frozen=True):
    """A car, and since when the part is in it, by the record `sequence` of that car."""

    vin: Vin
    at_ms: Time
    sequence: int


class FormerPlace(Value, frozen=True):
    """A car, and until when this chain had the part in it, by the record `sequence` of that car: the time of its block,
    since whoever removes a stolen part would date it back. `fitted_ms`, `fitted_by`: since when, and the record of it;
    both 0 where nobody had said that the part was in it."""

    vin: Vin
    at_ms: Time
    sequence: int
    fitted_ms: OptionalTime
    fitted_by: int


class Binding(Value, frozen=True):
    """The cars that a part is in or was in. `claims`: the cars that it was fitted to and not removed from, the newest
    last; if there are several, they contradict each other. `claims_left_out`: further claims beyond the bound, which
    still count as contradictions. `previous`: the last cars that it was removed from."""

    claims: Annotated[tuple[Place, ...], Meta(max_length=CLAIMS_MAX)]
    claims_left_out: int
    previous: Annotated[tuple[FormerPlace, ...], Meta(max_length=PREVIOUS_MAX)]


UNBOUND: Final = Binding((), 0, ())


def state_of(binding: Binding) -> State:
    claims = len(binding.claims) + binding.claims_left_out
    return "free" if not claims else "bound" if claims == 1 else "contested"


def claimants(binding: Binding) -> list[str]:
    """VINs of the cars that the part was fitted to and not removed from."""
    return [place.vin for place in binding.claims]


def is_in(binding: Binding, vin: str, first_sequence: int) -> bool:
    """Whether the part is bound to the car. A binding by a record before `first_sequence` belongs to a voided import of
    the same VIN, and does not count."""
    return any(place.vin == vin and place.sequence >= first_sequence for place in binding.claims)


def fitted(binding: Binding, vin: str, at_ms: int, sequence: int, first_sequence: int = 0) -> Binding:
    """After the part was fitted to a car; a car that has it already keeps its place (see `is_in`)."""
    if is_in(binding, vin, first_sequence):
        return binding
    claims = tuple(place for place in binding.claims if place.vin != vin)
    return _claimed(replace(binding, claims=claims), Place(vin, at_ms, sequence))


def _claimed(binding: Binding, place: Place) -> Binding:
    claims = (*binding.claims, place)
    left_out = max(0, len(claims) - CLAIMS_MAX)
    return replace(binding, claims=claims[left_out:], claims_left_out=binding.claims_left_out + left_out)


def removed(binding: Binding, vin: str, at_ms: int, sequence: int) -> Binding:
    """After the part was removed from a car. A car that was not known to have it counts only where nothing else is
    known: nobody flushes the list of previous cars by removing what he never had."""
    if vin not in claimants(binding) and binding != UNBOUND:
        return binding
    ended = next((place for place in binding.claims if place.vin == vin), None)
    others = (place for place in binding.previous if place.vin != vin)
    since_ms, fitted_by = (0, 0) if ended is None else (ended.at_ms, ended.sequence)
    previous = (*others, FormerPlace(vin, at_ms, sequence, since_ms, fitted_by))[-PREVIOUS_MAX:]
    return replace(binding, claims=tuple(p for p in binding.claims if p.vin != vin), previous=previous)


def without_record(binding: Binding, vin: str, sequence: int) -> Binding:
    """The binding after a record of a car has turned out to be wrong: the part was not fitted to it, or is in it
    still."""
    claims = tuple(place for place in binding.claims if (place.vin, place.sequence) != (vin, sequence))
    told = [place for place in binding.previous if place.vin == vin and sequence in (place.sequence, place.fitted_by)]
    after = replace(binding, claims=claims, previous=tuple(place for place in binding.previous if place not in told))
    for place in told:
        if place.sequence == sequence and place.fitted_ms and vin not in claimants(after):
            after = _claimed(after, Place(vin, place.fitted_ms, place.fitted_by))
    return after


# --- parts --------------------------------------------------------------------------------------------------
class BoundPart(Value, tag=1, frozen=True):
    """A part with a serial number, and its binding. The state has only the part's id; number and serial are in its
    records."""

    part_class: PartClass
    binding: Binding


class PartView(BoundPart, frozen=True):
    """A part, and whether it is free, bound to one car, or contested between several."""

    id: Id
    state: State

    @staticmethod
    def of(ident: str, part: BoundPart, reader: Reader, as_of: AsOf) -> PartView:
        return extended(PartView, part, id=bytes.fromhex(ident), state=state_of(part.binding))


PART = Family(
    "part", BoundPart, ident=HASH_IDENT,
    indexes=(
        Index("vehicle", lambda part: sorted(set(claimants(part.binding))), VIN_IDENT,
              description="VIN of a car that the part is bound to"),
    ),
    concerns=lambda ident, part: tuple(f"vehicle/{vin}" for vin in sorted(set(claimants(part.binding)))),
    event="part", status=lambda part: state_of(part.binding), path="/v1/parts", view=PartView, internal=("id",),
)  # fmt: skip


def part_id(part_class: str, number: str, serial: str) -> bytes:
    """`H("bmw/part", encode([class, number, serial]))`, number and serial without `SEPARATORS`: the id of a part, in
    whatever groups it is written. The number of an engine is left out, since its serial begins with its type; so the
    maker and a workshop name the same engine."""
    told = ("" if part_class == "engine" else number, serial)
    return tagged("bmw/part", encode([part_class, *(text.translate(_WITHOUT_SEPARATORS) for text in told)]))


def bind_at_birth(ledger: Ledger, vin: str, sequence: int, engine_serial: str) -> tuple[str, ...]:
    """Bind the engine of a car that its maker registers by the record `sequence`; returns the other cars that have
    it."""
    ident = part_id("engine", "", engine_serial)
    part = ledger.get(PART, ident) or BoundPart("engine", UNBOUND)
    binding = fitted(part.binding, vin, ledger.now_ms, sequence, first_sequence=sequence)
    ledger.put(PART, ident, replace(part, binding=binding))
    return tuple(other for other in claimants(binding) if other != vin)


def free_part(ledger: Ledger, ident: bytes, vin: str, sequence: int) -> None:
    """A part that is taken from a car as it is scrapped, by the record `sequence`, is free to be fitted again. That of
    another is left alone."""
    part = ledger.get(PART, ident)
    if part is not None and vin in claimants(part.binding):
        ledger.put(PART, ident, replace(part, binding=removed(part.binding, vin, ledger.now_ms, sequence)))
