"""JSON output of a command, and the option for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from node.console import show_json

Command = TypeVar("Command", bound=Callable[..., Any])


def print_json(value: Any) -> None:
    show_json(value)


def json_option(command: Command) -> Command:
    """`--json`, passed on as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")(command)
