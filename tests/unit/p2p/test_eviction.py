"""Eviction of strangers when slots are taken."""

from __future__ import annotations

import pytest

from node import limits
from node.p2p.eviction import PeerSlot, address_of, network_of, room_for


def slot(
    peer: int, host: str = "10.0.0.1", *, score: float = 0, opened_ms: int = 0, is_outbound: bool = False
) -> PeerSlot:
    return PeerSlot(peer, host, is_outbound, score, opened_ms)


def crowd(count: int, network: int = 0) -> list[PeerSlot]:
    """Strangers with different addresses in one network."""
    return [slot(100 * network + i, f"10.{network}.{i}.1", opened_ms=i) for i in range(count)]


NEW = slot(0, "192.168.0.1")


def test_there_is_room_until_there_is_none() -> None:
    assert (True, None) == room_for(NEW, [slot(1, "172.16.0.1")], 10)
    each = [slot(i, f"10.{i}.0.1") for i in range(8)]
    assert (True, None) == room_for(NEW, each[:7], 10)
    assert (False, None) == room_for(NEW, each, 10), "one place of five is kept for those that we dial"
    assert (True, None) == room_for(slot(0, "192.168.0.1", is_outbound=True), each, 10)


def test_those_that_we_dialled_are_never_evicted() -> None:
    dialled = [slot(i, f"10.0.{i}.1", is_outbound=True, score=90) for i in range(10)]
    assert (False, None) == room_for(NEW, dialled, 10)


def test_a_worse_score_loses_its_place() -> None:
    slots = [slot(i, f"10.{i}.0.1", score=30 if i == 3 else 0) for i in range(8)]
    assert (True, 3) == room_for(NEW, slots, 10)
    assert (False, None) == room_for(slot(0, "192.168.0.1", score=30), slots, 10), "not for another like it"
    assert (True, 3) == room_for(slot(0, "192.168.0.1", score=15), slots, 10)


def test_a_network_that_has_many_places_gives_its_youngest_to_one_that_has_none() -> None:
    assert (True, 7) == room_for(NEW, crowd(8), 10)
    assert (False, None) == room_for(slot(0, "10.0.200.1"), crowd(8), 10), "not to one more of its own"


def test_nobody_is_evicted_for_one_who_makes_the_same_crowd() -> None:
    """Otherwise two networks would evict each other forever."""
    half = crowd(4, 1) + crowd(4, 2)
    assert (False, None) == room_for(slot(0, "10.1.200.1"), half, 10)
    more = crowd(5, 1) + crowd(3, 2)
    assert (True, 104) == room_for(slot(0, "10.2.200.1"), more, 10)
    settled = [s for s in more if s.peer != 104] + [slot(0, "10.2.200.1")]
    assert (False, None) == room_for(slot(9, "10.1.200.1"), settled, 10)


def test_one_address_has_its_share_and_no_more() -> None:
    here = [slot(i) for i in range(limits.PEERS_PER_ADDRESS_MAX)]
    assert (False, None) == room_for(slot(0), here, 100)
    assert (True, None) == room_for(slot(0, "10.0.0.2"), here, 100)
    worse = [*here[:-1], slot(50, score=20)]
    assert (True, 50) == room_for(slot(0), worse, 100)


@pytest.mark.parametrize(
    ("host", "address", "network"),
    [
        ("10.1.2.3", "10.1.2.3", "10.1.0.0/16"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64", "2001:db8::/32"),
        ("fe80::1%eth0", "fe80::/64", "fe80::/32"),
        ("node.example", "node.example", "node.example"),
        ("", "", ""),
    ],
)
def test_what_counts_as_one_address_and_one_network(host: str, address: str, network: str) -> None:
    assert (address, network) == (address_of(host), network_of(host))
