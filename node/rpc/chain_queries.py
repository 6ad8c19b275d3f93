"""Handlers about the chain: status, peers, validators, blocks, effects of transactions, state values and proofs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from aiohttp import web
from msgspec import Meta

from node import limits
from node.chain.block import Block, Commit, Committed, block_id_of
from node.chain.trust import LightBlock
from node.codec import encode
from node.crypto.addresses import to_text
from node.errors import Corrupted, Rejected
from node.ledger.body import type_of
from node.ledger.family import Family, extended
from node.ledger.json_form import to_json
from node.ledger.receipts import BLOCK_INDEX, Change
from node.limits import SYNC_BATCH_BYTES
from node.rpc import answers
from node.rpc.backend import Backend
from node.rpc.call import (
    Call,
    HeightQuery,
    LimitField,
    PageQuery,
    Query,
    cursor_text,
    json_response,
    read_cursor,
    read_hash,
)
from node.rpc.moments import Moment, WorkShare, moment_at, moment_of, paced_snapshot
from node.rpc.problems import Problem
from node.rpc.transaction_answers import ChangeAnswer, CommittedInFull, TouchingEntry, TouchingPage
from node.rpc.values import canonical, path_ident, require
from node.storage.chain_store import ChainReader
from node.storage.schema import TxPlace
from node.txtypes.envelope import SignedTx, decode_signed_tx
from node.txtypes.members.member import name_of
from node.txtypes.registry import FAMILIES, family_of

PAGE_TXS_MAX = 1_000
"""A page of decoded blocks ends with the block that reaches this number of transactions."""


class ValidatorsQuery(Query, frozen=True):
    height: Annotated[int, Meta(ge=0, description="height of the set; 0: the next one")] = 0


class BlocksQuery(PageQuery, frozen=True, rename={"start": "from"}):
    limit: LimitField = 20
    start: Annotated[int, Meta(ge=0, description="first height; 0: the oldest block of the node")] = 0


class StateQuery(HeightQuery, frozen=True):
    proof: Annotated[bool, Meta(description="with proof, header and certificate")] = False


class StateValuesQuery(StateQuery, frozen=True):
    keys: Annotated[str, Meta(description="comma-separated state keys, at most 100, all read at one height")] = ""


# --- the node --------------------------------------------------------------------------------------------
async def status(call: Call) -> answers.Status:
    node, moment = call.backend.status(), call.moment()
    head = moment.reader.head()
    same = ("signing", "round", "step", "peers", "halted", "moniker", "node_key", "version")
    return answers.Status(
        chain_id=call.backend.genesis.chain_id,
        genesis_hash=call.backend.genesis_hash,
        head=answers.HeadAnswer(head.height, head.block_id, head.time_ms, head.state_root),
        first_height=moment.reader.first_height(),
        syncing=node.is_syncing,
        sync=answers.SyncAnswer(node.pace.target, node.pace.blocks_per_second, node.pace.seconds_left),
        validator=node.is_validator,
        validator_address=to_text(node.validator) if node.validator else "",
        validator_name=name_of(moment, node.validator),
        pool=answers.PoolAnswer(node.pool_txs, node.pool_bytes),
        **{name: getattr(node, name) for name in same},
    )


async def ready(call: Call) -> answers.Ready:
    """Raises `Problem` with the reasons why the node should receive no traffic."""
    node, reasons = call.backend.status(), []
    if node.halted:
        reasons.append(f"halted: {node.halted}")
    if node.is_syncing:
        reasons.append("syncing: the node is behind the chain")
    if node.is_clock_off:
        reasons.append("clock: it differs from the other nodes' clocks; compare it with a time server")
    is_alone = node.is_validator and len(call.reader().head().validators) == 1
    if not node.peers and not is_alone:
        reasons.append("no peers: no other node is connected")
    if reasons:
        raise Problem("not_ready", "; ".join(reasons), ready=False, reasons=reasons)
    return answers.Ready(True, ())


async def peers(call: Call) -> answers.Peers:
    moment, peers = call.moment(), []
    for peer in call.backend.peers():
        member, name = to_text(peer.member) if peer.member else "", name_of(moment, peer.member)
        link = (peer.node_key, peer.address, peer.moniker, peer.is_outbound, peer.height)
        peers.append(answers.Peer(*link, member, name, peer.score))
    return answers.Peers(tuple(peers), moment.height)


async def validators(call: Call) -> answers.Validators:
    reader, height = call.reader(), call.query.height
    top = reader.height() + 1
    if not 0 <= height <= top:
        raise Problem("block_unknown", f"height: sets are known for 1 to {top}")
    try:
        validators = reader.validators(height or top)
    except Corrupted:  # below the snapshot that this node started from, or below the chain's first height
        text = f"height: the set of {height} is not known here, where the first block is {reader.first_height()}"
        raise Problem("block_unknown", text) from None
    moment = moment_of(reader)
    named = [extended(answers.NamedValidator, e, name=name_of(moment, e.address)) for e in validators.entries]
    return answers.Validators(height or top, validators.hash, validators.total, tuple(named))


# --- blocks ----------------------------------------------------------------------------------------------
def height_of(reader: ChainReader, reference: str) -> int:
    """The height that `latest`, a number or a block id names."""
    if reference == "latest":
        height: int | None = reader.height()
    elif reference.isdecimal() and reference.isascii() and len(reference) <= 16:
        height = int(reference)
    else:
        height = reader.height_of(read_hash(reference, "a height, a block id or `latest`"))
    if height is None or not 1 <= height <= reader.height():
        raise Problem("block_unknown", f"{reference}: no block of this chain, whose head is at {reader.height()}")
    return height


def stored(reader: ChainReader, height: int) -> tuple[Block, Commit]:
    block, commit = reader.block(height), reader.commit(height)
    if block is None or commit is None:
        raise Problem("block_unknown", f"{height}: this node does not store the block")
    return block, commit


def signed(raw: bytes, genesis_hash: bytes) -> SignedTx:
    """A committed transaction, decoded."""
    try:
        return decode_signed_tx(raw, genesis_hash)
    except Rejected as error:
        raise Corrupted(f"a committed transaction does not decode: {error}") from None


def transaction_of(tx: SignedTx) -> answers.Transaction:
    payload = tx.payload
    names = (tx.txid, tx.wire_id, type_of(payload.body), payload.sender, str(payload.salt))
    return answers.Transaction(*names, payload.expires_at_ms, payload.body, tx.signatures, len(tx.raw))


async def _block_of(block: Block, commit: Commit, genesis_hash: bytes, share: WorkShare) -> answers.Block:
    transactions = []
    for raw in block.transactions:
        transactions.append(transaction_of(signed(raw, genesis_hash)))
        await share.rest()
    header, decoded = block.header, tuple(transactions)
    names = (header.height, block_id_of(header, genesis_hash), header.time_ms)
    return answers.Block(*names, header, decoded, block.evidence, block.last_commit, commit)


async def block(call: Call) -> web.Response | bytes:
    """A block, as JSON or as the canonical encoding of `Committed`."""
    is_raw, reader = call.wants_msgpack, call.reader()
    height = reader.height()
    block, commit = stored(reader, height_of(reader, call.request.match_info["block"]))
    if is_raw:
        return encode(Committed(block, commit))
    view = await _block_of(block, commit, call.backend.genesis_hash, WorkShare())
    return json_response(view, height=height)


async def header(call: Call) -> web.Response | bytes:
    """The header of a block with its certificate, as JSON or as the canonical encoding of `LightBlock`."""
    is_raw, reader = call.wants_msgpack, call.reader()
    height = reader.height()
    block, commit = stored(reader, height_of(reader, call.request.match_info["block"]))
    if is_raw:
        return encode(LightBlock(block.header, commit))
    names = (block.header.height, block_id_of(block.header, call.backend.genesis_hash), block.header.time_ms)
    answer = answers.CertifiedHeader(*names, _raw_header(block), _raw_commit(commit))
    return json_response(answer, height=height)


def _raw_header(block: Block) -> answers.RawHeader:
    return extended(answers.RawHeader, block.header, raw=encode(block.header))


def _raw_commit(commit: Commit) -> answers.RawCommit:
    return extended(answers.RawCommit, commit, raw=encode(commit))


async def blocks(call: Call) -> bytes | tuple[Moment, answers.BlocksPage]:
    """Blocks in ascending order, as JSON or as a MessagePack array of `Committed`. A page ends at `limit` blocks, or
    before that at `PAGE_TXS_MAX` transactions (JSON) or `SYNC_BATCH_BYTES` (MessagePack)."""
    is_raw, query, genesis_hash = call.wants_msgpack, call.query, call.backend.genesis_hash
    height = read_cursor("blocks", query.cursor, query.start or call.reader().first_height())
    if height < 1:
        raise Problem("malformed", "from: the first block has height 1")
    page: list[Any] = []
    weight, weight_max = 0, SYNC_BATCH_BYTES if is_raw else PAGE_TXS_MAX
    async with paced_snapshot(call.reader()) as (moment, share):
        while height <= moment.height and len(page) < query.limit and weight < weight_max:
            block, commit = stored(moment.reader, height)
            if is_raw:
                weight += sum(map(len, block.transactions)) + 1_000
                page.append(Committed(block, commit))
                await share.rest()
            else:
                weight += len(block.transactions)
                page.append(await _block_of(block, commit, genesis_hash, share))
            height += 1
    if is_raw:
        return encode(page)
    return moment, answers.BlocksPage(tuple(page), cursor_text("blocks", height) if height <= moment.height else None)


# --- effects of transactions --------------------------------------------------------------------------------
def subjects_by_kind(subjects: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Subject ids by family name: vehicle, account, order, listing."""
    by_kind: dict[str, tuple[str, ...]] = dict.fromkeys(("vehicle", "account", "order", "listing"), ())
    for subject in subjects:
        kind, _, ident = subject.partition("/")
        by_kind[kind] += (ident,)
    return by_kind


def change_answer(change: Change) -> ChangeAnswer:
    vins, *others = subjects_by_kind(change.subjects).values()
    accounts, orders, listings = (tuple(map(bytes.fromhex, idents)) for idents in others)
    return ChangeAnswer(change.key, change.how, change.status, vins, accounts, orders, listings)


def committed_answer(backend: Backend, txid: bytes, place: TxPlace) -> CommittedInFull:
    """A committed transaction with its effects."""
    reader = backend.reader()
    block = reader.block(place.height)
    if block is None:  # pruned, or below the snapshot that this node started from; the place is still known
        nothing = (None, 0, None, None, None, None)
        return CommittedInFull(txid, "committed", place.height, place.index, *nothing, reader.receipts_from())
    effects: tuple[Any, Any, Any] = (None, None, None)
    row = reader.receipts(place.height)
    if row is not None:
        receipt = row.transactions[place.index]
        records = tuple(f"{ref.vin}/{ref.sequence}" for ref in receipt.records)
        effects = (records, tuple(map(change_answer, receipt.changes)), receipt.happenings)
    header, tx = block.header, transaction_of(signed(block.transactions[place.index], backend.genesis_hash))
    block_id, start = block_id_of(header, backend.genesis_hash), reader.receipts_from()
    at = (place.height, place.index, block_id, header.time_ms)
    return CommittedInFull(txid, "committed", *at, tx, *effects, start)


async def touching(family: Family[Any], call: Call) -> tuple[Moment, TouchingPage]:
    """Transactions that concern the value in the path, in descending order."""
    ident = path_ident(family, call)
    require(call.moment(), family, ident)
    subject, limit = family.subject(ident), call.query.limit
    kind = "transactions/" + subject
    height, _, index = read_cursor(kind, call.query.cursor, "").partition("-")
    below = (int(height), int(index)) if height else (2**63, 0)
    entries = []
    async with paced_snapshot(call.reader()) as (moment, share):
        places = moment.reader.touching(subject, below, limit + 1)
        for place in places[:limit]:
            block = moment.reader.block(place.height)
            assert block is not None, "a subject entry is deleted with its block"
            if place.index != BLOCK_INDEX:
                tx = signed(block.transactions[place.index], call.backend.genesis_hash)
                at, payload = (place.height, place.index, block.header.time_ms), tx.payload
                entries.append(TouchingEntry(tx.txid, *at, type_of(payload.body), payload.sender))
            await share.rest()
        complete_from = moment.reader.receipts_from()
    last = places[limit - 1] if len(places) > limit else None
    cursor = None if last is None else cursor_text(kind, f"{last.height}-{last.index}")
    return moment, TouchingPage(tuple(entries), cursor, complete_from)


# --- state and proofs --------------------------------------------------------------------------------------
async def state(call: Call) -> tuple[Moment, answers.StateAnswer]:
    """The value of one key; with `proof` also its absence."""
    moment, values = await _values(call, call.request.match_info["key"])
    entry = values.entries[0]
    if len(values.entries) > 1:
        raise Problem("malformed", "key: one state key expected; use /v1/state?keys= for several")
    if entry.value is None and not call.query.proof:
        raise Problem("state_unknown", f"{entry.key}: no such state key; with proof=true its absence is proven")
    context = (values.tree_depth, values.state_root, values.header, values.commit)
    return moment, answers.StateAnswer(entry.key, entry.value, entry.decoded, entry.proof, *context)


async def state_values(call: Call) -> tuple[Moment, answers.StateValues]:
    """The values of comma-separated keys at one height, null for an absent key."""
    return await _values(call, call.query.keys)


async def _values(call: Call, keys: str) -> tuple[Moment, answers.StateValues]:
    texts = keys.split(",")
    if len(texts) > limits.RPC_KEYS_MAX:
        raise Problem("malformed", f"keys: {len(texts)} keys, at most {limits.RPC_KEYS_MAX} are allowed")
    backend, height, with_proof = call.backend, call.query.height, call.query.proof
    moment, share, entries = moment_at(call.reader(), height), WorkShare(), list[answers.StateEntry]()
    for text in texts:
        entries.append(_state_entry(backend, moment, canonical_key(text), with_proof))
        if height:  # a past proof takes twenty times as long; the head's are made at once, before it moves
            await share.rest()
    moment_at(call.reader(), height)  # raises if the height has been dropped in between
    header: answers.RawHeader | None = None
    commit: answers.RawCommit | None = None
    if with_proof and moment.height and moment.reader.first_height() <= moment.height:
        block, certificate = stored(moment.reader, moment.height)
        header, commit = _raw_header(block), _raw_commit(certificate)
    depth, root = backend.genesis.tree_depth, moment.reader.head().state_root
    return moment, answers.StateValues(tuple(entries), depth, root, header, commit)


def _state_entry(backend: Backend, moment: Moment, text: str, with_proof: bool) -> answers.StateEntry:
    key = text.encode("ascii")
    raw, family = moment.reader.state.get(key), family_of(key)
    decoded = None if raw is None or family is None else to_json(family.decode(raw))
    if not with_proof:
        return answers.StateEntry(text, raw, decoded, None)
    proof, large = backend.proof(key, moment.height), None
    if proof.large is not None:
        paths = tuple(map(answers.EntryPath, proof.large.paths))
        large = answers.LargeBucketAnswer(proof.large.count, proof.large.index, paths)
    return answers.StateEntry(text, raw, decoded, answers.StateProofAnswer(proof.entries, proof.siblings, large))


def canonical_key(text: str) -> str:
    """The state key with any address in hex. Raises `Problem` for text that cannot be a key: a proof of its absence
    would mislead."""
    name, slash, ident = text.partition("/")
    if not text.isascii() or not text.isprintable() or len(text) > 200 or not slash:
        raise Problem("malformed", f"{text[:80]!r} is not a state key such as vehicle/WBA8E9G50GNU12345")
    family = FAMILIES.get(name)
    if family is None:
        text = f"{name[:40]!r} is not a family of state keys; known are {', '.join(sorted(FAMILIES))}"
        raise Problem("malformed", text)
    return f"{name}/{canonical(family.ident, ident, f'family {name}')}"
