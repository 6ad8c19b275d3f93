"""The samples behind `/metrics` of a running node."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from node.daemon.clocks import Clock, ClockWatch
from node.daemon.loop_turns import LoopTurns
from node.daemon.memory import memory_numbers
from node.daemon.snapshots import SnapshotServer
from node.daemon.submissions import Submissions
from node.daemon.verifiers import Verifiers
from node.p2p.network import Network
from node.replica import events as e
from node.replica.replica import Replica
from node.rpc.backend import NodeStatus
from node.storage.chain_store import ChainStore
from node.storage.leveldb import LevelStore


@dataclass
class NodeMetrics:
    """Counts the replica's actions; everything else is read when it is asked for."""

    store: ChainStore
    databases: tuple[LevelStore, ...]
    network: Network
    submissions: Submissions
    replica: Replica
    verifiers: Verifiers
    clock: Clock
    clock_watch: ClockWatch
    snapshots: SnapshotServer
    folder: Path
    """Of the store."""
    turns: LoopTurns
    blocks_committed: int = 0
    txs_committed: int = 0
    rounds_above_zero: int = 0
    proposals_untimely: int = 0

    def committed(self, action: e.BlockCommitted) -> None:
        self.blocks_committed += 1
        self.txs_committed += len(action.transactions)
        self.rounds_above_zero += action.round > 0

    def noticed(self, notice: e.Notice) -> None:
        self.proposals_untimely += notice.name == "untimely"

    def samples(self, status: NodeStatus, upgrade_height: int) -> dict[str, float]:
        """By name, as `metrics.METRICS` explains them."""
        head = self.store.head()
        received, sent = self.network.traffic()
        work = self.replica.work()
        return {
            "height": head.height,
            "head_age_seconds": max(0, self.clock() - head.time_ms) / 1000,
            "round": status.round,
            "peers": status.peers,
            "validators": len(head.validators),
            "is_validator": int(status.is_validator),
            "is_signing": int(status.signing == "signing"),
            "is_syncing": int(status.is_syncing),
            "sync_target_height": status.pace.target,
            "sync_seconds_left": status.pace.seconds_left,
            "is_halted": int(bool(status.halted)),
            "upgrade_needed_before_height": upgrade_height,
            "pool_txs": status.pool_txs,
            "pool_bytes": status.pool_bytes,
            "clock_offset_seconds": self.clock_watch.offset_ms / 1000,
            "verifiers_replaced_total": self.verifiers.replaced,
            **memory_numbers(*self.databases),
            **self._disk_numbers(),
            **self.turns.samples(),
            "newest_snapshot_height": self.snapshots.newest_height,
            "p2p_bytes_in_total": received,
            "p2p_bytes_out_total": sent,
            "txs_submitted_total": self.submissions.count,
            "blocks_committed_total": self.blocks_committed,
            "txs_decoded_total": self.submissions.decoded + work.decoded,
            "txs_verified_total": self.verifiers.verified,
            "txs_judged_total": work.judged,
            "txs_executed_total": work.executed,
            "txs_committed_total": self.txs_committed,
            "rounds_above_zero_total": self.rounds_above_zero,
            "proposals_untimely_total": self.proposals_untimely,
            **{f"p2p_{name}_total": value for name, value in self.network.counters.items()},
        }

    def _disk_numbers(self) -> dict[str, int]:
        """Missing where the file system does not say."""
        try:
            disk = shutil.disk_usage(self.folder)
        except OSError:
            return {}
        return {"disk_free_bytes": disk.free, "disk_bytes": disk.total}
