"""The members and their places of business, read from a node as a whole and kept for some seconds."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from time import monotonic
from typing import Any, Final, Literal

from web.nodes import NodeRefusal, Nodes

KEPT_S: Final = 10.0
ENTRIES_MAX: Final = 5_000
"""Members, and sites, that are read. Above: the rest is not listed, and the pages say so (`is_whole`)."""
PAGE: Final = 500
Entry = Mapping[str, Any]
_ADDRESS: Final = re.compile("bmw1[02-9ac-hj-np-z]{38}")


class Directory:
    """Everything that `/v1/members` and `/v1/sites` list."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes
        self._reading = asyncio.Lock()
        self._kept: dict[str, tuple[float, tuple[Entry, ...]]] = {}
        self._is_whole: dict[str, bool] = {}

    async def members(self) -> tuple[Entry, ...]:
        """All members, by name."""
        return await self._read("members", "name")

    async def sites(self) -> tuple[Entry, ...]:
        """All places of business that exist now, by name of the member and code."""
        return await self._read("sites", "member_name")

    def is_whole(self, family: Literal["members", "sites"]) -> bool:
        """Whether what was read last are all of them."""
        return self._is_whole.get(family, True)

    async def names(self) -> dict[str, str]:
        """Address to name."""
        return {member["address"]: member["name"] for member in await self.members()}

    async def member(self, name_or_address: str) -> Entry | None:
        for member in await self.members():
            if name_or_address in (member["name"], member["address"]):
                return member
        if self.is_whole("members") or not _ADDRESS.fullmatch(name_or_address):
            return None
        try:
            found: Entry = await self._nodes.json(f"/v1/members/{name_or_address}")
        except NodeRefusal as refusal:
            if refusal.status != 404:
                raise
            return None
        return found

    async def _read(self, family: str, order: str) -> tuple[Entry, ...]:
        """While another request reads anew, the copy that is there."""
        if self._reading.locked() and family in self._kept:
            return self._kept[family][1]
        async with self._reading:
            read_at, found = self._kept.get(family, (-KEPT_S, ()))
            if monotonic() - read_at >= KEPT_S:
                found = await self._pages(family, order)
                self._kept[family] = (monotonic(), found)
            return found

    async def _pages(self, family: str, order: str) -> tuple[Entry, ...]:
        found: list[Entry] = []
        query: dict[str, str] | None = {"limit": str(PAGE)}
        while len(found) < ENTRIES_MAX and query is not None:
            page = await self._nodes.json(f"/v1/{family}", query)
            found += page[family]
            query = {"limit": str(PAGE), "cursor": page["cursor"]} if page["cursor"] is not None else None
        self._is_whole[family] = query is None
        return tuple(sorted(found, key=lambda entry: (entry[order], entry.get("code", ""))))
