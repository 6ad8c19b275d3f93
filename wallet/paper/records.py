"""The records of a verified history as the rows of a table, in one language."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal, NamedTuple

import msgspec

from node.crypto.addresses import to_text
from node.ledger import kinds
from node.ledger.json_form import to_json
from node.ledger.kinds import fields_of
from node.rules.texts.form import Text
from node.rules.texts.tables import TEXTS
from node.txtypes.history import LATE_MS
from node.txtypes.registry import TYPES, AnyBody
from wallet.paper.kinds import BECAME, KINDS, VERDICTS
from wallet.paper.phrases import Language, distance, say
from wallet.timeline import became

Tone = Literal["plain", "quiet", "good", "warn", "bad"]
OUTCOMES: Final[Mapping[str, tuple[Mapping[str, Text], Tone]]] = {
    "severity": (TEXTS["damage_severities"], "quiet"),
    "inspection": (TEXTS["inspection_results"], "quiet"),
    "alert": (TEXTS["alerts"], "bad"),
    "verdict": ({code: text for code, text in VERDICTS.items() if code in ("CONTESTED", "ILLOGICAL")}, "warn"),
}
"""What rules have derived from a record and its reader should know: the part of the outcome before the colon."""
COUNTRY_TABLES: Final = ("countries", "registration_countries")
"""Countries are shown by their codes, as plates show them: their names would double the size of the fonts."""
DETAILS_MAX: Final = 12
"""Details that are written of a record, so that a row is shorter than a page; the file has all."""
_decode_body: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(AnyBody)


class Row(NamedTuple):
    """A record: `notes` are lines below its name, each with its tone. What is withheld is empty."""

    sequence: str
    day: str
    name: str
    notes: tuple[tuple[str, Tone], ...]
    author: str
    distance: str


def day_of(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d")


def account(address: bytes) -> str:
    """An address, shortened: what is left identifies it among the parties of a car."""
    text = to_text(address)
    return f"{text[:10]}...{text[-6:]}"


def text_of(texts: Mapping[str, Any], code: str, language: Language) -> str:
    """The text of a code; the code itself where a newer ruleset has it."""
    return getattr(texts[code], language) if code in texts else code


def capital(text: str) -> str:
    """The text, which begins with a capital letter where its language has such letters."""
    return text[:1].upper() + text[1:]


def rows_of(verdict: Mapping[str, Any], language: Language) -> list[Row]:
    """A row for each record of a verified history, in its order."""
    records = [_with_content(record) for record in verdict["records"]]
    fates = became(records)
    return [_row(record, verdict["vin"], fates.get(str(record["sequence"]), ()), language) for record in records]


def newest_reading(verdict: Mapping[str, Any]) -> tuple[int, str, int] | None:
    """(distance, unit, time of the event) of the newest reading among the records that are shown and count: those
    whose author was revoked for fraud, and those that were annulled or corrected, do not."""
    records = [_with_content(record) for record in verdict["records"]]
    fates, found = became(records), list[tuple[int, int, tuple[int, str]]]()
    for record in records:
        reading = _reading(record, verdict["vin"])
        fallen = any(fate in ("annulled", "amended") for fate, _ in fates.get(str(record["sequence"]), ()))
        if reading is not None and not fallen and not record["is_marked"]:
            found.append((record["event_at_ms"], record["sequence"], reading))
    if not found:
        return None
    event_at_ms, _, (value, unit) = max(found)
    return value, unit, event_at_ms


def _with_content(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record with its `content`, as a node answers it; none where it is withheld, or of a newer ruleset."""
    if "body" not in record:
        return dict(record)
    try:
        content = to_json(_decode_body.decode(bytes.fromhex(record["body"])))
    except (msgspec.ValidationError, msgspec.DecodeError):
        content = None
    return {**record, "content": content}


def _row(record: Mapping[str, Any], vin: str, fates: Sequence[tuple[str, str]], language: Language) -> Row:
    sequence = str(record["sequence"])
    if record["form"] == "hidden":
        return Row(sequence, "", say(language, "hidden"), (), "", "")
    notes = list[tuple[str, Tone]]()
    if record["is_marked"]:
        notes.append((say(language, "marked"), "bad"))
    for fate, place in fates:
        tone: Tone = "quiet" if fate in ("stands", "dispute withdrawn") else "bad" if fate == "annulled" else "warn"
        notes.append((capital(text_of(BECAME, fate, language).format(place)), tone))
    if record["form"] == "redacted":
        notes.append((say(language, "redacted"), "quiet"))
    details = list(details_of(record, vin, language))
    late = TYPES.get(record["kind"])
    if late is not None and late.reports_event and record["time_ms"] - record["event_at_ms"] > LATE_MS:
        details.append(say(language, "late", day=day_of(record["time_ms"])))
    if len(details) > DETAILS_MAX:
        details[DETAILS_MAX:] = ["..."]
    if details:
        notes.append((capital(("，" if language == "zh" else ", ").join(details)), "quiet"))
    for outcome in record.get("outcome", ()):
        texts, tone = OUTCOMES.get(outcome.partition(":")[0], ({}, "quiet"))
        if (text := texts.get(outcome.partition(":")[2])) is not None:
            notes.append((capital(getattr(text, language)), tone))
    reading = _reading(record, vin)
    return Row(
        sequence, day_of(record["event_at_ms"]), capital(text_of(KINDS, record["kind"], language)), tuple(notes),
        record["author_name"] or account(bytes.fromhex(record["author"])),
        "" if reading is None else distance(language, *reading),
    )  # fmt: skip


def details_of(record: Mapping[str, Any], vin: str, language: Language) -> Iterator[str]:
    """What the record says in the codes of its headline, in words."""
    content, kind = record.get("content"), TYPES.get(record["kind"])
    if not isinstance(content, dict) or kind is None:
        return
    if content.get("vin", vin) != vin:
        yield say(language, "other car", vin=content["vin"])
    for field in fields_of(kind):
        value = content.get(field.json_name)
        if field.json_name not in kind.headline or not value:
            continue
        item = field.kind.item if isinstance(field.kind, kinds.ListOf) else field.kind
        for code in value if isinstance(value, list) else [value]:
            if isinstance(item, kinds.CodeOf) and item.table not in COUNTRY_TABLES:
                yield text_of(TEXTS[item.table], code, language)
            elif isinstance(item, kinds.Code | kinds.CodeOf):
                yield str(code)


def _reading(record: Mapping[str, Any], vin: str) -> tuple[int, str] | None:
    """The reading of this car's odometer that a record has, with its unit."""
    content = record.get("content")
    shown = content.get("odometer") if isinstance(content, dict) and content.get("vin", vin) == vin else None
    return (shown["value"], shown["unit"]) if isinstance(shown, dict) else None
