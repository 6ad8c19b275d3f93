"""Receipts: what each transaction of a block, and the block itself, did to the state.

A row is a pure function of the block and the state before it. The header does not commit to it, so a receipt is the
node's word: a commit is proven by `tx_root`, a value by its state proof. No peer sends rows; each node makes its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Literal

import msgspec

from node.codec import Value, encode
from node.crypto.hashing import tagged
from node.errors import Corrupted
from node.ledger.family import Family

BLOCK_INDEX: Final = 2**32 - 1
"""The place of what the block itself did (evidence, a ruleset that begins) among its transactions."""


class RecordRef(Value, frozen=True):
    """A vehicle record that was appended."""

    vin: str
    sequence: int


class Change(Value, frozen=True):
    """A state value that was created, changed or ended. `subjects`: the state keys of the vehicles, accounts, orders
    and listings that the value before and the value after concern. `status`: the value's own word, see its family."""

    key: str
    how: Literal["created", "changed", "ended"]
    status: str
    subjects: tuple[str, ...]


class Happening(Value, frozen=True):
    """A named fact that no single state value shows."""

    name: str
    subjects: tuple[str, ...]


class Receipt(Value, frozen=True):
    """What one transaction, or the block itself, did. Quota and replay window are not in it."""

    records: tuple[RecordRef, ...]
    changes: tuple[Change, ...]
    happenings: tuple[Happening, ...]

    def subjects(self) -> set[str]:
        """Every subject: vehicles of records are those of changes too."""
        subjects = set[str]()
        for change in self.changes:
            subjects.update(change.subjects)
        for happening in self.happenings:
            subjects.update(happening.subjects)
        return subjects


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
    """What became of one state value; None where nothing is told of it."""
    if family.concerns is None or old == new:
        return None
    text = key.decode("ascii")
    ident = text[len(family.name) + 1 :]
    subjects = () if new is None else family.concerns(ident, new)
    former = () if old is None else family.concerns(ident, old)
    if former and former != subjects:
        subjects = tuple(dict.fromkeys((*subjects, *former)))
    how: Literal["created", "changed", "ended"] = "created" if old is None else "ended" if new is None else "changed"
    return Change(text, how, "" if new is None else family.status(new), subjects)


def receipt_of(
    records: tuple[RecordRef, ...],
    changes: Mapping[bytes, tuple[Family[Any], Any]],
    before: Callable[[Family[Any], bytes], Any],
    happenings: Iterable[Happening],
) -> Receipt:
    """`before(family, key)` gives the value that a change replaces."""
    found = [
        change
        for key, (family, new) in changes.items()
        if family.concerns is not None and (change := change_of(family, key, before(family, key), new)) is not None
    ]
    return Receipt(records, tuple(found), tuple(happenings))
