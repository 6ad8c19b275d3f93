"""Plays one seed and reports the result: violation, numbers, and the command that repeats it."""

from __future__ import annotations

import traceback
from collections import Counter
from dataclasses import dataclass, field

from support.simulation.errors import Violation
from support.simulation.options import Options, changed, differences, drawn
from support.simulation.world import World

LAST_LINES = 40


@dataclass(frozen=True)
class Played:
    seed: int
    violation: str
    """Empty if no property was violated."""
    command: str
    heights: int
    digest: str
    virtual_ms: int
    events: int
    faults: dict[str, int] = field(default_factory=dict)
    rules: dict[str, int] = field(default_factory=dict)
    notices: dict[str, int] = field(default_factory=dict)
    evidence: int = 0
    last_lines: tuple[str, ...] = ()


def command_for(seed: int, heights: int, options: Options, without: frozenset[int]) -> str:
    parts = [f"scripts/simulate --seed {seed} --heights {heights}"]
    parts += [f"--set '{setting}'" for setting in differences(options, drawn(seed))]
    if without:
        parts.append("--without " + ",".join(map(str, sorted(without))))
    return " ".join(parts)


def play(
    seed: int,
    heights: int = 4,
    settings: tuple[str, ...] = (),
    without: frozenset[int] = frozenset(),
    base: Options | None = None,
) -> Played:
    """Play a seed. Any exception of the simulated code is reported as a violation.

    `settings` are applied to `base`, or to the options drawn from the seed.
    """
    options = changed(base or drawn(seed), list(settings))
    world = World(seed, options, without)
    violation, trace = "", []
    try:
        world.play(heights)
    except Violation as error:
        violation = str(error)
    except Exception as error:
        violation = f"raised {error!r}"
        trace = traceback.format_exc().splitlines()[-12:]
    return Played(
        seed,
        violation,
        command_for(seed, heights, options, without),
        world.checks.top,
        world.digest(),
        world.now - world.start_ms,
        world.clock.events,
        dict(world.faults),
        dict(world.rules),
        dict(world.notices),
        world.evidence_committed,
        (*world.lines[-LAST_LINES:], *trace) if violation else (),
    )


@dataclass
class Summary:
    """Totals over many seeds."""

    seeds: int = 0
    heights: int = 0
    events: int = 0
    virtual_ms: int = 0
    evidence: int = 0
    slowest_height_ms: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    violations: list[Played] = field(default_factory=list)

    def add(self, played: Played) -> None:
        self.seeds += 1
        self.heights += played.heights
        self.events += played.events
        self.virtual_ms += played.virtual_ms
        self.evidence += played.evidence
        self.slowest_height_ms = max(self.slowest_height_ms, played.notices.get("slowest_height_ms", 0))
        self.faults.update(played.faults)
        self.rules.update(played.rules)
        if played.violation:
            self.violations.append(played)
