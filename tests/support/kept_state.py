"""Hard state in memory."""

from __future__ import annotations

from node.codec import encode
from node.consensus.safety import HardState, NeverSigned


class KeptState:
    """Implements `SafetyStore`. `raw` is None where it is missing."""

    def __init__(self, raw: bytes | None = None) -> None:
        self.raw = raw

    def load(self) -> bytes | None:
        return self.raw

    def save(self, raw: bytes) -> None:
        self.raw = raw


def never_signed(consensus_key: bytes) -> KeptState:
    """Of a key that was just made."""
    return KeptState(encode(NeverSigned(consensus_key)))


def kept(state: HardState) -> KeptState:
    return KeptState(encode(state))
