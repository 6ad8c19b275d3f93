"""The nodes behind the pages: each request goes to the first one that answers and is not behind the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final

import aiohttp
import msgspec

from node.ledger.json_form import time_from_text
from node.log import log

LOOK_EVERY_S: Final = 2.0
ANSWER_S: Final = 10.0
LOOK_S: Final = 3.0
BEHIND_MAX: Final = 5
"""A node that is more heights below the highest one is asked only where no other answers."""
ANSWER_BYTES_MAX: Final = 16 * 1024 * 1024
NOT_ASKED: Final = "not asked yet"


class Unreachable(Exception):
    """No node answers. `node_unreachable`"""


class Overloaded(Exception):
    """As many requests as `node_requests_max` wait for the nodes already."""


class NodeRefusal(Exception):
    """A node's answer that is a problem document (RFC 9457). `status`: of HTTP; `code`: the problem's."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status, self.code, self.detail = status, code, detail


@dataclass
class Watched:
    """A node as it was seen last. `fault`: why it cannot be asked, empty where it can; `status`: what it told last."""

    url: str
    height: int = 0
    time_ms: int = 0
    fault: str = NOT_ASKED
    status: Mapping[str, Any] = field(default_factory=dict)


class Nodes:
    """The nodes, in the order of preference, and the connections to them."""

    def __init__(self, urls: tuple[str, ...], genesis_hash: bytes, requests_max: int) -> None:
        self.watched = [Watched(url.rstrip("/")) for url in urls]
        self._genesis = genesis_hash.hex()
        self._requests_max, self._waiting = requests_max, 0
        self._session: aiohttp.ClientSession | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=ANSWER_S), connector=aiohttp.TCPConnector(limit=self._requests_max),
            auto_decompress=True, trust_env=False,
        )  # fmt: skip
        await self._look_at_all()
        self._task = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    # --- which node ----------------------------------------------------------------------------------------
    @property
    def height(self) -> int:
        """The highest head that a node has shown."""
        return max((node.height for node in self.watched), default=0)

    @property
    def head_time_ms(self) -> int:
        return max((node.time_ms for node in self.watched), default=0)

    @property
    def is_reachable(self) -> bool:
        return any(not node.fault for node in self.watched)

    def _by_preference(self) -> list[Watched]:
        highest = max((node.height for node in self.watched if not node.fault), default=0)
        return sorted(self.watched, key=lambda node: (bool(node.fault), node.height + BEHIND_MAX < highest))

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await self._look_at_all()

    async def _look_at_all(self) -> None:
        await asyncio.gather(*map(self._look_at, self.watched))

    async def _look_at(self, node: Watched) -> None:
        before = node.fault
        try:
            async with self._open.get(node.url + "/v1/status", timeout=aiohttp.ClientTimeout(total=LOOK_S)) as response:
                status = msgspec.json.decode(await _body(response))
            if status["genesis_hash"] != self._genesis:
                node.fault = f"it is of another chain, with genesis hash {status['genesis_hash']}"
            else:
                node.height, node.fault = status["head"]["height"], ""
                node.time_ms, node.status = time_from_text(status["head"]["time"]), status
        except (
            aiohttp.ClientError,
            TimeoutError,
            OSError,
            ValueError,
            KeyError,
            TypeError,
            msgspec.DecodeError,
        ) as error:
            node.fault = f"{type(error).__name__}: {error}"
        if node.fault and before in ("", NOT_ASKED):
            log("node_silent", "warning", {"url": node.url, "why": node.fault})
        elif before and not node.fault:
            log("node_answers", "info", {"url": node.url})

    # --- asking ------------------------------------------------------------------------------------------------
    @property
    def _open(self) -> aiohttp.ClientSession:
        assert self._session is not None, "started"
        return self._session

    @asynccontextmanager
    async def asked(
        self, path: str, query: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None,
        *, timeout_s: float | None = ANSWER_S,
    ) -> AsyncIterator[aiohttp.ClientResponse]:  # fmt: skip
        """The answer of the first node that gives one, whatever its status. Raises `Unreachable`, `Overloaded`."""
        if self._waiting >= self._requests_max:
            raise Overloaded
        self._waiting += 1
        try:
            last = "no node is set"
            for node in self._by_preference():
                began = monotonic()
                try:
                    response = await self._open.get(
                        node.url + path, params=query, headers=headers, allow_redirects=False,
                        timeout=aiohttp.ClientTimeout(total=timeout_s, connect=LOOK_S, sock_connect=LOOK_S),
                    )  # fmt: skip
                except (aiohttp.ClientError, TimeoutError, OSError) as error:
                    node.fault = last = f"{type(error).__name__} after {monotonic() - began:.1f} s: {error}"
                    continue
                async with response:
                    yield response
                    return
            raise Unreachable(last)
        finally:
            self._waiting -= 1

    async def told_by(self, node: Watched, path: str) -> bytes:
        """What this one node answers. Raises `NodeRefusal`, `Unreachable`."""
        try:
            timeout = aiohttp.ClientTimeout(total=LOOK_S)
            async with self._open.get(node.url + path, allow_redirects=False, timeout=timeout) as response:
                body = await _body(response)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise Unreachable(f"{type(error).__name__}: {error}") from None
        if response.status != 200:
            raise _refusal(response.status, body)
        return body

    async def json(self, path: str, query: Mapping[str, str] | None = None, language: str = "en") -> Any:
        """A JSON answer, with its sentences in the language. Raises `NodeRefusal`, `Unreachable`, `Overloaded`."""
        return msgspec.json.decode(await self.bytes(path, query, language=language))

    async def bytes(
        self, path: str, query: Mapping[str, str] | None = None, accept: str = "application/json", language: str = "en"
    ) -> bytes:
        """An answer's body. Raises `NodeRefusal`, `Unreachable`, `Overloaded`."""
        try:
            async with self.asked(path, query, {"Accept": accept, "Accept-Language": language}) as response:
                body = await _body(response)
                if response.status != 200:
                    raise _refusal(response.status, body)
                return body
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unreachable(f"{type(error).__name__}: {error}") from None


async def _body(response: aiohttp.ClientResponse) -> bytes:
    """The whole body, at most `ANSWER_BYTES_MAX`."""
    body = bytearray()
    async for chunk in response.content.iter_chunked(65_536):
        body += chunk
        if len(body) > ANSWER_BYTES_MAX:
            raise ValueError(f"an answer of more than {ANSWER_BYTES_MAX} bytes")
    return bytes(body)


def _refusal(status: int, body: bytes) -> NodeRefusal:
    try:
        problem = msgspec.json.decode(body)
        return NodeRefusal(status, str(problem["code"]), str(problem.get("detail", problem.get("title", ""))))
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError):
        return NodeRefusal(status, "unreadable", "the node's answer is no problem document")
