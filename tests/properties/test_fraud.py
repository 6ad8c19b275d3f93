"""An author revoked for fraud since a time: every answer and every guard of a sale is that of a chain on which its
readings and clearances since then are absent; only marks differ.

Each world plays the same lives twice: once the author is listed for fraud at the end, once its records since the time
were never written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace
from support.chain import DAY_MS, HOUR_MS, Chain, address
from support.life import VIN, km, listing, read, transfer, where
from support.specimens import specimen
from support.stages import at, force, fork, ledger_of

from node.ledger.family import AsOf
from node.txtypes.members import member
from node.txtypes.members.member import FRAUDS, Fraud, Frauds
from node.txtypes.rulesets import RULESETS
from node.txtypes.service.repair import Operation
from node.txtypes.vehicle import conditions, odometer, readings, vehicle
from node.txtypes.vehicle.odometer import highest_metres, newest_distance
from node.txtypes.vehicle.readings import ODOMETER
from node.txtypes.vehicle.vehicle import VEHICLE, VehicleView

AUTHORS = ("workshop-berlin", "workshop-hamburg", "inspector-1", "inspector-2", "carrier-1", "police-1")
SITES = {"inspector-1": "INS-1", "inspector-2": "INS-2"}
SEEDS, MUTANT_SEEDS = range(16), range(60)
BLOCKING = {"duty_open", "unroadworthy", "clearance_void"}
"""A duty that was lifted by a clearance which is void, and one that was never lifted, block under different names."""


class Written(NamedTuple):
    """One record of a life: by whom, when, what."""

    author: str
    at_ms: int
    make: Callable[[Chain], Any]
    cosigners: tuple[str, ...]
    event_ms: int


def life(seed: int) -> tuple[list[Written], str, int]:
    """Readings that rise or don't, repairs of load-bearing parts, releases; and who is revoked since when."""
    chance, found = Random(seed), []
    now, value = at("wholesale").chain.now, 200
    for _ in range(chance.randrange(3, 14)):
        now += chance.choice((HOUR_MS, DAY_MS, 20 * DAY_MS, 60 * DAY_MS))
        value += chance.randrange(1, 3_000)
        shown = value if chance.random() < 0.8 else chance.randrange(100, value + 30_000)
        event = now - chance.choice((0, 0, HOUR_MS, DAY_MS, 30 * DAY_MS, 60 * DAY_MS))
        author = chance.choice(AUTHORS)
        if chance.random() < 0.15:
            found.append(Written("workshop-berlin", now, _repair(value, now), ("dealer-munich",), now))
        elif author in SITES and chance.random() < 0.6:
            found.append(Written(author, now, _release(author, value, now), ("dealer-munich",), now))
        else:
            found.append(Written(author, now, _read(shown, event), (), event))
    since_ms = now - chance.choice((0, DAY_MS, 15 * DAY_MS, 40 * DAY_MS, 200 * DAY_MS, 2_000 * DAY_MS))
    return found, chance.choice(found).author, since_ms


def _read(value: int, event_ms: int) -> Callable[[Chain], Any]:
    return lambda chain: read(VIN, km(value), event_ms)


def _tail(value: int, now_ms: int, site: str = "") -> dict[str, Any]:
    return dict(odometer=km(value), event_at_ms=now_ms, where=where(site), holder_signs=True)


def _repair(value: int, now_ms: int) -> Callable[[Chain], Any]:
    done = (Operation("front", "straighten"),)
    return lambda chain: specimen("repair.record", chain, operations=done, **_tail(value, now_ms))


def _release(inspector: str, value: int, now_ms: int) -> Callable[[Chain], Any]:
    plain = dict(checklist="STRUCTURAL", kind="structural_release", defects=(), valid_until_day=None)
    return lambda chain: specimen(
        "inspection.record", chain, **plain, **_tail(value, now_ms, SITES[inspector])
    )  # fmt: skip


def played(records: list[Written]) -> Chain:
    chain = fork(at("wholesale").chain)
    for entry in records:
        chain.now = max(chain.now, entry.at_ms)
        raw = chain.sign(entry.author, entry.make(chain), *entry.cosigners)
        if not chain.unmet(raw):
            chain.produce(raw, pass_ms=0)
    return chain


def worlds(seed: int) -> tuple[Chain, Chain]:
    """The chain on which the author is listed, and the one on which it was silent."""
    records, author, since_ms = life(seed)
    marked = played(records)
    force(marked, FRAUDS, "all", Frauds((Fraud(address(author), "", since_ms),)))
    silent = played([r for r in records if r.author != author or max(r.at_ms, r.event_ms) < since_ms])
    marked.now = silent.now = max(marked.now, silent.now) + (seed % 3) * 40 * DAY_MS
    return marked, silent


# --- what is compared ---------------------------------------------------------------------------------------------
def _names(chain: Chain) -> dict[int, tuple[int, int]]:
    """Sequence of a record to what it reads: sequences differ where a record is missing."""
    leaf = chain.state(ODOMETER, VIN)
    return {reading.sequence: (reading.event_at_ms, reading.metres) for reading in leaf.readings}


def answers(chain: Chain) -> dict[str, Any]:
    ledger, car, names = ledger_of(chain), chain.state(VEHICLE, VIN), _names(chain)
    view = VehicleView.of(VIN, car, ledger, AsOf(chain.now, RULESETS[1]))
    newest = view.odometer.newest
    return {
        "verdict": view.verdict,
        "reasons": tuple(reason for reason in view.odometer.reasons if reason != "author_excluded"),
        "explanations": sorted(
            (sorted(names[n] for n in e.sequences), sorted(names[n] for n in e.contradicts), e.typing_error_likely)
            for e in view.odometer.explanations
        ),
        "outliers": sorted(names[n] for n in view.odometer.outliers),
        "newest": newest and (newest.metres, newest.event_at_ms),
        "newest distance": newest_distance(ledger, VIN),
        "highest metres": highest_metres(ledger, VIN, chain.now, ledger.rules),
    }


def refusals(chain: Chain) -> dict[str, set[str]]:
    """What the steps of a sale are refused for."""
    steps = {
        "list": ("dealer-munich", listing(chain), ()),
        "transfer": ("dealer-munich", transfer(chain, "dealer-shanghai", 90_000), ("dealer-shanghai",)),
    }
    found = {}
    for name, (sender, body, cosigners) in steps.items():
        bodies = {name: body, f"{name}, disclosed": replace(body, discloses=("odometer", "duty", "unroadworthy"))}
        for shown, given in bodies.items():
            codes = set(chain.unmet(chain.sign(sender, given, *cosigners)))
            found[shown] = {code for code in codes if code not in BLOCKING}
    return found


def is_unreleased(chain: Chain) -> bool:
    """Whether structural work counts as not released, be it as a duty or as a clearance that is void."""
    car, now = chain.state(VEHICLE, VIN), chain.now
    found = set(conditions.conditions_of(ledger_of(chain), VIN, car, now, RULESETS[1]))
    return bool(found & {"duty_structural_release", "clearance_void"})


def difference(seed: int) -> str:
    marked, silent = worlds(seed)
    for name, compared in (("answers", answers), ("refusals", refusals)):
        if (one := compared(marked)) != (other := compared(silent)):
            told = {key: (one[key], other[key]) for key in one if one[key] != other[key]}
            return f"seed {seed}: {name}: {told}"
    if is_unreleased(silent) and not is_unreleased(marked):
        return f"seed {seed}: a clearance of a revoked author counts"
    return ""


@pytest.mark.parametrize("seed", SEEDS)
def test_a_fraud_is_as_if_silent(seed: int) -> None:
    assert "" == difference(seed)


def test_the_worlds_differ_where_nobody_is_listed() -> None:
    """The lives meet what the property is about."""
    met: Counter[str] = Counter()
    for seed in SEEDS:
        marked, silent = worlds(seed)
        met["verdict"] += answers(marked)["verdict"] != marked.state(VEHICLE, VIN).verdict
        met["release"] += is_unreleased(silent)
        met["stale"] += "odometer_stale" in refusals(silent)["list"]
        force(marked, FRAUDS, "all", None)
        met["answers"] += answers(marked) != answers(silent)
        met["refusals"] += refusals(marked) != refusals(silent)
    assert min(met[name] for name in ("verdict", "release", "stale", "answers", "refusals")) > 0, met


# --- mutants --------------------------------------------------------------------------------------------------------
def _inclusion_is_not_asked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(readings, "_is_since", lambda reading, since_ms: reading.event_at_ms >= since_ms)


MUTANTS: dict[str, Callable[[pytest.MonkeyPatch], Any]] = {
    "the stored verdict is answered": lambda patch: patch.setattr(
        vehicle, "verdict_now", lambda reader, vin, car, rules: car.verdict
    ),
    "guards see the stored verdict": lambda patch: patch.setattr(
        conditions, "verdict_now", lambda reader, vin, car, rules: car.verdict
    ),
    "what it read is fresh": lambda patch: patch.setattr(odometer, "with_excluded", lambda leaf, frauds: leaf),
    "a void clearance clears": lambda patch: patch.setattr(conditions, "is_fraudulent", lambda *args: False),
    "all its readings are gone": lambda patch: patch.setattr(readings, "_is_since", lambda reading, since_ms: True),
    "only the event counts": _inclusion_is_not_asked,
    "nobody is listed": lambda patch: patch.setattr(member, "_entries", lambda reader: ()),
}  # fmt: skip


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_mark_that_does_too_little_or_too_much_is_noticed(mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    MUTANTS[mutant](monkeypatch)
    assert any(difference(seed) for seed in MUTANT_SEEDS)
