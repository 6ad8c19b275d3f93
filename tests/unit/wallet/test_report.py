"""The buyer's report as a page: what a person sees on a terminal, and a program in a pipe."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from support.chain import DAY_MS, Chain, address
from support.disputing import ARBITERS, answered, dispute, disputed, newest, passed, serviced, voted
from support.life import VIN, flag, maintenance
from support.registering import put
from support.specimens import specimen
from support.stages import at, change, force
from support.terminal import STYLES, drawn, without_escapes

from node.crypto.addresses import to_text
from node.ledger.family import index_prefix
from node.ledger.fields import Money
from node.ledger.json_form import from_json, to_json
from node.rpc.moments import moment_of
from node.txtypes.disputes.types import RecordClose
from node.txtypes.history import decode_record
from node.txtypes.members.conduct import CONDUCT, NO_CONDUCT, counted
from node.txtypes.members.member import FRAUDS, Fraud, Frauds
from node.txtypes.parts.battery import BATTERY
from node.txtypes.vehicle.brands import Brand
from node.txtypes.vehicle.claims import DEBTOR, ORDER_CLAIMS, Claim, Debtor, OrderClaims, debtor_key
from node.txtypes.vehicle.incidents import Incident
from node.txtypes.vehicle.life import LIFE, NO_LIFE
from node.txtypes.vehicle.regions import Alert, Duty
from node.txtypes.vehicle.vehicle import VEHICLE
from node.views.car_report import CarReport, car_report
from wallet.report import SECTIONS, echo_report

FOREIGN = "JTDKB20U093512345"


def report_of(chain, vin: str) -> dict[str, Any]:
    moment = moment_of(chain.store)
    vehicle = moment.get(VEHICLE, vin)
    records = [decode_record(raw) for _, raw in chain.store.records(vin, 0, 1_000)]
    batteries = moment.reader.entries(index_prefix(BATTERY, "vehicle", vin), "", 8)
    claimed = (bytes(32).hex(),)
    return to_json(car_report(vin, vehicle, moment, moment.as_of, records, batteries, claimed))


def page(capsys: pytest.CaptureFixture[str], report: dict[str, Any]) -> dict[str, list[str]]:
    """Section to its lines, as a pipe gets them."""
    capsys.readouterr()
    echo_report(report)
    title, *lines = capsys.readouterr().out.splitlines()
    assert f"Buyer's report for {report['vin']}" == title
    sections: dict[str, list[str]] = {}
    for line in lines:
        if line.startswith("  "):
            sections[list(sections)[-1]].append(" ".join(line.split()))
        else:
            name = next(section.title for section in SECTIONS if line.startswith(section.title))
            sections[name] = [text] if (text := line.removeprefix(name).strip()) else []
    return sections


def test_the_page_has_every_section_in_its_order(capsys: pytest.CaptureFixture[str]) -> None:
    shown = page(capsys, report_of(at("born").chain, VIN))
    assert [section.title for section in SECTIONS] == list(shown)
    assert ["none"] == shown["Brands"] == shown["Disputes"] == shown["Inspections"]
    assert "origin born on this chain: all of its life since 2025-12-02 is here" in shown["Identity and origin"]


def lived() -> Chain:
    """A registered car with another odometer and a dispute that was withdrawn, and one from elsewhere."""
    chain = at("wholesale").chain
    chain.do("registrar-1", put(chain))
    chain.do("workshop-berlin", specimen("odometer.replace", chain), "dealer-munich")
    ident = chain.do("dealer-munich", dispute(chain, newest(chain)))
    chain.do("dealer-munich", specimen("record.withdraw", None, {"dispute": ident}))
    chain.do("dealer-munich", specimen("vehicle.import", chain), "inspector-1")
    for tag, sender in (("battery.bind", "workshop-berlin"), ("battery.health", "inspector-1")):
        chain.do(sender, specimen(tag, chain))
    return chain


def test_a_life_is_told_line_by_line(capsys: pytest.CaptureFixture[str]) -> None:
    chain = lived()
    shown = page(capsys, report_of(chain, VIN))
    assert ["existence in service"] == shown["Existence"]
    assert ["odometer replaced confirmed since 2026-01-02, record 3"] == shown["Brands"]
    assert [
        "now registered in DE since 2026-01-02", "2026-01-02 registration.set DE by registrar-1, record 2"
    ] == shown["Registration"]  # fmt: skip
    assert ["record 3 not done, closed: withdrawn on 2026-01-02, opened 2026-01-02"] == shown["Disputes"]
    assert [
        "present instrument 0 km on 2026-01-02, record 3", "driven overall 12,600 km over 2 instruments"
    ] == shown["Odometer"][1:3]  # fmt: skip
    foreign = page(capsys, report_of(chain, FOREIGN))
    assert "maker and model a maker that is not on this chain, PRIUS, hev" in foreign["Identity and origin"]
    assert "built 2019 in TSUTSUMI" in foreign["Identity and origin"]
    assert any("health 94.1 %" in line for line in foreign["High-voltage battery"])


def test_an_instrument_that_nobody_has_witnessed_leaves_the_distance_unproven(
    capsys: pytest.CaptureFixture[str],
) -> None:
    chain = at("wholesale").chain
    chain.do("workshop-berlin", maintenance(chain, 12_000))
    body = specimen("odometer.replace", chain)
    chain.do("workshop-berlin", replace(body, old=replace(body.old, others=())), "dealer-munich")
    chain.now += DAY_MS
    chain.do("workshop-berlin", maintenance(chain, 400))
    shown = page(capsys, report_of(chain, VIN))
    assert [
        "present instrument 400 km on 2026-01-03, record 4",
        "driven overall 13,000 km over 2 instruments, which is not proven",
    ] == shown["Odometer"][1:3]


def test_a_dispute_says_what_it_waits_for(capsys: pytest.CaptureFixture[str]) -> None:
    life = at("wholesale")
    sequence = serviced(life)
    ident = disputed(life, sequence)
    says = [page(capsys, report_of(life.chain, VIN))["Disputes"]]
    answered(life, ident)
    says.append(page(capsys, report_of(life.chain, VIN))["Disputes"])
    voted(life, ident, "annulled", *ARBITERS[:2])
    passed(life, 14)
    life.chain.produce()
    says.append(page(capsys, report_of(life.chain, VIN))["Disputes"])
    life.chain.do("buyer-1", RecordClose(ident))
    says.append(page(capsys, report_of(life.chain, VIN))["Disputes"])
    assert [
        "record 2 not done, awaiting answer until 2026-01-16, opened 2026-01-02",
        "record 2 not done, voting until 2026-01-16, opened 2026-01-02",
        "record 2 not done, due: undecided, takes effect when anybody sends record.close, since 2026-01-16, opened "
        "2026-01-02",
        "record 2 not done, closed: undecided on 2026-01-16, opened 2026-01-02",
    ] == [line for (line,) in says]


def troubled():
    """A car on which everything is wrong at once."""
    chain = at("wholesale").chain
    vehicle = chain.state(VEHICLE, VIN)
    chain.now += DAY_MS
    now, police = chain.now, address("police-1")
    change(
        chain, VEHICLE, VIN, flags=(flag("stolen", at_ms=now), flag("lien", "bank-1", now, until_ms=now + DAY_MS,
                                                                     is_firm=False)),
        brands=(Brand("fire", "pending", now, 1, 0), Brand("taxi", "confirmed", now, 1, 0)),
        duties=(Duty("structural_release", 1, now),),
        alerts=(Alert("clone_vin", "confirmed", now, now, 2, 1, police, 1),),
        inspection=None, recalls=(), transfer_count=vehicle.transfer_count + 3,
    )  # fmt: skip
    hit = Incident(now, now, 1, b"", ("front", "bonnet"), 1, "confirmed", now, 0, (), 0b11, 2, (), 0)
    force(chain, LIFE, VIN, replace(NO_LIFE, incidents=(hit,), older_incidents=2))
    chain.produce()
    return chain


def test_what_is_wrong_is_said_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    shown = page(capsys, report_of(troubled(), VIN))
    stolen, lien = shown["Stop-flags"]
    assert stolen.startswith("stolen firm, set by police-1 on 2026-01-03, blocks list, offer")
    assert lien.startswith("lien provisional until 2026-01-04, set by bank-1")
    assert ["clone vin confirmed, 2 reports, last 2026-01-03, record 1"] == shown["Alerts"]
    assert [
        "2026-01-03 severe (bonnet, front), confirmed, not repaired, record 1",
        "older 2 incidents more, see the history", "still to do structural release, from record 1",
    ] == shown["Incidents"]  # fmt: skip
    assert "holders so far 5" in shown["Holders"] and "used as taxi" in shown["Holders"]
    assert any("duty structural release" in line for line in shown["For a sale"])


def test_a_person_sees_colours_and_no_more_than_the_terminals_width() -> None:
    report = report_of(troubled(), VIN)
    seen = drawn(lambda: echo_report(report), columns=80)
    assert STYLES.search(seen) and max(map(len, without_escapes(seen).splitlines())) <= 80
    assert not STYLES.search(drawn(lambda: echo_report(report), NO_COLOR="1", TERM="dumb"))


def test_a_report_survives_its_own_json() -> None:
    """The wallet reads a node's answer as the struct that it would compute: nothing else reaches the page."""
    for vin in (VIN, FOREIGN):
        report = report_of(lived(), vin)
        assert report == to_json(from_json(CarReport, report, "report"))


def test_what_sales_have_left_is_told_of_the_car_and_of_its_holder(capsys: pytest.CaptureFixture[str]) -> None:
    chain = at("listed").chain
    quiet = page(capsys, report_of(chain, VIN))
    assert ["none"] == quiet["Claims from earlier sales"] == quiet["The holder as a seller"]
    owed = dict(vin=VIN, amount=Money(7_000, "EUR"), creditor=address("buyer-1"))
    claims = (
        Claim(debtor=address("dealer-munich"), cause="price", due_ms=0, **owed),
        Claim(debtor=address("bank-1"), cause="credit", due_ms=chain.now + 5 * DAY_MS, **owed),
    )
    force(chain, ORDER_CLAIMS, bytes(32), OrderClaims(claims))
    force(chain, DEBTOR, debtor_key(VIN, address("dealer-munich")), Debtor(1))
    conduct = counted(counted(NO_CONDUCT, "defaulted", chain.now), "defaulted", chain.now)
    force(chain, CONDUCT, address("dealer-munich"), replace(conduct, refunds_overdue=1))
    force(chain, FRAUDS, "all", Frauds((Fraud(address("dealer-munich"), "dealer", chain.now),)))
    shown = page(capsys, report_of(chain, VIN))
    buyer = to_text(address("buyer-1"))
    assert [
        f"price dealer-munich owes {buyer} 70.00 EUR from order 000000000000, and may not deal in this car",
        f"credit bank-1 owes {buyer} 70.00 EUR from order 000000000000, and may not deal in this car",
    ] == shown["Claims from earlier sales"]
    assert [
        "fraud marked since 2026-01-02", "debtor owes money for this very car; it may not sell it until that is paid",
        "overdue 1 refund; it may not sell until paid",
        "defaults left 2 accepted orders as the seller",
    ] == shown["The holder as a seller"]  # fmt: skip
