"""The rules of the ledger that never break, each as a check of one block of a walk. A check raises `Broken`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace
from node.txtypes.payment.payment import PaymentAttest
from node.txtypes.sale.order_types import OrderHandover

from node.ledger.body import type_of
from node.ledger.family import index_prefix
from node.rules.rails import FORBIDDEN_RAILS
from node.storage.chain_store import ChainReader
from node.txtypes.vehicle.title import TitleTransfer, VehicleRegister
from node.txtypes.vehicle.vehicle import VEHICLE, market_of
from support.second_codec import h, unpack
from support.walk import Block

TITLE_MOVES = ("title.transfer", "order.handover")
FINAL, MONEY_IN = "settled", ("captured", "settled")
MONEY_HELD = ("authorised", "captured", "pending", "settled")


class Broken(AssertionError):
    """A rule that never breaks is broken."""


@dataclass
class Past:
    """What the checks must remember of the blocks before."""

    births: Counter[str] = field(default_factory=Counter)
    references: dict[bytes, set[bytes]] = field(default_factory=dict)

    def note(self, block: Block) -> None:
        self.births.update(body.vin for body in bodies(block, VehicleRegister))
        for body in bodies(block, PaymentAttest):
            if body.reference:
                self.references.setdefault(body.reference, set()).add(body.payment)


Check = Callable[[Block, Past, ChainReader], None]
CHECKS: dict[str, Check] = {}


def rule(check: Check) -> Check:
    CHECKS[check.__name__] = check
    return check


def require(holds: bool, *about: Any) -> None:
    if not holds:
        raise Broken(" ".join(map(str, about)))


def bodies(block: Block, kind: type[Any]) -> Iterator[Any]:
    return (tx.payload.body for tx in block.accepted if isinstance(tx.payload.body, kind))


def payments_of(block: Block, order: Any) -> list[Any]:
    return [block.after["payment"][ident.hex()] for ident in order.payments]


# --- vehicles and title --------------------------------------------------------------------------------------
@rule
def one_birth_per_vin(block: Block, past: Past, reader: ChainReader) -> None:
    require(set(past.births) == set(block.after["vehicle"]), "cars without a birth, or births without a car")
    require(all(count == 1 for count in past.births.values()), "born twice", past.births)


@rule
def one_title_holder_per_living_vin(block: Block, past: Past, reader: ChainReader) -> None:
    for vin, vehicle in block.after["vehicle"].items():
        require(vehicle.holder.hex() in block.after["account"], vin, "is held by nobody")
        listed = [
            a for a in block.after["account"] if vin in reader.entries(index_prefix(VEHICLE, "holder", a), "", 99)
        ]
        require(listed == [vehicle.holder.hex()], vin, "is held by", listed)


@rule
def title_moves_only_by_a_transfer_or_a_handover(block: Block, past: Past, reader: ChainReader) -> None:
    moves = Counter(body.vin for body in bodies(block, TitleTransfer))
    moves += Counter(block.after["order"][body.order.hex()].vin for body in bodies(block, OrderHandover))
    for vin, vehicle in block.after["vehicle"].items():
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
def a_handover_needs_settled_money_equal_to_the_price_and_both_signatures(
    block: Block, past: Past, reader: ChainReader
) -> None:
    for tx in block.accepted:
        body = tx.payload.body
        if isinstance(body, OrderHandover):
            order = block.after["order"][body.order.hex()]
            paid = [p for p in payments_of(block, order) if p.status == FINAL]
            require(sum(p.amount.amount for p in paid) == order.price.amount, "paid", paid, "for", order.price)
            require({p.amount.currency for p in paid} == {order.price.currency}, "paid in another currency")
            require({order.seller, order.buyer} == {s.address for s in tx.signatures}, "signatures")
            require(block.before["vehicle"][order.vin].holder == order.seller, "sold by another than the holder")
            require(block.after["vehicle"][order.vin].holder == order.buyer, "handed to another than the buyer")


@rule
def what_the_payment_provider_says_never_moves_title(block: Block, past: Past, reader: ChainReader) -> None:
    """A charge-back among it: money that goes back is a claim between the parties. At most a reservation lasts on."""
    if all(isinstance(tx.payload.body, PaymentAttest) for tx in block.accepted):
        for vin, vehicle in block.before["vehicle"].items():
            after = block.after["vehicle"][vin]
            require(replace(vehicle, market=after.market) == after, vin, "changed with a payment")


@rule
def brands_only_grow(block: Block, past: Past, reader: ChainReader) -> None:
    for vin, vehicle in block.before["vehicle"].items():
        lost = {brand.code for brand in vehicle.brands} - {b.code for b in block.after["vehicle"][vin].brands}
        require(not lost, vin, "lost", lost)


@rule
def the_history_has_no_gap_and_its_count_and_head_match(block: Block, past: Past, reader: ChainReader) -> None:
    for vin, vehicle in block.after["vehicle"].items():
        head, count = bytes(32), 0
        for sequence, raw in reader.records(vin, 0, 1_000_000):
            face, content = unpack(raw)
            require(sequence == count == unpack(face)[1], vin, "has record", sequence, "at place", count)
            digest = h("bmw/record-body", face + h("bmw/record-content", content))
            head = h("bmw/record", head + count.to_bytes(8, "big") + digest)
            count += 1
        require((count, head) == (vehicle.record_count, vehicle.history_head), vin, "has", count, "records")
        before = block.before["vehicle"].get(vin)
        require(before is None or before.record_count <= count, vin, "has lost records")


# --- the market ----------------------------------------------------------------------------------------------
@rule
def one_live_listing_per_vin(block: Block, past: Past, reader: ChainReader) -> None:
    live: dict[str, str] = {}
    for ident, listing in block.after["listing"].items():
        if listing.status == "open" and block.time_ms < listing.expires_at_ms:
            require(listing.vin not in live, listing.vin, "is listed twice")
            live[listing.vin] = ident
            vehicle = block.after["vehicle"][listing.vin]
            market = market_of(vehicle, block.time_ms)
            require((market.status, market.listing.hex()) == ("listed", ident), listing.vin, "is not on the market")
            require(listing.seller == vehicle.holder, listing.vin, "is listed by another than its holder")


@rule
def one_live_order_per_vin(block: Block, past: Past, reader: ChainReader) -> None:
    """An accepted order within its deadline, or one whose reservation lasts because it holds money."""
    live: dict[str, str] = {}
    for ident, order in block.after["order"].items():
        market = market_of(block.after["vehicle"][order.vin], block.time_ms)
        is_kept = market.status == "reserved" and market.order.hex() == ident
        if order.status == "accepted" and (block.time_ms < order.expires_at_ms or is_kept):
            require(order.vin not in live, order.vin, "is sold twice")
            live[order.vin] = ident
            has_money = any(payment.status in MONEY_HELD for payment in payments_of(block, order))
            require(block.time_ms < order.expires_at_ms or has_money, order.vin, "is reserved late, without money")
    for vin, vehicle in block.after["vehicle"].items():
        market = market_of(vehicle, block.time_ms)
        reserved = market.order.hex() if market.status == "reserved" else ""
        require(reserved == live.get(vin, ""), vin, "is reserved by", reserved, "and sold by", live.get(vin))


# --- money ---------------------------------------------------------------------------------------------------
@rule
def refunds_never_exceed_what_came_in(block: Block, past: Past, reader: ChainReader) -> None:
    for order in block.after["order"].values():
        came = went = 0
        for payment in payments_of(block, order):
            had = payment.amount.amount if any(step.status in MONEY_IN for step in payment.steps) else 0
            require(payment.refunded <= had, "refunded", payment.refunded, "of", had)
            came, went = came + had, went + payment.refunded
        require(went <= came, "an order was refunded", went, "of", came)


@rule
def an_order_is_never_paid_beyond_its_price_at_first(block: Block, past: Past, reader: ChainReader) -> None:
    """Payments that are under way add up to the price at most, unless one that had gone back came again."""
    for order in block.after["order"].values():
        open_ = [p for p in payments_of(block, order) if p.status not in ("failed", "returned", "refunded")]
        once = [p for p in open_ if not any(step.status == "charged_back" for step in p.steps)]
        require(sum(p.amount.amount for p in once) <= order.price.amount, "paid beyond the price", order)


@rule
def a_payment_has_one_currency(block: Block, past: Past, reader: ChainReader) -> None:
    for payment in block.after["payment"].values():
        order = block.after["order"][payment.order.hex()]
        require(payment.amount.currency == order.price.currency, "payment and order have two currencies")
    for ident, payment in block.before["payment"].items():
        require(payment.amount == block.after["payment"][ident].amount, "a payment's amount changed")
    for body in bodies(block, PaymentAttest):
        amount = block.after["payment"][body.payment.hex()].amount
        require(body.amount == amount, "attested", body.amount, "of", amount)


@rule
def a_payment_reference_is_consumed_once(block: Block, past: Past, reader: ChainReader) -> None:
    for reference, payments in past.references.items():
        require(len(payments) == 1, reference.hex(), "was consumed by", len(payments), "payments")
        use = block.after["payment-reference"].get(reference.hex())
        require(use is not None and {use.payment} == payments, reference.hex(), "is not kept")
    used = [payment.reference for payment in block.after["payment"].values() if payment.reference]
    require(len(used) == len(set(used)), "two payments have one reference")


@rule
def a_forbidden_rail_never_starts(block: Block, past: Past, reader: ChainReader) -> None:
    for listing in block.after["listing"].values():
        taken = {accepted.rail for accepted in listing.rails} & FORBIDDEN_RAILS.get(listing.country, frozenset())
        require(not taken, "a listing in", listing.country, "takes", taken)
    for payment in block.after["payment"].values():
        country = block.after["listing"][block.after["order"][payment.order.hex()].listing.hex()].country
        require(payment.rail not in FORBIDDEN_RAILS.get(country, frozenset()), payment.rail, "in", country)


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
    for vehicle in block.after["vehicle"].values():
        for text in (vehicle.model, vehicle.plant, *vehicle.configuration):
            found = [digits for digits in re.findall(r"(?=([45][0-9]{15}))", text) if _luhn(digits)]
            require(not found, found, "is on the chain")
