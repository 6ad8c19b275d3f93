"""State values and co-signers from docs/PROTOCOL.md and docs/schema.json: a second reader, with nothing of the node."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from support.second_codec import SCHEMA, unpack

PROTOCOL = (Path(__file__).resolve().parents[2] / "docs" / "PROTOCOL.md").read_text("utf-8")
ROW = re.compile(r"^\| [0-9]+ \| (?:`(\w+)`|\((?:tag)\)) \| (.*) \|$", re.MULTILINE)
STRUCT = re.compile(r"^(?:list of \[)?`([A-Z]\w*)`")
CLAIM_MS = 30 * 86_400_000
SALE_RIGHTS = frozenset({"list", "negotiate", "accept", "handover", "return"})
LEGS, FINANCE, LEG_KIND, LEG_AMOUNT = 3, 5, 0, 4
"""Places in the terms and in a leg."""
"""The place of the credit in a deal's terms."""
State = Mapping[bytes, bytes]
Fields = dict[str, Any]


@cache
def _table(heading: str) -> list[tuple[str, str]]:
    """(field, type) of the rows below a heading of section 8; the field of a tag is empty."""
    start = PROTOCOL.index(f"\n{heading}\n")
    rows = PROTOCOL[PROTOCOL.index("| 0 |", start) :]
    return ROW.findall(rows[: rows.index("\n\n") + 1])


def read(heading: str, values: list[Any]) -> Fields:
    """The fields of an encoded struct by their names, structs within it too."""
    found = {}
    for (name, kind), value in zip(_table(heading), values, strict=True):
        struct = STRUCT.match(kind)
        if struct is not None and value is not None:
            inner = f"`{struct[1]}`"
            value = [read(inner, entry) for entry in value] if kind.startswith("list") else read(inner, value)
        found[name] = value
    return found


def state_value(state: State, family: str, ident: str) -> Fields | None:
    raw = state.get(f"{family}/{ident}".encode())
    return None if raw is None else read(f"#### `{family}/`", unpack(raw))


def body_fields(body: list[Any]) -> Fields:
    """The fields of a transaction's body by their names in JSON."""
    return {field["name"]: value for field, value in zip(SCHEMA["types"][body[0]]["fields"], body[1:], strict=True)}


def _status(changes: list[Fields], time_ms: int) -> str:
    return next((change["status"] for change in reversed(changes) if change["at_ms"] <= time_ms), "active")


def has_role(state: State, address: bytes, role: str, time_ms: int, wmi: str = "") -> bool:
    member = state_value(state, "member", address.hex())
    if member is None or _status(member["changes"], time_ms) != "active":
        return False
    for grant in member["grants"]:
        is_running = grant["starts_at_ms"] <= time_ms < (grant["ends_at_ms"] or time_ms + 1)
        is_in_scope = not wmi or not grant["wmis"] or wmi in grant["wmis"]
        if grant["role"] == role and is_running and is_in_scope and _status(grant["changes"], time_ms) == "active":
            return True
    return False


def _banks(vehicle: Fields, time_ms: int) -> list[bytes]:
    """The setters of the liens that have not lapsed."""
    liens = (flag for flag in vehicle["flags"] if flag["name"] == "lien")
    return [lien["setter"] for lien in liens if not lien["until_ms"] or time_ms < lien["until_ms"]]


def _presenter(state: State, vehicle: Fields, told: Fields) -> bytes:
    """The holder, or the agent of the mandate that the record names."""
    mandate = state_value(state, "mandate", told["mandate"].hex()) if told.get("mandate") else None
    found: bytes = mandate["agent"] if mandate is not None else vehicle["holder"]
    return found


def _is_claim(registration: Fields, country: str, time_ms: int) -> bool:
    """Whether an acceptance by this country is a claim: another country has the car, and has not let it leave."""
    status, until_ms, claim = registration["status"], registration["until_ms"], registration["claim"]
    if claim is not None and claim["since_ms"] + CLAIM_MS <= time_ms:
        status, until_ms = "registered", 0
    if until_ms and until_ms <= time_ms:
        status = "exported" if status == "export_pending" else "deregistered"
    is_leaving = status == "export_pending" and registration["to_country"] == country
    return not is_leaving and status not in ("none", "exported")


def _of_order(kind: str, sender: bytes, told: Fields, order: Fields) -> Iterator[bytes | None]:
    """Who signs what both parties of an order agree on."""
    ours, theirs = order["seller"], order["buyer"]
    finance, trade_in = order["terms"]["finance"], order["terms"]["trade_in"]
    match kind:
        case "order.accept":
            is_there = order["terms"]["contract"] == "on_premises"
            yield (theirs if sender != theirs else order["agent"] or ours) if is_there else None
        case "order.cancel":
            yield from (ours, theirs) if told["reason"] == "mutual" else ()
        case "order.reinstate":
            yield from (theirs, ours if sender == theirs else sender)
            yield finance["lender"] if finance is not None else None
        case "order.amend":
            new = told["terms"][FINANCE]
            after = None if new is None else {"lender": new[0], "title_to": new[1], "takes_lien": new[2]}
            credits = [sum(leg["amount"] for leg in order["terms"]["legs"] if leg["kind"] == "finance")]
            credits.append(sum(leg[LEG_AMOUNT] for leg in told["terms"][LEGS] if leg[LEG_KIND] == "finance"))
            is_same = finance == after and credits[0] == credits[1]
            lenders = [f["lender"] for f in (finance, after) if f is not None] if not is_same else []
            yield from (theirs, ours if sender in (ours, theirs) else sender, *lenders)
        case "order.handover":
            yield from (order["agent"] if sender == order["agent"] != theirs else ours, theirs)
            yield from (*told["paid_off"], *told["trade_paid_off"])
            yield trade_in["taker"] if trade_in is not None else None
            is_lent = finance is not None and (told["promises"] or finance["title_to"] == "lender")
            yield finance["lender"] if is_lent else None
        case "order.return":
            yield from (order["agent"] if sender == order["agent"] != theirs else ours, theirs)
            yield finance["lender"] if finance is not None else None
            yield trade_in["taker"] if told["trade_in_back"] and trade_in is not None else None


def co_signers(state: State, sender: bytes, body: list[Any], time_ms: int) -> Iterator[bytes | None]:
    """Section 4: who signs beside the sender, by the type. None is nobody."""
    kind, told = body[0], body_fields(body)
    vehicle = state_value(state, "vehicle", told["vin"]) if "vin" in told else None
    holder = vehicle["holder"] if vehicle is not None else None
    match kind:
        case "vehicle.total_loss":
            yield holder if told["holder_signs"] or told["takes_title"] else None
            return
        case "vehicle.rebuild":
            yield from (told["registrar"], holder)
            return
        case "vehicle.scrap":
            yield from (None if has_role(state, sender, "registrar", time_ms) else holder, told["police"])
            return
    if vehicle is not None and told.get("holder_signs"):
        yield _presenter(state, vehicle, told)
    match kind:
        case "title.transfer":
            yield from (told["receiver"], *told["paid_off"])
        case "title.assign":
            yield from (told["receiver"], *(_banks(vehicle, time_ms) if vehicle is not None else ()))
        case "mandate.grant":
            yield told["agent"] if SALE_RIGHTS.intersection(told["rights"]) else None
        case "payment.reassign":
            payment = state_value(state, "payment", told["payment"].hex())
            order = state_value(state, "order", payment["order"].hex()) if payment is not None else None
            yield from (order["seller"], order["buyer"]) if order is not None else ()
        case "order.accept" | "order.amend" | "order.cancel" | "order.reinstate" | "order.handover" | "order.return":
            order = state_value(state, "order", told["order"].hex())
            yield from _of_order(kind, sender, told, order) if order is not None else ()
        case "inspection.record":
            yield from (told["second_inspector"], told["police"])
        case "flag.clear" | "record.amend" | "odometer.replace":
            yield told["witness"]
        case "vehicle.import":
            yield from (told["inspector"], told["holder"], told["confirmed_by"])
        case "registration.export":
            yield from _banks(vehicle, time_ms) if vehicle is not None else ()
        case "registration.accept":
            is_claim = vehicle is not None and _is_claim(vehicle["registration"], told["country"], time_ms)
            yield from _banks(vehicle, time_ms) if vehicle is not None and is_claim else ()
        case "warranty.start":
            yield None if has_role(state, sender, "manufacturer", time_ms, told["vin"][:3]) else holder
        case "warranty.extend":
            yield holder if told["is_bought"] else None
