"""`vehicle.scrap`: who ends a car, what hinders it, and what ends with it."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.chain import DAY_MS, address
from support.damage import INSURER, WORKSHOP, brands, hit, loss, repair, scrap
from support.life import VIN, Life, km, listing, maintenance, register
from support.specimens import specimen
from support.stages import Case, at, change, table

from node.errors import Malformed
from node.txtypes.service.recall import RECALL, RecallExtend, recall_ident
from node.txtypes.vehicle.bindings import PART, part_id, state_of
from node.txtypes.vehicle.regions import UNREGISTERED, Flag
from node.txtypes.vehicle.vehicle import VEHICLE

DISMANTLER, REGISTRAR = "dismantler-1", "registrar-1"


def registered(life: Life, status: str = "registered", days: int = 0, country: str = "DE", reason: str = "") -> None:
    life.chain.now += 100 * DAY_MS
    since = life.chain.now - days * DAY_MS
    registration = replace(
        UNREGISTERED, status=status, country=country, plate_commitment=b"p" * 32, since_ms=since, end_reason=reason
    )
    change(life.chain, VEHICLE, VIN, registration=registration)


def deregistered(days: int, country: str = "DE", reason: str = "official"):
    return lambda life: registered(life, "deregistered", days, country, reason)


def flagged(name: str, is_firm: bool = True):
    def before(life: Life) -> None:
        until = 0 if is_firm else life.chain.now + DAY_MS
        flag = Flag(name, address("police-1"), "DE", b"", life.chain.now, until, is_firm, 0)
        change(life.chain, VEHICLE, VIN, flags=(flag,))

    return before


def by_registrar(life: Life, **changes: object):
    return scrap(life.chain, holder_signs=False, odometer=None, **changes)


def ordered(life: Life, by: str = "police-1"):
    return scrap(life.chain, police=address(by))


@table(
    Case("with the holder", "born", DISMANTLER, lambda life: scrap(life.chain), (), ("bmw",)),
    Case("without the holder", "born", DISMANTLER, lambda life: scrap(life.chain, holder_signs=False),
         ("signature_missing",)),
    Case("the holder alone", "born", "bmw", lambda life: scrap(life.chain), ("role_missing",)),
    Case("without a reading", "born", DISMANTLER, lambda life: scrap(life.chain, odometer=None),
         ("odometer_missing",), ("bmw",)),
    Case("an agent's mandate", "born", DISMANTLER, lambda life: scrap(life.chain, mandate=bytes(32)),
         ("mandate_missing",), ("bmw",)),
    Case("long ago", "born", DISMANTLER, lambda life: scrap(life.chain, event_at_ms=life.chain.now - 7 * DAY_MS - 1),
         ("event_not_now",), ("bmw",), before=registered),
    Case("listed", "listed", DISMANTLER, lambda life: scrap(life.chain), ("market_live",), ("dealer-munich",)),
    Case("stolen", "born", DISMANTLER, lambda life: scrap(life.chain), ("stop_flag",), ("bmw",),
         before=flagged("stolen")),
    Case("a lien", "born", DISMANTLER, lambda life: scrap(life.chain), ("stop_flag",), ("bmw",),
         before=flagged("lien")),
    Case("of uncertain identity", "born", DISMANTLER, lambda life: scrap(life.chain), ("stop_flag",), ("bmw",),
         before=flagged("identity_suspect")),
    Case("of uncertain identity, by police order", "born", DISMANTLER, ordered, (), ("bmw", "police-1"),
         before=flagged("identity_suspect")),
    Case("the order is not signed", "born", DISMANTLER, ordered, ("signature_missing",), ("bmw",),
         before=flagged("identity_suspect")),
    Case("ordered by somebody else", "born", DISMANTLER, lambda life: ordered(life, REGISTRAR),
         ("role_missing", "stop_flag"), ("bmw", REGISTRAR), before=flagged("identity_suspect")),
    Case("stolen, by police order", "born", DISMANTLER, ordered, ("stop_flag",), ("bmw", "police-1"),
         before=flagged("stolen")),
    Case("unroadworthy", "born", DISMANTLER, lambda life: scrap(life.chain), (), ("bmw",),
         before=flagged("unroadworthy")),
    Case("a provisional flag", "born", DISMANTLER, lambda life: scrap(life.chain), (), ("bmw",),
         before=flagged("title_dispute", False)),
    Case("abandoned", "born", REGISTRAR, by_registrar, before=deregistered(30)),
    Case("abandoned lately", "born", REGISTRAR, by_registrar, ("not_abandoned",), before=deregistered(29)),
    Case("abandoned in another country", "born", REGISTRAR, by_registrar, ("role_scope",),
         before=deregistered(30, "CN")),
    Case("deregistered by its owner", "born", REGISTRAR, by_registrar, ("not_abandoned",),
         before=deregistered(30, reason="owner")),
    Case("registered", "born", REGISTRAR, by_registrar, ("not_abandoned",), before=registered),
    Case("never registered", "born", REGISTRAR, by_registrar, ("not_abandoned",)),
    Case("scrapped", "born", DISMANTLER, lambda life: scrap(life.chain), ("vehicle_ended",), ("bmw",),
         before=lambda life: life.chain.do(DISMANTLER, scrap(life.chain), "bmw")),
)  # fmt: skip
def test_scrapping(case: Case) -> None:
    assert case.codes == case.run()


def test_what_a_car_owes_ends_with_it() -> None:
    life = at("born")
    chain = life.chain
    life.chain.do("bmw", specimen("recall.open", chain))
    chain.do("bmw", RecallExtend("0016560700", "add", "scope", (VIN,)))
    chain.do(WORKSHOP, repair(chain, "front weld", holder_signs=True), "bmw")
    registered(life)
    before = chain.state(VEHICLE, VIN)
    assert before.recalls and before.duties
    chain.do(DISMANTLER, scrap(chain), "bmw")
    vehicle = chain.state(VEHICLE, VIN)
    assert ("scrapped", (), ()) == (vehicle.existence, vehicle.duties, vehicle.recalls)
    assert chain.now - 1000 == vehicle.ended_at_ms
    assert ("deregistered", chain.now - 1000) == (vehicle.registration.status, vehicle.registration.since_ms)
    assert "confirmed" == brands(chain)["dismantled"]
    assert vehicle.material_changes == before.material_changes + 1
    recall = chain.state(RECALL, recall_ident(address("bmw"), "0016560700"))
    assert (0, 1) == (recall.cars, recall.removed)


def test_a_part_that_is_kept_is_free_and_no_other() -> None:
    life, other = at(""), "WBA8E9G50GNU54321"
    life.chain.do("bmw", register(VIN, engine_serial="B48B20-1"))
    life.chain.do("bmw", register(other, engine_serial="B58B30-1"))
    own, foreign = part_id("engine", "", "B48B20-1"), part_id("engine", "", "B58B30-1")
    assert ["bound", "bound"] == [state_of(life.chain.state(PART, part).binding) for part in (own, foreign)]
    before = life.chain.state(PART, foreign)
    life.chain.do(DISMANTLER, scrap(life.chain, parts_kept=(own, foreign, bytes(32))), "bmw")
    assert "free" == state_of(life.chain.state(PART, own).binding)
    assert before == life.chain.state(PART, foreign)
    assert life.chain.state(PART, bytes(32)) is None


def test_a_part_that_is_not_kept_stays_bound_to_the_wreck() -> None:
    life = at("")
    life.chain.do("bmw", register(VIN, engine_serial="B48B20-1"))
    life.chain.do(DISMANTLER, scrap(life.chain), "bmw")
    assert "bound" == state_of(life.chain.state(PART, part_id("engine", "", "B48B20-1")).binding)


def test_each_part_that_is_kept_weighs() -> None:
    life = at("born")
    parts = tuple(bytes([number]) * 32 for number in range(64))
    assert 128 == scrap(life.chain, parts_kept=parts).weigh() - scrap(life.chain).weigh()
    with pytest.raises(Malformed, match="the same entry occurs twice"):
        scrap(life.chain, parts_kept=(parts[0], parts[0])).check_static()
    with pytest.raises(Malformed, match="parts_kept"):
        life.chain.sign(DISMANTLER, scrap(life.chain, parts_kept=(*parts, b"x" * 32)), "bmw")


def test_after_its_end_nothing_more_is_done_to_a_car() -> None:
    life = at("born")
    life.chain.do(DISMANTLER, scrap(life.chain), "bmw")
    chain = life.chain
    for sender, body, cosigners in (
        (WORKSHOP, maintenance(chain, 300_000), ()),
        (WORKSHOP, hit(chain, odometer=km(300_000)), ()),
        (WORKSHOP, repair(chain, value=300_000), ()),
        (INSURER, loss(chain), ()),
        ("bmw", listing(chain), ()),
    ):
        assert "vehicle_ended" in chain.unmet(chain.sign(sender, body, *cosigners))


def test_a_total_loss_stays_written_on_the_scrapped_car() -> None:
    life = at("born")
    life.chain.do(INSURER, loss(life.chain, "A", holder_signs=True), "bmw")
    life.chain.do(DISMANTLER, scrap(life.chain), "bmw")
    assert {"totalled", "junk", "dismantled"} == set(brands(life.chain))


def test_a_dismantler_that_holds_the_title_needs_nobody() -> None:
    life = at("born")
    change(life.chain, VEHICLE, VIN, holder=address(DISMANTLER))
    assert [] == life.chain.unmet(life.chain.sign(DISMANTLER, scrap(life.chain)))
