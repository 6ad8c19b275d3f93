"""The explorer's pages about transactions, orders and accounts, which the tier `showroom` does not have."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

from node.ledger.guards import GUARDS, Unmet
from node.views.next_steps import OMISSIONS
from web.asking import Ask, Drawn, Page, PageProblem, Query
from web.decoding import decoded, family_name, kind_name, value_name
from web.nodes import NodeRefusal
from web.party import Parties, Party

_HASH: Final = re.compile(r"[0-9a-f]{64}")
_ADDRESS: Final = re.compile(r"bmw1[02-9ac-hj-np-z]{38}")
_VIN: Final = re.compile(r"[A-HJ-NPR-Z0-9]{17}")
TONES: Final = {
    "pending": "warn", "committed": "good", "rejected": "bad", "expired": "bad", "completed": "good", "final": "good",
    "cancelled": "bad", "fallen": "bad", "withdrawn": "warn", "returned": "warn", "unwinding": "warn",
    "unwound": "warn", "failed": "bad", "charged_back": "bad", "disputed": "bad", "refunded": "warn", "captured": "",
}  # fmt: skip
"""How a status is shown: `good`, `warn` or `bad`, always beside its word."""
ENTRIES_SHOWN: Final = 25


class CursorQuery(Query, frozen=True):
    """`cursor`: where the list goes on."""

    cursor: str = ""


def _ident(ask: Ask, name: str) -> str:
    ident = ask.param(name).lower()
    if not _HASH.fullmatch(ident):
        raise PageProblem(404, "not_found")
    return ident


# --- a transaction ------------------------------------------------------------------------------------------------
class Change(NamedTuple):
    """A state value that a transaction has changed. `family`: what kind of value, `ident`: which one."""

    family: str
    ident: str
    href: str
    change: str
    status: str


async def transaction(ask: Ask) -> Drawn:
    """A transaction: what it says, whether it is in a block, and what it has changed."""
    told = await ask.site.nodes.json(f"/v1/transactions/{_ident(ask, 'txid')}")
    return Drawn("transaction.html", transaction_context(told, ask, await Parties.of(ask)))


def transaction_context(told: Mapping[str, Any], ask: Ask, parties: Parties) -> dict[str, Any]:
    """What the page of a transaction shows of the interface's answer."""
    signed = told.get("transaction")
    context: dict[str, Any] = {
        "told": told, "txid": told["txid"], "tone": TONES[told["status"]], "signed": signed, "unmet": (), "changes": (),
        "records": (),
    }  # fmt: skip
    if told["status"] in ("rejected", "expired"):
        context["unmet"] = [(unmet["code"], guard_text(unmet, ask.words.tag)) for unmet in told["unmet"]]
    if told["status"] == "committed":
        context["changes"] = [change_of(change, ask) for change in told["changes"] or ()]
        context["records"] = [record.partition("/")[::2] for record in told["records"] or ()]
    if signed is not None:
        context |= {
            "name": kind_name(ask.words, signed["type"]), "sender": parties(signed["sender"]),
            "lines": decoded(signed["body"], ask.words, parties, ask.link),
            "signers": [parties(signature["address"]) for signature in signed["signatures"]],
            "raw": msgspec.json.format(msgspec.json.encode(signed["body"]), indent=2).decode(),
        }  # fmt: skip
    return context


def guard_text(unmet: Mapping[str, Any], tag: str) -> str:
    """A guard that is not met, in one sentence; a guard of a newer ruleset in the node's own words."""
    if unmet["code"] not in GUARDS:
        return str(unmet["text"])
    return Unmet(unmet["code"], unmet["subject"], unmet["have"], unmet["need"]).text(tag)


def change_of(change: Mapping[str, Any], ask: Ask) -> Change:
    family, _, ident = change["key"].partition("/")
    href = ""
    if family in ("vehicle", "odometer", "life", "software", "sighting") and _VIN.fullmatch(ident):
        href = ask.link(f"/car/{ident}")
    elif family == "order" and _HASH.fullmatch(ident):
        href = ask.link(f"/order/{ident}")
    elif len(change["accounts"]) == 1 and family in ("account", "member", "conduct", "debtor", "frauds"):
        ident = change["accounts"][0]
        href = ask.link(f"/account/{ident}")
    elif _HASH.fullmatch(ident):
        href = ask.link(f"/tx/{ident}")
    status = value_name(ask.words, change["status"]) if change["status"] else ""
    return Change(family_name(ask.words, family), ident, href, value_name(ask.words, change["change"]), status)


# --- an order -----------------------------------------------------------------------------------------------------
class Happened(NamedTuple):
    """A transaction about an order."""

    name: str
    txid: str
    time: str
    party: Party
    role: str
    notes: tuple[str, ...]
    tone: str


async def order(ask: Ask) -> Drawn:
    """An order: its terms, its money, what it waits for, what has happened."""
    nodes, ident = ask.site.nodes, _ident(ask, "order")
    found = await nodes.json(f"/v1/orders/{ident}")
    money = await nodes.json(f"/v1/orders/{ident}/payments")
    following = await nodes.json(f"/v1/orders/{ident}/next")
    timeline = await nodes.json(f"/v1/orders/{ident}/timeline", {"limit": "100"})
    return Drawn("order.html", order_context(found, money, following, timeline, ask, await Parties.of(ask)))


def order_context(
    found: Mapping[str, Any], money: Mapping[str, Any], following: Mapping[str, Any], timeline: Mapping[str, Any],
    ask: Ask, parties: Parties,
) -> dict[str, Any]:  # fmt: skip
    """What the page of an order shows of the interface's answers."""
    sides = [(role, parties(found[role])) for role in ("seller", "buyer", "agent", "carrier") if found[role]]
    currency = money["price"]["currency"]
    return {
        "order": found, "sides": sides, "money": money, "currency": currency, "tone": TONES.get(found["status"], ""),
        "status": value_name(ask.words, found["status"]),
        "cause": ask.words.code("cancel_reasons", found["cause"]) if found["cause"] else "",
        "steps": [
            (kind_name(ask.words, step["type"]), [parties(address) for address in step["by"]], step,
             OMISSIONS[step["if_omitted"]].text(ask.words.tag) if step["if_omitted"] in OMISSIONS else step["text"])
            for step in following["steps"]
        ],
        "legs": legs_of(found, ask, parties), "happened": [happened(each, ask, parties) for each in
                                                            reversed(timeline["timeline"])],
        "is_long": timeline["cursor"] is not None,
        "payments": [(payment, parties(payment["provider"]), value_name(ask.words, payment["status"]),
                      TONES.get(payment["status"], "")) for payment in money["payments"]],
        "debts": [(debt, parties(debt["creditor"])) for debt in money["debts"]],
    }  # fmt: skip


def legs_of(found: Mapping[str, Any], ask: Ask, parties: Parties) -> list[Mapping[str, Any]]:
    """The parts of the price: what, how, through whom, how much, by when, and what has arrived."""
    currency = found["terms"]["price"]["currency"]
    return [
        {"kind": ask.words.code("leg_kinds", leg["kind"]), "rail": ask.words.code("rails", leg["rail"]),
         "provider": parties(leg["provider"]) if leg["provider"] else None, "is_money": leg["rail"] != "trade_in",
         "amount": {"amount": leg["amount"], "currency": currency}, "due": state["due"],
         "received": {"amount": state["net"], "currency": currency}}
        for leg, state in zip(found["terms"]["legs"], found["legs"], strict=False)
    ]  # fmt: skip


def happened(each: Mapping[str, Any], ask: Ask, parties: Parties) -> Happened:
    """An entry of the timeline. `notes`: its cause and its amount, where it has them, in words."""
    words = ask.words
    cause = each["cause"]
    told = "" if not cause else words.code("cancel_reasons", cause) if each["type"] == "order.cancel" else ""
    if cause and not told:
        told = words.code("case_categories", cause) if each["type"] == "case.open" else value_name(words, cause)
    notes = (told, words.code("payment_reasons", each["code"]) if each["code"] else "",
             words.money(each["amount"]) if each["amount"] else "")  # fmt: skip
    tone = TONES.get(each["status"], "") if each["type"].startswith("order.") else ""
    if cause in ("failed", "charged_back", "no_show"):
        tone = "bad"
    return Happened(
        kind_name(words, each["type"]), each["txid"], each["time"], parties(each["actor"]),
        value_name(words, each["role"]) if each["role"] else "", tuple(filter(None, notes)), tone,
    )  # fmt: skip


# --- an account ---------------------------------------------------------------------------------------------------
async def account(ask: Ask) -> Drawn:
    """An account: its keys, its cars, its orders, and what it has sent."""
    nodes, address = ask.site.nodes, ask.param("address").lower()
    if not _ADDRESS.fullmatch(address):
        raise PageProblem(404, "not_found")
    query = {"limit": str(ENTRIES_SHOWN)}
    if cursor := ask.query(CursorQuery).cursor:
        query["cursor"] = cursor
    found = await nodes.json(f"/v1/accounts/{address}")
    sent = await nodes.json(f"/v1/accounts/{address}/transactions", query)
    vehicles = await nodes.json(f"/v1/accounts/{address}/vehicles", {"limit": "24"})
    orders = await nodes.json(f"/v1/accounts/{address}/orders", {"limit": "24"})
    try:
        conduct = await nodes.json(f"/v1/accounts/{address}/conduct")
    except NodeRefusal:
        conduct = None
    parties = await Parties.of(ask)
    context = {
        "account": found, "address": address, "sponsor": parties(found["sponsor"]), "vehicles": vehicles,
        "orders": [(order, value_name(ask.words, order["status"]), TONES.get(order["status"], ""))
                   for order in orders["orders"]],
        "has_more_orders": orders["cursor"] is not None,
        "sent": [(tx, kind_name(ask.words, tx["type"]), parties(tx["sender"])) for tx in sent["transactions"]],
        "cursor": sent["cursor"], "is_first": not cursor, "conduct": conduct, "complete_from": sent["complete_from"],
    }  # fmt: skip
    return Drawn("account.html", context)


PAGES: Final = (
    Page("/tx/{txid}", transaction, "explorer", only_open=True),
    Page("/order/{order}", order, "explorer", only_open=True),
    Page("/account/{address}", account, "explorer", only_open=True),
)
