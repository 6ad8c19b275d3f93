"""Requests parsed once, at the edge: query and body into structs, path parts into values. All raises `Problem`."""

from __future__ import annotations

import asyncio
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from difflib import get_close_matches
from typing import Annotated, Any, TypeVar

import msgspec
from aiohttp import web
from msgspec import Meta

from node.crypto.addresses import from_text
from node.errors import Malformed
from node.rpc.config import RpcConfig
from node.rpc.problems import Problem
from node.rules.vin import VIN_PATTERN

Q = TypeVar("Q", bound="Query")
B = TypeVar("B", bound=msgspec.Struct)

JSON = "application/json"
MSGPACK = "application/msgpack"
_VIN = re.compile(VIN_PATTERN)
_HASH = re.compile(r"[0-9a-f]{64}")

LimitField = Annotated[int, Meta(ge=1, description="entries of a page", extra_json_schema={"maximum": 1000})]
CursorField = Annotated[str, Meta(max_length=400, description="`cursor` of the page before; opaque")]


class Query(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The query parameters of one path. This one has none."""


class PageQuery(Query, frozen=True):
    limit: LimitField = 100
    cursor: CursorField = ""


class Nothing(Query, frozen=True):
    pass


NO_QUERY = Nothing()


def read_query(request: web.Request, kind: type[Q], config: RpcConfig) -> Q:
    """The query as `kind`; unknown and repeated parameters are refused by name."""
    given = request.query
    values: dict[str, str] = {}
    for name, value in given.items():
        if name not in kind.__struct_encode_fields__:
            raise _unknown(name, kind.__struct_encode_fields__)
        if name in values:
            raise Problem("malformed", f"{name}: stands twice in the query")
        values[name] = value
    try:
        query = msgspec.convert(values, kind, strict=False)
    except (msgspec.ValidationError, ValueError, OverflowError) as error:
        raise Problem("malformed", f"query: {error}") from None
    if isinstance(query, PageQuery):
        check_limit(query.limit, config)
    return query


def _unknown(name: str, known: tuple[str, ...]) -> Problem:
    near = get_close_matches(name, known, 1, 0.5)
    if near:
        mend = f"did you mean {near[0]}?"
    else:
        mend = f"known are {', '.join(known)}" if known else "this path has none"
    members: dict[str, Any] = {"nearest": near[0]} if near else {}
    return Problem("unknown_parameter", f"{name[:80]}: no such query parameter; {mend}", **members)


def nearest_of(value: str, known: tuple[str, ...], what: str) -> Problem:
    """The refusal of a value that is not among the known ones."""
    near = get_close_matches(value, known, 1, 0.5)
    mend = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
    return Problem("malformed", f"{what}: {value[:80]!r} is unknown; {mend}")


def check_limit(limit: int, config: RpcConfig) -> None:
    if limit > config.page_max:
        raise Problem("limit_too_large", f"limit: {limit} is above {config.page_max}")


# --- cursors -------------------------------------------------------------------------------------------
def cursor_text(kind: str, position: str | int) -> str:
    """An opaque place in one list: only that list takes it again."""
    return urlsafe_b64encode(msgspec.msgpack.encode((kind, position))).decode("ascii").rstrip("=")


def _position(kind: str, text: str) -> str | int:
    bad = Problem("bad_cursor", "cursor: not one that this list has given out")
    try:
        raw = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        found, position = msgspec.msgpack.decode(raw, type=tuple[str, str | int])
    except (msgspec.MsgspecError, Base64Error, ValueError):
        raise bad from None
    if found != kind or cursor_text(kind, position) != text:
        raise bad
    return position


def text_cursor(kind: str, text: str) -> str:
    """The id after which the page starts, empty for the first page."""
    position = _position(kind, text) if text else ""
    if not isinstance(position, str) or not position.isascii():
        raise Problem("bad_cursor", "cursor: not one that this list has given out")
    return position


def number_cursor(kind: str, text: str, default: int) -> int:
    """The number at which the page starts."""
    position = _position(kind, text) if text else default
    if not isinstance(position, int) or not 0 <= position < 2**63:
        raise Problem("bad_cursor", "cursor: not one that this list has given out")
    return position


# --- path parts ----------------------------------------------------------------------------------------
def read_hash(text: str, what: str) -> bytes:
    if not _HASH.fullmatch(text):
        raise Problem("malformed", f"{text[:80]!r} is not {what}: 64 characters of lower-case hex expected")
    return bytes.fromhex(text)


def read_address(text: str) -> bytes:
    try:
        return from_text(text)
    except Malformed as error:
        raise Problem("malformed", str(error)) from None


# --- bodies --------------------------------------------------------------------------------------------
async def read_body(request: web.Request, config: RpcConfig, *accepted: str) -> tuple[str, bytes]:
    """(media type, bytes). Size, encoding and type are refused before anything is read."""
    media_type = request.content_type if "Content-Type" in request.headers else ""
    if media_type not in accepted:
        raise Problem(
            "unsupported_media_type",
            f"Content-Type: {media_type or 'none'} given, {' or '.join(accepted)} expected",
            headers={"Accept-Post": ", ".join(accepted)},
        )
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Problem("unsupported_media_type", "Content-Encoding: send the body as it is")
    length = request.content_length
    if length is not None and length > config.body_bytes_max:
        raise Problem(
            "too_large", f"the body has {length} bytes, at most {config.body_bytes_max} are allowed",
            headers={"Connection": "close"},
        )  # fmt: skip
    try:
        async with asyncio.timeout(config.body_timeout_s):
            return media_type, await request.read()
    except TimeoutError:
        raise Problem(
            "timeout", f"the body took longer than {config.body_timeout_s:g} s", headers={"Connection": "close"}
        ) from None


def read_json(raw: bytes, kind: type[B]) -> B:
    """A request's JSON as `kind`, strictly."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Problem("malformed", f"body: {error}") from None


def read_hex(text: str, path: str) -> bytes:
    """Lower-case hex."""
    if not re.fullmatch(r"([0-9a-f]{2})*", text):
        raise Problem("malformed", f"{path}: lower-case hex expected")
    return bytes.fromhex(text)


# --- what may be answered --------------------------------------------------------------------------------
def negotiate(request: web.Request, *offered: str) -> str:
    """The media type to answer in: the first offered where nothing is preferred (RFC 9110, 12.5.1)."""
    accept = request.headers.get("Accept", "*/*")
    if accept == "*/*" or accept == offered[0]:
        return offered[0]
    best, chosen = 0.0, ""
    for media_type in offered:
        quality = _quality(accept, media_type)
        if quality > best:
            best, chosen = quality, media_type
    if not chosen:
        raise Problem("not_acceptable", f"Accept: {accept[:200]!a}; there is {' and '.join(offered)}")
    return chosen


def _quality(accept: str, media_type: str) -> float:
    found, precision = 0.0, -1
    family = media_type.split("/")[0] + "/*"
    for part in accept.split(",")[:50]:
        pieces = [piece.strip() for piece in part.split(";")]
        level = {media_type: 2, family: 1, "*/*": 0}.get(pieces[0].lower(), -1)
        if level <= precision:
            continue
        quality = next((piece[2:] for piece in pieces[1:] if piece.startswith("q=")), "1")
        try:
            found, precision = float(quality), level
        except ValueError:
            continue
    return found
