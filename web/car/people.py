"""Who acts on a car, as a page names them: members by their names, everybody else as the car's first, second, third
owner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from web.words import Words

Record = Mapping[str, Any]
MOVES_TITLE: Final = ("title.transfer", "title.assign", "order.handover", "order.return")
BY_HOLDER: Final = (
    "listing.create", "listing.update", "listing.withdraw", "order.accept", "order.handover", "title.transfer",
)  # fmt: skip
"""Types that the holder of the title sends, so that their author is the owner of that time."""


def owners(records: Sequence[Record], holder: str, holders: int) -> dict[str, int]:
    """The accounts that are known to have held the title, with the number of each among the holders, from 1.

    `records`: the car's newest, in order, with their contents where they are shown. `holder`: the present one, number
    `holders`. A handover does not say who the buyer is; what the buyer writes as the holder does."""
    found: dict[str, int] = {}
    number = holders - sum(record.get("kind") in MOVES_TITLE for record in records)
    for record in records:
        kind, content = record.get("kind"), record.get("content") or {}
        if kind in ("vehicle.register", "vehicle.import"):
            found.setdefault(content.get("holder") or record["author"], number)
        elif kind in BY_HOLDER and not record.get("author_name"):
            found.setdefault(record["author"], number)
        if kind in MOVES_TITLE:
            number += 1
            if content.get("receiver"):
                found.setdefault(content["receiver"], number)
    found.setdefault(holder, holders)
    return found


class People:
    """Names of accounts for one page. `members`: those that are known, as the interface answers them, by address.
    `is_open`: whether the page also shows addresses that are no members'."""

    def __init__(
        self, words: Words, owned: Mapping[str, int], members: Mapping[str, Mapping[str, Any]], *, is_open: bool
    ) -> None:
        self._words, self._owned, self._members, self._is_open = words, owned, members, is_open

    def name(self, address: str, member_name: str = "") -> str:
        """The name of a member, else which owner it is. `member_name`: as the answer has it, if it does."""
        known = member_name or str(self._members.get(address, {}).get("name", ""))
        if known:
            return known
        number = self._owned.get(address)
        text = self._words("car.somebody") if number is None else self._words("car.owner", number=number)
        return f"{text} ({self._words.short(address, 12)})" if self._is_open else text

    def roles(self, address: str) -> str:
        """The roles of a member in words; empty for others."""
        roles: Sequence[str] = self._members.get(address, {}).get("roles", ())
        return self._words.several(self._words.code("roles", role) for role in roles)
