"""The rulesets that this software can judge by."""

from __future__ import annotations

from typing import Final

from node.ledger.params import ChainParams
from node.ledger.ruleset import Ruleset, Severity, Verdict
from node.rules.damage import severity
from node.rules.odometer_verdict import judge
from node.rules.tables import Tables
from node.txtypes.registry import FAMILIES, TYPES
from node.txtypes.schema_document import schema_of


def build_ruleset(number: int, tables: Tables, severity: Severity, verdict: Verdict) -> Ruleset:
    """The ruleset with the types and the versions of values that the registry has for its number."""
    types = {tag: kind for tag, kind in TYPES.items() if kind.since <= number}
    versions = {name: version for name, family in FAMILIES.items() if (version := family.version_at(number))}
    return Ruleset(number, tables, types, schema_of(types), versions, severity, verdict)


RULESETS: Final[dict[int, Ruleset]] = {1: build_ruleset(1, Tables(), severity, judge)}
"""Number to ruleset."""


_INSTALL: Final = "which this software does not know: install a newer version and start again; the store is intact"


def unknown_rules(params: ChainParams, height: int) -> str:
    """Why this software cannot judge the block at `height`, where `params` are those before it; empty where it can."""
    number = params.ruleset_at(height)
    known = RULESETS.get(number)
    named = f"ruleset {number}"
    if number != params.ruleset:
        named += f" with hash {params.next_ruleset_hash.hex()}"
        known = known if known is not None and known.hash == params.next_ruleset_hash else None
    return "" if known is not None else f"from height {height} on the chain is judged by {named}, {_INSTALL}"


def unknown_ruleset(height: int, ruleset_hash: bytes) -> str:
    """Why this software cannot judge the block at `height`, whose header names `ruleset_hash`; empty where it can.

    A header counts only once its certificate is verified: before that, anybody can name any hash.
    """
    if any(ruleset.hash == ruleset_hash for ruleset in RULESETS.values()):
        return ""
    return f"at height {height} the chain is judged by a ruleset with hash {ruleset_hash.hex()}, {_INSTALL}"
