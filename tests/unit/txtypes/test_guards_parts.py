"""Guards and effects of `part.bind`: where a part is, and what contradicts it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.chain import DAY_MS, START_MS, Chain
from support.damage import scrap
from support.foreign import FOUR, THREE, TWO, outcome_of, part
from support.life import VIN, Life, flag, register
from support.specimens import specimen
from support.stages import Case, at, change, fork, table
from support.views import view_of

from node.ledger.body import TransactionBody
from node.txtypes.vehicle.bindings import PART, claimants, part_id, state_of
from node.txtypes.vehicle.life import NO_LIFE, PARTS_MAX, with_part_taken
from node.txtypes.vehicle.vehicle import VEHICLE

GEARBOX = part_id("gearbox", "24008689030", "GA8HP50Z-0012345")


def body(**changes) -> Callable[[Life], TransactionBody]:
    return lambda life: part(life.chain, **changes)


def two_cars() -> Chain:
    chain = at("born").chain
    for vin in (TWO, THREE, FOUR):
        chain.do("bmw", register(vin))
    return chain


def flagged(*names: str, vin: str = TWO) -> Callable[[Life], None]:
    def before(life: Life) -> None:
        life.chain.do("bmw", register(vin))
        change(life.chain, VEHICLE, vin, flags=tuple(flag(name, at_ms=1) for name in names))

    return before


def scrapped(life: Life) -> None:
    change(life.chain, VEHICLE, VIN, existence="scrapped")


@table(
    Case("fit", "born", "workshop-berlin", body()),
    Case("by the maker", "born", "bmw", body()),
    Case("by a dealer", "born", "dealer-munich", body(), ("role_missing",)),
    Case("by an inspector", "born", "inspector-1", body(), ("role_missing",)),
    Case("remove what nobody knows", "born", "workshop-berlin", body(action="remove")),
    Case("to no car", "", "workshop-berlin", body(), ("vehicle_unknown",)),
    Case("to a scrapped car", "born", "workshop-berlin", body(), ("vehicle_ended",), (), scrapped),
    Case("without a reading", "born", "workshop-berlin", body(odometer=None), ("odometer_missing",)),
    Case("an unknown class", "born", "workshop-berlin", body(part_class="radio"), ("code_unknown",)),
    Case("an unknown source", "born", "workshop-berlin", body(source="found"), ("code_unknown",)),
    Case("a donor nobody knows", "born", "workshop-berlin", body(source="used", donor=TWO)),
    Case("a stolen donor is evidence", "born", "workshop-berlin", body(source="used", donor=TWO), (), (),
         flagged("stolen")),
    Case("a donor that a court holds", "born", "workshop-berlin", body(source="used", donor=TWO), ("stop_flag",), (),
         flagged("court_hold")),
    Case("a stolen donor that a court holds", "born", "workshop-berlin", body(source="used", donor=TWO),
         ("stop_flag",), (), flagged("court_hold", "stolen")),
    Case("a part of it is removed", "born", "workshop-berlin", body(action="remove", donor=TWO), (), (),
         flagged("court_hold")),
    Case("a donor with a lien", "born", "workshop-berlin", body(source="used", donor=TWO), (), (), flagged("lien")),
)  # fmt: skip
def test_bind(case: Case) -> None:
    assert case.codes == case.run()


def bound(chain: Chain, ident: bytes = GEARBOX) -> tuple[str, list[str]]:
    binding = chain.state(PART, ident).binding
    return state_of(binding), claimants(binding)


def codes(chain: Chain, vin: str) -> list[str]:
    return [alert.code for alert in chain.state(VEHICLE, vin).alerts]


def test_fit_and_remove() -> None:
    chain = two_cars()
    chain.do("workshop-berlin", part(chain))
    assert ("bound", [VIN]) == bound(chain)
    assert ("bound", "gearbox") == tuple(view_of(chain, PART, GEARBOX)[name] for name in ("state", "part_class"))
    chain.do("workshop-berlin", part(chain, action="remove"))
    assert ("free", []) == bound(chain)
    assert [VIN] == [place.vin for place in chain.state(PART, GEARBOX).binding.previous]
    chain.do("workshop-hamburg", part(chain, TWO))
    assert ("bound", [TWO]) == bound(chain)
    assert [] == codes(chain, VIN) == codes(chain, TWO)


def test_a_part_that_is_in_another_car_is_contested_and_both_are_told() -> None:
    chain = two_cars()
    chain.do("workshop-berlin", part(chain))
    chain.do("workshop-hamburg", part(chain, TWO))
    assert ("contested", [VIN, TWO]) == bound(chain)
    assert ["part_elsewhere"] == codes(chain, VIN) == codes(chain, TWO)
    assert 3 == chain.state(VEHICLE, VIN).record_count, "its own, and the other car's that names it"
    assert ["alert:part_elsewhere"] == outcome_of(chain, VIN) == outcome_of(chain, TWO)
    chain.do("workshop-berlin", part(chain, action="remove"))
    assert ("bound", [TWO]) == bound(chain)
    assert ["part_elsewhere"] == codes(chain, VIN), "which stays visible"


def test_fitting_again_changes_nothing() -> None:
    chain = two_cars()
    chain.do("workshop-berlin", part(chain))
    before = chain.state(PART, GEARBOX)
    chain.do("workshop-hamburg", part(chain))
    assert before == chain.state(PART, GEARBOX)


def test_removing_from_a_car_that_has_it_not_is_said_so() -> None:
    chain = two_cars()
    chain.do("workshop-berlin", part(chain))
    chain.do("workshop-hamburg", part(chain, TWO, "remove"))
    assert ["not_bound"] == outcome_of(chain, TWO)
    assert ("bound", [VIN]) == bound(chain)


def test_more_claims_than_there_is_room_for_stay_contested() -> None:
    chain = two_cars()
    chain.do("bmw", register("WBA8E9G50GNU30000"))
    cars = (VIN, TWO, THREE, FOUR, "WBA8E9G50GNU30000")
    for vin in cars:
        chain.do("workshop-berlin", part(chain, vin))
    for vin in cars[1:4]:
        chain.do("workshop-berlin", part(chain, vin, "remove"))
    assert "contested" == bound(chain)[0]


@pytest.mark.parametrize(("source", "donor", "outcome"), [
    ("used", None, ["unproven"]), ("used", "WBA8E9G50GNU40000", ["unproven"]), ("used", TWO, []),
    ("new", None, []), ("unknown", None, []),
])  # fmt: skip
def test_a_used_part_without_a_donor_is_unproven(source: str, donor: str | None, outcome: list[str]) -> None:
    chain = two_cars()
    chain.do("workshop-berlin", part(chain, source=source, donor=donor))
    assert outcome == outcome_of(chain, VIN)


# --- theft ---------------------------------------------------------------------------------------------------
def stolen(chain: Chain, vin: str) -> None:
    change(chain, VEHICLE, vin, flags=(flag("stolen", at_ms=chain.now),))


def test_a_part_of_a_stolen_donor() -> None:
    chain = two_cars()
    stolen(chain, TWO)
    chain.do("workshop-berlin", part(chain, source="used", donor=TWO))
    assert ["part_from_stolen"] == codes(chain, VIN)


@pytest.mark.parametrize("removes", [True, False])
def test_a_part_that_was_or_is_in_a_stolen_car(removes: bool) -> None:
    chain = two_cars()
    chain.do("workshop-berlin", part(chain, TWO))
    if removes:
        chain.do("workshop-berlin", part(chain, TWO, "remove"))
    stolen(chain, TWO)
    chain.do("workshop-hamburg", part(chain))
    assert (["part_from_stolen"] if removes else ["part_elsewhere", "part_from_stolen"]) == codes(chain, VIN)


def test_what_was_removed_long_before_the_theft_is_not_stolen() -> None:
    chain = two_cars()
    chain.do("workshop-berlin", part(chain, TWO))
    chain.do("workshop-berlin", part(chain, TWO, "remove"))
    removed_at = chain.state(PART, GEARBOX).binding.previous[0].at_ms
    for days, expected in ((91, []), (90, ["part_from_stolen"])):
        copy = fork(chain)
        copy.now = removed_at + 100 * DAY_MS
        change(copy, VEHICLE, TWO, flags=(flag("stolen", at_ms=removed_at + days * DAY_MS),))
        copy.do("workshop-hamburg", part(copy))
        assert expected == codes(copy, VIN)


def test_dating_the_removal_back_before_the_theft_hides_nothing() -> None:
    chain = two_cars()
    chain.now += 200 * DAY_MS
    chain.do("workshop-berlin", part(chain, TWO, event_at_ms=chain.now - 150 * DAY_MS))
    chain.now += 30 * DAY_MS
    stolen(chain, TWO)
    chain.do("workshop-hamburg", part(chain, TWO, "remove", event_at_ms=chain.now - 120 * DAY_MS))
    chain.do("workshop-hamburg", part(chain))
    assert ["part_from_stolen"] == codes(chain, VIN)


def test_nobody_flushes_the_cars_that_had_it() -> None:
    chain = two_cars()
    chain.do("workshop-berlin", part(chain, TWO, "remove"))
    for vin in (THREE, FOUR):
        chain.do("workshop-berlin", part(chain, vin, "remove"))
    assert [TWO] == [place.vin for place in chain.state(PART, GEARBOX).binding.previous]
    stolen(chain, TWO)
    chain.do("workshop-berlin", part(chain))
    assert ["part_from_stolen"] == codes(chain, VIN)


def test_dating_the_fitting_back_before_the_flag_hides_nothing() -> None:
    chain = two_cars()
    chain.now += 40 * DAY_MS
    stolen(chain, TWO)
    chain.do("workshop-berlin", part(chain, source="used", donor=TWO, event_at_ms=chain.now - 20 * DAY_MS))
    assert ["part_from_stolen"] == codes(chain, VIN)


def flagged_stolen(chain: Chain, vin: str = TWO) -> None:
    chain.do("police-1", specimen("flag.set", chain, vin=vin, name="stolen", until_ms=0))


@pytest.mark.parametrize("source", ["donor", "removed", "claimed"])
@pytest.mark.parametrize(("days", "is_told"), [(90, True), (91, False)])
def test_a_theft_that_is_found_later_is_told_to_the_car_that_got_the_part(
    source: str, days: int, is_told: bool
) -> None:
    chain = two_cars()
    if source != "donor":
        chain.do("workshop-berlin", part(chain, TWO))
    if source == "removed":
        chain.do("workshop-berlin", part(chain, TWO, "remove"))
    removed = chain.state(PART, GEARBOX).binding.previous if source == "removed" else ()
    chain.do("workshop-hamburg", part(chain, donor=TWO if source == "donor" else None))
    before = chain.state(VEHICLE, VIN)
    taken_at = removed[0].at_ms if removed else chain.now - 1_000
    chain.now = taken_at + days * DAY_MS
    flagged_stolen(chain)
    assert is_told == ("part_from_stolen" in codes(chain, VIN))
    if is_told:
        assert ["alert:part_from_stolen"] == outcome_of(chain, VIN), "in its own history"
        found = chain.state(VEHICLE, VIN)
        assert before.material_changes + 1 == found.material_changes, "police and workshop are two writers"
        assert () == found.flags, "the car itself is not stolen"


def test_the_cars_that_got_parts_are_bounded_and_pruned() -> None:
    now = START_MS
    life = NO_LIFE
    for number in range(PARTS_MAX + 2):
        life = with_part_taken(life, f"{number:017}", now, now)
    assert [f"{number:017}" for number in range(2, PARTS_MAX + 2)] == [entry.vin for entry in life.parts]
    assert [f"{9:017}"] == [
        e.vin for e in with_part_taken(life, f"{9:017}", now + 91 * DAY_MS, now + 91 * DAY_MS).parts
    ]


# --- engines ---------------------------------------------------------------------------------------------------
def engine(chain: Chain, vin: str, **changes):
    return part(chain, vin, part_class="engine", number="11002455101", serial="B48B20-0001234", **changes)


ENGINE = part_id("engine", "", "B48B20-0001234")


def test_the_maker_binds_the_engine_with_the_car_and_a_workshop_finds_it_by_its_serial() -> None:
    chain = at("").chain
    chain.do("bmw", register(VIN, engine_serial="B48B20-0001234"))
    chain.do("bmw", register(TWO))
    assert ("bound", [VIN]) == bound(chain, ENGINE)
    chain.do("workshop-berlin", engine(chain, TWO))
    assert ["clone_vin", "part_elsewhere"] == codes(chain, VIN) == codes(chain, TWO)


def test_an_engine_of_a_scrapped_car_makes_no_clone() -> None:
    chain = at("").chain
    chain.do("bmw", register(VIN, engine_serial="B48B20-0001234"))
    chain.do("bmw", register(TWO))
    change(chain, VEHICLE, VIN, existence="scrapped")
    chain.do("workshop-berlin", engine(chain, TWO))
    assert ["part_elsewhere"] == codes(chain, VIN) == codes(chain, TWO)


def test_two_cars_are_born_with_one_engine() -> None:
    chain = at("").chain
    for vin in (VIN, TWO):
        chain.do("bmw", register(vin, engine_serial="B48B20-0001234"))
    assert ("contested", [VIN, TWO]) == bound(chain, ENGINE)
    assert ["clone_vin", "part_elsewhere"] == codes(chain, VIN) == codes(chain, TWO)
    assert (2, 1) == (chain.state(VEHICLE, VIN).record_count, chain.state(VEHICLE, TWO).record_count)


def test_without_a_serial_no_engine_is_bound() -> None:
    chain = at("born").chain
    assert chain.state(PART, part_id("engine", "", "")) is None


def test_numbers_tell_parts_apart_and_classes_too() -> None:
    assert part_id("airbag", "A1", "1") != part_id("airbag", "A", "11")
    assert part_id("airbag", "A", "1") != part_id("cluster", "A", "1")
    assert part_id("engine", "A", "1") == part_id("engine", "B", "1")


def test_separators_make_no_other_part_of_it() -> None:
    assert part_id("engine", "", "B48B20A-12345678") == part_id("engine", "", "B48B20A12345678")
    assert part_id("gearbox", "24-00-8-689-030", "GA8/1.2_3") == part_id("gearbox", "24008689030", "GA8123")


def test_a_part_kept_from_a_scrapped_car_is_free() -> None:
    chain = two_cars()
    for vin, serial in ((VIN, "1"), (VIN, "2"), (TWO, "3")):
        chain.do("workshop-berlin", part(chain, vin, serial=serial))
    kept, crushed, other = (part_id("gearbox", "24008689030", serial) for serial in "123")
    before = chain.state(PART, other)
    chain.do("dismantler-1", scrap(chain, parts_kept=(kept, other, bytes(32))), "bmw")
    assert ("free", []) == bound(chain, kept)
    assert ("bound", [VIN]) == bound(chain, crushed)
    assert before == chain.state(PART, other), "only its own"
    chain.do("workshop-berlin", part(chain, TWO, serial="1", source="used", donor=VIN))
    assert [] == codes(chain, TWO)
    chain.do("workshop-berlin", part(chain, TWO, serial="2", source="used", donor=VIN))
    assert ["part_elsewhere"] == codes(chain, TWO), "what was not kept should be no more"
