"""Questions about the chain itself: status, blocks, validators, state and proofs."""

from __future__ import annotations

from node.chain.block import Block, Commit, Committed, block_id_of
from node.codec import encode
from node.crypto.addresses import to_text
from node.errors import Corrupted, Malformed, Rejected
from node.ledger.body import type_of
from node.ledger.json_form import to_json
from node.ledger.views import extended
from node.limits import SYNC_BATCH_BYTES
from node.rpc import answers
from node.rpc.backend import Backend, NodeStatus
from node.rpc.moments import Moment, WorkShare, moment_of, standing_paced
from node.rpc.problems import Problem
from node.rpc.request_parsing import cursor_text, number_cursor, read_hash
from node.storage.chain_store import ChainReader
from node.txtypes.envelope import SignedTx, decode_signed_tx
from node.txtypes.members.member import name_of
from node.txtypes.registry import FAMILIES, family_of

PAGE_TXS_MAX = 1_000
"""Transactions that one page of decoded blocks may have; always at least one block."""
KEYS_MAX = 100
"""State keys of one request."""


# --- the node --------------------------------------------------------------------------------------------
def status_answer(backend: Backend) -> answers.Status:
    status = backend.status()
    moment = moment_of(backend.reader())
    head = moment.reader.head()
    pace = status.pace
    return answers.Status(
        chain_id=backend.genesis.chain_id,
        genesis_hash=backend.genesis_hash,
        head=answers.HeadAnswer(head.height, head.block_id, head.time_ms, head.state_root),
        first_height=moment.reader.first_height(),
        syncing=status.is_syncing,
        sync=answers.SyncAnswer(pace.target, pace.blocks_per_second, pace.seconds_left),
        validator=status.is_validator,
        validator_address=to_text(status.validator) if status.validator else "",
        validator_name=name_of(moment, status.validator) if status.validator else "",
        signing=status.signing,
        round=status.round,
        step=status.step,
        peers=status.peers,
        pool=answers.PoolAnswer(status.pool_txs, status.pool_bytes),
        halted=status.halted,
        moniker=status.moniker,
        node_key=status.node_key,
        version=status.version,
    )


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


def peers_answer(backend: Backend) -> answers.Peers:
    moment = moment_of(backend.reader())
    peers = tuple(
        answers.Peer(
            peer.node_key,
            peer.address,
            peer.moniker,
            peer.is_outbound,
            peer.height,
            to_text(peer.member) if peer.member else "",
            name_of(moment, peer.member) if peer.member else "",
        )
        for peer in backend.peers()
    )
    return answers.Peers(peers, moment.height)


def validators_answer(reader: ChainReader, height: int) -> answers.Validators:
    """The set that decides `height`; 0 asks for the next one."""
    top = reader.height() + 1
    if not 0 <= height <= top:
        raise Problem("block_unknown", f"height: sets are known for 1 to {top}")
    try:
        validators = reader.validators(height or top)
    except Corrupted:  # below the snapshot that this node began with, or the chain's own beginning
        text = f"height: the set of {height} is not known here, where the first block is {reader.first_height()}"
        raise Problem("block_unknown", text) from None
    moment = moment_of(reader)
    entries = (
        extended(answers.NamedValidator, entry, name=name_of(moment, entry.address)) for entry in validators.entries
    )
    return answers.Validators(height or top, validators.hash, validators.total, tuple(entries))


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


def transaction_of(tx: SignedTx) -> answers.Transaction:
    payload = tx.payload
    return answers.Transaction(
        tx.txid,
        tx.wire_id,
        type_of(payload.body),
        payload.sender,
        str(payload.salt),
        payload.expires_at_ms,
        payload.body,
        tx.signatures,
        len(tx.raw),
    )


async def _block_of(block: Block, commit: Commit, genesis_hash: bytes, share: WorkShare) -> answers.Block:
    transactions = []
    for raw in block.transactions:
        transactions.append(transaction_of(signed(raw, genesis_hash)))
        await share.rest()
    header = block.header
    return answers.Block(
        header.height,
        block_id_of(header, genesis_hash),
        header.time_ms,
        header,
        tuple(transactions),
        block.evidence,
        block.last_commit,
        commit,
    )


async def block_answer(backend: Backend, reference: str) -> tuple[int, answers.Block]:
    """(height read at, the block). A block never changes, so only finding it has to be of one moment."""
    reader = backend.reader()
    height = reader.height()
    block, commit = stored(reader, height_of(reader, reference))
    return height, await _block_of(block, commit, backend.genesis_hash, WorkShare())


def _start(reader: ChainReader, start: int, cursor: str) -> int:
    first = number_cursor("blocks", cursor, start or reader.first_height())
    if first < 1:
        raise Problem("malformed", "from: the first block has height 1")
    return first


async def blocks_page(backend: Backend, start: int, limit: int, cursor: str) -> tuple[Moment, answers.BlocksPage]:
    """Blocks upwards from a height; fewer than `limit` where they are full."""
    first = _start(backend.reader(), start, cursor)
    async with standing_paced(backend.reader()) as (moment, share):
        blocks: list[answers.Block] = []
        count, height = 0, first
        while height <= moment.height and len(blocks) < limit and (not blocks or count < PAGE_TXS_MAX):
            block, commit = stored(moment.reader, height)
            count += len(block.transactions)
            blocks.append(await _block_of(block, commit, backend.genesis_hash, share))
            height += 1
        following = cursor_text("blocks", height) if height <= moment.height else None
        return moment, answers.BlocksPage(tuple(blocks), following)


async def blocks_bytes(reader: ChainReader, start: int, limit: int, cursor: str) -> bytes:
    """The same page as a MessagePack array of `Committed`, at most about two megabytes."""
    height, size = _start(reader, start, cursor), 0
    committed: list[Committed] = []
    async with standing_paced(reader) as (moment, share):
        while height <= moment.height and len(committed) < limit and size < SYNC_BATCH_BYTES:
            block, commit = stored(moment.reader, height)
            size += sum(map(len, block.transactions)) + 1_000
            committed.append(Committed(block, commit))
            height += 1
            await share.rest()
    return encode(committed)


# --- state and proofs --------------------------------------------------------------------------------------
def state_answer(backend: Backend, text: str, *, is_proof_wanted: bool) -> tuple[Moment, answers.StateAnswer]:
    """The value of a key; with a proof also the absence of one."""
    moment, values = state_values(backend, text, is_proof_wanted=is_proof_wanted)
    entry = values.entries[0]
    if len(values.entries) > 1:
        raise Problem("malformed", "key: one state key expected; several go to /v1/state?keys=")
    if entry.value is None and not is_proof_wanted:
        raise Problem("state_unknown", f"{entry.key}: no such state key; with proof=true its absence is proven")
    return moment, answers.StateAnswer(
        entry.key,
        entry.value,
        entry.decoded,
        entry.proof,
        values.tree_depth,
        values.state_root,
        values.header,
        values.commit,
    )


def state_values(backend: Backend, keys: str, *, is_proof_wanted: bool) -> tuple[Moment, answers.StateValues]:
    """The values of comma-separated keys, all of one height, absent ones as null."""
    texts = keys.split(",")
    if len(texts) > KEYS_MAX:
        raise Problem("malformed", f"keys: {len(texts)} keys, at most {KEYS_MAX} are allowed")
    moment = moment_of(backend.reader())
    entries = tuple(_state_entry(backend, moment, canonical_key(text), is_proof_wanted) for text in texts)
    header: answers.RawHeader | None = None
    commit: answers.RawCommit | None = None
    if is_proof_wanted and moment.height and moment.reader.first_height() <= moment.height:
        block, certificate = stored(moment.reader, moment.height)
        header = extended(answers.RawHeader, block.header, raw=encode(block.header))
        commit = extended(answers.RawCommit, certificate, raw=encode(certificate))
    depth, root = backend.genesis.tree_depth, moment.reader.head().state_root
    return moment, answers.StateValues(entries, depth, root, header, commit)


def _state_entry(backend: Backend, moment: Moment, text: str, is_proof_wanted: bool) -> answers.StateEntry:
    key = text.encode("ascii")
    raw, family = moment.reader.state.get(key), family_of(key)
    decoded = None if raw is None or family is None else to_json(family.decode(raw))
    proof = None
    if is_proof_wanted:
        found = backend.proof(key)
        large = None
        if found.large is not None:
            paths = tuple(map(answers.EntryPath, found.large.paths))
            large = answers.LargeBucketAnswer(found.large.count, found.large.index, paths)
        proof = answers.StateProofAnswer(found.entries, found.siblings, large)
    return answers.StateEntry(text, raw, decoded, proof)


def canonical_key(text: str) -> str:
    """The key as it is in the state, where an address is hex. Raises `Problem` for what can be no key: a proof of its
    absence would mislead."""
    name, slash, ident = text.partition("/")
    if not text.isascii() or not text.isprintable() or len(text) > 200 or not slash:
        raise Problem("malformed", f"{text[:80]!r} is not a state key such as vehicle/WBA8E9G50GNU12345")
    family = FAMILIES.get(name)
    if family is None:
        raise Problem("malformed", f"{name[:40]!r} is no family of state keys: known are {', '.join(sorted(FAMILIES))}")
    try:
        return f"{name}/{family.ident.canonical(ident)}"
    except Malformed as error:
        raise Problem("malformed", f"family {name}: {error}") from None
