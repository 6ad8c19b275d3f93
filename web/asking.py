"""What a page is drawn from: a request in one language, and what the process has."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlencode

import msgspec
from aiohttp import web

from node.certificates.verifier import Root
from node.chain.genesis import Genesis
from node.ledger.family import nearest
from node.rpc.limiter import Counted, TokenBuckets
from web.assets import Assets
from web.board.gathering import Board
from web.directory import Directory
from web.keeping import Kept, Turn
from web.nodes import Nodes
from web.read_model.model import ReadModel
from web.recent import RecentBlocks
from web.settings import WebSettings
from web.words import Tag, Words


@dataclass(frozen=True, slots=True)
class Site:
    """What the process has: made at the start, the same for all requests."""

    settings: WebSettings
    nodes: Nodes
    assets: Assets
    genesis: Genesis
    genesis_hash: bytes
    recent: RecentBlocks
    directory: Directory
    model: ReadModel
    root: Root
    """Of the genesis document: what certificates are verified against."""
    board: Board
    streams: Counted
    """Open event streams, those of the nodes and the board's."""
    kept: Kept = field(default_factory=lambda: Kept(2_000))
    """Small answers of the nodes."""
    files: Kept = field(default_factory=lambda: Kept(32))
    """Papers and codes that were drawn, some 300 kB each."""
    file_buckets: TokenBuckets = field(default_factory=lambda: TokenBuckets(2, 6))
    drawing: Turn = field(default_factory=Turn)
    """Of papers, each of which takes a core for about a second."""

    @property
    def chain_id(self) -> str:
        return self.genesis.chain_id

    @property
    def is_open(self) -> bool:
        """Whether strangers may read everything (see `settings.Tier`)."""
        return self.settings.tier == "open"


class PageProblem(Exception):
    """A request that gets a page of its own instead: `key` is a text of `error.json`, `values` its places."""

    def __init__(self, status: int, key: str, **values: object) -> None:
        super().__init__(key)
        self.status, self.key, self.values = status, key, values


class Query(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The query of a page. A subclass has a field for each name, all texts with a default."""


QUERY_LETTERS_MAX = 200
"""Letters of a value. Above: 400."""
Q = TypeVar("Q", bound=Query)


def client_of(request: web.Request, *, is_forwarded: bool) -> str:
    """The client's address. `is_forwarded`: a proxy in front has put it last into `X-Forwarded-For`."""
    given = request.headers.get("X-Forwarded-For", "") if is_forwarded else ""
    return given.rpartition(",")[2].strip() or request.remote or ""


@dataclass(frozen=True, slots=True)
class Ask:
    """A request for a page."""

    request: web.Request
    site: Site
    words: Words
    path: str
    """Without the language: `/cars`."""

    def query(self, kind: type[Q]) -> Q:
        """The query, whose names and values are checked. Raises `PageProblem`."""
        given = self.request.query
        known = kind.__struct_encode_fields__
        for name in given:
            if name not in known:
                raise PageProblem(
                    400, "query_unknown", name=name[:60], nearest=nearest(name[:60], known)[0] if known else "-"
                )
            if len(given.getall(name)) > 1:
                raise PageProblem(400, "query_repeated", name=name)
            if len(given[name]) > QUERY_LETTERS_MAX or not given[name].isprintable():
                raise PageProblem(400, "query_value", name=name)
        return msgspec.convert(dict(given), kind)

    def param(self, name: str) -> str:
        return self.request.match_info[name]

    @property
    def client(self) -> str:
        """The client's address (see `client_of`)."""
        return client_of(self.request, is_forwarded=self.site.settings.forwarded)

    def link(self, path: str, /, **query: object) -> str:
        """The address of a page in the request's language; query values that are empty are left out."""
        given = {name: str(value) for name, value in query.items() if value not in ("", None)}
        return f"/{self.words.tag}{path}" + (f"?{urlencode(given)}" if given else "")

    def in_language(self, tag: Tag) -> str:
        """The address of this page in another language."""
        query = self.request.rel_url.raw_query_string
        return f"/{tag}{self.path}" + (f"?{query}" if query else "")


class Drawn(NamedTuple):
    """What a page is drawn with. `is_kept`: whether browsers may keep it for some seconds."""

    template: str
    context: Mapping[str, Any]
    status: int = 200
    is_kept: bool = True


@dataclass(frozen=True, slots=True)
class Page:
    """A page: its path, with places such as `{vin}`; `room`: the entry of the navigation that it belongs to."""

    path: str
    draw: Callable[[Ask], Awaitable[Drawn | web.StreamResponse]]
    room: str = ""
    only_open: bool = field(default=False)
    """Whether the tier `showroom` does not have it."""
    asks: bool = field(default=True)
    """Whether a reader waits for nodes that are asked: if so, it does not begin while they are asked for much, and it
    ends in time."""
