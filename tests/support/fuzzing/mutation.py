"""New inputs from good ones: flipped, cut, repeated, joined, and the bytes that decoders stumble over."""

from __future__ import annotations

from random import Random
from typing import Final

HOSTILE: Final = (
    b"\xdd\xff\xff\xff\xff", b"\xdc\xff\xff", b"\xc6\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff",
    b"\xdf\xff\xff\xff\xff", b"\xcf" + b"\xff" * 8, b"\xd3\x80" + bytes(7), b"\xcb\x7f\xf8" + bytes(6),
    b"\xc0", b"\xc1", b"\xc2", b"\xc4\x00", b"\xa0", b"\x90", b"\x80", b"\xd6\xff\x00\x00\x00\x00",
    b"\x91" * 200, b"\x81" * 100, b"[" * 300, b'{"a":' * 100, b"\xa4\xff\xfe\xfd\xfc", bytes(16), b"\xff" * 16,
    b"null", b"true", b"1e999", b"-1", b"NaN", b"Infinity", b"18446744073709551616", b"9" * 5_000,
    b'"\\ud800"', b"\xed\xa0\x80", b"\xc2\xb2", b"\n", b"\x1b[2J",
)  # fmt: skip
"""Lengths that are lies, deep nesting, reserved and extension bytes, numbers out of range, text that is none."""

LENGTH_MAX: Final = 64 * 1024


def mutated(chance: Random, corpus: list[bytes]) -> bytes:
    """A new input from one of the corpus, or two; sometimes plain noise."""
    if chance.random() < 0.02 or not corpus:
        return chance.randbytes(chance.choice((0, 1, 2, 3, 8, 40, 400)))
    data = bytearray(chance.choice(corpus))
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        _change(chance, data, corpus)
    return bytes(data[:LENGTH_MAX])


def _change(chance: Random, data: bytearray, corpus: list[bytes]) -> None:
    at = chance.randrange(len(data) + 1)
    size = min(len(data) - at, chance.choice((1, 1, 2, 4, 32, 64, 500)))
    match chance.randrange(9):
        case 0 if at < len(data):
            data[at] ^= 1 << chance.randrange(8)
        case 1 if at < len(data):
            data[at] = chance.randrange(256)
        case 2 if at < len(data):
            data[at] = (data[at] + chance.choice((-1, 1))) % 256
        case 3:
            del data[at : at + size]
        case 4:
            data[at:at] = data[at : at + size]
        case 5:
            data[at:at] = chance.choice(HOSTILE)
        case 6:
            data[at : at + size] = chance.choice(HOSTILE)
        case 7:
            other = chance.choice(corpus)
            start = chance.randrange(len(other) + 1)
            data[at : at + size] = other[start : start + chance.choice((1, 8, 64, 500))]
        case _:
            del data[at:]
