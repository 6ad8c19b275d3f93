"""Guards of a car's birth, its wholesale, its maintenance, its accidents and readings."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from msgspec.structs import replace
from support.chain import DAY_MS, START_MS, Chain, address
from support.life import (
    VIN,
    Life,
    accept,
    accident,
    flag,
    handover,
    km,
    listing,
    maintenance,
    offer,
    read,
    read_today,
    register,
    transfer,
)
from support.stages import Case, at, change, force, table

from node import limits
from node.ledger.body import TransactionBody
from node.rules.odometer import DECLARED, INDEPENDENT
from node.rules.stop_flags import STOP_FLAGS
from node.txtypes.members.member import MEMBER, Grant
from node.txtypes.sale.delivery import DeliveryEvent
from node.txtypes.sale.order_family import ORDER
from node.txtypes.service.damage import Damage
from node.txtypes.service.records import OdometerRead
from node.txtypes.vehicle.activity import Activity
from node.txtypes.vehicle.readings import ODOMETER, activity_of
from node.txtypes.vehicle.record import Content, stored_record
from node.txtypes.vehicle.regions import OFF_MARKET
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle, market_of, summary

MINUTES_5 = 5 * 60_000
CONTENT = msgspec.msgpack.Decoder(Content)
OTHER = "WBA8E9G50GNU99999"


def vehicle(life: Life) -> Vehicle:
    return life.chain.state(VEHICLE, VIN)


def changed(**changes) -> Callable[[Life], None]:
    return lambda life: change(life.chain, VEHICLE, VIN, **changes)


def reading(life: Life, value: int = 200, vin: str = VIN, unit: str = "km", event: int | None = None) -> OdometerRead:
    return read(vin, km(value, unit), life.chain.now if event is None else event, "reading")


# --- what every record checks -----------------------------------------------------------------------
RECORDS: dict[str, tuple[str, str, tuple[str, ...], Callable[..., TransactionBody]]] = {
    "odometer.read": ("born", "bmw", (), lambda life, value=200, unit="km", event=None, vin=VIN:
                      reading(life, value, vin, unit, event)),
    "maintenance.record": ("born", "workshop-berlin", (), lambda life, value=200, unit="km", event=None, vin=VIN:
                           maintenance(life.chain, vin=vin, odometer=km(value, unit),
                                       event_at_ms=life.chain.now if event is None else event)),
    "accident.report": ("born", "police-1", (), lambda life, value=200, unit="km", event=None, vin=VIN:
                        accident(life.chain, vin=vin, odometer=km(value, unit),
                                 event_at_ms=life.chain.now if event is None else event)),
    "title.transfer": ("born", "bmw", ("dealer-munich",), lambda life, value=200, unit="km", event=None, vin=VIN:
                       transfer(life.chain, vin=vin, odometer=km(value, unit),
                                event_at_ms=life.chain.now if event is None else event)),
    "order.handover": ("paid", "dealer-munich", ("buyer-1",), lambda life, value=200, unit="km", event=None, vin=VIN:
                       handover(life.chain, life.order, odometer=km(value, unit),
                                event_at_ms=life.chain.now if event is None else event)),
    "delivery.event": ("paid", "dealer-munich", (), lambda life, value=200, unit="km", event=None, vin=VIN:
                       DeliveryEvent(life.order, "arrived", "MUC-1", life.chain.now if event is None else event,
                                     km(value, unit))),
}  # fmt: skip
READINGS = [kind for kind in RECORDS if kind != "delivery.event"]
NAMING_A_VIN = ["odometer.read", "maintenance.record", "accident.report", "title.transfer"]


def unmet(kind: str, life: Life, **given) -> list[str]:
    _, sender, cosigners, body = RECORDS[kind]
    return life.chain.unmet(life.chain.sign(sender, body(life, **given), *cosigners))


@pytest.mark.parametrize("kind", RECORDS)
def test_an_event_is_at_most_five_minutes_ahead_and_never_before_birth(kind: str) -> None:
    life = at(RECORDS[kind][0])
    now, born = life.chain.now, vehicle(life).born_at_ms
    assert [] == unmet(kind, life, value=150, event=now + MINUTES_5)
    assert ["event_in_future"] == unmet(kind, life, value=150, event=now + MINUTES_5 + 1)
    early = {"title.transfer": "event_not_now", "order.handover": "event_not_now", "delivery.event": "delivery_order"}
    also = [early[kind]] if kind in early else []
    assert also == unmet(kind, life, value=150, event=born)
    assert ["event_before_birth", *also] == unmet(kind, life, value=150, event=born - 1)


@pytest.mark.parametrize(("kind", "days"), [("title.transfer", 7), ("order.handover", 3)])
def test_an_act_is_reported_when_it_happens(kind: str, days: int) -> None:
    life = at(RECORDS[kind][0])
    if kind == "order.handover":
        change(life.chain, ORDER, life.order, accepted_at_ms=0)
    oldest = life.chain.now - days * DAY_MS
    assert [] == unmet(kind, life, value=150, event=oldest)
    assert ["event_not_now"] == unmet(kind, life, value=150, event=oldest - 1)


def test_a_handover_is_not_before_the_acceptance() -> None:
    life = at("paid")
    accepted = life.chain.state(ORDER, life.order).accepted_at_ms
    assert [] == unmet("order.handover", life, event=accepted)
    assert ["event_not_now"] == unmet("order.handover", life, event=accepted - 1)


@pytest.mark.parametrize("kind", RECORDS)
def test_a_reading_may_be_in_miles(kind: str) -> None:
    life = at(RECORDS[kind][0])
    assert [] == unmet(kind, life, unit="km") == unmet(kind, life, unit="mi")


@pytest.mark.parametrize("kind", READINGS)
def test_an_author_adds_eight_readings_a_day_to_one_vehicle(kind: str) -> None:
    stage, sender, *_ = RECORDS[kind]
    life = at(stage)
    day = life.chain.now // DAY_MS
    for today, codes in ((7, []), (8, ["readings_today"])):
        force(life.chain, ODOMETER, VIN, read_today(address(sender), today, day))
        assert codes == unmet(kind, life)
    change(life.chain, ODOMETER, VIN, day=day - 1)
    assert [] == unmet(kind, life)
    force(life.chain, ODOMETER, VIN, read_today(address("carrier-1"), 8, day))
    assert [] == unmet(kind, life)


@pytest.mark.parametrize(("sender", "signed", "codes"), [
    ("workshop-berlin", False, ["reports_on_vehicle"]), ("workshop-berlin", True, []), ("workshop-hamburg", False, []),
])  # fmt: skip
def test_an_author_writes_sixteen_records_in_a_month_without_the_holder(
    sender: str, signed: bool, codes: list[str]
) -> None:
    life = at("born")
    leaf = read_today(address("workshop-berlin"), 0, life.chain.now // DAY_MS)
    full = (Activity(0, 0, 4, 4, 8),)
    force(life.chain, ODOMETER, VIN, replace(leaf, activity=full))
    body = maintenance(life.chain, holder_signs=signed)
    assert codes == life.chain.unmet(life.chain.sign(sender, body, *(["bmw"] if signed else [])))
    force(life.chain, ODOMETER, VIN, replace(leaf, activity=(Activity(0, 0, 4, 4, 7),)))
    assert [] == life.chain.unmet(life.chain.sign("workshop-berlin", maintenance(life.chain)))


def test_the_holder_and_the_maker_write_as_much_as_they_like() -> None:
    life = at("born")
    leaf = read_today(address("bmw"), 0, life.chain.now // DAY_MS)
    force(life.chain, ODOMETER, VIN, replace(leaf, activity=(Activity(0, 0, 99, 0, 0),)))
    assert [] == life.chain.unmet(life.chain.sign("bmw", reading(life)))


def test_the_ninth_reading_of_a_day_waits_for_the_next() -> None:
    life = at("born")
    for _ in range(limits.READINGS_PER_AUTHOR_AND_DAY_MAX):
        life.chain.do("bmw", reading(life))
    assert ["readings_today"] == life.chain.unmet(life.chain.sign("bmw", reading(life)))
    life.chain.do("workshop-berlin", reading(life))
    assert ["readings_today"] == life.chain.unmet(life.chain.sign("bmw", reading(life)))
    life.chain.now += DAY_MS
    life.chain.do("bmw", reading(life))
    assert 1 == activity_of(life.chain.state(ODOMETER, VIN), address("bmw"), life.chain.now)[0]


@pytest.mark.parametrize("kind", NAMING_A_VIN)
def test_a_record_needs_its_vehicle(kind: str) -> None:
    life = at(RECORDS[kind][0])
    assert ["vehicle_unknown"] == unmet(kind, life, vin=OTHER)


@pytest.mark.parametrize("kind", RECORDS)
def test_after_its_end_a_vehicle_gets_no_records(kind: str) -> None:
    life = at(RECORDS[kind][0])
    for existence in ("total_loss", "rebuilt", "in_service"):
        change(life.chain, VEHICLE, VIN, existence=existence)
        is_blocked = kind == "order.handover" and existence == "total_loss"
        assert (["total_loss"] if is_blocked else []) == unmet(kind, life)
    for existence in ("scrapped", "voided"):
        change(life.chain, VEHICLE, VIN, existence=existence)
        assert ["vehicle_ended"] == unmet(kind, life)


@pytest.mark.parametrize(
    ("stage", "signers", "body"),
    [
        ("wholesale", ("dealer-munich",), lambda life: listing(life.chain)),
        ("listed", ("buyer-1",), lambda life: offer(life.chain, life.listing)),
        ("offered", ("dealer-munich", "buyer-1"), lambda life: accept(life.chain, life.order)),
    ],
)
def test_after_its_end_a_vehicle_is_not_sold(stage: str, signers: tuple[str, ...], body) -> None:
    life = at(stage)
    assert [] == life.chain.unmet(life.chain.sign(signers[0], body(life), *signers[1:]))
    change(life.chain, VEHICLE, VIN, existence="scrapped")
    assert ["vehicle_ended"] == life.chain.unmet(life.chain.sign(signers[0], body(life), *signers[1:]))


# --- stop-flags and the verdict -----------------------------------------------------------------------
GUARDED = {
    "transfer": ("born", "bmw", ("dealer-munich",), lambda life: transfer(life.chain)),
    "list": ("wholesale", "dealer-munich", (), lambda life: listing(life.chain)),
    "accept": ("offered", "dealer-munich", ("buyer-1",), lambda life: accept(life.chain, life.order)),
    "handover": ("paid", "dealer-munich", ("buyer-1",), lambda life: handover(life.chain, life.order)),
    "offer": ("listed", "buyer-1", (), lambda life: offer(life.chain, life.listing)),
}


def guarded(operation: str, **changes) -> list[str]:
    stage, sender, cosigners, body = GUARDED[operation]
    life = at(stage)
    change(life.chain, VEHICLE, VIN, **changes)
    if operation == "accept":  # the offer has seen the change
        change(life.chain, ORDER, life.order, disclosure_root=offer(life.chain, life.listing).disclosure_root)
    return life.chain.unmet(life.chain.sign(sender, body(life), *cosigners))


@pytest.mark.parametrize("name", STOP_FLAGS)
@pytest.mark.parametrize("operation", GUARDED)
def test_a_stop_flag_blocks_what_its_table_says(operation: str, name: str) -> None:
    expected = ["stop_flag"] if operation in STOP_FLAGS[name].blocks else []
    if name == "unroadworthy" and operation in ("list", "handover"):
        expected.append("unroadworthy")
    assert expected == guarded(operation, flags=(flag(name, "police-1", START_MS),))


@pytest.mark.parametrize("operation", GUARDED)
def test_an_illogical_odometer_blocks_title_and_market(operation: str) -> None:
    also = ["acknowledgement_missing"] if operation == "handover" else []
    assert ["verdict_illogical", *also] == guarded(operation, verdict="ILLOGICAL")
    assert [] == guarded(operation, verdict="NO_VERDICT")


def test_every_blocking_flag_is_named() -> None:
    flags = tuple(flag(name, "police-1", START_MS) for name in ("stolen", "lien", "court_hold"))
    assert ["stop_flag", "stop_flag", "stop_flag", "verdict_illogical"] == guarded(
        "transfer", flags=flags, verdict="ILLOGICAL"
    )


@pytest.mark.parametrize("kind", ["odometer.read", "maintenance.record", "accident.report"])
def test_flags_and_verdict_never_refuse_a_record(kind: str) -> None:
    life = at("born")
    change(life.chain, VEHICLE, VIN, flags=(flag("stolen", "police-1", 0),), verdict="ILLOGICAL")
    assert [] == unmet(kind, life)


# --- title.transfer -----------------------------------------------------------------------------------
DEALER_ROLE = lambda life: change(life.chain, MEMBER, address("bank-1"), grants=(Grant(  # noqa: E731
    "dealer", (), "", (), 0, 0, ()),))  # fmt: skip


@table(
    Case("wholesale", "born", "bmw", lambda life: transfer(life.chain), (), ("dealer-munich",)),
    Case("to oneself", "born", "bmw", lambda life: transfer(life.chain, "bmw"), ("same_holder",)),
    Case("not the holder", "born", "dealer-munich", lambda life: transfer(life.chain, "bmw"), ("not_the_holder",),
         ("bmw",)),
    Case("to a buyer", "born", "bmw", lambda life: transfer(life.chain, "buyer-1"), ("role_missing",), ("buyer-1",)),
    Case("to a bank", "born", "bmw", lambda life: transfer(life.chain, "bank-1"), ("role_missing",), ("bank-1",)),
    Case("to a bank that deals", "born", "bmw", lambda life: transfer(life.chain, "bank-1"), (), ("bank-1",),
         DEALER_ROLE),
    Case("by a buyer", "handed_over", "buyer-1", lambda life: transfer(life.chain, "bmw"), ("role_missing",),
         ("bmw",)),
    Case("while listed", "listed", "dealer-munich", lambda life: transfer(life.chain, "bmw"), ("market_live",),
         ("bmw",)),
    Case("while reserved", "accepted", "dealer-munich", lambda life: transfer(life.chain, "bmw"), ("market_live",),
         ("bmw",)),
    Case("a dealer returns", "wholesale", "dealer-munich", lambda life: transfer(life.chain, "bmw"), (), ("bmw",)),
)  # fmt: skip
def test_transfer(case: Case) -> None:
    assert case.codes == case.run()


@pytest.mark.parametrize(("stage", "days"), [("listed", 30), ("accepted", 60)])
def test_a_listing_and_a_reservation_end_by_themselves(stage: str, days: int) -> None:
    life = at(stage)
    until = vehicle(life).market.until_ms
    assert (until - life.chain.now) // DAY_MS in (days - 1, days)
    for now, codes in ((until - 1, ["market_live"]), (until, [])):
        life.chain.now = now
        assert codes == life.chain.unmet(life.chain.sign("dealer-munich", transfer(life.chain, "bmw"), "bmw"))


def test_a_transfer_moves_title_and_counts() -> None:
    life = at("born")
    life.chain.do("bmw", transfer(life.chain), "dealer-munich")
    found = vehicle(life)
    assert (address("dealer-munich"), 1, 2) == (found.holder, found.transfer_count, found.record_count)
    assert (life.chain.now - 1000, "born") == (found.title_since_ms, found.existence)


# --- maintenance and accidents ------------------------------------------------------------------------
@table(
    Case("service", "born", "workshop-berlin", lambda life: maintenance(life.chain)),
    Case("unknown service", "born", "workshop-berlin", lambda life: maintenance(life.chain, services=("NONSENSE",)),
         ("code_unknown",)),
    Case("two of three unknown", "born", "workshop-berlin",
         lambda life: maintenance(life.chain, services=("A", "ENGINE_OIL", "B")),
         ("code_unknown", "code_unknown")),
    Case("a card number as a service", "born", "workshop-berlin",
         lambda life: maintenance(life.chain, services=("4111111111111111",)), ("code_unknown",)),
    Case("no such cost band", "born", "police-1", lambda life: accident(life.chain, cost_band="a_lot"),
         ("code_unknown",)),
    Case("service by a dealer", "born", "dealer-munich", lambda life: maintenance(life.chain), ("role_missing",)),
    Case("service by the owner", "born", "bmw", lambda life: maintenance(life.chain), ("role_missing",)),
    Case("accident by a workshop", "born", "workshop-berlin", lambda life: accident(life.chain)),
    Case("accident by an insurer", "born", "insurer-1", lambda life: accident(life.chain)),
    Case("accident by the police", "born", "police-1", lambda life: accident(life.chain)),
    Case("accident by the owner", "handed_over", "buyer-1", lambda life: accident(life.chain)),
    Case("accident by the owner before", "handed_over", "dealer-munich", lambda life: accident(life.chain),
         ("role_missing",)),
    Case("accident by a bank", "born", "bank-1", lambda life: accident(life.chain), ("role_missing",)),
    Case("unknown zone", "born", "police-1",
         lambda life: accident(life.chain, damages=(Damage("nose", "cosmetic"), Damage("front", "cosmetic"))),
         ("code_unknown",)),
)  # fmt: skip
def test_workshop(case: Case) -> None:
    assert case.codes == case.run()


def brands(life: Life) -> list[str]:
    return [brand.code for brand in vehicle(life).brands]


def test_brands_are_left_by_structure_and_battery_and_stay() -> None:
    life = Life(Chain())
    chain = life.chain
    chain.do("bmw", register(powertrain="bev"))
    chain.do("police-1", accident(chain))
    assert ((), 1, 1) == (vehicle(life).brands, vehicle(life).accident_count, vehicle(life).material_changes)
    chain.do("police-1", accident(chain, hv_battery_hit=True))
    assert ["hv_battery_hit"] == brands(life)
    chain.do("police-1", accident(chain, extent="structural"))
    assert ["collision_structural", "hv_battery_hit"] == brands(life)
    chain.do("police-1", accident(chain))
    assert ["collision_structural", "hv_battery_hit"] == brands(life)
    assert (1, 0) == (vehicle(life).accident_count, vehicle(life).maintenance_count), "one accident, told four times"


def test_the_owners_reading_is_declared_and_the_workshops_is_not() -> None:
    life = at("handed_over")
    life.chain.do("buyer-1", accident(life.chain, 300))
    life.chain.do("workshop-berlin", accident(life.chain, 301))
    assert [DECLARED, INDEPENDENT] == [r.standing for r in life.chain.state(ODOMETER, VIN).readings[-2:]]
    told = [CONTENT.decode(stored_record(raw).content).outcome for _, raw in life.chain.store.records(VIN, 0, 100)][-2:]
    assert [True, False] == ["self_reported" in outcome for outcome in told]


# --- readings -----------------------------------------------------------------------------------------
NAMES = {
    "manufacturer": "bmw", "dealer": "dealer-munich", "workshop": "workshop-berlin", "inspector": "inspector-1",
    "insurer": "insurer-1", "registrar": "registrar-1", "police": "police-1", "carrier": "carrier-1",
    "bank": "bank-1", "dismantler": "dismantler-1", "identity_attestor": "identity-attestor-1",
    "arbiter": "arbiter-1", "payment_provider": "payment-provider-1",
}  # fmt: skip


@pytest.mark.parametrize("role", NAMES)
def test_accredited_writers_read_odometers(role: str) -> None:
    life = at("born")
    expected = [] if role in OdometerRead.by.roles else ["role_missing"]
    assert expected == life.chain.unmet(life.chain.sign(NAMES[role], reading(life)))


def test_the_owner_is_no_accredited_writer() -> None:
    life = at("handed_over")
    assert ["role_missing"] == life.chain.unmet(life.chain.sign("buyer-1", reading(life)))


def test_a_lower_reading_is_never_refused() -> None:
    life = at("handed_over")
    assert [] == life.chain.unmet(life.chain.sign("workshop-berlin", reading(life, 0)))


# --- derived ------------------------------------------------------------------------------------------
def test_a_market_past_its_time_is_off() -> None:
    life = at("listed")
    found = vehicle(life)
    assert "listed" == market_of(found, found.market.until_ms - 1).status
    assert OFF_MARKET == market_of(found, found.market.until_ms)


@pytest.mark.parametrize(
    ("stage", "changes", "expected"),
    [
        ("born", {}, "new"),
        ("wholesale", {}, "new"),
        ("handed_over", {}, "in_use"),
        ("listed", {}, "listed"),
        ("accepted", {}, "reserved"),
        ("listed", {"existence": "scrapped"}, "scrapped"),
        ("listed", {"existence": "total_loss"}, "total_loss"),
        ("born", {"flags": (flag("lien"),)}, "new"),
        ("listed", {"flags": (flag("unroadworthy"), flag("stolen"))}, "stolen"),
        ("wholesale", {"flags": (flag("identity_suspect"),)}, "identity_suspect"),
    ],
)
def test_the_summary_says_what_matters_most(stage: str, changes: dict, expected: str) -> None:
    life = at(stage)
    change(life.chain, VEHICLE, VIN, **changes)
    assert expected == summary(vehicle(life), life.chain.now)
