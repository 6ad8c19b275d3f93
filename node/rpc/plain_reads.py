"""Plain reads: requests for the view of one state value at the head, without any condition. Most requests are such."""

from __future__ import annotations

from typing import Any, NamedTuple

from aiohttp import web

from node.errors import Malformed
from node.ledger.family import Family
from node.rpc.call import JSON, Rpc
from node.rpc.values import value_at_head
from node.txtypes.registry import FAMILIES

_FAMILIES = {family.path: family for family in FAMILIES.values() if family.view is not None}


class PlainRead(NamedTuple):
    """A plain read. `path`: that of its route."""

    family: Family[Any]
    ident: str
    path: str

    async def answer(self, rpc: Rpc, request: web.Request) -> web.StreamResponse:
        return value_at_head(rpc, request, self.family, self.ident)


def plain_read(request: web.Request) -> PlainRead | None:
    """The plain read that a request is; None where it is anything else, also where its id is malformed."""
    path, _, text = request.raw_path.rpartition("/")
    family, headers = _FAMILIES.get(path), request.headers
    if family is None or request.method != "GET" or headers.get("Accept", JSON) not in (JSON, "*/*"):
        return None
    if "If-None-Match" in headers or "Expect" in headers:
        return None
    try:
        return PlainRead(family, family.ident.canonical(text), f"{path}/{{{family.param}}}")
    except Malformed:
        return None
