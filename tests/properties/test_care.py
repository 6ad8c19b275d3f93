"""What inspections, recalls and stop-flags promise, over random lives of cars; and each promise sees what breaks it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace
from support import care as c
from support.care import PROMISES, Care, Promise

from node.txtypes.service import recall
from node.txtypes.service.inspection import InspectionRecord
from node.txtypes.service.recall import RECALL, RecallExtend, recall_ident
from node.txtypes.vehicle import relation, stop_flags
from node.txtypes.vehicle.stop_flags import FlagClear

pytestmark = pytest.mark.slow

STEPS = 250
SEEDS = 2
MUTANT_SEEDS = 12


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_a_promise_holds(promise: Promise) -> None:
    assert [""] * SEEDS == [promise(Care(seed), STEPS) for seed in range(SEEDS)]


def test_the_lives_meet_what_the_promises_are_about() -> None:
    life = Care(0)
    for _ in life.steps(2 * STEPS):
        pass
    assert life.accepted.keys() == {
        "inspection.record", "flag.set", "flag.clear", "repair.record", "recall.extend", "recall.done",
        "title.transfer",
    }  # fmt: skip
    assert {"structural_release", "unroadworthy"} <= life.lifted.keys()


class Mutant(NamedTuple):
    """A function or method that is replaced, and the promise that it breaks."""

    name: str
    owner: Any
    attribute: str
    instead: Callable[..., Any]
    promise: Promise


_extend = RecallExtend.apply


def _counts_one_more(body: RecallExtend, ledger: Any) -> None:
    _extend(body, ledger)
    ident = recall_ident(ledger.sender, body.campaign)
    found = ledger.the(RECALL, ident)
    ledger.put(RECALL, ident, replace(found, cars=found.cars + 1))


MUTANTS = [
    Mutant("repairers clear their work", relation, "is_repairer", lambda *a: False, c.whoever_lifts_is_distant),
    Mutant("inspectors need no distance", InspectionRecord, "_is_independent", lambda *a: True,
           c.whoever_lifts_is_distant),
    Mutant("flags are lifted from nearby", FlagClear, "_is_interested", lambda *a: False, c.whoever_lifts_is_distant),
    Mutant("a fail needs no witness", InspectionRecord, "_is_bound", lambda *a: True, c.one_writer_binds_nobody),
    Mutant("two of one group are two", stop_flags, "related", lambda reader, a, b, *rest: a == b,
           c.one_writer_binds_nobody),
    Mutant("one is two", stop_flags, "related", lambda *a: False, c.one_writer_binds_nobody),
    Mutant("a remedied car keeps its recall", recall, "without_recall", lambda ledger, car, entry: car,
           c.a_campaign_counts_its_cars),
    Mutant("a campaign counts one more", RecallExtend, "apply", _counts_one_more, c.a_campaign_counts_its_cars),
    Mutant("no recall forbids driving", recall, "with_firm_flag", lambda ledger, car, *a, **k: car,
           c.a_campaign_counts_its_cars),
    Mutant("lapsed flags are seen", stop_flags, "flags_at", lambda flags, now_ms: flags, c.waiting_is_doing),
    Mutant("cool-downs do not pass", stop_flags, "cooldowns_at", lambda life, now_ms: life.cooldowns,
           c.waiting_is_doing),
    Mutant("who repaired once has for ever", relation, "repairers_at",
           lambda life, now_ms: tuple(entry.author for entry in life.repairers), c.waiting_is_doing),
]  # fmt: skip


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_promise_sees_what_breaks_it(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutant.owner, mutant.attribute, mutant.instead)
    assert any(mutant.promise(Care(seed), STEPS) for seed in range(MUTANT_SEEDS))
