"""Codes within a struct: those a ruleset's table must know, and those that anybody can choose."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, TypeVar, assert_never

from node.ledger import kinds
from node.ledger.kinds import Kind, fields_of

T = TypeVar("T")
Find = Callable[[Any], Iterable[T]]


def _finder(kind: Kind, leaf: Callable[[Kind], Find[T] | None]) -> Find[T] | None:
    """What finds the leaves below a kind; None where there can be none."""
    match kind:
        case kinds.ListOf(item=item):
            find = _finder(item, leaf)
            return None if find is None else lambda values: [found for value in values for found in find(value)]
        case kinds.OptionOf(item=item):
            inner = _finder(item, leaf)
            return None if inner is None else lambda value: () if value is None else inner(value)
        case kinds.StructOf(struct=struct):
            finders = _finders(struct, leaf)
            return _of_struct(finders) if finders else None
        case kinds.UnionOf(structs=structs):
            by_struct = {struct: _of_struct(_finders(struct, leaf)) for struct in structs}
            return lambda value: by_struct[type(value)](value)
        case kinds.MoneyAmount() | kinds.Code() | kinds.CodeOf():
            return leaf(kind)
        case kinds.Boolean() | kinds.Integer() | kinds.Time() | kinds.Text() | kinds.Choice() | kinds.Address():
            return None
        case kinds.Bytes() | kinds.Plain():
            return None
        case _:
            assert_never(kind)


def _finders(struct: type[Any], leaf: Callable[[Kind], Find[T] | None]) -> tuple[tuple[str, Find[T]], ...]:
    found = ((field.name, _finder(field.kind, leaf)) for field in fields_of(struct))
    return tuple((name, find) for name, find in found if find is not None)


def _of_struct(finders: tuple[tuple[str, Find[T]], ...]) -> Find[T]:
    return lambda value: [found for name, find in finders for found in find(getattr(value, name))]


def _open_code(kind: Kind) -> Find[str] | None:
    return (lambda value: (value,)) if isinstance(kind, kinds.Code) else None


def _table_code(kind: Kind) -> Find[tuple[str, str]] | None:
    match kind:
        case kinds.CodeOf(table=table):
            return lambda value: ((table, value),) if value else ()
        case kinds.MoneyAmount():
            return lambda money: (("currencies", money.currency),)
        case _:
            return None


@cache
def _open_codes_of(struct: Any) -> Find[str]:
    return _of_struct(_finders(struct, _open_code))


@cache
def _table_codes_of(struct: Any) -> Find[tuple[str, str]] | None:
    finders = _finders(struct, _table_code)
    return _of_struct(finders) if finders else None


def open_codes(value: Any) -> Iterable[str]:
    """Every `Code` string within a struct."""
    return _open_codes_of(value.__class__)(value)


def table_codes(value: Any) -> Iterable[tuple[str, str]]:
    """(table, code) for every `CodeOf` within a struct, empty codes left out."""
    find = _table_codes_of(value.__class__)
    return () if find is None else find(value)
