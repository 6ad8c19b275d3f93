"""A running node's part of a debug bundle: plain data without secrets."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
import sys
import threading
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec

from node import limits
from node.chain.vote import NIL, Vote
from node.consensus.messages import Lock
from node.consensus.safety import HardState, last_step
from node.crypto.addresses import to_text
from node.daemon.config import Config
from node.replica.replica import Replica
from node.rpc.backend import NodeStatus, PeerInfo

WITHHELD = {("rpc", "tls_key")}
"""Settings that name the place of a secret: only whether they are set is shown."""


def settings_view(config: Config) -> dict[str, dict[str, Any]]:
    """The settings in force, by section."""
    return {
        section: {
            key: ("(set)" if value else "") if (section, key) in WITHHELD else value for key, value in values.items()
        }
        for section, values in msgspec.to_builtins(config).items()
    }


def log_view() -> dict[str, Any]:
    """Where standard error goes, which has the log: `file`, a path, or `journal`, the arguments of journalctl that show
    it; both are empty where it goes to neither."""
    file = journal = ""
    with contextlib.suppress(OSError):
        status = os.fstat(sys.stderr.fileno() if sys.stderr is not None else -1)
        if os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}":  # systemd.exec(5)
            unit = Path("/proc/self/cgroup").read_text().strip().rpartition("/")[2]
            journal = f"-u {unit}" if unit.endswith(".service") else f"_PID={os.getpid()}"
        elif stat.S_ISREG(status.st_mode):
            file = os.readlink(f"/proc/self/fd/{sys.stderr.fileno()}")
    return {"file": file, "journal": journal}


def status_view(status: NodeStatus) -> dict[str, Any]:
    return asdict(status) | {
        "node_key": status.node_key.hex(),
        "validator": to_text(status.validator) if status.validator else "",
    }


def peers_view(peers: list[PeerInfo]) -> list[dict[str, Any]]:
    return [
        asdict(peer) | {"node_key": peer.node_key.hex(), "member": to_text(peer.member) if peer.member else ""}
        for peer in peers
    ]


def consensus_view(replica: Replica) -> dict[str, Any]:
    """The height in flight: round, step, locks, and every vote that this node has seen, by validator."""
    machine, head = replica.machine, replica.store.head()
    rounds = range(max(0, machine.round - limits.ROUNDS_AHEAD_MAX), machine.round + limits.ROUNDS_AHEAD_MAX + 1)
    votes = [vote for round_ in rounds for vote in machine.tally.votes_of_round(round_)]
    proposals = {round_: proposal for round_ in rounds if (proposal := machine.proposal(round_)) is not None}
    return {
        "head": {
            "height": head.height,
            "id": head.block_id.hex(),
            "time_ms": head.time_ms,
            "state_root": head.state_root.hex(),
        },
        "height": machine.height,
        "round": machine.round,
        "step": machine.step_now.name.lower(),
        "locked": _lock(machine.locked),
        "valid": _lock(machine.valid),
        "proposer": to_text(machine.validators.proposer(machine.height, machine.round)),
        "proposals": {
            str(round_): {"id": proposal.block_id.hex(), "valid_round": proposal.valid_round}
            for round_, proposal in proposals.items()
        },
        "validators": [
            {
                "address": to_text(entry.address),
                "power": entry.power,
                "votes": [_vote(vote) for vote in votes if vote.validator == entry.address],
            }
            for entry in machine.validators.entries
        ],
        "may_sign": replica.may_sign(),
        "halted": replica.halted,
    }


def _lock(lock: Lock | None) -> dict[str, Any] | None:
    return None if lock is None else {"round": lock.round, "id": lock.block_id.hex()}


def _vote(vote: Vote) -> dict[str, Any]:
    return {"round": vote.round, "kind": vote.kind, "id": "nil" if vote.block_id == NIL else vote.block_id.hex()}


def signing_view(state: HardState) -> dict[str, Any]:
    """The last step that this validator signed, from its hard state; no signatures."""
    height, round_, step = last_step(state)
    return {
        "height": height,
        "round": round_,
        "step": step.name.lower(),
        "messages": len(state.messages),
        "locked": state.locked is not None,
        "valid": state.valid is not None,
    }


# --- stacks -----------------------------------------------------------------------------------------------
def thread_stacks() -> str:
    """The stack of every thread: places in the code, no values."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    return "\n".join(
        f"thread {ident} {names.get(ident, '')}\n{''.join(traceback.format_stack(frame))}"
        for ident, frame in sys._current_frames().items()
    )


def task_stacks() -> str:
    """The stack of every asyncio task of the running loop."""
    stacks = []
    for task in sorted(asyncio.all_tasks(), key=lambda task: task.get_name()):
        frames = task.get_stack()
        lines = [f"  {frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_qualname}" for frame in frames]
        name = getattr(task.get_coro(), "__qualname__", "")
        stacks.append("\n".join([f"{task.get_name()} {name}", *lines]))
    return "\n\n".join(stacks) + "\n"
