"""How pages name an account: a member by its business name, anybody else by an address where the tier shows those."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from web.asking import Ask
from web.words import Words


class Party(NamedTuple):
    """An account on a page. `href` is empty where the tier has no page for it."""

    text: str
    href: str
    address: str
    is_member: bool


class Parties:
    """Names accounts for one request. `names`: address to business name."""

    def __init__(self, ask: Ask, names: Mapping[str, str]) -> None:
        self._ask, self._names = ask, names

    @classmethod
    async def of(cls, ask: Ask) -> Parties:
        return cls(ask, await ask.site.directory.names())

    def __call__(self, address: str) -> Party:
        name = self._names.get(address)
        if name is not None:
            return Party(name, self._ask.link(f"/member/{name}"), address, is_member=True)
        href = self._ask.link(f"/account/{address}") if self._ask.site.is_open else ""
        return Party(Words.short(address, 12), href, address, is_member=False)
