"""Property 19: a part or a battery has at most one uncontested binding, whatever is recorded in whatever order.

The reference model is the set of cars that a part was fitted to and not removed from since.
"""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from support.foreign import FIVE, FOUR, SIX, THREE, TWO, battery, part
from support.hostile.checks import BYTES_MAX
from support.life import VIN, register
from support.stages import at, fork

from node.codec import encode
from node.rules.parts import PART_CLASSES
from node.txtypes.parts.battery import BATTERY, battery_key
from node.txtypes.vehicle import bindings
from node.txtypes.vehicle.bindings import (
    CLAIMS_MAX,
    PART,
    PREVIOUS_MAX,
    UNBOUND,
    Binding,
    BoundPart,
    FormerPlace,
    Place,
    claimants,
    fitted,
    part_id,
    removed,
    state_of,
)

CARS = (VIN, TWO, THREE, FOUR, FIVE, SIX)
Steps = list[tuple[str, str]]
STEPS = st.lists(st.tuples(st.sampled_from(["fit", "remove"]), st.sampled_from(CARS)), max_size=24)
Fit = Callable[[Binding, str, int, int], Binding]


def played(steps: Steps, fit: Fit = fitted) -> tuple[Binding, list[str]]:
    """(the binding, the cars that claim the part in truth)."""
    binding, claims = UNBOUND, list[str]()
    for at_ms, (action, vin) in enumerate(steps):
        if action == "fit":
            binding = fit(binding, vin, at_ms, at_ms)
            claims = claims if vin in claims else [*claims, vin]
        else:
            binding = removed(binding, vin, at_ms, at_ms)
            claims = [claim for claim in claims if claim != vin]
    return binding, claims


def holds(steps: Steps, fit: Fit = fitted) -> bool:
    """A binding that is not contested is that of the only car that claims the part."""
    binding, claims = played(steps, fit)
    if state_of(binding) == "bound":
        return claims == claimants(binding)
    return state_of(binding) == "contested" or not claims


@given(STEPS)
def test_an_uncontested_binding_is_the_only_one(steps: Steps) -> None:
    assert holds(steps)


@given(STEPS)
def test_with_few_cars_the_state_is_exactly_the_claims(steps: Steps) -> None:
    few = [(action, vin) for action, vin in steps if vin in CARS[:CLAIMS_MAX]]
    binding, claims = played(few)
    assert claims == claimants(binding)
    assert ("free", "bound", "contested")[min(len(claims), 2)] == state_of(binding)


@given(STEPS)
def test_the_lists_are_bounded(steps: Steps) -> None:
    binding, _ = played(steps)
    assert len(binding.claims) <= CLAIMS_MAX
    assert len(binding.previous) <= PREVIOUS_MAX
    assert len({place.vin for place in binding.previous}) == len(binding.previous)


# --- mutants: the property finds them -------------------------------------------------------------------------
def moves(binding: Binding, vin: str, at_ms: int, sequence: int) -> Binding:
    """The part is where it was fitted last, and nobody asks where it was."""
    return replace(binding, claims=(Place(vin, at_ms, sequence),))


def forgets(binding: Binding, vin: str, at_ms: int, sequence: int) -> Binding:
    """The list is bounded, and what it has no room for is forgotten."""
    return replace(fitted(binding, vin, at_ms, sequence), claims_left_out=0)


OVERFLOW: Steps = [("fit", vin) for vin in CARS[:5]] + [("remove", vin) for vin in CARS[1:4]]


def test_mutants_are_found() -> None:
    twice: Steps = [("fit", VIN), ("fit", TWO)]
    assert holds(twice) and not holds(twice, moves)
    assert holds(OVERFLOW) and not holds(OVERFLOW, forgets)


# --- on the chain ----------------------------------------------------------------------------------------------
def _cars():
    chain = at("").chain
    for vin in CARS[:3]:
        chain.do("bmw", register(vin, powertrain="bev"))
    return chain


def test_records_on_the_chain_follow_the_same_rule() -> None:
    """Every order of three fittings and one removal, for a part and for a battery."""
    base = _cars()
    for gone in CARS[:3]:
        chain = fork(base)
        for vin in CARS[:3]:
            chain.do("workshop-berlin", part(chain, vin))
            chain.do("workshop-berlin", battery(chain, vin))
        for make in (part, battery):
            chain.do("workshop-berlin", make(chain, gone, "remove"))
        for leaf in (chain.state(PART, _gearbox()), chain.state(BATTERY, battery_key("JPPEVE0123456789"))):
            assert ("contested", [vin for vin in CARS[:3] if vin != gone]) == (
                state_of(leaf.binding), claimants(leaf.binding),
            )  # fmt: skip


def _gearbox() -> bytes:
    return part_id("gearbox", "24008689030", "GA8HP50Z-0012345")


def test_a_full_leaf_is_bounded() -> None:
    places = tuple(Place(f"{n}" * 17, 2**47, 2**32 - 1) for n in range(4))
    former = tuple(FormerPlace(place.vin, 2**47, 2**32 - 1, 2**47, 2**32 - 1) for place in places)
    full = BoundPart(max(PART_CLASSES, key=len), Binding(places, 2**32, former))
    assert len(encode(full)) <= BYTES_MAX["part"]
    assert bindings.PREVIOUS_MAX == len(full.binding.previous)
