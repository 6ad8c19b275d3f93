"""Every course that a small deal can take is searched, not a sample of them.

The moves of the parties, the provider, the lender and the arbiters, and the times at which something counts otherwise,
are few; from an accepted order on, every order of them is played through the real execution until nothing new comes up.
In each position no reservation outlives its hard end, whatever anybody did or omitted, each party alone can end an
order whose time is over, and money that came is kept for nobody without a reason (`support.small_deals`).
"""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from support.chain import DAY_MS
from support.small_deals import DEALS, Search

from node.txtypes.disputes import order_dispute_types
from node.txtypes.sale import ending, order, order_body
from node.txtypes.vehicle import regions, vehicle

pytestmark = pytest.mark.slow

NAMES = [deal.name for deal in DEALS]


@cache
def searched(name: str) -> Search:
    return Search(next(deal for deal in DEALS if deal.name == name)).run()


@pytest.mark.parametrize("name", NAMES)
def test_every_course_of_a_small_deal(name: str) -> None:
    found = searched(name)
    assert found.positions > 100
    assert found.reached["accepted"] and found.taken["time"]
    if found.deal.is_paid:  # money holds the car beyond its time, and each party can then end the order
        assert found.reached["cancelled time_over"] and found.taken[f"{found.buyer} has a way out"]
    assert [] == [move for move in found.deal.others if not found.taken[move]]


def test_the_courses_lead_everywhere() -> None:
    """Or what is checked would hold because nothing happens."""
    everything = [searched(name) for name in NAMES]
    reached = {status for found in everything for status in found.reached}
    assert {"accepted", "completed", "cancelled changed_mind", "cancelled buyer_default", "cancelled time_over",
            "cancelled seller_default", "cancelled refused", "cancelled financing_failed",
            "cancelled decided"} <= reached  # fmt: skip
    taken = {move for found in everything for move in found.taken}
    assert {
        "initiate",
        "declare",
        "pending",
        "settled",
        "failed",
        "returned",
        "authorised",
        "confirm refund",
        "handover",
        "dispute",
        "respond",
        "vote resume",
        "vote unwind",
        "close dispute",
        "reinstate",
    } <= taken
    assert sum(found.positions for found in everything) > 5_000


# --- mutants ----------------------------------------------------------------------------------------------------
def _no_hard_end(patch: pytest.MonkeyPatch) -> None:
    """Money holds the car for as long as it is there."""
    forever = 10**14

    def until(found: Any) -> int:
        return forever if found.net else max(found.until_ms, min(found.money_until_ms, found.hold_until_ms))

    for module in (order, order_body):
        patch.setattr(module, "reserved_until_ms", until)
    patch.setattr(regions, "reserved_until_ms", lambda market: max(market.until_ms, market.money_until_ms))


def _late_money_revives(patch: pytest.MonkeyPatch) -> None:
    """The hard end stays where it was once the reservation is over."""
    patch.setattr(order_body, "reserved_until_ms", lambda found: found.hold_until_ms)


def _nobody_leaves(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ending, "_time_missing", lambda *args, is_buyer: "the other's signature")


def _a_pause_is_never_taken_back(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(order_dispute_types, "PAUSE_MAX_MS", 90 * DAY_MS)


def _the_car_stays_reserved(patch: pytest.MonkeyPatch) -> None:
    """A car is free when somebody says so, not when its time is over."""
    for module in (regions, vehicle):
        patch.setattr(module, "market_at", lambda market, now_ms: market)


MUTANTS = {
    "no hard end": (_no_hard_end, "a transfer that may come twice", "hard end|both tell the same"),
    "late money revives": (_late_money_revives, "a transfer that may come twice", "both tell the same"),
    "nobody leaves": (_nobody_leaves, "to be built", "cannot end it alone"),
    "a pause is too long": (_a_pause_is_never_taken_back, "disputed", "longer than agreed"),
    "the car stays reserved": (_the_car_stays_reserved, "with a car in payment", "both tell the same|hard end"),
}
"""What is changed, the deal whose courses show it, and what is then found."""


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTANTS)
def test_the_search_sees_what_it_is_there_for(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    change, deal, found = MUTANTS[name]
    search = Search(next(one for one in DEALS if one.name == deal))
    change(monkeypatch)
    with pytest.raises(AssertionError, match=found):
        search.run()
