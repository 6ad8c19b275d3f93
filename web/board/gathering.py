"""What the board shows, gathered by one task for all readers: often while somebody looks, else slowly for the alarms.

The nodes are asked for their metrics, now and then for their peers; their status comes from `web.nodes`, which looks at
them in any case. How soon blocks are final is measured: a block's time is the moment of its proposal, and the stream of
a node tells of it once it is final.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final, NamedTuple

import aiohttp
import msgspec

from node.ledger.json_form import time_from_text
from node.log import log
from node.token_bucket import TokenBucket
from web.board.alarms import COUNTERS, PAST_S, UP, Alarm, Begun, Observed, alarms_of, judged
from web.board.samples import Past, parsed
from web.nodes import NodeRefusal, Nodes, Unreachable, Watched
from web.recent import ASKED_MAX, BlockSummary, RecentBlocks

EVERY_S: Final = 2.0
SOONEST_S: Final = 1.0
"""After a new block: while somebody looks, this long after the last gathering at the soonest."""
SLOWLY_S: Final = 15.0
"""While nobody looks."""
LOOKED_S: Final = 20.0
"""Somebody who has loaded the page looks for this long."""
FRESH_S: Final = 3.0
"""How long a page waits for figures that are no older than this."""
REQUESTS_PER_SECOND: Final = 10.0
"""To all nodes together, evenly: one request at a time, so that no second has more."""
PEERS_EVERY_S: Final = 10.0
PEERS_MAX: Final = 200
"""Peers of a node that are shown."""
PAST_EVERY_S: Final = 10.0
"""Time between two points of a counter's past."""
WATCHED: Final = 100
"""Newest blocks whose signatures are shown."""
TIMED_MAX: Final = 1_000
"""Blocks whose finality is kept."""
STREAM_AGAIN_S: Final = 3.0
STREAM_SILENT_S: Final = 45.0
"""A node sends a heartbeat every 15 seconds."""
TROUBLE: Final = (NodeRefusal, Unreachable, msgspec.DecodeError, KeyError, TypeError, ValueError)


class HeadTold(msgspec.Struct, frozen=True):
    """A head, as a node tells it."""

    height: int
    time: str


class StatusTold(msgspec.Struct, frozen=True):
    """What the board shows of a node's status."""

    head: HeadTold
    moniker: str
    signing: str
    round: int
    step: str
    version: str


class PeerTold(msgspec.Struct, frozen=True):
    """What the board shows of a peer. Older nodes tell no score."""

    node_key: str
    address: str
    moniker: str
    is_outbound: bool
    height: int
    member_name: str
    score: int = 0


class PeersTold(msgspec.Struct, frozen=True):
    """The peers of a node."""

    peers: tuple[PeerTold, ...]


class NodeSeen(NamedTuple):
    """A node. `fault`: why it does not answer, empty where it does; `status`: the last that it told, None if it never
    did; `samples`: of its metrics, but for `up` none where it is silent; `peers`: None where they are not known."""

    url: str
    fault: str
    status: StatusTold | None
    samples: Mapping[str, float]
    peers: tuple[PeerTold, ...] | None


@dataclass(frozen=True, slots=True)
class Seen:
    """All that the board shows, as of one moment. `blocks`: the newest first; `current`: the validator set in force,
    None if it is not known; `sets`: of the blocks, by hash; `finality_s`: of the newest blocks, in seconds."""

    at_s: float
    nodes: tuple[NodeSeen, ...]
    alarms: tuple[Alarm, ...] = ()
    blocks: tuple[BlockSummary, ...] = ()
    current: Mapping[str, Any] | None = None
    sets: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    finality_s: tuple[float, ...] = ()
    drawn: dict[str, Any] = field(default_factory=dict, compare=False)
    """What was made of it, by language."""


class Board:
    """Gathers, and wakes the readers."""

    def __init__(self, nodes: Nodes, recent: RecentBlocks, *, is_on: bool) -> None:
        self.seen: Seen | None = None
        self.readers = 0
        """Open streams."""
        self.told = asyncio.Event()
        """Set once something else than `seen` was gathered, or the board stops: another event stands here then."""
        self.stopping = asyncio.Event()
        self._nodes, self._recent, self._is_on = nodes, recent, is_on
        self._looked, self._peers_at, self._past_at = -LOOKED_S, -PEERS_EVERY_S, -PAST_EVERY_S
        self._wanted = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._bucket = TokenBucket(REQUESTS_PER_SECOND, 1, monotonic() * 1_000)
        self._peers: dict[str, tuple[PeerTold, ...]] = {}
        self._statuses: dict[str, StatusTold] = {}
        self._past: dict[str, deque[Past]] = {node.url: deque() for node in nodes.watched}
        self._begun: Begun = {}
        self._blocks: dict[int, BlockSummary] = {}
        self._current: Mapping[str, Any] | None = None
        self._sets: Mapping[str, Sequence[Mapping[str, Any]]] = {}
        self._finality: deque[float] = deque(maxlen=TIMED_MAX)

    async def start(self) -> None:
        if self._is_on:
            self._tasks = [asyncio.create_task(self._gather_for_ever()), asyncio.create_task(self._time_for_ever())]

    async def stop(self) -> None:
        """End the streams and the gathering."""
        self.stopping.set()
        self._tell()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- readers -----------------------------------------------------------------------------------------------
    async def look(self) -> Seen | None:
        """What is seen now, after a wait of at most `FRESH_S` for what is no older; None if nothing is gathered yet."""
        self._looked = monotonic()
        until = self._looked + FRESH_S
        while (self.seen is None or time.time() - self.seen.at_s > FRESH_S) and (left := until - monotonic()) > 0:
            self._wanted.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self.told.wait()
        return self.seen

    @property
    def _is_looked_at(self) -> bool:
        return self.readers > 0 or monotonic() - self._looked < LOOKED_S

    def _tell(self) -> None:
        told, self.told = self.told, asyncio.Event()
        told.set()

    # --- gathering ---------------------------------------------------------------------------------------------
    async def _gather_for_ever(self) -> None:
        while True:
            began = monotonic()
            try:
                await self._gather()
            except Exception as error:
                log("board_failed", "error", {"why": repr(error)})
            self._tell()
            await asyncio.sleep(max(0.0, SOONEST_S - (monotonic() - began)))
            self._wanted.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(began + (EVERY_S if self._is_looked_at else SLOWLY_S) - monotonic()):
                    await self._wanted.wait()

    async def _gather(self) -> None:
        """Look at all nodes; also at their peers and at the blocks while somebody looks."""
        is_due = self._is_looked_at and monotonic() - self._peers_at >= PEERS_EVERY_S
        if is_due:
            self._peers_at = monotonic()
        nodes = tuple(await asyncio.gather(*(self._node(node, is_due=is_due) for node in self._nodes.watched)))
        if self._is_looked_at:
            with suppress(*TROUBLE):
                await self._chain(max(height_of(node) for node in nodes), is_due=is_due)
        now_s = time.time()
        observed = [Observed(node.url, node.samples, self._history(node, now_s)) for node in nodes]
        if monotonic() - self._past_at >= PAST_EVERY_S:
            self._past_at = monotonic()
        self._begun = judged(observed, self._begun, now_s)
        blocks = tuple(self._blocks[height] for height in sorted(self._blocks, reverse=True))
        self.seen = Seen(
            now_s, nodes, tuple(alarms_of(self._begun, now_s)), blocks, self._current, self._sets,
            tuple(self._finality),
        )  # fmt: skip

    async def _node(self, node: Watched, *, is_due: bool) -> NodeSeen:
        samples: dict[str, float] = {}
        fault = node.fault
        if not fault:
            try:
                self._statuses[node.url] = msgspec.convert(node.status, StatusTold)
                samples = parsed((await self._asked(node, "/metrics")).decode("utf-8", "replace"))
            except TROUBLE as error:
                fault = str(error)
        if fault or is_due:
            self._peers.pop(node.url, None)
        if is_due and not fault:
            with suppress(*TROUBLE):
                told = msgspec.json.decode(await self._asked(node, "/v1/peers"), type=PeersTold)
                self._peers[node.url] = told.peers[:PEERS_MAX]
        samples[UP] = float(not fault)
        return NodeSeen(node.url, fault, self._statuses.get(node.url), samples, self._peers.get(node.url))

    def _history(self, node: NodeSeen, now_s: float) -> list[Past]:
        """The past of a node's counters, with the present. The present is kept if it is time for another point."""
        past, counters = self._past[node.url], {name: node.samples[name] for name in COUNTERS & node.samples.keys()}
        while past and past[0].at_s < now_s - PAST_S:
            past.popleft()
        present = [Past(now_s, counters)] if counters else []
        found = [*past, *present]
        if monotonic() - self._past_at >= PAST_EVERY_S:
            past.extend(present)
        return found

    async def _chain(self, head: int, *, is_due: bool) -> None:
        """Read the newest blocks, their validator sets, and the one in force."""
        lacking = [height for height in range(max(1, head - WATCHED + 1), head + 1) if height not in self._blocks]
        while lacking:
            first, last = lacking[0], min(lacking[0] + ASKED_MAX - 1, head)
            await self._pace()
            self._blocks |= {block.height: block for block in await self._recent.between(first, last, is_own=True)}
            lacking = [height for height in lacking if height > last]
        for height in [height for height in self._blocks if not head - WATCHED < height <= head]:
            del self._blocks[height]
        if is_due or self._current is None:
            await self._pace()
            self._current = await self._nodes.json("/v1/validators", is_own=True)
        first_of_set = {block.validators_hash: block for block in self._blocks.values()}
        self._sets = {ident: await self._recent.validators(block, is_own=True) for ident, block in first_of_set.items()}

    async def _asked(self, node: Watched, path: str) -> bytes:
        await self._pace()
        return await self._nodes.told_by(node, path)

    async def _pace(self) -> None:
        """Wait until a request may be sent."""
        while not self._bucket.try_take(1, monotonic() * 1_000):
            await asyncio.sleep(max(0.01, self._bucket.wait_ms(monotonic() * 1_000, 1) / 1_000))

    # --- finality ----------------------------------------------------------------------------------------------
    async def _time_for_ever(self) -> None:
        while True:
            with suppress(*TROUBLE, aiohttp.ClientError, TimeoutError, OSError):
                await self._time()
            await asyncio.sleep(STREAM_AGAIN_S)

    async def _time(self) -> None:
        """Follow the blocks of a node as they become final."""
        async with self._nodes.asked("/v1/stream", {"types": "block"}, is_stream=True, is_own=True) as response:
            while True:
                async with asyncio.timeout(STREAM_SILENT_S):
                    line = await response.content.readline()
                if not line:
                    return
                if line.startswith(b"data: ") and b'"time"' in line:
                    self._timed(msgspec.json.decode(line[6:]))

    def _timed(self, block: Mapping[str, Any]) -> None:
        if block["height"] < self._nodes.height:  # the node itself catches up
            return
        self._finality.append(max(0.0, time.time() - time_from_text(block["time"]) / 1_000))
        if self._is_looked_at:
            self._wanted.set()


def height_of(node: NodeSeen) -> int:
    """The height of a node's head, as it told last."""
    told = node.status.head.height if node.status else 0
    return max(told, int(node.samples.get("bmw_height", 0)))
