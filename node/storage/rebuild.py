"""Rebuilding a chain from its blocks: each is verified and executed as if it came from an untrusted peer.

Everything else in a store follows from the blocks and certificates, so this repairs a damaged store and takes a chain
back to an earlier height.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from node.chain.block import Block, Commit, block_id_of, verify_commit
from node.chain.genesis import Genesis, genesis_hash, start_height
from node.codec import encode
from node.errors import Corrupted, InvalidBlock, OperatorError, Rejected
from node.execution.block_validation import check_frame, execute_block
from node.storage import schema
from node.storage.chain_store import ChainReader, ChainStore
from node.storage.kv import KeyValue, unless_damaged
from node.txtypes.envelope import check_signatures, decode_signed_tx
from node.txtypes.rulesets import unknown_rules, unknown_ruleset

OnProgress = Callable[[int, int], None]
"""(height reached, transactions so far)"""


class BrokenChain(Corrupted):
    """A stored block is missing, damaged or invalid. `height`: that of the first such block."""

    def __init__(self, height: int, why: str) -> None:
        super().__init__(f"block {height} is invalid: {why}")
        self.height = height


class Extent(NamedTuple):
    """The heights whose blocks a store has or claims to have; `last` is below `first` where there are none."""

    first: int
    last: int
    is_whole: bool
    """The chain's first block is there, from which execution must start."""


def extent_of(kv: KeyValue, genesis: Genesis) -> Extent:
    """The extent of a store; derived data may be unreadable. Raises `OperatorError` for another chain or schema."""
    ident, start = genesis_hash(genesis), start_height(genesis)
    stored = unless_damaged(lambda: kv.get(schema.META_GENESIS), None)
    if stored is not None and stored != ident:
        raise OperatorError(
            f"the store belongs to the chain with genesis hash {stored.hex()}, not {ident.hex()}: "
            "restore that chain's genesis file"
        )
    schema.read_version(unless_damaged(lambda: kv.get(schema.META_SCHEMA), None))
    lowest = unless_damaged(lambda: _end_of_blocks(kv, is_last=False), None)
    highest = unless_damaged(lambda: _end_of_blocks(kv, is_last=True), None)
    if stored is None and highest is None:
        raise OperatorError("the store has no chain: it was never started, or lost everything; sync again")
    first, claimed = lowest or start + 1, unless_damaged(ChainReader(kv).height, start)
    return Extent(first, max(highest or 0, claimed, start), first == start + 1)


def _end_of_blocks(kv: KeyValue, *, is_last: bool) -> int | None:
    """Height of the first or last block; None where there is none."""
    blocks = kv.scan(schema.block_key(0), schema.block_key(2**64 - 1), reverse=is_last)
    return next((schema.height_in(key) for key, _ in blocks), None)


def check_whole(extent: Extent) -> None:
    """The chain's first block is there. Raises `OperatorError`."""
    if not extent.is_whole:
        raise OperatorError(
            f"the store has no blocks before {extent.first}, so its state can't be recomputed from genesis: restore a "
            "checkpoint, or wipe the store and sync again"
        )


def rebuild(source: KeyValue, target: ChainStore, last: int, on_progress: OnProgress = lambda *_: None) -> None:
    """Execute the blocks of `source`, which is not trusted, from the head of `target` to height `last`. Raises
    `BrokenChain` at the first invalid block; `target` then ends before it."""
    reader, transactions = ChainReader(source), 0
    for height in range(target.height() + 1, last + 1):
        try:
            block, commit = reader.block(height), reader.commit(height)
            if block is None or commit is None:
                raise Corrupted(f"{'it' if block is None else 'its certificate'} is missing from the store")
            take(target, block, commit)
        except (Rejected, Corrupted) as error:
            raise BrokenChain(height, str(error)) from None
        except OperatorError:
            raise
        except Exception as error:  # any other failure of a decided block is the block's
            raise BrokenChain(height, f"{type(error).__name__}: {error}") from error
        transactions += len(block.transactions)
        on_progress(height, transactions)


def take(store: ChainStore, block: Block, commit: Commit) -> None:
    """Verify, execute and commit the next block. Raises `Rejected`, and `OperatorError` for an unknown ruleset."""
    head, ident = store.head(), store.genesis_hash
    height = head.height + 1
    if unknown := unknown_rules(head.params, height):
        raise OperatorError(unknown)
    if (commit.height, commit.block_id) != (height, block_id_of(block.header, ident)):
        raise InvalidBlock("certificate", "the certificate is for another block")
    verify_commit(commit, ident, head.validators)
    if unknown := unknown_ruleset(height, block.header.ruleset_hash):
        raise OperatorError(unknown)
    # The stored certificate of the parent was verified before: if the block has the same one, it is not verified again.
    own = store.commit(head.height)
    is_verified = own is not None and encode(own) == encode(block.last_commit)
    check_frame(block, head, ident, verify_last_commit=not is_verified)
    checked = [check_signatures(decode_signed_tx(raw, ident), ident) for raw in block.transactions]
    result = execute_block(block, checked, store.state, store.tree, head, ident)
    store.commit_block(block, result, commit)
