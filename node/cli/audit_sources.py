"""The chain that a command of `bmw-audit` reads: the options that name it, and its sources while the command runs."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import click

from node.audit.divergence import Diverged
from node.audit.sources import BlockSource, Kind, open_source
from node.chain.genesis import Genesis
from node.cli.exit_codes import FAILED, fail
from node.cli.options import Command, read_genesis_file
from node.errors import OperatorError

FILE = click.Path(path_type=Path)


class AuditedChain(NamedTuple):
    """An open source of the chain, with those of the chains before it. `to`: the last height asked for."""

    genesis: Genesis
    source: BlockSource
    to: int
    older: tuple[tuple[Genesis, BlockSource], ...]


def is_url(text: str) -> bool:
    return text.startswith(("http://", "https://"))


def chosen(store: Path | None, archive: Path | None, node: str | None) -> tuple[Kind, str]:
    """What one of the three options names, for `open_source`. Raises a usage error unless it is exactly one."""
    given: tuple[tuple[Kind, Path | str | None], ...] = (("store", store), ("archive", archive), ("node", node))
    choices = [(kind, str(place)) for kind, place in given if place is not None]
    if len(choices) != 1:
        raise click.UsageError("give exactly one of --store, --archive and --node")
    if node is not None and not is_url(node):
        raise click.UsageError(f"--node {node}: give an address such as http://127.0.0.1:26700")
    return choices[0]


def detected_source(text: str) -> BlockSource:
    """The source at a URL, in a folder, or in a file."""
    if is_url(text):
        return open_source("node", text)
    path = Path(text)
    if path.is_dir():
        return open_source("store", text)
    if path.is_file():
        return open_source("archive", text)
    raise OperatorError(f"{text} is no file and no folder: give an archive, a store or a URL")


def older_chains(
    stack: ExitStack, predecessors: tuple[str, ...], files: tuple[Path, ...]
) -> tuple[tuple[Genesis, BlockSource], ...]:
    """The chains before this one, the newest first; their sources are closed with `stack`."""
    if len(predecessors) != len(files):
        raise click.UsageError("give one --predecessor-genesis for each --predecessor")
    older = []
    for text, path in zip(predecessors, files, strict=True):
        genesis, source = read_genesis_file(path), detected_source(text)
        stack.callback(source.close)
        older.append((genesis, source))
    return tuple(older)


def source_options(command: Command) -> Command:
    """`--store`, `--archive` and `--node`."""
    for option in (
        click.option("--node", metavar="URL", help="The HTTP interface of a running node."),
        click.option("--archive", type=FILE, metavar="FILE", help="An archive made by 'bmw-node export'."),
        click.option("--store", type=FILE, metavar="DIR", help="A home or store of a stopped node, or a checkpoint."),
    ):
        command = option(command)
    return command


def genesis_options(command: Command) -> Command:
    """`--genesis`, and `--predecessor` with `--predecessor-genesis`."""
    for option in (
        click.option(
            "--predecessor-genesis",
            "predecessor_files",
            multiple=True,
            type=FILE,
            metavar="FILE",
            help="Its genesis file, one for each --predecessor.",
        ),
        click.option(
            "--predecessor",
            "predecessors",
            multiple=True,
            metavar="SOURCE",
            help="Store, archive or node of the chain that this one continues. Repeat it for the chain before that.",
        ),
        click.option("--genesis", "genesis_file", type=FILE, required=True, metavar="FILE",
                     help="The chain's genesis file."),
    ):  # fmt: skip
        command = option(command)
    return command


def chain_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that name a chain up to a height, passed on as `chain`. A divergence ends the command."""

    @functools.wraps(command)
    def run(
        *, store: Path | None, archive: Path | None, node: str | None, genesis_file: Path, to: int | None,
        predecessors: tuple[str, ...], predecessor_files: tuple[Path, ...], **rest: Any,
    ) -> None:  # fmt: skip
        with ExitStack() as stack:
            genesis = read_genesis_file(genesis_file)
            older = older_chains(stack, predecessors, predecessor_files)
            source = open_source(*chosen(store, archive, node))
            stack.callback(source.close)
            last = source.last if to is None else to
            if last > source.last:
                raise OperatorError(f"the {source.name} ends at block {source.last}: give --to at most that")
            with_divergence(lambda: command(chain=AuditedChain(genesis, source, last, older), **rest))

    to = click.option("--to", type=click.IntRange(min=1), metavar="HEIGHT", help="Stop after this block.")
    return source_options(genesis_options(to(run)))


def with_divergence(action: Callable[[], None]) -> None:
    """Run `action`; a divergence becomes one sentence and exit code 1."""
    try:
        action()
    except Diverged as error:
        fail(f"the chain diverges at {error}", FAILED)
