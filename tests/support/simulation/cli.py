"""scripts/simulate: plays seeds, prints a summary, and for each failure the command that repeats it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial

import click

from support.simulation.observing import RULES
from support.simulation.options import changed, drawn
from support.simulation.running import Played, Summary, play
from support.simulation.shrink import shrunk

PROGRESS_SEEDS = 100
"""Interval of progress lines if standard error is not a terminal."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--seed", type=int, help="Play this one seed and show its last lines.")
@click.option("--seeds", type=int, default=300, show_default=True, help="Play so many seeds.")
@click.option("--first", type=int, default=0, show_default=True, help="The first of them.")
@click.option("--heights", type=int, default=4, show_default=True, help="Heights demanded after each healing.")
@click.option("--processes", type=int, default=2, show_default=True)
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Put over what the seed draws.")
@click.option("--without", default="", metavar="N,N", help="Leave these planned faults out.")
@click.option("--shrink", is_flag=True, help="Make the first failure smaller.")
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON.")
def main(
    seed: int | None,
    seeds: int,
    first: int,
    heights: int,
    processes: int,
    settings: tuple[str, ...],
    without: str,
    shrink: bool,
    as_json: bool,
) -> None:
    """Play the production replica in a world of faults. The same seed gives the same digest.

    Example: scripts/simulate --seed 109 --heights 20
    """
    try:
        changed(drawn(0), list(settings))
    except (ValueError, SyntaxError) as error:
        raise click.UsageError(str(error)) from None
    left_out = frozenset(int(number) for number in without.split(",") if number)
    numbers = [seed] if seed is not None else list(range(first, first + seeds))
    one = partial(play, heights=heights, settings=settings, without=left_out)
    summary = Summary()
    started = time.monotonic()
    last: Played | None = None
    for last in _until_interrupted(_played(one, numbers, processes)):
        summary.add(last)
        if last.violation:
            _tell_failure(last)
        elif len(numbers) > 1 and (sys.stderr.isatty() or summary.seeds % PROGRESS_SEEDS == 0):
            is_last = summary.seeds == len(numbers) or not sys.stderr.isatty()
            line = f"{summary.seeds} of {len(numbers)} seeds, {summary.heights} heights"
            click.echo(line if is_last else "\r" + line, nl=is_last, err=True)
    seconds = time.monotonic() - started
    if summary.violations and shrink:
        smaller = shrunk(summary.violations[0], heights, lambda line: click.echo(line, err=True))
        click.echo("smaller:", err=True)
        _tell_failure(smaller)
    if as_json:
        click.echo(json.dumps(_as_json(summary, seconds, last if seed is not None else None), indent=2))
    else:
        _tell_summary(summary, seconds)
        if seed is not None and last is not None:
            click.echo(f"digest {last.digest}")
    sys.exit(1 if summary.violations else 0)


def _played(one: partial[Played], numbers: list[int], processes: int) -> Iterator[Played]:
    if len(numbers) == 1 or processes == 1:
        yield from map(one, numbers)
        return
    with ProcessPoolExecutor(processes) as pool:
        yield from pool.map(one, numbers, chunksize=4)


def _until_interrupted(plays: Iterator[Played]) -> Iterator[Played]:
    """Stop at Ctrl-C, so that a long run still prints its summary."""
    try:
        yield from plays
    except KeyboardInterrupt:
        click.echo("interrupted", err=True)


def _tell_failure(played: Played) -> None:
    for line in played.last_lines:
        click.echo("  " + line[:300], err=True)
    click.echo(f"seed {played.seed}: {played.violation}\nrepeat: {played.command}", err=True)


def _tell_summary(summary: Summary, seconds: float) -> None:
    click.echo(
        f"\n{summary.seeds} seeds, {summary.heights} heights, {summary.events} events, "
        f"{summary.virtual_ms / 3_600_000:.1f} hours of virtual time in {seconds:.0f} s; "
        f"slowest height after healing {summary.slowest_height_ms} ms; "
        f"{summary.evidence} pieces of evidence committed; {len(summary.violations)} violated"
    )
    click.echo("faults:")
    for name, count in sorted(summary.faults.items()):
        click.echo(f"  {count:>10}  {name}")
    click.echo("rules of the machine (numbers are lines of the paper):")
    for name in RULES:
        click.echo(f"  {summary.rules[name]:>10}  {name}")
    for played in summary.violations:
        click.echo(f"violated: {played.command}  ({played.violation[:160]})")


def _as_json(summary: Summary, seconds: float, one: Played | None) -> dict[str, object]:
    # Not `asdict`: it rebuilds a Counter from its pairs, which counts the pairs.
    report: dict[str, object] = {
        "seeds": summary.seeds,
        "heights": summary.heights,
        "events": summary.events,
        "virtual_ms": summary.virtual_ms,
        "slowest_height_ms": summary.slowest_height_ms,
        "evidence_committed": summary.evidence,
        "seconds": round(seconds, 1),
        "faults": dict(sorted(summary.faults.items())),
        "rules": {name: summary.rules[name] for name in RULES},
        "violations": [asdict(played) for played in summary.violations],
    }
    if one is not None:
        report["digest"] = one.digest
    return report


if __name__ == "__main__":
    main()
