"""Bounds per address."""

import pytest

from node.rpc import limiter
from node.rpc.limiter import Counted, TokenBuckets, is_loopback, party_of


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    buckets = TokenBuckets(rate=2.0, burst=3)
    assert [0.0, 0.0, 0.0] == [buckets.take("a", 100.0) for _ in range(3)]
    assert pytest.approx(0.5) == buckets.take("a", 100.0)
    assert 0.0 == buckets.take("b", 100.0)
    assert 0.0 == buckets.take("a", 100.5)
    assert buckets.take("a", 100.5) > 0


def test_a_bucket_is_spent_when_its_next_token_would_not_be_given() -> None:
    buckets = TokenBuckets(rate=1.0, burst=2)
    told = []
    for now in (0.0, 0.0, 0.0, 0.5, 1.0):
        told.append(buckets.is_spent("a", now))
        assert told[-1] == (buckets.take("a", now) > 0)
    assert [False, False, True, True, False] == told


def test_a_bucket_never_holds_more_than_its_burst_and_survives_a_clock_that_steps_back() -> None:
    buckets = TokenBuckets(rate=100.0, burst=1)
    assert 0.0 == buckets.take("a", 0.0)
    assert 0.0 == buckets.take("a", 1_000.0)
    assert buckets.take("a", 1_000.0) > 0
    assert buckets.take("a", 999.0) > 0


def test_the_party_not_seen_for_longest_is_forgotten(monkeypatch) -> None:
    monkeypatch.setattr(limiter, "BUCKETS_MAX", 2)
    buckets = TokenBuckets(rate=1.0, burst=1)
    for party in ("a", "b", "c"):
        assert 0.0 == buckets.take(party, 0.0)
    assert buckets.take("c", 0.0) > 0
    assert 0.0 == buckets.take("a", 0.0)


def test_open_things_are_counted_in_all_and_per_party() -> None:
    counted = Counted(3, 2, is_loopback_limited=True)
    assert ["a", "a", None] == [counted.enter("a") for _ in range(3)]
    assert counted.enter("b")
    assert counted.enter("c") is None
    counted.leave("a")
    assert counted.enter("c")
    assert 3 == counted.open


def test_loopback_is_limited_in_all_and_per_party_only_on_request() -> None:
    assert ["127.0.0.1", "127.0.0.1", None] == [
        counted.enter("127.0.0.1") for counted in [Counted(2, 1, is_loopback_limited=False)] for _ in range(3)
    ]
    limited = Counted(2, 1, is_loopback_limited=True)
    assert ["127.0.0.1", None] == [limited.enter("127.0.0.1") for _ in range(2)]


@pytest.mark.parametrize(
    ("address", "party"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_an_ipv6_party_is_a_network_of_64_bits(address: str, party: str) -> None:
    assert party == party_of(address)


@pytest.mark.parametrize(
    ("address", "expected"),
    [("127.0.0.1", True), ("::1", True), ("::ffff:127.0.0.1", True), ("", True), ("192.0.2.1", False), ("x", False)],
)
def test_loopback(address: str, expected: bool) -> None:
    assert expected == is_loopback(address)
