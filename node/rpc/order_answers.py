"""HTTP answers about one order beside its view: its payments, its timeline, what it waits for."""

from __future__ import annotations

from typing import Final, Literal

from node.ledger.body import type_of
from node.ledger.family import AsOf, Reader, View, extended
from node.ledger.fields import Address, Hash32, Height, Id, Money, Time
from node.ledger.receipts import BLOCK_INDEX
from node.rpc.acts import amount_of, cause_of, code_of
from node.rpc.answers import Cursor
from node.rpc.call import Call, cursor_text, read_cursor
from node.rpc.chain_queries import signed
from node.rpc.moments import Moment, paced_snapshot
from node.rpc.values import path_ident, require
from node.txtypes.envelope import SignedTx
from node.txtypes.members.member import name_of
from node.txtypes.sale.accounts import Debt, creditor_of
from node.txtypes.sale.deal import CLAIM_LEG, in_money
from node.txtypes.sale.order import Order
from node.txtypes.sale.order_family import ORDER, OrderView
from node.txtypes.sale.payments import PAYMENT, PaymentView
from node.views.next_steps import NextSteps, next_steps

Part = Literal["deposit", "part", "balance", "finance", "trade_in", "claim"]
DealRole = Literal["seller", "buyer", "agent", "lender", "carrier", "provider", "arbiter", ""]


# --- payments -------------------------------------------------------------------------------------------------
class OrderPayment(PaymentView, frozen=True):
    """A payment of an order. `part`: what it pays; `creditor`: who gets its money back."""

    part: Part = "balance"
    provider_name: str = ""
    creditor: Address = b""


class OrderPayments(View, frozen=True):
    """The payments of an order and its money, in minor units of `price`. `in_money`: what is to be paid in money, the
    rest of the price is a car; `net`: what has come and not gone back; `final`: what counts for the title; `missing`:
    what has not come yet; `debts`: what the seller has to give back."""

    order: Id
    price: Money
    in_money: int
    net: int
    final: int
    missing: int
    debts: tuple[Debt, ...]
    payments: tuple[OrderPayment, ...]

    @staticmethod
    def of(ident: str, order: Order, reader: Reader, as_of: AsOf) -> OrderPayments:
        view, asked = OrderView.of(ident, order, reader, as_of), in_money(order.terms)
        found = [(payment.hex(), reader.get(PAYMENT, payment)) for payment in order.payments]
        payments = tuple(
            extended(
                OrderPayment, PaymentView.of(own, payment, reader, as_of),
                part="claim" if payment.leg == CLAIM_LEG else _kind_of(order, payment.leg),
                provider_name=name_of(reader, payment.provider), creditor=creditor_of(order, payment),
            ) for own, payment in found if payment is not None
        )  # fmt: skip
        return OrderPayments(
            bytes.fromhex(ident), order.price, asked, order.net, view.final.amount, max(0, asked - order.net),
            view.debts, payments,
        )  # fmt: skip


# --- the timeline ---------------------------------------------------------------------------------------------
_ABOUT: Final = ("payment/", "delivery/", "order-dispute/", "case/")
"""What a transaction is about rather than about its order: beginnings of state keys."""


class TimelineEntry(View, frozen=True):
    """A transaction that concerned an order. `actor`: its sender, in `role` of the deal, empty for none; `signers`: all
    who signed it; `status`: of the order after it, empty where the order did not change; `cause`: such as the reason of
    a cancellation, the kind of an attestation, the stage of a delivery; `code`: the bank's reason for money that did
    not come or went back; `amount`: of money that moved, or the price that was named; `about`: the state key of the
    payment, delivery, dispute or case that it was about, else of the order."""

    txid: Hash32
    height: Height
    index: int
    time_ms: Time
    type: str
    actor: Address
    actor_name: str
    role: DealRole
    signers: tuple[Address, ...]
    status: str
    cause: str
    code: str
    amount: Money | None
    about: str


class Timeline(View, frozen=True):
    """What happened to an order, the newest first: its terms, money, delivery, disputes and cases. It is complete from
    the height `complete_from` on."""

    order: Id
    timeline: tuple[TimelineEntry, ...]
    cursor: Cursor
    complete_from: Height


async def timeline(call: Call) -> tuple[Moment, Timeline]:
    ident, limit = path_ident(ORDER, call), call.query.limit
    subject = ORDER.subject(ident)
    kind = "timeline/" + subject
    height, _, index = read_cursor(kind, call.query.cursor, "").partition("-")
    below = (int(height), int(index)) if height else (2**63, 0)
    entries = []
    async with paced_snapshot(call.reader()) as (moment, share):
        order: Order = require(moment, ORDER, ident)
        roles = _roles(order)
        places = moment.reader.touching(subject, below, limit + 1)
        for place in places[:limit]:
            block, row = moment.reader.block(place.height), moment.reader.receipts(place.height)
            assert block is not None and row is not None, "a subject entry is deleted with its block and its receipts"
            if place.index != BLOCK_INDEX:
                tx = signed(block.transactions[place.index], call.backend.genesis_hash)
                changes = row.transactions[place.index].changes
                status = next((change.status for change in changes if change.key == subject), "")
                keys = (change.key for change in changes if subject in change.subjects)
                own = next((key for key in keys if key.startswith(_ABOUT)), subject)
                at = (place.height, place.index, block.header.time_ms)
                entries.append(_entry(tx, at, moment, roles, status, own))
            await share.rest()
        complete_from = moment.reader.receipts_from()
    last = places[limit - 1] if len(places) > limit else None
    cursor = None if last is None else cursor_text(kind, f"{last.height}-{last.index}")
    return moment, Timeline(bytes.fromhex(ident), tuple(entries), cursor, complete_from)


_ROLES: Final[dict[str, DealRole]] = {
    "order.resolve": "arbiter", "payment.attest": "provider", "delivery.event": "carrier",
}  # fmt: skip
"""Types that others than the parties send, and what these are in the deal then."""


def _entry(
    tx: SignedTx, at: tuple[int, int, int], moment: Moment, roles: dict[bytes, DealRole], status: str, about: str
) -> TimelineEntry:  # fmt: skip
    body, sender, tag = tx.payload.body, tx.payload.sender, type_of(tx.payload.body)
    role = roles.get(sender) or _ROLES.get(tag, "")
    signers = tuple(dict.fromkeys(entry.address for entry in tx.signatures))
    return TimelineEntry(
        tx.txid, *at, tag, sender, name_of(moment, sender), role, signers, status, cause_of(body), code_of(body),
        amount_of(body), about,
    )  # fmt: skip


def _roles(order: Order) -> dict[bytes, DealRole]:
    """Account of a party to what it is in the deal. The first of several counts."""
    finance = order.terms.finance
    parties: dict[DealRole, bytes | None] = {
        "lender": finance.lender if finance is not None else None, "agent": order.agent, "buyer": order.buyer,
        "seller": order.seller,
    }  # fmt: skip
    return {account: role for role, account in parties.items() if account is not None}


# --- what it waits for ----------------------------------------------------------------------------------------
async def order_next(call: Call) -> tuple[Moment, NextSteps]:
    ident, moment = path_ident(ORDER, call), call.moment()
    return moment, next_steps(ident, require(moment, ORDER, ident), moment, moment.as_of, call.language)


def _kind_of(order: Order, place: int) -> str:
    """The kind of a part of the price; empty for one that an amendment has taken out after its payment had failed."""
    return order.terms.legs[place].kind if place < len(order.terms.legs) else ""
