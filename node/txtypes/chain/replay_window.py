"""The replay window as state: `window/<expiry hour>` has how many transactions expire then and the chain over them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from node.codec import Value
from node.crypto.hashing import ZERO32, tagged
from node.ledger.family import Family, Ident
from node.ledger.fields import Hash32
from node.limits import HOUR_MS

HOURS_MAX: Final = 7 * 24 + 2
"""Hours that can be open at once, from the longest life a transaction may have."""


class WindowBucket(Value, tag=1, frozen=True):
    """The transactions that expire within one hour."""

    count: int
    head: Hash32


WINDOW: Final = Family("window", WindowBucket, ident=Ident("an hour since 1970", "[0-9]{1,20}"), contended=False)
EMPTY: Final = WindowBucket(0, ZERO32)


def hour_of(expires_at_ms: int) -> int:
    return expires_at_ms // HOUR_MS


def extended(bucket: WindowBucket, added: Iterable[tuple[bytes, int]]) -> WindowBucket:
    """The bucket with more transactions, each a txid and `expires_at_ms`. For each of them
    `head' = H("bmw/window", head || txid || expires_at)`, the time as 8 bytes big-endian."""
    count, head = bucket.count, bucket.head
    for txid, expires_at_ms in added:
        head = tagged("bmw/window", head + txid + expires_at_ms.to_bytes(8, "big"))
        count += 1
    return WindowBucket(count, head)


def passed_hours(parent_time_ms: int, time_ms: int) -> range:
    """The hours whose every transaction has expired between the parent's time and this block's."""
    first = hour_of(parent_time_ms)
    return range(first, min(hour_of(time_ms), first + HOURS_MAX))
