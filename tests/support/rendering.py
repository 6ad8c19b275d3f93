"""Pages drawn from answers of the interface, without a network: templates, texts and words are the real ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from aiohttp.test_utils import make_mocked_request

from node.certificates.roots import root_of_genesis
from node.chain.dev_genesis import dev_genesis
from node.chain.genesis import Genesis, genesis_hash
from node.rpc.limiter import Counted
from web.asking import Ask, Drawn, Site
from web.assets import Assets
from web.board.gathering import Board
from web.directory import Directory
from web.nodes import Nodes
from web.recent import RecentBlocks
from web.rendering import page_html
from web.settings import WebSettings
from web.share import Share
from web.words import Tag, words_of


def a_site(settings: WebSettings, genesis: Genesis, nodes: Nodes, model: Any = None) -> Site:
    root = root_of_genesis(genesis)
    recent, directory = RecentBlocks(nodes), Directory(nodes)
    board, streams = Board(nodes, recent, is_on=False), Counted(1, 1, is_loopback_limited=False)
    return Site(
        settings, nodes, _assets(root), genesis, genesis_hash(genesis), recent, directory, model, root, board, streams
    )  # fmt: skip


_assets = cache(Assets)


def an_ask(path: str, tag: Tag = "en", tier: str = "open") -> Ask:
    """A request for a page of a site whose nodes were never asked, and that has no rows."""
    site = a_site(WebSettings(tier=tier), dev_genesis(), Nodes((), bytes(32), Share(1, 1)))
    return Ask(make_mocked_request("GET", f"/{tag}{path}"), site, words_of(tag), path)


def page_of(template: str, context: Callable[[Ask], Mapping[str, Any]], path: str, tag: Tag = "en") -> str:
    """The HTML of a page whose context is made for a request."""
    ask = an_ask(path, tag)
    return page_html(ask, Drawn(template, context(ask)), "").decode()
