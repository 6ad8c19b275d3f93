"""State values and lists of them over HTTP, by family: no handler knows a family by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from node.errors import Malformed
from node.ledger.family import Family, Filter, Index, expiry_value, index_prefix
from node.ledger.json_form import to_json
from node.rpc.moments import Moment, standing_paced
from node.rpc.problems import Problem
from node.rpc.request_parsing import cursor_text, text_cursor
from node.storage.chain_store import ChainReader

Json = dict[str, Any]

SCAN_MAX: Final = 20_000
"""Entries that one page may look at; a filter that finds few gets a shorter page and a cursor."""
SCAN_STEP: Final = 500


def value_json(moment: Moment, family: Family[Any], ident: str) -> Json:
    """The view of one value. Raises `Problem`."""
    value = moment.get(family, ident)
    if value is None:
        raise Problem(f"{family.name}_unknown", f"{ident}: no {family.name} of this chain")
    return view_json(moment, family, ident, value)


def view_json(moment: Moment, family: Family[Any], ident: str, value: Any) -> Json:
    assert family.view is not None, f"family {family.name} is served over HTTP"
    return to_json(family.view.of(ident, value, moment, moment.as_of))


def canonical_ident(family: Family[Any], text: str) -> str:
    """The id that a path names. Raises `Problem`."""
    try:
        return family.ident.canonical(text)
    except Malformed as error:
        raise Problem("malformed", str(error)) from None


def list_name(family: Family[Any]) -> str:
    """The plural under which a page has its entries, such as `orders`."""
    return family.path.rpartition("/")[2]


class ListRequest:
    """What a list is asked for: the values given for its indexes and filters. Raises `Problem`."""

    def __init__(self, family: Family[Any], given: Mapping[str, str]) -> None:
        self.family = family
        self.filters = [(entry, _canonical(entry, text)) for entry in family.filters if (text := given.get(entry.name))]
        self.indexes = [(entry, _canonical(entry, text)) for entry in family.indexes if (text := given.get(entry.name))]

    @property
    def kind(self) -> str:
        """What a cursor is bound to."""
        asked = [f"{index.name}={value}" for index, value in self.indexes]
        asked += [f"{entry.name}={value}" for entry, value in self.filters]
        return "/".join((self.family.name, *asked))

    def _open_index(self) -> Index | None:
        return next((index for index in self.family.indexes if index.ident is None), None)

    def scan(self, moment: Moment) -> tuple[bytes, str]:
        """(store prefix to walk, where the walk begins): an index that was asked for, the open ones, else all."""
        if self.indexes:
            index, value = self.indexes[0]
            return index_prefix(self.family, index.name, value), ""
        open_ones = self._open_index()
        if open_ones is not None:
            return index_prefix(self.family, open_ones.name), expiry_value(moment.as_of.now_ms)
        return b"S" + self.family.key(""), ""

    def fits(self, moment: Moment, ident: str, value: Any) -> bool:
        open_ones = self._open_index()
        indexes = self.indexes or ([(open_ones, "")] if open_ones is not None else [])
        return (
            all(asked in index.values(value) for index, asked in self.indexes)
            and all(entry.fits(value, asked, moment) for entry, asked in self.filters)
            and all(
                index.counts(ident, value, asked, moment, moment.as_of)
                for index, asked in indexes
                if index.counts is not None
            )
        )


def _canonical(entry: Index | Filter, text: str) -> str:
    assert entry.ident is not None, "an index of open things has no parameter"
    try:
        return entry.ident.canonical(text)
    except Malformed as error:
        raise Problem("malformed", f"{entry.name}: {error}") from None


async def list_page(reader: ChainReader, request: ListRequest, limit: int, cursor: str) -> tuple[Moment, Json]:
    """One page of views, in the order of the index that is walked."""
    after = text_cursor(request.kind, cursor)
    async with standing_paced(reader) as (moment, share):
        views: list[Json] = []
        last, is_more = "", False
        for place, ident, value in _walk(moment, request, after):
            if len(views) == limit or place is None:
                is_more = True
                break
            last = place
            if value is not None and request.fits(moment, ident, value):
                views.append(view_json(moment, request.family, ident, value))
            await share.rest()
        following = cursor_text(request.kind, last) if is_more and last else None
        return moment, {list_name(request.family): views, "cursor": following, **moment.stamp}


def _walk(moment: Moment, request: ListRequest, after: str) -> Iterator[tuple[str | None, str, Any]]:
    """(place, id, value) of the entries after the place `after`; a place of None where the page has seen enough."""
    prefix, start = request.scan(moment)
    at = max(start, after + "\x00" if after else "")
    for _ in range(SCAN_MAX // SCAN_STEP):
        places = moment.reader.entries(prefix, at, SCAN_STEP)
        for place in places:
            ident = place.rpartition("/")[2]
            yield place, ident, moment.get(request.family, ident)
        if len(places) < SCAN_STEP:
            return
        at = places[-1] + "\x00"
    yield None, "", None
