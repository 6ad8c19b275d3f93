"""The bytes of a certificate: its file, strict canonical MessagePack, tagged hashes and signatures.

Like the verifier itself it needs nothing of this project, only PyNaCl beside the standard library.
"""

from __future__ import annotations

import zlib
from hashlib import sha256
from typing import Any, Final

from nacl.bindings import crypto_sign_open
from nacl.exceptions import BadSignatureError

MAGIC: Final = b"BMWC1"
CHECKSUM_BYTES: Final = 8
INFLATED_MAX: Final = 4 * 1024 * 1024
DEPTH_MAX: Final = 16


class InvalidCertificateFile(Exception):
    """What a certificate does not prove. `code` is stable, the text is for people."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code


class _Reader:
    """A strict reader: nil, booleans, integers, binary, text and arrays, each in its shortest form."""

    def __init__(self, raw: bytes) -> None:
        self.raw, self.at = raw, 0

    def take(self, count: int) -> bytes:
        found = self.raw[self.at : self.at + count]
        if len(found) != count:
            raise ValueError("it ends early")
        self.at += count
        return found

    def number(self, count: int, least: int) -> int:
        found = int.from_bytes(self.take(count), "big")
        if found < least:
            raise ValueError("a number is not in its shortest form")
        return found

    def value(self, depth: int = 0) -> Any:
        if depth > DEPTH_MAX:
            raise ValueError("it is nested too deeply")
        first = self.take(1)[0]
        if first <= 0x7F:
            return first
        if 0x90 <= first <= 0x9F:
            return [self.value(depth + 1) for _ in range(first & 0x0F)]
        if 0xA0 <= first <= 0xBF:
            return self.take(first & 0x1F).decode("utf-8")
        if first >= 0xE0:
            return first - 256
        match first:
            case 0xC0:
                return None
            case 0xC2 | 0xC3:
                return first == 0xC3
            case 0xC4 | 0xC5 | 0xC6:
                size = 1 << (first - 0xC4)
                return self.take(self.number(size, (0, 1 << 8, 1 << 16)[first - 0xC4]))
            case 0xCC | 0xCD | 0xCE | 0xCF:
                size = 1 << (first - 0xCC)
                return self.number(size, (1 << 7, 1 << 8, 1 << 16, 1 << 32)[first - 0xCC])
            case 0xD0 | 0xD1 | 0xD2 | 0xD3:
                return self.negative(1 << (first - 0xD0))
            case 0xD9 | 0xDA | 0xDB:
                size = 1 << (first - 0xD9)
                return self.take(self.number(size, (1 << 5, 1 << 8, 1 << 16)[first - 0xD9])).decode("utf-8")
            case 0xDC | 0xDD:
                size = 2 << (first - 0xDC)
                count = self.number(size, (1 << 4, 1 << 16)[first - 0xDC])
                if count > len(self.raw) - self.at:
                    raise ValueError("it ends early")
                return [self.value(depth + 1) for _ in range(count)]
        raise ValueError(f"the byte {first:#04x} begins nothing that a certificate has")

    def negative(self, size: int) -> int:
        found = int.from_bytes(self.take(size), "big", signed=True)
        if found >= (-32 if size == 1 else -(1 << (4 * size - 1))):
            raise ValueError("a number is not in its shortest form")
        return found


def decode(raw: bytes, what: str) -> Any:
    """The value of a canonical encoding. Raises `InvalidCertificateFile` with `certificate_malformed`."""
    reader = _Reader(raw)
    try:
        found = reader.value()
    except (ValueError, UnicodeDecodeError) as error:
        raise malformed(f"{what}: {error}") from None
    if reader.at != len(raw):
        raise malformed(f"{what}: something follows it")
    return found


def decode_with_last(raw: bytes, what: str) -> tuple[Any, int]:
    """As `decode`, for an array of at most 15 elements; and where its last element begins."""
    found, reader = decode(raw, what), _Reader(raw)
    reader.take(1)
    for _ in range(len(found) - 1 if isinstance(found, list) and 0 < len(found) < 16 else 0):
        reader.value()
    return found, reader.at


def malformed(text: str) -> InvalidCertificateFile:
    return InvalidCertificateFile("certificate_malformed", text)


def shaped(value: Any, shape: str, what: str) -> list[Any]:
    """The elements of an array of a given shape, one letter each: `b` binary, `i` integer from 0, `s` text, `l` array,
    a capital letter where it may be nil, `?` anything. Raises `certificate_malformed`."""
    kinds: dict[str, type] = {"b": bytes, "i": int, "s": str, "l": list}
    if not isinstance(value, list) or len(value) != len(shape):
        raise malformed(f"{what}: {len(shape)} elements expected")
    for number, (found, letter) in enumerate(zip(value, shape, strict=True)):
        kind = kinds.get(letter.lower())
        is_fit = kind is None or (type(found) is kind and not (type(found) is int and found < 0))
        if not is_fit and not (letter.isupper() and found is None):
            raise malformed(f"{what}: element {number} is of another kind")
    return value


def tagged(tag: str, data: bytes) -> bytes:
    """`SHA-256(tag || 0x00 || data)`, 32 bytes."""
    return sha256(tag.encode("ascii") + b"\x00" + data).digest()


def is_signature(key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether libsodium accepts the signature: it refuses small-order and non-canonical keys and points."""
    if len(key) != 32 or len(signature) != 64:
        return False
    try:
        crypto_sign_open(signature + message, key)
    except (BadSignatureError, ValueError):
        return False
    return True


# --- the file -------------------------------------------------------------------------------------------------
def unpack(file: bytes) -> bytes:
    """The encoding of the certificate within a file: `BMWC1`, the first 8 bytes of the SHA-256 hash of what follows,
    and that, compressed by DEFLATE (RFC 1951). Raises `certificate_malformed`."""
    start = len(MAGIC) + CHECKSUM_BYTES
    if file[: len(MAGIC)] != MAGIC:
        raise malformed("this is no certificate file")
    if sha256(file[start:]).digest()[:CHECKSUM_BYTES] != file[len(MAGIC) : start]:
        raise malformed("the file is damaged")
    inflater = zlib.decompressobj(-15)
    try:
        raw = inflater.decompress(file[start:], INFLATED_MAX)
    except zlib.error as error:
        raise malformed(f"the file does not inflate: {error}") from None
    if not inflater.eof or inflater.unused_data or inflater.unconsumed_tail:
        raise malformed(f"the file is cut off, or holds more than {INFLATED_MAX} bytes")
    return raw


def encode(value: list[Any] | bytes | str | int) -> bytes:
    """The canonical encoding of short arrays, binary, ASCII text and integers from 0: what signatures are made over.
    Raises `certificate_malformed` for longer ones."""
    if isinstance(value, list):
        return bytes([0x90 + len(value)]) + b"".join(map(encode, value))
    if isinstance(value, bytes) and len(value) < 256:
        return bytes([0xC4, len(value)]) + value
    if isinstance(value, str) and len(value) < 32 and value.isascii():
        return bytes([0xA0 + len(value)]) + value.encode("ascii")
    if isinstance(value, bytes | str):
        raise malformed("a value is longer than any that is signed")
    if value < 0x80:
        return bytes([value])
    size = next(size for size in (1, 2, 4, 8) if value < 1 << (8 * size))
    return bytes([0xCC + size.bit_length() - 1]) + value.to_bytes(size, "big")
