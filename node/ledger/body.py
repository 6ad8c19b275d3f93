"""The base of every transaction body: a type is one such class, one line in `registry` and one specimen.

With it: codes within a struct, and the transition tables that say in which status of a thing a type may act.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, ClassVar, Final, Generic, Protocol, TypeVar, assert_never

from node.codec import Value
from node.ledger import kinds
from node.ledger.example import Example
from node.ledger.guards import CODE_UNKNOWN
from node.ledger.kinds import Kind, fields_of
from node.ledger.overlay import Ledger
from node.ledger.static_rules import StaticRule, check_rules
from node.rules.vin import VIN_PATTERN

S = TypeVar("S", bound=str)
T = TypeVar("T")
Find = Callable[[Any, list[T]], None]
"""Adds what is looked for in a value to a list."""
TAG: Final = re.compile(r"[a-z_]{1,40}\.[a-z_]{1,40}")
"""The form of a type name."""


class Permission(Protocol):
    """The permitted senders of a type: a guard, and the text that documents it."""

    @property
    def text(self) -> str: ...

    def check(self, ledger: Ledger, body: Any) -> None:
        """Note a guard unless the sender may."""
        ...


class TransactionBody(Value, frozen=True):
    """Fields, static rule, guards, effect. `guards` notes every condition that is not met and changes nothing; `apply`
    runs only when all guards are met and may assume so. `weight` is the type's share of `block_weight_max`; 100 is one
    ordinary record; where work grows with the body, `weight_each` adds to it for each entry of a list. `by`: the
    permitted senders; `EXAMPLE`: a valid specimen; `headline`: the fields that a timeline shows; `static_rules`:
    conditions over the fields alone; `reports_event`: whether its record reports an event and can be late;
    `is_charged`: whether its payers' quotas are charged. The type is active from ruleset `since` on."""

    since: ClassVar[int] = 1
    weight: ClassVar[int] = 100
    weight_each: ClassVar[Mapping[str, int]] = {}
    """Field to what each of its entries adds."""
    is_charged: ClassVar[bool] = True
    headline: ClassVar[tuple[str, ...]] = ()
    reports_event: ClassVar[bool] = True
    by: ClassVar[Permission | None] = None
    static_rules: ClassVar[tuple[StaticRule, ...]] = ()
    EXAMPLE: ClassVar[Example]

    def check_static(self) -> None:
        """Check the rules that need no state. Raises `Malformed`."""
        check_rules(self)

    def signers(self, ledger: Ledger) -> tuple[bytes, ...]:
        """Addresses of existing accounts that must sign besides the sender."""
        return ()

    def weigh(self) -> int:
        """Its share of `block_weight_max` and of its payers' quotas, without its bytes."""
        if not self.weight_each:
            return self.weight
        return self.weight + sum(each * len(getattr(self, name)) for name, each in self.weight_each.items())

    def new_account_keys(self) -> tuple[bytes, ...]:
        """Keys that must sign for an account that this transaction opens."""
        return ()

    def guards(self, ledger: Ledger) -> None:
        raise AssertionError(f"{type(self).__name__} has no guards")

    def apply(self, ledger: Ledger) -> None:
        raise AssertionError(f"{type(self).__name__} has no effect")


class UnknownBody(TransactionBody, frozen=True):
    """The body of a type that this software has no class for. No ruleset it knows has such a type active."""

    tag: str


def type_of(body: TransactionBody) -> str:
    """The type name, e.g. `vehicle.register`."""
    return body.tag if isinstance(body, UnknownBody) else _tag_of(type(body))


@cache
def _tag_of(kind: type[TransactionBody]) -> str:
    return str(kind.__struct_config__.tag)


def judge_body(ledger: Ledger, body: TransactionBody) -> None:
    """Note every guard of the type that is not met: codes, permission, its own."""
    check_codes(ledger, body)
    if body.by is not None:
        body.by.check(ledger, body)
    body.guards(ledger)


# --- codes within a struct --------------------------------------------------------------------------------
def check_codes(ledger: Ledger, value: Value) -> None:
    """Note every code that its table in the ruleset in force does not have."""
    codes = ledger.rules.codes
    for table, code in table_codes(value):
        if code not in codes[table]:
            ledger.unmet(CODE_UNKNOWN, table, code)


def open_codes(value: Any) -> list[str]:
    """Every `Code` string within a struct."""
    return _found(value, _open_code)


def vins_of(value: Any) -> list[str]:
    """Every VIN within a struct."""
    return _found(value, _vin)


def table_codes(value: Any) -> list[tuple[str, str]]:
    """(table, code) for every `CodeOf` within a struct, empty codes left out."""
    return _found(value, _table_code)


def _found(value: Any, leaf: Callable[[Kind], Find[T] | None]) -> list[T]:
    found: list[T] = []
    _finder_of(value.__class__, leaf)(value, found)
    return found


def _finder(kind: Kind, leaf: Callable[[Kind], Find[T] | None]) -> Find[T] | None:
    """A function that adds the leaves below a kind to a list; None where there can be none."""
    match kind:
        case kinds.ListOf(item=item):
            return _of_each(_finder(item, leaf))
        case kinds.OptionOf(item=item):
            inner = _finder(item, leaf)
            return None if inner is None else lambda value, found: None if value is None else inner(value, found)
        case kinds.StructOf(struct=struct):
            return _struct_finder(struct, leaf)
        case kinds.UnionOf(structs=structs):
            by_struct = {struct: _struct_finder(struct, leaf) or _no_leaves for struct in structs}
            return lambda value, found: by_struct[type(value)](value, found)
        case kinds.MoneyAmount() | kinds.Code() | kinds.CodeOf() | kinds.Text():
            return leaf(kind)
        case kinds.Boolean() | kinds.Integer() | kinds.Time() | kinds.Choice() | kinds.Address():
            return None
        case kinds.Bytes() | kinds.Plain():
            return None
        case _:
            assert_never(kind)


def _of_each(find: Find[T] | None) -> Find[T] | None:
    if find is None:
        return None

    def find_in_each(values: Any, found: list[T]) -> None:
        for value in values:
            find(value, found)

    return find_in_each


def _struct_finder(struct: type[Any], leaf: Callable[[Kind], Find[T] | None]) -> Find[T] | None:
    finders = [(field.name, find) for field in fields_of(struct) if (find := _finder(field.kind, leaf)) is not None]

    def find_in_fields(value: Any, found: list[T]) -> None:
        for name, find in finders:
            find(getattr(value, name), found)

    return find_in_fields if finders else None


def _no_leaves(value: Any, found: list[Any]) -> None:
    """A struct without leaves."""


def _itself(value: Any, found: list[Any]) -> None:
    found.append(value)


def _open_code(kind: Kind) -> Find[str] | None:
    return _itself if isinstance(kind, kinds.Code) else None


def _vin(kind: Kind) -> Find[str] | None:
    return _itself if isinstance(kind, kinds.Text) and kind.pattern == VIN_PATTERN else None


def _table_code(kind: Kind) -> Find[tuple[str, str]] | None:
    match kind:
        case kinds.CodeOf(table=table):
            return lambda value, found: found.append((table, value)) if value else None
        case kinds.MoneyAmount():
            return lambda money, found: found.append(("currencies", money.currency))
    return None


@cache
def _finder_of(struct: Any, leaf: Callable[[Kind], Find[T] | None]) -> Find[T]:
    return _struct_finder(struct, leaf) or _no_leaves


# --- transition tables ------------------------------------------------------------------------------------
class Transitions(Generic[S]):
    """Status to transaction type to following status. A status without types is final."""

    def __init__(self, steps: Mapping[S, Mapping[str, S]]) -> None:
        self.steps = steps
        assert all(after in steps for step in steps.values() for after in step.values()), "every status has a row"

    def before(self, tag: str) -> tuple[S, ...]:
        """The statuses in which a type may act."""
        return tuple(status for status, step in self.steps.items() if tag in step)

    def after(self, status: S, tag: str) -> S:
        """The status that follows."""
        return self.steps[status][tag]
