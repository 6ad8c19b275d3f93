"""Ed25519 signatures (RFC 8032).

libsodium, through PyNaCl, defines which signatures are valid: it rejects non-canonical S and non-canonical or
small-order A and R. Signing is deterministic and uses `cryptography`.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from nacl.bindings import crypto_sign_open
from nacl.exceptions import BadSignatureError

from node.errors import BadSignature


class PrivateKey:
    """An Ed25519 private key, from its 32-byte seed. Its repr has only the public key."""

    __slots__ = ("_key", "public")

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public: bytes = self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """The signature, 64 bytes."""
        return self._key.sign(message)

    def seed(self) -> bytes:
        """The 32 secret bytes, for key files only."""
        return self._key.private_bytes_raw()

    def __repr__(self) -> str:
        return f"PrivateKey(public={self.public.hex()})"


def is_signature(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether libsodium accepts `signature` (64 bytes) by `public_key` (32 bytes) for `message`."""
    if len(public_key) != 32 or len(signature) != 64:
        return False
    try:
        crypto_sign_open(signature + message, public_key)
    except (BadSignatureError, ValueError):
        return False
    return True


def verify(public_key: bytes, message: bytes, signature: bytes) -> None:
    """Raises `BadSignature`, naming the key."""
    if not is_signature(public_key, message, signature):
        raise BadSignature(f"the signature by key {public_key.hex()} does not verify")
