"""A replay in this process, and what it found."""

from __future__ import annotations

from node.audit.replay import Replay
from node.audit.report import ReplayReport
from node.audit.sources import BlockSource
from node.audit.workers import InProcess
from support.chain import Chain

GENESIS = Chain().genesis


def replay(source: BlockSource, to: int | None = None) -> ReplayReport:
    try:
        return Replay(GENESIS, source, InProcess()).run(to)
    finally:
        source.close()


def found(report: ReplayReport) -> tuple[int, int, str]:
    assert report.divergence is not None
    return report.divergence.height, report.divergence.index, report.divergence.rule
