"""A TCP proxy that is as far away, and as narrow, as a slow mobile line.

The figures are those that Lighthouse calls slow 4G: a round trip of 150 ms, 1.6 Mbit/s to the reader, shared by all
connections, 750 kbit/s from him. Setting up a connection costs the round trips of TCP and of TLS 1.3, though what
passes is plain.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

ROUND_TRIP_S: Final = 0.150
HANDSHAKES: Final = 2
DOWN_BYTES_PER_S, UP_BYTES_PER_S = 1_600_000 / 8, 750_000 / 8
PIECE_BYTES: Final = 1_460
"""What a packet carries: pieces of several connections take turns on the line."""


@dataclass
class Lane:
    """One direction. `free_at`: when the line has sent what was given to it, by the loop's clock."""

    bytes_per_s: float
    free_at: float = 0.0

    def arrival(self, now: float, size: int) -> float:
        self.free_at = max(now, self.free_at) + size / self.bytes_per_s
        return self.free_at + ROUND_TRIP_S / 2


async def _read(reader: asyncio.StreamReader, lane: Lane, under_way: asyncio.Queue[tuple[float, bytes]]) -> None:
    loop, piece = asyncio.get_running_loop(), b"begun"
    while piece:
        piece = await reader.read(PIECE_BYTES)
        await under_way.put((lane.arrival(loop.time(), len(piece)), piece))


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, lane: Lane) -> None:
    """One direction of one connection, until it ends."""
    loop, under_way = asyncio.get_running_loop(), asyncio.Queue[tuple[float, bytes]](256)
    reading = asyncio.create_task(_read(reader, lane, under_way))
    try:
        while True:
            due, piece = await under_way.get()
            await asyncio.sleep(due - loop.time())
            if not piece:
                writer.write_eof()
                return
            writer.write(piece)
            await writer.drain()
    finally:
        reading.cancel()


async def _line(target: int, begun: Future[tuple[int, Callable[[], None]]]) -> None:
    """Until the callable is called that `begun` tells with the port."""
    down, up, ending = Lane(DOWN_BYTES_PER_S), Lane(UP_BYTES_PER_S), asyncio.Event()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.CancelledError):
            await asyncio.sleep(HANDSHAKES * ROUND_TRIP_S)
            there_reader, there = await asyncio.open_connection("127.0.0.1", target)
            try:
                await asyncio.gather(_carry(reader, there, up), _carry(there_reader, writer, down))
            finally:
                there.close()
                writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    loop = asyncio.get_running_loop()
    begun.set_result((server.sockets[0].getsockname()[1], lambda: loop.call_soon_threadsafe(ending.set)))
    await ending.wait()
    server.close()


@contextmanager
def far_line(target: int) -> Iterator[int]:
    """The port at which the line to a port of this machine begins."""
    begun: Future[tuple[int, Callable[[], None]]] = Future()
    thread = threading.Thread(target=lambda: asyncio.run(_line(target, begun)))
    thread.start()
    port, end = begun.result(10)
    try:
        yield port
    finally:
        end()
        thread.join(10)
