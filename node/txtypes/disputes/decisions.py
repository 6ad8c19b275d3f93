"""How disputes end: decided by votes, withdrawn by the opener, or because the author has amended the record."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from node.ledger.overlay import Ledger
from node.txtypes.disputes.dispute import (
    RECORD_DISPUTE,
    WITHDRAWN,
    RecordDispute,
    note_closed,
    put_record_status,
    record_status,
    status_at,
)
from node.txtypes.disputes.rulings import Ruled, Ruling, RulingName, carry_out
from node.txtypes.members.conduct import count
from node.txtypes.vehicle.brands import T, brand_at, brand_state
from node.txtypes.vehicle.life import LIFE
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle

RULING_OF: Final[dict[str, RulingName]] = {
    "annulled": "annulled", "stands": "stands", "undecided": "undecided", "amended": "undecided",
}  # fmt: skip
"""Outcome of a dispute to the ruling on the car. A record that is to be amended stands until its author has done so."""


def end(ledger: Ledger, ident: bytes, dispute: RecordDispute, outcome: str) -> None:
    """Close a dispute, and free its places."""
    ledger.put(RECORD_DISPUTE, ident, replace(dispute, outcome=outcome, closed_at_ms=ledger.now_ms))
    note_closed(ledger, ident, dispute)


def _end_all(ledger: Ledger, vin: str, sequence: int, outcome: str) -> None:
    """Close every dispute about a record: they have reached their aim."""
    for ident in record_status(ledger, vin, sequence).disputes:
        dispute = ledger.the(RECORD_DISPUTE, ident)
        if not dispute.outcome:
            end(ledger, ident, dispute, outcome)


def settle_amended(ledger: Ledger, vin: str, sequence: int) -> None:
    """The author has amended the record."""
    _end_all(ledger, vin, sequence, "amended")


def decide(ledger: Ledger, ident: bytes, dispute: RecordDispute, outcome: str) -> Ruled:
    """What arbiters have decided: the vehicle after it, and whether a buyer has to know."""
    vin, sequence = dispute.vin, dispute.target.sequence
    end(ledger, ident, dispute, outcome)
    if outcome != "undecided" or not record_status(ledger, vin, sequence).outcome:
        put_record_status(ledger, vin, sequence, outcome=outcome)
    if outcome == "annulled":
        count(ledger, dispute.author, "annulled")
        _end_all(ledger, vin, sequence, outcome)
    if outcome == "stands":
        count(ledger, dispute.opener, "dismissed")
    ruling = Ruling(RULING_OF[outcome], vin, sequence, dispute.kind, dispute.ground, dispute.standing)
    return carry_out(ledger, ruling, ledger.the(VEHICLE, vin))


def withdraw(ledger: Ledger, ident: bytes, dispute: RecordDispute) -> Vehicle:
    """The opener gives up its dispute; the vehicle after it. It can't escape the votes against it by that."""
    if dispute.votes:
        count(ledger, dispute.opener, "dismissed")
    end(ledger, ident, dispute, WITHDRAWN)
    return with_disputed_effects(ledger, ledger.the(VEHICLE, dispute.vin), dispute.vin, dispute.target.sequence)


def with_disputed_effects(ledger: Ledger, vehicle: Vehicle, vin: str, sequence: int) -> Vehicle:
    """The vehicle, of which the pending brands, the pending total loss and the pending incident that the record tells
    wait for the last vote about their records. What time has decided keeps its state."""

    def waiting(told: T, records: tuple[int, ...]) -> T:
        told = brand_at(told, ledger.now_ms) if sequence in records else told
        if sequence not in records or told.state != "pending":
            return told
        return replace(told, disputed_until_ms=max(_vote_ends(ledger, vin, record) for record in records))

    life = ledger.get(LIFE, vin)
    if life is not None:
        incidents = tuple(
            replace(entry, disputed_until_ms=max(_vote_ends(ledger, vin, record) for record in entry.records))
            if sequence in entry.records and brand_state(entry, ledger.now_ms) == "pending" else entry
            for entry in life.incidents
        )  # fmt: skip
        if incidents != life.incidents:
            ledger.put(LIFE, vin, replace(life, incidents=incidents))
    loss = vehicle.loss
    return replace(
        vehicle, brands=tuple(waiting(brand, brand.records) for brand in vehicle.brands),
        loss=waiting(loss, (loss.sequence,)) if loss is not None else None,
    )  # fmt: skip


def _vote_ends(ledger: Ledger, vin: str, sequence: int) -> int:
    """When the last open vote about a record ends, 0 for none."""
    disputes = [ledger.the(RECORD_DISPUTE, ident) for ident in record_status(ledger, vin, sequence).disputes]
    return max((d.ends_at_ms for d in disputes if status_at(d, ledger.now_ms) != "closed"), default=0)
