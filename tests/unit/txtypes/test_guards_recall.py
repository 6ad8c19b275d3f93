"""Guards and effect of `recall.open`."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.chain import address
from support.life import Life
from support.specimens import specimen
from support.stages import Case, at, change, ledger_of, table

from node.errors import Malformed
from node.ledger.family import AsOf
from node.ledger.receipts import Change
from node.txtypes.members.member import MEMBER
from node.txtypes.rulesets import RULESETS
from node.txtypes.service.recall import RECALL, CampaignReference, RecallOpen, RecallView


def campaign(*references: tuple[str, str], **changes: object) -> RecallOpen:
    body: RecallOpen = specimen("recall.open", **changes)
    return replace(body, references=tuple(CampaignReference(*entry) for entry in references) or body.references)


def opened(life: Life) -> None:
    life.chain.do("bmw", campaign())


def unscoped(life: Life) -> None:
    change(life.chain, MEMBER, address("bmw"), grants=tuple(
        replace(grant, wmis=()) for grant in life.chain.state(MEMBER, address("bmw")).grants
    ))  # fmt: skip


@table(
    Case("new", "", "bmw", lambda life: campaign()),
    Case("opened before", "", "bmw", lambda life: campaign(), ("campaign_exists",), before=opened),
    Case("another code", "", "bmw", lambda life: campaign(campaign="0016560701"), before=opened),
    Case("a workshop", "", "workshop-berlin", lambda life: campaign(), ("role_missing",)),
    Case("no member", "", "buyer-1", lambda life: campaign(), ("role_missing",)),
    Case("a grant without WMIs", "", "bmw", lambda life: campaign(), ("role_scope",), before=unscoped),
    Case("KBA, too short", "", "bmw", lambda life: campaign(("KBA", "123")), ("reference_form",)),
    Case("KBA's number of NHTSA", "", "bmw", lambda life: campaign(("NHTSA", "14567R")), ("reference_form",)),
    Case("SAMR", "", "bmw", lambda life: campaign(("SAMR", "S2026M0012V"))),
    Case("unknown authority", "", "bmw", lambda life: campaign(("XYZ", "1")), ("code_unknown",)),
    Case("unknown class", "", "bmw", lambda life: campaign(recall_class="boring"), ("code_unknown",)),
)
def test_opening_a_campaign(case: Case) -> None:
    assert case.codes == case.run()


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (campaign(remedy_from_day="2026-02-30"), "no calendar day"),
        (campaign(("KBA", "14567R"), ("KBA", "14567R")), "the same entry occurs twice"),
    ],
)
def test_what_no_state_is_needed_for(body: RecallOpen, says: str) -> None:
    with pytest.raises(Malformed, match=says):
        body.check_static()


def test_a_campaign_is_kept_under_its_manufacturer_and_shown_with_it() -> None:
    life, body = at(""), campaign()
    opened(life)
    ident = f"{address('bmw').hex()}-0016560700"
    recall = life.chain.state(RECALL, ident)
    assert (body.references, "safety", 1) == (recall.references, recall.recall_class, recall.opened_height)
    view = RecallView.of(ident, recall, ledger_of(life.chain), AsOf(life.chain.now, RULESETS[1]))
    assert (address("bmw"), "0016560700") == (view.manufacturer, view.campaign)
    row = life.chain.store.receipts(1)
    assert row is not None
    change = Change(f"recall/{ident}", "created", "", (f"account/{address('bmw').hex()}",))
    assert change in row.transactions[0].changes
