"""`scripts/fleet`."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from fleet_simulation.presenting import plot, save, show
from fleet_simulation.running import run
from fleet_simulation.world import REGIMES, Plan


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--seed", default=1, show_default=True, help="The same seed makes the same chain, to the state root.")
@click.option("--cars", default=5_000, show_default=True, type=click.IntRange(1, 99_999))
@click.option("--years", default=5.0, show_default=True, type=click.FloatRange(0.1, 30))
@click.option("--regime", default="registry", show_default=True, type=click.Choice(tuple(REGIMES)),
              help="How often the odometer is turned back before a resale: with a registry of readings, without one, "
              "across a border.")  # fmt: skip
@click.option("--out", default=Path("build/fleet"), show_default=True, type=click.Path(path_type=Path),
              help="Folder for fleet-REGIME.json, .md and, if matplotlib is installed, .png.")  # fmt: skip
@click.option("--verify/--no-verify", default=True, show_default=True, help="Verify every signature.")
def main(seed: int, cars: int, years: float, regime: str, out: Path, verify: bool) -> None:
    """Years of a fleet through the real execution, honest and fraudulent; what the chain finds of it, and whom it
    accuses wrongly. docs/FLEET.md has a result with its reading."""
    console = Console()
    days = int(years * 365)
    with console.status("") as status:

        def progress(day: int) -> None:
            if day % 10 == 0:
                status.update(f"day {day:,} of {days:,}")

        out.mkdir(parents=True, exist_ok=True)
        result = run(Plan(seed, cars, years, regime, verifies=verify), progress)
    show(result, console)
    picture = plot(result, out)
    for path in [*save(result, out), *([picture] if picture else [])]:
        console.print(f"wrote {path}")
    if picture is None:
        console.print(
            "no picture: matplotlib is not installed (pip install -r scripts/fleet_simulation/requirements.lock)"
        )


if __name__ == "__main__":
    main()
