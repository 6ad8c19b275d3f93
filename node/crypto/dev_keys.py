"""Public development keys. Anybody can compute them, so the node refuses a chain that uses one without `--dev`."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from node.crypto.signing import PrivateKey

PURPOSES: Final = ("consensus", "node", "account")


def dev_seed(purpose: str, name: str) -> bytes:
    """32 bytes, `SHA-256("bmw-dev/" || purpose || "/" || name)`; `purpose` is one of `PURPOSES`."""
    assert purpose in PURPOSES, f"development keys are for {PURPOSES}, not {purpose!r}"
    return sha256(f"bmw-dev/{purpose}/{name}".encode()).digest()


def dev_key(purpose: str, name: str) -> PrivateKey:
    """The key of `dev_seed`. It is public: only for development and tests."""
    return PrivateKey(dev_seed(purpose, name))
