"""A car's value with every list full: no car costs more to read, to write and to prove."""

from __future__ import annotations

from msgspec.structs import replace
from support.life import VIN
from support.stages import at

from node import limits
from node.codec import encode
from node.rules.alerts import ALERTS
from node.rules.brands import BRANDS
from node.rules.registration import REGISTRATION_KINDS, REGISTRATION_USAGES
from node.txtypes.vehicle.regions import (
    ALERTS_MAX,
    BRAND_OTHERS_MAX,
    BRANDS_MAX,
    DUTIES_MAX,
    FLAGS_MAX,
    RECALLS_MAX,
    REFUSALS_MAX,
    Alert,
    Brand,
    Clearance,
    Duty,
    Flag,
    Inspection,
    Loss,
    Market,
    OpenRecall,
    Refusal,
    Registration,
    RegistrationClaim,
)
from node.txtypes.vehicle.vehicle import VEHICLE

VEHICLE_BYTES_MAX = 12 * 1024
LATE, NUMBER, WHO, HASH = limits.TIME_MAX_MS, 2**32, bytes(20), bytes(32)


def test_a_car_with_every_list_full_is_within_its_bound() -> None:
    kind, usage = max(REGISTRATION_KINDS, key=len), max(REGISTRATION_USAGES, key=len)
    brand = max(BRANDS, key=len)
    claim = RegistrationClaim("DE", HASH, kind, usage, brand, LATE, LATE, NUMBER)
    refusals = (Refusal("DE", LATE),) * REFUSALS_MAX
    assert len(BRANDS) <= BRANDS_MAX and len(ALERTS) <= ALERTS_MAX, "one entry for each code"
    full = replace(
        at("born").chain.state(VEHICLE, VIN),
        model="M" * 40, plant="P" * 40, configuration=("C" * 40,) * limits.LIST_MAX,
        registration=Registration(
            "export_pending", "DE", HASH, kind, usage, LATE, LATE, "CN", NUMBER, claim, refusals
        ),
        market=Market("reserved", HASH, HASH, LATE, LATE, True),
        flags=(Flag("odometer_investigation", WHO, "DE", HASH, LATE, LATE, True, NUMBER),) * FLAGS_MAX,
        brands=tuple(Brand(code, "undecided", LATE, NUMBER, LATE, (NUMBER,) * BRAND_OTHERS_MAX) for code in BRANDS),
        recalls=(OpenRecall(WHO, "C" * 40, "park_outside"),) * RECALLS_MAX,
        duties=(Duty("structural_release", NUMBER, LATE),) * DUTIES_MAX,
        alerts=tuple(Alert(code, "confirmed", LATE, LATE, NUMBER, NUMBER, WHO) for code in ALERTS),
        inspection=Inspection(NUMBER, "dangerous", WHO, LATE, LATE, LATE),
        loss=Loss("S", "undecided", LATE, NUMBER, LATE, WHO, (brand,) * 4),
        clearances=(Clearance("structural_release", WHO, NUMBER, LATE),) * 4,
        record_count=NUMBER, material_changes=NUMBER, accident_count=NUMBER, transfer_count=NUMBER,
    )  # fmt: skip
    assert VEHICLE.decode(encode(full)) == full
    assert VEHICLE_BYTES_MAX * 3 // 4 < len(encode(full)) <= VEHICLE_BYTES_MAX
