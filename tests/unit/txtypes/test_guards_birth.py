"""Guards of a car's birth: its VIN, its age, who registers it."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from support.chain import DAY_MS, START_MS, address
from support.life import VIN, register
from support.stages import Case, at, table

from node import limits
from node.rules.vin import check_digit
from node.txtypes.vehicle.vehicle import VEHICLE


def vin_of(year_code: str, wmi: str = "5UX") -> str:
    plain = f"{wmi}WX9C50{year_code}0D12345"[:17]
    return plain[:8] + check_digit(plain) + plain[9:]


def wrong_digit(vin: str) -> str:
    return vin[:8] + ("1" if vin[8] != "1" else "2") + vin[9:]


def produced(days_ago: int) -> str:
    """The day so many days before the first block."""
    return (date(2026, 1, 2) - timedelta(days=days_ago)).isoformat()


GOOD = vin_of("G")
BIRTH_AGE_DAYS = limits.BIRTH_AGE_MAX_MS // DAY_MS


@table(
    Case("new", "", "bmw", lambda life: register()),
    Case("exists", "born", "bmw", lambda life: register(), ("vehicle_exists",)),
    Case("a good NA car", "", "bmw", lambda life: register(GOOD, vin_scheme="NA")),
    Case("NA, wrong digit", "", "bmw", lambda life: register(wrong_digit(GOOD), vin_scheme="NA"), ("vin_check_digit",)),
    Case("CN, wrong digit", "", "bmw", lambda life: register(wrong_digit(GOOD), vin_scheme="CN"), ("vin_check_digit",)),
    Case("EU, any digit", "", "bmw", lambda life: register(wrong_digit(GOOD))),
    Case("NA, year 0", "", "bmw", lambda life: register(vin_of("0"), vin_scheme="NA"), ("vin_year_code",)),
    Case("CN, year U", "", "bmw", lambda life: register(vin_of("U"), vin_scheme="CN"), ("vin_year_code",)),
    Case("EU, year 0", "", "bmw", lambda life: register(vin_of("0"))),
    Case("NA, both wrong", "", "bmw", lambda life: register(wrong_digit(vin_of("0")), vin_scheme="NA"),
         ("vin_check_digit", "vin_year_code")),
    Case("a day ahead", "", "bmw", lambda life: register(produced_on="2026-01-03")),
    Case("two days ahead", "", "bmw", lambda life: register(produced_on="2026-01-04"), ("event_in_future",)),
    Case("400 days old", "", "bmw", lambda life: register(produced_on=produced(BIRTH_AGE_DAYS))),
    Case("older", "", "bmw", lambda life: register(produced_on=produced(BIRTH_AGE_DAYS + 1)), ("birth_too_late",)),
    Case("EU, no serial number", "", "bmw", lambda life: register("WBA8E9G50GNU1234A"), ("vin_serial",)),
    Case("EU, four digits", "", "bmw", lambda life: register("WBA8E9G50GNUA1234")),
    Case("a dealer", "born", "dealer-munich", lambda life: register(), ("role_missing", "vehicle_exists")),
)  # fmt: skip
def test_register(case: Case) -> None:
    assert case.codes == case.run()


@pytest.mark.parametrize(
    ("produced_on", "born"), [("2025-12-01", 1_764_547_200_000), ("2026-01-03", START_MS + DAY_MS)]
)
def test_a_car_is_born_when_it_was_produced_but_never_after_its_block(produced_on: str, born: int) -> None:
    chain = at("").chain
    chain.do("bmw", register(produced_on=produced_on))
    found = chain.state(VEHICLE, VIN)
    assert (born, START_MS + DAY_MS) == (found.born_at_ms, found.title_since_ms)
    assert (address("bmw"), address("bmw"), "born", 1) == (
        found.maker,
        found.holder,
        found.existence,
        found.born_height,
    )
    assert ("NO_VERDICT", 1, 0, ()) == (found.verdict, found.record_count, found.material_changes, found.flags)
