"""`alert.close`: who settles an alert, what for, and what comes after."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace
from support.chain import START_MS, address
from support.damage import give_role
from support.disputing import answered, decided, disputed, newest
from support.foreign import TWO, part
from support.life import VIN, Life, register
from support.registering import accept, export, registered, view
from support.stages import Case, at, change, force, table

from node.txtypes.members.conduct import CONDUCT, NO_CONDUCT
from node.txtypes.vehicle.alerts import AlertClose
from node.txtypes.vehicle.regions import EXPORT_MS, UNREGISTERED, Alert, raise_alert
from node.txtypes.vehicle.vehicle import VEHICLE, open_alerts

POLICE, REGISTRAR, CODE = "police-1", "registrar-1", "part_elsewhere"


def close(state: str = "reported", count: int = 1, alert: str = CODE, reason: str = "settled") -> AlertClose:
    return AlertClose(VIN, alert, state, count, reason, bytes(32))  # type: ignore[arg-type]


def closing(*given: object, **changes: object) -> Callable[[Life], AlertClose]:
    return lambda life: close(*given, **changes)  # type: ignore[arg-type]


def alerted(life: Life, *, is_confirmed: bool = False) -> None:
    alerts = raise_alert((), CODE, address("workshop-berlin"), 0, START_MS, is_confirmed=is_confirmed)
    change(life.chain, VEHICLE, VIN, alerts=alerts)


def confirmed(life: Life) -> None:
    alerted(life, is_confirmed=True)


def then(*steps: Callable[[Life], object]) -> Callable[[Life], None]:
    def before(life: Life) -> None:
        for step in steps:
            step(life)

    return before


def in_country(country: str) -> Callable[[Life], None]:
    registration = replace(UNREGISTERED, status="registered", country=country)
    return lambda life: change(life.chain, VEHICLE, VIN, registration=registration)


def holds(name: str) -> Callable[[Life], None]:
    return lambda life: change(life.chain, VEHICLE, VIN, holder=address(name))


def on_hold(life: Life) -> None:
    force(life.chain, CONDUCT, address(POLICE), replace(NO_CONDUCT, hold_until_ms=life.chain.now + 1))


def ended(existence: str) -> Callable[[Life], None]:
    return lambda life: change(life.chain, VEHICLE, VIN, existence=existence)


@table(
    Case("by the police", "born", POLICE, closing(), before=alerted),
    Case("by a registrar", "born", REGISTRAR, closing(), before=alerted),
    Case("of the car's country", "born", REGISTRAR, closing(), before=then(alerted, in_country("DE"))),
    Case("of another country", "born", REGISTRAR, closing(), ("role_scope",), before=then(alerted, in_country("CN"))),
    Case("by the police of another country", "born", POLICE, closing(), before=then(alerted, in_country("CN"))),
    Case("by a registrar who is police too", "born", REGISTRAR, closing(),
         before=then(alerted, in_country("CN"), lambda life: give_role(life.chain, REGISTRAR, "police"))),
    Case("by the maker", "born", "bmw", closing(), ("role_missing", "not_independent"), before=alerted),
    Case("by who reported it", "born", "workshop-berlin", closing(), ("role_missing",), before=alerted),
    Case("by police that hold the car", "born", POLICE, closing(), ("not_independent",),
         before=then(alerted, holds(POLICE))),
    Case("a confirmed one", "born", POLICE, closing("confirmed"), before=confirmed),
    Case("confirmed meanwhile", "born", POLICE, closing(), ("alert_differs",), before=confirmed),
    Case("reported again meanwhile", "born", POLICE, closing(count=1), ("alert_differs",),
         before=then(alerted, lambda life: change(
             life.chain, VEHICLE, VIN, alerts=tuple(replace(a, count=2) for a in life.chain.state(VEHICLE, VIN).alerts)
         ))),
    Case("without an alert", "born", POLICE, closing(), ("alert_absent",)),
    Case("another alert", "born", POLICE, closing(alert="clone_vin"), ("alert_absent",), before=alerted),
    Case("closed before", "born", POLICE, closing(count=1), ("alert_absent",),
         before=then(alerted, lambda life: life.chain.do(REGISTRAR, close()))),
    Case("an unknown alert", "born", POLICE, closing(alert="odd"), ("code_unknown", "alert_absent"), before=alerted),
    Case("an unknown reason", "born", POLICE, closing(reason="odd"), ("code_unknown",), before=alerted),
    Case("of no car", "", POLICE, closing(), ("vehicle_unknown",)),
    Case("of a scrapped car", "born", POLICE, closing(), before=then(alerted, ended("scrapped"))),
    Case("of a voided one", "born", POLICE, closing(), before=then(alerted, ended("voided"))),
    Case("by an author on hold", "born", POLICE, closing(), ("author_on_hold",), before=then(alerted, on_hold)),
)  # fmt: skip
def test_closing_an_alert(case: Case) -> None:
    assert case.codes == case.run()


def the_alert(life: Life) -> Alert:
    [alert] = life.chain.state(VEHICLE, VIN).alerts
    return alert


@pytest.mark.parametrize(("before", "state"), [(alerted, "reported"), (confirmed, "confirmed")])
def test_a_closed_alert_stays_visible_and_names_the_record_that_closed_it(
    before: Callable[[Life], None], state: str
) -> None:
    life = at("born")
    before(life)
    changes = life.chain.state(VEHICLE, VIN).material_changes
    life.chain.do(POLICE, close(state))
    found = life.chain.state(VEHICLE, VIN)
    assert ("closed", 1, newest(life.chain)) == (the_alert(life).state, the_alert(life).count, the_alert(life).sequence)
    assert ([], changes) == (open_alerts(found), found.material_changes)


def test_what_is_reported_again_is_open_again() -> None:
    life = at("born")
    life.chain.do("bmw", register(TWO))
    for vin in (TWO, VIN):
        life.chain.do("workshop-berlin", part(life.chain, vin))
    life.chain.do(POLICE, close())
    life.chain.do("workshop-hamburg", part(life.chain, TWO, "remove"))
    life.chain.do("workshop-hamburg", part(life.chain, TWO))
    assert ("reported", 2) == (the_alert(life).state, the_alert(life).count)


@pytest.mark.parametrize(("before", "state"), [(alerted, "reported"), (confirmed, "confirmed")])
def test_an_annulled_closing_leaves_the_alert_as_it_was(before: Callable[[Life], None], state: str) -> None:
    life = at("wholesale")
    before(life)
    life.chain.do(POLICE, close(state))
    was = life.chain.state(VEHICLE, VIN).material_changes
    ident = disputed(life, newest(life.chain), "dealer-munich")
    answered(life, ident, POLICE)
    decided(life, ident, "annulled")
    assert state == the_alert(life).state
    assert was + (state == "confirmed") == life.chain.state(VEHICLE, VIN).material_changes


def test_who_accepts_a_car_confirms_its_export() -> None:
    life = at("born")
    registered(life)
    life.chain.do(REGISTRAR, export(life.chain))
    life.chain.now += EXPORT_MS
    assert ["reported"] == [alert.state for alert in view(life.chain).alerts]
    life.chain.do("registrar-2", accept(life.chain))
    assert ("export_unconfirmed", "closed", newest(life.chain)) == (
        the_alert(life).code, the_alert(life).state, the_alert(life).sequence
    )  # fmt: skip


def test_an_alert_of_time_is_closed_by_the_registrar_whose_car_it_was() -> None:
    life = at("born")
    registered(life)
    life.chain.do(REGISTRAR, export(life.chain))
    life.chain.now += EXPORT_MS
    life.chain.do(REGISTRAR, close(alert="export_unconfirmed", reason="explained"))
    assert ("closed", "exported") == (the_alert(life).state, life.chain.state(VEHICLE, VIN).registration.status)
