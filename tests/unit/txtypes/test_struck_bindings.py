"""Records of parts, batteries and software that arbiters annul or their author amends: what they said is gone."""

from __future__ import annotations

from typing import Any

import pytest
from support.disputing import INSPECTOR, WITNESS, WORKSHOP, amend, answered, decided, disputed, name_of, newest
from support.foreign import TWO, battery, health, part, updated
from support.life import VIN, Life, register
from support.specimens import specimen
from support.stages import at
from support.views import view_of

from node.txtypes.parts.battery import BATTERY, battery_key
from node.txtypes.parts.software import SOFTWARE
from node.txtypes.vehicle.bindings import (
    CLAIMS_MAX,
    PART,
    UNBOUND,
    FormerPlace,
    Place,
    claimants,
    fitted,
    part_id,
    removed,
    without_record,
)
from node.txtypes.vehicle.vehicle import VEHICLE, open_alerts

GEARBOX = part_id("gearbox", "24008689030", "GA8HP50Z-0012345")
CELLS = battery_key("JPPEVE0123456789")


def test_a_car_with_two_parts_of_a_stolen_one_is_told_when_one_was_mistyped() -> None:
    """Else a thief's partner would fit a second part, take that back, and hide the first."""
    life = cars()
    for serial in ("GA8HP50Z-0000001", "GA8HP50Z-0000002"):
        life.chain.do(WORKSHOP, part(life.chain, serial=serial, source="used", donor=TWO))
    wrong = newest(life.chain)
    life.chain.do(WORKSHOP, part(life.chain, serial="GA8HP50Z-0000003", source="new"))
    life.chain.do(WORKSHOP, amend(life.chain, wrong, replaced_by=name_of(life.chain, newest(life.chain))))
    life.chain.do("police-1", specimen("flag.set", life.chain, vin=TWO, name="stolen", until_ms=0))
    assert ["part_from_stolen"] == open_alerts(life.chain.state(VEHICLE, VIN))


def cars() -> Life:
    life = at("")
    for vin in (VIN, TWO):
        life.chain.do("bmw", register(vin, powertrain="bev"))
    return life


def done(life: Life, body: Any, sender: str = WORKSHOP) -> int:
    """The sequence of its record."""
    life.chain.do(sender, body)
    return newest(life.chain, body.vin)


def annulled(life: Life, sequence: int, author: str = WORKSHOP) -> None:
    ident = disputed(life, sequence, "bmw")
    answered(life, ident, author)
    decided(life, ident, "annulled")


# --- pure -----------------------------------------------------------------------------------------------------
def test_a_part_that_was_not_fitted_is_where_it_was() -> None:
    binding = fitted(fitted(UNBOUND, TWO, 1, 5), VIN, 2, 7)
    assert (Place(TWO, 1, 5),) == without_record(binding, VIN, 7).claims
    assert binding == without_record(binding, VIN, 5), "another record of the car"
    assert UNBOUND == without_record(fitted(UNBOUND, VIN, 1, 5), VIN, 5)


def test_a_part_that_was_not_removed_is_in_its_car_still() -> None:
    before = fitted(UNBOUND, VIN, 1, 5)
    after = removed(before, VIN, 2, 7)
    assert (FormerPlace(VIN, 2, 7, 1, 5),) == after.previous
    assert before == without_record(after, VIN, 7)
    assert UNBOUND == without_record(after, VIN, 5), "it was never fitted, so it was never removed"
    assert UNBOUND == without_record(removed(UNBOUND, VIN, 2, 7), VIN, 7), "nobody had said that it was in it"


def test_a_part_that_was_fitted_again_is_not_claimed_twice() -> None:
    again = fitted(removed(fitted(UNBOUND, VIN, 1, 5), VIN, 2, 7), VIN, 3, 9)
    assert (Place(VIN, 3, 9),) == without_record(again, VIN, 7).claims


def test_a_claim_that_comes_back_keeps_the_bound() -> None:
    binding = removed(fitted(UNBOUND, VIN, 1, 5), VIN, 2, 7)
    for number in range(CLAIMS_MAX):
        binding = fitted(binding, f"{number}" * 17, 3, 1)
    after = without_record(binding, VIN, 7)
    assert (CLAIMS_MAX, 1) == (len(after.claims), after.claims_left_out)


# --- on the chain -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("make", [part, battery])
def test_an_annulled_fitting_contests_nothing_any_more(make: Any) -> None:
    life = cars()
    done(life, make(life.chain, TWO))
    sequence = done(life, make(life.chain, VIN))
    family, ident = (PART, GEARBOX) if make is part else (BATTERY, CELLS)
    assert [TWO, VIN] == claimants(life.chain.state(family, ident).binding)
    annulled(life, sequence)
    assert [TWO] == claimants(life.chain.state(family, ident).binding)
    assert [] == open_alerts(life.chain.state(VEHICLE, VIN))


def test_an_annulled_fitting_tells_the_car_nothing_of_a_theft() -> None:
    life = cars()
    annulled(life, done(life, part(life.chain, VIN, donor=TWO, source="used")))
    life.chain.do("police-1", specimen("flag.set", life.chain, vin=TWO, name="stolen", until_ms=0))
    assert () == life.chain.state(VEHICLE, VIN).alerts


def test_an_annulled_removal_leaves_the_part_in_its_car() -> None:
    life = cars()
    done(life, part(life.chain, VIN))
    annulled(life, done(life, part(life.chain, VIN, "remove")))
    assert "bound" == view_of(life.chain, PART, GEARBOX)["state"]


def test_nothing_is_left_of_a_part_that_only_an_annulled_record_knew() -> None:
    life = cars()
    for make, family, ident in ((part, PART, GEARBOX), (battery, BATTERY, CELLS)):
        annulled(life, done(life, make(life.chain, VIN)))
        assert life.chain.state(family, ident) is None


def test_an_author_amends_its_fitting() -> None:
    life = cars()
    sequence = done(life, part(life.chain, VIN))
    life.chain.do(WORKSHOP, amend(life.chain, sequence, reason="duplicate", witness=WITNESS), INSPECTOR)
    assert life.chain.state(PART, GEARBOX) is None


def test_what_an_annulled_record_told_of_a_battery_is_doubted_until_another_tells_it() -> None:
    life = cars()
    done(life, battery(life.chain, VIN))
    annulled(life, done(life, battery(life.chain, VIN, capacity_wh=1_000)))
    assert view_of(life.chain, BATTERY, CELLS)["is_told_wrong"]
    done(life, battery(life.chain, VIN))
    assert not view_of(life.chain, BATTERY, CELLS)["is_told_wrong"]


def test_an_annulled_state_of_health_was_not_measured() -> None:
    life = cars()
    done(life, battery(life.chain, VIN))
    done(life, health(life.chain, 900, VIN), "inspector-1")
    annulled(life, done(life, health(life.chain, 400, VIN), "inspector-1"), "inspector-1")
    assert [900] == [entry.soh for entry in life.chain.state(BATTERY, CELLS).health]


def test_an_annulled_update_leaves_its_systems_unknown() -> None:
    life = cars()
    done(life, updated(life.chain, ("gateway", "", "21-07-540"), ("infotainment", "", "9.0")))
    sequence = done(life, updated(life.chain, ("gateway", "21-07-540", "22-03-500")))
    annulled(life, sequence)
    assert ["infotainment"] == [entry.system for entry in life.chain.state(SOFTWARE, VIN).systems]


def test_a_record_that_tells_another_car_of_it_takes_nothing_back() -> None:
    """On the car that had the part, the record of the fitting elsewhere is disputed: only the alert there closes."""
    life = cars()
    done(life, part(life.chain, VIN))
    done(life, part(life.chain, TWO))
    assert ["part_elsewhere"] == open_alerts(life.chain.state(VEHICLE, VIN))
    annulled(life, newest(life.chain))
    assert [VIN, TWO] == claimants(life.chain.state(PART, GEARBOX).binding)
    assert [] == open_alerts(life.chain.state(VEHICLE, VIN))
