"""The key layout of the store. One letter names the family; numbers are big-endian so that order is numeric.

M<name>                    meta: schema version, genesis hash, head
B<height8>                 block, canonical bytes
C<height8>                 the commit certificate of that height
I<block id>                height
T<txid>                    height8 index4
S<state key>               state value
K<bucket4>                 the state tree's bucket: slots and value hashes
W<hour8><txid>             the replay window: expires_at8
R<vin>/<sequence8>         vehicle record
V<height8>                 validator set hash and entries ruling that height
X<family>/<index>/<value>/<id>     indexes over the state, see `ledger.family`
Q<height8>                 receipts of that block, see `ledger.receipts`
Y<subject>/<height8><index4>       transactions by what they concern
"""

from __future__ import annotations

from typing import Final

from node.errors import OperatorError

SCHEMA_VERSION: Final = 1
"""A new index raises it. A store of an older version is upgraded when it opens, see `upgrade`."""

META_SCHEMA: Final = b"Mschema"
META_GENESIS: Final = b"Mgenesis"
META_HEAD: Final = b"Mhead"
META_BASE: Final = b"Mbase"
"""Height of the oldest block that is still there; 1 where it is missing. A successor chain always has it."""


META_RECEIPTS: Final = b"Mreceipts"
"""Height from which on every block has its receipts; the chain's first where it is missing."""


def u64(number: int) -> bytes:
    return number.to_bytes(8, "big")


def block_key(height: int) -> bytes:
    return b"B" + u64(height)


def height_in(key: bytes) -> int:
    """The height that the key of a block, a certificate or a validator set names."""
    return int.from_bytes(key[1:], "big")


def commit_key(height: int) -> bytes:
    return b"C" + u64(height)


def block_id_key(block_id: bytes) -> bytes:
    return b"I" + block_id


def tx_key(txid: bytes) -> bytes:
    return b"T" + txid


def state_key(key: bytes) -> bytes:
    return b"S" + key


def bucket_key(number: int) -> bytes:
    return b"K" + number.to_bytes(4, "big")


def window_key(hour: int, txid: bytes) -> bytes:
    return b"W" + u64(hour) + txid


def record_key(vin: str, sequence: int) -> bytes:
    return b"R" + vin.encode("ascii") + b"/" + u64(sequence)


def validators_key(height: int) -> bytes:
    return b"V" + u64(height)


def receipts_key(height: int) -> bytes:
    return b"Q" + u64(height)


def subject_prefix(subject: str) -> bytes:
    """What the entries of one subject begin with."""
    return b"Y" + subject.encode("ascii") + b"/"


def subject_key(subject: str, height: int, index: int) -> bytes:
    return subject_prefix(subject) + place(height, index)


def place(height: int, index: int) -> bytes:
    """A transaction's place in the chain."""
    return u64(height) + index.to_bytes(4, "big")


def place_in(key: bytes) -> tuple[int, int]:
    """(height, index) that the key of a subject entry names."""
    return int.from_bytes(key[-12:-4], "big"), int.from_bytes(key[-4:], "big")


def read_version(stored: bytes | None) -> int:
    """Of what stands under `META_SCHEMA`; 0 for nothing. Raises `OperatorError` where this software is too old."""
    version = int.from_bytes(stored or b"", "big")
    if version > SCHEMA_VERSION:
        raise OperatorError(
            f"the store has schema version {version}, this software reads {SCHEMA_VERSION}: install a newer version "
            "and start again; the store is intact"
        )
    return version


# --- for people -------------------------------------------------------------------------------------------
FAMILY_NAMES: Final = {
    b"C": "certificate",
    b"B": "block",
    b"I": "block id",
    b"K": "state tree bucket",
    b"R": "vehicle record",
    b"S": "state value",
    b"T": "transaction place",
    b"V": "validator set",
    b"W": "replay window entry",
    b"X": "index entry",
    b"Q": "receipts",
    b"Y": "subject entry",
}
"""Families that follow from the chain. Anything else in a store (M besides its three) is a node's own business."""


def key_text(key: bytes) -> str:
    """A store key for people."""
    family, rest = key[:1], key[1:]
    if family in (b"S", b"X", b"M") and rest.isascii():
        return rest.decode("ascii")
    if family == b"R" and len(rest) > 9:
        return f"{rest[:-9].decode('ascii', 'backslashreplace')}/{int.from_bytes(rest[-8:], 'big')}"
    if family == b"Y" and len(rest) > 13:
        height, index = place_in(rest)
        return f"{rest[:-13].decode('ascii', 'backslashreplace')}, height {height}, transaction {index}"
    if family in (b"B", b"C", b"V", b"K", b"Q"):
        return str(int.from_bytes(rest, "big"))
    if family == b"W":
        return f"hour {int.from_bytes(rest[:8], 'big')}, transaction {rest[8:].hex()}"
    return rest.hex()
