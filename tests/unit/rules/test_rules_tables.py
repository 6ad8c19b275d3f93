"""The tables fit each other, and their hash is the one that was decided."""

from __future__ import annotations

import re

import pytest

from node.ledger.kinds import CodeOf, ListOf, OptionOf, fields_of
from node.ledger.ruleset import Ruleset
from node.rules.damage import COST_BANDS, ZONES
from node.rules.iso_codes import COUNTRIES, MINOR_UNITS
from node.rules.rails import (
    FINAL_FOR_TITLE,
    FORBIDDEN_RAILS,
    RAILS,
    REFERENCE_HIGH_ENTROPY,
    STATUSES,
    TRANSITIONS,
)
from node.rules.roles import ROLES
from node.rules.services import SERVICE_CODES
from node.rules.stop_flags import STOP_FLAGS
from node.rules.tables import Tables, canonical
from node.txtypes.registry import FAMILIES, TYPES
from node.txtypes.rulesets import RULESETS, schema_of

RULESET_1 = "73179a42942bf311c6fe2c71d5d92d59bbb88abd40d1addc6c2d786ea5ca2a52"


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


def test_every_rail_is_in_every_table() -> None:
    assert set(RAILS) == TRANSITIONS.keys() == FINAL_FOR_TITLE.keys()
    assert set(RAILS) >= REFERENCE_HIGH_ENTROPY


@pytest.mark.parametrize("rail", RAILS)
def test_transitions_lead_from_initiated_to_an_end(rail: str) -> None:
    following = TRANSITIONS[rail]
    assert set(STATUSES) == following.keys()
    reached, frontier = {"initiated"}, {"initiated"}
    while frontier:
        frontier = {after for status in frontier for after in following[status]} - reached
        reached |= frontier

    assert reached <= set(STATUSES)
    assert all(not following[status] for status in set(STATUSES) - reached), "what is never reached leads nowhere"
    assert all("initiated" not in following[status] for status in STATUSES), "nothing starts twice"
    assert not following["failed"]
    assert not following["refunded"]
    assert not following["returned"]
    assert reached >= FINAL_FOR_TITLE[rail] > set()


def test_a_captured_card_payment_does_not_move_title() -> None:
    assert {"settled"} == FINAL_FOR_TITLE["card"]
    assert {"settled", "failed", "refunded", "charged_back"} == TRANSITIONS["card"]["captured"]
    assert {"refunded", "charged_back"} == TRANSITIONS["card"]["settled"]


def test_only_cards_are_charged_back() -> None:
    assert [rail for rail in RAILS if "charged_back" in TRANSITIONS[rail]["settled"]] == ["card"]
