"""Rate limits of one peer per message kind. Pure: time is an argument."""

from __future__ import annotations

from dataclasses import dataclass

from node.p2p import wire
from node.replica import messages as r
from node.token_bucket import TokenBucket


@dataclass(frozen=True, slots=True)
class Rate:
    """Messages and bytes per second; a burst may use up to `burst` seconds' worth at once."""

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
"""Several times what a correct peer sends under full load. Above: the message is dropped, and a stranger's
misbehaviour score rises."""


class RateLimits:
    """Token buckets of one peer: for each message kind one for the number of messages and one for their bytes.

    A refused message counts too, so a peer that keeps sending stays refused; the debt is at most one message and one
    second of bytes.
    """

    def __init__(self, now_ms: int) -> None:
        self._buckets: dict[type, tuple[TokenBucket, TokenBucket]] = {
            kind: (
                TokenBucket(rate.messages, rate.messages * rate.burst, now_ms, debt_max=1.0),
                TokenBucket(rate.bytes, rate.bytes * rate.burst, now_ms, debt_max=float(rate.bytes)),
            )
            for kind, rate in RATES.items()
        }

    def spend(self, kind: type, size: int, now_ms: int) -> bool:
        """Count a message of `size` bytes. False if it exceeds the peer's rate."""
        messages, sizes = self._buckets[kind]
        has_message = messages.take(1, now_ms)
        has_bytes = sizes.take(size, now_ms)
        return has_message and has_bytes
