"""Tagged SHA-256: `H(tag, data) = SHA-256(tag || 0x00 || data)`, so that no hash of one kind is one of another."""

from __future__ import annotations

from hashlib import sha256

ZERO32 = bytes(32)


def tagged(tag: str, data: bytes) -> bytes:
    """32 bytes."""
    return sha256(tag.encode("ascii") + b"\x00" + data).digest()


def commitment(kind: str, salt: bytes, value: bytes) -> bytes:
    """Commitment to something guessable (a plate, a phone number): `H("bmw/commit", kind || salt32 || value)`."""
    assert len(salt) == 32, "a commitment needs 32 bytes of salt"
    return tagged("bmw/commit", kind.encode("ascii") + salt + value)
