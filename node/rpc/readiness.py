"""Whether a sale can take its next steps now, by running the steps' own guards over the head on a ledger that is thrown
away; and who can cure what stands in the way, or when it passes by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final, Literal

from msgspec import Meta

from node.ledger.body import TransactionBody
from node.ledger.family import View
from node.ledger.fields import Address, Hash32, Money, Odometer, OptionalTime, Vin
from node.ledger.guards import Unmet
from node.rpc.call import Call, Query
from node.rpc.moments import Moment
from node.rpc.problems import Problem
from node.rpc.readiness_checks import CHECKS, HELD, Step, unmet_text
from node.rpc.values import path_ident, require
from node.rules.odometer import MILLIMETRES
from node.txtypes.envelope import CheckedTx, Payload, SignedTx
from node.txtypes.members.accepted_rail import AcceptedRail
from node.txtypes.members.member import has_role_at
from node.txtypes.sale.deal import Tax
from node.txtypes.sale.handover import OrderHandover
from node.txtypes.sale.listing_types import ListingCreate
from node.txtypes.sale.negotiation import OrderAccept
from node.txtypes.sale.order import Order
from node.txtypes.sale.order_family import ORDER
from node.txtypes.sale.payments import payments_of
from node.txtypes.sale.terms import TRADERS
from node.txtypes.vehicle.readings import NO_READINGS, ODOMETER, newest_counted
from node.txtypes.vehicle.regions import reserved_until_ms
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle, material_root

Cure = Literal["seller", "buyer", "provider", "lender", "workshop", "inspector", "setter", "arbiters", "nobody"]
LIFETIME_MS: Final = 60_000

_CURES: Final[dict[str, Cure]] = {
    "acknowledgement_missing": "buyer", "payment_not_final": "buyer", "not_your_turn": "buyer",
    "claims_open": "buyer", "provider_unaccredited": "provider", "role_scope": "provider",
    "verdict_contested": "buyer", "verdict_illogical": "buyer", "duty_open": "inspector", "unroadworthy": "inspector",
    "clearance_void": "inspector", "handover_reading": "inspector", "recall_stop_drive": "workshop",
    "stop_flag": "setter", "order_disputed": "arbiters", "total_loss": "nobody", "vehicle_ended": "nobody",
    "rail_forbidden": "nobody",
}  # fmt: skip
"""Guard to who can cure it; the seller where nothing is said."""


class StepGuard(View, frozen=True):
    """A guard of a step. `text`: one sentence for people, in the requested language. Where it does not hold, `who` can
    cure it, and `until_ms` is when it passes by itself, null where it does not."""

    code: str
    holds: bool
    subject: str
    have: str
    need: str
    text: str
    who: Literal[""] | Cure
    until_ms: OptionalTime


class StepReadiness(View, frozen=True):
    """A step of the sale that `sender` would take. `ready`: every guard holds; signatures are not looked at. `guards`:
    those that do not hold, then the important ones that do."""

    step: Step
    sender: Address
    ready: bool
    guards: tuple[StepGuard, ...]


class SaleReadiness(View, frozen=True):
    """Whether the steps of a sale could be taken now."""

    vin: Vin
    material_root: Hash32
    steps: tuple[StepReadiness, ...]


class ReadinessQuery(Query, frozen=True):
    order: Annotated[str, Meta(description="id of an order of the vehicle; without, whether it can be listed")] = ""
    step: Annotated[str, Meta(description="list, accept or handover; all that apply if it is not given")] = ""


async def sale_readiness(call: Call) -> tuple[Moment, SaleReadiness]:
    query: ReadinessQuery = call.query
    vin, moment = path_ident(VEHICLE, call), call.moment()
    vehicle = require(moment, VEHICLE, vin)
    order = _order(moment, vin, query.order) if query.order else None
    found = tuple(
        _readiness(call, moment, vin, vehicle, order, step, sender, body)
        for step, sender, body in _bodies(moment, vin, vehicle, order, query.order) if query.step in ("", step)
    )  # fmt: skip
    if query.step and not found:
        raise Problem("malformed", f"step: {query.step} does not apply; list applies without an order")
    return moment, SaleReadiness(vin, material_root(vin, vehicle), found)


def _order(moment: Moment, vin: str, text: str) -> Order:
    order: Order = require(moment, ORDER, text)
    if order.vin != vin:
        raise Problem("malformed", f"order: {text} is of another vehicle")
    return order


def _bodies(
    moment: Moment, vin: str, vehicle: Vehicle, order: Order | None, ident: str
) -> Iterator[tuple[Step, bytes, TransactionBody]]:
    """The steps that may be next, with who would take them. A listing that takes nothing but a car in payment names no
    provider, so that only car and seller are looked at."""
    root, now = material_root(vin, vehicle), moment.as_of.now_ms
    if order is None:
        is_trader = has_role_at(moment, vehicle.holder, now, *TRADERS)
        tax = Tax("standard" if is_trader else "private", 0, 0)
        contract = "business" if is_trader else "private"
        rails = (AcceptedRail("trade_in", ()),)
        expires = now + LIFETIME_MS
        yield "list", vehicle.holder, ListingCreate(vin, Money(1, "EUR"), tax, "DE", (), rails, (contract,), expires)
    elif order.status in ("offered", "countered"):
        sender = order.buyer if order.turn == "buyer" else order.seller
        yield "accept", sender, OrderAccept(bytes.fromhex(ident), order.round, root)
    else:
        trade_in = order.terms.trade_in
        other = moment.get(VEHICLE, trade_in.vin) if trade_in is not None else None
        shown = material_root(trade_in.vin, other) if trade_in is not None and other is not None else None
        yield "handover", order.seller, OrderHandover(
            bytes.fromhex(ident), _newest_reading(moment, vin, vehicle), now, root,
            _newest_reading(moment, trade_in.vin, other) if trade_in is not None and other is not None else None, shown,
        )  # fmt: skip


def _newest_reading(moment: Moment, vin: str, vehicle: Vehicle) -> Odometer:
    """What the car's instrument shows at least."""
    newest = newest_counted(moment.get(ODOMETER, vin) or NO_READINGS)
    metres = newest.metres if newest is not None else 0
    return Odometer(-(-metres * 1_000 // MILLIMETRES[vehicle.odometer_unit]), vehicle.odometer_unit, "cluster")


def _readiness(
    call: Call, moment: Moment, vin: str, vehicle: Vehicle, order: Order | None, step: Step, sender: bytes,
    body: TransactionBody,
) -> StepReadiness:  # fmt: skip
    payload = Payload(sender, 0, moment.as_of.now_ms + LIFETIME_MS, body)
    tx = CheckedTx(SignedTx(b"", b"", payload, (), bytes(32), b""))
    unmet = [guard for guard in call.backend.forecast(tx).unmet if guard.code != "signature_missing"]
    open_guards = [_open(guard, call.language, moment, vehicle, order) for guard in unmet]
    held = (code for code in CHECKS[step] if code not in {guard.code for guard in unmet})
    guards = (*open_guards, *(StepGuard(c, True, vin, "", "", HELD[c].text(call.language), "", 0) for c in held))
    return StepReadiness(step, sender, not unmet, guards)


def _open(guard: Unmet, language: str, moment: Moment, vehicle: Vehicle, order: Order | None) -> StepGuard:
    who, passes = _CURES.get(guard.code, "seller"), _passes_ms(guard, moment, vehicle, order)
    text = unmet_text(guard, language, order.price.currency if order is not None else "")
    return StepGuard(guard.code, False, guard.subject, guard.have, guard.need, text, who, passes)


def _passes_ms(guard: Unmet, moment: Moment, vehicle: Vehicle, order: Order | None) -> int:
    """When the guard holds again by itself, 0 where it does not."""
    market, now = vehicle.market, moment.as_of.now_ms
    match guard.code:
        case "market_live" if market.status == "reserved":
            return reserved_until_ms(market)
        case "market_live":
            return market.until_ms
        case "relist_locked":
            return market.locked_until_ms or reserved_until_ms(market) + market.lock_ms
        case "payment_not_final" if order is not None:
            waits = [p.final_from_ms for p in payments_of(moment, order.payments) if p.final_from_ms > now]
            return max(waits, default=0)
    return 0
