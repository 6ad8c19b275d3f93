"""What inspections found of a car before, as far as a later one may end it, and the clearance that it then leaves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Literal, NamedTuple

from msgspec.structs import replace

from node.ledger.overlay import Ledger
from node.txtypes.vehicle.record import body_of, face_of, stored_record
from node.txtypes.vehicle.regions import Clearance, Inspection
from node.txtypes.vehicle.vehicle import Vehicle

FAILED: Final = ("major", "dangerous")


class Finding(NamedTuple):
    """The content of a former record about the car: its author and time, the items of grave defects and those of
    dangerous ones. `grave`: None if the record does not say what all is wrong, as that of no inspection, or of one
    that looked at a part. `checklist` and `kind`: of an inspection."""

    author: bytes
    at_ms: int
    grave: frozenset[str] | None
    dangerous: frozenset[str]
    checklist: str
    kind: str


def fail_of(vehicle: Vehicle) -> Inspection | None:
    """The inspection that the car has failed, unless it has passed one since."""
    noted = vehicle.inspection
    return noted if noted is not None and noted.result in FAILED else None


def is_as_distant(ledger: Ledger, checklist: str, finding: Finding) -> bool:
    """Whether a checklist asks for inspectors as distant as that of the finding does."""
    tables = ledger.rules.tables
    rank, lists = tables.inspection_independence.index, tables.checklists
    before = lists[finding.checklist].independence if finding.checklist else tables.inspection_independence[0]
    return rank(lists[checklist].independence) >= rank(before)


def finding_of(ledger: Ledger, vin: str, sequence: int) -> Finding:
    """The finding of the record that set the flag, failed the car or created the duty."""
    raw = ledger.record(vin, sequence)
    assert raw is not None, "the state names records that exist"
    record = stored_record(raw)
    face = face_of(record)
    if face.kind != "inspection.record":
        return Finding(face.author, face.event_at_ms, None, frozenset(), "", "")
    kind: Any = ledger.rules.types[face.kind]
    body = body_of(record, kind)
    grave, dangerous = (
        frozenset(defect.item for defect in body.defects if defect.severity in severities)
        for severities in (FAILED, ("dangerous",))
    )  # fmt: skip
    return Finding(
        face.author, face.event_at_ms, grave if not body.items else None, dangerous, body.checklist, body.kind
    )  # fmt: skip


def with_clearance(
    ledger: Ledger,
    vehicle: Vehicle,
    what: Literal["rebuild", "structural_release", "unroadworthy", "odometer_replace"],
    lifted: Iterable[object],
) -> Vehicle:
    """The vehicle with the sender's clearance by its *next* record, if something was lifted. It replaces an older
    clearance, whose author may have been revoked since."""
    others = tuple(entry for entry in vehicle.clearances if entry.what != what)
    if not any(True for _ in lifted) and len(others) == len(vehicle.clearances):
        return vehicle
    new = Clearance(what, ledger.sender, vehicle.record_count, ledger.now_ms)
    return replace(vehicle, clearances=tuple(sorted((*others, new), key=lambda entry: entry.what)))
