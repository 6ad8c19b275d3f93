"""Per-peer quota of processor time and answer bytes, and the queue of messages over it. Pure.

`rate_limits` bounds how often a message may come; the quota counts what it costs: processor time of a peer's messages,
and bytes of our answers to its questions. When a quota is used up, the peer's bulk messages and questions are queued;
its votes and proposals are not. When the queue is full, nothing more is read from the peer, and its misbehaviour score
rises.
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
"""Processor time per second of one peer, and of all strangers together. Above, bulk messages and questions are queued;
while the debt is exceeded, nothing is read from the peer, or from any stranger."""

OWN_WORK: Final[tuple[type, ...]] = (
    r.VoteMessage, r.ProposalMessage, r.CompactProposal, r.Parts, r.Body, r.Blocks,
)  # fmt: skip
OWN_WORK_MS: Final = 2.0
"""Handling these may execute and commit a block, which is our own work: at most this is charged, besides decoding."""

SIGNATURE_MS: Final = 0.05
"""Processor time charged for verifying one signature, in whichever process."""

ANSWER_BYTES_PER_S: Final = 16 * 1024 * 1024
ANSWER_STRANGER_BYTES_PER_S: Final = 4 * 1024 * 1024
ANSWER_STRANGERS_BYTES_PER_S: Final = 16 * 1024 * 1024
ANSWER_BURST_S: Final = 2.0
"""Answer bytes per second to one member, one stranger, and all strangers together: a question of 30 bytes may bring a
block of 4 MB. Above, questions are queued."""

ANSWER_QUEUE_BYTES: Final = 4 * 1024 * 1024
"""While a peer has more than this of our answers unread, its questions are queued."""
QUEUE_POLL_MS: Final = 25

WAITING_MAX: Final = 256
WAITING_BYTES_MAX: Final = 2 * 1024 * 1024
"""Queued messages of one peer. Above: nothing is read from it until some are handled."""


class Waiting(NamedTuple):
    """A queued message."""

    message: WireMessage
    begun_ms: int
    size: int


class Shares:
    """Quota that all strangers share."""

    def __init__(self, now_ms: int) -> None:
        self.cpu = TokenBucket(CPU_STRANGERS_MS_PER_S, CPU_STRANGERS_MS_PER_S * CPU_BURST_S, now_ms)
        self.answers = TokenBucket(ANSWER_STRANGERS_BYTES_PER_S, ANSWER_STRANGERS_BYTES_PER_S * ANSWER_BURST_S, now_ms)


class PeerQuota:
    """Quota and message queue of one peer. `shares`: the strangers' common quota; None for a member."""

    def __init__(self, shares: Shares | None, now_ms: int) -> None:
        answers = ANSWER_BYTES_PER_S if shares is None else ANSWER_STRANGER_BYTES_PER_S
        self._cpu = [TokenBucket(CPU_MS_PER_S, CPU_MS_PER_S * CPU_BURST_S, now_ms)]
        self._answers = [TokenBucket(answers, answers * ANSWER_BURST_S, now_ms)]
        if shares is not None:
            self._cpu.append(shares.cpu)
            self._answers.append(shares.answers)
        self._waiting: deque[Waiting] = deque()
        self._waiting_bytes = 0

    # --- charging ---
    def worked(self, kind: type, decoding_ms: float, handling_ms: float, now_ms: int) -> None:
        """Charge processor time."""
        if issubclass(kind, OWN_WORK):
            handling_ms = min(handling_ms, OWN_WORK_MS)
        for bucket in self._cpu:
            bucket.take(decoding_ms + handling_ms, now_ms)

    def answered(self, size: int, now_ms: int) -> None:
        """Charge answer bytes."""
        for bucket in self._answers:
            bucket.take(size, now_ms)

    # --- queueing ---
    def wait_ms(self, kind: type, queued_bytes: int, now_ms: int) -> int:
        """Milliseconds until a message of this kind may be handled; 0 if it may be now."""
        waits = [0]
        if not issubclass(kind, URGENT):
            waits += [bucket.wait_ms(now_ms) for bucket in self._cpu]
        if issubclass(kind, QUESTIONS):
            waits += [bucket.wait_ms(now_ms) for bucket in self._answers]
            if queued_bytes > ANSWER_QUEUE_BYTES:
                waits.append(QUEUE_POLL_MS)
        return max(waits)

    def is_due(self, kind: type, queued_bytes: int, now_ms: int) -> bool:
        """Whether a new message is handled now; otherwise it belongs in the queue (`put_off`)."""
        must_queue = self._waiting and (not issubclass(kind, URGENT) or issubclass(kind, QUESTIONS))
        return not must_queue and not self.wait_ms(kind, queued_bytes, now_ms)

    def put_off(self, message: WireMessage, begun_ms: int, size: int) -> None:
        self._waiting.append(Waiting(message, begun_ms, size))
        self._waiting_bytes += size

    def first(self) -> Waiting | None:
        return self._waiting[0] if self._waiting else None

    def take(self) -> Waiting:
        waiting = self._waiting.popleft()
        self._waiting_bytes -= waiting.size
        return waiting

    def is_overdrawn(self, now_ms: int) -> bool:
        """Whether to stop reading from the peer for now, votes included. A stranger may have kept to its own quota: the
        quota of all strangers is bounded too."""
        return self.is_to_blame(now_ms) or any(bucket.wait_ms(now_ms, -CPU_DEBT_MS) > 0 for bucket in self._cpu)

    def is_to_blame(self, now_ms: int) -> bool:
        """Whether the peer itself has exceeded its quota or filled its queue."""
        if len(self._waiting) >= WAITING_MAX or self._waiting_bytes >= WAITING_BYTES_MAX:
            return True
        return self._cpu[0].wait_ms(now_ms, -CPU_DEBT_MS) > 0
