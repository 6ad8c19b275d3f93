"""Search over columns gives what a plain look at every row gives, in pages that have every listing once."""

from __future__ import annotations

import random
from collections import Counter

import msgspec
import pytest
from support.listed_rows import DEALER, MAKER, MEMBERS, MUNICH, NOW_MS, SELLER_KINDS, rows

from web.read_model.columns import FAR_KM, Columns
from web.read_model.row import KINDS, Price, Row
from web.read_model.search import SORTS, BadCursor, Found, Search, Sort, Wanted


def searching(listed: list[Row]) -> Search:
    columns = Columns()
    columns.put_members(MEMBERS)
    columns.put(columns.take_slots(len(listed)), listed)
    return Search(columns, b"key")


def holds(row: Row, wanted: Wanted) -> bool:
    """The same, one row at a time."""
    return all((
        row.open_from_ms <= NOW_MS < row.open_until_ms, row.vin.startswith(wanted.vin), wanted.models in row.model,
        wanted.model in ("", row.model), wanted.country in ("", row.country), wanted.currency in ("", row.currency),
        wanted.powertrain in ("", row.powertrain), row.amount >= wanted.price_min,
        not wanted.price_max or row.amount <= wanted.price_max, row.year >= wanted.year_min,
        not wanted.year_max or 0 < row.year <= wanted.year_max,
        not wanted.metres_max or 0 <= row.metres <= wanted.metres_max,
        not (wanted.no_accident and row.accidents), not (wanted.no_brand and row.brands),
        wanted.seller in ("", SELLER_KINDS.get(row.seller, "private")),
        not wanted.warranty or row.warranty_until_ms > NOW_MS, not wanted.radius_km or row.seller == DEALER,
    ))  # fmt: skip


def order_of(row: Row, sort: Sort) -> tuple[int, int]:
    value = {
        "newest": -(row.prices[0].since_ms // 1_000), "cheapest": row.amount, "dearest": -row.amount,
        "mileage": row.metres if row.metres >= 0 else 2**31, "youngest": -row.year,
        "nearest": {DEALER: 0, MAKER: 1}.get(row.seller, 2),
    }[sort]  # fmt: skip
    return value, int.from_bytes(row.ident[:8], "big")


def wanted_by(draw: random.Random) -> Wanted:
    """A search with some filters."""
    choices = {
        "vin": ("WBA8E", "JTDKB20U00000", "WBA8E9G5000000007"), "models": ("3", "X"), "model": ("330I", "NONE"),
        "country": ("DE", "XX"), "currency": ("EUR", "CNY"), "powertrain": ("bev",), "price_min": (100_000,),
        "price_max": (300_000,), "year_min": (2017,), "year_max": (2019,), "metres_max": (10_000, 40_000_000),
        "no_accident": (True,), "no_brand": (True,), "seller": KINDS, "warranty": (True,),
    }  # fmt: skip
    given = {name: draw.choice(values) for name, values in choices.items() if draw.random() < 0.15}
    near = {"near": MUNICH, "radius_km": draw.choice((0, 100))} if draw.random() < 0.3 else {}
    return Wanted(**given, **near)


def pages(search: Search, wanted: Wanted, sort: Sort, size: int) -> list[Found]:
    found = [search.find(wanted, sort, "", size, NOW_MS)]
    while found[-1].cursor:
        found.append(search.find(wanted, sort, found[-1].cursor, size, NOW_MS))
    return found


@pytest.mark.parametrize("seed", range(4))
def test_search_is_a_look_at_every_row(seed: int) -> None:
    draw = random.Random(seed)
    listed = rows(400, seed)
    search = searching(listed)
    for _ in range(40):
        wanted, sort = wanted_by(draw), draw.choice(SORTS)
        if sort == "nearest" and wanted.near is None:
            continue
        expected = sorted((row for row in listed if holds(row, wanted)), key=lambda row: order_of(row, sort))
        got = pages(search, wanted, sort, draw.choice((1, 7, 24, 500)))
        assert [row.ident for row in expected] == [listed[slot].ident for page in got for slot in page.slots], wanted
        assert {len(expected)} == {page.total for page in got}


@pytest.mark.parametrize("name", ["country", "model", "powertrain", "currency", "seller"])
def test_choices_count_what_another_value_would_find(name: str) -> None:
    listed = rows(300, 9)
    search = searching(listed)
    for wanted in (
        Wanted(),
        Wanted(country="DE", powertrain="bev", no_brand=True),
        Wanted(model="X5", seller="dealer"),
    ):
        others = msgspec.structs.replace(wanted, **{name: ""})
        fits = [row for row in listed if holds(row, others)]
        value = (
            (lambda row: SELLER_KINDS.get(row.seller, "private"))
            if name == "seller"
            else lambda row: getattr(row, name)
        )
        expected = Counter(map(value, fits))
        del expected[""]
        assert expected == Counter(dict(search.find(wanted, "newest", "", 5, NOW_MS).choices[name]))


def test_a_page_of_a_large_market_is_narrowed_to_few_and_has_the_first_ones() -> None:
    """Also where the sample suggests too low a bound: all values are the same but for one."""
    draw = random.Random(3)
    for values in (range(5_000), [7] * 4_999 + [1]):
        span = {"open_from_ms": 0, "open_until_ms": NOW_MS + 9_000}
        listed = [msgspec.structs.replace(row, prices=(Price(value, NOW_MS),), **span)
                  for row, value in zip(rows(5_000, 1), draw.sample(list(values), 5_000), strict=True)]  # fmt: skip
        search = searching(listed)
        expected = sorted(listed, key=lambda row: order_of(row, "cheapest"))[:48]
        first = search.find(Wanted(), "cheapest", "", 24, NOW_MS)
        second = search.find(Wanted(), "cheapest", first.cursor, 24, NOW_MS)
        assert [row.ident for row in expected] == [listed[slot].ident for slot in (*first.slots, *second.slots)]


def test_a_listing_that_stays_is_neither_repeated_nor_left_out_while_others_come_and_go() -> None:
    listed = [row for row in rows(200, 2) if holds(row, Wanted())]
    columns = Columns()
    slots = columns.take_slots(len(listed))
    columns.put(slots, listed)
    search = Search(columns, b"key")
    seen, cursor, gone = list[bytes](), "", set[bytes]()
    by_slot = dict(zip(slots, listed, strict=True))
    for turn in range(100):
        found = search.find(Wanted(), "cheapest", cursor, 5, NOW_MS)
        seen += [by_slot[slot].ident for slot in found.slots]
        if not (cursor := found.cursor):
            break
        leaving = next(slot for slot, row in by_slot.items() if row.ident not in gone and slot not in found.slots)
        gone.add(by_slot[leaving].ident)
        columns.drop([leaving])
        coming = rows(1, 1_000 + turn)[0]
        [slot] = columns.take_slots(1)
        columns.put([slot], [coming])
        by_slot[slot] = coming
    stayed = {row.ident for row in listed} - gone
    assert stayed <= set(seen)
    assert len(seen) == len(set(seen))


def test_a_cursor_is_of_one_search_and_of_one_process() -> None:
    listed = rows(200, 4)
    search, other = searching(listed), Search(searching(listed)._columns, b"other key")
    cursor = search.find(Wanted(), "newest", "", 5, NOW_MS).cursor
    search.find(Wanted(), "newest", cursor, 5, NOW_MS)
    for by, wanted, sort, text in (
        (other, Wanted(), "newest", cursor), (search, Wanted(country="DE"), "newest", cursor),
        (search, Wanted(), "cheapest", cursor), (search, Wanted(), "newest", cursor[:-1]),
        (search, Wanted(), "newest", "A" + cursor), (search, Wanted(), "newest", "é"),
        (search, Wanted(), "newest", "=" * 9),
    ):  # fmt: skip
        with pytest.raises(BadCursor):
            by.find(wanted, sort, text, 5, NOW_MS)


def test_distance_is_that_of_the_sellers_nearest_site() -> None:
    columns = searching(rows(50, 5))._columns
    kilometres = columns.kilometres(MUNICH, NOW_MS)
    assert FAR_KM == kilometres[0]
    assert (0, 500) == (round(kilometres[1]), round(kilometres[2]))


def test_a_seller_who_becomes_a_member_has_to_be_put_anew() -> None:
    columns = Columns()
    listed = [row for row in rows(100, 6) if row.seller == DEALER]
    slots = columns.take_slots(len(listed))
    columns.put(slots, listed)
    assert {"private"} == {KINDS[kind] for kind in columns.kinds(NOW_MS)}
    assert [DEALER] == columns.put_members({DEALER: MEMBERS[DEALER]})
    columns.put(slots, listed)
    assert {"dealer"} == {KINDS[kind] for kind in columns.kinds(NOW_MS)}
    assert [] == columns.put_members({DEALER: MEMBERS[DEALER]})


def test_free_slots_are_used_again() -> None:
    columns = Columns()
    slots = columns.take_slots(3)
    columns.put(slots, rows(3, 7))
    columns.drop(slots[1:2])
    assert slots[1:2] == columns.take_slots(1)
    assert [3] == columns.take_slots(1)
    loaded = Columns()
    loaded.put([0, 3], rows(2, 7))
    loaded.note_holes()
    assert [1, 2, 4] == loaded.take_slots(3)
