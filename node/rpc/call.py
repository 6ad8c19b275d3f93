"""One HTTP call: parses the request and renders the answer. Every `read_*` function raises `Problem`."""

from __future__ import annotations

import asyncio
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeVar

import msgspec
from aiohttp import web
from msgspec import Meta
from msgspec.msgpack import Decoder
from multidict import CIMultiDict

from node.ledger.family import nearest
from node.ledger.json_form import json_form
from node.rpc.backend import Backend
from node.rpc.config import RpcConfig
from node.rpc.metrics import RouteCounters
from node.rpc.moments import Moment, moment_of
from node.rpc.problems import Problem, language_of
from node.rpc.rendered import head_of
from node.storage.chain_store import ChainReader

if TYPE_CHECKING:
    from node.rpc.cosigning import Cosigning
    from node.rpc.stream import Streams
    from node.rpc.tls_certificate import Certificate

Q = TypeVar("Q", bound="Query")
P = TypeVar("P", str, int)
B = TypeVar("B", bound=msgspec.Struct)

JSON = "application/json"
MSGPACK = "application/msgpack"

LimitField = Annotated[int, Meta(ge=1, description="entries of a page", extra_json_schema={"maximum": 1000})]
CursorField = Annotated[str, Meta(max_length=400, description="`cursor` of the page before; opaque")]
_Ascii = Annotated[str, Meta(pattern=r"\A[\x00-\x7f]*\Z")]
_CURSOR: Decoder[tuple[str, str | int]] = Decoder(tuple[str, _Ascii | Annotated[int, Meta(ge=0, le=2**63 - 1)]])


class Query(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The query parameters of one path; the base has none."""


class HeightQuery(Query, frozen=True):
    height: Annotated[int, Meta(ge=0, description="answer as of this height, if its state is kept; 0: the head")] = 0


class PageQuery(Query, frozen=True):
    limit: LimitField = 100
    cursor: CursorField = ""


def read_query(request: web.Request, kind: type[Q], config: RpcConfig) -> Q:
    """The query as `kind`. Unknown and repeated parameters are rejected by name."""
    values: dict[str, str] = {}
    for name, value in request.query.items():
        known = kind.__struct_encode_fields__
        if name not in known:
            near, hint = nearest(name, known)
            members: dict[str, Any] = {"nearest": near} if near else {}
            text = f"{name[:80]}: no such query parameter; {hint if known else 'this path has none'}"
            raise Problem("unknown_parameter", text, **members)
        if name in values:
            raise Problem("malformed", f"{name}: given twice in the query")
        values[name] = value
    try:
        query = msgspec.convert(values, kind, strict=False)
    except (msgspec.ValidationError, ValueError, OverflowError) as error:
        raise Problem("malformed", f"query: {error}") from None
    if isinstance(query, PageQuery) and query.limit > config.page_max:
        raise Problem("limit_too_large", f"limit: {query.limit} is above {config.page_max}")
    return query


# --- cursors -------------------------------------------------------------------------------------------
def cursor_text(kind: str, position: str | int) -> str:
    """An opaque cursor: a position in the list `kind`, valid for that list only."""
    return urlsafe_b64encode(msgspec.msgpack.encode((kind, position))).decode("ascii").rstrip("=")


def read_cursor(kind: str, text: str, first: P) -> P:
    """The place in the list `kind` at which the page starts; `first` for the first page."""
    if not text:
        return first
    try:
        list_kind, position = _CURSOR.decode(urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4)))
        if list_kind == kind and isinstance(position, type(first)) and cursor_text(kind, position) == text:
            return position
    except (msgspec.MsgspecError, ValueError):
        pass
    raise Problem("bad_cursor", "cursor: this list has not issued it")


# --- path parts ----------------------------------------------------------------------------------------
def read_hash(text: str, what: str) -> bytes:
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise Problem("malformed", f"{text[:80]!r} is not {what}: 64 characters of lower-case hex expected")
    return bytes.fromhex(text)


# --- bodies --------------------------------------------------------------------------------------------
async def read_body(request: web.Request, config: RpcConfig, *accepted: str) -> tuple[str, bytes]:
    """(media type, bytes). Type, encoding and declared size are checked before the body is read."""
    media_type = request.content_type if "Content-Type" in request.headers else ""
    if media_type not in accepted:
        text = f"Content-Type: {media_type or 'none'} given, {' or '.join(accepted)} expected"
        raise Problem("unsupported_media_type", text, headers={"Accept-Post": ", ".join(accepted)})
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Problem("unsupported_media_type", "Content-Encoding: send the body as it is")
    length = request.content_length
    if length is not None and length > config.body_bytes_max:
        text = f"the body has {length} bytes, at most {config.body_bytes_max} are allowed"
        raise Problem("too_large", text, headers={"Connection": "close"})
    try:
        async with asyncio.timeout(config.body_timeout_s):
            return media_type, await request.read()
    except TimeoutError:
        text = f"the body took longer than {config.body_timeout_s:g} s"
        raise Problem("timeout", text, headers={"Connection": "close"}) from None


def read_json(raw: bytes, kind: type[B]) -> B:
    """The JSON body as `kind`. Unknown fields are rejected, and so are keys that an object has twice: another reader of
    the same bytes could take the other value."""
    try:
        body = msgspec.json.decode(raw, type=kind)
        json.loads(raw, object_pairs_hook=_distinct)  # msgspec takes the last of several values
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Problem("malformed", f"body: {error}") from None
    return body


def _distinct(pairs: list[tuple[str, Any]]) -> None:
    """Raises `ValueError`."""
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise ValueError(f'the key "{name[:80]}" is given twice')
        seen.add(name)


def read_hex(text: object, path: str) -> bytes:
    try:
        if isinstance(text, str) and (raw := bytes.fromhex(text)).hex() == text:
            return raw
    except ValueError:
        pass
    raise Problem("malformed", f"{path}: lower-case hex expected")


# --- content negotiation ---------------------------------------------------------------------------------
def negotiate(request: web.Request, *offered: str) -> str:
    """The media type of the answer: the preferred one, on a tie the first offered (RFC 9110, 12.5.1)."""
    accept = request.headers.get("Accept", "*/*")
    if accept in ("*/*", offered[0]):
        return offered[0]
    best, chosen = 0.0, ""
    for media_type in offered:
        quality = _quality(accept, media_type)
        if quality > best:
            best, chosen = quality, media_type
    if not chosen:
        raise Problem("not_acceptable", f"Accept: {accept[:200]!a}; available: {' and '.join(offered)}")
    return chosen


def _quality(accept: str, media_type: str) -> float:
    """The quality of `media_type` by the most precise range that matches it; 0 if none does."""
    best, precision = 0.0, -1
    family = media_type.split("/")[0] + "/*"
    for part in accept.split(",")[:50]:
        media_range, *parameters = (piece.strip() for piece in part.split(";"))
        level = {media_type: 2, family: 1, "*/*": 0}.get(media_range.lower(), -1)
        if level > precision:
            quality = next((piece[2:] for piece in parameters if piece.startswith("q=")), "1")
            with suppress(ValueError):
                best, precision = float(quality), level
    return best


# --- calls and answers -------------------------------------------------------------------------------------
class AtHead:
    """What the answers about one head share: the moment, their headers, and the values that are rendered already."""

    def __init__(self, reader: ChainReader) -> None:
        self.head, self.moment = reader.head(), moment_of(reader)
        self.headers = headers_of(self.moment, is_tagged=True)
        self.ok_head = head_of("200 OK", self.headers)
        self.unchanged_head = head_of("304 Not Modified", _unchanged_headers_of(self.moment))
        self.rendered: OrderedDict[bytes, bytes] = OrderedDict()
        """State key to the JSON of its view."""

    def keep(self, key: bytes, body: bytes, most: int) -> None:
        """Keep a rendered value; the oldest of more than `most` is dropped."""
        self.rendered[key] = body
        if len(self.rendered) > most:
            self.rendered.popitem(last=False)


@dataclass(slots=True)
class Rpc:
    """State that all requests share."""

    backend: Backend
    config: RpcConfig
    streams: Streams
    openapi: bytes
    witnesses: Cosigning
    counters: RouteCounters = field(default_factory=RouteCounters)
    certificate: Certificate | None = None
    _at_head: AtHead | None = None

    def at_head(self) -> AtHead:
        """What is kept of the present head; valid until the next await."""
        reader = self.backend.reader()
        if self._at_head is None or self._at_head.head is not reader.head():
            self._at_head = AtHead(reader)
        return self._at_head


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

    def moment(self) -> Moment:
        """The state at the head, valid until the next await."""
        return self.rpc.at_head().moment

    @property
    def wants_msgpack(self) -> bool:
        return negotiate(self.request, JSON, MSGPACK) == MSGPACK

    @property
    def language(self) -> str:
        return language_of(self.request.headers.get("Accept-Language", ""))


Answer = web.StreamResponse | bytes | msgspec.Struct | dict[str, Any] | tuple[Moment | int, Any]
"""A response, MessagePack, or a JSON value: alone, with the moment of its state, or with an HTTP status."""


def respond(answer: Answer, *, is_tagged: bool = False) -> web.StreamResponse:
    """The HTTP response that carries an answer. With a moment, the JSON has its height and time. `is_tagged`: as in
    `headers_of`."""
    if isinstance(answer, bytes):
        return web.Response(body=answer, content_type=MSGPACK)
    if isinstance(answer, msgspec.Struct | dict):
        return json_response(answer)
    if not isinstance(answer, tuple):
        return answer
    origin, content = answer
    if isinstance(origin, Moment):
        return web.Response(body=json_body(content, origin.stamp), headers=headers_of(origin, is_tagged=is_tagged))
    return json_response(content, origin)


def headers_of(moment: Moment, *, is_tagged: bool) -> CIMultiDict[str]:
    """The headers of JSON about a moment. `is_tagged`: the answer follows from the state of the moment alone, so that a
    client that has it may ask whether it still counts."""
    headers = CIMultiDict({"Content-Type": JSON, "X-Chain-Height": str(moment.height)})
    if is_tagged:
        headers.update({"ETag": moment.etag, "Cache-Control": "no-cache"})
    return headers


def not_modified(moment: Moment) -> web.Response:
    """The response 304 to a request whose `If-None-Match` names the present ETag."""
    return web.Response(status=304, headers=_unchanged_headers_of(moment))


def _unchanged_headers_of(moment: Moment) -> CIMultiDict[str]:
    headers = headers_of(moment, is_tagged=True)
    del headers["Content-Type"]
    return headers


def json_response(content: Any, status: int = 200, height: int | None = None) -> web.Response:
    """`height`: of the state that the content was read from, if the head may have moved since."""
    headers = None if height is None else {"X-Chain-Height": str(height)}
    return web.Response(body=json_body(content, {}), status=status, content_type=JSON, headers=headers)


def json_body(content: Any, more: Mapping[str, Any]) -> bytes:
    """The JSON of a struct or a dictionary, with the members `more` last."""
    return msgspec.json.encode(json_form(content, more) if isinstance(content, msgspec.Struct) else {**content, **more})
