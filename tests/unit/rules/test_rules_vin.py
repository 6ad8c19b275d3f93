"""VIN rules against VINs of real cars and the examples of the regulation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.rules.iso_codes import COUNTRIES
from node.rules.vin import (
    WMIS,
    YEAR_CODES,
    check_digit,
    has_valid_check_digit,
    has_valid_year_code,
    is_vin,
    model_years,
)

TRUE_VINS = [
    "1M8GDM9AXKP042788",
    "5GZCZ43D13S812715",
    "1HGCM82633A004352",
    "JH4KA7561PC008269",
    "5YJSA1E14FF087599",
    "WBS3S7C01LFH18763",
    "LSGPC52U6AF102554",
    "11111111111111111",
]

any_vin = st.text("ABCDEFGHJKLMNPRSTUVWXYZ0123456789", min_size=17, max_size=17)


@pytest.mark.parametrize("vin", TRUE_VINS)
def test_true_vins_carry_their_check_digit(vin: str) -> None:
    assert check_digit(vin) == vin[8]
    assert has_valid_check_digit(vin)


@given(any_vin)
def test_of_all_digits_at_position_9_one_is_valid(vin: str) -> None:
    candidates = [vin[:8] + digit + vin[9:] for digit in "0123456789X"]

    assert [vin[:8] + check_digit(vin) + vin[9:]] == [each for each in candidates if has_valid_check_digit(each)]


@pytest.mark.parametrize("at", [at for at in range(17) if at != 8])
def test_a_wrong_digit_is_found_at_every_other_position(at: int) -> None:
    vin = "11111111111111111"

    assert not has_valid_check_digit(vin[:at] + "2" + vin[at + 1 :])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1M8GDM9AXKP04278",
        "1M8GDM9AXKP0427888",
        "1m8gdm9axkp042788",
        "1M8GDM9AXKP04278I",
        "1M8GDM9AXKP04278O",
        "1M8GDM9AXKP04278Q",
        "1M8GDM9AXKP042788\n",
        "1M8GDM9AXKP04278８",  # full-width digit
    ],
)
def test_what_is_no_vin_has_nothing_valid(text: str) -> None:
    assert not is_vin(text)
    assert not has_valid_check_digit(text)
    assert not has_valid_year_code(text)
    with pytest.raises(AssertionError):
        check_digit(text)


def test_a_european_car_may_have_neither_check_digit_nor_year() -> None:
    vin = "WBA8E31030K000000"

    assert is_vin(vin)
    assert not has_valid_year_code(vin)


def test_thirty_year_codes() -> None:
    assert len(set(YEAR_CODES)) == 30
    assert set("IOQUZ0").isdisjoint(YEAR_CODES)


def test_wmis_are_the_start_of_a_vin_and_name_a_country() -> None:
    for wmi, (brand, country) in WMIS.items():
        assert is_vin(wmi + "0" * 14), wmi
        assert brand, wmi
        assert country in COUNTRIES, wmi


def test_bmw_group() -> None:
    assert WMIS["WBA"] == ("BMW", "DE")
    assert WMIS["5UX"] == ("BMW", "US")
    assert WMIS["LBV"] == ("BMW", "CN")
    assert WMIS["WMW"] == ("MINI", "DE")
    assert WMIS["SCA"] == ("Rolls-Royce", "GB")


def test_the_year_code_repeats_after_thirty_years_and_position_7_tells_which_in_north_america() -> None:
    digit, letter = "1HGCM82633A004352", "WBA8E9G50TNU12345"
    assert ((2003,), (2003, 2033)) == (model_years(digit, "NA"), model_years(digit, "CN"))
    assert ((2026,), (1996, 2026)) == (model_years(letter, "NA"), model_years(letter, "CN"))
    assert () == model_years("1HGCM8263UA004352", "CN")
