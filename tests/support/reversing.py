"""How sales are undone and disputed: the steps of a walk about cars that come back, claims, disputes and cases."""

from __future__ import annotations

from random import Random

from msgspec.structs import replace

from node.txtypes.cases.case import Case
from node.txtypes.cases.types import CaseClose, CaseConfirm, CaseOpen, CaseReply
from node.txtypes.disputes.order_dispute import Decision, OrderDispute, status_at
from node.txtypes.disputes.order_dispute_types import OrderDisputeClose, OrderDisputeOpen, OrderResolve, OrderRespond
from node.txtypes.sale.claim_types import ClaimRelease
from node.txtypes.sale.order import Order
from node.txtypes.sale.returning import OrderReturn, OrderWithdraw
from node.txtypes.vehicle.claims import OrderClaims
from support.chain import HOUR_MS, START_MS, Chain, address
from support.deals import material
from support.disputing import ARBITERS
from support.life import km
from support.paying import NAMES, State, Step

LETTER = bytes([34]) * 32


class Reversing:
    """`state` is what the parties see."""

    def __init__(self, chance: Random, chain: Chain) -> None:
        self.chance, self.chain = chance, chain
        self.state: State = {}

    def of_order(self, ident: bytes, order: Order) -> list[Step]:
        """Of one that was accepted: a dispute, a withdrawal, a return."""
        chance, seller, buyer = self.chance, NAMES[order.seller], NAMES[order.buyer]
        opened = OrderDisputeOpen(ident, "not_as_described", order.price.amount, ())
        finance = order.terms.finance
        parties = (seller, buyer, seller, buyer, NAMES[finance.lender] if finance is not None else buyer)
        found: list[Step] = [(chance.choice(parties), opened, ())] if not order.dispute else []
        if order.status == "completed":
            found += [(buyer, OrderWithdraw(ident), ())] * (4 if self.chain.now < order.withdraw_until_ms else 1)
        if order.status in ("completed", "withdrawn"):
            found += [self._return(ident, order)] * (6 if order.status == "withdrawn" else 1)
        return found

    def _return(self, ident: bytes, order: Order) -> Step:
        chance, trade_in = self.chance, order.terms.trade_in
        is_back = trade_in is not None and chance.random() < 0.7
        driven = km((self.chain.now - START_MS) // HOUR_MS)
        body = OrderReturn(
            ident, "withdrawal" if order.status == "withdrawn" else "goodwill", driven, self.chain.now,
            material(self.chain, order.vin), chance.choice((0, 0, order.price.amount // 200)), is_back,
            driven if is_back else None,
            material(self.chain, trade_in.vin) if trade_in is not None and is_back else None,
        )  # fmt: skip
        others = [order.seller]
        if order.terms.finance is not None:
            others.append(order.terms.finance.lender)
        if is_back and trade_in is not None:
            others.append(trade_in.taker)
        return NAMES[order.buyer], body, tuple(dict.fromkeys(NAMES[who] for who in others))

    def of_claims(self, ident: bytes, claims: OrderClaims) -> list[Step]:
        return [
            (NAMES[claim.creditor], ClaimRelease(ident, claim.debtor, amount), ()) for claim in claims.entries
            for amount in (claim.amount, replace(claim.amount, amount=1))
        ]  # fmt: skip

    def of_dispute(self, ident: bytes, dispute: OrderDispute) -> list[Step]:
        order = self.state["order"][dispute.order.hex()]
        match status_at(dispute, self.chain.now):
            case "awaiting_answer":
                other = order.buyer if dispute.opener == order.seller else order.seller
                return [(NAMES[other], OrderRespond(ident, ()), ())]
            case "voting":
                return [(arbiter, OrderResolve(ident, self._decision(dispute, order)), ()) for arbiter in ARBITERS]
            case "due":
                return [("bmw", OrderDisputeClose(ident), ())]
        return []

    def _decision(self, dispute: OrderDispute, order: Order) -> Decision:
        """Mostly what the first arbiter has voted for."""
        chance = self.chance
        if dispute.votes and chance.random() < 0.8:
            return dispute.votes[0].decision
        is_over = order.status in ("completed", "withdrawn", "returned")
        unwind = Decision("unwind", chance.choice((0, min(1, order.net), order.net // 10)), "")
        amount = chance.choice((1, min(1_000, order.price.amount), order.price.amount))
        claim = Decision("claim", amount, chance.choice(("seller", "buyer")))
        plain = (Decision("resume", 0, ""), Decision("dismiss", 0, ""), Decision("settled", 0, ""))
        return chance.choice((*plain, claim if is_over or chance.random() < 0.3 else unwind))

    # --- cases -----------------------------------------------------------------------------------------------
    def new_case(self) -> list[Step]:
        orders = [(bytes.fromhex(i), o) for i, o in self.state["order"].items() if NAMES[o.buyer] == "buyer-1"]
        ident, order = self.chance.choice(orders) if orders else (None, None)
        member = order.seller if order is not None else address("dealer-munich")
        told = dict(order=ident, vin=None, category="COMPLAINT", content=LETTER)
        by_phone = CaseOpen(member=member, channel="phone", on_behalf=address("buyer-1"), **told)  # type: ignore[arg-type]
        return [
            ("buyer-1", CaseOpen(member=member, channel="online", **told), ()),  # type: ignore[arg-type]
            (NAMES[member], by_phone, ()),
        ]

    def of_case(self, ident: bytes, case: Case) -> list[Step]:
        member, customer = NAMES[case.member], NAMES[case.customer]
        either = self.chance.choice((member, customer))
        letter = CaseReply(ident, len(case.replies), LETTER)
        confirm: list[Step] = [] if case.is_confirmed else [(customer, CaseConfirm(ident), ())] * 3
        return [*confirm, (either, letter, ()), (either, letter, ()), (either, CaseClose(ident, "solved"), ())]
