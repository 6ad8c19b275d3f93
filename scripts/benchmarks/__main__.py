"""`scripts/bench`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from benchmarks import catching_up, network, reading, replaying, snapshots, votes
from benchmarks.feeding import WORKLOADS
from benchmarks.measure import Measure

MEASURES = ("replay", "committed", "finality", "reads", "sync", "snapshot", "vote_delay")


def _row(found: Measure) -> str:
    sign = "<=" if found.bar_is_upper else ">="
    seconds = found.unit.startswith("seconds")
    ratio = (
        f"{found.value:.3f}"
        if not found.bar_is_upper or found.denominator != 1
        else f"{found.value:.1f} s"
        if seconds
        else f"{found.value:.0f} ms"
    )
    word = click.style("pass", fg="green") if found.passed else click.style("FAIL", fg="red")
    shown = f"{found.numerator:,.0f} / {found.denominator:,.0f}" if found.denominator != 1 else ""
    return f"{word}  {found.name:<52} {ratio:>8} {sign} {found.bar:<6g} {shown}"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--quick", is_flag=True, help="Less data, under two minutes; the same bars.")
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--only", multiple=True, type=click.Choice(MEASURES), help="May be repeated; without: all.")
@click.option("--workload", type=click.Choice(WORKLOADS), default="mixed", show_default=True)
@click.option("--dir", "folder", type=click.Path(path_type=Path), default=Path("build/bench"), show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Numerator, denominator, seed, counts, pass.")
def main(quick: bool, seed: int, only: tuple[str, ...], workload: str, folder: Path, as_json: bool) -> None:
    """What the chain reaches on this machine, as ratios. Exit code 1 where one is below its bar.

    The store that the replay measures is kept in --dir and can be replayed again.
    """
    wanted = only or MEASURES
    found: list[Measure] = []
    steps = {
        "replay": lambda: [replaying.measure(folder, 10_000 if quick else 50_000, seed)],
        "committed": lambda: [network.committed(workload, 15.0 if quick else 60.0, seed)],
        "finality": lambda: network.finality(15.0 if quick else 60.0, seed),
        "sync": lambda: [catching_up.measure(folder, 10_000 if quick else 50_000, seed)],
        "snapshot": lambda: [snapshots.measure(folder, 2_000 if quick else 20_000, seed)],
        "vote_delay": lambda: votes.measure(workload, 8.0 if quick else 40.0, seed),
        "reads": lambda: [reading.measure(1_000 if quick else 5_000, 8.0 if quick else 24.0, seed)],
    }
    for name in wanted:
        click.echo(f"measuring: {name} ...", err=True)
        for one in steps[name]():
            found.append(one)
            if not as_json:
                click.echo(_row(one))
    passed = all(one.passed for one in found)
    if as_json:
        click.echo(json.dumps({"seed": seed, "pass": passed, "measures": [m.to_json() for m in found]}, indent=2))
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
