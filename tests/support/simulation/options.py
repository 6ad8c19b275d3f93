"""Options of a play: every dimension is drawn from the seed, so each seed tests another mixture (swarm testing)."""

from __future__ import annotations

import ast
import random
from dataclasses import dataclass, fields, replace

BEHAVIOURS = (
    "equivocating_voter",
    "equivocating_proposer",
    "withholder",
    "stale_voter",
    "invalid_proposer",
    "slanderer",
    "mistimer",
    "false_reproposer",
    "garbler",
    "amnesiac",
    "flooder",
    "spammer",
    "self_accuser",
    "swapper",
    "polka_hider",
    "twins",
)
DISK_LOSSES = ("lost_hard_state", "old_backup", "old_hard_state", "wiped")
"""Honest nodes that lose hard state: they may be punished, but others must not be harmed."""
HONEST_FAULTS = ("bad_clock", "store_rollback")
"""Honest nodes that progress does not count on, but that must never sign twice: an old checkpoint with the current hard
state is harmless."""


@dataclass(frozen=True)
class Options:
    powers: tuple[int, ...]
    """Powers of the genesis validators; 0 is a member that may be admitted later."""
    faulty: tuple[tuple[int, str], ...] = ()
    """(validator, fault): a behaviour, a disk loss or "bad_clock". Their power stays below a third, whatever governance
    does."""
    loss: float = 0.0
    duplicate: float = 0.0
    delay: tuple[int, int] = (1, 30)
    skew_ms: int = 0
    crashes: int = 0
    power_cuts: int = 0
    outages: int = 0
    partitions: int = 0
    one_way_cuts: int = 0
    clogs: int = 0
    starvings: int = 0
    """Periods in which some nodes miss votes or proposals of one kind, and may lock alone."""
    split_views: int = 0
    """Periods in which messages are scheduled so that two nodes lock different blocks."""
    stalls: int = 0
    """Periods in which proposals reach too few for a decision: each round has another block."""
    clock_steps: int = 0
    transactions: int = 6
    lives: int = 0
    """Lives of cars: made, sold and serviced."""
    replays: int = 0
    """Committed transactions that are submitted again."""
    changes: int = 0
    pauses: int = 0
    rotations: int = 0
    """Consensus key rotations."""
    fault_ms: int = 25_000
    interval_empty_ms: int = 1_500


def drawn(seed: int) -> Options:
    """The options of a seed, from a random stream of their own."""
    chance = random.Random(f"{seed}/options")
    size = chance.choice([1, 2, 3, 4, 4, 4, 4, 5, 5, 6, 7, 7, 8, 9, 10])
    changes = chance.choice([0, 0, 0, 1, 2, 4]) if size >= 4 else 0
    powers = [1] * size if chance.random() < 0.5 else [chance.choice([1, 1, 2, 3, 4]) for _ in range(size)]
    if changes:
        powers = [10 * power for power in powers]
    joiners = chance.choice([0, 1]) if changes else 0
    options = Options(
        powers=(*powers, *([0] * joiners)),
        loss=chance.choice([0, 0, 0.02, 0.1, 0.25]),
        duplicate=chance.choice([0, 0, 0.1, 0.3]),
        delay=chance.choice([(1, 10), (5, 80), (20, 400), (1, 900)]),
        skew_ms=chance.choice([0, 0, 200, 400]),
        crashes=chance.choice([0, 1, 3, 6]),
        power_cuts=chance.choice([0, 0, 2, 5]),
        outages=chance.choice([0, 0, 0, 1, 2]),
        partitions=chance.choice([0, 0, 1, 3]),
        one_way_cuts=chance.choice([0, 0, 1, 3]),
        clogs=chance.choice([0, 0, 2, 5]),
        starvings=chance.choice([0, 0, 4, 10]),
        split_views=chance.choice([0, 0, 1, 3]),
        stalls=chance.choice([0, 0, 0, 1]),
        clock_steps=chance.choice([0, 0, 2]),
        transactions=chance.randint(3, 12),
        lives=chance.choice([0, 0, 1]),
        replays=chance.choice([0, 0, 3]),
        changes=changes,
        pauses=chance.choice([0, 1, 2]) if changes else 0,
        fault_ms=chance.choice([15_000, 25_000, 40_000]),
        rotations=chance.choice([0, 1, 2]) if changes else 0,
    )
    return replace(options, faulty=_draw_faulty(chance, options.powers, changes) if chance.random() < 0.75 else ())


def _draw_faulty(chance: random.Random, powers: tuple[int, ...], changes: int) -> tuple[tuple[int, str], ...]:
    """Faulty validators with less than a third of the power; a fifth if governance may shrink honest power."""
    share = 5 if changes else 3
    faulty: list[tuple[int, str]] = []
    left = (sum(powers) - 1) // share
    several = chance.random() < 0.5
    for index in chance.sample(range(len(powers)), len(powers)):
        if 0 < powers[index] <= left:
            left -= powers[index]
            faulty.append((index, chance.choice([*BEHAVIOURS, *BEHAVIOURS, *DISK_LOSSES, *HONEST_FAULTS])))
            if not several:
                break
    return tuple(sorted(faulty))


def changed(options: Options, settings: list[str]) -> Options:
    """The options with `name=value` settings applied. Raises `ValueError`, naming the valid names."""
    names = {field.name for field in fields(Options)}
    for setting in settings:
        name, _, value = setting.partition("=")
        if name not in names:
            raise ValueError(f"unknown option {name!r}: known are {', '.join(sorted(names))}")
        options = replace(options, **{name: ast.literal_eval(value)})
    return options


def differences(options: Options, base: Options) -> list[str]:
    """The settings that turn `base` into `options`."""
    return [
        f"{field.name}={getattr(options, field.name)!r}".replace(" ", "")
        for field in fields(Options)
        if getattr(options, field.name) != getattr(base, field.name)
    ]
