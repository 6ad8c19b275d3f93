"""What the checks of a walk share: what they remember of the blocks before, and how they read state on their own."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from node.ledger.body import type_of
from node.storage.chain_store import ChainReader
from node.txtypes.payment.attesting import PaymentAttest
from node.txtypes.vehicle.title import VehicleRegister
from support.plain_sale import PlainSale
from support.second_codec import h, pack
from support.walk import Block

DAY_MS = 86_400_000
PAUSE_MAX_MS = 60 * DAY_MS
HANDED_OVER = ("completed", "withdrawn")
CARD_WAIT_MS = {"challenge": 0, "frictionless": 14 * DAY_MS, "exempt": 14 * DAY_MS}
BANKING = ("bank_transfer", "instant_transfer")


class Broken(AssertionError):
    """A rule that never breaks is broken."""


@dataclass
class Past:
    """What the checks must remember of the blocks before."""

    is_modelled: bool = True
    """Whether the plain model follows: it knows the types that the parties of a sale send, from the first block on."""
    model: PlainSale = field(default_factory=PlainSale)
    orders: list[bytes] = field(default_factory=list)
    """Those that the newest block was about."""
    births: Counter[str] = field(default_factory=Counter)
    histories: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    """VIN to the number of records that were read and the head that follows from them."""
    references: dict[bytes, set[bytes]] = field(default_factory=dict)
    """Key of a reference to the payments that it was attested for."""
    attested: Counter[tuple[bytes, int]] = field(default_factory=Counter)
    """(payment, sequence)."""
    attestations: Counter[bytes] = field(default_factory=Counter)
    """Of each payment."""
    keys: defaultdict[bytes, set[bytes]] = field(default_factory=lambda: defaultdict(set))
    """Payment to the references that were attested for it."""
    final_from: dict[bytes, int] = field(default_factory=dict)
    """When what has settled of a payment is final."""

    def note(self, block: Block) -> None:
        followed = block.accepted if self.is_modelled else ()
        noted = [self.model.note(type_of(tx.payload.body), tx, block.time_ms, block.after) for tx in followed]
        self.orders = [order for order in noted if order]
        self.births.update(body.vin for body in bodies(block, VehicleRegister))
        for body in bodies(block, PaymentAttest):
            self._note(body, block)

    def _note(self, body: PaymentAttest, block: Block) -> None:
        known = block.before["payment"].get(body.payment.hex()) or block.after["payment"][body.payment.hex()]
        self.attested[body.payment, body.sequence] += 1
        self.attestations[body.payment] += 1
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
                self.keys[body.payment].add(key)


@dataclass(frozen=True)
class AfterBlock:
    """The state after a block, or before it, for views."""

    block: Block
    is_before: bool = False

    def get(self, family: Any, ident: Any) -> Any:
        state = self.block.before if self.is_before else self.block.after
        return state[family.name].get(ident.hex() if isinstance(ident, bytes) else ident)


Check = Callable[[Block, Past, ChainReader], None]
CHECKS: dict[str, Check] = {}


def rule(check: Check) -> Check:
    CHECKS[check.__name__] = check
    return check


STORED: set[str] = set()
"""Checks that read what is stored: they are for heights as a whole."""


def stored_rule(check: Check) -> Check:
    STORED.add(check.__name__)
    return rule(check)


def require(holds: bool, *about: Any) -> None:
    if not holds:
        raise Broken(" ".join(map(str, about)))


def first_broken(block: Block, past: Past, reader: ChainReader) -> str:
    """Name and text of the first check that a block of a walk breaks; empty for none. What depends on the time alone is
    looked at once a height."""
    if not block.is_whole:
        past.note(block)
    for name, check in CHECKS.items():
        if block.is_whole == (name in STORED):
            try:
                check(block, past, reader)
            except Broken as error:
                return f"{name}: height {block.height}: {error}"
    return ""


def changed(block: Block, family: str) -> Iterator[tuple[str, Any]]:
    """Id and value of what the block has written."""
    before, after = block.before[family], block.after[family]
    if before is not after:
        yield from ((ident, value) for ident, value in after.items() if before.get(ident) is not value)


def bodies(block: Block, kind: type[Any]) -> Iterator[Any]:
    return (tx.payload.body for tx in block.accepted if isinstance(tx.payload.body, kind))


def sender_of(block: Block, body: Any) -> bytes:
    return next(tx.payload.sender for tx in block.accepted if tx.payload.body is body)


def payments_of(block: Block, order: Any) -> dict[bytes, Any]:
    """Those of the price; what settles a claim is none of them."""
    found = {ident: block.after["payment"][ident.hex()] for ident in order.payments}
    return {ident: payment for ident, payment in found.items() if payment.leg != 255}


def cars_of(order: Any) -> list[str]:
    """Of a deal; a car that is still to be built has no VIN."""
    traded_in = order.terms.trade_in
    return [vin for vin in (order.vin, traded_in.vin if traded_in is not None else "") if vin]


def is_gone(vehicle: Any) -> bool:
    """Whether the car is lost or scrapped, which takes it off the market whatever it was in."""
    return vehicle.loss is not None or vehicle.existence not in ("born", "in_service")


def pause_of(order: Any) -> int:
    """By how much disputes have put off the order's deadlines, an open one among them."""
    return order.paused_ms + order.pausing_ms


def traded(order: Any) -> int:
    return sum(leg.amount for leg in order.terms.legs if leg.rail == "trade_in")


def net(payment: Any) -> int:
    return payment.settled + payment.represented - payment.returned - payment.refunded - payment.charged_back


def reserves(order: Any, now_ms: int) -> bool:
    """Until its time is over; with money that has come until the hard end; with money under way as long as that."""
    money = order.hold_until_ms if order.net else min(order.money_until_ms, order.hold_until_ms)
    return order.status == "accepted" and now_ms < max(order.until_ms, money)


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
