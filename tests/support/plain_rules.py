"""What the node's state tells of a sale is what the plain model tells, and nobody is without a way out."""

from __future__ import annotations

from node.codec import encode
from node.ledger.body import type_of
from node.ledger.family import AsOf
from node.storage.chain_store import ChainReader
from node.txtypes.payment.attesting import PaymentAttest
from node.txtypes.rulesets import RULESETS
from node.txtypes.sale.ending import OrderCancel
from node.txtypes.sale.order_family import OrderView
from node.txtypes.sale.returning import OrderWithdraw
from node.txtypes.vehicle.vehicle import market_of
from support.paying import NAMES
from support.walk import Block
from support.walk_checks import AfterBlock, Past, changed, is_gone, require, rule, stored_rule

GIVES_BACK = ("payment.attest", "payment.confirm_refund", "order.reinstate", "order.resolve", "order.close",
              "order.return", "claim.release")  # fmt: skip
"""Types after which less is owed: money went back, both have revived the order, a vote has decided what is kept, the
car came back and its deduction is agreed on, or the creditor says that it was paid."""


@rule
def orders_are_those_of_the_plain_model(block: Block, past: Past, reader: ChainReader) -> None:
    for order in past.orders:
        for difference in past.model.differences(order, block.after):
            require(False, difference)


@rule
def titles_are_those_of_the_plain_model(block: Block, past: Past, reader: ChainReader) -> None:
    for vin, vehicle in changed(block, "vehicle"):
        holder = past.model.holders.get(vin)
        require(vehicle.holder == holder, vin, "is held by", NAMES.get(vehicle.holder), "and not", holder)


@stored_rule
def reservations_are_those_of_the_plain_model(block: Block, past: Past, reader: ChainReader) -> None:
    """Now, and at every later time at which nothing but time has happened."""
    model = past.model
    live = {order: deal for order, deal in model.deals.items() if deal.status == "accepted" and not deal.has_lapsed}
    ends = (deal.until_ms + late for deal in live.values() for late in (0, 30 * 86_400_000))
    for now_ms in (block.time_ms, *sorted({end for end in ends if end > block.time_ms})[:2]):
        reserved = {vin: order.hex() for order, deal in live.items() if deal.is_reserving(now_ms) for vin in deal.cars}
        for vin, vehicle in block.after["vehicle"].items():
            market = market_of(vehicle, now_ms)
            order = market.order.hex() if market.status == "reserved" else None
            if is_gone(vehicle):
                continue
            require(order == reserved.get(vin), vin, "is reserved by", order, "and not", reserved.get(vin))


@rule
def accounts_are_those_of_the_plain_model(block: Block, past: Past, reader: ChainReader) -> None:
    """What the seller owes each party, and each party the seller."""
    as_of = AsOf(block.time_ms, RULESETS[block.after["chain"]["params"].ruleset])
    for order in past.orders:
        found = block.after["order"][order.hex()]
        view = OrderView.of(order.hex(), found, AfterBlock(block), as_of)
        claims = block.after["order-claims"].get(order.hex())
        told = {debt.creditor: debt.amount.amount for debt in view.debts}
        told |= {claim.debtor: -claim.amount.amount for claim in (claims.entries if claims is not None else ())}
        own = {party: balance for party, balance in past.model.deals[order].balances(block.time_ms).items() if balance}
        if not found.vin:  # it has no car that a claim could bar from
            own = {party: balance for party, balance in own.items() if balance > 0}
        require(told == own, "order", order.hex(), "has the accounts", told, "and not", own)


@rule
def a_debt_falls_only_by_money_that_goes_back(block: Block, past: Past, reader: ChainReader) -> None:
    if len(block.accepted) != 1:
        return
    params = block.after["chain"]["params"]
    as_of = AsOf(block.time_ms, RULESETS[params.ruleset])
    tag = type_of(block.accepted[0].payload.body)
    if tag in GIVES_BACK:
        return
    for ident, order in changed(block, "order"):
        known = block.before["order"].get(ident)
        if known is not None and known.net:
            before, after = (
                sum(debt.amount.amount for debt in OrderView.of(ident, value, found, as_of).debts)
                for value, found in ((known, AfterBlock(block, is_before=True)), (order, AfterBlock(block)))
            )
            require(after >= before, "order", ident, "owes", before - after, "less after", tag)


@rule
def no_attestation_is_applied_twice(block: Block, past: Past, reader: ChainReader) -> None:
    """Sent again with another salt, it is refused."""
    if block.unmet is not None:
        for tx in block.accepted:
            if isinstance(tx.payload.body, PaymentAttest):
                codes = block.unmet(NAMES[tx.payload.sender], tx.payload.body)
                require("attest_sequence" in codes, "an attestation would be applied again", codes)


@stored_rule
def either_party_alone_ends_an_order_whose_time_is_over(block: Block, past: Past, reader: ChainReader) -> None:
    """Each for a reason of its own, the seller at least by default."""
    if block.unmet is None:
        return
    for order, deal in past.model.deals.items():
        if deal.status == "accepted" and deal.is_reserving(block.time_ms) and block.time_ms >= deal.until_ms:
            for party in (deal.buyer, deal.seller):
                reasons = ("time_over", "seller_default") if party == deal.seller else ("time_over",)
                refused = [block.unmet(NAMES[party], OrderCancel(order, reason)) for reason in reasons]  # type: ignore[arg-type]
                require([] in refused, NAMES[party], "cannot end", order.hex(), "alone:", refused)


@stored_rule
def a_consumer_alone_withdraws_in_time(block: Block, past: Past, reader: ChainReader) -> None:
    """As long as it has the car, and neither offers nor owes it to others; whatever else the car or the order is in."""
    if block.unmet is None:
        return
    for ident, order in block.after["order"].items():
        deal = past.model.deals[bytes.fromhex(ident)]
        if deal.status != "completed" or deal.terms.contract != "distance" or block.time_ms >= order.withdraw_until_ms:
            continue
        vehicle = block.after["vehicle"][deal.vin]
        market = market_of(vehicle, block.time_ms)
        is_free = market.status == "off" and block.time_ms >= market.locked_until_ms
        is_the_sale = vehicle.title_since_ms == order.ended_at_ms  # and none after it
        if vehicle.holder == deal.receiver and is_free and is_the_sale:
            refused = block.unmet(NAMES[deal.buyer], OrderWithdraw(bytes.fromhex(ident)))
            require(not refused, "the buyer cannot withdraw from", ident, refused)


@rule
def a_distance_contract_can_be_withdrawn_from_for_two_weeks(block: Block, past: Past, reader: ChainReader) -> None:
    if len(block.accepted) == 1 and type_of(block.accepted[0].payload.body) == "order.handover":
        for ident, order in changed(block, "order"):
            is_consumers = order.terms.contract == "distance"
            days = (order.withdraw_until_ms - block.time_ms) / 86_400_000 if order.withdraw_until_ms else 0.0
            require((days >= 14) if is_consumers else not days, ident, "can be withdrawn from for", days, "days")


@rule
def listings_stay_small(block: Block, past: Past, reader: ChainReader) -> None:
    for family, most in (("listing", 14_336), ("order-claims", 5_120), ("order-dispute", 4_096), ("case", 4_096)):
        for ident, value in changed(block, family):
            require(len(encode(value)) <= most, family, ident, "has", len(encode(value)), "bytes")
