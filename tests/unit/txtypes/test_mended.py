"""What was wrong in the life of a car before: each attack of that time, and that it no longer works.

Other tests look at each rule from all sides; here each attack is named once, as an attacker would play it.
"""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.chain import DAY_MS, HOUR_MS, Chain, address
from support.damage import brands, report
from support.life import (
    VIN,
    accept,
    accident,
    acknowledge,
    changed,
    handover,
    km,
    listing,
    maintenance,
    offer,
    read,
    register,
    terms,
    transfer,
    where,
)
from support.specimens import specimen
from support.stages import at, change, force, ledger_of

from node.codec import encode
from node.errors import Malformed
from node.ledger.fields import Money, Where
from node.ledger.json_form import from_json
from node.rules.odometer import INTERESTED
from node.rules.vin import wmi_of
from node.txtypes.envelope import Payload, decode_payload
from node.txtypes.members.member import FRAUDS, MEMBER, Fraud, Frauds, Grant
from node.txtypes.sale.delivery import DeliveryEvent
from node.txtypes.service.damage import AccidentReport, Damage
from node.txtypes.vehicle.conditions import conditions_of
from node.txtypes.vehicle.readings import ODOMETER, newest_counted
from node.txtypes.vehicle.series import coverage
from node.txtypes.vehicle.vehicle import VEHICLE, summary, verdict_now

AUTHORS = ("workshop-berlin", "workshop-hamburg", "inspector-1")


def series(*points: tuple[float, int], authors: tuple[str, ...] = AUTHORS) -> Chain:
    """A car that was read: (days after its birth, kilometres), each by the next author."""
    chain = at("born").chain
    born = chain.now
    for number, (day, value) in enumerate(points):
        chain.now = max(chain.now, born + int(day * DAY_MS))
        chain.do(authors[number % len(authors)], read(VIN, km(value), chain.now))
    return chain


def leaf(chain: Chain):
    return chain.state(ODOMETER, VIN)


def car(chain: Chain):
    return chain.state(VEHICLE, VIN)


def unmet(chain: Chain, sender: str, body, *cosigners: str) -> list[str]:
    return chain.unmet(chain.sign(sender, body, *cosigners))


# --- the odometer ---------------------------------------------------------------------------------------------
def test_the_honest_workshop_is_not_accused() -> None:
    """100,000, then 200,000 (true), then 150,000 (turned back): the true reading was named as the error."""
    found = leaf(series((0, 100_000), (700, 200_000), (1_000, 150_000)))
    assert "CONTESTED" == found.verdict
    named = {found.readings[e.sequences[0] - 1].metres // 1_000 for e in found.explanations}
    assert {200_000, 150_000} == named, "both sides, never one alone"
    assert not any(explanation.typing_error_likely for explanation in found.explanations)


def test_a_rollback_among_many_readings_is_illogical() -> None:
    found = leaf(series((0, 80_000), (300, 120_000), (700, 180_000), (720, 182_000), (750, 122_000), (800, 125_000)))
    assert "ILLOGICAL" == found.verdict


def test_twelve_thousand_kilometres_in_a_day_are_told() -> None:
    assert leaf(series((0, 0), (25 / 24, 11_900))).outliers


def test_two_visits_of_one_day_in_the_wrong_order_contradict_nothing() -> None:
    assert "LOGICAL" == leaf(series((0, 10_000), (100, 50_012), (100.2, 50_000), (200, 60_000), (300, 70_000))).verdict


def test_one_false_reading_makes_no_car_illogical_for_ever() -> None:
    life = at("offered")
    life.chain.do("carrier-1", read(VIN, km(999_999), life.chain.now, "telematics"))
    life.chain.now += HOUR_MS
    life.chain.do("workshop-berlin", maintenance(life.chain, 160))
    assert "CONTESTED" == car(life.chain).verdict
    fresh = at("wholesale")
    fresh.chain.do("carrier-1", read(VIN, km(999_999), fresh.chain.now))
    fresh.chain.do("workshop-berlin", maintenance(fresh.chain, 160))
    assert ["verdict_contested"] == unmet(fresh.chain, "dealer-munich", listing(fresh.chain))
    assert [] == unmet(fresh.chain, "dealer-munich", listing(fresh.chain, discloses=("odometer",)))


def test_miles_on_a_kilometre_car_are_taken_and_compared_exactly() -> None:
    chain = series((0, 100_000))
    chain.do("workshop-hamburg", read(VIN, km(62_138, "mi"), chain.now))
    assert "LOGICAL" == leaf(chain).verdict


def test_a_handover_or_transfer_dated_back_is_refused() -> None:
    """Dated between two older readings, a clocked one was hidden: LOGICAL."""
    chain = at("wholesale").chain
    chain.now += 900 * DAY_MS
    chain.do("workshop-berlin", maintenance(chain, 90_000, event_at_ms=chain.now - 400 * DAY_MS))
    chain.do("workshop-berlin", maintenance(chain, 180_000, event_at_ms=chain.now - 100 * DAY_MS))
    back = transfer(chain, "dealer-shanghai", 100_000, event_at_ms=chain.now - 380 * DAY_MS)
    assert ["event_not_now"] == unmet(chain, "dealer-munich", back, "dealer-shanghai")
    life = at("paid")
    late = handover(life.chain, life.order, event_at_ms=life.chain.now - 4 * DAY_MS)
    assert "event_not_now" in unmet(life.chain, "dealer-munich", late, "buyer-1")


def test_who_reports_his_own_scratch_has_no_fresher_reading() -> None:
    life = at("handed_over")
    life.chain.now += 200 * DAY_MS
    assert ["odometer_stale"] == unmet(life.chain, "buyer-1", listing(life.chain))
    life.chain.do("buyer-1", report(life.chain, extent="cosmetic", odometer=km(161)))
    assert ["odometer_stale"] == unmet(life.chain, "buyer-1", listing(life.chain))


def test_what_a_delivery_reads_is_judged() -> None:
    life = at("paid")
    before = len(leaf(life.chain).readings)
    life.chain.do("dealer-munich", DeliveryEvent(life.order, "arrived", "MUC-1", life.chain.now, km(99_000)))
    added = leaf(life.chain).readings[-1]
    assert (before + 1, INTERESTED, 99_000_000) == (len(leaf(life.chain).readings), added.standing, added.metres)


def test_a_service_book_written_in_one_hour_is_good_for_nothing() -> None:
    chain = at("born").chain
    change(chain, VEHICLE, VIN, born_at_ms=chain.now - 1_800 * DAY_MS, covered_since_ms=chain.now - 1_800 * DAY_MS)
    for year in range(5):
        event = chain.now - (1_700 - 200 * year) * DAY_MS
        chain.do("workshop-berlin", maintenance(chain, 20_000 * (year + 1), event_at_ms=event))
    assert 0 == car(chain).maintenance_count
    assert 0 == leaf(chain).newest_event_ms and newest_counted(leaf(chain)) is None
    assert 0 == coverage(leaf(chain), car(chain).covered_since_ms, chain.now)


# --- reports of strangers ----------------------------------------------------------------------------------------
def test_one_workshop_brands_no_car_and_reports_no_eight_accidents_a_day() -> None:
    life = at("offered")
    codes: list[str] = []
    while not codes:
        raw = life.chain.sign("workshop-berlin", accident(life.chain, 150, extent="structural"))
        codes = life.chain.unmet(raw)
        if not codes:
            life.chain.produce(raw)
    found = car(life.chain)
    assert 1 == found.accident_count, "of one accident there is one"
    assert found.record_count <= 5 and codes
    assert {"collision_structural": "pending"} == brands(life.chain)


def test_three_authors_of_one_accident_are_one_accident() -> None:
    chain = at("born").chain
    for author in ("workshop-berlin", "police-1", "insurer-1"):
        chain.do(author, report(chain, extent="structural"))
    assert 1 == car(chain).accident_count


def test_a_strangers_report_does_not_lock_a_paid_car() -> None:
    life = at("paid")
    life.chain.do("workshop-berlin", accident(life.chain, 150, extent="cosmetic"))
    assert ["acknowledgement_missing"] == unmet(
        life.chain, "dealer-munich", handover(life.chain, life.order), "buyer-1"
    )
    life.chain.do("buyer-1", acknowledge(life.chain, life.order))
    assert [] == unmet(life.chain, "dealer-munich", handover(life.chain, life.order), "buyer-1")


@pytest.mark.parametrize("context", ["telematics", "reading"])
def test_a_carriers_reading_makes_no_offer_stale(context: str) -> None:
    life = at("offered")
    life.chain.do("carrier-1", read(VIN, km(151), life.chain.now, context))
    life.chain.do("workshop-berlin", maintenance(life.chain, 152))
    assert [] == unmet(life.chain, "dealer-munich", accept(life.chain, life.order), "buyer-1")


def test_a_damage_that_a_car_cannot_have_is_refused() -> None:
    chain = at("born").chain
    petrol = dict(damages=(Damage("hv_battery", "structural"),))
    assert ["damage_impossible"] == unmet(chain, "workshop-berlin", accident(chain, **petrol))
    assert ["damage_impossible"] == unmet(chain, "workshop-berlin", accident(chain, hv_battery_hit=True))
    windscreen = dict(damages=(Damage("windscreen", "structural"),))
    assert ["damage_impossible"] == unmet(chain, "workshop-berlin", accident(chain, **windscreen))
    change(chain, VEHICLE, VIN, powertrain="bev")
    chain.do("police-1", report(chain, "hv_battery", extent="structural"))
    assert "confirmed" == brands(chain)["hv_battery_hit"]


# --- the sale -------------------------------------------------------------------------------------------------------
def test_no_car_moves_for_nothing() -> None:
    life, nothing = at("offered"), Money(0, "EUR")
    with pytest.raises(Malformed, match="price"):
        decode_payload(encode(Payload(bytes(20), 1, 1, listing(life.chain, price=nothing))))
    for sender, body in (
        ("buyer-1", offer(life.chain, life.listing, terms=terms(nothing))),
        ("dealer-munich", specimen("order.counter", life.chain, {"order": life.order}, terms=terms(nothing))),
    ):
        assert "price_zero" in unmet(life.chain, sender, body)


def test_a_new_car_that_was_wholesaled_is_new() -> None:
    chain = at("wholesale").chain
    assert ("new", "born") == (summary(car(chain), chain.now), car(chain).existence)


# --- identity -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("vin", ["WBA31AM00ABCDEFGH", "WBAAAAAAAAAAAAAAA"])
def test_a_vin_without_a_serial_number_is_not_born(vin: str) -> None:
    assert ["vin_serial"] == unmet(at("").chain, "bmw", register(vin))


@pytest.mark.parametrize("day", ["1970-01-02", "2024-11-01"])
def test_an_old_car_is_not_born(day: str) -> None:
    assert ["birth_too_late"] == unmet(at("").chain, "bmw", register(produced_on=day))


def test_a_small_maker_is_told_by_six_characters() -> None:
    assert "WB9ABC" == wmi_of("WB9XXXXXXXXABC123") and "WBA" == wmi_of(VIN)


# --- roles and fraud --------------------------------------------------------------------------------------------------
def test_a_role_counts_when_it_happened_and_when_it_is_written() -> None:
    chain = at("born").chain
    chain.now += 20 * DAY_MS
    member = chain.state(MEMBER, address("workshop-berlin"))
    late = maintenance(chain, event_at_ms=chain.now - 5 * DAY_MS)

    def grants(**changes: object) -> None:
        force(chain, MEMBER, address("workshop-berlin"), replace(
            member, grants=(replace(Grant("workshop", (), "", (), 0, 0, ()), **changes),)
        ))  # fmt: skip

    grants(starts_at_ms=chain.now - DAY_MS)
    assert ["role_at_event"] == unmet(chain, "workshop-berlin", late)
    grants(changes=changed("suspended", "security", chain.now - 10 * DAY_MS))
    assert ["role_missing"] == unmet(chain, "workshop-berlin", late)
    grants(country="CN")
    assert ["role_scope"] == unmet(chain, "workshop-berlin", maintenance(chain, where=where("BER-1")))
    grants()
    assert [] == unmet(chain, "workshop-berlin", late)


def test_fraud_is_from_a_date_on_and_has_effects() -> None:
    chain = series((0, 100), (100, 50_000), (200, 20_000), (300, 30_000), authors=("workshop-berlin", "carrier-1"))
    assert "ILLOGICAL" == car(chain).verdict or "CONTESTED" == car(chain).verdict
    for since_ms, verdict in ((chain.now + DAY_MS, car(chain).verdict), (0, "LOGICAL")):
        force(chain, FRAUDS, "all", Frauds((Fraud(address("carrier-1"), "", since_ms),)))
        ledger = ledger_of(chain)
        assert verdict == verdict_now(ledger, VIN, car(chain), ledger.rules)
    assert not list(conditions_of(ledger, VIN, car(chain), chain.now, ledger.rules))


# --- names, telephone numbers and plates ------------------------------------------------------------------------------
@pytest.mark.parametrize("text", ["HANS.MUELLER.MUENCHEN.0171-2345678", "M-AB1234", "HANS.MUELLER"])
def test_a_reference_is_a_commitment_and_a_site_is_in_the_directory(text: str) -> None:
    chain = at("born").chain
    example = dict(AccidentReport.EXAMPLE.body) | {"event_at": "2026-01-02T00:00:00.000Z", "attachments": []}
    for wrong in ({"case": text}, {"case_reference": text}):
        with pytest.raises(Malformed):
            from_json(AccidentReport, example | wrong)
    body = accident(chain, where=Where(text, "obd", "330I"))
    if "0171" in text:
        with pytest.raises(Malformed, match="telephone"):
            chain.sign("workshop-berlin", body)
    else:
        assert "site_unknown" in unmet(chain, "workshop-berlin", body)
