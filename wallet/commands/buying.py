"""`bmw-wallet buy`: an offer for a listing, with the terms put together from what the seller accepts."""

from __future__ import annotations

import json
from typing import Any, Final

import click
from msgspec.structs import replace

from node.crypto.addresses import to_text
from node.errors import Malformed, OperatorError
from node.ledger.json_form import to_json
from node.limits import DAY_MS
from node.txtypes.members.accepted_rail import AcceptedRail
from node.txtypes.members.member import MEMBER
from node.txtypes.sale.deal import Tax
from node.txtypes.sale.listing import LISTING, Listing
from wallet.commands.consent import Consent, consent_options
from wallet.commands.read import ident
from wallet.commands.shared import example, with_session
from wallet.commands.tx import tx
from wallet.session import Session
from wallet.values import parse_amount

RESERVE_DAYS: Final = 30


@click.command("buy", epilog=example("bmw-wallet buy 5f1c... --from alice --rail bank_transfer --wait"))
@click.argument("listing_id", metavar="LISTING", type=ident)
@click.option("sender", "--from", required=True, metavar="NAME", help="the buyer's key")
@click.option("--rail", metavar="RAIL", help="how to pay [default: the first that the seller accepts for money]")
@click.option("--provider", metavar="ADDRESS", help="through whom [default: the rail's first provider]")
@click.option("--price", metavar="AMOUNT", help="another price than the listing's, such as 51000.00EUR")
@click.option("--contract", metavar="KIND", help="private, business, on_premises or distance [default: the first that "
              "fits the buyer]")  # fmt: skip
@click.option("--due", "due_days", type=click.IntRange(0, 365), default=7, show_default=True, metavar="DAYS",
              help="days after the acceptance on which the price is due")  # fmt: skip
@click.option("--expires", "offer_until", default="+3d", show_default=True, metavar="TIME", help="the end of the offer")
@click.option("is_waiting", "--wait", is_flag=True, help="wait until it is committed, and prove that it is")
@click.option("is_dry", "--dry-run", is_flag=True, help="check it now and show what it would change; send nothing")
@consent_options
@with_session
@click.pass_context
def buy(
    ctx: click.Context, session: Session, listing_id: str, sender: str, rail: str | None, provider: str | None,
    price: str | None, contract: str | None, due_days: int, offer_until: str, is_waiting: bool, is_dry: bool,
    consent: Consent,
) -> None:  # fmt: skip
    """Offer to buy the car of LISTING, at its price unless another is given.

    Before it is signed, you are shown from proven state what the offer means, and asked. A program gives --yes,
    --expect vin=VALUE --expect seller=VALUE, and the price by --price or --expect price=VALUE. For a deposit, a credit,
    a car in payment or several parts use `bmw-wallet tx order.offer`.
    """
    if consent.yes and price is None and not any(text.startswith("price=") for text in consent.expected):
        raise click.UsageError("--yes takes no price that you do not name: give --price, or --expect price=VALUE")
    buyer = session.keystore.info(session.signer(sender).name).address
    session.check_chain()
    listing, is_member = session.over_state(
        session.light_client(consent.accept_old_root),
        lambda reader: (reader.get(LISTING, bytes.fromhex(listing_id)), reader.get(MEMBER, buyer) is not None),
    )
    if listing is None:
        raise click.UsageError(f"it is proven that there is no listing {listing_id}; `bmw-wallet listings` shows all")
    accepted = _accepted(listing, rail)
    try:
        through = session.address(provider) if provider else accepted.providers[0]
        money = _price(listing, price)
    except Malformed as error:
        raise click.UsageError(str(error)) from None
    terms = {
        "price": money, "tax": to_json(_tax(listing, int(money["amount"]))), "fees": [], "trade_in": None,
        "finance": None,
        "legs": [{
            "kind": "balance", "rail": accepted.rail, "provider": to_text(through), "custody": "direct",
            "amount": int(money["amount"]), "due_ms": due_days * DAY_MS,
        }],
        "contract": contract or _contract(listing, is_member), "cancel_fee": 0,
        "reserve_ms": max(RESERVE_DAYS, due_days + 1) * DAY_MS + accepted.hold_ms, "deliver_by": None, "text": None,
    }  # fmt: skip
    ctx.invoke(
        tx.commands["order.offer"], listing=listing_id, listing_version=listing.version, terms=json.dumps(terms),
        expires_at=offer_until, options=(), sender=sender, cosigners=(), body_file=None, expires="+30m",
        is_waiting=is_waiting, is_dry=is_dry, is_offline=False, output=None, yes=consent.yes, expected=consent.expected,
        accept_old_root=consent.accept_old_root,
    )  # fmt: skip


def _accepted(listing: Listing, rail: str | None) -> AcceptedRail:
    for accepted in listing.rails:
        if accepted.providers and rail in (None, accepted.rail):
            return accepted
    known = ", ".join(accepted.rail for accepted in listing.rails if accepted.providers)
    raise click.UsageError(f"the seller accepts {known or 'no money'}" + (f", not {rail}" if rail else ""))


def _price(listing: Listing, text: str | None) -> dict[str, Any]:
    if text is None:
        return {"amount": str(listing.price.amount), "currency": listing.price.currency}
    return parse_amount(text)


def _tax(listing: Listing, amount: int) -> Tax:
    """The tax that a price of `amount` contains, where the listing's own says it only of its own price."""
    tax = listing.tax
    if tax.scheme != "standard" or amount == listing.price.amount:
        return replace(tax, amount=min(tax.amount, amount))
    gross = 1_000 + tax.rate_permille
    return replace(tax, amount=(2 * amount * tax.rate_permille + gross) // (2 * gross))


def _contract(listing: Listing, is_member: bool) -> str:
    for kind in listing.contracts:
        if kind == "private" or (kind == "business") == is_member:
            return kind
    raise OperatorError("the seller makes no contract that fits this buyer: name another with --contract")
