"""The rows as columns in memory: what filters and sorts look at, one array for each, one slot for each listing.

A filter is a comparison of a whole array, so that a search that matches nothing takes no longer than another. Nothing
here reads a file, a clock or the network.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from node.rpc.sites import distance_metres
from node.txtypes.members.member import MEMBER, Member
from web.read_model.row import KINDS, Row, kind_of, places_of

Array = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]
FAR_KM: Final = 99_999.0
"""The distance of a seller who names no place."""
NO_DISTANCE: Final = 2**31 - 1
"""`metres` of a car without a reading: sorts behind all others."""
_TYPES: Final[dict[str, Any]] = {
    "ident": np.uint64, "vin_high": np.uint64, "vin_low": np.uint64, "vin_last": np.uint8, "model": np.uint32,
    "seller": np.uint32, "country": np.uint8, "currency": np.uint8, "powertrain": np.uint8, "amount": np.int64,
    "year": np.uint16, "metres": np.int32, "accidents": np.bool_, "brands": np.bool_, "warranty_until": np.uint32,
    "listed": np.uint32, "open_from": np.uint32, "open_until": np.uint32,
}  # fmt: skip
"""Times are in seconds. `ident`: the first 8 bytes of the id, which make every order total. The 17 letters of a VIN are
two numbers of 8 bytes and one of one byte, so that a beginning of a VIN is a range of numbers."""
GROUPS: Final = ("model", "country", "currency", "powertrain")
"""Columns of codes: a value is a place in `Columns.codes`."""


class Codes:
    """Texts by number, in the order in which they were met."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        found = self._numbers.get(text)
        if found is None:
            found = self._numbers[text] = len(self.texts)
            self.texts.append(text)
        return found

    def known(self, text: str) -> int | None:
        return self._numbers.get(text)


class Columns:
    """`size`: slots in use and free ones below them. `version` counts changes."""

    def __init__(self) -> None:
        self._arrays = {name: np.zeros(1_024, kind) for name, kind in _TYPES.items()}
        self.codes = {name: Codes() for name in GROUPS}
        self.size, self.version = 0, 0
        self._free: list[int] = []
        self._members: dict[bytes, Member] = {}
        self._sellers: dict[bytes, int] = {}

    def __getitem__(self, name: str) -> Array:
        array: Array = self._arrays[name][: self.size]
        return array

    # --- slots -------------------------------------------------------------------------------------------------
    def take_slots(self, count: int) -> list[int]:
        """Free slots, which are the caller's to fill."""
        taken = [self._free.pop() for _ in range(min(count, len(self._free)))]
        taken += range(self.size, self.size + count - len(taken))
        self._grow(max([self.size, *(slot + 1 for slot in taken)]))
        return taken

    def note_holes(self) -> None:
        """Make every slot free that has no listing, after all rows have been put."""
        self._free = np.flatnonzero(self["open_until"] == 0)[::-1].tolist()

    def _grow(self, size: int) -> None:
        capacity = len(self._arrays["ident"])
        if size > capacity:
            room = max(size, capacity * 3 // 2)
            for name, array in self._arrays.items():
                self._arrays[name] = np.concatenate((array, np.zeros(room - capacity, array.dtype)))
        self.size = max(self.size, size)

    # --- writing -----------------------------------------------------------------------------------------------
    def put(self, slots: Sequence[int], rows: Sequence[Row]) -> None:
        """Rows into slots of theirs."""
        if not slots:
            return
        self._grow(max(slots) + 1)
        at = np.asarray(slots)
        for name, values in self._values(rows).items():
            self._arrays[name][at] = values
        self.version += 1

    def _values(self, rows: Sequence[Row]) -> dict[str, Any]:
        vins = [row.vin.encode("ascii").ljust(17, b"\0") for row in rows]
        found: dict[str, Any] = {
            "ident": [int.from_bytes(row.ident[:8], "big") for row in rows],
            "vin_high": [int.from_bytes(vin[:8], "big") for vin in vins],
            "vin_low": [int.from_bytes(vin[8:16], "big") for vin in vins], "vin_last": [vin[16] for vin in vins],
            "seller": [self._sellers.get(row.seller, 0) for row in rows], "amount": [row.amount for row in rows],
            "year": [row.year for row in rows],
            "metres": [min(row.metres, NO_DISTANCE) if row.metres >= 0 else NO_DISTANCE for row in rows],
            "accidents": [row.accidents > 0 for row in rows], "brands": [bool(row.brands) for row in rows],
            "warranty_until": [_seconds(row.warranty_until_ms) for row in rows],
            "listed": [_seconds(row.prices[0].since_ms) for row in rows],
            "open_from": [_seconds(row.open_from_ms) for row in rows],
            "open_until": [max(1, _seconds(row.open_until_ms)) for row in rows],
        }  # fmt: skip
        for name, codes in self.codes.items():
            found[name] = [codes.number(getattr(row, name)) for row in rows]
        return {name: np.array(values, _TYPES[name]) for name, values in found.items()}

    def drop(self, slots: Iterable[int]) -> None:
        """Free slots whose listings have gone."""
        for slot in slots:
            self._arrays["open_until"][slot] = 0
            self._free.append(slot)
            self.version += 1

    def lapsed(self, now_s: int) -> list[int]:
        """Slots of the listings whose time is over."""
        until = self["open_until"]
        found: list[int] = np.flatnonzero((until != 0) & (until <= now_s)).tolist()
        return found

    # --- sellers -----------------------------------------------------------------------------------------------
    def put_members(self, members: Mapping[bytes, bytes]) -> list[bytes]:
        """Raw values of members by their addresses. Returns those that were none before: their rows have to be put
        anew."""
        new = [address for address in members if address not in self._members]
        for address, raw in members.items():
            self._members[address] = MEMBER.decode(raw)
            self._sellers.setdefault(address, len(self._sellers) + 1)
        self.version += 1
        return new

    def member(self, address: bytes) -> Member | None:
        return self._members.get(address)

    def members(self) -> Iterator[tuple[bytes, Member]]:
        yield from self._members.items()

    def kinds(self, now_ms: int) -> Array:
        """The place in `KINDS` of the kind of each slot's seller. Seller 0 stands for all who are no members."""
        kinds = [KINDS.index(kind_of(self._members[seller], now_ms)) for seller in self._sellers]
        found: Array = np.array([KINDS.index("private"), *kinds], np.uint8)[self["seller"]]
        return found

    def kilometres(self, near: tuple[float, float], now_ms: int) -> Array:
        """The distance of each seller's nearest site."""
        found = np.full(len(self._sellers) + 1, FAR_KM)
        for address, member in self._members.items():
            if places := places_of(member, now_ms):
                found[self._sellers[address]] = min(distance_metres(near, place) for place in places) / 1_000
        return found


def _seconds(at_ms: int) -> int:
    return min(at_ms // 1_000, 2**32 - 1)
