"""The showroom: cars on sale, searched by name or VIN, filtered, sorted, page by page."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from node.rules.iso_codes import MINOR_UNITS
from node.rules.odometer import MILLIMETRES
from web.asking import Ask, Drawn, Page, PageProblem, Query
from web.drawing.silhouettes import sprites
from web.pages.car_cards import card
from web.read_model.columns import Columns
from web.read_model.row import KINDS
from web.read_model.search import FILTERS_MAX, SORTS, VIN_LETTERS_MIN, BadCursor, Choices, Sort, Wanted
from web.read_model.store import QueryTooLong
from web.words import Words

RADII_KM: Final = (25, 50, 100, 250, 500)
PRICE_MAX: Final = 10**10
YEARS: Final = range(1900, 2101)
KM_MAX: Final = 10**7
PLACES_MAX: Final = 200
"""Places that the form lists."""
MODELS_MAX: Final = 60
"""Models that the form lists, the most frequent ones; any other is found by its name."""
_VIN_START: Final = re.compile(rf"[A-HJ-NPR-Z0-9]{{{VIN_LETTERS_MIN},17}}")
_SEPARATORS: Final = re.compile(r"[\s.,'\u2019\u00a0\u202f]")
_POINT: Final = re.compile(r"(-?[0-9]{1,2}(?:\.[0-9]{1,6})?),(-?[0-9]{1,3}(?:\.[0-9]{1,6})?)")
_CURRENCY: Final = re.compile("[A-Z]{3}")
_PRICED: Final = ("cheapest", "dearest")


class CarsQuery(Query, frozen=True):
    """What the form of the showroom sends. `near`: a member's site as `name/CODE`, or latitude,longitude in degrees."""

    q: str = ""
    model: str = ""
    country: str = ""
    currency: str = ""
    price_min: str = ""
    price_max: str = ""
    powertrain: str = ""
    year_min: str = ""
    year_max: str = ""
    km_max: str = ""
    no_accident: str = ""
    no_brand: str = ""
    seller: str = ""
    warranty: str = ""
    near: str = ""
    radius: str = ""
    sort: str = ""
    after: str = ""

    @property
    def given(self) -> dict[str, str]:
        """What is given, without the place of a page."""
        return {name: text for name in self.__struct_fields__ if (text := getattr(self, name)) and name != "after"}


# --- from the query to a search -------------------------------------------------------------------------------
def wanted_of(query: CarsQuery, columns: Columns, currency: str) -> tuple[Wanted, Sort]:
    """The search that a query asks for. `currency`: of most cars, in which prices count where no other is given.
    Raises `PageProblem`."""
    sort: Sort = _one_of("sort", query.sort, SORTS) or "newest"
    price_min, price_max = (_number(name, getattr(query, name), 0, PRICE_MAX) for name in ("price_min", "price_max"))
    if query.currency and not _CURRENCY.fullmatch(query.currency):
        raise PageProblem(400, "query_value", name="currency")
    money = query.currency or (currency if price_min or price_max or sort in _PRICED else "")
    minor = 10 ** MINOR_UNITS.get(money, 0)
    near = _near(query.near, columns)
    if sort == "nearest" and near is None:
        sort = "newest"
    vin, models = _sought(query.q, columns)
    km_max, radius = _number("km_max", query.km_max, 1, KM_MAX), _number("radius", query.radius, 1, 20_000)
    wanted = Wanted(
        vin=vin, models=models, model=query.model, country=query.country, currency=money, powertrain=query.powertrain,
        price_min=price_min * minor, price_max=price_max * minor,
        year_min=_number("year_min", query.year_min, YEARS[0], YEARS[-1]),
        year_max=_number("year_max", query.year_max, YEARS[0], YEARS[-1]),
        metres_max=min(km_max * MILLIMETRES["km"] // 1_000, 2**31 - 2),
        no_accident=_is_set("no_accident", query.no_accident), no_brand=_is_set("no_brand", query.no_brand),
        seller=_one_of("seller", query.seller, KINDS), warranty=_is_set("warranty", query.warranty),
        near=near, radius_km=radius if near is not None else 0,
    )  # fmt: skip
    if wanted.count > FILTERS_MAX:
        raise PageProblem(400, "filters_many", most=FILTERS_MAX)
    return wanted, sort


def _sought(text: str, columns: Columns) -> tuple[str, str]:
    """(beginning of a VIN, part of a model's name), one of them empty. What is in a model's name is meant as one."""
    sought = text.strip().upper()
    is_model = any(sought in model for model in columns.codes["model"].texts)
    if not is_model and _VIN_START.fullmatch(sought):
        return sought, ""
    return "", sought


def _number(name: str, text: str, least: int, most: int) -> int:
    """A whole number, 0 if none is given; separators of thousands may be in it."""
    digits = _SEPARATORS.sub("", text)
    if not digits:
        return 0
    if not re.fullmatch("[0-9]{1,11}", digits) or not least <= int(digits) <= most:
        raise PageProblem(400, "query_value", name=name)
    return int(digits)


def _is_set(name: str, text: str) -> bool:
    if text not in ("", "1"):
        raise PageProblem(400, "query_value", name=name)
    return text == "1"


def _one_of(name: str, text: str, known: tuple[Any, ...]) -> Any:
    if text and text not in known:
        raise PageProblem(400, "query_value", name=name)
    return text


def _near(text: str, columns: Columns) -> tuple[float, float] | None:
    if not text:
        return None
    if (point := _POINT.fullmatch(text)) is not None and abs(float(point[1])) <= 90 and abs(float(point[2])) <= 180:
        return float(point[1]), float(point[2])
    name, _, code = text.partition("/")
    for _, member in columns.members():
        for site in member.sites:
            if (member.name, site.code) == (name, code):
                return site.latitude_e6 / 1e6, site.longitude_e6 / 1e6
    raise PageProblem(400, "query_value", name="near")


# --- what the form offers -------------------------------------------------------------------------------------
class Option(NamedTuple):
    """A value that a field offers."""

    value: str
    label: str
    is_chosen: bool


def options(
    choices: list[tuple[str, int]], chosen: str, label: Callable[[str], str], number: Callable[[int], str],
    most: int = 1_000,
) -> list[Option]:  # fmt: skip
    """What a field offers: the most frequent values with the number of their cars, and always the chosen one."""
    offered = choices[:most]
    if chosen and chosen not in dict(offered):
        offered = [*offered, (chosen, dict(choices).get(chosen, 0))]
    return [Option(value, f"{label(value)} ({number(count)})", value == chosen) for value, count in offered]


def places(columns: Columns, chosen: str) -> list[Option]:
    """The members' sites in the order of their names, and the place that is chosen."""
    found = sorted((member.name, site.code, site.country) for _, member in columns.members() for site in member.sites)
    offered = [Option(value := f"{name}/{code}", f"{name} · {code} ({country})", value == chosen)
               for name, code, country in found[:PLACES_MAX]]  # fmt: skip
    if chosen and not any(option.is_chosen for option in offered):
        offered.append(Option(chosen, chosen, True))
    return offered


def form_of(words: Words, query: CarsQuery, wanted: Wanted, choices: Choices, columns: Columns) -> dict[str, Any]:
    """Values and options of every field."""

    def offered(name: str, chosen: str, label: Callable[[str], str], most: int = 1_000) -> list[Option]:
        return options(choices[name], chosen, label, words.number, most)

    return {
        "value": {name: getattr(query, name) for name in query.__struct_fields__},
        "model": offered("model", query.model, str, MODELS_MAX),
        "country": offered("country", query.country, lambda code: words.code("countries", code)),
        "currency": offered("currency", wanted.currency, lambda code: f"{code} · {words.code('currencies', code)}"),
        "powertrain": offered("powertrain", query.powertrain, lambda code: words.code("powertrains", code)),
        "seller": offered("seller", query.seller, lambda kind: words(f"cars.kind_{kind}")),
        "near": places(columns, query.near),
        "radius": [Option(str(km), words("cars.chip_radius", km=words.number(km)), query.radius == str(km))
                   for km in RADII_KM],
        "money": wanted.currency,
    }  # fmt: skip


def chips(ask: Ask, query: CarsQuery, wanted: Wanted) -> list[tuple[str, str]]:
    """(words, address without it) of every filter that is given."""
    t, found = ask.words, list[tuple[str, str]]()
    texts: dict[str, Callable[[str], str]] = {
        "q": lambda text: f"“{text}”", "model": str, "country": lambda text: t.code("countries", text), "currency": str,
        "powertrain": lambda text: t.code("powertrains", text), "seller": lambda text: t(f"cars.kind_{text}"),
        "price_min": lambda _: t("cars.chip_from", value=_price(ask, wanted.price_min, wanted.currency)),
        "price_max": lambda _: t("cars.chip_to", value=_price(ask, wanted.price_max, wanted.currency)),
        "year_min": lambda _: t("cars.chip_from", value=wanted.year_min),
        "year_max": lambda _: t("cars.chip_to", value=wanted.year_max),
        "km_max": lambda _: t("cars.chip_to", value=t.distance(wanted.metres_max)),
        "near": lambda text: t("cars.chip_near", place=text.replace("/", " · ")),
        "radius": lambda _: t("cars.chip_radius", km=t.number(wanted.radius_km)),
    }  # fmt: skip
    for name, text in query.given.items():
        if name == "sort" or (name == "radius" and not wanted.radius_km):
            continue
        words = texts[name](text) if name in texts else t(f"cars.{name}")
        rest = {other: value for other, value in query.given.items() if other != name}
        found.append((words, ask.link("/cars", **rest)))
    return found


def _price(ask: Ask, amount: int, currency: str) -> str:
    return ask.words.money({"amount": amount, "currency": currency})


# --- the pages ------------------------------------------------------------------------------------------------
async def cars(ask: Ask) -> Drawn:
    """A page of the search."""
    return Drawn("cars.html", _searched(ask))


async def filters(ask: Ask) -> Drawn:
    """The form alone, for small screens."""
    return Drawn("cars_filters.html", _searched(ask))


def _searched(ask: Ask) -> dict[str, Any]:
    query, model = ask.query(CarsQuery), ask.site.model
    if model.stopped:
        raise PageProblem(503, "search_stopped")
    count = ask.site.settings.page_size
    try:
        wanted, sort = wanted_of(query, model.columns, model.currency("EUR"))
        found, rows = model.find(wanted, sort, query.after, count)
    except BadCursor:
        raise PageProblem(400, "query_value", name="after") from None
    except QueryTooLong:
        raise PageProblem(503, "overloaded") from None
    distances: list[float] | list[None] = found.kilometres or [None] * len(rows)
    return {
        "sprites": sprites(),
        "cards": [card(ask.words, row, model.columns.member(row.seller), km, model.now_ms)
                  for row, km in zip(rows, distances, strict=False)],
        "total": found.total, "is_complete": model.is_complete, "model_height": model.height,
        "form": form_of(ask.words, query, wanted, found.choices, model.columns), "chips": chips(ask, query, wanted),
        "sorts": _sorts(ask, query, sort, is_near=wanted.near is not None), "sort": sort,
        "next": ask.link("/cars", **query.given, after=found.cursor) if found.cursor else "",
        "first": ask.link("/cars", **query.given) if query.after else "",
        "filters": ask.link("/cars/filters", **query.given), "reset": ask.link("/cars"),
        "is_priced": sort in _PRICED and not query.currency,
    }  # fmt: skip


def _sorts(ask: Ask, query: CarsQuery, sort: Sort, *, is_near: bool) -> list[tuple[str, str, bool]]:
    """(name, address, whether it is the present one)."""
    rest = {name: value for name, value in query.given.items() if name != "sort"}
    return [(name, ask.link("/cars", **rest, sort="" if name == "newest" else name), name == sort)
            for name in SORTS if name != "nearest" or is_near]  # fmt: skip


PAGES: Final = (Page("/cars", cars, "cars", asks=False), Page("/cars/filters", filters, "cars", asks=False))
