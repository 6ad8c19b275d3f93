"""`bmw-audit compare`: the height up to which two sources are the same, and the keys that then differ."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from node.audit.compare import Comparison, compare, compare_states
from node.audit.finder import StateDifference
from node.audit.progress import ReplayProgress
from node.cli.audit_ranges import SNAPSHOTS
from node.cli.audit_sources import FILE, detected_source
from node.cli.exit_codes import FAILED, exit_codes, fail
from node.cli.json_output import json_option, print_json
from node.cli.options import example, read_genesis_file

KEYS_SHOWN = 20
"""The output for programs has all keys."""
VALUE_CHARS = 60


@click.command(
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
    one = detected_source(first)
    try:
        other = detected_source(second)
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
        _print_state(comparison.state)


def _print_state(state: StateDifference) -> None:
    for name, fault in zip(("first", "second"), state.faults, strict=True):
        if fault:
            click.echo(f"the {name} is not valid: {fault}")
    if state.note:
        click.echo(state.note)
        return
    click.echo(f"{len(state.keys)} keys differ after height {state.height}")
    for difference in state.keys[:KEYS_SHOWN]:
        click.echo(difference.key)
        for name, writer in zip(("first", "second"), difference.writers, strict=True):
            if writer is not None:
                click.echo(f"  written in the {name} by {writer}")
        for name, (one, other) in difference.fields().items():
            if isinstance(one, list) and isinstance(other, list):
                one, other = [x for x in one if x not in other], [x for x in other if x not in one]
            click.echo(f"  {name}{': ' if name else ''}{_text(one)} against {_text(other)}")
    if len(state.keys) > KEYS_SHOWN:
        click.echo(f"and {len(state.keys) - KEYS_SHOWN} more keys: --json has all")


def _text(value: Any) -> str:
    if value is None:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= VALUE_CHARS else text[:VALUE_CHARS] + "..."
