"""Deals about any car: terms of several parts, and what both sides sign of the cars as they are now."""

from __future__ import annotations

from msgspec.structs import replace

from node.ledger.fields import Money
from node.limits import DAY_MS
from node.txtypes.sale.changes import OrderReinstate
from node.txtypes.sale.deal import Finance, Leg, Terms, TradeIn
from node.txtypes.sale.order_family import ORDER
from node.txtypes.vehicle.vehicle import VEHICLE, material_root
from support.chain import address
from support.life import accept, acknowledge, handover, km, terms
from support.specimens import Readable

PROVIDER = "payment-provider-1"
TRADED_MAX = 9_999_999
"""The highest reading of a car in payment, where the test is about something else."""


def material(chain: Readable, vin: str) -> bytes:
    """The car's material root as it is now; zeros where there is no car."""
    vehicle = chain.state(VEHICLE, vin)
    return material_root(vin, vehicle) if vehicle is not None else bytes(32)


# --- terms ----------------------------------------------------------------------------------------------------
def leg(amount: int, rail: str = "bank_transfer", provider: str = PROVIDER, *, days: int = 7, kind: str = "") -> Leg:
    """A part of a price. A credit and a car in payment are parts of their own kind."""
    own = kind or (rail if rail in ("finance", "trade_in") else "balance")
    who = None if rail == "trade_in" else address(provider)
    return Leg(own, rail, who, "direct", amount, days * DAY_MS)  # type: ignore[arg-type]


def parts(*legs: Leg, currency: str = "EUR", **changes) -> Terms:
    """Terms whose parts make up the price."""
    price = Money(sum(part.amount for part in legs), currency)
    return terms(price, legs=legs, **changes)


def with_credit(agreed: Terms, share: int, *, takes_lien: bool = False, title_to: str = "buyer") -> Terms:
    """The terms with a part `share` of the last one that a bank pays."""
    last = agreed.legs[-1]
    legs = (*agreed.legs[:-1], replace(last, amount=last.amount - share),
            leg(share, "finance", "bank-1", days=last.due_ms // DAY_MS))  # fmt: skip
    return replace(agreed, legs=legs, finance=Finance(address("bank-1"), title_to, takes_lien))  # type: ignore[arg-type]


def with_car(agreed: Terms, chain: Readable, vin: str, value: int, taker: bytes) -> Terms:
    """The terms with a car in payment for `value` of the first part."""
    first, others = agreed.legs[0], agreed.legs[1:]
    legs = (replace(first, amount=first.amount - value), *others, leg(value, "trade_in", days=0))
    return replace(agreed, legs=legs, trade_in=TradeIn(vin, taker, TRADED_MAX, material(chain, vin), None))


# --- what is signed of a car ------------------------------------------------------------------------------------
def _root(chain: Readable, order: bytes) -> dict[str, bytes]:
    found = chain.state(ORDER, order)
    return dict(material_root=material(chain, found.vin) if found is not None else bytes(32))


def accepting(chain: Readable, order: bytes, **changes):
    return accept(chain, order, **_root(chain, order) | changes)


def acknowledging(chain: Readable, order: bytes, **changes):
    return acknowledge(chain, order, **_root(chain, order) | changes)


def reinstating(chain: Readable, order: bytes, days: int = 20) -> OrderReinstate:
    return OrderReinstate(order, chain.now + days * DAY_MS, _root(chain, order)["material_root"])


def handing(chain: Readable, order: bytes, value: int = 160, trade_value: int = 160, **changes):
    """The handover of whatever cars the order has."""
    found = chain.state(ORDER, order)
    told = _root(chain, order)
    if found is not None and found.terms.trade_in is not None:
        told |= dict(trade_odometer=km(trade_value), trade_material_root=material(chain, found.terms.trade_in.vin))
    return handover(chain, order, value, **told | changes)
