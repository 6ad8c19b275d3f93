"""The key layout of the store. One letter names the family; numbers are big-endian, so that order is numeric.

M<name>                    meta: schema version, genesis hash, head
B<height8>                 block, canonical bytes
C<height8>                 the commit certificate of that height
I<block id>                height
T<txid>                    height8 index4
S<state key>               state value
K<bucket4>                 the state tree's bucket: slots and value hashes
W<hour8><height8><index4>  the replay window, in block order: txid expires_at8
R<vin>/<sequence8>         vehicle record
V<height8>                 entries of the validator set from that height on
X<family>/<index>/<value>/<id>     indexes over the state, see `ledger.family`
Q<height8>                 receipts of that block, see `ledger.receipts`
Y<subject>/<height8>  transactions by subject, what they concern and their signers: index4 of each in that block
H<row><height8>            state history: what that block has replaced in a row, empty where there was no row
U<height8>                 state history: the rows that have an H entry of that height
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from node.errors import OperatorError
from node.ledger.receipts import BLOCK_INDEX, BlockReceipts
from node.txtypes.envelope import SignedTx

SCHEMA_VERSION: Final = 1
"""A new index increments it. A store of an older version is upgraded when it opens, see `chain_store.upgrade`."""

META_SCHEMA: Final = b"Mschema"
META_GENESIS: Final = b"Mgenesis"
META_HEAD: Final = b"Mhead"
META_BASE: Final = b"Mbase"
"""Height of the oldest stored block; 1 where the entry is missing. A successor chain always has it."""
META_RECEIPTS: Final = b"Mreceipts"
"""First height from which every block has its receipts; the chain's first where the entry is missing."""

META_HISTORY: Final = b"Mhistory"
"""First and last height of the state history, 8 bytes each. It ends below the head where a node that keeps none has
gone on with the store; then it is void."""

META_RUN: Final = b"Mrun"
"""Node-local: random id of the run of the node that wrote the store last. A copy of the chain does not have it."""


def u64(number: int) -> bytes:
    return number.to_bytes(8, "big")


def _key_of_height(family: bytes) -> Callable[[int], bytes]:
    return lambda height: family + height.to_bytes(8, "big")


def _key_of_bytes(family: bytes) -> Callable[[bytes], bytes]:
    return lambda ident: family + ident


block_key: Final = _key_of_height(b"B")
commit_key: Final = _key_of_height(b"C")
validators_key: Final = _key_of_height(b"V")
receipts_key: Final = _key_of_height(b"Q")
undone_key: Final = _key_of_height(b"U")
block_id_key: Final = _key_of_bytes(b"I")
tx_key: Final = _key_of_bytes(b"T")
state_key: Final = _key_of_bytes(b"S")


def height_in(key: bytes) -> int:
    """The height in the key of a block, a certificate, a validator set or receipts."""
    return int.from_bytes(key[1:], "big")


def bucket_key(number: int) -> bytes:
    return b"K" + number.to_bytes(4, "big")


def node_row(index: int) -> bytes:
    """Names a node of the state tree by its heap index. It is in no row but those of the state history."""
    return b"N" + index.to_bytes(4, "big")


def undo_key(row: bytes, height: int) -> bytes:
    """A row's key is ASCII or of a fixed length, and a height starts with a zero byte: the entries of a row are those
    from its height 0 to `undo_end`."""
    return b"H" + row + u64(height)


def undo_end(row: bytes) -> bytes:
    return b"H" + row + b"\x01"


WINDOW_KEY_BYTES: Final = 21


def window_start(hour: int) -> bytes:
    """The prefix of the replay window's entries of an hour; what follows is the place of a transaction."""
    return b"W" + u64(hour)


def window_hour_in(key: bytes) -> int:
    """The hour in the key of an entry of the replay window."""
    return int.from_bytes(key[1:9], "big")


def record_key(vin: str, sequence: int) -> bytes:
    return b"R" + vin.encode("ascii") + b"/" + u64(sequence)


def subject_prefix(subject: str) -> bytes:
    """The prefix of all entries of a subject."""
    return b"Y" + subject.encode("ascii") + b"/"


def subject_key(subject: str, height: int) -> bytes:
    return subject_prefix(subject) + u64(height)


def subject_height_in(key: bytes) -> int:
    """The block height that ends the key of a subject entry."""
    return int.from_bytes(key[-8:], "big")


def subject_entries(height: int, receipts: BlockReceipts, transactions: Iterable[SignedTx]) -> dict[bytes, bytes]:
    """Store rows that list a block's transactions by subject: the vehicles, accounts, orders and listings that each of
    them concerns or is signed by. A value is the ascending indexes of these transactions in the block, 4 bytes each;
    `BLOCK_INDEX` stands for a change that the block itself made."""
    indexes = defaultdict[str, list[bytes]](list)
    for index, (receipt, tx) in enumerate(zip(receipts.transactions, transactions, strict=True)):
        at, subjects = index.to_bytes(4, "big"), receipt.subjects()
        for entry in tx.signatures:
            subjects.add("account/" + entry.address.hex())
        for subject in subjects:
            indexes[subject].append(at)
    for subject in receipts.block.subjects():
        indexes[subject].append(BLOCK_INDEX.to_bytes(4, "big"))
    suffix = b"/" + u64(height)
    return {b"Y" + subject.encode("ascii") + suffix: b"".join(found) for subject, found in indexes.items()}


@dataclass(frozen=True, slots=True)
class TxPlace:
    height: int
    index: int


def place(height: int, index: int) -> bytes:
    """A transaction's place in the chain."""
    return u64(height) + index.to_bytes(4, "big")


def place_in(key: bytes) -> TxPlace:
    """The place at the end of a key."""
    return TxPlace(int.from_bytes(key[-12:-4], "big"), int.from_bytes(key[-4:], "big"))


def read_version(stored: bytes | None) -> int:
    """The schema version in a `META_SCHEMA` value; 0 for None. Raises `OperatorError` where this software is older."""
    version = int.from_bytes(stored or b"", "big")
    if version > SCHEMA_VERSION:
        raise OperatorError(
            f"the store has schema version {version}, this software reads {SCHEMA_VERSION}: install a newer version "
            "and start again; the store is intact"
        )
    return version


# --- names in reports -------------------------------------------------------------------------------------
FAMILY_NAMES: Final = {
    b"B": "block", b"C": "certificate", b"I": "block id", b"K": "state tree bucket", b"Q": "receipts",
    b"R": "vehicle record", b"S": "state value", b"T": "transaction place", b"V": "validator set",
    b"W": "replay window entry", b"X": "index entry", b"Y": "subject entry",
}  # fmt: skip
"""Key families that are derived from the chain. Any other key is metadata or node-local."""


def key_text(key: bytes) -> str:
    """A store key as readable text."""
    family, rest = key[:1], key[1:]
    if family in (b"S", b"X", b"M") and rest.isascii():
        return rest.decode("ascii")
    if family == b"R" and len(rest) > 9:
        return f"{rest[:-9].decode('ascii', 'backslashreplace')}/{int.from_bytes(rest[-8:], 'big')}"
    if family == b"Y" and len(rest) > 9:
        return f"{rest[:-9].decode('ascii', 'backslashreplace')}, height {subject_height_in(rest)}"
    if family in (b"B", b"C", b"V", b"K", b"Q"):
        return str(int.from_bytes(rest, "big"))
    if family == b"W" and len(rest) >= 20:
        at = place_in(rest)
        return f"hour {int.from_bytes(rest[:8], 'big')}, height {at.height}, transaction {at.index}"
    return rest.hex()
