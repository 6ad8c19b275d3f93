"""`bmw-node start`."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import click

from node.cli.exit_codes import UNREACHABLE, exit_codes, fail
from node.cli.options import example, home_option
from node.daemon.bootstrap import bootstrap
from node.daemon.clocks import wall_clock
from node.daemon.config import Config, load_config
from node.daemon.home import Home
from node.daemon.loop_turns import LoopTurns
from node.daemon.node import Node, check_dev_keys
from node.daemon.snapshot_sync import Choice
from node.errors import OperatorError
from node.log import log, set_up_logging


@click.command(epilog=example("bmw-node start --home /var/lib/bmw-node"))
@home_option
@click.option("--dev", is_flag=True, help="Allow the public development keys.")
@click.option("--rpc-port", type=click.IntRange(0, 65535), help="Overrides rpc.port.")
@click.option("--p2p-port", type=click.IntRange(1, 65535), help="Overrides p2p.port.")
@click.option("--peer", "peers", multiple=True, help="Overrides p2p.peers; may be repeated.")
@click.option("--trust", metavar="HEIGHT:ID", help="Block to trust instead of genesis when starting from a snapshot.")
@click.option("--accept-old-root", is_flag=True, help="Start from a snapshot although the root is older than 180 days.")
@click.option("--until-stdin-ends", is_flag=True, help="Also stop when standard input ends, as a pipe from a process.")
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]))
@exit_codes()
def start(
    home: Path,
    dev: bool,
    rpc_port: int | None,
    p2p_port: int | None,
    peers: tuple[str, ...],
    trust: str | None,
    accept_old_root: bool,
    until_stdin_ends: bool,
    log_level: str | None,
) -> None:
    """Run until SIGTERM or SIGINT; stops cleanly within 5 s."""
    place = Home(home)
    place.check()
    flags = {
        "rpc.port": rpc_port,
        "p2p.port": p2p_port,
        "p2p.peers": peers or None,
        "node.log_level": log_level,
    }
    config = load_config(place.config, os.environ, flags)
    set_up_logging(config.node.log_level, config.node.log_format)
    choice = Choice(config.storage.snapshot_gap, _trust_of(trust), accept_old_root)
    if not dev:
        check_dev_keys(place.read_genesis())
    turns = LoopTurns()
    with asyncio.Runner(loop_factory=turns.loop) as runner:
        failure = runner.run(_run(place, config, choice, turns, allow_dev_keys=dev, until_stdin_ends=until_stdin_ends))
    if failure is not None:
        fail(str(failure) or repr(failure), UNREACHABLE)
    sys.exit(0)


def _trust_of(text: str | None) -> tuple[int, bytes] | None:
    """Raises `click.UsageError`."""
    if text is None:
        return None
    height, _, ident = text.partition(":")
    if not height.isdecimal() or len(height) > 15 or not re.fullmatch(r"[0-9a-f]{64}", ident):
        raise click.UsageError(f"--trust {text}: a height, a colon and a block id of 64 hex digits are expected")
    return int(height), bytes.fromhex(ident)


def watch_stdin(ended: Callable[[], None]) -> None:
    """Call `ended` when standard input ends: at the latest when no process has the other end of the pipe any more,
    however it died."""
    loop, stdin = asyncio.get_running_loop(), sys.stdin.fileno()

    def readable() -> None:
        if not os.read(stdin, 65_536):
            loop.remove_reader(stdin)
            ended()

    try:
        loop.add_reader(stdin, readable)
    except OSError as error:
        raise OperatorError(f"--until-stdin-ends needs a pipe or a terminal as standard input ({error})") from None


async def _run(
    home: Home, config: Config, choice: Choice, turns: LoopTurns, *, allow_dev_keys: bool, until_stdin_ends: bool
) -> BaseException | None:
    stopping = asyncio.Event()
    if until_stdin_ends:
        watch_stdin(stopping.set)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    clock = wall_clock(config, allow_dev_keys=allow_dev_keys)
    await bootstrap(home, config, choice, clock, stopping)
    if stopping.is_set():
        return None
    node = Node(home, config, allow_dev_keys=allow_dev_keys, turns=turns)
    stop = asyncio.create_task(stopping.wait())
    starting = asyncio.create_task(node.start())
    await asyncio.wait({stop, starting}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():  # e.g. a long journal: `start` stops what it has started
        starting.cancel()
        await asyncio.wait({starting})
        return node.failure
    await starting
    await asyncio.wait({stop, asyncio.create_task(node.wait_stopped())}, return_when=asyncio.FIRST_COMPLETED)
    log("stopping", "info", {})
    try:
        async with asyncio.timeout(5):
            await node.stop()
    except TimeoutError:
        log("stop_slow", "warning", {"why": "something did not stop within 5 s"})
    return node.failure
