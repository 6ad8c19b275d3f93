"""What transactions did, by their receipts. No function depends on a transaction type."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from node.chain.block import block_id_of
from node.ledger.body import type_of
from node.ledger.family import Family
from node.ledger.receipts import BLOCK_INDEX, Change
from node.rpc import answers
from node.rpc.backend import Backend
from node.rpc.call import Call
from node.rpc.chain_queries import signed, transaction_of
from node.rpc.moments import Moment, moment_of, standing_paced
from node.rpc.request_parsing import cursor_text, text_cursor
from node.rpc.values import path_ident, require
from node.storage.chain_store import ChainReader, TxPlace


def subjects_by_kind(subjects: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Subject ids by family name: vehicle, account, order, listing."""
    by_kind: dict[str, tuple[str, ...]] = dict.fromkeys(("vehicle", "account", "order", "listing"), ())
    for subject in subjects:
        kind, _, ident = subject.partition("/")
        by_kind[kind] += (ident,)
    return by_kind


def change_answer(change: Change) -> answers.ChangeAnswer:
    vins, *others = subjects_by_kind(change.subjects).values()
    accounts, orders, listings = (tuple(map(bytes.fromhex, idents)) for idents in others)
    return answers.ChangeAnswer(change.key, change.how, change.status, vins, accounts, orders, listings)


def committed_answer(backend: Backend, txid: bytes, place: TxPlace) -> answers.CommittedInFull | answers.Committed:
    """A committed transaction with its effects."""
    reader = backend.reader()
    block = reader.block(place.height)
    if block is None:  # pruned, or below the snapshot that this node started from; the place is still known
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


async def touching(family: Family[Any], call: Call) -> tuple[Moment, answers.TouchingPage]:
    """Transactions that concern the value in the path, in descending order."""
    ident = path_ident(family, call)
    require(moment_of(call.reader()), family, ident)
    subject, limit = family.subject(ident), call.query.limit
    kind = "transactions/" + subject
    height, _, index = text_cursor(kind, call.query.cursor).partition("-")
    below = (int(height), int(index)) if height else (2**63, 0)
    entries = []
    async with standing_paced(call.reader()) as (moment, share):
        places = moment.reader.touching(subject, below, limit + 1)
        for place in places[:limit]:
            if place.index != BLOCK_INDEX:
                entries.append(_touching_entry(moment.reader, place, call.backend.genesis_hash))
            await share.rest()
        complete_from = moment.reader.receipts_from()
    last = places[limit - 1] if len(places) > limit else None
    cursor = None if last is None else cursor_text(kind, f"{last.height}-{last.index}")
    return moment, answers.TouchingPage(tuple(entries), cursor, complete_from)


def _touching_entry(reader: ChainReader, place: TxPlace, genesis_hash: bytes) -> answers.TouchingEntry:
    block = reader.block(place.height)
    assert block is not None, "a subject entry is deleted with its block"
    tx = signed(block.transactions[place.index], genesis_hash)
    type_, sender = type_of(tx.payload.body), tx.payload.sender
    return answers.TouchingEntry(tx.txid, place.height, place.index, block.header.time_ms, type_, sender)
