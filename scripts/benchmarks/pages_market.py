"""A node over the store of a market, in a process of its own."""

from __future__ import annotations

import asyncio
import multiprocessing
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from support.backend import SingleNode, serving
from support.chain import Chain
from support.market import genesis_file, grow, known_in, market_chain

from node.chain.genesis import parse_genesis
from node.storage.leveldb import LevelStore


class MarketProcess(NamedTuple):
    """Where it answers; ids that its chain has, as `known_in` gives them."""

    url: str
    known: dict[str, list[str]]
    pid: int


def _serve(folder: Path, told: Connection) -> None:
    """Until the other end closes."""

    async def run() -> None:
        chain = Chain(parse_genesis((folder / "genesis.json").read_bytes()), LevelStore(folder / "store"))
        async with serving(SingleNode(chain)) as (_, server, _):
            told.send((server.url, known_in(chain)))
            await asyncio.get_running_loop().run_in_executor(None, told.poll, None)

    asyncio.run(run())


def made_store(folder: Path, count: int) -> Path:
    """The folder of a store with so many cars on sale, made once."""
    made = folder / f"market-{count}"
    if not (made / "done").exists():
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir(parents=True)
        kv = LevelStore(made / "store")
        chain = market_chain(kv, depth=18)
        genesis_file(chain, made)
        grow(chain, count)
        kv.close()
        (made / "done").touch()
    return made


@contextmanager
def node_of(made: Path) -> Iterator[MarketProcess]:
    """A node over such a store."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(made, theirs))
    process.start()
    try:
        assert process.pid is not None
        yield MarketProcess(*ours.recv(), process.pid)
    finally:
        ours.close()
        process.terminate()
        process.join()
