"""Guards and effect of `vehicle.sighting`: it is kept beside the car, and raises alerts."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.chain import DAY_MS, Chain, address
from support.foreign import FOREIGN, imported, outcome_of, seen
from support.hostile.checks import BYTES_MAX
from support.life import VIN, Life, km, where
from support.stages import Case, at, change, put_on_hold, table, use_up_acts
from support.views import listed, view_of

from node import limits
from node.codec import encode
from node.rules.sources import SIGHTING_REASONS
from node.txtypes.identity.quota import QUOTA, Acts
from node.txtypes.vehicle.readings import ODOMETER
from node.txtypes.vehicle.regions import UNREGISTERED
from node.txtypes.vehicle.sighting import SEEN_MAX, SIGHTINGS, Seen, Sightings, has_parallel_life
from node.txtypes.vehicle.vehicle import VEHICLE

PLATE, OTHER_PLATE = b"\x01" * 32, b"\x02" * 32


def on_hold(life: Life) -> None:
    put_on_hold(life.chain, address("police-1"))


def fifty(life: Life) -> None:
    use_up_acts(life.chain, address("police-1"), "vehicle.sighting", limits.SIGHTINGS_PER_DAY_MAX)


def yesterday(life: Life) -> None:
    fifty(life)
    life.chain.now += DAY_MS


def scrapped(life: Life) -> None:
    change(life.chain, VEHICLE, VIN, existence="scrapped")


def case(name: str, *codes: str, stage: str = "born", sender: str = "police-1", before=None, **changes) -> Case:
    def body(life: Life):
        at_ms = {"event_at_ms": life.chain.now + changes["after_ms"]} if "after_ms" in changes else {}
        return seen(life.chain, **{n: v for n, v in changes.items() if n != "after_ms"} | at_ms)

    return Case(name, stage, sender, body, codes, (), before or (lambda life: None))


@table(
    case("a living car"),
    case("an unknown VIN", stage=""),
    case("a scrapped car", before=scrapped),
    case("by a workshop", sender="workshop-berlin"),
    case("by a plain account", "role_missing", sender="buyer-1"),
    case("by a bank", "role_missing", sender="bank-1"),
    case("another model: that is what a clone shows", where=where(model="X5")),
    case("in the future", "event_in_future", after_ms=301_000),
    case("years ago", after_ms=-300 * DAY_MS, sender="workshop-berlin"),
    case("at a site of its own", sender="workshop-berlin", where=where("BER-1")),
    case("at a site of nobody", "site_unknown", where=where("MUC-9")),
    case("on hold", "author_on_hold", before=on_hold),
    case("50 today", "acts_exhausted", before=fifty),
    case("50 yesterday", before=yesterday),
    case("an unknown reason", "code_unknown", reason="curiosity"),
)
def test_sighting(case: Case) -> None:
    assert case.codes == case.run()


def test_it_writes_nothing_on_the_car() -> None:
    chain = at("born").chain
    before = chain.state(VEHICLE, VIN)
    chain.do("workshop-berlin", seen(chain, odometer=km(999_999)))
    assert before == chain.state(VEHICLE, VIN)
    assert chain.state(ODOMETER, VIN) is None
    [kept] = chain.state(SIGHTINGS, VIN).seen
    assert (999_999_000, "", None) == (kept.metres, kept.country, kept.plate)


def test_each_is_counted_for_its_day() -> None:
    chain = at("").chain
    for _ in range(2):
        chain.do("police-1", seen(chain))
    quota = chain.state(QUOTA, address("police-1"))
    assert (Acts("vehicle.sighting", 2),) == quota.acts
    assert quota.weight > 200, "and charged"


def test_the_last_eight_are_kept_and_all_are_counted() -> None:
    chain = at("").chain
    for n in range(SEEN_MAX + 2):
        chain.do("police-1", seen(chain, odometer=km(n)))
    kept = chain.state(SIGHTINGS, seen(chain).vin)
    assert (SEEN_MAX + 2, [2_000, 9_000]) == (kept.count, [kept.seen[0].metres, kept.seen[-1].metres])


def test_a_full_leaf_is_bounded() -> None:
    reason = max(SIGHTING_REASONS, key=len)
    full = Seen(2**47, bytes(20), reason, "DE", -89_000_000, -179_000_000, PLATE, 2**34)
    assert len(encode(Sightings(2**40, (full,) * SEEN_MAX))) <= BYTES_MAX["sighting"]


# --- alerts ------------------------------------------------------------------------------------------------------
def codes(chain: Chain, vin: str = VIN) -> list[tuple[str, str]]:
    return [(alert.code, alert.state) for alert in chain.state(VEHICLE, vin).alerts]


@pytest.mark.parametrize(("existence", "code"), [("scrapped", "alive_after_scrap"), ("voided", "alive_after_void")])
def test_a_car_that_is_no_more_was_seen(existence: str, code: str) -> None:
    chain = at("born").chain
    change(chain, VEHICLE, VIN, existence=existence, ended_at_ms=chain.now - DAY_MS)
    chain.do("workshop-berlin", seen(chain, event_at_ms=chain.now - DAY_MS))
    assert [] == codes(chain), "at the time of its end it still was"
    chain.do("workshop-berlin", seen(chain))
    assert [(code, "reported")] == codes(chain)
    assert [f"alert:{code}"] == outcome_of(chain, VIN)
    assert 0 == chain.state(VEHICLE, VIN).material_changes
    chain.do("workshop-hamburg", seen(chain))
    assert [(code, "confirmed")] == codes(chain)
    assert (3, 1) == (chain.state(VEHICLE, VIN).record_count, chain.state(VEHICLE, VIN).material_changes)


def test_police_confirms_at_once() -> None:
    chain = at("born").chain
    change(chain, VEHICLE, VIN, existence="scrapped")
    chain.do("police-1", seen(chain))
    assert [("alive_after_scrap", "confirmed")] == codes(chain)


def test_a_plate_alone_accuses_nobody() -> None:
    """Each author salts its commitment: police that notes the right plate has another than the registrar."""
    chain = at("born").chain
    registration = replace(UNREGISTERED, status="registered", country="DE", plate_commitment=PLATE)
    change(chain, VEHICLE, VIN, registration=registration)
    chain.do("dealer-shanghai", seen(chain, plate=OTHER_PLATE, where=where("SHA-1")))
    assert [] == codes(chain)


def test_an_alert_can_be_listed_and_is_a_fact_of_the_receipt() -> None:
    chain = at("born").chain
    change(chain, VEHICLE, VIN, existence="scrapped")
    chain.do("workshop-berlin", seen(chain))
    assert [VIN] == [found["vin"] for found in listed(chain, VEHICLE, alert="alive_after_scrap")["vehicles"]]
    assert [] == listed(chain, VEHICLE, alert="clone_vin")["vehicles"]
    [found] = chain.store.receipts(chain.store.height()).transactions
    assert ["vehicle.alert"] == [happening.name for happening in found.happenings]
    assert ["sighting", "vehicle"] == sorted(change.key.split("/")[0] for change in found.changes)


# --- parallel life ---------------------------------------------------------------------------------------------
def test_a_car_in_berlin_and_shanghai_on_one_day_lives_twice() -> None:
    """What answers say; 8,400 km in a day and a half of slack and half a day are too far."""
    chain = at("born").chain
    chain.do("workshop-berlin", seen(chain, where=where("BER-1"), event_at_ms=chain.now - DAY_MS // 2))
    chain.do("dealer-shanghai", seen(chain, where=where("SHA-1")))
    assert has_parallel_life(chain.state(SIGHTINGS, VIN))
    assert view_of(chain, SIGHTINGS, VIN)["parallel_life"] is True


def test_sightings_without_a_place_say_nothing() -> None:
    chain = at("born").chain
    chain.do("workshop-berlin", seen(chain, where=where("BER-1")))
    chain.do("dealer-shanghai", seen(chain, where=where()))
    assert view_of(chain, SIGHTINGS, VIN)["parallel_life"] is False


def test_an_imported_car_is_seen_like_any_other() -> None:
    chain = at("").chain
    chain.do("dealer-munich", imported(chain), "inspector-1")
    chain.do("police-1", seen(chain, FOREIGN))
    assert [] == codes(chain, FOREIGN)
