"""An encrypted link over asyncio streams: handshake, read loop and write loop. No policy."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable

from node.codec import encode
from node.errors import ProtocolViolation, Rejected, TooLarge
from node.p2p.framing import Lane, RefusedByPeer, Session, handshake_frame, take_handshake_frame
from node.p2p.handshake import Handshake, Hello, Refusal, goodbye
from node.p2p.outbox import Outbox
from node.p2p.wire import WireMessage, lane_of

HANDSHAKE_TIMEOUT_S = 5.0
READ_BYTES = 64 * 1024
"""Bytes of one read, so that no peer occupies the event loop for longer."""
WRITE_BYTES = 32 * 1024
"""Bytes of one write, rounded up to a whole chunk; then the outbox is asked again for the most urgent chunk."""
UNSENT_BYTES_MAX = 64 * 1024
"""Unsent bytes in the kernel's buffer (TCP_NOTSENT_LOWAT): a vote waits behind no more than this."""
LINGER_S = 2.0
"""Time for the last bytes of a closed link to leave; then the transport is aborted."""

Clock = Callable[[], int]


HTTP_STARTS = (b"GET ", b"HEAD ", b"POST ", b"PUT ", b"PATCH ", b"DELETE ", b"OPTIONS ", b"CONNECT ", b"PRI ", b"HTTP/")
TLS_START = b"\x16\x03"
THIS_PORT = "this is the p2p port, HTTP has one of its own (rpc.port)"


class OtherProtocol(ProtocolViolation):
    """The peer speaks HTTP or TLS: one of us has mistaken an HTTP port for a p2p port."""


class Unfinished(ProtocolViolation):
    """The peer closed the connection during the handshake, as port scanners and health checks do."""


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
        self._outbox = Outbox()
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
        """Queue a message; `raw` is its encoding if the caller has it already."""
        if self.is_closed:
            return
        lane = lane_of(message)
        if not self._outbox.put(lane, encode(message) if raw is None else raw):
            self.dropped += 1
            if lane is Lane.VOTES:
                self.close()
        self._wake.set()

    @property
    def queued_bytes(self) -> int:
        """Bytes of blocks and bulk messages that the peer has not read yet."""
        return self._outbox.bytes[Lane.BLOCKS] + self._outbox.bytes[Lane.BULK]

    async def write_loop(self) -> None:
        """Write queued chunks until the link closes, a few at a time, so that urgent messages overtake long ones."""
        while not self.is_closed:
            await self._wake.wait()
            self._wake.clear()
            while self._outbox and not self.is_closed:
                sealed = b"".join(map(self._session.seal_chunk, self._outbox.take(WRITE_BYTES)))
                self.bytes_out += len(sealed)
                self._writer.write(sealed)
                await self._writer.drain()

    async def read_loop(self, on_raw: Callable[[bytes, int], Awaitable[None]]) -> None:
        """Pass every message to `on_raw` with the arrival time of its first chunk. Returns at the end of the stream.

        Nothing is read while `on_raw` waits. Raises `Rejected` for a broken frame.
        """
        data = self._left
        while not self.is_closed:
            if data:
                self.heard_ms = self._clock()
                self.bytes_in += len(data)
                for raw, begun_ms in self._session.receive(data, self.heard_ms):
                    await on_raw(raw, begun_ms)
            data = await self._reader.read(READ_BYTES)
            if not data:
                return

    def waiting_since_ms(self) -> int | None:
        """Start of the oldest incomplete message or chunk; None if there is none."""
        return self._session.waiting_since_ms()

    def close(self) -> None:
        if self.is_closed:
            return
        self.is_closed = True
        self._wake.set()
        with contextlib.suppress(Exception):
            self._writer.close()
            asyncio.get_running_loop().call_later(LINGER_S, abort, self._writer.transport)

    async def flush_and_close(self) -> None:
        """Give queued votes and goodbyes half a second to leave, then close."""
        with contextlib.suppress(Exception):
            async with asyncio.timeout(0.5):
                while self._outbox.has(Lane.VOTES) and not self.is_closed:
                    await asyncio.sleep(0.01)
                await self._writer.drain()
        self.close()


def abort(transport: asyncio.WriteTransport) -> None:
    """Abort the transport, unless it has closed meanwhile: asyncio's transport then has no loop any more."""
    with contextlib.suppress(AttributeError):
        transport.abort()


def _tune(writer: asyncio.StreamWriter) -> None:
    """Keep unsent bytes in the outbox, where a vote can overtake them, not in buffers, where it can't."""
    writer.transport.set_write_buffer_limits(high=0)
    sock = writer.get_extra_info("socket")
    if sock is not None and hasattr(socket, "TCP_NOTSENT_LOWAT"):
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES_MAX)


def _explained(error: TooLarge, received: bytes, *, is_outbound: bool) -> Rejected:
    """The error for bytes that are no handshake message: it names the protocol if they are of a usual one."""
    name = "HTTP" if received.startswith(HTTP_STARTS) else "TLS" if received.startswith(TLS_START) else ""
    if not name:
        return error
    advice = "p2p.peers must name its p2p port, not its HTTP port (rpc.port)" if is_outbound else THIS_PORT
    return OtherProtocol(f"the peer speaks {name}: {advice}")


async def shake_hands(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    handshake: Handshake,
    *,
    is_outbound: bool,
    host: str,
    port: int,
    clock: Clock,
    wait_for_grant: Callable[[], Awaitable[None]] | None = None,
) -> Link:
    """Run the handshake and return the link. Raises `Rejected` (after sending a refusal), `OSError` or `TimeoutError`.

    `wait_for_grant` is awaited before the first reply is computed.
    """
    buffer = bytearray()
    try:
        async with asyncio.timeout(HANDSHAKE_TIMEOUT_S):
            opening = handshake.start()
            if opening is not None:
                writer.write(handshake_frame(opening))
                await writer.drain()
            while not handshake.done:
                try:
                    frame = take_handshake_frame(buffer)
                except TooLarge as error:
                    raise _explained(error, bytes(buffer), is_outbound=is_outbound) from None
                if frame is None:
                    data = await reader.read(4096)
                    if not data:
                        raise Unfinished("the link was closed during the handshake")
                    buffer += data
                    continue
                if wait_for_grant is not None:
                    await wait_for_grant()
                    wait_for_grant = None
                answer = handshake.receive(frame)
                if answer is not None:
                    writer.write(handshake_frame(answer))
                    await writer.drain()
    except RefusedByPeer:
        raise
    except OtherProtocol:
        if not is_outbound and buffer.startswith(HTTP_STARTS):
            with contextlib.suppress(Exception):
                writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n")
                writer.write(THIS_PORT.encode() + b"\n")
                await writer.drain()
        raise
    except Refusal as refusal:
        with contextlib.suppress(Exception):
            writer.write(handshake_frame(goodbye(str(refusal))))
            await writer.drain()
        raise
    except Rejected:
        raise
    left = bytes(buffer)
    _tune(writer)
    return Link(
        reader, writer, handshake.session(), handshake.peer, left,
        is_outbound=is_outbound, host=host, port=port, clock=clock,
    )  # fmt: skip
