"""Search over the columns: closed filters, total orders, a signed cursor, and how many cars each further choice has."""

from __future__ import annotations

import base64
import hmac
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple, get_args

import msgspec
import numpy as np
from msgspec.structs import replace

from web.read_model.bits import Bits, count_of, in_all, packed, slots_of
from web.read_model.columns import GROUPS, Array, Columns
from web.read_model.row import KINDS

Sort = Literal["newest", "cheapest", "dearest", "mileage", "youngest", "nearest"]
SORTS: Final[tuple[Sort, ...]] = get_args(Sort)
FILTERS_MAX: Final = 12
"""Filters of one search. Above: refused."""
SEARCHES_KEPT: Final = 64
"""Results that are kept until the columns change."""
KEPT_S: Final = 10
"""How long a result is kept at most: a listing that lapses is in it until then."""
VIN_LETTERS_MIN: Final = 5
CURSOR_TAG_BYTES: Final = 12
CHOICES_KEPT: Final = 320
"""Lists of choices that are kept until the columns change."""
INDEXED_MAX: Final = 32
"""Values of a column up to which each has a set of its slots, which is kept until the columns change."""
SAMPLED_EVERY: Final = 64
"""Of so many slots one is in the sample from which the bound of a page is guessed."""


class BadCursor(Exception):
    """A cursor that this process has not made for this search."""


class Wanted(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is searched for; a field left at its default filters nothing. `vin`: the beginning of a VIN, at least
    `VIN_LETTERS_MIN` letters; `models`: a part of the name of a model. Prices are in minor units of `currency`, without
    which neither they nor an order by price are possible. `near`: latitude and longitude in degrees."""

    vin: str = ""
    models: str = ""
    model: str = ""
    country: str = ""
    currency: str = ""
    powertrain: str = ""
    price_min: int = 0
    price_max: int = 0
    year_min: int = 0
    year_max: int = 0
    metres_max: int = 0
    no_accident: bool = False
    no_brand: bool = False
    seller: str = ""
    warranty: bool = False
    near: tuple[float, float] | None = None
    radius_km: int = 0

    @property
    def count(self) -> int:
        """How many filters there are."""
        return len(msgspec.to_builtins(self)) - (self.near is not None and self.radius_km > 0)


Choices = dict[str, list[tuple[str, int]]]


class Found(NamedTuple):
    """A page of a search. `slots`: of the listings in their order; `total`: of all that match; `cursor`: of the next
    page, empty on the last; `choices`: by filter, each value with the number of cars if this filter alone were changed;
    `kilometres`: of the slots, where `near` is given."""

    slots: list[int]
    total: int
    cursor: str
    choices: Choices
    kilometres: list[float]


class Search:
    """Searches the columns of one process."""

    def __init__(self, columns: Columns, key: bytes) -> None:
        self._columns, self._key = columns, key
        self._kept: OrderedDict[tuple[Any, ...], Found] = OrderedDict()
        self._choices_kept: dict[tuple[str, Wanted], list[tuple[str, int]]] = {}
        self._moment = (-1, -1)
        self._open = packed(np.zeros(0, np.bool_))
        self._kinds: Array = np.zeros(0, np.uint8)
        self._index: dict[tuple[str, int], Bits] = {}

    def find(self, wanted: Wanted, sort: Sort, cursor: str, count: int, now_ms: int) -> Found:
        """A page of `count` listings that are open at a time. Raises `BadCursor`."""
        assert wanted.count <= FILTERS_MAX, "the caller bounds the filters"
        after = self._read_cursor(wanted, sort, cursor) if cursor else None
        self._look_at(now_ms)
        key = (wanted, sort, after, count)
        found = self._kept.pop(key, None) or self._find(wanted, sort, after, count, now_ms)
        self._kept[key] = found
        if len(self._kept) > SEARCHES_KEPT:
            self._kept.popitem(last=False)
        return found

    def _look_at(self, now_ms: int) -> None:
        """Forget what was kept of other columns or of another time."""
        moment = (self._columns.version, now_ms // 1_000 // KEPT_S)
        if moment != self._moment:
            now_s, columns = now_ms // 1_000, self._columns
            self._moment = moment
            self._kept.clear()
            self._choices_kept.clear()
            self._index.clear()
            self._open = packed((columns["open_from"] <= now_s) & (now_s < columns["open_until"]))
            self._kinds = columns.kinds(now_ms)

    def _find(self, wanted: Wanted, sort: Sort, after: tuple[int, int] | None, count: int, now_ms: int) -> Found:
        columns = self._columns
        kilometres = columns.kilometres(wanted.near, now_ms) if wanted.near is not None else None
        sets = self._sets(wanted, kilometres, now_ms)
        both = in_all(self._open, sets.values())
        matching = slots_of(both)
        choices = {name: self._choices(name, wanted, sets, both, matching) for name in (*GROUPS, "seller")}
        page, following = _page(matching, self._order(sort, matching, kilometres), columns["ident"], after, count)
        found_km = [] if kilometres is None else kilometres[columns["seller"][page]].tolist()
        made = self._cursor(wanted, sort, following) if following is not None else ""
        return Found(page.tolist(), len(matching), made, choices, found_km)

    # --- filters -----------------------------------------------------------------------------------------------
    def _sets(self, wanted: Wanted, kilometres: Array | None, now_ms: int) -> dict[str, Bits]:
        """The slots that each filter lets through, by the name of the filter."""
        columns, found = self._columns, dict[str, Bits]()
        for name in GROUPS:
            if text := getattr(wanted, name):
                number = columns.codes[name].known(text)
                found[name] = self._with(name, number) if number is not None else np.zeros_like(self._open)
        bounds: tuple[tuple[str, Any, Callable[[Any, Any], Any]], ...] = (
            ("amount", wanted.price_min, np.greater_equal), ("amount", wanted.price_max, np.less_equal),
            ("year", wanted.year_min, np.greater_equal), ("year", wanted.year_max, np.less_equal),
            ("metres", wanted.metres_max, np.less_equal),
        )  # fmt: skip
        for place, (name, bound, holds) in enumerate(bounds):
            if bound:
                found[f"{name}-{place}"] = packed(holds(columns[name], columns[name].dtype.type(bound)))
        if wanted.year_max and not wanted.year_min:
            found["built"] = packed(columns["year"] > 0)
        if wanted.no_accident:
            found["accidents"] = self._with("accidents", 0)
        if wanted.no_brand:
            found["brands"] = self._with("brands", 0)
        if wanted.warranty:
            found["warranty"] = packed(columns["warranty_until"] > now_ms // 1_000)
        if wanted.seller:
            found["seller"] = self._with("seller", KINDS.index(wanted.seller))
        if kilometres is not None and wanted.radius_km:
            found["radius"] = packed((kilometres <= wanted.radius_km)[columns["seller"]])
        if wanted.models:
            texts = columns.codes["model"].texts
            found["models"] = packed(np.array([wanted.models in text for text in texts] or [False])[columns["model"]])
        if wanted.vin:
            found["vin"] = self._vins(wanted.vin.encode("ascii"))
        return found

    def _column(self, name: str) -> tuple[Array, int]:
        """What a filter looks at, and how many values that has."""
        match name:
            case "seller":
                return self._kinds, len(KINDS)
            case "accidents" | "brands":
                return self._columns[name], 2
            case _:
                return self._columns[name], len(self._columns.codes[name].texts)

    def _with(self, name: str, value: int) -> Bits:
        """The slots that have this value."""
        found = self._index.get((name, value))
        if found is None:
            array, values = self._column(name)
            found = packed(array == value)
            if values <= INDEXED_MAX:
                self._index[name, value] = found
        return found

    def _vins(self, start: bytes) -> Bits:
        """VINs that begin so: a range in the number of the letters in which it ends, equal numbers before it."""
        low, high = start.ljust(17, b"\0"), start.ljust(17, b"\xff")
        parts = list[Bits]()
        for name, part in (("vin_high", slice(0, 8)), ("vin_low", slice(8, 16)), ("vin_last", slice(16, 17))):
            array = self._columns[name]
            least, most = (array.dtype.type(int.from_bytes(text[part], "big")) for text in (low, high))
            if part.start < len(start):
                parts.append(packed(array == least if least == most else (array >= least) & (array <= most)))
        return in_all(parts[0], parts[1:])

    # --- choices -----------------------------------------------------------------------------------------------
    def _choices(
        self, name: str, wanted: Wanted, sets: dict[str, Bits], both: Bits, matching: Array
    ) -> list[tuple[str, int]]:  # fmt: skip
        """The values of a filter, the most frequent first, under all other filters: so they are the same whichever
        value is chosen, and kept for all of them. `both`, `matching`: the slots under all filters."""
        key = name, replace(wanted, **{name: ""})
        found = self._choices_kept.get(key)
        if found is None:
            if name in sets:
                both = in_all(self._open, [each for other, each in sets.items() if other != name])
            array, values = self._column(name)
            if values <= INDEXED_MAX:
                counts = [count_of(both & self._with(name, value)) for value in range(values)]
            else:
                slots = slots_of(both) if name in sets else matching
                counts = np.bincount(array.take(slots), minlength=values).tolist()
            texts = KINDS if name == "seller" else self._columns.codes[name].texts
            met = [(text, count) for text, count in zip(texts, counts, strict=True) if count and text]
            found = sorted(met, key=lambda each: (-each[1], each[0]))
            if len(self._choices_kept) >= CHOICES_KEPT:
                self._choices_kept.clear()
            self._choices_kept[key] = found
        return found

    # --- orders and cursors --------------------------------------------------------------------------------------
    def _order(self, sort: Sort, slots: Array, kilometres: Array | None) -> Array:
        """A number for each of these slots, by which they ascend. The complement of a number descends where it
        ascends."""
        columns = self._columns
        match sort:
            case "cheapest":
                return columns["amount"].take(slots)
            case "dearest":
                return ~columns["amount"].take(slots)
            case "mileage":
                return columns["metres"].take(slots)
            case "youngest":
                return ~columns["year"].take(slots)
            case "nearest":
                assert kilometres is not None, "the caller gives a place"
                return (kilometres * 1_000).astype(np.int32)[columns["seller"][slots]]
            case "newest":
                return ~columns["listed"].take(slots)

    def _signed(self, wanted: Wanted, sort: Sort, place: bytes) -> bytes:
        return hmac.digest(self._key, msgspec.msgpack.encode([wanted, sort, place]), "sha256")[:CURSOR_TAG_BYTES]

    def _cursor(self, wanted: Wanted, sort: Sort, place: tuple[int, int]) -> str:
        raw = place[0].to_bytes(8, "big", signed=True) + place[1].to_bytes(8, "big")
        return base64.urlsafe_b64encode(raw + self._signed(wanted, sort, raw)).rstrip(b"=").decode("ascii")

    def _read_cursor(self, wanted: Wanted, sort: Sort, text: str) -> tuple[int, int]:
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
        except ValueError:
            raise BadCursor from None
        place, tag = raw[:16], raw[16:]
        if len(place) != 16 or not hmac.compare_digest(tag, self._signed(wanted, sort, place)):
            raise BadCursor
        return int.from_bytes(place[:8], "big", signed=True), int.from_bytes(place[8:], "big")


def _page(
    slots: Array, values: Array, idents: Array, after: tuple[int, int] | None, count: int
) -> tuple[Array, tuple[int, int] | None]:
    """The first `count` slots behind `after` in the order of (value, id), and where the next page begins, None behind
    the last. `values`: one for each slot. Only those that can be among them are sorted."""
    if after is not None:
        value, ident = values.dtype.type(after[0]), np.uint64(after[1])
        behind = (values > value) | ((values == value) & (idents[slots] > ident))
        slots, values = slots[behind], values[behind]
    if len(slots) > count * SAMPLED_EVERY:
        slots, values = _narrowed(slots, values, count)
    if len(slots) > count:
        last = np.partition(values, count)[count]
        before, ties = np.flatnonzero(values < last), np.flatnonzero(values == last)
        lacking = count + 1 - len(before)
        if len(ties) > lacking:
            ties = ties[np.argpartition(idents[slots[ties]], lacking - 1)[:lacking]]
        chosen = np.concatenate((before, ties))
        slots, values = slots[chosen], values[chosen]
    order = np.lexsort((idents[slots], values))
    page = slots[order]
    if len(page) <= count:
        return page, None
    place = order[count - 1]
    return page[:count], (int(values[place]), int(idents[slots[place]]))


def _narrowed(slots: Array, values: Array, count: int) -> tuple[Array, Array]:
    """Of many slots a few that have the first `count` + 1 among them, by a bound that a sample of them suggests; all
    where it is too low."""
    sample = values[::SAMPLED_EVERY]
    place = min(len(sample) - 1, 2 * count // SAMPLED_EVERY + 8)
    narrowed = np.flatnonzero(values <= np.partition(sample, place)[place])
    return (slots[narrowed], values[narrowed]) if len(narrowed) > count else (slots, values)
