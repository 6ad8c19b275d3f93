"""`software.update`: what is known of a car's software, what does not follow from it, and what is older."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace
from support.chain import Chain
from support.foreign import outcome_of, updated
from support.hostile.checks import BYTES_MAX
from support.life import VIN, Life
from support.stages import Case, at, table
from support.views import view_of

from node.codec import encode
from node.errors import Malformed
from node.ledger.body import TransactionBody
from node.rules.parts import SOFTWARE_SYSTEMS
from node.txtypes.parts.software import (
    RXSWINS_MAX,
    SOFTWARE,
    SYSTEMS_MAX,
    Installed,
    Software,
    Update,
    is_older,
    regulation_of,
)
from node.txtypes.vehicle.vehicle import VEHICLE

FIRST = ("gateway", "", "21-07-540")


def body(*updates: tuple[str, str, str], **changes) -> Callable[[Life], TransactionBody]:
    return lambda life: updated(life.chain, *(updates or (FIRST,)), **changes)


@table(
    Case("by the maker over the air", "born", "bmw", body()),
    Case("by a workshop", "born", "workshop-hamburg", body(over_air=False)),
    Case("by a dealer", "born", "dealer-munich", body(), ("role_missing",)),
    Case("an unknown system", "born", "bmw", body(("toaster", "", "1")), ("code_unknown",)),
    Case("a gap is no reason to refuse", "born", "bmw", body(("gateway", "9", "8"))),
    Case("no car", "", "bmw", body(), ("vehicle_unknown",)),
)
def test_update(case: Case) -> None:
    assert case.codes == case.run()


def done(*steps: tuple[tuple[tuple[str, str, str], ...], dict]) -> tuple[Chain, list[list[str]]]:
    chain, outcomes = at("born").chain, []
    for updates, changes in steps:
        chain.do("bmw", updated(chain, *updates, **changes))
        outcomes.append(outcome_of(chain, VIN))
    return chain, outcomes


@pytest.mark.parametrize(("after", "before", "outcome"), [
    ("21-11-530", "21-07-540", []),
    ("21-11-530", "", ["gap"]),
    ("21-11-530", "21-07-539", ["gap"]),
    ("21-07-540", "21-07-540", []),
    ("21-03-900", "21-07-540", ["rolled_back"]),
    ("21-03-900", "21-03-800", ["gap", "rolled_back"]),
    ("G21-03-1", "21-07-540", []),
])  # fmt: skip
def test_what_follows_from_what_is_known(after: str, before: str, outcome: list[str]) -> None:
    chain, outcomes = done(((FIRST,), {}), ((("gateway", before, after),), {}))
    assert [[], outcome] == outcomes
    assert (Installed("gateway", after),) == chain.state(SOFTWARE, VIN).systems, "it happened"


def test_what_was_there_before_the_first_update_is_the_authors_word() -> None:
    _, outcomes = done(((("gateway", "21-07-540", "21-03-1"),), {}))
    assert [["rolled_back"]] == outcomes


@pytest.mark.parametrize(("security", "changes"), [(True, 1), (False, 0)])
def test_a_rollback_of_security_is_material(security: bool, changes: int) -> None:
    chain, _ = done(((FIRST,), {}), ((("gateway", "21-07-540", "20-01-1"),), {"security": security}))
    assert changes == chain.state(VEHICLE, VIN).material_changes


def test_a_security_update_is_not_material() -> None:
    chain, _ = done(((FIRST,), {}), ((("gateway", "21-07-540", "22-01-1"),), {"security": True}))
    assert 0 == chain.state(VEHICLE, VIN).material_changes


@pytest.mark.parametrize(("version", "than", "older"), [
    ("9", "10", True), ("10", "9", False), ("1.2", "1.10", True), ("1.2", "1.2", False), ("A1", "B2", False),
    ("1.2", "1.2.1", False), ("S18A-21-07-540", "S18A-21-11-530", True), ("RC", "RD", False), ("001", "1", False),
])  # fmt: skip
def test_the_order_of_versions(version: str, than: str, older: bool) -> None:
    assert older == is_older(version, than)


def test_the_newest_number_of_each_regulation_is_kept() -> None:
    chain, _ = done(((FIRST,), {"rxswins": ("R155SWIN01", "R157SWIN.A")}), ((FIRST,), {"rxswins": ("R155SWIN02",)}))
    assert ("R157SWIN.A", "R155SWIN02") == chain.state(SOFTWARE, VIN).rxswins
    assert ["R157SWIN.A", "R155SWIN02"] == view_of(chain, SOFTWARE, VIN)["rxswins"]
    assert ("R155", "R13") == (regulation_of("R155SWIN02"), regulation_of("R13SWIN"))


def test_what_there_is_no_room_for_is_forgotten_the_least_recent_first() -> None:
    first = tuple((system, "", "1") for system in SOFTWARE_SYSTEMS[:SYSTEMS_MAX])
    chain, outcomes = done((first, {}), (((SOFTWARE_SYSTEMS[SYSTEMS_MAX], "", "1"),), {}), ((first[0],), {}))
    kept = [entry.system for entry in chain.state(SOFTWARE, VIN).systems]
    assert [*SOFTWARE_SYSTEMS[2 : SYSTEMS_MAX + 1], SOFTWARE_SYSTEMS[0]] == kept
    assert [[], [], []] == outcomes, "the first was forgotten, so nothing contradicts it"
    numbers = tuple(f"R{n}SWIN" for n in range(RXSWINS_MAX))
    chain, _ = done(((FIRST,), {"rxswins": numbers}), ((FIRST,), {"rxswins": ("R99SWIN",)}))
    assert (*numbers[1:], "R99SWIN") == chain.state(SOFTWARE, VIN).rxswins


def test_a_full_leaf_is_bounded() -> None:
    longest = max(SOFTWARE_SYSTEMS, key=len)
    full = Software((Installed(longest, "A" * 20),) * SYSTEMS_MAX, ("R157SWIN" + "A" * 24,) * RXSWINS_MAX)
    assert len(encode(full)) <= BYTES_MAX["software"]


def test_static_rules() -> None:
    plain = updated(at("born").chain, FIRST)
    for twice in (
        replace(plain, updates=(Update(*FIRST), Update("gateway", "1", "2"))),
        replace(plain, rxswins=("R155SWIN01", "R155SWIN01")),
    ):
        with pytest.raises(Malformed):
            twice.check_static()
    plain.check_static()
