"""One link: handshake, frames in, two queues out. The asyncio half of the protocol, without any policy."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable

from node.codec import encode
from node.errors import ProtocolViolation, Rejected
from node.p2p.framing import Refused, Session, handshake_frame, take_handshake_frame
from node.p2p.handshake import Handshake, Hello, Refusal, goodbye
from node.p2p.wire import URGENT, WireMessage

HANDSHAKE_TIMEOUT_S = 5.0
READ_BYTES = 256 * 1024
QUEUE_BYTES_MAX = 32 * 1024 * 1024
"""Bulk that waits for a slow peer. Above: new bulk messages are dropped; what matters is asked for again."""
URGENT_BYTES_MAX = 64 * 1024 * 1024
"""Above: the peer does not read, and the link is closed."""

Clock = Callable[[], int]


class Link:
    """An authenticated, encrypted link to `hello.node_key`."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        session: Session,
        hello: Hello,
        left: bytes,
        *,
        is_outbound: bool,
        host: str,
        port: int,
        clock: Clock,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._session = session
        self._left = left
        self._clock = clock
        self._urgent: deque[bytes] = deque()
        self._bulk: deque[bytes] = deque()
        self._urgent_bytes = 0
        self._bulk_bytes = 0
        self._wake = asyncio.Event()
        self.hello = hello
        self.is_outbound = is_outbound
        self.host = host
        self.port = port
        self.opened_ms = clock()
        self.heard_ms = clock()
        self.bytes_in = 0
        self.bytes_out = 0
        self.dropped = 0
        self.is_closed = False

    def send(self, message: WireMessage, raw: bytes | None = None) -> None:
        """Queue a message; `raw` is its encoding where the caller has it already."""
        if self.is_closed:
            return
        data = encode(message) if raw is None else raw
        if isinstance(message, URGENT):
            self._urgent.append(data)
            self._urgent_bytes += len(data)
            if self._urgent_bytes > URGENT_BYTES_MAX:
                self.close()
        elif self._bulk_bytes + len(data) > QUEUE_BYTES_MAX:
            self.dropped += 1
        else:
            self._bulk.append(data)
            self._bulk_bytes += len(data)
        self._wake.set()

    async def write_loop(self) -> None:
        """Until the link closes: urgent messages first, then bulk."""
        while not self.is_closed:
            await self._wake.wait()
            self._wake.clear()
            while (self._urgent or self._bulk) and not self.is_closed:
                if self._urgent:
                    data = self._urgent.popleft()
                    self._urgent_bytes -= len(data)
                else:
                    data = self._bulk.popleft()
                    self._bulk_bytes -= len(data)
                sealed = self._session.seal(data)
                self.bytes_out += len(sealed)
                self._writer.write(sealed)
                await self._writer.drain()

    async def read_loop(self, on_raw: Callable[[bytes, int], None]) -> None:
        """Hand every message to `on_raw` with the time its first frame came. Returns at the end of the stream.

        Raises `Rejected` for a broken frame.
        """
        first_ms: int | None = None
        data = self._left
        while not self.is_closed:
            if data:
                now = self._clock()
                self.heard_ms = now
                self.bytes_in += len(data)
                if first_ms is None:
                    first_ms = now
                messages = self._session.feed(data)
                for raw in messages:
                    on_raw(raw, first_ms)
                if messages:
                    first_ms = now if self._session.is_midway else None
            data = await self._reader.read(READ_BYTES)
            if not data:
                return

    def close(self) -> None:
        self.is_closed = True
        self._wake.set()
        with contextlib.suppress(Exception):
            self._writer.close()

    async def flush_and_close(self) -> None:
        """Give what is queued a moment to leave, then close."""
        with contextlib.suppress(Exception):
            async with asyncio.timeout(0.5):
                while self._urgent and not self.is_closed:
                    await asyncio.sleep(0.01)
                await self._writer.drain()
        self.close()


async def shake_hands(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    handshake: Handshake,
    *,
    is_outbound: bool,
    host: str,
    port: int,
    clock: Clock,
) -> Link:
    """The link. Raises `Rejected` with the reason (the other side is told), `OSError` or `TimeoutError`."""
    buffer = bytearray()
    try:
        async with asyncio.timeout(HANDSHAKE_TIMEOUT_S):
            opening = handshake.start()
            if opening is not None:
                writer.write(handshake_frame(opening))
                await writer.drain()
            while not handshake.done:
                frame = take_handshake_frame(buffer)
                if frame is None:
                    data = await reader.read(4096)
                    if not data:
                        raise ProtocolViolation("the link was closed within the handshake")
                    buffer += data
                    continue
                answer = handshake.receive(frame)
                if answer is not None:
                    writer.write(handshake_frame(answer))
                    await writer.drain()
    except Refused:
        raise
    except Refusal as refusal:
        with contextlib.suppress(Exception):
            writer.write(handshake_frame(goodbye(str(refusal))))
            await writer.drain()
        raise
    except Rejected:
        raise
    left = bytes(buffer)
    return Link(
        reader, writer, handshake.session(), handshake.peer, left,
        is_outbound=is_outbound, host=host, port=port, clock=clock,
    )  # fmt: skip
