"""Limits per address: a token bucket for requests, a count of open connections. Time is an argument."""

from __future__ import annotations

from collections import Counter, OrderedDict
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from node.token_bucket import TokenBucket

BUCKETS_MAX = 10_000
"""Token buckets kept. Beyond, the least recently used one is dropped: by then it is most likely full again."""


@lru_cache(maxsize=4096)
def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    """The IP address without its zone, an IPv4-mapped one as IPv4; None for other text."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed


@lru_cache(maxsize=4096)
def party_of(address: str) -> str:
    """The unit of all limits: an IPv4 address, or the /64 of an IPv6 address."""
    parsed = _parsed(address)
    return str(ip_network((parsed, 64), strict=False)) if isinstance(parsed, IPv6Address) else str(parsed or address)


@lru_cache(maxsize=4096)
def is_loopback(address: str) -> bool:
    """Unix sockets have no address and count as loopback."""
    parsed = _parsed(address)
    return not address or (parsed is not None and parsed.is_loopback)


class TokenBuckets:
    """One token bucket per party: `rate` tokens a second, at most `burst` saved up."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate, self._burst = rate, burst
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def take(self, party: str, now: float) -> float:
        """Take a token and return 0.0; if none is left, return the seconds until the next one."""
        now_ms = now * 1000
        bucket = self._buckets.pop(party, None) or TokenBucket(self._rate, self._burst, now_ms)
        if len(self._buckets) >= BUCKETS_MAX:
            self._buckets.popitem(last=False)
        self._buckets[party] = bucket
        return 0.0 if bucket.try_take(1, now_ms) else (1 - bucket.left(now_ms)) / self._rate

    def is_spent(self, party: str, now: float) -> bool:
        """Whether no token is left."""
        bucket = self._buckets.get(party)
        return bucket is not None and bucket.left(now * 1000) < 1


class Counted:
    """Number of open things, in total and per party, each with a maximum."""

    def __init__(self, most: int, most_per_party: int, *, is_loopback_limited: bool) -> None:
        self._most, self._most_per_party, self._is_loopback_limited = most, most_per_party, is_loopback_limited
        self._by_party: Counter[str] = Counter()
        self.open = 0

    def enter(self, address: str) -> str | None:
        """Count one more and return its party, or return None at a maximum."""
        party = party_of(address)
        is_exempt = is_loopback(address) and not self._is_loopback_limited
        if self.open >= self._most or (not is_exempt and self._by_party[party] >= self._most_per_party):
            return None
        self.open += 1
        self._by_party[party] += 1
        return party

    def leave(self, party: str) -> None:
        self.open -= 1
        self._by_party[party] -= 1
        if not self._by_party[party]:
            del self._by_party[party]
