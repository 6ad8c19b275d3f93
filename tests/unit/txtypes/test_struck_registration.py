"""Records of a registration that arbiters annul or their registrar amends: the status before comes back."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.chain import DAY_MS
from support.disputing import INSPECTOR, WITNESS, amend, answered, decided, disputed, newest
from support.life import Life, transfer
from support.registering import (
    accept,
    car,
    claim_it,
    end,
    export,
    leaving,
    put,
    registered,
    registration,
    suspend,
    view,
)
from support.specimens import specimen
from support.stages import at

from node.txtypes.vehicle.regions import EXPORT_MS, UNREGISTERED, status_of, without_registration


def annulled(life: Life, sequence: int, author: str = "registrar-1", holder: str = "bmw") -> None:
    ident = disputed(life, sequence, holder)
    answered(life, ident, author)
    decided(life, ident, "annulled")


def test_an_annulled_first_registration_leaves_none_and_a_new_car() -> None:
    life = at("born")
    registered(life)
    before = car(life.chain).material_changes
    annulled(life, newest(life.chain))
    found = car(life.chain)
    assert (UNREGISTERED, "born") == (found.registration, found.existence)
    assert before + 1 == found.material_changes, "a buyer was told that the car is registered"
    life.chain.do("registrar-1", put(life.chain))
    assert "registered" == registration(life.chain).status


def test_a_car_that_was_sold_since_is_not_new_again() -> None:
    life = at("born")
    registered(life)
    sequence = newest(life.chain)
    life.chain.do("bmw", transfer(life.chain), "dealer-munich")
    annulled(life, sequence, holder="dealer-munich")
    assert ("none", "in_service") == (registration(life.chain).status, car(life.chain).existence)


@pytest.mark.parametrize("step", ["suspend", "end", "export", "set"])
def test_an_annulled_step_brings_the_registration_back(step: str) -> None:
    life = at("born")
    registered(life)
    before = status_of(registration(life.chain))
    bodies = {"suspend": suspend, "end": end, "export": export, "set": lambda chain: put(chain, plate=b"\xcd" * 32)}
    life.chain.do("registrar-1", bodies[step](life.chain))
    assert before == registration(life.chain).before
    annulled(life, newest(life.chain))
    assert (before, None) == (status_of(registration(life.chain)), registration(life.chain).before)


def test_an_annulled_acceptance_is_an_export_that_nobody_confirmed() -> None:
    life = at("born")
    registered(life)
    life.chain.do("registrar-1", export(life.chain))
    life.chain.do("registrar-2", accept(life.chain))
    life.chain.now += EXPORT_MS
    annulled(life, newest(life.chain), "registrar-2")
    shown = view(life.chain)
    assert ("exported", "DE") == (shown.registration.status, shown.registration.country)
    assert ["export_unconfirmed"] == [alert.code for alert in shown.alerts]


@pytest.mark.parametrize("days", [1, 40])
def test_an_annulled_claim_never_takes_effect(days: int) -> None:
    life = at("born")
    registered(life)
    claim_it(life)
    sequence = newest(life.chain)
    life.chain.now += days * DAY_MS
    annulled(life, sequence, "registrar-2")
    shown = view(life.chain)
    assert ("registered", "DE", None) == (
        shown.registration.status, shown.registration.country, shown.registration.claim
    )  # fmt: skip
    assert () == shown.alerts


def test_an_acceptance_that_is_annulled_leaves_the_alert_that_it_closed() -> None:
    life = at("born")
    leaving(life)
    life.chain.now += EXPORT_MS
    life.chain.do("registrar-2", accept(life.chain))
    assert [("export_unconfirmed", "closed")] == [(alert.code, alert.state) for alert in car(life.chain).alerts]
    annulled(life, newest(life.chain), "registrar-2")
    assert [("export_unconfirmed", "reported")] == [(alert.code, alert.state) for alert in car(life.chain).alerts]


def test_an_acceptance_has_not_closed_what_others_had_closed_before() -> None:
    life = at("born")
    leaving(life)
    life.chain.now += EXPORT_MS
    shut = dict(alert="export_unconfirmed", state="reported", count=1, reason="explained")
    life.chain.do("police-1", specimen("alert.close", life.chain, **shut))
    life.chain.do("registrar-2", accept(life.chain))
    annulled(life, newest(life.chain), "registrar-2")
    assert ["closed"] == [alert.state for alert in view(life.chain).alerts]


@pytest.mark.parametrize("is_amended", [False, True])
def test_an_annulled_objection_keeps_no_country_waiting(is_amended: bool) -> None:
    life = at("born")
    registered(life)
    claim_it(life)
    life.chain.do("registrar-1", end(life.chain))
    assert ["CN"] == [refusal.country for refusal in registration(life.chain).refusals]
    if is_amended:
        objection = newest(life.chain)
        life.chain.do("registrar-1", put(life.chain))
        life.chain.do("registrar-1", replace(amend(life.chain, objection), reason="wrong_date", witness=None))
    else:
        annulled(life, newest(life.chain))
    assert ("registered", ()) == (registration(life.chain).status, registration(life.chain).refusals)
    claim_it(life)


def test_an_annulled_flag_keeps_no_country_waiting() -> None:
    life = at("born")
    registered(life)
    claim_it(life)
    life.chain.do("registrar-1", specimen("flag.set", life.chain, name="court_hold", until_ms=0))
    assert ["CN"] == [refusal.country for refusal in registration(life.chain).refusals]
    annulled(life, newest(life.chain))
    assert ((), ()) == (registration(life.chain).refusals, car(life.chain).flags)
    claim_it(life)


def test_an_annulled_release_gives_the_car_back() -> None:
    life = at("born")
    registered(life)
    before = status_of(registration(life.chain))
    claim_it(life)
    life.chain.do("registrar-1", end(life.chain, reason="export_confirmed"))
    assert ("CN", None) == (registration(life.chain).country, registration(life.chain).claim)
    annulled(life, newest(life.chain))
    assert (before, None) == (status_of(registration(life.chain)), registration(life.chain).claim)
    claim_it(life)


def test_what_came_after_stands_and_an_annulled_status_does_not_come_back() -> None:
    life = at("born")
    registered(life)
    life.chain.do("registrar-1", suspend(life.chain))
    suspended = newest(life.chain)
    life.chain.do("registrar-1", end(life.chain))
    ended = newest(life.chain)
    annulled(life, suspended)
    assert ("deregistered", "owner", None) == (
        registration(life.chain).status, registration(life.chain).end_reason, registration(life.chain).before
    )  # fmt: skip
    annulled(life, ended)
    assert ("deregistered", "") == (registration(life.chain).status, registration(life.chain).end_reason)


def test_a_registrar_amends_the_registration_of_a_wrong_car() -> None:
    life = at("born")
    registered(life)
    body = replace(amend(life.chain, newest(life.chain)), reason="duplicate", witness=WITNESS)
    life.chain.do("registrar-1", body, INSPECTOR)
    assert UNREGISTERED == registration(life.chain)


def test_a_record_of_something_else_changes_nothing() -> None:
    life = at("born")
    registered(life)
    found = registration(life.chain)
    assert found == without_registration(found, found.sequence + 1)
    assert UNREGISTERED == without_registration(UNREGISTERED, 0), "the birth's record is the first one too"
