"""Blocks of a running node, read over its HTTP interface with concurrent requests."""

from __future__ import annotations

import asyncio
import contextlib
import json
import queue
import threading
from collections import deque
from collections.abc import Iterator
from typing import Any

import aiohttp

from node.audit.sources import ClaimedHead
from node.errors import OperatorError
from node.storage.archive import COMMITTED_BYTES_MAX

REQUESTS = 16
"""Concurrent requests."""
BUFFERED = 32
"""Blocks that wait for execution; above this no more are requested."""
TRIES = 6
TIMEOUT_S = 30.0
STATUS_BYTES_MAX = 1024 * 1024
RETRY_AFTER_MAX_S = 10.0


class _TryAgain(Exception):
    """The node is busy, or a connection broke."""

    def __init__(self, text: str, after_s: float) -> None:
        super().__init__(text)
        self.after_s = after_s


class NodeSource:
    """Implements `BlockSource`. The audit ends at the head that the node reports at the start."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self.name = f"node {self._url}"
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._read_status(asyncio.run(self._status()))

    def _read_status(self, raw: bytes) -> None:
        try:
            status: Any = json.loads(raw)
            head = status["head"]
            self.genesis_hash = bytes.fromhex(status["genesis_hash"])
            self.last = int(head["height"])
            self.first = int(status.get("first_height", 1))
            claimed = ClaimedHead(self.last, bytes.fromhex(head["id"]), bytes.fromhex(head["state_root"]))
        except (ValueError, KeyError, TypeError):
            raise OperatorError(f"{self._url}/v1/status does not answer like a node: check --node") from None
        self.claimed: ClaimedHead | None = claimed

    async def _status(self) -> bytes:
        async with self._session() as session:
            return await self._get(session, "/v1/status", "application/json", STATUS_BYTES_MAX)

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S), connector=aiohttp.TCPConnector(limit=REQUESTS)
        )

    async def _get(self, session: aiohttp.ClientSession, path: str, accept: str, limit: int) -> bytes:
        text = ""
        for attempt in range(TRIES):
            try:
                return await self._get_once(session, path, accept, limit, 0.1 * 2**attempt)
            except _TryAgain as error:
                text = str(error)
                if attempt + 1 < TRIES and not self._stop.is_set():
                    await asyncio.sleep(error.after_s)
        raise OperatorError(f"{self._url}{path} can't be read ({text}): check --node and that the node runs")

    async def _get_once(
        self, session: aiohttp.ClientSession, path: str, accept: str, limit: int, pause_s: float
    ) -> bytes:
        try:
            async with session.get(self._url + path, headers={"Accept": accept}, allow_redirects=False) as answer:
                if answer.status in (429, 503):
                    raise _TryAgain(f"status {answer.status}", _retry_after(answer.headers.get("Retry-After"), pause_s))
                if answer.status != 200:
                    raise OperatorError(f"{self._url}{path} answers with status {answer.status}: check --node and --to")
                body = bytearray()
                async for piece in answer.content.iter_chunked(256 * 1024):
                    body += piece
                    if len(body) > limit:
                        raise OperatorError(f"{self._url}{path} answers with more than {limit} bytes: check --node")
                return bytes(body)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _TryAgain(str(error) or type(error).__name__, pause_s) from None
        except ValueError as error:
            raise OperatorError(f"{self._url} is not the address of a node ({error}): check --node") from None

    # --- blocks -----------------------------------------------------------------------------------------
    def blocks(self, first: int, last: int) -> Iterator[tuple[int, bytes]]:
        assert self._thread is None, "a node source is read once at a time"
        self._stop.clear()
        ready: queue.Queue[tuple[int, bytes] | Exception | None] = queue.Queue(BUFFERED)
        self._thread = threading.Thread(target=self._run, args=(first, last, ready), daemon=True)
        self._thread.start()
        try:
            while (item := ready.get()) is not None:
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            self.close()

    def _run(self, first: int, last: int, ready: queue.Queue[tuple[int, bytes] | Exception | None]) -> None:
        end: Exception | None = None
        try:
            asyncio.run(self._fetch(first, last, ready))
        except Exception as error:  # raised by the reader
            end = error
        while not self._stop.is_set():
            with contextlib.suppress(queue.Full):
                ready.put(end, timeout=0.2)
                return

    async def _fetch(self, first: int, last: int, ready: queue.Queue[tuple[int, bytes] | Exception | None]) -> None:
        async with self._session() as session:
            under_way: deque[tuple[int, asyncio.Task[bytes]]] = deque()
            try:
                for height in range(first, last + 1 + REQUESTS):
                    if height <= last:
                        under_way.append((height, asyncio.create_task(self._block(session, height))))
                    if under_way and (len(under_way) == REQUESTS or height > last):
                        done, task = under_way.popleft()
                        if not await self._hand_over((done, await task), ready):
                            return
            finally:
                for _, task in under_way:
                    task.cancel()
                await asyncio.gather(*(task for _, task in under_way), return_exceptions=True)

    async def _block(self, session: aiohttp.ClientSession, height: int) -> bytes:
        return await self._get(session, f"/v1/blocks/{height}", "application/msgpack", COMMITTED_BYTES_MAX)

    async def _hand_over(
        self, item: tuple[int, bytes], ready: queue.Queue[tuple[int, bytes] | Exception | None]
    ) -> bool:
        """False where the reader has stopped."""
        while not self._stop.is_set():
            try:
                ready.put_nowait(item)
                return True
            except queue.Full:
                await asyncio.sleep(0.005)
        return False

    def close(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None


def _retry_after(value: str | None, otherwise_s: float) -> float:
    """Seconds to wait: what the node asks for, within bounds."""
    try:
        return min(max(float(value or ""), 0.05), RETRY_AFTER_MAX_S)
    except ValueError:
        return otherwise_s
