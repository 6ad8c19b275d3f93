"""Handlers about cars beside their values: the history, the buyer's report, the cars with an alert."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from node.ledger.family import View, extended, index_prefix
from node.ledger.fields import Hash32, Vin
from node.rpc.answers import Cursor
from node.rpc.call import Call, PageQuery, cursor_text, read_cursor
from node.rpc.moments import Moment, paced_snapshot
from node.rpc.values import SCAN_MAX, canonical, path_ident, places, require
from node.txtypes.buyers_report import BATTERIES_MAX, RECORDS_MAX, BuyersReport
from node.txtypes.disputes.dispute import RecordStatusView, status_views
from node.txtypes.history import DecodedRecord, RecordView, decode_record, record_view
from node.txtypes.members.member import name_of
from node.txtypes.parts.battery import BATTERY
from node.txtypes.vehicle.regions import Alert, find_alert
from node.txtypes.vehicle.vehicle import VEHICLE, vehicle_at


# --- answers ------------------------------------------------------------------------------------------------
class HistoryPage(View, frozen=True):
    """Records of a vehicle, the oldest first. `statuses`: of those that were amended or disputed, what became of
    them."""

    vin: Vin
    records: tuple[RecordView, ...]
    statuses: tuple[RecordStatusView, ...]
    record_count: int
    history_head: Hash32
    cursor: Cursor


class AlertedCar(Alert, frozen=True):
    """An alert that is reported or confirmed, and the car that has it."""

    vin: Vin
    author_name: str


class AlertsPage(View, frozen=True):
    """Alerts with their cars, by code and VIN."""

    alerts: tuple[AlertedCar, ...]
    cursor: Cursor


# --- handlers -----------------------------------------------------------------------------------------------
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


async def report(call: Call) -> tuple[Moment, BuyersReport]:
    """The buyer's report of a vehicle, over its newest records."""
    vin, records = path_ident(VEHICLE, call), list[DecodedRecord]()
    async with paced_snapshot(call.reader()) as (moment, share):
        vehicle = require(moment, VEHICLE, vin)
        start = max(0, vehicle.record_count - RECORDS_MAX)
        for _, raw in moment.reader.records(vin, start, RECORDS_MAX):
            records.append(decode_record(raw))
            await share.rest()
        batteries = moment.reader.entries(index_prefix(BATTERY, "vehicle", vin), "", BATTERIES_MAX)
        return moment, BuyersReport.of(vin, vehicle, moment, moment.as_of, records, batteries)


class AlertsQuery(PageQuery, frozen=True):
    code: Annotated[str, Meta(description="one alert; all if it is not given")] = ""


async def alerts(call: Call) -> tuple[Moment, AlertsPage]:
    """Alerts that are reported or confirmed, from the vehicles' index."""
    index = next(index for index in VEHICLE.indexes if index.name == "alert")
    code = canonical(index.ident, call.query.code, "code") if call.query.code else ""
    prefix, kind = index_prefix(VEHICLE, index.name, code), f"alerts/{code}"
    after = read_cursor(kind, call.query.cursor, "")
    found: list[AlertedCar] = []
    following, last = None, ""
    async with paced_snapshot(call.reader()) as (moment, share):
        for count, place in enumerate(places(moment, prefix, after + "\x00" if after else "")):
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
