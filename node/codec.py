"""Canonical MessagePack: one encoding per value (docs/PROTOCOL.md, Encoding).

Values are msgspec structs encoded as arrays. Decoding is strict in two steps: msgspec rejects unknown types, missing or
extra fields and wrong ranges; then the value is encoded again, and rejected unless the bytes are equal, which excludes
longer integer forms, floats for integers and the like.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec

from node.errors import Malformed, TooLarge

T = TypeVar("T")

_encoder = msgspec.msgpack.Encoder()


class Value(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False):
    """Base of every struct that is hashed, signed, sent or stored."""


def encode(value: Any) -> bytes:
    """The canonical bytes of `value`."""
    return _encoder.encode(value)


Explain = Callable[[Exception, bytes], str]
"""(msgspec's error, the bytes) to the text of `Malformed`."""


class Decoder(Generic[T]):
    """Strict decoder of one type. `limit`, in bytes, is checked first. `explain` says what does not decode; without it,
    msgspec does."""

    def __init__(self, kind: Any, limit: int, name: str, explain: Explain | None = None) -> None:
        self._decoder = msgspec.msgpack.Decoder(kind)
        self._limit = limit
        self._name = name
        self._explain = explain or (lambda error, raw: f"{name}: {error}")

    def __call__(self, raw: bytes) -> T:
        """Decode. Raises `TooLarge` above the limit, and `Malformed`, naming the field, for anything not canonical."""
        if len(raw) > self._limit:
            raise TooLarge(f"{self._name}: {len(raw)} bytes, at most {self._limit} are allowed")
        try:
            value = self._decoder.decode(raw)
        except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError) as error:
            raise Malformed(self._explain(error, raw)) from None
        if _encoder.encode(value) != raw:
            raise Malformed(f"{self._name}: not in canonical form")
        return value  # type: ignore[no-any-return]
