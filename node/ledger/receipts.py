"""Receipts: the effects of each transaction of a block, and of the block itself, on the state.

A row is a pure function of the block and the state before it. The header does not commit to it, so a receipt is the
node's word: a commit is proven by `tx_root`, a value by its state proof. No peer sends rows; each node makes its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

import msgspec

from node.codec import Value, encode
from node.crypto.hashing import tagged
from node.errors import Corrupted
from node.ledger.family import Family

BLOCK_INDEX: Final = 2**32 - 1
"""The index of the block's own effects (evidence, a new ruleset) among its transactions."""


class RecordRef(Value, frozen=True):
    """A vehicle record that was appended."""

    vin: str
    sequence: int


class Change(Value, frozen=True):
    """A state value that was created, changed or ended. `subjects`: the state keys of the vehicles, accounts, orders
    and listings that the value before and the value after concern. `status`: see the family's."""

    key: str
    how: Literal["created", "changed", "ended"]
    status: str
    subjects: tuple[str, ...]


class Happening(Value, frozen=True):
    """A named fact that no single state value shows."""

    name: str
    subjects: tuple[str, ...]


class Receipt(Value, frozen=True):
    """The effects of one transaction, or of the block itself, without quota and replay window."""

    records: tuple[RecordRef, ...]
    changes: tuple[Change, ...]
    happenings: tuple[Happening, ...]

    def subjects(self) -> set[str]:
        """Every subject: vehicles of records are those of changes too."""
        lists = [change.subjects for change in self.changes] + [happening.subjects for happening in self.happenings]
        return {subject for subjects in lists for subject in subjects}


class BlockReceipts(Value, frozen=True):
    """One receipt per transaction in block order, and that of the block itself."""

    transactions: tuple[Receipt, ...]
    block: Receipt


CHECKSUM_BYTES: Final = 8
_decode = msgspec.msgpack.Decoder(BlockReceipts).decode


def encode_receipts(receipts: BlockReceipts) -> bytes:
    """A row as it is stored: behind a checksum, since no hash of the chain covers it."""
    row = encode(receipts)
    return _checksum(row) + row


def _checksum(row: bytes) -> bytes:
    return tagged("bmw/receipts", row)[:CHECKSUM_BYTES]


def decode_receipts(raw: bytes) -> BlockReceipts:
    """Raises `Corrupted`: only our own encoding is ever stored."""
    row = raw[CHECKSUM_BYTES:]
    if _checksum(row) != raw[:CHECKSUM_BYTES]:
        raise Corrupted("a stored row of receipts does not match its checksum")
    try:
        return _decode(row)
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Corrupted(f"a stored row of receipts does not decode: {error}") from None


def change_of(family: Family[Any], key: bytes, old: Any, new: Any) -> Change | None:
    """The change of one state value; None where receipts do not have it."""
    concerns = family.concerns
    if concerns is None or old == new:
        return None
    text = key.decode("ascii")
    ident = text[len(family.name) + 1 :]
    if old is None:
        return Change(text, "created", family.status(new), concerns(ident, new))
    former = concerns(ident, old)
    if new is None:
        return Change(text, "ended", "", former)
    subjects = concerns(ident, new)
    if former != subjects:
        subjects = tuple(dict.fromkeys((*subjects, *former)))
    return Change(text, "changed", family.status(new), subjects)


def receipt_of(
    records: tuple[RecordRef, ...],
    changes: Mapping[bytes, tuple[Family[Any], Any]],
    replaced: Mapping[bytes, Any],
    happenings: Iterable[Happening],
) -> Receipt:
    """`replaced`: the value that each change of a family with receipts replaces."""
    changed = []
    for key, (family, new) in changes.items():
        if family.concerns is not None:
            change = change_of(family, key, replaced[key], new)
            if change is not None:
                changed.append(change)
    return Receipt(records, tuple(changed), tuple(happenings))
