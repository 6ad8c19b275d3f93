"""The listening socket: TLS, limits on connections, problems for invalid HTTP, a bounded stop."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable

import msgspec
from aiohttp import web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.web_protocol import RequestHandler
from aiohttp.web_request import BaseRequest

from node.errors import Busy, OperatorError
from node.log import logger
from node.rpc.config import SERVER, RpcConfig
from node.rpc.limiter import Counted
from node.rpc.problems import PROBLEM_TYPE, Problem, http_problem
from node.rpc.tls_certificate import Certificate

STALLS = 5
"""A connection whose client reads nothing is aborted after this many `stream_stall_s`; a stream closes after one."""
HANDSHAKE_S = 5.0
"""Timeout of the TLS handshake. A connection is counted, and limited, from before its handshake on."""
ACCEPTS_AT_ONCE, BACKLOG = 16, 1024
"""Connections accepted per iteration of the event loop; connections that the kernel queues meanwhile."""


class Listener:
    """The HTTP listener of an application. After `start`, `port` is the real port, also if 0 was configured."""

    def __init__(self, config: RpcConfig, height: Callable[[], int], section: str = "rpc") -> None:
        """`height`: for `X-Chain-Height` of responses that no handler makes; `section`: of the settings, for errors."""
        self.config, self.height, self._section = config, height, section
        most, per_address = config.connections_max, config.connections_per_address_max
        self.connections = Counted(most, per_address, is_loopback_limited=config.is_loopback_limited)
        self.handshakes: set[asyncio.Task[None]] = set()
        self.certificate: Certificate | None = None
        self.port = config.port
        self._runner: web.AppRunner | None = None
        self._server: asyncio.Server | None = None
        self._following: asyncio.Task[None] | None = None
        self._is_stopping = False

    @property
    def app(self) -> web.Application:
        assert self._runner is not None, "started"
        return self._runner.app

    @property
    def url(self) -> str:
        host = f"[{self.config.host}]" if ":" in self.config.host else self.config.host
        return f"{'https' if self.config.tls_certificate else 'http'}://{host}:{self.port}"

    async def listen(self, app: web.Application) -> None:
        """Raises `OperatorError` if the certificate or the port cannot be used."""
        config, loop = self.config, asyncio.get_running_loop()
        if config.tls_certificate or config.tls_key:
            self.certificate = Certificate(config.tls_certificate, config.tls_key)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=config.stop_s, access_log=None)
        await self._runner.setup()
        try:
            self._server = await loop.create_server(self._protocol, config.host, config.port, backlog=ACCEPTS_AT_ONCE)
            for listening in self._server.sockets:
                # asyncio uses `backlog` both for the kernel's queue and for accepts per iteration: set the former here
                with socket.socket(fileno=os.dup(listening.fileno())) as duplicate:
                    duplicate.listen(BACKLOG)
        except OSError as error:
            await self.stop()
            place, why = f"{config.host}:{config.port}", error.strerror or error
            if error.errno == errno.EADDRINUSE:
                hint = f"stop it, or set another {self._section} port"
                raise Busy(f"{self._section}: {place} is taken by another process: {hint}") from None
            raise OperatorError(
                f"{self._section}: can't listen on {place} ({why}): set another {self._section} host or port"
            ) from None
        self.port = self._server.sockets[0].getsockname()[1]
        if self.certificate is not None:
            self._following = asyncio.create_task(self.certificate.follow())

    def answer_at_once(self, message: RawRequestMessage, address: str) -> bytes | None:
        """The whole response to a request without a body, over a connection that stays open; None to have the
        application answer it. `address`: the client's, empty for a Unix socket."""
        return None

    def _protocol(self) -> asyncio.Protocol:
        """The protocol of an accepted connection; it may have been accepted after the stop began."""
        if self._is_stopping:
            return Refused()
        return self.connection() if self.certificate is None else TlsHandshake(self, self.certificate)

    def connection(self, party: str | None = None) -> Connection:
        assert self._runner is not None and self._runner.server is not None, "started"
        return Connection(self, self._runner.server, party)

    def enter(self, transport: asyncio.BaseTransport) -> str | None:
        """Count a connection and return its party, or None at the limit."""
        return self.connections.enter(address_of(transport))

    async def stop(self) -> None:
        """Give open requests `stop_s`, then close all connections."""
        if self._following is not None:
            self._following.cancel()
        self._is_stopping = True
        if self._server is not None:
            for listening in self._server.sockets:
                asyncio.get_running_loop().remove_reader(listening.fileno())
            for _ in range(2):  # asyncio leaks connections that are accepted but have no protocol yet at close
                await asyncio.sleep(0)
            self._server.close()
        for task in list(self.handshakes):
            task.cancel()
        await asyncio.gather(*self.handshakes, return_exceptions=True)
        if self._runner is not None:
            await self._runner.cleanup()
        if self._server is not None:
            await self._server.wait_closed()
        self._server = self._runner = None


def address_of(transport: asyncio.BaseTransport) -> str:
    """The IP address of the other side; empty for a Unix socket."""
    peer = transport.get_extra_info("peername")
    return str(peer[0]) if isinstance(peer, tuple) else ""


class Refused(asyncio.Protocol):
    """Aborts a connection that was accepted during the stop."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.abort()


class TlsHandshake(asyncio.Protocol):
    """A connection before and during its TLS handshake. `create_server(ssl=...)` would make the connection known only
    after the handshake, for which asyncio waits a minute: silent connections of one address could use up all file
    descriptors. Here it is counted at once and times out after `HANDSHAKE_S`. Data received between the handshake and
    the switch of protocols is passed on."""

    def __init__(self, listener: Listener, certificate: Certificate) -> None:
        self._listener, self._certificate = listener, certificate
        self._early: list[bytes] = []
        self._is_lost = self._is_done = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        party = self._listener.enter(transport)
        if party is None:
            transport.abort()
            return
        transport.pause_reading()

        def ended(task: asyncio.Task[None]) -> None:
            self._listener.handshakes.discard(task)
            if not self._is_done:
                self._listener.connections.leave(party)
                transport.abort()

        task = asyncio.get_running_loop().create_task(self._shake(transport, party))
        self._listener.handshakes.add(task)
        task.add_done_callback(ended)

    def data_received(self, data: bytes) -> None:
        self._early.append(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_lost = True

    async def _shake(self, transport: asyncio.Transport, party: str) -> None:
        try:
            secured = await asyncio.get_running_loop().start_tls(
                transport, self, self._certificate.context, server_side=True, ssl_handshake_timeout=HANDSHAKE_S
            )
        except (OSError, TimeoutError):
            return
        if secured is None or self._is_lost:
            return
        self._is_done = True
        connection = self._listener.connection(party)
        secured.set_protocol(connection)
        connection.connection_made(secured)
        for data in self._early:
            connection.data_received(data)


class Connection(RequestHandler):
    """aiohttp's connection with a limit per address, a timeout for stalled clients, and problems for invalid HTTP."""

    def __init__(self, listener: Listener, server: web.Server, party: str | None) -> None:
        """`party`: the party that counts the connection already, if any."""
        config = listener.config
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=config.keepalive_s,
            max_line_size=config.header_bytes_max,
            max_field_size=config.header_bytes_max,
            max_headers=config.headers_max,
            lingering_time=1.0,
            auto_decompress=False,
            access_log=None,  # type: ignore[arg-type] # None turns it off
            logger=logger,
        )
        self._listener, self._party = listener, party
        self._address = ""
        self._stall: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._party is None:
            self._party = self._listener.enter(transport)
        if self._party is not None:
            self._address = address_of(transport)
            super().connection_made(transport)
            return
        assert isinstance(transport, asyncio.Transport)
        self._force_close = True
        problem = Problem("too_many_connections", "too many connections are open")
        body = msgspec.json.encode(problem.document())
        head = (
            f"HTTP/1.1 {problem.status} Too Many Requests\r\nContent-Type: {PROBLEM_TYPE}\r\n"
            f"Content-Length: {len(body)}\r\nRetry-After: 1\r\nX-Chain-Height: {self._listener.height()}\r\n"
            "Connection: close\r\n\r\n"
        )
        transport.write(head.encode("ascii") + body)  # the request is never read
        transport.close()

    def data_received(self, data: bytes) -> None:
        """Parse the bytes. A single request is answered here if the listener can answer it without awaiting. Otherwise
        wake aiohttp's task for this connection, which answers requests in order."""
        waiter, self._waiter = self._waiter, None  # aiohttp wakes nobody then
        super().data_received(data)
        if waiter is None:  # the task is at a request
            return
        self._waiter = waiter
        if self._messages and not waiter.done() and not self._answered_at_once():
            waiter.set_result(None)

    def _answered_at_once(self) -> bool:
        message, payload = self._messages[0]
        if (
            len(self._messages) > 1
            or payload is not EMPTY_PAYLOAD
            or not isinstance(message, RawRequestMessage)
            or message.should_close
            or message.upgrade
            or self.transport is None
            or self.writing_paused
        ):
            return False
        answer = self._listener.answer_at_once(message, self._address)
        if answer is None:
            return False
        self._messages.clear()
        assert self._parser is not None, "it made the message"
        self._parser.message_consumed()
        self.transport.write(answer)
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        return True

    def pause_writing(self) -> None:
        """The client does not read its response: abort the connection unless it continues."""
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._unwatch()

    def _watch(self) -> None:
        transport = self.transport
        if transport is not None:
            left = transport.get_write_buffer_size()
            delay = STALLS * self._listener.config.stream_stall_s
            self._stall = asyncio.get_running_loop().call_later(delay, self._abort_if_stalled, transport, left)

    def _unwatch(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def _abort_if_stalled(self, transport: asyncio.Transport, left: int) -> None:
        if transport.get_write_buffer_size() >= left:
            transport.abort()
        else:
            self._watch()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._unwatch()
        if self._party is not None:
            self._listener.connections.leave(self._party)
            self._party = None
            super().connection_lost(exc)

    def handle_error(
        self, request: BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        if status >= 500:
            self.log_exception("error while handling a request", exc_info=exc)
        if isinstance(exc, LineTooLong):
            problem = Problem("too_large", "the request line or a header is too long: see rpc.header_bytes_max")
        elif status == 400:
            problem = Problem("malformed", f"not an HTTP request: {(message or str(exc)).splitlines()[0][:200]}")
        else:
            problem = Problem("internal", "the node failed on this request; its log says why")
        response = self._response(problem)
        response.force_close()
        return response

    def _response(self, problem: Problem) -> web.Response:
        response = problem.response()
        response.headers["X-Chain-Height"] = str(self._listener.height())
        return response

    async def finish_response(
        self, request: BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        if not resp.prepared:
            if isinstance(resp, web.HTTPException):  # raised before the middleware
                resp = self._response(http_problem(resp, request, self._listener.config.body_bytes_max))
            resp.headers.update(SERVER)
        return await super().finish_response(request, resp, start_time)
