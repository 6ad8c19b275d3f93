"""The listening socket: bounds on connections, TLS, problem documents for what is not even HTTP, stop in time."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
from collections.abc import Callable
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.web_protocol import RequestHandler
from aiohttp.web_request import BaseRequest

from node.errors import Busy, OperatorError
from node.log import logger
from node.rpc.certificate import Certificate
from node.rpc.config import RpcConfig
from node.rpc.limiter import Counted, is_loopback, party_of
from node.rpc.problems import PROBLEM_TYPE, Problem

STALLS = 5
"""Streams give a reader up by themselves after `stream_stall_s`, and say so; all else after so many times that."""
HANDSHAKE_S = 5.0
"""For the TLS handshake. A connection that has not done it yet counts as one, and takes nothing more."""
ACCEPTS_AT_ONCE, BACKLOG = 16, 1024
"""Connections taken in one turn of the loop; those that the kernel holds meanwhile."""


class Listener:
    """One HTTP listener for an application. `port` is the real one after `start`, also where 0 was asked for."""

    def __init__(self, config: RpcConfig, height: Callable[[], int]) -> None:
        """`height`: for the header of answers that no handler makes."""
        self._config = config
        self._height = height
        self._runner: web.AppRunner | None = None
        self._listener: asyncio.Server | None = None
        self._following: asyncio.Task[None] | None = None
        self._connections = Counted(config.connections_max, config.connections_per_address_max)
        self._shaking: set[asyncio.Task[None]] = set()
        self._is_stopping = False
        self.certificate: Certificate | None = None
        self.port = config.port

    @property
    def app(self) -> web.Application:
        assert self._runner is not None, "started"
        return self._runner.app

    @property
    def url(self) -> str:
        host = f"[{self._config.host}]" if ":" in self._config.host else self._config.host
        return f"{'https' if self._config.tls_certificate else 'http'}://{host}:{self.port}"

    async def listen(self, app: web.Application) -> None:
        """Raises `OperatorError` naming the mend where the certificate or the port can't be used."""
        self.certificate = certificate_of(self._config)
        self._runner = web.AppRunner(
            app, handler_cancellation=True, shutdown_timeout=self._config.stop_s, access_log=None
        )
        await self._runner.setup()
        try:
            self._listener = await asyncio.get_running_loop().create_server(
                self._protocol,
                self._config.host,
                self._config.port,
                backlog=ACCEPTS_AT_ONCE,
            )
            for listening in self._listener.sockets:
                # asyncio takes as many at once as it lets the kernel hold; these are two different things.
                with socket.socket(fileno=os.dup(listening.fileno())) as again:
                    again.listen(BACKLOG)
        except OSError as error:
            await self.stop()
            raise _port_error(error, self._config) from None
        self.port = self._listener.sockets[0].getsockname()[1]
        if self.certificate is not None:
            self._following = asyncio.create_task(self.certificate.follow())

    def _protocol(self) -> asyncio.Protocol:
        """For what was accepted just now, perhaps after we began to stop."""
        if self._is_stopping:
            return Gone()
        if self.certificate is None:
            return self._connection()
        return TlsDoor(self._connections, self._config, self.certificate.context, self._connection, self._shaking)

    def _connection(self, party: str | None = None) -> Connection:
        assert self._runner is not None and self._runner.server is not None, "started"
        config = self._config
        return Connection(
            self._runner.server,
            self._connections,
            config,
            self._height,
            party,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=config.keepalive_s,
            max_line_size=config.header_bytes_max,
            max_field_size=config.header_bytes_max,
            max_headers=config.headers_max,
            lingering_time=1.0,
            auto_decompress=False,
            access_log=None,
            logger=logger,
        )

    async def stop(self) -> None:
        """Open requests get `stop_s`, then everything is closed."""
        if self._following is not None:
            self._following.cancel()
        self._is_stopping = True
        if self._listener is not None:
            for listening in self._listener.sockets:
                asyncio.get_running_loop().remove_reader(listening.fileno())
            for _ in range(2):  # asyncio forgets, open, what it has accepted and not yet made when it is closed
                await asyncio.sleep(0)
            self._listener.close()
        for task in list(self._shaking):
            task.cancel()
        await asyncio.gather(*self._shaking, return_exceptions=True)
        if self._runner is not None:
            await self._runner.cleanup()
        if self._listener is not None:
            await self._listener.wait_closed()
        self._listener = self._runner = None


def _entered(counted: Counted, config: RpcConfig, transport: asyncio.BaseTransport) -> str | None:
    """Under what the connection is counted; None where one more is too many."""
    peer = transport.get_extra_info("peername")
    address = peer[0] if isinstance(peer, tuple) else ""
    party = party_of(address)
    is_exempt = is_loopback(address) and not config.is_loopback_limited
    return party if counted.enter(party, is_exempt=is_exempt) else None


class Gone(asyncio.Protocol):
    """Nobody is here any more."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.abort()


class TlsDoor(asyncio.Protocol):
    """A connection before its TLS handshake: counted from the first moment, and given up in time.

    Left to `create_server(ssl=...)`, a connection would be counted only after the handshake, for which asyncio waits a
    minute: one address with silent ones takes all descriptors. What arrives between the handshake and the hand-over is
    kept for the connection.
    """

    def __init__(
        self,
        counted: Counted,
        config: RpcConfig,
        context: ssl.SSLContext,
        connection: Callable[[str], Connection],
        shaking: set[asyncio.Task[None]],
    ) -> None:
        """`shaking`: where the task of the handshake is kept while it runs."""
        self._counted = counted
        self._config = config
        self._context = context
        self._connection = connection
        self._shaking = shaking
        self._early: list[bytes] = []
        self._is_lost = self._is_handed_over = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        party = _entered(self._counted, self._config, transport)
        if party is None:
            transport.abort()
            return
        transport.pause_reading()

        def ended(task: asyncio.Task[None]) -> None:
            self._shaking.discard(task)
            if not self._is_handed_over:
                self._counted.leave(party)
                transport.abort()

        task = asyncio.get_running_loop().create_task(self._shake(transport, party))
        self._shaking.add(task)
        task.add_done_callback(ended)

    def data_received(self, data: bytes) -> None:
        self._early.append(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_lost = True

    async def _shake(self, transport: asyncio.Transport, party: str) -> None:
        try:
            secured = await asyncio.get_running_loop().start_tls(
                transport, self, self._context, server_side=True, ssl_handshake_timeout=HANDSHAKE_S
            )
        except (OSError, TimeoutError):
            return
        if secured is None or self._is_lost:
            return
        self._is_handed_over = True
        connection = self._connection(party)
        secured.set_protocol(connection)
        connection.connection_made(secured)
        for data in self._early:
            connection.data_received(data)


class Connection(RequestHandler):
    """aiohttp's connection, counted per address, and with problem documents for requests that do not parse."""

    def __init__(
        self,
        manager: web.Server,
        counted: Counted,
        config: RpcConfig,
        height: Callable[[], int],
        party: str | None,
        **settings: Any,
    ) -> None:
        """`party`: under what it is counted already."""
        super().__init__(manager, **settings)
        self._height = height
        self._counted = counted
        self._config = config
        self._party = party
        self._stall: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._party is None:
            self._party = _entered(self._counted, self._config, transport)
        if self._party is not None:
            super().connection_made(transport)
            return
        assert isinstance(transport, asyncio.Transport)
        self._force_close = True
        transport.write(_refusal(Problem("too_many_connections", "too many connections are open"), self._height()))
        transport.close()

    def pause_writing(self) -> None:
        """An answer waits to be read: nobody may keep it waiting, and in memory, for ever."""
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def _watch(self) -> None:
        transport = self.transport
        if transport is not None:
            left = transport.get_write_buffer_size()
            loop = asyncio.get_running_loop()
            self._stall = loop.call_later(STALLS * self._config.stream_stall_s, self._give_up, transport, left)

    def _give_up(self, transport: asyncio.Transport, left: int) -> None:
        if transport.get_write_buffer_size() >= left:
            transport.abort()
        else:
            self._watch()

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None
        if self._party is not None:
            self._counted.leave(self._party)
            self._party = None
            super().connection_lost(exc)

    def handle_error(
        self,
        request: BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if status >= 500:
            self.log_exception("error while handling a request", exc_info=exc)
        if isinstance(exc, LineTooLong):
            problem = Problem("too_large", "the request line or a header is too long: see rpc.header_bytes_max")
        elif status == 400:
            problem = Problem("malformed", f"not an HTTP request: {(message or str(exc)).splitlines()[0][:200]}")
        else:
            problem = Problem("internal", "the node failed on this request; its log says why")
        response = problem.response()
        response.headers["X-Chain-Height"] = str(self._height())
        response.force_close()
        return response


def _refusal(problem: Problem, height: int) -> bytes:
    """An answer without a request."""
    body = problem.body()
    head = (
        f"HTTP/1.1 {problem.status} Too Many Requests\r\nContent-Type: {PROBLEM_TYPE}\r\n"
        f"Content-Length: {len(body)}\r\nRetry-After: 1\r\nX-Chain-Height: {height}\r\nConnection: close\r\n\r\n"
    )
    return head.encode("ascii") + body


def certificate_of(config: RpcConfig) -> Certificate | None:
    """None where none is set. Raises `OperatorError`."""
    if not config.tls_certificate and not config.tls_key:
        return None
    if not config.tls_certificate or not config.tls_key:
        raise OperatorError("rpc: tls_certificate and tls_key go together: set both, or neither")
    return Certificate(config.tls_certificate, config.tls_key)


def _port_error(error: OSError, config: RpcConfig) -> OperatorError:
    place = f"{config.host}:{config.port}"
    if error.errno == errno.EADDRINUSE:
        return Busy(f"rpc: {place} is taken by another process: stop it, or set another rpc port")
    return OperatorError(f"rpc: can't listen on {place} ({error.strerror or error}): set another rpc host or port")
