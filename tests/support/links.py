"""Links between nodes through TCP proxies, which can cut, silence, slow them or flip a bit."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

READ_BYTES = 16 * 1024
BUFFER_BYTES = 2 * READ_BYTES
"""Socket buffer of a shallow link, which does not hide a slow line from the sender."""
WAITING_MAX = 64
"""Chunks in flight in one direction; above, the sender is blocked, as on a real link."""


@dataclass(frozen=True)
class Condition:
    is_cut: bool = False
    is_silent: bool = False
    latency_s: float = 0.0
    bytes_per_s: float = 0.0
    """0: unlimited."""


@dataclass(eq=False)
class Pair:
    """Both halves of one connection through a proxy."""

    writers: tuple[asyncio.StreamWriter, asyncio.StreamWriter]
    flipped_at: float = 0.0
    closed_at: float = 0.0


@dataclass(eq=False)
class Link:
    """Node `ends[0]` dials node `ends[1]` through `port`.

    `is_shallow`: little is in flight, so that a slow line blocks the sender at once. `kept_max`: number of forwarded
    bytes to keep.
    """

    ends: tuple[int, int]
    target_port: int
    is_shallow: bool = False
    kept_max: int = 0
    flips_at: float = 0.5
    port: int = 0
    passed: bytearray = field(default_factory=bytearray)
    conditions: dict[object, Condition] = field(default_factory=dict)
    pairs: set[Pair] = field(default_factory=set)
    flipped: list[Pair] = field(default_factory=list)
    wants_flip: bool = False
    loud: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_cut(self) -> bool:
        return any(c.is_cut for c in self.conditions.values())

    @property
    def is_silent(self) -> bool:
        return any(c.is_silent for c in self.conditions.values())

    @property
    def latency_s(self) -> float:
        return max((c.latency_s for c in self.conditions.values()), default=0.0)

    @property
    def bytes_per_s(self) -> float:
        return min((c.bytes_per_s for c in self.conditions.values() if c.bytes_per_s), default=0.0)


class Links:
    """All links, in one thread. Calls may come from any thread."""

    def __init__(self, links: list[Link]) -> None:
        self.all = links
        self._servers: list[asyncio.Server] = []
        self._accepted: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._call(self._listen())

    @classmethod
    def of_all(cls, p2p_ports: list[int]) -> Links:
        """One link for every pair of nodes."""
        count = len(p2p_ports)
        return cls([Link((i, j), p2p_ports[j]) for i in range(count) for j in range(i + 1, count)])

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        for link in self.all:
            link.loud.set()
            listening = socket.socket()
            if link.is_shallow:
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
            listening.bind(("127.0.0.1", 0))
            link.port = listening.getsockname()[1]
            server = await asyncio.start_server(
                lambda reader, writer, link=link: self._begin(link, reader, writer), sock=listening, limit=READ_BYTES
            )
            self._servers.append(server)

    # --- conditions ---
    def dialled_by(self, node: int) -> list[int]:
        return [link.port for link in self.all if link.ends[0] == node]

    def of(self, node: int) -> list[Link]:
        return [link for link in self.all if node in link.ends]

    def across(self, side: tuple[int, ...]) -> list[Link]:
        return [link for link in self.all if (link.ends[0] in side) != (link.ends[1] in side)]

    def between(self, one: int, other: int) -> Link:
        return next(link for link in self.all if link.ends == (min(one, other), max(one, other)))

    def put(self, links: list[Link], key: object, condition: Condition) -> None:
        self._call(self._put(links, key, condition))

    def lift(self, key: object) -> None:
        self._call(self._lift(key))

    async def _put(self, links: list[Link], key: object, condition: Condition) -> None:
        for link in links:
            link.conditions[key] = condition
            if condition.is_cut:
                for pair in list(link.pairs):
                    self._abort(pair)
            if condition.is_silent:
                link.loud.clear()

    async def _lift(self, key: object) -> None:
        for link in self.all:
            link.conditions.pop(key, None)
            if not link.is_silent:
                link.loud.set()

    def flip(self, link: Link) -> None:
        """Flip a bit in the next forwarded bytes."""

        async def wish() -> None:
            link.wants_flip = True

        self._call(wish())

    # --- forwarding ---
    def _begin(self, link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Register the connection in the same loop iteration: `stop` may run in the next."""
        task = self._loop.create_task(self._accept(link, reader, writer))
        self._accepted[task] = writer
        task.add_done_callback(self._accepted.pop)

    async def _accept(self, link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if link.is_cut:
            writer.transport.abort()
            return
        try:
            there_reader, there = await asyncio.open_connection("127.0.0.1", link.target_port, limit=READ_BYTES)
        except OSError:
            writer.transport.abort()
            return
        except asyncio.CancelledError:
            writer.transport.abort()
            raise
        pair = Pair((writer, there))
        link.pairs.add(pair)
        both = [
            asyncio.create_task(self._carry(link, pair, reader, there)),
            asyncio.create_task(self._carry(link, pair, there_reader, writer)),
        ]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._abort(pair)
            link.pairs.discard(pair)
            for one in both:
                one.cancel()
            await asyncio.gather(*both, return_exceptions=True)

    @staticmethod
    def _abort(pair: Pair) -> None:
        pair.closed_at = pair.closed_at or time.monotonic()
        for writer in pair.writers:
            writer.transport.abort()

    async def _carry(self, link: Link, pair: Pair, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward one direction until it ends; bytes in flight still arrive, as on a wire."""
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(1 if link.is_shallow else WAITING_MAX)
        reading = asyncio.create_task(self._read(link, reader, under_way))
        try:
            with contextlib.suppress(OSError, TimeoutError):
                while True:
                    due, data = await under_way.get()
                    await asyncio.sleep(max(0.0, due - self._loop.time()))
                    await link.loud.wait()
                    if not data:
                        break
                    writer.write(self._spoiled(link, pair, data))
                    await writer.drain()
                writer.close()
                await asyncio.wait_for(writer.wait_closed(), 1)
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _read(
        self, link: Link, reader: asyncio.StreamReader, under_way: asyncio.Queue[tuple[float, bytes]]
    ) -> None:
        free_at = self._loop.time()
        with contextlib.suppress(OSError):
            while data := await reader.read(READ_BYTES):
                link.passed += data[: link.kept_max - len(link.passed)]
                if link.bytes_per_s:
                    # Serialise the bytes at the line's speed; idle time is not saved up.
                    free_at = max(free_at, self._loop.time()) + len(data) / link.bytes_per_s
                    await asyncio.sleep(free_at - self._loop.time())
                await under_way.put((self._loop.time() + link.latency_s, data))
        await under_way.put((0.0, b""))

    @staticmethod
    def _spoiled(link: Link, pair: Pair, data: bytes) -> bytes:
        if not link.wants_flip:
            return data
        link.wants_flip = False
        pair.flipped_at = time.monotonic()
        link.flipped.append(pair)
        at = min(int(len(data) * link.flips_at), len(data) - 1)
        return data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]

    def stop(self) -> None:
        async def down() -> None:
            for server in self._servers:
                server.close()
            for link in self.all:
                link.conditions[self] = Condition(is_cut=True)  # a connection that was just accepted is closed
                link.loud.set()
            await asyncio.sleep(0)
            while self._accepted:
                ending = dict(self._accepted)
                for task, writer in ending.items():
                    task.cancel()
                    writer.transport.abort()  # a task that has not started aborts nothing
                await asyncio.gather(*ending, return_exceptions=True)
            await asyncio.sleep(0)  # aborted transports close in the next loop iteration

        self._call(down())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


class Proxy:
    """A single link."""

    def __init__(self, target_port: int, *, bytes_per_s: float = 0.0) -> None:
        """`bytes_per_s`: speed of a shallow line; unlimited if 0."""
        self._link = Link((0, 1), target_port, is_shallow=bytes_per_s > 0, kept_max=4_000_000, flips_at=1.0)
        self._link.conditions["speed"] = Condition(bytes_per_s=bytes_per_s)
        self._links = Links([self._link])

    @property
    def port(self) -> int:
        return self._link.port

    @property
    def passed(self) -> bytearray:
        """The kept forwarded bytes."""
        return self._link.passed

    def cut(self) -> None:
        """Close connections and refuse new ones."""
        self._links.put([self._link], "cut", Condition(is_cut=True))

    def heal(self) -> None:
        self._links.lift("cut")

    def flip(self) -> None:
        """Flip a bit in the last byte of the next piece: it is never a length, so nobody waits for missing bytes."""
        self._links.flip(self._link)

    def stop(self) -> None:
        self._links.stop()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
