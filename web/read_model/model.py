"""The read model: the rows that the showroom searches, kept up to date, checked, and made anew behind the old ones."""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
import time
import traceback
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Final

import aiohttp

from node.chain.genesis import Genesis, genesis_hash
from node.log import log
from web.nodes import NodeRefusal, Nodes, Unreachable
from web.read_model import store as stores
from web.read_model.checking import Checking, Difference
from web.read_model.columns import Columns
from web.read_model.filling import Filling, Outdated
from web.read_model.row import Row
from web.read_model.search import Found, Search, Sort, Wanted
from web.read_model.source import HeightGone, Source
from web.read_model.store import Store
from web.settings import WebSettings

NAME: Final = "showroom.db"
NEXT_NAME: Final = "showroom-next.db"
RETRY_S: Final = 1.0
REBUILD_AGAIN_S: Final = 10.0
"""The time between two attempts to get rows that hold."""
SWEEP_EVERY_S: Final = 3_600.0
SWEEP_PAUSE_S: Final = 1.0
BEHIND_MAX: Final = 20
"""Heights that the rows may be behind the head. Above: the process is not ready."""
_PASSING: Final = (Unreachable, NodeRefusal, aiohttp.ClientError, TimeoutError, OSError, sqlite3.Error)
"""Faults after which the same is tried again."""


class SearchStopped(Exception):
    """Search has been stopped; the text is the reason."""


class Rows:
    """A store and what belongs to it."""

    def __init__(self, path: Path, genesis: bytes, source: Source, key: bytes, query_ms_max: int) -> None:
        self.store = Store(path, genesis, query_ms_max)
        self.columns = Columns()
        self.filling = Filling(source, self.store, self.columns)
        self.search = Search(self.columns, key)
        self.filling.load()

    @property
    def height(self) -> int:
        return self.filling.height

    def a_row(self, random_number: float) -> Row | None:
        """A row by chance, None where the place that was hit is empty."""
        found = self.store.at([int(random_number * self.columns.size)])
        return found[0] if found else None

    def row(self, ident: bytes) -> Row | None:
        return self.store.row(ident)

    def member(self, address: bytes) -> bytes | None:
        return self.store.member(address)


class ReadModel:
    """What the pages search. `stopped`: why nothing is searched, empty while it is."""

    def __init__(
        self, genesis: Genesis, home: Path, nodes: Nodes, settings: WebSettings, *, is_rebuilt: bool = False
    ) -> None:
        self._home, self._nodes, self._settings = home, nodes, settings
        self._genesis_hash, self._key = genesis_hash(genesis), secrets.token_bytes(32)
        self._source = Source(nodes)
        self._rows = self._opened(NAME)
        self._next: Rows | None = None
        self._checking = Checking(genesis, settings.nodes, home, settings.check_rows_per_hour)
        self._is_rebuilt = is_rebuilt
        self._tasks: list[asyncio.Task[None]] = []
        self._difference: Difference | None = None
        """That has stopped the search, until rows are there that hold."""
        self.stopped, self.rebuilds, self.differences = "", 0, 0

    def _opened(self, name: str) -> Rows:
        return Rows(
            self._home / name, self._genesis_hash, self._source, self._key, self._settings.query_ms_max
        )  # fmt: skip

    async def start(self) -> None:
        self._tasks = [_without_end(each) for each in (self._keep_up, self._check, self._sweep)]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._rows.store.close()
        if self._next is not None:
            self._next.store.close()

    # --- reading -----------------------------------------------------------------------------------------------
    @property
    def columns(self) -> Columns:
        return self._rows.columns

    @property
    def height(self) -> int:
        return self._rows.height

    @property
    def is_complete(self) -> bool:
        """Whether all listings have been read once."""
        return self._rows.filling.is_complete

    @property
    def now_ms(self) -> int:
        """The time of the head, as of which listings are open."""
        return self._nodes.head_time_ms or time.time_ns() // 1_000_000

    def find(self, wanted: Wanted, sort: Sort, cursor: str, count: int) -> tuple[Found, list[Row]]:
        """A page of a search, and its rows. Raises `SearchStopped`, `search.BadCursor`, `store.QueryTooLong`."""
        if self.stopped:
            raise SearchStopped(self.stopped)
        found = self._rows.search.find(wanted, sort, cursor, count, self.now_ms)
        return found, self._rows.store.at(found.slots)

    def currency(self, otherwise: str) -> str:
        """The currency of most cars. Raises `SearchStopped`."""
        if self.stopped:
            raise SearchStopped(self.stopped)
        found = self._rows.search.find(Wanted(), "newest", "", 1, self.now_ms).choices["currency"]
        return found[0][0] if found else otherwise

    def faults(self) -> list[str]:
        """Why the process should receive no traffic."""
        found = [self.stopped] if self.stopped else []
        if not self.is_complete:
            found.append("the rows are being filled")
        elif self._nodes.height - self.height > BEHIND_MAX:
            found.append(f"the rows are at height {self.height}, the head is {self._nodes.height}")
        if self._checking.held is False and not self.stopped:
            found.append("the last check of rows against proofs did not hold")
        return found

    def samples(self) -> dict[str, float]:
        """Values of metrics, by name."""
        return {
            "model_height": self.height, "model_rows": self.columns.size, "model_complete": self.is_complete,
            "model_stopped": bool(self.stopped), "model_rebuilding": self._next is not None,
            "model_rebuilds_total": self.rebuilds, "model_differences_total": self.differences,
            "model_checked_total": self._checking.rows,
            "model_check_age_seconds": monotonic() - self._checking.checked_at if self._checking.checked_at else -1,
        }  # fmt: skip

    # --- keeping up --------------------------------------------------------------------------------------------
    async def _keep_up(self) -> None:
        """Fill, follow, and begin anew where neither is possible."""
        began = monotonic()
        if self._is_rebuilt and self.is_complete:
            await self._rebuild("it was asked for")
        self._is_rebuilt = False
        while True:
            try:
                if not self.is_complete:
                    await self._rows.filling.fill()
                    log("rows_filled", "info", {"rows": self.columns.size, "seconds": f"{monotonic() - began:.1f}",
                                                "height": self.height})  # fmt: skip
                await self._rows.filling.check_block()
                await self._rows.filling.follow()
            except (HeightGone, Outdated) as error:
                await self._rebuild(str(error) or "the node does not have the events any more")
            except _PASSING as error:
                log("rows_wait", "info", {"height": self.height, "why": f"{type(error).__name__}: {error}"})
                await asyncio.sleep(RETRY_S)

    async def _rebuild(self, why: str) -> None:
        """Fill new rows while the old ones serve, then put them in their place."""
        log("rows_rebuilt", "warning", {"why": why, "height": self.height})
        if self._next is not None:
            self._next.store.close()
        stores.delete(self._home / NEXT_NAME)
        self._next = rows = self._opened(NEXT_NAME)
        while not rows.filling.is_complete:
            try:
                await rows.filling.fill()
            except Outdated:
                rows.store.reset(self._genesis_hash)
                self._next = rows = self._reopened(rows, NEXT_NAME)
            except _PASSING as error:
                log("rows_wait", "info", {"height": rows.height, "why": f"{type(error).__name__}: {error}"})
                await asyncio.sleep(RETRY_S)
        self._swap(rows)

    def _reopened(self, rows: Rows, name: str) -> Rows:
        rows.store.close()
        return self._opened(name)

    def _swap(self, rows: Rows) -> None:
        rows.store.close()
        self._rows.store.close()
        stores.replace(self._home / NAME, self._home / NEXT_NAME)
        self._rows, self._next = self._opened(NAME), None
        self.rebuilds += 1

    # --- checking ----------------------------------------------------------------------------------------------
    async def _check(self) -> None:
        while True:
            while self._difference is not None:
                await self._begin_anew(self._difference)
                await asyncio.sleep(REBUILD_AGAIN_S if self._difference is not None else 0)
            try:
                await self._checking.run(lambda: self._rows if self.is_complete and not self.stopped else None)
            except Difference as error:
                self.differences += 1
                self.stopped = f"rows differ from what the chain proves: {error}"
                self._differs(error)

    def _differs(self, difference: Difference) -> None:
        self._difference = difference
        log("rows_differ", "error", {"why": str(difference), "nodes": ", ".join(self._settings.nodes)})

    async def _begin_anew(self, difference: Difference) -> None:
        """Rebuild in the place of the task that keeps up. Search stays stopped unless the new rows hold."""
        self._tasks[0].cancel()
        await asyncio.gather(self._tasks[0], return_exceptions=True)
        await self._rebuild(str(difference))
        self._tasks[0] = _without_end(self._keep_up)
        try:
            await self._checking.confirm(self._rows, difference.ident)
            self.stopped, self._difference = "", None
        except Difference as again:
            self._differs(again)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_EVERY_S)
            with suppress(*_PASSING, Outdated):
                if self.is_complete:
                    await self._rows.filling.sweep(self.now_ms, SWEEP_PAUSE_S)


def _without_end(run: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
    """A task that goes on after a fault of which nobody has thought: without it rows would stand still unnoticed."""

    async def go_on() -> None:
        while True:
            try:
                await run()
            except Exception:
                log("rows_failed", "error", {"why": traceback.format_exc()})
                await asyncio.sleep(REBUILD_AGAIN_S)

    return asyncio.create_task(go_on())
