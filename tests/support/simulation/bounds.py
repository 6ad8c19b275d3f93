"""Bounds of everything in a node that peers can make grow. The numbers are repeated here, so that a bound raised in the
code is noticed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from node.replica.replica import Replica
from support.simulation.errors import Violation

if TYPE_CHECKING:
    from support.simulation.node import SimulatedNode

ROUNDS_AHEAD = 8
MEGA = 1024 * 1024


def check_bounds(node: SimulatedNode) -> None:
    """Raises `Violation` if a bound is exceeded."""
    for name, size, bound in _sizes(node.running):
        if size > bound:
            raise Violation(f"{node.label}: {size} {name}, at most {bound} are allowed")


def _sizes(replica: Replica) -> Iterator[tuple[str, int, int]]:
    machine, driver, gossip = replica.machine, replica._driver, replica._tx_gossip
    tally, wanted = machine.tally, len(machine.bodies_wanted())
    # --- voting ---
    yield "rounds of votes", len(tally._steps), 2 * (ROUNDS_AHEAD + 2 + machine.round) + 4
    yield "rounds ahead in votes", max((r for _, r in tally._steps), default=0) - machine.round, ROUNDS_AHEAD
    yield "newest rounds", len(tally._newest), len(machine.validators)
    yield "proposals", len(machine._proposals), ROUNDS_AHEAD + 1
    # --- undecided blocks ---
    yield "bodies of one height", len(driver.undecided._candidates), max(16, wanted + 1)
    yield "half-assembled proposals", len(driver._compact_blocks._partials), 64
    yield "body requests", len(driver.requests._open), 16 + wanted
    # --- evidence and presence ---
    pieces = Counter(piece.first.validator for piece in replica._evidence.pieces())
    yield "pieces of evidence", pieces.total(), 256
    yield "pieces of evidence against one validator", max(pieces.values(), default=0), 4
    heard = replica._signing_duty._heard
    yield "validators heard of", len(heard), 100
    yield "instances of one validator", max(map(len, heard.values()), default=0), 4
    # --- transactions ---
    yield "pool", len(replica.pool), 50_000
    yield "transactions being fetched", len(gossip.fetcher), 50_000
    yield "verified transactions", len(gossip._verified), 50_000
    yield "bytes of verified transactions", gossip._verified_bytes, 6 * MEGA
    yield "transactions not to be fetched", len(gossip._done), 30_000
    # --- block sync ---
    yield "blocks to execute", replica.sync.held(), 320
    yield "bytes of blocks to execute", replica.sync._arrived_bytes, (32 + 9 * 2) * MEGA
