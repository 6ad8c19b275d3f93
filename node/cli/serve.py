"""`bmw-node serve`: web pages over one or several nodes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import click

from node.cli.exit_codes import exit_codes
from node.cli.options import example, read_genesis_file
from node.cli.start import watch_stdin
from node.errors import OperatorError
from node.file_lock import FileLock
from node.log import set_up_logging


@click.command(
    epilog=example(
        "bmw-node serve --home /var/lib/bmw-web --genesis genesis.json --node http://127.0.0.1:26700",
        "bmw-node serve --home /var/lib/bmw-web --genesis genesis.json --checkpoint checkpoint.json --port 26901",
    )
)
@click.option("--home", envvar="BMW_WEB_HOME", required=True, type=click.Path(path_type=Path), metavar="DIR",
              help="Folder of the pages' settings and rows; made if it is not there (or BMW_WEB_HOME).")  # fmt: skip
@click.option("--genesis", "genesis_file", type=click.Path(path_type=Path), metavar="FILE",
              help="The chain's genesis file. [default: web.genesis, else genesis.json of the home]")  # fmt: skip
@click.option("--checkpoint", metavar="FILE", help="Overrides web.checkpoint.")
@click.option("--node", "nodes", multiple=True, metavar="URL", help="Overrides web.nodes; may be repeated.")
@click.option("--host", help="Overrides web.host.")
@click.option("--port", type=click.IntRange(0, 65535), help="Overrides web.port; 0: any free one.")
@click.option("--tier", type=click.Choice(["showroom", "open"]), help="Overrides web.tier.")
@click.option("--rebuild", is_flag=True, help="Read the showroom's rows anew; the old ones serve until then.")
@click.option("--until-stdin-ends", is_flag=True, help="Also stop when standard input ends, as a pipe from a process.")
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]))
@exit_codes()
def serve(
    home: Path, genesis_file: Path | None, checkpoint: str | None, nodes: tuple[str, ...], host: str | None,
    port: int | None, tier: str | None, log_level: str | None, *, rebuild: bool, until_stdin_ends: bool,
) -> None:  # fmt: skip
    """Serve pages for buyers, owners and operators until SIGTERM or SIGINT. The process has no key.

    It needs the extra `web`. Settings are in config.toml of the home, section [web]; BMW_WEB_PORT and the like, and
    the options here, take precedence.
    """
    try:
        from web.roots import trusted_root
        from web.serve import serve as run
        from web.settings import SETTINGS, load_settings
    except ImportError as error:
        raise OperatorError(f"the pages need the extra 'web' ({error}): pip install 'bmw-chain[web]'") from None
    flags = {
        "web.nodes": nodes or None, "web.host": host, "web.port": port, "web.tier": tier, "web.checkpoint": checkpoint,
        "web.log_level": log_level,
    }  # fmt: skip
    settings = load_settings(home / "config.toml", os.environ, flags)
    set_up_logging(settings.log_level, settings.log_format)
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "config.toml").exists():
        (home / "config.toml").write_text(SETTINGS.text({}))
    genesis = read_genesis_file(genesis_file or Path(settings.genesis or home / "genesis.json"))
    root = trusted_root(genesis, settings)

    async def until_stopped() -> None:
        stopping = asyncio.Event()
        if until_stdin_ends:
            watch_stdin(stopping.set)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
        await run(genesis, root, home, settings, stopping, is_rebuilt=rebuild)

    with FileLock(home / "serve.lock", f"serves pages from {home}"):  # two would write the same rows
        asyncio.run(until_stopped())
    sys.exit(0)
