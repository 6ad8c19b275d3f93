"""Hostile transactions by anybody: no personal data is stored, values and work stay bounded, and the disclosure root
changes exactly with material records. scripts/hostile is the long run; every check meets mutants that it is there for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from support.hostile import checks
from support.hostile.checks import BYTES_MAX, PER_BLOCK, PER_STEP, SALE_RULES, first_broken
from support.hostile.walk import Hostile

from node import limits
from node.txtypes import envelope
from node.txtypes.disputes import amend, dispute
from node.txtypes.identity.account import ACCOUNT
from node.txtypes.payment import attesting
from node.txtypes.sale import handover, negotiation
from node.txtypes.service.damage import AccidentReport
from node.txtypes.service.records import MaintenanceRecord, OdometerRead
from node.txtypes.vehicle import record, report
from node.txtypes.vehicle.record import Effect

SHORT, SEEDS = 1_500, (1, 2)
SELLING = ("odometer.read", "listing.create", "order.offer", "order.accept")


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_broken(seed: int) -> None:
    walk = Hostile(seed)
    assert "" == first_broken(walk, SHORT)
    assert walk.malformed > SHORT // 10 and sum(walk.accepted.values()) > SHORT // 20
    assert len(walk.accepted) > 20 and len(walk.numbers) > SHORT // 12, "what is refused alone would show nothing"


@pytest.mark.slow
def test_nothing_is_broken_where_cars_are_sold() -> None:
    accepted = Counter[str]()
    for seed in SEEDS:
        walk = Hostile(seed, is_planting=False)
        assert "" == first_broken(walk, 3_000)
        accepted += walk.accepted
    assert accepted["order.handover"] and accepted["payment.attest"] > 20
    assert len(accepted) > 45


# --- mutants ------------------------------------------------------------------------------------------------
def _more_records(patch: pytest.MonkeyPatch) -> None:
    """Who amends or disputes reads the whole history."""

    def found(ledger: Any, vin: str, name: Any) -> Any:
        for sequence in range(name.sequence):
            ledger.record(vin, sequence)
        return record.find_record(ledger, vin, name)

    for module in (amend, dispute):
        if hasattr(module, "find_record"):
            patch.setattr(module, "find_record", found)


def _more_keys(patch: pytest.MonkeyPatch) -> None:
    """A report asks for many accounts."""
    patch.setattr(
        report, "check_not_on_hold", lambda ledger, who: [ledger.get(ACCOUNT, bytes([n]) * 20) for n in range(60)]
    )


def _effect_of(kind: type[Any], *, is_material: bool) -> Callable[[pytest.MonkeyPatch], None]:
    effect = kind.effect

    def changed(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(kind, "effect", lambda *args: Effect(*effect(*args)[:2], is_material))

    return changed


def _turned_verdicts_are_not_told(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(record, "is_verdict_worse", lambda before, after: False)


def _first_verdicts_are_told(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(record, "is_verdict_worse", lambda before, after: before.verdict != after.verdict)


MUTANTS: dict[str, tuple[Callable[[pytest.MonkeyPatch], Any], tuple[str, ...], int, str]] = {
    "codes are not looked at": (
        lambda patch: patch.setattr(envelope, "find_personal_data", lambda codes: None),
        ("software.update", "recall.open", "vehicle.sighting", "part.bind"), 3_000, "misplaced",
    ),
    "VINs are not looked at": (
        lambda patch: patch.setattr(envelope, "has_card_in_vin", lambda vin: False),
        ("vehicle.sighting", "mandate.grant"), 3_000, "misplaced",
    ),
    "readings are never left out": (
        lambda patch: patch.setattr(limits, "READINGS_MAX", 10**6), ("odometer.read",), 8_000, "oversized",
    ),
    "a whole history is read": (_more_records, ("record.amend", "record.dispute", "odometer.read"), 3_000,
                                "overworked"),
    "many accounts are read": (_more_keys, ("odometer.read",), 500, "overworked"),
    "a service is material": (_effect_of(MaintenanceRecord, is_material=True), ("maintenance.record",), 500,
                              "root_differs"),
    "a reading is material": (_effect_of(OdometerRead, is_material=True), ("odometer.read",), 500, "root_differs"),
    "an accident is not material": (_effect_of(AccidentReport, is_material=False), ("accident.report",), 500,
                                    "root_differs"),
    "a turned verdict is not material": (_turned_verdicts_are_not_told, ("odometer.read",), 2_000, "root_differs"),
    "the first verdict is material": (_first_verdicts_are_told, ("odometer.read",), 2_000, "root_differs"),
    "money is not looked at": (
        lambda patch: patch.setattr(handover, "final_amount", lambda *args: 10**15),
        (*SELLING, "order.handover"), 3_000, "sold_unpaid",
    ),
    "a provider may say any amount": (
        lambda patch: patch.setattr(attesting, "most_of", lambda *args: 10**15),
        (*SELLING, "payment.initiate", "payment.attest"), 3_000, "unsound",
    ),
    "a car is reserved for whoever accepts": (
        lambda patch: (
            patch.setattr(negotiation, "check_reservable", lambda *args: None),
            patch.setattr(negotiation, "check_open", lambda *args: None),
        ),
        SELLING, 3_000, "unsound",
    ),
}  # fmt: skip
"""What is changed, the types that show it, in how many transactions, and the check that sees it."""


@pytest.mark.parametrize("mutant", MUTANTS)
@pytest.mark.slow
def test_a_check_sees_what_it_is_there_for(mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    change, types, count, check = MUTANTS[mutant]
    change(monkeypatch)
    assert first_broken(Hostile(5, types, is_planting=check == "misplaced"), count).startswith(f"{check}: ")


@pytest.mark.slow
def test_the_search_of_all_bytes_sees_what_the_decoder_would_let_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(envelope, "find_personal_data", lambda codes: None)
    walk = Hostile(6, ("software.update", "recall.open", "part.bind"))
    found = [step.plants for step in walk.steps(3_000)]
    walk.serials.clear()
    assert any(found) and checks.stored(walk)


def test_every_check_has_a_mutant_and_every_bound_a_family() -> None:
    assert {check.__name__ for check in (*PER_STEP, *PER_BLOCK)} == {check for *_, check in MUTANTS.values()}
    assert len(SALE_RULES) > 10
    assert BYTES_MAX["vehicle"] == 12 * 1_024 and BYTES_MAX["odometer"] == 12 * 1_024
