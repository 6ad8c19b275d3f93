"""A ruleset: everything about judging transactions that may change at a height, as one value.

The state (`chain/params`) names the ruleset in force by its number, so one ruleset judges all transactions of a block.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from node.codec import Value, encode
from node.crypto.hashing import tagged
from node.rules.tables import Tables
from node.rules.verdict import Judgement, Series

Severity = Callable[[str, int, int, bool, bool], str]
"""(worst damage class, zones, airbags, high-voltage battery hit, drivable) to one of `damage.SEVERITIES`."""
Verdict = Callable[[Series], Judgement]
"""The readings of a car to the verdict over them."""


@dataclass(frozen=True, eq=False)
class Ruleset:
    """`types`: the active transaction types by tag; `schema`: their canonical schema document, weights included.
    `value_versions`: the version in which each state family is written."""

    number: int
    tables: Tables
    types: Mapping[str, type[Value]]
    schema: object
    value_versions: Mapping[str, int]
    severity: Severity
    verdict: Verdict

    @cached_property
    def classes(self) -> frozenset[type[Value]]:
        """The classes of the active types."""
        return frozenset(self.types.values())

    @cached_property
    def codes(self) -> dict[str, frozenset[str]]:
        """The codes of each table, for the fields (`CodeOf`) that name it."""
        tables = self.tables._asdict().items()
        return {name: frozenset(table) for name, table in tables if not isinstance(table, int | str)}

    @cached_property
    def hash(self) -> bytes:
        """32 bytes: `H("bmw/ruleset", encode([number, tables, types, schema, value versions]))`. Functions are not
        covered: a change of their meaning needs a new number."""
        versions = [[name, self.value_versions[name]] for name in sorted(self.value_versions)]
        covered = [self.number, self.tables.canonical(), sorted(self.types), self.schema, versions]
        return tagged("bmw/ruleset", encode(covered))
