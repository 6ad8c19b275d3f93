"""The vehicle's state value with every list as full as transactions can make it."""

from __future__ import annotations

from msgspec.structs import replace
from support.chain import address
from support.hostile.checks import BYTES_MAX
from support.life import VIN
from support.stages import at

from node import limits
from node.codec import Decoder, encode
from node.rules.alerts import ALERTS
from node.rules.brands import BRANDS
from node.rules.stop_flags import STOP_FLAGS
from node.txtypes.vehicle.brands import BRAND_OTHERS_MAX, BRANDS_MAX, Brand, Loss
from node.txtypes.vehicle.regions import (
    ALERTS_MAX,
    DUTIES_MAX,
    FLAGS_MAX,
    RECALLS_MAX,
    REFUSALS_MAX,
    Alert,
    Clearance,
    Duty,
    Flag,
    Inspection,
    Market,
    OpenRecall,
    Refusal,
    Registration,
    RegistrationClaim,
    RegistrationFacts,
)
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle

LATE, HASH, NUMBER, WHO = limits.TIME_MAX_MS, bytes(32), 2**32, address("bmw")
OTHERS = (NUMBER,) * BRAND_OTHERS_MAX
CODE = "A" * limits.CODE_LENGTH_MAX


def full() -> Vehicle:
    """All codes of the tables at once, and each text and number as long as it can be."""
    flags = tuple(
        Flag(name, WHO, "DE", HASH, LATE, LATE, True, NUMBER)
        for name, rule in sorted(STOP_FLAGS.items()) for _ in range(rule.count_max)
    )  # fmt: skip
    claim = RegistrationClaim("DE", HASH, "temporary", "driving_school", "driving_school", LATE, LATE, NUMBER)
    status = RegistrationFacts(
        "export_pending", "DE", HASH, "temporary", "driving_school", LATE, LATE, "CN", NUMBER, "export_confirmed", True
    )
    told = (getattr(status, name) for name in RegistrationFacts.__struct_fields__)
    registration = Registration(*told, claim, (Refusal("DE", LATE),) * REFUSALS_MAX, status)
    failed = Inspection(NUMBER, "dangerous", WHO, LATE, LATE, LATE)
    known: Vehicle = at("born").chain.state(VEHICLE, VIN)
    return replace(
        known, model=CODE, plant=CODE, configuration=(CODE,) * limits.LIST_MAX, registration=registration,
        powertrain="petrol", born_at_ms=LATE, born_height=NUMBER, existence="in_service", origin="imported", grade="A",
        covered_since_ms=LATE, ended_at_ms=LATE, title_since_ms=LATE, warranties=16, record_count=NUMBER,
        maintenance_count=NUMBER, accident_count=NUMBER, transfer_count=NUMBER, material_changes=NUMBER,
        market=Market("reserved", HASH, HASH, LATE, LATE, LATE, LATE, LATE, LATE), flags=flags,
        brands=tuple(Brand(name, "undecided", LATE, NUMBER, LATE, OTHERS) for name in sorted(BRANDS)),
        recalls=(OpenRecall(WHO, CODE, "park_outside", LATE),) * RECALLS_MAX,
        duties=tuple(Duty(code, NUMBER, LATE) for code in ("rebuild", "structural_release")),
        alerts=tuple(Alert(code, "confirmed", LATE, LATE, NUMBER, NUMBER, WHO, NUMBER) for code in sorted(ALERTS)),
        inspection=failed,
        loss=Loss("A", "undecided", LATE, NUMBER, LATE, WHO, ("collision_structural",) * 4, NUMBER),
        clearances=(
            *(Clearance(what, WHO, NUMBER, LATE) for what in ("odometer_replace", "rebuild", "structural_release")),
            Clearance("unroadworthy", WHO, NUMBER, LATE, failed, flags[0]),
        ),
    )  # fmt: skip


def test_a_full_leaf_is_within_its_bound() -> None:
    value = full()
    raw = encode(value)
    assert BYTES_MAX["vehicle"] * 9 // 10 < len(raw) <= BYTES_MAX["vehicle"]
    assert value == Decoder(Vehicle, BYTES_MAX["vehicle"], "vehicle")(raw)


def test_the_lists_have_room_for_every_code() -> None:
    value = full()
    assert len(value.flags) == sum(rule.count_max for rule in STOP_FLAGS.values()) <= FLAGS_MAX
    assert len(value.brands) == len(BRANDS) <= BRANDS_MAX
    assert len(value.alerts) == len(ALERTS) <= ALERTS_MAX
    assert len(value.duties) <= DUTIES_MAX
