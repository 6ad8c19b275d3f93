"""Events of committed blocks, from their receipts, so that every node gives the same ones with the same ids.

An event's id is `height-sequence`, counted over *all* events of the block: it does not depend on anybody's filter.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from node.chain.block import block_id_of
from node.crypto.addresses import to_text
from node.errors import Corrupted
from node.ledger.body import type_of
from node.ledger.json_form import time_to_text
from node.ledger.receipts import Change, Receipt, RecordRef
from node.rpc.chain_queries import signed, stored
from node.rpc.moments import WorkShare
from node.rpc.problems import Problem
from node.rpc.receipt_answers import subjects_by_kind
from node.storage.chain_store import ChainReader
from node.txtypes.envelope import SignedTx
from node.txtypes.history import decode_record
from node.txtypes.registry import FAMILIES, HAPPENINGS, family_of

Json = dict[str, Any]

EVENTS: Final = (
    "block", "transaction", "vehicle.record",
    *dict.fromkeys(family.event for family in FAMILIES.values() if family.event), *HAPPENINGS,
)  # fmt: skip
"""What `types` can choose from. `closed` comes besides, without an id, when the server ends a stream."""

BLOCKS_KEPT: Final = 32
"""Blocks whose events are kept rendered: streams near the head share them."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event, and the subjects that filters go by. `text` is its form on the wire."""

    name: str
    height: int
    sequence: int
    subjects: frozenset[str]
    text: bytes


def event_text(name: str, ident: str, data: Json) -> bytes:
    """As in the HTML standard, 9.2; JSON has no line breaks, so one data line is enough."""
    lines = [b"id: " + ident.encode("ascii")] if ident else []
    return b"\n".join([*lines, b"event: " + name.encode("ascii"), b"data: " + msgspec.json.encode(data), b"", b""])


class _Block:
    """Gathers the events of one block."""

    def __init__(self, height: int, time_ms: int) -> None:
        self.events: list[Event] = []
        self._when = {"height": height, "time": time_to_text(time_ms)}
        self._height = height

    def add(self, name: str, data: Json, subjects: Iterable[str] = ()) -> None:
        sequence = len(self.events)
        text = event_text(name, f"{self._height}-{sequence}", self._when | data)
        self.events.append(Event(name, self._height, sequence, frozenset(subjects), text))


class BlockEvents:
    """The events of blocks, the newest ones kept."""

    def __init__(self, genesis_hash: bytes) -> None:
        self._genesis_hash = genesis_hash
        self._kept: OrderedDict[int, tuple[Event, ...]] = OrderedDict()

    async def of(self, reader: ChainReader, height: int, share: WorkShare) -> tuple[Event, ...]:
        """Raises `Problem` where the store lacks the block or its receipts."""
        kept = self._kept.get(height)
        if kept is not None:
            self._kept.move_to_end(height)
            return kept
        events = await self._derive(reader, height, share)
        self._kept[height] = events
        while len(self._kept) > BLOCKS_KEPT:
            self._kept.popitem(last=False)
        return events

    async def _derive(self, reader: ChainReader, height: int, share: WorkShare) -> tuple[Event, ...]:
        block, _ = stored(reader, height)
        row = reader.receipts(height)
        if row is None:
            first = reader.receipts_from()
            raise Problem("block_unknown", f"{height}: this node has the receipts of blocks from {first} on")
        header, found = block.header, _Block(height, block.header.time_ms)
        block_data = {
            "id": block_id_of(header, self._genesis_hash).hex(),
            "proposer": to_text(header.proposer),
            "state_root": header.state_root.hex(),
            "transactions": len(block.transactions),
            "evidence": len(block.evidence),
        }
        found.add("block", block_data)
        _add_effects(found, reader, {}, row.block, set())
        for index, (raw, receipt) in enumerate(zip(block.transactions, row.transactions, strict=True)):
            _add_transaction(found, reader, index, signed(raw, self._genesis_hash), receipt)
            await share.rest()
        await share.rest()
        return tuple(found.events)


def _add_transaction(found: _Block, reader: ChainReader, index: int, tx: SignedTx, receipt: Receipt) -> None:
    signers = {f"account/{entry.address.hex()}" for entry in tx.signatures}
    subjects = receipt.subjects()
    base: Json = {"txid": tx.txid.hex(), "type": type_of(tx.payload.body)}
    data = {
        **base,
        "index": index,
        "sender": to_text(tx.payload.sender),
        "vins": subjects_by_kind(sorted(subjects))["vehicle"],
    }
    found.add("transaction", data, signers.union(subjects))
    _add_effects(found, reader, base, receipt, signers)


def _add_effects(found: _Block, reader: ChainReader, base: Json, receipt: Receipt, signers: set[str]) -> None:
    for change in receipt.changes:
        family = family_of(change.key.encode("ascii"))
        if family is not None and family.event:
            found.add(family.event, base | _change_data(change), signers.union(change.subjects))
    for ref in receipt.records:
        found.add("vehicle.record", base | _record_data(reader, ref), {*signers, f"vehicle/{ref.vin}"})
    for happening in receipt.happenings:
        data = base | _subject_data(happening.subjects)
        found.add(happening.name, data, signers.union(happening.subjects))


def _subject_data(subjects: tuple[str, ...]) -> Json:
    by_kind = subjects_by_kind(subjects)
    return {"vins": by_kind["vehicle"], "accounts": [to_text(bytes.fromhex(ident)) for ident in by_kind["account"]]}


def _change_data(change: Change) -> Json:
    name, _, ident = change.key.partition("/")
    return {"key": change.key, name: ident, "change": change.how, "status": change.status} | _subject_data(
        change.subjects
    )


def _record_data(reader: ChainReader, ref: RecordRef) -> Json:
    raw = reader.record(ref.vin, ref.sequence)
    if raw is None:
        raise Corrupted(f"record {ref.vin}/{ref.sequence} is missing, though its receipt is there")
    face, content, _ = decode_record(raw)
    return {
        "record": f"{ref.vin}/{ref.sequence}",
        "vin": ref.vin,
        "sequence": ref.sequence,
        "kind": face.kind,
        "author": to_text(face.author),
        "event_at": time_to_text(face.event_at_ms),
        "outcome": content.outcome,
    }
