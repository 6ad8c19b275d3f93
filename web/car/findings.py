"""What somebody should know before buying a car: the most serious first, each with the records that it is from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final, Literal, NamedTuple

from node.rules.texts.tables import TEXTS
from wallet.paper.kinds import EXISTENCE, VERDICTS
from web.car.contents import choice
from web.car.people import People
from web.words import Words

Json = Mapping[str, Any]
Weight = Literal["bad", "warn", "note"]
_ORDER: Final[tuple[Weight, ...]] = ("bad", "warn", "note")
GAP: Final = timedelta(days=550)
"""Between two odometer readings. A car that is serviced once a year and inspected every two has no longer one."""
BAD_BRANDS: Final = (
    "flood_fresh", "flood_salt", "fire", "dismantled", "junk", "salvage", "salvage_kept", "totalled", "parts_only",
    "reconstructed", "vin_reissued", "not_actual", "tampering_verified", "odometer_altered", "odometer_discrepancy",
    "hv_battery_hit",
)  # fmt: skip
"""Brands that are serious once they are confirmed. Others deserve attention."""


class Finding(NamedTuple):
    """`records`: the sequences of those that it is from, as far as they are known."""

    weight: Weight
    title: str
    text: str
    records: tuple[int, ...] = ()


class Verdict(NamedTuple):
    """All of it in one sentence, with the weight of the most serious finding; `good` where there is nothing."""

    tone: Literal["good", "warn", "bad"]
    word: str
    sentence: str


def findings_of(report: Json, odometer: Json, words: Words, people: People) -> list[Finding]:
    """Everything that a buyer should know, of the buyer's report and of the odometer's series."""
    finder = _Finder(report, odometer, words, people)
    found = [finding for part in finder.parts for finding in part()]
    return sorted(found, key=lambda finding: _ORDER.index(finding.weight))


def verdict_of(report: Json, findings: Sequence[Finding], words: Words) -> Verdict:
    """The one sentence below the name of the car."""
    counted = {weight: sum(finding.weight == weight for finding in findings) for weight in _ORDER}
    tone: Literal["good", "warn", "bad"] = "bad" if counted["bad"] else "warn" if counted["warn"] else "good"
    parts = [_completeness(report, words), _accidents(report, words)]
    if tone == "bad":
        parts.append(words.count("car.sentence_bad", counted["bad"]))
    elif tone == "warn":
        parts.append(words.count("car.sentence_warn", counted["warn"]))
    else:
        parts.append(words("car.sentence_good"))
    return Verdict(tone, words(f"car.word_{tone}"), ("" if words.tag == "zh" else " ").join(parts))


def _completeness(report: Json, words: Words) -> str:
    if report["withheld"]:
        return words.count("car.sentence_withheld", report["withheld"])
    if report["origin"] != "born":
        return words("car.sentence_imported", day=words.day(report["covered_since"]))
    return words("car.sentence_complete")


def _accidents(report: Json, words: Words) -> str:
    real = [incident for incident in report["incidents"] if incident["state"] != "annulled"]
    count = len(real) + report["older_incidents"]
    if not count:
        return words("car.sentence_no_accident" if report["origin"] == "born" else "car.sentence_no_accident_since")
    text = words.count("car.sentence_accidents", count)
    if report["older_incidents"] or not all(incident["is_repaired"] for incident in real):
        return text + words("car.sentence_end")
    is_released = all(incident["is_released"] or incident["severity"] == "minor" for incident in real)
    return text + words("car.sentence_released" if is_released else "car.sentence_repaired")


class _Finder:
    def __init__(self, report: Json, odometer: Json, words: Words, people: People) -> None:
        self._report, self._odometer, self._words, self._people = report, odometer, words, people
        self.parts = (
            self._existence, self._flags, self._claims, self._conduct, self._fraud, self._recalls, self._alerts,
            self._mileage, self._brands, self._roadworthy, self._incidents, self._disputes, self._registration,
            self._origin, self._gaps, self._batteries, self._records,
        )  # fmt: skip

    def _by(self, entry: Json, name: str) -> str:
        """A party that the answer names."""
        return self._people.name(entry[name], entry.get(f"{name}_name", ""))

    def _existence(self) -> Iterator[Finding]:
        report, words, existence, loss = self._report, self._words, self._report["existence"], self._report["loss"]
        if loss is not None and loss["state"] != "annulled":
            category = words.of(TEXTS["total_loss_categories"], loss["category"])
            key = "car.loss" if loss["state"] == "confirmed" else "car.loss_reported"
            text = words(key, category=category, day=words.day(loss["since"]), who=self._people.name(loss["author"]))
            yield Finding("bad", words.of(EXISTENCE, "total_loss"), text, (loss["sequence"],))
        elif existence == "total_loss":
            yield Finding("bad", words.of(EXISTENCE, existence), words("car.ended"))
        if existence in ("scrapped", "voided"):
            yield Finding(
                "bad", words.of(EXISTENCE, existence), words("car.ended_on", day=words.day(report["ended_at"]))
            )

    def _flags(self) -> Iterator[Finding]:
        words = self._words
        for flag in self._report["flags"]:
            blocks = words.several(words.code("sale_operations", each) for each in flag["blocks"])
            text = words("car.flag", who=self._by(flag, "setter"), day=words.day(flag["set_at"]))
            text += words("car.flag_blocks", blocks=blocks) if blocks else words("car.flag_free")
            if flag["until"]:
                text += words("car.flag_until", day=words.day(flag["until"]))
            weight: Weight = "bad" if flag["is_firm"] else "warn"
            title = words("car.flag_title", name=words.of(TEXTS["stop_flags"], flag["name"]))
            yield Finding(weight, title, text, (flag["sequence"],))

    def _claims(self) -> Iterator[Finding]:
        words = self._words
        for claim in self._report["claims"]:
            text = words(
                "car.claim", debtor=self._by(claim, "debtor"), creditor=self._by(claim, "creditor"),
                amount=words.money(claim["amount"]), cause=words(f"car.claim_{claim['cause']}"),
            )  # fmt: skip
            yield Finding("bad", words("car.claim_title"), text)

    def _conduct(self) -> Iterator[Finding]:
        words, conduct = self._words, self._report["holder_conduct"]
        title = words("car.conduct_title")
        if conduct["fraud_since"]:
            yield Finding("bad", title, words("car.conduct_fraud", day=words.day(conduct["fraud_since"])))
        if conduct["owes_on_car"]:
            yield Finding("bad", title, words("car.conduct_owes"))
        if conduct["refunds_overdue"]:
            yield Finding("bad", title, words.count("car.conduct_overdue", conduct["refunds_overdue"]))
        if conduct["defaulted"]:
            yield Finding("warn", title, words.count("car.conduct_defaulted", conduct["defaulted"]))

    def _fraud(self) -> Iterator[Finding]:
        if count := self._report["fraud_records"]["count"]:
            text = self._words.count("car.fraud", count)
            yield Finding("bad", self._words("car.fraud_title"), text, _sequences(self._report["fraud_records"]))

    def _recalls(self) -> Iterator[Finding]:
        words = self._words
        for recall in self._report["recalls"]:
            numbers = words.several(f"{each['authority']} {each['number']}" for each in recall["references"])
            text = words("car.recall", campaign=recall["campaign"], remedy=choice(words, recall["remedy"]),
                         day=words.day(recall["remedy_from_day"]))  # fmt: skip
            text += words("car.recall_numbers", numbers=numbers) if numbers else ""
            weight: Weight = "warn" if recall["recall_class"] == "quality" else "bad"
            name = words.of(TEXTS["recall_classes"], recall["recall_class"])
            yield Finding(weight, words("car.recall_title", name=name), text)

    def _alerts(self) -> Iterator[Finding]:
        words = self._words
        for alert in self._report["alerts"]:
            if alert["state"] == "closed":
                continue
            text = words("car.alert", state=words.of(TEXTS["alert_states"], alert["state"]),
                         day=words.day(alert["last"]))  # fmt: skip
            weight: Weight = "bad" if alert["state"] == "confirmed" else "warn"
            yield Finding(weight, words.of(TEXTS["alerts"], alert["code"]), text, (alert["sequence"],))
        if self._report["parallel_life"]:
            yield Finding("warn", words("car.parallel_title"), words("car.parallel"))

    def _mileage(self) -> Iterator[Finding]:
        words, part = self._words, self._report["odometer"]
        if part["verdict"] in ("ILLOGICAL", "CONTESTED"):
            weight: Weight = "bad" if part["verdict"] == "ILLOGICAL" else "warn"
            title = words("car.mileage_title", verdict=getattr(VERDICTS[part["verdict"]], words.tag))
            told = sorted({sequence for each in part["explanations"] for sequence in each["sequences"]})
            key = "car.mileage_explained" if told else f"car.mileage_{part['verdict']}"
            yield Finding(weight, title, words(key, records=words.several(map(str, told))), tuple(told))
        if not part["is_distance_proven"]:
            yield Finding("warn", words("car.instrument_title"), words("car.instrument"))

    def _brands(self) -> Iterator[Finding]:
        words, loss = self._words, self._report["loss"]
        told = loss["brands"] if loss is not None and loss["state"] != "annulled" else ()
        for brand in self._report["brands"]:
            if brand["state"] == "annulled" or brand["code"] in told:
                continue
            is_bad = brand["state"] == "confirmed" and brand["code"] in BAD_BRANDS
            text = words("car.brand", state=words.of(TEXTS["brand_states"], brand["state"]),
                         day=words.day(brand["since"]))  # fmt: skip
            title = words("car.brand_title", name=words.of(TEXTS["brands"], brand["code"]))
            yield Finding("bad" if is_bad else "warn", title, text, (brand["sequence"], *brand["others"]))

    def _roadworthy(self) -> Iterator[Finding]:
        words, report, last = self._words, self._report, self._report["inspection"]
        for duty in report["duties"]:
            yield Finding("bad", words.of(TEXTS["duties"], duty["code"]), words("car.duty"), (duty["sequence"],))
        if last is not None and last["result"] in ("major", "dangerous"):
            key = "car.retest_overdue" if report["is_retest_overdue"] else "car.failed"
            text = words(key, result=words(f"car.result_{last['result']}"), day=words.day(last["at"]))
            yield Finding("bad", words("car.failed_title"), text, (last["sequence"],))
        elif last is not None and last["valid_until"] and last["valid_until"] < report["time"]:
            text = words("car.inspection_over", day=words.day(last["valid_until"]))
            yield Finding("warn", words("car.inspection_over_title"), text, (last["sequence"],))

    def _incidents(self) -> Iterator[Finding]:
        words = self._words
        for incident in self._report["incidents"]:
            if incident["state"] == "annulled":
                continue
            zones = words.several(words.code("zones", zone) for zone in incident["zones"])
            severity = words.of(TEXTS["damage_severities"], incident["severity"])
            step = "released" if incident["is_released"] else "repaired" if incident["is_repaired"] else "open"
            text = words(f"car.incident_{step}", severity=severity, zones=zones, day=words.day(incident["first"]))
            if incident["state"] != "confirmed":
                text += words(f"car.incident_{incident['state']}")
            weight: Weight = "note" if incident["is_repaired"] else "warn"
            yield Finding(weight, words("car.incident_title"), text, (incident["sequence"],))
        if count := self._report["older_incidents"]:
            yield Finding("warn", words("car.incident_title"), words.count("car.older_incidents", count))

    def _disputes(self) -> Iterator[Finding]:
        words = self._words
        for dispute in self._report["disputes"]:
            if dispute["status"] == "closed":
                continue
            text = words("car.dispute", ground=words.code("dispute_grounds", dispute["ground"]),
                         day=words.day(dispute["opened_at"]))  # fmt: skip
            yield Finding("warn", words("car.dispute_title"), text, (dispute["target"]["sequence"],))

    def _registration(self) -> Iterator[Finding]:
        words, now = self._words, self._report["registration"]
        if claim := now["claim"]:
            text = words("car.registration_claim", country=words.code("countries", claim["country"]),
                         day=words.day(claim["since"]))  # fmt: skip
            yield Finding("warn", words("car.registration_claim_title"), text, (claim["sequence"],))
        if now["status"] in ("suspended", "export_pending", "exported"):
            text = words("car.registration", country=words.code("countries", now["country"]),
                         day=words.day(now["since"]))  # fmt: skip
            weight: Weight = "bad" if now["status"] == "suspended" else "warn"
            yield Finding(weight, words.of(TEXTS["registration_states"], now["status"]), text, (now["sequence"],))

    def _origin(self) -> Iterator[Finding]:
        report, words = self._report, self._words
        if report["origin"] == "imported":
            grade = words.code("import_grades", report["grade"])
            text = words("car.imported", day=words.day(report["covered_since"]), grade=report["grade"], basis=grade)
            yield Finding("warn", words("car.imported_title"), text, (0,))

    def _gaps(self) -> Iterator[Finding]:
        """Long times without a reading: before the first one, between two, and since the last one."""
        words = self._words
        kept = [each for each in self._odometer["readings"] if each["state"] == "counted"]
        times = sorted((each["event_at"], each["sequence"]) for each in kept)
        start = self._report["covered_since"]
        told = [(start, -1), *((at, sequence) for at, sequence in times if at >= start), (self._report["time"], -1)]
        for (before, earlier), (after, later) in pairwise(told):
            if _time(after) - _time(before) > GAP and self._report["ended_at"] is None:
                months = round((_time(after) - _time(before)).days / 30.4)
                text = words("car.gap", since=words.day(before), until=words.day(after), months=words.number(months))
                yield Finding("warn", words("car.gap_title"), text, tuple(n for n in (earlier, later) if n >= 0))

    def _batteries(self) -> Iterator[Finding]:
        words = self._words
        for battery in self._report["batteries"]:
            if battery["below_floor"]:
                soh = f"{words.number(battery['health'][-1]['soh'] / 10)} %"
                yield Finding("warn", words("car.battery_title"), words("car.battery", soh=soh))

    def _records(self) -> Iterator[Finding]:
        report, words = self._report, self._words
        if count := report["withheld"]:
            yield Finding("warn", words("car.withheld_title"), words.count("car.withheld_records", count))
        if count := report["late_records"]["count"]:
            late = _sequences(report["late_records"])
            yield Finding("note", words("car.late_title"), words.count("car.late", count), late)


def _sequences(lines: Json) -> tuple[int, ...]:
    return tuple(line["sequence"] for line in lines["newest"])


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)
