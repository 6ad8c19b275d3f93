"""Per-validator relay limit, so that a flooding validator cannot push honest relays over their peers' rate limits."""

from __future__ import annotations

RELAYS_PER_S = 4
"""Messages of one kind and validator. A correct validator sends about one a second."""


class RelayLimit:
    """Fixed windows of one second, one per validator; `key` is its address."""

    def __init__(self, per_s: int = RELAYS_PER_S) -> None:
        self._per_s = per_s
        self._used: dict[bytes, tuple[int, int]] = {}

    def may(self, key: bytes, now_ms: int) -> bool:
        """Whether one more message may be relayed in this window; if so, it is counted."""
        since, count = self._used.get(key, (now_ms, 0))
        if now_ms - since >= 1_000:
            since, count = now_ms, 0
        if count >= self._per_s:
            return False
        self._used[key] = (since, count + 1)
        return True
