"""Responses of HTTP/1.1 as bytes, whose status line and headers are encoded once for many of them."""

from __future__ import annotations

from email.utils import formatdate
from functools import lru_cache
from time import time

from multidict import CIMultiDict

from node.rpc.config import SERVER


@lru_cache(maxsize=1)
def _date_line(second: int) -> bytes:
    return f"Date: {formatdate(second, usegmt=True)}\r\n\r\n".encode("ascii")


def head_of(status: str, headers: CIMultiDict[str]) -> bytes:
    """The start of responses with a status, such as `200 OK`, and some headers."""
    lines = (f"{name}: {value}\r\n" for name, value in {**headers, **SERVER}.items())
    return f"HTTP/1.1 {status}\r\n{''.join(lines)}".encode("ascii")


def rendered(head: bytes, body: bytes | None) -> bytes:
    """The response with a start made by `head_of` and a body, None for one whose status has none."""
    date = _date_line(int(time()))
    return head + date if body is None else b"%bContent-Length: %d\r\n%b%b" % (head, len(body), date, body)
