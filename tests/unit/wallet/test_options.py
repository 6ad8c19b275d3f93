"""What people type becomes exact values, or a sentence that says what was wrong."""

from __future__ import annotations

import json
import re

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import astuple
from support.chain import address

from node import limits
from node.crypto.addresses import to_text
from node.crypto.dev_keys import dev_key
from node.errors import Malformed
from node.ledger.fields import Money, Odometer
from node.ledger.json_form import time_from_text, to_json
from node.ledger.kinds import fields_of
from node.rules.iso_codes import MINOR_UNITS
from node.txtypes.chain.actions import MemberAdmit
from node.txtypes.chain.governance import GovernancePropose
from node.txtypes.registry import TYPES
from node.txtypes.sale.deal import Tax
from node.txtypes.service.records import Due
from node.views.texts import show_amount
from wallet.commands.tx import tx
from wallet.examples import example_arguments
from wallet.options import FROM_THE_CHAIN, body_from, options_of
from wallet.reading import parse_odometer, show_odometer
from wallet.values import Names, parse_amount, parse_time

NOW = 1_795_000_000_000
VIN = "WBA8E9G50GNU12345"
WHERE = "vin_source=obd,model_seen=330I,site="


def name_to_address(text: str) -> str:
    if text.startswith("bmw1"):
        return text
    if text == "nobody":
        raise Malformed("'nobody' is neither an address (bmw1...) nor a name")
    return to_text(address(text))


NAMES = Names(NOW, name_to_address, lambda name: dev_key("account", name).public if name == "alice" else None)


@pytest.mark.parametrize("vin", ["WBA1", "WBA8E9G50GNU1234O", "wba8e9g50gnu12345", "WBA8E9G50GNU12345\n", ""])
def test_a_vin_that_is_none_is_called_so(vin: str) -> None:
    """Not a string that does not match a regular expression at `$.vin`."""
    with pytest.raises(Malformed) as caught:
        body_from(
            TYPES["odometer.read"], {"vin": vin, "odometer": "1km", "context": "inspection", "where": WHERE}, NAMES
        )
    assert f"body.vin: {vin!r} is not a VIN: 17 characters of A-Z and 0-9 without I, O and Q" == str(caught.value)


# --- amounts ---
@pytest.mark.parametrize(
    ("text", "amount", "currency"),
    [
        ("52900.00EUR", 5_290_000, "EUR"),
        ("52900EUR", 5_290_000, "EUR"),
        ("52900.5 EUR", 5_290_050, "EUR"),
        ("0.01EUR", 1, "EUR"),
        ("0.29EUR", 29, "EUR"),
        ("5290000JPY", 5_290_000, "JPY"),
        ("1234.567KWD", 1_234_567, "KWD"),
        ("9007199254.93USD", 900_719_925_493, "USD"),
    ],
)
def test_amounts_are_exact(text: str, amount: int, currency: str) -> None:
    assert {"amount": str(amount), "currency": currency} == parse_amount(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("52900.000EUR", "3 decimals and EUR has 2"),
        ("52900.0JPY", "1 decimals and JPY has 0"),
        ("1.2345KWD", "4 decimals and KWD has 3"),
        ("52900.00BGN", "not a currency"),
        ("52900.00XYZ", "not a currency"),
        ("52900.00eur", "not an amount"),
        ("52,900.00EUR", "not an amount"),
        ("52.900,00EUR", "not an amount"),
        ("EUR52900", "not an amount"),
        ("-1EUR", "not an amount"),
        ("1e5EUR", "not an amount"),
        ("52900", "not an amount"),
        ("٣EUR", "not an amount"),
        ("52900.00EUR\n", "not an amount"),
        ("", "not an amount"),
        ("10000000000000.01EUR", "above the highest amount, 10000000000000.00 EUR"),
    ],
)
def test_other_amounts_are_refused(text: str, says: str) -> None:
    with pytest.raises(Malformed, match=says):
        parse_amount(text)


@given(st.integers(0, limits.MONEY_MAX), st.sampled_from(sorted(MINOR_UNITS)))
def test_every_amount_shown_parses_back(amount: int, currency: str) -> None:
    assert {"amount": str(amount), "currency": currency} == parse_amount(show_amount(amount, currency))


# --- odometer ---
def test_odometer_readings() -> None:
    assert {"value": 12000, "unit": "km", "source": "cluster"} == parse_odometer("12000km")
    assert {"value": 7500, "unit": "mi", "source": "visual"} == parse_odometer("7500 mi:visual")


def test_a_reading_has_further_sources_and_signs_of_tampering() -> None:
    """What the new instrument's workshop needs: the old reading from two sources."""
    others = [{"source": "body_computer", "value": 11990}, {"source": "engine_computer", "value": 12001}]
    read = {"value": 12000, "unit": "km", "source": "cluster"}
    assert read | {"others": others} == parse_odometer("12000km,body_computer=11990, engine_computer=12001")
    assert read | {"tamper_sign": True} == parse_odometer("12000km,tampered")
    assert {"value": 5, "unit": "km", "source": "engine_computer"} == parse_odometer("5km:engine_computer")
    for text in ("12000km", "5mi:visual", "12000km,body_computer=11990,engine_computer=12001,tampered"):
        assert text == show_odometer(parse_odometer(text))


@pytest.mark.parametrize(
    "text",
    [
        "12000km,visual",
        "12000km,guess=1",
        "12000km,",
        "body_computer=1",
        "1km,visual=1km",
        "12000",
        "12.000km",
        "12000KM",
        "12000km:guess",
        "-1km",
        "12345678km",
        "km",
    ],
)
def test_other_readings_are_refused(text: str) -> None:
    with pytest.raises(Malformed, match="is not an odometer reading: write 12000km"):
        parse_odometer(text)


@pytest.mark.parametrize(
    ("text", "odometer", "at_ms"),
    [
        ("30000km,+730d", 30_000, NOW + 730 * 86_400_000),
        ("+730d, 30000 km", 30_000, NOW + 730 * 86_400_000),
        ("30000km", 30_000, 0),
        ("+730d", 0, NOW + 730 * 86_400_000),
        ("2028-01-01T00:00:00Z", 0, 1_830_297_600_000),
        ("", 0, 0),
        ('{"odometer": 30000, "at": null}', 30_000, 0),
        ("odometer=30000,at=+730d", 30_000, NOW + 730 * 86_400_000),
    ],
)
def test_when_the_next_service_is_due(text: str, odometer: int, at_ms: int) -> None:
    assert Due(odometer, at_ms) == maintained(text).next_due


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("30000", "neither a reading nor a time"),
        ("soon", "neither a reading nor a time"),
        ("30000km,40000km", "two readings"),
        ("+1d,+2d", "two times"),
        ("30000mi", "30000mi is in mi, the odometer in km"),
        ("12345678km", "neither a reading nor a time"),
    ],
)
def test_a_next_service_that_is_not_understood_is_refused(text: str, words: str) -> None:
    with pytest.raises(Malformed, match=words):
        maintained(text)


def maintained(next_due: str):
    fields = {"vin": VIN, "services": ["ENGINE_OIL"], "odometer": "12000km", "next_due": next_due, "where": WHERE}
    return body_from(TYPES["maintenance.record"], fields, NAMES)


# --- times ---
@pytest.mark.parametrize(
    ("text", "millis"),
    [
        ("now", NOW),
        ("+30d", NOW + 30 * 86_400_000),
        ("now+30m", NOW + 30 * 60_000),
        ("-2h", NOW - 2 * 3_600_000),
        ("+1w", NOW + 7 * 86_400_000),
        ("", 0),
        ("2026-11-22T10:00:00Z", time_from_text("2026-11-22T10:00:00Z")),
        ("2026-11-22T11:00:00+01:00", time_from_text("2026-11-22T10:00:00Z")),
    ],
)
def test_times(text: str, millis: int) -> None:
    assert millis == parse_time(text, NOW)


@pytest.mark.parametrize(
    "text", ["tomorrow", "+30", "30d", "2026-11-22", "+999999w", "-999999w", "2026-13-01T00:00:00Z"]
)
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(Malformed):
        parse_time(text, NOW)


# --- whole bodies ---
def listing(**changes) -> dict:
    return dict(
        vin=VIN, price="52900.00EUR", country="DE", expires_at="+30d",
        rails=["rail=bank_transfer,providers=payment-provider-1", '{"rail": "card", "providers": ["bank-1"]}'],
        tax="scheme=standard,rate_permille=190,amount=844622", contracts=["on_premises", "distance"],
    ) | changes  # fmt: skip


def test_body_of_friendly_values() -> None:
    body = body_from(TYPES["listing.create"], listing(), NAMES)
    assert Money(5_290_000, "EUR") == body.price
    assert NOW + 30 * 86_400_000 == body.expires_at_ms
    assert [("bank_transfer", (address("payment-provider-1"),)), ("card", (address("bank-1"),))] == [
        (accepted.rail, accepted.providers) for accepted in body.rails
    ]
    assert () == body.configuration
    assert Tax("standard", 190, 844_622) == body.tax
    assert (1_000, 0, False, 0) == (*astuple(body.rails[0])[2:], body.offer_floor), "what is left out has its default"


def test_strict_json_is_a_friendly_form_too() -> None:
    body = body_from(TYPES["listing.create"], listing(), NAMES)
    shown = to_json(body)
    del shown["type"]
    assert body == body_from(TYPES["listing.create"], shown, NAMES)


def test_a_list_within_a_short_structure_gathers_its_values() -> None:
    rails = ["rail=card,providers=bank-1,providers=payment-provider-1"]
    body = body_from(TYPES["listing.create"], listing(rails=rails), NAMES)
    assert (address("bank-1"), address("payment-provider-1")) == body.rails[0].providers


def test_reading_in_every_form() -> None:
    fields = dict(order="00" * 32, material_root="00" * 32)
    for typed in ("160km", {"value": 160, "unit": "km", "source": "cluster"}, "value=160,unit=km,source=cluster"):
        body = body_from(TYPES["order.handover"], fields | {"odometer": typed}, NAMES)
        assert Odometer(160, "km", "cluster") == body.odometer
        assert body.event_at_ms == NOW
    assert body_from(TYPES["order.handover"], fields, NAMES).odometer is None


def test_union_by_its_type() -> None:
    body = body_from(GovernancePropose, {"action": "type=member.admit,member=buyer-1,name=buyer-1,country=DE"}, NAMES)
    assert MemberAdmit(address("buyer-1"), "buyer-1", "DE") == body.action


def test_keys_may_be_named() -> None:
    key = dev_key("account", "alice").public
    for typed in ("alice", key.hex()):
        assert (key,) == body_from(TYPES["account.open"], {"keys": [typed], "threshold": "1"}, NAMES).keys


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"price": "52900.000EUR"}, "body.price: .*3 decimals"),
        ({"price": None, "vin": None}, "--vin, --price must be given"),
        ({"expires_at": "soon"}, "body.expires_at: 'soon'"),
        ({"rails": ["rail=card,providers=nobody"]}, r"body.rails\[0\].providers\[0\]: 'nobody'"),
        ({"rails": ["card"]}, r"body.rails\[0\]: 'card' is neither JSON nor name=value"),
        ({"rails": ['{"rail": "card"']}, r"body.rails\[0\]: not JSON"),
        ({"rails": ["rail=card,rail=card,providers=bank-1"]}, "rail is given twice"),
        ({"rails": ["rail=Cash,providers=bank-1"]}, r"body.rails\[0\]"),
        ({"rails": ["rail=card,providers=bank-1,fee=1"]}, r"body.rails\[0\].fee: unknown field"),
        ({"colour": "red"}, "body.colour: unknown field; known are vin"),
        ({"vin": VIN.lower()}, r"body\.vin: "),
        ({"country": "Germany"}, r"body\.country: "),
    ],
)
def test_what_is_wrong_is_named(changes: dict, says: str) -> None:
    with pytest.raises(Malformed, match=says):
        body_from(TYPES["listing.create"], listing(**changes), NAMES)


def test_yes_and_no_must_be_said() -> None:
    """A flag that is not given must not become a statement on a ledger that never forgets."""
    with pytest.raises(Malformed, match="--approve must be given"):
        body_from(TYPES["governance.vote"], {"proposal": "00" * 32}, NAMES)


# --- options ---
@pytest.mark.parametrize("name", TYPES)
def test_every_field_has_its_option(name: str) -> None:
    options = {option for made in options_of(TYPES[name]) for option in made.opts}
    assert {"--" + f.json_name.replace("_", "-") for f in fields_of(TYPES[name])} == options


def test_enums_are_choices_and_lists_repeat() -> None:
    made = {option.name: option for option in options_of(TYPES["order.cancel"])}
    assert isinstance(made["reason"].type, click.Choice) and "[default: 0]" in made["kept"].help
    assert {option.name for option in options_of(TYPES["listing.create"]) if option.multiple} == {
        "configuration", "rails", "contracts", "discloses",
    }  # fmt: skip


def filled(value: object) -> object:
    """With zeros for ids, which an example has as variables of the shell."""
    return re.sub(r"\$[A-Z_]+", "00" * 32, value) if isinstance(value, str) else value


@pytest.mark.parametrize("name", TYPES)
def test_every_example_is_a_valid_body(name: str) -> None:
    command = tx.commands[name]
    context = command.make_context(name, example_arguments(name))
    fields = {field.json_name for field in fields_of(TYPES[name])}
    given = {n: list(v) if isinstance(v, tuple) else v for n, v in context.params.items() if v not in (None, ())}
    body = {n: filled(v) for n, v in given.items() if n in fields}
    chain = {"listing_version": 1, "round": 0}
    body |= {name: chain.get(name, "00" * 32) for name in FROM_THE_CHAIN & fields}
    built = body_from(TYPES[name], body, NAMES)
    assert json.dumps(to_json(built))


def test_a_flag_lasts_as_long_as_it_can_where_no_end_is_given() -> None:
    body = body_from(TYPES["flag.set"], {"vin": VIN, "name": "identity_suspect"}, NAMES)
    assert (0, False, None) == (body.until_ms, body.holder_signs, body.case)
    [until] = [option for option in options_of(TYPES["flag.set"]) if option.name == "until"]
    assert "[default: empty]" in until.help
