"""A car at a glance: its headline, facts, warranties, and what it has been offered and sold for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from node.rules.texts.tables import TEXTS
from wallet.paper.kinds import EXISTENCE, KINDS, VERDICTS
from web.car.contents import choice
from web.car.people import People, Record
from web.words import Words

Json = Mapping[str, Any]
PRICED: Final = ("listing.create", "listing.update")
ENDS: Final = ("listing.withdraw", "order.accept", "order.handover", "order.cancel", "order.return")


class Fact(NamedTuple):
    """`below`: a smaller line. `tone`: of the value, `plain` for none, `mono` for what is compared letter by letter."""

    name: str
    value: str
    below: str = ""
    tone: str = "plain"


class Warranty(NamedTuple):
    plan: str
    groups: str
    provider: str
    status: str
    is_running: bool
    until: str
    left: str
    is_transferable: bool


class Price(NamedTuple):
    """A step of the sales of a car. `change`: against the step before, in percent; empty where there is none."""

    day: str
    what: str
    price: str
    change: str
    sequence: int


def title_of(car: Json, words: Words) -> str:
    return words("car.title", model=car["model"], year=car["produced_on"][:4])


def tiles_of(car: Json, report: Json, words: Words) -> list[Fact]:
    """The few numbers that everybody asks for first. Nothing is said of a time before the car came onto the chain."""
    odometer, is_born = report["odometer"], report["origin"] == "born"
    tones = {"LOGICAL": "good", "CONTESTED": "warn", "ILLOGICAL": "bad"}
    verdict = getattr(VERDICTS[odometer["verdict"]], words.tag)
    reading = words.distance(odometer["distance_metres"], odometer["unit"]) if odometer["newest"] else "–"
    since = words.day(report["covered_since"])
    holder_since = words.day(report["title_since"])
    return [
        Fact(words("car.mileage"), reading, verdict, tones.get(odometer["verdict"], "plain")),
        Fact(words("car.built"), car["produced_on"][:4], _registered(report, words)),
        Fact(
            words("car.holders"), words.number(report["holders"]),
            words("car.holder_since" if is_born else "car.holders_here", day=holder_since),
        ),
        _accidents(report, words, since if not is_born else ""),
        Fact(words("car.records"), words.number(report["record_count"]), words("car.records_since", day=since)),
    ]  # fmt: skip


def _accidents(report: Json, words: Words, since: str) -> Fact:
    """`since`: the day from which the chain has the history, empty where it has all."""
    real = [incident for incident in report["incidents"] if incident["state"] != "annulled"]
    count = len(real) + report["older_incidents"]
    if count:
        below = words.count("car.accidents_open", sum(not incident["is_repaired"] for incident in real))
        return Fact(words("car.accidents"), words.number(count), below, "warn")
    if since:
        return Fact(words("car.accidents"), words.number(0), words("car.none_reported_since", day=since))
    return Fact(words("car.accidents"), words.number(0), words("car.none_reported"), "good")


def _registered(report: Json, words: Words) -> str:
    now = report["registration"]
    state = words.code("registration_states", now["status"])
    return f"{state}, {words.code('countries', now['country'])}" if now["country"] else state


def facts_of(car: Json, report: Json, words: Words, people: People) -> list[Fact]:
    """Identity and standing, as a list."""
    identity, last = report["identity"], report["inspection"]
    maker = identity["maker_name"] or words("car.maker_elsewhere")
    origin = words.of(TEXTS["vehicle_origins"], report["origin"])
    if report["grade"]:
        origin += f" ({report['grade']}: {words.code('import_grades', report['grade'])})"
    facts = [
        Fact(words("car.vin"), report["vin"], tone="mono"),
        Fact(words("car.model"), identity["model"]),
        Fact(words("car.maker"), maker),
        Fact(words("car.plant"), identity["plant"]),
        Fact(words("car.built"), words.day(identity["produced_on"]) if report["origin"] == "born"
             else identity["produced_on"][:4]),
        Fact(words("car.powertrain"), choice(words, identity["powertrain"])),
        Fact(words("car.existence"), words.of(EXISTENCE, report["existence"])),
        Fact(words("car.origin"), origin),
        Fact(words("car.holder"), people.name(report["holder"], report["holder_name"]),
             words("car.holder_since", day=words.day(report["title_since"]))),
        Fact(words("car.registration_now"), _registered(report, words),
             words.of(TEXTS["registration_usages"], report["registration"]["usage"])
             if report["registration"]["usage"] else ""),
    ]  # fmt: skip
    if last is not None:
        until = words("car.valid_until", day=words.day(last["valid_until"])) if last["valid_until"] else ""
        result = words(f"car.result_{last['result']}")
        facts.append(Fact(words("car.inspection"), f"{result}, {words.day(last['at'])}", until))
    facts += [
        Fact(words("car.battery_fact"), f"{words.number(battery['capacity_wh'] / 1000)} kWh",
             words("car.battery_health", soh=f"{words.number(battery['health'][-1]['soh'] / 10)} %",
                   day=words.day(battery["health"][-1]["at"])) if battery["health"] else "")
        for battery in report["batteries"]
    ]  # fmt: skip
    return facts


def warranties_of(report: Json, words: Words, people: People) -> list[Warranty]:
    """The terms of those that have not ended."""
    return [
        Warranty(
            each["plan"], words.several(words.code("warranty_groups", group) for group in each["groups"]),
            people.name(each["provider"], each["provider_name"]), words(f"car.warranty_{each['status']}"),
            each["status"] == "running", words.day(each["ends_at"]), words.several(_left(each, words)),
            each["is_transferable"],
        ) for each in report["warranties"]
    ]  # fmt: skip


def _left(warranty: Json, words: Words) -> Iterator[str]:
    yield words.count("car.days", warranty["days_left"])
    if warranty["km_left"] is not None:
        yield f"{words.number(warranty['km_left'])} km"


def prices_of(records: Sequence[Record], words: Words) -> list[Price]:
    """The offers of the car and their ends, the oldest first, as its records tell them."""
    found: list[Price] = []
    last: tuple[int, str] | None = None
    for record in records:
        content = record.get("content")
        kind = record.get("kind")
        if not isinstance(content, dict) or kind not in (*PRICED, *ENDS):
            continue
        change, text = "", ""
        if kind in PRICED:
            amount, currency = int(content["price"]["amount"]), str(content["price"]["currency"])
            change = _change(last, amount, currency, words) if kind == "listing.update" else ""
            last, text = (amount, currency), words.money(content["price"])
        found.append(Price(words.day(record["time"]), words.of(KINDS, kind), text, change, record["sequence"]))
    return found


def _change(before: tuple[int, str] | None, amount: int, currency: str, words: Words) -> str:
    if before is None or before[1] != currency or before[0] == amount:
        return ""
    share = round((amount - before[0]) * 100 / before[0], 1)
    return f"{'+' if share > 0 else '−'}{words.number(abs(share))} %"
