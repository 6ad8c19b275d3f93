"""`bmw-audit`: verifies a chain from genesis, whatever its source."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from pathlib import Path

import click

from node.audit.compare import Comparison, compare, compare_states
from node.audit.progress import ReplayProgress
from node.audit.replay import Replay
from node.audit.report import ReplayReport
from node.audit.sources import BlockSource, Kind, open_source
from node.audit.workers import start_verifiers
from node.chain.genesis import Genesis
from node.cli.audit_keys import print_state
from node.cli.audit_ranges import SNAPSHOTS, RangeOptions, check_range_options, range_options, replay_ranges
from node.cli.exit_codes import FAILED, exit_codes, fail
from node.cli.json_output import json_option, print_json
from node.cli.options import example, read_genesis_file
from node.console import Cell, show_facts
from node.errors import OperatorError
from node.ledger.json_form import time_to_text
from node.usage import CONTEXT, Program, with_versions

WORKERS_MAX = 256
FILE = click.Path(path_type=Path)


@click.group(
    cls=Program,
    context_settings=CONTEXT,
    epilog=example("bmw-audit replay --store node-0 --genesis genesis.json"),
)
def main() -> None:
    """Audit a vehicle chain: re-execute it, compare copies of it.

    Exit codes: 0 valid or the same; 1 not, with the place; 2 wrong usage; 3 something could not be reached or read.
    """
    if not __debug__:
        fail("bmw-audit refuses to run under 'python -O': its assertions are part of the audit", 2)


# --- replay ------------------------------------------------------------------------------------------------
@main.command(
    epilog=example(
        "bmw-audit replay --store node-0 --genesis genesis.json",
        "bmw-audit replay --archive blocks.bmw --genesis genesis.json --to 5000 --json",
        "bmw-audit replay --node http://127.0.0.1:26700 --genesis genesis.json",
        "bmw-audit replay --store node-0 --genesis genesis.json --snapshots node-0/data/snapshots --work audit",
    )
)
@click.option("--store", type=FILE, metavar="DIR", help="A home or store of a stopped node, or a checkpoint.")
@click.option("--archive", type=FILE, metavar="FILE", help="An archive made by 'bmw-node export'.")
@click.option("--node", metavar="URL", help="The HTTP interface of a running node.")
@click.option("--genesis", "genesis_file", type=FILE, required=True, metavar="FILE", help="The chain's genesis file.")
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
@click.option(
    "--predecessor",
    "predecessors",
    multiple=True,
    metavar="SOURCE",
    help="Store, archive or node of the chain that this one continues. Repeat it for the chain before that.",
)
@click.option(
    "--predecessor-genesis",
    "predecessor_files",
    multiple=True,
    type=FILE,
    metavar="FILE",
    help="Its genesis file, one for each --predecessor.",
)
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
    given: tuple[tuple[Kind, Path | str | None], ...] = (("store", store), ("archive", archive), ("node", node))
    choices = [(kind, str(place)) for kind, place in given if place is not None]
    if len(choices) != 1:
        raise click.UsageError("give exactly one of --store, --archive and --node")
    if node is not None and not is_url(node):
        raise click.UsageError(f"--node {node}: give an address such as http://127.0.0.1:26700")
    if len(predecessors) != len(predecessor_files):
        raise click.UsageError("give one --predecessor-genesis for each --predecessor")
    ranges = RangeOptions(work, snapshots, snapshot_every, dask)
    check_range_options(ranges, has_predecessor=bool(predecessors))
    genesis = read_genesis_file(genesis_file)
    if ranges.are_given:
        report = replay_ranges(genesis, *choices[0], to, workers, ranges)
    else:
        older = [(text, read_genesis_file(path)) for text, path in zip(predecessors, predecessor_files, strict=True)]
        report = _replay_in_order(genesis, *choices[0], to, workers, older)
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
            old = _detected(text)
            open_things.callback(old.close)
            before = Replay(older_genesis, old, verifiers, predecessor=before)
        source = open_source(kind, place)
        open_things.callback(source.close)
        progress = ReplayProgress(min(to or source.last, source.last), sys.stderr)
        open_things.callback(progress.close)
        return Replay(genesis, source, verifiers, progress, before).run(to)


def is_url(text: str) -> bool:
    return text.startswith(("http://", "https://"))


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


# --- compare -----------------------------------------------------------------------------------------------
@main.command(
    "compare",
    epilog=example(
        "bmw-audit compare node-0 node-1",
        "bmw-audit compare blocks.bmw http://127.0.0.1:26700 --json",
        "bmw-audit compare node-0 node-1 --genesis genesis.json --snapshots node-0/data/snapshots",
    ),
)
@click.argument("first", metavar="SOURCE")
@click.argument("second", metavar="SOURCE")
@click.option(
    "--genesis",
    "genesis_file",
    type=FILE,
    metavar="FILE",
    help="The chain's genesis file: go on to the keys that differ, their values and the transactions that wrote them.",
)
@click.option(
    "--snapshots",
    multiple=True,
    type=SNAPSHOTS,
    metavar="DIR",
    help="Folder of snapshots of either source: the state is executed from the nearest one, else from genesis. May be "
    "repeated.",
)
@json_option
@exit_codes(corrupted=FAILED)
def compare_command(
    first: str, second: str, genesis_file: Path | None, snapshots: tuple[Path, ...], as_json: bool
) -> None:
    """Compare two sources: the height up to which they are the same, then what differs.

    A SOURCE is a node's URL, an archive, or a home, store or checkpoint. Certificates may differ: every node keeps the
    quorum that it saw. Exit code 1 where blocks differ; a longer source alone is no difference.
    """
    genesis = None if genesis_file is None else read_genesis_file(genesis_file)
    one = _detected(first)
    try:
        other = _detected(second)
        try:
            progress = ReplayProgress(min(one.last, other.last), sys.stderr)
            try:
                comparison = compare(one, other, progress)
                if genesis is not None:
                    comparison = compare_states(comparison, genesis, (one, other), snapshots)
            finally:
                progress.close()
        finally:
            other.close()
    finally:
        one.close()
    if as_json:
        print_json(comparison.to_json())
    else:
        _print_comparison(comparison)
    if comparison.difference:
        fail(f"the sources differ: {comparison.difference}", FAILED)


def _detected(text: str) -> BlockSource:
    if is_url(text):
        return open_source("node", text)
    path = Path(text)
    if path.is_dir():
        return open_source("store", text)
    if path.is_file():
        return open_source("archive", text)
    raise OperatorError(f"{text} is no file and no folder: give an archive, a store or a URL")


def _print_comparison(comparison: Comparison) -> None:
    click.echo(f"{comparison.first}: to height {comparison.heights[0]}")
    click.echo(f"{comparison.second}: to height {comparison.heights[1]}")
    if comparison.same_to >= comparison.from_height:
        click.echo(f"the same from {comparison.from_height} to {comparison.same_to}")
    else:
        click.echo("nothing is the same")
    if comparison.certificates_differing:
        click.echo(f"certificates differ at {comparison.certificates_differing} heights, which is allowed")
    if comparison.state is not None:
        print_state(comparison.state)


with_versions(main, "bmw-audit")

if __name__ == "__main__":
    main()
