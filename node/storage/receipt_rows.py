"""Receipts in the store: a row for each block, and entries that find its transactions by what they concern."""

from __future__ import annotations

from collections.abc import Iterable

from node.ledger.receipts import BLOCK_INDEX, BlockReceipts
from node.storage import schema
from node.txtypes.envelope import TxSignature

Signatures = Iterable[tuple[TxSignature, ...]]
"""The signatures of each transaction of a block, in order."""


def subject_keys(height: int, receipts: BlockReceipts, signatures: Signatures) -> list[bytes]:
    """The store keys of a block's subject entries: what each transaction, and the block itself, concerns, and who has
    signed."""
    keys = _keys(receipts.block.subjects(), height, BLOCK_INDEX)
    for index, (receipt, signed) in enumerate(zip(receipts.transactions, signatures, strict=True)):
        subjects = receipt.subjects()
        for entry in signed:
            subjects.add("account/" + entry.address.hex())
        keys += _keys(subjects, height, index)
    return keys


def _keys(subjects: set[str], height: int, index: int) -> list[bytes]:
    place = b"/" + schema.place(height, index)
    return [b"Y" + subject.encode("ascii") + place for subject in subjects]
