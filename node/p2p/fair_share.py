"""How much of our time and of our line one peer gets, and what waits when it has had its share. Pure.

Rates (`rate_limits`) say how often a message may come; they know nothing of what it costs. Here its cost is counted:
processor time that a peer's messages took, and bytes that its questions were answered with. Where a share is used up,
the peer's bulk and its questions wait their turn; its votes and proposals do not. Where what waits is too much, nothing
more is read from the peer, and that costs score.
"""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

from node.p2p.wire import QUESTIONS, URGENT, WireMessage
from node.replica import messages as r
from node.token_bucket import TokenBucket

CPU_MS_PER_S: Final = 300
CPU_STRANGERS_MS_PER_S: Final = 400
CPU_BURST_S: Final = 3.0
CPU_DEBT_MS: Final = 1_000
"""Processor time in a second of one peer, and of all strangers together. Above, bulk and questions wait; while more
than the debt is owed, nothing is read from the peer, or from any stranger."""

OWN_WORK: Final[tuple[type, ...]] = (
    r.VoteMessage, r.ProposalMessage, r.CompactProposal, r.Parts, r.Body, r.Blocks,
)  # fmt: skip
OWN_WORK_MS: Final = 2.0
"""Handling these may execute and commit a block, which is our own work and not the peer's doing: no more than this
is charged, besides decoding."""

SIGNATURE_MS: Final = 0.05
"""What verifying one signature costs, in whatever process."""

ANSWER_BYTES_PER_S: Final = 16 * 1024 * 1024
ANSWER_STRANGER_BYTES_PER_S: Final = 4 * 1024 * 1024
ANSWER_STRANGERS_BYTES_PER_S: Final = 16 * 1024 * 1024
ANSWER_BURST_S: Final = 2.0
"""What one member, one stranger, and all strangers together are answered in a second. A question of 30 bytes may bring
a block of 4 MB; above, questions wait."""

ANSWER_QUEUE_BYTES: Final = 4 * 1024 * 1024
"""Questions of a peer wait while it has so much of our answers still to read."""
QUEUE_POLL_MS: Final = 25

WAITING_MAX: Final = 256
WAITING_BYTES_MAX: Final = 2 * 1024 * 1024
"""Messages of one peer that wait their turn. Above: nothing is read from it until some are done."""


class Waiting(NamedTuple):
    message: WireMessage
    begun_ms: int
    size: int


class Shares:
    """What all strangers have together."""

    def __init__(self, now_ms: int) -> None:
        self.cpu = TokenBucket(CPU_STRANGERS_MS_PER_S, CPU_STRANGERS_MS_PER_S * CPU_BURST_S, now_ms)
        self.answers = TokenBucket(ANSWER_STRANGERS_BYTES_PER_S, ANSWER_STRANGERS_BYTES_PER_S * ANSWER_BURST_S, now_ms)


class PeerQuota:
    """Of one peer. `shares`: of strangers; None for a member."""

    def __init__(self, shares: Shares | None, now_ms: int) -> None:
        answers = ANSWER_BYTES_PER_S if shares is None else ANSWER_STRANGER_BYTES_PER_S
        self._cpu = [TokenBucket(CPU_MS_PER_S, CPU_MS_PER_S * CPU_BURST_S, now_ms)]
        self._answers = [TokenBucket(answers, answers * ANSWER_BURST_S, now_ms)]
        if shares is not None:
            self._cpu.append(shares.cpu)
            self._answers.append(shares.answers)
        self._waiting: deque[Waiting] = deque()
        self._waiting_bytes = 0

    # --- what was used ---
    def worked(self, kind: type, decoding_ms: float, handling_ms: float, now_ms: int) -> None:
        if issubclass(kind, OWN_WORK):
            handling_ms = min(handling_ms, OWN_WORK_MS)
        for bucket in self._cpu:
            bucket.take(decoding_ms + handling_ms, now_ms)

    def answered(self, size: int, now_ms: int) -> None:
        for bucket in self._answers:
            bucket.take(size, now_ms)

    # --- whose turn it is ---
    def wait_ms(self, kind: type, queued_bytes: int, now_ms: int) -> int:
        """How long a message of this kind has to wait; 0 where it may be handled now."""
        waits = [0]
        if not issubclass(kind, URGENT):
            waits += [bucket.wait_ms(now_ms) for bucket in self._cpu]
        if issubclass(kind, QUESTIONS):
            waits += [bucket.wait_ms(now_ms) for bucket in self._answers]
            if queued_bytes > ANSWER_QUEUE_BYTES:
                waits.append(QUEUE_POLL_MS)
        return max(waits)

    def is_due(self, kind: type, queued_bytes: int, now_ms: int) -> bool:
        """Whether a message that has just come is handled now; else it is for `put_off`, behind those before it."""
        must_queue = self._waiting and (not issubclass(kind, URGENT) or issubclass(kind, QUESTIONS))
        return not must_queue and not self.wait_ms(kind, queued_bytes, now_ms)

    def put_off(self, message: WireMessage, begun_ms: int, size: int) -> None:
        self._waiting.append(Waiting(message, begun_ms, size))
        self._waiting_bytes += size

    def first(self) -> Waiting | None:
        return self._waiting[0] if self._waiting else None

    def take(self) -> Waiting:
        found = self._waiting.popleft()
        self._waiting_bytes -= found.size
        return found

    def is_overdrawn(self, now_ms: int) -> bool:
        """Whether nothing more is to be read from the peer for now, votes included: many strangers that each keep to
        their own share must not take more than that of all of them together."""
        return self.is_to_blame(now_ms) or any(bucket.wait_ms(now_ms, -CPU_DEBT_MS) > 0 for bucket in self._cpu)

    def is_to_blame(self, now_ms: int) -> bool:
        """Whether it is the peer's own doing."""
        if len(self._waiting) >= WAITING_MAX or self._waiting_bytes >= WAITING_BYTES_MAX:
            return True
        return self._cpu[0].wait_ms(now_ms, -CPU_DEBT_MS) > 0
