"""What a transaction means: the values that a signer agrees to, from its body and from the state that it touches.

One table says for each *field* which state value it names, so that every type shows what it touches without further
code; another gives for each *type* its essential facts and one sentence about what changes. A type that is in neither
shows its decoded body. `meaning` computes over proven values (`Session.verified`) or, offline, over the body alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, assert_never

from node.crypto.addresses import from_text, to_text
from node.errors import InvalidProof, Malformed, Rejected
from node.ledger import kinds
from node.ledger.body import TransactionBody, type_of
from node.ledger.family import AsOf, Family, Reader
from node.ledger.fields import Address
from node.ledger.json_form import time_to_text, to_json, value_from_json, value_to_json
from node.ledger.kinds import Kind, fields_of, kind_of, tag_of
from node.txtypes.chain.governance import PROPOSAL, GovernanceVote
from node.txtypes.disputes.dispute import RECORD_DISPUTE
from node.txtypes.envelope import Payload
from node.txtypes.identity.account import AccountOpen
from node.txtypes.members.mandate import MandateGrant
from node.txtypes.members.member import name_of
from node.txtypes.payment.giving_back import PaymentRefund
from node.txtypes.payment.initiating import PaymentInitiate
from node.txtypes.registration.registration import RegistrationAccept
from node.txtypes.sale.changes import OrderAcknowledge, OrderAmend, OrderReinstate
from node.txtypes.sale.deal import Terms
from node.txtypes.sale.ending import OrderCancel
from node.txtypes.sale.handover import OrderHandover
from node.txtypes.sale.listing import LISTING
from node.txtypes.sale.negotiation import OrderAccept, OrderCounter, OrderOffer
from node.txtypes.sale.order import ORDER
from node.txtypes.sale.payments import PAYMENT
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
from wallet.deal_facts import TERMS_FACTS, DealFact, deal_facts, terms_facts
from wallet.show import plain, value_text
from wallet.values import Names, strict


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
    "listing": Reference(LISTING, ("vin", "price", "seller", "status", "version"), ("vin",)),
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
_TRADED: Final = (("trade_in_vin", "A part of it is paid with the car {trade_in_vin}: {trade_in}."),)
_MOVED: Final = (
    ("trade_in_vin", "In the same step the car in payment, {trade_in_vin}, changes hands: {trade_in}."),
    ("finance", "The credit: {finance}."),
)
ESSENCES: Final[dict[type[TransactionBody], Essence]] = {
    OrderOffer: Essence(
        ("vin", "price", "seller", "sender", *_DEAL),
        "{sender} offers to buy {vin} from {seller} for {price}, which binds once it is accepted; the title goes to "
        "{title_to}. " + _KEPT, True, _TRADED,
    ),
    OrderCounter: Essence(
        (*_SALE, *_DEAL), "{sender} names other terms for {vin}: {price}; the title goes to {title_to}. " + _KEPT, True,
        _TRADED,
    ),
    OrderAccept: Essence(
        (*_SALE, *_DEAL),
        "The car is reserved for {buyer}, who buys it from {seller} for {price}; the title goes to {title_to}. "
        + _KEPT, True, _TRADED,
    ),
    OrderAcknowledge: Essence(
        (*_SALE, "verdict", "material_changes"),
        "{buyer} agrees to buy the car as it is now, after {material_changes} material changes.", True,
    ),
    OrderAmend: Essence(
        (*_SALE, *_DEAL),
        "{buyer} and {seller} change the terms on which {vin} is sold: {price}; the title goes to {title_to}. " + _KEPT,
        True, _TRADED,
    ),
    OrderReinstate: Essence(
        (*_SALE, *_DEAL, "until"),
        "The car is reserved for {buyer} again, until {until}, on the terms that were agreed on: {price}. " + _KEPT,
        True, _TRADED,
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
    PaymentInitiate: Essence(
        ("vin", "seller", "provider", "rail", "amount"),
        "{buyer} pays {amount} to {seller} by {rail}, through {provider}; the money itself moves there.", True,
    ),
    PaymentRefund: Essence(
        ("vin", "provider", "creditor", "amount"),
        "{provider} is told to give {amount} of this payment back to {creditor}.", True,
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
        ("sender", "vin", "holder", "country", "kind", "usage", "plate", "until", "shown"),
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


class Fact(NamedTuple):
    """A value under its name. `value`: as the struct has it; `text`: for people, names included. `is_proven`: read from
    proven state, not from the body."""

    name: str
    kind: Kind
    value: Any
    text: str
    is_proven: bool
    is_essential: bool


@dataclass(frozen=True)
class Meaning:
    """The facts by name, in the order in which they are shown, and what changes."""

    facts: dict[str, Fact]
    change: str
    names: dict[bytes, str]
    """Proven business names of the members among the addresses."""

    def essential(self, *, is_body_known: bool) -> list[str]:
        """The facts that a program must expect. `is_body_known`: it has composed the body itself."""
        return [f.name for f in self.facts.values() if f.is_essential and (f.is_proven or not is_body_known)]


class NotExpected(Rejected):
    """A value is not the one that the caller expects."""

    code = "not_expected"


def asks(struct: type[TransactionBody]) -> bool:
    """Whether the sender of this type is shown what it means, and asked."""
    return struct in ESSENCES and ESSENCES[struct].is_asked


# --- facts -------------------------------------------------------------------------------------------
class _Facts:
    """Collects facts; a name that is taken by another value gets its reference in front."""

    def __init__(self, essential: tuple[str, ...], reader: Reader | None, own: Mapping[bytes, str]) -> None:
        self.facts: dict[str, Fact] = {}
        self.names: dict[bytes, str] = {}
        self._essential = essential
        self._reader = reader
        self._own = own

    def add(self, name: str, kind: Kind, value: Any, shown: Any, owner: str = "", text: str | None = None) -> None:
        """`shown`: the value's JSON form. `owner`: the reference that it is a fact of; without, the body has it.
        `text`: what is shown of it, where that is not its JSON form in words."""
        if (taken := self.facts.get(name)) is not None:
            if taken.value == value:
                return
            name = f"{owner}_{name}"
        if text is None:
            text = value_text(_labelled(kind, shown, self.label))
        is_essential = name in self._essential
        self.facts.setdefault(name, Fact(name, kind, value, text, bool(owner), is_essential))

    def add_fields(self, value: Any, names: tuple[str, ...], owner: str) -> None:
        """The named fields of a struct, by JSON name."""
        shown, fields = to_json(value), {field.json_name: field for field in fields_of(type(value))}
        for name in names:
            entry = getattr(value, fields[name].name)
            if isinstance(entry, Terms):
                self.add_deal(terms_facts(entry, self.label), owner)
            else:
                self.add(name, fields[name].kind, entry, shown[name], owner)

    def add_deal(self, found: Iterable[DealFact], owner: str) -> None:
        for name, kind, value, text, is_proven in found:
            self.add(name, kind, value, value_to_json(kind, value), owner if is_proven else "", text)

    def label(self, text: str) -> str:
        """An address with the proven business name, or the name of this wallet's key."""
        address, known = from_text(text), []
        if self._reader is not None:
            if name := name_of(self._reader, address):
                self.names[address] = name
            known.append(name or "no member")
        if address in self._own:
            known.append(f"your key {self._own[address]}")
        return f"{text} ({', '.join(known)})" if known else text


def _labelled(kind: Kind, value: Any, label: Callable[[str], str]) -> Any:
    """A JSON value with every address in it labelled."""
    match kind:
        case kinds.Address():
            return label(value)
        case kinds.ListOf(item=item):
            return [_labelled(item, entry, label) for entry in value]
        case kinds.OptionOf(item=item):
            return None if value is None else _labelled(item, value, label)
        case kinds.StructOf(struct=struct):
            return _labelled_fields(struct, value, label)
        case kinds.UnionOf(structs=structs):
            return _labelled_fields(next(s for s in structs if tag_of(s) == value["type"]), value, label)
        case kinds.Boolean() | kinds.Integer() | kinds.Time() | kinds.Text() | kinds.Code() | kinds.CodeOf():
            return value
        case kinds.Choice() | kinds.Bytes() | kinds.MoneyAmount() | kinds.Plain():
            return value
        case _:
            assert_never(kind)


def _labelled_fields(struct: type[Any], value: dict[str, Any], label: Callable[[str], str]) -> dict[str, Any]:
    known = {field.json_name: field.kind for field in fields_of(struct)}
    return {name: _labelled(known[name], entry, label) if name in known else entry for name, entry in value.items()}


def meaning(payload: Payload, reader: Reader | None, as_of: AsOf | None, own: Mapping[bytes, str]) -> Meaning:
    """What a transaction means over the state that `reader` gives; without one, from its body alone. `own`: addresses
    of this wallet's keys to their names. Raises `InvalidProof` where the state has no value that an essential fact is
    read from."""
    body, fields = payload.body, fields_of(type(payload.body))
    written = to_json(body)
    given: list[str] = []
    for field in fields:
        if isinstance(getattr(body, field.name), Terms):
            given += TERMS_FACTS
        elif written[field.json_name] not in (None, "", [], {}):
            given.append(field.json_name)
    whole = Essence(("sender", *given), "")
    essence = ESSENCES.get(type(body), whole) if reader is not None else whole
    found = _Facts(("type", *essence.essential), reader, own)
    found.add("type", kinds.Text(), type_of(body), type_of(body))
    found.add("sender", kind_of(Address), payload.sender, to_text(payload.sender))
    found.add_fields(body, tuple(field.json_name for field in fields), "")
    found.add("valid_until", kinds.TIME, payload.expires_at_ms, time_to_text(payload.expires_at_ms))
    if reader is not None and as_of is not None:
        for field in fields:
            _add_referenced(found, field.json_name, getattr(body, field.name), essence, reader, as_of)
        found.add_deal(deal_facts(body, payload.sender, reader), "deal")
    assert set(essence.essential) <= set(found.facts), "a type's essential facts are fields of it, or of what it names"
    texts = {name: fact.text for name, fact in found.facts.items()}
    said = [sentence for name, sentence in essence.further if texts[name] != "-"]
    return Meaning(found.facts, " ".join([essence.change, *said]).format_map(texts), found.names)


def _add_referenced(found: _Facts, name: str, ident: Any, essence: Essence, reader: Reader, as_of: AsOf) -> None:
    """The facts of the state value that a field names, and of those that this one leads to."""
    if name not in REFERENCES or not ident:
        return
    family, shown, leads_to = REFERENCES[name]
    value, text = reader.get(family, ident), ident.hex() if isinstance(ident, bytes) else ident
    if value is None:
        if set(shown) & set(essence.essential) - set(found.facts):
            raise InvalidProof(f"it is proven that there is no {family.name} {plain(text)}: compare the id")
        found.add(f"{family.name}", kinds.Text(), "", "none on the chain so far", family.name)
        return
    assert family.view is not None, "what is shown is served"
    view = family.view.of(text, value, reader, as_of)
    found.add_fields(view, shown, family.name)
    for further in leads_to:
        _add_referenced(found, further, getattr(value, further), essence, reader, as_of)


def view_texts(view: Any, reader: Reader, own: Mapping[bytes, str]) -> dict[str, str]:
    """All fields of a view as text, addresses with names."""
    found = _Facts((), reader, own)
    found.add_fields(view, tuple(field.json_name for field in fields_of(type(view))), "view")
    return {fact.name: fact.text for fact in found.facts.values()}


# --- expectations --------------------------------------------------------------------------------------
def check_expected(found: Meaning, expected: Mapping[str, list[str]], names: Names) -> None:
    """Compare the values that the caller expects, in the form in which options take them. An address may also be the
    proven name of a member. Raises `Malformed` for an unknown name, `NotExpected` for another value."""
    for name, texts in expected.items():
        fact = found.facts.get(name.replace("-", "_"))
        if fact is None:
            raise Malformed(f"--expect {name}: this transaction shows {', '.join(found.facts)}")
        if not _is_expected(found, fact, texts, names):
            raise NotExpected(f"{name} is {fact.text}, not {', '.join(texts)} as expected: nothing was signed")


def _is_expected(found: Meaning, fact: Fact, texts: list[str], names: Names) -> bool:
    path, is_list = f"--expect {fact.name}", isinstance(fact.kind, kinds.ListOf)
    if texts == [""] and isinstance(fact.kind, kinds.OptionOf):
        return fact.value is None
    if len(texts) > 1 and not is_list:
        return False  # two values are expected, and it has one
    given: Any = texts if is_list and not texts[0].lstrip().startswith("[") else texts[0]
    try:
        return bool(value_from_json(fact.kind, strict(fact.kind, given, path, names), path) == fact.value)
    except Malformed:
        if isinstance(fact.kind, kinds.Address) and fact.value in found.names:
            return bool(found.names[fact.value] == given)
        raise
