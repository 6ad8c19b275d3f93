"""Who stands at the door: links whose handshake is not finished. Nobody is turned away for those who dawdle there.

A newcomer is always let begin: before its handshake we can't know whether it is a member. Where there are too many, the
oldest unfinished one of the address that has most of them has to go. Handshakes are computed at a bounded rate; where
more want one, the newest has its turn first: those before it are about to be dropped, and serving them in their order
would serve nobody in time.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from node.p2p.budget import Credit
from node.p2p.connection import Unfinished
from node.p2p.framing import goodbye, handshake_frame
from node.p2p.slots import address_of

GUESTS_MAX: Final = 256
GUESTS_PER_ADDRESS_MAX: Final = 96
"""Unfinished handshakes in all and of one address. A member behind the same address as a flood has as many arrivals'
time for its own."""
HANDSHAKES_PER_S: Final = 1_000
"""That are computed, each in about 0.2 ms; as many again for addresses that we know: of configured peers, and published
by members."""


@dataclass(eq=False, slots=True)
class Guest:
    address: str
    is_known: bool
    writer: asyncio.StreamWriter
    turn: asyncio.Future[None] | None = None


class _Turns:
    """Of known addresses, or of unknown ones."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._credit = Credit(HANDSHAKES_PER_S, 0.5, clock())
        self._waiting: list[asyncio.Future[None]] = []
        self._timer: asyncio.TimerHandle | None = None

    async def wait(self, guest: Guest) -> None:
        now = self._clock()
        if not self._waiting and self._credit.left(now) >= 1:
            self._credit.take(1, now)
            return
        guest.turn = asyncio.get_running_loop().create_future()
        self._waiting.append(guest.turn)
        self._schedule()
        await guest.turn

    def _schedule(self) -> None:
        if self._timer is None:
            delay = max(1, self._credit.wait_ms(self._clock(), 1)) / 1000
            self._timer = asyncio.get_running_loop().call_later(delay, self._grant)

    def _grant(self) -> None:
        self._timer = None
        now = self._clock()
        while self._waiting and self._credit.left(now) >= 1:
            turn = self._waiting.pop()
            if not turn.done():
                turn.set_result(None)
                self._credit.take(1, now)
        if self._waiting:
            self._schedule()


class Door:
    def __init__(self, clock: Callable[[], int]) -> None:
        self._guests: dict[Guest, None] = {}
        self._turns = {is_known: _Turns(clock) for is_known in (True, False)}
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._guests)

    def enter(self, host: str, writer: asyncio.StreamWriter, *, is_known: bool) -> Guest:
        """Always; somebody else may have to go."""
        guest = Guest(address_of(host), is_known, writer)
        here = sum(1 for other in self._guests if other.address == guest.address)
        if here >= GUESTS_PER_ADDRESS_MAX:
            self._drop_oldest(guest.address)
        elif len(self._guests) >= GUESTS_MAX:
            self._drop_oldest(Counter(other.address for other in self._guests).most_common(1)[0][0])
        self._guests[guest] = None
        return guest

    def leave(self, guest: Guest) -> None:
        self._guests.pop(guest, None)

    async def turn(self, guest: Guest) -> None:
        """Wait until there is time for this handshake. Raises `Unfinished` where it was dropped before."""
        await self._turns[guest.is_known].wait(guest)
        if guest not in self._guests:
            raise Unfinished("dropped for a newer handshake")

    def _drop_oldest(self, address: str) -> None:
        guest = next(other for other in self._guests if other.address == address)
        self.leave(guest)
        self.dropped += 1
        if guest.turn is not None and not guest.turn.done():
            guest.turn.set_exception(Unfinished("dropped for a newer handshake"))
        guest.writer.write(handshake_frame(goodbye("too many unfinished handshakes from this address")))
        guest.writer.close()
