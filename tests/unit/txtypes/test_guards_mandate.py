"""Mandates: who grants and ends them, and which acts on which cars they cover."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace
from support.chain import DAY_MS, address
from support.life import VIN, Life, transfer
from support.selling import sale
from support.specimens import specimen
from support.stages import Case, at, table
from support.views import view_of

from node.ledger.body import TransactionBody
from node.txtypes.members.mandate import MANDATE, MANDATE_LIFETIME_MAX_MS, OF_SALE, MandateEnd, covers

PRINCIPAL, AGENT, OTHER_VIN = "dealer-munich", "workshop-berlin", "WBS8E9G50GNU12345"


def granting(ends_in_ms: int = DAY_MS, **changes: object) -> Callable[[Life], TransactionBody]:
    return lambda life: specimen("mandate.grant", life.chain, ends_at_ms=life.chain.now + ends_in_ms, **changes)


def granted(life: Life) -> None:
    life.mandate = life.chain.do(PRINCIPAL, granting()(life))  # type: ignore[attr-defined]


def ended(life: Life) -> None:
    granted(life)
    life.chain.do(AGENT, ending(life))


def lapsed(life: Life) -> None:
    granted(life)
    life.chain.now = life.chain.state(MANDATE, life.mandate).ends_at_ms  # type: ignore[attr-defined]


def ending(life: Life) -> TransactionBody:
    return MandateEnd(getattr(life, "mandate", bytes(32)))


@table(
    Case("a workshop", "", PRINCIPAL, granting()),
    Case("by a private holder", "", "buyer-1", granting()),
    Case("to itself", "", AGENT, granting(), ("mandate_self",)),
    Case("until now", "", PRINCIPAL, granting(0), ("expiry_passed",)),
    Case("for the longest time", "", PRINCIPAL, granting(MANDATE_LIFETIME_MAX_MS)),
    Case("for longer", "", PRINCIPAL, granting(MANDATE_LIFETIME_MAX_MS + 1), ("expiry_passed",)),
    Case("to itself until now", "", AGENT, granting(0), ("mandate_self", "expiry_passed")),
    Case("to sell", "", PRINCIPAL, granting(rights=("list",), sale=sale()), (), (AGENT,)),
    Case("to sell, without the agent", "", PRINCIPAL, granting(rights=("list",), sale=sale()), ("signature_missing",)),
    Case("to sell, on no terms", "", PRINCIPAL, granting(rights=("handover",)), ("mandate_sale",), (AGENT,)),
    Case("to present, on terms of a sale", "", PRINCIPAL, granting(sale=sale()), ("mandate_sale",)),
)
def test_granting_a_mandate(case: Case) -> None:
    assert case.codes == case.run()


@table(
    Case("by the principal", "", PRINCIPAL, ending, before=granted),
    Case("by the agent", "", AGENT, ending, before=granted),
    Case("by somebody else", "", "bank-1", ending, ("mandate_party",), before=granted),
    Case("that is none", "", PRINCIPAL, ending, ("mandate_unknown",)),
    Case("that has ended", "", PRINCIPAL, ending, ("mandate_missing",), before=ended),
    Case("that has lapsed", "", PRINCIPAL, ending, ("mandate_missing",), before=lapsed),
    Case("of others that has ended", "", "bank-1", ending, ("mandate_party", "mandate_missing"), before=ended),
)
def test_ending_a_mandate(case: Case) -> None:
    assert case.codes == case.run()


@pytest.mark.parametrize("right", sorted(OF_SALE))
def test_every_right_of_a_sale_needs_its_terms_and_the_agent(right: str) -> None:
    life = at("")
    body = granting(rights=("present", right), sale=sale())(life)
    assert [] == life.chain.unmet(life.chain.sign(PRINCIPAL, body, AGENT))
    assert ["signature_missing"] == life.chain.unmet(life.chain.sign(PRINCIPAL, body))
    bare = granting(rights=("present", right))(life)
    assert ["mandate_sale"] == life.chain.unmet(life.chain.sign(PRINCIPAL, bare, AGENT))


@pytest.mark.parametrize("right", ["present", "respond"])
def test_a_right_that_is_of_no_sale_is_given_by_the_principal_alone(right: str) -> None:
    life = at("")
    body = granting(rights=(right,))(life)
    assert [] == life.chain.unmet(life.chain.sign(PRINCIPAL, body))
    assert ["signature_superfluous"] == life.chain.unmet(life.chain.sign(PRINCIPAL, body, AGENT))


def test_a_mandate_runs_until_its_end_or_until_it_is_ended() -> None:
    life = at("wholesale")
    granted(life)
    shown = view_of(life.chain, MANDATE, life.mandate)  # type: ignore[attr-defined]
    assert ("running", PRINCIPAL, AGENT) == (shown["status"], shown["principal_name"], shown["agent_name"])
    life.chain.do(AGENT, ending(life))
    assert "ended" == view_of(life.chain, MANDATE, life.mandate)["status"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("changes", "right", "vin", "is_covered"),
    [
        ({}, "present", VIN, True),
        ({}, "list", VIN, False),
        ({}, "present", OTHER_VIN, False),
        ({"vins": ()}, "present", OTHER_VIN, True),
        ({"vins": (), "wmis": ("WBA",)}, "present", VIN, True),
        ({"vins": (), "wmis": ("WBA",)}, "present", OTHER_VIN, False),
        ({"wmis": ("WBS",)}, "present", OTHER_VIN, False),
    ],
)
def test_what_a_mandate_covers(changes: dict[str, object], right: str, vin: str, is_covered: bool) -> None:
    life = at("wholesale")
    granted(life)
    mandate = replace(life.chain.state(MANDATE, life.mandate), **changes)  # type: ignore[attr-defined]
    now = life.chain.now
    assert is_covered == covers(mandate, right, address(PRINCIPAL), vin, 0, now)  # type: ignore[arg-type]
    assert not covers(mandate, right, address("bmw"), vin, 0, now)  # type: ignore[arg-type]
    assert not covers(mandate, right, address(PRINCIPAL), vin, 0, mandate.ends_at_ms)  # type: ignore[arg-type]


def test_a_mandate_for_a_car_ends_when_its_title_moves() -> None:
    """Also where the principal has the car again later."""
    life = at("wholesale")
    granted(life)
    service = specimen("maintenance.record", life.chain, holder_signs=True, mandate=life.mandate)  # type: ignore[attr-defined]
    raw = life.chain.sign("workshop-hamburg", _at_hamburg(service), AGENT)
    assert [] == life.chain.unmet(raw)
    life.chain.do(PRINCIPAL, transfer(life.chain, "dealer-shanghai"), "dealer-shanghai")
    life.chain.do("dealer-shanghai", transfer(life.chain, PRINCIPAL), PRINCIPAL)
    assert ["mandate_missing"] == life.chain.unmet(raw)


def _at_hamburg(body: TransactionBody) -> TransactionBody:
    return replace(body, where=replace(body.where, site="HAM-1"))  # type: ignore[attr-defined]
