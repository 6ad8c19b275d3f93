"""Random lives of cars in the hands of those who inspect, repair, recall, flag and trade them; what holds at each step.

A life is its seed. Members belong to groups at random, so that some are related. Each promise says at every accepted
step what is wrong, or nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random

from msgspec.structs import replace

from node.ledger.body import TransactionBody, type_of
from node.ledger.family import AsOf
from node.ledger.fields import RecordName
from node.rules.checklists import CHECKLISTS
from node.rules.stop_flags import STOP_FLAGS
from node.txtypes.members.conduct import CONDUCT
from node.txtypes.members.member import MEMBER
from node.txtypes.rulesets import RULESETS
from node.txtypes.service.findings import Defect
from node.txtypes.service.inspection import InspectionRecord
from node.txtypes.service.recall import RECALL, RecallExtend
from node.txtypes.service.repair import Operation
from node.txtypes.vehicle.life import LIFE, REPAIRED_MS, TRADED_MS
from node.txtypes.vehicle.record import digest_of, stored_record
from node.txtypes.vehicle.regions import flags_at
from node.txtypes.vehicle.stop_flags import OWN_RIGHT, FlagClear, FlagSet
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle, VehicleView
from support.chain import DAY_MS, HOUR_MS, Chain, address
from support.life import VIN, km, register, transfer, where
from support.specimens import specimen
from support.stages import at, change, force, ledger_of

VINS = tuple(f"{VIN[:-1]}{digit}" for digit in "567")
GROUPED = (
    "inspector-1", "inspector-2", "workshop-berlin", "workshop-hamburg", "dealer-munich", "dealer-shanghai",
    "police-1", "bank-1", "registrar-1", "bmw",
)  # fmt: skip
SITES = {"inspector-1": "INS-1", "inspector-2": "INS-2", "workshop-berlin": "BER-1", "workshop-hamburg": "HAM-1"}
INSPECTORS = ("inspector-1", "inspector-2")
AUTHORITIES = ("police-1", "registrar-1", "registrar-2")
CAMPAIGNS = {"STOP": "stop_drive", "SAFE": "safety"}
PAUSES = (60_000, 60_000, HOUR_MS, HOUR_MS, 8 * HOUR_MS, 2 * DAY_MS, 15 * DAY_MS, 40 * DAY_MS)
ALONE = tuple(name for name, rule in STOP_FLAGS.items() if rule.provisional_by)
"""Flags that an inspector sets provisionally."""
DEFECTS = (("1.1.12", "dangerous"), ("1.1.12", "major"), ("4.1.1", "minor"), ("0.2", "major"), ("2.1.1", "dangerous"))

Step = tuple[str, TransactionBody, tuple[str, ...]]


@dataclass(frozen=True)
class Taken:
    """An accepted transaction: who signed it, its car before and after it. Of a recall, the car is its first."""

    sender: str
    body: TransactionBody
    cosigners: tuple[str, ...]
    now_ms: int
    vin: str
    before: Vehicle
    after: Vehicle


@dataclass
class Care:
    seed: int
    chain: Chain = field(init=False)
    accepted: Counter[str] = field(default_factory=Counter)
    lifted: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.chance = Random(self.seed)
        self.chain = at("wholesale").chain
        for vin in VINS[1:]:
            self.chain.do("bmw", register(vin))
        for campaign, recall_class in CAMPAIGNS.items():
            self.chain.do("bmw", specimen("recall.open", campaign=campaign, recall_class=recall_class))
        self.groups = {name: self.chance.choice(("", "", "one", "two")) for name in GROUPED}
        for name, group in self.groups.items():
            change(self.chain, MEMBER, address(name), group=group)
        self.names = {address(name): name for name in (*GROUPED, *AUTHORITIES, "buyer-1")}
        self.metres = 1_000
        self.sold: list[tuple[str, str, int]] = [(VIN, "bmw", self.chain.now)]
        """VIN, former holder, when the title moved."""
        self.repaired: list[tuple[str, str, int]] = []
        """VIN, repairer, when."""

    def car(self, vin: str) -> Vehicle:
        found: Vehicle = self.chain.state(VEHICLE, vin)
        return found

    def holder(self, vin: str) -> str:
        return self.names[self.car(vin).holder]

    # --- steps --------------------------------------------------------------------------------------------
    def wait(self) -> None:
        self.chain.now += self.chance.choice(PAUSES)

    def propose(self) -> Step:
        return self.chance.choices(
            (self._set, self._clear, self._inspect, self._repair, self._transfer, self._extend, self._remedy),
            (5, 6, 8, 3, 2, 2, 2),
        )[0]()  # fmt: skip

    def raw(self, step: Step) -> bytes:
        sender, body, cosigners = step
        return self.chain.sign(sender, body, *dict.fromkeys(name for name in cosigners if name != sender))

    def take(self, step: Step, raw: bytes) -> Taken | None:
        """Commit it if it holds."""
        sender, body, cosigners = step
        if self.chain.unmet(raw):
            return None
        vin = getattr(body, "vin", "") or body.vins[0]
        before, now_ms = self.car(vin), self.chain.now
        self.chain.produce(raw)
        taken = Taken(sender, body, cosigners, now_ms, vin, before, self.car(vin))
        self.accepted[type_of(body)] += 1
        self.lifted.update(lifted(taken))
        if taken.before.holder != taken.after.holder:
            self.sold.append((vin, sender, now_ms))
        if type_of(body) == "repair.record":
            self.repaired.append((vin, sender, now_ms))
        return taken

    def steps(self, count: int) -> Iterable[Taken]:
        for _ in range(count):
            self.wait()
            step = self.propose()
            taken = self.take(step, self.raw(step))
            if taken is not None:
                yield taken

    def _tail(self, sender: str, vin: str) -> dict[str, object]:
        self.metres += self.chance.randrange(1, 50)
        early = self.chance.choice((0, 0, 0, HOUR_MS, DAY_MS))
        return dict(
            vin=vin, odometer=km(self.metres), where=where(SITES.get(sender, "")), event_at_ms=self.chain.now - early,
            holder_signs=self.chance.random() < 0.8,
        )  # fmt: skip

    def _cosigners(self, body) -> tuple[str, ...]:
        return (self.holder(body.vin),) if body.holder_signs else ()

    def _set(self) -> Step:
        sender = self.chance.choice((*INSPECTORS, *INSPECTORS, *AUTHORITIES, "bank-1"))
        name = "lien" if sender == "bank-1" else self.chance.choice(tuple(STOP_FLAGS))
        if sender in INSPECTORS and self.chance.random() < 0.8:
            name = self.chance.choice(ALONE)
        until = self.chain.now + 100 * DAY_MS if name == "lien" else 0
        body = FlagSet(self.chance.choice(VINS), name, None, until, name == "lien" or self.chance.random() < 0.2)
        return sender, body, self._cosigners(body)

    def _clear(self) -> Step:
        vin = self.chance.choice(VINS)
        flags = self.car(vin).flags
        name, setter = ("stolen", address("police-1"))
        if flags:
            flag = self.chance.choice(flags)
            name, setter = flag.name, flag.setter
        sender, witness = self.chance.choice((*AUTHORITIES, *INSPECTORS)), self.chance.choice(("", *INSPECTORS))
        if self.chance.random() < 0.7:  # those who may
            sender = {"identity_suspect": "police-1", "title_dispute": "registrar-1"}.get(name, self.names[setter])
            witness = self.chance.choice(INSPECTORS) if name == "identity_suspect" else ""
        body = FlagClear(vin, name, setter, address(witness) if witness else None, None)
        return sender, body, (witness,) if witness else ()

    def _inspect(self) -> Step:
        sender, vin = self.chance.choice(INSPECTORS), self.chance.choice(VINS)
        checklist = self.chance.choice(("DE-HU", "DE-HU", "GB-MOT", "STRUCTURAL", "STRUCTURAL", "USED-CAR"))
        defects = self.chance.choice(((), (), (), self.chance.sample(DEFECTS, 1)))
        other = next(name for name in INSPECTORS if name != sender)
        second = other if self.chance.random() < 0.3 else ""
        body: InspectionRecord = specimen(
            "inspection.record", self.chain, checklist=checklist, kind=CHECKLISTS[checklist].kinds[0],
            defects=tuple(Defect(*entry) for entry in defects), valid_until_day=None, repair=self._last_repair(vin),
            second_inspector=address(second) if second else None, **self._tail(sender, vin),
        )  # fmt: skip
        return sender, body, (*self._cosigners(body), *((second,) if second else ()))

    def _last_repair(self, vin: str) -> RecordName | None:
        for sequence in range(self.car(vin).record_count - 1, -1, -1):
            record = stored_record(self.chain.store.record(vin, sequence))
            if b"repair.record" in record.face:
                return RecordName(sequence, digest_of(record))
        return None

    def _repair(self) -> Step:
        sender, vin = self.chance.choice(("workshop-berlin", "workshop-hamburg")), self.chance.choice(VINS)
        zone, method = self.chance.choice((("front", "straighten"), ("suspension", "mechanical")))
        body = specimen("repair.record", self.chain, operations=(Operation(zone, method),), **self._tail(sender, vin))
        return sender, body, self._cosigners(body)

    def _transfer(self) -> Step:
        vin = self.chance.choice(VINS)
        receiver = self.chance.choice(("dealer-munich", "dealer-shanghai", "bmw"))
        self.metres += 1
        body = transfer(self.chain, receiver, self.metres, vin)
        return self.holder(vin), replace(body, discloses=("odometer", "duty", "unroadworthy")), (receiver,)

    def _extend(self) -> Step:
        vins = tuple(sorted(self.chance.sample(VINS, self.chance.randrange(1, 4))))
        action, reason = self.chance.choice((("add", "scope"), ("add", "ineffective"), ("remove", "wrong")))
        return "bmw", RecallExtend(self.chance.choice(tuple(CAMPAIGNS)), action, reason, vins), ()

    def _remedy(self) -> Step:
        sender, vin = self.chance.choice(("workshop-berlin", "workshop-hamburg", "bmw")), self.chance.choice(VINS)
        campaign = self.chance.choice(tuple(CAMPAIGNS))
        body = specimen("recall.done", self.chain, campaign=campaign, **self._tail(sender, vin))
        return sender, body, self._cosigners(body)

    # --- who is distant, by what this walk has seen ----------------------------------------------------------
    def is_same(self, one: str, other: str) -> bool:
        group = self.groups.get(one, "")
        return one == other or (bool(group) and group == self.groups.get(other, ""))

    def interested(self, taken: Taken) -> set[str]:
        """Those whose relations may not lift anything of the car at this step."""
        event_ms = getattr(taken.body, "event_at_ms", taken.now_ms)
        sellers = {n for v, n, at_ms in self.sold if v == taken.vin and abs(event_ms - at_ms) <= TRADED_MS}
        repairers = {n for v, n, at_ms in self.repaired if v == taken.vin and taken.now_ms < at_ms + REPAIRED_MS}
        return {self.names[taken.before.holder]} | sellers | repairers


def lifted(taken: Taken) -> list[str]:
    """What the step has lifted: flags that had not lapsed, duties; and the clearances that it noted."""
    kept = {flag.name for flag in taken.after.flags}
    flags = [flag.name for flag in flags_at(taken.before.flags, taken.now_ms) if flag.name not in kept]
    owed = {duty.code for duty in taken.after.duties}
    duties = [duty.code for duty in taken.before.duties if duty.code not in owed]
    cleared = [entry.what for entry in taken.after.clearances if entry not in taken.before.clearances]
    return [name for name in flags if name not in OWN_RIGHT] + duties + cleared


# --- promises -----------------------------------------------------------------------------------------------
Promise = Callable[[Care, int], str]


def whoever_lifts_is_distant(care: Care, count: int) -> str:
    """Every lifting of a duty, flag or clearance has authors unrelated to holder, sellers and repairers."""
    for taken in care.steps(count):
        others = [name for name in taken.cosigners if address(name) in _named(taken.body)]
        for author in (taken.sender, *others) if lifted(taken) else ():
            found = [name for name in sorted(care.interested(taken)) if care.is_same(author, name)]
            if found:
                return f"{author}, related to {found}, has lifted {lifted(taken)} by {type_of(taken.body)}"
    return ""


def _named(body: TransactionBody) -> set[bytes]:
    return {found for name in ("witness", "second_inspector") if (found := getattr(body, name, None)) is not None}


def one_writer_binds_nobody(care: Care, count: int) -> str:
    """No step of one writer who is neither maker, police nor registrar, without the holder, adds a firm flag."""
    for taken in care.steps(count):
        firm = {flag.name for flag in taken.before.flags if flag.is_firm}
        new = [flag for flag in taken.after.flags if flag.is_firm and flag.name not in firm]
        if not new or taken.sender in (*AUTHORITIES, "bmw") or taken.cosigners:
            continue
        for flag in new:
            first = care.names[flag.setter]
            if care.is_same(first, taken.sender):
                return f"{taken.sender} alone has made {flag.name} firm, which {first} had set"
    return ""


def a_campaign_counts_its_cars(care: Care, count: int) -> str:
    """A recall's count is the number of cars that have it open; a flag is there if and only if one forbids driving."""
    for taken in care.steps(count):
        cars = [care.car(vin) for vin in VINS]
        for campaign in CAMPAIGNS:
            have = sum(any(recall.campaign == campaign for recall in car.recalls) for car in cars)
            told = care.chain.state(RECALL, f"{address('bmw').hex()}-{campaign}").cars
            if have != told:
                return f"{campaign} counts {told} cars after {type_of(taken.body)}, and {have} have it"
        for car in cars:
            is_flagged = any(flag.name == "recall_do_not_drive" for flag in car.flags)
            if is_flagged != any(recall.recall_class == "stop_drive" for recall in car.recalls):
                return f"the flag after {type_of(taken.body)} does not follow from {car.recalls}"
    return ""


def waiting_is_doing(care: Care, count: int) -> str:
    """A chain on which whatever has lapsed is removed from the state at once refuses and answers the same."""
    eager = Care(care.seed)
    for _ in range(count):
        care.wait()
        eager.chain.now = care.chain.now
        _remove_what_has_lapsed(eager.chain)
        step = care.propose()
        raw = care.raw(step)
        codes, other = care.chain.unmet(raw), eager.chain.unmet(raw)
        if codes != other:
            return f"{step[1]}: {codes}, and where lapsed things are removed {other}"
        if care.take(step, raw) is not None:
            eager.chain.produce(raw)
            for vin in VINS:
                if _answer(care.chain, vin) != _answer(eager.chain, vin):
                    return f"{vin} is answered differently after {step[1]}"
    return ""


def _remove_what_has_lapsed(chain: Chain) -> None:
    for vin in VINS:
        car, life = chain.state(VEHICLE, vin), chain.state(LIFE, vin)
        alive = tuple(flag for flag in car.flags if not flag.until_ms or chain.now < flag.until_ms)
        if alive != car.flags:
            force(chain, VEHICLE, vin, replace(car, flags=alive))
        if life is not None:
            resting = tuple(entry for entry in life.cooldowns if chain.now < entry.until_ms)
            recent = tuple(entry for entry in life.repairers if chain.now < entry.at_ms + REPAIRED_MS)
            force(chain, LIFE, vin, replace(life, cooldowns=resting, repairers=recent))
    for name in INSPECTORS:
        conduct = chain.state(CONDUCT, address(name))
        if conduct is not None:
            ends = tuple(end for end in conduct.provisional_until_ms if chain.now < end)
            force(chain, CONDUCT, address(name), replace(conduct, provisional_until_ms=ends))


def _answer(chain: Chain, vin: str) -> VehicleView:
    ledger = ledger_of(chain)
    view = VehicleView.of(vin, chain.state(VEHICLE, vin), ledger, AsOf(chain.now, RULESETS[1]))
    return replace(view, born_height=0)


PROMISES: tuple[Promise, ...] = (
    whoever_lifts_is_distant, one_writer_binds_nobody, a_campaign_counts_its_cars, waiting_is_doing,
)  # fmt: skip
