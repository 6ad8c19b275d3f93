"""Rules of orders and payments that never break: who reserves a car and until when, and whose money is where."""

from __future__ import annotations

from collections import Counter
from typing import Any

from node.codec import encode
from node.ledger.body import type_of
from node.ledger.family import AsOf
from node.storage.chain_store import ChainReader
from node.txtypes.payment.attesting import PaymentAttest
from node.txtypes.rulesets import RULESETS
from node.txtypes.sale.order_family import OrderView
from node.txtypes.vehicle.vehicle import market_of
from support.walk import Block
from support.walk_checks import (
    BANKING,
    PAUSE_MAX_MS,
    AfterBlock,
    Past,
    bodies,
    cars_of,
    changed,
    is_gone,
    net,
    pause_of,
    payments_of,
    require,
    reserves,
    rule,
)


# --- reservations ----------------------------------------------------------------------------------------------
@rule
def one_order_reserves_a_vin(block: Block, past: Past, reader: ChainReader) -> None:
    """The car that is sold, and the one in payment."""
    live: dict[str, str] = {}
    for ident, order in block.after["order"].items():
        if order.status == "accepted" and reserves(order, block.time_ms):
            for vin in cars_of(order):
                require(vin not in live, vin, "is sold twice")
                live[vin] = ident
    for vin, vehicle in block.after["vehicle"].items():
        market = market_of(vehicle, block.time_ms)
        reserved = market.order.hex() if market.status == "reserved" else ""
        if is_gone(vehicle):
            continue
        require(reserved == live.get(vin, ""), vin, "is reserved by", reserved, "and sold by", live.get(vin))


@rule
def every_reserved_vin_is_free_at_its_hard_end(block: Block, past: Past, reader: ChainReader) -> None:
    """Whatever anybody does or omits: nothing but both parties' signatures moves the hard end, and disputes by 60 days
    in all."""
    params = block.after["chain"]["params"]
    for vin, vehicle in changed(block, "vehicle"):
        if vehicle.market.status == "reserved":
            end = vehicle.market.hold_until_ms
            require(market_of(vehicle, end).status != "reserved", vin, "is reserved beyond its hard end")
            require(end <= vehicle.market.until_ms + params.hold_max_ms, vin, "is held for too long")
            free = market_of(vehicle, end + params.relist_lock_ms)
            require(free.status != "reserved" and block.time_ms + 10**12 > end, vin, "is locked for ever")
            require(not free.locked_until_ms, vin, "is locked beyond its time")
    agreed = {tx.payload.body.order for tx in block.accepted
              if type_of(tx.payload.body) in ("order.accept", "order.amend", "order.reinstate")}  # fmt: skip
    for ident, after in changed(block, "order"):
        order = block.before["order"].get(ident)
        if order is None:
            continue
        require(pause_of(after) <= PAUSE_MAX_MS, "disputes put off an order for too long", ident)
        if bytes.fromhex(ident) not in agreed:
            pause = pause_of(after) - pause_of(order)
            require(after.until_ms == order.until_ms + pause, "the time of an order moved", ident)
            require(after.hold_until_ms <= order.hold_until_ms + pause, "the hard end of an order moved", ident)
            is_revived = reserves(after, block.time_ms) and not reserves(order, block.time_ms)
            require(not is_revived, "an order was revived by one party", ident)


@rule
def nobody_else_changes_an_order(block: Block, past: Past, reader: ChainReader) -> None:
    """But for those who decide a dispute about it, or count the votes."""
    acted: dict[str, set[bytes]] = {}
    judges: set[bytes] = set()
    for tx in block.accepted:
        body, payment = tx.payload.body, getattr(tx.payload.body, "payment", None)
        about = block.after["payment"][payment.hex()].order if payment else getattr(body, "order", None)
        if type_of(body) in ("order.resolve", "order.close"):
            about = block.after["order-dispute"][body.dispute.hex()].order
            judges.add(tx.payload.sender)
        if about is not None:
            acted.setdefault(about.hex(), set()).add(tx.payload.sender)
    for ident, _ in changed(block, "order"):
        if block.before["order"].get(ident) is not None:
            theirs: set[Any] = set()
            for state in (block.before, block.after):
                known = state["order"][ident]
                finance = known.terms.finance
                theirs |= {known.seller, known.buyer, known.agent, known.carrier, finance and finance.lender}
                theirs |= {leg.provider for leg in known.terms.legs}
                theirs |= {state["payment"][p.hex()].provider for p in known.payments}
            require(bool(acted.get(ident)) and acted[ident] <= theirs | judges, "a stranger changed the order", ident)


@rule
def a_listing_of_cars_to_be_built_counts_its_orders(block: Block, past: Past, reader: ChainReader) -> None:
    if all(listing.vin for listing in block.after["listing"].values()):
        return
    ordered = Counter(order.listing.hex() for order in block.after["order"].values()
                      if order.accepted_at_ms and order.status != "cancelled")  # fmt: skip
    for ident, listing in block.after["listing"].items():
        if not listing.vin:
            require(listing.sold == ordered[ident], ident, "has", ordered[ident], "orders, and counts", listing.sold)


# --- money ---------------------------------------------------------------------------------------------------
@rule
def the_parts_make_up_the_price(block: Block, past: Past, reader: ChainReader) -> None:
    for _, order in changed(block, "order"):
        total = sum(leg.amount for leg in order.terms.legs)
        require(total == order.price.amount > 0, "parts of", total, "for", order.price)
        require(sum(fee.amount for fee in order.terms.fees) <= total, "fees beyond the price")


@rule
def no_more_goes_back_than_came(block: Block, past: Past, reader: ChainReader) -> None:
    for ident, payment in changed(block, "payment"):
        have = net(payment)
        require(0 <= have <= payment.settled + payment.represented, ident, "has a net of", have)
        require(payment.represented <= payment.charged_back, ident, "won back more than was charged back")
        require(payment.voided + payment.captured <= payment.authorised, ident, "captured more than was authorised")
        if payment.rail == "card":
            require(payment.settled <= payment.captured, ident, "settled more than was captured")
        most = payment.amount.amount * (2 if payment.rail == "bank_transfer" else 1)
        require(payment.settled <= most, ident, "settled", payment.settled, "of", payment.amount)
    touched = {payment.order.hex() for _, payment in changed(block, "payment")}
    for ident in {ident for ident, _ in changed(block, "order")} | touched:
        order = block.after["order"][ident]
        have = sum(map(net, payments_of(block, order).values()))
        require(order.net == have, "order", ident, "has", order.net, "and its payments", have)
        require(order.kept <= order.price.amount, "order", ident, "keeps more than the price")


@rule
def a_claimed_refund_is_owed(block: Block, past: Past, reader: ChainReader) -> None:
    params = block.after["chain"]["params"]
    claimed = Counter(order.seller for order in block.after["order"].values() if order.is_claimed)
    touched = {payment.order.hex() for _, payment in changed(block, "payment")}
    for ident in {ident for ident, _ in changed(block, "order")} | touched:
        order = block.after["order"][ident]
        view = OrderView.of(ident, order, AfterBlock(block), AsOf(block.time_ms, RULESETS[params.ruleset]))
        require(all(debt.amount.amount > 0 for debt in view.debts), ident, "owes nothing, or less")
        require(not order.is_claimed or bool(view.debts), ident, "is claimed without a debt")
    for account, conduct in block.after["conduct"].items():
        require(conduct.refunds_overdue == claimed[bytes.fromhex(account)], account, "is barred wrongly")


@rule
def claims_are_positive_and_of_the_cars_own_orders(block: Block, past: Past, reader: ChainReader) -> None:
    for ident, claims in changed(block, "order-claims"):
        order = block.after["order"][ident]
        finance, trade_in = order.terms.finance, order.terms.trade_in
        debtors = {order.buyer, finance and finance.lender, trade_in and trade_in.taker}
        require(len({claim.debtor for claim in claims.entries}) == len(claims.entries), ident, "has two of one debtor")
        for claim in claims.entries:
            is_about = claim.vin in (order.vin, trade_in and trade_in.vin)
            require(claim.amount.amount > 0 and is_about, claim.vin, "has the claim", claim)
            is_own = claim.creditor == order.seller and claim.debtor in debtors - {order.seller}
            require(is_own and bool(order.accepted_at_ms), claim.vin, "has a stranger's claim")


@rule
def who_owes_for_a_car_is_counted(block: Block, past: Past, reader: ChainReader) -> None:
    """An account is barred from a car as long as claims say so, and no longer."""
    if not changed(block, "order-claims"):
        return
    owed = Counter(
        f"{claim.vin}-{claim.debtor.hex()}"
        for claims in block.after["order-claims"].values() for claim in claims.entries
    )  # fmt: skip
    told = {ident: debtor.claims for ident, debtor in block.after["debtor"].items()}
    require(told == dict(owed), "debtors are", told, "and not", dict(owed))


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
    for ident, payment in changed(block, "payment"):
        order, before = block.after["order"][payment.order.hex()], block.before["payment"].get(ident)
        require(before is None or payment.amount == before.amount, "a payment's amount changed")
        require(payment.amount.currency == order.price.currency, "payment and order have two currencies")
    for body in bodies(block, PaymentAttest):
        currency = block.after["payment"][body.payment.hex()].amount.currency
        require(body.amount.currency == currency, "attested", body.amount, "in", currency)


@rule
def an_attestation_counts_once(block: Block, past: Past, reader: ChainReader) -> None:
    for body in bodies(block, PaymentAttest):
        require(past.attested[body.payment, body.sequence] == 1, body.payment.hex(), "has two attestations of a number")
    for ident, payment in changed(block, "payment"):
        count = past.attestations[bytes.fromhex(ident)]
        require(payment.sequence == count, ident, "has", payment.sequence, "attestations, and not", count)


@rule
def no_reference_has_two_payments(block: Block, past: Past, reader: ChainReader) -> None:
    for reference in {key for body in bodies(block, PaymentAttest) for key in past.keys[body.payment]}:
        payments = past.references[reference]
        require(len(payments) == 1, reference.hex(), "was consumed by", len(payments), "payments")
        use = block.after["payment-reference"].get(reference.hex())
        require(use is not None and {use.payment} == payments, reference.hex(), "is not kept")
    require(len(past.references) == len(block.after["payment-reference"]), "references that nobody has named")


@rule
def a_provider_is_no_party(block: Block, past: Past, reader: ChainReader) -> None:
    for _, payment in changed(block, "payment"):
        order = block.after["order"][payment.order.hex()]
        taker = order.terms.trade_in and order.terms.trade_in.taker
        require(payment.provider not in (order.buyer, order.seller, order.agent, taker), "a party is the provider")


@rule
def coins_and_forbidden_rails_never_start(block: Block, past: Past, reader: ChainReader) -> None:
    """Coins, the only rails that some countries forbid, are on no listing until the chain can prove them."""
    for _, listing in changed(block, "listing"):
        require(not {a.rail for a in listing.rails} & {"bitcoin", "ether"}, "a listing takes coins")
    for _, payment in changed(block, "payment"):
        require(payment.rail in (*BANKING, "card", "finance"), "a payment by", payment.rail)


@rule
def orders_and_payments_stay_small(block: Block, past: Past, reader: ChainReader) -> None:
    for family, most in (("order", 4_096), ("payment", 3_072)):
        for ident, value in changed(block, family):
            require(len(encode(value)) <= most, family, ident, "has", len(encode(value)), "bytes")
