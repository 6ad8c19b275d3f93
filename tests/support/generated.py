"""Hypothesis strategies for every field of every transaction type, from the same description the wallet uses."""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import Any, assert_never

from hypothesis import assume
from hypothesis import strategies as st

from node import limits
from node.errors import Malformed
from node.ledger import kinds
from node.ledger.body import TransactionBody, open_codes, vins_of
from node.ledger.fields import Day, Money
from node.ledger.kinds import Kind, fields_of, kind_of
from node.rules.personal_data import find_personal_data, has_card_in_vin
from node.txtypes.registry import TYPES

SHOWABLE_MS = 253_402_300_799_999
"""The last millisecond of the year 9999: RFC 3339 has no later times."""
UNBOUNDED_LIST = 3
DAY = kind_of(Day)


@cache
def of_kind(kind: Kind) -> st.SearchStrategy[Any]:
    """Values within everything that the type itself says; static rules and guards may still refuse them."""
    match kind:
        case kinds.Address():
            return st.binary(min_size=20, max_size=20)
        case kinds.Bytes(length=0, max_length=most):
            return st.sampled_from((0, most or 32)).flatmap(lambda n: st.binary(min_size=n, max_size=n))
        case kinds.Bytes(length=length):
            return st.binary(min_size=length, max_size=length)
        case kinds.Time():
            return st.integers(0, SHOWABLE_MS)
        case kinds.Integer(minimum=least, maximum=most):
            return st.integers(least or 0, most or 2**63)
        case kinds.Boolean():
            return st.booleans()
        case kinds.Text() if kind == DAY:
            return st.dates(min_value=date(1970, 1, 1)).map(str)
        case kinds.Text(pattern=pattern, max_length=longest) | kinds.Code(pattern=pattern, max_length=longest):
            texts = st.from_regex(pattern, fullmatch=True)
            return texts.filter(lambda text: longest is None or len(text) <= longest)
        case kinds.CodeOf(pattern=pattern):
            texts = st.from_regex(pattern, fullmatch=True)
            return texts.filter(lambda text: len(text) <= limits.CODE_LENGTH_MAX)
        case kinds.Choice(values=values):
            return st.sampled_from(values)
        case kinds.MoneyAmount():
            currency = st.from_regex(r"[A-Z]{3}", fullmatch=True)
            return st.builds(Money, st.integers(0, limits.MONEY_MAX), currency)
        case kinds.ListOf(item=item, max_length=longest):
            most = min(UNBOUNDED_LIST, longest or UNBOUNDED_LIST)
            return st.lists(of_kind(item), min_size=1, max_size=most).map(tuple)
        case kinds.OptionOf(item=item):
            return st.none() | of_kind(item)
        case kinds.StructOf(struct=struct):
            return of_struct(struct)
        case kinds.UnionOf(structs=structs):
            return st.one_of(*map(of_struct, structs))
        case kinds.Plain():
            raise AssertionError("only answers have plain fields")
        case _:
            assert_never(kind)


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
    assume(find_personal_data(open_codes(body)) is None)
    assume(not any(map(has_card_in_vin, vins_of(body))))
    return body
