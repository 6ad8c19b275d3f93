"""Sales for tests: terms, parts of a price, orders brought as far as asked, and what a provider says."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from msgspec.structs import replace

from node.crypto.addresses import address_of
from node.crypto.dev_keys import dev_key
from node.crypto.signing import PrivateKey
from node.ledger.body import TransactionBody
from node.ledger.fields import Money
from node.txtypes.disputes.order_dispute import ORDER_DISPUTE, Decision
from node.txtypes.identity.account import AccountOpen
from node.txtypes.members.accepted_rail import AcceptedRail
from node.txtypes.members.mandate import SaleTerms
from node.txtypes.sale.deal import Finance, Leg, Terms, TradeIn
from node.txtypes.sale.listing import LISTING
from node.txtypes.sale.order_body import debts_now
from node.txtypes.sale.order_family import ORDER
from node.txtypes.sale.payments import PAYMENT, Payment
from node.txtypes.vehicle.claims import claims_of
from node.txtypes.vehicle.vehicle import VEHICLE, material_root
from support.chain import DAY_MS, address
from support.disputing import ARBITERS
from support.life import PRICE, VIN, Life, accept, attest, handover, initiate, km, listing, offer, register, transfer
from support.life import terms as plain_terms
from support.specimens import specimen
from support.stages import at, change, ledger_of
from support.views import listed, view_of

SELLER, BUYER, OTHER, PROVIDER, BANK, AGENT = (
    "dealer-munich", "buyer-1", "bmw", "payment-provider-1", "bank-1", "dealer-shanghai",
)  # fmt: skip
NAMES = {address(name): name for name in (SELLER, BUYER, OTHER, PROVIDER, BANK, AGENT)}
SECOND = VIN[:-1] + "6"
"""The VIN of a second car."""
LONG = 150 * DAY_MS
"""A listing that runs beyond every reservation."""
Placing = Callable[[Life], object]


def euro(amount: int) -> Money:
    return Money(amount, "EUR")


# --- terms --------------------------------------------------------------------------------------------------
def leg(
    amount: int, rail: str = "bank_transfer", provider: str | None = PROVIDER, due_days: int = 7, **changes: Any
) -> Leg:
    """A part of the price. Its kind is that of its rail, where the rail has one."""
    kind = rail if rail in ("finance", "trade_in") else "balance"
    given = address(provider) if provider is not None and rail != "trade_in" else None
    return Leg(**dict(kind=kind, rail=rail, provider=given, custody="direct", amount=amount,
                      due_ms=due_days * DAY_MS) | changes)  # fmt: skip


def terms(*legs: Leg, **changes: Any) -> Terms:
    """Terms whose price is the sum of the parts; without parts, the price by transfer."""
    parts = legs or (leg(PRICE.amount),)
    return plain_terms(euro(sum(part.amount for part in parts)), legs=parts, **changes)


def credit(amount: int, **changes: Any) -> dict[str, Any]:
    """What terms have with a credit of the bank that pays `amount` of the price."""
    finance = Finance(**dict(lender=address(BANK), title_to="buyer", takes_lien=False) | changes)
    return dict(legs=(leg(PRICE.amount - amount), leg(amount, "finance", BANK)), finance=finance)


def with_credit(amount: int = 4_000_000, **changes: Any) -> Terms:
    return plain_terms(**credit(amount, **changes))


def second_car(life: Life) -> None:
    """The buyer has a second car."""
    life.chain.do("bmw", register(SECOND))
    life.chain.do("bmw", transfer(life.chain, vin=SECOND), SELLER)
    change(life.chain, VEHICLE, SECOND, holder=address(BUYER))


def root_of(life: Life, vin: str = VIN) -> bytes:
    found = life.chain.state(VEHICLE, vin)
    return material_root(vin, found) if found is not None else bytes(32)


def trading(life: Life, value: int = 1_000_000, **changes: Any) -> Terms:
    """Terms by which the buyer's second car pays `value` of the price."""
    car = dict(
        vin=SECOND, taker=address(SELLER), odometer_max=1_000, material_root=root_of(life, SECOND), condition=None
    )
    parts = (leg(value, "trade_in", due_days=0), leg(PRICE.amount - value))
    return plain_terms(legs=parts, trade_in=TradeIn(**car | changes))


# --- orders -------------------------------------------------------------------------------------------------
def ordered(agreed: Terms | None = None, stage: str = "accepted", *, listed_ms: int = 0, before: Placing | None = None,
            terms_of: Callable[[Life], Terms] | None = None, **listed: Any) -> Life:  # fmt: skip
    """A life with an order on the terms, offered, accepted or paid in full."""
    life = at("wholesale")
    if before is not None:
        before(life)
    if listed_ms:
        listed["expires_at_ms"] = life.chain.now + listed_ms
    life.listing = life.chain.do(SELLER, listing(life.chain, **listed))
    if terms_of is not None:
        agreed = terms_of(life)
    life.order = life.chain.do(BUYER, offer(life.chain, life.listing, terms=agreed or plain_terms()))
    if stage != "offered":
        take(life)
    if stage == "paid":
        pay(life)
    return life


def take(life: Life) -> None:
    life.chain.do(SELLER, accept(life.chain, life.order), BUYER)


def pay(life: Life, leg_number: int | None = None, amount: int | None = None, reference: bytes = b"") -> bytes:
    """Pay every part in money, or one; the last payment."""
    order = life.chain.state(ORDER, life.order)
    for number, part in enumerate(order.terms.legs):
        if part.provider is None or leg_number not in (None, number):
            continue
        life.payment = begin(life, number, amount)
        tell(life, "settled", amount, reference=reference or b"entry of %d" % number)
    return life.payment


def begin(life: Life, number: int = 0, amount: int | None = None) -> bytes:
    """A payment of a part, by a scheme of its rail."""
    part = life.chain.state(ORDER, life.order).terms.legs[number]
    scheme = {"card": "visa", "bank_transfer": "sct", "instant_transfer": "sct_inst", "finance": "credit"}[part.rail]
    money = euro(part.amount if amount is None else amount)
    return life.chain.do(BUYER, initiate(life.order, money, leg=number, scheme=scheme))


def sold_by_card() -> Life:
    """A car that was paid by card and handed over."""
    life = ordered(plain_terms(legs=(leg(PRICE.amount, "card"),)))
    by_card(life, 0, PRICE.amount)
    hand_over(life)
    return life


def by_card(life: Life, number: int, amount: int) -> bytes:
    """Pay by card a part of the price, or with 255 what the buyer owes after its end."""
    life.payment = life.chain.do(BUYER, initiate(life.order, euro(amount), leg=number, scheme="visa"))
    for kind in ("authorised", "captured", "settled"):
        tell(life, kind)
    return life.payment


def tell(life: Life, kind: str, amount: int | None = None, payment: bytes = b"", **changes: Any) -> None:
    """The payment's provider attests the next step."""
    life.chain.do(*telling(life, kind, amount, payment, **changes))


def telling(
    life: Life, kind: str, amount: int | None = None, payment: bytes = b"", **changes: Any
) -> tuple[str, TransactionBody]:
    ident = payment or life.payment
    found: Payment = life.chain.state(PAYMENT, ident)
    sender = next(name for name in (PROVIDER, BANK) if address(name) == found.provider)
    money = found.amount if amount is None else replace(found.amount, amount=amount)
    reference = changes.pop("reference", ident + b"%d" % found.sequence)
    return sender, attest(life.chain, ident, kind, reference, amount=money, **changes)


def told(life: Life, kind: str, amount: int | None = None, payment: bytes = b"", **changes: Any) -> list[str]:
    """The guards that are unmet if the provider attests the next step."""
    return codes_of(life, *telling(life, kind, amount, payment, **changes))


def counter(life: Life, price: int = 5_200_000, **changes: Any) -> TransactionBody:
    found = life.chain.state(ORDER, life.order)
    fields = dict(round=found.round if found else 0, terms=plain_terms(euro(price)),
                  expires_at_ms=life.chain.now + DAY_MS)  # fmt: skip
    return specimen("order.counter", life.chain, **dict(order=life.order) | fields | changes)


def reject(life: Life, **changes: Any) -> TransactionBody:
    found = life.chain.state(ORDER, life.order)
    return specimen("order.reject", life.chain, **dict(order=life.order, round=found.round if found else 0) | changes)


def countered(life: Life) -> None:
    life.chain.do(SELLER, counter(life))


def cancel(life: Life, reason: str = "changed_mind", kept: int = 0, **changes: Any) -> TransactionBody:
    return specimen("order.cancel", life.chain, **dict(order=life.order, reason=reason, kept=kept) | changes)


def cancelling(reason: str, kept: int = 0) -> Callable[[Life], TransactionBody]:
    return lambda life: cancel(life, reason, kept)


def claim_refund(life: Life, **changes: Any) -> TransactionBody:
    return specimen("order.claim_refund", life.chain, {"order": life.order}, **changes)


def reinstate(life: Life, days: int = 20, **changes: Any) -> TransactionBody:
    until = life.chain.now + days * DAY_MS
    return specimen("order.reinstate", life.chain, {"order": life.order}, **dict(until_ms=until) | changes)


def amend(life: Life, agreed: Terms, **changes: Any) -> TransactionBody:
    return specimen("order.amend", life.chain, **dict(order=life.order, terms=agreed) | changes)


def about_payment(life: Life, tag: str, units: int, **changes: Any) -> TransactionBody:
    """`payment.refund` or `payment.confirm_refund`."""
    return specimen(tag, life.chain, **dict(payment=life.payment, amount=euro(units)) | changes)


def handing_over(life: Life, *cosigners: str, sender: str = SELLER, **changes: Any) -> list[str]:
    """The guards that are unmet if seller and buyer hand the car over."""
    return codes_of(life, sender, handover(life.chain, life.order, 200, **changes), *(cosigners or (BUYER,)))


def hand_over(life: Life, *cosigners: str, sender: str = SELLER, **changes: Any) -> None:
    life.chain.do(sender, handover(life.chain, life.order, 200, **changes), *(cosigners or (BUYER,)))


def trade_fields(life: Life, value: int = 300) -> dict[str, Any]:
    """What a handover says of the car in payment."""
    return dict(trade_odometer=km(value), trade_material_root=root_of(life, SECOND))


def codes_of(life: Life, sender: str, body: TransactionBody, *cosigners: str, extra: Iterable[Any] = ()) -> list[str]:
    return life.chain.unmet(life.chain.sign(sender, body, *cosigners, extra=list(extra)))


def after(life: Life, days: float = 0, *, at_ms: int = 0) -> Life:
    """Let time pass, to a block at a time or so many days on."""
    life.chain.now = at_ms or life.chain.now + int(days * DAY_MS)
    life.chain.produce(pass_ms=1)
    return life


def refresh(life: Life) -> None:
    """The offer has seen everything up to now."""
    change(life.chain, ORDER, life.order, disclosure_root=offer(life.chain, life.listing).disclosure_root)


def back(life: Life, value: int = 250, **changes: Any) -> TransactionBody:
    """The car comes back; with `trade_in_back` the one in payment too."""
    plain = dict(odometer=km(value), event_at_ms=life.chain.now)
    if changes.get("trade_in_back"):
        plain |= dict(trade_odometer=km(320), trade_material_root=root_of(life, SECOND))
    return specimen("order.return", life.chain, {"order": life.order}, **plain | changes)


# --- what is owed -------------------------------------------------------------------------------------------
def claims(life: Life) -> list[tuple[str, str, int, str]]:
    """(debtor, creditor, minor units, cause) of the order's claims."""
    found = claims_of(ledger_of(life.chain), life.order)
    assert all("EUR" == claim.amount.currency for claim in found)
    return [(NAMES[c.debtor], NAMES[c.creditor], c.amount.amount, c.cause) for c in found]


def debts(life: Life) -> dict[str, int]:
    """Minor units that the seller owes each creditor now."""
    found = debts_now(ledger_of(life.chain), order_of(life))
    assert all("EUR" == debt.amount.currency for debt in found)
    return {NAMES[debt.creditor]: debt.amount.amount for debt in found}


def due_of(life: Life, creditor: str = BUYER) -> int:
    """When the seller's debt to a creditor is due."""
    found = debts_now(ledger_of(life.chain), order_of(life))
    return next(debt.due_ms for debt in found if debt.creditor == address(creditor))


def disputing(life: Life, reason: str = "refund", **changes: Any) -> TransactionBody:
    return specimen("order.dispute", life.chain, {"order": life.order}, reason=reason, **changes)


def disputed(life: Life, opener: str = BUYER, reason: str = "refund", **changes: Any) -> bytes:
    return life.chain.do(opener, disputing(life, reason, **changes))


def answered(life: Life, opener: str = BUYER, answers: str = SELLER, **changes: Any) -> bytes:
    """A dispute about the order that arbiters may vote on."""
    dispute = disputed(life, opener, **changes)
    life.chain.do(answers, specimen("order.respond", life.chain, dispute=dispute))
    return dispute


def vote(life: Life, dispute: bytes, decision: Decision, *arbiters: str) -> None:
    """Arbiters vote for the same, until no further vote can change the outcome."""
    for arbiter in arbiters or ARBITERS:
        if not life.chain.state(ORDER_DISPUTE, dispute).closed_at_ms:
            life.chain.do(arbiter, specimen("order.resolve", life.chain, dispute=dispute, decision=decision))


def decide(life: Life, decision: Decision, opener: str = BUYER, answers: str = SELLER, **changes: Any) -> None:
    vote(life, answered(life, opener, answers, **changes), decision)


# --- agents and private people -------------------------------------------------------------------------------
RIGHTS = ("list", "negotiate", "accept", "handover", "return")


def sale(floor: int = 5_000_000, **changes: Any) -> SaleTerms:
    rails = (AcceptedRail("bank_transfer", (address(PROVIDER),)), AcceptedRail("trade_in", ()))
    fields = dict(floor=euro(floor), rails=rails, trade_in_max=1_000_000, commission_permille=30,
                  commission_fixed=0, allow_self=False)  # fmt: skip
    return SaleTerms(**fields | changes)


def entrust(life: Life, rights: tuple[str, ...] = RIGHTS, **changes: Any) -> bytes:
    """The seller's mandate for an agent."""
    body = specimen("mandate.grant", life.chain, agent=address(AGENT), rights=rights, sale=sale(**changes),
                    ends_at_ms=life.chain.now + 90 * DAY_MS)  # fmt: skip
    return life.chain.do(SELLER, body, AGENT)


def through_agent(stage: str = "listed", rights: tuple[str, ...] = RIGHTS, **changes: Any) -> Life:
    """A car that the agent lists, and further if asked."""
    life = at("wholesale")
    mandate = entrust(life, rights, **changes)
    rails = (AcceptedRail("bank_transfer", (address(PROVIDER),)), AcceptedRail("trade_in", ()))
    life.mandate = mandate  # type: ignore[attr-defined]
    life.listing = life.chain.do(AGENT, listing(life.chain, mandate=mandate, rails=rails))
    if stage != "listed":
        life.offered()
    if stage in ("accepted", "paid"):
        life.chain.do(AGENT, accept(life.chain, life.order), BUYER)
    if stage == "paid":
        pay(life)
    return life


def open_account(life: Life, name: str, sponsor: str = PROVIDER) -> tuple[bytes, PrivateKey]:
    """An account that a member has opened for a customer."""
    key = dev_key("account", name)
    signer = (address_of(key.public), key)
    life.chain.do(sponsor, AccountOpen((key.public,), 1, b""), extra=[signer])
    return signer


def listing_of(life: Life) -> Any:
    return life.chain.state(LISTING, life.listing)


def order_of(life: Life) -> Any:
    return life.chain.state(ORDER, life.order)


def payment_of(life: Life, ident: bytes = b"") -> Any:
    return life.chain.state(PAYMENT, ident or life.payment)


def market_of_car(life: Life, vin: str = VIN) -> Any:
    return life.chain.state(VEHICLE, vin).market


def market_answers(life: Life) -> tuple[str, str, str, bool]:
    """What is answered at the head's time of market, listing and order, and whether the market shows the listing."""
    chain = life.chain
    vehicle = view_of(chain, VEHICLE, VIN)["market"]["status"]
    found = view_of(chain, LISTING, life.listing)["status"]
    order = view_of(chain, ORDER, life.order)["status"]
    shown = set()
    for wanted in ({}, {"vin": VIN}, {"model": "330I", "country": "DE"}):
        page = listed(chain, LISTING, **wanted)
        shown.add(life.listing.hex() in {entry["id"] for entry in page["listings"]})
    assert 1 == len(shown), "every filter finds it or none"
    return vehicle, found, order, shown.pop()
