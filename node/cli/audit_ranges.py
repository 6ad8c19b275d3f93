"""The options of `bmw-audit replay` that spread a replay over ranges of blocks."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, TypeVar

import click

from node.audit.parallel_replay import ParallelReplay, RangePool
from node.audit.progress import ReplayProgress
from node.audit.report import ReplayReport
from node.audit.sources import Kind
from node.audit.work_folder import WorkFolder
from node.chain.genesis import Genesis

Command = TypeVar("Command", bound=Callable[..., Any])
FOLDER = click.Path(path_type=Path, file_okay=False)
SNAPSHOTS = click.Path(path_type=Path, file_okay=False, exists=True)
SNAPSHOT_EVERY = 10_000


class RangeOptions(NamedTuple):
    """What is asked for. Without `work`, `snapshots` and `dask` a replay goes through the blocks once, in order."""

    work: Path | None
    snapshots: tuple[Path, ...]
    snapshot_every: int
    dask: str | None

    @property
    def are_given(self) -> bool:
        return bool(self.work or self.snapshots or self.dask)


def range_options(command: Command) -> Command:
    """`--snapshots`, `--work`, `--snapshot-every`, `--dask`."""
    options = (
        click.option(
            "--snapshots",
            multiple=True,
            type=SNAPSHOTS,
            metavar="DIR",
            help="Folder of snapshots, such as data/snapshots of a home: the ranges between them are replayed at the "
            "same time. Nothing in it is trusted. May be repeated.",
        ),
        click.option(
            "--work",
            type=FOLDER,
            metavar="DIR",
            help="Keep finished ranges and snapshots in this folder: the same command goes on after an interruption.",
        ),
        click.option(
            "--snapshot-every",
            type=click.IntRange(min=0),
            default=SNAPSHOT_EVERY,
            show_default=True,
            metavar="BLOCKS",
            help="Heights between two snapshots that a replay leaves in --work; 0: none.",
        ),
        click.option(
            "--dask",
            metavar="URL",
            help="Replay the ranges on the Dask cluster of this scheduler, such as tcp://10.0.0.1:8786; --work is then "
            "a folder that all its machines share.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def check_range_options(ranges: RangeOptions, *, has_predecessor: bool) -> None:
    """Raises a usage error for options that do not go together."""
    if ranges.are_given and has_predecessor:
        raise click.UsageError("a chain that continues another is replayed in order: leave --work and --snapshots out")
    if ranges.dask and ranges.work is None:
        raise click.UsageError("--dask needs --work, a folder that all machines of the cluster share")


def replay_ranges(
    genesis: Genesis,
    kind: Kind,
    place: str,
    to: int | None,
    workers: int,
    ranges: RangeOptions,
) -> ReplayReport:
    """Replay in the work folder, or in a temporary one."""
    with ExitStack() as open_things:
        folder = ranges.work or Path(open_things.enter_context(TemporaryDirectory(prefix="bmw-audit-")))
        cluster: RangePool | None = None
        if ranges.dask:
            from node.audit.cluster import DaskPool  # not everybody has the extra

            pool = DaskPool(ranges.dask)
            open_things.callback(pool.close)
            cluster = pool
        replay = ParallelReplay(
            genesis,
            kind,
            place,
            WorkFolder(folder),
            snapshots=ranges.snapshots,
            snapshot_every=ranges.snapshot_every if ranges.work else 0,
            workers=workers,
            cluster=cluster,
            progress_to=lambda last: _progress(open_things, last),
        )
        return replay.run(to)


def _progress(open_things: ExitStack, last: int) -> ReplayProgress:
    progress = ReplayProgress(last, sys.stderr)
    open_things.callback(progress.close)
    return progress
