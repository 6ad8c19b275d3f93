"""Static rules: conditions over the fields of one struct that need no state, as data.

A transaction type or an action lists its rules in `static_rules`. Decoding checks them, and the published schema
(`node.rpc.schema`) contains them, so that a client can check a body before it signs it.
"""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from typing import Any, ClassVar

import msgspec

from node.errors import Malformed


class _Rule(msgspec.Struct, frozen=True):
    """Base of all rules. `name`: the rule's name in the published schema."""

    name: ClassVar[str]

    def document(self) -> dict[str, Any]:
        """The rule for the published schema: its name, its parameters, one sentence."""
        return {"rule": self.name, **msgspec.structs.asdict(self), "text": self.text}

    @property
    def text(self) -> str:
        raise AssertionError(f"{type(self).__name__} has no text")

    def check(self, value: Any) -> None:
        """Raises `Malformed`."""
        raise AssertionError(f"{type(self).__name__} checks nothing")


class Unique(_Rule, frozen=True):
    """No two entries of the list `field` are equal; with `by`, no two have the same value of that field."""

    field: str
    by: str = ""
    name: ClassVar[str] = "unique"

    @property
    def text(self) -> str:
        return f"{self.field}: no {self.by or 'entry'} occurs twice"

    def check(self, value: Any) -> None:
        entries = getattr(value, self.field)
        if len({getattr(entry, self.by) if self.by else entry for entry in entries}) != len(entries):
            raise Malformed(f"{self.field}: the same {self.by or 'entry'} occurs twice")


class Ascending(_Rule, frozen=True):
    """The entries of the list `field` ascend, so that none occurs twice."""

    field: str
    name: ClassVar[str] = "ascending"

    @property
    def text(self) -> str:
        return f"{self.field}: in ascending order, none twice"

    def check(self, value: Any) -> None:
        entries = getattr(value, self.field)
        for before, after in pairwise(entries):
            if after <= before:
                raise Malformed(f"{self.field}: {after} does not come after {before}")


class Lengths(_Rule, frozen=True):
    """The lengths of the byte strings `fields`, together, are one of the combinations `allowed`."""

    fields: tuple[str, ...]
    allowed: tuple[tuple[int, ...], ...]
    name: ClassVar[str] = "lengths"

    @property
    def text(self) -> str:
        choices = (" and ".join(f"{length} bytes" if length else "empty" for length in each) for each in self.allowed)
        return f"{' and '.join(self.fields)}: {', or '.join(choices)}"

    def check(self, value: Any) -> None:
        if tuple(len(getattr(value, field)) for field in self.fields) not in self.allowed:
            raise Malformed(self.text)


class AtMostCount(_Rule, frozen=True):
    """The integer `field` is at most the number of entries of the list `of`."""

    field: str
    of: str
    name: ClassVar[str] = "at_most_count"

    @property
    def text(self) -> str:
        return f"{self.field}: at most the number of {self.of}"

    def check(self, value: Any) -> None:
        given, count = getattr(value, self.field), len(getattr(value, self.of))
        if given > count:
            raise Malformed(f"{self.field}: {given} is more than the number of {self.of}, {count}")


class AmountAboveZero(_Rule, frozen=True):
    """The amount of the money `field` is above zero."""

    field: str
    name: ClassVar[str] = "amount_above_zero"

    @property
    def text(self) -> str:
        return f"{self.field}: an amount above zero"

    def check(self, value: Any) -> None:
        if getattr(value, self.field).amount == 0:
            raise Malformed(f"{self.field}: an amount above zero expected")


class CalendarDay(_Rule, frozen=True):
    """The text `field`, if there is one, is a day of the Gregorian calendar (ISO 8601), not before `first`."""

    field: str
    first: str = "0001-01-01"
    name: ClassVar[str] = "calendar_day"

    @property
    def text(self) -> str:
        return f"{self.field}: a day of the Gregorian calendar, not before {self.first}"

    def check(self, value: Any) -> None:
        day = getattr(value, self.field)
        if day is None:
            return
        try:
            date.fromisoformat(day)
        except ValueError:
            raise Malformed(f"{self.field}: {day} is no calendar day") from None
        if day < self.first:
            raise Malformed(f"{self.field}: {day} is before {self.first}")


StaticRule = Unique | Ascending | Lengths | AtMostCount | AmountAboveZero | CalendarDay


def hash_or_empty(field: str) -> Lengths:
    """The byte string `field` is a hash or a key of 32 bytes, or empty."""
    return Lengths((field,), ((32,), (0,)))


def rules_of(struct: type[Any]) -> tuple[StaticRule, ...]:
    """The static rules that a type or an action declares."""
    rules: tuple[StaticRule, ...] = getattr(struct, "static_rules", ())
    return rules


def check_rules(value: Any, path: str = "") -> None:
    """Check a body or an action by the rules of its struct. Raises `Malformed`; `path` is put before the field."""
    try:
        for rule in rules_of(type(value)):
            rule.check(value)
    except Malformed as error:
        raise Malformed(f"{path}{error}") from None
