"""Schemas of the answers: the stored values by reference, and beside them what `render` and `queries` derive."""

from __future__ import annotations

from typing import Any, Final

from node.chain.block import Commit, Header
from node.chain.genesis import Genesis
from node.chain.vote import Evidence
from node.rpc.problems import PROBLEMS
from node.txtypes.accounts import Account
from node.txtypes.envelope import TxSignature
from node.txtypes.governance import Proposal
from node.txtypes.listing import Listing
from node.txtypes.members import Member
from node.txtypes.order import Order
from node.txtypes.payment import Payment
from node.txtypes.unmet import TEXTS
from node.txtypes.validators import ValidatorEntry
from node.txtypes.vehicle import Vehicle

Schema = dict[str, Any]

STATE_VALUES: Final = (
    Genesis, Header, Commit, Evidence, Vehicle, Listing, Order, Payment, Account, Member, Proposal, TxSignature,
    ValidatorEntry,
)  # fmt: skip

S: Final[Schema] = {"type": "string"}
I: Final[Schema] = {"type": "integer"}  # noqa: E741
B: Final[Schema] = {"type": "boolean"}
TIME: Final[Schema] = {
    "type": "string",
    "anyOf": [{"format": "date-time"}, {"maxLength": 0}],
    "description": "RFC 3339 with milliseconds, UTC; empty for none",
}
HEX: Final[Schema] = {"type": "string", "pattern": "^([0-9a-f]{2})*$"}
CURSOR: Final[Schema] = {"type": ["string", "null"], "description": "for the next page; null at the end"}
STAMP: Final[Schema] = {"height": I, "time": TIME}


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def array(items: Schema, most: int = 0) -> Schema:
    return {"type": "array", "items": items} | ({"maxItems": most} if most else {})


def nullable(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def record(optional: Schema | None = None, /, **properties: Schema) -> Schema:
    """An object whose named properties are all there."""
    return {"type": "object", "properties": {**properties, **(optional or {})}, "required": list(properties)}


def extended(name: str, /, **properties: Schema) -> Schema:
    """A stored value with derived fields beside its own."""
    return {"allOf": [ref(name), record(**properties)]}


def page(name: str, items: Schema, /, **more: Schema) -> Schema:
    return record(**{name: array(items), "cursor": CURSOR, **more, **STAMP})


ANSWERS: Final[dict[str, Schema]] = {
    "Object": {"type": "object"},
    "Text": {"type": "string"},
    "Unmet": record(
        code={**S, "enum": list(TEXTS)}, subject=S, have=S, need=S, text={**S, "description": "by Accept-Language"}
    ),
    "Problem": record(
        {"unmet": array(ref("Unmet")), "txid": HEX, "final": B, "until": TIME, "nearest": S, "ready": B,
         "reasons": array(S)},
        type=S, title=S, status=I, detail=S, code={**S, "enum": list(PROBLEMS)},
    ),
    "Status": record(
        chain_id=S, genesis_hash=HEX, head=record(height=I, id=HEX, time=TIME, state_root=HEX),
        first_height=I, syncing=B,
        sync=record(target=I, blocks_per_second=I, seconds_left=I), validator=B,
        validator_address=S, validator_name=S, signing=S, round=I, step=S, peers=I,
        pool=record(transactions=I, bytes=I), halted=S, moniker=S, node_key=HEX, version=S,
    ),
    "Live": record(live=B),
    "Ready": record(ready=B, reasons=array(S)),
    "Peers": record(
        peers=array(record(node_key=HEX, address=S, moniker=S, is_outbound=B, height=I, member=S, member_name=S)),
        height=I,
    ),
    "Validators": record(
        height=I, hash=HEX, total_power=I, validators=array(extended("ValidatorEntry", name=S))
    ),
    "Transaction": record(
        txid=HEX, wire_id=HEX, type=S, sender=S, salt=S, expires_at=TIME, body=ref("Body"),
        signatures=array(ref("TxSignature")), size=I,
    ),
    "Block": record(
        height=I, id=HEX, time=TIME, header=ref("Header"), transactions=array(ref("Transaction")),
        evidence=array(ref("Evidence")), last_commit=ref("Commit"), commit=ref("Commit"),
    ),
    "BlocksPage": page("blocks", ref("Block")),
    "State": record(
        {"proof": record(entries=HEX, siblings=array(HEX)), "tree_depth": I, "state_root": HEX,
         "header": nullable(extended("Header", raw=HEX)), "commit": nullable(extended("Commit", raw=HEX))},
        key=S, value=nullable(HEX), decoded={"type": ["object", "null"]}, **STAMP,
    ),
    "ProposalAnswer": record(
        id=HEX, proposer=S, action={"type": "object"}, expires_at=TIME, yes=array(S), no=array(S),
        status={"enum": ["open", "carried_out", "failed", "refused", "expired"]}, **STAMP,
    ),
    "Pending": record(txid=HEX, status={"const": "pending"}, expires_at=TIME),
    "Committed": record(txid=HEX, status={"const": "committed"}, height=I, index=I),
    "Rejected": record(
        txid=HEX, status={"const": "rejected"}, unmet=array(ref("Unmet")),
        final={**B, "description": "false: it may still get into a block; send the same bytes, never a re-signed copy"},
        until=TIME,
    ),
    "Expired": record(
        txid=HEX, status={"const": "expired"}, final=B, until=TIME,
        unmet={**array(ref("Unmet")), "description": "why it was rejected here before; empty where it only waited"},
    ),
    "Fate": {
        "oneOf": [
            ref("Pending"),
            {"allOf": [ref("Committed"), record(
                block_id=HEX, time=TIME, records=array({**S, "description": "`<vin>/<sequence>`"}),
                transaction=ref("Transaction"))]},
            ref("Rejected"),
            ref("Expired"),
        ]
    },
    "Encoded": record(payload=HEX, sign_bytes=HEX, txid=HEX, sender=S, salt=S, expires_at=TIME),
    "BatchResults": record(
        results=array(record({"problem": ref("Problem"), "height": I, "index": I, "expires_at": TIME},
                             txid={**S, "description": "empty where the bytes have none"}, status=S))
    ),
    "Checked": record(ok=B, txid=HEX, unmet=array(ref("Unmet")), **STAMP),
    "VehicleOdometer": record(
        verdict={"enum": ["LOGICAL", "ILLOGICAL", "NO_VERDICT"]}, reasons=array(S),
        likely_error={**I, "description": "sequence of a record that is probably a typing error, or -1"},
        outliers=array(I), readings=I, unit=S, newest=nullable(record(metres=I, event_at=TIME, sequence=I)),
    ),
    "VehicleAnswer": extended(
        "Vehicle", vin=S, summary={**S, "description": "one word for people"}, maker_name=S,
        title=record(holder=S, holder_name=S, since=TIME), odometer=ref("VehicleOdometer"), **STAMP,
    ),
    "VehicleEntry": extended(
        "Vehicle", vin=S, summary=S, maker_name=S, title=record(holder=S, holder_name=S, since=TIME),
        odometer=ref("VehicleOdometer"),
    ),
    "VehiclesPage": page("vehicles", ref("VehicleEntry")),
    "Record": record(
        id=S, sequence=I, txid=HEX, height=I, time=TIME, author=S, author_name=S, author_is_fraudulent=B, kind=S,
        event_at=TIME, late=B, content=ref("Body"), outcome=array(S), digest=HEX, salt=HEX,
    ),
    "HistoryPage": page("records", ref("Record"), vin=S, record_count=I, history_head=HEX),
    "ListingEntry": {"allOf": [{"type": "object"}, record(
        id=HEX, vin=S, seller=S, seller_name=S, model=S, price=ref("Money"), country=S, expires_at=TIME, version=I,
        status={"enum": ["open", "reserved", "withdrawn", "sold", "expired"]}, prices=array({"type": "object"}),
        rails=array({"type": "object"}), odometer_disclosed=B,
    )]},
    "ListingAnswer": {"allOf": [ref("ListingEntry"), record(**STAMP)]},
    "ListingsPage": page("listings", ref("ListingEntry")),
    "Disclosure": record(
        vin=S, listing=HEX, listing_version=I, record_count=I, history_head=HEX, flags=array(S), recalls=array(S),
        verdict=S, brands=array(S), warranty=HEX, price=ref("Money"), disclosure_root=HEX, **STAMP,
    ),
    "PaymentEntry": record(
        id=HEX, order=HEX, payer=S, rail=S, provider=S, amount=ref("Money"), status=S, reference=HEX,
        settled=ref("Money"), refunded=ref("Money"), is_final_for_title=B, steps=array(record(status=S, at=TIME)),
    ),
    "PaymentAnswer": {"allOf": [ref("PaymentEntry"), record(**STAMP)]},
    "OrderEntry": record(
        id=HEX, listing=HEX, listing_version=I, vin=S, seller=S, seller_name=S, buyer=S, buyer_name=S,
        price=ref("Money"), rail=S, provider=S, contract=S, disclosure_root=HEX, expires_at=TIME,
        status={"enum": ["offered", "countered", "accepted", "completed", "rejected", "cancelled", "expired",
                         "fallen"]},
        payments=array(ref("PaymentEntry")), settled=ref("Money"), is_paid=B, deliveries=I, delivery_stage=S,
    ),
    "OrderAnswer": {"allOf": [ref("OrderEntry"), record(**STAMP)]},
    "OrdersPage": page("orders", ref("OrderEntry")),
    "MemberEntry": extended("Member", address=S, roles=array(S)),
    "MembersPage": page("members", ref("MemberEntry")),
    "AccountAnswer": extended(
        "Account", address=S, sponsor_name=S, member=nullable(ref("MemberEntry")), **STAMP
    ),
}  # fmt: skip
"""Name to schema; requests and stored values are added by `openapi`."""
