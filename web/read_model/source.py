"""What the read model asks the nodes: lists, state values, and the stream of events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Iterable
from contextlib import aclosing, suppress
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from node import limits
from node.crypto.addresses import from_text
from node.ledger.family import AsOf, GivenReader, MissingKey, Reader
from node.ledger.params import CHAIN, PARAMS_KEY
from node.txtypes.rulesets import RULESETS, unknown_rules
from web.nodes import Nodes, Unreachable
from web.read_model.row import ALWAYS

T = TypeVar("T")
ASKED_AT_ONCE: Final = 4
"""Requests for state values at the same time."""
SILENT_S: Final = 60.0
"""A stream that sends nothing for so long, not even a comment, is broken: a node sends one every 15 s."""
QUIET_S: Final = 0.03
"""A pause in the stream after which what has come is applied: a node sends the events of a block in one go."""
WHOLE: Final = -1
"""The sequence that stands for all events of a height."""
EVENTS_AT_ONCE: Final = 2_000
COMPUTED_AT_ONCE: Final = 25
"""Rows that are computed between two turns of the pages."""
BEHIND_WAIT_S: Final = 0.2
BEHIND_TRIES: Final = 50


class HeightGone(Exception):
    """The node does not have the events of a height any more."""


class _Entry(msgspec.Struct):
    key: str
    value: str | None


class _Values(msgspec.Struct):
    entries: list[_Entry]
    height: int
    time: str


class Listed(msgspec.Struct):
    id: str
    vin: str


class _ListingsPage(msgspec.Struct):
    listings: list[Listed]
    cursor: str | None


class Event(msgspec.Struct):
    """An event of the stream, as far as rows depend on it. `key`: of the state value that has changed."""

    height: int
    name: str = msgspec.field(default="", name="-")
    sequence: int = msgspec.field(default=0, name="-sequence")
    id: str = ""
    key: str = ""
    vin: str = ""
    vins: tuple[str, ...] = ()


class Told(NamedTuple):
    """State values as nodes tell them. `height`: the lowest at which one was read."""

    values: dict[bytes, bytes | None]
    height: int

    @property
    def as_of(self) -> AsOf:
        """The ruleset of the values. No row depends on the time."""
        raw = self.values[PARAMS_KEY]
        if raw is None or unknown_rules(params := CHAIN.decode(raw), self.height):
            raise Unreachable("the chain is under a ruleset that this software does not know: update it")
        return AsOf(0, RULESETS[params.ruleset])


class Source:
    """The nodes as a source of state values. `height`: answers of nodes that are below it do not count."""

    def __init__(self, nodes: Nodes) -> None:
        self.nodes = nodes
        self._at_once = asyncio.Semaphore(ASKED_AT_ONCE)

    async def values(self, keys: Iterable[bytes], height: int) -> Told:
        """The values of state keys, and of `ALWAYS`, of this height or above. Raises `Unreachable`."""
        lacking = [key for key in dict.fromkeys(keys) if key not in ALWAYS]
        step = limits.RPC_KEYS_MAX - len(ALWAYS)
        portions = [lacking[at : at + step] for at in range(0, len(lacking), step)] or [[]]
        answers = await asyncio.gather(*(self._portion((*ALWAYS, *portion), height) for portion in portions))
        told = {key: value for answer in answers for key, value in answer.values.items()}
        return Told(told, min(answer.height for answer in answers))

    async def _portion(self, keys: tuple[bytes, ...], height: int) -> Told:
        query = {"keys": b",".join(keys).decode("ascii")}
        for _ in range(BEHIND_TRIES):
            async with self._at_once:
                answer = _read(_Values, await self.nodes.bytes("/v1/state", query, is_own=True))
            if answer.height >= height:
                if [entry.key.encode() for entry in answer.entries] != list(keys):
                    raise Unreachable("a node answers other state keys than were asked for")
                values = {
                    key: None if entry.value is None else bytes.fromhex(entry.value)
                    for key, entry in zip(keys, answer.entries, strict=True)
                }
                return Told(values, answer.height)
            await asyncio.sleep(BEHIND_WAIT_S)  # another node than the one that told of this height
        raise Unreachable(f"no node has height {height}")

    async def computed(
        self, compute: Callable[[T, Reader, AsOf], Any], subjects: Collection[T], keys: Iterable[bytes], height: int
    ) -> tuple[dict[T, Any], Told]:
        """`compute` for each subject. `keys`: those that are known to be read; whatever is read besides is asked for
        until nothing is missing. Raises `Unreachable`."""
        told, found = await self.values(keys, height), dict[T, Any]()
        while True:
            missing, reader, as_of = set[bytes](), GivenReader(told.values), told.as_of
            for place, subject in enumerate(subjects):
                if place % COMPUTED_AT_ONCE == 0:
                    await asyncio.sleep(0)
                if subject not in found:
                    try:
                        found[subject] = compute(subject, reader, as_of)
                    except MissingKey as error:
                        missing.add(error.key)
            if not missing:
                return found, told
            more = await self.values(sorted(missing), height)
            told = Told(told.values | more.values, min(told.height, more.height))

    async def listings(self, cursor: str, limit: int) -> tuple[list[Listed], str | None]:
        """A page of the listings that are open, and the cursor of the next one, None behind the last."""
        query = {"limit": str(limit)} | ({"cursor": cursor} if cursor else {})
        page = _read(_ListingsPage, await self.nodes.bytes("/v1/listings", query, is_own=True))
        return page.listings, page.cursor or None

    async def members(self) -> list[bytes]:
        """The addresses of all members."""
        found: list[bytes] = []
        cursor = ""
        while True:
            query = {"limit": str(limits.RPC_PAGE_MAX)} | ({"cursor": cursor} if cursor else {})
            page = await self.nodes.json("/v1/members", query, is_own=True)
            found += [from_text(member["address"]) for member in page["members"]]
            if not (cursor := page["cursor"] or ""):
                return found

    async def block_id(self, height: int) -> bytes | None:
        """The id of a block, None where no node has it any more."""
        with suppress(HeightGone):
            async with aclosing(self.events(height - 1, WHOLE)) as stream:
                async for events in stream:
                    return next((bytes.fromhex(e.id) for e in events if e.name == "block" and e.height == height), None)
        return None

    async def events(self, height: int, sequence: int) -> AsyncGenerator[list[Event]]:
        """The events behind one, each once, as they come; of a block together as a rule. Raises `HeightGone`,
        `Unreachable` and what a broken connection raises."""
        start = {} if sequence == WHOLE else {"Last-Event-ID": f"{height}-{sequence}"}
        query = {} if start else {"from_height": str(height + 1)}
        async with self.nodes.asked("/v1/stream", query, start, is_stream=True, is_own=True) as response:
            if response.status != 200:
                raise Unreachable(f"the stream was answered with {response.status}")
            rest, waiting = b"", list[Event]()
            while True:
                try:
                    async with asyncio.timeout(QUIET_S if waiting else SILENT_S):
                        chunk = await response.content.readany()
                except TimeoutError:
                    if not waiting:
                        raise Unreachable("the stream is silent") from None
                    yield waiting
                    waiting = []
                    continue
                if not chunk:
                    raise Unreachable("the stream has ended")
                *texts, rest = (rest + chunk).split(b"\n\n")
                waiting += [event for text in texts if (event := _event(text)) is not None]
                if len(waiting) >= EVENTS_AT_ONCE:
                    yield waiting
                    waiting = []


def _read(kind: type[T], body: bytes) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError as error:
        raise Unreachable(f"a node's answer has another shape: {error}") from None


_decode_event: Final = msgspec.json.Decoder(Event).decode


def _event(text: bytes) -> Event | None:
    """An event in the form that the node writes, None for a comment. Raises `HeightGone`, `Unreachable`."""
    fields = dict(line.partition(b": ")[::2] for line in text.split(b"\n"))
    if fields.get(b"event") == b"closed":
        if b"block_unknown" in fields.get(b"data", b""):
            raise HeightGone
        raise Unreachable("the stream was closed")
    if b"data" not in fields or b"event" not in fields:
        return None
    try:
        event = _decode_event(fields[b"data"])
        event.name = fields[b"event"].decode("ascii")
        event.sequence = int(fields[b"id"].partition(b"-")[2])
    except (msgspec.DecodeError, KeyError, ValueError) as error:
        raise Unreachable(f"an event that cannot be read: {error}") from None
    return event
