"""Calls: what a request handler receives and what it returns."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from aiohttp import web

from node.ledger.json_form import to_json
from node.rpc.backend import Backend
from node.rpc.config import RpcConfig
from node.rpc.metrics import RouteCounters
from node.rpc.moments import Moment
from node.rpc.problems import language_of
from node.rpc.request_parsing import JSON, MSGPACK, negotiate
from node.storage.chain_store import ChainReader

if TYPE_CHECKING:
    from node.rpc.certificate import Certificate
    from node.rpc.stream import Streams


@dataclass(slots=True)
class Rpc:
    """State that all requests share."""

    backend: Backend
    config: RpcConfig
    streams: Streams
    openapi: bytes
    counters: RouteCounters = field(default_factory=RouteCounters)
    rendered: OrderedDict[bytes, tuple[int, bytes]] = field(default_factory=OrderedDict)
    """State key to (height, JSON of the view at that height)."""
    certificate: Certificate | None = None


class Call(NamedTuple):
    """A request and its parsed query."""

    rpc: Rpc
    request: web.Request
    query: Any

    @property
    def backend(self) -> Backend:
        return self.rpc.backend

    def reader(self) -> ChainReader:
        return self.rpc.backend.reader()

    @property
    def wants_msgpack(self) -> bool:
        return negotiate(self.request, JSON, MSGPACK) == MSGPACK

    @property
    def language(self) -> str:
        return language_of(self.request.headers.get("Accept-Language", ""))


Answer = web.StreamResponse | bytes | msgspec.Struct | dict[str, Any] | tuple[Moment | int, Any]
"""A response, MessagePack, or a JSON value: alone, with the moment of its state, or with an HTTP status."""


def respond(answer: Answer) -> web.StreamResponse:
    """The response of an answer. A moment adds its height and time to the JSON and sets `X-Chain-Height`."""
    if isinstance(answer, web.StreamResponse):
        return answer
    if isinstance(answer, bytes):
        return web.Response(body=answer, content_type=MSGPACK)
    origin, content = answer if isinstance(answer, tuple) else (200, answer)
    document = to_json(content) if isinstance(content, msgspec.Struct) else content
    if isinstance(origin, Moment):
        return json_response(document | origin.stamp, height=origin.height)
    return json_response(document, origin)


def json_response(document: dict[str, Any], status: int = 200, height: int | None = None) -> web.Response:
    """`height`: of the state that the document was read from, if the head may have moved since."""
    headers = None if height is None else {"X-Chain-Height": str(height)}
    body = msgspec.json.encode(document)
    return web.Response(body=body, status=status, content_type=JSON, headers=headers)
