"""JSON answers about vehicles other than views of their state values."""

from __future__ import annotations

from node.ledger.family import View
from node.ledger.fields import Hash32, Vin
from node.rpc.answers import Cursor
from node.txtypes.disputes.dispute import RecordStatusView
from node.txtypes.history import RecordView
from node.txtypes.vehicle.regions import Alert


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
