"""The rules of the ledger that never break, each as a check of one block of a walk. A check raises `Broken`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from node.codec import encode
from node.ledger.body import type_of
from node.ledger.family import AsOf, index_prefix
from node.storage.chain_store import ChainReader
from node.txtypes.payment.attesting import PaymentAttest
from node.txtypes.rulesets import RULESETS
from node.txtypes.sale.handover import OrderHandover
from node.txtypes.sale.order import OrderView
from node.txtypes.vehicle.title import TitleTransfer, VehicleRegister
from node.txtypes.vehicle.vehicle import VEHICLE, market_of
from support.second_codec import h, pack, unpack
from support.walk import Block

DAY_MS = 86_400_000
CARD_WAIT_MS = {"challenge": 0, "frictionless": 14 * DAY_MS, "exempt": 14 * DAY_MS}
BANKING = ("bank_transfer", "instant_transfer")


class Broken(AssertionError):
    """A rule that never breaks is broken."""


@dataclass
class Past:
    """What the checks must remember of the blocks before."""

    births: Counter[str] = field(default_factory=Counter)
    references: dict[bytes, set[bytes]] = field(default_factory=dict)
    """Key of a reference to the payments that it was attested for."""
    attested: Counter[tuple[bytes, int]] = field(default_factory=Counter)
    """(payment, sequence)."""
    final_from: dict[bytes, int] = field(default_factory=dict)
    """When what has settled of a payment is final."""

    def note(self, block: Block) -> None:
        self.births.update(body.vin for body in bodies(block, VehicleRegister))
        for body in bodies(block, PaymentAttest):
            self._note(body, block)

    def _note(self, body: PaymentAttest, block: Block) -> None:
        known = block.before["payment"].get(body.payment.hex()) or block.after["payment"][body.payment.hex()]
        self.attested[body.payment, body.sequence] += 1
        if body.kind == "settled":
            after = block.after["payment"][body.payment.hex()]
            wait = max(after.hold_ms, CARD_WAIT_MS.get(after.card_check, 0) if after.rail == "card" else 0)
            self.final_from[body.payment] = max(self.final_from.get(body.payment, 0), block.time_ms + wait)
        if body.reference is None:
            return
        group = "bank" if known.rail in BANKING else known.rail
        for kind, raw in (("entry", body.reference.entry), ("uetr", body.reference.uetr)):
            if raw is not None:
                key = h("bmw/payment-ref", pack([group, sender_of(block, body), kind, raw]))
                self.references.setdefault(key, set()).add(body.payment)


@dataclass(frozen=True)
class AfterBlock:
    """The state after a block, for views."""

    block: Block

    def get(self, family: Any, ident: Any) -> Any:
        return self.block.after[family.name].get(ident.hex() if isinstance(ident, bytes) else ident)


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


def sender_of(block: Block, body: Any) -> bytes:
    return next(tx.payload.sender for tx in block.accepted if tx.payload.body is body)


def payments_of(block: Block, order: Any) -> dict[bytes, Any]:
    """Those of the price; what settles a claim is none of them."""
    found = {ident: block.after["payment"][ident.hex()] for ident in order.payments}
    return {ident: payment for ident, payment in found.items() if payment.leg != 255}


def cars_of(order: Any) -> list[str]:
    return [order.vin, *([order.terms.trade_in.vin] if order.terms.trade_in is not None else [])]


def traded(order: Any) -> int:
    return sum(leg.amount for leg in order.terms.legs if leg.rail == "trade_in")


def net(payment: Any) -> int:
    return payment.settled + payment.represented - payment.returned - payment.refunded - payment.charged_back


def reserves(order: Any, now_ms: int) -> bool:
    """Until its time is over; with money that has come until the hard end; with money under way as long as that."""
    money = order.hold_until_ms if order.net else min(order.money_until_ms, order.hold_until_ms)
    return order.status == "accepted" and now_ms < max(order.until_ms, money)


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
    for body in bodies(block, OrderHandover):
        moves.update(cars_of(block.after["order"][body.order.hex()]))
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


def signers_of(body: Any, order: Any, sender: bytes) -> set[bytes]:
    """Who has to sign a handover."""
    ours = order.agent if sender == order.agent else order.seller
    needed = {ours, order.buyer, *body.paid_off, *body.trade_paid_off}
    if order.terms.trade_in is not None:
        needed.add(order.terms.trade_in.taker)
    finance = order.terms.finance
    if finance is not None and (body.promises or finance.title_to == "lender"):
        needed.add(finance.lender)
    return needed


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
def one_order_reserves_a_vin(block: Block, past: Past, reader: ChainReader) -> None:
    """The car that is sold, and the one in payment."""
    live: dict[str, str] = {}
    for ident, order in block.after["order"].items():
        if reserves(order, block.time_ms):
            for vin in cars_of(order):
                require(vin not in live, vin, "is sold twice")
                live[vin] = ident
    for vin, vehicle in block.after["vehicle"].items():
        market = market_of(vehicle, block.time_ms)
        reserved = market.order.hex() if market.status == "reserved" else ""
        require(reserved == live.get(vin, ""), vin, "is reserved by", reserved, "and sold by", live.get(vin))


@rule
def every_reserved_vin_is_free_at_its_hard_end(block: Block, past: Past, reader: ChainReader) -> None:
    """Whatever anybody does or omits: nothing but both parties' signatures moves the hard end."""
    params = block.after["chain"]["params"]
    for vin, vehicle in block.after["vehicle"].items():
        if vehicle.market.status == "reserved":
            end = vehicle.market.hold_until_ms
            require(market_of(vehicle, end).status != "reserved", vin, "is reserved beyond its hard end")
            require(end <= vehicle.market.until_ms + params.hold_max_ms, vin, "is held for too long")
            free = market_of(vehicle, end + params.relist_lock_ms)
            require(free.status != "reserved" and block.time_ms + 10**12 > end, vin, "is locked for ever")
            require(not free.locked_until_ms, vin, "is locked beyond its time")
    agreed = {tx.payload.body.order for tx in block.accepted
              if type_of(tx.payload.body) in ("order.accept", "order.amend", "order.reinstate")}  # fmt: skip
    for ident, order in block.before["order"].items():
        after = block.after["order"][ident]
        if bytes.fromhex(ident) not in agreed:
            require(after.until_ms == order.until_ms, "the time of an order moved", ident)
            require(after.hold_until_ms <= order.hold_until_ms, "the hard end of an order moved", ident)
            is_revived = reserves(after, block.time_ms) and not reserves(order, block.time_ms)
            require(not is_revived, "an order was revived by one party", ident)


@rule
def nobody_else_changes_an_order(block: Block, past: Past, reader: ChainReader) -> None:
    acted: dict[str, set[bytes]] = {}
    for tx in block.accepted:
        body, payment = tx.payload.body, getattr(tx.payload.body, "payment", None)
        about = block.after["payment"][payment.hex()].order if payment else getattr(body, "order", None)
        if about is not None:
            acted.setdefault(about.hex(), set()).add(tx.payload.sender)
    for ident, order in block.before["order"].items():
        if block.after["order"][ident] != order:
            finance = order.terms.finance
            theirs = {order.seller, order.buyer, order.agent, order.carrier, finance and finance.lender}
            theirs |= {leg.provider for leg in order.terms.legs}
            theirs |= {block.before["payment"][p.hex()].provider for p in order.payments}
            theirs |= {block.after["order"][ident].carrier}
            require(bool(acted.get(ident)) and acted[ident] <= theirs, "a stranger changed the order", ident)


# --- money ---------------------------------------------------------------------------------------------------
@rule
def the_parts_make_up_the_price(block: Block, past: Past, reader: ChainReader) -> None:
    for order in block.after["order"].values():
        total = sum(leg.amount for leg in order.terms.legs)
        require(total == order.price.amount > 0, "parts of", total, "for", order.price)
        require(sum(fee.amount for fee in order.terms.fees) <= total, "fees beyond the price")


@rule
def no_more_goes_back_than_came(block: Block, past: Past, reader: ChainReader) -> None:
    for ident, payment in block.after["payment"].items():
        have = net(payment)
        require(0 <= have <= payment.settled + payment.represented, ident, "has a net of", have)
        require(payment.represented <= payment.charged_back, ident, "won back more than was charged back")
        require(payment.voided + payment.captured <= payment.authorised, ident, "captured more than was authorised")
        if payment.rail == "card":
            require(payment.settled <= payment.captured, ident, "settled more than was captured")
        most = payment.amount.amount * (2 if payment.rail == "bank_transfer" else 1)
        require(payment.settled <= most, ident, "settled", payment.settled, "of", payment.amount)
    for ident, order in block.after["order"].items():
        have = sum(map(net, payments_of(block, order).values()))
        require(order.net == have, "order", ident, "has", order.net, "and its payments", have)
        require(order.kept <= order.price.amount, "order", ident, "keeps more than the price")


@rule
def debts_are_what_came_beyond_what_is_kept(block: Block, past: Past, reader: ChainReader) -> None:
    params = block.after["chain"]["params"]
    claimed: Counter[bytes] = Counter()
    for ident, order in block.after["order"].items():
        view = OrderView.of(ident, order, AfterBlock(block), AsOf(block.time_ms, RULESETS[params.ruleset]))
        is_over = order.status in ("cancelled", "completed") or not reserves(order, block.time_ms)
        kept = order.price.amount - traded(order) if order.status == "completed" else order.kept
        owed = max(0, order.net - kept) if is_over else 0
        require(sum(debt.amount.amount for debt in view.debts) == owed, ident, "owes", view.debts, "and not", owed)
        require(all(debt.amount.amount > 0 for debt in view.debts), ident, "owes nothing, or less")
        claimed[order.seller] += order.is_claimed
        require(not order.is_claimed or owed > 0, ident, "is claimed without a debt")
    for account, conduct in block.after["conduct"].items():
        require(conduct.refunds_overdue == claimed[bytes.fromhex(account)], account, "is barred wrongly")


@rule
def claims_are_positive_and_of_the_cars_own_orders(block: Block, past: Past, reader: ChainReader) -> None:
    for vin, claims in block.after["claims"].items():
        for claim in claims.entries:
            order = block.after["order"][claim.order.hex()]
            require(claim.amount.amount > 0 and order.vin == vin, vin, "has the claim", claim)
            require(order.status == "completed" and claim.creditor == order.seller, vin, "has a stranger's claim")


@rule
def a_new_payment_pays_what_is_open_of_its_part(block: Block, past: Past, reader: ChainReader) -> None:
    for tx in block.accepted:
        if type_of(tx.payload.body) != "payment.initiate" or tx.payload.body.leg == 255 or len(block.accepted) > 1:
            continue
        body, order = tx.payload.body, block.after["order"][tx.payload.body.order.hex()]
        own = [p for p in payments_of(block, order).values() if p.leg == body.leg]
        taken = sum(net(p) if p.is_closed else max(p.amount.amount, net(p)) for p in own)
        require(taken <= order.terms.legs[body.leg].amount, "the part is paid twice", order)


@rule
def a_payment_has_one_currency(block: Block, past: Past, reader: ChainReader) -> None:
    for payment in block.after["payment"].values():
        order = block.after["order"][payment.order.hex()]
        require(payment.amount.currency == order.price.currency, "payment and order have two currencies")
    for ident, payment in block.before["payment"].items():
        require(payment.amount == block.after["payment"][ident].amount, "a payment's amount changed")
    for body in bodies(block, PaymentAttest):
        currency = block.after["payment"][body.payment.hex()].amount.currency
        require(body.amount.currency == currency, "attested", body.amount, "in", currency)


@rule
def an_attestation_counts_once(block: Block, past: Past, reader: ChainReader) -> None:
    for (payment, sequence), count in past.attested.items():
        require(count == 1, payment.hex(), "has", count, "attestations", sequence)
    counts = Counter(payment for payment, _ in past.attested)
    for ident, payment in block.after["payment"].items():
        require(payment.sequence == counts[bytes.fromhex(ident)], ident, "has", payment.sequence, "attestations")


@rule
def no_reference_has_two_payments(block: Block, past: Past, reader: ChainReader) -> None:
    for reference, payments in past.references.items():
        require(len(payments) == 1, reference.hex(), "was consumed by", len(payments), "payments")
        use = block.after["payment-reference"].get(reference.hex())
        require(use is not None and {use.payment} == payments, reference.hex(), "is not kept")
    require(len(past.references) == len(block.after["payment-reference"]), "references that nobody has named")


@rule
def a_provider_is_no_party(block: Block, past: Past, reader: ChainReader) -> None:
    for payment in block.after["payment"].values():
        order = block.after["order"][payment.order.hex()]
        taker = order.terms.trade_in and order.terms.trade_in.taker
        require(payment.provider not in (order.buyer, order.seller, order.agent, taker), "a party is the provider")


@rule
def coins_and_forbidden_rails_never_start(block: Block, past: Past, reader: ChainReader) -> None:
    """Coins, the only rails that some countries forbid, are on no listing until the chain can prove them."""
    for listing in block.after["listing"].values():
        require(not {a.rail for a in listing.rails} & {"bitcoin", "ether"}, "a listing takes coins")
    for payment in block.after["payment"].values():
        require(payment.rail in (*BANKING, "card", "finance"), "a payment by", payment.rail)


@rule
def orders_and_payments_stay_small(block: Block, past: Past, reader: ChainReader) -> None:
    for family, most in (("order", 4_096), ("payment", 3_072)):
        for ident, value in block.after[family].items():
            require(len(encode(value)) <= most, family, ident, "has", len(encode(value)), "bytes")


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
