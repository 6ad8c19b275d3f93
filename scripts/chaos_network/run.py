"""One network from a seed: started, loaded, hit by its faults, healed, judged."""

from __future__ import annotations

import json
import os
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from support.links import Links
from support.processes import Ear, free_base_port, wait_for, wait_height

from chaos_network import verdict
from chaos_network.faults import Hands, kill_all, removed
from chaos_network.plan import BEYOND, Plan
from chaos_network.traffic import Traffic
from chaos_network.watch import Recovery, Watch
from node.chain.genesis import genesis_hash
from node.cli.local_network import LocalNetwork
from node.storage.schema import SCHEMA_VERSION

RSS_MAX_BYTES = 400 * 1024 * 1024
OLDEST_STORE = 1
RATES = {1: 40.0, 3: 30.0, 4: 30.0, 5: 24.0, 7: 16.0}
"""Transactions a second: seven validators on one machine do seven times the work."""
SETTINGS = {
    "consensus.block_interval_empty_ms": 1_000,
    "p2p.exchange": False,
    "p2p.peers": [],
    "storage.snapshot_interval": 20,
    "storage.snapshot_gap": 30,
}

Tell = Callable[[str], None]


@dataclass
class Outcome:
    """Of one network. `violations`: what did not hold, in sentences."""

    seed: int
    seconds: float
    validators: int
    faults: dict[str, int] = field(default_factory=dict)
    height: int = 0
    accepted: int = 0
    fates: dict[str, int] = field(default_factory=dict)
    votes_heard: int = 0
    recoveries: list[dict[str, Any]] = field(default_factory=list)
    longest_pause_s: float = 0.0
    stop_s_max: float = 0.0
    flips_closed_s: list[float] = field(default_factory=list)
    rss_max_mb: float = 0.0
    load_average: float = 0.0
    took_s: float = 0.0
    violations: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def upgrade_is_missing() -> list[str]:
    """The fault 'upgrade from the previous store version' has nothing to upgrade from, as long as there is one version.

    With a second version this says so, until the plan has that fault: stop a node, put a store of the version before
    in its place, start it, and let it catch up.
    """
    if SCHEMA_VERSION == OLDEST_STORE:
        return []
    return [f"the store has version {SCHEMA_VERSION}: scripts/chaos does not try the upgrade from the one before yet"]


def play(plan: Plan, folder: Path, tell: Tell, bar_s: float) -> Outcome:
    """Homes and logs stay in `folder` where something did not hold, else they are removed."""
    started = time.monotonic()
    removed(folder)
    outcome = Outcome(plan.seed, plan.seconds, plan.validators)
    for fault in plan.faults:
        outcome.faults[fault.kind] = outcome.faults.get(fault.kind, 0) + 1
    network = LocalNetwork(folder, plan.validators, free_base_port(), SETTINGS)
    links = Links.of_all([node.p2p_port for node in network.nodes])
    watch = Watch(network.nodes)
    traffic = Traffic(network.nodes, genesis_hash(network.genesis), RATES[plan.validators])

    def say(line: str) -> None:
        tell(f"{time.monotonic() - started:7.1f} s  {line}")

    hands = Hands(network, links, watch, traffic, say)
    try:
        _live(plan, hands, outcome, say, bar_s)
    except Exception as error:
        (folder / "failure.txt").write_text(traceback.format_exc())
        outcome.violations.append(f"{type(error).__name__}: {error}")
    finally:
        kill_all(network, list(hands.copies.values()))
        links.stop()
    _sum_up(outcome, hands, bar_s)
    outcome.took_s = round(time.monotonic() - started, 1)
    if outcome.violations:
        (folder / "outcome.json").write_text(json.dumps(outcome.to_json(), indent=2))
        (folder / "plan.txt").write_text("\n".join(map(repr, plan.faults)) + "\n")
    else:
        removed(folder)
    return outcome


def _live(plan: Plan, hands: Hands, outcome: Outcome, say: Tell, bar_s: float) -> None:
    network, watch, traffic = hands.network, hands.watch, hands.traffic
    say(f"seed {plan.seed}: {plan.validators} validators, {len(plan.faults)} faults in {plan.seconds:.0f} s")
    for index in range(plan.validators):
        hands.start(index)
    network.wait_ready()
    wait_height(network.nodes, 2, 60)
    with Ear(network.nodes, genesis_hash(network.genesis)) as ear:
        with watch:
            with traffic:
                _faults(plan, hands, bar_s)
            hands.heal_all()
            say("all is healed, no more load")
            _judge(hands, outcome, say)
            outcome.load_average = round(os.getloadavg()[0], 1)
        outcome.votes_heard = len(ear.votes)
        if ear.contradictions:
            outcome.violations.append(f"votes that contradict each other: {ear.contradictions[:3]}")
        if not ear.votes:
            outcome.violations.append("the ear heard no vote")


def _faults(plan: Plan, hands: Hands, bar_s: float) -> None:
    begun = time.monotonic()
    moments = [(fault.at_s, 0, index) for index, fault in enumerate(plan.faults)]
    moments += [(fault.end_s, 1, index) for index, fault in enumerate(plan.faults)]
    active: set[int] = set()
    mixed: set[int] = set()
    for at, is_end, index in sorted([*moments, (plan.seconds, 2, -1)]):
        time.sleep(max(0.0, begun + at - time.monotonic()))
        if index < 0:
            continue
        fault = plan.faults[index]
        if is_end:
            hands.end(fault, is_single=index not in mixed)
            active.discard(index)
            continue
        hands.watch.disturbed(bar_s)
        if active:
            mixed |= {index, *active}
        active.add(index)
        hands.begin(fault)


def _judge(hands: Hands, outcome: Outcome, say: Tell) -> None:
    network, watch = hands.network, hands.watch
    found = outcome.violations
    if problem := verdict.settled(network.nodes):
        found.append(problem)
    if gone := [node for node in network.nodes if not node.is_running]:
        found += [f"{node.name} does not run: {node.log_tail(1)}" for node in gone]
        return  # nobody could be asked for the rest
    accepted = hands.traffic.accepted()
    outcome.accepted = len(accepted)
    outcome.fates, problems = verdict.account(network, accepted, hands.forgotten)
    found += problems
    whole, problems = verdict.compare_chains(network, hands.pruned)
    found += problems + verdict.lost_from_chain(whole, accepted, outcome.fates)
    outcome.height = max(whole.ids, default=0)
    say(f"height {outcome.height}, {len(accepted)} accepted: {outcome.fates}")
    _wait_recoveries(watch)
    unpruned = [i for i in range(len(network.nodes)) if i not in hands.pruned]
    of_node, problems = verdict.audit_node(network, unpruned[-1])
    found += problems
    victim = next((i for i in unpruned if i in hands.was_full), unpruned[0])
    if of_node is not None:
        wait_for(lambda: network.nodes[victim].height() >= of_node["height"], 60, "the audited height")
    for index in (victim, *(i for i in range(len(network.nodes)) if i != victim)):
        hands.terminate(index)
    if of_node is not None:
        found += verdict.audit_store(network, victim, of_node, whole)
        say(f"audits hold at height {of_node['height']}, all processes stopped")


def _wait_recoveries(watch: Watch) -> None:
    """Those that have not been seen yet are seen within the next looks, or never."""
    deadline = time.monotonic() + 15
    while any(r.caught_up_s < 0 or r.signing_s < 0 for r in watch.recoveries) and time.monotonic() < deadline:
        time.sleep(0.2)


def _sum_up(outcome: Outcome, hands: Hands, bar_s: float) -> None:
    watch = hands.watch
    outcome.violations += watch.problems + upgrade_is_missing()
    for node in hands.network.nodes:
        outcome.violations += verdict.blocked(node)
    outcome.longest_pause_s = round(watch.longest_pause_s, 1)
    outcome.stop_s_max = round(max(hands.stop_times, default=0.0), 2)
    outcome.flips_closed_s = [round(seconds, 2) for seconds in hands.flip_times]
    outcome.rss_max_mb = round(max((seen.rss_max for seen in watch.seen), default=0) / 1e6, 1)
    if outcome.rss_max_mb * 1e6 > RSS_MAX_BYTES:
        outcome.violations.append(f"a process took {outcome.rss_max_mb} MB, more than {RSS_MAX_BYTES / 1e6:.0f} MB")
    for recovery in watch.recoveries:
        outcome.recoveries.append(_shown(recovery))
        outcome.violations += too_late(recovery, bar_s)


def too_late(recovery: Recovery, bar_s: float) -> list[str]:
    """What took longer than it may, where nothing else was wrong meanwhile. That a validator listens before it signs
    (node/replica/doppelganger.py) is no excuse: both have the same bar."""
    times = {"catching up": recovery.caught_up_s, "signing again": recovery.signing_s}
    return [
        f"after {recovery.kind} of {recovery.nodes} {what} took {f'{took:.1f} s' if took >= 0 else 'for ever'}"
        for what, took in times.items()
        if recovery.is_single and not 0 <= took <= recovery.allowed_s(bar_s)
    ]


def _shown(recovery: Recovery) -> dict[str, Any]:
    return {
        "kind": recovery.kind,
        "is_beyond": recovery.kind in BEYOND,
        "is_single": recovery.is_single,
        "caught_up_s": round(recovery.caught_up_s, 1),
        "signing_s": round(recovery.signing_s, 1),
    }
