"""Processes of pages that are killed while they fill and follow their rows, and what their databases have then."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path
from typing import Any, NamedTuple

from node.chain.genesis import genesis_to_json
from support.browsing import Served
from support.market import MarketNode, put_on_sale, withdraw
from support.processes import wait_for

CHANGED_AT_ONCE = 6


class Progress(NamedTuple):
    height: int = 0
    rows: int = 0
    is_complete: bool = False


class Killed(NamedTuple):
    rows: int
    while_filling: int


def _asked(home: Path, *queries: str) -> list[list[Any]]:
    """The answers of a database that a process may be writing to."""
    db = sqlite3.connect(f"file:{home}/showroom.db?mode=ro", uri=True)
    try:
        db.execute("BEGIN")
        return [db.execute(query).fetchall() for query in queries]
    finally:
        db.close()


def progress(home: Path) -> Progress:
    """How far the rows are, nothing where there is no database yet."""
    try:
        [[(height, cursor)], [(rows,)]] = _asked(
            home, "SELECT height, cursor FROM meta", "SELECT count(*) FROM listing"
        )
    except (sqlite3.OperationalError, ValueError):
        return Progress()
    return Progress(height, rows, cursor is None)


def contents(home: Path) -> dict[str, Any]:
    """Everything in the database but the places of rows and how far it came by which events."""
    rows, members, meta = _asked(
        home, "SELECT id, vin, seller, row FROM listing ORDER BY id",
        "SELECT address, value FROM member ORDER BY address",
        "SELECT schema, genesis_hash, height, frauds, cursor FROM meta",
    )  # fmt: skip
    return {"rows": rows, "members": members, "meta": meta}


def kill_and_compare(node: MarketNode, folder: Path, kills: int, seed: int) -> Killed:
    """Kill a process of pages so often, each time a while after it has come further: first while it fills, then while
    it follows a market that changes. At the end it has to have the rows of a process that was never killed."""
    draw, home, genesis = random.Random(seed), folder / "killed", folder / "genesis.json"
    genesis.write_text(genesis_to_json(node.chain.genesis))
    number, first_gone, while_filling = 1_000_000, 0, 0
    for _ in range(kills):
        before = progress(home)
        served = Served(home, genesis, [node.url])
        if not before.is_complete:
            wait_for(lambda before=before: progress(home)[:2] > before[:2], what="more rows")
            while_filling += not progress(home).is_complete
        else:
            for _ in range(draw.randrange(1, 4)):
                numbers, gone = range(number, number + CHANGED_AT_ONCE), range(first_gone, first_gone + 3)
                node.do(lambda chain, numbers=numbers: put_on_sale(chain, numbers))
                node.do(lambda chain, gone=gone: withdraw(chain, gone))
                number, first_gone = number + CHANGED_AT_ONCE, first_gone + 3
            target = before.height + draw.randrange(1, 5)
            wait_for(lambda target=target: progress(home).height >= target, what="more events")
        served.kill()
    head = node.chain.store.height()
    found = [_caught_up(at, genesis, node.url, head) for at in (home, folder / "fresh")]
    assert found[0] == found[1], "the rows of the killed process differ from those of a fresh one"
    return Killed(len(found[0]["rows"]), while_filling)


def _caught_up(home: Path, genesis: Path, url: str, height: int) -> dict[str, Any]:
    """The contents once they have a height, after the process has stopped in an orderly way."""
    served = Served(home, genesis, [url])
    try:
        wait_for(lambda: progress(home).is_complete and progress(home).height >= height, 60, "the rows of the head")
    finally:
        assert served.stop() == 0, served.log.read_text()
    return contents(home)
