"""Pending handshakes: eviction and order."""

from __future__ import annotations

import asyncio

import pytest

from node.p2p import handshake_queue
from node.p2p.connection import Unfinished
from node.p2p.handshake_queue import (
    HANDSHAKES_PER_S,
    PENDING_MAX,
    PENDING_PER_ADDRESS_MAX,
    HandshakeQueue,
    PendingHandshake,
)


class Shut:
    """The writer of a connection, as far as the queue uses it."""

    def __init__(self) -> None:
        self.said = b""
        self.is_shut = False

    def write(self, data: bytes) -> None:
        self.said += data

    def close(self) -> None:
        self.is_shut = True


def entered(queue: HandshakeQueue, host: str, count: int, *, is_known: bool = False) -> list[PendingHandshake]:
    return [queue.enter(host, Shut(), is_known=is_known) for _ in range(count)]  # type: ignore[arg-type]


def shut(entries: list[PendingHandshake]) -> list[bool]:
    return [pending.writer.is_shut for pending in entries]  # type: ignore[attr-defined]


def test_the_oldest_of_an_address_goes_when_it_has_too_many() -> None:
    queue = HandshakeQueue(lambda: 0)
    (other,), entries = entered(queue, "10.0.0.2", 1), entered(queue, "10.0.0.1", PENDING_PER_ADDRESS_MAX + 3)
    assert [True] * 3 + [False] * PENDING_PER_ADDRESS_MAX == shut(entries)
    assert (3, [False]) == (queue.dropped, shut([other]))
    assert b"too many unfinished handshakes" in entries[0].writer.said  # type: ignore[attr-defined]


def test_when_all_places_are_taken_the_address_with_most_gives_one() -> None:
    queue = HandshakeQueue(lambda: 0)
    few, many = entered(queue, "10.0.0.2", 2), entered(queue, "10.0.0.1", PENDING_PER_ADDRESS_MAX)
    for i in range(PENDING_MAX - PENDING_PER_ADDRESS_MAX - 2):
        entered(queue, f"10.1.{i}.1", 1)
    (late,) = entered(queue, "10.0.0.3", 1)
    assert [True, *[False] * (PENDING_PER_ADDRESS_MAX - 1)] == shut(many)
    assert [False] * 3 == shut([*few, late])


def test_who_has_left_takes_no_place() -> None:
    queue = HandshakeQueue(lambda: 0)
    entries = entered(queue, "10.0.0.1", PENDING_PER_ADDRESS_MAX)
    queue.leave(entries[0])
    queue.leave(entries[0])
    entered(queue, "10.0.0.1", 1)
    assert [False] * PENDING_PER_ADDRESS_MAX == shut(entries)


def test_beyond_the_rate_the_newest_has_its_turn_first_and_known_addresses_have_their_own() -> None:
    async def play() -> None:
        now = 0
        queue = HandshakeQueue(lambda: now)
        for pending in entered(queue, "10.0.0.1", HANDSHAKES_PER_S // 2)[-1:] * (HANDSHAKES_PER_S // 2):
            await queue.wait_for_grant(pending)
        (pending,) = entered(queue, "10.0.0.9", 1, is_known=True)
        await asyncio.wait_for(queue.wait_for_grant(pending), 1)
        served: list[str] = []

        async def waits(name: str) -> None:
            (pending,) = entered(queue, f"10.0.1.{name}", 1)
            await queue.wait_for_grant(pending)
            served.append(name)

        tasks = [asyncio.create_task(waits(name)) for name in "123"]
        while sum(len(grants._waiting) for grants in queue._grants.values()) < 3:
            await asyncio.sleep(0)
        for count in range(1, 4):
            now += 1000 // HANDSHAKES_PER_S
            while len(served) < count:
                await asyncio.sleep(0.001)
        await asyncio.gather(*tasks)
        assert ["3", "2", "1"] == served

    asyncio.run(play())


def test_who_is_dropped_while_it_waits_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshake_queue, "HANDSHAKES_PER_S", 1)

    async def play() -> None:
        queue = HandshakeQueue(lambda: 0)
        (first,) = entered(queue, "10.0.0.1", 1)
        waiting = asyncio.create_task(queue.wait_for_grant(first))
        while first.grant is None:
            await asyncio.sleep(0)
        entered(queue, "10.0.0.1", PENDING_PER_ADDRESS_MAX)
        with pytest.raises(Unfinished):
            await asyncio.wait_for(waiting, 1)

    asyncio.run(play())
