"""What a seed draws: how many validators, and which faults hit whom and when. Pure: the same seed, the same plan."""

from __future__ import annotations

import random
from dataclasses import dataclass

VALIDATORS = (1, 3, 4, 5, 7)
BEYOND_S_MAX = 6.0
"""So long at most too many are hit for the others to decide."""
RECOVERY_S = 9.0
"""For so long after its end a fault's nodes count as not back yet: start, catch up, listen."""
OVERLAP_SHARE = 0.35


@dataclass(frozen=True)
class Kind:
    """`impairs`: its nodes can't vote meanwhile. `smallest`: validators of the smallest network it is drawn for."""

    name: str
    weight: int
    seconds: tuple[float, float]
    impairs: bool
    smallest: int
    text: str


KINDS = (
    Kind("kill", 6, (0.0, 6.0), True, 1, "kill -9, started again afterwards"),
    Kind("stop", 4, (2.0, 9.0), True, 1, "SIGSTOP, then SIGCONT"),
    Kind("restart", 2, (0.0, 3.0), True, 1, "SIGTERM, started again afterwards"),
    Kind("isolate", 4, (2.0, 9.0), True, 3, "every link of the node is cut"),
    Kind("silence", 2, (4.0, 16.0), True, 3, "links stay open and nothing passes"),
    Kind("cut", 3, (2.0, 8.0), False, 3, "one link is cut"),
    Kind("slow", 3, (4.0, 10.0), False, 3, "all links of the node are slow"),
    Kind("flip", 3, (1.0, 1.0), False, 3, "one bit of a passing byte is flipped"),
    Kind("full_disk", 3, (4.0, 8.0), True, 1, "its files can't grow any more"),
    Kind("wipe_store", 2, (0.0, 0.0), True, 3, "killed, its store deleted; signing state and journal stay"),
    Kind("wipe_data", 2, (0.0, 0.0), True, 4, "killed, everything but its keys deleted"),
    Kind("clock", 2, (5.0, 10.0), True, 4, "restarted with a wrong clock"),
    Kind("copy", 2, (5.0, 8.0), True, 3, "a second process with the same consensus key"),
    Kind("kill_many", 3, (0.0, 4.0), True, 3, "kill -9 of more than may fail, at the same moment"),
    Kind("stop_many", 1, (2.0, 5.0), True, 3, "SIGSTOP of more than may fail"),
    Kind("split", 2, (3.0, 6.0), True, 3, "the network is cut in two, neither side has a quorum"),
)
KIND = {kind.name: kind for kind in KINDS}
BEYOND = ("kill_many", "stop_many", "split")
ALONE = ("copy", "wipe_data")
"""The original, or the others, must be there for these to end well: nothing else impairs meanwhile."""
UNBARRED = {
    "cut": "nobody is away: the two hear each other through the others",
    "slow": "nobody is away: everybody goes on, more slowly",
    "flip": "nobody is away: that the link closes has its own bar (faults.FLIP_BAR_S)",
    "copy": "the original never stops signing, which is asked when the copy ends; the copy is not to come back",
}
"""Kinds after which nobody has to come back, and why. Every other one has the bar of `--bar`, to stand above the height
that the others had, and to sign."""
COPY_KINDS = ("same_node_key", "other_node_key", "with_signing_state")


@dataclass(frozen=True)
class Fault:
    at_s: float
    seconds: float
    kind: str
    nodes: tuple[int, ...]
    """Who is hit; for `cut` and `flip` the two ends of the link, for `split` one side."""
    detail: tuple[int | str, ...] = ()

    @property
    def end_s(self) -> float:
        return self.at_s + self.seconds

    @property
    def impairs(self) -> bool:
        return KIND[self.kind].impairs

    def busy_until(self) -> float:
        return self.end_s + (RECOVERY_S if self.impairs else 0.0)


@dataclass(frozen=True)
class Plan:
    seed: int
    seconds: float
    validators: int
    faults: tuple[Fault, ...]


def tolerated(validators: int) -> int:
    """How many of equal power may be missing while more than two thirds are there."""
    return (validators - 1) // 3


def draw(seed: int, seconds: float, validators: int | None = None) -> Plan:
    """`validators`: instead of what the seed draws."""
    chance = random.Random(seed)
    drawn = chance.choice(VALIDATORS)
    count = validators or drawn
    faults: list[Fault] = []
    at = chance.uniform(0.5, 2.0)
    while at < seconds - 2:
        fault = _drawn(chance, count, at, seconds - at)
        if has_room(faults, fault, count):
            faults.append(fault)
            overlaps = chance.random() < OVERLAP_SHARE
            at += chance.uniform(0.2, 1.0) * fault.seconds if overlaps else fault.seconds + chance.uniform(2.0, 7.0)
        else:
            at += chance.uniform(0.5, 2.0)
    return Plan(seed, seconds, count, tuple(faults))


MEASURED: tuple[tuple[str, float, tuple[int | str, ...]], ...] = (
    ("kill", 3.0, ()),
    ("isolate", 3.0, ()),
    ("stop", 3.0, ()),
    ("isolate", 9.0, ()),
    ("stop", 14.0, ()),
    ("kill_many", 1.0, ()),
    ("restart", 1.0, ()),
    ("silence", 14.0, ()),
    ("split", 5.0, ()),
    ("stop_many", 4.0, ()),
    ("full_disk", 5.0, ()),
    ("clock", 6.0, (3_600_000,)),
    ("wipe_store", 0.0, ("blocks",)),
    ("wipe_data", 0.0, ("blocks",)),
)
MEASURED_REST_S = 16.0


def measured(repeats: int, validators: int = 4) -> Plan:
    """Single faults far apart, for the times of recovery. Longer ones meet a longer backoff; those that hit more than
    may fail hit all, but for `split`, which cuts in two halves."""
    faults: list[Fault] = []
    at = 1.0
    everyone = tuple(range(validators))
    for turn in range(repeats):
        for index, (kind, seconds, detail) in enumerate(MEASURED):
            many = everyone[: validators // 2] if kind == "split" else everyone
            nodes = many if kind in BEYOND else ((turn + index) % validators,)
            if KIND[kind].smallest <= validators:
                faults.append(Fault(at, seconds, kind, nodes, detail))
                at += seconds + MEASURED_REST_S
    return Plan(0, at, validators, tuple(faults))


def has_room(faults: list[Fault], fault: Fault, validators: int) -> bool:
    """No node is hit twice at once, and not more are missing than may be, but for faults that are alone."""
    if not fault.impairs:
        return not any(f.kind == fault.kind and f.end_s > fault.at_s for f in faults)
    meanwhile = [f for f in faults if f.impairs and f.busy_until() > fault.at_s]
    if not meanwhile:
        return True
    alone = (*ALONE, *BEYOND)
    if fault.kind in alone or any(f.kind in alone for f in meanwhile):
        return False
    hit = [node for f in (*meanwhile, fault) for node in f.nodes]
    return len(hit) == len(set(hit)) <= tolerated(validators)


def _drawn(chance: random.Random, validators: int, at: float, left: float) -> Fault:
    kinds = [kind for kind in KINDS if kind.smallest <= validators]
    kind = chance.choices(kinds, [k.weight for k in kinds])[0]
    seconds = min(chance.uniform(*kind.seconds), max(left, 0.0))
    everyone = range(validators)
    spare = tolerated(validators)
    if kind.name in ("cut", "flip"):
        nodes = tuple(sorted(chance.sample(everyone, 2)))
    elif kind.name in BEYOND:
        most = validators if kind.name != "split" else validators - spare - 1
        nodes = tuple(sorted(chance.sample(everyone, chance.randint(spare + 1, most))))
    else:
        nodes = (chance.choice(everyone),)
    if kind.impairs and len(nodes) > spare and kind.name != "copy":
        seconds = min(seconds, BEYOND_S_MAX)
    return Fault(round(at, 2), round(seconds, 2), kind.name, nodes, _detail(chance, kind.name, nodes))


def _detail(chance: random.Random, kind: str, nodes: tuple[int, ...]) -> tuple[int | str, ...]:
    match kind:
        case "slow":  # milliseconds one way, bytes a second
            return (chance.randint(20, 250), chance.choice((30_000, 100_000, 1_000_000)))
        case "clock":
            return (chance.choice((-3_600_000, -5_000, -400, 400, 5_000, 3_600_000)),)
        case "copy":
            return (chance.choice(COPY_KINDS),)
        case "wipe_store" | "wipe_data":
            # the first node keeps every block, so that one store can always be replayed from genesis
            return (chance.choice(("blocks", "snapshot")) if nodes[0] else "blocks",)
        case _:
            return ()
