"""Sets of slots as bits, 64 of them in a word, as a bitmap index has them.

A set of a million slots has 125 kB, so that what several filters have in common, and how many that are, takes some
microseconds, where arrays of a byte for each slot take a hundred times as long.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

Bits = npt.NDArray[np.uint64]


def packed(mask: npt.NDArray[np.bool_]) -> Bits:
    """The slots at which an array is true."""
    room = np.zeros(-(-len(mask) // 64) * 8, np.uint8)
    found = np.packbits(mask)
    room[: len(found)] = found
    return room.view(np.uint64)


def in_all(first: Bits, others: Iterable[Bits]) -> Bits:
    """The slots that are in every set."""
    found = first.copy()
    for each in others:
        found &= each
    return found


def count_of(bits: Bits) -> int:
    """How many slots are in a set."""
    return int(np.bitwise_count(bits).sum())


def slots_of(bits: Bits) -> npt.NDArray[Any]:
    """The slots in a set, ascending. Of a sparse set only the words that are not empty are unpacked."""
    words = np.flatnonzero(bits)
    if len(words) > len(bits) // 2:
        return _places(bits)
    places = _places(bits[words])
    found: npt.NDArray[Any] = words[places >> 6] * 64 + (places & 63)
    return found


def _places(bits: Bits) -> npt.NDArray[Any]:
    found: npt.NDArray[Any] = np.flatnonzero(np.unpackbits(bits.view(np.uint8)).view(np.bool_))
    return found
