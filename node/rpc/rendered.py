"""HTTP/1.1 responses as bytes. Their status line and headers are encoded once and shared by many responses."""

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
    """The status line and headers of a response, without Date and Content-Length. `status`: such as `200 OK`."""
    lines = (f"{name}: {value}\r\n" for name, value in {**headers, **SERVER}.items())
    return f"HTTP/1.1 {status}\r\n{''.join(lines)}".encode("ascii")


def rendered(head: bytes, body: bytes | None) -> bytes:
    """A complete response. `head`: from `head_of`; `body`: None for a status that allows no body, such as 304."""
    date = _date_line(int(time()))
    return head + date if body is None else b"%bContent-Length: %d\r\n%b%b" % (head, len(body), date, body)
