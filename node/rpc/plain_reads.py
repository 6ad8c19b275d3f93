"""Plain reads: unconditional GET requests for the view of one state value at the head."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from node.errors import Malformed
from node.ledger.family import Family
from node.rpc.call import JSON
from node.txtypes.registry import FAMILIES

_SERVED: Final = {
    family.path: (family, f"{family.path}/{{{family.param}}}")
    for family in FAMILIES.values()
    if family.view is not None
}
"""Collection path to its family, and to the route template of one value, such as `/v1/vehicles/{vin}`."""
_UNCONDITIONAL: Final = (None, "*/*", JSON)


def plain_read(request: web.Request) -> tuple[Family[Any], str, str] | None:
    """The family, the id and the route template of a plain read; None for any other request or a malformed id."""
    path, _, text = request.raw_path.rpartition("/")
    served, headers = _SERVED.get(path), request.headers
    if (
        served is None
        or request.method != "GET"
        or headers.get("Accept") not in _UNCONDITIONAL
        or "If-None-Match" in headers
        or "Expect" in headers
    ):
        return None
    family, route = served
    try:
        return family, family.ident.canonical(text), route
    except Malformed:
        return None
