"""Filling the rows from the node's list of listings, and following its stream of events from there on.

Every row is read from the state as it is now, at the event's height or above. So an event that is applied twice, or
whose values are newer already, changes nothing, and rows that are as new as the head are the same whichever way they
came.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import aclosing

from node.txtypes.members.member import FRAUDS, MEMBER
from node.txtypes.vehicle.vehicle import VEHICLE
from web.read_model.columns import Columns
from web.read_model.row import Row, keys_of, row_of
from web.read_model.source import BEHIND_TRIES, BEHIND_WAIT_S, WHOLE, Event, Listed, Source, Told
from web.read_model.store import Meta, Store

FRAUDS_KEY = FRAUDS.key("all")
LOADED_AT_ONCE = 10_000
LISTINGS_AT_ONCE = 250
"""Listings that are read and written together while rows are filled."""


class Outdated(Exception):
    """The rows can no longer be brought up to date by events: they have to be filled anew."""


class Filling:
    """One store and its columns, which always have the same rows."""

    def __init__(self, source: Source, store: Store, columns: Columns) -> None:
        self._source, self._store, self._columns = source, store, columns
        self._meta = store.meta
        self._writing = asyncio.Lock()
        """Held from reading state values to writing what follows from them, so that no older values come later."""

    @property
    def height(self) -> int:
        return self._meta.height

    @property
    def is_complete(self) -> bool:
        return self._meta.cursor is None

    def load(self) -> None:
        """Put all rows of the store into the columns."""
        self._columns.put_members(dict(self._store.members()))
        slots, rows = list[int](), list[Row]()
        for slot, row in self._store.rows():
            slots.append(slot)
            rows.append(row)
            if len(rows) == LOADED_AT_ONCE:
                self._columns.put(slots, rows)
                slots, rows = [], []
        self._columns.put(slots, rows)
        self._columns.note_holes()

    # --- filling -----------------------------------------------------------------------------------------------
    async def fill(self) -> None:
        """Take in all listings, beginning where a process before has stopped. Raises as `Source` does."""
        if self._meta.height == 0 and self._meta.cursor == "":
            await self._begin()
        while (cursor := self._meta.cursor) is not None:
            listings, following = await self._source.listings(cursor, LISTINGS_AT_ONCE)
            await self._take(listings, self._meta._replace(cursor=following))

    async def _begin(self) -> None:
        """Members, and the height from which on events are followed: all that is read later is of it or above."""
        told = await self._source.values((), 0)
        addresses = await self._source.members()
        members = await self._source.values(map(MEMBER.key, addresses), told.height)
        meta = self._meta._replace(height=told.height, sequence=WHOLE, frauds=told.values[FRAUDS_KEY])
        self._write(meta, {}, _members(members, map(MEMBER.key, addresses)))

    async def sweep(self, now_ms: int, pause_s: float) -> None:
        """Drop the listings whose time is over, and take in those that are open and have no row: of cars that were
        reserved when the rows were filled, and are for sale again without an event."""
        async with self._writing:
            lapsed = self._columns.lapsed(now_ms // 1_000)
            self._store.write(self._meta, deletes=lapsed)
            self._columns.drop(lapsed)
        cursor: str | None = ""
        while cursor is not None:
            listings, cursor = await self._source.listings(cursor, LISTINGS_AT_ONCE)
            known = self._store.slots([bytes.fromhex(listed.id) for listed in listings])
            await self._take([listed for listed in listings if bytes.fromhex(listed.id) not in known], None)
            await asyncio.sleep(pause_s)

    async def _take(self, listings: Iterable[Listed], meta: Meta | None) -> None:
        async with self._writing:
            vins = {bytes.fromhex(listed.id): listed.vin for listed in listings}
            rows, told = await self._rows(vins, self._meta.height)
            self._check_frauds(told)
            self._write(meta or self._meta, rows, {})

    async def _rows(self, vins: dict[bytes, str], height: int) -> tuple[dict[bytes, Row | None], Told]:
        """The rows of listings, by their ids; `vins`: where one is known, so that less is asked for twice."""
        keys = [key for ident, vin in vins.items() for key in keys_of(ident, vin)]

        return await self._source.computed(row_of, vins, keys, height)

    # --- following ---------------------------------------------------------------------------------------------
    async def check_block(self) -> None:
        """The block at the rows' height is the one that they were filled at. Raises `Outdated` if not: the chain has
        begun anew from the same genesis."""
        height, nodes = self._meta.height, self._source.nodes
        for _ in range(BEHIND_TRIES):
            if nodes.height >= height:
                break
            await asyncio.sleep(BEHIND_WAIT_S)
        else:
            raise Outdated(f"no node has height {height}")
        if self._meta.block_id and await self._source.block_id(height) not in (None, self._meta.block_id):
            raise Outdated(f"block {height} is another one")

    async def follow(self) -> None:
        """Apply events as they come, without an end. Raises as `Source` does, and `Outdated`."""
        async with aclosing(self._source.events(self._meta.height, self._meta.sequence)) as stream:
            async for events in stream:
                async with self._writing:
                    await self._apply(events)

    async def _apply(self, events: list[Event]) -> None:
        last = events[-1]
        vins = {vin for event in events for vin in (event.vin, *event.vins) if vin}
        listings, members = _idents(events, "listing"), [MEMBER.key(key) for key in _idents(events, "member")]
        block_ids = [bytes.fromhex(e.id) for e in events if e.name == "block" and e.height == last.height]
        block_id = block_ids[0] if block_ids else self._meta.block_id if last.height == self._meta.height else b""
        meta = self._meta._replace(height=last.height, sequence=last.sequence, block_id=block_id)
        if not (vins or listings or members):
            self._write(meta, {}, {})
            return
        told = await self._source.values([*map(VEHICLE.key, vins), *members], last.height)
        self._check_frauds(told)
        touched = dict.fromkeys(listings, "")
        for vin in vins:
            raw = told.values[VEHICLE.key(vin)]
            market = VEHICLE.decode(raw).market.listing if raw is not None else b""
            touched |= dict.fromkeys([*self._store.of_car(vin), *([market] if market else [])], vin)
        rows, of_rows = await self._rows(touched, last.height)
        self._check_frauds(of_rows)
        self._write(meta, rows, _members(told, members))

    def _check_frauds(self, told: Told) -> None:
        if told.values[FRAUDS_KEY] != self._meta.frauds:
            raise Outdated("the list of authors that do not count has changed")

    # --- writing -----------------------------------------------------------------------------------------------
    def _write(self, meta: Meta, rows: dict[bytes, Row | None], members: dict[bytes, bytes]) -> None:
        """Rows, None for those that go, and members: on disk in one transaction, then in the columns."""
        slots, columns = self._store.slots(rows), self._columns
        kept = {ident: row for ident, row in rows.items() if row is not None}
        new = [ident for ident in kept if ident not in slots]
        given = columns.take_slots(len(new))
        places = slots | dict(zip(new, given, strict=True))
        puts = {places[ident]: row for ident, row in kept.items()}
        gone = [slot for ident, slot in slots.items() if ident not in kept]
        self._store.write(meta, puts, gone, members)
        self._meta = meta
        become = columns.put_members(members) if members else []
        columns.put(list(puts), list(puts.values()))
        columns.drop(gone)
        for address in become:
            others = self._store.of_seller(address)
            columns.put([slot for slot, _ in others], [row for _, row in others])


def _idents(events: Iterable[Event], family: str) -> list[bytes]:
    """The ids of values of a family that have changed, each once."""
    keys = [event.key.partition("/") for event in events]
    return list(dict.fromkeys(bytes.fromhex(ident) for name, _, ident in keys if name == family))


def _members(told: Told, keys: Iterable[bytes]) -> dict[bytes, bytes]:
    """Raw values by address."""
    found = ((bytes.fromhex(key.decode("ascii").partition("/")[2]), told.values[key]) for key in keys)
    return {address: raw for address, raw in found if raw is not None}
