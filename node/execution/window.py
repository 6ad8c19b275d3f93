"""The replay window as state: `window/<expiry hour>` holds how many transactions it has and the chain over them."""

from __future__ import annotations

from node.codec import Hash32, Value
from node.crypto.hashing import ZERO32, tagged
from node.txtypes.ledger import Family

HOUR_MS = 3_600_000
HOURS_MAX = 7 * 24 + 2
"""Hours that can be open at once, from the longest life a transaction may have."""


class WindowBucket(Value, tag=1, frozen=True):
    count: int
    head: Hash32


WINDOW = Family("window", WindowBucket)
EMPTY = WindowBucket(0, ZERO32)


def hour_of(expires_at_ms: int) -> int:
    return expires_at_ms // HOUR_MS


def extended(bucket: WindowBucket, txid: bytes, expires_at_ms: int) -> WindowBucket:
    """`head' = H("bmw/window", head || txid || expires_at)`, the time as 8 bytes big-endian."""
    head = tagged("bmw/window", bucket.head + txid + expires_at_ms.to_bytes(8, "big"))
    return WindowBucket(bucket.count + 1, head)


def passed_hours(parent_time_ms: int, time_ms: int) -> range:
    """The hours whose every transaction has expired between the parent's time and this block's."""
    first = hour_of(parent_time_ms)
    return range(first, min(hour_of(time_ms), first + HOURS_MAX))
