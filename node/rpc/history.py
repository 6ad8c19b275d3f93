"""A vehicle's records, page by page."""

from __future__ import annotations

from node.rpc.answers import HistoryPage
from node.rpc.moments import Moment, standing_paced
from node.rpc.problems import Problem
from node.rpc.request_parsing import cursor_text, number_cursor
from node.storage.chain_store import ChainReader
from node.txtypes.history import RecordView, record_view
from node.txtypes.vehicle.vehicle import VEHICLE


async def history_page(reader: ChainReader, vin: str, limit: int, cursor: str) -> tuple[Moment, HistoryPage]:
    """Records from the oldest on. Raises `Problem`."""
    start = number_cursor("history/" + vin, cursor, 0)
    async with standing_paced(reader) as (moment, share):
        vehicle = moment.get(VEHICLE, vin)
        if vehicle is None:
            raise Problem("vehicle_unknown", f"{vin}: no vehicle of this chain")
        records: list[RecordView] = []
        for _, raw in moment.reader.records(vin, start, limit):
            records.append(record_view(vin, raw, moment))
            await share.rest()
        following = start + len(records)
        is_more = following < vehicle.record_count
        return moment, HistoryPage(
            vin,
            tuple(records),
            vehicle.record_count,
            vehicle.history_head,
            cursor_text("history/" + vin, following) if is_more else None,
        )
