"""Events of committed blocks, derived from their receipts: the same events with the same ids on every node.

An event's id is `height-sequence`. The sequence counts all events of the block, so it does not depend on a filter.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import msgspec

from node.chain.block import block_id_of
from node.codec import Value
from node.crypto.addresses import to_text
from node.errors import Corrupted
from node.ledger import kinds
from node.ledger.body import type_of
from node.ledger.family import Family
from node.ledger.json_form import time_to_text, value_to_json
from node.ledger.receipts import Change, Receipt, RecordRef
from node.rpc.acts import amount_of, case_turn, cause_of, code_of, order_turn
from node.rpc.chain_queries import signed, stored, subjects_by_kind
from node.rpc.moments import WorkShare
from node.rpc.problems import Problem
from node.storage.chain_store import ChainReader
from node.txtypes.cases.case import CASE
from node.txtypes.envelope import Payload, SignedTx
from node.txtypes.history import decode_record
from node.txtypes.registry import FAMILIES, HAPPENINGS, family_of
from node.txtypes.sale.order_family import ORDER

Json = dict[str, Any]
V = TypeVar("V", bound=Value)

EVENTS: Final = (
    "block", "transaction", "vehicle.record",
    *dict.fromkeys(family.event for family in FAMILIES.values() if family.event), *HAPPENINGS,
)  # fmt: skip
"""Values of `types`. Besides, the server sends `closed`, without an id, when it ends a stream."""

_OF_DEALS: Final = ("order", "payment", "delivery", "order-claims", "order-dispute", "case")
"""Families whose events tell the cause, too."""
BLOCKS_KEPT: Final = 32
"""Blocks in the cache of rendered events, which streams near the head share."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `subjects`: the subjects that filters select by; `text`: its form on the wire."""

    name: str
    sequence: int
    subjects: frozenset[str]
    text: bytes


def event_text(name: str, ident: str, data: Json) -> bytes:
    """The event stream format (HTML standard, 9.2). JSON has no line breaks, so one data line is enough."""
    head = f"id: {ident}\nevent: {name}\n" if ident else f"event: {name}\n"
    return head.encode("ascii") + b"data: " + msgspec.json.encode(data) + b"\n\n"


class BlockEvents:
    """The events of each block, cached for the newest blocks."""

    def __init__(self, genesis_hash: bytes) -> None:
        self._genesis_hash = genesis_hash
        self._cache: OrderedDict[int, tuple[Event, ...]] = OrderedDict()

    async def of(self, reader: ChainReader, height: int, share: WorkShare) -> tuple[Event, ...]:
        """Raises `Problem` if the store has no block or receipts of this height."""
        events = self._cache.pop(height, None)
        if events is None:
            events = await self._derive(reader, height, share)
        self._cache[height] = events
        if len(self._cache) > BLOCKS_KEPT:
            self._cache.popitem(last=False)
        return events

    async def _derive(self, reader: ChainReader, height: int, share: WorkShare) -> tuple[Event, ...]:
        block, _ = stored(reader, height)
        row = reader.receipts(height)
        if row is None:
            first = reader.receipts_from()
            raise Problem("block_unknown", f"{height}: this node has the receipts of blocks from {first} on")
        header, events = block.header, _Events(reader, height, block.header.time_ms)
        ids = {"id": block_id_of(header, self._genesis_hash).hex(), "proposer": to_text(header.proposer)}
        counts = {"transactions": len(block.transactions), "evidence": len(block.evidence)}
        events.add("block", ids | {"state_root": header.state_root.hex()} | counts)
        events.add_effects({}, row.block, set())
        for index, (raw, receipt) in enumerate(zip(block.transactions, row.transactions, strict=True)):
            events.add_transaction(index, signed(raw, self._genesis_hash), receipt)
            await share.rest()
        await share.rest()
        return tuple(events.added)


class _Events:
    """Collects the events of one block."""

    def __init__(self, reader: ChainReader, height: int, time_ms: int) -> None:
        self.added: list[Event] = []
        self._reader, self._height = reader, height
        self._stamp = {"height": height, "time": time_to_text(time_ms)}

    def add(self, name: str, data: Json, subjects: Iterable[str] = ()) -> None:
        sequence = len(self.added)
        text = event_text(name, f"{self._height}-{sequence}", self._stamp | data)
        self.added.append(Event(name, sequence, frozenset(subjects), text))

    def add_transaction(self, index: int, tx: SignedTx, receipt: Receipt) -> None:
        signers = {f"account/{entry.address.hex()}" for entry in tx.signatures}
        subjects, sender = receipt.subjects(), to_text(tx.payload.sender)
        base: Json = {"txid": tx.txid.hex(), "type": type_of(tx.payload.body)}
        vins = subjects_by_kind(sorted(subjects))["vehicle"]
        self.add("transaction", base | {"index": index, "sender": sender, "vins": vins}, signers.union(subjects))
        self.add_effects(base, receipt, signers, tx.payload)

    def add_effects(self, base: Json, receipt: Receipt, signers: set[str], payload: Payload | None = None) -> None:
        """The changes, records and happenings of a transaction, or of the block itself."""
        for change in receipt.changes:
            family = family_of(change.key.encode("ascii"))
            if family is not None and family.event:
                name, _, ident = change.key.partition("/")
                data = {"key": change.key, name: ident, "change": change.how, "status": change.status}
                subjects = change.subjects
                if payload is not None and name in _OF_DEALS:
                    data |= _deal_data(self._reader, name, change, payload)
                    subjects = tuple(dict.fromkeys((*subjects, *sorted(receipt.subjects()))))
                data |= _subject_data(subjects)
                self.add(family.event, base | data, signers.union(subjects))
        for ref in receipt.records:
            self.add("vehicle.record", base | _record_data(self._reader, ref), {*signers, f"vehicle/{ref.vin}"})
        for happening in receipt.happenings:
            data = base | _subject_data(happening.subjects)
            self.add(happening.name, data, signers.union(happening.subjects))


def _subject_data(subjects: Iterable[str]) -> Json:
    by_kind = subjects_by_kind(subjects)
    accounts = [to_text(bytes.fromhex(ident)) for ident in by_kind["account"]]
    return {"vins": by_kind["vehicle"], "accounts": accounts, "orders": by_kind["order"]}


def _deal_data(reader: ChainReader, family: str, change: Change, payload: Payload) -> Json:
    """Why a value of a deal has changed, by how much money, and whose turn it is now. Of the state only what never
    changes is read, so that every node tells the same."""
    body, ident = payload.body, change.key.partition("/")[2]
    amount = amount_of(body)
    data: Json = {"cause": cause_of(body), "code": code_of(body)}
    data["amount"] = None if amount is None else value_to_json(kinds.MONEY, amount)
    if family == "order":
        order = _stored(reader, ORDER, ident)
        data["turn"] = order_turn(body, payload.sender == order.buyer)
    if family == "case":
        case = _stored(reader, CASE, ident)
        data["turn"] = case_turn(body, payload.sender == case.customer)
    return data


def _stored(reader: ChainReader, family: Family[V], ident: str) -> V:
    raw = reader.state.get(family.key(ident))
    if raw is None:
        raise Corrupted(f"{family.name} {ident} is missing, but its receipt is stored")
    return family.decode(raw)


def _record_data(reader: ChainReader, ref: RecordRef) -> Json:
    raw = reader.record(ref.vin, ref.sequence)
    if raw is None:
        raise Corrupted(f"record {ref.vin}/{ref.sequence} is missing, but its receipt is stored")
    face, content, _ = decode_record(raw)
    place = {"record": f"{ref.vin}/{ref.sequence}", "vin": ref.vin, "sequence": ref.sequence, "kind": face.kind}
    event_at = time_to_text(face.event_at_ms)
    return place | {"author": to_text(face.author), "event_at": event_at, "outcome": content.outcome}
