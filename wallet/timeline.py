"""A vehicle's records for people: a table on a terminal, lines elsewhere; then its mileage and its verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import click

from node.console import Cell, Style, is_terminal, plain, say, show_table, spark
from node.txtypes.registry import TYPES
from wallet.show import STYLES, counted, value_text

Records = Sequence[Mapping[str, Any]]
COLUMNS = ("when", "#", "record", "by", "what")
INDENT = " " * 20
VERDICT = "verdict:"
DECIDED = "decided:"
REPLACED = "odometer.replace"
_LOUD = {fate: fate.upper() for fate in ("amended", "annulled")}


class Entry(NamedTuple):
    """One record. `marks`: late, revoked author, what became of it. `kind` and `author` are empty where only the digest
    is shown."""

    when: str
    sequence: str
    kind: str
    author: str
    marks: tuple[str, ...]
    details: str
    style: Style


def entries(records: Iterable[Mapping[str, Any]]) -> Iterable[Entry]:
    """In the given order."""
    records = list(records)
    fates = became(records)
    for record in records:
        place, content = plain(record.get("sequence", "?")), record.get("content")
        if "kind" not in record:
            yield Entry("?", place, "", "", (), "withheld: only its digest is shown", "warn")
            continue
        kind = plain(record["kind"])
        author = plain(record.get("author_name") or record.get("author") or "?")
        when = plain(record.get("event_at") or record.get("time") or "")[:16].replace("T", " ")
        is_fraud = bool(record.get("author_is_fraudulent"))
        marks = (
            *(["reported late"] if record.get("late") else []),
            *(["AUTHOR REVOKED FOR FRAUD"] if is_fraud else []),
            *(
                f"{_LOUD.get(fate, fate)} (record {place})"
                for fate, place in fates.get(str(record.get("sequence")), ())
            ),
        )
        if not isinstance(content, dict):
            yield Entry(when, place, kind, author, marks, "withheld: what it says is not shown", "warn")
            continue
        codes, other = _codes(record), _other_car(record)
        is_bad = is_fraud or any(STYLES.get(code) == "bad" for code in _verdicts(codes))
        about = [f"about the car {other}"] if other else []
        details = ", ".join((*about, *_headline(kind, content), *map(_words, codes)))
        yield Entry(when, place, kind, author, marks, details, "bad" if is_bad else "")


def became(records: Records) -> dict[str, list[tuple[str, str]]]:
    """Sequence of a record to what later ones have made of it: `amended` by its author, `disputed`, `dispute
    withdrawn`, or what arbiters decided: `stands`, `to be amended`, `annulled`, `undecided`; each with
    the later one's sequence."""
    found: dict[str, list[tuple[str, str]]] = {}
    disputed: dict[str, Any] = {}
    for record in records:
        content, place = record.get("content"), plain(record.get("sequence", "?"))
        if not isinstance(content, dict):
            continue
        target = content.get("target")
        about = target.get("sequence") if isinstance(target, dict) else disputed.get(str(content.get("dispute")))
        if not isinstance(about, int):
            continue
        told = [code.removeprefix(DECIDED) for code in _codes(record) if code.startswith(DECIDED)]
        match record.get("kind"):
            case "record.amend":
                told = ["amended"]
            case "record.dispute":
                disputed[str(record.get("txid"))] = about
                told = ["disputed"]
            case "record.withdraw":
                told = ["dispute withdrawn"]
            case _:
                told = ["to be amended" if code == "amended" else code for code in told]
        found.setdefault(str(about), []).extend((fate, place) for fate in told)
    return found


def _other_car(record: Mapping[str, Any]) -> str:
    """The VIN that a record is about, where it only tells this car of another, as of a part that both have."""
    content, own = record.get("content"), str(record.get("id", "")).partition("/")[0]
    vin = content.get("vin") if isinstance(content, dict) else None
    return plain(vin) if own and isinstance(vin, str) and vin != own else ""


def _headline(kind: str, content: Mapping[str, Any]) -> list[str]:
    headline = TYPES[kind].headline if kind in TYPES else ()
    names = [name for name in headline if content.get(name) not in (None, "", [], False)]
    return [f"{name.replace('_', ' ')}: {_headline_text(content[name])}" for name in names]


def _headline_text(value: Any) -> str:
    """A value on one line; of another record its place alone."""
    is_record = isinstance(value, dict) and set(value) == {"sequence", "digest"}
    return f"record {plain(value['sequence'])}" if is_record else value_text(value)


def _codes(record: Mapping[str, Any]) -> list[str]:
    outcome = record.get("outcome")
    return [plain(code) for code in outcome] if isinstance(outcome, list) else []


def _words(code: str) -> str:
    return code.replace(":", " ", 1)


def _verdicts(codes: Iterable[str]) -> list[str]:
    return [code.removeprefix(VERDICT) for code in codes if code.startswith(VERDICT)]


def echo_timeline(records: Records) -> None:
    """Print every record, then the mileage and the verdict."""
    if is_terminal():
        show_table(COLUMNS, [_row(entry) for entry in entries(records)])
    else:
        for line in timeline(records):
            click.echo(line)
    _echo_mileage(records)


def timeline(records: Iterable[Mapping[str, Any]]) -> list[str]:
    """One or two lines for each record."""
    lines = []
    for entry in entries(records):
        if not entry.kind:
            lines.append(f"{entry.when:16}  #{entry.sequence} {entry.details}")
            continue
        lines.append(f"{entry.when}  #{entry.sequence} {entry.kind}  by {', '.join((entry.author, *entry.marks))}")
        if entry.details:
            lines.append(INDENT + entry.details)
    return lines


def _row(entry: Entry) -> tuple[str | Cell, ...]:
    author = Cell(", ".join((entry.author, *entry.marks)), "warn" if entry.marks else "")
    return entry.when, entry.sequence, Cell(entry.kind, "strong"), author, Cell(entry.details, entry.style)


# --- mileage ------------------------------------------------------------------------------------------------
def distances(records: Records) -> list[tuple[int, str]]:
    """(distance, unit) by every odometer reading, in event time: what the instrument shows, and what those have counted
    that it replaced."""
    found: list[tuple[int, str]] = []
    before = 0
    for record in sorted(records, key=lambda record: str(record.get("event_at", ""))):
        content = record.get("content")
        shown = _reading(content, "odometer")
        if shown is None or _other_car(record):
            continue
        value, unit = shown
        if record.get("kind") == REPLACED:
            old, last = _reading(content, "old"), found[-1][0] if found else 0
            before = max(last, old[0] + before if old is not None else 0) - value
        found.append((before + value, unit))
    return found


def _reading(content: Any, name: str) -> tuple[int, str] | None:
    reading = content.get(name) if isinstance(content, dict) else None
    if isinstance(reading, dict) and type(reading.get("value")) is int:
        return reading["value"], plain(reading.get("unit", ""))
    return None


def verdict(records: Records) -> str:
    """The odometer's verdict after the last record; empty if a withheld record may have changed it."""
    known = "NO_VERDICT"
    for record in records:
        if not isinstance(record.get("content"), dict):
            known = ""
        elif found := _verdicts(_codes(record)):
            known = found[-1]
    return known


def _echo_mileage(records: Records) -> None:
    found = distances(records)
    if not found:
        return
    (first, unit), (last, _) = found[0], found[-1]
    known = verdict(records)
    span = f"{last:,} {unit}" if len(found) == 1 else f"{first:,} {unit} to {last:,} {unit}"
    parts = [f"mileage {span}", counted(len(found), "reading")]
    if line := spark([value for value, _ in found]):
        parts.append(line)
    parts.append(f"verdict {known}" if known else "verdict unknown: a later record is withheld")
    say("  ".join(parts), STYLES.get(known, "warn"))
