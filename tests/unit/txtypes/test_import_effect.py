"""What an import does: the car's state, its readings, what answers say; and what is left when it is voided."""

from __future__ import annotations

from msgspec.structs import replace
from support.chain import Chain, address
from support.foreign import FOREIGN, imported, outcome_of, seen
from support.life import VIN, km, register
from support.stages import at, change, force, ledger_of
from support.views import view_of

from node.rules.odometer import DECLARED, INDEPENDENT, INTERESTED
from node.txtypes.members.member import MEMBER
from node.txtypes.vehicle.birth import void_import
from node.txtypes.vehicle.imports import NO_MAKER, Finding, PastEvent
from node.txtypes.vehicle.life import LIFE, NO_LIFE, OpenDispute
from node.txtypes.vehicle.readings import ODOMETER, activity_of
from node.txtypes.vehicle.record import append_record
from node.txtypes.vehicle.vehicle import VEHICLE, history_notice, material_root

HASH = bytes(32)


def bring(chain: Chain, vin: str = FOREIGN, *signers: str, **changes) -> None:
    chain.do("dealer-munich", imported(chain, vin, **changes), "inspector-1", *signers)


def read_at(chain: Chain, days: int, value: int | None) -> PastEvent:
    return PastEvent("inspection", chain.now - days * 86_400_000, "JP", value, HASH)


def test_an_imported_car_says_from_when_its_history_is_here() -> None:
    chain = at("").chain
    bring(chain, FOREIGN, "buyer-1", holder="buyer-1")
    car = chain.state(VEHICLE, FOREIGN)
    assert ("imported", "C", "in_service", address("buyer-1")) == (car.origin, car.grade, car.existence, car.holder)
    assert (NO_MAKER, "2019-01-01", "none", "off") == (
        car.maker, car.produced_on, car.registration.status, car.market.status,
    )  # fmt: skip
    assert "history before 2026-01-02 is not on this chain (grade C)" == history_notice(car)
    assert history_notice(car) == view_of(chain, VEHICLE, FOREIGN)["history_notice"]
    assert [("hail", "confirmed", 0)] == [(brand.code, brand.state, brand.sequence) for brand in car.brands]


def test_a_car_that_was_born_here_needs_no_notice() -> None:
    chain = at("born").chain
    assert "" == view_of(chain, VEHICLE, VIN)["history_notice"]


def test_the_record_is_material_where_it_brings_brands() -> None:
    chain = at("").chain
    bring(chain)
    assert 1 == chain.state(VEHICLE, FOREIGN).material_changes
    bring(chain, "JTDKB20U093512346", origin_brands=())
    assert 0 == chain.state(VEHICLE, "JTDKB20U093512346").material_changes


def test_readings_of_papers_are_declared_and_those_that_are_confirmed_count() -> None:
    """A registry's extract says more than the car's odometer: with grade B the two contradict each other."""
    chain = at("").chain
    for vin, grade, confirmed_by in (("JTDKB20U093512341", "C", None), ("JTDKB20U093512342", "B", "registrar-1")):
        papers = tuple(read_at(chain, days, value) for days, value in ((900, 60_000), (500, 90_000), (450, None)))
        signers = () if confirmed_by is None else (confirmed_by,)
        bring(chain, vin, *signers, grade=grade, confirmed_by=confirmed_by, history=papers, odometer=km(50_000))
    declared, counted = (chain.state(ODOMETER, f"JTDKB20U09351234{n}") for n in (1, 2))
    assert [DECLARED, DECLARED, INDEPENDENT] == [reading.standing for reading in declared.readings]
    assert [INDEPENDENT] * 3 == sorted(reading.standing for reading in counted.readings)
    assert "pre_chain" in counted.reasons
    assert "pre_chain" not in declared.reasons
    assert "NO_VERDICT" == chain.state(VEHICLE, "JTDKB20U093512341").verdict
    assert chain.state(VEHICLE, "JTDKB20U093512342").verdict not in ("NO_VERDICT", "LOGICAL")


def test_a_long_history_leaves_the_dealer_its_readings_of_the_day() -> None:
    chain = at("").chain
    bring(chain, history=tuple(read_at(chain, days, 90_000 - 50 * days) for days in range(1, 33)))
    leaf = chain.state(ODOMETER, FOREIGN)
    assert 33 == len(leaf.readings)
    assert (0, 0) == activity_of(leaf, address("dealer-munich"), chain.now)


def test_the_maker_confirms_its_own_car_and_is_its_maker() -> None:
    chain = at("").chain
    bring(chain, VIN, "bmw", grade="A", confirmed_by="bmw", produced_year=2025, history=())
    assert address("bmw") == chain.state(VEHICLE, VIN).maker


def test_what_the_inspector_found_goes_with_the_car() -> None:
    found = {"7.11": "major", "6.1.1": "dangerous"}
    chain = at("").chain
    findings = tuple(Finding(each.item, found.get(each.item)) for each in imported(chain).findings)
    bring(chain, origin_brands=(), findings=findings)
    car = chain.state(VEHICLE, FOREIGN)
    assert [("odometer_altered", "confirmed")] == [(brand.code, brand.state) for brand in car.brands]
    [flag] = car.flags
    assert ("unroadworthy", address("inspector-1"), True) == (flag.name, flag.setter, flag.is_firm)
    assert 1 == car.material_changes


def test_a_maker_that_imports_its_own_car_is_interested_in_its_readings() -> None:
    chain = at("").chain
    change(chain, MEMBER, address("bmw"), group="bmw")
    change(chain, MEMBER, address("dealer-munich"), group="bmw")
    bring(chain, VIN, "bmw", grade="A", confirmed_by="bmw", produced_year=2025, history=(read_at(chain, 90, 9_000),))
    assert [INTERESTED, INDEPENDENT] == [reading.standing for reading in chain.state(ODOMETER, VIN).readings]


def test_a_vin_that_was_seen_before_its_import_has_an_alert() -> None:
    chain = at("").chain
    chain.do("police-1", seen(chain, FOREIGN))
    bring(chain)
    [alert] = chain.state(VEHICLE, FOREIGN).alerts
    assert ("birth_after_import", "reported", 0) == (alert.code, alert.state, alert.sequence)
    assert ["alert:birth_after_import"] == outcome_of(chain, FOREIGN)


# --- void ----------------------------------------------------------------------------------------------------
def voided(chain: Chain) -> None:
    """What a decision that the import was false does."""
    bring(chain, VIN, produced_year=2025)
    ledger = ledger_of(chain)
    append_record(ledger, VIN, void_import(ledger, VIN, chain.state(VEHICLE, VIN)), imported(chain), chain.now,
                  is_material=True)  # fmt: skip
    for key, (family, value) in ledger.changes.items():
        force(chain, family, key.decode().partition("/")[2], value)


def test_a_voided_car_is_over() -> None:
    chain = at("").chain
    voided(chain)
    car = chain.state(VEHICLE, VIN)
    assert ("voided", "off", chain.now) == (car.existence, car.market.status, car.ended_at_ms)
    read = chain.sign("dealer-munich", imported(chain, VIN, produced_year=2025), "inspector-1")
    assert ["vehicle_exists"] == chain.unmet(read)


def test_the_true_car_follows_on_the_same_chain_of_records() -> None:
    chain = at("").chain
    voided(chain)
    change(chain, VEHICLE, VIN, warranties=2)
    false = chain.state(VEHICLE, VIN)
    dispute = OpenDispute(HASH, address("bmw"), "maker", chain.now + 1)
    force(chain, LIFE, VIN, replace(NO_LIFE, older_incidents=3, disputes=(dispute,)))
    chain.do("bmw", register())
    true = chain.state(VEHICLE, VIN)
    assert ("born", "born", "", address("bmw")) == (true.existence, true.origin, true.grade, true.holder)
    assert (false.record_count + 1, false.material_changes) == (true.record_count, true.material_changes)
    assert 2 == true.warranties, "no warranty gets the id of another"
    assert false.material_head == true.material_head
    assert false.history_head != true.history_head
    assert ((), 0) == (true.brands, true.ended_at_ms), "a brand of the false car is not one of the true"
    assert chain.state(ODOMETER, VIN) is None, "nor are its readings"
    assert replace(NO_LIFE, disputes=(dispute,)) == chain.state(LIFE, VIN)
    assert material_root(VIN, false) != material_root(VIN, true)


def test_alerts_of_the_false_car_stay_closed() -> None:
    chain = at("").chain
    chain.do("police-1", seen(chain, VIN))
    voided(chain)
    chain.do("bmw", register())
    assert [("birth_after_import", "closed")] == [(a.code, a.state) for a in chain.state(VEHICLE, VIN).alerts]


def test_only_an_import_is_voided() -> None:
    """The true car has the record of the false one's import: a second decision on it leaves it alone."""
    chain = at("").chain
    voided(chain)
    chain.do("bmw", register())
    true = chain.state(VEHICLE, VIN)
    assert true == void_import(ledger_of(chain), VIN, true)


def test_a_car_can_be_voided_from_any_market() -> None:
    chain = at("").chain
    bring(chain)
    car = chain.state(VEHICLE, FOREIGN)
    listed = replace(car, market=replace(car.market, status="listed", listing=HASH, until_ms=chain.now + 10))
    assert "off" == void_import(ledger_of(chain), FOREIGN, listed).market.status
