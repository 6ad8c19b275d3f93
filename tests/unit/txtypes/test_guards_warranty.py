"""Warranties and claims on them: guards, effects, what time and distance end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from random import Random

import pytest
from msgspec.structs import replace
from support.chain import DAY_MS, HOUR_MS, START_MS, address
from support.disputing import (
    ARBITERS,
    amend,
    answered,
    car,
    copied,
    dispute,
    name_of,
    newest,
    of,
    passed,
    serviced,
    shown,
    voted,
)
from support.life import VIN, Life, km, listing, read, transfer
from support.specimens import specimen
from support.stages import Case, at, change, force, table

from node import limits
from node.codec import encode
from node.errors import Malformed
from node.ledger.body import TransactionBody
from node.ledger.fields import Code, RecordName
from node.rules.odometer import BACKFILLED_MS, to_metres
from node.rules.warranty import WARRANTY_GROUPS
from node.txtypes.service import warranty_claim as claims
from node.txtypes.service.warranty import (
    CLAIMS_RECENT_MAX,
    START_AHEAD_MS,
    START_PAST_MS,
    WARRANTIES_MAX,
    WARRANTY,
    RecentClaim,
    Warranty,
    WarrantyExtend,
    plus_months,
    warranty_ident,
)
from node.txtypes.service.warranty_claim import CLAIM, CLAIM_ANSWER_MS, Claim, WarrantyClaim, WarrantyDecide
from node.txtypes.vehicle.readings import ODOMETER
from node.txtypes.vehicle.vehicle import VEHICLE

WORKSHOP, HOLDER, INSPECTOR = "workshop-berlin", "dealer-munich", "inspector-1"
OTHER_VIN = "WBA8E9G50GNU12346"


def start(life: Life, **changes: object) -> TransactionBody:
    return specimen("warranty.start", life.chain, **changes)


def starting(**changes: object) -> Callable[[Life], TransactionBody]:
    return lambda life: start(life, **changes)


def started(**changes: object) -> Callable[[Life], None]:
    return lambda life: life.chain.do("bmw", start(life, **changes)) and None


def claim(life: Life, value: int = 12_500, **changes: object) -> WarrantyClaim:
    body: WarrantyClaim = specimen("warranty.claim", life.chain, **dict(odometer=km(value)) | changes)
    return body


def claiming(value: int = 12_500, **changes: object) -> Callable[[Life], TransactionBody]:
    return lambda life: claim(life, value, **changes)


def claimed(life: Life, value: int = 12_500, **changes: object) -> bytes:
    return life.chain.do(WORKSHOP, claim(life, value, **changes), HOLDER)


def with_claim(life: Life) -> None:
    started()(life)
    life.claim = claimed(life)  # type: ignore[attr-defined]


def then(*steps: Callable[[Life], object]) -> Callable[[Life], None]:
    def before(life: Life) -> None:
        for step in steps:
            step(life)

    return before


def became(existence: str) -> Callable[[Life], None]:
    return lambda life: change(life.chain, VEHICLE, VIN, existence=existence)


def moved(life: Life) -> None:
    life.chain.do(HOLDER, transfer(life.chain, "dealer-shanghai", 300, reason="trade_in"), "dealer-shanghai")


def days(count: int) -> Callable[[Life], None]:
    return lambda life: passed(life, count)


def in_future(ms: int) -> Callable[[Life], TransactionBody]:
    return lambda life: start(life, starts_at_ms=life.chain.now + ms)


def sixteen(life: Life) -> None:
    """Sixteen short ones: one for each group, and again when those have ended."""
    for n in range(WARRANTIES_MAX):
        again, group = divmod(n, len(WARRANTY_GROUPS))
        starts = plus_months(life.chain.now, 2 * again)
        life.chain.do("bmw", start(life, months=1, starts_at_ms=starts, groups=(WARRANTY_GROUPS[group],)))


def driven(value: int) -> Callable[[Life], object]:
    return lambda life: life.chain.do(INSPECTOR, read(VIN, km(value), life.chain.now))


# --- warranty.start -----------------------------------------------------------------------------------------
@table(
    Case("the maker", "wholesale", "bmw", starting()),
    Case("the dealer that holds the title", "wholesale", HOLDER, starting()),
    Case("another dealer with the holder", "wholesale", "dealer-shanghai", starting(), (), (HOLDER,)),
    Case("another dealer alone", "wholesale", "dealer-shanghai", starting(), ("signature_missing",)),
    Case("a workshop", "wholesale", WORKSHOP, starting(), ("role_missing",), (HOLDER,)),
    Case("no such car", "wholesale", "bmw", starting(vin=OTHER_VIN), ("vehicle_unknown",)),
    Case("a scrapped car", "wholesale", "bmw", starting(), ("vehicle_ended", "warranty_ended"),
         before=became("scrapped")),
    Case("a total loss", "wholesale", "bmw", starting(), ("warranty_ended",), before=became("total_loss")),
    Case("a rebuilt car", "wholesale", "bmw", starting(), before=became("rebuilt")),
    Case("seven days ago", "wholesale", "bmw", in_future(-START_PAST_MS)),
    Case("longer ago", "wholesale", "bmw", in_future(-START_PAST_MS - 1), ("warranty_start",)),
    Case("in 400 days", "wholesale", "bmw", in_future(START_AHEAD_MS)),
    Case("later", "wholesale", "bmw", in_future(START_AHEAD_MS + 1), ("warranty_start",)),
    Case("an unknown group", "wholesale", "bmw", starting(groups=("coffee",)), ("code_unknown",)),
    Case("the same group again", "wholesale", "bmw", starting(), ("warranty_overlap",), before=started()),
    Case("another group", "wholesale", "bmw", starting(groups=("paint",)), before=started()),
    Case("another provider", "wholesale", HOLDER, starting(), before=started()),
    Case("after its end", "wholesale", "bmw",
         lambda life: start(life, starts_at_ms=plus_months(life.chain.now, 1)), before=started(months=1)),
    Case("the one before ended with the title", "wholesale", "bmw", starting(), (),
         before=then(started(is_transferable=False), moved)),
    Case("a seventeenth", "wholesale", HOLDER, starting(), ("warranties_full",), before=sixteen),
)  # fmt: skip
def test_starting(case: Case) -> None:
    assert case.codes == case.run()


@pytest.mark.parametrize(
    ("change_to", "says"),
    [({"groups": ("paint", "paint")}, "occurs twice"), ({"groups": ()}, "groups"), ({"months": 0}, "months"),
     ({"months": 241}, "months"), ({"distance_km": 1_000_001}, "distance_km")],
)  # fmt: skip
def test_what_no_state_is_needed_for(change_to: dict[str, object], says: str) -> None:
    life = at("wholesale")
    with pytest.raises(Malformed, match=says):
        life.chain.check(life.chain.sign("bmw", start(life, **change_to)))


def test_a_started_warranty_is_counted_and_shown() -> None:
    life = at("wholesale")
    before = car(life)
    life.chain.do("bmw", start(life))
    life.chain.do("bmw", start(life, groups=("paint",), distance_km=0, starts_at_ms=life.chain.now + 10 * DAY_MS))
    assert (2, before.record_count + 2, before.material_head) == (
        car(life).warranties, car(life).record_count, car(life).material_head
    )  # fmt: skip
    driven(90_000)(life)
    first, second = (shown(life, WARRANTY, warranty_ident(VIN, n)) for n in (1, 2))
    assert (1, "running", "bmw", 10_000) == (first.number, first.status, first.provider_name, first.km_left)
    assert (2, "not_begun", None) == (second.number, second.status, second.km_left)
    passed(life, 20)
    assert first.days_left - 20 == shown(life, WARRANTY, warranty_ident(VIN, 1)).days_left


@pytest.mark.parametrize(
    ("day", "months", "later"),
    [("2026-01-31", 1, "2026-02-28"), ("2024-01-31", 1, "2024-02-29"), ("2026-12-15", 1, "2027-01-15"),
     ("2026-03-10", 240, "2046-03-10"), ("2024-02-29", 12, "2025-02-28"), ("2026-05-31", 25, "2028-06-30")],
)  # fmt: skip
def test_months_end_on_the_same_day(day: str, months: int, later: str) -> None:
    def ms(text: str) -> int:
        return (date.fromisoformat(text) - date(1970, 1, 1)).days * DAY_MS

    assert ms(later) + 5 * HOUR_MS == plus_months(ms(day) + 5 * HOUR_MS, months)


# --- warranty.extend ----------------------------------------------------------------------------------------
def extending(months: int = 60, distance_km: int = 100_000, **changes: object) -> Callable[[Life], TransactionBody]:
    return lambda life: replace(WarrantyExtend(VIN, 1, months, distance_km, False), **changes)


@table(
    Case("longer", "wholesale", "bmw", extending(), before=started()),
    Case("further", "wholesale", "bmw", extending(36, 100_001), before=started()),
    Case("any distance", "wholesale", "bmw", extending(36, 0), before=started()),
    Case("a distance instead of any", "wholesale", "bmw", extending(60, 100_000), ("warranty_shorter",),
         before=started(distance_km=0)),
    Case("the same", "wholesale", "bmw", extending(36), ("warranty_shorter",), before=started()),
    Case("shorter", "wholesale", "bmw", extending(35, 200_000), ("warranty_shorter",), before=started()),
    Case("less far", "wholesale", "bmw", extending(60, 99_999), ("warranty_shorter",), before=started()),
    Case("bought", "wholesale", "bmw", extending(is_bought=True), (), (HOLDER,), started()),
    Case("bought without the holder", "wholesale", "bmw", extending(is_bought=True), ("signature_missing",),
         before=started()),
    Case("another provider", "wholesale", HOLDER, extending(), ("not_the_guarantor",), before=started()),
    Case("no such warranty", "wholesale", "bmw", extending(number=2), ("warranty_unknown",), before=started()),
    Case("no such car", "wholesale", "bmw", extending(vin=OTHER_VIN), ("vehicle_unknown", "warranty_unknown"),
         before=started()),
    Case("on its last day", "wholesale", "bmw", extending(), (), before=then(started(months=1), days(27))),
    Case("after its end", "wholesale", "bmw", extending(), ("warranty_ended",),
         before=then(started(months=1), days(32))),
    Case("after its distance", "wholesale", "bmw", extending(), ("warranty_ended",),
         before=then(started(), driven(100_001))),
    Case("after a total loss", "wholesale", "bmw", extending(), ("warranty_ended",),
         before=then(started(), became("total_loss"))),
    Case("before its start", "wholesale", "bmw", extending(), (),
         before=lambda life: life.chain.do("bmw", start(life, starts_at_ms=life.chain.now + 90 * DAY_MS))),
)  # fmt: skip
def test_extending(case: Case) -> None:
    assert case.codes == case.run()


def test_an_extension_keeps_the_start() -> None:
    life = at("wholesale")
    started()(life)
    before = life.chain.state(WARRANTY, warranty_ident(VIN, 1))
    material = car(life).material_head
    life.chain.do("bmw", WarrantyExtend(VIN, 1, 60, 0, False))
    assert replace(before, months=60, distance_km=0) == life.chain.state(WARRANTY, warranty_ident(VIN, 1))
    assert material == car(life).material_head


# --- warranty.claim -----------------------------------------------------------------------------------------
def many_claims(life: Life) -> None:
    started()(life)
    found = life.chain.state(WARRANTY, warranty_ident(VIN, 1))
    recent = tuple(RecentClaim(f"OP-{n}", life.chain.now) for n in range(CLAIMS_RECENT_MAX))
    force(life.chain, WARRANTY, warranty_ident(VIN, 1), replace(found, claims=recent))


def at_event(days_ago: int, value: int = 12_500) -> Callable[[Life], TransactionBody]:
    return lambda life: claim(life, value, event_at_ms=life.chain.now - days_ago * DAY_MS)


def lapsed(life: Life) -> None:
    """A warranty of one month that has ended."""
    started(months=1)(life)
    passed(life, 40)


@table(
    Case("in term", "wholesale", WORKSHOP, claiming(), (), (HOLDER,), started()),
    Case("without the holder", "wholesale", WORKSHOP, claiming(holder_signs=False), ("claim_unsigned",),
         before=started()),
    Case("the holder does not sign", "wholesale", WORKSHOP, claiming(), ("signature_missing",), before=started()),
    Case("by the holder", "wholesale", HOLDER, claiming(where=replace(claim(at("")).where, site="MUC-1")),
         ("role_missing",), before=started()),
    Case("no such warranty", "wholesale", WORKSHOP, claiming(number=2), ("warranty_unknown",), (HOLDER,), started()),
    Case("a group that it does not cover", "wholesale", WORKSHOP, claiming(group="paint"), ("group_not_covered",),
         (HOLDER,), started(groups=("powertrain",))),
    Case("everything covers each group", "wholesale", WORKSHOP, claiming(group="paint"), (), (HOLDER,), started()),
    Case("an unknown group", "wholesale", WORKSHOP, claiming(group="coffee"), ("code_unknown",), (HOLDER,),
         started()),
    Case("at the last kilometre", "wholesale", WORKSHOP, claiming(100_000), (), (HOLDER,), started()),
    Case("beyond it", "wholesale", WORKSHOP, claiming(100_001), ("out_of_term",), (HOLDER,), started()),
    Case("beyond it in miles", "wholesale", WORKSHOP, claiming(odometer=km(62_138, "mi")), ("out_of_term",),
         (HOLDER,), started()),
    Case("any distance", "wholesale", WORKSHOP, claiming(900_000), (), (HOLDER,), started(distance_km=0)),
    Case("turned back since a higher reading", "wholesale", WORKSHOP, claiming(12_500), ("out_of_term",), (HOLDER,),
         then(started(), driven(100_001))),
    Case("after its end", "wholesale", WORKSHOP, claiming(), ("out_of_term",), (HOLDER,), lapsed),
    Case("late, of an event in term", "wholesale", WORKSHOP, at_event(20), (), (HOLDER,), lapsed),
    Case("an event of 400 days ago", "wholesale", WORKSHOP, at_event(400), (), (HOLDER,), then(started(), days(410))),
    Case("an event of longer ago", "wholesale", WORKSHOP, at_event(401), ("event_not_now",), (HOLDER,),
         then(started(), days(410))),
    Case("before its start", "wholesale", WORKSHOP, claiming(), ("out_of_term",), (HOLDER,),
         lambda life: life.chain.do("bmw", start(life, starts_at_ms=life.chain.now + DAY_MS))),
    Case("a higher reading after the event", "wholesale", WORKSHOP, at_event(5, 160), (), (HOLDER,),
         then(started(starts_at_ms=START_MS), days(6), driven(100_001))),
    Case("after a total loss", "wholesale", WORKSHOP, claiming(), ("warranty_ended",), (HOLDER,),
         then(started(), became("total_loss"))),
    Case("of a rebuilt car, from before", "wholesale", WORKSHOP, claiming(), ("warranty_ended",), (HOLDER,),
         then(started(), became("rebuilt"))),
    Case("of a rebuilt car", "wholesale", WORKSHOP, claiming(), (), (HOLDER,), then(became("rebuilt"), started())),
    Case("of a scrapped car", "wholesale", WORKSHOP, claiming(), ("vehicle_ended", "warranty_ended"), (HOLDER,),
         then(started(), became("scrapped"))),
    Case("after the title has moved", "wholesale", WORKSHOP, claiming(), (), ("dealer-shanghai",),
         then(started(), moved)),
    Case("not transferable", "wholesale", WORKSHOP, claiming(), ("warranty_ended",), ("dealer-shanghai",),
         then(started(is_transferable=False), moved)),
    Case("not transferable, not moved", "wholesale", WORKSHOP, claiming(), (), (HOLDER,),
         started(is_transferable=False)),
    Case("the same operation", "wholesale", WORKSHOP, claiming(), ("claimed_before",), (HOLDER,), with_claim),
    Case("another operation", "wholesale", WORKSHOP, claiming(operation="12-00-001"), (), (HOLDER,), with_claim),
    Case("the same after 90 days", "wholesale", WORKSHOP, claiming(), (), (HOLDER,), then(with_claim, days(90))),
    Case("too many", "wholesale", WORKSHOP, claiming(), ("claims_full",), (HOLDER,), many_claims),
    Case("a repair that is not there", "wholesale", WORKSHOP, claiming(repair=RecordName(99, bytes(32))),
         ("record_unknown",), (HOLDER,), started()),
    Case("a repair of another digest", "wholesale", WORKSHOP, claiming(repair=RecordName(0, bytes(32))),
         ("record_differs",), (HOLDER,), started()),
    Case("of the repair", "wholesale", WORKSHOP,
         lambda life: claim(life, repair=name_of(life.chain, newest(life.chain))), (), (HOLDER,),
         then(started(), serviced)),
)  # fmt: skip
def test_claiming(case: Case) -> None:
    assert case.codes == case.run()


def test_a_claim_is_kept_with_its_reading() -> None:
    life = at("wholesale")
    started()(life)
    ident = claimed(life)
    found = life.chain.state(CLAIM, ident)
    assert (VIN, 1, address("bmw"), address(WORKSHOP), "") == (
        found.vin, found.number, found.provider, found.workshop, found.outcome
    )  # fmt: skip
    assert [to_metres(12_500, "km")] == [
        r.metres for r in life.chain.state(ODOMETER, VIN).readings if r.sequence == newest(life.chain)
    ]  # fmt: skip
    recent = life.chain.state(WARRANTY, warranty_ident(VIN, 1)).claims
    assert ["11-00-039"] == [entry.operation for entry in recent]
    passed(life, 91)
    claimed(life, operation="12-00-001")
    recent = life.chain.state(WARRANTY, warranty_ident(VIN, 1)).claims
    assert ["12-00-001"] == [entry.operation for entry in recent], "those of 90 days"


# --- warranty.decide ----------------------------------------------------------------------------------------
def deciding(outcome: str = "approved", share: int = 0, reason: str = "") -> Callable[[Life], TransactionBody]:
    return lambda life: WarrantyDecide(life.claim, outcome, share, reason)  # type: ignore[attr-defined]


def rejected(life: Life) -> None:
    with_claim(life)
    life.chain.do("bmw", WarrantyDecide(life.claim, "rejected", 0, "wear"))  # type: ignore[attr-defined]


def overruled(life: Life) -> None:
    """Arbiters annul the rejection."""
    rejected(life)
    ident = life.chain.do(HOLDER, dispute(life.chain, newest(life.chain), "warranty_rejected"))
    answered(life, ident, "bmw")
    for arbiter in ARBITERS:
        if not of(life, ident).outcome:
            voted(life, ident, "annulled", arbiter)


@table(
    Case("approved", "wholesale", "bmw", deciding(), before=with_claim),
    Case("partly", "wholesale", "bmw", deciding("partly", 700, "wear"), before=with_claim),
    Case("rejected", "wholesale", "bmw", deciding("rejected", 0, "misuse"), before=with_claim),
    Case("late", "wholesale", "bmw", deciding(), before=then(with_claim, days(200))),
    Case("another provider", "wholesale", HOLDER, deciding(), ("not_the_guarantor",), before=with_claim),
    Case("an unknown outcome", "wholesale", "bmw", deciding("maybe", 0, "wear"), ("code_unknown",), before=with_claim),
    Case("an unknown reason", "wholesale", "bmw", deciding("rejected", 0, "mood"), ("code_unknown",),
         before=with_claim),
    Case("twice", "wholesale", "bmw", deciding(), ("claim_decided",), before=rejected),
    Case("again after it was annulled", "wholesale", "bmw", deciding(), before=overruled),
    Case("no such claim", "wholesale", "bmw", lambda life: WarrantyDecide(bytes(32), "approved", 0, ""),
         ("claim_unknown",)),
)  # fmt: skip
def test_deciding(case: Case) -> None:
    assert case.codes == case.run()


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (WarrantyDecide(bytes(32), "partly", 0, "wear"), "share_per_mille"),
        (WarrantyDecide(bytes(32), "approved", 500, ""), "share_per_mille"),
        (WarrantyDecide(bytes(32), "rejected", 1, "wear"), "share_per_mille"),
        (WarrantyDecide(bytes(32), "rejected", 0, ""), "reason"),
        (WarrantyDecide(bytes(32), "approved", 0, "wear"), "reason"),
        (WarrantyDecide(bytes(32), "partly", 1_000, "wear"), "share_per_mille"),
    ],
)
def test_a_share_and_a_reason_fit_the_outcome(body: WarrantyDecide, says: str) -> None:
    life = at("wholesale")
    with pytest.raises(Malformed, match=says):
        life.chain.check(life.chain.sign("bmw", body))


def test_silence_is_no_approval() -> None:
    life = at("wholesale")
    with_claim(life)
    ident = life.claim  # type: ignore[attr-defined]
    decided_by = shown(life, CLAIM, ident).answer_by_ms
    life.chain.now = decided_by - 1
    assert "open" == shown(life, CLAIM, ident).outcome
    life.chain.now = decided_by
    assert "unanswered" == shown(life, CLAIM, ident).outcome
    life.chain.do("bmw", WarrantyDecide(ident, "partly", 700, "wear"))
    found = shown(life, CLAIM, ident)
    assert ("partly", 700, "wear", newest(life.chain)) == (
        found.outcome, found.share_per_mille, found.reason, found.decision
    )  # fmt: skip


def test_an_annulled_rejection_is_none() -> None:
    life = at("wholesale")
    overruled(life)
    ident = life.claim  # type: ignore[attr-defined]
    assert "open" == shown(life, CLAIM, ident).outcome
    passed(life, CLAIM_ANSWER_MS // DAY_MS)
    assert "unanswered" == shown(life, CLAIM, ident).outcome


def test_a_car_gets_warranties_as_long_as_it_lives() -> None:
    """Whoever has filled its numbers with short ones keeps nobody from covering it once they are long over."""
    life = at("wholesale")
    sixteen(life)
    first = life.chain.state(WARRANTY, warranty_ident(VIN, 1))
    life.chain.now = first.ends_at_ms + BACKFILLED_MS
    assert ["warranties_full"] == life.chain.unmet(life.chain.sign("bmw", start(life)))
    life.chain.now += 1
    life.chain.do("bmw", start(life, months=24))
    new = life.chain.state(WARRANTY, warranty_ident(VIN, 1))
    assert (24, WARRANTIES_MAX) == (new.months, car(life).warranties)
    assert WARRANTY_GROUPS[1:2] == life.chain.state(WARRANTY, warranty_ident(VIN, 2)).groups


def test_a_rejection_that_its_provider_takes_back_is_none_and_an_approval_stays() -> None:
    for outcome, reason, after in (("rejected", "wear", "open"), ("approved", "", "approved")):
        life = at("wholesale")
        with_claim(life)
        ident = life.claim  # type: ignore[attr-defined]
        life.chain.do("bmw", WarrantyDecide(ident, outcome, 0, reason))
        life.chain.do("bmw", amend(life.chain, newest(life.chain), reason="duplicate"))
        assert after == shown(life, CLAIM, ident).outcome
    raw = life.chain.sign("bmw", WarrantyDecide(ident, "rejected", 0, "wear"))
    assert ["claim_decided"] == life.chain.unmet(raw)


def test_a_claim_that_is_taken_back_is_none_and_is_made_anew() -> None:
    life = at("wholesale")
    with_claim(life)
    ident, sequence = life.claim, newest(life.chain)  # type: ignore[attr-defined]
    again = claim(life, 12_600)
    assert ["claimed_before"] == life.chain.unmet(life.chain.sign(WORKSHOP, again, HOLDER))
    taken_back = amend(life.chain, sequence, reason="duplicate", witness=address(INSPECTOR))
    decided = copied(life)
    decided.chain.do("bmw", WarrantyDecide(ident, "approved", 0, ""))
    decided.chain.do(WORKSHOP, taken_back, INSPECTOR)
    assert "approved" == shown(decided, CLAIM, ident).outcome
    life.chain.do(WORKSHOP, taken_back, INSPECTOR)
    assert life.chain.state(CLAIM, ident) is None
    life.chain.do(WORKSHOP, again, HOLDER)


@pytest.mark.parametrize("readings", [1, 3])
def test_a_false_reading_of_one_ends_no_warranty(readings: int) -> None:
    """That of a rival, which nobody can have driven to: another's reading shows that it is wrong."""
    life = at("wholesale")
    started()(life)
    for number in range(readings):
        life.chain.do("workshop-hamburg", read(VIN, km(900_000 + number), life.chain.now))
    assert "ended" == shown(life, WARRANTY, warranty_ident(VIN, 1)).status
    passed(life, 1)
    life.chain.do(INSPECTOR, read(VIN, km(12_400), life.chain.now))
    passed(life, 1)
    assert "running" == shown(life, WARRANTY, warranty_ident(VIN, 1)).status
    assert [] == life.chain.unmet(life.chain.sign(WORKSHOP, claim(life), HOLDER))


# --- 20: claims only within term at the event --------------------------------------------------------------------
def claims_out_of_term(seed: int) -> tuple[int, list[str]]:
    """(claims that were accepted, those of them whose event was out of term), on a random life of a car with
    warranties, readings of others and claims of any time. What is in term is computed here from what was written."""
    chance, life = Random(seed), at("wholesale")
    readings = [(life.chain.now, 150)]
    terms: dict[int, tuple[int, int, int]] = {}
    accepted, wrong = 0, []
    distance = 200
    for _ in range(60):
        life.chain.now += chance.randrange(1, 12) * DAY_MS
        distance += chance.randrange(0, 900)
        match chance.choice(("start", "read", "claim", "claim", "claim")):
            case "start":
                body = start(life, months=chance.randrange(1, 6), distance_km=chance.choice((0, 1_000, 5_000, 20_000)),
                             groups=(chance.choice(WARRANTY_GROUPS),), starts_at_ms=life.chain.now)  # fmt: skip
                raw = life.chain.sign("bmw", body)
                if not life.chain.unmet(raw):
                    life.chain.produce(raw)
                    term = (body.starts_at_ms, plus_months(body.starts_at_ms, body.months), body.distance_km)  # type: ignore[attr-defined]
                    terms[car(life).warranties] = term
            case "read":
                at_ms = life.chain.now
                life.chain.do(INSPECTOR, read(VIN, km(distance), at_ms))
                readings.append((at_ms, distance))
            case "claim" if terms:
                number = chance.choice(sorted(terms))
                group = life.chain.state(WARRANTY, warranty_ident(VIN, number)).groups[0]
                event = life.chain.now - chance.choice((0, 0, 3, 10, 40)) * DAY_MS
                value = max(distance - chance.choice((0, 4_000)), 0)
                operation: Code = f"OP-{chance.randrange(1_000)}"
                body = claim(life, value, number=number, group=group, operation=operation, event_at_ms=event)
                raw = life.chain.sign(WORKSHOP, body, HOLDER)
                if not life.chain.unmet(raw):
                    highest = max([value, *(metres for at_ms, metres in readings if at_ms <= event)])
                    life.chain.produce(raw)
                    readings.append((event, value))
                    accepted += 1
                    first, last, most = terms[number]
                    if not first <= event < last or (most and highest > most):
                        wrong.append(f"{number} at {event}, {highest} km: {terms[number]}")
    return accepted, wrong


def test_claims_only_within_term_at_the_event() -> None:
    found = [claims_out_of_term(seed) for seed in range(8)]
    assert [] == [text for _, wrong in found for text in wrong]
    assert sum(count for count, _ in found) > 30


@pytest.mark.parametrize(
    "mutant",
    [
        lambda warranty, at_ms, metres: warranty.starts_at_ms <= at_ms < warranty.ends_at_ms,
        lambda warranty, at_ms, metres: not warranty.distance_km or metres <= warranty.distance_km * 1_000,
    ],
    ids=["by time alone", "by distance alone"],
)
def test_a_term_that_was_half_asked_for_would_be_noticed(mutant: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "is_in_term", mutant)
    assert [] != [text for seed in range(8) for text in claims_out_of_term(seed)[1]]


def test_a_reading_that_was_turned_back_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: only the claim's own reading counts."""
    monkeypatch.setattr(claims, "highest_metres", lambda reader, vin, until_ms, rules: 0)
    assert [] != [text for seed in range(8) for text in claims_out_of_term(seed)[1]]


# --- bounds, and what ends lazily -----------------------------------------------------------------------------------
def test_values_are_within_their_bounds_with_every_list_full() -> None:
    who, code, longest = bytes(20), "X" * limits.CODE_LENGTH_MAX, limits.TIME_MAX_MS
    recent = tuple(RecentClaim(code, longest) for _ in range(CLAIMS_RECENT_MAX))
    full = Warranty(VIN, who, code, bytes(32), WARRANTY_GROUPS, longest, 240, 10**6, True, 2**53, 10**6, True, recent)
    assert len(encode(full)) <= 1_024
    assert len(encode(Claim(VIN, 16, who, "hv_battery", code, who, longest, longest, "approved", 999,
                            "not_reproducible", longest, 2**32))) <= 300  # fmt: skip


@pytest.mark.parametrize("existence", ["total_loss", "scrapped", "voided", "rebuilt"])
def test_what_has_happened_to_the_car_ends_its_warranties_without_a_write(existence: str) -> None:
    life = at("wholesale")
    started()(life)
    before = life.chain.state(WARRANTY, warranty_ident(VIN, 1))
    fork = copied(life)
    became(existence)(life)
    assert ("ended", 0, 0) == tuple(
        getattr(shown(life, WARRANTY, warranty_ident(VIN, 1)), name) for name in ("status", "days_left", "km_left")
    )  # fmt: skip
    assert before == life.chain.state(WARRANTY, warranty_ident(VIN, 1))
    assert "running" == shown(fork, WARRANTY, warranty_ident(VIN, 1)).status


def test_a_warranty_does_not_keep_a_car_from_being_sold() -> None:
    life = at("wholesale")
    started()(life)
    assert [] == life.chain.unmet(life.chain.sign(HOLDER, listing(life.chain)))
