"""Token bucket: `per_s` tokens a second up to `capacity`. Pure: time is an argument, in milliseconds."""

from __future__ import annotations

import math


class TokenBucket:
    """Starts full. `take` may overdraw it, by `debt_max` at most; the debt is paid off at the same rate."""

    __slots__ = ("_capacity", "_debt_max", "_per_s", "_tokens", "_updated_ms")

    def __init__(self, per_s: float, capacity: float, now_ms: float, debt_max: float = math.inf) -> None:
        self._per_s = per_s
        self._capacity = float(capacity)
        self._debt_max = debt_max
        self._tokens = self._capacity
        self._updated_ms = now_ms

    def left(self, now_ms: float) -> float:
        """Tokens left; negative while overdrawn. A clock that steps back adds nothing."""
        elapsed_ms = max(0, now_ms - self._updated_ms)
        self._tokens = min(self._capacity, self._tokens + elapsed_ms / 1000 * self._per_s)
        self._updated_ms = now_ms
        return self._tokens

    def take(self, amount: float, now_ms: float) -> bool:
        """Take `amount`, overdrawing if necessary. False if it overdrew."""
        after = self.left(now_ms) - amount
        self._tokens = max(after, -self._debt_max)
        return after >= 0

    def try_take(self, amount: float, now_ms: float) -> bool:
        """Take `amount` if that many tokens are left; otherwise take nothing and return False."""
        if self.left(now_ms) < amount:
            return False
        self._tokens -= amount
        return True

    def wait_ms(self, now_ms: float, level: float = 0.0) -> int:
        """Milliseconds until `level` tokens are left; 0 if they are now."""
        missing = level - self.left(now_ms)
        return math.ceil(missing / self._per_s * 1000) if missing > 0 else 0
