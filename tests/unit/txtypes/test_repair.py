"""`repair.record`: what is possible where, who may, what counts as structural, and what follows."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.chain import DAY_MS, address
from support.damage import (
    SECOND_WORKSHOP,
    WORKSHOP,
    brands,
    give_role,
    hit,
    last_sequence,
    life_of,
    name_of_record,
    outcome_of,
    repair,
)
from support.life import VIN, Life
from support.stages import Case, at, change, force, ledger_of, table

from node.ledger.fields import RecordName
from node.rules.damage import ZONES
from node.rules.repair import REPAIR_METHODS
from node.txtypes.vehicle.conditions import conditions_of
from node.txtypes.vehicle.life import LIFE, REPAIRERS_MAX, are_repairers_unknown, repairers_at, unproven_at
from node.txtypes.vehicle.regions import Duty
from node.txtypes.vehicle.vehicle import VEHICLE

STRUCTURAL = "front weld"


def electric(life: Life) -> None:
    change(life.chain, VEHICLE, VIN, powertrain="bev")


# --- what is possible, and who may --------------------------------------------------------------------------
@pytest.mark.parametrize("method", REPAIR_METHODS)
def test_a_method_is_possible_where_the_table_says_and_structural_where_it_says(method: str) -> None:
    rule = REPAIR_METHODS[method]
    for zone in sorted(ZONES):
        life = at("born")
        electric(life)
        raw = life.chain.sign(WORKSHOP, repair(life.chain, f"{zone} {method}"))
        assert life.chain.unmet(raw) == ([] if zone in rule.zones else ["method_impossible"]), zone
        if zone in rule.zones:
            life.chain.produce(raw)
            is_structural = "structural" in outcome_of(life.chain, last_sequence(life.chain))
            assert is_structural is (zone in rule.structural_in), zone


def unnamed(life: Life) -> RecordName:
    return RecordName(9, bytes(32))


def damaged(life: Life) -> None:
    life.chain.do(WORKSHOP, hit(life.chain))


def annulled(life: Life) -> None:
    damaged(life)
    working = life_of(life.chain)
    incidents = tuple(replace(incident, state="annulled") for incident in working.incidents)
    force(life.chain, LIFE, VIN, replace(working, incidents=incidents))


def suspended_before(life: Life) -> None:
    give_role(life.chain, "carrier-1", "workshop")
    give_role(life.chain, "inspector-1", "workshop", ("hv",))


@table(
    Case("a bolted part", "born", SECOND_WORKSHOP, lambda life: repair(life.chain)),
    Case("no workshop", "born", "dealer-munich", lambda life: repair(life.chain), ("role_missing",)),
    Case("an unknown method", "born", WORKSHOP, lambda life: repair(life.chain, "front pray"), ("code_unknown",)),
    Case("an unknown zone", "born", WORKSHOP, lambda life: repair(life.chain, "keel weld"), ("code_unknown",)),
    Case("a petrol car's battery", "born", WORKSHOP, lambda life: repair(life.chain, "hv_battery hv_module"),
         ("method_impossible",)),
    Case("a petrol car's lines", "born", WORKSHOP, lambda life: repair(life.chain, "front hv_lines"),
         ("method_impossible",)),
    Case("high voltage", "born", WORKSHOP, lambda life: repair(life.chain, "front hv_lines"), before=electric),
    Case("high voltage, not accredited", "born", SECOND_WORKSHOP, lambda life: repair(life.chain, "front hv_lines"),
         ("hv_not_accredited",), before=electric),
    Case("structural", "born", WORKSHOP, lambda life: repair(life.chain, STRUCTURAL)),
    Case("structural, not accredited", "born", SECOND_WORKSHOP, lambda life: repair(life.chain, STRUCTURAL),
         ("structural_not_accredited",)),
    Case("the housing needs both", "born", SECOND_WORKSHOP, lambda life: repair(life.chain, "hv_battery hv_housing"),
         ("hv_not_accredited", "structural_not_accredited"), before=electric),
    Case("an incident", "born", WORKSHOP,
         lambda life: repair(life.chain, incident=name_of_record(life.chain, 1)), before=damaged),
    Case("a record that is none", "born", WORKSHOP,
         lambda life: repair(life.chain, incident=name_of_record(life.chain, 0)), ("incident_unknown",),
         before=damaged),
    Case("an annulled one", "born", WORKSHOP,
         lambda life: repair(life.chain, incident=name_of_record(life.chain, 1)), ("incident_unknown",),
         before=annulled),
    Case("no record", "born", WORKSHOP, lambda life: repair(life.chain, incident=unnamed(life)), ("record_unknown",)),
    Case("another record", "born", WORKSHOP,
         lambda life: repair(life.chain, incident=replace(unnamed(life), sequence=1)), ("record_differs",),
         before=damaged),
)  # fmt: skip
def test_repairing(case: Case) -> None:
    assert case.codes == case.run()


def test_a_capability_that_began_after_the_event_does_not_count() -> None:
    life = at("born")
    give_role(life.chain, SECOND_WORKSHOP, "workshop", ("structural",))
    from node.txtypes.members.member import MEMBER

    member = life.chain.state(MEMBER, address(SECOND_WORKSHOP))
    *others, grant = member.grants
    late = replace(grant, starts_at_ms=life.chain.now)
    change(life.chain, MEMBER, address(SECOND_WORKSHOP), grants=(*others, late))
    body = repair(life.chain, STRUCTURAL)
    assert [] == life.chain.unmet(life.chain.sign(SECOND_WORKSHOP, body))
    before = replace(body, event_at_ms=life.chain.now - 1)
    assert ["structural_not_accredited"] == life.chain.unmet(life.chain.sign(SECOND_WORKSHOP, before))


# --- what follows -----------------------------------------------------------------------------------------
def conditions(life: Life) -> set[str]:
    ledger = ledger_of(life.chain)
    return set(conditions_of(ledger, VIN, life.chain.state(VEHICLE, VIN), life.chain.now, ledger.rules))


def test_a_structural_repair_that_the_holder_signed_needs_its_release_at_once() -> None:
    life = at("born")
    life.chain.do(WORKSHOP, repair(life.chain, STRUCTURAL, holder_signs=True), "bmw")
    vehicle = life.chain.state(VEHICLE, VIN)
    assert (Duty("structural_release", 1, life.chain.now - 1000),) == vehicle.duties
    assert {"structural_repair": "confirmed"} == brands(life.chain)
    assert ("structural", "verdict:NO_VERDICT") == outcome_of(life.chain, 1)
    assert 1 == vehicle.material_changes
    assert "duty_structural_release" in conditions(life)


def test_what_a_workshop_alone_says_of_the_structure_blocks_after_thirty_days() -> None:
    """Or a rival would keep a car from its buyer by one record."""
    life = at("born")
    life.chain.do(WORKSHOP, repair(life.chain, STRUCTURAL))
    assert {"structural_repair": "pending"} == brands(life.chain)
    assert ("structural", "provisional", "verdict:NO_VERDICT") == outcome_of(life.chain, 1)
    life.chain.now += 30 * DAY_MS - 1001
    assert {"brand_open"} == conditions(life)
    life.chain.now += 1
    assert {"duty_structural_release"} == conditions(life)


def test_a_duty_that_is_due_and_one_that_is_not_yet_are_two() -> None:
    life = at("born")
    life.chain.do(WORKSHOP, repair(life.chain, STRUCTURAL))
    [waiting] = life.chain.state(VEHICLE, VIN).duties
    life.chain.do(WORKSHOP, repair(life.chain, STRUCTURAL, holder_signs=True), "bmw")
    [due, _] = life.chain.state(VEHICLE, VIN).duties
    assert (2, life.chain.now - 1000) == (due.sequence, due.due_ms)
    life.chain.do(WORKSHOP, repair(life.chain, STRUCTURAL, holder_signs=True), "bmw")
    life.chain.do(WORKSHOP, repair(life.chain, STRUCTURAL))
    assert (replace(due, sequence=3), replace(waiting, sequence=4)) == life.chain.state(VEHICLE, VIN).duties


def test_duties_that_became_due_are_one() -> None:
    """However many workshops say so alone, month after month."""
    life = at("born")
    for _ in range(3):
        life.chain.do(WORKSHOP, repair(life.chain, STRUCTURAL))
        life.chain.now += 91 * DAY_MS
    life.chain.do(WORKSHOP, repair(life.chain, STRUCTURAL))
    assert [3, 4] == [duty.sequence for duty in life.chain.state(VEHICLE, VIN).duties]


def test_structural_work_before_the_sale_that_is_told_after_it_is_an_alert() -> None:
    life = at("wholesale")
    before = life.chain.state(VEHICLE, VIN).title_since_ms - 1
    life.chain.do(SECOND_WORKSHOP, repair(life.chain, "front adjust", value=200, event_at_ms=before))
    assert () == life.chain.state(VEHICLE, VIN).alerts
    life.chain.do(WORKSHOP, repair(life.chain, "front weld", value=200, event_at_ms=before))
    assert ["late_disclosure"] == [alert.code for alert in life.chain.state(VEHICLE, VIN).alerts]


def test_a_workshop_that_tells_of_structural_work_alone_tells_a_buyer_once() -> None:
    """Until what it told is released. Another workshop, and what the holder has signed, are news."""
    life = at("born")
    give_role(life.chain, SECOND_WORKSHOP, "workshop", ("structural",))
    for author, signed, changes in (
        (WORKSHOP, (), 1), (WORKSHOP, (), 1), (SECOND_WORKSHOP, (), 2), (WORKSHOP, ("bmw",), 3),
    ):  # fmt: skip
        life.chain.do(author, repair(life.chain, STRUCTURAL, holder_signs=bool(signed)), *signed)
        assert changes == life.chain.state(VEHICLE, VIN).material_changes


def test_an_ordinary_repair_is_not_material() -> None:
    life = at("born")
    life.chain.do(WORKSHOP, repair(life.chain))
    vehicle = life.chain.state(VEHICLE, VIN)
    assert ((), (), 0) == (vehicle.duties, vehicle.brands, vehicle.material_changes)


def test_the_incident_is_repaired() -> None:
    life = at("born")
    damaged(life)
    life.chain.do(WORKSHOP, hit(life.chain, "rear"))
    life.chain.do(WORKSHOP, repair(life.chain, incident=name_of_record(life.chain, 2)))
    assert [False, True] == [incident.is_repaired for incident in life_of(life.chain).incidents]


@pytest.mark.parametrize(
    ("operations", "parts", "unproven"),
    [
        ("interior replace_airbag", 0, {"interior"}),
        ("front replace_structure rear weld", 0, {"front"}),
        ("front replace_structure", 1, set()),
        ("front replace_part", 0, set()),
    ],
)
def test_an_airbag_or_a_bearing_part_without_a_part_is_unproven(operations: str, parts: int, unproven: set) -> None:
    life = at("born")
    body = repair(life.chain, operations)
    life.chain.do(WORKSHOP, replace(body, parts=body.parts[:parts]))
    assert unproven == {entry.zone for entry in life_of(life.chain).unproven}
    assert ("parts_unproven" in outcome_of(life.chain, 1)) is bool(unproven)


def test_a_later_record_with_parts_proves_its_zones() -> None:
    life = at("born")
    body = repair(life.chain, "front replace_structure rear replace_structure")
    life.chain.do(WORKSHOP, replace(body, parts=()))
    life.chain.now += 30 * DAY_MS
    assert ("front", "rear") == unproven_at(life_of(life.chain), life.chain.now)
    life.chain.do(WORKSHOP, repair(life.chain, "front adjust"))
    assert ("rear",) == unproven_at(life_of(life.chain), life.chain.now)


# --- repairers --------------------------------------------------------------------------------------------
def test_a_repairer_is_known_for_180_days_and_once() -> None:
    life = at("born")
    life.chain.do(WORKSHOP, repair(life.chain))
    life.chain.do(WORKSHOP, repair(life.chain))
    life.chain.do(SECOND_WORKSHOP, repair(life.chain))
    working = life_of(life.chain)
    assert (address(WORKSHOP), address(SECOND_WORKSHOP)) == repairers_at(working, life.chain.now)
    first, second = working.repairers
    assert (2, 3) == (first.sequence, second.sequence)
    assert (address(SECOND_WORKSHOP),) == repairers_at(working, first.at_ms + 180 * DAY_MS)


def test_without_room_the_oldest_repairer_is_left_out_and_that_is_noted() -> None:
    life = at("born")
    names = [WORKSHOP, SECOND_WORKSHOP, "inspector-1", "inspector-2", "carrier-1", "insurer-1", "police-1",
             "dismantler-1", "bank-1"]  # fmt: skip
    for name in names[2:]:
        give_role(life.chain, name, "workshop")
    for name in names[:REPAIRERS_MAX]:
        life.chain.do(name, repair(life.chain))
    assert not are_repairers_unknown(life_of(life.chain), life.chain.now)
    life.chain.do(names[-1], repair(life.chain))
    working = life_of(life.chain)
    assert [address(name) for name in names[1:]] == list(repairers_at(working, life.chain.now))
    assert are_repairers_unknown(working, life.chain.now)
    assert not are_repairers_unknown(working, life.chain.now - 1000 + 180 * DAY_MS)
