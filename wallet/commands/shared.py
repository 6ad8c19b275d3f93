"""What every command shares: the options of the session, and how errors leave the program."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from node.errors import Corrupted, OperatorError, Rejected
from wallet.session import Session, default_home, default_nodes, nodes_of
from wallet.show import echo_rejected, plain

F = TypeVar("F", bound=Callable[..., Any])

EXIT_REFUSED = 1
EXIT_UNREADABLE = 3


class Ended(click.exceptions.Exit):
    """The command has said what it had to say; the exit code is all that is left."""


@contextmanager
def errors_told() -> Iterator[None]:
    """One sentence on standard error and the exit code for each kind of error."""
    try:
        yield
    except Rejected as error:
        echo_rejected(error)
        raise Ended(EXIT_REFUSED) from None
    except OperatorError as error:
        click.secho(f"Error: {plain(error)}.", fg="red", err=True)
        raise Ended(EXIT_UNREADABLE) from None
    except Corrupted as error:
        click.secho(f"Error: {plain(error)}: name another node.", fg="red", err=True)
        raise Ended(EXIT_UNREADABLE) from None
    except BrokenPipeError:
        # The reader of our output has gone (`| head`): nothing more to say, and nothing went wrong.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        raise Ended(0) from None


def session_of(context: click.Context) -> Session:
    """The run's session, made on first use."""
    found = context.find_object(Session)
    if found is None:
        found = Session(default_home(), nodes_of(default_nodes()), genesis_from_environment())
        context.find_root().obj = found
        context.obj = found
    return found


def genesis_from_environment() -> Path | None:
    named = os.environ.get("BMW_WALLET_GENESIS")
    return Path(named) if named else None


def _set(apply: Callable[[Session, Any], None]) -> Callable[[click.Context, click.Parameter, Any], Any]:
    def callback(context: click.Context, _: click.Parameter, value: Any) -> Any:
        if value not in (None, False):
            apply(session_of(context), value)
        return value

    return callback


def _set_home(session: Session, value: Path) -> None:
    session.home = value


def _set_nodes(session: Session, value: str) -> None:
    session.nodes = nodes_of(value)


def _set_genesis(session: Session, value: Path) -> None:
    session.genesis_file = value


def _set_passphrase(session: Session, value: Path) -> None:
    session.passphrase_file = value


def _set_json(session: Session, value: bool) -> None:
    session.wants_json = value


_PATH = click.Path(path_type=Path)


def home_option() -> click.Option:
    return click.Option(
        ["--home"], type=_PATH, expose_value=False, callback=_set(_set_home), metavar="DIR",
        help="keys and what was verified; or BMW_WALLET_HOME [default: ~/.bmw-wallet]",
    )  # fmt: skip


def passphrase_option() -> click.Option:
    return click.Option(
        ["--passphrase-file"], type=_PATH, expose_value=False, callback=_set(_set_passphrase), metavar="FILE",
        help="one line; or BMW_WALLET_PASSPHRASE, or asked for",
    )  # fmt: skip


def node_option() -> click.Option:
    return click.Option(
        ["--node"], expose_value=False, callback=_set(_set_nodes), metavar="URL[,URL...]",
        help="the next is tried when one does not answer; or BMW_WALLET_NODE [default: http://127.0.0.1:26700]",
    )  # fmt: skip


def genesis_option() -> click.Option:
    return click.Option(
        ["--genesis"], type=_PATH, expose_value=False, callback=_set(_set_genesis), metavar="FILE",
        help="the chain this wallet is for; or BMW_WALLET_GENESIS [default: genesis.json in the home]",
    )  # fmt: skip


def json_option() -> click.Option:
    return click.Option(
        ["--json", "wants_json"], is_flag=True, expose_value=False, callback=_set(_set_json), help="JSON, for programs"
    )


def session_options() -> list[click.Option]:
    """Understood before and after every command's name."""
    return [home_option(), node_option(), genesis_option(), passphrase_option(), json_option()]


def with_session(command: F) -> F:
    """The session's options on a command that is made by a decorator."""
    params: list[click.Parameter] = getattr(command, "__click_params__", [])
    params[:0] = reversed(session_options())
    command.__click_params__ = params  # type: ignore[attr-defined]
    return command


def example(text: str) -> str:
    """A help epilogue whose lines stay as they are."""
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in text.splitlines())
