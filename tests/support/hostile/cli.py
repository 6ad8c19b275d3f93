"""scripts/hostile: many hostile transactions, and what they must never do; a broken check says how to repeat it."""

from __future__ import annotations

import json
import sys
from collections import Counter
from time import monotonic

import click

from support.hostile.checks import BYTES_MAX, first_broken
from support.hostile.selling import VINS
from support.hostile.walk import Hostile

PER_WALK = 20_000
"""Transactions of one walk; then another one begins, with the next seed. Every second sells cars
instead of planting, every fourth is about one car alone."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--transactions", type=click.IntRange(1), default=100_000, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="Of the first walk; the same gives the same.")
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON.")
def main(transactions: int, seed: int, as_json: bool) -> None:
    """Send transactions of every type by anybody, with personal data planted, at a few cars; search every stored byte.

    Example: scripts/hostile --transactions 1000000
    """
    began, left, wrong = monotonic(), transactions, ""
    accepted, refused, malformed, planted = Counter[str](), Counter[str](), 0, 0
    largest = Counter[str]()
    while left > 0 and not wrong:
        walk = Hostile(seed) if seed % 2 else Hostile(seed, is_planting=False, cars=1 if seed % 4 else len(VINS))
        wrong = first_broken(walk, min(PER_WALK, left))
        accepted.update(walk.accepted)
        refused.update(walk.refused)
        largest |= walk.largest
        malformed, planted = malformed + walk.malformed, planted + len(walk.numbers)
        left, seed = left - walk.tried, seed + 1
    told = {
        "transactions": transactions - left, "accepted": sum(accepted.values()), "types_accepted": len(accepted),
        "malformed": malformed, "guards_met": len(refused), "planted": planted, "seconds": round(monotonic() - began),
        "largest": {name: largest[name] for name in BYTES_MAX}, "broken": wrong,
    }  # fmt: skip
    if as_json:
        click.echo(json.dumps(told, indent=2))
    else:
        click.echo("\n".join(f"{name:16} {value}" for name, value in told.items()))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
