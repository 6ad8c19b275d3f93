"""What sets a wrong record right: authors amend theirs, owners dispute those of others, arbiters decide."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import msgspec

from fleet_simulation.cars import Car, Case
from fleet_simulation.genesis import ARBITERS
from fleet_simulation.world import Behaviour, Slip, World, happens, inspector_of, where
from node.ledger.body import TransactionBody
from node.ledger.fields import Odometer, RecordName, Where
from node.limits import DAY_MS
from node.txtypes.disputes.amend import RecordAmend
from node.txtypes.disputes.types import RecordClose, RecordDisputeOpen, RecordResolve
from node.txtypes.service.remedy import RecallDone
from node.txtypes.vehicle.record import record_digest

AMENDED: Final = 0.5
"""Of the typing errors and of the records on the wrong car: those that their author amends."""
NOTICED: Final = 0.9
"""Of the false records: those that the owner disputes."""
TRIES: Final = 6
"""How often a dispute is opened, once in 35 days: an account has eight open ones about one car."""
JUST: Final = 0.9
"""Votes of arbiters that see the truth. Our assumption."""
Write = Callable[[str, Odometer, Where, int], TransactionBody]
"""The body of a record for (VIN, reading, place, event time)."""


def name_of(world: World, vin: str, sequence: int) -> RecordName:
    """A record that is committed."""
    raw = world.chain.store.state.record(vin, sequence)
    assert raw is not None, "the record was committed"
    return RecordName(sequence, record_digest(raw))


def amend(
    world: World, car: Car, target: Car, author: str, slip: Slip, write: Write, sequence: int, case: Case
) -> Behaviour:
    """The author of a record on `target` writes the right one on `car`, and then amends the wrong one; where the rules
    ask for a witness, with an inspector."""
    chance = world.chance(f"{target.vin}/{sequence}/amend")
    if not happens(chance, AMENDED):
        return
    at_ms = world.now + chance.randrange(DAY_MS, 24 * DAY_MS)
    yield at_ms
    written: list[int] = []
    note = world.tell(car, author, slip.event_at_ms, slip.truth, taints=car.told_taints(slip.event_at_ms))

    def on_record(new: int, included_ms: int) -> None:
        note(new, included_ms)
        written.append(new)

    body = write(car.vin, slip.truth, where(car, author), slip.event_at_ms)
    if isinstance(body, RecallDone) and car is target:
        body = msgspec.structs.replace(body, corrects=name_of(world, target.vin, sequence))
    cosigners = (car.owner,) if getattr(body, "holder_signs", False) else ()
    if not world.send(author, body, *cosigners, side="amending", on_record=on_record).is_accepted:
        return
    yield at_ms + DAY_MS
    other = car.vin if car is not target else None
    body = RecordAmend(
        target.vin, name_of(world, target.vin, sequence), "wrong_vehicle" if other else "typing",
        name_of(world, car.vin, written[0]), other, None,
    )  # fmt: skip
    found = world.send(author, body, side="amending")
    if "witness_missing" in found.refused:
        witness = inspector_of(chance, car)
        address = world.chain.address(witness)
        found = world.send(author, with_witness(body, address), witness, side="amending")
        case.facts["with an inspector"] = int(found.is_accepted)
    if found.is_accepted:
        case.facts["amended"] = 1
        target.told[sequence] = replace(target.told[sequence], is_superseded=True)


def with_witness(body: RecordAmend, witness: bytes) -> RecordAmend:
    return RecordAmend(body.vin, body.target, body.reason, body.replaced_by, body.belongs_to, witness)


def dispute(world: World, car: Car, sequence: int, ground: str, case: Case) -> Behaviour:
    """The owner disputes a false record, its author does not answer, the arbiters vote."""
    chance = world.chance(f"{car.vin}/{sequence}/dispute")
    if not happens(chance, NOTICED):
        return
    at_ms = world.now + chance.randrange(DAY_MS, 12 * DAY_MS)
    target = name_of(world, car.vin, sequence)
    for _ in range(TRIES):
        yield at_ms
        opener = car.owner
        opened = world.send(opener, RecordDisputeOpen(car.vin, target, ground, ()), side="disputing")
        if "disputes_open" not in opened.refused:
            break
        at_ms += 35 * DAY_MS
    if not opened.is_accepted:
        return
    case.facts["disputed"] = case.facts.get("disputed", 0) + 1
    voting_ms = world.now + 14 * DAY_MS
    for number, arbiter in enumerate(ARBITERS):
        yield voting_ms + (number + 1) * 2 * DAY_MS
        outcome, reason = ("annulled", "falsified") if happens(chance, JUST) else ("stands", "not_proven")
        vote = RecordResolve(opened.txid, outcome, reason)
        if not world.send(arbiter, vote, side="arbiter").is_accepted:
            break
    yield voting_ms + 15 * DAY_MS
    world.send(opener, RecordClose(opened.txid), side="closing")
