"""The nodes behind the pages: each request goes to the first one that answers and is not behind the others.

What a node answers is bounded in size and in time, and is believed in nothing: an answer that cannot be read is one of
the faults that pages tell of.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final, TypeVar

import aiohttp
import msgspec

from node.errors import Rejected
from node.ledger.json_form import time_from_text
from node.log import log
from web.share import Share

T = TypeVar("T")
LOOK_EVERY_S: Final = 2.0
LOOK_S: Final = 3.0
BEHIND_MAX: Final = 5
"""A node that is more heights below the highest one is asked only where no other answers."""
SILENT_S: Final = 10.0
"""How long a node that has let a request wait is asked only where no other answers."""
ANSWER_BYTES_MAX: Final = 16 * 1024 * 1024
STATUS_BYTES_MAX: Final = 64 * 1024
HEIGHT_MAX: Final = 2**53
CODE_LETTERS_MAX: Final = 60
NOT_ASKED: Final = "not asked yet"
_FAULTS: Final = (aiohttp.ClientError, TimeoutError, OSError)
"""What a connection to a node raises that does not work."""


class Unreachable(Exception):
    """No node answers. `node_unreachable`"""


class Misread(Unreachable):
    """A node's answer cannot be read: too large, no JSON, of another shape, a redirection."""


class NodeRefusal(Exception):
    """A node's answer that is a problem document (RFC 9457). `status`: of HTTP; `code`: the problem's."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status, self.code, self.detail = status, code, detail


@dataclass
class Watched:
    """A node as it was seen last. `fault`: why it does not answer, empty where it does; `status`: what it told last.
    `is_foreign`: it is of another chain, so that it is never asked."""

    url: str
    height: int = 0
    time_ms: int = 0
    fault: str = NOT_ASKED
    status: Mapping[str, Any] = field(default_factory=dict)
    is_foreign: bool = False
    silent_until: float = 0.0
    """It has let a request wait for too long, so the others come first until this time of the monotonic clock."""


class _Head(msgspec.Struct):
    height: int
    time: str


class _Status(msgspec.Struct):
    genesis_hash: str
    head: _Head


class Nodes:
    """The nodes, in the order of preference, and the connections to them. `strangers`: the part of them that requests
    of strangers may use; what the process asks for its own rows is bounded there. `answer_s`: how long a request may
    take, whichever nodes it is tried at."""

    def __init__(
        self, urls: tuple[str, ...], genesis_hash: bytes, strangers: Share, answer_s: float = 10.0
    ) -> None:  # fmt: skip
        self.watched = [Watched(url.rstrip("/")) for url in urls]
        self.strangers, self.answer_s = strangers, answer_s
        self._genesis = genesis_hash.hex()
        self._session: aiohttp.ClientSession | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        # the share of strangers and the number of streams bound the connections
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), trust_env=False,
            # what is read has the size that was sent
            auto_decompress=False, headers={"Accept-Encoding": "identity"},
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
        known, now = [node for node in self.watched if not node.is_foreign], monotonic()
        return sorted(
            known, key=lambda node: (bool(node.fault), now < node.silent_until, node.height + BEHIND_MAX < highest)
        )

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await self._look_at_all()

    async def _look_at_all(self) -> None:
        await asyncio.gather(*map(self._look_at, self.watched))

    async def _look_at(self, node: Watched) -> None:
        before = node.fault
        try:
            timeout = aiohttp.ClientTimeout(total=LOOK_S)
            async with self._open.get(node.url + "/v1/status", allow_redirects=False, timeout=timeout) as response:
                body = await body_of(response, STATUS_BYTES_MAX)
            status = msgspec.json.decode(body, type=_Status)
            node.is_foreign = status.genesis_hash != self._genesis
            if node.is_foreign:
                node.fault = f"it is of another chain, with genesis hash {status.genesis_hash[:64]}"
            elif not 0 <= status.head.height <= HEIGHT_MAX:
                node.fault = f"its height is {status.head.height}"
            else:
                node.time_ms = time_from_text(status.head.time)
                node.height, node.fault = status.head.height, ""
                node.status = msgspec.json.decode(body)
        except (*_FAULTS, Misread, Rejected, ValueError, RecursionError) as error:
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
        *, is_stream: bool = False, is_own: bool = False,
    ) -> AsyncIterator[aiohttp.ClientResponse]:  # fmt: skip
        """The answer of the first node that gives one, whatever its status. It begins within `answer_s`, and also ends
        unless it is a stream. That leaves the share of strangers once it has begun: streams are counted by whoever
        opens them. `is_own`: for the rows of this process. Raises `Unreachable`, `Overloaded`."""
        with ExitStack() as stack:
            if not is_own:
                stack.enter_context(self.strangers.taken())
            response = await self._first(path, query, headers, is_stream=is_stream)
            if is_stream:
                stack.close()
            async with response:
                if 300 <= response.status < 400 and response.status != 304:
                    raise Misread(f"a node answers with a redirection, {response.status}")
                yield response

    async def told_by(self, node: Watched, path: str) -> bytes:
        """What this one node answers, for this process itself. Raises `NodeRefusal`, `Unreachable`."""
        try:
            timeout = aiohttp.ClientTimeout(total=LOOK_S)
            async with self._open.get(node.url + path, allow_redirects=False, timeout=timeout) as response:
                body = await body_of(response)
        except _FAULTS as error:
            raise Unreachable(f"{type(error).__name__}: {error}") from None
        if response.status != 200:
            raise _refusal(response.status, body)
        return body

    async def _first(
        self, path: str, query: Mapping[str, str] | None, headers: Mapping[str, str] | None, *, is_stream: bool
    ) -> aiohttp.ClientResponse:
        """A node that is silent costs its part of the time alone, so that the next one is asked in time."""
        nodes, last, until = self._by_preference(), "every node is of another chain", monotonic() + self.answer_s
        for place, node in enumerate(nodes):
            left = max(0.0, until - monotonic())
            timeout = aiohttp.ClientTimeout(total=None if is_stream else left, sock_connect=min(LOOK_S, left))
            try:
                async with asyncio.timeout(left / (len(nodes) - place)):
                    return await self._open.get(
                        node.url + path, params=query, headers=headers, allow_redirects=False, timeout=timeout
                    )
            except aiohttp.InvalidURL:
                raise NodeRefusal(400, "malformed", "the path is none") from None
            except TimeoutError as error:  # of one request: whether the node lives is for `_look_at` to say
                last, node.silent_until = f"{node.url} is silent: {error}", monotonic() + SILENT_S
            except (aiohttp.ClientError, OSError) as error:
                node.fault = last = f"{type(error).__name__}: {error}"
        raise Unreachable(last)

    async def json(
        self, path: str, query: Mapping[str, str] | None = None, language: str = "en", *, is_own: bool = False
    ) -> Any:
        """A JSON answer, with its sentences in the language. Raises `NodeRefusal`, `Unreachable`, `Overloaded`."""
        body = await self.bytes(path, query, language=language, is_own=is_own)
        with reading(path):
            return msgspec.json.decode(body)

    async def read(self, kind: type[T], path: str, query: Mapping[str, str] | None = None) -> T:
        """A JSON answer of this shape. Raises as `json` does."""
        body = await self.bytes(path, query)
        with reading(path):
            return msgspec.json.decode(body, type=kind)

    async def bytes(
        self, path: str, query: Mapping[str, str] | None = None, accept: str = "application/json", language: str = "en",
        *, is_own: bool = False,
    ) -> bytes:  # fmt: skip
        """An answer's body. Raises `NodeRefusal`, `Unreachable`, `Overloaded`."""
        try:
            given = {"Accept": accept, "Accept-Language": language}
            async with self.asked(path, query, given, is_own=is_own) as response:
                body = await body_of(response)
                if response.status != 200:
                    raise _refusal(response.status, body)
                return body
        except _FAULTS as error:
            raise Unreachable(f"{type(error).__name__}: {error}") from None


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Raises `Misread` for an answer that cannot be decoded."""
    try:
        yield
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise Misread(f"{what}: {error}") from None


async def body_of(response: aiohttp.ClientResponse, most: int = ANSWER_BYTES_MAX) -> bytes:
    """The whole body. Raises `Misread` above `most` bytes."""
    body = bytearray()
    async for chunk in response.content.iter_chunked(65_536):
        body += chunk
        if len(body) > most:
            raise Misread(f"an answer of more than {most} bytes")
    return bytes(body)


def _refusal(status: int, body: bytes) -> NodeRefusal:
    try:
        problem = msgspec.json.decode(body)
        code, detail = str(problem["code"]), str(problem.get("detail", problem.get("title", "")))
        return NodeRefusal(status, code[:CODE_LETTERS_MAX], detail)
    except (msgspec.DecodeError, ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return NodeRefusal(status, "unreadable", "the node's answer is no problem document")
