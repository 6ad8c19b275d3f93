"""Fault plan: drawn from the seed before the play, so that single faults can be left out of it."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from support.simulation.options import DISK_LOSSES, Options
from support.simulation.split_view import SIZES, SplitView

if TYPE_CHECKING:
    from support.simulation.world import World


@dataclass(frozen=True)
class Fault:
    """A planned fault. `at_ms` is relative to the start of the play; `value` depends on the kind."""

    at_ms: int
    kind: str
    nodes: tuple[int, ...] = ()
    for_ms: int = 0
    value: int = 0


def planned(seed: int, options: Options) -> tuple[Fault, ...]:
    chance = random.Random(f"{seed}/faults")
    size, until = len(options.powers), options.fault_ms
    everyone = tuple(range(size))

    def when() -> int:
        return chance.randint(1_000, until)

    def anyone() -> tuple[int, ...]:
        return (chance.randrange(size),)

    def two() -> tuple[int, ...]:
        return tuple(chance.sample(everyone, min(2, size)))

    plan = [Fault(chance.randint(0, 500), "boot", (i,)) for i in everyone]
    plan += [Fault(chance.randint(3_500, until), "submit", anyone()) for _ in range(options.transactions)]
    plan += [Fault(chance.randint(3_500, until // 2), "live", anyone()) for _ in range(options.lives)]
    plan += [Fault(chance.randint(5_000, until), "submit_again", anyone()) for _ in range(options.replays)]
    plan += [Fault(chance.randint(4_000, until), "change", anyone(), value=i) for i in range(options.changes)]
    plan += [Fault(chance.randint(4_000, until), "pause", anyone()) for _ in range(options.pauses)]
    plan += [Fault(chance.randint(4_000, until), "rotate", anyone()) for _ in range(options.rotations)]
    plan += [Fault(when(), "crash", anyone(), chance.randint(50, 6_000)) for _ in range(options.crashes)]
    plan += [Fault(when(), "power_cut", anyone(), 0, chance.randrange(64)) for _ in range(options.power_cuts)]
    plan += [Fault(when(), "crash", everyone, chance.randint(50, 6_000)) for _ in range(options.outages)]
    for _ in range(options.partitions):
        side = tuple(i for i in everyone if chance.random() < 0.5)
        plan.append(Fault(when(), "partition", side, chance.randint(500, 8_000)))
    plan += [Fault(when(), "one_way", two(), chance.randint(500, 8_000)) for _ in range(options.one_way_cuts)]
    for _ in range(options.starvings if size >= 4 else 0):
        who = tuple(chance.sample(everyone, 3))
        plan.append(Fault(when(), "starve", who, chance.randint(3_000, 9_000)))
    for _ in range(options.stalls if size >= 4 else 0):
        seer = chance.choice([i for i in everyone if i not in dict(options.faulty)])
        plan.append(Fault(chance.randint(1_000, until // 2), "stall", (seer,), chance.randint(until // 2, until)))
    if size in SIZES:
        plan += [Fault(when(), "split_view", (), chance.randint(4_000, 12_000)) for _ in range(options.split_views)]
    plan += [Fault(when(), "clog", two(), chance.randint(500, 6_000)) for _ in range(options.clogs)]
    plan += [
        Fault(when(), "clock_step", anyone(), 0, chance.randint(-options.skew_ms // 2, options.skew_ms // 2))
        for _ in range(options.clock_steps)
    ]
    for index, behaviour in options.faulty:
        if behaviour in (*DISK_LOSSES, "store_rollback"):
            at = chance.randint(2_000, until // 2)
            plan.append(Fault(at, behaviour, (index,), chance.randint(1_000, until // 2)))
        elif behaviour == "amnesiac":
            plan += [Fault(when(), "crash", (index,), chance.randint(50, 2_000)) for _ in range(3)]
        elif behaviour == "bad_clock":
            sign = chance.choice([-1, 1])
            plan.append(Fault(0, "bad_clock", (index,), 0, sign * chance.choice([2_000, 10_000, 3_600_000])))
    return tuple(sorted(plan, key=lambda fault: fault.at_ms))


class Injector:
    """Carries out the plan."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.is_over = False

    def schedule(self, plan: tuple[Fault, ...], without: frozenset[int]) -> None:
        world = self._world
        for number, fault in enumerate(plan):
            if number not in without:
                world.clock.at(world.start_ms + fault.at_ms, self._begin, fault)

    def _begin(self, fault: Fault) -> None:
        if self.is_over and fault.kind != "boot":
            return
        world = self._world
        if fault.kind not in ("boot", "submit", "submit_again", "crash", "power_cut", "split_view"):
            world.faults[fault.kind] += 1
        getattr(self, f"_{fault.kind}")(fault)

    def _later(self, fault: Fault, action, *args) -> None:  # type: ignore[no-untyped-def]
        self._world.later(fault.for_ms, action, *args)

    # --- life ---
    def _boot(self, fault: Fault) -> None:
        for node in self._world.named(fault.nodes[0]):
            node.boot()

    def _crash(self, fault: Fault) -> None:
        for index in fault.nodes:
            for node in self._world.named(index):
                node.crash()
                self._later(fault, node.boot)

    def _power_cut(self, fault: Fault) -> None:
        """Cut the power before or after one of the next writes, or between two of the next actions."""
        node = self._world.nodes[fault.nodes[0]]
        kind, count = fault.value % 4, 1 + fault.value // 4 % 8
        if not node.is_up:
            return
        if kind == 0:
            node.actions_left = count
        else:
            node.disk.fuse, node.disk.is_last_kept = count, kind == 1

    def _submit(self, fault: Fault) -> None:
        self._world.submissions.submit_car(self._world.nodes[fault.nodes[0]])

    def _live(self, fault: Fault) -> None:
        self._world.lives.begin(self._world.nodes[fault.nodes[0]])

    def _submit_again(self, fault: Fault) -> None:
        self._world.submissions.submit_again(self._world.nodes[fault.nodes[0]])

    def _change(self, fault: Fault) -> None:
        self._world.governance.propose(fault.value)

    def _pause(self, fault: Fault) -> None:
        self._world.upkeep.pause(self._world.nodes[fault.nodes[0]])

    def _rotate(self, fault: Fault) -> None:
        self._world.upkeep.rotate(self._world.nodes[fault.nodes[0]])

    # --- clocks ---
    def _clock_step(self, fault: Fault) -> None:
        node = self._world.nodes[fault.nodes[0]]
        if node.fault != "bad_clock":
            node.skew_ms = fault.value

    def _bad_clock(self, fault: Fault) -> None:
        self._world.nodes[fault.nodes[0]].skew_ms = fault.value

    # --- network ---
    def _partition(self, fault: Fault) -> None:
        world, network = self._world, self._world.network
        side = {node.index for i in fault.nodes for node in world.named(i)}
        cut = {
            frozenset((a.index, b.index))
            for a in world.nodes
            for b in world.nodes
            if a.index in side and b.index not in side
        }
        network.partitioned |= cut
        for a, b in sorted(tuple(sorted(pair)) for pair in cut):
            network.disconnect(world.nodes[a], world.nodes[b])
        self._later(fault, self._end_partition, cut)

    def _end_partition(self, cut: set[frozenset[int]]) -> None:
        self._world.network.partitioned -= cut
        self._world.network.connect_all()

    def _one_way(self, fault: Fault) -> None:
        if len(fault.nodes) == 2:
            direction = (fault.nodes[0], fault.nodes[1])
            self._world.network.deaf.add(direction)
            self._later(fault, self._world.network.deaf.discard, direction)

    def _starve(self, fault: Fault) -> None:
        """One voter's prevotes reach one node only, another gets no proposals: the node with the polka locks alone."""
        knowing, hidden, blind = (self._world.nodes[i] for i in fault.nodes)
        pairs = [(blind.index, ("proposal", node.address)) for node in self._world.nodes if node is not blind]
        pairs += [
            (node.index, ("prevote", hidden.address)) for node in self._world.nodes if node not in (knowing, hidden)
        ]
        self._world.network.hold(pairs)
        self._later(fault, self._world.network.release, pairs)

    def _stall(self, fault: Fault) -> None:
        """Only one node and the proposer get each proposal: ever new blocks, and no polka."""
        nodes = self._world.nodes
        pairs = [
            (node.index, ("proposal", proposer.address))
            for node in nodes
            for proposer in nodes
            if node.index not in fault.nodes and node is not proposer
        ]
        self._world.network.hold(pairs)
        self._later(fault, self._world.network.release, pairs)

    def _split_view(self, fault: Fault) -> None:
        SplitView(self._world, self._world.now + fault.for_ms).step()

    def _clog(self, fault: Fault) -> None:
        if len(fault.nodes) == 2:
            self._world.network.clogged[fault.nodes[0], fault.nodes[1]] = self._world.now + fault.for_ms

    # --- disks ---
    def _store_rollback(self, fault: Fault) -> None:
        """Restore an old checkpoint of the store with the current hard state, which must be harmless."""
        node = self._world.nodes[fault.nodes[0]]
        self._later(fault, self._put_back, fault, node.disk.backup()[0], node.disk.hard, False)

    def _lost_hard_state(self, fault: Fault) -> None:
        self._later(fault, self._put_back, fault, None, None, True)

    def _wiped(self, fault: Fault) -> None:
        self._later(fault, self._put_back, fault, {}, None, True)

    def _old_backup(self, fault: Fault) -> None:
        store, hard = self._world.nodes[fault.nodes[0]].disk.backup()
        self._later(fault, self._put_back, fault, store, hard, True)

    def _old_hard_state(self, fault: Fault) -> None:
        self._later(fault, self._put_back, fault, None, self._world.nodes[fault.nodes[0]].disk.hard, True)

    def _put_back(self, fault: Fault, store: dict[bytes, bytes] | None, hard: bytes | None, is_hard: bool) -> None:
        node = self._world.nodes[fault.nodes[0]]
        node.crash()
        if store is not None:
            node.disk.restore_store(store)
            self._world.checks.heights[node.index] = 0
        if is_hard:
            node.disk.hard = hard
            node.knows_its_loss = fault.kind == "lost_hard_state" and self._world.checks.heights[node.index] > 0
        self._world.log(node, "restored", {"kind": fault.kind})
        self._world.later(self._world.chance("power").randint(50, 3_000), node.boot)
