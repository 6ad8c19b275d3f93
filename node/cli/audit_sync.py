"""`bmw-audit sync`: a read model in a PostgreSQL database, in step with a chain."""

from __future__ import annotations

import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import click

from node.audit.sources import open_source
from node.cli.audit_sources import (
    FILE,
    chosen,
    genesis_options,
    older_chains,
    source_options,
    with_divergence,
)
from node.cli.exit_codes import FAILED, exit_codes
from node.cli.options import example, read_genesis_file


@click.command(
    "sync",
    epilog=example(
        "bmw-audit sync --node http://127.0.0.1:26700 --genesis genesis.json --to postgresql:///bmw --state state",
        "bmw-audit sync --archive blocks.bmw --genesis genesis.json --to postgresql:///bmw --once",
    ),
)
@click.option(
    "--to",
    "database",
    required=True,
    envvar="BMW_AUDIT_DATABASE",
    metavar="URL",
    help="The database: postgresql://USER@HOST/NAME (or BMW_AUDIT_DATABASE). A password is read from PGPASSWORD or "
    "~/.pgpass.",
)
@source_options
@genesis_options
@click.option(
    "--state", type=FILE, metavar="DIR", help="Folder of the executed state. Without it each start replays the chain."
)
@click.option("--once", is_flag=True, help="Stop at the source's head.")
@click.option("--until", type=click.IntRange(min=1), metavar="HEIGHT", help="Stop at this block.")
@click.option(
    "--every",
    type=click.FloatRange(min=0.05),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="How often to ask the node for new blocks.",
)
@exit_codes(corrupted=FAILED)
def sync_command(
    database: str,
    store: Path | None,
    archive: Path | None,
    node: str | None,
    genesis_file: Path,
    predecessors: tuple[str, ...],
    predecessor_files: tuple[Path, ...],
    state: Path | None,
    once: bool,
    until: int | None,
    every: float,
) -> None:
    """Keep a read model in a PostgreSQL database in step with a node.

    Every block is replayed from genesis on before its rows are written: certificate, signatures, guards, effects and
    roots. A block's rows and the position are one transaction, so that a crash of either side loses and repeats
    nothing. A divergence ends the command with exit code 1. The tables and views are in the schema bmw.
    """
    from node.audit.postgres.sync import Sync  # the extra 'sync' has its library

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with ExitStack() as stack:
        genesis = read_genesis_file(genesis_file)
        older = older_chains(stack, predecessors, predecessor_files)
        folder = state or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bmw-audit-")))
        sync = Sync(genesis, lambda: open_source(*chosen(store, archive, node)), database, folder, older, click.echo)
        if once or until is not None or node is None:
            with_divergence(lambda: click.echo(f"in step at height {sync.once(until)}"))
        else:
            with_divergence(lambda: sync.follow(every))
