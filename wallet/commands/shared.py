"""Options of the session, exit codes and examples that the commands share. The session is imported when a command is
made: `bmw-wallet --version` needs none."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import click

from node.source_tree import enclosing_source_tree
from node.usage import example as example
from wallet.defaults import DEFAULT_NODE

EXIT_REFUSED: Final = 1
EXIT_UNREADABLE: Final = 3

PATH: Final = click.Path(path_type=Path)


def is_node_url(text: str) -> bool:
    """Whether `text` is an HTTP address with a host, and with nothing that a node's address does not have."""
    try:
        parts = urlsplit(text)
        is_http = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # the port is not a number
        return False
    return bool(is_http and not (parts.username or parts.query or parts.fragment))


def _node_urls(text: str) -> tuple[str, ...]:
    """The URLs of a comma-separated list. Raises `click.BadParameter`."""
    urls = tuple(part.strip().rstrip("/") for part in text.split(",") if part.strip())
    for url in urls or (text,):
        if not is_node_url(url):
            sentence = f"{url!r} is not a node's address: write it like {DEFAULT_NODE}"
            raise click.BadParameter(sentence, param_hint="--node / BMW_WALLET_NODE")
    return urls


def _wallet_home(text: str) -> Path:
    """Raises `click.BadParameter` for a folder in a source tree, where keys could be published."""
    if (tree := enclosing_source_tree(text, Path.home())) is not None:
        raise click.BadParameter(
            f"{text} is in the source tree {tree}, and keys there could be published with it: name a folder outside, "
            "such as the default ~/.bmw-wallet, or let git ignore this one",
            param_hint="--home / BMW_WALLET_HOME",
        )
    return Path(text)


def _store(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    """Set the attribute of the session that has the option's name, if the option was given."""
    from wallet.session import Session

    if value not in (None, False):
        setattr(context.ensure_object(Session), str(parameter.name), value)


_OPTIONS: Final = (
    ("--home", "home", _wallet_home, "DIR", "BMW_WALLET_HOME",
     "keys and what was verified; or BMW_WALLET_HOME [default: ~/.bmw-wallet]"),
    ("--node", "nodes", _node_urls, "URL[,URL...]", "BMW_WALLET_NODE",
     f"the next is tried when one does not answer; or BMW_WALLET_NODE [default: {DEFAULT_NODE}]"),
    ("--genesis", "genesis_file", PATH, "FILE", "BMW_WALLET_GENESIS",
     "the chain this wallet is for; or BMW_WALLET_GENESIS [default: genesis.json in the home]"),
    ("--passphrase-file", "passphrase_file", PATH, "FILE", None, "one line; or BMW_WALLET_PASSPHRASE, or asked for"),
)  # fmt: skip
"""Option, attribute of the session, type, metavar, environment variable, help."""


def session_options(command: Callable[..., Any], *, is_root: bool = False) -> Callable[..., Any]:
    """Add the session's options, accepted before and after a command's name. Only the root reads the environment, so
    that no variable overrides an option before the command's name."""
    add = partial(click.option, expose_value=False, callback=_store)
    command = add("--json", "wants_json", is_flag=True, help="JSON, for programs")(command)
    for option, name, kind, metavar, variable, text in reversed(_OPTIONS):
        envvar = variable if is_root else None
        command = add(option, name, type=kind, metavar=metavar, envvar=envvar, help=text)(command)
    return command


def with_session(command: Callable[..., None]) -> Callable[..., None]:
    """Add the session's options and pass the session as the first argument."""
    from wallet.session import Session

    return session_options(click.make_pass_decorator(Session, ensure=True)(command))


def accept_old_root(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--accept-old-root`."""
    return click.option("--accept-old-root", is_flag=True, help="start from a trust root older than 180 days")(command)
