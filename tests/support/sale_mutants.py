"""Mutants of the sale: the node's own code with a guard left out, or an effect that is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from node.execution import block_run
from node.ledger.overlay import Ledger
from node.txtypes.members.conduct import count_refund
from node.txtypes.payment import attesting, initiating
from node.txtypes.sale import ending, handover, listing_types, negotiation, order_body, order_family, returning, terms
from node.txtypes.vehicle import claims, title, vehicle
from node.txtypes.vehicle.guards import NOT_THE_HOLDER

Change = Callable[[pytest.MonkeyPatch], None]


def without(*names: tuple[Any, str]) -> Change:
    """The guards are left out."""

    def change(patch: pytest.MonkeyPatch) -> None:
        for place, name in names:
            patch.setattr(place, name, lambda *args, **kwargs: None)

    return change


def instead(place: Any, name: str, found: Callable[..., Any]) -> Change:
    return lambda patch: patch.setattr(place, name, found)


def _held_for_ever(patch: pytest.MonkeyPatch) -> None:
    reserving = order_body.reserving
    for module in (order_body, negotiation):
        patch.setattr(module, "reserving", lambda *args: replace(reserving(*args), hold_until_ms=10**14))


def _a_claim_settles_the_debt(patch: pytest.MonkeyPatch) -> None:
    def apply(self: Any, ledger: Ledger) -> None:
        found = ledger.the(order_family.ORDER, self.order)
        count_refund(ledger, found.seller, 1)
        ledger.put(order_family.ORDER, self.order, replace(found, kept=found.net, taken=found.net, is_claimed=True))

    patch.setattr(ending.OrderClaimRefund, "apply", apply)


def _a_number_is_taken_twice(patch: pytest.MonkeyPatch) -> None:
    after = attesting.after_attestation
    patch.setattr(
        attesting, "after_attestation", lambda p, *args, **kw: replace(after(p, *args, **kw), sequence=p.sequence)
    )


def _the_maker_gets_it(patch: pytest.MonkeyPatch) -> None:
    move = title.with_title
    patch.setattr(title, "with_title", lambda ledger, vin, car, holder: move(ledger, vin, car, car.maker))


def _only_the_holder(ledger: Ledger, order: Any, vehicle: Any) -> None:
    ledger.unmet(NOT_THE_HOLDER, order.vin)


MUTANTS: dict[str, Change] = {
    "a_handover_needs_final_money_and_a_car_that_make_up_the_price_and_every_signature":
        instead(handover, "final_amount", lambda *args: 10**15),
    "a_transfer_is_signed_by_giver_and_receiver_who_trade_in_cars": without((block_run, "check_policies")),
    "a_car_goes_back_only_with_every_signature": without((block_run, "check_policies")),
    "titles_are_those_of_the_plain_model": _the_maker_gets_it,
    "one_order_reserves_a_vin": without((negotiation, "check_reservable"), (negotiation, "check_open")),
    "every_reserved_vin_is_free_at_its_hard_end": _held_for_ever,
    "reservations_are_those_of_the_plain_model": instead(vehicle, "market_at", lambda market, now_ms: market),
    "nobody_else_changes_an_order": without((order_body.OrderBody, "check_party")),
    "the_parts_make_up_the_price": without((terms, "_check_parts")),
    "no_more_goes_back_than_came": instead(attesting, "most_of", lambda *args: 10**13),
    "a_claimed_refund_is_owed": without((order_body, "withdraw_claim")),
    "accounts_are_those_of_the_plain_model": instead(order_family, "debts_of", lambda *args: ()),
    "who_owes_for_a_car_is_counted":
        instead(claims, "debtor_key", lambda vin, account: f"{vin}-{account.hex()[:38]}00"),
    "a_debt_falls_only_by_money_that_goes_back": _a_claim_settles_the_debt,
    "orders_are_those_of_the_plain_model": instead(ending, "fee_of", lambda *args: 1),
    "a_new_payment_pays_what_is_open_of_its_part": instead(initiating, "occupied", lambda payment: 0),
    "a_payment_has_one_currency": without((attesting, "check_currency")),
    "an_attestation_counts_once": _a_number_is_taken_twice,
    "no_attestation_is_applied_twice": _a_number_is_taken_twice,
    "no_reference_has_two_payments": without((attesting, "check_reference")),
    "a_provider_is_no_party": without((terms, "_check_leg")),
    "coins_and_forbidden_rails_never_start": without((listing_types, "check_rail")),
    "either_party_alone_ends_an_order_whose_time_is_over":
        instead(ending, "_time_missing", lambda *args, is_buyer: "the other's signature"),
    "a_consumer_alone_withdraws_in_time": instead(returning, "check_still_sold", _only_the_holder),
    "a_distance_contract_can_be_withdrawn_from_for_two_weeks":
        instead(handover, "_withdraw_until_ms", lambda ledger, found: ledger.now_ms + 13 * 86_400_000),
}  # fmt: skip
"""Rule to the change that it sees."""
