"""The writer of an event stream, whose client goes away at the worst moment."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from typing import Any

from node.rpc.stream import SseWriter


class Breaking:
    """A response and its request, whose connection breaks when it is told to; `waits`: whether a write has begun."""

    def __init__(self) -> None:
        self.writer, self.waits, self.breaks = self, asyncio.Event(), asyncio.Event()

    async def write(self, _: bytes) -> None:
        self.waits.set()
        with contextlib.suppress(asyncio.CancelledError):
            await self.breaks.wait()
        raise ConnectionResetError("the client has gone")

    async def drain(self) -> None:
        """Never reached."""


def test_a_handler_that_is_cancelled_while_its_connection_breaks_leaves_no_fault_behind() -> None:
    said: list[Any] = []

    async def tried(*, breaks_first: bool) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(context))
        connection = Breaking()
        writing = asyncio.create_task(SseWriter(connection, connection, 30.0).write(b"data"))  # type: ignore[arg-type]
        await connection.waits.wait()
        if breaks_first:
            connection.breaks.set()
            await asyncio.sleep(0)
        writing.cancel()
        assert isinstance((await asyncio.gather(writing, return_exceptions=True))[0], asyncio.CancelledError)
        while asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.sleep(0)
        gc.collect()

    for breaks_first in (False, True):
        asyncio.run(tried(breaks_first=breaks_first))
    assert not said
