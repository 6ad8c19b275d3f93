"""200 responses of HTTP/1.1 as bytes, whose status line and headers are encoded once for many of them."""

from __future__ import annotations

from email.utils import formatdate
from functools import lru_cache
from time import time

from multidict import CIMultiDict

from node.rpc.config import SERVER


@lru_cache(maxsize=1)
def _date_line(second: int) -> bytes:
    return f"\r\nDate: {formatdate(second, usegmt=True)}\r\n\r\n".encode("ascii")


def head_of(headers: CIMultiDict[str]) -> bytes:
    """The start of a response with some headers, up to the value of `Content-Length`."""
    lines = (f"{name}: {value}\r\n" for name, value in {**headers, **SERVER}.items())
    return f"HTTP/1.1 200 OK\r\n{''.join(lines)}Content-Length: ".encode("ascii")


def rendered(head: bytes, body: bytes) -> bytes:
    """The response with a body. `head`: the result of `head_of`."""
    return b"%b%d%b%b" % (head, len(body), _date_line(int(time())), body)
