"""Places of business near a point: where a car can be serviced, inspected or handed over."""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import asin, cos, radians, sin, sqrt
from typing import Annotated, Any, Final

from msgspec import Meta

from node.ledger.family import View
from node.ledger.fields import Address
from node.rpc.answers import Cursor
from node.rpc.call import Call, PageQuery, cursor_text, read_cursor
from node.rpc.moments import Moment, WorkShare, paced_snapshot
from node.rpc.problems import Problem
from node.txtypes.members.member import MEMBER, Member, Site, roles_of

EARTH_KM: Final = 6_371.0
WEEKDAYS: Final = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
_NEAR: Final = re.compile(r"(-?[0-9]{1,2}(?:\.[0-9]{1,6})?),(-?[0-9]{1,3}(?:\.[0-9]{1,6})?)")
_OPEN_AT: Final = re.compile(r"(Mo|Tu|We|Th|Fr|Sa|Su) ([01][0-9]|2[0-3]):([0-5][0-9])")
_RULE: Final = re.compile(r"(?:(?P<days>[A-Z][A-Za-z,-]*) )?(?P<hours>off|[0-9:,-]+)")


class SitesQuery(PageQuery, frozen=True):
    near: Annotated[str, Meta(description="latitude,longitude in degrees, such as 48.177,11.559")] = ""
    radius_km: Annotated[str, Meta(description="only sites at most this far from `near`; whole kilometres")] = ""
    role: Annotated[str, Meta(description="a role that the member has now")] = ""
    capability: Annotated[str, Meta(description="a capability of the site")] = ""
    country: Annotated[str, Meta(description="ISO 3166-1 alpha-2")] = ""
    open_at: Annotated[str, Meta(description="a weekday and a local time, such as 'Sa 10:30'")] = ""


class SiteView(Site, frozen=True):
    """A place of business, whose it is, and how far away: metres, null without `near`."""

    member: Address = b""
    member_name: str = ""
    roles: tuple[str, ...] = ()
    distance_metres: int | None = None


class SitesPage(View, frozen=True):
    """Places of business, the nearest first, else by member and code."""

    sites: tuple[SiteView, ...]
    cursor: Cursor


async def sites(call: Call) -> tuple[Moment, SitesPage]:
    query: SitesQuery = call.query
    near, minutes = _point(query.near), _minutes(query.open_at)
    radius = _radius(query, near)
    asked = (query.near, query.radius_km, query.role, query.capability, query.country, query.open_at)
    kind = "sites/" + "/".join(asked)
    start = read_cursor(kind, query.cursor, 0)
    async with paced_snapshot(call.reader()) as (moment, share):
        found = [view async for view in _found(moment, share, query, near, minutes)]
        if radius is not None:
            found = [view for view in found if (view.distance_metres or 0) <= radius * 1_000]
        found.sort(key=lambda view: (view.distance_metres or 0, view.member, view.code))
        page, end = found[start : start + query.limit], start + query.limit
        return moment, SitesPage(tuple(page), cursor_text(kind, end) if end < len(found) else None)


async def _found(
    moment: Moment, share: WorkShare, query: SitesQuery, near: tuple[float, float] | None, minutes: int | None
) -> Any:
    for ident, member in moment.reader.values(MEMBER):
        for view in _of_member(bytes.fromhex(ident), member, moment.as_of.now_ms, near):
            fits = query.role in ("", *view.roles) and query.capability in ("", *view.capabilities)
            if (
                fits
                and query.country in ("", view.country)
                and (minutes is None or is_open(view.opening_hours, minutes))
            ):
                yield view
        await share.rest()


def _of_member(address: bytes, member: Member, now_ms: int, near: tuple[float, float] | None) -> Iterator[SiteView]:
    if not member.is_active(now_ms):
        return
    roles = tuple(sorted(roles_of(member, now_ms)))
    for site in member.sites:
        if site.valid_until_ms and now_ms >= site.valid_until_ms:
            continue
        metres = distance_metres(near, (site.latitude_e6 / 1e6, site.longitude_e6 / 1e6)) if near is not None else None
        fields = {name: getattr(site, name) for name in site.__struct_fields__}
        yield SiteView(**fields, member=address, member_name=member.name, roles=roles, distance_metres=metres)


def distance_metres(one: tuple[float, float], other: tuple[float, float]) -> int:
    """The great-circle distance of two points in degrees (haversine)."""
    (lat1, lon1), (lat2, lon2) = (tuple(map(radians, point)) for point in (one, other))
    half = sin((lat2 - lat1) / 2) ** 2 + cos(lat1) * cos(lat2) * sin((lon2 - lon1) / 2) ** 2
    return round(2 * EARTH_KM * 1_000 * asin(min(1.0, sqrt(half))))


def is_open(opening_hours: str, minutes: int) -> bool:
    """Whether a site is open at a time of the week, in minutes since Monday, 00:00. Of several rules for a day the last
    one counts; rules for holidays do not. Unknown hours are not open."""
    day, minute = WEEKDAYS[minutes // 1_440], minutes % 1_440
    hours = "off"
    for rule in filter(None, (part.strip() for part in opening_hours.split(";"))):
        read = _RULE.fullmatch(rule)
        if read is not None and day in _days(read["days"]):
            hours = read["hours"]
    if hours == "off":
        return False
    for span in hours.split(","):
        begin, end = (60 * int(clock[:2]) + int(clock[3:]) for clock in span.split("-"))
        if begin <= minute < (end if end > begin else end + 1_440):
            return True
    return False


def _days(text: str | None) -> set[str]:
    if text is None:
        return set(WEEKDAYS)
    found = set[str]()
    for part in text.split(","):
        first, _, last = part.partition("-")
        if first in WEEKDAYS and (not last or last in WEEKDAYS):
            a, b = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
            found.update(WEEKDAYS[a : b + 1] if a <= b else WEEKDAYS[a:] + WEEKDAYS[: b + 1])
    return found


def _point(text: str) -> tuple[float, float] | None:
    if not text:
        return None
    read = _NEAR.fullmatch(text)
    if read is None or not (abs(float(read[1])) <= 90 and abs(float(read[2])) <= 180):
        raise Problem("malformed", f"near: {text!r} is not latitude,longitude in degrees, such as 48.177,11.559")
    return float(read[1]), float(read[2])


def _radius(query: SitesQuery, near: tuple[float, float] | None) -> int | None:
    if not query.radius_km:
        return None
    if near is None or not re.fullmatch("[0-9]{1,5}", query.radius_km):
        raise Problem("malformed", "radius_km: whole kilometres, and near, expected")
    return int(query.radius_km)


def _minutes(text: str) -> int | None:
    if not text:
        return None
    read = _OPEN_AT.fullmatch(text)
    if read is None:
        raise Problem("malformed", f"open_at: {text!r} is not a weekday and a time, such as 'Sa 10:30'")
    return WEEKDAYS.index(read[1]) * 1_440 + int(read[2]) * 60 + int(read[3])
