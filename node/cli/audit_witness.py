"""`bmw-audit witness`: co-sign the headers of a chain, so that nobody can be shown another one."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from node.chain.genesis import Genesis
from node.cli.exit_codes import FAILED, exit_codes, fail
from node.cli.init import check_outside_source_trees
from node.cli.options import example, read_genesis_file
from node.crypto.signing import PrivateKey
from node.daemon.home import Home
from node.errors import Corrupted
from node.log import log, set_up_logging
from node.storage.leveldb import LevelStore

if TYPE_CHECKING:
    from node.audit.witness_server import WitnessServer

FILE = click.Path(path_type=Path)
KEY = "witness"


@click.command(
    epilog=example(
        "bmw-audit witness --home witness --nodes http://127.0.0.1:26700 --nodes http://127.0.0.1:26701 "
        "--genesis genesis.json",
    )
)
@click.option("--home", type=FILE, required=True, metavar="DIR", help="The witness's folder: its key and hard state. "
              "Made if it is not there.")  # fmt: skip
@click.option("--nodes", multiple=True, required=True, metavar="URL", help="A node to follow the chain on. Repeat it: "
              "only several nodes can show a split view.")  # fmt: skip
@click.option("--genesis", "genesis_file", type=FILE, required=True, metavar="FILE", help="The chain's genesis file.")
@click.option("--full", is_flag=True, help="Execute every block, and sign only what that gives.")
@click.option("--listen", default="127.0.0.1:26790", show_default=True, metavar="HOST:PORT")
@click.option("--interval", "interval_s", type=click.FloatRange(0.05, 3_600), default=5.0, show_default=True,
              metavar="SECONDS", help="Pause between two looks at the head.")  # fmt: skip
@click.option("--accept-old-root", is_flag=True, help="Trust a root that is more than 180 days old: compare its "
              "block id with somebody you trust first.")  # fmt: skip
@click.option("--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True)
@exit_codes(corrupted=FAILED)
def witness(
    home: Path, nodes: tuple[str, ...], genesis_file: Path, full: bool, listen: str, interval_s: float,
    accept_old_root: bool, log_format: str,
) -> None:  # fmt: skip
    """Co-sign the header of every hundredth height, and of the head on request, until SIGTERM or SIGINT.

    Answers GET /v1/witness/latest and /v1/witness/HEIGHT. A height gets one co-signature, whatever happens. If nodes
    show two decided headers that exclude each other, the witness halts for good and answers with both. Exit code 1
    where it has halted.
    """
    from node.audit.executor import Executor  # slow to import, as are servers and clients
    from node.audit.replay_store import ReplayStore
    from node.audit.witness import Witness
    from node.audit.witness_server import WitnessServer
    from wallet.client import NodeClient

    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise click.UsageError(f"--listen {listen}: host:port expected")
    set_up_logging("info", log_format)
    genesis = read_genesis_file(genesis_file)
    place = Home(home)
    if not place.key_file(KEY).exists():
        check_outside_source_trees(home)
        place.make()
    with ExitStack() as open_things:
        open_things.enter_context(place.hold_signing())
        kv = _hard_state(place, genesis)
        open_things.callback(kv.close)
        key = place.read_key(KEY)
        executor = None
        if full:
            state = LevelStore(place.path / "data" / "state")
            open_things.callback(state.close)
            executor = Executor(ReplayStore(state, genesis))
        clients = {url: NodeClient([url]) for url in nodes}
        runs = Witness(genesis, key, kv, clients, executor, accept_old_root=accept_old_root)
        open_things.callback(runs.close)
        log("witness", "info", {"key": key.public, "mode": "full" if full else "light"})
        server = WitnessServer(runs, host, int(port), interval_s)
        asyncio.run(_run(server))
        if server.halted.is_set():
            fail("the witness has halted: its answers have the evidence, publish it", FAILED)
    sys.exit(0)


def _hard_state(home: Home, genesis: Genesis) -> LevelStore:
    """The store with the hard state. Where there is no key yet it is made, and after it the key. Raises
    `OperatorError` and `Corrupted`."""
    from node.audit.witness import begin

    path = home.path / "data" / "cosigned"
    is_new = not home.key_file(KEY).exists()
    if is_new:
        shutil.rmtree(path, ignore_errors=True)
    try:
        kv = LevelStore(path, is_small=True)
    except Corrupted as error:
        raise Corrupted(f"the hard state is damaged ({error}): do neither, make a new home with a new key") from None
    if is_new:
        key = PrivateKey(secrets.token_bytes(32))
        begin(kv, genesis, key)
        home.write_key(KEY, key)
    return kv


async def _run(server: WitnessServer) -> None:
    stopped, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    await server.run(stopped)
