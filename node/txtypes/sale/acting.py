"""Who acts for a seller: it itself, or its agent under a mandate; and what bars a seller or a buyer from dealing."""

from __future__ import annotations

from typing import Protocol

from node.crypto.addresses import to_text
from node.ledger.fields import Money
from node.ledger.guards import Guard
from node.ledger.overlay import Ledger
from node.txtypes.members.accepted_rail import AcceptedRail
from node.txtypes.members.mandate import MANDATE, MANDATE_MISSING, MANDATE_UNKNOWN, Right, covers
from node.txtypes.members.member import MEMBER, is_fraudulent
from node.txtypes.sale.listing import NOT_A_PARTY
from node.txtypes.vehicle.claims import check_owes_nothing
from node.txtypes.vehicle.vehicle import VEHICLE

MANDATE_FLOOR = Guard("mandate_floor", "the price is below what the mandate allows, or in another currency",
                      "der Preis liegt unter dem, was die Vollmacht erlaubt, oder in anderer Währung",
                      "价格低于委托允许的底价或币种不同", is_permission=True)  # fmt: skip
MANDATE_RAILS = Guard("mandate_rails", "the principal does not take this rail from this provider",
                      "der Vollmachtgeber nimmt diesen Zahlweg von diesem Dienst nicht an",
                      "委托人不接受该服务商的此支付方式", is_permission=True)  # fmt: skip
SELLER_BARRED = Guard("seller_barred", "the seller is suspended or was revoked for fraud",
                      "der Verkäufer ist suspendiert oder wegen Betrugs ausgeschlossen",
                      "卖方被暂停或因欺诈被撤销资格", is_permission=True)  # fmt: skip


class Sold(Protocol):
    """A listing or an order: what is sold, by whom, and who may act for the seller."""

    @property
    def vin(self) -> str: ...
    @property
    def seller(self) -> bytes: ...
    @property
    def agent(self) -> bytes | None: ...
    @property
    def mandate(self) -> bytes | None: ...
    @property
    def price(self) -> Money: ...


def check_acting(
    ledger: Ledger, right: Right, sold: Sold, subject: str, *, rails: tuple[AcceptedRail, ...] = (),
    is_priced: bool = True,
) -> None:  # fmt: skip
    """Notes a sender who is neither the seller nor its agent with `right`. `rails`: those that the act relies on;
    `is_priced`: the act agrees on the price."""
    if ledger.sender == sold.seller:
        return
    if ledger.sender != sold.agent:
        ledger.unmet(NOT_A_PARTY, subject)
        return
    check_mandate(ledger, right, sold, rails=rails, is_priced=is_priced)


def check_mandate(
    ledger: Ledger, right: Right, sold: Sold, *, rails: tuple[AcceptedRail, ...] = (), is_priced: bool = True
) -> None:
    """Notes what an agent's mandate does not allow."""
    mandate = ledger.get(MANDATE, sold.mandate) if sold.mandate is not None else None
    if mandate is None:
        ledger.unmet(MANDATE_UNKNOWN, sold.mandate.hex() if sold.mandate is not None else "")
        return
    is_agent = mandate.agent == sold.agent
    if not is_agent or not covers(mandate, right, sold.seller, sold.vin, _title_since_ms(ledger, sold), ledger.now_ms):
        ledger.unmet(MANDATE_MISSING, to_text(mandate.agent), need=f"{right} for {sold.vin}")
    terms = mandate.sale
    if terms is None:
        return
    floor = terms.floor
    if is_priced and (sold.price.currency != floor.currency or sold.price.amount < floor.amount):
        ledger.unmet(MANDATE_FLOOR, sold.vin, sold.price.amount, f"at least {floor.amount} {floor.currency}")
    allowed = {accepted.rail: accepted for accepted in terms.rails}
    for accepted in rails:
        known = allowed.get(accepted.rail)
        if known is None or not set(accepted.providers) <= set(known.providers) or not _is_as_strict(accepted, known):
            ledger.unmet(MANDATE_RAILS, sold.vin, accepted.rail)


def may_act(ledger: Ledger, right: Right, sold: Sold) -> bool:
    """Whether the agent's mandate has a right now, at the price that is agreed on."""
    mandate = ledger.get(MANDATE, sold.mandate) if sold.mandate is not None else None
    if mandate is None or mandate.sale is None or mandate.agent != sold.agent:
        return False
    floor, price = mandate.sale.floor, sold.price
    is_enough = price.currency == floor.currency and price.amount >= floor.amount
    return is_enough and covers(mandate, right, sold.seller, sold.vin, _title_since_ms(ledger, sold), ledger.now_ms)


def _title_since_ms(ledger: Ledger, sold: Sold) -> int:
    """Since when the seller has the title. A car that it has sold is no reason that ends the mandate of that sale."""
    vehicle = ledger.get(VEHICLE, sold.vin) if sold.vin else None
    return vehicle.title_since_ms if vehicle is not None and vehicle.holder == sold.seller else 0


def _is_as_strict(accepted: AcceptedRail, known: AcceptedRail) -> bool:
    return (
        accepted.share_max_permille <= known.share_max_permille and accepted.hold_ms >= known.hold_ms
        and (known.allow_sponsored or not accepted.allow_sponsored)
    )  # fmt: skip


def check_standing(ledger: Ledger, seller: bytes, vin: str) -> None:
    """Notes what bars an account from selling a car."""
    member = ledger.get(MEMBER, seller)
    if (member is not None and not member.is_active(ledger.now_ms)) or is_fraudulent(ledger, seller, ledger.now_ms):
        ledger.unmet(SELLER_BARRED, to_text(seller))
    check_owes_nothing(ledger, seller, vin)
