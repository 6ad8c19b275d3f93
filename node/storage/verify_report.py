"""Damage reports, and reads of a store by family with progress."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from node.storage.kv import KeyValue
from node.storage.schema import FAMILY_NAMES, height_in, key_text

STEP_KEYS = 512
OnStep = Callable[[str, int, int], None]
"""(key family, keys read so far, expected number of keys or 0 where it is unknown)"""


@dataclass(frozen=True, slots=True)
class StoreDamage:
    """One damaged entry. `is_derived`: it follows from the blocks, so a reindex repairs it."""

    family: str
    key: str
    height: int
    text: str
    is_derived: bool = True

    def to_json(self) -> dict[str, str | int]:
        return {"family": self.family, "key": self.key, "height": self.height, "text": self.text}

    def __str__(self) -> str:
        return f"{self.family} {self.key}, height {self.height}, {self.text}"


def damage_at(key: bytes, height: int, text: str, *, is_derived: bool = True) -> StoreDamage:
    """The damage of the entry under a store key."""
    return StoreDamage(FAMILY_NAMES.get(key[:1], "meta entry"), key_text(key), height, text, is_derived)


class Reads:
    """Reads a store by family and counts the keys. `at` is the last position, for damage that stops a read."""

    def __init__(self, kv: KeyValue, on_step: OnStep) -> None:
        self.kv = kv
        self.counts: Counter[str] = Counter()
        self.at = b""
        self._on_step = on_step

    def family(self, letter: bytes, total: int = 0) -> Iterator[tuple[bytes, bytes]]:
        name, count = FAMILY_NAMES[letter], 0
        self.at = letter
        for key, value in self.kv.scan(letter, bytes([letter[0] + 1])):
            self.at = key
            count += 1
            if count % STEP_KEYS == 0:
                self._on_step(name, count, total)
            yield key, value
            self.at = key
        self.counts[name] = count
        self._on_step(name, count, total)

    def get(self, key: bytes) -> bytes | None:
        self.at = key
        return self.kv.get(key)

    def unreadable(self, error: Exception, height: int) -> StoreDamage:
        """The damage that stopped a read at `at`. `height`: used where `at` names none."""
        is_block, has_key = self.at[:1] in (b"B", b"C"), len(self.at) > 1
        place = f"at or after {key_text(self.at)}" if has_key else "at its beginning"
        if is_block and has_key:
            height = height_in(self.at)
        family = FAMILY_NAMES.get(self.at[:1], "meta entry")
        return StoreDamage(family, place, height, f"can't be read: {error}", is_derived=not is_block)
