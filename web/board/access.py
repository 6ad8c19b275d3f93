"""Who may see the operator board."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from node.rpc.limiter import is_loopback
from web.settings import LOOPBACK, WebSettings

FORWARDING: Final = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Via")
"""Headers that proxies add. A request that has one does not come from who has opened the connection."""


def is_board_on(settings: WebSettings) -> bool:
    """Whether anybody may see it."""
    return settings.tier == "open" or settings.board


def may_see_board(request: web.BaseRequest, settings: WebSettings) -> bool:
    """In the tier `open` everybody; else, with the setting `board`, who sits at this machine.

    Behind a proxy on this machine every client has a loopback address. So the setting is off by default and excludes
    `forwarded`; a request that a proxy has marked is a stranger's; and the address that was asked for has to be a
    loopback one, too, which also keeps pages of other origins out that have their own name lead here.
    """
    if settings.tier == "open":
        return True
    return (
        settings.board
        and not settings.forwarded
        and is_loopback(request.remote or "")
        and not any(name in request.headers for name in FORWARDING)
        and _host_of(request) in LOOPBACK
    )


def _host_of(request: web.BaseRequest) -> str:
    host = request.headers.get("Host", "").lower()
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
