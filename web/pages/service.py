"""Where cars are serviced and inspected: a map, and a list by distance to a place that the reader names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import Any, Final, NamedTuple

from node.rpc.sites import distance_metres
from web.asking import Ask, Drawn, Page, Query
from web.decoding import value_name
from web.drawing import map as drawn_map
from web.opening_hours import in_words
from web.pages.members import checked
from web.places import Place, cities, city, point
from web.words import Words

ROLES: Final = ("workshop", "inspector", "dealer")
PAGE_SIZE: Final = 20
PINS_MAX: Final = 400
"""Pins of the map: the nearest ones, or the first by name."""
SUGGESTED_MAX: Final = 300
"""Sites that the field for a place suggests."""
NAMES_MAX: Final = 8
"""Names that the link of several pins tells."""
AROUND_METRES: Final = 500_000
NEAREST: Final = 2
"""The map around a chosen place shows what is within `AROUND_METRES`, and at least so many of the nearest."""
_CODE: Final = re.compile(r"[A-Z0-9][A-Z0-9._/-]{0,39}")
_ROLE: Final = re.compile("|".join(ROLES))
_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_PAGE: Final = re.compile(r"[1-9][0-9]{0,3}")


class ServiceQuery(Query, frozen=True):
    """`near`: a city, a site as `member/code`, a member, or `latitude,longitude`; the others: only those."""

    near: str = ""
    role: str = ""
    country: str = ""
    service: str = ""
    page: str = ""


class Spot(NamedTuple):
    """A place of business in the list. `number`: its place in the list; `role`: the one that its pin shows; `distance`:
    metres from the place that the reader has named, None without one; `away`: the same in words."""

    number: int
    site: Mapping[str, Any]
    role: str
    distance: int | None
    away: str
    hours: list[tuple[str, str]]
    services: list[str]
    capabilities: list[str]


async def service(ask: Ask) -> Drawn:
    """Workshops, inspectors and dealers: the map, and the list below it that says the same."""
    query = ask.query(ServiceQuery)
    checked(role=(query.role, _ROLE), country=(query.country, _COUNTRY), service=(query.service, _CODE),
            page=(query.page, _PAGE))  # fmt: skip
    every = [site for site in await ask.site.directory.sites() if set(ROLES) & set(site["roles"])]
    context = listed(every, query, ask.words)
    near: Place | None = context["near"]
    picture = drawing_of(context["spots"], near, context["first"], ask)
    suggested = [place.name for place in cities(ask.words.tag)] + [
        f"{s['member_name']}/{s['code']}" for s in every[:SUGGESTED_MAX]
    ]
    return Drawn(
        "service.html",
        context
        | {
            "query": query,
            "picture": picture,
            "suggested": suggested,
            "keys": drawn_map.key,
            "is_whole": ask.site.directory.is_whole("sites"),
        },
        400 if query.near and near is None else 200,
    )


def near_of(text: str, sites: Sequence[Mapping[str, Any]], words: Words) -> Place | None:
    """The place that a reader has named; None if we don't know it."""
    text = text.strip()
    if (found := point(text) or city(text, words.tag)) is not None:
        return found
    for site in sites:
        if text.casefold() in (f"{site['member_name']}/{site['code']}".casefold(), site["member_name"].casefold(),
                               site["code"].casefold()):  # fmt: skip
            name = f"{site['member_name']} · {site['code']}"
            return Place(name, site["latitude_e6"] / 1e6, site["longitude_e6"] / 1e6)
    return None


def listed(every: Sequence[Mapping[str, Any]], query: ServiceQuery, words: Words) -> dict[str, Any]:
    """The places that the filter has, the nearest first where a place is named, and the choices of the filter."""
    near = near_of(query.near, every, words) if query.near else None
    found = [
        site
        for site in every
        if query.role in ("", *site["roles"])
        and query.country in ("", site["country"])
        and query.service in ("", *site["services"])
    ]
    away = _away(near)
    found.sort(key=lambda site: (away(site) or 0, site["member_name"], site["code"]))
    spots = [_spot(number, site, away(site), words) for number, site in enumerate(found, 1)]
    pages = max(1, -(-len(spots) // PAGE_SIZE))
    page = min(int(query.page or 1), pages)
    first = (page - 1) * PAGE_SIZE
    return {
        "near": near, "spots": spots, "shown": spots[first : first + PAGE_SIZE], "first": first, "page": page,
        "pages": pages, "roles": [role for role in ROLES if any(role in site["roles"] for site in every)],
        "countries": sorted(Counter(site["country"] for site in every)),
        "services": sorted({code for site in every for code in site["services"]},
                           key=lambda code: words.code("services", code)),
    }  # fmt: skip


def _away(near: Place | None) -> Callable[[Mapping[str, Any]], int | None]:
    if near is None:
        return lambda _: None
    return lambda site: distance_metres(
        (near.latitude, near.longitude), (site["latitude_e6"] / 1e6, site["longitude_e6"] / 1e6)
    )


def _spot(number: int, site: Mapping[str, Any], distance: int | None, words: Words) -> Spot:
    away = "" if distance is None else f"< {words.distance(1_000)}" if distance < 1_000 else words.distance(distance)
    return Spot(
        number, site, next(role for role in ROLES if role in site["roles"]), distance, away,
        in_words(words, site["opening_hours"]), [words.code("services", code) for code in site["services"]],
        [value_name(words, code) for code in site["capabilities"]],
    )  # fmt: skip


def drawing_of(spots: Sequence[Spot], near: Place | None, first: int, ask: Ask) -> str:
    """The map. Pins of this page of the list lead to its entries, the others to their members."""
    center = None if near is None else (near.latitude, near.longitude)
    pins = [
        drawn_map.Pin(
            spot.site["latitude_e6"] / 1e6, spot.site["longitude_e6"] / 1e6, spot.site["member_name"], spot.role,
            str(spot.number),
            f"#site-{spot.number}" if first < spot.number <= first + PAGE_SIZE
            else ask.link(f"/member/{spot.site['member_name']}"),
        )
        for spot in spots[:PINS_MAX]
    ]  # fmt: skip
    around = [
        pin
        for place, (pin, spot) in enumerate(zip(pins, spots, strict=False))
        if place < NEAREST or spot.distance is None or spot.distance <= AROUND_METRES
    ]
    window = drawn_map.window_of([(pin.latitude, pin.longitude) for pin in around], center)
    return drawn_map.svg(
        pins, window, ask.site.assets.url("pictures/world.svg"), ask.words("service.map"),
        lambda cluster: _several(cluster, ask, is_near=near is not None), center,
    )  # fmt: skip


def _several(cluster: drawn_map.Cluster, ask: Ask, *, is_near: bool) -> tuple[str, str]:
    """Name and address of the link of several pins: a map of their surroundings, there their first entry."""
    first = cluster.pins[0]
    names = ", ".join(pin.name for pin in cluster.pins[:NAMES_MAX])
    name = ask.words("service.many", count=len(cluster.pins), names=names)
    if is_near:
        return name, first.href
    given = {key: value for key, value in ask.request.query.items() if key not in ("near", "page")}
    latitude, longitude = (fmean(values) for values in zip(*(pin[:2] for pin in cluster.pins), strict=True))
    return name, ask.link("/service", **given, near=f"{latitude:.4f},{longitude:.4f}")


PAGES: Final = (Page("/service", service, "service"),)
