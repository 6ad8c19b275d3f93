"""Options that many commands of `bmw-node` share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from node.chain.genesis import Genesis, parse_genesis
from node.errors import OperatorError, Rejected

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


def node_option(command: Command) -> Command:
    """`--node URL` of a running node."""
    return click.option(
        "--node",
        "url",
        envvar="BMW_NODE_URL",
        default="http://127.0.0.1:26700",
        show_default=True,
        help="RPC address of the running node.",
    )(command)


def read_genesis_file(path: Path) -> Genesis:
    """Raises `OperatorError`, naming the file and the field."""
    try:
        return parse_genesis(path.read_bytes())
    except OSError as error:
        raise OperatorError(f"the genesis file {path} can't be read: {error.strerror}") from None
    except Rejected as error:
        raise OperatorError(f"{path}: {error}") from None
