"""The registration's transitions step by step, by real transactions: each leads where the table says, or is refused."""

from __future__ import annotations

import pytest
from support.chain import DAY_MS
from support.life import VIN, Life
from support.registering import (
    accept,
    claim,
    claim_it,
    end,
    export,
    imported,
    in_status,
    leaving,
    put,
    registration,
    suspend,
)
from support.stages import at

from node.ledger.body import TransactionBody
from node.txtypes.registration.registration import TRANSITIONS
from node.txtypes.vehicle.vehicle import VEHICLE, vehicle_at

STEPS = ("set", "suspend", "resume", "end", "confirm", "release", "export", "accept", "claim")
Signed = tuple[str, TransactionBody, tuple[str, ...]]
OTHERWISE = {
    # a record means another step in these: with a claim open, a confirmation is a release
    ("none", "release"): "confirm", ("exported", "release"): "confirm",
    # a country that accepts a car which has not left claims it
    ("registered", "accept"): "claim", ("suspended", "accept"): "claim", ("deregistered", "accept"): "claim",
    # one that claims a car which nobody has accepts it
    ("none", "claim"): "accept", ("exported", "claim"): "accept",
}  # fmt: skip


def placed(status: str, step: str) -> tuple[Life, Signed]:
    """The car, and what the right registrar would send; whatever the step needs besides is brought about."""
    if (status, step) == ("export_pending", "claim"):
        life = at("born")
        leaving(life, to="FR")
    else:
        life = in_status(status)
    chain = life.chain
    if (status, step) == ("none", "accept"):
        imported(life)
    if step == "release" and "claim" in TRANSITIONS.steps[status]:  # type: ignore[index]
        if status == "export_pending":
            life = at("born")
            leaving(life, to="FR")
            chain = life.chain
        claim_it(life)
    match step:
        case "set":
            return life, ("registrar-1", put(chain), ())
        case "suspend" | "resume":
            return life, ("registrar-1", suspend(chain, resume=step == "resume"), ())
        case "end":
            return life, ("registrar-1", end(chain), ())
        case "confirm" | "release":
            return life, ("registrar-1", end(chain, reason="export_confirmed"), ())
        case "export":
            return life, ("registrar-1", export(chain), ())
        case "accept":
            return life, ("registrar-2", accept(chain), ())
    return life, ("registrar-2", claim(chain), ("bmw",))


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("status", TRANSITIONS.steps)
def test_every_step_in_every_status(status: str, step: str) -> None:
    life, (sender, body, cosigners) = placed(status, step)
    chain, before = life.chain, registration(life.chain)
    assert OTHERWISE.get((status, step), step) == body.step(before)  # type: ignore[attr-defined]
    raw = chain.sign(sender, body, *cosigners)
    after = TRANSITIONS.steps[status].get(step)  # type: ignore[index]
    if (status, step) == ("exported", "claim"):
        after = "registered"  # an acceptance that the holder has signed too
    if after is None:
        is_claim_unsigned = step == "accept" and status != "exported"
        assert ["registered_elsewhere" if is_claim_unsigned else "registration_status"] == chain.unmet(raw)
        assert before == registration(chain)
        return
    chain.produce(raw)
    assert after == registration(chain).status
    assert (registration(chain).claim is not None) == (step == "claim" and status != "exported")


def test_the_table_reaches_every_status_and_names_every_step() -> None:
    assert set(STEPS) == {step for steps in TRANSITIONS.steps.values() for step in steps}
    assert set(TRANSITIONS.steps) - {"none"} == {s for steps in TRANSITIONS.steps.values() for s in steps.values()}


@pytest.mark.parametrize("step", ["set", "suspend", "resume", "end", "confirm", "export"])
def test_another_country_has_no_say(step: str) -> None:
    """DE has the car; CN tries what only DE may."""
    life = in_status("suspended" if step == "resume" else "registered")
    chain = life.chain
    body = {
        "set": lambda: put(chain, "CN"),
        "suspend": lambda: suspend(chain, "CN"),
        "resume": lambda: suspend(chain, "CN", resume=True),
        "end": lambda: end(chain, "CN"),
        "confirm": lambda: end(chain, "CN", "export_confirmed"),
        "export": lambda: export(chain, "CN", "DE"),
    }[step]()
    assert ["registered_elsewhere"] == chain.unmet(chain.sign("registrar-2", body))


def test_an_export_to_a_third_country_is_not_accepted_but_claimed() -> None:
    life = at("born")
    leaving(life, to="FR")
    raw = life.chain.sign("registrar-2", accept(life.chain))
    assert ["registered_elsewhere"] == life.chain.unmet(raw)


def test_whoever_confirms_an_export_lets_any_country_accept() -> None:
    life = in_status("exported")
    life.chain.do("registrar-1", accept(life.chain, "DE"))
    assert ("registered", "DE") == (registration(life.chain).status, registration(life.chain).country)


# --- what only time does ------------------------------------------------------------------------------------
def test_an_export_that_nobody_confirms_counts_as_exported_with_an_alert() -> None:
    life = in_status("export_pending")
    chain, since = life.chain, registration(life.chain).since_ms
    assert since + 180 * DAY_MS == registration(chain).until_ms
    chain.now = since + 180 * DAY_MS - 1
    assert [] == chain.unmet(chain.sign("registrar-1", end(chain)))
    chain.now += 1
    assert ["registration_status"] == chain.unmet(chain.sign("registrar-1", end(chain)))
    assert (
        "export_pending" == registration(chain).status
        and "exported" == vehicle_at(chain.state(VEHICLE, VIN), chain.now).registration.status
    )
    chain.do("registrar-2", accept(chain))
    found = chain.state(VEHICLE, VIN)
    assert [("export_unconfirmed", "closed", since + 180 * DAY_MS)] == [
        (alert.code, alert.state, alert.first_ms) for alert in found.alerts
    ]
    assert ("registered", "CN", 0) == (
        found.registration.status,
        found.registration.country,
        found.registration.until_ms,
    )


def test_a_temporary_registration_ends() -> None:
    life = at("born")
    chain = life.chain
    until = chain.now + 5 * DAY_MS
    chain.do("registrar-1", put(chain, kind="temporary", until_ms=until))
    chain.now = until - 1
    assert [] == chain.unmet(chain.sign("registrar-1", suspend(chain)))
    chain.now = until
    assert ["registration_status"] == chain.unmet(chain.sign("registrar-1", suspend(chain)))
    chain.do("registrar-1", put(chain))
    assert ("registered", "permanent", 0) == (
        registration(chain).status, registration(chain).kind, registration(chain).until_ms
    )  # fmt: skip


def test_a_suspension_does_not_make_a_temporary_registration_longer() -> None:
    life = at("born")
    chain = life.chain
    until = chain.now + 5 * DAY_MS
    chain.do("registrar-1", put(chain, kind="temporary", until_ms=until))
    chain.do("registrar-1", suspend(chain))
    chain.now = until
    assert ["registration_status"] == chain.unmet(chain.sign("registrar-1", suspend(chain, resume=True)))
    assert "deregistered" == vehicle_at(chain.state(VEHICLE, VIN), until).registration.status
