"""Hypothesis strategies for every field of every transaction type, from the same description the wallet uses."""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st
from node.txtypes.schema import code_strings

from node import limits
from node.errors import Malformed
from node.ledger.body import TransactionBody
from node.ledger.fields import Money
from node.ledger.kinds import Kind, fields_of
from node.rules.card_numbers import find_card_number
from node.txtypes.registry import TYPES

SHOWABLE_MS = 253_402_300_799_999
"""The last millisecond of the year 9999: RFC 3339 has no later times."""
UNBOUNDED_LIST = 3


@cache
def of_kind(kind: Kind) -> st.SearchStrategy[Any]:
    """Values within everything that the type itself says; static rules may still refuse them."""
    match kind.name:
        case "address":
            return st.binary(min_size=20, max_size=20)
        case "bytes" if kind.length:
            return st.binary(min_size=kind.length, max_size=kind.length)
        case "bytes":
            return st.sampled_from((0, kind.max_length or 32)).flatmap(lambda n: st.binary(min_size=n, max_size=n))
        case "time":
            return st.integers(0, SHOWABLE_MS)
        case "int":
            return st.integers(kind.minimum or 0, kind.maximum or 2**63)
        case "bool":
            return st.booleans()
        case "str" if kind.description.startswith("calendar day"):
            return st.dates(min_value=date(1970, 1, 1)).map(str)
        case "str":
            texts = st.from_regex(kind.pattern, fullmatch=True)
            return texts.filter(lambda text: kind.max_length is None or len(text) <= kind.max_length)
        case "enum":
            return st.sampled_from(kind.choices)
        case "money":
            currency = st.from_regex(r"[A-Z]{3}", fullmatch=True)
            return st.builds(Money, st.integers(0, limits.MONEY_MAX), currency)
        case "list":
            assert kind.item is not None
            most = min(UNBOUNDED_LIST, kind.max_length or UNBOUNDED_LIST)
            return st.lists(of_kind(kind.item), min_size=1, max_size=most).map(tuple)
        case "optional":
            assert kind.item is not None
            return st.none() | of_kind(kind.item)
        case "struct":
            return of_struct(kind.struct)
        case "union":
            return st.one_of(*(of_struct(item.struct) for item in kind.items))
    raise AssertionError(f"no strategy for {kind.name}")


@cache
def of_struct(struct: Any) -> st.SearchStrategy[Any]:
    return st.builds(struct, **{field.name: of_kind(field.kind) for field in fields_of(struct)})


@st.composite
def bodies(draw: Any, name: str) -> TransactionBody:
    """Bodies of one type that its static rule takes."""
    body = draw(of_struct(TYPES[name]))
    try:
        body.check_static()
    except Malformed:
        assume(False)
    assume(find_card_number(" ".join(code_strings(body))) < 0)
    return body
