"""Transport: the listening socket and outbound dials, up to the end of the handshake."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import secrets
import socket
from collections.abc import Awaitable, Callable
from typing import Final

from node.crypto.signing import PrivateKey
from node.errors import Busy, Rejected
from node.p2p.connection import Clock, Link, Unfinished, shake_hands
from node.p2p.handshake import Handshake, Refusal, RefusedByPeer
from node.p2p.handshake_queue import HandshakeQueue, PendingHandshake
from node.p2p.peer_book import KnownPeer, PeerBook, record_of
from node.token_bucket import TokenBucket

Notice = Callable[[str, str, dict[str, object]], None]

BACKLOG: Final = 1_024
ACCEPTS_AT_ONCE: Final = 8
"""Connections that the kernel queues, and how many we accept before other tasks run again."""
CONNECT_TIMEOUT_S: Final = 5.0
DIALS_MAX: Final = 16
"""Concurrent dials."""
GARBAGE_WEIGHT: Final = 2
"""Score of an address that sends garbage instead of a handshake. At the ban threshold, its strangers are refused."""
NOTICES_PER_S: Final = 5
NOTICES_BURST: Final = 50
"""Refused handshakes that are logged; all are counted. A flood must not fill the log."""


class Transport:
    """Passes every link that has finished its handshake to `on_link`."""

    def __init__(
        self,
        place: tuple[str, int],
        identity: tuple[PrivateKey, bytes, str],
        book: PeerBook,
        counters: dict[str, int],
        notice: Notice,
        clock: Clock,
        on_link: Callable[[Link], Awaitable[None]],
    ) -> None:
        """`place`: host and port to listen on. `identity`: node key, genesis hash, moniker."""
        self._host, self._port = place
        self._key, self._genesis_hash, self._moniker = identity
        self._book = book
        self._counters = counters
        self._notice = notice
        self._clock = clock
        self._on_link = on_link
        self._static = secrets.token_bytes(32)
        self._tasks: set[asyncio.Task[None]] = set()
        self._dials = 0
        self._refusal_notices = TokenBucket(NOTICES_PER_S, NOTICES_BURST, clock())
        self.server: asyncio.Server | None = None
        self.handshakes = HandshakeQueue(clock)

    async def start(self) -> None:
        """Listen. Raises `Busy` if the port is taken."""
        try:
            self.server = await asyncio.start_server(self._accepted, self._host, self._port, backlog=ACCEPTS_AT_ONCE)
            for listening in self.server.sockets:
                # asyncio uses one number for both the kernel's backlog and the accepts at once.
                with socket.socket(fileno=os.dup(listening.fileno())) as again:
                    again.listen(BACKLOG)
        except OSError as error:
            raise Busy(
                f"can't listen on the p2p port {self._host}:{self._port} ({error.strerror}): "
                "stop the process that uses it, or set p2p.port"
            ) from None

    async def stop(self) -> None:
        if self.server is not None:
            self.server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _note(self, task: asyncio.Task[None] | None) -> None:
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    # --- dialling ---
    def dial(self, peer: KnownPeer) -> bool:
        """Start dialling. False if too many dials are in progress: try again later."""
        if self._dials >= DIALS_MAX:
            return False
        self._dials += 1
        self._book.dialling(peer, self._clock(), random.random())
        self._note(asyncio.create_task(self._dial(peer)))
        return True

    async def _dial(self, peer: KnownPeer) -> None:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                reader, writer = await asyncio.open_connection(peer.host, peer.port)
            link = await self._shake(reader, writer, peer.host, peer.port, None)
        except (OSError, TimeoutError):
            return
        finally:
            self._dials -= 1
        if link is None:
            return
        if not self._book.learned(peer.host, peer.port, link.hello.node_key):
            actual = link.hello.node_key.hex()
            why = f"a member has published it for {peer.member.hex()}, its node key is {actual}"
            self._notice("published_address", "warning", {"host": peer.host, "port": peer.port, "why": why})
        await self._on_link(link)

    # --- accepting ---
    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._note(asyncio.current_task())
        host, port = (writer.get_extra_info("peername") or ("", 0))[:2]
        pending = self.handshakes.enter(host, writer, is_known=host in self._book.kept()[1])
        with contextlib.suppress(asyncio.CancelledError):  # stopping: nothing awaits this task
            try:
                link = await self._shake(reader, writer, host, port, pending)
            finally:
                self.handshakes.leave(pending)
            if link is not None:
                await self._on_link(link)

    async def _shake(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        host: str,
        port: int,
        pending: PendingHandshake | None,
    ) -> Link | None:
        """Run the handshake; on failure close the connection and return None. `pending`: an inbound connection."""
        is_outbound = pending is None
        handshake = Handshake(
            is_outbound,
            self._key,
            self._static,
            secrets.token_bytes(32),
            self._genesis_hash,
            self._port,
            self._moniker,
        )
        try:
            return await shake_hands(
                reader, writer, handshake, is_outbound=is_outbound, host=host, port=port, clock=self._clock,
                wait_for_grant=None if pending is None else lambda: self.handshakes.wait_for_grant(pending),
            )  # fmt: skip
        except Rejected as error:
            self._refused(host, port, error, is_outbound=is_outbound)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            self._counters["unfinished"] += 1
        except asyncio.CancelledError:
            writer.close()
            raise
        with contextlib.suppress(Exception):
            writer.close()
        return None

    def _refused(self, host: str, port: int, error: Rejected, *, is_outbound: bool) -> None:
        now = self._clock()
        self._counters["refused"] += 1
        if not is_outbound and not isinstance(error, Refusal | RefusedByPeer | Unfinished):
            self._book.misbehaved(record_of(host), GARBAGE_WEIGHT, now)
        if self._refusal_notices.try_take(1, now):
            self._notice("handshake_refused", "warning", {"host": host, "port": port, "why": str(error)})
