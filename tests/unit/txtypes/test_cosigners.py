"""Inspectors who sign another author's record: in the role that they have and had, for the cars that it covers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.chain import DAY_MS, address
from support.disputing import HOLDER, INSPECTOR, WORKSHOP, amend, name_of, serviced
from support.foreign import imported
from support.life import Life, km, where
from support.ordering import codes_of
from support.specimens import specimen
from support.stages import at, change

from node.txtypes.members.member import MEMBER, Grant

SECOND = "inspector-2"
Tried = Callable[[Life], list[str]]


def imports(life: Life) -> list[str]:
    return life.chain.unmet(life.chain.sign(HOLDER, imported(life.chain, inspector=SECOND), SECOND))


def inspects(life: Life) -> list[str]:
    body = specimen(
        "inspection.record", life.chain, second_inspector=address(SECOND), defects=(), valid_until_day=None,
        odometer=km(200), where=where("INS-1"), event_at_ms=life.chain.now - DAY_MS // 2,
    )  # fmt: skip
    return codes_of(life, INSPECTOR, body, HOLDER, SECOND)


def witnesses(life: Life) -> list[str]:
    high = serviced(life, 2_000)
    low = serviced(life, 700)
    body = amend(life.chain, high, replaced_by=name_of(life.chain, low), witness=address(SECOND))
    return codes_of(life, WORKSHOP, body, SECOND)


@pytest.mark.parametrize(
    ("stage", "tried", "wmi", "code"),
    [
        ("", imports, "JTD", "role_scope"),
        ("wholesale", inspects, "WBA", "role_scope"),
        ("wholesale", witnesses, "WBA", "witness_missing"),
    ],
)
def test_a_cosigner_signs_for_the_cars_of_its_role(stage: str, tried: Tried, wmi: str, code: str) -> None:
    life = at(stage)
    for scope, codes in (((wmi,), []), (("WAU",), [code])):
        change(life.chain, MEMBER, address(SECOND), grants=(Grant("inspector", scope, "", (), 0, 0, ()),))
        assert codes == tried(life)


def test_who_has_seen_a_car_had_the_role_then() -> None:
    life = at("wholesale")
    new = Grant("inspector", (), "", (), life.chain.now - 1_000, 0, ())
    change(life.chain, MEMBER, address(SECOND), grants=(new,))
    assert ["role_at_event"] == inspects(life)
