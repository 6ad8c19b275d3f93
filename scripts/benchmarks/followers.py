"""Reads of followers, full nodes without a validator's key: what two of them answer over what one does, how far they
are behind, and what asking them does to the finality of the validator that they follow."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from multiprocessing.pool import Pool
from pathlib import Path
from typing import Final, NamedTuple

from support.processes import wait_for, wait_height

from benchmarks.grown import NO_SNAPSHOT_GAP, copy_store, grown_genesis, network_at, store_with
from benchmarks.measure import Measure, processor_s
from benchmarks.network import latencies, metrics_of
from benchmarks.reading import rate, reachable, requests_of
from benchmarks.starting import AmongAll
from node.cli.init import FOLLOWER_KEYS, new_keys, write_home
from node.cli.local_network import LocalNetwork, LocalNode
from node.load.percentiles import percentile

SCALE_BAR: Final = 1.5
FINALITY_BAR: Final = 1.5
P50_BAR_MS, P99_BAR_MS = 50.0, 250.0
PER_SECOND: Final = 50.0
TURNS: Final = 4
CORES_FOR_RATES: Final = 5
"""The validator, two followers, who asks, and who hands in: with fewer, rates say who had a core, not what one can."""
_COMMITTED: Final = re.compile(r"^(\S+ \S+) info +committed height=(\d+) ", re.MULTILINE)


class Turn(NamedTuple):
    """What was measured while some nodes, or none, were asked."""

    seconds: float
    reads: dict[int, float]
    """Of each asked node, by its place in the network."""
    processor_s: dict[int, float]
    """Of every node."""
    finality_ms: list[float]
    behind_ms: list[float]


def committed_ms(node: LocalNode) -> dict[int, float]:
    """When the node committed each height, by its log."""
    found = _COMMITTED.findall(node.log.read_text())
    return {int(height): datetime.fromisoformat(at).timestamp() * 1000 for at, height in found}


@contextmanager
def followed_network(place: Path, followers: int) -> Iterator[LocalNetwork]:
    """A validator, and nodes that follow it, each over a copy of the state and in one process."""
    with network_at(place, node__verify_workers=0) as network:
        validator = network.nodes[0]
        for index in range(1, followers + 1):
            name, rpc_port, p2p_port = f"follower-{index}", validator.rpc_port + index, validator.p2p_port + index
            settings = {
                "node.verify_workers": 0,
                "p2p.host": "127.0.0.1",
                "p2p.port": p2p_port,
                "p2p.peers": [f"127.0.0.1:{validator.p2p_port}"],
                "rpc.port": rpc_port,
                "storage.snapshot_gap": NO_SNAPSHOT_GAP,
            }
            home = write_home(network.folder / name, grown_genesis(), new_keys(FOLLOWER_KEYS), settings)
            copy_store(place / "store", home.store)
            network.nodes.append(LocalNode(name, home, rpc_port, p2p_port))
        network.start()
        for node in network.nodes:
            asyncio.run(reachable(node.url))
        wait_for(lambda: metrics_of(network)["is_signing"] == 1, 60, "the validator signs")
        yield network


def _hand_in(url: str, raws: list[bytes], per_second: float) -> list[float]:
    return asyncio.run(latencies([url], raws, per_second))


def _turn(
    network: LocalNetwork,
    asked: tuple[int, ...],
    requests: list[bytes],
    raws: list[bytes],
    per_second: float,
    pool: Pool,
) -> Turn:
    """The load goes to the validator at its rate; meanwhile the nodes `asked` answer as fast as they can."""
    seconds, first = len(raws) / per_second, network.nodes[0].height()
    pids = [node.process.pid for node in network.nodes if node.process is not None]
    load = pool.apply_async(_hand_in, (network.nodes[0].url, raws, per_second))
    before = list(map(processor_s, pids))

    async def ask() -> list[float]:
        asking = [rate(network.nodes[index].rpc_port, requests, seconds) for index in asked]
        return (await asyncio.gather(asyncio.sleep(seconds, 0.0), *asking))[1:]

    rates = asyncio.run(ask())
    taken = {index: processor_s(pid) - before[index] for index, pid in enumerate(pids)}
    finality = load.get(seconds + 60)
    wait_height(network.nodes, network.nodes[0].height())
    head, *others = (committed_ms(node) for node in network.nodes)
    behind = [own[height] - at for own in others for height, at in head.items() if height > first and height in own]
    reads = {index: each * seconds for index, each in zip(asked, rates, strict=True)}
    return Turn(seconds, reads, taken, finality, behind)


def measure(folder: Path, vehicles: int, seconds: float, seed: int, per_second: float = PER_SECOND) -> list[Measure]:
    """Nobody, the validator, one follower and both are asked in turns, so that a noisy machine is noisy for all."""
    place = store_with(folder, vehicles, seed)
    load, requests = AmongAll(vehicles, seed).endless(), requests_of(vehicles, seed)
    each = int(seconds * per_second / TURNS / 4)
    who = {"nobody": (), "validator": (0,), "one": (1,), "both": (1, 2)}
    turns: dict[str, list[Turn]] = defaultdict(list)
    with multiprocessing.get_context("spawn").Pool(1) as pool, followed_network(place, 2) as network:
        pool.apply(_hand_in, (network.nodes[0].url, [], per_second))  # its imports are no part of a turn
        for _ in range(TURNS):
            for name, asked in who.items():
                turns[name].append(_turn(network, asked, requests, list(islice(load, each)), per_second, pool))
    return _measures(turns, {"seed": seed, "vehicles": vehicles, "transactions_per_second": per_second})


def _reads_per_second(turns: list[Turn], *, of_processor: bool) -> float:
    """Summed over the nodes that were asked. `of_processor`: for each, of a second of its own processor time."""
    total = 0.0
    for index in turns[0].reads:
        spent = sum(turn.processor_s[index] if of_processor else turn.seconds for turn in turns)
        total += sum(turn.reads[index] for turn in turns) / spent
    return total


def _all(turns: list[Turn], name: str) -> list[float]:
    return sorted(value for turn in turns for value in getattr(turn, name))


def _measures(
    turns: dict[str, list[Turn]], about: dict[str, object], cores: int = len(os.sched_getaffinity(0))
) -> list[Measure]:
    """With too few cores, reads are those of processor time, and finality is that while one follower is asked: two and
    who asks them leave the validator no core, which on machines of their own they would not take from it."""
    has_few = cores < CORES_FOR_RATES
    both, one = (_reads_per_second(turns[name], of_processor=has_few) for name in ("both", "one"))
    finality = {name: _all(found, "finality_ms") for name, found in turns.items()}
    behind = {name: _all(found, "behind_ms") for name, found in turns.items()}
    p50 = {name: percentile(found, 0.5) for name, found in finality.items()}
    asked = [name for name in turns if name != "nobody"]
    quiet_s = sum(turn.seconds for turn in turns["nobody"])
    details = about | {
        "cores": cores,
        "reads_per_second": {n: round(_reads_per_second(turns[n], of_processor=False)) for n in asked},
        "reads_per_processor_second": {n: round(_reads_per_second(turns[n], of_processor=True)) for n in asked},
        "finality_p50_p99_ms": {n: (p50[n], percentile(found, 0.99)) for n, found in finality.items()},
        "behind_p50_p99_ms": {n: (percentile(found, 0.5), percentile(found, 0.99)) for n, found in behind.items()},
        "processor_of_each_node_while_nobody_asks": [
            sum(turn.processor_s[index] for turn in turns["nobody"]) / quiet_s
            for index in turns["nobody"][0].processor_s
        ],
    }
    of, whom, are = "a second", "both", "followers are"
    if has_few:
        of, whom, are = "a second of each one's processor time", "one", "a follower is"
    return [
        Measure(
            "reads of two followers / one", both / one, SCALE_BAR, both, one,
            f"GET /v1/vehicles/{{vin}} answered in {of}, by both over by one", details=details,
        ),
        Measure(
            f"finality p50 while {are} asked / nobody", p50[whom] / p50["nobody"], FINALITY_BAR, p50[whom],
            p50["nobody"], "ms from POST to committed, at the validator", bar_is_upper=True, details=details,
        ),
        *(
            Measure(
                f"followers behind, {name}", value, bar, value, 1, "ms from the validator's commit to a follower's, "
                "while both are asked", bar_is_upper=True, details=details,
            )
            for name, share, bar in (("p50", 0.5, P50_BAR_MS), ("p99", 0.99, P99_BAR_MS))
            for value in (percentile(behind["both"], share),)
        ),
    ]  # fmt: skip
