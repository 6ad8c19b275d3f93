"""The records of a car by year, the newest first: who did what, when, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final, Literal, NamedTuple

from node.rules.outcomes import OUTCOMES as OUTCOME_CODES
from wallet.paper.kinds import BECAME, KINDS
from wallet.paper.records import OUTCOMES, Tone, capital, details_of, text_of
from wallet.timeline import became
from web.car.contents import Contents
from web.car.people import People, Record
from web.digests import record_digest
from web.words import Words

SALE: Final = ("listing", "order", "delivery", "payment")
Icon = Literal["start", "work", "damage", "paper", "title", "sale", "dispute"]
_ICONS: Final[dict[str, Icon]] = {
    "vehicle": "start", "maintenance": "work", "repair": "work", "part": "work", "battery": "work", "software": "work",
    "odometer": "work", "accident": "damage", "inspection": "paper", "registration": "paper", "recall": "paper",
    "warranty": "paper", "flag": "paper", "alert": "paper", "title": "title", "record": "dispute",
}  # fmt: skip


class Note(NamedTuple):
    """A line below the name of a record."""

    text: str
    tone: Tone


class Entry(NamedTuple):
    """A record. `member`: its author's name in the directory, empty for others. `facts`: (name, value), shown unfolded.
    `digest`: of what the answer says, which browsers compare with what is proven. `is_withheld`: it is proven to exist,
    and that is all."""

    sequence: int
    name: str
    icon: Icon
    tone: Tone
    day: str
    author: str
    member: str
    roles: str
    is_fraud: bool
    reading: str
    notes: tuple[Note, ...]
    facts: tuple[tuple[str, str], ...]
    digest: str
    txid: str
    height: int
    is_withheld: bool = False


class Year(NamedTuple):
    label: str
    entries: tuple[Entry, ...]


def years_of(vin: str, unit: str, records: Sequence[Record], words: Words, people: People) -> list[Year]:
    """All records by the year of their event; one whose event is not told belongs to the year of the one before.
    `unit`: of the car's odometer."""
    fates = became(records)
    contents = Contents(words, people, unit)
    dated: list[tuple[str, int, Record]] = []
    last = ""
    for record in records:
        last = str(record.get("event_at") or record.get("time") or last)
        dated.append((last, record["sequence"], record))
    dated.sort(key=lambda each: each[:2], reverse=True)
    return [
        Year(year, tuple(
            _entry(vin, record, fates.get(str(sequence), ()), words, people, contents) for _, sequence, record in group
        )) for year, group in groupby(dated, key=lambda each: each[0][:4])
    ]  # fmt: skip


def _entry(
    vin: str, record: Record, fates: Sequence[tuple[str, str]], words: Words, people: People, contents: Contents
) -> Entry:  # fmt: skip
    sequence, digest = record["sequence"], record_digest(record, record["sequence"])
    if "kind" not in record:
        return Entry(
            sequence, words("car.withheld"), "paper", "warn", "", "", "", "", False, "", (), (), digest, "", 0, True
        )
    kind, content = str(record["kind"]), record.get("content")
    notes = tuple(_notes(vin, record, fates, words))
    reading = content.get("odometer") if isinstance(content, dict) and content.get("vin", vin) == vin else None
    return Entry(
        sequence, capital(text_of(KINDS, kind, words.tag)), _icon(kind), _tone(kind, record, notes),
        words.day(record["event_at"]), people.name(record["author"], record["author_name"]), record["author_name"],
        people.roles(record["author"]), bool(record["author_is_fraudulent"]),
        f"{words.number(reading['value'])} {reading['unit']}" if isinstance(reading, dict) else "", notes,
        tuple(_facts(record, words, contents)), digest, str(record["txid"]), int(record["height"]),
        not isinstance(content, dict),
    )  # fmt: skip


def _icon(kind: str) -> Icon:
    family = kind.partition(".")[0]
    return "sale" if family in SALE else _ICONS.get(family, "paper")


def _tone(kind: str, record: Record, notes: Sequence[Note]) -> Tone:
    tones = {note.tone for note in notes}
    if record["author_is_fraudulent"] or "bad" in tones:
        return "bad"
    if "warn" in tones or kind in ("accident.report", "vehicle.total_loss", "recall.extend", "flag.set"):
        return "warn"
    return "quiet" if _icon(kind) == "sale" else "plain"


def _notes(vin: str, record: Record, fates: Sequence[tuple[str, str]], words: Words) -> Iterator[Note]:
    if record["author_is_fraudulent"]:
        yield Note(words("car.note_fraud"), "bad")
    for fate, place in fates:
        tone: Tone = "quiet" if fate in ("stands", "dispute withdrawn") else "bad" if fate == "annulled" else "warn"
        yield Note(capital(text_of(BECAME, fate, words.tag).format(place)), tone)
    if not isinstance(record.get("content"), dict):
        yield Note(words("car.note_withheld"), "warn")
    if details := words.several(details_of(record, vin, words.tag)):
        yield Note(capital(details), "plain")
    for outcome in record.get("outcome", ()):
        table, _, code = outcome.partition(":")
        texts, tone = OUTCOMES.get(table, ({}, "quiet"))
        if (text := texts.get(code)) is not None:
            yield Note(capital(getattr(text, words.tag)), tone)
        elif not code and outcome in OUTCOME_CODES:
            yield Note(words(f"records.outcome_{outcome}"), "quiet")
    if record["late"]:
        yield Note(words("car.note_late", day=words.day(record["time"])), "warn")


def _facts(record: Record, words: Words, contents: Contents) -> Iterator[tuple[str, str]]:
    yield words("car.happened"), words.time(record["event_at"])
    yield words("car.entered"), words("car.entered_at", time=words.time(record["time"]),
                                      height=words.number(record["height"]))  # fmt: skip
    yield from contents.facts(record)


class Document(NamedTuple):
    """A document that is kept elsewhere; the chain has its hash."""

    day: str
    sequence: int
    record: str
    media: str
    size: str
    digest: str


def documents_of(records: Sequence[Record], words: Words) -> list[Document]:
    """The documents that records name, the newest first."""
    return [
        Document(
            words.day(record["event_at"]), record["sequence"], capital(text_of(KINDS, record["kind"], words.tag)),
            words.code("media_types", each["media_type"]), _size(each["size"], words), each["sha256"],
        )
        for record in reversed(records)
        for each in _attached(record.get("content"))
    ]  # fmt: skip


def _attached(content: Any) -> Iterator[Mapping[str, Any]]:
    for name in ("attachments", "evidence"):
        for each in content.get(name, ()) if isinstance(content, dict) else ():
            if isinstance(each, dict) and {"sha256", "size", "media_type"} <= set(each):
                yield each


def _size(size: int, words: Words) -> str:
    """Bytes as people read them."""
    for unit, step in (("MB", 1_000_000), ("kB", 1_000)):
        if size >= step:
            return f"{words.number(round(size / step, 1))} {unit}"
    return f"{words.number(size)} B"
