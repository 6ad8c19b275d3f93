"""Metrics in the text format of Prometheus (0.0.4)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

PREFIX = "bmw_"
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"

METRICS = {
    "height": "height of the newest block",
    "head_age_seconds": "age of the newest block",
    "round": "round of the height in flight",
    "peers": "connected peers",
    "validators": "validators of the next height",
    "is_validator": "1 if this node's member is a validator",
    "is_signing": "1 while this validator signs",
    "is_syncing": "1 while the node catches up",
    "sync_target_height": "height that block sync is going to",
    "sync_seconds_left": "estimated time until block sync is there",
    "is_halted": "1 once the node has halted",
    "upgrade_needed_before_height": "height whose ruleset this software does not know; 0: none",
    "pool_txs": "pending transactions",
    "pool_bytes": "size of the pending transactions",
    "clock_offset_seconds": "how far this node's clock is ahead of the validators'",
    "verifiers_replaced_total": "verifier processes that died or fell silent and were replaced",
    "memory_bytes": "memory of this process, by kind",
    "disk_free_bytes": "free space of the file system with the store, as far as this process may use it",
    "disk_bytes": "size of that file system",
    "python_blocks": "live objects of the interpreter",
    "event_loop_blocked_seconds_max": "longest turn of the event loop in the last one to two minutes, by clock",
    "event_loop_blocks_total": "turns of the event loop above 50 ms, by clock",
    "blocks_committed_total": "committed blocks",
    "rounds_above_zero_total": "committed blocks that took more than one round",
    "txs_committed_total": "committed transactions",
    "txs_submitted_total": "transactions submitted to this node",
    "txs_decoded_total": "transactions decoded: submitted, gossiped, or first seen in a block",
    "txs_verified_total": "transactions whose signatures were verified",
    "txs_judged_total": "times that a pending transaction was judged over the head",
    "txs_executed_total": "times that a transaction was executed in a block, proposed by this node or by another",
    "proposals_untimely_total": "proposals rejected for their time",
    "p2p_bytes_in_total": "bytes received from peers",
    "p2p_bytes_out_total": "bytes sent to peers",
    "p2p_messages_in_total": "messages received",
    "p2p_messages_out_total": "messages sent",
    "p2p_refused_total": "connections refused",
    "p2p_unfinished_total": "handshakes that broke off or timed out",
    "p2p_evicted_total": "peers disconnected in favour of better ones",
    "p2p_over_budget_total": "messages above a rate limit",
    "p2p_put_off_total": "messages delayed by their sender's fair share",
    "rpc_streams": "open event streams",
    "rpc_certificate_seconds_left": "time until the TLS certificate expires",
    "rpc_requests_total": "answered requests, by method, route and status",
    "rpc_request_seconds_total": "time spent answering requests, by method, route and status",
    "newest_snapshot_height": "height of the newest snapshot that is served to peers; 0: none",
    "snapshot_height": "height of the snapshot that is being fetched; 0: none yet",
    "snapshot_chunk": "chunks of the snapshot that have been fetched",
    "snapshot_chunks": "chunks of the snapshot",
    "snapshot_seconds_left": "estimated time until the snapshot is complete",
}
"""HELP text of every metric, by name without prefix."""


def kind_of(name: str) -> str:
    return "counter" if name.endswith("_total") else "gauge"


class RouteCounters:
    """Requests and seconds by (method, path template, status). Templates keep their number bounded."""

    def __init__(self) -> None:
        self.totals: defaultdict[tuple[str, str, int], tuple[int, float]] = defaultdict(lambda: (0, 0.0))

    def add(self, method: str, path: str, status: int, seconds: float) -> None:
        requests, total = self.totals[method, path, status]
        self.totals[method, path, status] = requests + 1, total + seconds


def render_metrics(node: Mapping[str, float], counters: RouteCounters) -> str:
    """The page of all metrics. `node`: the backend's samples by metric name, some with labels in braces."""
    names = ("rpc_requests_total", "rpc_request_seconds_total")
    samples: dict[str, dict[str, float]] = {name: {} for name in names}
    for (method, path, status), totals in sorted(counters.totals.items()):
        labels = f'{{method="{method}",route="{path}",status="{status}"}}'
        for name, total in zip(names, totals, strict=True):
            samples[name][name + labels] = total
    for sample, value in node.items():
        samples.setdefault(sample.partition("{")[0], {})[sample] = value
    lines: list[str] = []
    for name, values in sorted(samples.items()):
        lines += [f"# HELP {PREFIX}{name} {METRICS[name]}", f"# TYPE {PREFIX}{name} {kind_of(name)}"]
        for sample, value in values.items():
            lines.append(f"{PREFIX}{sample} {int(value) if isinstance(value, int) else repr(value)}")
    return "\n".join(lines) + "\n"
