"""Queries of the pages from a seed: valid ones, bent ones, and bytes that are none."""

from __future__ import annotations

import http.client
import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from urllib.parse import quote, quote_from_bytes, urlsplit

from web.asking import Query
from web.pages.table import PAGES
from web.words import TAGS

NAMES = ("q", "model", "country", "currency", "price_min", "price_max", "powertrain", "year_min", "year_max", "km_max",
         "no_accident", "no_brand", "seller", "warranty", "near", "radius", "sort", "after")  # fmt: skip
VALUES = ("", "1", "0", "-1", "330I", "X5", "DE", "CN", "EUR", "petrol", "bev", "dealer", "private", "newest",
          "nearest", "cheapest", "2020", "60000", "50.000", "99999999999", "1e9", "\u0663", "WBA8E",
          "WBA8E9G5000000001",
          "dealer-munich/MUC-1", "48.1,11.5", "91,0", "nan,nan", "90.0,-180.0", "' OR 1=1 --", "<script>", "\x00",
          "\u202e", "é" * 30, "a" * 199, "a" * 250, "%", "%%s{}{0}", "None",
          "\U0001d7d9", "\ud7ff", "\uff24\uff25")  # fmt: skip
FITTING = {
    "q": ("330i", "WBA8E", "x"), "model": ("330I", "X5"), "country": ("DE", "CN"), "currency": ("EUR", "CNY"),
    "price_min": ("10000", "0"), "price_max": ("50.000", "90 000"), "powertrain": ("bev", "petrol"),
    "year_min": ("2020",), "year_max": ("2026",), "km_max": ("900", "60000"), "no_accident": ("1",), "no_brand": ("1",),
    "seller": ("dealer", "private"), "warranty": ("1",), "near": ("dealer-munich/MUC-1", "48.1,11.5"),
    "radius": ("25", "500"), "sort": ("newest", "cheapest", "dearest", "mileage", "youngest", "nearest"),
}  # fmt: skip


def query(draw: random.Random, cursors: list[str]) -> str:
    """The path and query of a page of the showroom."""
    page = draw.choice(("/en/cars", "/de/cars", "/zh/cars/filters"))
    parts = []
    for _ in range(draw.randrange(6) if draw.random() < 0.95 else 40):
        name = draw.choice(NAMES) if draw.random() < 0.95 else draw.choice(VALUES) + "x"
        if name == "after" and draw.random() < 0.9:
            value = quote(bent(draw, draw.choice(cursors)))
        elif name in FITTING and draw.random() < 0.7:
            value = quote(draw.choice(FITTING[name]))
        elif draw.random() < 0.2:
            value = quote_from_bytes(draw.randbytes(draw.randrange(12)))
        else:
            value = quote(draw.choice(VALUES))
        parts.append(f"{quote(name)}={value}" if draw.random() < 0.98 else value)
    return page + "?" + draw.choice(("&", "&", "&", ";", "&&")).join(parts)


ODD = (*VALUES, "../../etc/passwd", "..", ".", "{0}", "%2e%2e", "bmw1" + "q" * 38, "f" * 64, "9" * 40, "latest", "//")


def any_page(draw: random.Random, known: Mapping[str, Sequence[str]]) -> str:
    """The path and query of any page. `known`: ids that there are, by the name of their place in a path."""
    page = draw.choice(PAGES)
    path = re.sub(r"{(\w+)}", lambda place: _place(draw, known.get(place[1], ())), page.path)
    fields = [*NAMES, *(name for kind in Query.__subclasses__() for name in kind.__struct_encode_fields__)]
    query = "&".join(
        f"{draw.choice(fields)}={_place(draw, draw.choice([*known.values()] or [()]))}"
        for _ in range(draw.randrange(3))
    )
    return f"/{draw.choice(TAGS)}{path}" + (f"?{query}" if query else "")


def _place(draw: random.Random, known: Sequence[str]) -> str:
    if known and draw.random() < 0.6:
        text = draw.choice(known)
        return quote(text if draw.random() < 0.7 else bent(draw, text), safe="")
    return quote(draw.choice(ODD), safe="") if draw.random() < 0.8 else quote_from_bytes(draw.randbytes(9), safe="")


def bent(draw: random.Random, cursor: str) -> str:
    """A cursor, changed more or less."""
    match draw.randrange(5):
        case 0:
            return cursor
        case 1:
            return cursor[: draw.randrange(len(cursor))]
        case 2:
            place = draw.randrange(len(cursor))
            return cursor[:place] + draw.choice("AZaz09-_=+/") + cursor[place + 1 :]
        case 3:
            return cursor + draw.choice("A=-")
        case _:
            return "".join(draw.choices("AZaz09-_", k=len(cursor)))


def fuzz(url: str, count: int, seed: int, known: Mapping[str, Sequence[str]]) -> Counter[int]:
    """How often each status was answered, half of them by the showroom, half by any page. Raises `AssertionError` with
    the query at the first one of 500 and above."""
    draw, found = random.Random(seed), Counter[int]()
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    cursors = [_cursor(connection, path) for path in ("/en/cars", "/en/cars?sort=cheapest", "/en/cars?country=DE")]
    for _ in range(count):
        path = query(draw, cursors) if draw.random() < 0.5 else any_page(draw, known)
        connection.request("GET", path)
        answer = connection.getresponse()
        if answer.headers.get_content_type() == "text/event-stream":
            connection.close()  # it does not end; the next request opens another connection
        else:
            answer.read()
        assert answer.status < 500, f"{answer.status} for {path}"
        found[answer.status] += 1
    connection.close()
    return found


def _cursor(connection: http.client.HTTPConnection, path: str) -> str:
    connection.request("GET", path)
    html = connection.getresponse().read().decode()
    link = re.search(r"after=([A-Za-z0-9_-]+)", html)
    assert link is not None, f"{path} has no next page"
    return link[1]
