"""Requests over HTTP that no browser sends, from a list and from a seed, and connections in great number."""

from __future__ import annotations

import random
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

PATHS = (
    "/en/cars", "/en/%zz", "/en/%", "/%00", "/en/car/%ff%fe", "//en/cars", "/en//cars", "/en/../../etc/passwd",
    "/static/0/../../../setup.cfg", "/static/0/%2e%2e/%2e%2e/setup.cfg", "http://other.example/en/cars", "*", "/?a=%",
    "/en/cars?%00=%00", "/v1/%2e%2e/metrics", "/v1/..", "/v1/state/%", "/v1/vehicles/%00", "/v1/members/%ff", "/v1/",
    "/v1/a%0d%0aSet-Cookie:%20a=b", "/en/verify?vin=%F0%9F%9A%97", "/" + "a" * 4_000, "/en/cars?" + "a&" * 1_500,
    "/v1/status?" + "a" * 3_000, "/v1/" + "b/" * 300, "/report", "/decode", "/manifest.json", "/health/live",
)  # fmt: skip
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "CONNECT", "get", "G" * 40)
VERSIONS = ("HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/0.9", "HTTP/2.0", "HTTP/1.10", "")
HEADERS = (
    "Host: a", "Host:", "Host: a\r\nHost: b", "Accept-Language: " + "de;q=0.1," * 500,
    "Accept-Language: de;q=x, zh;q=-1", "X-Long: " + "x" * 9_000, "\r\n".join(f"X-{n}: {n}" for n in range(100)),
    "Content-Length: 3", "Content-Length: -1", "Content-Length: 99999999999999999999", "Transfer-Encoding: chunked",
    "Transfer-Encoding: gzip", "Expect: 100-continue", "Expect: 200-ok", "Range: bytes=0-1", "If-None-Match: *",
    'If-None-Match: "' + "a" * 3_000, "Cookie: \xe9\xff", "Accept-Encoding: gzip;q=0, br", "Content-Encoding: gzip",
    "Upgrade: websocket\r\nConnection: Upgrade", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c",
    "X-Forwarded-For: " + "1," * 2_000, "Last-Event-ID: -1-9999999999999999999999", "Accept: \xe9", "bad header",
    "X\x00Y: 1", " folded: 1", "Sec-Fetch-Site: cross-site", "Content-Type: application/csp-report",
)  # fmt: skip
ANSWER_S = 0.5
"""How long an answer is waited for: none comes to half of a request."""
BODIES = (b"", b"", b"abc", b"{}", b'{"csp-report": 1}', b"0\r\n\r\n", b"zz\r\n\r\n", b"\x00" * 5_000)


def requests(count: int, seed: int) -> Iterator[bytes]:
    """Each path with each method once, then requests by chance."""
    draw = random.Random(seed)
    chosen = [(method, path) for method in METHODS for path in PATHS][:count]
    chosen += [(draw.choice(METHODS), draw.choice(PATHS)) for _ in range(count - len(chosen))]
    for method, path in chosen:
        lines = [f"{method} {path} {draw.choice(VERSIONS)}".rstrip(), *draw.sample(HEADERS, draw.randrange(4))]
        if draw.random() < 0.5:
            lines.append("Connection: close")
        raw = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + draw.choice(BODIES)
        yield raw if draw.random() < 0.99 else raw[: draw.randrange(len(raw))]


def said(address: tuple[str, int], raw: bytes) -> int:
    """The status of the answer to raw bytes, 0 where none comes: the other side closes, or waits for more."""
    with socket.create_connection(address, timeout=ANSWER_S) as connection:
        head = b""
        try:
            connection.sendall(raw)
            while b"\r\n" not in head and (piece := connection.recv(4_096)):
                head += piece
        except (ConnectionResetError, BrokenPipeError, TimeoutError):
            return 0
    return int(head.split(b" ", 2)[1]) if head.startswith(b"HTTP/") else 0


def address_of(url: str) -> tuple[str, int]:
    return "127.0.0.1", urlsplit(url).port or 80


def shower(url: str, count: int, seed: int) -> Counter[int]:
    """How often each status was answered. Raises `AssertionError` with the request at the first of 500 and above."""
    found = Counter[int]()
    for raw in requests(count, seed):
        status = said(address_of(url), raw)
        assert status < 500, f"{status} for {raw[:300]!r}"
        found[status] += 1
    return found


def crowd(url: str, connections: int) -> Counter[str]:
    """What so many connections hear that are open at the same time, each of which has sent the beginning of a request:
    `nothing` yet, or the status with which they are turned away."""
    found = Counter[str]()
    with ExitStack() as stack:
        opened = []
        for _ in range(connections):
            one = stack.enter_context(socket.create_connection(address_of(url), timeout=20))
            one.sendall(b"GET /en/cars HTTP/1.1\r\nHost: a\r\n")
            one.setblocking(False)
            opened.append(one)
        assert 200 <= said_with_patience(url) < 500, "others are served or turned away"
        for one in opened:
            try:
                found[one.recv(100).split(b" ", 2)[1].decode()] += 1
            except BlockingIOError:
                found["nothing"] += 1
            except (ConnectionResetError, IndexError):
                found["closed"] += 1
    return found


def said_with_patience(url: str) -> int:
    return said(address_of(url), b"GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
