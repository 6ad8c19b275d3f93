"""A moment: the chain at one height. A work share: how long answers leave time for the rest of the node."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from time import perf_counter
from typing import Any, Final, TypeVar

from node.codec import Value
from node.ledger.family import AsOf, Family
from node.ledger.json_form import time_to_text
from node.rpc.problems import Problem
from node.storage.chain_store import ChainReader
from node.txtypes.rulesets import RULESETS

V = TypeVar("V", bound=Value)

PACE_S: Final = 0.005
SHARE: Final = 0.6
"""Share of the node's time for all long answers together. Consensus and short answers have the rest."""
KEPT_MAX: Final = 1_024
"""Values of common families that a moment keeps, decoded."""
_VERSION: Final = version("bmw-chain")


class WorkShare:
    """Yields to the event loop after each `PACE_S` of work and keeps all long answers together within `SHARE`."""

    _free_at = 0.0
    """When the share has paid for all work done so far."""

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
    """The state at one height. Implements `Reader`, and keeps what the views of many values read."""

    reader: ChainReader
    height: int
    block_id: bytes
    as_of: AsOf
    stamp: dict[str, Any] = field(compare=False)
    """Height and time of this state, for answers."""
    _kept: dict[bytes, Any] = field(default_factory=dict, repr=False, compare=False)

    def get(self, family: Family[V], ident: str | bytes) -> V | None:
        if not family.is_common:
            return self.read(family, family.new_key(ident))
        key, kept = family.key(ident), self._kept
        try:
            return kept[key]  # type: ignore[no-any-return]
        except KeyError:
            if len(kept) == KEPT_MAX:
                kept.clear()
            value = kept[key] = self.read(family, key)
            return value

    def read(self, family: Family[V], key: bytes) -> V | None:
        """The value of a state key."""
        raw = self.reader.state.get(key)
        return None if raw is None else family.decode(raw)

    @property
    def etag(self) -> str:
        """The ETag (RFC 9110) of answers that follow from this state alone. It has the height and the id of the block,
        which identifies the chain and the state, and the version of the software, which decides the form of answers."""
        return f'"{self.height}-{self.block_id[:8].hex()}-{_VERSION}"'


def moment_of(reader: ChainReader) -> Moment:
    """The state at the head, valid until the next await."""
    head = reader.head()
    stamp = {"height": head.height, "time": time_to_text(head.time_ms)}
    return Moment(reader, head.height, head.block_id, AsOf(head.time_ms, RULESETS[head.params.ruleset]), stamp)


def moment_at(reader: ChainReader, height: int) -> Moment:
    """The state after `height`, valid as long as it is kept; 0: as `moment_of`. Raises `Problem` if it is not kept."""
    if not height:
        return moment_of(reader)
    if height not in (kept := reader.kept_heights()):
        first, last = kept[0], kept[-1]
        text = f"height: the state after {height} is not kept here; the heights kept are {first} to {last}"
        raise Problem("height_not_kept", text, first=first, last=last)
    return moment_of(reader.at(height))


@asynccontextmanager
async def paced_snapshot(reader: ChainReader) -> AsyncIterator[tuple[Moment, WorkShare]]:
    """The state at the head as a snapshot, and a work share, for answers that await."""
    snapshot = reader.kv.snapshot()
    try:
        yield moment_of(ChainReader(snapshot)), WorkShare()
    finally:
        snapshot.close()
