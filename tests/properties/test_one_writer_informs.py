"""One writer informs, two bind: over random reports of damage, repairs and total losses of one car.

After every transaction the car is compared with what it was just before. What a check asks of the state follows from
the records alone, and every check meets mutants that it is there for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace
from support.chain import DAY_MS, HOUR_MS
from support.damage import LIFE_BYTES_MAX, give_role, group, life_of, loss, repair, report
from support.life import VIN, km
from support.stages import at, change

from node.codec import encode
from node.errors import Corrupted
from node.ledger.body import TransactionBody
from node.rules.brands import TOTAL_LOSS_CATEGORIES
from node.rules.damage import CAUSES
from node.txtypes.service import damage
from node.txtypes.service import loss as loss_module
from node.txtypes.service import repair as repair_module
from node.txtypes.service.damage import AccidentReport
from node.txtypes.service.loss import TotalLoss
from node.txtypes.service.repair import RepairRecord
from node.txtypes.vehicle import incidents as incidents_module
from node.txtypes.vehicle import life as life_module
from node.txtypes.vehicle import tellers as tellers_module
from node.txtypes.vehicle.brands import Brand, brand_state
from node.txtypes.vehicle.incidents import JOINED_MS
from node.txtypes.vehicle.life import Life
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle, existence_now

pytestmark = pytest.mark.slow

SEEDS = range(24)
SHORT, LONG = 20, 120
"""Steps: many cars without a past, on which a second report decides; and some with a long one, whose sets are full."""
HOLDER = "bmw"
WORKSHOPS, INSURERS = ("workshop-berlin", "workshop-hamburg", "dismantler-1"), ("insurer-1", "carrier-1", "bank-1")
GROUPS = {"workshop-berlin": "a", "workshop-hamburg": "a", "dismantler-1": "a", "insurer-1": "b", "bank-1": "b"}
"""The others stand alone, and `police-1` binds alone."""
PAUSES = (*[HOUR_MS] * 8, DAY_MS, DAY_MS, 10 * DAY_MS, 31 * DAY_MS, 200 * DAY_MS)


class Broken(AssertionError):
    """A rule does not hold."""


@dataclass(frozen=True)
class Step:
    """One accepted transaction, and the car just before and just after it, both as they count at `now_ms`."""

    sender: str
    body: Any
    is_signed_by_holder: bool
    now_ms: int
    before: Vehicle
    after: Vehicle
    life: Life
    earlier: tuple[tuple[str, Any], ...]
    """Every (sender, body) accepted before it."""

    @property
    def binds_alone(self) -> bool:
        return self.is_signed_by_holder or self.sender in (HOLDER, "police-1")

    def states(self, vehicle: Vehicle) -> dict[str, str]:
        return {brand.code: brand_state(brand, self.now_ms) for brand in vehicle.brands}


@dataclass
class Damages:
    """A random walk over one car; it is its seed."""

    seed: int
    accepted: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.chance = Random(self.seed)
        self.chain = at("born").chain
        for name in WORKSHOPS:
            give_role(self.chain, name, "workshop", ("hv", "structural"))
        for name in INSURERS:
            give_role(self.chain, name, "insurer")
        for name, name_of_group in GROUPS.items():
            group(self.chain, name_of_group, name)
        self.chain.now += 400 * DAY_MS
        self.earlier: list[tuple[str, Any]] = []

    def steps(self) -> Iterator[Step]:
        for _ in range(SHORT if self.seed % 6 else LONG):
            self._decide()
            sender, body = self._next()
            is_signed = self.chance.random() < 0.15
            body = replace(body, holder_signs=is_signed)
            raw = self.chain.sign(sender, body, *((HOLDER,) if is_signed and sender != HOLDER else ()))
            if not self.chain.unmet(raw):
                before, now_ms = self.chain.state(VEHICLE, VIN), self.chain.now
                self.chain.produce(raw)
                after = self.chain.state(VEHICLE, VIN)
                life = life_of(self.chain)
                yield Step(sender, body, is_signed, now_ms, before, after, life, tuple(self.earlier))
                self.earlier.append((sender, body))
                self.accepted[type(body).__name__] += 1
            self.chain.now += self.chance.choice(PAUSES)

    def _decide(self) -> None:
        """Now and then a dispute is opened about a brand, or one ends: what arbiters do is no writer's doing."""
        vehicle = self.chain.state(VEHICLE, VIN)
        if vehicle.brands and self.chance.random() < 0.1:
            chosen = self.chance.choice(vehicle.brands)
            change(self.chain, VEHICLE, VIN, brands=tuple(
                self._decided(brand) if brand is chosen else brand for brand in vehicle.brands
            ))  # fmt: skip
        if vehicle.loss is not None and self.chance.random() < 0.2:
            change(self.chain, VEHICLE, VIN, loss=replace(vehicle.loss, state="annulled"))

    def _decided(self, brand: Brand) -> Brand:
        if self.chance.random() < 0.5:
            return replace(brand, state="annulled")
        return replace(brand, state="undecided") if brand.state == "pending" else brand

    def _next(self) -> tuple[str, TransactionBody]:
        chance, chain = self.chance, self.chain
        kind = chance.random()
        if kind < 0.6:
            return chance.choice((*WORKSHOPS, *WORKSHOPS, *INSURERS, *INSURERS, "police-1", HOLDER)), self._accident()
        if kind < 0.8:
            operations = chance.choice(("front weld", "rear adjust", "front replace_structure", "roof refinish"))
            return chance.choice(WORKSHOPS), repair(chain, operations, 120)
        category, cause = chance.choice("ABSN"), chance.choice(list(CAUSES))
        return chance.choice(INSURERS), loss(chain, category, cause=cause)

    def _accident(self) -> TransactionBody:
        chance, chain = self.chance, self.chain
        zones = " ".join(chance.sample(("front", "rear", "roof", "suspension"), chance.choice((1, 1, 2))))
        return report(
            chain, zones, extent=chance.choice(("cosmetic", "structural", "structural")), odometer=km(120),
            event_at_ms=chain.now - chance.choice((0, 0, 70, 75, 200)) * HOUR_MS, cause=chance.choice(list(CAUSES)),
            airbags=chance.choice((0, 0, 2)), case=chance.choice((None, None, b"c" * 32)),
        )  # fmt: skip


# --- the checks -------------------------------------------------------------------------------------------
def related(one: str, other: str) -> bool:
    return one == other or (one in GROUPS and GROUPS.get(one) == GROUPS.get(other))


def tells(sender: str, body: Any) -> set[str]:
    """The brands that a record leaves, from its fields alone."""
    found: set[str] = set()
    if isinstance(body, RepairRecord):
        return {"structural_repair"}
    cause = CAUSES[body.cause]
    found |= {cause} if cause else set()
    if isinstance(body, TotalLoss):
        return found | set(TOTAL_LOSS_CATEGORIES[body.category])
    if body.cause == "theft" and (sender in INSURERS or sender == "police-1"):
        found.add("theft_recovered")
    found |= {"airbag_deployed"} if body.airbags else set()
    is_structural = any(entry.extent == "structural" for entry in body.damages)
    return found | ({"collision_structural"} if is_structural else set())


def is_near(body: Any, step: Step) -> bool:
    """Whether two reports can be of one accident: incidents seldom grow beyond some days. Of other records always."""
    are_reports = isinstance(body, AccidentReport) and isinstance(step.body, AccidentReport)
    return not are_reports or abs(body.event_at_ms - step.body.event_at_ms) <= 30 * DAY_MS


def no_lone_writer_confirms(step: Step) -> None:
    """What one writer says without the holder's signature is confirmed at once only if another, not related to it, has
    told the same brand; the car is no total loss by it, and no duty is due."""
    if step.binds_alone:
        return
    before, after = step.states(step.before), step.states(step.after)
    for code, state in after.items():
        if state == "confirmed" and before.get(code) != "confirmed":
            others = [sender for sender, body in step.earlier if code in tells(sender, body) and is_near(body, step)]
            if all(related(sender, step.sender) for sender in others):
                raise Broken(f"{step.sender} alone confirms {code}")
    is_lost = existence_now(step.after, step.now_ms) == "total_loss" != existence_now(step.before, step.now_ms)
    insurers = [sender for sender, body in step.earlier if isinstance(body, TotalLoss)]
    if is_lost and all(related(sender, step.sender) for sender in insurers):
        raise Broken(f"{step.sender} alone makes a total loss")
    due = [[duty for duty in car.duties if duty.due_ms <= step.now_ms] for car in (step.before, step.after)]
    if len(due[1]) > len(due[0]):
        raise Broken(f"{step.sender} alone makes a duty due")


LEGAL = {
    "": ("pending", "confirmed"),
    "pending": ("pending", "confirmed"),
    "undecided": ("undecided", "confirmed"),
    "confirmed": ("confirmed",),
    "annulled": ("annulled", "pending", "confirmed"),
}
"""State of a brand to those after a record; annulled and undecided come from decisions and time only."""


def brands_stay(step: Step) -> None:
    """No entry vanishes, none is twice, each is in order, and records move states only the way that is legal."""
    before, after = step.states(step.before), step.states(step.after)
    if missing := before.keys() - after.keys():
        raise Broken(f"{missing} vanished")
    codes = [brand.code for brand in step.after.brands]
    if codes != sorted(set(codes)):
        raise Broken(f"{codes} is not in order")
    for code, state in after.items():
        if state not in LEGAL[before.get(code, "")]:
            raise Broken(f"{code}: {before.get(code)} became {state}")
    told = tells(step.sender, step.body) if not isinstance(step.body, RepairRecord) else set()
    if not told <= after.keys():
        raise Broken(f"{told - after.keys()} was told and is not there")


def accidents_count_once(step: Step) -> None:
    """A report within 72 h of an earlier one with a zone in common does not count again; one that is near to none
    does. Beyond the bound a mild one can be forgotten, and counts again."""
    added = step.after.accident_count - step.before.accident_count
    if not isinstance(step.body, AccidentReport):
        if added:
            raise Broken("what is no report counts as an accident")
        return
    zones = {entry.zone for entry in step.body.damages}
    reports = [body for _, body in step.earlier if isinstance(body, AccidentReport)]
    near = [body for body in reports if abs(body.event_at_ms - step.body.event_at_ms) <= JOINED_MS]
    if added and not step.life.older_incidents and any(zones & {entry.zone for entry in body.damages} for body in near):
        raise Broken("an accident that was reported before counts again")
    if not added and not near:
        raise Broken("an accident that nobody reported before does not count")
    working = step.life
    if len(working.incidents) + working.older_incidents != step.after.accident_count:
        raise Broken("the incidents are not as many as the accidents")


def sets_are_bounded(step: Step) -> None:
    if len(encode(step.life)) > LIFE_BYTES_MAX:
        raise Broken("the working sets are too large")


CHECKS: dict[str, Callable[[Step], None]] = {
    "no lone writer confirms": no_lone_writer_confirms,
    "brands stay": brands_stay,
    "accidents count once": accidents_count_once,
    "sets are bounded": sets_are_bounded,
}


def broken_by(seed: int) -> tuple[dict[str, str], Damages]:
    """The first violation of each check that one walk has met."""
    walk, broken = Damages(seed), {}
    try:
        for number, step in enumerate(walk.steps()):
            _check(step, number, broken)
    except Corrupted as error:  # a list beyond its bound does not decode
        broken["sets are bounded"] = str(error)
    return broken, walk


def _check(step: Step, number: int, broken: dict[str, str]) -> None:
    for name, check in CHECKS.items():
        try:
            check(step)
        except Broken as error:
            broken.setdefault(name, f"step {number}: {error}")


def test_it_holds_on_every_walk() -> None:
    accepted: Counter[str] = Counter()
    for seed in SEEDS:
        broken, walk = broken_by(seed)
        assert {} == broken, f"seed {seed}"
        accepted += walk.accepted
    assert min(accepted[kind] for kind in ("AccidentReport", "RepairRecord", "TotalLoss")) > 20, accepted


# --- mutants ----------------------------------------------------------------------------------------------
Patch = Callable[[pytest.MonkeyPatch], None]


def nobody_is_related(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(damage, "related", lambda *args: False)


def one_insurer_binds(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(loss_module, "related", lambda *args: False)


def workshops_are_believed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(RepairRecord, "is_acknowledged", lambda *args: True)


def reporters_are_believed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(AccidentReport, "is_acknowledged", lambda *args: True)


def duties_are_due_at_once(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(repair_module, "BRAND_CONFIRMED_MS", 0)


def with_wrong_brand(wrong: Callable[[tuple[Brand, ...], tuple[Brand, ...]], tuple[Brand, ...]]) -> Patch:
    """`wrong(before, after)` in the place of what entering a brand gives."""
    right = tellers_module.with_brand

    def entered(brands: tuple[Brand, ...], *args: Any, **options: Any) -> tuple[Brand, ...]:
        return wrong(brands, right(brands, *args, **options))

    def patched(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(tellers_module, "with_brand", entered)

    return patched


def annulled_ones_vanish(before: tuple[Brand, ...], after: tuple[Brand, ...]) -> tuple[Brand, ...]:
    return tuple(brand for brand in after if brand.state != "annulled")


def undecided_ones_are_as_new(before: tuple[Brand, ...], after: tuple[Brand, ...]) -> tuple[Brand, ...]:
    return tuple(replace(brand, state="pending") if brand.state == "undecided" else brand for brand in after)


def new_ones_are_put_last(before: tuple[Brand, ...], after: tuple[Brand, ...]) -> tuple[Brand, ...]:
    codes = {brand.code for brand in before}
    return (*before, *(brand for brand in after if brand.code not in codes))


def every_report_is_an_incident(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(damage, "find_incident", lambda *args: None)


def reports_join_too_late(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(incidents_module, "JOINED_MS", 60 * DAY_MS)


def reports_join_too_seldom(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(incidents_module, "JOINED_MS", 71 * HOUR_MS // 2)


def incidents_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(damage, "with_incident", lambda life, before, after, now_ms: replace(life, incidents=(after,)))


def reporters_are_never_dropped(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(incidents_module, "REPORTERS_MAX", 99)


def incidents_are_never_dropped(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(life_module, "INCIDENTS_MAX", 99)


MUTANTS: list[tuple[str, Patch]] = [
    ("no lone writer confirms", nobody_is_related),
    ("no lone writer confirms", one_insurer_binds),
    ("no lone writer confirms", workshops_are_believed),
    ("no lone writer confirms", reporters_are_believed),
    ("no lone writer confirms", duties_are_due_at_once),
    ("brands stay", with_wrong_brand(annulled_ones_vanish)),
    ("brands stay", with_wrong_brand(undecided_ones_are_as_new)),
    ("brands stay", with_wrong_brand(new_ones_are_put_last)),
    ("accidents count once", every_report_is_an_incident),
    ("accidents count once", reports_join_too_late),
    ("accidents count once", reports_join_too_seldom),
    ("accidents count once", incidents_are_forgotten),
    ("sets are bounded", reporters_are_never_dropped),
    ("sets are bounded", incidents_are_never_dropped),
]


@pytest.mark.parametrize(("check", "mutant"), MUTANTS)
def test_each_check_sees_what_it_is_there_for(check: str, mutant: Patch, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant(monkeypatch)
    for seed in SEEDS:
        broken, _ = broken_by(seed)
        if check in broken:
            return
    raise AssertionError(f"no walk has met the mutant: {check}")
