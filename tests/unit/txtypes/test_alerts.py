"""How an alert is raised, confirmed, counted and closed, and who confirms it."""

from __future__ import annotations

from itertools import product

import pytest
from support.chain import START_MS, address
from support.foreign import TWO, outcome_of, part, seen
from support.life import VIN, register
from support.stages import at, change, ledger_of

from node.rules.alerts import ALERTS
from node.txtypes.members.member import MEMBER
from node.txtypes.vehicle.alerts import alerted, close_alert, find_alert, raise_alert
from node.txtypes.vehicle.regions import ALERTS_MAX
from node.txtypes.vehicle.vehicle import VEHICLE, open_alerts

ONE, OTHER = address("workshop-berlin"), address("workshop-hamburg")
CLONE = "clone_vin"


def raised(*authors: bytes, confirmed: tuple[bool, ...] = ()):
    alerts = ()
    for n, author in enumerate(authors):
        is_confirmed = n < len(confirmed) and confirmed[n]
        alerts = raise_alert(alerts, CLONE, author, n, START_MS + n, is_confirmed=is_confirmed)
    return alerts


def test_a_first_report() -> None:
    [alert] = raised(ONE)
    assert (CLONE, "reported", 1, 0, ONE) == (alert.code, alert.state, alert.count, alert.sequence, alert.author)


def test_the_same_code_counts_up_and_names_the_record_that_changed_its_state() -> None:
    [alert] = raised(ONE, OTHER, ONE, confirmed=(False, True))
    assert ("confirmed", 3, 1, ONE) == (alert.state, alert.count, alert.sequence, alert.author)
    assert (START_MS, START_MS + 2) == (alert.first_ms, alert.last_ms)


STEPS = {
    ("", False): "reported", ("", True): "confirmed",
    ("reported", False): "reported", ("reported", True): "confirmed",
    ("confirmed", False): "confirmed", ("confirmed", True): "confirmed",
    ("closed", False): "reported", ("closed", True): "confirmed",
}  # fmt: skip


@pytest.mark.parametrize(("before", "is_confirmed"), STEPS)
def test_every_transition(before: str, is_confirmed: bool) -> None:
    alerts = () if not before else raised(ONE, confirmed=(before == "confirmed",))
    alerts = close_alert(alerts, CLONE) if before == "closed" else alerts
    after = raise_alert(alerts, CLONE, OTHER, 9, START_MS, is_confirmed=is_confirmed)
    assert STEPS[before, is_confirmed] == after[0].state
    assert (2 if before else 1) == after[0].count


def test_a_closed_alert_that_is_reported_again_is_as_new() -> None:
    again = raise_alert(close_alert(raised(ONE, OTHER, confirmed=(True,)), CLONE), CLONE, OTHER, 7, START_MS + 9)
    assert ("reported", 3, 7, OTHER, START_MS) == (
        again[0].state, again[0].count, again[0].sequence, again[0].author, again[0].first_ms,
    )  # fmt: skip


def test_closing_what_is_not_there_changes_nothing() -> None:
    alerts = raised(ONE)
    assert alerts == close_alert(alerts, "part_elsewhere")


def test_there_is_one_entry_a_code_and_room_for_all() -> None:
    alerts = ()
    for code, author in product(ALERTS, (ONE, OTHER)):
        alerts = raise_alert(alerts, code, author, 1, START_MS)
    assert sorted(ALERTS) == [alert.code for alert in alerts]
    assert len(alerts) <= ALERTS_MAX


# --- who confirms ---------------------------------------------------------------------------------------------
def report(chain, sender: str, *codes: str, **changes):
    ledger = ledger_of(chain, address(sender))
    effect = alerted(ledger, VIN, chain.state(VEHICLE, VIN), codes or (CLONE,), **changes)
    return find_alert(effect.vehicle.alerts, (codes or (CLONE,))[0]).state, effect.is_material


def with_alert(author: bytes = ONE):
    chain = at("born").chain
    change(chain, VEHICLE, VIN, alerts=raised(author))
    return chain


def test_one_author_alone_is_not_material() -> None:
    chain = at("born").chain
    assert ("reported", False) == report(chain, "workshop-berlin")
    assert ("reported", False) == report(with_alert(), "workshop-berlin")
    assert ("reported", False) == report(chain, "inspector-1")


def test_a_second_author_confirms_unless_related() -> None:
    chain = with_alert()
    assert ("confirmed", True) == report(chain, "workshop-hamburg")
    for name in ("workshop-berlin", "workshop-hamburg"):
        change(chain, MEMBER, address(name), group="chain-of-workshops")
    assert ("reported", False) == report(chain, "workshop-hamburg")


@pytest.mark.parametrize("sender", ["police-1", "registrar-1"])
def test_authorities_confirm_alone(sender: str) -> None:
    assert ("confirmed", True) == report(at("born").chain, sender)


def test_an_inspector_confirms_where_the_car_was_presented() -> None:
    chain = at("born").chain
    assert ("confirmed", True) == report(chain, "inspector-1", is_presented=True)
    assert ("reported", False) == report(chain, "workshop-berlin", is_presented=True)


def test_what_is_confirmed_already_is_not_material_again() -> None:
    chain = at("born").chain
    change(chain, VEHICLE, VIN, alerts=raised(ONE, confirmed=(True,)))
    assert ("confirmed", False) == report(chain, "police-1")


def test_a_code_that_the_table_has_confirmed_is_so_at_once() -> None:
    assert ("confirmed", True) == report(at("born").chain, "workshop-berlin", "late_disclosure")


# --- on the chain ----------------------------------------------------------------------------------------------
def test_a_confirmed_alert_changes_the_material_root_and_a_reported_one_does_not() -> None:
    chain = at("born").chain
    chain.do("bmw", register(TWO))
    chain.do("workshop-berlin", part(chain))
    chain.do("workshop-berlin", part(chain, TWO))
    before = [chain.state(VEHICLE, vin).material_changes for vin in (VIN, TWO)]
    assert [0, 0] == before
    chain.do("workshop-hamburg", part(chain, VIN, "remove"))
    chain.do("workshop-hamburg", part(chain, VIN, "fit"))
    assert [1, 1] == [chain.state(VEHICLE, vin).material_changes for vin in (VIN, TWO)]
    assert ["part_elsewhere"] == open_alerts(chain.state(VEHICLE, TWO))
    assert ["alert:part_elsewhere"] == outcome_of(chain, TWO)


def test_repeating_oneself_fills_no_history() -> None:
    """On the car that a report is not about, the alert counts up without a record."""
    chain = at("born").chain
    change(chain, VEHICLE, VIN, existence="scrapped")
    counts = []
    for _ in range(3):
        chain.do("workshop-berlin", seen(chain))
        counts.append(chain.state(VEHICLE, VIN).record_count)
    [alert] = chain.state(VEHICLE, VIN).alerts
    assert (3, [2, 2, 2], 1) == (alert.count, counts, alert.sequence)
