"""What the cases about amendments and disputes begin with: records, and disputes as far as asked."""

from __future__ import annotations

from collections.abc import Callable

from node.ledger.body import TransactionBody
from node.txtypes.vehicle.vehicle import VEHICLE
from support.chain import address
from support.disputing import (
    amend,
    answered,
    decided,
    disputed,
    name_of,
    newest,
    passed,
    reading,
    serviced,
)
from support.life import VIN, Life, accident, register
from support.stages import change

WORKSHOP, HOLDER, INSPECTOR = "workshop-berlin", "dealer-munich", "inspector-1"
OTHER_VIN = "WBA8E9G50GNU12346"
WITNESS = address(INSPECTOR)


def service(value: int = 200) -> Callable[[Life], None]:
    return lambda life: kept(life, serviced(life, value))


def kept(life: Life, sequence: int) -> None:
    """The record that the case is about."""
    life.target = sequence  # type: ignore[attr-defined]


def amending(**changes: object) -> Callable[[Life], TransactionBody]:
    def body(life: Life) -> TransactionBody:
        replaced = life.replacement if hasattr(life, "replacement") else None
        return amend(life.chain, life.target, **dict(replaced_by=replaced) | changes)  # type: ignore[attr-defined]

    return body


def replaced_by(value: int, first: int = 200) -> Callable[[Life], None]:
    """A service, and the one that its author writes in its place."""

    def before(life: Life) -> None:
        kept(life, serviced(life, first))
        life.replacement = name_of(life.chain, serviced(life, value))  # type: ignore[attr-defined]

    return before


def lowered(life: Life) -> None:
    """A lower reading in the place of one that another author's has confirmed."""
    kept(life, serviced(life, 200))
    reading(life, INSPECTOR, 205)
    life.replacement = name_of(life.chain, serviced(life, 160))  # type: ignore[attr-defined]


def typed(life: Life) -> None:
    """A reading that no car can have driven to, between readings of others."""
    kept(life, serviced(life, 200_000))
    reading(life, INSPECTOR, 210)


def then(*steps: Callable[[Life], object]) -> Callable[[Life], None]:
    def before(life: Life) -> None:
        for step in steps:
            step(life)

    return before


def days(count: int) -> Callable[[Life], None]:
    return lambda life: passed(life, count)


def by_holder(life: Life) -> None:
    """The holder's own report: its reading is declared."""
    life.chain.do(HOLDER, accident(life.chain, 500))
    kept(life, newest(life.chain))


def amended(life: Life) -> None:
    life.chain.do(WORKSHOP, amend(life.chain, life.target, witness=WITNESS), INSPECTOR)  # type: ignore[attr-defined]


def of_amendment(life: Life) -> None:
    service()(life)
    amended(life)
    kept(life, newest(life.chain))


def opened(life: Life) -> None:
    service()(life)
    life.dispute = disputed(life, life.target)  # type: ignore[attr-defined]


def open_and_answered(life: Life) -> None:
    opened(life)
    answered(life, life.dispute)  # type: ignore[attr-defined]


def ended(outcome: str) -> Callable[[Life], None]:
    return then(open_and_answered, lambda life: decided(life, life.dispute, outcome))  # type: ignore[attr-defined]


def other_car(life: Life) -> None:
    life.chain.do("bmw", register(OTHER_VIN))


def elsewhere(life: Life) -> None:
    """The car that was served is another one; there the service has its own record."""
    other_car(life)
    service()(life)
    life.replacement = name_of(life.chain, serviced(life, 200, vin=OTHER_VIN), OTHER_VIN)  # type: ignore[attr-defined]
    life.replacement = name_of(life.chain, newest(life.chain, OTHER_VIN), OTHER_VIN)  # type: ignore[attr-defined]


def holder_inspects(life: Life) -> None:
    """The inspector holds the title."""
    service()(life)
    change(life.chain, VEHICLE, VIN, holder=address(INSPECTOR))
