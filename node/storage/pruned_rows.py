"""The rows of blocks that are pruned: what of a store goes with them. State and records stay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from node.chain.block import block_id_of
from node.storage import schema
from node.txtypes.chain.replay_window import hour_of
from node.txtypes.envelope import decode_signed_tx

if TYPE_CHECKING:
    from node.storage.chain_store import ChainStore


def rows_of_blocks(store: ChainStore, heights: range, open_from: int, txs_max: int) -> tuple[list[bytes], int]:
    """The keys of the blocks' rows, and the height that the next portion begins with.

    `txs_max`: a portion ends before a block, other than its first, with which it would have more transactions.
    `open_from`: the hour of the head; the place of a transaction that expires later stays for the replay window."""
    keys: list[bytes] = []
    transactions = 0
    for height in heights:
        block, receipts = store.block(height), store.receipts(height)
        if block is None:
            continue
        transactions += len(block.transactions)
        if transactions > txs_max and height > heights[0]:
            return keys, height
        ident = block_id_of(block.header, store.genesis_hash)
        keys += [schema.block_key(height), schema.commit_key(height), schema.block_id_key(ident)]
        txs = [decode_signed_tx(raw, store.genesis_hash) for raw in block.transactions]
        if receipts is not None:
            keys.append(schema.receipts_key(height))
            keys += schema.subject_entries(height, receipts, txs)
        keys += [schema.tx_key(tx.txid) for tx in txs if hour_of(tx.payload.expires_at_ms) < open_from]
    return keys, heights.stop
