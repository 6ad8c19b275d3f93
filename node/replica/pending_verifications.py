"""Pending signature verifications and their purposes. The shell verifies in other processes."""

from __future__ import annotations

from dataclasses import dataclass

from node.replica import events as e
from node.replica.step_context import StepContext
from node.txtypes.envelope import SignedTx


@dataclass(frozen=True, slots=True)
class PoolJob:
    """Gossiped transactions of one peer."""

    peer: e.PeerId


@dataclass(frozen=True, slots=True)
class BodyJob:
    """Unverified transactions of an undecided block."""

    height: int
    block_id: bytes


@dataclass(frozen=True, slots=True)
class SyncJob:
    """Unverified transactions of a delivered block; `block_id` is that of its certificate."""

    height: int
    block_id: bytes


Job = PoolJob | BodyJob | SyncJob


class PendingVerifications:
    """`start` asks the shell to verify; `finish` takes the job of its `Verified` event."""

    def __init__(self, context: StepContext) -> None:
        self._context = context
        self._open: dict[int, tuple[Job, list[SignedTx]]] = {}
        self._next = 0

    def start(self, purpose: Job, transactions: list[SignedTx]) -> int:
        self._next += 1
        self._open[self._next] = (purpose, transactions)
        sender = purpose.peer if isinstance(purpose, PoolJob) else 0
        self._context.add(e.Verify(self._next, tuple(transactions), sender))
        return self._next

    def finish(self, job: int) -> tuple[Job, list[SignedTx]] | None:
        """Purpose and transactions of the job; None if it is unknown."""
        return self._open.pop(job, None)
