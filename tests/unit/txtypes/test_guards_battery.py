"""Guards and effects of `battery.bind` and `battery.health`."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace
from support.chain import DAY_MS, Chain
from support.damage import scrap
from support.foreign import THREE, TWO, battery, health, outcome_of
from support.hostile.checks import BYTES_MAX
from support.life import Life, km, register
from support.stages import Case, at, change, table
from support.views import view_of

from node.codec import encode
from node.errors import Malformed
from node.ledger.body import TransactionBody
from node.ledger.json_form import from_json, to_json
from node.rules.parts import BATTERY_FLOORS, BATTERY_METHODS, BATTERY_STATES
from node.txtypes.parts.battery import (
    BATTERY,
    HEALTH_MAX,
    YEAR_MS,
    Battery,
    BatteryBind,
    Health,
    battery_key,
    is_below_floor,
)
from node.txtypes.vehicle.bindings import UNBOUND, Binding, FormerPlace, Place, claimants, state_of
from node.txtypes.vehicle.vehicle import VEHICLE

ID = battery_key("JPPEVE0123456789")
TOLD = Place(TWO, 0, 0)


def cars(*powertrains: str) -> Chain:
    chain = at("").chain
    for vin, powertrain in zip((TWO, THREE), powertrains or ("bev", "bev"), strict=False):
        chain.do("bmw", register(vin, powertrain=powertrain))
    return chain


def test_a_battery_that_is_kept_from_a_scrapped_car_is_free() -> None:
    chain = cars()
    chain.do("workshop-berlin", battery(chain, TWO))
    chain.do("dismantler-1", scrap(chain, vin=TWO, parts_kept=(ID,), odometer=km(200)), "bmw")
    assert "free" == state_of(chain.state(BATTERY, ID).binding)
    chain.do("workshop-berlin", battery(chain, THREE, "fit", 10, state="reused"))
    assert [] == outcome_of(chain, THREE)
    assert [THREE] == claimants(chain.state(BATTERY, ID).binding)


def has(powertrain: str = "bev", is_fitted: bool = False) -> Callable[[Life], None]:
    def before(life: Life) -> None:
        life.chain.do("bmw", register(TWO, powertrain=powertrain))
        if is_fitted:
            life.chain.do("workshop-berlin", battery(life.chain, TWO))

    return before


def bind(**changes) -> Callable[[Life], TransactionBody]:
    return lambda life: battery(life.chain, TWO, **changes)


def measure(soh: int = 900, **changes) -> Callable[[Life], TransactionBody]:
    return lambda life: health(life.chain, soh, TWO, **changes)


@table(
    Case("fit", "", "workshop-berlin", bind(), (), (), has()),
    Case("by the maker", "", "bmw", bind(), (), (), has()),
    Case("by an inspector", "", "inspector-1", bind(), ("role_missing",), (), has()),
    Case("by a workshop without hv", "", "workshop-hamburg", bind(), ("role_scope",), (), has()),
    Case("a hybrid", "", "workshop-berlin", bind(), (), (), has("phev")),
    Case("a petrol car", "", "workshop-berlin", bind(), ("no_hv",), (), has("petrol")),
    Case("a diesel car", "", "workshop-berlin", bind(), ("no_hv",), (), has("diesel")),
    Case("an unknown state", "", "workshop-berlin", bind(state="fine"), ("code_unknown",), (), has()),
    Case("no car", "", "workshop-berlin", bind(), ("vehicle_unknown",)),
)  # fmt: skip
def test_bind_a_battery(case: Case) -> None:
    assert case.codes == case.run()


@table(
    Case("health", "", "inspector-1", measure(), (), (), has(is_fitted=True)),
    Case("by the maker", "", "bmw", measure(method="telematics"), (), (), has(is_fitted=True)),
    Case("by a dealer", "", "dealer-munich", measure(), ("role_missing",), (), has(is_fitted=True)),
    Case("an unknown battery", "", "inspector-1", measure(), ("battery_unknown",), (), has()),
    Case("a petrol car", "", "inspector-1", measure(), ("no_hv", "battery_unknown"), (), has("petrol")),
    Case("an unknown method", "", "inspector-1", measure(method="guessed"), ("code_unknown",), (), has(is_fitted=True)),
)  # fmt: skip
def test_health(case: Case) -> None:
    assert case.codes == case.run()


@pytest.mark.parametrize(("ident", "is_good"), [
    ("RBMW", True), ("R" * 50, True), ("JPPEVE.01/23-45+6", True), ("RBM", False), ("R" * 51, False), ("rbmw1", False),
])  # fmt: skip
def test_the_form_of_a_battery_id(ident: str, is_good: bool) -> None:
    shown = {**to_json(battery(at("").chain)), "battery_id": ident}
    del shown["type"]
    if is_good:
        assert ident == from_json(BatteryBind, shown).battery_id
    else:
        with pytest.raises(Malformed):
            from_json(BatteryBind, shown)


def codes(chain: Chain, vin: str) -> list[tuple[str, str]]:
    return [(alert.code, alert.state) for alert in chain.state(VEHICLE, vin).alerts]


def test_a_battery_in_two_cars() -> None:
    chain = cars()
    chain.do("workshop-berlin", battery(chain, TWO))
    chain.do("workshop-berlin", battery(chain, THREE))
    assert [("battery_elsewhere", "reported")] == codes(chain, TWO) == codes(chain, THREE)
    leaf = chain.state(BATTERY, ID)
    assert ("contested", [TWO, THREE]) == (state_of(leaf.binding), claimants(leaf.binding))
    assert "contested" == view_of(chain, BATTERY, ID)["place"]


def test_a_health_of_a_battery_that_is_elsewhere_tells_both() -> None:
    chain = cars()
    chain.do("workshop-berlin", battery(chain, TWO))
    chain.do("inspector-1", health(chain, 900, THREE))
    assert [("battery_elsewhere", "reported")] == codes(chain, TWO) == codes(chain, THREE)
    assert "bound" == state_of(chain.state(BATTERY, ID).binding), "measuring is not fitting"
    assert () == chain.state(BATTERY, ID).health, "and says nothing of the battery of the other car"
    assert ["alert:battery_elsewhere", "not_bound"] == outcome_of(chain, THREE)


def test_a_second_car_buries_nothing_that_was_said_of_the_battery_in_the_first() -> None:
    """A rival would make it bad there, a friend of the seller good."""
    chain = cars()
    chain.do("workshop-berlin", battery(chain, TWO))
    chain.do("inspector-1", health(chain, 700, TWO))
    before = chain.state(BATTERY, ID)
    chain.do("workshop-berlin", battery(chain, THREE, passport=b"\x01" * 32, state="waste", value=9_000))
    for action, soh in (("fit", 100), ("remove", 990)):
        chain.do("inspector-1", health(chain, soh, THREE))
        assert "not_bound" in outcome_of(chain, THREE)
        chain.do("workshop-berlin", battery(chain, THREE, action, state="waste"))
        told = replace(chain.state(BATTERY, ID), binding=before.binding)
        assert before == told
    chain.do("inspector-1", health(chain, 690, TWO))
    assert [700, 690] == [entry.soh for entry in chain.state(BATTERY, ID).health]


@pytest.mark.parametrize("existence", ["scrapped", "voided"])
def test_a_car_that_has_ended_does_not_speak_for_its_battery(existence: str) -> None:
    chain = cars()
    chain.do("workshop-berlin", battery(chain, TWO))
    change(chain, VEHICLE, TWO, existence=existence)
    chain.do("workshop-berlin", battery(chain, THREE, state="reused"))
    chain.do("inspector-1", health(chain, 880, THREE))
    leaf = chain.state(BATTERY, ID)
    assert ("reused", [880]) == (leaf.state, [entry.soh for entry in leaf.health])


def test_removed_and_reused() -> None:
    chain = cars()
    chain.do("workshop-berlin", battery(chain, TWO))
    before = chain.state(BATTERY, ID)
    chain.do("workshop-berlin", battery(chain, THREE, "remove", passport=b"\x01" * 32, state="waste"))
    assert ["not_bound"] == outcome_of(chain, THREE)
    assert before == chain.state(BATTERY, ID)
    chain.do("workshop-berlin", battery(chain, TWO, "remove"))
    chain.do("workshop-berlin", battery(chain, THREE, state="reused", value=5_000))
    leaf = chain.state(BATTERY, ID)
    assert ("reused", 5_000_000, "bound") == (leaf.state, leaf.fit_metres, state_of(leaf.binding))
    assert leaf.first_fit_ms < chain.now - 1_000, "its first life has begun before"
    assert [] == codes(chain, TWO) == codes(chain, THREE)


@pytest.mark.parametrize(("soh", "changes", "outcome"), [
    (930, {}, []), (931, {}, ["implausible"]), (931, {"recalibrated": True}, []), (700, {}, []),
])  # fmt: skip
def test_a_rise(soh: int, changes: dict, outcome: list[str]) -> None:
    chain = cars()
    chain.do("workshop-berlin", battery(chain, TWO))
    chain.do("inspector-1", health(chain, 900, TWO))
    chain.do("inspector-1", health(chain, soh, TWO, **changes))
    assert outcome == outcome_of(chain, TWO)


def test_a_rise_after_a_fitting_is_no_wonder() -> None:
    chain = cars()
    chain.do("workshop-berlin", battery(chain, TWO))
    chain.do("inspector-1", health(chain, 500, TWO))
    chain.do("workshop-berlin", battery(chain, TWO, "remove"))
    chain.do("workshop-berlin", battery(chain, TWO, state="remanufactured"))
    chain.do("inspector-1", health(chain, 990, TWO))
    assert [] == outcome_of(chain, TWO)
    chain.do("inspector-1", health(chain, 400, TWO))
    chain.do("inspector-1", health(chain, 990, TWO))
    assert ["implausible"] == outcome_of(chain, TWO)


def test_a_rise_is_seen_from_the_event_before_it() -> None:
    """A late record of an old, better state is no rise."""
    chain = cars()
    chain.do("workshop-berlin", battery(chain, TWO))
    chain.do("inspector-1", health(chain, 500, TWO))
    chain.do("inspector-1", health(chain, 990, TWO, event_at_ms=chain.now - 60_000))
    assert [] == outcome_of(chain, TWO)


def test_the_last_states_are_kept_in_the_order_of_their_events() -> None:
    chain = cars()
    chain.do("workshop-berlin", battery(chain, TWO))
    change(chain, BATTERY, ID, health=tuple(Health(n, 900, 0, 1, 1) for n in range(HEALTH_MAX)))
    chain.do("inspector-1", health(chain, 899, TWO))
    kept = chain.state(BATTERY, ID).health
    assert (HEALTH_MAX, 1, 899) == (len(kept), kept[0].at_ms, kept[-1].soh)


# --- Euro 7 ----------------------------------------------------------------------------------------------------
def aged(years: int, km: int, soh: int, days: int = 0) -> bool:
    leaf = Battery(UNBOUND, bytes(32), 80_000, "original", TOLD, False, 1_000, 5_000_000, False, ())
    newest = Health(1_000 + years * YEAR_MS + days * DAY_MS, soh, 0, 1, 5_000_000 + km * 1_000)
    return is_below_floor(replace(leaf, health=(newest,)), BATTERY_FLOORS)


FLOORS = {
    (5, 100_000, 800): False, (5, 100_000, 799): True, (6, 100_000, 799): False, (5, 100_001, 799): False,
    (8, 160_000, 720): False, (8, 160_000, 719): True, (9, 1, 100): False, (1, 160_001, 100): False,
}  # fmt: skip


@pytest.mark.parametrize(("years", "km", "soh"), FLOORS)
def test_the_floor(years: int, km: int, soh: int) -> None:
    assert FLOORS[years, km, soh] == aged(years, km, soh)


def test_one_day_more_than_eight_years() -> None:
    assert not aged(8, 1, 100, days=1)


def test_without_a_measurement_nothing_is_below() -> None:
    assert not is_below_floor(Battery(UNBOUND, bytes(32), 1, "original", TOLD, False, 0, 0, False, ()), BATTERY_FLOORS)


def test_answers_say_it() -> None:
    chain = cars()
    chain.do("workshop-berlin", battery(chain, TWO))
    assert view_of(chain, BATTERY, ID)["below_floor"] is False
    chain.do("inspector-1", health(chain, 700, TWO))
    assert view_of(chain, BATTERY, ID)["below_floor"] is True


def test_a_full_leaf_is_bounded() -> None:
    places = tuple(Place(f"{n}" * 17, 2**47, 2**32 - 1) for n in range(4))
    former = tuple(FormerPlace(place.vin, 2**47, 2**32 - 1, 2**47, 2**32 - 1) for place in places)
    binding, state = Binding(places, 2**16, former), max(BATTERY_STATES, key=len)
    full = Battery(
        binding, bytes(32), 10_000_000, state, places[0], True, 2**47, 2**34, True,
        (Health(2**47, 1_000, len(BATTERY_METHODS) - 1, 65_535, 2**31),) * HEALTH_MAX,
    )  # fmt: skip
    assert len(encode(full)) <= BYTES_MAX["battery"]
