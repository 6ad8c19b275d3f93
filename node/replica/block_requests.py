"""Requests for bodies of undecided blocks, broadcast to all peers until answered."""

from __future__ import annotations

from node.replica.messages import GetBody
from node.replica.step_context import StepContext

RETRY_MS = 500


class BlockRequests:
    """Open requests of one height."""

    def __init__(self, height: int, context: StepContext) -> None:
        self._height = height
        self._context = context
        self._open: dict[bytes, None] = {}
        self._again_at = 0

    def __contains__(self, block_id: bytes) -> bool:
        """Whether the block's body is requested."""
        return block_id in self._open

    def add(self, block_id: bytes) -> None:
        """Request the body now, and again until it arrives."""
        if block_id in self._open:
            return
        if not self._open:
            self._again_at = self._context.now_ms + RETRY_MS
        self._open[block_id] = None
        self._context.broadcast(GetBody(self._height, block_id))

    def came(self, block_id: bytes) -> None:
        self._open.pop(block_id, None)

    def deadline_ms(self) -> int | None:
        return self._again_at if self._open else None

    def is_due(self) -> bool:
        return bool(self._open) and self._context.now_ms >= self._again_at

    def again(self, wanted: set[bytes]) -> list[bytes]:
        """Repeat the requests of `wanted` blocks; drop and return the others.

        A faulty proposer may withhold a body in each of its rounds.
        """
        self._again_at = self._context.now_ms + RETRY_MS
        dropped = [block_id for block_id in self._open if block_id not in wanted]
        self._open = {block_id: None for block_id in self._open if block_id in wanted}
        for block_id in self._open:
            self._context.broadcast(GetBody(self._height, block_id))
        return dropped
