"""Handlers for state values and lists of them, derived from the declarations of the families."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

import msgspec
from aiohttp import web
from msgspec import Meta

from node.errors import Malformed
from node.ledger.family import Family, Filter, Ident, Index, expiry_value, extended, index_prefix
from node.ledger.json_form import json_form
from node.rpc.call import Call, PageQuery, Rpc, cursor_text, json_body, read_cursor
from node.rpc.moments import Moment, WorkShare, moment_at, paced_snapshot
from node.rpc.problems import Problem
from node.rpc.vehicle_answers import AlertedCar, AlertsPage, HistoryPage
from node.storage.chain_store import ChainReader
from node.txtypes.buyers_report import BATTERIES_MAX, RECORDS_MAX, leads_parallel_life, own_records
from node.txtypes.disputes.dispute import status_views
from node.txtypes.history import DecodedRecord, RecordView, decode_record, record_view
from node.txtypes.members.member import name_of
from node.txtypes.parts.battery import BATTERY
from node.txtypes.vehicle.claims import ORDER_CLAIMS
from node.txtypes.vehicle.regions import find_alert
from node.txtypes.vehicle.series import OdometerSeries
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle, vehicle_at
from node.views.car_report import CLAIMED_MAX, CarReport, car_report

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
    return known(family, ident, moment.get(family, ident))


def known(family: Family[Any], ident: str, value: Any) -> Any:
    """The value that was read of an id. Raises `Problem` if it is None."""
    if value is None:
        raise Problem(f"{family.word}_unknown", f"{ident}: no {family.name} of this chain")
    return value


def view_of(moment: Moment, family: Family[Any], ident: str, value: Any) -> Any:
    assert family.view is not None, f"family {family.name} is served over HTTP"
    return family.view.of(ident, value, moment, moment.as_of)


async def value(family: Family[Any], call: Call) -> web.StreamResponse | tuple[Moment, Any]:
    """The view of one value."""
    ident = path_ident(family, call)
    if call.query.height:
        moment = moment_at(call.reader(), call.query.height)
        return moment, view_of(moment, family, ident, require(moment, family, ident))
    body = known(family, ident, value_at_head(call.rpc, family, ident))
    return web.Response(body=body, headers=call.rpc.at_head().headers)


def value_at_head(rpc: Rpc, family: Family[Any], ident: str) -> bytes | None:
    """One state value at the head as JSON, cached until the next block; None if it does not exist."""
    at_head, key = rpc.at_head(), family.new_key(ident)
    body = at_head.rendered.get(key)
    if body is None:
        moment = at_head.moment
        value = moment.read(family, key)
        if value is None:
            return None
        body = json_body(view_of(moment, family, ident, value), moment.stamp)
        at_head.keep(key, body, rpc.config.vehicle_cache)
    return body


async def derived(family: Family[Any], view: type[Any], call: Call) -> tuple[Moment, Any]:
    """Another view of a value than the family's own: it has the same signature."""
    ident, moment = path_ident(family, call), call.moment()
    return moment, view.of(ident, require(moment, family, ident), moment, moment.as_of)


async def history(call: Call) -> tuple[Moment, HistoryPage]:
    """Records of a vehicle in ascending order."""
    vin = path_ident(VEHICLE, call)
    kind = "history/" + vin
    start = read_cursor(kind, call.query.cursor, 0)
    records: list[RecordView] = []
    async with paced_snapshot(call.reader()) as (moment, share):
        vehicle = require(moment, VEHICLE, vin)
        for _, raw in moment.reader.records(vin, start, call.query.limit):
            records.append(record_view(vin, raw, moment))
            await share.rest()
        statuses = status_views(moment, vin, range(start, start + len(records)))
    end = start + len(records)
    cursor = cursor_text(kind, end) if end < vehicle.record_count else None
    return moment, HistoryPage(vin, tuple(records), statuses, vehicle.record_count, vehicle.history_head, cursor)


async def _newest_records(moment: Moment, share: WorkShare, vin: str, vehicle: Vehicle) -> list[DecodedRecord]:
    """The records that a report reads."""
    records = []
    for _, raw in moment.reader.records(vin, max(0, vehicle.record_count - RECORDS_MAX), RECORDS_MAX):
        records.append(decode_record(raw))
        await share.rest()
    return records


async def odometer(call: Call) -> tuple[Moment, OdometerSeries]:
    """The readings of a vehicle. Whether it leads a parallel life is told from its newest records too."""
    vin = path_ident(VEHICLE, call)
    async with paced_snapshot(call.reader()) as (moment, share):
        vehicle = require(moment, VEHICLE, vin)
        records = own_records(vehicle, await _newest_records(moment, share, vin, vehicle))
        is_parallel = leads_parallel_life(vin, records, moment)
        return moment, OdometerSeries.of(vin, vehicle, moment, moment.as_of, parallel_life=is_parallel)


async def report(call: Call) -> tuple[Moment, CarReport]:
    """The buyer's report of a vehicle, over its newest records."""
    vin = path_ident(VEHICLE, call)
    async with paced_snapshot(call.reader()) as (moment, share):
        vehicle = require(moment, VEHICLE, vin)
        records = await _newest_records(moment, share, vin, vehicle)
        batteries = moment.reader.entries(index_prefix(BATTERY, "vehicle", vin), "", BATTERIES_MAX)
        claimed = moment.reader.entries(index_prefix(ORDER_CLAIMS, "vin", vin), "", CLAIMED_MAX)
        return moment, car_report(vin, vehicle, moment, moment.as_of, records, batteries, claimed)


class AlertsQuery(PageQuery, frozen=True):
    code: Annotated[str, Meta(description="one alert; all if it is not given")] = ""


async def alerts(call: Call) -> tuple[Moment, AlertsPage]:
    """Alerts that are reported or confirmed, from the vehicles' index."""
    index = next(index for index in VEHICLE.indexes if index.name == "alert")
    code = canonical(index.ident, call.query.code, "code") if "code" in call.request.query else ""
    prefix, kind = index_prefix(VEHICLE, index.name, code), f"alerts/{code}"
    after = read_cursor(kind, call.query.cursor, "")
    found: list[AlertedCar] = []
    following, last = None, ""
    async with paced_snapshot(call.reader()) as (moment, share):
        for count, place in enumerate(_places(moment, prefix, after + "\x00" if after else "")):
            if len(found) == call.query.limit or count == SCAN_MAX:
                following = cursor_text(kind, last)
                break
            of_alert, _, vin = (f"{code}/{place}" if code else place).partition("/")
            last, vehicle = place, require(moment, VEHICLE, vin)
            alert = find_alert(vehicle_at(vehicle, moment.as_of.now_ms).alerts, of_alert)
            if alert is not None and alert.state != "closed":
                found.append(extended(AlertedCar, alert, vin=vin, author_name=name_of(moment, alert.author)))
            await share.rest()
    return moment, AlertsPage(tuple(found), following)


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
    require(call.moment(), owner, ident)
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
    views: list[msgspec.Struct] = []
    following, last = None, ""
    async with paced_snapshot(reader) as (moment, share):
        prefix, start = request.scan(moment)
        for count, place in enumerate(_places(moment, prefix, max(start, after + "\x00" if after else ""))):
            if len(views) == limit or count == SCAN_MAX:
                following = cursor_text(request.kind, last)
                break
            ident, last = place.rpartition("/")[2], place
            value = moment.get(family, ident)
            if value is not None and request.fits(moment, ident, value):
                views.append(json_form(view_of(moment, family, ident, value)))
            await share.rest()
    return moment, {plural_of(family): views, "cursor": following}


def _places(moment: Moment, prefix: bytes, start: str) -> Iterator[str]:
    """The entries below a store prefix from `start` on, read in steps."""
    while places := moment.reader.entries(prefix, start, SCAN_STEP):
        yield from places
        start = places[-1] + "\x00"
