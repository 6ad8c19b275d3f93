"""The page of a listing: the price and how it came about, the terms, what is disclosed, and the car in short."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from node.limits import DAY_MS
from node.rules.texts.tables import TEXTS
from wallet.paper.kinds import VERDICTS
from web.asking import Ask, Drawn, Page, PageProblem
from web.car.findings import findings_of, verdict_of
from web.car.people import People
from web.car.summary import tiles_of
from web.pages.car import NoQuery, NotForStrangers, car_for, members_of
from web.words import Words

Json = Mapping[str, Any]
_ID: Final = re.compile("[0-9a-f]{64}")
_TONES: Final = {"open": "good", "reserved": "warn", "sold": "plain", "withdrawn": "plain", "expired": "plain"}


class Rail(NamedTuple):
    """A way to pay. `limits`: sentences about it."""

    name: str
    providers: str
    limits: tuple[str, ...]


class Step(NamedTuple):
    """A version of the price."""

    day: str
    price: str
    change: str
    version: str


class Shown(NamedTuple):
    """What the seller or the chain discloses. `weight` as of a finding."""

    text: str
    weight: str


async def listing(ask: Ask) -> Drawn:
    """The page of a listing."""
    ask.query(NoQuery)
    ident = ask.param("id")
    if _ID.fullmatch(ident) is None:
        raise PageProblem(400, "listing_id")
    nodes = ask.site.nodes
    found: Json = await nodes.json(f"/v1/listings/{ident}")
    disclosure, report, series = None, None, None
    vin = found["vin"]
    if vin and await _is_shown(ask, vin):
        disclosure, report, series = await asyncio.gather(
            nodes.json(f"/v1/listings/{ident}/disclosure"), nodes.json(f"/v1/vehicles/{vin}/report"),
            nodes.json(f"/v1/vehicles/{vin}/odometer"),
        )  # fmt: skip
    providers = [provider for rail in found["rails"] for provider in rail["providers"]]
    agent = [found["agent"]] if found["agent"] else []
    members = await members_of(ask, [found["seller"], *agent, *providers])
    context = listing_context(found, disclosure, report, series, members, ask.words, is_open=ask.site.is_open)
    return Drawn("listing.html", context)


async def _is_shown(ask: Ask, vin: str) -> bool:
    try:
        await car_for(ask, vin)
    except NotForStrangers:
        return False
    return True


def listing_context(
    found: Json, disclosure: Json | None, report: Json | None, series: Json | None, members: Mapping[str, Json],
    words: Words, *, is_open: bool,
) -> dict[str, Any]:  # fmt: skip
    """What the page is drawn from. `disclosure`, `report`, `series`: of the car; none for cars that are built to order,
    and where the tier does not show it."""
    owned = {report["holder"]: report["holders"]} if report is not None else {}
    people = People(words, owned, members, is_open=is_open)
    context: dict[str, Any] = {
        "id": found["id"], "vin": found["vin"], "model": found["model"], "price": words.money(found["price"]),
        "tax": tax_of(found, words), "status": found["status"], "tone": _TONES[found["status"]],
        "seller": people.name(found["seller"], found["seller_name"]), "seller_roles": people.roles(found["seller"]),
        "agent": people.name(found["agent"]) if found["agent"] else "",
        "country": words.code("countries", found["country"]), "expires": words.time(found["expires_at"]),
        "floor": _amount(found["offer_floor"], found, words) if found["offer_floor"] else "",
        "rails": [_rail(rail, words, people) for rail in found["rails"]],
        "contracts": [words.of(TEXTS["contracts"], each) for each in found["contracts"]],
        "steps": list(steps_of(found, words))[::-1], "version": words.number(found["version"]),
        "options": [
            (option["code"], _amount(option["price"], found, words), option["is_individual"])
            for option in found["options"]
        ],
        "total": _amount(int(found["price"]["amount"]) + sum(each["price"] for each in found["options"]), found, words),
        "left": words.number(max(0, found["capacity"] - found["sold"])), "shown": None, "verdict": None, "tiles": [],
        "root": "",
    }  # fmt: skip
    if disclosure is not None:
        context |= {"shown": list(shown_of(disclosure, words)), "root": disclosure["disclosure_root"]}
    if report is not None and series is not None:
        verdict = verdict_of(report, findings_of(report, series, words, people), words)
        context |= {"verdict": verdict, "tiles": tiles_of(report["identity"], report, words)}
    return context


def _amount(amount: int, found: Json, words: Words) -> str:
    return words.money({"amount": amount, "currency": found["price"]["currency"]})


def tax_of(found: Json, words: Words) -> str:
    """What of the price is tax."""
    tax, scheme = found["tax"], words.of(TEXTS["tax_schemes"], found["tax"]["scheme"])
    if not tax["amount"]:
        return scheme
    rate = f"{words.number(tax['rate_permille'] / 10)} %"
    return words("listing.tax", scheme=scheme, rate=rate, amount=_amount(tax["amount"], found, words))


def steps_of(found: Json, words: Words) -> Iterator[Step]:
    """The versions of the price, the oldest first, each with its change in percent."""
    before: int | None = None
    for point in found["prices"]:
        amount, change = int(point["price"]["amount"]), ""
        if before and amount != before:
            share = round((amount - before) * 100 / before, 1)
            change = f"{'+' if share > 0 else '−'}{words.number(abs(share))} %"
        yield Step(words.day(point["since"]), words.money(point["price"]), change, words.number(point["version"]))
        before = amount


def _rail(rail: Json, words: Words, people: People) -> Rail:
    limits = []
    if rail["share_max_permille"] < 1_000:
        limits.append(words("listing.rail_share", share=f"{words.number(rail['share_max_permille'] / 10)} %"))
    if rail["hold_ms"]:
        limits.append(words("listing.rail_hold", days=words.count("car.days", -(-rail["hold_ms"] // DAY_MS))))
    if rail["rail"] in ("bitcoin", "ether"):
        limits.append(words("listing.rail_final"))
    return Rail(words.of(TEXTS["rails"], rail["rail"]), words.several(map(people.name, rail["providers"])),
                tuple(limits))  # fmt: skip


def shown_of(disclosure: Json, words: Words) -> Iterator[Shown]:
    """What a buyer is told with the root, and agrees to with an offer."""
    for code in disclosure["discloses"]:
        yield Shown(words("listing.said", what=words.code("sale_disclosures", code)), "warn")
    for code in disclosure["conditions"]:
        yield Shown(words.of(TEXTS["sale_rules"], code), "warn")
    for flag in disclosure["flags"]:
        yield Shown(words("car.flag_title", name=words.of(TEXTS["stop_flags"], flag)), "bad")
    for brand in disclosure["brands"]:
        if brand["state"] != "annulled":
            yield Shown(words("car.brand_title", name=words.of(TEXTS["brands"], brand["code"])), "warn")
    for recall in disclosure["recalls"]:
        name = words.of(TEXTS["recall_classes"], recall["recall_class"])
        yield Shown(words("car.recall_title", name=name), "bad" if recall["recall_class"] != "quality" else "warn")
    verdict = disclosure["verdict"]
    weight = {"LOGICAL": "good", "CONTESTED": "warn", "ILLOGICAL": "bad"}.get(verdict, "note")
    yield Shown(words("car.mileage_title", verdict=getattr(VERDICTS[verdict], words.tag)), weight)
    yield Shown(words.count("listing.material", disclosure["material_changes"]), "note")


PAGES: Final = (Page("/listing/{id}", listing, "cars"),)
