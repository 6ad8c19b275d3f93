"""The card of a car on sale: what a buyer compares at a glance, from a row of the read model."""

from __future__ import annotations

from typing import Final, NamedTuple

from node.ledger.json_form import time_to_text
from node.txtypes.members.member import Member
from web.drawing.silhouettes import coverage, silhouette
from web.read_model.columns import FAR_KM
from web.read_model.row import UNKNOWN_METRES, Row, body_of, kind_of
from web.words import Words

BRANDS_SHOWN: Final = 2
_VERDICTS: Final = {"LOGICAL": "good", "ILLOGICAL": "bad", "CONTESTED": "warn"}


class Card(NamedTuple):
    """What the template of a card needs, ready to be shown; empty where there is nothing to say. `was`: the price
    before a lower one; `badges`: (class, words); `cover`: how much of the car's life the chain has."""

    path: str
    picture: str
    model: str
    price: str
    was: str
    facts: tuple[str, ...]
    badges: list[tuple[str, str]]
    coverage: str
    cover: str
    seller: str


def card(words: Words, row: Row, seller: Member | None, kilometres: float | None, now_ms: int) -> Card:
    """The card of a row."""
    before = row.prices[-2].amount if len(row.prices) > 1 else 0
    facts = (
        words("cars.to_order") if not row.vin else "", str(row.year) if row.year else "",
        words.distance(row.metres, row.unit) if row.metres != UNKNOWN_METRES else "",
        words.code("powertrains", row.powertrain) if row.powertrain else "",
    )  # fmt: skip
    about = [seller.name] if seller is not None else []
    about += [words(f"cars.kind_{kind_of(seller, now_ms)}"), words.code("countries", row.country)]
    if kilometres is not None and kilometres < FAR_KM:
        about.append(words("cars.away", km=words.number(round(kilometres))))
    since = covered_since(row)
    return Card(
        f"/car/{row.vin}" if row.vin else f"/listing/{row.ident.hex()}", silhouette(body_of(row.model)), row.model,
        words.money({"amount": row.amount, "currency": row.currency}),
        words.money({"amount": before, "currency": row.currency}) if before > row.amount else "",
        tuple(filter(None, facts)), badges(words, row, now_ms) if row.vin else [], coverage(covered_share(row, now_ms)),
        words("cars.covered_since", day=words.day(since)) if since else words("cars.covered"), " · ".join(about),
    )  # fmt: skip


def covered_share(row: Row, now_ms: int) -> float:
    """How much of the car's life the chain has, from 0 to 1."""
    life = now_ms - row.born_ms
    if not row.vin or life <= 0 or row.covered_since_ms <= row.born_ms:
        return 1.0
    return max(0.0, (now_ms - row.covered_since_ms) / life)


def covered_since(row: Row) -> str:
    """The time from which the chain has the car's history, empty for all of it."""
    return time_to_text(row.covered_since_ms) if row.vin and row.covered_since_ms > row.born_ms else ""


def badges(words: Words, row: Row, now_ms: int) -> list[tuple[str, str]]:
    """(class, words), what a buyer should know first in front."""
    found: list[tuple[str, str]] = []
    if row.recalls:
        found.append(("bad", words("cars.badge_recall")))
    for brand in row.brands[:BRANDS_SHOWN]:
        text = words.code("brands", brand)
        found.append(("warn", text[:1].upper() + text[1:]))
    if len(row.brands) > BRANDS_SHOWN:
        found.append(("warn", words("cars.badge_more", count=len(row.brands) - BRANDS_SHOWN)))
    found.append(_accidents(words, row))
    verdict = _VERDICTS.get(row.verdict, "")
    found.append((verdict, words(f"cars.verdict_{row.verdict if verdict else 'OTHER'}")))
    if row.warranty_until_ms > now_ms:
        found.append(("good", words("cars.badge_warranty", day=words.day(time_to_text(row.warranty_until_ms)))))
    return found


def _accidents(words: Words, row: Row) -> tuple[str, str]:
    """Of a car that has come from elsewhere nobody can say that it had none."""
    if row.accidents:
        key = "one" if row.accidents == 1 else "many"
        return "warn", words(f"cars.badge_accidents_{key}", count=row.accidents)
    kind, key = ("", "here") if covered_since(row) else ("good", "none")
    return kind, words(f"cars.badge_accidents_{key}")
