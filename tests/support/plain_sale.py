"""A plain model of the sale: what the accepted transactions mean for title, money and reservations, in few words.

It is written from docs/TRANSACTIONS.md and uses nothing of `node.txtypes`. It reads the bodies of accepted
transactions and, of the node's state, only what a vote has decided. Whatever it tells of title, price, money, debt and
time has to be what the node's state tells.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

DAY_MS = 86_400_000
HOLD_MS, PAUSE_MS = 30 * DAY_MS, 60 * DAY_MS
DECLARED_MS, PENDING_MS = 7 * DAY_MS, 10 * DAY_MS
CLAIM = 255
"""The part of a payment that settles a claim: no money of the price."""
State = dict[str, dict[str, Any]]


@dataclass
class Purse:
    """The money of one payment. `pending_until_ms`, `valid_until_ms`: of what is under way, and of an authorisation."""

    leg: int
    rail: str
    amount: int
    has_come: int = 0
    settled: int = 0
    went_back: int = 0
    refunded: int = 0
    instructed: int = 0
    authorised: int = 0
    voided: int = 0
    captured: int = 0
    under_way: int = 0
    pending_until_ms: int = 0
    captured_until_ms: int = 0
    valid_until_ms: int = 0
    declared_until_ms: int = 0
    is_told: bool = False
    is_closed: bool = False

    @property
    def net(self) -> int:
        return self.has_come - self.went_back

    @property
    def under_way_until_ms(self) -> int:
        if self.is_closed:
            return 0
        return max(
            self.declared_until_ms if not self.is_told else 0, self.pending_until_ms if self.under_way else 0,
            self.captured_until_ms if self.captured > self.settled else 0,
            self.valid_until_ms if self.authorised > self.voided + self.captured else 0,
        )  # fmt: skip

    def attested(self, body: Any, now_ms: int) -> None:
        amount, self.is_told = body.amount.amount, True
        match body.kind:
            case "authorised":
                self.authorised, self.valid_until_ms = amount, body.until_ms
            case "voided":
                self.voided += amount
                self.is_closed = self.voided == self.authorised and not self.captured
            case "captured":
                self.captured, self.captured_until_ms = self.captured + amount, now_ms + PENDING_MS
            case "pending":
                self.under_way, self.pending_until_ms = self.under_way + amount, now_ms + PENDING_MS
            case "failed":
                self.under_way, self.is_closed = 0, True
            case "settled":
                self.settled, self.under_way = self.settled + amount, max(0, self.under_way - amount)
                self.has_come += amount
                is_spent = self.rail == "card" and self.settled == self.captured == self.authorised - self.voided
                is_whole = self.settled >= self.amount or self.rail == "instant_transfer"
                self.is_closed = self.is_closed or is_spent or is_whole
            case "represented":
                self.has_come += amount
            case _:
                self.went_back += amount
                self.refunded += amount if body.kind == "refunded" else 0


@dataclass
class Deal:
    """One order. `spent_ms`: how long disputes have put off its deadlines since it was accepted; `pausing_ms`: how long
    the open one can."""

    listing: bytes
    vin: str
    seller: bytes
    agent: bytes | None
    buyer: bytes
    terms: Any
    status: str = "offered"
    accepted_ms: int = 0
    until_ms: int = 0
    kept: int = 0
    spent_ms: int = 0
    pausing_ms: int = 0
    disputed_ms: int = 0
    has_lapsed: bool = False
    taken: int = 0
    """How much of what is kept of a cancelled order has been there of the buyer's own money."""
    credit: int = 0
    """What of the price the lender has paid at the handover, or has promised."""
    told: Counter[bytes] = field(default_factory=Counter)
    """What counts as paid by a party though no money says so, below 0 as got back."""
    released: Counter[bytes] = field(default_factory=Counter)
    """What a party has said to have got back otherwise."""
    disputed: tuple[bytes, int] = (b"", 0)
    """Whose account with the seller the newest dispute is about, and what has been owed on it all the time since."""
    purses: dict[bytes, Purse] = field(default_factory=dict)

    @property
    def price(self) -> int:
        return int(self.terms.price.amount)

    @property
    def traded(self) -> int:
        return sum(leg.amount for leg in self.terms.legs if leg.kind == "trade_in")

    @property
    def of_price(self) -> list[Purse]:
        return [purse for purse in self.purses.values() if purse.leg != CLAIM]

    @property
    def net(self) -> int:
        return sum(purse.net for purse in self.of_price)

    @property
    def lender(self) -> bytes:
        finance = self.terms.finance
        return bytes(finance.lender) if finance is not None else b""

    @property
    def taker(self) -> bytes:
        """Who has taken a car in payment and owes its value to the seller."""
        traded = self.terms.trade_in
        return bytes(traded.taker) if traded is not None and traded.taker != self.seller else b""

    @property
    def parties(self) -> set[bytes]:
        return {self.buyer, self.lender, self.taker} - {b""}

    def purses_of(self, party: bytes) -> list[Purse]:
        lender = self.lender
        return [
            purse for purse in self.purses.values()
            if (lender if lender and purse.rail == "finance" and purse.leg != CLAIM else self.buyer) == party
        ]  # fmt: skip

    @property
    def receiver(self) -> bytes:
        finance = self.terms.finance
        return bytes(finance.lender if finance is not None and finance.title_to == "lender" else self.buyer)

    @property
    def cars(self) -> set[str]:
        traded = self.terms.trade_in
        return {vin for vin in (self.vin, traded.vin if traded else "") if vin}

    def is_reserving(self, now_ms: int) -> bool:
        """Within its time; with money that has come until the hard end, with money under way as long as that."""
        hard_end = self.until_ms + HOLD_MS
        money = hard_end if self.net else max((purse.under_way_until_ms for purse in self.of_price), default=0)
        is_in_time = now_ms < self.until_ms or now_ms < min(money, hard_end)
        return self.status == "accepted" and not self.has_lapsed and is_in_time

    def lent(self, *, promises: bool) -> int:
        """What of the credit has come and not been released, and what the lender promises."""
        credit = sum(leg.amount for leg in self.terms.legs if leg.kind == "finance")
        own = self.purses_of(self.lender) if self.lender else []
        come = sum(max(0, purse.net - max(0, purse.instructed - purse.refunded)) for purse in own)
        come += min(0, self.told[self.lender]) if self.lender != self.buyer else 0
        more = max(0, credit - sum(purse.net for purse in own)) if promises else 0
        return min(credit, max(0, come) + more)

    def fee(self, body: Any) -> int:
        """What the seller keeps of a cancelled order."""
        is_silent = any(purse.declared_until_ms and not purse.is_told for purse in self.purses.values())
        match body.reason:
            case "mutual":
                return int(body.kept)
            case "changed_mind" if self.terms.contract != "distance":
                return int(self.terms.cancel_fee)
            case "buyer_default" if not is_silent:
                return int(self.terms.cancel_fee)
        return 0

    def balance(self, party: bytes, now_ms: int) -> int:
        """What the seller owes a party, below 0 what the party owes the seller."""
        own = self.purses_of(party)
        if self.status in ("offered", "countered", "rejected") or self.is_reserving(now_ms):
            return min(0, self.told[party] + sum(purse.net for purse in own))
        due, is_sold = 0, self.status in ("completed", "withdrawn")
        if party == self.buyer:
            price = self.price - self.traded - self.credit
            due += price if is_sold else self.kept if self.status == "returned" else self.taken
        if party == self.lender and is_sold:
            due += self.credit
        if party == self.taker and (is_sold or self.status == "returned"):
            due += self.traded
        return self.told[party] + sum(purse.net for purse in own) - due

    def balances(self, now_ms: int) -> dict[bytes, int]:
        return {party: self.balance(party, now_ms) for party in self.parties}

    def owed(self, now_ms: int) -> int:
        """What the seller has to give back."""
        return sum(max(0, balance) for balance in self.balances(now_ms).values())


class PlainSale:
    """`holders`: VIN to the holder of the title."""

    def __init__(self) -> None:
        self.holders: dict[str, bytes] = {}
        self.listings: dict[bytes, tuple[str, bytes, bytes | None]] = {}
        self.deals: dict[bytes, Deal] = {}
        self.orders: dict[bytes, bytes] = {}
        """Payment to order."""

    def order_of(self, body: Any, state: State) -> bytes:
        """The order that a body is about, empty for none."""
        if (dispute := getattr(body, "dispute", None)) is not None and dispute.hex() in state["order-dispute"]:
            return bytes(state["order-dispute"][dispute.hex()].order)
        found = getattr(body, "order", None) or self.orders.get(getattr(body, "payment", b""), b"")
        return found if found in self.deals else b""

    def note(self, tag: str, tx: Any, now_ms: int, after: State) -> bytes:
        """The order that the transaction was about, empty for none. `after`: the node's state after it."""
        body, sender = tx.payload.body, tx.payload.sender
        order = self.order_of(body, after)
        match tag:
            case "vehicle.register":
                self.holders[body.vin] = sender
            case "title.transfer":
                self.holders[body.vin] = body.receiver
            case "listing.create":
                is_agent = body.mandate is not None
                self.listings[tx.txid] = (body.vin, self.holders[body.vin], sender if is_agent else None)
            case "listing.build":
                self.listings[tx.txid] = ("", sender, None)
            case "order.offer":
                self.deals[tx.txid] = Deal(body.listing, *self.listings[body.listing], sender, body.terms)
                return bytes(tx.txid)
        if not order:
            return b""
        deal = self.deals[order]
        if deal.status == "accepted" and not deal.is_reserving(now_ms):
            deal.has_lapsed = True
        if tag in ("order.resolve", "order.close"):
            self._decided(deal, after["order-dispute"][body.dispute.hex()], now_ms)
        elif tag == "payment.initiate":
            rail = after["payment"][tx.txid.hex()].rail if body.leg == CLAIM else deal.terms.legs[body.leg].rail
            deal.purses[tx.txid] = Purse(body.leg, rail, body.amount.amount)
            self.orders[tx.txid] = order
        elif tag.startswith("payment."):
            self._paid(tag, body, deal, now_ms)
        elif tag == "claim.release":
            is_sellers = sender == deal.seller
            deal.told[body.debtor if is_sellers else sender] += (
                body.amount.amount if is_sellers else -body.amount.amount
            )
            deal.released[sender] += 0 if is_sellers else body.amount.amount
        else:
            self._done(tag, body, sender, deal, now_ms)
        self._age_dispute(deal, now_ms)
        if deal.status == "cancelled":
            own = sum(purse.net for purse in deal.purses_of(deal.buyer) if purse.leg != CLAIM)
            own = max(0, own - deal.released[deal.buyer])
            deal.taken = min(deal.kept, max(deal.taken, own))
        return order

    def _paid(self, tag: str, body: Any, deal: Deal, now_ms: int) -> None:
        purse = deal.purses[body.payment]
        before = deal.balances(now_ms)
        if tag == "payment.attest":
            purse.attested(body, now_ms)
            if body.kind == "refunded" and not deal.is_reserving(now_ms):  # beyond what is owed it is a gift
                (party,) = (party for party in deal.parties if purse in deal.purses_of(party))
                due = before[party] - min(body.amount.amount, max(0, before[party]))
                deal.told[party] += due - deal.balance(party, now_ms)
        elif tag == "payment.confirm_refund":
            purse.went_back, purse.refunded = purse.went_back + body.amount.amount, purse.refunded + body.amount.amount
        elif tag == "payment.refund":
            purse.instructed = max(purse.instructed, purse.refunded) + body.amount.amount
        elif tag == "payment.declare":
            purse.declared_until_ms = now_ms + DECLARED_MS

    def _done(self, tag: str, body: Any, sender: bytes, deal: Deal, now_ms: int) -> None:
        match tag:
            case "order.counter":
                deal.terms, deal.status = body.terms, "countered"
            case "order.accept":
                deal.status, deal.accepted_ms, deal.until_ms = "accepted", now_ms, now_ms + deal.terms.reserve_ms
            case "order.amend":
                deal.terms = body.terms
                deal.until_ms = deal.accepted_ms + body.terms.reserve_ms + deal.spent_ms + deal.pausing_ms
            case "order.assign_vin":
                deal.vin = body.vin
            case "order.reject":
                deal.status = "rejected"
            case "order.cancel":
                deal.kept = deal.fee(body) if deal.accepted_ms else 0
                deal.status = "cancelled"
            case "order.reinstate":
                deal.status, deal.kept, deal.accepted_ms, deal.has_lapsed = "accepted", 0, now_ms, False
                deal.until_ms = body.until_ms + deal.pausing_ms
                deal.spent_ms, deal.credit, deal.taken = 0, 0, 0
                deal.told = Counter({party: told for party, told in deal.told.items() if told < 0})
                deal.released = Counter({party: min(deal.released[party], -told) for party, told in deal.told.items()})
            case "order.withdraw":
                deal.status = "withdrawn"
            case "order.handover":
                deal.status, deal.credit = "completed", deal.lent(promises=body.promises)
                self.holders[deal.vin] = deal.receiver
                if deal.terms.trade_in is not None:
                    self.holders[deal.terms.trade_in.vin] = deal.terms.trade_in.taker
            case "order.return":
                deal.status, deal.kept = "returned", body.deduction
                self.holders[deal.vin] = deal.seller
                if body.trade_in_back:
                    self.holders[deal.terms.trade_in.vin] = deal.buyer
                deal.told[deal.taker if body.trade_in_back else deal.buyer] += deal.traded
            case "order.dispute":
                party = sender if sender in deal.parties else body.party or deal.buyer
                deal.disputed_ms, deal.disputed = now_ms, (party, deal.balance(party, now_ms))
                deal.pausing_ms = max(0, PAUSE_MS - deal.spent_ms) if deal.is_reserving(now_ms) else 0
                deal.until_ms += deal.pausing_ms

    def _age_dispute(self, deal: Deal, now_ms: int) -> None:
        party, owed = deal.disputed
        now = deal.balance(party, now_ms) if party in deal.parties else 0
        deal.disputed = party, min(owed, max(0, now)) if owed > 0 else max(owed, min(0, now))

    def _decided(self, deal: Deal, dispute: Any, now_ms: int) -> None:
        """What a vote has decided is read from the dispute; what follows from it is the model's."""
        if not dispute.closed_at_ms:
            return
        self._age_dispute(deal, now_ms)
        used = min(deal.pausing_ms, now_ms - max(deal.disputed_ms, deal.accepted_ms))
        deal.until_ms -= deal.pausing_ms - used
        deal.spent_ms += used
        deal.pausing_ms = 0
        match dispute.decision.action if dispute.decision is not None else "":
            case "unwind":
                deal.status, deal.kept = "cancelled", dispute.decision.amount
            case "settled":
                party, owed = deal.disputed
                deal.told[party] -= owed
            case "claim":
                is_sellers = dispute.decision.debtor == "seller"
                deal.told[deal.buyer] += dispute.decision.amount if is_sellers else -dispute.decision.amount

    def differences(self, order: bytes, state: State) -> Iterator[str]:
        """What the node's state tells otherwise of one order."""
        deal, found = self.deals[order], state["order"][order.hex()]
        told = [found.status, found.terms.price.amount, found.net, found.kept, found.vin, found.until_ms,
                found.seller, found.agent, found.buyer, found.paused_ms]  # fmt: skip
        own = [deal.status, deal.price, deal.net, deal.kept, deal.vin, deal.until_ms, deal.seller, deal.agent,
               deal.buyer, deal.spent_ms]  # fmt: skip
        names = ("status", "price", "net", "kept", "VIN", "time", "seller", "agent", "buyer", "pause")
        for name, theirs, ours in zip(names, told, own, strict=True):
            if theirs != ours:
                yield f"order {order.hex()} has the {name} {theirs}, and not {ours}"
        if sum(leg.amount for leg in deal.terms.legs) != deal.price:
            yield f"the parts of {order.hex()} do not make up its price"
