"""Signature checks that are under way outside: what each was for."""

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
    """What we did not know of an undecided block."""

    height: int
    block_id: bytes


@dataclass(frozen=True, slots=True)
class SyncJob:
    """What we did not know of a delivered block, as its certificate names it."""

    height: int
    block_id: bytes


Job = PoolJob | BodyJob | SyncJob


class PendingVerifications:
    """`start` asks the shell; its `Verified` event ends with `finish`."""

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
        """What the job was; None for one that nobody waits for."""
        return self._open.pop(job, None)
