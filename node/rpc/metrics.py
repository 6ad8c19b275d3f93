"""Counters of the HTTP interface and the page that Prometheus reads (text format 0.0.4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PREFIX = "bmw_"
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class RouteCounters:
    """Requests and seconds by (method, path, status); paths are templates, so their number is bounded."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, str, int], list[float]] = {}

    def add(self, method: str, path: str, status: int, seconds: float) -> None:
        known = self.counts.get((method, path, status))
        if known is None:
            self.counts[method, path, status] = [1, seconds]
        else:
            known[0] += 1
            known[1] += seconds


def _number(value: Any) -> str:
    return str(int(value)) if isinstance(value, bool | int) else repr(float(value))


def _kind(name: str) -> str:
    return "counter" if name.endswith(("_total", "_sum", "_count")) else "gauge"


def render_metrics(node: Mapping[str, Any], counters: RouteCounters) -> str:
    """`node`: the backend's metrics by name, each perhaps with labels in braces."""
    lines: list[str] = []
    typed: set[str] = set()
    for name in sorted(node):
        base = name.partition("{")[0]
        if base not in typed:
            typed.add(base)
            lines.append(f"# TYPE {PREFIX}{base} {_kind(base)}")
        lines.append(f"{PREFIX}{name} {_number(node[name])}")
    for place, name, help_text in (
        (0, "rpc_requests_total", "answers by route and status"),
        (1, "rpc_request_seconds_total", "time spent on them"),
    ):
        lines.append(f"# HELP {PREFIX}{name} {help_text}")
        lines.append(f"# TYPE {PREFIX}{name} counter")
        for (method, path, status), values in sorted(counters.counts.items()):
            labels = f'method="{method}",route="{path}",status="{status}"'
            lines.append(f"{PREFIX}{name}{{{labels}}} {_number(values[place])}")
    return "\n".join(lines) + "\n"
