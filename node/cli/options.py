"""Options that several commands of `bmw-node` share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from node.chain.genesis import Genesis, parse_genesis
from node.cli.exit_codes import UNREACHABLE, fail
from node.daemon.config import load_config
from node.daemon.home import Home
from node.errors import OperatorError, Rejected
from node.usage import example as example

Command = TypeVar("Command", bound=Callable[..., Any])


def home_option(command: Command) -> Command:
    """`--home`, or BMW_NODE_HOME."""
    return click.option(
        "--home",
        envvar="BMW_NODE_HOME",
        required=True,
        type=click.Path(path_type=Path),
        help="Folder of the node (or BMW_NODE_HOME).",
    )(command)


DEFAULT_URL = "http://127.0.0.1:26700"
_HOME = "bmw.home"


def node_option(command: Command) -> Command:
    """`--node URL` of a running node, or `--home`, whose settings have the address."""
    home = click.option(
        "--home",
        envvar="BMW_NODE_HOME",
        is_eager=True,
        expose_value=False,
        callback=_remember_home,
        type=click.Path(path_type=Path),
        help="Folder of the node, to take its address from (or BMW_NODE_HOME).",
    )
    url = click.option(
        "--node",
        "url",
        envvar="BMW_NODE_URL",
        callback=_url_of,
        help=f"RPC address of the running node (or BMW_NODE_URL).  [default: the home's, or {DEFAULT_URL}]",
    )
    return url(home(command))


def _remember_home(context: click.Context, _: click.Parameter, value: Path | None) -> None:
    context.meta[_HOME] = value


def _url_of(context: click.Context, _: click.Parameter, value: str | None) -> str:
    home: Path | None = context.meta[_HOME]
    if value is not None or home is None:
        return value or DEFAULT_URL
    try:
        return rpc_url_of(Home(home))
    except OperatorError as error:
        fail(str(error), UNREACHABLE)


def rpc_url_of(home: Home) -> str:
    """RPC address of this home's node. Raises `OperatorError`."""
    home.check()
    rpc = load_config(home.config, os.environ, {}).rpc
    if not rpc.port:
        raise OperatorError(f"{home.config} turns RPC off: set rpc.port, or name a node with --node")
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(rpc.host, rpc.host)
    scheme = "https" if rpc.tls_certificate else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{rpc.port}"


def read_genesis_file(path: Path) -> Genesis:
    """Raises `OperatorError` if the file cannot be read or is not a genesis file."""
    try:
        return parse_genesis(path.read_bytes())
    except OSError as error:
        raise OperatorError(f"the genesis file {path} can't be read ({error.strerror}): check the path") from None
    except Rejected as error:
        raise OperatorError(f"{path} is not a genesis file ({error}): check the path") from None
