"""The rules of the ledger that never break, each as a check of one block of a walk. A check raises `Broken`."""

from __future__ import annotations

import re
from collections import Counter

from msgspec.structs import replace

from node.ledger.body import type_of
from node.ledger.family import index_prefix
from node.storage.chain_store import ChainReader
from node.txtypes.payment.attesting import PaymentAttest
from node.txtypes.sale.handover import OrderHandover
from node.txtypes.sale.returning import OrderReturn
from node.txtypes.vehicle.title import TitleTransfer
from node.txtypes.vehicle.vehicle import VEHICLE, market_of
from support import plain_rules, sale_rules
from support.second_codec import h, unpack
from support.walk import Block
from support.walk_checks import (
    CHECKS,
    STORED,
    Broken,
    Past,
    bodies,
    cars_of,
    changed,
    first_broken,
    net,
    payments_of,
    require,
    rule,
    signers_of,
    stored_rule,
    traded,
)

__all__ = ["CHECKS", "STORED", "Broken", "Past", "first_broken", "plain_rules", "sale_rules"]


# --- vehicles and title --------------------------------------------------------------------------------------
@rule
def one_birth_per_vin(block: Block, past: Past, reader: ChainReader) -> None:
    require(past.births.keys() == block.after["vehicle"].keys(), "cars without a birth, or births without a car")
    require(all(count == 1 for count in past.births.values()), "born twice", past.births)


@stored_rule
def one_title_holder_per_living_vin(block: Block, past: Past, reader: ChainReader) -> None:
    for vin, vehicle in changed(block, "vehicle"):
        require(vehicle.holder.hex() in block.after["account"], vin, "is held by nobody")
        listed = [
            a for a in block.after["account"] if vin in reader.entries(index_prefix(VEHICLE, "holder", a), "", 99)
        ]
        require(listed == [vehicle.holder.hex()], vin, "is held by", listed)


@rule
def title_moves_only_by_a_transfer_a_handover_or_a_return(block: Block, past: Past, reader: ChainReader) -> None:
    moves = Counter(body.vin for body in bodies(block, TitleTransfer))
    for body in bodies(block, OrderHandover):
        moves.update(cars_of(block.after["order"][body.order.hex()]))
    for body in bodies(block, OrderReturn):
        order = block.after["order"][body.order.hex()]
        moves.update(cars_of(order) if body.trade_in_back else [order.vin])
    for vin, vehicle in changed(block, "vehicle"):
        before = block.before["vehicle"].get(vin)
        moved = vehicle.transfer_count - (before.transfer_count if before else 0)
        require(moved == moves[vin], vin, "moved", moved, "times by", moves[vin], "transactions")
        require(bool(moved) or before is None or before.holder == vehicle.holder, vin, "has another holder")


@rule
def a_transfer_is_signed_by_giver_and_receiver_who_trade_in_cars(block: Block, past: Past, reader: ChainReader) -> None:
    for tx in block.accepted:
        body = tx.payload.body
        if isinstance(body, TitleTransfer):
            parties = {tx.payload.sender, body.receiver}
            require(parties == {s.address for s in tx.signatures} and len(parties) == 2, "signatures")
            for party in parties:
                roles = {grant.role for grant in block.before["member"][party.hex()].grants}
                require(bool(roles & {"manufacturer", "dealer"}), party.hex(), "does not trade in cars")


@rule
def a_handover_needs_final_money_and_a_car_that_make_up_the_price_and_every_signature(
    block: Block, past: Past, reader: ChainReader
) -> None:
    for tx in block.accepted:
        body = tx.payload.body
        if isinstance(body, OrderHandover):
            ident = body.order.hex()
            order, was = block.after["order"][ident], block.before["order"][ident]
            paid = payments_of(block, was)
            final = sum(net(p) for ident, p in paid.items() if past.final_from.get(ident, 0) <= block.time_ms)
            lender = was.terms.finance and was.terms.finance.lender
            final += sum(account.posted for account in was.accounts if account.party in (was.buyer, lender))
            final += sum(
                net(p) for p in map(block.before["payment"].get, (p.hex() for p in was.payments)) if p.leg == 255
            )
            credit = [place for place, leg in enumerate(was.terms.legs) if leg.rail == "finance"]
            if body.promises and credit:
                came = sum(net(p) for p in paid.values() if p.leg == credit[0])
                final += max(0, was.terms.legs[credit[0]].amount - came)
            require(final + traded(was) >= was.price.amount, "paid", final, "for", was.price)
            require({p.amount.currency for p in paid.values()} <= {was.price.currency}, "paid in another currency")
            require(signers_of(body, was, tx.payload.sender) == {s.address for s in tx.signatures}, "signatures")
            before, after = block.before["vehicle"], block.after["vehicle"]
            finance = was.terms.finance
            receiver = finance.lender if finance is not None and finance.title_to == "lender" else was.buyer
            require(before[order.vin].holder == was.seller, "sold by another than the holder")
            require(after[order.vin].holder == receiver, "handed to another than the buyer or its lender")
            if was.terms.trade_in is not None:
                vin, taker = was.terms.trade_in.vin, was.terms.trade_in.taker
                require((before[vin].holder, after[vin].holder) == (was.buyer, taker), vin, "was not taken in payment")


@rule
def a_car_goes_back_only_with_every_signature(block: Block, past: Past, reader: ChainReader) -> None:
    for tx in block.accepted:
        body = tx.payload.body
        if isinstance(body, OrderReturn):
            order = block.after["order"][body.order.hex()]
            finance, trade_in = order.terms.finance, order.terms.trade_in
            needed = {order.seller, order.buyer, *([finance.lender] if finance is not None else [])}
            receivers = {order.vin: order.seller}
            if body.trade_in_back:
                needed.add(trade_in.taker)
                receivers[trade_in.vin] = order.buyer
            require(needed == {s.address for s in tx.signatures}, "signatures")
            for vin, receiver in receivers.items():
                require(block.after["vehicle"][vin].holder == receiver, vin, "went back to somebody else")


@rule
def what_the_payment_provider_says_never_moves_title(block: Block, past: Past, reader: ChainReader) -> None:
    """A charge-back among it: money that goes back is a claim between the parties. At most a reservation lasts on."""
    if all(isinstance(tx.payload.body, PaymentAttest) for tx in block.accepted):
        for vin, vehicle in block.before["vehicle"].items():
            after = block.after["vehicle"][vin]
            require(replace(vehicle, market=after.market) == after, vin, "changed with a payment")


@rule
def brands_only_grow(block: Block, past: Past, reader: ChainReader) -> None:
    for vin, _ in changed(block, "vehicle"):
        vehicle = block.before["vehicle"].get(vin)
        if vehicle is None:
            continue
        lost = {brand.code for brand in vehicle.brands} - {b.code for b in block.after["vehicle"][vin].brands}
        require(not lost, vin, "lost", lost)


@stored_rule
def the_history_has_no_gap_and_its_count_and_head_match(block: Block, past: Past, reader: ChainReader) -> None:
    """Each record is read once, by the first block after it; those before it cannot change, since the head of the chain
    of records follows from all."""
    for vin, vehicle in changed(block, "vehicle"):
        count, head = past.histories.get(vin, (0, bytes(32)))
        for sequence, raw in reader.records(vin, count, 1_000_000):
            face, content = unpack(raw)
            require(sequence == count == unpack(face)[1], vin, "has record", sequence, "at place", count)
            digest = h("bmw/record-body", face + h("bmw/record-content", content))
            head = h("bmw/record", head + count.to_bytes(8, "big") + digest)
            count += 1
        require((count, head) == (vehicle.record_count, vehicle.history_head), vin, "has", count, "records")
        past.histories[vin] = count, head


# --- the market ----------------------------------------------------------------------------------------------
@rule
def one_live_listing_per_vin(block: Block, past: Past, reader: ChainReader) -> None:
    live: dict[str, str] = {}
    for ident, listing in block.after["listing"].items():
        if listing.vin and listing.status == "open" and block.time_ms < listing.expires_at_ms:
            require(listing.vin not in live, listing.vin, "is listed twice")
            live[listing.vin] = ident
            vehicle = block.after["vehicle"][listing.vin]
            market = market_of(vehicle, block.time_ms)
            require((market.status, market.listing.hex()) == ("listed", ident), listing.vin, "is not on the market")
            require(listing.seller == vehicle.holder, listing.vin, "is listed by another than its holder")


# --- what is written -----------------------------------------------------------------------------------------
def _luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        number = int(digit) * (1 + place % 2)
        total += number // 10 + number % 10
    return total % 10 == 0


@rule
def no_text_holds_a_card_number(block: Block, past: Past, reader: ChainReader) -> None:
    """Visa and Mastercard, read from the bytes: serials are typed apart, so only the types without one are read."""
    for tx in block.accepted:
        if type_of(tx.payload.body) in ("maintenance.record", "accident.report", "vehicle.register"):
            continue
        for digits in re.findall(rb"(?=([45][0-9]{15}))", tx.payload_bytes):
            require(not _luhn(digits.decode()), digits.decode(), "is on the chain")
    for _, vehicle in changed(block, "vehicle"):
        for text in (vehicle.model, vehicle.plant, *vehicle.configuration):
            found = [digits for digits in re.findall(r"(?=([45][0-9]{15}))", text) if _luhn(digits)]
            require(not found, found, "is on the chain")
