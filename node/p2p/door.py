"""Who stands at the door: links whose handshake is not finished. Nobody is turned away for those who dawdle there.

A newcomer is always let begin: before its handshake we can't know whether it is a member. Where there are too many, the
oldest unfinished one of the address that has most of them has to go. What handshakes cost is bounded for all addresses
together but those that we know: of configured peers and of members.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import Final

from node.p2p.budget import Credit
from node.p2p.framing import goodbye, handshake_frame
from node.p2p.slots import address_of

HANDSHAKES_MAX: Final = 128
HANDSHAKES_PER_ADDRESS_MAX: Final = 32
HANDSHAKE_CPU_MS_PER_S: Final = 250
"""Unfinished handshakes in all and of one address, and processor time in a second for those of unknown addresses."""


@dataclass(eq=False, slots=True)
class Guest:
    address: str
    writer: asyncio.StreamWriter


class Door:
    def __init__(self, now_ms: int) -> None:
        self._guests: dict[Guest, None] = {}
        self._cpu = Credit(HANDSHAKE_CPU_MS_PER_S, 1.0, now_ms)
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._guests)

    def enter(self, host: str, writer: asyncio.StreamWriter) -> Guest:
        """Always; somebody else may have to go."""
        guest = Guest(address_of(host), writer)
        here = sum(1 for other in self._guests if other.address == guest.address)
        if here >= HANDSHAKES_PER_ADDRESS_MAX:
            self._drop_oldest(guest.address)
        elif len(self._guests) >= HANDSHAKES_MAX:
            self._drop_oldest(Counter(other.address for other in self._guests).most_common(1)[0][0])
        self._guests[guest] = None
        return guest

    def leave(self, guest: Guest) -> None:
        self._guests.pop(guest, None)

    async def turn(self, now_ms: int) -> None:
        """Wait until there is time for one more handshake of an unknown address."""
        await asyncio.sleep(self._cpu.wait_ms(now_ms) / 1000)

    def worked(self, cpu_ms: float, now_ms: int) -> None:
        self._cpu.take(cpu_ms, now_ms)

    def _drop_oldest(self, address: str) -> None:
        guest = next(other for other in self._guests if other.address == address)
        self.leave(guest)
        self.dropped += 1
        guest.writer.write(handshake_frame(goodbye("too many unfinished handshakes from this address")))
        guest.writer.close()
