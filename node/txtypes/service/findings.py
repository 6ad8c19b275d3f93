"""What inspections found of a car before, as far as a later one may end it, and the clearance that it then leaves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Literal, NamedTuple, get_args

from msgspec.structs import replace

from node.codec import Value
from node.ledger.fields import DefectSeverity, InspectionItem
from node.ledger.overlay import Ledger
from node.limits import DAY_MS
from node.txtypes.members.member import is_fraudulent
from node.txtypes.service.repair import RepairRecord
from node.txtypes.vehicle.record import StoredRecord, body_of, face_of, stored_record
from node.txtypes.vehicle.regions import Clearance, Flag, Inspection
from node.txtypes.vehicle.relation import related
from node.txtypes.vehicle.vehicle import Vehicle

Result = Literal["pass", "minor", "major", "dangerous"]
RESULTS: Final[tuple[Result, ...]] = get_args(Result)
"""Results of an inspection, the mildest first. `minor` is a pass too."""
FAILED: Final = ("major", "dangerous")


class Defect(Value, frozen=True):
    """A defect of an item of the checklist, and its severity."""

    item: InspectionItem
    severity: DefectSeverity


def gravest(defects: Iterable[Defect]) -> Result:
    """The gravest severity of defects, `pass` for none. One that the ruleset does not have is rejected as
    `code_unknown`."""
    found = {defect.severity for defect in defects}
    return next((result for result in reversed(RESULTS) if result in found), "pass")


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


def retest_by(vehicle: Vehicle, failed_ms: int, days: int) -> int:
    """By when a car that fails is to be inspected again, 0 for no time. `days`: those that it has, 0 for no end. A
    further fail puts no retest off: only a pass ends one."""
    former = fail_of(vehicle)
    dues = (failed_ms + days * DAY_MS if days else 0, former.retest_due_ms if former is not None else 0)
    return min(filter(None, dues), default=0)


def void_clearances(ledger: Ledger, vehicle: Vehicle, what: str) -> list[Clearance]:
    """The car's clearance of this kind, if its author is listed for fraud."""
    return [e for e in vehicle.clearances if e.what == what and is_fraudulent(ledger, e.author, e.at_ms)]


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


def is_settled(ledger: Ledger, finding: Finding, repair: StoredRecord | None) -> bool:
    """Whether one inspector, the sender, may say that a finding is over: it has found no danger, or itself, or what is
    dangerous was repaired since."""
    if not finding.dangerous or related(ledger, ledger.sender, finding.author):
        return True
    if repair is None or face_of(repair).event_at_ms < finding.at_ms:
        return False
    repaired = {operation.zone for operation in body_of(repair, RepairRecord).operations}
    known = ledger.rules.tables.inspection_items
    return all(known[item].zones & repaired for item in finding.dangerous)


def with_clearance(
    ledger: Ledger,
    vehicle: Vehicle,
    what: Literal["rebuild", "structural_release", "unroadworthy", "odometer_replace"],
    lifted: Iterable[object],
    failed: Inspection | None = None,
    flag: Flag | None = None,
) -> Vehicle:
    """The vehicle with the sender's clearance by its *next* record, if something was lifted. It replaces an older
    clearance, whose author may have been revoked since. `failed`, `flag`: the fail and the flag that it ends; a second
    pass of one author, or of its group, answers for what the first has ended."""
    others = tuple(entry for entry in vehicle.clearances if entry.what != what)
    older = next((entry for entry in vehicle.clearances if entry.what == what), None)
    is_lifted = any(True for _ in lifted)
    if not is_lifted and older is None:
        return vehicle
    flag = flag if flag is not None and flag.is_firm else None
    if older is not None and not is_lifted and related(ledger, older.author, ledger.sender):
        failed, flag = older.failed, older.flag
    new = Clearance(what, ledger.sender, vehicle.record_count, ledger.now_ms, failed, flag)
    return replace(vehicle, clearances=tuple(sorted((*others, new), key=lambda entry: entry.what)))
