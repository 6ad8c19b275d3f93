"""Sums of store entries: two sets of entries are compared without either being stored or sorted.

The sum is that of the entries' hashes under a key that only this audit knows, so nobody can prepare other entries with
the same sum. A difference is found by the sum and then located entry by entry.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

import msgspec

_MODULUS = 2**64
KEY_BYTES = 32


class RowSum(msgspec.Struct, frozen=True):
    """Number of entries, and the sum of their hashes modulo 2^64."""

    count: int = 0
    total: int = 0

    def __add__(self, other: RowSum) -> RowSum:
        return RowSum(self.count + other.count, (self.total + other.total) % _MODULUS)


def sum_of(row_key: bytes, entries: Iterable[bytes]) -> RowSum:
    """`entries`: each a store key and its value, concatenated; within one family keys and values can't be confused."""
    keyed = blake2b(digest_size=8, key=row_key)
    count = total = 0
    for entry in entries:
        hashed = keyed.copy()  # a third less time than a new one
        hashed.update(entry)
        total += int.from_bytes(hashed.digest(), "big")
        count += 1
    return RowSum(count, total % _MODULUS)
