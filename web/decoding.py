"""Transactions in words: what a type, its fields and their values mean, by the declarations of the types."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from node.ledger import kinds
from node.ledger.kinds import fields_of, tag_of
from node.txtypes.registry import TYPES
from wallet.paper.kinds import KINDS
from wallet.paper.records import capital
from web.opening_hours import in_words
from web.party import Parties
from web.words import CATALOGUE, Words

_AMOUNTS: Final = ("amount", "cancel_fee", "trade_in_max", "commission_fixed", "deduction", "price")
"""Integers that are minor units of the currency that the body names elsewhere."""
_DEGREES: Final = ("latitude_e6", "longitude_e6")
_LINKED: Final = (
    "payment", "dispute", "case", "claim", "warranty", "mandate", "listing", "proposal", "entry", "inspection",
)  # fmt: skip
"""Fields of 32 bytes that are ids, which are those of the transactions that created what they name."""
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
DAY_MS: Final = 86_400_000


class Line(NamedTuple):
    """A field: its name and value in words, or `lines` of a struct or a list. `href`: where the value leads."""

    name: str
    text: str = ""
    href: str = ""
    is_mono: bool = False
    lines: tuple[Line, ...] = ()


def kind_name(words: Words, code: str) -> str:
    """A transaction type in words; a type of a newer ruleset as its code."""
    return capital(getattr(KINDS[code], words.tag)) if code in KINDS else code


def value_name(words: Words, code: str) -> str:
    """One of a field's choices, or a status, in words; one without a text as its code."""
    return words(f"values.{code}") if f"values.{code}" in CATALOGUE else code.replace("_", " ")


def family_name(words: Words, family: str) -> str:
    """A family of state values in words."""
    return words(f"families.{family}") if f"families.{family}" in CATALOGUE else family


def field_name(words: Words, name: str) -> str:
    key = f"fields.{name}"
    return capital(words(key)) if key in CATALOGUE else name.replace("_", " ")


def decoded(body: Mapping[str, Any], words: Words, parties: Parties, link: Any) -> tuple[Line, ...]:
    """The fields of a body that say something, in their order. `link`: a path to an address."""
    kind = TYPES.get(body["type"])
    if kind is None:
        return tuple(Line(name, str(value)) for name, value in body.items() if name != "type")
    return _Decoding(words, parties, link, _currency(body)).struct(kind, body)


def _currency(value: Any) -> str:
    """The currency of the first amount of money, with which a body's plain amounts are meant."""
    match value:
        case {"currency": str(currency)}:
            return currency
        case Mapping():
            return next(filter(None, map(_currency, value.values())), "")
        case [*items]:
            return next(filter(None, map(_currency, items)), "")
        case _:
            return ""


class _Decoding:
    def __init__(self, words: Words, parties: Parties, link: Any, currency: str) -> None:
        self._words, self._parties, self._link, self._currency = words, parties, link, currency

    def struct(self, kind: Any, given: Mapping[str, Any]) -> tuple[Line, ...]:
        return tuple(
            self._line(field_name(self._words, field.json_name), field.json_name, field.kind, given[field.json_name])
            for field in fields_of(kind)
            if given.get(field.json_name) not in (None, "", [], {})
        )

    def _line(self, name: str, field: str, kind: kinds.Kind, value: Any) -> Line:
        words = self._words
        match kind:
            case kinds.OptionOf(item):
                return self._line(name, field, item, value)
            case kinds.ListOf(item):
                return self._list(name, field, item, value)
            case kinds.StructOf(struct):
                return Line(name, lines=self.struct(struct, value))
            case kinds.UnionOf(structs):
                struct = next((each for each in structs if tag_of(each) == value.get("type")), None)
                told = value_name(words, str(value.get("type", "")))
                return Line(name, told, lines=() if struct is None else self.struct(struct, value))
            case kinds.Boolean():
                return Line(name, value_name(words, "yes" if value else "no"))
            case kinds.Integer():
                return Line(name, self._integer(field, value))
            case kinds.Time():
                return Line(name, words.day(value) if _DAY.fullmatch(str(value)) else words.time(value))
            case kinds.CodeOf(table=table):
                return Line(name, words.code(table, value))
            case kinds.Choice():
                return Line(name, value_name(words, value))
            case kinds.MoneyAmount():
                return Line(name, words.money(value))
            case kinds.Address():
                party = self._parties(value)
                return Line(name, party.text, party.href)
            case kinds.Bytes():
                return Line(name, str(value), self._of_id(field, str(value)), is_mono=True)
            case _:
                return self._text(name, field, str(value))

    def _list(self, name: str, field: str, item: kinds.Kind, values: Sequence[Any]) -> Line:
        lines = tuple(self._line(f"{place}", field, item, value) for place, value in enumerate(values, 1))
        if any(line.href or line.lines or line.is_mono for line in lines):
            return Line(name, lines=lines)
        return Line(name, ("、" if self._words.tag == "zh" else ", ").join(line.text for line in lines))

    def _integer(self, field: str, value: int) -> str:
        words = self._words
        if field in _AMOUNTS:
            if self._currency:
                return words.money({"amount": value, "currency": self._currency})
            return words("transaction.minor_units", amount=words.number(value))
        if field in _DEGREES:
            return words.number(value / 1_000_000)
        if field.endswith("_ms"):
            return words.ago(value / 1000) if value else words("transaction.at_once")
        return str(value) if field == "produced_year" else words.number(value)

    def _text(self, name: str, field: str, value: str) -> Line:
        match field:
            case "vin" | "vins" | "donor":
                return Line(name, value, self._link(f"/car/{value}"), is_mono=True)
            case "services":
                return Line(name, self._words.code("services", value))
            case "capabilities":
                return Line(name, value_name(self._words, value))
            case "opening_hours":
                return Line(name, "; ".join(f"{days} {hours}" for days, hours in in_words(self._words, value)))
            case _:
                return Line(name, value)

    def _of_id(self, field: str, value: str) -> str:
        if field == "order":
            return str(self._link(f"/order/{value}"))
        return str(self._link(f"/tx/{value}")) if field in _LINKED else ""
