"""An odometer that is replaced, or that went round: what the verdict makes of it, and who has to sign."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.chain import DAY_MS, address
from support.life import VIN, Life, km, read
from support.specimens import specimen
from support.stages import Case, at, change, force, put_on_hold, table

from node import limits
from node.ledger.fields import Odometer, OtherSource
from node.txtypes.members.member import MEMBER
from node.txtypes.service.findings import Defect
from node.txtypes.service.instrument import OdometerReplace
from node.txtypes.vehicle.readings import ODOMETER, Segment
from node.txtypes.vehicle.vehicle import VEHICLE

OLD = Odometer(50_000, "km", "cluster", (OtherSource("body_computer", 50_000),))
WITNESS = address("inspector-2")


def driven(life: Life) -> None:
    """50,000 km, as two workshops have read."""
    for author, value in (("workshop-hamburg", 20_000), ("inspector-1", 50_000)):
        life.chain.now += 100 * DAY_MS
        life.chain.do(author, read(VIN, km(value), life.chain.now))
    life.chain.now += 10 * DAY_MS


def replacing(life: Life, **changes) -> OdometerReplace:
    fields = dict(old=OLD, odometer=km(0)) | changes
    body = specimen("odometer.replace", life.chain, **fields)
    assert isinstance(body, OdometerReplace)
    return body


def at_50_000() -> Life:
    life = at("born")
    driven(life)
    return life


def do(life: Life, body: OdometerReplace) -> None:
    life.chain.do("workshop-berlin", body, "bmw", *(["inspector-2"] if body.witness else []))


def verdict(life: Life) -> tuple[str, tuple[str, ...]]:
    leaf = life.chain.state(ODOMETER, VIN)
    return leaf.verdict, leaf.reasons


# --- who signs --------------------------------------------------------------------------------------------
def full(life: Life) -> None:
    driven(life)
    leaf = life.chain.state(ODOMETER, VIN)
    segments = tuple(Segment(n, n, 0, True, False) for n in range(limits.ODOMETER_SEGMENTS_MAX))
    force(life.chain, ODOMETER, VIN, replace(leaf, segments=segments))


def replaced(life: Life) -> None:
    driven(life)
    do(life, replacing(life))
    life.chain.now += 29 * DAY_MS


def case(name: str, body, codes=(), cosigners=("bmw",), before=driven) -> Case:
    return Case(name, "born", "workshop-berlin", body, codes, cosigners, before)


@table(
    case("with the old reading", replacing),
    case("without the holder", lambda life: replacing(life, holder_signs=False), ("holder_missing",), ()),
    case("the old one shows nothing", lambda life: replacing(life, old=None), ("witness_missing",)),
    case("nothing, with a witness", lambda life: replacing(life, old=None, witness=WITNESS), (),
         ("bmw", "inspector-2")),
    case("the old one shows less", lambda life: replacing(life, old=km(49_986)), ("witness_missing",), ("bmw",)),
    case("less by less than the tolerance", lambda life: replacing(life, old=km(49_987))),
    case("after what it would explain", lambda life: replacing(life, event_at_ms=life.chain.now - 11 * DAY_MS),
         ("witness_missing",)),
    case("a witness of another trade", lambda life: replacing(life, witness=address("dealer-munich")),
         ("witness_missing",), ("bmw", "dealer-munich")),
    case("a witness of the workshop's group", lambda life: replacing(life, witness=WITNESS), ("witness_missing",),
         ("bmw", "inspector-2"), lambda life: (driven(life), [
             change(life.chain, MEMBER, address(name), group="one") for name in ("inspector-2", "workshop-berlin")])),
    case("a witness on hold", lambda life: replacing(life, witness=WITNESS), ("author_on_hold",),
         ("bmw", "inspector-2"), lambda life: (driven(life), put_on_hold(life.chain, WITNESS))),
    case("a fifth instrument", replacing, ("segments_full",), before=full),
    case("again within 30 days", lambda life: replacing(life, old=km(300), odometer=km(0)), ("replaced_recently",),
         before=replaced),
    Case("by a dealer", "born", "dealer-munich", lambda life: replacing(life), ("role_missing", "site_unknown"),
         ("bmw",), driven),
)  # fmt: skip
def test_who_replaces(case: Case) -> None:
    assert case.codes == case.run()


# --- the verdict ------------------------------------------------------------------------------------------
def test_a_proven_replacement_is_judged_on() -> None:
    life = at_50_000()
    do(life, replacing(life))
    (segment,) = life.chain.state(ODOMETER, VIN).segments
    assert (50_000_000, True) == (segment.offset_metres, segment.is_proven)
    assert ("LOGICAL", ("replaced_proven",)) == verdict(life)
    life.chain.now += 200 * DAY_MS
    life.chain.do("inspector-1", read(VIN, km(9_000), life.chain.now))
    assert ("LOGICAL", ("replaced_proven",)) == verdict(life), "59,000 km"
    life.chain.now += 200 * DAY_MS
    life.chain.do("workshop-hamburg", read(VIN, km(4_000), life.chain.now))
    assert "CONTESTED" == verdict(life)[0], "the new one was turned back"


def test_without_a_second_source_or_a_witness_the_verdict_is_open() -> None:
    life = at_50_000()
    do(life, replacing(life, old=km(50_000)))
    assert ("NO_VERDICT", ("replaced",)) == verdict(life)


def test_a_witness_proves_it_and_answers_for_it() -> None:
    life = at_50_000()
    do(life, replacing(life, old=None, witness=WITNESS))
    assert ("LOGICAL", ("replaced_proven",)) == verdict(life)
    vehicle = life.chain.state(VEHICLE, VIN)
    assert [("odometer_replace", WITNESS)] == [(entry.what, entry.author) for entry in vehicle.clearances]
    assert [("odometer_replaced", "confirmed")] == [(brand.code, brand.state) for brand in vehicle.brands]
    assert 1 == vehicle.material_changes


def test_a_late_replacement_leaves_its_mark() -> None:
    """A rollback that a replacement is to explain afterwards: an inspector signs, and both brands stay."""
    life = at_50_000()
    life.chain.do("workshop-hamburg", read(VIN, km(12_000), life.chain.now))
    assert "CONTESTED" == verdict(life)[0]
    life.chain.now += DAY_MS
    do(life, replacing(life, odometer=km(11_900), event_at_ms=life.chain.now - 3 * DAY_MS, witness=WITNESS))
    assert "LOGICAL" == verdict(life)[0]
    brands = [brand.code for brand in life.chain.state(VEHICLE, VIN).brands]
    assert ["odometer_discrepancy", "odometer_replaced"] == brands


# --- an odometer that went round ----------------------------------------------------------------------------
@pytest.mark.parametrize(("before", "after", "expected"), [
    (950_000, 20_000, ("LOGICAL", ("rollover_proven",))), (700_000, 20_000, ("CONTESTED", ("decreasing",))),
    (950_000, 200_000, ("CONTESTED", ("decreasing",))),
])  # fmt: skip
def test_an_instrument_of_six_digits_goes_round(before: int, after: int, expected: tuple[str, tuple[str, ...]]) -> None:
    life = at("born")
    born = life.chain.now
    for years, (author, value) in enumerate((("workshop-hamburg", before - 200_000), ("inspector-2", before)), 4):
        life.chain.now = born + years * 365 * DAY_MS
        life.chain.do(author, read(VIN, km(value), life.chain.now))
    life.chain.now += 100 * DAY_MS
    seen = dict(defects=(Defect("O4", "minor"),), valid_until_day=None)
    body = specimen("inspection.record", life.chain, odometer=km(after), **seen)
    life.chain.do("inspector-1", body, "bmw")
    found, reasons = verdict(life)
    assert expected[0] == found and set(expected[1]) <= set(reasons)
    assert ["exceeds_limits"] == [brand.code for brand in life.chain.state(VEHICLE, VIN).brands]


@pytest.mark.parametrize("is_presented", [False, True])
def test_one_inspectors_rollover_makes_no_fall_incomparable(is_presented: bool) -> None:
    """200,000 km, then 90,000; an inspector reads 950,000, says that it went round in between, and mends the 950,000:
    that left no verdict. With the holder it proves nothing either of a time when the car was not near its end."""
    life = at("born")
    life.chain.now += 700 * DAY_MS
    life.chain.do("workshop-hamburg", read(VIN, km(200_000), life.chain.now))
    between = life.chain.now + 30 * DAY_MS
    life.chain.now += 60 * DAY_MS
    for author, value in (("workshop-berlin", 90_000), ("inspector-1", 950_000)):
        life.chain.do(author, read(VIN, km(value), life.chain.now))
    seen = dict(defects=(Defect("O4", "minor"),), valid_until_day=None, holder_signs=is_presented)
    body = specimen("inspection.record", life.chain, odometer=km(89_000), event_at_ms=between, **seen)
    life.chain.do("inspector-1", body, *(("bmw",) if is_presented else ()))
    assert "CONTESTED" == verdict(life)[0]
    assert () == life.chain.state(ODOMETER, VIN).segments
