"""Protocol-aware scheduler: makes two nodes lock different blocks of one height, and one decide alone.

Round 0: everyone but `blind` prevotes X. The prevote of `hidden` reaches only `knowing`, and `hidden` misses one vote
itself: `knowing` locks X, the others precommit nil.
Round 1: the others prevote and lock Y, and `knowing` misses one of their prevotes. The precommits of `blind` reach
nobody, so that it alone decides Y.
Round 2: `knowing` proposes X again, with its polka of round 0. A node that forgets its lock on Y forks the chain.

Messages are only delayed for a while, as asynchrony allows. It works with up to six equal powers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from support.simulation.network import Topic
    from support.simulation.node import SimulatedNode
    from support.simulation.world import World

Roles = tuple["SimulatedNode", "SimulatedNode", "SimulatedNode", "SimulatedNode"]
"""Indices of `knowing`, `hidden`, the node whose vote `hidden` misses, and `blind`."""
STEP_MS = 20
ATTEMPT_MS = 15_000
"""An attempt that has begun in time may take this long."""
SIZES = range(4, 7)


class SplitView:
    """Attempts the split at every new height until `until_ms`."""

    def __init__(self, world: World, until_ms: int) -> None:
        self._world = world
        self._until_ms = until_ms
        self._top = world.checks.top
        self._height = 0
        self._round = -1
        """Messages held back now: -1 none, 0 the prevotes of round 0, 1 the precommits of round 1."""
        self._roles: Roles | None = None
        self._is_locked = False
        self._held: list[tuple[int, Topic]] = []

    def step(self) -> None:
        world = self._world
        if world.injector.is_over or world.now > self._until_ms + (ATTEMPT_MS if self._round >= 0 else 0):
            self._release()
            return
        if self._round < 0:
            if world.checks.top > self._top:
                self._begin()
        else:
            self._follow()
        world.later(STEP_MS, self.step)

    def _begin(self) -> None:
        self._top = self._world.checks.top
        self._roles = self._drawn_roles()
        if self._roles is None:
            return
        knowing, hidden, counterpart, blind = self._roles
        self._height, self._round = self._top + 1, 0
        nodes = self._world.nodes
        self._hold(
            [(blind.index, ("proposal", node.address)) for node in nodes]
            + [(node.index, ("prevote", hidden.address)) for node in nodes if node not in (knowing, hidden)]
            + [(hidden.index, ("prevote", counterpart.address))]
        )

    def _drawn_roles(self) -> Roles | None:
        """`knowing` proposes in round 2; `blind` in none of the three."""
        able = [n for n in self._world.nodes if n.is_up and n.running.store.height() == self._top]
        if not able:
            return None
        validators = able[0].running.store.head().validators
        by_address = {node.address: node for node in able}
        first, second, third = (validators.proposer(self._top + 1, round_) for round_ in range(3))
        spare = [a for a in by_address if a not in (first, second, third) and a in validators]
        if not (spare and {first, second, third} <= set(by_address) and len({first, second, third}) == 3):
            return None
        return by_address[third], by_address[second], by_address[first], by_address[spare[0]]

    def _follow(self) -> None:
        assert self._roles is not None, "roles are drawn before anything is held"
        knowing, hidden, _, blind = self._roles
        at_height = [n for n in self._world.nodes if n.is_up and n.running.machine.height == self._height]
        rounds = [node.running.machine.round for node in at_height]
        decided = sum(height >= self._height for height in self._world.checks.heights.values())
        if not rounds or decided > 1 or max(rounds) > 2 or (self._round == 0 and decided):
            self._release()
        elif self._round == 0 and not self._is_locked and knowing in at_height and knowing.running.machine.locked:
            self._is_locked = True  # before any node is in round 1 and votes there
            self._hold([(knowing.index, ("prevote", hidden.address))])
        elif self._round == 0 and min(rounds) >= 1:
            self._release()
            self._round = 1
            self._world.faults["split_view"] += 1
            others = [node.index for node in self._world.nodes if node is not blind]
            self._hold([(i, (kind, blind.address)) for i in others for kind in ("precommit", "blocks")])
            self._hold([(knowing.index, ("prevote", hidden.address))])

    def _hold(self, pairs: list[tuple[int, Topic]]) -> None:
        self._held += pairs
        self._world.network.hold(pairs)

    def _release(self) -> None:
        self._world.network.release(self._held)
        self._held, self._round, self._top = [], -1, self._world.checks.top
        self._is_locked = False
