"""Questions about the chain itself: status, blocks, validators, transactions, proofs. What is on it: `queries`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from node.chain.block import Block, Commit, Committed, block_id_of
from node.codec import encode
from node.crypto.addresses import from_text, to_text
from node.errors import Corrupted, Malformed, Rejected
from node.limits import SYNC_BATCH_BYTES
from node.rpc.backend import Backend, NodeStatus, TxStatus
from node.rpc.problems import Problem, unmet_json
from node.rpc.queries import Moment, WorkShare, moment_of, standing_paced
from node.rpc.render import Json, block_json, decode_record, name_of, transaction_json, value_of
from node.rpc.request_parsing import cursor_text, number_cursor, read_hash
from node.storage.chain_store import ChainReader, TxPlace
from node.txtypes.body import Body
from node.txtypes.envelope import SignedTx, decode_signed_tx
from node.txtypes.ledger import FAMILIES
from node.txtypes.listing import LISTING, Listing
from node.txtypes.order import ORDER, Order
from node.txtypes.schema import time_to_text, to_json

PAGE_TXS_MAX = 1_000
"""Transactions that one page of decoded blocks may hold; always at least one block."""


# --- the node --------------------------------------------------------------------------------------------
def status_answer(backend: Backend) -> Json:
    status = backend.status()
    reader = backend.reader()
    head = reader.head()
    return {
        "chain_id": backend.genesis.chain_id,
        "genesis_hash": backend.genesis_hash.hex(),
        "head": {
            "height": head.height,
            "id": head.block_id.hex(),
            "time": time_to_text(head.time_ms),
            "state_root": head.state_root.hex(),
        },
        "first_height": reader.first_height(),
        "syncing": status.is_syncing,
        "sync": {
            "target": status.pace.target,
            "blocks_per_second": status.pace.blocks_per_second,
            "seconds_left": status.pace.seconds_left,
        },
        "validator": status.is_validator,
        "validator_address": to_text(status.validator) if status.validator else "",
        "validator_name": name_of(reader, status.validator) if status.validator else "",
        "signing": status.signing,
        "round": status.round,
        "step": status.step,
        "peers": status.peers,
        "pool": {"transactions": status.pool_txs, "bytes": status.pool_bytes},
        "halted": status.halted,
        "moniker": status.moniker,
        "node_key": status.node_key.hex(),
        "version": status.version,
    }


def not_ready_reasons(backend: Backend) -> list[str]:
    """Why this node should get no traffic now, in words; empty where it should."""
    status: NodeStatus = backend.status()
    reasons = []
    if status.halted:
        reasons.append(f"halted: {status.halted}")
    if status.is_syncing:
        reasons.append("syncing: the node is behind the chain")
    if status.is_clock_off:
        reasons.append("clock: it differs from the other nodes': compare it with a time server")
    is_alone = status.is_validator and len(backend.reader().head().validators) == 1
    if not status.peers and not is_alone:
        reasons.append("no peers: nobody is connected")
    return reasons


def peers_answer(backend: Backend) -> Json:
    reader = backend.reader()
    peers = [
        {
            "node_key": peer.node_key.hex(),
            "address": peer.address,
            "moniker": peer.moniker,
            "is_outbound": peer.is_outbound,
            "height": peer.height,
            "member": to_text(peer.member) if peer.member else "",
            "member_name": name_of(reader, peer.member) if peer.member else "",
        }
        for peer in backend.peers()
    ]
    return {"peers": peers, "height": reader.height()}


def validators_answer(reader: ChainReader, height: int) -> Json:
    """The set that decides `height`; 0 asks for the next one."""
    top = reader.height() + 1
    if not 0 <= height <= top:
        raise Problem("block_unknown", f"height: sets are known for 1 to {top}")
    try:
        found = reader.validators(height or top)
    except Corrupted:  # below the snapshot that this node began with, or the chain's own beginning
        text = f"height: the set of {height} is not known here, where the first block is {reader.first_height()}"
        raise Problem("block_unknown", text) from None
    entries = [{**to_json(entry), "name": name_of(reader, entry.address)} for entry in found.entries]
    return {"height": height or top, "hash": found.hash.hex(), "total_power": found.total, "validators": entries}


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
        raise Problem("block_unknown", f"{height}: this node does not hold the block")
    return block, commit


def committed_bytes(reader: ChainReader, height: int) -> bytes:
    """The canonical encoding of `Committed`."""
    return encode(Committed(*stored(reader, height)))


def signed(raw: bytes, genesis_hash: bytes) -> SignedTx:
    """A committed transaction, decoded."""
    try:
        return decode_signed_tx(raw, genesis_hash)
    except Rejected as error:
        raise Corrupted(f"a committed transaction does not decode: {error}") from None


async def render_block(block: Block, commit: Commit, genesis_hash: bytes, share: WorkShare) -> Json:
    transactions = []
    for raw in block.transactions:
        transactions.append(transaction_json(signed(raw, genesis_hash)))
        await share.rest()
    return block_json(block, commit, genesis_hash, transactions)


async def block_answer(backend: Backend, reference: str) -> tuple[int, Json]:
    """The block stays what it is, so only finding it has to be of one moment."""
    reader = backend.reader()
    height = reader.height()
    block, commit = stored(reader, height_of(reader, reference))
    return height, await render_block(block, commit, backend.genesis_hash, WorkShare())


def _start(reader: ChainReader, start: int, cursor: str) -> int:
    first = number_cursor("blocks", cursor, start or reader.first_height())
    if first < 1:
        raise Problem("malformed", "from: the first block has height 1")
    return first


async def blocks_page(backend: Backend, start: int, limit: int, cursor: str) -> tuple[int, Json]:
    """Blocks upwards from a height; shorter than `limit` where they are full."""
    first = _start(backend.reader(), start, cursor)
    async with standing_paced(backend.reader()) as (moment, share):
        blocks: list[Json] = []
        count, height = 0, first
        while height <= moment.height and len(blocks) < limit and (not blocks or count < PAGE_TXS_MAX):
            block, commit = stored(moment.reader, height)
            count += len(block.transactions)
            blocks.append(await render_block(block, commit, backend.genesis_hash, share))
            height += 1
        following = cursor_text("blocks", height) if height <= moment.height else None
        return moment.height, {"blocks": blocks, "cursor": following, **moment.stamp}


async def blocks_bytes(reader: ChainReader, start: int, limit: int, cursor: str) -> bytes:
    """The same page as a MessagePack array of `Committed`, at most about two megabytes."""
    height, size = _start(reader, start, cursor), 0
    found: list[Committed] = []
    async with standing_paced(reader) as (moment, share):
        while height <= moment.height and len(found) < limit and size < SYNC_BATCH_BYTES:
            block, commit = stored(moment.reader, height)
            size += sum(map(len, block.transactions)) + 1_000
            found.append(Committed(block, commit))
            height += 1
            await share.rest()
    return encode(found)


# --- transactions ------------------------------------------------------------------------------------------
def vin_of_body(reader: ChainReader, body: Body, txid: bytes) -> str:
    """The vehicle that a transaction is about, empty for those that are about none."""
    vin = getattr(body, "vin", None)
    if isinstance(vin, str):
        return vin
    order = getattr(body, "order", None)
    if isinstance(order, bytes):
        found: Order | None = value_of(reader, ORDER, order)
        return found.vin if found else ""
    listing = getattr(body, "listing", None)
    if isinstance(listing, bytes):
        shown: Listing | None = value_of(reader, LISTING, listing)
        return shown.vin if shown else ""
    return ""


def records_of(reader: ChainReader, vin: str, height: int) -> Iterator[tuple[int, bytes]]:
    """(sequence, record bytes) that block `height` added to a vehicle: a binary search, heights only grow."""
    newest = next(iter(reader.records(vin, 2**63, 1, reverse=True)), None)
    if newest is None:
        return
    low, high = 0, newest[0] + 1
    while low < high:
        middle = (low + high) // 2
        raw = reader.record(vin, middle)
        if raw is not None and decode_record(raw)[0].height >= height:
            high = middle
        else:
            low = middle + 1
    for sequence, raw in reader.records(vin, low, newest[0] + 1 - low):
        if decode_record(raw)[0].height != height:
            return
        yield sequence, raw


def committed_answer(backend: Backend, txid: bytes, place: TxPlace) -> Json:
    reader = backend.reader()
    block = reader.block(place.height)
    if block is None:  # forgotten, or below the snapshot that this node started from: what became of it is still known
        return {"txid": txid.hex(), "status": "committed", "height": place.height, "index": place.index}
    tx = signed(block.transactions[place.index], backend.genesis_hash)
    vin = vin_of_body(reader, tx.payload.body, txid)
    records = [
        f"{vin}/{sequence}"
        for sequence, raw in (records_of(reader, vin, place.height) if vin else ())
        if decode_record(raw)[0].txid == txid
    ]
    return {
        "txid": txid.hex(),
        "status": "committed",
        "height": place.height,
        "index": place.index,
        "block_id": block_id_of(block.header, backend.genesis_hash).hex(),
        "time": time_to_text(block.header.time_ms),
        "records": records,
        "transaction": transaction_json(tx),
    }


def tx_status_json(tx_status: TxStatus, now_ms: int, language: str) -> Json:
    """A rejection is final only once the transaction has expired: until then it may sit in another pool."""
    shown: Json = {"txid": tx_status.txid.hex(), "status": tx_status.status}
    match tx_status.status:
        case "committed":
            return shown | {"height": tx_status.height, "index": tx_status.index}
        case "rejected":
            is_final = now_ms > tx_status.expires_at_ms
            until = time_to_text(tx_status.expires_at_ms)
            return shown | {"unmet": unmet_json(tx_status.unmet, language), "final": is_final, "until": until}
        case "expired":
            unmet = unmet_json(tx_status.unmet, language)
            return shown | {"unmet": unmet, "final": True, "until": time_to_text(tx_status.expires_at_ms)}
        case _:
            return shown | {"expires_at": time_to_text(tx_status.expires_at_ms)}


def transaction_answer(backend: Backend, txid: bytes, language: str) -> Json:
    reader = backend.reader()
    place = reader.place(txid)
    if place is not None:
        return committed_answer(backend, txid, place)
    tx_status = backend.tx_status(txid)
    if tx_status is None:
        raise Problem(
            "transaction_unknown", f"{txid.hex()}: never seen here, or its fate was forgotten after seven days"
        )
    return tx_status_json(tx_status, reader.head().time_ms, language)


_ADDRESS, _HASH, _VIN = "[0-9a-f]{40}", "[0-9a-f]{64}", "[A-HJ-NPR-Z0-9]{17}"
KEY_IDS: Final = {
    "account": _ADDRESS,
    "quota": _ADDRESS,
    "member": _ADDRESS,
    "validator": _ADDRESS,
    "live-offers": _ADDRESS,
    "open-proposals": _ADDRESS,
    "consensus-key": _HASH,
    "evidence": _HASH,
    "listing": _HASH,
    "order": _HASH,
    "payment": _HASH,
    "payment-reference": _HASH,
    "proposal": _HASH,
    "vehicle": _VIN,
    "odometer": _VIN,
    "window": "[0-9]{1,20}",
}
"""What the ids of a family look like; of those not named, anything may be asked."""


# --- state and its proof -----------------------------------------------------------------------------------
def state_answer(backend: Backend, text: str, *, is_proof_wanted: bool) -> Json:
    """The value of a key; with a proof also the absence of one."""
    if not text.isascii() or not text.isprintable() or len(text) > 200 or "/" not in text:
        raise Problem("malformed", f"{text[:80]!r} is not a state key such as vehicle/WBA8E9G50GNU12345")
    text = _canonical_key(text)
    moment = moment_of(backend.reader())
    key = text.encode("ascii")
    raw = moment.reader.state.get(key)
    if raw is None and not is_proof_wanted:
        raise Problem("state_unknown", f"{text}: no such state key; with proof=true its absence is proven")
    family = FAMILIES.get(text.partition("/")[0])
    answer: Json = {
        "key": text,
        "value": None if raw is None else raw.hex(),
        "decoded": None if raw is None or family is None else to_json(family.decode(raw)),
        **moment.stamp,
    }
    if is_proof_wanted:
        answer |= _proof(backend, key, moment)
    return answer


def _canonical_key(text: str) -> str:
    """The key as it stands in the state, where an address is hex. Raises `Problem` for what can be no key: a proof of
    its absence would mislead."""
    name, _, ident = text.partition("/")
    if name not in FAMILIES:
        raise Problem("malformed", f"{name[:40]!r} is no family of state keys: known are {', '.join(sorted(FAMILIES))}")
    if ident.startswith("bmw1"):
        try:
            ident = from_text(ident).hex()
        except Malformed as error:
            raise Problem("malformed", f"{ident[:80]!r}: {error}") from None
    pattern = KEY_IDS.get(name)
    if pattern is not None and re.fullmatch(pattern, ident) is None:
        raise Problem("malformed", f"{ident[:80]!r} can be no id of family {name}: {pattern} is needed")
    return f"{name}/{ident}"


def _proof(backend: Backend, key: bytes, moment: Moment) -> Json:
    """Bucket and siblings, and the header and certificate that the root stands in; both null at height 0."""
    proof = backend.proof(key)
    block = moment.reader.block(moment.height) if moment.height else None
    commit = moment.reader.commit(moment.height) if moment.height else None
    return {
        "proof": {"entries": proof.entries.hex(), "siblings": [sibling.hex() for sibling in proof.siblings]},
        "tree_depth": backend.genesis.tree_depth,
        "state_root": moment.reader.head().state_root.hex(),
        "header": None if block is None else {"raw": encode(block.header).hex(), **to_json(block.header)},
        "commit": None if commit is None else {"raw": encode(commit).hex(), **to_json(commit)},
    }
