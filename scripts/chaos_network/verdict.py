"""What must hold when everything is healed. Each check returns sentences; none is good."""

from __future__ import annotations

import concurrent.futures
import http.client
import json
import subprocess
import sys
import time
import urllib.error
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chaos_network.traffic import Accepted
from chaos_network.watch import status_of_node
from node.cli.local_network import LocalNetwork, LocalNode

PAGE = 20
FINAL = ("committed", "expired")
FINAL_S = 90.0
SETTLED_S = 90.0


@dataclass
class Chain:
    """One node's blocks by height."""

    ids: dict[int, str] = field(default_factory=dict)
    roots: dict[int, str] = field(default_factory=dict)
    txids: dict[str, int] = field(default_factory=dict)
    twice: list[str] = field(default_factory=list)
    evidence: list[int] = field(default_factory=list)


def settled(nodes: list[LocalNode], timeout_s: float = SETTLED_S) -> str:
    """Wait until all stand at the same height twice in a row, at two heights; what they say if they never do."""
    deadline, last = time.monotonic() + timeout_s, -1
    found: list[dict[str, Any] | None] = []
    with concurrent.futures.ThreadPoolExecutor(len(nodes)) as pool:
        while time.monotonic() < deadline:
            found = list(pool.map(status_of_node, nodes))
            answered = [status for status in found if status is not None]
            heights = {status["head"]["height"] for status in answered}
            if len(answered) == len(nodes) and len(heights) == 1:
                height = heights.pop()
                if last not in (-1, height):
                    return _same_roots(answered)
                last = height
            time.sleep(0.1)
    shown = [
        "no answer" if s is None else f"{s['head']['height']} {s['signing']} round {s['round']} {s['step']}"
        for s in found
    ]
    return f"not all at the same height twice in a row within {timeout_s:.0f} s: {shown}"


def _same_roots(statuses: list[dict[str, Any]]) -> str:
    roots = {status["head"]["state_root"] for status in statuses}
    return "" if len(roots) == 1 else f"several state roots at height {statuses[0]['head']['height']}: {roots}"


def read_chain(node: LocalNode, first: int) -> Chain:
    chain, at = Chain(), first
    while True:
        blocks = node.get(f"/v1/blocks?from={at}&limit={PAGE}", 20)["blocks"]
        if not blocks:
            return chain
        for block in blocks:
            height = block["header"]["height"]
            chain.ids[height], chain.roots[height] = block["id"], block["header"]["state_root"]
            for tx in block["transactions"]:
                if tx["txid"] in chain.txids:
                    chain.twice.append(tx["txid"])
                chain.txids[tx["txid"]] = height
            if block["evidence"]:
                chain.evidence.append(height)
        at += len(blocks)


def first_block(node: LocalNode) -> int:
    """The oldest block it has: one that began from a snapshot has no older ones."""
    low, high = 1, node.height()
    while low < high:
        middle = (low + high) // 2
        try:
            node.get(f"/v1/blocks/{middle}", 20)
            high = middle
        except urllib.error.HTTPError as error:
            if error.code not in (404, 410):
                raise
            low = middle + 1
    return low


def compare_chains(network: LocalNetwork, pruned: set[int]) -> tuple[Chain, list[str]]:
    """The longest chain, and every height at which two nodes differ."""
    found: list[str] = []
    chains = {
        i: read_chain(node, first_block(node) if i in pruned else 1) for i, node in enumerate(network.nodes)
    }  # fmt: skip
    whole = max((chain for i, chain in chains.items() if i not in pruned), key=lambda chain: len(chain.ids))
    for index, chain in chains.items():
        name = network.nodes[index].name
        for height, ident in chain.ids.items():
            if height in whole.ids and (ident, chain.roots[height]) != (whole.ids[height], whole.roots[height]):
                found.append(f"fork at height {height}: {name} has {ident}, others {whole.ids[height]}")
                break
        if chain.evidence:
            found.append(f"evidence on {name}'s chain at heights {chain.evidence}")
        if chain.twice:
            found.append(f"transactions twice in {name}'s chain: {chain.twice[:3]}")
        missing = [h for h in range(min(chain.ids, default=1), max(chain.ids, default=0)) if h not in chain.ids]
        if missing:
            found.append(f"{name} lacks blocks {missing[:5]}")
    return whole, found


def blocked(node: LocalNode) -> list[str]:
    """Turns of its event loop that took more than 50 ms of processor time, over all starts of the node."""
    lines = [line for line in node.log.read_text("utf-8").splitlines() if " event_loop_blocked " in line]
    return [f"{node.name}'s event loop was blocked {len(lines)} times, first {lines[0]}"] if lines else []


# --- fates ----------------------------------------------------------------------------------------------
def fate_of(node: LocalNode, txid: str) -> str:
    try:
        return str(node.get(f"/v1/transactions/{txid}", 10)["status"])
    except urllib.error.HTTPError as error:
        return "unknown" if error.code == 404 else f"status {error.code}"
    except (OSError, ValueError, http.client.HTTPException) as error:
        return f"no answer ({error})"


def account(
    network: LocalNetwork, accepted: list[Accepted], forgotten: dict[int, float], timeout_s: float = FINAL_S
) -> tuple[dict[str, int], list[str]]:
    """How many have which fate on the node that accepted them, and whose is none, or not final in time."""
    counts: dict[str, int] = {}
    problems: dict[str, list[str]] = {}
    winners: dict[int, set[str]] = {}
    for one, fate in zip(accepted, _final_fates(network, accepted, timeout_s), strict=True):
        if fate == "unknown" and one.at < forgotten.get(one.node, -1.0):
            fate = "forgotten"
        counts[fate] = counts.get(fate, 0) + 1
        good = (*FINAL, "forgotten") if one.rival >= 0 else ("committed", "forgotten")
        if fate not in good:
            problems.setdefault(f"{fate} on {network.nodes[one.node].name}", []).append(one.txid)
        if fate == "committed" and one.rival >= 0:
            winners.setdefault(one.rival, set()).add(one.txid)
    told = [f"{len(txids)} accepted transactions are {what}, e.g. {txids[:2]}" for what, txids in problems.items()]
    told += [f"rival births of one vehicle committed: {sorted(txids)}" for txids in winners.values() if len(txids) > 1]
    return counts, told


def _final_fates(network: LocalNetwork, accepted: list[Accepted], timeout_s: float) -> list[str]:
    """In the order of `accepted`; what is pending or rejected is asked for again until it is final."""
    deadline = time.monotonic() + timeout_s
    fates = [""] * len(accepted)
    waiting = list(range(len(accepted)))
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        while waiting:
            asked = pool.map(lambda at: fate_of(network.nodes[accepted[at].node], accepted[at].txid), waiting)
            for at, fate in zip(waiting, list(asked), strict=True):
                fates[at] = fate
            waiting = [at for at in waiting if fates[at] not in (*FINAL, "unknown")]
            if time.monotonic() > deadline:
                break
            time.sleep(0.5 if waiting else 0)
    return fates


def lost_from_chain(whole: Chain, accepted: list[Accepted], counts: dict[str, int]) -> list[str]:
    """What a node calls committed must be in the blocks that everyone has."""
    in_chain = sum(one.txid in whole.txids for one in accepted)
    called = counts.get("committed", 0)
    return [] if called <= in_chain else [f"{called} are called committed, {in_chain} of them are in the chain"]


# --- audit ----------------------------------------------------------------------------------------------
def audited(*arguments: str, genesis: Path) -> tuple[dict[str, Any] | None, str]:
    """The report of `bmw-audit replay`, or what it said."""
    command = [sys.executable, "-m", "node.cli.audit", "replay", *arguments, "--genesis", str(genesis)]
    done = subprocess.run([*command, "--workers", "0", "--json"], capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        return None, f"bmw-audit replay {' '.join(arguments)} ended with {done.returncode}: {done.stderr.strip()}"
    return json.loads(done.stdout), ""


def audit_node(network: LocalNetwork, index: int) -> tuple[dict[str, Any] | None, list[str]]:
    report, problem = audited("--node", network.nodes[index].url, genesis=network.genesis_file)
    return report, [problem] if problem else []


def audit_store(network: LocalNetwork, index: int, of_node: dict[str, Any], chain: Chain) -> list[str]:
    """The stopped node's store, every key of it; and the same root as the replay over HTTP at that one's height."""
    home = str(network.nodes[index].home.path)
    report, problem = audited("--store", home, genesis=network.genesis_file)
    if report is None:
        return [problem]
    height = report["height"]
    if height in chain.roots and report["state_root"] != chain.roots[height]:
        return [f"the store's root at height {height} is not the header's"]
    earlier, problem = audited("--store", home, "--to", str(of_node["height"]), genesis=network.genesis_file)
    if earlier is None:
        return [problem]
    if (earlier["height"], earlier["state_root"]) != (of_node["height"], of_node["state_root"]):
        return [f"replay of {home} and replay over HTTP give two roots at height {of_node['height']}"]
    return []
