"""Handlers for state values and lists of them, derived from the declarations of the families."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
from aiohttp import web

from node.errors import Malformed
from node.ledger.family import Family, Filter, Ident, Index, expiry_value, index_prefix
from node.ledger.json_form import to_json
from node.rpc.call import JSON, Call, cursor_text, read_cursor
from node.rpc.moments import Moment, moment_of, paced_snapshot
from node.rpc.problems import Problem
from node.storage.chain_store import ChainReader

Json = dict[str, Any]

SCAN_MAX: Final = 20_000
"""Entries that one page may scan. A page that reaches it is short and has a cursor."""
SCAN_STEP: Final = 500


# --- one value -------------------------------------------------------------------------------------------
def canonical(ident: Ident | None, text: str, what: str) -> str:
    """The canonical form of an id. Raises `Problem`, whose detail starts with `what`."""
    assert ident is not None, "an index of open entries has no parameter"
    try:
        return ident.canonical(text)
    except Malformed as error:
        raise Problem("malformed", f"{what}: {error}") from None


def path_ident(family: Family[Any], call: Call) -> str:
    """The id in the path of a call. Raises `Malformed`."""
    return family.ident.canonical(call.request.match_info[family.param])


def require(moment: Moment, family: Family[Any], ident: str) -> Any:
    """The value. Raises `Problem` if it does not exist."""
    value = moment.get(family, ident)
    if value is None:
        raise Problem(f"{family.word}_unknown", f"{ident}: no {family.name} of this chain")
    return value


def view_json(moment: Moment, family: Family[Any], ident: str, value: Any) -> Json:
    assert family.view is not None, f"family {family.name} is served over HTTP"
    return to_json(family.view.of(ident, value, moment, moment.as_of))


def value_json(moment: Moment, family: Family[Any], ident: str) -> Json:
    """The view of one value. Raises `Problem`."""
    return view_json(moment, family, ident, require(moment, family, ident))


async def value(family: Family[Any], call: Call) -> web.Response:
    """The view of one value, rendered once per height."""
    ident, rendered, reader = path_ident(family, call), call.rpc.rendered, call.reader()
    key, height = family.key(ident), reader.height()
    rendered_at, body = rendered.get(key, (-1, b""))
    if rendered_at != height:
        moment = moment_of(reader)
        body = msgspec.json.encode(value_json(moment, family, ident) | moment.stamp)
        rendered[key] = (height, body)
        rendered.move_to_end(key)
        if len(rendered) > call.rpc.config.vehicle_cache:
            rendered.popitem(last=False)
    return web.Response(body=body, content_type=JSON)


async def derived(family: Family[Any], view: type[Any], call: Call) -> tuple[Moment, Any]:
    """Another view of a value than the family's own: it has the same signature."""
    ident, moment = path_ident(family, call), moment_of(call.reader())
    return moment, view.of(ident, require(moment, family, ident), moment, moment.as_of)


# --- lists -----------------------------------------------------------------------------------------------
def plural_of(family: Family[Any]) -> str:
    """The name of a family's list in paths and pages, such as `orders`."""
    return family.path.rpartition("/")[2]


async def listed(family: Family[Any], call: Call) -> tuple[Moment, Json]:
    query = call.query
    given = {name: str(getattr(query, name)) for name in query.__struct_fields__}
    return await list_page(call.reader(), ListRequest(family, given), query.limit, query.cursor)


async def listed_of(owner: Family[Any], family: Family[Any], index: str, call: Call) -> tuple[Moment, Json]:
    """The entries that `index` lists under the account or vehicle in the path."""
    ident = path_ident(owner, call)
    require(moment_of(call.reader()), owner, ident)
    return await list_page(call.reader(), ListRequest(family, {index: ident}), call.query.limit, call.query.cursor)


class ListRequest:
    """The values of a family's indexes and filters that a list is restricted to. Raises `Problem`."""

    def __init__(self, family: Family[Any], given: Mapping[str, str]) -> None:
        self.family = family
        given_values = [(p, canonical(p.ident, text, p.name)) for p in family.parameters if (text := given.get(p.name))]
        self.kind = "/".join((family.name, *(f"{entry.name}={value}" for entry, value in given_values)))
        """The list that a cursor is bound to."""
        self._filters = [(entry, value) for entry, value in given_values if isinstance(entry, Filter)]
        self._indexes = [(entry, value) for entry, value in given_values if isinstance(entry, Index)]
        open_indexes = [(index, "") for index in family.indexes if index.ident is None]
        self._scanned = self._indexes or open_indexes[:1]

    def scan(self, moment: Moment) -> tuple[bytes, str]:
        """(store prefix, first place) of the scan: a requested index, else the open entries, else all values."""
        if not self._scanned:
            return b"S" + self.family.key(""), ""
        index, value = self._scanned[0]
        start = expiry_value(moment.as_of.now_ms) if index.ident is None else ""
        return index_prefix(self.family, index.name, value), start

    def fits(self, moment: Moment, ident: str, value: Any) -> bool:
        return (
            all(key in index.values(value) for index, key in self._indexes)
            and all(entry.fits(value, text, moment) for entry, text in self._filters)
            and all(i.counts is None or i.counts(ident, value, key, moment, moment.as_of) for i, key in self._scanned)
        )


async def list_page(reader: ChainReader, request: ListRequest, limit: int, cursor: str) -> tuple[Moment, Json]:
    """One page of views in the order of the scanned index."""
    family, after = request.family, read_cursor(request.kind, cursor, "")
    views: list[Json] = []
    following, last = None, ""
    async with paced_snapshot(reader) as (moment, share):
        prefix, start = request.scan(moment)
        for count, place in enumerate(places(moment, prefix, max(start, after + "\x00" if after else ""))):
            if len(views) == limit or count == SCAN_MAX:
                following = cursor_text(request.kind, last)
                break
            ident, last = place.rpartition("/")[2], place
            value = moment.get(family, ident)
            if value is not None and request.fits(moment, ident, value):
                views.append(view_json(moment, family, ident, value))
            await share.rest()
    return moment, {plural_of(family): views, "cursor": following}


def places(moment: Moment, prefix: bytes, start: str) -> Iterator[str]:
    """The entries below a store prefix from `start` on, read in steps."""
    while places := moment.reader.entries(prefix, start, SCAN_STEP):
        yield from places
        start = places[-1] + "\x00"
