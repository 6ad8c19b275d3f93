"""`recall.open`: a manufacturer opens a recall campaign."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from node.codec import Value
from node.crypto.addresses import to_text
from node.ledger.body import TransactionBody
from node.ledger.example import Example
from node.ledger.family import AsOf, Family, Ident, Reader, extended
from node.ledger.fields import Address, Code, Day, Height, RecallAuthority, RecallClass
from node.ledger.guards import Guard
from node.ledger.overlay import Ledger
from node.ledger.static_rules import CalendarDay, StaticRule, Unique
from node.txtypes.members.member import ROLE_SCOPE, Roles, active_member

Remedy = Literal["inspect", "repair", "replace", "software", "buy_back"]
Campaign = Annotated[str, Meta(pattern=r"^[A-Z0-9][A-Z0-9._-]*\Z", max_length=40)]
PartNumbers = Annotated[tuple[Code, ...], Meta(max_length=16)]

CAMPAIGN_EXISTS = Guard("campaign_exists", "the manufacturer has a campaign of this code",
                        "der Hersteller hat eine Aktion mit diesem Code", "制造商已有此编号的召回")  # fmt: skip
REFERENCE_FORM = Guard("reference_form", "the authority does not number recalls in this form",
                       "so nummeriert die Behörde keine Rückrufe", "召回编号格式与该机构不符")  # fmt: skip


class Reference(Value, frozen=True):
    """The number under which an authority lists a campaign."""

    authority: RecallAuthority
    number: Annotated[str, Meta(pattern=r"^[A-Z0-9-]{1,32}\Z")]


References = Annotated[tuple[Reference, ...], Meta(min_length=1, max_length=8)]


class Recall(Value, tag=1, frozen=True):
    """A campaign of a manufacturer, under `recall/<manufacturer>-<campaign>`."""

    recall_class: RecallClass
    references: References
    remedy: Remedy
    part_numbers: PartNumbers
    remedy_from_day: Day
    opened_height: Height


class RecallView(Recall, frozen=True):
    """A campaign with its manufacturer and its code."""

    manufacturer: Address
    campaign: Campaign

    @staticmethod
    def of(ident: str, recall: Recall, reader: Reader, as_of: AsOf) -> RecallView:
        manufacturer, _, campaign = ident.partition("-")
        return extended(RecallView, recall, manufacturer=bytes.fromhex(manufacturer), campaign=campaign)


RECALL = Family(
    "recall", Recall,
    ident=Ident("a campaign's id: <manufacturer>-<campaign>", r"[0-9a-f]{40}-[A-Z0-9][A-Z0-9._-]{0,39}"),
    concerns=lambda ident, recall: (f"account/{ident[:40]}",), event="recall", path="/v1/recalls", view=RecallView,
    internal=("manufacturer",),
)  # fmt: skip


class RecallOpen(TransactionBody, tag="recall.open", frozen=True):
    """Open a recall campaign. Only a manufacturer whose grant names WMIs can; the campaign names no cars yet."""

    campaign: Campaign
    references: References
    recall_class: RecallClass
    remedy: Remedy
    part_numbers: PartNumbers
    remedy_from_day: Day
    static_rules: ClassVar[tuple[StaticRule, ...]] = (CalendarDay("remedy_from_day"), Unique("references"))
    by: ClassVar[Roles] = Roles("manufacturer")
    EXAMPLE: ClassVar[Example] = Example("bmw", {
        "campaign": "0016560700", "recall_class": "safety", "remedy": "replace", "part_numbers": ["34336888459"],
        "references": [{"authority": "KBA", "number": "14567R"}, {"authority": "NHTSA", "number": "25V123"}],
        "remedy_from_day": "2026-03-01",
    })  # fmt: skip

    def guards(self, ledger: Ledger) -> None:
        for authority, number in ((entry.authority, entry.number) for entry in self.references):
            form = ledger.rules.tables.recall_authorities.get(authority, ".*")  # an unknown one is `code_unknown`
            if not re.fullmatch(form, number):
                ledger.unmet(REFERENCE_FORM, authority, number, form)
        member = active_member(ledger, ledger.sender)
        grants = [g for g in member.grants if g.role == "manufacturer" and g.is_active(ledger.now_ms)] if member else []
        if grants and not any(grant.wmis for grant in grants):
            ledger.unmet(ROLE_SCOPE, to_text(ledger.sender), need="a manufacturer's grant that names WMIs")
        if ledger.get(RECALL, self._ident(ledger)) is not None:
            ledger.unmet(CAMPAIGN_EXISTS, self.campaign)

    def apply(self, ledger: Ledger) -> None:
        ledger.put(RECALL, self._ident(ledger), Recall(
            self.recall_class, self.references, self.remedy, self.part_numbers, self.remedy_from_day,
            ledger.block.height,
        ))  # fmt: skip

    def _ident(self, ledger: Ledger) -> str:
        return f"{ledger.sender.hex()}-{self.campaign}"
