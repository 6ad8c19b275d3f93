"""The terms of a deal: the price, and how, when and through whom it is paid."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

from node import limits
from node.codec import Value
from node.ledger.fields import Address, Amount, Contract, FeeCode, Hash32, Money, OptionalTime, Rail, Vin
from node.ledger.fields import TaxScheme as Scheme
from node.limits import DAY_MS, HOUR_MS
from node.txtypes.members.accepted_rail import Duration

CLAIM_LEG: Final = 255
"""The leg of a payment that settles a claim after the handover."""


class Tax(Value, frozen=True):
    """The tax that the price contains. `rate_permille`: of the net price."""

    scheme: Scheme
    rate_permille: Annotated[int, Meta(ge=0, le=300)]
    amount: Amount


class Fee(Value, frozen=True):
    """A fee that the price contains."""

    code: FeeCode
    amount: Amount


class Leg(Value, frozen=True):
    """A part of the price. `due_ms`: how long after the acceptance it is due. `custody`: whether the provider holds the
    money until the handover. `provider`: null for a car traded in."""

    kind: Literal["deposit", "part", "balance", "finance", "trade_in"]
    rail: Rail
    provider: Address | None
    custody: Literal["direct", "escrow"]
    amount: Amount
    due_ms: Duration


class TradeIn(Value, frozen=True):
    """The buyer's car that pays a leg. `taker` receives it, the seller or its agent. `odometer_max`: the highest
    reading for which the value holds, in the car's unit. `material_root`: the car's, as the taker has seen it.
    `condition`: a salted hash of what else was agreed on."""

    vin: Vin
    taker: Address
    odometer_max: Annotated[int, Meta(ge=0, le=limits.ODOMETER_MAX)]
    material_root: Hash32
    condition: Hash32 | None


class Finance(Value, frozen=True):
    """The credit that pays a leg. `title_to`: who gets the title. `takes_lien`: the lender gets a lien on the car."""

    lender: Address
    title_to: Literal["buyer", "lender"]
    takes_lien: bool


class Terms(Value, frozen=True):
    """Everything that buyer and seller agree on. `fees` and `tax` are parts of the price. `cancel_fee`: what the seller
    keeps if the buyer changes its mind. `reserve_ms`: how long the car is reserved. `deliver_by`: the time after which
    the buyer may end the order, 0 for none. `text`: a salted hash of the contract's text."""

    price: Money
    tax: Tax
    fees: Annotated[tuple[Fee, ...], Meta(max_length=8)]
    legs: Annotated[tuple[Leg, ...], Meta(min_length=1, max_length=8)]
    trade_in: TradeIn | None
    finance: Finance | None
    contract: Contract
    cancel_fee: Amount
    reserve_ms: Annotated[int, Meta(ge=HOUR_MS, le=366 * DAY_MS, description="milliseconds")]
    deliver_by_ms: OptionalTime
    text: Hash32 | None


class Account(Value, frozen=True):
    """What a party of an order and its seller owe each other besides its payments and what is due of the price.
    `posted`: minor units that count as if the party had paid them, below 0 as if it had got them back: gifts of the
    seller, releases, what arbiters have decided. `released`: how much of that below 0 the party itself has said to have
    got back. `since_ms`: since when either owes the other. `fresh`: how much of
    what the seller owes came later, from `fresh_since_ms` on."""

    party: Address
    posted: Annotated[int, Meta(ge=-limits.MONEY_MAX, le=limits.MONEY_MAX)] = 0
    since_ms: OptionalTime = 0
    fresh: Amount = 0
    fresh_since_ms: OptionalTime = 0
    released: Amount = 0


def traded_in(terms: Terms) -> int:
    """Minor units of the price that the car traded in pays."""
    return sum(leg.amount for leg in terms.legs if leg.kind == "trade_in")


def lent(terms: Terms) -> int:
    """Minor units of the price that a credit pays."""
    return sum(leg.amount for leg in terms.legs if leg.kind == "finance")


def in_money(terms: Terms) -> int:
    """Minor units of the price that are paid in money."""
    return terms.price.amount - traded_in(terms)


def vins_of_deal(vin: str, terms: Terms) -> tuple[str, ...]:
    """The cars of a deal: the one that is sold, unless it is still to be built, and the one traded in."""
    traded = (terms.trade_in.vin,) if terms.trade_in is not None else ()
    return (vin, *traded) if vin else traded
