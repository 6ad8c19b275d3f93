"""Bounds per address: a token bucket for requests, a count of open connections. Time is an argument."""

from __future__ import annotations

from collections import Counter, OrderedDict
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

from node.token_bucket import TokenBucket

BUCKETS_MAX = 10_000
"""Addresses remembered; beyond, the one not seen for longest is forgotten (its bucket is full again)."""


@lru_cache(maxsize=4096)
def party_of(address: str) -> str:
    """What counts as one party: an IPv4 address, or the /64 of an IPv6 address."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        mapped = parsed.ipv4_mapped
        return str(mapped) if mapped else str(ip_network((parsed, 64), strict=False))
    return str(parsed)


@lru_cache(maxsize=4096)
def is_loopback(address: str) -> bool:
    """Unix sockets have no address and count as loopback."""
    if not address:
        return True
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return (mapped or parsed).is_loopback


class TokenBuckets:
    """One token bucket for each party: `rate` tokens a second, at most `burst` saved up."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = burst
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def take(self, party: str, now: float) -> float:
        """Take a token and return 0.0; if none is left, return the seconds until the next one."""
        now_ms = now * 1000
        bucket = self._buckets.pop(party, None) or TokenBucket(self._rate, self._burst, now_ms)
        if len(self._buckets) >= BUCKETS_MAX:
            self._buckets.popitem(last=False)
        self._buckets[party] = bucket
        return 0.0 if bucket.try_take(1, now_ms) else (1 - bucket.left(now_ms)) / self._rate


class Counted:
    """How many things are open, in all and per party. `enter` answers whether one more may be."""

    def __init__(self, most: int, most_per_party: int) -> None:
        self._most = most
        self._most_per_party = most_per_party
        self._by_party: Counter[str] = Counter()
        self.open = 0

    def enter(self, party: str, *, is_exempt: bool = False) -> bool:
        if self.open >= self._most or (not is_exempt and self._by_party[party] >= self._most_per_party):
            return False
        self.open += 1
        self._by_party[party] += 1
        return True

    def leave(self, party: str) -> None:
        self.open -= 1
        self._by_party[party] -= 1
        if not self._by_party[party]:
            del self._by_party[party]
