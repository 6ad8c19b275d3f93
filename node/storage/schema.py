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
X...                       indexes, see `indexes`
"""

from __future__ import annotations

from typing import Final

SCHEMA_VERSION: Final = 1

META_SCHEMA: Final = b"Mschema"
META_GENESIS: Final = b"Mgenesis"
META_HEAD: Final = b"Mhead"


def u64(number: int) -> bytes:
    return number.to_bytes(8, "big")


def block_key(height: int) -> bytes:
    return b"B" + u64(height)


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
