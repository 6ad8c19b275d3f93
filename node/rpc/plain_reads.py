"""Plain reads: unconditional GET requests for the view of one state value at the head.

They are answered without aiohttp's request, task and response, which take as much time as the answer itself.
"""

from __future__ import annotations

from time import monotonic
from typing import Final

from aiohttp import HttpVersion11
from aiohttp.http_parser import RawRequestMessage

from node.rpc.call import JSON, Rpc
from node.rpc.edge import Edge
from node.rpc.rendered import rendered
from node.rpc.values import value_at_head
from node.txtypes.registry import FAMILIES

_SERVED: Final = {
    family.path: (family, f"{family.path}/{{{family.param}}}")
    for family in FAMILIES.values()
    if family.view is not None
}
"""Collection path to its family, and to the route template of one value, such as `/v1/vehicles/{vin}`."""
_UNCONDITIONAL: Final = (None, "*/*", JSON)


def plain_read(rpc: Rpc, edge: Edge, message: RawRequestMessage, address: str) -> bytes | None:
    """The response to a plain read, over HTTP/1.1, of a value that exists, by a client within its rate limit. None for
    any other request, which is not counted yet."""
    began = monotonic()
    path, _, text = message.path.rpartition("/")
    served, headers = _SERVED.get(path), message.headers
    if (
        served is None
        or message.method != "GET"
        or message.version != HttpVersion11
        or headers.get("Accept") not in _UNCONDITIONAL
        or "If-None-Match" in headers
        or "Origin" in headers
        or "Expect" in headers
        or edge.is_spent(address)
    ):
        return None
    family, route = served
    try:
        body = value_at_head(rpc, family, family.ident.canonical(text))
    except Exception:  # the application meets it too, and answers with it
        return None
    if body is None:
        return None
    edge.take(address)
    response = rendered(rpc.at_head().response_head, body)
    rpc.counters.add("GET", route, 200, monotonic() - began)
    return response
