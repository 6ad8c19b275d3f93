"""Addresses: the first 20 bytes of `H("bmw/address", first public key)`; as text bech32m (BIP 350), prefix `bmw`."""

from __future__ import annotations

from functools import lru_cache

from node.crypto.hashing import tagged
from node.errors import Malformed

PREFIX = "bmw"
_ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32M = 0x2BC830A3
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)


def address_of(public_key: bytes) -> bytes:
    """The address (20 bytes) of an account opened with this key. It stays the same when the account's keys change."""
    return tagged("bmw/address", public_key)[:20]


def _polymod(values: list[int]) -> int:
    checksum = 1
    for value in values:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATOR):
            if top >> bit & 1:
                checksum ^= generator
    return checksum


_PREFIX_EXPANDED = [ord(c) >> 5 for c in PREFIX] + [0] + [ord(c) & 31 for c in PREFIX]


@lru_cache(maxsize=65536)
def to_text(address: bytes) -> str:
    """The address as text: `bmw1`, 32 data characters and 6 checksum characters."""
    assert len(address) == 20, "an address has 20 bytes"
    number = int.from_bytes(address, "big")
    data = [number >> 5 * i & 31 for i in range(31, -1, -1)]
    check = _polymod([*_PREFIX_EXPANDED, *data, 0, 0, 0, 0, 0, 0]) ^ _BECH32M
    return PREFIX + "1" + "".join(_ALPHABET[d] for d in data + [check >> 5 * (5 - i) & 31 for i in range(6)])


def from_text(text: str) -> bytes:
    """The address (20 bytes) of a text. Raises `Malformed`. Upper case is rejected, not normalised."""
    if not text.startswith(PREFIX + "1") or len(text) != len(PREFIX) + 1 + 38:
        raise Malformed(f"not an address: {text[:60]!r} (an address is {PREFIX}1 and 38 characters)")
    try:
        data = [_ALPHABET.index(c) for c in text[len(PREFIX) + 1 :]]
    except ValueError:
        raise Malformed(f"not an address: {text!r} has a character outside bech32") from None
    if _polymod(_PREFIX_EXPANDED + data) != _BECH32M:
        raise Malformed(f"not an address: the checksum of {text!r} is wrong, probably a typo")
    number = 0
    for value in data[:32]:
        number = number << 5 | value
    return number.to_bytes(20, "big")
