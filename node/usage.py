"""Shared by the three programs: commands that are imported when they are called, `--version` on every command, whole
sentences in the help, and usage errors as one sentence that points to the help."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Final

import click

DISTRIBUTION: Final = "bmw-chain"
HELP_WIDTH_MAX: Final = 120
CONTEXT: Final = {"help_option_names": ["-h", "--help"], "max_content_width": HELP_WIDTH_MAX}
"""Settings of a program's root group: the help is as wide as the terminal, up to a bound."""


def software_version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # slow to import: it parses mail headers

    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return "unknown"


def example(*lines: str) -> str:
    """The epilog of a `--help` text. A line may have several lines."""
    return "\b\nExample:\n" + "\n".join(f"  {line}" for text in lines for line in text.splitlines())


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


class Commands(click.Group):
    """A group whose help has the whole first sentence of each command; click cuts it to the rest of one line."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(name, _first_sentence(command)) for name, command in found if command and not command.hidden]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)


def _first_sentence(command: click.Command) -> str:
    paragraph = (command.short_help or command.help or "").strip().partition("\n\n")[0]
    text = " ".join(paragraph.split())
    sentence, stop, _ = text.partition(". ")
    return sentence.rstrip(".") if stop else text.rstrip(".")


class LazyCommands(MutableMapping[str, click.Command]):
    """Commands by name, each at `module:attribute`, imported when it is asked for: `bmw-node --version` would otherwise
    import the whole node."""

    def __init__(self, places: Mapping[str, str], program: str) -> None:
        self._places = dict(places)
        self._program = program
        self._loaded: dict[str, click.Command] = {}

    def __getitem__(self, name: str) -> click.Command:
        if name not in self._loaded:
            module, _, attribute = self._places[name].partition(":")
            self._loaded[name] = getattr(import_module(module), attribute)
            with_versions(self._loaded[name], self._program)
        return self._loaded[name]

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._loaded[name]

    def __contains__(self, name: object) -> bool:
        return name in self._places or name in self._loaded

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*self._places, *self._loaded}))

    def __len__(self) -> int:
        return len({*self._places, *self._loaded})


class Program(Commands):
    """The root group of a program. `places`: see `LazyCommands`."""

    def __init__(self, *args: Any, places: Mapping[str, str] | None = None, **settings: Any) -> None:
        super().__init__(*args, **settings)
        if places is not None:
            self.commands = LazyCommands(places, self.name or "")

    def make_context(self, info_name: str | None, args: list[str], *more: Any, **extra: Any) -> click.Context:
        with _on_one_line():
            return super().make_context(info_name, args, *more, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        with _on_one_line():
            return super().invoke(ctx)


def with_versions(command: click.Command, program: str) -> None:
    """Add `--version` to the command and all its subcommands."""

    def show(ctx: click.Context, _: click.Parameter, is_asked: bool) -> None:
        if is_asked and not ctx.resilient_parsing:
            click.echo(f"{program} {software_version()}")
            ctx.exit()

    if not any(parameter.name == "version" for parameter in command.params):
        text = "Show the version and exit."
        click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=show, help=text)(command)
    if isinstance(command, click.Group) and not isinstance(command.commands, LazyCommands):
        for child in command.commands.values():
            with_versions(child, program)
