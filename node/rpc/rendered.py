"""Responses whose headers are the same for many answers."""

from __future__ import annotations

from email.utils import formatdate
from functools import lru_cache
from time import time

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter
from multidict import CIMultiDict

from node.rpc.config import SERVER


@lru_cache(maxsize=1)
def _date_line(second: int) -> bytes:
    return f"\r\nDate: {formatdate(second, usegmt=True)}\r\n\r\n".encode("ascii")


class Rendered(web.StreamResponse):
    """A 200 response whose status line and headers are encoded in advance; only `Content-Length` and `Date` are added.
    It is for a GET over HTTP/1.1 whose connection stays open."""

    def __init__(self, head: bytes, body: bytes) -> None:
        super().__init__()
        self._bytes = b"%b%d%b%b" % (head, len(body), _date_line(int(time())), body)

    @property
    def prepared(self) -> bool:
        """No header can be added."""
        return True

    @property
    def keep_alive(self) -> bool:
        return True

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter:
        self._writer = request.writer
        return self._writer

    async def write_eof(self, data: bytes = b"") -> None:
        await self._writer.write_eof(self._bytes)


def head_of(headers: CIMultiDict[str]) -> bytes:
    """The start of a `Rendered` response with some headers, up to the value of `Content-Length`."""
    lines = (f"{name}: {value}\r\n" for name, value in {**headers, **SERVER}.items())
    return f"HTTP/1.1 200 OK\r\n{''.join(lines)}Content-Length: ".encode("ascii")


def rendered(request: web.Request, head: bytes, headers: CIMultiDict[str], body: bytes) -> web.StreamResponse:
    """A 200 response with `headers` and `body`. `head`: the result of `head_of(headers)`."""
    if (
        request.method == "GET"
        and request.keep_alive
        and request.version == HttpVersion11
        and "Origin" not in request.headers
    ):
        return Rendered(head, body)
    return web.Response(body=body, headers=headers)
