"""States of transactions, orders and members that the story does not reach, drawn by the real templates."""

from __future__ import annotations

import re
from typing import Any

import pytest
from support.rendering import page_of

from web.pages.members import member_context
from web.pages.transactions import order_context, transaction_context
from web.party import Parties
from web.words import TAGS, Tag

TXID, UNTIL = "ab" * 32, "2026-01-02T10:00:00.000Z"
SELLER, BUYER = "bmw15mkdszxt2em759grcf5zl09ztm568wd8tczp23", "bmw1232kkxhqx0ueyp802vfge9448h2wc6rzaggc59"
UNMET = {"code": "order_status", "subject": TXID, "have": "completed", "need": "offered", "text": "?"}
COMMITTED = {"txid": TXID, "status": "committed", "height": 7, "index": 0, "block_id": None, "time": None,
             "transaction": None, "records": None, "changes": None, "happenings": None, "complete_from": 9}  # fmt: skip
EUR = "EUR"


def a_transaction(tag: Tag, **told: Any) -> str:
    page = page_of(
        "transaction.html",
        lambda ask: transaction_context({"txid": TXID, **told}, ask, Parties(ask, {})),
        f"/tx/{TXID}", tag,
    )  # fmt: skip
    return re.sub(r"\s+", " ", page)


@pytest.mark.parametrize(("tag", "word"), [("en", "Pending"), ("de", "Ausstehend"), ("zh", "待处理")])
def test_a_pending_transaction(tag: Tag, word: str) -> None:
    page = a_transaction(tag, status="pending", until=UNTIL)
    assert f'<h2 id="status">{word}</h2>' in page
    assert 'class="box warn"' in page


@pytest.mark.parametrize(("tag", "guard"), [
    ("en", "the order is not in the right state"), ("de", "der Auftrag ist nicht im richtigen Zustand"),
    ("zh", "订单状态不符"),
])  # fmt: skip
def test_a_rejected_transaction_tells_its_guards(tag: Tag, guard: str) -> None:
    page = a_transaction(tag, status="rejected", until=UNTIL, final=False, unmet=[UNMET])
    assert guard in page
    assert "order_status" in page
    assert page != a_transaction(tag, status="rejected", until=UNTIL, final=True, unmet=[UNMET])


def test_an_expired_transaction_and_one_whose_block_is_gone() -> None:
    assert "It can never become part of the chain" in a_transaction("en", status="expired", until=UNTIL, unmet=[])
    page = a_transaction("en", **COMMITTED)
    assert "This node does not keep the block any more" in page
    assert "from block 9 on" in page


def an_order(tag: Tag) -> str:
    """An accepted order with a step that it waits for, and a debt."""
    amount = {"amount": "500000", "currency": EUR}
    found = {
        "id": TXID, "vin": "", "seller": SELLER, "buyer": BUYER, "agent": None, "carrier": None, "status": "cancelled",
        "cause": "mutual", "accepted_at": UNTIL, "ended_at": None, "handed_over_metres": 0,
        "terms": {"price": amount, "contract": "private",
                  "legs": [{"kind": "deposit", "rail": "bank_transfer", "provider": SELLER, "amount": 500_000}]},
        "legs": [{"due": UNTIL, "net": 0, "final": 0}],
    }  # fmt: skip
    money = {"price": amount, "in_money": 500_000, "net": 0, "final": 0, "missing": 500_000, "payments": [],
             "debts": [{"creditor": BUYER, "amount": amount, "due": UNTIL}]}  # fmt: skip
    step = {"type": "payment.initiate", "by": [BUYER], "from": None, "until": UNTIL, "leg": 0, "amount": amount,
            "reason": "", "if_omitted": "offer_lapses", "text": "?"}  # fmt: skip
    entry = {"txid": TXID, "height": 7, "index": 0, "time": UNTIL, "type": "order.cancel", "actor": SELLER,
             "actor_name": "", "role": "seller", "signers": [], "status": "cancelled", "cause": "mutual", "code": "",
             "amount": None, "about": f"order/{TXID}"}  # fmt: skip
    return page_of(
        "order.html",
        lambda ask: order_context(found, money, {"steps": [step]}, {"timeline": [entry], "cursor": "x"}, ask,
                                  Parties(ask, {SELLER: "dealer-munich"})),
        f"/order/{TXID}", tag,
    )  # fmt: skip


@pytest.mark.parametrize(("tag", "words"), [
    ("en", ("What it waits for", "The offer lapses,", "car to be built", "both agree", "Owed")),
    ("de", ("Worauf er wartet", "Das Angebot verfällt", "zu bauendes Fahrzeug", "beide einig", "Geschuldet")),
    ("zh", ("等待事项", "报价失效", "待生产车辆", "双方同意", "欠款")),
])  # fmt: skip
def test_an_order_tells_what_it_waits_for_and_who_is_owed(tag: Tag, words: tuple[str, ...]) -> None:
    page = an_order(tag)
    for word in words:
        assert word in page
    assert 'href="/en/member/dealer-munich"'.replace("/en/", f"/{tag}/") in page


@pytest.mark.parametrize("tag", TAGS)
def test_a_member_with_every_mark(tag: Tag) -> None:
    grant = {"role": "workshop", "wmis": ["WBA"], "country": "DE", "capabilities": ["hv"], "starts_at": UNTIL,
             "ends_at": UNTIL, "changes": [], "status": "revoked", "reason": "fraud"}  # fmt: skip
    member = {"name": "workshop-x", "country": "DE", "admitted_height": 4, "grants": [grant], "sites": [], "roles": [],
              "address": SELLER, "status": "suspended", "reason": "security"}  # fmt: skip
    side = {"side": "seller", "made": 9, "accepted": 8, "completed": 5, "returned": 1, "lapsed": 1, "refused": 0,
            "cancelled": [{"reason": "mutual", "count": 2}], "live": 1}  # fmt: skip
    conduct = {
        "quarters": [{"quarter": 1, "annulled": 2, "unanswered": 1, "dismissed": 0, "defaulted": 3}],
        "frauds": [{"role": "", "since": UNTIL}, {"role": "dealer", "since": UNTIL}], "is_on_hold": True,
        "hold_until": UNTIL, "is_barred": True, "barred_until": UNTIL, "refunds_overdue": 2, "claims_against": 1,
        "orders": [side], "is_whole": False,
        "disputes": {"opened": 2, "dismissed": 1, "against": 3, "lost": 1, "undecided": 0, "open": 0},
        "cases": {"received": 4, "late": 1, "by_silence": 0, "solved": 3, "live": 0, "opened": 1},
    }  # fmt: skip
    page = page_of("member.html", lambda ask: member_context(member, conduct, [], ask), "/member/workshop-x", tag)
    assert 7 == len(re.findall(r'<section class="box (?:bad|warn)">', page))
    assert "{" not in re.sub(r"<[^>]*>", "", page), "every place of a text is filled"
