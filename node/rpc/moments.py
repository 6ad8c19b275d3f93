"""One moment of the chain to read at, and how long answers share the node's time with everything else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final, TypeVar

from node.codec import Value
from node.ledger.family import AsOf, Family
from node.ledger.json_form import time_to_text
from node.storage.chain_store import ChainReader
from node.txtypes.rulesets import RULESETS

V = TypeVar("V", bound=Value)

PACE_S: Final = 0.005
SHARE: Final = 0.6
"""Of the node's time that all long answers have together: the rest is for consensus and short questions."""


class WorkShare:
    """Lets everything else run after each 5 ms of work; all long answers together keep to their share."""

    _free_at = 0.0
    """When the share will have paid for all work that was done."""

    def __init__(self) -> None:
        self._since = perf_counter()

    async def rest(self) -> None:
        now = perf_counter()
        used = now - self._since
        if used > PACE_S:
            WorkShare._free_at = max(WorkShare._free_at, now - used) + used / SHARE
            await asyncio.sleep(WorkShare._free_at - now)
            self._since = perf_counter()


@dataclass(frozen=True, slots=True)
class Moment:
    """The chain at its head, which does not move. Implements `Reader`."""

    reader: ChainReader
    height: int
    as_of: AsOf

    def get(self, family: Family[V], ident: str | bytes) -> V | None:
        raw = self.reader.state.get(family.key(ident))
        return None if raw is None else family.decode(raw)

    @property
    def stamp(self) -> dict[str, Any]:
        """What every answer about state says of when it was true."""
        return {"height": self.height, "time": time_to_text(self.as_of.now_ms)}


def moment_of(reader: ChainReader) -> Moment:
    """Now. Good until the next await."""
    head = reader.head()
    return Moment(reader, head.height, AsOf(head.time_ms, RULESETS[head.params.ruleset]))


@contextmanager
def standing(reader: ChainReader) -> Iterator[Moment]:
    """A snapshot, for answers that pause."""
    snapshot = reader.kv.snapshot()
    try:
        yield moment_of(ChainReader(snapshot))
    finally:
        snapshot.close()


@asynccontextmanager
async def standing_paced(reader: ChainReader) -> AsyncIterator[tuple[Moment, WorkShare]]:
    with standing(reader) as moment:
        yield moment, WorkShare()
