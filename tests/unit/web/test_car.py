"""The page of a car as a function of what a node answers."""

from __future__ import annotations

import asyncio
import json
import re
from copy import deepcopy
from typing import Any, NamedTuple

import pytest
from support.backend import SingleNode, serving
from support.chain import Chain
from support.http import get
from support.life import VIN
from support.shown_cars import CLEAN, LOST, Shown, private_sale, shown_cars
from support.specimens import specimen

from node.crypto.addresses import to_text
from node.ledger.json_form import to_json
from node.txtypes.registry import TYPES
from web.car.contents import Contents
from web.car.findings import Finding, findings_of, verdict_of
from web.car.mileage import mileage_of
from web.car.people import People, owners
from web.car.summary import prices_of
from web.car.timeline import years_of
from web.drawing.mileage import Point, Tick, draw_mileage
from web.keeping import Kept
from web.pages.car import car_context, sale_context
from web.pages.listing import listing_context
from web.words import CATALOGUE, TAGS, Words, words_of

ENGLISH = words_of("en")


class Told(NamedTuple):
    """What a node answers of one car."""

    car: Any
    report: Any
    series: Any
    records: list[Any]
    readiness: Any
    listing: Any
    disclosure: Any

    def people(self, words: Words = ENGLISH, *, is_open: bool = False) -> People:
        owned = owners(self.records, self.report["holder"], self.report["holders"])
        return People(words, owned, {}, is_open=is_open)

    def findings(self, words: Words = ENGLISH, **changes: Any) -> list[Finding]:
        return findings_of(deepcopy(self.report) | changes, self.series, words, self.people(words))

    def context(self, words: Words = ENGLISH, *, is_open: bool = False) -> dict[str, Any]:
        return car_context(
            self.car, self.report, self.series, self.records, self.listing, {}, words, is_open=is_open
        )  # fmt: skip


def told_of(chain: Chain, *vins: str) -> list[Told]:
    """What a node over the chain answers of each car."""

    async def asked() -> list[Told]:
        found = []
        async with serving(SingleNode(chain)) as (_, _, http):
            for vin in vins:
                car, report, series, history, readiness = [
                    await get(http, f"/v1/vehicles/{vin}{part}")
                    for part in ("", "/report", "/odometer", "/history?limit=1000", "/sale-readiness")
                ]
                listing, disclosure = None, None
                if ident := car["market"]["listing"]:
                    listing = await get(http, f"/v1/listings/{ident}")
                    disclosure = await get(http, f"/v1/listings/{ident}/disclosure")
                found.append(Told(car, report, series, history["records"], readiness, listing, disclosure))
        return found

    return asyncio.run(asked())


@pytest.fixture(scope="module")
def shown() -> Shown:
    return shown_cars()


@pytest.fixture(scope="module")
def told(shown: Shown) -> dict[str, Told]:
    vins = (VIN, CLEAN, LOST, shown.imported)
    return dict(zip(vins, told_of(shown.chain, *vins), strict=True))


@pytest.fixture(scope="module")
def private() -> Told:
    return told_of(private_sale().chain, VIN)[0]


# --- what to know ---------------------------------------------------------------------------------------------
def test_a_car_without_a_blemish_is_green(told: dict[str, Told]) -> None:
    found = told[CLEAN].findings()

    assert [] == found
    assert "good" == verdict_of(told[CLEAN].report, found, ENGLISH).tone


def test_a_car_with_a_full_life_says_the_serious_first(told: dict[str, Told]) -> None:
    found = told[VIN].findings()

    assert ["bad", "bad", "warn", "warn"] == [finding.weight for finding in found]
    assert (3, 6, 8) == found[0].records
    assert "bad" == verdict_of(told[VIN].report, found, ENGLISH).tone


def test_a_total_loss_is_said_once_with_its_brands(told: dict[str, Told]) -> None:
    (finding,) = told[LOST].findings()

    assert ("bad", "Total loss", (2,)) == (finding.weight, finding.title, finding.records)


def test_an_imported_car_says_that_its_earlier_life_is_not_here(told: dict[str, Told], shown: Shown) -> None:
    titles = [finding.title for finding in told[shown.imported].findings()]

    assert "Earlier life not on this chain" in titles
    assert "No accident reported since then." in told[shown.imported].context()["verdict"].sentence
    assert "none reported since 20 Jul 2028" in [tile.below for tile in told[shown.imported].context()["tiles"]]


ACCOUNT = to_text(bytes(20))
MONEY = {"amount": "120000", "currency": "EUR"}
CONDUCT = {"defaulted": 0, "refunds_overdue": 0, "owes_on_car": False, "fraud_since": None}
DAY = "2027-03-01T00:00:00.000Z"
LINES = {"count": 2, "newest": [{"sequence": 3}, {"sequence": 4}]}
FLAG = {"name": "lien", "setter": ACCOUNT, "setter_name": "bank-1", "set_at": DAY, "until": None, "sequence": 7}
CLAIM = {"debtor": ACCOUNT, "debtor_name": "", "creditor": ACCOUNT, "creditor_name": "bank-1", "amount": MONEY}
BATTERY = {"below_floor": True, "capacity_wh": 80_000, "health": [{"soh": 655, "at": DAY}]}
ALERT = {"code": "clone_vin", "count": 1, "last": DAY, "sequence": 5}
BRAND = {"since": DAY, "sequence": 4, "others": []}
INSPECTION = {"sequence": 4, "inspector": ACCOUNT, "at": DAY, "valid_until": None, "retest_due": None}
INCIDENT = {"first": DAY, "sequence": 2, "zones": ["rear"], "severity": "minor", "is_released": False}
LOSS = {"category": "S", "since": DAY, "sequence": 2, "author": ACCOUNT, "brands": []}
CASES: dict[str, tuple[dict[str, Any], str]] = {
    "a firm flag": ({"flags": [FLAG | {"is_firm": True, "blocks": ["handover"]}]}, "bad"),
    "a provisional flag": ({"flags": [FLAG | {"is_firm": False, "blocks": [], "until": DAY}]}, "warn"),
    "a claim": ({"claims": [CLAIM | {"cause": "charged_back"}]}, "bad"),
    "a holder marked for fraud": ({"holder_conduct": CONDUCT | {"fraud_since": DAY}}, "bad"),
    "a holder who owes money": ({"holder_conduct": CONDUCT | {"owes_on_car": True}}, "bad"),
    "an overdue refund": ({"holder_conduct": CONDUCT | {"refunds_overdue": 2}}, "bad"),
    "a seller who left": ({"holder_conduct": CONDUCT | {"defaulted": 1}}, "warn"),
    "records of a fraud": ({"fraud_records": LINES}, "bad"),
    "late records": ({"late_records": LINES}, "note"),
    "withheld records": ({"withheld": 3}, "warn"),
    "a reported alert": ({"alerts": [ALERT | {"state": "reported"}]}, "warn"),
    "a confirmed alert": ({"alerts": [ALERT | {"state": "confirmed"}]}, "bad"),
    "two places at once": ({"parallel_life": True}, "warn"),
    "a brand of use": ({"brands": [BRAND | {"code": "taxi", "state": "confirmed"}]}, "warn"),
    "a flooded car": ({"brands": [BRAND | {"code": "flood_salt", "state": "confirmed"}]}, "bad"),
    "a suspected flood": ({"brands": [BRAND | {"code": "flood_salt", "state": "pending"}]}, "warn"),
    "a duty": ({"duties": [{"code": "structural_release", "sequence": 3, "due": None}]}, "bad"),
    "a failed inspection": ({"inspection": INSPECTION | {"result": "dangerous"}}, "bad"),
    "an inspection that ran out": ({"inspection": INSPECTION | {"result": "pass", "valid_until": DAY}}, "warn"),
    "an accident": ({"incidents": [INCIDENT | {"state": "pending", "is_repaired": False}]}, "warn"),
    "a repaired accident": ({"incidents": [INCIDENT | {"state": "confirmed", "is_repaired": True}]}, "note"),
    "older accidents": ({"older_incidents": 2}, "warn"),
    "a weak battery": ({"batteries": [BATTERY]}, "warn"),
    "a reported loss": ({"loss": LOSS | {"state": "pending"}}, "bad"),
    "a scrapped car": ({"existence": "scrapped", "ended_at": DAY}, "bad"),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("tag", TAGS)
def test_what_is_wrong_is_said_in_every_language(told: dict[str, Told], name: str, tag: Any) -> None:
    changes, weight = CASES[name]

    (finding,) = told[CLEAN].findings(words_of(tag), **changes)

    assert weight == finding.weight
    assert finding.title
    assert not re.search(r"[{}]", finding.title + finding.text)
    tone = verdict_of(told[CLEAN].report | changes, [finding], words_of(tag)).tone
    assert {"bad": "bad", "warn": "warn", "note": "good"}[weight] == tone


def test_what_was_annulled_is_no_finding(told: dict[str, Told]) -> None:
    brand = BRAND | {"code": "flood_salt", "state": "annulled"}
    incident = INCIDENT | {"state": "annulled", "is_repaired": False}

    assert [] == told[CLEAN].findings(brands=[brand], incidents=[incident], loss=LOSS | {"state": "annulled"})


@pytest.mark.parametrize(("verdict", "weight"), [("ILLOGICAL", "bad"), ("CONTESTED", "warn")])
def test_a_contradicting_odometer_names_the_readings(told: dict[str, Told], verdict: str, weight: str) -> None:
    part = told[CLEAN].report["odometer"] | {
        "verdict": verdict,
        "explanations": [{"sequences": [4], "contradicts": [2]}],
    }

    (finding,) = told[CLEAN].findings(odometer=part)

    assert (weight, (4,)) == (finding.weight, finding.records)
    assert "record 4" in finding.text


def test_a_long_time_without_a_reading_is_a_gap(told: dict[str, Told]) -> None:
    later = told[CLEAN].report["time"].replace("2028", "2030")

    (finding,) = told[CLEAN].findings(time=later)

    assert "A long time without a reading" == finding.title
    assert "No odometer reading for 25 months, from 30 Jun 2028 to 20 Jul 2030." == finding.text


# --- people ------------------------------------------------------------------------------------------------
def test_a_private_owner_is_a_number_in_the_showroom(private: Told) -> None:
    page = json.dumps([private.context()["years"], private.context()["facts"], private.context()["mileage"].rows])

    assert "Owner 3" in page
    assert "bmw1" not in page


def test_a_listing_of_a_private_owner_has_no_address(private: Told) -> None:
    words = ENGLISH
    found = listing_context(
        private.listing, private.disclosure, private.report, private.series, {}, words, is_open=False
    )  # fmt: skip

    assert "Owner 3" == found["seller"]
    assert "bmw1" not in json.dumps(found["rails"])
    assert "Private sale, no tax" == found["tax"]


def test_owners_are_counted_in_the_order_of_the_title(private: Told) -> None:
    holder = private.report["holder"]
    found = owners(private.records, holder, private.report["holders"])

    assert 3 == found[holder]
    assert sorted(found.values()) == [1, 2, 3]


# --- records -----------------------------------------------------------------------------------------------
def test_the_life_is_by_year_and_the_newest_first(told: dict[str, Told]) -> None:
    years = told[VIN].context()["years"]
    sequences = [entry.sequence for year in years for entry in year.entries]

    assert ["2027", "2026", "2025"] == [year.label for year in years]
    assert sorted(sequences, reverse=True) == sequences
    assert len(told[VIN].records) == len(sequences)


def test_a_record_says_what_became_of_it_and_of_its_author(told: dict[str, Told]) -> None:
    entries = {entry.sequence: entry for year in told[VIN].context()["years"] for entry in year.entries}
    notes = [note.text for note in entries[6].notes]

    assert entries[6].is_fraud
    assert ["Author revoked for fraud", "Disputed by record 7", "Annulled by record 11"] == notes[:3]
    assert "bad" == entries[6].tone


@pytest.mark.parametrize("tag", TAGS)
def test_withheld_records_keep_their_place_and_digest(told: dict[str, Told], tag: Any) -> None:
    records = [dict(record) for record in told[CLEAN].records]
    del records[2]["content"]
    hidden = {name: records[3][name] for name in ("sequence", "digest")}
    records[3] = hidden

    years = years_of(CLEAN, "km", records, words_of(tag), told[CLEAN].people(words_of(tag)))

    entries = {entry.sequence: entry for year in years for entry in year.entries}
    assert (True, True, False) == tuple(entries[n].is_withheld for n in (2, 3, 4))
    assert hidden["digest"] == entries[3].digest
    assert len(records) == len(entries)


def test_a_changed_record_has_another_digest_than_the_node_claims(told: dict[str, Told]) -> None:
    record = deepcopy(told[CLEAN].records[2])
    record["content"]["odometer"]["value"] -= 1_000

    ((entry,),) = [year.entries for year in years_of(CLEAN, "km", [record], ENGLISH, told[CLEAN].people())]
    ((true,),) = [
        year.entries for year in years_of(CLEAN, "km", [told[CLEAN].records[2]], ENGLISH, told[CLEAN].people())
    ]

    assert record["digest"] == true.digest != entry.digest


def test_a_late_record_says_when_it_was_entered(told: dict[str, Told]) -> None:
    record = told[CLEAN].records[2] | {"late": True}

    ((entry,),) = [year.entries for year in years_of(CLEAN, "km", [record], ENGLISH, told[CLEAN].people())]

    assert any(note.text.startswith("Reported late") for note in entry.notes)


@pytest.mark.parametrize("tag", TAGS)
def test_every_type_has_contents_in_every_language(told: dict[str, Told], tag: Any) -> None:
    contents = Contents(words_of(tag), told[VIN].people(words_of(tag)), "km")
    for kind in TYPES:
        facts = contents.facts({"kind": kind, "content": to_json(specimen(kind))})
        assert all(name and value for name, value in facts), kind
        assert "bmw1" not in str(facts), f"{kind}: accounts are named, not shown"


def test_documents_are_named_by_their_hash(told: dict[str, Told]) -> None:
    (document,) = told[VIN].context()["documents"]

    assert (bytes(range(32)).hex(), "48.2 kB", 13) == (document.digest, document.size, document.sequence)


def test_prices_tell_how_they_changed(told: dict[str, Told]) -> None:
    found = prices_of(told[CLEAN].records, ENGLISH)

    assert [("€52,900", ""), ("€49,900", "−5.7 %")] == [(price.price, price.change) for price in found]


# --- readiness ----------------------------------------------------------------------------------------------
def test_a_listed_car_can_be_sold(told: dict[str, Told]) -> None:
    found = sale_context(told[CLEAN].car, told[CLEAN].readiness, ENGLISH)

    assert found["can_be_sold"], found["unmet"]


def test_a_total_loss_cannot_be_sold(told: dict[str, Told]) -> None:
    found = sale_context(told[LOST].car, told[LOST].readiness, ENGLISH)

    assert not found["can_be_sold"]
    assert any("total loss" in text.lower() for text, _, _ in found["unmet"])


def test_a_flag_that_stops_the_handover_is_in_the_way(told: dict[str, Told]) -> None:
    car = told[CLEAN].car | {"flags": [FLAG | {"is_firm": True, "blocks": ["handover", "export"]}]}

    found = sale_context(car, told[CLEAN].readiness, ENGLISH)

    assert not found["can_be_sold"]
    assert ["Stop-flag “Financed, pledged to a bank”, set by bank-1, blocks: handover to a buyer."] == found["blocking"]


# --- the plot -----------------------------------------------------------------------------------------------
def test_the_plot_links_every_reading_and_crosses_out_what_does_not_count(told: dict[str, Told]) -> None:
    found = mileage_of(told[VIN].series, ENGLISH, told[VIN].people())
    wide = found.plot.partition('<div class="narrow">')[0]

    assert len(found.rows) == wide.count("<a href")
    assert 2 == wide.count('class="cross"')
    assert {f"#record-{row.sequence}" for row in found.rows} == set(re.findall(r'href="([^"]+)"', wide))


def test_the_plot_stays_within_its_frame_and_escapes() -> None:
    points = [
        Point(0, 0, "dot", "#a", '<&">'),
        Point(10**10, 99_999, "told", "#b", "b"),
        Point(10**11, 1, "cross", "#c", "c"),
    ]
    svg = draw_mileage("<t>", points, [0, 50_000, 100_000], str, "km", [Tick(0, "first"), Tick(10**11, "last")])

    assert "<t>" not in svg
    assert '<&">' not in svg
    for drawn, width in zip(svg.split("<svg")[1:], (620, 340), strict=True):
        assert all(0 <= float(x) <= width for x in re.findall(r' c?x[12]?="([0-9.-]+)"', drawn))


def test_one_reading_has_no_plot(told: dict[str, Told]) -> None:
    series = told[CLEAN].series | {"readings": told[CLEAN].series["readings"][:1]}

    found = mileage_of(series, ENGLISH, told[CLEAN].people())

    assert (1, "") == (len(found.rows), found.plot)


# --- texts and what is kept --------------------------------------------------------------------------------------
def test_every_text_has_the_same_places_in_every_language() -> None:
    for key, texts in CATALOGUE.items():
        places = [set(re.findall(r"{(\w+)}", text)) for text in texts]
        assert places[0] == places[1] == places[2], key
        assert all(texts), key


def test_what_several_ask_for_is_made_once_and_failures_are_not_kept() -> None:
    made: list[int] = []

    async def make() -> int:
        made.append(len(made))
        await asyncio.sleep(0)
        if len(made) == 1:
            raise ValueError("the first time")
        return made[-1]

    async def run() -> None:
        kept = Kept(2)
        with pytest.raises(ValueError, match="the first time"):
            await kept.get("a", make, 60)
        assert [1, 1] == await asyncio.gather(kept.get("a", make, 60), kept.get("a", make, 60))
        assert [2, 3] == [await kept.get(key, make, 60) for key in ("b", "c")]
        assert 4 == await kept.get("a", make, 60), "the oldest one was dropped"

    asyncio.run(run())
