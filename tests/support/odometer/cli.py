"""scripts/odometer: every promise of the verdict over many random lives; a broken one says how to repeat it."""

from __future__ import annotations

import sys
from random import Random
from time import monotonic

import click

from support.odometer.promises import LONG_PROMISES, PROMISES, Promise
from support.odometer.series import ENGINE, Engine

LONG_PART = 500
"""Promises about lives beyond the bound get one life where the others get so many."""


def broken(promise: Promise, seed: str, lives: int, engine: Engine = ENGINE) -> str:
    """The first life that breaks a promise, and how; empty for none."""
    for life in range(lives):
        try:
            promise(engine, Random(f"{seed}/{promise.__name__}/{life}"))
        except AssertionError as error:
            return f"life {life}: {error}"
    return ""


@click.command()
@click.option("--seed", default="1", show_default=True, help="Another seed makes other lives.")
@click.option("--lives", default=10_000, show_default=True, help="Lives for each promise.")
@click.option("--only", default="", help="The name of one promise.")
def main(seed: str, lives: int, only: str) -> None:
    """Judge random lives of cars with rollbacks, typing errors, volleys, late and false order planted in them."""
    failed = False
    for promise in (*PROMISES, *LONG_PROMISES):
        if only in ("", promise.__name__):
            count = -(-lives // LONG_PART) if promise in LONG_PROMISES else lives
            started = monotonic()
            found = broken(promise, seed, count)
            failed = failed or bool(found)
            click.echo(f"{promise.__name__}: {count:,} lives, {monotonic() - started:.0f} s, {found or 'held'}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
