"""A TCP link of a given speed, within the loop of the test: what is on its way through it has left the sender.

It can be told to change a byte of what passes.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket

PIECE_BYTES = 16 * 1024
BUFFER_BYTES = 32 * 1024
"""What the link itself holds: a slow line is not a deep one."""


class SlowLink:
    """Passes bytes on to `target_port` of this machine at `bytes_per_s`, in both directions."""

    def __init__(self, target_port: int, bytes_per_s: int) -> None:
        self._target = target_port
        self._bytes_per_s = bytes_per_s
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0
        self.flips = 0
        """So many pieces, from now on, have a byte changed."""

    async def __aenter__(self) -> SlowLink:
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        listening.bind(("127.0.0.1", 0))
        self.port = listening.getsockname()[1]
        self._server = await asyncio.start_server(self._accept, sock=listening, limit=PIECE_BYTES)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None, "entered"
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._target, limit=PIECE_BYTES)
        for one, other in ((reader, there_writer), (there_reader, writer)):
            task = asyncio.ensure_future(self._copy(one, other))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        free_at = loop.time()
        try:
            with contextlib.suppress(OSError):
                while data := await reader.read(PIECE_BYTES):
                    # Bytes cross one after the other; a link that was idle saves nothing up.
                    free_at = max(free_at, loop.time()) + len(data) / self._bytes_per_s
                    await asyncio.sleep(free_at - loop.time())
                    if self.flips:
                        self.flips -= 1
                        data = bytes([*data[:-1], data[-1] ^ 1])
                    writer.write(data)
                    await writer.drain()
        finally:
            writer.close()
