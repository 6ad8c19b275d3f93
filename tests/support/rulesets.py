"""A ruleset 2 of newer software: one more zone, another severity."""

from __future__ import annotations

from typing import Any

from node.ledger.ruleset import Ruleset
from node.rules.tables import Tables
from node.rules.verdict import judge
from node.txtypes.rulesets import RULESETS, build_ruleset

NEW_ZONE = "nose"


def always_total(*_: object) -> str:
    """A severity that ruleset 1 does not compute for a scratch."""
    return "total_candidate"


def newer() -> Ruleset:
    tables = Tables()
    return build_ruleset(2, tables._replace(zones=tables.zones | {NEW_ZONE}), always_total, judge)


def learn(monkeypatch: Any) -> Ruleset:
    """This software knows ruleset 2 for the rest of the test."""
    ruleset = newer()
    monkeypatch.setitem(RULESETS, 2, ruleset)
    return ruleset
