"""`bmw-node start`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import click

from node.cli.common import UNREACHABLE, example, exit_codes, fail
from node.cli.options import home_option
from node.daemon.config import load_config
from node.daemon.home import Home
from node.daemon.log import log, set_up_logging
from node.daemon.node import Node


@click.command(epilog=example("bmw-node start --home /var/lib/bmw-node"))
@home_option
@click.option("--dev", is_flag=True, help="Allow the public development keys.")
@click.option("--rpc-port", type=click.IntRange(0, 65535), help="Overrides rpc.port.")
@click.option("--p2p-port", type=click.IntRange(1, 65535), help="Overrides p2p.port.")
@click.option("--peer", "peers", multiple=True, help="Overrides p2p.peers; may be repeated.")
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]))
@exit_codes()
def start(
    home: Path, dev: bool, rpc_port: int | None, p2p_port: int | None, peers: tuple[str, ...], log_level: str | None
) -> None:
    """Run until SIGTERM or SIGINT; stops cleanly within 5 s."""
    place = Home(home)
    place.check()
    flags = {
        "rpc.port": rpc_port,
        "p2p.port": p2p_port,
        "p2p.peers": list(peers) or None,
        "node.log_level": log_level,
    }
    config = load_config(place.config, os.environ, flags)
    set_up_logging(config.node["log_level"], config.node["log_format"])
    node = Node(place, config, allow_dev_keys=dev)
    failure = asyncio.run(_run(node))
    if failure is not None:
        fail(str(failure) or repr(failure), UNREACHABLE)
    sys.exit(0)


async def _run(node: Node) -> BaseException | None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, node.request_stop)
    await node.start()
    await node.wait_stopped()
    log("stopping", "info", {})
    try:
        async with asyncio.timeout(5):
            await node.stop()
    except TimeoutError:
        log("stop_slow", "warning", {"why": "something did not stop within 5 s"})
    return node.failure
