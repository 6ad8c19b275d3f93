"""What the showroom makes of a query, and what a card says of a car."""

from __future__ import annotations

import re

import pytest
from babel.numbers import format_currency, format_decimal
from msgspec.structs import replace
from support.chain import DAY_MS
from support.listed_rows import DEALER, MEMBERS, MUNICH, NOW_MS, rows

from node.txtypes.members.member import MEMBER
from web.asking import PageProblem
from web.drawing.silhouettes import SHAPES
from web.pages.car_cards import badges, card, covered_share
from web.pages.cars import CarsQuery, options, wanted_of
from web.read_model.columns import Columns
from web.read_model.row import BODIES, Price, Row, body_of
from web.read_model.search import FILTERS_MAX, Wanted
from web.words import TAGS, Tag, words_of

CAR = Row(b"i" * 32, 2, "WBA8E9G50GNU12345", "330I", DEALER, "EUR", (Price(5_290_000, 1), Price(4_990_000, 2)), "DE", 0,
          NOW_MS + DAY_MS, "petrol", "2024-05-01", 12_000_000, "km", "LOGICAL", born_ms=NOW_MS - 100 * DAY_MS,
          covered_since_ms=NOW_MS - 100 * DAY_MS)  # fmt: skip


def columns() -> Columns:
    made, listed = Columns(), rows(30, 1)
    made.put_members(MEMBERS)
    made.put(made.take_slots(len(listed)), listed)
    return made


@pytest.mark.parametrize(("given", "wanted"), [
    ({}, Wanted()),
    ({"q": "330"}, Wanted(models="330")),
    ({"q": " wba8e9g5 "}, Wanted(vin="WBA8E9G5")),
    ({"q": "wba8"}, Wanted(models="WBA8")),
    ({"price_max": "50.000"}, Wanted(price_max=5_000_000, currency="EUR")),
    ({"price_min": "1 000", "currency": "JPY"}, Wanted(price_min=1_000, currency="JPY")),
    ({"sort": "cheapest"}, Wanted(currency="EUR")),
    ({"km_max": "60000", "year_min": "2018", "year_max": "2020"},
     Wanted(metres_max=60_000_000, year_min=2018, year_max=2020)),
    ({"no_accident": "1", "no_brand": "1", "warranty": "1"}, Wanted(no_accident=True, no_brand=True, warranty=True)),
    ({"near": "dealer/ONE-1", "radius": "50"}, Wanted(near=MUNICH, radius_km=50)),
    ({"near": "48.1,11.5"}, Wanted(near=(48.1, 11.5))),
    ({"radius": "50"}, Wanted()),
])  # fmt: skip
def test_a_query_is_a_search(given: dict[str, str], wanted: Wanted) -> None:
    assert wanted == wanted_of(CarsQuery(**given), columns(), "EUR")[0]


@pytest.mark.parametrize(("tag", "locale"), [("en", "en_GB"), ("de", "de_DE"), ("zh", "zh_Hans_CN")])
def test_whole_numbers_are_written_as_babel_writes_them(tag: Tag, locale: str) -> None:
    for value in (0, 7, -1, 999, 1_000, -12_345, 999_999, 10**6, 2**63):
        assert format_decimal(value, locale=locale) == words_of(tag).number(value)


@pytest.mark.parametrize(("given", "field"), [
    ({"price_min": "-1"}, "price_min"), ({"price_max": "1e9"}, "price_max"), ({"price_max": "9" * 12}, "price_max"),
    ({"year_min": "1"}, "year_min"), ({"km_max": "0"}, "km_max"), ({"no_brand": "yes"}, "no_brand"),
    ({"currency": "0"}, "currency"),
    ({"currency": "eur"}, "currency"),
    ({"sort": "id"}, "sort"), ({"seller": "bank"}, "seller"), ({"near": "91,0"}, "near"),
    ({"near": "no/ONE-1"}, "near"),
    ({"radius": "99999"}, "radius"), ({"price_min": "\u0663"}, "price_min"),
])  # fmt: skip
def test_a_value_that_cannot_be_is_refused_by_its_name(given: dict[str, str], field: str) -> None:
    with pytest.raises(PageProblem) as refused:
        wanted_of(CarsQuery(**given), columns(), "EUR")
    assert (400, "query_value", field) == (refused.value.status, refused.value.key, refused.value.values["name"])


def test_too_many_filters_are_refused() -> None:
    given = {
        "q": "3",
        "model": "X5",
        "country": "DE",
        "currency": "EUR",
        "powertrain": "bev",
        "price_min": "1",
        "no_brand": "1",
        "price_max": "2",
        "year_min": "2000",
        "year_max": "2001",
        "km_max": "5",
        "no_accident": "1",
    }
    assert FILTERS_MAX == wanted_of(CarsQuery(**given), columns(), "EUR")[0].count
    with pytest.raises(PageProblem, match="filters_many"):
        wanted_of(CarsQuery(**given, warranty="1"), columns(), "EUR")


def test_a_place_is_one_filter_with_its_radius() -> None:
    assert 1 == Wanted(near=MUNICH, radius_km=50).count == Wanted(near=MUNICH).count


def test_a_field_always_offers_what_is_chosen() -> None:
    found = options([("DE", 5), ("CN", 2), ("FR", 1)], "FR", str.lower, str, 2)
    assert [("DE", "de (5)", False), ("CN", "cn (2)", False), ("FR", "fr (1)", True)] == found
    assert [("XX", "xx (0)", True)] == options([], "XX", str.lower, str)


def test_a_card_in_each_language_has_price_facts_and_what_it_was_before() -> None:
    seller = MEMBER.decode(MEMBERS[DEALER])
    told = {"en": ("€49,900", "€52,900"), "de": ("49.900\xa0€", "52.900\xa0€"), "zh": ("€49,900", "€52,900")}
    for tag, (price, before) in told.items():
        found = card(words_of(tag), CAR, seller, 12.4, NOW_MS)
        assert (price, before, "2024", "/car/WBA8E9G50GNU12345") == (found.price, found.was, found.facts[0], found.path)
        assert found.seller.startswith("dealer · ") and "12" in found.seller
    dearer = replace(CAR, prices=CAR.prices[::-1])
    assert "" == card(words_of("en"), dearer, None, None, NOW_MS).was


def test_a_car_that_is_built_to_order_has_no_history() -> None:
    found = card(words_of("en"), replace(CAR, vin=""), None, None, NOW_MS)
    assert (f"/listing/{CAR.ident.hex()}", [], "Built to order") == (found.path, found.badges, found.facts[0])


def test_badges_say_first_what_a_buyer_should_know() -> None:
    words = words_of("en")
    assert [("good", "No accident reported"), ("good", "Mileage plausible")] == badges(words, CAR, NOW_MS)
    worse = replace(CAR, recalls=1, brands=("hail", "rental", "taxi"), accidents=2, verdict="ILLOGICAL",
                    warranty_until_ms=NOW_MS + DAY_MS)  # fmt: skip
    kinds = [kind for kind, _ in badges(words, worse, NOW_MS)]
    assert ["bad", "warn", "warn", "warn", "warn", "bad", "good"] == kinds


def test_of_a_car_from_elsewhere_nobody_says_that_it_had_no_accident() -> None:
    imported = replace(CAR, covered_since_ms=NOW_MS - 25 * DAY_MS)
    assert ("", "No accident since import") == badges(words_of("en"), imported, NOW_MS)[0]
    assert (0.25, 1.0) == (covered_share(imported, NOW_MS), covered_share(CAR, NOW_MS))


def test_every_body_has_a_drawing() -> None:
    assert set(BODIES) == set(SHAPES)
    models = {"330I": "saloon", "320D-TOURING": "estate", "X5": "suv", "IX3": "suv", "RAV4": "suv", "I3": "hatch",
              "118I": "hatch", "M4": "coupe", "Z4": "coupe", "I4": "saloon", "": "saloon"}  # fmt: skip
    assert models == {model: body_of(model) for model in models}


def test_whole_money_is_written_as_babel_writes_it() -> None:
    for tag, locale in zip(TAGS, ("en_GB", "de_DE", "zh_Hans_CN"), strict=True):
        for amount in (0, 999, 1_000, 5_290_000, 10**12):
            for currency in ("EUR", "CNY", "USD", "GBP"):
                whole = re.sub("[.,]00(?![0-9])", "", format_currency(amount, currency, locale=locale))
                assert whole == words_of(tag).money({"amount": amount * 100, "currency": currency})
    assert "1,234\xa0KWD" == words_of("de").money({"amount": 1_234, "currency": "KWD"})
