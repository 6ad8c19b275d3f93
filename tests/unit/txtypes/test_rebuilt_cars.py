"""`vehicle.rebuild`: who brings a total loss back to the road, and what for."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.chain import DAY_MS, address
from support.damage import (
    INSURER,
    WORKSHOP,
    brands,
    give_role,
    group,
    last_sequence,
    life_of,
    loss,
    name_of_record,
    repair,
)
from support.disputing import answered, decided, disputed
from support.life import VIN, Life, km, transfer
from support.specimens import specimen
from support.stages import Case, at, change, force, put_on_hold, table

from node.ledger.fields import RecordName
from node.txtypes.disputes.dispute import NO_STATUS, RECORD_STATUS, status_ident
from node.txtypes.members.member import FRAUDS, Fraud, Frauds
from node.txtypes.service.findings import Defect
from node.txtypes.vehicle.regions import UNREGISTERED, Duty, Flag
from node.txtypes.vehicle.vehicle import VEHICLE, existence_now

INSPECTOR, OTHER_INSPECTOR, REGISTRAR = "inspector-1", "inspector-2", "registrar-1"
BOTH = (REGISTRAR, "bmw")


def written_off(life: Life, category: str = "S") -> None:
    life.chain.do(INSURER, loss(life.chain, category, holder_signs=True), "bmw")


def inspected(life: Life, by: str = INSPECTOR, **changes: object) -> None:
    plain = dict(checklist="REBUILD", kind="rebuild", defects=(), valid_until_day=None, odometer=km(120))
    body = specimen("inspection.record", life.chain, **plain | changes)
    life.chain.do(by, replace(body, where=replace(body.where, site="")), "bmw")


def ready(life: Life) -> None:
    written_off(life)
    inspected(life)


def unwritten(life: Life) -> None:
    """Arbiters have annulled the last record."""
    status = replace(NO_STATUS, outcome="annulled")
    force(life.chain, RECORD_STATUS, status_ident(VIN, last_sequence(life.chain)), status)


def rebuild(life: Life, sequence: int | None = None, registrar: str = REGISTRAR, **changes: object):
    """Names the car's last record, which in most cases here is the inspection."""
    named = name_of_record(life.chain, last_sequence(life.chain) if sequence is None else sequence)
    plain = dict(inspection=named, registrar=address(registrar), odometer=km(130))
    body = specimen("vehicle.rebuild", life.chain, **plain | changes)
    return replace(body, where=replace(body.where, site=""))


def after(*steps):
    def before(life: Life) -> None:
        for step in steps:
            step(life)

    return before


def in_country(country: str, status: str = "registered", to: str = ""):
    registration = replace(UNREGISTERED, status=status, country=country, to_country=to)  # type: ignore[arg-type]
    return lambda life: change(life.chain, VEHICLE, VIN, registration=registration)


def pass_days(days: int):
    return lambda life: setattr(life.chain, "now", life.chain.now + days * DAY_MS)


def flagged(life: Life) -> None:
    flag = Flag("court_hold", address(REGISTRAR), "DE", b"", life.chain.now, 0, True, 0)
    change(life.chain, VEHICLE, VIN, flags=(flag,))


def repaired(operations: str, parts: int = 1, sender: str = WORKSHOP):
    def before(life: Life) -> None:
        body = repair(life.chain, operations, holder_signs=True)
        life.chain.do(sender, replace(body, parts=body.parts[:parts]), "bmw")

    return before


def inspector_repaired(life: Life) -> None:
    give_role(life.chain, INSPECTOR, "workshop", ("structural",))
    repaired("front adjust", sender=INSPECTOR)(life)


def fraud(life: Life) -> None:
    """Its inspection is marked, though it is still a member with its role: governance lists whom it wants."""
    force(life.chain, FRAUDS, "all", Frauds((Fraud(address(INSPECTOR), "inspector", life.chain.now - DAY_MS),)))


def annulled(life: Life) -> None:
    vehicle = life.chain.state(VEHICLE, VIN)
    change(life.chain, VEHICLE, VIN, brands=tuple(replace(brand, state="annulled") for brand in vehicle.brands))


MAJOR = (Defect("5.3.1", "major"),)
MINOR = (Defect("4.1.1", "minor"),)


@table(
    Case("passed", "born", INSPECTOR, rebuild, (), BOTH, before=ready),
    Case("a registrar on hold", "born", INSPECTOR, rebuild, ("author_on_hold",), BOTH,
         before=after(ready, lambda life: put_on_hold(life.chain, address(REGISTRAR)))),
    Case("without the registrar", "born", INSPECTOR, rebuild, ("signature_missing",), ("bmw",), before=ready),
    Case("without the holder", "born", INSPECTOR, rebuild, ("signature_missing",), (REGISTRAR,), before=ready),
    Case("by the insurer", "born", INSURER, rebuild, ("role_missing", "inspection_unfit"), BOTH, before=ready),
    Case("no registrar", "born", INSPECTOR, lambda life: rebuild(life, registrar="police-1"), ("role_missing",),
         ("police-1", "bmw"), before=ready),
    Case("of the car's country", "born", INSPECTOR, rebuild, (), BOTH, before=after(ready, in_country("DE"))),
    Case("of another country", "born", INSPECTOR, rebuild, ("role_scope",), BOTH,
         before=after(ready, in_country("CN"))),
    Case("exported to the registrar's country", "born", INSPECTOR, rebuild, (), BOTH,
         before=after(ready, in_country("CN", "export_pending", "DE"))),
    Case("exported to another country", "born", INSPECTOR, rebuild, ("role_scope",), BOTH,
         before=after(ready, in_country("DE", "exported", "CN"))),
    Case("exported, nobody knows where to", "born", INSPECTOR, rebuild, (), BOTH,
         before=after(ready, in_country("CN", "exported"))),
    Case("an agent's mandate", "born", INSPECTOR, lambda life: rebuild(life, mandate=bytes(32)),
         ("mandate_missing",), BOTH, before=ready),
    Case("no total loss", "born", INSPECTOR, rebuild, ("not_a_total_loss",), BOTH, before=inspected),
    Case("reported by an insurer alone", "born", INSPECTOR, rebuild, ("not_a_total_loss",), BOTH,
         before=after(lambda life: life.chain.do(INSURER, loss(life.chain)), inspected)),
    Case("by time", "born", INSPECTOR, rebuild, (), BOTH,
         before=after(lambda life: life.chain.do(INSURER, loss(life.chain)), pass_days(30), inspected)),
    Case("category A", "born", INSPECTOR, rebuild, ("brand_final",), BOTH,
         before=after(lambda life: written_off(life, "A"), inspected)),
    Case("category B", "born", INSPECTOR, rebuild, ("brand_final",), BOTH,
         before=after(lambda life: written_off(life, "B"), inspected)),
    Case("category B, annulled brands", "born", INSPECTOR, rebuild, (), BOTH,
         before=after(lambda life: written_off(life, "B"), annulled, inspected)),
    Case("category N", "born", INSPECTOR, rebuild, (), BOTH,
         before=after(lambda life: written_off(life, "N"), inspected)),
    Case("a stop-flag", "born", INSPECTOR, rebuild, ("stop_flag",), BOTH, before=after(ready, flagged)),
    Case("long ago", "born", INSPECTOR, lambda life: rebuild(life, event_at_ms=life.chain.now - 8 * DAY_MS),
         ("event_not_now",), BOTH, before=after(pass_days(20), ready)),
    Case("minor defects", "born", INSPECTOR, rebuild, (), BOTH,
         before=after(written_off, lambda life: inspected(life, defects=MINOR))),
    Case("failed", "born", INSPECTOR, rebuild, ("inspection_unfit",), BOTH,
         before=after(written_off, lambda life: inspected(life, defects=MAJOR))),
    Case("another checklist", "born", INSPECTOR, rebuild, ("inspection_unfit",), BOTH,
         before=after(written_off, lambda life: inspected(life, checklist="USED-CAR", kind="buyer"))),
    Case("another inspector's", "born", OTHER_INSPECTOR, rebuild, ("inspection_unfit",), BOTH, before=ready),
    Case("no inspection", "born", INSPECTOR, rebuild, ("inspection_unfit",), BOTH, before=written_off),
    Case("an annulled one", "born", INSPECTOR, rebuild, ("inspection_unfit",), BOTH, before=after(ready, unwritten)),
    Case("no record", "born", INSPECTOR, lambda life: rebuild(life, inspection=RecordName(99, bytes(32))),
         ("record_unknown",), BOTH, before=ready),
    Case("another record", "born", INSPECTOR, lambda life: rebuild(life, inspection=RecordName(2, bytes(32))),
         ("record_differs",), BOTH, before=ready),
    Case("30 days old", "born", INSPECTOR, rebuild, (), BOTH,
         before=after(ready, pass_days(30), lambda life: setattr(life.chain, "now", life.chain.now - 1000))),
    Case("31 days old", "born", INSPECTOR, rebuild, ("inspection_unfit",), BOTH, before=after(ready, pass_days(31))),
    Case("before the loss", "born", INSPECTOR, lambda life: rebuild(life, 1), ("inspection_unfit",), BOTH,
         before=after(inspected, written_off)),
    Case("dated before the loss", "born", INSPECTOR, rebuild, ("inspection_unfit",), BOTH,
         before=after(pass_days(9), written_off,
                      lambda life: inspected(life, event_at_ms=life.chain.now - 2 * DAY_MS))),
    Case("after the repair", "born", INSPECTOR, rebuild, (), BOTH,
         before=after(written_off, repaired("front weld"), inspected)),
    Case("before the repair", "born", INSPECTOR, lambda life: rebuild(life, 2), ("inspection_unfit",), BOTH,
         before=after(ready, repaired("front weld"))),
    Case("before the second repair", "born", INSPECTOR, lambda life: rebuild(life, 3), ("inspection_unfit",), BOTH,
         before=after(written_off, repaired("front weld"), inspected, repaired("rear weld"))),
    Case("parts that nobody named", "born", INSPECTOR, rebuild, ("parts_unproven",), BOTH,
         before=after(written_off, repaired("interior replace_airbag", 0), inspected)),
    Case("parts that were named later", "born", INSPECTOR, rebuild, (), BOTH,
         before=after(written_off, repaired("interior replace_airbag", 0), repaired("interior adjust"), inspected)),
    Case("a repairer", "born", INSPECTOR, lambda life: rebuild(life, 2), ("not_independent",), BOTH,
         before=after(ready, inspector_repaired)),
    Case("the holder's group", "born", INSPECTOR, rebuild, ("not_independent",), BOTH,
         before=after(ready, lambda life: group(life.chain, "one", "bmw", INSPECTOR))),
    Case("marked for fraud", "born", INSPECTOR, rebuild, ("inspection_unfit",), BOTH, before=after(ready, fraud)),
)  # fmt: skip
def test_bringing_a_total_loss_back(case: Case) -> None:
    assert case.codes == case.run()


def test_it_is_rebuilt_and_its_brands_stay() -> None:
    life = at("born")
    written_off(life)
    repaired("front weld")(life)
    inspected(life)
    before = life.chain.state(VEHICLE, VIN)
    life.chain.do(INSPECTOR, rebuild(life), *BOTH)
    vehicle = life.chain.state(VEHICLE, VIN)
    assert ("rebuilt", None, ()) == (vehicle.existence, vehicle.loss, vehicle.duties)
    assert "rebuilt" == existence_now(vehicle, life.chain.now)
    assert {"totalled", "salvage", "structural_repair", "rebuilt"} == set(brands(life.chain))
    assert {"confirmed"} == set(brands(life.chain).values())
    [clearance] = vehicle.clearances
    assert ("rebuild", address(INSPECTOR), before.record_count) == (
        clearance.what, clearance.author, clearance.sequence,
    )  # fmt: skip
    assert vehicle.material_changes == before.material_changes + 1


def test_a_rebuilt_car_is_sold_until_its_inspector_is_a_fraud() -> None:
    life = at("born")
    ready(life)
    life.chain.do(INSPECTOR, rebuild(life), *BOTH)
    sale = transfer(life.chain)
    assert [] == life.chain.unmet(life.chain.sign("bmw", sale, "dealer-munich"))
    fraud(life)
    assert ["clearance_void"] == life.chain.unmet(life.chain.sign("bmw", sale, "dealer-munich"))
    inspected(life, OTHER_INSPECTOR)
    life.chain.do(OTHER_INSPECTOR, rebuild(life), *BOTH)
    assert [] == life.chain.unmet(life.chain.sign("bmw", sale, "dealer-munich"))


def test_an_annulled_rebuild_is_owed_again() -> None:
    life = at("born")
    ready(life)
    life.chain.do(INSPECTOR, rebuild(life), *BOTH)
    ident = disputed(life, last_sequence(life.chain), "bmw", "not_done")
    answered(life, ident, INSPECTOR)
    decided(life, ident, "annulled")
    vehicle = life.chain.state(VEHICLE, VIN)
    assert (["rebuild"], ()) == ([duty.code for duty in vehicle.duties], vehicle.clearances)
    assert ["inspection_unfit"] == life.chain.unmet(life.chain.sign(INSPECTOR, rebuild(life, 2), *BOTH))
    inspected(life)
    life.chain.do(INSPECTOR, rebuild(life), *BOTH)
    assert () == life.chain.state(VEHICLE, VIN).duties


def test_a_car_whose_rebuild_was_annulled_is_not_registered() -> None:
    life = at("wholesale")
    change(life.chain, VEHICLE, VIN, duties=(Duty("rebuild", 2, life.chain.now),), existence="rebuilt")
    body = specimen("registration.set", life.chain)
    assert ["total_loss"] == life.chain.unmet(life.chain.sign(REGISTRAR, body))


def test_a_rebuilt_car_is_lost_again_and_needs_all_of_it_again() -> None:
    life = at("born")
    ready(life)
    life.chain.do(INSPECTOR, rebuild(life), *BOTH)
    written_off(life)
    assert "total_loss" == existence_now(life.chain.state(VEHICLE, VIN), life.chain.now)
    assert ["inspection_unfit"] == life.chain.unmet(life.chain.sign(INSPECTOR, rebuild(life, 2), *BOTH))
    inspected(life)
    life.chain.do(INSPECTOR, rebuild(life), *BOTH)
    assert "rebuilt" == existence_now(life.chain.state(VEHICLE, VIN), life.chain.now)
    assert 1 == len(life.chain.state(VEHICLE, VIN).clearances)


@pytest.mark.parametrize("category", ["S", "N"])
def test_only_a_full_inspection_makes_it_so(category: str) -> None:
    """A structural release lifts the duty; the car stays a total loss."""
    life = at("born")
    written_off(life, category)
    repaired("front weld")(life)
    inspected(life, checklist="STRUCTURAL", kind="structural_release")
    vehicle = life.chain.state(VEHICLE, VIN)
    assert ((), "total_loss") == (vehicle.duties, existence_now(vehicle, life.chain.now))
    assert () == life_of(life.chain).unproven
    assert ["inspection_unfit"] == life.chain.unmet(life.chain.sign(INSPECTOR, rebuild(life), *BOTH))
