"""`bmw-audit watch`: alarms about the nodes of a chain, as lines of JSON."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from node.cli.exit_codes import FAILED, UNREACHABLE, exit_codes, fail
from node.cli.options import example, read_genesis_file

FILE = click.Path(path_type=Path)


@click.command(
    epilog=example(
        "bmw-audit watch http://127.0.0.1:26700 http://127.0.0.1:26701 --genesis genesis.json",
        "bmw-audit watch https://one.example https://two.example --genesis genesis.json --once",
    )
)
@click.argument("nodes", nargs=-1, required=True, metavar="URL...")
@click.option("--genesis", "genesis_file", type=FILE, required=True, metavar="FILE", help="The chain's genesis file.")
@click.option("--once", is_flag=True, help="Look once, then end.")
@click.option("--interval", "interval_s", type=click.FloatRange(0.05, 86_400), default=10.0, show_default=True,
              metavar="SECONDS", help="Pause between two looks.")  # fmt: skip
@click.option("--stalled-after", "stalled_after_s", type=click.IntRange(1), default=60, show_default=True,
              metavar="SECONDS", help="Age of a head above which its node stands still.")  # fmt: skip
@click.option("--accept-old-root", is_flag=True, help="Trust a root that is more than 180 days old: compare its "
              "block id with somebody you trust first.")  # fmt: skip
@exit_codes()
def watch(
    nodes: tuple[str, ...], genesis_file: Path, once: bool, interval_s: float, stalled_after_s: int,
    accept_old_root: bool,
) -> None:  # fmt: skip
    """Watch the nodes of a chain, and print a line of JSON for each alarm.

    Alarms: split_view, diverging_root, false_header, stalled, unreachable. A split view or a diverging root ends the
    watch with exit code 1, its line has the evidence. Without these it goes on until SIGINT. With --once the exit code
    is 1 for any alarm, and 3 where no node could be reached.
    """
    from node.audit.watch import FATAL, Watch  # slow to import, as are HTTP clients
    from wallet.client import NodeClient

    def now_ms() -> int:
        return time.time_ns() // 1_000_000

    genesis = read_genesis_file(genesis_file)
    looker = Watch(
        genesis, {url: NodeClient([url]) for url in nodes}, stalled_after_s * 1_000, now_ms,
        accept_old_root=accept_old_root,
    )  # fmt: skip
    known: set[tuple[str, tuple[str, ...]]] = set()
    while True:
        alarms = looker.look()
        for alarm in alarms:
            if alarm.subject not in known:
                click.echo(json.dumps(alarm.to_json() | {"time_ms": now_ms()}))
        fatal = [alarm for alarm in alarms if alarm.kind in FATAL]
        if fatal or (once and alarms):
            is_all_silent = {alarm.kind for alarm in alarms} == {"unreachable"} and len(alarms) == len(nodes)
            fail((fatal or alarms)[0].text, UNREACHABLE if is_all_silent else FAILED)
        if once:
            return
        known = {alarm.subject for alarm in alarms}
        time.sleep(interval_s)
