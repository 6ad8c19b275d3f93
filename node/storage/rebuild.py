"""A chain made anew from its blocks: each is verified and executed as if it came from a stranger.

Whatever a store holds besides blocks and certificates follows from them, so this is how a damaged one is mended and
how a chain goes back to an earlier height.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from node.chain.block import Block, Commit, Committed, block_id_of, decode_block, decode_commit, verify_commit
from node.chain.genesis import Genesis, genesis_hash, start_height
from node.codec import encode
from node.errors import Corrupted, InvalidBlock, OperatorError, Rejected
from node.execution.block_validation import check_frame, execute_block
from node.storage import schema
from node.storage.chain_store import ChainReader, ChainStore
from node.storage.kv import KeyValue
from node.txtypes.envelope import check_signatures, decode_signed_tx
from node.txtypes.rulesets import unknown_rules, unknown_ruleset

OnProgress = Callable[[int, int], None]
"""(height reached, transactions so far)"""


class BrokenChain(Corrupted):
    """A stored block that is missing, damaged, or does not execute. `height` is the first one."""

    def __init__(self, height: int, why: str) -> None:
        super().__init__(f"block {height} does not hold: {why}")
        self.height = height


class Extent(NamedTuple):
    """The heights whose blocks a store has, or says it has; `last` is below `first` where there is none yet."""

    first: int
    last: int
    is_whole: bool
    """The blocks begin where execution has to begin: at the chain's first."""


def extent_of(kv: KeyValue, genesis: Genesis) -> Extent:
    """Needs no derived data to be right, or even readable. Raises `OperatorError` for another chain or schema."""
    ident, start = genesis_hash(genesis), start_height(genesis)
    stored = _readable(kv, schema.META_GENESIS)
    if stored is not None and stored != ident:
        raise OperatorError(
            f"the store belongs to the chain with genesis hash {stored.hex()}, not {ident.hex()}: "
            "bring back that chain's genesis file"
        )
    schema.read_version(_readable(kv, schema.META_SCHEMA))
    lowest, highest = _outermost_block(kv, is_last=False), _outermost_block(kv, is_last=True)
    if stored is None and highest is None:
        raise OperatorError("the store holds no chain: it was never started, or lost everything; sync again")
    try:
        claimed = max(ChainReader(kv).height(), start)
    except Corrupted:
        claimed = start
    first = lowest or start + 1
    return Extent(first, max(highest or 0, claimed), first == start + 1)


def _readable(kv: KeyValue, key: bytes) -> bytes | None:
    try:
        return kv.get(key)
    except Corrupted:
        return None


def _outermost_block(kv: KeyValue, *, is_last: bool) -> int | None:
    """Height of the first or last block; None where there is none, or where it can't be read."""
    try:
        found = kv.scan(schema.block_key(0), schema.block_key(2**64 - 1), reverse=is_last)
        return next((schema.height_in(key) for key, _ in found), None)
    except Corrupted:
        return None


def check_whole(extent: Extent) -> None:
    """Raises `OperatorError` unless the blocks begin where execution has to begin."""
    if not extent.is_whole:
        raise OperatorError(
            f"the store has no blocks before {extent.first}, so its state can't be recomputed from genesis: restore a "
            "checkpoint, or wipe the store and sync again"
        )


def rebuild(source: KeyValue, target: ChainStore, last: int, on_progress: OnProgress | None = None) -> None:
    """Bring `target` from its head to height `last` with the blocks of `source`, nothing of which is believed.

    Raises `BrokenChain` at the first block that does not hold; `target` stands before it then.
    """
    transactions = 0
    for height in range(target.height() + 1, last + 1):
        try:
            committed = _stored(source, height)
            take(target, committed.block, committed.commit)
        except (Rejected, Corrupted) as error:
            raise BrokenChain(height, str(error)) from None
        except OperatorError:
            raise
        except Exception as error:  # whatever a decided block can bring about is that block's failure
            raise BrokenChain(height, f"{type(error).__name__}: {error}") from error
        transactions += len(committed.block.transactions)
        if on_progress is not None:
            on_progress(height, transactions)


def _stored(source: KeyValue, height: int) -> Committed:
    """Raises `Rejected` or `Corrupted`."""
    block, commit = source.get(schema.block_key(height)), source.get(schema.commit_key(height))
    if block is None:
        raise Corrupted("it is missing from the store")
    if commit is None:
        raise Corrupted("its certificate is missing from the store")
    return Committed(decode_block(block), decode_commit(commit))


def take(store: ChainStore, block: Block, commit: Commit) -> None:
    """Verify in full, execute, commit: the next block, from whoever hands it to us. Raises `Rejected`, and
    `OperatorError` where this software does not know the ruleset that judges the block."""
    head, ident = store.head(), store.genesis_hash
    height = head.height + 1
    if unknown := unknown_rules(head.params, height):
        raise OperatorError(unknown)
    if (commit.height, commit.block_id) != (height, block_id_of(block.header, ident)):
        raise InvalidBlock("certificate", "the certificate is for another block")
    verify_commit(commit, ident, head.validators)
    if unknown := unknown_ruleset(height, block.header.ruleset_hash):
        raise OperatorError(unknown)
    # Where the block holds the very certificate that we have of its parent, that one was verified a moment ago.
    own = store.commit(head.height)
    is_known = own is not None and encode(own) == encode(block.last_commit)
    check_frame(block, head, ident, verify_last_commit=not is_known)
    checked = [check_signatures(decode_signed_tx(raw, ident), ident) for raw in block.transactions]
    result = execute_block(block, checked, store.state, store.tree, head, ident)
    store.commit_block(block, result, commit)
