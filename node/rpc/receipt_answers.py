"""What transactions did, from the receipts: answers and events name no transaction type."""

from __future__ import annotations

from collections.abc import Iterable

from node.chain.block import block_id_of
from node.ledger.body import type_of
from node.ledger.receipts import BLOCK_INDEX, Change
from node.rpc import answers
from node.rpc.backend import Backend
from node.rpc.chain_queries import signed, transaction_of
from node.rpc.moments import Moment, standing_paced
from node.rpc.request_parsing import cursor_text, text_cursor
from node.storage.chain_store import ChainReader, TxPlace

_LAST = (2**63, 0)
"""Above every place there is."""


def subjects_by_kind(subjects: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Ids by the family of the subject: vehicle, account, order, listing."""
    found: dict[str, list[str]] = {"vehicle": [], "account": [], "order": [], "listing": []}
    for subject in subjects:
        kind, _, ident = subject.partition("/")
        found[kind].append(ident)
    return {kind: tuple(idents) for kind, idents in found.items()}


def change_answer(change: Change) -> answers.ChangeAnswer:
    by_kind = subjects_by_kind(change.subjects)
    return answers.ChangeAnswer(
        change.key,
        change.how,
        change.status,
        by_kind["vehicle"],
        tuple(map(bytes.fromhex, by_kind["account"])),
        tuple(map(bytes.fromhex, by_kind["order"])),
        tuple(map(bytes.fromhex, by_kind["listing"])),
    )


def committed_answer(backend: Backend, txid: bytes, place: TxPlace) -> answers.CommittedInFull | answers.Committed:
    """A committed transaction with what it did."""
    reader = backend.reader()
    block = reader.block(place.height)
    if block is None:  # pruned, or below the snapshot that this node started from: its place is still known
        return answers.Committed(txid, "committed", place.height, place.index)
    row = reader.receipts(place.height)
    receipt = None if row is None else row.transactions[place.index]
    return answers.CommittedInFull(
        txid=txid,
        status="committed",
        height=place.height,
        index=place.index,
        block_id=block_id_of(block.header, backend.genesis_hash),
        time_ms=block.header.time_ms,
        transaction=transaction_of(signed(block.transactions[place.index], backend.genesis_hash)),
        records=None if receipt is None else tuple(f"{r.vin}/{r.sequence}" for r in receipt.records),
        changes=None if receipt is None else tuple(map(change_answer, receipt.changes)),
        happenings=None if receipt is None else receipt.happenings,
        complete_from=reader.receipts_from(),
    )


async def touching_page(backend: Backend, subject: str, limit: int, cursor: str) -> tuple[Moment, answers.TouchingPage]:
    """Transactions that concern a subject, the newest first."""
    kind = "transactions/" + subject
    below = _place_of(text_cursor(kind, cursor))
    async with standing_paced(backend.reader()) as (moment, share):
        places = moment.reader.touching(subject, below, limit + 1)
        entries = []
        for place in places[:limit]:
            if place.index != BLOCK_INDEX:
                entries.append(_touching_entry(moment.reader, place, backend.genesis_hash))
            await share.rest()
        last = places[limit - 1] if len(places) > limit else None
        following = None if last is None else cursor_text(kind, f"{last.height}-{last.index}")
        return moment, answers.TouchingPage(tuple(entries), following, moment.reader.receipts_from())


def _place_of(text: str) -> tuple[int, int]:
    height, _, index = text.partition("-")
    return (int(height), int(index)) if text else _LAST


def _touching_entry(reader: ChainReader, place: TxPlace, genesis_hash: bytes) -> answers.TouchingEntry:
    block = reader.block(place.height)
    assert block is not None, "a subject entry is deleted with its block"
    tx = signed(block.transactions[place.index], genesis_hash)
    return answers.TouchingEntry(
        tx.txid, place.height, place.index, block.header.time_ms, type_of(tx.payload.body), tx.payload.sender
    )
