"""The tables fit each other, and their hash is the one that was decided."""

from __future__ import annotations

import re

import pytest

from node.ledger.kinds import CodeOf, ListOf, OptionOf, fields_of
from node.ledger.ruleset import Ruleset
from node.rules.damage import COST_BANDS, ZONES
from node.rules.deals import CANCEL_REASONS, LOST_FLAGS
from node.rules.iso_codes import COUNTRIES, MINOR_UNITS
from node.rules.payment_codes import PAYMENT_REASONS, REASONS_OF_RAIL
from node.rules.rail_policy import FORBIDDEN_RAILS
from node.rules.rails import (
    ATTESTATIONS,
    CARD_CHECKS,
    CARD_FINAL_AFTER_MS,
    MONEY_BACK,
    NEEDS_CODE,
    NEEDS_REFERENCE,
    RAIL_RULES,
    RAILS,
    SEPA_COUNTRIES,
    UNPROVEN_RAILS,
)
from node.rules.roles import ROLES
from node.rules.services import SERVICE_CODES
from node.rules.stop_flags import STOP_FLAGS
from node.rules.tables import Tables, canonical
from node.txtypes.registry import FAMILIES, TYPES
from node.txtypes.rulesets import RULESETS, schema_of

RULESET_1 = "c77172b1771e115b985d164e3eb0013b999b21e3732fc03ab8c48b8d2a7d7586"


def test_the_ruleset_is_the_one_that_was_decided() -> None:
    """A table, a field or a value's version changed? Until 1.0 that is a new genesis; then it is a new ruleset that
    governance activates, not a new value here."""
    assert RULESETS[1].hash.hex() == RULESET_1


def changed_ruleset(**changes) -> Ruleset:
    fields = {name: getattr(RULESETS[1], name) for name in Ruleset.__dataclass_fields__}
    return Ruleset(**fields | changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"number": 2},
        {"tables": Tables()._replace(zones=ZONES | {"nose"})},
        {"tables": Tables()._replace(vin_year_codes="")},
        {"types": {tag: kind for tag, kind in TYPES.items() if tag != "odometer.read"}},
        {"schema": schema_of({tag: kind for tag, kind in TYPES.items() if tag != "odometer.read"})},
        {"value_versions": {**RULESETS[1].value_versions, "order": 2}},
    ],
)
def test_the_hash_covers_everything_that_is_no_function(changes: dict) -> None:
    assert RULESETS[1].hash == changed_ruleset().hash != changed_ruleset(**changes).hash


def test_a_field_that_names_a_table_names_one_of_codes() -> None:
    for kind in (*TYPES.values(), *(family.kind for family in FAMILIES.values())):
        for field in fields_of(kind):
            match field.kind:
                case CodeOf(table=table) | ListOf(item=CodeOf(table=table)) | OptionOf(item=CodeOf(table=table)):
                    assert RULESETS[1].codes[table]
                    assert all(isinstance(code, str) for code in RULESETS[1].codes[table])


def test_the_canonical_form_knows_no_order_of_insertion() -> None:
    assert canonical({"a": frozenset("xy"), "b": 1}) == canonical({"b": 1, "a": frozenset("yx")})
    assert canonical({"b": 1, "a": frozenset("yx")}) == [["a", ["x", "y"]], ["b", 1]]
    assert canonical(("x", "y")) != canonical(("y", "x"))
    assert repr(canonical((True, False))) == "[1, 0]", "a second implementation has one form for both"
    with pytest.raises(AssertionError):
        canonical(1.5)


def test_countries() -> None:
    assert len(COUNTRIES) == 249
    assert all(re.fullmatch("[A-Z]{2}", code) for code in COUNTRIES)
    assert {"DE", "US", "CN", "SS", "CW"} <= COUNTRIES
    assert COUNTRIES.isdisjoint({"EU", "UK", "XK", "AN"})


def test_currencies() -> None:
    assert len(MINOR_UNITS) == 155
    assert all(re.fullmatch("[A-Z]{3}", code) for code in MINOR_UNITS)
    assert (MINOR_UNITS["EUR"], MINOR_UNITS["JPY"], MINOR_UNITS["KWD"]) == (2, 0, 3)
    assert MINOR_UNITS.keys().isdisjoint({"HRK", "BGN", "XAU", "XXX", "XTS", "XDR", "CLF", "CHE", "BTC"})


def test_codes_fit_their_fields() -> None:
    assert all(re.fullmatch("[A-Z0-9_]{1,24}", code) for code in SERVICE_CODES)
    assert len(SERVICE_CODES) == len(set(SERVICE_CODES))
    assert all(re.fullmatch("[a-z0-9_]{1,24}", code) for code in [*ZONES, *COST_BANDS, *STOP_FLAGS, *RAILS, *ROLES])
    assert len(COST_BANDS) == len(set(COST_BANDS))


def test_forbidden_rails() -> None:
    assert {"bitcoin", "ether"} == FORBIDDEN_RAILS["CN"]
    assert FORBIDDEN_RAILS.keys() <= COUNTRIES
    assert all(rails <= set(RAILS) for rails in FORBIDDEN_RAILS.values())


def test_every_rail_has_its_rule() -> None:
    assert set(RAILS) == RAIL_RULES.keys()
    assert set(RAILS) > UNPROVEN_RAILS == {"bitcoin", "ether"}
    assert all(RAIL_RULES[rail].currencies <= MINOR_UNITS.keys() for rail in RAILS)
    assert SEPA_COUNTRIES <= COUNTRIES
    assert {rail for rail in RAILS if RAIL_RULES[rail].attested} == REASONS_OF_RAIL.keys()


@pytest.mark.parametrize("rail", RAILS)
def test_what_is_attested_on_a_rail_fits(rail: str) -> None:
    attested, schemes = RAIL_RULES[rail].attested, RAIL_RULES[rail].schemes
    assert attested <= set(ATTESTATIONS)
    assert bool(attested) == bool(schemes), "whoever may say that money came says by which scheme"
    assert all(places <= COUNTRIES for places in schemes.values())
    assert not attested or {"settled", "failed", "refunded"} <= attested
    assert ("captured" in attested) == ("represented" in attested) == ("charged_back" in attested) == (rail == "card")
    assert ("voided" in attested) == ("authorised" in attested)


def test_what_the_chain_cannot_prove_and_what_the_handover_settles_is_attested_by_nobody() -> None:
    assert {rail for rail in RAILS if not RAIL_RULES[rail].attested} == UNPROVEN_RAILS | {"trade_in"}


def test_money_moves_with_a_reference_and_goes_back_with_a_reason() -> None:
    told = set(ATTESTATIONS)
    assert told - NEEDS_REFERENCE == {"authorised", "voided", "failed"}, "no money moves with these"
    assert told > MONEY_BACK > NEEDS_CODE == {"failed", "returned", "charged_back"}
    assert all(REASONS_OF_RAIL[rail] for rail in REASONS_OF_RAIL)
    assert len(PAYMENT_REASONS) == len(set(PAYMENT_REASONS)) == sum(len(set(codes)) for codes in (
        REASONS_OF_RAIL["card"], REASONS_OF_RAIL["bank_transfer"], REASONS_OF_RAIL["finance"]
    ))  # fmt: skip


def test_every_check_of_a_card_holder_says_when_its_money_is_final() -> None:
    assert set(CARD_CHECKS) == CARD_FINAL_AFTER_MS.keys()
    assert 0 == CARD_FINAL_AFTER_MS["challenge"] < min(CARD_FINAL_AFTER_MS[c] for c in ("frictionless", "exempt"))


def test_a_car_that_is_lost_is_stopped() -> None:
    assert STOP_FLAGS.keys() >= LOST_FLAGS
    assert "vehicle_lost" in CANCEL_REASONS and len(CANCEL_REASONS) == len(set(CANCEL_REASONS))
