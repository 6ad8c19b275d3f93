"""Plain reads: GET requests for one state value at the head of the chain, such as `/v1/vehicles/{vin}`.

They are answered without aiohttp's request, task and response objects, which cost as much time as the answer.
"""

from __future__ import annotations

from time import monotonic
from typing import Any, Final

from aiohttp import HttpVersion11
from aiohttp.http_parser import RawRequestMessage

from node.ledger.family import Family
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
_ACCEPTED: Final = (None, "*/*", JSON)


def plain_read(rpc: Rpc, edge: Edge, message: RawRequestMessage, address: str) -> bytes | None:
    """The complete response: 200 with the value, or 304 if `If-None-Match` has the ETag of the head. None for a request
    that the application must answer: no plain read, an unknown value, or a client above its rate limit."""
    began = monotonic()
    path, _, text = message.path.rpartition("/")
    served, headers = _SERVED.get(path), message.headers
    if (
        served is None
        or message.method != "GET"
        or message.version != HttpVersion11
        or headers.get("Accept") not in _ACCEPTED
        or "Origin" in headers
        or "Expect" in headers
        or edge.is_spent(address)
    ):
        return None
    family, route = served
    try:
        answer = _answer(rpc, family, text, headers.get("If-None-Match"))
    except Exception:  # the application meets it too, and answers with it
        return None
    if answer is None:
        return None
    edge.take(address)
    status, response = answer
    rpc.counters.add("GET", route, status, monotonic() - began)
    return response


def _answer(rpc: Rpc, family: Family[Any], text: str, known: str | None) -> tuple[int, bytes] | None:
    """(HTTP status, response). `known`: the value of `If-None-Match`, if given."""
    at_head, ident = rpc.at_head(), family.ident.canonical(text)
    if known is not None:
        return (304, rendered(at_head.unchanged_head, None)) if at_head.moment.etag in known else None
    body = value_at_head(rpc, family, ident)
    return None if body is None else (200, rendered(at_head.ok_head, body))
