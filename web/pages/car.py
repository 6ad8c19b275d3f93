"""The page of a car, as a report; whether it can be sold now; and what is said of a VIN that is not on the chain."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiohttp import web

from node.rules.texts.tables import TEXTS
from node.rules.vin import VIN_PATTERN
from web.asking import Ask, Drawn, Page, PageProblem, Query
from web.car.findings import findings_of, verdict_of
from web.car.mileage import mileage_of
from web.car.people import People, Record, owners
from web.car.summary import facts_of, prices_of, tiles_of, title_of, warranties_of
from web.car.timeline import documents_of, years_of
from web.nodes import NodeRefusal
from web.strangers import is_on_sale
from web.words import Words

Json = Mapping[str, Any]
RECORDS_MAX: Final = 500
"""Records on a page: the oldest ones of a longer history are not on it."""
PAGE: Final = 1_000
AUTHORS_MAX: Final = 24
"""Authors of records whose directory entry is read. The others have their name, without their roles."""
MEMBER_S: Final = 60.0


class NoQuery(Query, frozen=True):
    """Pages without a query."""


class Absent(Exception):
    """There is no car with this VIN on the chain."""


class NotForStrangers(Exception):
    """The car is not on sale, and the tier shows strangers only cars that are."""


# --- reading -----------------------------------------------------------------------------------------------------
def vin_of(ask: Ask) -> str:
    """The VIN of the path. Raises `PageProblem` for what cannot be one, and a redirection where it is not in capital
    letters."""
    given = ask.param("vin")
    vin = given.upper()
    if re.fullmatch(VIN_PATTERN, vin) is None:
        raise PageProblem(400, "vin", vin=given[:40])
    if vin != given:
        raise web.HTTPMovedPermanently(ask.link(ask.path.replace(given, vin)))
    return vin


async def car_for(ask: Ask, vin: str) -> Json:
    """The car. Raises `Absent`, `NotForStrangers`."""
    try:
        car: Json = await ask.site.nodes.json(f"/v1/vehicles/{vin}")
    except NodeRefusal as refusal:
        if refusal.status == 404:
            raise Absent from None
        raise
    if not ask.site.is_open and not is_on_sale(car):
        raise NotForStrangers
    return car


async def records_of(ask: Ask, vin: str, count: int) -> list[Record]:
    """The car's newest records, at most `RECORDS_MAX`, in order."""
    found: list[Record] = []
    query = {"limit": str(PAGE)}
    for page in range(-(-count // PAGE)):
        answer = await ask.site.nodes.json(f"/v1/vehicles/{vin}/history", query)
        is_shown = (page + 2) * PAGE >= count - RECORDS_MAX
        found += answer["records"] if is_shown else ()
        if answer["cursor"] is None:
            break
        query["cursor"] = answer["cursor"]
    return found[-RECORDS_MAX:]


async def members_of(ask: Ask, addresses: Sequence[str]) -> dict[str, Json]:
    """The directory entries of those that are members, by address."""

    async def one(address: str) -> Json:
        try:
            found: Json = await ask.site.nodes.json(f"/v1/members/{address}")
        except NodeRefusal as refusal:
            if refusal.status != 404:
                raise
            found = {}
        return found

    names = list(dict.fromkeys(addresses))[:AUTHORS_MAX]
    kept = ask.site.kept
    found = await asyncio.gather(
        *(kept.get(("member", name), lambda name=name: one(name), MEMBER_S) for name in names)  # type: ignore[misc]
    )
    return {name: member for name, member in zip(names, found, strict=True) if member}


def named(content: object) -> list[str]:
    """The accounts that the content of a record names."""
    if isinstance(content, dict):
        return [name for value in content.values() for name in named(value)]
    if isinstance(content, list):
        return [name for value in content for name in named(value)]
    return [content] if isinstance(content, str) and content.startswith("bmw1") and len(content) == 42 else []


# --- the car -----------------------------------------------------------------------------------------------------
async def car(ask: Ask) -> Drawn:
    """The report of a car."""
    ask.query(NoQuery)
    vin = vin_of(ask)
    try:
        found = await car_for(ask, vin)
    except Absent:
        return Drawn("car_absent.html", {"vin": vin}, 404)
    except NotForStrangers:
        return Drawn("car_withheld.html", {"vin": vin}, 403)
    nodes, listing = ask.site.nodes, found["market"]["listing"]
    report, series, records, offer = await asyncio.gather(
        nodes.json(f"/v1/vehicles/{vin}/report"), nodes.json(f"/v1/vehicles/{vin}/odometer"),
        records_of(ask, vin, found["record_count"]), nodes.json(f"/v1/listings/{listing}") if listing else _none(),
    )  # fmt: skip
    authors = [record["author"] for record in records if record.get("author_name")]
    mentioned = [name for record in records for name in named(record.get("content"))]
    members = await members_of(ask, [*authors, *mentioned])
    context = car_context(found, report, series, records, offer, members, ask.words, is_open=ask.site.is_open)
    return Drawn("car.html", context)


async def _none() -> None:
    return None


def car_context(
    car: Json, report: Json, series: Json, records: Sequence[Record], offer: Json | None, members: Mapping[str, Json],
    words: Words, *, is_open: bool,
) -> dict[str, Any]:  # fmt: skip
    """What the page of a car is drawn from."""
    vin = car["vin"]
    own = [record for record in records if record["sequence"] >= car["first_sequence"]]
    people = People(words, owners(own, report["holder"], report["holders"]), members, is_open=is_open)
    findings = findings_of(report, series, words, people)
    return {
        "vin": vin, "record_count": car["record_count"], "title": title_of(car, words),
        "verdict": verdict_of(report, findings, words),
        "findings": findings, "tiles": tiles_of(car, report, words), "facts": facts_of(car, report, words, people),
        "mileage": mileage_of(series, words, people),
        "years": years_of(vin, car["odometer_unit"], records, words, people),
        "left_out": max(0, car["record_count"] - len(records)), "documents": documents_of(records, words),
        "configuration": report["identity"]["configuration"], "warranties": warranties_of(report, words, people),
        "prices": prices_of(records, words)[::-1], "offer": offer, "market": car["market"]["status"],
        "checked_at": report["time"],
        "tax": words.code("tax_schemes", offer["tax"]["scheme"]) if offer else "",
    }  # fmt: skip


# --- a sale ------------------------------------------------------------------------------------------------------
async def sale(ask: Ask) -> Drawn:
    """Whether the car can be sold now: the guards that hold, and those that do not, in words."""
    ask.query(NoQuery)
    vin = vin_of(ask)
    try:
        found = await car_for(ask, vin)
    except Absent:
        return Drawn("car_absent.html", {"vin": vin}, 404)
    except NotForStrangers:
        return Drawn("car_withheld.html", {"vin": vin}, 403)
    order = found["market"]["order"] if ask.site.is_open else ""
    query = {"order": order} if order else {}
    answer = await ask.site.nodes.json(f"/v1/vehicles/{vin}/sale-readiness", query, ask.words.tag)
    return Drawn("car_sale.html", sale_context(found, answer, ask.words), is_kept=False)


def sale_context(car: Json, answer: Json, words: Words) -> dict[str, Any]:
    """What the page of a car's readiness is drawn from. A listed car need not be off the market to be sold. What stops
    the handover is looked at with an order alone, so that flags which do are named here in any case."""
    is_listed = car["market"]["status"] in ("listed", "reserved")
    unmet, held = dict[str, Json](), dict[str, Json]()
    for step in answer["steps"]:
        for guard in step["guards"]:
            if guard["code"] == "market_live" and is_listed:
                continue
            into = held if guard["holds"] else unmet
            into.setdefault(guard["text"], guard)
    blocking = [
        words("car.sale_flag", name=words.of(TEXTS["stop_flags"], flag["name"]),
              who=flag["setter_name"] or words("car.somebody"),
              steps=words.several(words.code("sale_operations", step) for step in steps))
        for flag in car["flags"] if (steps := [step for step in flag["blocks"] if step in ("handover", "transfer")])
    ]  # fmt: skip
    return {
        "vin": car["vin"], "title": title_of(car, words), "market": car["market"]["status"],
        "unmet": [(text, words(f"car.cure_{guard['who'] or 'nobody'}"), guard["until"])
                  for text, guard in unmet.items()],
        "blocking": blocking, "held": list(held), "can_be_sold": not unmet and not blocking,
        "steps": words.several(words.code("sale_operations", step["step"]) for step in answer["steps"]),
    }  # fmt: skip


PAGES: Final = (Page("/car/{vin}", car, "cars"), Page("/car/{vin}/sale", sale, "cars"))
