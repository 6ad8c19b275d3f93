"""scripts/walks: random sales against the plain model and every rule that never breaks; a broken one says its seed."""

from __future__ import annotations

import json
import sys
from time import process_time

import click

from support.never_breaks import CHECKS, Past, first_broken
from support.walk import Seen, Walk

PER_WALK = 2_000
"""Transactions of one walk; then another one begins, with the next seed."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--steps", type=click.IntRange(1), default=100_000, show_default=True, help="Transactions to try.")
@click.option("--seconds", type=click.IntRange(1), default=None, help="Begin no walk after so much processor time.")
@click.option("--seed", type=int, default=1_000, show_default=True, help="Of the first walk; the same gives the same.")
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON.")
def main(steps: int, seconds: int | None, seed: int, as_json: bool) -> None:
    """Let the parties of sales do what comes to their minds, and hold the node against a plain model after each step.

    Example: scripts/walks --steps 1000000
    """
    began, left, broken, seen = process_time(), steps, "", Seen()
    while left > 0 and not broken and (seconds is None or process_time() - began < seconds):
        walk, past = Walk(seed, is_signed=False), Past()
        try:
            for block in walk.steps(min(PER_WALK, left)):
                if broken := first_broken(block, past, walk.chain.store):
                    broken = f"seed {seed}: {broken}"
                    break
        except Exception as error:
            error.add_note(f"seed {seed}, after {walk.tried} transactions")
            raise
        seen.update(walk.seen)
        left, seed = left - walk.tried, seed + 1
    spent = process_time() - began
    told = {
        "steps": steps - left, "accepted": sum(seen.accepted.values()), "types_accepted": len(seen.accepted),
        "guards_met": len(seen.refused), "rules": len(CHECKS), "handovers": seen.accepted["order.handover"],
        "seconds": round(spent), "steps_per_second": round((steps - left) / spent),
        "largest": {name: seen.largest[name] for name in ("order", "payment", "listing")}, "broken": broken,
    }  # fmt: skip
    if as_json:
        click.echo(json.dumps(told, indent=2))
    else:
        click.echo("\n".join(f"{name:16} {value}" for name, value in told.items()))
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
