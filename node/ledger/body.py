"""The base of every transaction body. A type is one such class, one line in `registry` and one specimen."""

from __future__ import annotations

import re
from typing import Any, ClassVar, Final, Protocol

from node.codec import Value
from node.ledger.codes import table_codes
from node.ledger.example import Example
from node.ledger.guards import CODE_UNKNOWN
from node.ledger.overlay import Ledger


class Permission(Protocol):
    """Who may send a type: a guard and its documentation in one."""

    def check(self, ledger: Ledger, body: Any) -> None:
        """Note a guard unless the sender may."""
        ...

    def text(self) -> str: ...


class TransactionBody(Value, frozen=True):
    """Fields, static rule, guards, effect.

    `guards` notes every condition that is not met and changes nothing; `apply` runs only when all guards are met and
    may assume so. `weight` is the type's share of `block_weight_max`; 100 is one ordinary record. `by` says who may
    send it, `EXAMPLE` is a valid specimen; `headline` names the fields that a timeline shows. The type is active from
    ruleset `since` on.
    """

    since: ClassVar[int] = 1
    weight: ClassVar[int] = 100
    headline: ClassVar[tuple[str, ...]] = ()
    by: ClassVar[Permission | None] = None
    EXAMPLE: ClassVar[Example]

    def check_static(self) -> None:
        """Rules that need no state. Raises `Malformed`."""

    def signers(self, ledger: Ledger) -> tuple[bytes, ...]:
        """Addresses of existing accounts that must sign besides the sender."""
        return ()

    def new_account_keys(self) -> tuple[bytes, ...]:
        """Keys that must sign for an account that this transaction opens."""
        return ()

    def guards(self, ledger: Ledger) -> None:
        raise AssertionError(f"{type(self).__name__} has no guards")

    def apply(self, ledger: Ledger) -> None:
        raise AssertionError(f"{type(self).__name__} has no effect")


def type_of(body: TransactionBody) -> str:
    """The type name, e.g. `vehicle.register`."""
    return body.tag if isinstance(body, UnknownBody) else str(type(body).__struct_config__.tag)


def judge_body(ledger: Ledger, body: TransactionBody) -> None:
    """Note every guard of the type that is not met: its codes, who may send it, its own."""
    check_codes(ledger, body)
    if body.by is not None:
        body.by.check(ledger, body)
    body.guards(ledger)


def check_codes(ledger: Ledger, value: Value) -> None:
    """Note every code of a table that the ruleset in force does not have."""
    for table, code in table_codes(value):
        if code not in ledger.rules.codes[table]:
            ledger.unmet(CODE_UNKNOWN, table, code)


TAG: Final = re.compile(r"[a-z_]{1,40}\.[a-z_]{1,40}")
"""The form of a type's name."""


class UnknownBody(TransactionBody, frozen=True):
    """The body of a type that this software has no class for. No ruleset it knows has such a type active."""

    tag: str
