"""The content of a record as names and values: every field of its type that has a name in the catalogue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from node.ledger import kinds
from node.ledger.kinds import fields_of
from node.rules.texts.tables import TEXTS
from node.txtypes.registry import TYPES
from web.car.people import People
from web.words import CATALOGUE, Words

PER_MILLE: Final = ("soh", "share_per_mille", "rate_permille", "share_max_permille")
_UNITS: Final = {"months": "car.months", "distance_km": "car.kilometres", "capacity_wh": "car.watt_hours"}


class Contents:
    """Draws contents in one language. `unit`: of the car's odometer."""

    def __init__(self, words: Words, people: People, unit: str) -> None:
        self._words, self._people, self._unit = words, people, unit

    def facts(self, record: Mapping[str, Any]) -> list[tuple[str, str]]:
        """(name, value) of the fields of a record that say something, in the order of the type."""
        content, type_ = record.get("content"), TYPES.get(str(record.get("kind")))
        if not isinstance(content, dict) or type_ is None:
            return []
        return [
            (self._words(f"records.field_{field.json_name}"), text)
            for field in fields_of(type_)
            if f"records.field_{field.json_name}" in CATALOGUE
            and (text := self.value(field.kind, content.get(field.json_name), field.json_name))
        ]

    def value(self, kind: kinds.Kind, value: Any, name: str = "") -> str:
        """A value in words; empty where it says nothing."""
        words = self._words
        if value in (None, "", [], 0, False):
            return words("car.no") if value is False and name in ("drivable", "is_transferable") else ""
        match kind:
            case kinds.OptionOf(item):
                return self.value(item, value, name)
            case kinds.ListOf(item):
                return words.several(text for each in value if (text := self.value(item, each, name)))
            case kinds.CodeOf(table):
                return words.of(TEXTS[table], value) if table in TEXTS else str(value)
            case kinds.Choice():
                return choice(words, value)
            case kinds.Time():
                return words.day(value)
            case kinds.MoneyAmount():
                return words.money(value)
            case kinds.Address():
                return self._people.name(value)
            case kinds.Boolean():
                return words("car.yes")
            case kinds.Integer():
                return self._number(value, name)
            case kinds.StructOf(struct):
                return self._struct(struct, value)
            case kinds.Bytes() | kinds.UnionOf() | kinds.Plain():
                return ""
        return words.day(value) if name.endswith(("_on", "_day")) else str(value)

    def _number(self, value: int, name: str) -> str:
        if name in PER_MILLE:
            return f"{self._words.number(value / 10)} %"
        text = self._words.number(value)
        return self._words(_UNITS[name], number=text) if name in _UNITS else text

    def _struct(self, struct: Any, value: Mapping[str, Any]) -> str:
        if set(value) == {"sequence", "digest"}:
            return self._words("car.record", number=value["sequence"])
        if {"value", "unit", "source"} <= set(value):
            return self.reading(value)
        if set(value) == {"odometer", "at"}:
            return self._words.several(self._due(value))
        return " · ".join(filter(None, (
            self.value(field.kind, value.get(field.json_name), field.json_name)
            for field in fields_of(struct) if field.json_name not in ("vin_source", "model_seen", "holder_signs")
        )))  # fmt: skip

    def _due(self, value: Mapping[str, Any]) -> Iterator[str]:
        if value["odometer"]:
            yield f"{self._words.number(value['odometer'])} {self._unit}"
        if value["at"]:
            yield self._words.day(value["at"])

    def reading(self, odometer: Mapping[str, Any]) -> str:
        """What was read, where from, and what other instruments showed."""
        words, unit = self._words, odometer["unit"]
        parts = [f"{words.number(odometer['value'])} {unit}", words.of(TEXTS["odometer_sources"], odometer["source"])]
        parts += [
            f"{words.of(TEXTS['odometer_sources'], other['source'])}: {words.number(other['value'])} {unit}"
            for other in odometer.get("others", ()) if other["value"] != odometer["value"]
        ]  # fmt: skip
        if odometer.get("tamper_sign"):
            parts.append(words("car.tamper_sign"))
        return " · ".join(parts)


def choice(words: Words, value: str) -> str:
    """One of a field's fixed values in words."""
    key = f"records.choice_{value}"
    return words(key) if key in CATALOGUE else str(value).replace("_", " ")
