"""Tagged SHA-256: `H(tag, data) = SHA-256(tag || 0x00 || data)`. The tag separates hashes of different kinds."""

from __future__ import annotations

from functools import cache
from hashlib import sha256

ZERO32 = bytes(32)


def tagged(tag: str, data: bytes) -> bytes:
    """`H(tag, data)`, 32 bytes."""
    return sha256(_prefix(tag) + data).digest()


@cache
def _prefix(tag: str) -> bytes:
    return tag.encode("ascii") + b"\x00"


def commitment(kind: str, salt: bytes, value: bytes) -> bytes:
    """Salted commitment to a guessable value (a plate, a phone number): `H("bmw/commit", kind || salt || value)`."""
    assert len(salt) == 32, "a commitment needs 32 bytes of salt"
    return tagged("bmw/commit", kind.encode("ascii") + salt + value)
