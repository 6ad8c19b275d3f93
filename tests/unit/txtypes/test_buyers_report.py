"""The buyer's report: its parts over lives in which something happened, and what a record that is withheld costs."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from support.chain import DAY_MS, HOUR_MS, Chain, address
from support.disputing import ARBITERS, answered, dispute, disputed, name_of, newest, voted
from support.foreign import FOREIGN
from support.governing import carry_out
from support.life import VIN, Life, accident, km, maintenance, read, where
from support.registering import put
from support.specimens import specimen
from support.stages import at, change

from node.ledger.family import index_prefix
from node.ledger.json_form import to_json
from node.rpc.moments import moment_of
from node.txtypes.buyers_report import LINES_MAX, RECORDS_MAX, BuyersReport, ReportRecord
from node.txtypes.chain.actions import RoleSetStatus
from node.txtypes.history import DecodedRecord, decode_record
from node.txtypes.members.member import MEMBER
from node.txtypes.parts.battery import BATTERY
from node.txtypes.vehicle.vehicle import VEHICLE


def records_of(chain: Chain, vin: str = VIN) -> list[ReportRecord]:
    return [decode_record(raw) for _, raw in chain.store.records(vin, 0, 10_000)]


def report(chain: Chain, vin: str = VIN, records: list[ReportRecord] | None = None, *more: str) -> dict[str, Any]:
    moment = moment_of(chain.store)
    vehicle = moment.get(VEHICLE, vin)
    assert vehicle is not None
    batteries = [*moment.reader.entries(index_prefix(BATTERY, "vehicle", vin), "", 8), *more]
    given = records_of(chain, vin) if records is None else records
    return to_json(BuyersReport.of(vin, vehicle, moment, moment.as_of, given, batteries))


def test_a_new_car_has_nothing_to_tell_but_what_it_is() -> None:
    shown = report(at("born").chain)
    assert ("bmw", "330I", "MUC") == tuple(shown["identity"][name] for name in ("maker_name", "model", "plant"))
    assert ("born", "", "", 1, "bmw") == tuple(
        shown[name] for name in ("origin", "grade", "history_notice", "holders", "holder_name")
    )
    silent = ("brands", "flags", "recalls", "alerts", "incidents", "duties", "warranties", "batteries", "disputes",
              "usage_brands", "conditions")  # fmt: skip
    assert all(shown[name] == [] for name in silent)
    nothing = {"count": 0, "newest": []}
    assert all(shown[name] == nothing for name in ("inspections", "registrations", "fraud_records", "late_records"))
    assert (1, 1, 0, ["batteries"]) == tuple(
        shown[name] for name in ("record_count", "records_read", "withheld", "nodes_word")
    )


def test_what_happened_is_there_with_its_record() -> None:
    life = at("handed_over")
    chain = life.chain
    chain.do("workshop-berlin", accident(chain, 200, extent="structural"))
    crash = newest(chain)
    chain.do("inspector-1", specimen("inspection.record", chain, odometer=km(210)), "buyer-1")
    chain.do("registrar-1", put(chain, usage="taxi"))
    chain.do("bmw", specimen("recall.open"))
    chain.do("bmw", specimen("recall.extend"))
    chain.do("bmw", specimen("warranty.start", chain))
    shown = report(chain)
    assert [("collision_structural", "pending", crash)] == [
        (b["code"], b["state"], b["sequence"]) for b in shown["brands"] if b["code"] != "taxi"
    ]
    assert ["taxi"] == shown["usage_brands"]
    (incident,) = shown["incidents"]
    assert (["front"], "severe", crash, False) == tuple(
        incident[name] for name in ("zones", "severity", "sequence", "is_repaired")
    )
    (line,) = shown["inspections"]["newest"]
    assert ("inspection.record", "minor", "inspector-1") == (line["kind"], line["what"], line["author_name"])
    assert shown["inspection"]["sequence"] == line["sequence"]
    assert [("registration.set", "DE")] == [(e["kind"], e["what"]) for e in shown["registrations"]["newest"]]
    assert ("registered", "DE") == (shown["registration"]["status"], shown["registration"]["country"])
    (recall,) = shown["recalls"]
    assert ("0016560700", "safety", "14567R") == (
        recall["campaign"], recall["recall_class"], recall["references"][0]["number"]
    )  # fmt: skip
    (warranty,) = shown["warranties"]
    assert ("NEW-CAR-36", "running", 99_790) == (warranty["plan"], warranty["status"], warranty["km_left"])
    assert {"brand_open", "recall_safety"} <= set(shown["conditions"])
    assert (3, "LOGICAL") == (shown["holders"], shown["odometer"]["verdict"])


def test_a_warranty_that_has_ended_is_not_shown() -> None:
    chain = at("wholesale").chain
    chain.do("bmw", specimen("warranty.start", chain))
    chain.now += 37 * 31 * DAY_MS
    chain.produce()
    assert [] == report(chain)["warranties"]


def test_disputes_are_shown_while_they_are_open_and_when_they_are_closed() -> None:
    chain = at("wholesale").chain
    chain.do("workshop-berlin", maintenance(chain, 200))
    ident = chain.do("dealer-munich", dispute(chain, newest(chain)))
    assert ["awaiting_answer"] == [entry["status"] for entry in report(chain)["disputes"]]
    assert [ident.hex()] == [entry["id"] for entry in report(chain, records=[])["disputes"]], "the state has those open"
    chain.do("dealer-munich", specimen("record.withdraw", None, {"dispute": ident}))
    assert [("closed", "withdrawn")] == [(entry["status"], entry["outcome"]) for entry in report(chain)["disputes"]]


def test_records_of_a_fraud_and_late_ones_are_named() -> None:
    chain = at("wholesale").chain
    chain.now += 30 * DAY_MS
    chain.do("workshop-berlin", maintenance(chain, 200, event_at_ms=chain.now - 20 * DAY_MS))
    late = newest(chain)
    chain.do("workshop-berlin", maintenance(chain, 300))
    before = chain.now - 365 * DAY_MS
    carry_out(chain, RoleSetStatus(address("workshop-berlin"), "workshop", "revoked", "fraud", before))
    shown = report(chain)
    assert [late] == [line["sequence"] for line in shown["late_records"]["newest"]]
    assert [late, late + 1] == [line["sequence"] for line in shown["fraud_records"]["newest"]]


def brought_in() -> Life:
    """An imported car with its battery, and one that was born here."""
    life = at("born")
    life.chain.do("dealer-munich", specimen("vehicle.import", life.chain), "inspector-1")
    life.chain.do("workshop-berlin", specimen("battery.bind", life.chain))
    return life


def test_an_imported_car_says_what_is_not_known() -> None:
    shown = report(brought_in().chain, FOREIGN)
    assert ("imported", "C", "") == (shown["origin"], shown["grade"], shown["identity"]["maker_name"])
    assert "is not on this chain (grade C)" in shown["history_notice"]
    (battery,) = shown["batteries"]
    assert ("original", "bound") == (battery["state"], battery["place"])


def test_a_battery_of_another_car_is_left_out_whatever_the_node_lists() -> None:
    chain = brought_in().chain
    (battery,) = report(chain, FOREIGN)["batteries"]
    assert [] == report(chain, VIN, None, battery["id"])["batteries"]


def test_a_withheld_record_is_counted_and_its_face_still_tells_who_and_when() -> None:
    chain = at("wholesale").chain
    chain.now += 30 * DAY_MS
    chain.do("workshop-berlin", maintenance(chain, 200, event_at_ms=chain.now - 20 * DAY_MS))
    *others, last = records_of(chain)
    assert isinstance(last, DecodedRecord)
    hidden = report(chain, VIN, [*others, last.face])
    assert (1, 1) == (hidden["withheld"], hidden["late_records"]["count"])
    digest = report(chain, VIN, [*others, None])
    assert (1, 0, len(others) + 1) == (digest["withheld"], digest["late_records"]["count"], digest["records_read"])


def test_a_report_names_the_newest_records_and_reads_no_more_than_its_bound() -> None:
    chain = at("wholesale").chain
    chain.now += 30 * DAY_MS
    chain.do("workshop-berlin", read(VIN, km(200), chain.now - 20 * DAY_MS))
    late = records_of(chain)[-1:]
    shown = report(chain, VIN, late * (RECORDS_MAX + 7))
    assert (RECORDS_MAX, RECORDS_MAX) == (shown["records_read"], shown["late_records"]["count"])
    assert LINES_MAX == len(shown["late_records"]["newest"])


def test_a_record_that_was_amended_or_annulled_says_so() -> None:
    life = at("wholesale")
    chain = life.chain
    chain.now += 30 * DAY_MS
    for value in (200, 210, 220):
        chain.do("workshop-berlin", maintenance(chain, value, event_at_ms=chain.now - 20 * DAY_MS))
    first = newest(chain) - 2
    body = specimen("record.amend", chain, target=name_of(chain, first), replaced_by=None, belongs_to=None)
    chain.do("workshop-berlin", body, "inspector-1")
    ident = disputed(life, first + 1)
    answered(life, ident)
    voted(life, ident, "annulled", *ARBITERS[:3])
    shown = report(chain)
    assert ["amended", "annulled", ""] == [line["became"] for line in shown["late_records"]["newest"]]
    assert ["annulled"] == [entry["outcome"] for entry in shown["disputes"]]


@pytest.mark.parametrize(("hours", "is_parallel"), [(2, True), (24 * 30, False)])
def test_records_at_places_that_are_too_far_apart_for_the_time_hint_at_a_second_car(
    hours: int, is_parallel: bool
) -> None:
    chain = at("wholesale").chain
    member = chain.state(MEMBER, address("workshop-berlin"))
    (far,) = (replace(site, code="SHA-1", longitude_e6=121_000_000) for site in member.sites[:1])
    change(chain, MEMBER, address("workshop-berlin"), sites=(*member.sites, far))
    assert not report(chain)["parallel_life"]
    for site in (member.sites[0].code, "SHA-1"):
        chain.do("workshop-berlin", maintenance(chain, 10_000, where=where(site)))
        chain.now += hours * HOUR_MS
    assert is_parallel == report(chain)["parallel_life"]
