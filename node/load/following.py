"""Following: which transactions blocks have, as the event streams of all nodes report it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import Any, Final, NamedTuple

import aiohttp

AGAIN_S: Final = 0.5
"""Pause before a stream that has ended is opened again, at the event that it ended with."""
SILENT_S: Final = 40.0
"""A stream without a line for so long is opened again: a node sends a heartbeat every 15 seconds."""
EVENTS: Final = "block,transaction"


class StreamEvent(NamedTuple):
    """One Server-Sent Event. `data`: its JSON object, empty if it is none."""

    ident: str
    name: str
    data: dict[str, Any]


async def events(lines: AsyncIterable[bytes]) -> AsyncIterator[StreamEvent]:
    """The events in the lines of a stream (HTML standard, 9.2.6). Comments and unknown fields are skipped."""
    ident = name = data = ""
    async for line in lines:
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        field, _, value = text.partition(":")
        value = value.removeprefix(" ")
        if field == "id":
            ident = value
        elif field == "event":
            name = value
        elif field == "data":
            data = value
        elif not text and (name or ident):
            yield StreamEvent(ident, name, _object(data))
            ident = name = data = ""


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


async def follow(
    http: aiohttp.ClientSession, url: str, from_height: int, report: Callable[[StreamEvent], None]
) -> None:
    """Report the events of blocks from `from_height` on, until it is cancelled. A stream that ends is opened again."""
    last = ""
    while True:
        query = {"types": EVENTS, "from_height": str(from_height)}
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5.0, sock_read=SILENT_S)
        headers = {"Last-Event-ID": last} if last else {}
        try:
            async with http.get(
                f"{url}/v1/stream", params=query, headers=headers, timeout=timeout, allow_redirects=False
            ) as answer:
                if answer.status == 200:
                    async for event in events(answer.content):
                        last = event.ident or last
                        report(event)
        except (aiohttp.ClientError, OSError, ValueError):
            pass  # the node has stopped, or the line is longer than any event: its other events are on other nodes
        await asyncio.sleep(AGAIN_S)
