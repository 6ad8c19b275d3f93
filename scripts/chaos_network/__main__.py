"""`scripts/chaos`."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

import click

from chaos_network.faults import removed
from chaos_network.plan import KINDS, VALIDATORS, draw, measured
from chaos_network.run import Outcome, play
from chaos_network.soak import soak as soaked

KINDS_TEXT = "\b\n" + "\n".join(f"{kind.name:<11} {kind.text}" for kind in KINDS)


@click.command(context_settings={"help_option_names": ["-h", "--help"]}, epilog=KINDS_TEXT)
@click.option("--seed", type=int, default=1, show_default=True, help="The first network's; it draws everything.")
@click.option("--seconds", type=click.FloatRange(5), default=60.0, show_default=True, help="Of faults, each network.")
@click.option("--networks", type=click.IntRange(1), default=1, show_default=True, help="One after the other; 24: long.")
@click.option("--validators", type=click.Choice([str(n) for n in VALIDATORS]), help="Instead of what the seed draws.")
@click.option("--bar", type=float, default=10.0, show_default=True, help="Seconds to sign again after a single fault.")
@click.option("--recovery", "repeats", type=click.IntRange(1), metavar="TIMES", help="Single faults only, so often.")
@click.option("--plan", "only_plan", is_flag=True, help="Show what the seed draws and do nothing.")
@click.option(
    "--soak",
    "minutes",
    type=float,
    metavar="MINUTES",
    help="No faults, steady load: does memory grow, is a loop blocked?",
)
@click.option("--dir", "folder", type=click.Path(path_type=Path), default=Path("build/chaos"), show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON; actions go to standard error.")
def main(
    seed: int,
    seconds: float,
    networks: int,
    validators: str | None,
    bar: float,
    repeats: int | None,
    only_plan: bool,
    minutes: float | None,
    folder: Path,
    as_json: bool,
) -> None:
    """Networks of real processes under random faults. Exit code 1 where something did not hold.

    Homes and logs of a network that failed are kept in --dir.

    Example: scripts/chaos --seed 7 --networks 24
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that no process is left, as with Ctrl-C
    if minutes is not None:
        sys.exit(_soak(minutes, seed, folder / f"soak-{seed}", as_json))
    count = int(validators) if validators else None
    outcomes: list[Outcome] = []
    for number in range(seed, seed + networks):
        plan = measured(repeats, count or 4) if repeats else draw(number, seconds, count)
        if only_plan:
            click.echo(f"seed {number}: {plan.validators} validators")
            for fault in plan.faults:
                click.echo(f"{fault.at_s:7.1f} s  {fault.kind} {fault.nodes} for {fault.seconds:.1f} s {fault.detail}")
            continue
        home = folder / f"seed-{number}"
        outcome = play(plan, home, lambda line: click.echo(line, err=as_json), bar)
        outcomes.append(outcome)
        _tell(outcome, home, as_json)
        if outcome.violations:
            chosen = (f" --validators {validators}" if validators else "") + (
                f" --recovery {repeats}" if repeats else ""
            )
            click.echo(f"repeat: scripts/chaos --seed {number} --seconds {seconds:g}{chosen}", err=True)
    if as_json:
        click.echo(json.dumps([outcome.to_json() for outcome in outcomes], indent=2))
    failed = [outcome.seed for outcome in outcomes if outcome.violations]
    if not as_json and networks > 1 and not only_plan:
        click.echo(f"{networks} networks, {len(failed)} with violations{': ' if failed else ''}{failed or ''}")
    sys.exit(1 if failed else 0)


def _tell(outcome: Outcome, home: Path, as_json: bool) -> None:
    shown = [
        f"{r['kind']} {r['caught_up_s']}/{r['signing_s']}{'' if r['is_single'] else '*'}" for r in outcome.recoveries
    ]
    click.echo(
        f"seed {outcome.seed}: {'FAIL' if outcome.violations else 'holds'}; {outcome.validators} validators, height "
        f"{outcome.height}, {outcome.accepted} accepted {outcome.fates}, {outcome.votes_heard} votes heard, longest "
        f"pause {outcome.longest_pause_s} s, stop {outcome.stop_s_max} s, RSS {outcome.rss_max_mb} MB, flips closed "
        f"after {outcome.flips_closed_s}, load {outcome.load_average}, seconds to catch up/to sign "
        f"(*: other faults meanwhile): {', '.join(shown) or 'none'}",
        err=as_json,
    )
    for text in outcome.violations:
        click.echo(f"  violation: {text}", err=True)
    if outcome.violations:
        click.echo(f"  homes and logs: {home}", err=True)


def _soak(minutes: float, seed: int, folder: Path, as_json: bool) -> int:
    removed(folder)
    found = soaked(minutes, seed, folder, lambda line: click.echo(line, err=as_json))
    shown = found.to_json()
    if as_json:
        click.echo(json.dumps(shown, indent=2))
    else:
        for name, value in shown["mb_per_hour"].items():
            ends = f"{shown['mb_at_start'][name]:.0f} MB to {shown['mb_at_end'][name]:.0f} MB"
            click.echo(f"{name:<18} {value:+8.1f} MB/h over the second half, {ends}")
        for name, value in shown["parts_per_hour"].items():
            ends = f"{shown['parts_at_half'][name]:.1f} at half time, {shown['parts_at_end'][name]:.1f} at the end"
            click.echo(f"  the first's {name:<22} {value:+8.1f}/h over the second half, {ends}")
        for name, ms in shown["turn_ms_max"].items():
            click.echo(f"{name:<18} longest turn of the event loop {ms:.0f} ms of processor time")
        click.echo(f"height {found.height}, {found.fates}")
    for text in found.violations:
        click.echo(f"  violation: {text}", err=True)
    if not found.violations:
        removed(folder)
    return 1 if found.violations else 0


if __name__ == "__main__":
    main()
