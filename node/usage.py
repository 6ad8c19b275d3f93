"""Shared by the three programs: `--version` on every command, and usage errors as one sentence that points to the
help."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import click


def software_version() -> str:
    try:
        return version("bmw-chain")
    except PackageNotFoundError:
        return "unknown"


class WrongUsage(click.ClickException):
    """A usage error on one line, where click prints four."""

    exit_code = 2

    def __init__(self, error: click.UsageError) -> None:
        path = error.ctx.command_path if error.ctx is not None else ""
        text = " ".join(error.format_message().split()).rstrip(".")
        super().__init__(f"{text}: see '{path} --help'" if path else text)


@contextmanager
def _on_one_line() -> Iterator[None]:
    try:
        yield
    except click.exceptions.NoArgsIsHelpError:
        raise  # its message is the help
    except click.UsageError as error:
        raise WrongUsage(error) from None


class Program(click.Group):
    """The root group of a program."""

    def make_context(self, info_name: str | None, args: list[str], *more: Any, **extra: Any) -> click.Context:
        with _on_one_line():
            return super().make_context(info_name, args, *more, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        with _on_one_line():
            return super().invoke(ctx)


def with_versions(command: click.Command, program: str) -> None:
    """Add `--version` to the command and all its subcommands."""
    if not any(parameter.name == "version" for parameter in command.params):
        option = click.version_option(software_version(), prog_name=program, message="%(prog)s %(version)s")
        option(command)
    for child in command.commands.values() if isinstance(command, click.Group) else ():
        with_versions(child, program)
