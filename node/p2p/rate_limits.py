"""What one peer may send in a while, per message kind. Pure: time is an argument."""

from __future__ import annotations

import math
from dataclasses import dataclass

from node.p2p import wire
from node.replica import messages as r


@dataclass(frozen=True, slots=True)
class Rate:
    """Messages and bytes a second, each with `burst` seconds of credit."""

    messages: int
    bytes: int
    burst: int = 5


MEGA = 1024 * 1024
RATES: dict[type, Rate] = {
    r.Status: Rate(50, 50_000),
    r.ProposalMessage: Rate(40, 24 * MEGA),
    r.CompactProposal: Rate(40, 4 * MEGA),
    r.GetParts: Rate(100, 4 * MEGA),
    r.Parts: Rate(100, 24 * MEGA),
    r.VoteMessage: Rate(3_000, MEGA),
    r.GetBody: Rate(100, 20_000),
    r.Body: Rate(40, 24 * MEGA),
    r.GetBlocks: Rate(200, 40_000),
    r.Blocks: Rate(200, 64 * MEGA),
    r.Announce: Rate(2_000, 8 * MEGA),
    r.GetTransactions: Rate(2_000, 8 * MEGA),
    r.Transactions: Rate(2_000, 32 * MEGA),
    r.EvidenceMessage: Rate(50, 50_000),
    r.Presence: Rate(400, 200_000),
    wire.GetOffer: Rate(2, 1_000),
    wire.OfferMessage: Rate(4, 8 * MEGA),
    wire.GetChunk: Rate(100, 20_000),
    wire.Chunk: Rate(100, 64 * MEGA),
    wire.GetValidators: Rate(50, 10_000),
    wire.ValidatorsMessage: Rate(50, 500_000),
    wire.Ping: Rate(10, 1_000),
    wire.Pong: Rate(10, 1_000),
    wire.Bye: Rate(2, 1_000),
    wire.GetPeers: Rate(1, 1_000),
    wire.Peers: Rate(2, 20_000),
}
"""Several times what a correct peer sends under full load. Above: it is dropped, and costs a stranger score."""


class RateLimits:
    """Token buckets of one peer."""

    def __init__(self, now_ms: int) -> None:
        self._buckets: dict[type, tuple[float, float, int]] = {
            kind: (float(rate.messages * rate.burst), float(rate.bytes * rate.burst), now_ms)
            for kind, rate in RATES.items()
        }

    def spend(self, kind: type, size: int, now_ms: int) -> bool:
        """Whether the peer may still send this."""
        rate = RATES[kind]
        messages, size_left, then = self._buckets[kind]
        passed = max(0, now_ms - then) / 1000
        messages = min(messages + passed * rate.messages, rate.messages * rate.burst) - 1
        size_left = min(size_left + passed * rate.bytes, rate.bytes * rate.burst) - size
        self._buckets[kind] = (max(messages, -1.0), max(size_left, -float(rate.bytes)), now_ms)
        return messages >= 0 and size_left >= 0


class TokenBucket:
    """A token bucket that may be overdrawn: what is left over is waited for."""

    __slots__ = ("_burst", "_left", "_per_s", "_then_ms")

    def __init__(self, per_s: float, burst_s: float, now_ms: int) -> None:
        self._per_s = per_s
        self._burst = per_s * burst_s
        self._left = self._burst
        self._then_ms = now_ms

    def left(self, now_ms: int) -> float:
        """Below zero: so much is owed."""
        self._left = min(self._burst, self._left + max(0, now_ms - self._then_ms) / 1000 * self._per_s)
        self._then_ms = now_ms
        return self._left

    def take(self, amount: float, now_ms: int) -> None:
        self._left = self.left(now_ms) - amount

    def wait_ms(self, now_ms: int, floor: float = 0.0) -> int:
        """How long until as much as `floor` is left."""
        missing = floor - self.left(now_ms)
        return math.ceil(missing / self._per_s * 1000) if missing > 0 else 0
