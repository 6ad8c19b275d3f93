"""The first violation of a chain's rules: a replay reports it and stops."""

from __future__ import annotations

from typing import Any

import msgspec


class Divergence(msgspec.Struct, frozen=True):
    """`index` is the transaction's, -1 where the block itself (or, at the end, the state) is wrong."""

    height: int
    index: int
    txid: bytes
    rule: str
    text: str

    def to_json(self) -> dict[str, Any]:
        """`index` and `txid` are null where no transaction is at fault."""
        named = self.index >= 0
        return {
            "height": self.height,
            "index": self.index if named else None,
            "txid": self.txid.hex() if named and self.txid else None,
            "rule": self.rule,
            "text": self.text,
        }


class Diverged(Exception):
    """Carries the first divergence out of the check that found it."""

    def __init__(self, height: int, rule: str, text: str, index: int = -1, txid: bytes = b"") -> None:
        super().__init__(f"height {height}, {rule}: {text}")
        self.divergence = Divergence(height, index, txid, rule, text)

    @classmethod
    def again(cls, divergence: Divergence) -> Diverged:
        """The same divergence, to raise in an outer replay."""
        return cls(divergence.height, divergence.rule, divergence.text, divergence.index, divergence.txid)
