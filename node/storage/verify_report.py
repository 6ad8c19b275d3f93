"""What is wrong with a store, and reading one family after another while saying how far one is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from node.storage.kv import KeyValue
from node.storage.schema import FAMILY_NAMES, height_in, key_text

STEP_KEYS = 512
OnStep = Callable[[str, int, int], None]
"""(key family, keys so far, keys there will be or 0 where nobody knows)"""


@dataclass(frozen=True, slots=True)
class StoreDamage:
    """One thing that does not fit. `is_derived`: it follows from the blocks, so that a reindex mends it."""

    family: str
    key: str
    height: int
    text: str
    is_derived: bool = True

    def to_json(self) -> dict[str, Any]:
        return {"family": self.family, "key": self.key, "height": self.height, "text": self.text}

    def __str__(self) -> str:
        return f"{self.family} {self.key}, height {self.height}, {self.text}"


def damage_at(key: bytes, height: int, text: str, *, is_derived: bool = True) -> StoreDamage:
    """Of a store key as it stands."""
    return StoreDamage(FAMILY_NAMES.get(key[:1], "meta entry"), key_text(key), height, text, is_derived)


class Reads:
    """Reads a store family by family and counts. `at` is where it is, for damage that stops a reading."""

    def __init__(self, kv: KeyValue, on_step: OnStep | None = None) -> None:
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
            if self._on_step is not None and count % STEP_KEYS == 0:
                self._on_step(name, count, total)
            yield key, value
            self.at = key
        self.counts[name] = count
        if self._on_step is not None:
            self._on_step(name, count, total)

    def get(self, key: bytes) -> bytes | None:
        self.at = key
        return self.kv.get(key)

    def unreadable(self, error: Exception, height: int) -> StoreDamage:
        """Where a reading was stopped by damage below the keys."""
        letter = self.at[:1]
        is_block = letter in (b"B", b"C")
        return StoreDamage(
            FAMILY_NAMES.get(letter, "meta entry"),
            f"at or after {key_text(self.at)}" if len(self.at) > 1 else "at its beginning",
            height_in(self.at) if is_block and len(self.at) > 1 else height,
            f"can't be read: {error}",
            is_derived=not is_block,
        )
