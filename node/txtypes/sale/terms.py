"""Guards of the terms of a deal, which an offer, a counter-offer and an amendment share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

from node import limits
from node.crypto.addresses import to_text
from node.ledger.family import Reader
from node.ledger.guards import Guard
from node.ledger.overlay import Ledger
from node.rules.deals import DEPOSIT_MAX_PER_MILLE
from node.rules.rails import UNPROVEN_RAILS
from node.txtypes.identity.account import ACCOUNT
from node.txtypes.members.accepted_rail import AcceptedRail
from node.txtypes.members.member import MEMBER, ROLE_SCOPE, Grant, has_role
from node.txtypes.sale.deal import Leg, Terms, in_money
from node.txtypes.sale.listing import Listing
from node.txtypes.vehicle.vehicle import VEHICLE, vehicle_at

TRADERS = ("manufacturer", "dealer")

PRICE_ZERO = Guard(
    "price_zero",
    "a sale has a price: a gift is title.assign",
    "ein Kauf hat einen Preis: eine Schenkung ist title.assign",
    "买卖须有价格：赠与请用 title.assign",
)
PAYMENT_CURRENCY = Guard("payment_currency", "the currency differs from the listing's or the order's",
                         "die Währung weicht vom Inserat oder vom Auftrag ab", "币种与挂牌或订单不符")  # fmt: skip
TAX_SCHEME = Guard("tax_scheme", "the tax does not fit the sale", "die Steuer passt nicht zum Verkauf",
                         "税制与交易不符")  # fmt: skip
FEES_EXCEED = Guard("fees_exceed", "the fees exceed the price that contains them",
                    "die Gebühren übersteigen den Preis, der sie enthält", "费用超过总价")  # fmt: skip
LEGS_SUM = Guard("legs_sum", "the parts do not make up the price", "die Teile ergeben nicht den Preis",
                 "各部分之和不等于价格")  # fmt: skip
LEGS_ORDER = Guard("legs_order", "the parts are not in the order of their due times",
                   "die Teile stehen nicht in der Reihenfolge ihrer Fälligkeit", "各部分未按到期顺序排列")  # fmt: skip
LEGS_KIND = Guard("legs_kind", "a credit or a car traded in pays exactly one part of the price, on its own rail",
                  "ein Kredit oder ein Fahrzeug in Zahlung bezahlt genau einen Teil des Preises, auf eigenem Zahlweg",
                  "贷款或置换车辆须恰好支付价格的一部分，且使用各自的支付方式")  # fmt: skip
PRICE_MAX: Final = limits.MONEY_MAX // 1_000
"""The highest price, in minor units. What 16 payments, their refunds and the claims of an order sum up to is then far
below what an amount can hold."""

RAIL_NOT_ACCEPTED = Guard("rail_not_accepted", "rail or provider is not accepted or not agreed on",
                          "Zahlweg oder Dienst ist nicht angenommen oder nicht vereinbart",
                          "支付方式或服务商未被接受")  # fmt: skip
RAIL_SHARE = Guard("rail_share", "the seller takes less of the price on this rail",
                   "der Verkäufer nimmt auf diesem Zahlweg nur einen kleineren Teil an",
                   "卖方在此支付方式上接受的比例较低")  # fmt: skip
RAIL_FORBIDDEN = Guard(
    "rail_forbidden",
    "the rail is forbidden in a country of the deal",
    "der Zahlweg ist in einem Land des Geschäfts verboten",
    "交易所涉国家禁止此支付方式",
)
RAIL_NOT_YET = Guard("rail_not_yet", "the chain cannot prove payments on this rail yet",
                     "die Kette kann Zahlungen auf diesem Weg noch nicht beweisen",
                     "链上尚不能证明此支付方式的付款")  # fmt: skip
RAIL_CURRENCY = Guard("rail_currency", "the rail does not carry this currency",
                      "der Zahlweg befördert diese Währung nicht", "该支付方式不支持此币种")  # fmt: skip
HOLD_EXCEEDS_RESERVE = Guard(
    "hold_exceeds_reserve",
    "the last part would be final only after the reservation",
    "der letzte Teil wäre erst nach der Reservierung endgültig",
    "最后一笔款项在预定期满后才能最终到账",
)
PROVIDER_UNACCREDITED = Guard(
    "provider_unaccredited",
    "the provider does not hold the role for this rail",
    "der Dienst hat die Rolle für diesen Zahlweg nicht",
    "服务商没有该支付方式的资质",
)
PROVIDER_IS_PARTY = Guard("provider_is_party", "a provider is not buyer, seller or agent, and takes no car in payment",
                          "ein Dienst ist weder Käufer noch Verkäufer noch Agent und nimmt kein Fahrzeug in Zahlung",
                          "支付服务商不得为买方、卖方、代理人或置换车接收人")  # fmt: skip
PROVIDER_SPONSORS_BUYER = Guard(
    "provider_sponsors_buyer",
    "the provider has opened the buyer's account, which the seller does not allow",
    "der Dienst hat das Konto des Käufers eröffnet, was der Verkäufer nicht zulässt",
    "买方账户由该服务商开立，而卖方不允许",
)
PRICE_HIGH = Guard("price_high", "no car costs that much: the sums of an order would not be counted any more",
                   "so viel kostet kein Auto: die Summen eines Auftrags ließen sich nicht mehr zählen",
                   "价格过高：订单金额将无法累计")  # fmt: skip
CANCEL_FEE_HIGH = Guard("cancel_fee_high", "the fee for a change of mind is too high",
                        "die Gebühr für einen Rücktritt ist zu hoch", "反悔费过高")  # fmt: skip
CONTRACT_KIND = Guard(
    "contract_kind",
    "this contract does not fit the parties or the listing",
    "dieser Vertrag passt nicht zu den Parteien oder zum Inserat",
    "该合同类型与当事人或挂牌不符",
)


def check_terms(
    ledger: Ledger, subject: str, terms: Terms, listing: Listing, buyer: bytes, agreed: Terms | None = None
) -> None:
    """Notes everything for which a listing's seller and a buyer could not agree on the terms now. `agreed`: terms whose
    providers both have accepted already, whoever the listing names."""
    known = {(leg.rail, leg.provider) for leg in agreed.legs} if agreed is not None else set()
    _check_price(ledger, subject, terms, listing)
    _check_parts(ledger, subject, terms, listing)
    for leg in terms.legs:
        _check_leg(ledger, subject, terms, leg, listing, buyer, is_known=(leg.rail, leg.provider) in known)
    due = max((leg.due_ms for leg in terms.legs if leg.kind != "trade_in"), default=0)
    last = due + max((a.hold_ms for a in listing.rails), default=0)
    if last > terms.reserve_ms:
        ledger.unmet(HOLD_EXCEEDS_RESERVE, subject, last, f"at most {terms.reserve_ms}")
    highest = ledger.params.reservation_ms
    if terms.reserve_ms > highest:
        ledger.unmet(HOLD_EXCEEDS_RESERVE, subject, terms.reserve_ms, f"at most {highest}")
    _check_contract(ledger, subject, terms, listing, buyer)


def is_trader(ledger: Ledger, account: bytes) -> bool:
    return has_role(ledger, account, *TRADERS)


def check_currency(ledger: Ledger, subject: str, given: str, agreed_on: str) -> None:
    if given != agreed_on:
        ledger.unmet(PAYMENT_CURRENCY, subject, given, agreed_on)


def _check_price(ledger: Ledger, subject: str, terms: Terms, listing: Listing) -> None:
    price = terms.price.amount
    check_currency(ledger, subject, terms.price.currency, listing.price.currency)
    if not price:
        ledger.unmet(PRICE_ZERO, subject)
    if price > PRICE_MAX:
        ledger.unmet(PRICE_HIGH, subject, price, f"at most {PRICE_MAX}")
    if (fees := sum(fee.amount for fee in terms.fees)) > price:
        ledger.unmet(FEES_EXCEED, subject, fees, f"at most {price}")
    if terms.cancel_fee > (most := price * ledger.params.cancel_fee_max_permille // 1_000):
        ledger.unmet(CANCEL_FEE_HIGH, subject, terms.cancel_fee, f"at most {most}")
    tax, is_trade = terms.tax, is_trader(ledger, listing.seller)
    vehicle = ledger.get(VEHICLE, listing.vin) if listing.vin else None
    is_new = vehicle is None or not vehicle.transfer_count
    if tax.amount > price:
        ledger.unmet(TAX_SCHEME, subject, tax.amount, f"at most {price}")
    if (tax.scheme == "private") == is_trade:
        ledger.unmet(TAX_SCHEME, subject, tax.scheme, "private only if the seller is no trader")
    if tax.scheme == "private" and (tax.amount or tax.rate_permille):
        ledger.unmet(TAX_SCHEME, subject, tax.amount, "no tax in a private sale")
    if tax.scheme == "margin" and is_new:
        ledger.unmet(TAX_SCHEME, subject, tax.scheme, "a car that was sold before")


def _check_parts(ledger: Ledger, subject: str, terms: Terms, listing: Listing) -> None:
    if (total := sum(leg.amount for leg in terms.legs)) != terms.price.amount or not all(
        leg.amount for leg in terms.legs
    ):
        ledger.unmet(LEGS_SUM, subject, total, f"{terms.price.amount}, each part above 0")
    due = [leg.due_ms for leg in terms.legs if leg.kind != "trade_in"]
    if due != sorted(due):
        ledger.unmet(LEGS_ORDER, subject)
    for kind, part in (("finance", terms.finance), ("trade_in", terms.trade_in)):
        count = sum(leg.kind == kind for leg in terms.legs)
        if count != (part is not None) or any((leg.kind == kind) != (leg.rail == kind) for leg in terms.legs):
            ledger.unmet(LEGS_KIND, subject, f"{count} parts of kind {kind}")
    credits = [leg for leg in terms.legs if leg.kind == "finance"]
    if terms.finance is not None and any(leg.provider != terms.finance.lender for leg in credits):
        ledger.unmet(LEGS_KIND, subject, need="a credit that its lender pays")
    deposits = sum(leg.amount for leg in terms.legs if leg.kind == "deposit")
    if not listing.vin and deposits * 1_000 > terms.price.amount * DEPOSIT_MAX_PER_MILLE:
        ledger.unmet(LEGS_SUM, subject, deposits, f"deposits of at most {DEPOSIT_MAX_PER_MILLE} per mille of the price")
    if not in_money(terms):
        ledger.unmet(LEGS_SUM, subject, "no part in money", "a part in money")


def _check_leg(
    ledger: Ledger, subject: str, terms: Terms, leg: Leg, listing: Listing, buyer: bytes, *, is_known: bool
) -> None:
    accepted = next((a for a in listing.rails if a.rail == leg.rail), None)
    is_named = leg.provider in accepted.providers if accepted is not None and leg.provider else leg.rail == "trade_in"
    if (accepted is None or not is_named) and not is_known:
        provider = to_text(leg.provider) if leg.provider else "nobody"
        ledger.unmet(RAIL_NOT_ACCEPTED, subject, f"{leg.rail} by {provider}")
    check_rail(ledger, subject, leg.rail, terms.price.currency, countries_of(ledger, listing, leg.provider))
    if accepted is not None:
        paid_on_it = sum(other.amount for other in terms.legs if other.rail == leg.rail)
        if paid_on_it * 1_000 > terms.price.amount * accepted.share_max_permille:
            ledger.unmet(
                RAIL_SHARE, subject, paid_on_it, f"at most {accepted.share_max_permille} per mille of the price"
            )
    if leg.provider:
        check_provider(ledger, leg.provider, leg.rail, listing.country)
        taker = terms.trade_in.taker if terms.trade_in is not None else None
        if leg.provider in (buyer, listing.seller, listing.agent, taker):
            ledger.unmet(PROVIDER_IS_PARTY, to_text(leg.provider))
        check_sponsor(ledger, leg.provider, buyer, accepted)


def check_sponsor(ledger: Ledger, provider: bytes, buyer: bytes, accepted: AcceptedRail | None) -> None:
    """Notes a provider that sponsors the buyer, unless the seller takes that rail from such a one."""
    if is_refused_sponsor(ledger, provider, buyer, accepted):
        ledger.unmet(PROVIDER_SPONSORS_BUYER, to_text(provider))


def is_refused_sponsor(reader: Reader, provider: bytes, buyer: bytes, accepted: AcceptedRail | None) -> bool:
    account = reader.get(ACCOUNT, buyer)
    is_sponsor = account is not None and account.sponsor == provider
    return is_sponsor and not (accepted is not None and accepted.allow_sponsored)


def check_provider(ledger: Ledger, provider: bytes, rail: str, country: str) -> None:
    """Notes a provider without the role for the rail: `bank` for a credit, else `payment_provider`; or one whose grants
    do not reach the country."""
    held = _grants(ledger, provider, rail, ledger.now_ms)
    if not held:
        ledger.unmet(PROVIDER_UNACCREDITED, to_text(provider), need=_role_for(rail))
    elif not any(grant.covers("", country) for grant in held):
        ledger.unmet(ROLE_SCOPE, to_text(provider), need=country)


def is_provider_fit(reader: Reader, provider: bytes, rail: str, country: str, now_ms: int) -> bool:
    """Whether `check_provider` would note nothing."""
    return any(grant.covers("", country) for grant in _grants(reader, provider, rail, now_ms))


def _role_for(rail: str) -> Literal["bank", "payment_provider"]:
    return "bank" if rail == "finance" else "payment_provider"


def _grants(reader: Reader, provider: bytes, rail: str, now_ms: int) -> list[Grant]:
    """The active grants of the role for the rail, none of a member that is not active."""
    member = reader.get(MEMBER, provider)
    if member is None or not member.is_active(now_ms):
        return []
    return [grant for grant in member.grants if grant.role == _role_for(rail) and grant.is_active(now_ms)]


def check_rail(ledger: Ledger, subject: str, rail: str, currency: str, countries: Iterable[str]) -> None:
    """Notes a rail that the chain can't prove yet, that a country of the deal forbids, or that does not carry the
    currency."""
    if rail in UNPROVEN_RAILS:
        ledger.unmet(RAIL_NOT_YET, subject, rail)
    for country in countries:
        if rail in ledger.rules.tables.rails_forbidden.get(country, frozenset()):
            ledger.unmet(RAIL_FORBIDDEN, subject, rail, f"a rail allowed in {country}")
    rule = ledger.rules.tables.rail_rules.get(rail)
    if rule is not None and rule.currencies and currency not in rule.currencies:
        ledger.unmet(RAIL_CURRENCY, subject, currency, " or ".join(sorted(rule.currencies)))


def countries_of(ledger: Ledger, listing: Listing, *accounts: bytes | None) -> tuple[str, ...]:
    """The countries of a deal: of the listing, of its seller, its agent and further accounts as members, and the one
    that has the car registered."""
    found = [listing.country]
    for account in (listing.seller, listing.agent, *accounts):
        member = ledger.get(MEMBER, account) if account else None
        if member is not None:
            found.append(member.country)
    vehicle = ledger.get(VEHICLE, listing.vin) if listing.vin else None
    if vehicle is not None and (country := vehicle_at(vehicle, ledger.now_ms).registration.country):
        found.append(country)
    return tuple(dict.fromkeys(found))


def _check_contract(ledger: Ledger, subject: str, terms: Terms, listing: Listing, buyer: bytes) -> None:
    contract, is_trade = terms.contract, is_trader(ledger, listing.seller)
    allowed = (
        {"private"} if not is_trade else {"business"} if ledger.get(MEMBER, buyer) else {"on_premises", "distance"}
    )
    if contract not in allowed or contract not in listing.contracts:
        ledger.unmet(
            CONTRACT_KIND, subject, contract, " or ".join(sorted(allowed & set(listing.contracts))) or "another"
        )
