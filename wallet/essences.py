"""What matters in each type of transaction: which state values its fields name, its essential facts, and one sentence
about what it changes.

One table says for each *field* which state value it names, so that every type shows what it touches without further
code; another gives for each *type* its essential facts and the sentence. A type that is in neither shows its decoded
body.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from node.ledger.body import TransactionBody
from node.ledger.family import Family
from node.limits import DAY_MS
from node.rules.deals import RETURN_MS
from node.txtypes.cases.case import CASE
from node.txtypes.cases.types import CaseBody
from node.txtypes.chain.governance import PROPOSAL, GovernanceVote
from node.txtypes.disputes.dispute import RECORD_DISPUTE
from node.txtypes.disputes.order_dispute import ORDER_DISPUTE
from node.txtypes.disputes.order_dispute_types import OrderDisputeBody, OrderDisputeOpen, OrderResolve
from node.txtypes.identity.account import AccountOpen
from node.txtypes.members.mandate import MandateGrant
from node.txtypes.payment.giving_back import PaymentConfirmRefund, PaymentRefund
from node.txtypes.payment.initiating import PaymentInitiate
from node.txtypes.registration.registration import RegistrationAccept
from node.txtypes.sale.building import ListingBuild, OrderAssignVin
from node.txtypes.sale.changes import OrderAcknowledge, OrderAmend, OrderReinstate
from node.txtypes.sale.claim_types import ClaimRelease
from node.txtypes.sale.ending import OrderCancel
from node.txtypes.sale.handover import OrderHandover
from node.txtypes.sale.listing import LISTING
from node.txtypes.sale.negotiation import OrderAccept, OrderCounter, OrderOffer
from node.txtypes.sale.order_family import ORDER
from node.txtypes.sale.payments import PAYMENT
from node.txtypes.sale.returning import OrderReturn, OrderWithdraw
from node.txtypes.service.instrument import OdometerReplace
from node.txtypes.service.loss import TotalLoss
from node.txtypes.service.rebuild import Rebuild
from node.txtypes.service.scrap import Scrap
from node.txtypes.service.warranty import WarrantyStart
from node.txtypes.service.warranty_claim import CLAIM
from node.txtypes.vehicle.assign import TitleAssign
from node.txtypes.vehicle.imports import VehicleImport
from node.txtypes.vehicle.title import TitleTransfer
from node.txtypes.vehicle.vehicle import VEHICLE


class Reference(NamedTuple):
    """The state value that a field names: the fields of its view that are shown, and those that lead to a further
    value."""

    family: Family[Any]
    shown: tuple[str, ...]
    leads_to: tuple[str, ...] = ()


REFERENCES: Final[dict[str, Reference]] = {
    "vin": Reference(VEHICLE, ("model", "holder", "verdict", "flags", "brands", "accident_count", "material_changes")),
    "order": Reference(
        ORDER,
        ("vin", "terms", "seller", "agent", "buyer", "status", "round", "settled", "final", "debts", "until"),
        ("vin",),
    ),
    "payment": Reference(PAYMENT, ("amount", "status", "payer", "provider", "rail", "net"), ("order",)),
    "listing": Reference(LISTING, ("vin", "price", "seller", "agent", "status", "version"), ("vin",)),
    "proposal": Reference(
        PROPOSAL,
        ("action", "proposer", "status", "yes_power", "no_power", "needed_power", "total_power", "expires_at"),
    ),
    "dispute": Reference(
        RECORD_DISPUTE, ("vin", "kind", "author", "opener", "ground", "answer", "status", "outcome"), ("vin",)
    ),
    "claim": Reference(CLAIM, ("vin", "group", "operation", "workshop", "provider", "outcome"), ("vin",)),
}
"""Field of a body, or of a view, to the state value that it names."""

_ORDER_DISPUTE: Final = Reference(
    ORDER_DISPUTE, ("opener", "evidence", "is_answered", "answer_evidence", "status", "ends_at"), ("order",)
)
_CASE: Final = Reference(CASE, ("member", "customer", "vin", "order", "category", "status", "outcome"), ("order",))


def reference_of(body: TransactionBody, field: str) -> Reference | None:
    """The state value that a field of a body names. A `dispute` is about a record, but for the types about an order;
    a `case` is another party's file, but for the types about a customer's case."""
    match field, body:
        case "dispute", OrderDisputeBody():
            return _ORDER_DISPUTE
        case "case", CaseBody():
            return _CASE
    return REFERENCES.get(field)


class Essence(NamedTuple):
    """`essential`: the facts that a program must expect. `change`: what the transaction changes, with facts in braces.
    `is_asked`: whether also the sender is shown it and asked; a cosigner always is. `further`: a fact, and the sentence
    that is added where it says anything."""

    essential: tuple[str, ...]
    change: str
    is_asked: bool = False
    further: tuple[tuple[str, str], ...] = ()


_SALE: Final = ("vin", "price", "seller", "buyer")
_DEAL: Final = ("title_to", "kept_if_buyer_leaves", "trade_in_vin")
_KEPT: Final = "If the buyer changes its mind, {seller} keeps {kept_if_buyer_leaves}."
_TERMS: Final = (
    ("tax", "Tax in the price: {tax}."),
    ("legs", "The price is paid in these parts: {legs}."),
    ("trade_in_vin", "A part of it is paid with the car {trade_in_vin}: {trade_in}."),
    ("finance", "The credit: {finance}."),
    ("commission", "{agent} acts for {seller}, and earns {commission} of the price."),
)
_MOVED: Final = (
    ("tax", "Tax in the price: {tax}."),
    ("commission", "{agent} acts for {seller}, and earns {commission} of the price."),
    ("trade_in_vin", "In the same step the car in payment, {trade_in_vin}, changes hands: {trade_in}."),
    ("finance", "The credit: {finance}."),
)
ESSENCES: Final[dict[type[TransactionBody], Essence]] = {
    OrderOffer: Essence(
        ("vin", "price", "seller", "sender", *_DEAL),
        "{sender} offers to buy {vin} from {seller} for {price}, which binds once it is accepted; the title goes to "
        "{title_to}. " + _KEPT, True, _TERMS,
    ),
    OrderCounter: Essence(
        (*_SALE, *_DEAL), "{sender} names other terms for {vin}: {price}; the title goes to {title_to}. " + _KEPT, True,
        _TERMS,
    ),
    OrderAccept: Essence(
        (*_SALE, *_DEAL),
        "The car is reserved for {buyer}, who buys it from {seller} for {price}; the title goes to {title_to}. "
        + _KEPT, True, _TERMS,
    ),
    OrderAcknowledge: Essence(
        (*_SALE, "verdict", "material_changes"),
        "{buyer} agrees to buy the car as it is now, after {material_changes} material changes.", True,
    ),
    OrderAmend: Essence(
        (*_SALE, *_DEAL),
        "{buyer} and {seller} change the terms on which {vin} is sold: {price}; the title goes to {title_to}. " + _KEPT,
        True, _TERMS,
    ),
    OrderReinstate: Essence(
        (*_SALE, *_DEAL, "until"),
        "The car is reserved for {buyer} again, until {until}, on the terms that were agreed on: {price}. " + _KEPT,
        True, _TERMS,
    ),
    OrderCancel: Essence(
        (*_SALE, "reason", "seller_keeps", "goes_back"),
        "The order of {buyer} for {vin} ends ({reason}). {seller} keeps {seller_keeps} of what has come, and owes "
        "{goes_back}.", True,
    ),
    OrderHandover: Essence(
        (*_SALE, "title_to", "trade_in_vin", "odometer", "goes_back"),
        "The title of {vin} moves from {seller} to {title_to} for good, at {odometer}. {seller} owes {goes_back} that "
        "came beyond the price.", True, _MOVED,
    ),
    OrderWithdraw: Essence(
        (*_SALE, "goes_back"),
        "{buyer} withdraws from buying {vin}, for good. The car has to be back within "
        f"{RETURN_MS // DAY_MS} days; then {{seller}} owes "
        "{goes_back}, less what the distance driven allows it to deduct. If it is not back by then, the sale stands.",
        True,
    ),
    OrderReturn: Essence(
        (*_SALE, "title_to", "reason", "odometer", "deducted", "goes_back", "trade_in_vin"),
        "The title of {vin} moves back from {title_to} to {seller}, at {odometer} ({reason}). {seller} keeps "
        "{deducted} of the price, and owes {goes_back}.", True,
        (("trade_in_vin", "The car in payment, {trade_in_vin}, goes back: {trade_in_back}; {trade_in_owed} is owed "
          "instead of it."),),
    ),
    OrderAssignVin: Essence(
        ("vin", "price", "seller", "buyer", "model"),
        "{seller} names {vin} ({model}) as the car that was built for {buyer}, and reserves it. {buyer} has to "
        "agree to it.", True,
    ),
    OrderDisputeOpen: Essence(
        (*_SALE, "reason", "asks_for"),
        "{sender} disputes the sale of {vin} ({reason}) and asks for {asks_for}. Arbiters decide about the money; "
        "until then there is no handover, and the deadlines stand still for 60 days at most. A dispute that they "
        "dismiss counts against {sender}.", True,
    ),
    OrderResolve: Essence(
        (*_SALE, "opener", "asks_for", "decision", "decided"),
        "{sender} votes on the dispute of {opener}, who asks for {asks_for}: {decision}. The amount is "
        "{decided}.", True,
    ),
    ClaimRelease: Essence(
        ("sender", "vin", "debtor", "amount", "remains"),
        "{sender} gives up {amount} of what {debtor} owes for {vin}, for good; {remains} remains.", True,
    ),
    ListingBuild: Essence(
        ("seller", "model", "price", "country", "capacity", "equipment", "floor"),
        "{seller} offers {capacity} cars of the model {model}, built to order, for {price} each and what their "
        "equipment costs: {equipment}. No offer below {floor} is taken.", True,
    ),
    PaymentInitiate: Essence(
        ("vin", "seller", "provider", "rail", "amount"),
        "{buyer} pays {amount} to {seller} by {rail}, through {provider}; the money itself moves there.", True,
    ),
    PaymentRefund: Essence(
        ("vin", "provider", "creditor", "amount"),
        "{provider} is told to give {amount} of this payment back to {creditor}.", True,
    ),
    PaymentConfirmRefund: Essence(
        ("vin", "seller", "creditor", "amount"),
        "{sender} confirms that {amount} of this payment came back; {seller} owes it no more, whatever a provider "
        "says.", True,
    ),
    GovernanceVote: Essence(
        ("proposal", "approve", "action"), "{sender} votes on the action of the proposal; approve: {approve}.", True
    ),
    TitleTransfer: Essence(
        ("sender", "vin", "receiver", "odometer", "discloses"),
        "The title of {vin} moves from {sender} to {receiver} for good.",
    ),
    TitleAssign: Essence(
        ("sender", "vin", "receiver", "reason", "odometer", "discloses", "material_changes"),
        "The title of {vin} moves to {receiver} for good ({reason}), as the car is after {material_changes} material "
        "changes.",
    ),
    TotalLoss: Essence(
        ("sender", "vin", "holder", "category", "cause", "takes_title", "settlement"),
        "{vin} becomes a total loss of category {category}, for good; the title moves to {sender}: {takes_title}.",
    ),
    Rebuild: Essence(
        ("sender", "vin", "inspection", "registrar", "odometer"),
        "{vin} is rebuilt after its total loss and may be on the road again; it keeps the brand for good.",
    ),
    Scrap: Essence(
        ("sender", "vin", "holder", "certificate", "parts_kept", "police"),
        "{vin} is scrapped for good: nobody registers, sells or drives it any more.",
    ),
    OdometerReplace: Essence(
        ("sender", "vin", "old", "odometer", "cause", "witness", "event_at"),
        "The odometer of {vin} was replaced: the old one showed {old}, the new one shows {odometer}. The car has the "
        "brand odometer_replaced for good.",
    ),
    RegistrationAccept: Essence(
        ("sender", "vin", "holder", "country", "kind", "usage", "plate", "until", "material_root"),
        "{country} registers {vin}, or claims it where another country has it: after 30 days without an objection the "
        "other registration ends.",
    ),
    VehicleImport: Essence(
        ("sender", "vin", "holder", "inspector", "confirmed_by", "grade", "origin_country", "origin_brands",
         "findings", "history", "odometer", "title_evidence"),
        "{vin} comes onto this chain with grade {grade} for the life before; {holder} holds its title.",
    ),
    WarrantyStart: Essence(
        ("sender", "vin", "plan", "terms", "groups", "starts_at", "months", "distance_km", "is_transferable"),
        "{sender} covers {vin} by {plan} for {months} months from {starts_at} on.",
    ),
    MandateGrant: Essence(
        ("sender", "agent", "rights", "vins", "wmis", "ends_at", "sale"),
        "{agent} may act for {sender} until {ends_at}: {rights}. Cars: {vins}, makers: {wmis}; without either, every "
        "car of {sender}.",
        True,
        (("sale", "It sells for {floor} or more, takes cars in payment to {trade_in_max}, and earns {commission}."),),
    ),
    AccountOpen: Essence(("sender", "keys", "threshold"), "An account with these keys opens, sponsored by {sender}."),
}  # fmt: skip
"""What matters in a type. Any other type: `type`, `sender` and every field of the body that is not empty."""


def is_of_deal(struct: type[TransactionBody]) -> bool:
    """Whether a transaction of this type is about a listing, an order, a payment, a dispute about an order, or a case:
    its sender is shown what it means, also where it is not asked."""
    named = {"listing", "order", "payment"}.intersection(struct.__struct_fields__)
    return bool(named) or issubclass(struct, OrderDisputeBody | CaseBody)


def asks(struct: type[TransactionBody]) -> bool:
    """Whether the sender of this type is shown what it means, and asked."""
    return struct in ESSENCES and ESSENCES[struct].is_asked
