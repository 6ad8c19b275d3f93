"""The car that has the VIN of a voided import: what it keeps of the false one, and what it does not."""

from __future__ import annotations

from msgspec.structs import replace
from support.chain import address
from support.disputing import amend, answered, car, decided, disputed, newest, of
from support.foreign import battery, imported, updated
from support.life import VIN, Life, km, maintenance, register, where
from support.ordering import codes_of
from support.specimens import specimen
from support.stages import at

from node.rpc.moments import moment_of
from node.txtypes.buyers_report import BuyersReport
from node.txtypes.history import decode_record
from node.txtypes.parts.battery import BATTERY, battery_key
from node.txtypes.parts.software import SOFTWARE
from node.txtypes.service.recall import RECALL, Recall, RecallExtend, recall_ident
from node.txtypes.vehicle.readings import ODOMETER

TOYOTA = where(model="PRIUS")
NAMED = RecallExtend("0016560700", "add", "scope", (VIN,))


def false_car() -> Life:
    life = at("")
    life.chain.do("dealer-munich", imported(life.chain, VIN, produced_year=2019), "inspector-1")
    return life


def voided(life: Life) -> None:
    ident = disputed(life, 0, "bmw", "false_identity")
    answered(life, ident, "dealer-munich")
    decided(life, ident, "annulled")
    assert "voided" == car(life).existence


def recall(life: Life) -> Recall:
    return life.chain.state(RECALL, recall_ident(address("bmw"), NAMED.campaign))


def recalled() -> Life:
    life = false_car()
    life.chain.do("bmw", specimen("recall.open", recall_class="stop_drive"))
    life.chain.do("bmw", NAMED)
    return life


def report(life: Life, *batteries: str) -> BuyersReport:
    moment = moment_of(life.chain.store)
    records = [decode_record(raw) for _, raw in life.chain.store.records(VIN, 0, 100)]
    return BuyersReport.of(VIN, car(life), moment, moment.as_of, records, batteries)


def test_a_recall_names_the_vin_so_the_true_car_has_it_too() -> None:
    life = recalled()
    voided(life)
    assert 1 == recall(life).cars
    life.chain.do("bmw", register())
    assert (NAMED.campaign,) == tuple(entry.campaign for entry in car(life).recalls)
    assert [("recall_do_not_drive", address("bmw"))] == [(flag.name, flag.setter) for flag in car(life).flags]
    assert (1, ["recall_present"]) == (recall(life).cars, codes_of(life, "bmw", NAMED))
    life.chain.do("bmw", replace(NAMED, action="remove"))
    assert ((), (), 0, 1) == (car(life).recalls, car(life).flags, recall(life).cars, recall(life).removed)


def test_a_voided_car_is_taken_out_of_a_recall_since_there_may_be_no_true_one() -> None:
    life = recalled()
    voided(life)
    assert ["vehicle_ended"] == codes_of(life, "bmw", NAMED)
    life.chain.do("bmw", replace(NAMED, action="remove", reason="wrong"))
    assert (0, 1) == (recall(life).cars, recall(life).removed)
    assert ["vehicle_ended"] == codes_of(life, "bmw", replace(NAMED, action="remove"))


def test_the_report_of_the_true_car_tells_nothing_of_the_false_one() -> None:
    life = false_car()
    inspection = specimen(
        "inspection.record", life.chain, odometer=km(80_000), where=where("INS-2", "PRIUS"), defects=()
    )
    life.chain.do("inspector-2", inspection, "dealer-munich")
    voided(life)
    life.chain.do("bmw", register())
    told = report(life)
    assert (1, 0, 0, ()) == (told.holders, told.inspections.count, told.registrations.count, told.disputes)
    assert (0, 0, car(life).record_count) == (told.withheld, told.late_records.count, told.records_read)
    assert car(life).record_count - 1 == car(life).first_sequence


def test_an_amendment_of_the_false_cars_record_leaves_the_true_car_alone() -> None:
    life = false_car()
    life.chain.do("workshop-berlin", maintenance(life.chain, 80_000, where=TOYOTA))
    service = newest(life.chain)
    voided(life)
    life.chain.do("bmw", register())
    life.chain.do("workshop-hamburg", maintenance(life.chain, 100))
    life.chain.do("workshop-berlin", amend(life.chain, service, witness=address("inspector-1")), "inspector-1")
    assert (1, 0) == (car(life).maintenance_count, life.chain.state(ODOMETER, VIN).corrections)


def test_a_struck_remedy_or_update_of_the_false_car_changes_nothing_of_the_true_one() -> None:
    life = recalled()
    done = specimen("recall.done", life.chain, odometer=km(80_000), where=TOYOTA)
    life.chain.do("workshop-berlin", done)
    remedy = newest(life.chain)
    update = updated(life.chain, ("infotainment", "", "1.0"), odometer=km(80_000), where=TOYOTA)
    life.chain.do("workshop-berlin", update)
    flashed = newest(life.chain)
    voided(life)
    life.chain.do("bmw", register())
    life.chain.do("workshop-berlin", replace(update, odometer=km(10), where=where()))
    software = life.chain.state(SOFTWARE, VIN)
    for sequence in (remedy, flashed):
        body = amend(life.chain, sequence, witness=address("inspector-1"))
        life.chain.do("workshop-berlin", body, "inspector-1")
    assert ((), 0, 1) == (car(life).recalls, recall(life).cars, recall(life).done)
    assert software == life.chain.state(SOFTWARE, VIN)


def test_a_battery_that_the_false_car_had_is_in_the_true_one_once_it_is_fitted() -> None:
    life = at("")
    life.chain.do("dealer-munich", imported(life.chain, VIN, powertrain="bev", produced_year=2019), "inspector-1")
    life.chain.do("workshop-berlin", battery(life.chain, value=80_000, where=TOYOTA))
    voided(life)
    life.chain.do("bmw", register(powertrain="bev"))
    key = battery_key("JPPEVE0123456789")
    assert () == report(life, key.hex()).batteries
    life.chain.do("workshop-berlin", battery(life.chain, value=10))
    [place] = life.chain.state(BATTERY, key).binding.claims
    assert (newest(life.chain), 1) == (place.sequence, len(report(life, key.hex()).batteries))
    assert 10_000 == life.chain.state(BATTERY, key).fit_metres


def test_a_dispute_about_the_false_cars_record_changes_nothing_of_the_true_one() -> None:
    life = false_car()
    life.chain.do("workshop-berlin", maintenance(life.chain, 80_000, where=TOYOTA))
    service = newest(life.chain)
    ident = disputed(life, service, "dealer-munich")
    voided(life)
    life.chain.do("bmw", register())
    life.chain.do("workshop-hamburg", maintenance(life.chain, 100))
    answered(life, ident)
    decided(life, ident, "annulled")
    assert ("annulled", 1) == (of(life, ident).outcome, car(life).maintenance_count)
