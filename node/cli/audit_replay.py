"""`bmw-audit replay`: a chain is executed again from genesis, and everything in it is checked."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from pathlib import Path

import click

from node.audit.progress import ReplayProgress
from node.audit.replay import Replay
from node.audit.report import ReplayReport
from node.audit.sources import Kind, open_source
from node.audit.workers import start_verifiers
from node.chain.genesis import Genesis
from node.cli.audit_ranges import RangeOptions, check_range_options, range_options, replay_ranges
from node.cli.audit_sources import chosen, detected_source, genesis_options, source_options
from node.cli.exit_codes import FAILED, exit_codes, fail
from node.cli.json_output import json_option, print_json
from node.cli.options import example, read_genesis_file
from node.console import Cell, show_facts
from node.ledger.json_form import time_to_text

WORKERS_MAX = 256


@click.command(
    "replay",
    epilog=example(
        "bmw-audit replay --store node-0 --genesis genesis.json",
        "bmw-audit replay --archive blocks.bmw --genesis genesis.json --to 5000 --json",
        "bmw-audit replay --node http://127.0.0.1:26700 --genesis genesis.json",
        "bmw-audit replay --store node-0 --genesis genesis.json --snapshots node-0/data/snapshots --work audit",
    ),
)
@source_options
@genesis_options
@click.option("--to", type=click.IntRange(min=1), metavar="HEIGHT", help="Stop after this block.")
@click.option(
    "--workers",
    type=click.IntRange(0, WORKERS_MAX),
    default=min(os.cpu_count() or 1, 16),
    show_default=True,
    metavar="N",
    help="Processes that share the work: they replay ranges of blocks where --snapshots or --work allow it, else they "
    "verify signatures; 0: all in this one.",
)
@range_options
@json_option
@exit_codes(corrupted=FAILED)
def replay(
    store: Path | None,
    archive: Path | None,
    node: str | None,
    genesis_file: Path,
    to: int | None,
    workers: int,
    work: Path | None,
    snapshots: tuple[Path, ...],
    snapshot_every: int,
    dask: str | None,
    predecessors: tuple[str, ...],
    predecessor_files: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Re-execute everything from genesis and check every signature, certificate, root and invariant.

    Every key family of a store is recomputed and compared, indexes too; the store is not changed. A chain that
    continues another is replayed from the other's genesis, and the break between the two is reported.
    """
    choice = chosen(store, archive, node)
    if len(predecessors) != len(predecessor_files):
        raise click.UsageError("give one --predecessor-genesis for each --predecessor")
    ranges = RangeOptions(work, snapshots, snapshot_every, dask)
    check_range_options(ranges, has_predecessor=bool(predecessors))
    genesis = read_genesis_file(genesis_file)
    if ranges.are_given:
        report = replay_ranges(genesis, *choice, to, workers, ranges)
    else:
        older = [(text, read_genesis_file(path)) for text, path in zip(predecessors, predecessor_files, strict=True)]
        report = _replay_in_order(genesis, *choice, to, workers, older)
    if as_json:
        print_json(report.to_json())
    else:
        _print_report(report)
    if report.divergence is not None:
        fail(_divergence_text(report), FAILED)


def _replay_in_order(
    genesis: Genesis, kind: Kind, place: str, to: int | None, workers: int, older: list[tuple[str, Genesis]]
) -> ReplayReport:
    """`older`: source and genesis of each chain before, the newest first."""
    with ExitStack() as open_things:
        verifiers = start_verifiers(workers)
        open_things.callback(verifiers.close)
        before: Replay | None = None
        for text, older_genesis in reversed(older):
            old = detected_source(text)
            open_things.callback(old.close)
            before = Replay(older_genesis, old, verifiers, predecessor=before)
        source = open_source(kind, place)
        open_things.callback(source.close)
        progress = ReplayProgress(min(to or source.last, source.last), sys.stderr)
        open_things.callback(progress.close)
        return Replay(genesis, source, verifiers, progress, before).run(to)


def _print_report(report: ReplayReport) -> None:
    before = report.predecessor
    if before is not None:
        _print_report(before)
        left = ", ".join(before.validators_left_out(report)) or "none"
        click.echo(f"\nThe chain breaks here: {before.chain_id} was left at height {before.height}.")
        if before.not_continued:
            click.echo(
                f"{before.source} goes on to height {before.height + before.not_continued}: {before.not_continued} "
                "decided blocks are not continued"
            )
        click.echo(f"{report.chain_id} goes on with its state; validators that are not in it any more: {left}\n")
    rate = report.transactions / max(report.seconds, 1e-6)
    rows: list[tuple[str, str | Cell]] = [
        ("chain", report.chain_id),
        ("genesis hash", report.genesis_hash.hex()),
        ("source", report.source),
        ("height", str(report.height)),
        ("block id", report.block_id.hex()),
        ("state root", report.state_root.hex()),
        ("time", time_to_text(report.time_ms)),
        ("transactions", f"{report.transactions} ({rate:,.0f}/s, {report.seconds:.1f} s)"),
        *((f"  {name}", str(count)) for name, count in report.types.items()),
    ]
    if report.ranges:
        before_text = f", {report.ranges_resumed} of them before" if report.ranges_resumed else ""
        rows.append(("ranges joined", f"{report.ranges}{before_text}"))
    rows.extend((f"snapshot {height} not used", why) for height, why in report.snapshots_refused.items())
    if report.compared:
        rows.append(("keys compared", str(sum(report.compared.values()))))
        rows.extend((f"  {name}", str(count)) for name, count in report.compared.items())
    elif report.divergence is None and report.source.startswith("store"):
        rows.append(("keys compared", "none: the store has those of its head; leave out --to"))
    if report.unaudited_keys:
        rows.append(("keys of the node's own", f"{report.unaudited_keys}, not part of the chain"))
    rows.append(("result", Cell("diverges", "bad") if report.divergence is not None else Cell("holds", "good")))
    show_facts(rows)


def _divergence_text(report: ReplayReport) -> str:
    divergence = report.divergence
    assert divergence is not None, "asked only of a chain that diverges"
    before = report.predecessor
    if before is not None and before.divergence is not None:
        return "in the predecessor " + _divergence_text(before)
    where = f"height {divergence.height}"
    if divergence.index >= 0:
        where += f", transaction {divergence.index}, txid {divergence.txid.hex() or 'unknown'}"
    return f"the chain diverges at {where}, rule {divergence.rule}: {divergence.text}"
