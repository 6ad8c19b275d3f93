"""Pages drawn from answers of the interface, without a network: templates, texts and words are the real ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aiohttp.test_utils import make_mocked_request

from web.asking import Ask, Drawn, Site
from web.assets import Assets
from web.directory import Directory
from web.nodes import Nodes
from web.recent import RecentBlocks
from web.rendering import page_html
from web.settings import WebSettings
from web.words import Tag, words_of

_ASSETS = Assets()


def an_ask(path: str, tag: Tag = "en", tier: str = "open") -> Ask:
    """A request for a page of a site whose nodes were never asked."""
    nodes = Nodes((), bytes(32), 1)
    site = Site(WebSettings(tier=tier), nodes, _ASSETS, "bmw-dev-1", bytes(32), RecentBlocks(nodes), Directory(nodes))
    return Ask(make_mocked_request("GET", f"/{tag}{path}"), site, words_of(tag), path)


def page_of(template: str, context: Callable[[Ask], Mapping[str, Any]], path: str, tag: Tag = "en") -> str:
    """The HTML of a page whose context is made for a request."""
    ask = an_ask(path, tag)
    return page_html(ask, Drawn(template, context(ask)), "").decode()
