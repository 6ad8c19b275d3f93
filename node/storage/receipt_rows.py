"""Receipts in the store: a row for each block, and entries that find its transactions by what they concern."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from node.ledger.receipts import BLOCK_INDEX, BlockReceipts
from node.storage import schema
from node.txtypes.envelope import TxSignature

Signatures = Iterable[tuple[TxSignature, ...]]
"""The signatures of each transaction of a block, in order."""


def subjects_of(receipts: BlockReceipts, signatures: Signatures) -> Iterator[tuple[int, dict[str, None]]]:
    """(index, subjects) of each transaction, and last of the block itself: whom it concerns and who has signed."""
    for index, (receipt, signed) in enumerate(zip(receipts.transactions, signatures, strict=True)):
        yield index, receipt.subjects() | dict.fromkeys(f"account/{entry.address.hex()}" for entry in signed)
    yield BLOCK_INDEX, receipts.block.subjects()


def subject_keys(height: int, receipts: BlockReceipts, signatures: Signatures) -> list[bytes]:
    """The store keys of a block's subject entries."""
    return [
        schema.subject_key(subject, height, index)
        for index, subjects in subjects_of(receipts, signatures)
        for subject in subjects
    ]
