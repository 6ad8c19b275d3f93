"""Metrics of the process of the pages, in the text format of Prometheus (0.0.4)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from aiohttp import web

from node.rpc.metrics import METRICS_TYPE, RouteCounters, kind_of
from web import headers
from web.asking import Site

PREFIX: Final = "bmw_web_"
METRICS: Final = {
    "requests_total": "answered requests, by method, route and status",
    "request_seconds_total": "time spent answering requests, by method, route and status",
    "nodes": "nodes behind the pages",
    "nodes_answering": "nodes that have answered last",
    "node_height": "highest head that a node has shown",
    "node_refused_total": "requests and pages refused because the nodes are asked for enough already",
    "memory_bytes": "memory of this process, by kind",
    "model_height": "height of the rows",
    "model_rows": "slots of listings, in use or free",
    "model_complete": "1 once all listings have been read",
    "model_stopped": "1 while search is stopped, because rows differ from what the chain proves",
    "model_rebuilding": "1 while rows are read anew",
    "model_rebuilds_total": "how often rows have been read anew",
    "model_differences_total": "checks of a row against its proof that did not hold",
    "model_checked_total": "checks of a row against its proof that held",
    "model_check_age_seconds": "time since the last check that held; -1: none yet",
}
"""HELP text of every metric, by name without prefix."""
_STATUS_FILE: Final = Path("/proc/self/status")
_MEMORY: Final = {"VmRSS:": "resident", "VmHWM:": "peak"}


def route_of(request: web.Request) -> str:
    """The template of a request's path, so that the number of metrics is bounded."""
    found = request.match_info.route.resource
    return found.canonical if found is not None else "none"


def memory_bytes() -> dict[str, float]:
    """The resident memory now, and at its highest. `getrusage` does not tell the latter: a process inherits its
    `ru_maxrss` from the one that started it."""
    fields = [line.split() for line in _STATUS_FILE.read_text().splitlines()]
    found = {words[0]: int(words[1]) * 1_024 for words in fields if words and words[0] in _MEMORY}
    return {f'memory_bytes{{kind="{_MEMORY[name]}"}}': size for name, size in found.items()}


def rendered(samples: Mapping[str, float], counters: RouteCounters) -> str:
    """The page of all metrics. `samples`: values by name, some with labels in braces."""
    found: dict[str, dict[str, float]] = {}
    for (method, path, status), totals in sorted(counters.totals.items()):
        labels = f'{{method="{method}",route="{path}",status="{status}"}}'
        for name, total in zip(("requests_total", "request_seconds_total"), totals, strict=True):
            found.setdefault(name, {})[name + labels] = total
    for sample, value in samples.items():
        found.setdefault(sample.partition("{")[0], {})[sample] = value
    lines: list[str] = []
    for name, values in sorted(found.items()):
        lines += [f"# HELP {PREFIX}{name} {METRICS[name]}", f"# TYPE {PREFIX}{name} {kind_of(name)}"]
        lines += [f"{PREFIX}{sample} {float(value):.12g}" for sample, value in values.items()]
    return "\n".join(lines) + "\n"


def metrics_page(site: Site, counters: RouteCounters) -> web.Response:
    """The answer to `/metrics`."""
    nodes = site.nodes
    samples = {
        "nodes": len(nodes.watched), "nodes_answering": sum(not node.fault for node in nodes.watched),
        "node_height": nodes.height, "node_refused_total": nodes.strangers.refused,
    } | memory_bytes() | site.model.samples()  # fmt: skip
    told = {"Content-Type": METRICS_TYPE, "Cache-Control": headers.NOT_KEPT}
    return web.Response(text=rendered(samples, counters), headers=told)
