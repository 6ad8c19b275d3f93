"""How often something of one validator is passed on, whatever it signs: what it can make without end must not make
honest peers exceed what they allow each other."""

from __future__ import annotations

RELAYS_PER_S = 4
"""Of one validator and kind. A correct one says such a thing about once a second."""


class RelayLimit:
    """One entry for each validator; `key` is its address."""

    def __init__(self, per_s: int = RELAYS_PER_S) -> None:
        self._per_s = per_s
        self._used: dict[bytes, tuple[int, int]] = {}

    def may(self, key: bytes, now_ms: int) -> bool:
        """Whether one more may be passed on in this second; counts it where it may."""
        since, count = self._used.get(key, (now_ms, 0))
        if now_ms - since >= 1_000:
            since, count = now_ms, 0
        if count >= self._per_s:
            return False
        self._used[key] = (since, count + 1)
        return True
