"""Who may begin a handshake, who has to go for it, and whose turn it is."""

from __future__ import annotations

import asyncio

import pytest

from node.p2p import door as door_module
from node.p2p.connection import Unfinished
from node.p2p.door import GUESTS_MAX, GUESTS_PER_ADDRESS_MAX, HANDSHAKES_PER_S, Door, Guest


class Shut:
    """The writing end of a connection, as far as the door uses it."""

    def __init__(self) -> None:
        self.said = b""
        self.is_shut = False

    def write(self, data: bytes) -> None:
        self.said += data

    def close(self) -> None:
        self.is_shut = True


def entered(door: Door, host: str, count: int, *, is_known: bool = False) -> list[Guest]:
    return [door.enter(host, Shut(), is_known=is_known) for _ in range(count)]  # type: ignore[arg-type]


def shut(guests: list[Guest]) -> list[bool]:
    return [guest.writer.is_shut for guest in guests]  # type: ignore[attr-defined]


def test_the_oldest_of_an_address_goes_when_it_has_too_many() -> None:
    door = Door(lambda: 0)
    (other,), guests = entered(door, "10.0.0.2", 1), entered(door, "10.0.0.1", GUESTS_PER_ADDRESS_MAX + 3)
    assert [True] * 3 + [False] * GUESTS_PER_ADDRESS_MAX == shut(guests)
    assert (3, [False]) == (door.dropped, shut([other]))
    assert b"too many unfinished handshakes" in guests[0].writer.said  # type: ignore[attr-defined]


def test_when_all_places_are_taken_the_address_with_most_gives_one() -> None:
    door = Door(lambda: 0)
    few, many = entered(door, "10.0.0.2", 2), entered(door, "10.0.0.1", GUESTS_PER_ADDRESS_MAX)
    for i in range(GUESTS_MAX - GUESTS_PER_ADDRESS_MAX - 2):
        entered(door, f"10.1.{i}.1", 1)
    (late,) = entered(door, "10.0.0.3", 1)
    assert [True, *[False] * (GUESTS_PER_ADDRESS_MAX - 1)] == shut(many)
    assert [False] * 3 == shut([*few, late])


def test_who_has_left_takes_no_place() -> None:
    door = Door(lambda: 0)
    guests = entered(door, "10.0.0.1", GUESTS_PER_ADDRESS_MAX)
    door.leave(guests[0])
    door.leave(guests[0])
    entered(door, "10.0.0.1", 1)
    assert [False] * GUESTS_PER_ADDRESS_MAX == shut(guests)


def test_beyond_the_rate_the_newest_has_its_turn_first_and_known_addresses_have_their_own() -> None:
    async def play() -> None:
        now = 0
        door = Door(lambda: now)
        for guest in entered(door, "10.0.0.1", HANDSHAKES_PER_S // 2)[-1:] * (HANDSHAKES_PER_S // 2):
            await door.turn(guest)
        (known,) = entered(door, "10.0.0.9", 1, is_known=True)
        await asyncio.wait_for(door.turn(known), 1)
        served: list[str] = []

        async def waits(name: str) -> None:
            (guest,) = entered(door, f"10.0.1.{name}", 1)
            await door.turn(guest)
            served.append(name)

        tasks = [asyncio.create_task(waits(name)) for name in "123"]
        while sum(len(turns._waiting) for turns in door._turns.values()) < 3:
            await asyncio.sleep(0)
        for count in range(1, 4):
            now += 1000 // HANDSHAKES_PER_S
            while len(served) < count:
                await asyncio.sleep(0.001)
        await asyncio.gather(*tasks)
        assert ["3", "2", "1"] == served

    asyncio.run(play())


def test_who_is_dropped_while_it_waits_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door_module, "HANDSHAKES_PER_S", 1)

    async def play() -> None:
        door = Door(lambda: 0)
        (first,) = entered(door, "10.0.0.1", 1)
        waiting = asyncio.create_task(door.turn(first))
        while first.turn is None:
            await asyncio.sleep(0)
        entered(door, "10.0.0.1", GUESTS_PER_ADDRESS_MAX)
        with pytest.raises(Unfinished):
            await asyncio.wait_for(waiting, 1)

    asyncio.run(play())
