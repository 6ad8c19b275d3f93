"""Drawing of pages: Jinja2 templates, escaped by default, with the words of the reader's language."""

from __future__ import annotations

import time
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from web.asking import Ask, Drawn
from web.board.access import may_see_board
from web.words import NAMES, TAGS

STALE_S: Final = 60.0
"""Age of the head from which every page says that the chain stands still."""
ROOMS: Final = ("cars", "service", "members", "explorer", "board", "verify")
"""The entries of the navigation; each has the text `frame.room_<name>` and the path `/<name>`."""

_environment: Final = Environment(
    loader=PackageLoader("web", "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
    lstrip_blocks=True, auto_reload=False,
)  # fmt: skip


def drawing(svg: str) -> Markup:
    """A picture that `web.drawing` or `node` has made, whose texts are escaped there."""
    return Markup(svg)


def page_html(ask: Ask, drawn: Drawn, room: str) -> bytes:
    """The page."""
    return _environment.get_template(drawn.template).render(_frame(ask, room) | dict(drawn.context)).encode()


def _frame(ask: Ask, room: str) -> dict[str, Any]:
    """What every template can use."""
    site, nodes = ask.site, ask.site.nodes
    age_s = max(0.0, time.time() - nodes.head_time_ms / 1000) if nodes.head_time_ms else None
    return {
        "t": ask.words, "words": ask.words, "lang": ask.words.lang, "link": ask.link, "path": ask.path, "room": room,
        "rooms": [name for name in ROOMS if name != "board" or may_see_board(ask.request, site.settings)],
        "languages": [(tag, NAMES[tag], ask.in_language(tag)) for tag in TAGS],
        "asset": site.assets.url,
        "release": site.assets.release, "chain_id": site.chain_id,
        "genesis_hash": site.genesis_hash.hex(), "tier": site.settings.tier, "height": nodes.height, "age_s": age_s,
        "is_stale": age_s is None or age_s > STALE_S or not nodes.is_reachable, "is_reachable": nodes.is_reachable,
        "drawing": drawing,
    }  # fmt: skip
