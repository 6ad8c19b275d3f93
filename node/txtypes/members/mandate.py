"""Mandates: a principal lets an agent act for it, in named matters, for named cars, until a time."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal

from msgspec import Meta
from msgspec.structs import replace

from node import limits
from node.codec import Value
from node.crypto.addresses import to_text
from node.ledger.body import TransactionBody
from node.ledger.example import Example
from node.ledger.family import ADDRESS_IDENT, HASH_IDENT, AsOf, Family, Index, Reader, extended
from node.ledger.fields import Address, Amount, Id, Money, OptionalTime, Time, Vin
from node.ledger.guards import EXPIRY_PASSED, Guard
from node.ledger.json_form import time_to_text
from node.ledger.overlay import Ledger
from node.ledger.static_rules import StaticRule, Unique
from node.limits import DAY_MS
from node.txtypes.members.accepted_rail import Rails
from node.txtypes.members.member import Scope, name_of

Right = Literal["present", "respond", "list", "negotiate", "accept", "handover", "return"]
Rights = Annotated[tuple[Right, ...], Meta(min_length=1, max_length=7)]
OF_SALE: Final = frozenset({"list", "negotiate", "accept", "handover", "return"})
"""Rights to act in a sale. The agent signs too: it owes its principal what it takes in payment."""
PerMille = Annotated[int, Meta(ge=0, le=300)]
MANDATE_LIFETIME_MAX_MS: Final = 400 * DAY_MS

MANDATE_UNKNOWN = Guard("mandate_unknown", "there is no such mandate", "diese Vollmacht gibt es nicht", "委托不存在")
MANDATE_MISSING = Guard("mandate_missing", "the mandate has ended or does not cover this act and this car",
                        "die Vollmacht ist beendet oder deckt diese Handlung oder dieses Fahrzeug nicht",
                        "委托已终止或不包括此行为或此车辆", is_permission=True)  # fmt: skip
MANDATE_PARTY = Guard("mandate_party", "the account is neither principal nor agent of the mandate",
                      "das Konto ist weder Vollmachtgeber noch Bevollmächtigter", "该账户不是委托的当事方",
                      is_permission=True)  # fmt: skip
MANDATE_SELF = Guard("mandate_self", "nobody gives a mandate to itself", "niemand bevollmächtigt sich selbst",
                     "不能委托自己")  # fmt: skip
MANDATE_SALE = Guard("mandate_sale", "the rights of a sale and its terms are given together or not at all",
                     "Rechte zum Verkauf und seine Bedingungen werden zusammen erteilt oder gar nicht",
                     "销售权利与销售条件须同时授予")  # fmt: skip


class SaleTerms(Value, frozen=True):
    """What an agent may agree on in a sale. `floor`: the lowest price. `rails`: those that the principal takes, with
    its providers. `trade_in_max`: the highest value of a car taken in payment. The agent earns `commission_permille` of
    the price and `commission_fixed`. `allow_self`: it may buy the car itself."""

    floor: Money
    rails: Rails
    trade_in_max: Amount
    commission_permille: PerMille
    commission_fixed: Amount
    allow_self: bool


class Mandate(Value, tag=1, frozen=True):
    """What an agent may do for a principal. No VINs and no WMIs: for every car that the principal holds."""

    principal: Address
    agent: Address
    vins: Annotated[tuple[Vin, ...], Meta(max_length=limits.LIST_MAX)]
    wmis: Scope
    rights: Rights
    sale: SaleTerms | None
    granted_at_ms: Time
    ends_at_ms: Time
    ended_at_ms: OptionalTime


def is_running(mandate: Mandate, now_ms: int) -> bool:
    return not mandate.ended_at_ms and now_ms < mandate.ends_at_ms


class MandateView(Mandate, frozen=True):
    """A mandate as it counts now."""

    id: Id
    status: Literal["running", "ended"]
    principal_name: str
    agent_name: str

    @staticmethod
    def of(ident: str, mandate: Mandate, reader: Reader, as_of: AsOf) -> MandateView:
        return extended(
            MandateView, mandate, id=bytes.fromhex(ident),
            status="running" if is_running(mandate, as_of.now_ms) else "ended",
            principal_name=name_of(reader, mandate.principal), agent_name=name_of(reader, mandate.agent),
        )  # fmt: skip


MANDATE = Family(
    "mandate", Mandate, ident=HASH_IDENT,
    indexes=(
        Index("party", lambda mandate: sorted({mandate.principal.hex(), mandate.agent.hex()}), ADDRESS_IDENT,
              description="principal or agent"),
    ),
    concerns=lambda ident, mandate: (f"account/{mandate.principal.hex()}", f"account/{mandate.agent.hex()}"),
    event="mandate", status=lambda mandate: "ended" if mandate.ended_at_ms else "running", path="/v1/mandates",
    view=MandateView, internal=("id",),
)  # fmt: skip


def covers(mandate: Mandate, right: Right, principal: bytes, vin: str, title_since_ms: int, now_ms: int) -> bool:
    """Whether the mandate lets its agent use `right` on a car. `title_since_ms`: when the principal took the car's
    title, which ends every earlier mandate that names the VIN."""
    if not is_running(mandate, now_ms) or mandate.principal != principal or right not in mandate.rights:
        return False
    if vin in mandate.vins:
        return mandate.granted_at_ms >= title_since_ms
    return not mandate.vins and (not mandate.wmis or vin[:3] in mandate.wmis or vin[:3] + vin[11:14] in mandate.wmis)


def agent_of(
    ledger: Ledger, mandate_id: bytes | None, right: Right, principal: bytes, vin: str, title_since_ms: int
) -> bytes:
    """Who signs for `principal`: itself without a mandate, else the mandate's agent; notes what is wrong with it."""
    if mandate_id is None:
        return principal
    mandate = ledger.get(MANDATE, mandate_id)
    if mandate is None:
        ledger.unmet(MANDATE_UNKNOWN, mandate_id.hex())
        return principal
    if not covers(mandate, right, principal, vin, title_since_ms, ledger.now_ms):
        ledger.unmet(MANDATE_MISSING, mandate_id.hex(), need=f"{right} for {vin}")
    return mandate.agent


class MandateGrant(TransactionBody, tag="mandate.grant", frozen=True):
    """The sender lets the agent act for it. `wmis` without `vins` limits it to those makers' cars. `sale` is given with
    a right of a sale, and then the agent signs too."""

    agent: Address
    vins: Annotated[tuple[Vin, ...], Meta(max_length=limits.LIST_MAX)]
    wmis: Scope
    rights: Rights
    ends_at_ms: Time
    sale: SaleTerms | None = None
    static_rules: ClassVar[tuple[StaticRule, ...]] = (Unique("vins"), Unique("wmis"), Unique("rights"))
    headline: ClassVar[tuple[str, ...]] = ("agent", "rights")
    EXAMPLE: ClassVar[Example] = Example("dealer-munich", {
        "agent": "workshop-berlin", "vins": ["WBA8E9G50GNU12345"], "wmis": [], "rights": ["present", "respond"],
        "ends_at": "+90d",
    })  # fmt: skip

    def signers(self, ledger: Ledger) -> tuple[bytes, ...]:
        return (self.agent,) if OF_SALE.intersection(self.rights) else ()

    def guards(self, ledger: Ledger) -> None:
        if self.agent == ledger.sender:
            ledger.unmet(MANDATE_SELF, to_text(self.agent))
        if (self.sale is None) == bool(OF_SALE.intersection(self.rights)):
            ledger.unmet(MANDATE_SALE, to_text(self.agent))
        latest = ledger.now_ms + MANDATE_LIFETIME_MAX_MS
        if not ledger.now_ms < self.ends_at_ms <= latest:
            need = f"after {time_to_text(ledger.now_ms)}, at most {time_to_text(latest)}"
            ledger.unmet(EXPIRY_PASSED, to_text(self.agent), time_to_text(self.ends_at_ms), need)

    def apply(self, ledger: Ledger) -> None:
        ledger.put(MANDATE, ledger.txid, Mandate(
            ledger.sender, self.agent, self.vins, self.wmis, self.rights, self.sale, ledger.now_ms, self.ends_at_ms, 0
        ))  # fmt: skip


class MandateEnd(TransactionBody, tag="mandate.end", frozen=True):
    """Principal or agent ends a mandate."""

    mandate: Id
    EXAMPLE: ClassVar[Example] = Example("dealer-munich", {"mandate": "$mandate"})

    def guards(self, ledger: Ledger) -> None:
        mandate = ledger.get(MANDATE, self.mandate)
        if mandate is None:
            ledger.unmet(MANDATE_UNKNOWN, self.mandate.hex())
            return
        if ledger.sender not in (mandate.principal, mandate.agent):
            ledger.unmet(MANDATE_PARTY, self.mandate.hex())
        if not is_running(mandate, ledger.now_ms):
            ledger.unmet(MANDATE_MISSING, self.mandate.hex(), "ended", "running")

    def apply(self, ledger: Ledger) -> None:
        ledger.put(MANDATE, self.mandate, replace(ledger.the(MANDATE, self.mandate), ended_at_ms=ledger.now_ms))
