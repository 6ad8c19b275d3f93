"""`scripts/bench`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import click

import node
from benchmarks import (
    auditing,
    catching_up,
    comparing,
    followers,
    grown,
    growth,
    network,
    plotting,
    profiling,
    reading,
    replaying,
    snapshots,
    stages,
    starting,
    state_history,
    type_costs,
    votes,
)
from benchmarks.comparing import Comparison, NotComparable
from benchmarks.feeding import WORKLOADS
from benchmarks.measure import Measure, median_run

MEASURES = ("replay", "replay_by_ranges", "ranges", "memory", "divergence", "committed", "single", "finality", "reads",
            "sync", "snapshot", "state_history", "vote_delay", "growth", "start", "load_memory", "types",
            "followers")  # fmt: skip
LONG = ("ranges", "memory", "divergence")
"""Measured in long chains only; left out of --quick unless they are named."""
PROFILES = ("replay", "validator")


def _row(found: Measure) -> str:
    sign = "<=" if found.bar_is_upper else ">="
    word = click.style("pass", fg="green") if found.passed else click.style("FAIL", fg="red")
    return f"{word}  {found.name:<60} {found.shown:>9} {sign} {found.bar:<6g} {found.parts}"


def _steps(
    quick: bool, seed: int, workload: str, folder: Path, minutes: float
) -> dict[str, Callable[[], list[Measure]]]:
    sizes = grown.QUICK_SIZES if quick else grown.SIZES
    return {
        "growth": lambda: growth.measure(folder, sizes, seed),
        "start": lambda: starting.measure(folder, sizes[-1], seed),
        "load_memory": lambda: starting.under_load(folder, sizes[-1], seed, minutes),
        "types": lambda: [type_costs.measure(seed)],
        "replay_by_ranges": lambda: [auditing.by_ranges(folder, 10_000 if quick else 50_000, seed)],
        "single": lambda: network.committed(workload, 15.0 if quick else 60.0, seed, 1),
        "replay": lambda: [replaying.measure(folder, 10_000 if quick else 50_000, seed, workload)],
        "ranges": lambda: [auditing.ranges(folder, 100_000, seed)],
        "memory": lambda: [auditing.memory(folder, 100_000, seed)],
        "divergence": lambda: [auditing.finding(folder, 100_000, seed)],
        "committed": lambda: network.committed(workload, 15.0 if quick else 60.0, seed),
        "finality": lambda: network.finality(15.0 if quick else 60.0, seed),
        "sync": lambda: [catching_up.measure(folder, 10_000 if quick else 50_000, seed)],
        "snapshot": lambda: [snapshots.measure(folder, 2_000 if quick else 20_000, seed)],
        "state_history": lambda: [
            state_history.measure(count // 4 if quick else count, block_txs, seed)
            for count, block_txs in ((20_000, 1_000), (2_000, 10))
        ],
        "vote_delay": lambda: votes.measure(workload, 8.0 if quick else 40.0, seed),
        "reads": lambda: [reading.measure(folder, sizes[-1], 8.0 if quick else 24.0, seed)],
        "followers": lambda: followers.measure(folder, sizes[0], 16.0 if quick else 64.0, seed),
    }


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--quick", is_flag=True, help="Less data, some minutes, without the auditor's bench; the same bars.")
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--only", multiple=True, type=click.Choice(MEASURES), help="May be repeated; without: all.")
@click.option("--workload", type=click.Choice(WORKLOADS), default="mixed", show_default=True)
@click.option("--dir", "folder", type=click.Path(path_type=Path), default=Path("build/bench"), show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Numerator, denominator, seed, counts, pass.")
@click.option("--runs", type=click.IntRange(1), default=1, show_default=True, help="Repeat each; medians count.")
@click.option("--compare", "earlier_file", type=click.Path(path_type=Path), metavar="FILE",
              help="With an earlier output of --json, of the same seed and size.")  # fmt: skip
@click.option("--alternate", "other", type=click.Path(path_type=Path), metavar="CHECKOUT",
              help="Measure in another checkout and in this one in turn, --runs times each.")  # fmt: skip
@click.option("--tolerance", type=click.FloatRange(0), default=5.0, show_default=True, metavar="PERCENT",
              help="What is not yet better or worse.")  # fmt: skip
@click.option("--minutes", type=click.FloatRange(0.01), default=3.0, show_default=True,
              help="Of load before load_memory looks; --quick: a sixth.")  # fmt: skip
@click.option("--plot", "plot_file", type=click.Path(path_type=Path), metavar="FILE.html",
              help="Also draw a page: what was measured against the bars, and growth over sizes.")  # fmt: skip
@click.option("--profile", "profiled", type=click.Choice(PROFILES),
              help="Instead of measures: where each microsecond of a transaction goes.")  # fmt: skip
def main(
    quick: bool,
    seed: int,
    only: tuple[str, ...],
    workload: str,
    folder: Path,
    as_json: bool,
    runs: int,
    earlier_file: Path | None,
    other: Path | None,
    tolerance: float,
    minutes: float,
    plot_file: Path | None,
    profiled: str | None,
) -> None:
    """What the chain reaches on this machine, as ratios. Exit code 1 where one is below its bar, or worse than what it
    is compared with; 2 where it can't be compared.

    Stores that take long to make are kept in --dir: that of the replay, and states of up to a million vehicles.
    """
    if earlier_file is not None and (other is not None or profiled is not None):
        raise click.UsageError("--compare is for measures: leave --alternate and --profile out")
    if plot_file is not None and (other is not None or profiled is not None):
        raise click.UsageError("--plot is for measures: leave --alternate and --profile out")
    if profiled is not None and only:
        raise click.UsageError("give --only to measure, or --profile")
    if profiled == "validator" and other is None and runs > 1:
        raise click.UsageError("--runs is for measures, --alternate and the profile of a replay")
    try:
        if other is not None:
            if folder.is_absolute():
                raise NotComparable("each checkout keeps a store of its own: give a --dir relative to it")
            size = ["--quick"] if quick else []
            chosen = [argument for name in only for argument in ("--only", name)]
            chosen += [] if profiled is None else ["--profile", profiled]
            arguments = ["--seed", str(seed), "--workload", workload, "--dir", str(folder), *size, *chosen]
            arguments += ["--minutes", str(minutes)]
            _alternate(other, runs, arguments, tolerance / 100, as_json)
        elif profiled is not None:
            _profile(profiled, quick, seed, workload, folder, runs, as_json)
        else:
            earlier = None if earlier_file is None else comparing.read_earlier(earlier_file, seed, quick=quick)
            steps = _steps(quick, seed, workload, folder, minutes / 6 if quick else minutes)
            names = only or [name for name in MEASURES if not quick or name not in LONG]
            head = {"seed": seed, "quick": quick, "workload": workload}
            _measure({name: steps[name] for name in names}, runs, earlier, tolerance / 100, head, as_json, plot_file)
    except NotComparable as error:
        raise click.UsageError(str(error)) from None


def _measure(
    steps: dict[str, Callable[[], list[Measure]]],
    runs: int,
    earlier: comparing.Earlier | None,
    tolerance: float,
    head: dict[str, object],
    as_json: bool,
    plot_file: Path | None = None,
) -> None:
    found: list[Measure] = []
    compared: list[Comparison] = []
    for name, step in steps.items():
        each: list[list[Measure]] = []
        for run in range(runs):
            click.echo(f"measuring: {name}{f', run {run + 1} of {runs}' if runs > 1 else ''} ...", err=True)
            each.append(step())
            if earlier is not None and not run:  # before the time of the other runs is spent
                for one in each[0]:
                    comparing.compare(earlier, one, tolerance)
        for one in map(median_run, map(list, zip(*each, strict=True))):
            found.append(one)
            if earlier is not None:
                compared.append(comparing.compare(earlier, one, tolerance))
            if not as_json:
                click.echo(_row(one))
    if plot_file is not None:
        plot_file.write_text(plotting.page(found, head), "utf-8")
    passed = all(one.passed for one in found) and all(one.verdict != "worse" for one in compared)
    if as_json:
        shown = head | {"pass": passed, "measures": [m.to_json() for m in found]}
        if earlier is not None:
            shown["compared"] = [one.to_json() for one in compared]
        click.echo(json.dumps(shown, indent=2))
    elif earlier is not None:
        click.echo("\n" + comparing.COMPARISON_HEAD)
        for line in map(comparing.comparison_line, compared):
            click.echo(line)
    sys.exit(0 if passed else 1)


def _alternate(other: Path, runs: int, arguments: list[str], tolerance: float, as_json: bool) -> None:
    click.echo(f"measuring {other} and this checkout in turn, {runs} times each ...", err=True)
    found = comparing.alternate(other.resolve(), comparing.ROOT, runs, arguments)
    if as_json:
        click.echo(json.dumps({"alternated": [one.to_json(tolerance) for one in found]}, indent=2))
    else:
        click.echo("\n\n".join("\n".join(one.lines(tolerance)) for one in found))
    sys.exit(1 if any(one.verdict(tolerance) == "worse" for one in found) else 0)


def _profile(name: str, quick: bool, seed: int, workload: str, folder: Path, runs: int, as_json: bool) -> None:
    is_own_code = Path(node.__file__).resolve().parents[1] == comparing.ROOT
    if is_own_code and (unknown := stages.unknown_places()):
        raise click.ClickException(f"scripts/benchmarks/stages.py names what is not there: {', '.join(unknown)}")
    click.echo(f"profiling: {name} ...", err=True)
    if name == "replay":
        found = profiling.replay(folder, 10_000 if quick else 50_000, seed, runs, workload)
    else:
        found = profiling.validator(workload, 10.0 if quick else 40.0, seed)
    if as_json:
        click.echo(json.dumps(found.to_json(), indent=2))
    else:
        click.echo("\n".join(found.lines()))


if __name__ == "__main__":
    main()
