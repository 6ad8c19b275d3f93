"""Attacks on a sale, played as whoever gains from them would: the parties, a second car, and what refuses a step."""

from __future__ import annotations

from msgspec.structs import replace

from node.chain.dev_genesis import DEV_PARTIES, Party, build_genesis
from node.crypto.dev_keys import dev_key
from node.ledger.body import TransactionBody
from node.ledger.fields import Money
from node.rules.deals import CancelReason
from node.txtypes.members.accepted_rail import AcceptedRail
from node.txtypes.sale.accounts import Debt
from node.txtypes.sale.deal import Finance, Leg, Terms, TradeIn
from node.txtypes.sale.ending import OrderCancel
from node.txtypes.sale.order import Order
from node.txtypes.sale.order_body import debts_now
from node.txtypes.sale.order_family import ORDER, status_of
from node.txtypes.vehicle.regions import Market
from node.txtypes.vehicle.vehicle import VEHICLE, market_of, material_root
from support.chain import DAY_MS, START_MS, Chain, address
from support.life import PRICE, VIN, Life, accept, initiate, listing, offer, register, terms, transfer
from support.stages import at, ledger_of

SELLER, BUYER, PROVIDER, BANK = "dealer-munich", "buyer-1", "payment-provider-1", "bank-1"
SECOND_VIN = VIN[:-1] + "6"
SECOND_BUYER = "buyer-2"
CENT = Money(1, "EUR")


def with_two_buyers(stage: str) -> Life:
    """A life at a stage, on a chain with a second consumer."""
    parties = (*DEV_PARTIES, Party(SECOND_BUYER, "DE", is_member=False))
    return Life(Chain(build_genesis("bmw-test", START_MS, parties, dev_key, tree_depth=6))).to(stage)


def codes(life: Life, sender: str, body: TransactionBody, *cosigners: str) -> list[str]:
    """Codes of every unmet guard now; empty where the step would be carried out."""
    return life.chain.unmet(life.chain.sign(sender, body, *cosigners))


def later(life: Life, days: float) -> None:
    life.chain.now += int(days * DAY_MS)
    life.chain.produce()


# --- the cars -------------------------------------------------------------------------------------------------
def second_car(life: Life, holder: str = SELLER) -> str:
    life.chain.do("bmw", register(SECOND_VIN))
    life.chain.do("bmw", transfer(life.chain, holder, vin=SECOND_VIN), holder)
    return SECOND_VIN


def root(life: Life, vin: str = VIN) -> bytes:
    return material_root(vin, life.chain.state(VEHICLE, vin))


def holder(life: Life, vin: str = VIN) -> bytes:
    return life.chain.state(VEHICLE, vin).holder


def market(life: Life, vin: str = VIN) -> Market:
    return market_of(life.chain.state(VEHICLE, vin), life.chain.now)


# --- the deal -------------------------------------------------------------------------------------------------
def rails(*names: str, providers: tuple[str, ...] = (PROVIDER, BANK), **changes) -> tuple[AcceptedRail, ...]:
    return tuple(AcceptedRail(name, tuple(map(address, providers)), **changes) for name in names)


TRADE_IN = AcceptedRail("trade_in", ())


def by(provider: str, rail: str = "bank_transfer", **changes) -> Terms:
    """Terms of one part, paid on a rail through a provider."""
    return terms(rail=rail, provider=address(provider), **changes)


def on_credit(lender: str = BANK, provider: str = BANK, amount: int = PRICE.amount, **changes) -> Terms:
    """Terms of which a credit pays `amount`, and a transfer the rest."""
    plain = terms().legs[0]
    credit = Leg("finance", "finance", address(provider), "direct", amount, plain.due_ms)
    rest = (replace(plain, amount=PRICE.amount - amount),) if amount < PRICE.amount else ()
    return terms(legs=(*rest, credit), finance=Finance(address(lender), "buyer", False), **changes)


def with_trade_in(life: Life, vin: str = VIN, value: int = PRICE.amount // 2) -> Terms:
    """Terms of which the buyer's car pays `value`, and a transfer the rest."""
    plain = terms().legs[0]
    legs = (replace(plain, amount=PRICE.amount - value), Leg("trade_in", "trade_in", None, "direct", value, 0))
    return terms(legs=legs, trade_in=TradeIn(vin, address(SELLER), 1_000, root(life, vin), None))


def sold(life: Life, buyer: str, agreed: Terms, *, vin: str = VIN, listed: bytes = b"") -> bytes:
    """An order for a car, from the offer to the acceptance. Without `listed`, the seller lists the car first."""
    chain = life.chain
    if not listed:
        names = dict.fromkeys(leg.rail for leg in agreed.legs if leg.kind != "finance")
        taken = (*rails(*names, allow_sponsored=True), *rails("finance", providers=(BANK,)))
        listed = chain.do(SELLER, listing(chain, vin, rails=taken))
    order = chain.do(buyer, offer(chain, listed, terms=agreed))
    signers = (buyer,) if agreed.contract == "on_premises" else ()
    chain.do(SELLER, accept(chain, order, material_root=root(life, vin)), *signers)
    return order


def sold_by_card(stage: str = "wholesale") -> Life:
    """A car whose buyer pays by card: the payment has begun."""
    life = at(stage)
    life.order = sold(life, BUYER, by(PROVIDER, "card"))
    life.payment = life.chain.do(BUYER, initiate(life.order, scheme="visa"))
    return life


def cancel(life: Life, reason: CancelReason, order: bytes = b"") -> OrderCancel:
    return OrderCancel(order or life.order, reason)


def order_of(life: Life, order: bytes = b"") -> Order:
    return life.chain.state(ORDER, order or life.order)


def status(life: Life, order: bytes = b"") -> str:
    return status_of(order_of(life, order), ledger_of(life.chain), life.chain.now)


def debts(life: Life, order: bytes = b"") -> tuple[Debt, ...]:
    return debts_now(ledger_of(life.chain), order_of(life, order))
