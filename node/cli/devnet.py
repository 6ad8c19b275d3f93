"""`bmw-node devnet`: a network on this machine, to explore, to develop against, or to play the life of a car."""

from __future__ import annotations

import contextlib
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import click

from node.chain.genesis import genesis_hash
from node.cli.exit_codes import FAILED, exit_codes, fail
from node.cli.guide import show_accounts, show_commands
from node.cli.local_network import BASE_PORT, LocalNetwork, start_of_day_ms
from node.cli.local_pages import LocalPages
from node.cli.options import example
from node.cli.stage import StoryFailed
from node.cli.story import Story
from node.errors import OperatorError


@click.command(
    epilog=example("bmw-node devnet --story", "bmw-node devnet --validators 7 --dir ~/bmw-devnet --base-port 30000")
)
@click.option("--validators", type=click.IntRange(1, 20), default=4, show_default=True, help="Processes to start.")
@click.option("--dir", "folder", type=click.Path(path_type=Path), help="Folder of the homes; without: a temporary one.")
@click.option(
    "--base-port",
    type=click.IntRange(1024, 65_000),
    show_default=f"{BASE_PORT}, or as in the folder",
    help="RPC from here on.",
)
@click.option("--story", is_flag=True, help="Play the life of a car through wallet and RPC, and audit it.")
@click.option("--once", is_flag=True, help="End after the start or the story; the result is the exit code.")
@exit_codes()
def devnet(validators: int, folder: Path | None, base_port: int | None, story: bool, once: bool) -> None:
    """Run a network of development validators on loopback until Ctrl-C.

    RPC listens on BASE-PORT+i, p2p on BASE-PORT+100+i. The genesis is of the day; a
    folder with homes keeps its own, and its ports, and is continued.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a script starts what is in its background without it
    place = folder or Path(tempfile.mkdtemp(prefix="bmw-devnet-"))
    today = start_of_day_ms(time.time_ns() // 1_000_000)
    network = LocalNetwork(place.absolute(), validators, base_port, genesis_ms=today)
    network.check_ports()
    pages = LocalPages(network)
    keep = folder is not None
    try:
        click.echo(f"starting {validators} validators in {network.folder}")
        network.start()
        for node in network.nodes:
            click.echo(f"  {node.name:<18} {node.url}")
        click.echo(f"genesis hash {genesis_hash(network.genesis).hex()}")
        played = Story(network).play() if story else None
        if not once and pages.start():
            click.echo(f"pages to look at: {pages.url}")
        show_accounts(network.genesis, played)
        if not once:
            with contextlib.suppress(KeyboardInterrupt):
                show_commands(network.folder, network.genesis_file, network.nodes[0].url, played)
                _watch(network)
    except StoryFailed as error:
        keep = True
        fail(f"{error} (logs and stores are kept in {place})", FAILED)
    except BaseException as error:
        keep = keep or not isinstance(error, SystemExit | KeyboardInterrupt)
        raise
    finally:
        pages.stop()
        network.stop()
        if not keep:
            shutil.rmtree(place, ignore_errors=True)


def _watch(network: LocalNetwork) -> None:
    """Until Ctrl-C, or until no validator runs any more: then raises `OperatorError`."""
    running = list(network.nodes)
    while running:
        time.sleep(0.5)
        for node in [node for node in running if not node.is_running]:
            running.remove(node)
            click.echo(f"{node.name} has ended; its log is {node.log}", err=True)
    raise OperatorError(f"no validator runs any more: see the logs in {network.folder}")
