"""Pages drawn from answers of the interface, without a network: templates, texts and words are the real ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from aiohttp.test_utils import make_mocked_request

from node.certificates.roots import root_of_genesis
from node.chain.dev_genesis import dev_genesis
from node.rpc.limiter import Counted
from web.asking import Ask, Drawn, Site
from web.assets import Assets
from web.board.gathering import Board
from web.directory import Directory
from web.nodes import Nodes
from web.read_model.model import ReadModel
from web.recent import RecentBlocks
from web.rendering import page_html
from web.settings import WebSettings
from web.words import Tag, words_of

_GENESIS = dev_genesis()
_ASSETS = Assets(_GENESIS)


@cache
def _model() -> ReadModel:
    """Without rows."""
    return ReadModel(_GENESIS, Path(mkdtemp()), Nodes((), bytes(32), 1), WebSettings())


def an_ask(path: str, tag: Tag = "en", tier: str = "open") -> Ask:
    """A request for a page of a site whose nodes were never asked."""
    settings, nodes = WebSettings(tier=tier), Nodes((), bytes(32), 1)
    recent = RecentBlocks(nodes)
    site = Site(
        settings, nodes, _ASSETS, _GENESIS, bytes(32), recent, Directory(nodes),
        _model(), root_of_genesis(_GENESIS),
        Board(nodes, recent, is_on=False), Counted(1, 1, is_loopback_limited=False),
    )  # fmt: skip
    return Ask(make_mocked_request("GET", f"/{tag}{path}"), site, words_of(tag), path)


def page_of(template: str, context: Callable[[Ask], Mapping[str, Any]], path: str, tag: Tag = "en") -> str:
    """The HTML of a page whose context is made for a request."""
    ask = an_ask(path, tag)
    return page_html(ask, Drawn(template, context(ask)), "").decode()
