"""Events, derived from a committed block alone, so that every node gives the same ones with the same ids at any time.

The id is `height-sequence`, counted over *all* events of the block: it does not depend on anybody's filter.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import msgspec

from node.chain.block import block_id_of
from node.crypto.addresses import address_of, to_text
from node.rpc.chain_queries import records_of, signed, stored, vin_of_body
from node.rpc.queries import WorkShare
from node.rpc.render import Json, decode_record, value_of
from node.storage.chain_store import ChainReader
from node.txtypes.accounts import AccountOpen
from node.txtypes.envelope import SignedTx
from node.txtypes.governance import GovernancePropose, GovernanceVote
from node.txtypes.listing import LISTING, Listing, ListingCreate, ListingUpdate, ListingWithdraw
from node.txtypes.order import ORDER, Order, OrderBody, OrderOffer
from node.txtypes.payment import PAYMENT, Payment, PaymentAttest, PaymentInitiate
from node.txtypes.registry import type_of
from node.txtypes.schema import time_to_text
from node.txtypes.title import TitleTransfer

EVENTS = ("block", "transaction", "vehicle.record", "listing", "order", "payment", "account", "governance")
"""What `types` can choose from. `closed` comes besides, without an id, when the server ends a stream."""

BLOCKS_KEPT = 32
"""Blocks whose events are kept rendered: streams near the head share them."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event, and what filters go by. `text` is its form on the wire."""

    name: str
    height: int
    sequence: int
    vin: str
    accounts: frozenset[bytes]
    text: bytes


@dataclass(slots=True)
class _Subject:
    """One more event of a transaction: its name, its own fields, and whom and what it concerns."""

    name: str
    data: Json
    vin: str = ""
    accounts: set[bytes] = field(default_factory=set)


def event_text(name: str, ident: str, data: Json) -> bytes:
    """As in the HTML standard, 9.2; JSON has no line breaks, so one data line is enough."""
    lines = [b"id: " + ident.encode("ascii")] if ident else []
    return b"\n".join([*lines, b"event: " + name.encode("ascii"), b"data: " + msgspec.json.encode(data), b"", b""])


class BlockEvents:
    """The events of blocks, the newest ones kept."""

    def __init__(self, genesis_hash: bytes) -> None:
        self._genesis_hash = genesis_hash
        self._kept: OrderedDict[int, tuple[Event, ...]] = OrderedDict()

    async def of(self, reader: ChainReader, height: int, share: WorkShare) -> tuple[Event, ...]:
        known = self._kept.get(height)
        if known is not None:
            self._kept.move_to_end(height)
            return known
        events = await self._derive(reader, height, share)
        self._kept[height] = events
        while len(self._kept) > BLOCKS_KEPT:
            self._kept.popitem(last=False)
        return events

    async def _derive(self, reader: ChainReader, height: int, share: WorkShare) -> tuple[Event, ...]:
        block, _ = stored(reader, height)
        header = block.header
        when = {"height": height, "time": time_to_text(header.time_ms)}
        found: list[Event] = []

        def add(name: str, data: Json, vin: str, accounts: set[bytes]) -> None:
            text = event_text(name, f"{height}-{len(found)}", {**when, **data})
            found.append(Event(name, height, len(found), vin, frozenset(accounts), text))

        block_data = {
            "id": block_id_of(header, self._genesis_hash).hex(),
            "proposer": to_text(header.proposer),
            "state_root": header.state_root.hex(),
            "transactions": len(block.transactions),
            "evidence": len(block.evidence),
        }
        add("block", block_data, "", set())
        for index, raw in enumerate(block.transactions):
            tx = signed(raw, self._genesis_hash)
            subjects = subjects_of(reader, tx, height)
            vin = vin_of_body(reader, tx.payload.body, tx.txid) or next((s.vin for s in subjects if s.vin), "")
            parties = {tx.payload.sender, *(s.address for s in tx.signatures)}
            base: Json = {"txid": tx.txid.hex(), "type": type_of(tx.payload.body)}
            sender = to_text(tx.payload.sender)
            everyone = parties.union(*(subject.accounts for subject in subjects))
            add("transaction", {**base, "index": index, "sender": sender, "vin": vin}, vin, everyone)
            for subject in subjects:
                add(subject.name, {**base, **subject.data}, subject.vin or vin, parties | subject.accounts)
            await share.rest()
        await share.rest()
        return tuple(found)


def subjects_of(reader: ChainReader, tx: SignedTx, height: int) -> list[_Subject]:
    """The further events of one committed transaction. What is read of state here never changes once it is there."""
    body: Any = tx.payload.body
    found: list[_Subject] = []
    match body:
        case ListingCreate():
            found.append(_listing(tx.txid, body.vin, tx.payload.sender))
        case ListingUpdate() | ListingWithdraw():
            listing: Listing | None = value_of(reader, LISTING, body.listing)
            if listing is not None:
                found.append(_listing(body.listing, listing.vin, listing.seller))
        case OrderOffer():
            found.extend(_order(reader, tx.txid))
        case OrderBody():
            found.extend(_order(reader, body.order))
        case PaymentInitiate():
            found.extend(_payment(reader, tx.txid, "initiated"))
        case PaymentAttest():
            found.extend(_payment(reader, body.payment, body.status))
        case AccountOpen():
            opened = address_of(body.keys[0])
            found.append(_Subject("account", {"account": to_text(opened)}, "", {opened}))
        case GovernancePropose():
            found.append(_Subject("governance", {"proposal": tx.txid.hex()}))
        case GovernanceVote():
            found.append(_Subject("governance", {"proposal": body.proposal.hex(), "approve": body.approve}))
        case TitleTransfer():
            pass
    vin = vin_of_body(reader, body, tx.txid)
    if vin:
        found.extend(_records(reader, vin, tx, height))
    return found


def _listing(ident: bytes, vin: str, seller: bytes) -> _Subject:
    return _Subject("listing", {"listing": ident.hex(), "vin": vin, "seller": to_text(seller)}, vin, {seller})


def _order(reader: ChainReader, ident: bytes) -> list[_Subject]:
    order: Order | None = value_of(reader, ORDER, ident)
    if order is None:
        return []
    data = {
        "order": ident.hex(),
        "listing": order.listing.hex(),
        "vin": order.vin,
        "seller": to_text(order.seller),
        "buyer": to_text(order.buyer),
    }
    return [_Subject("order", data, order.vin, {order.seller, order.buyer})]


def _payment(reader: ChainReader, ident: bytes, status: str) -> list[_Subject]:
    payment: Payment | None = value_of(reader, PAYMENT, ident)
    order: Order | None = value_of(reader, ORDER, payment.order) if payment else None
    if payment is None or order is None:
        return []
    data = {
        "payment": ident.hex(),
        "order": payment.order.hex(),
        "vin": order.vin,
        "status": status,
        "rail": payment.rail,
        "payer": to_text(payment.payer),
        "provider": to_text(payment.provider),
    }
    return [_Subject("payment", data, order.vin, {payment.payer, payment.provider, order.seller})]


def _records(reader: ChainReader, vin: str, tx: SignedTx, height: int) -> list[_Subject]:
    found = []
    for sequence, raw in records_of(reader, vin, height):
        record, _ = decode_record(raw)
        if record.txid == tx.txid:
            data = {
                "record": f"{vin}/{sequence}",
                "vin": vin,
                "sequence": sequence,
                "kind": record.kind,
                "author": to_text(record.author),
                "event_at": time_to_text(record.event_at_ms),
                "outcome": list(record.outcome),
            }
            found.append(_Subject("vehicle.record", data, vin, {record.author}))
    return found
