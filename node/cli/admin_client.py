"""Requests to the admin socket of a running node."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from typing import Any

from node.daemon.home import Home


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def admin_request(
    home: Home, method: str, path: str, body: dict[str, Any] | None = None, *, timeout_s: float
) -> tuple[int, Any]:
    """(status, JSON). Raises `OSError`, `ValueError` or `http.client.HTTPException` where no node answers."""
    with contextlib.closing(_UnixConnection(str(home.admin_socket), timeout_s)) as connection:
        connection.request(method, path, None if body is None else json.dumps(body))
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
