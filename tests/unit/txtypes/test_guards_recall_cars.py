"""The cars of a recall: they are named all or none, remedied, and counted."""

from __future__ import annotations

from time import perf_counter

import pytest
from support.chain import DAY_MS, Chain, address
from support.life import VIN, Life, flag, km, many_cars, register, where
from support.specimens import specimen
from support.stages import Case, at, change, ledger_of, table

from node import limits
from node.errors import Malformed
from node.ledger.fields import RecordName
from node.ledger.params import ChainParams
from node.ledger.receipts import RecordRef
from node.txtypes.identity.quota import weight_of
from node.txtypes.members.member import MEMBER, Grant
from node.txtypes.service.recall import RECALL, Recall, RecallExtend, without_recalls
from node.txtypes.service.records import Part
from node.txtypes.service.remedy import RecallDone
from node.txtypes.vehicle.record import body_of, face_of, stored_record
from node.txtypes.vehicle.regions import RECALLS_MAX, OpenRecall
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle

CODE = "0016560700"
IDENT = f"{address('bmw').hex()}-{CODE}"
OTHERS = tuple(f"WBA8E9G50GNU2000{number}" for number in range(5))


def extend(*vins: str, action: str = "add", reason: str = "scope", campaign: str = CODE) -> RecallExtend:
    return RecallExtend(campaign, action, reason, tuple(sorted(vins or (VIN,))))


def done(chain: Chain, **changes: object) -> RecallDone:
    body: RecallDone = specimen("recall.done", chain, **dict(odometer=km(200)) | changes)
    return body


def opened(recall_class: str = "safety", **changes: object) -> Life:
    """A car, and a campaign that names no cars yet."""
    life = at("wholesale")
    life.chain.do("bmw", specimen("recall.open", recall_class=recall_class, **changes))
    return life


def named(recall_class: str = "safety", **changes: object) -> Life:
    life = opened(recall_class, **changes)
    life.chain.do("bmw", extend())
    return life


def car(chain: Chain, vin: str = VIN) -> Vehicle:
    found: Vehicle = chain.state(VEHICLE, vin)
    return found


def counts(chain: Chain) -> tuple[int, int, int]:
    recall: Recall = chain.state(RECALL, IDENT)
    return recall.cars, recall.done, recall.removed


def tried(life: Life, sender: str, body, *cosigners: str) -> list[str]:
    return life.chain.unmet(life.chain.sign(sender, body, *cosigners))


# --- recall.extend ----------------------------------------------------------------------------------------
def test_a_car_is_named_and_counted() -> None:
    life = opened()
    before = car(life.chain)
    life.chain.do("bmw", extend())
    after = car(life.chain)
    assert (OpenRecall(address("bmw"), CODE, "safety", life.chain.now - 1_000),) == after.recalls
    assert (1, 0, 0) == counts(life.chain)
    assert () == after.flags
    assert before.material_changes + 1 == after.material_changes


def test_a_service_campaign_is_not_material() -> None:
    life = opened("quality")
    before = car(life.chain).material_head
    life.chain.do("bmw", extend())
    assert before == car(life.chain).material_head
    assert 1 == len(car(life.chain).recalls)


@pytest.mark.parametrize(
    ("body", "codes"),
    [
        (extend(campaign="OTHER"), ["campaign_unknown"]),
        (extend("WBA8E9G50GNU99999"), ["vehicle_unknown"]),
        (extend(action="remove"), ["recall_absent"]),
        (extend(action="remove", reason="ineffective"), ["recall_reason", "recall_absent"]),
        (extend(reason="wrong"), ["recall_reason"]),
        (extend(reason="ineffective"), []),
    ],
)
def test_what_cannot_be_named(body: RecallExtend, codes: list[str]) -> None:
    assert codes == tried(opened(), "bmw", body)


@pytest.mark.parametrize("sender", ["workshop-berlin", "dealer-munich", "buyer-1"])
def test_only_a_manufacturer_names_cars(sender: str) -> None:
    assert ["role_missing", "campaign_unknown"] == tried(opened(), sender, extend())


def test_another_manufacturer_has_no_such_campaign_and_no_such_cars() -> None:
    life = opened()
    grants = (Grant("manufacturer", ("WAU",), "", (), 0, 0, ()),)
    change(life.chain, MEMBER, address("carrier-1"), grants=grants)
    assert ["campaign_unknown"] == tried(life, "carrier-1", extend())
    life.chain.do("carrier-1", specimen("recall.open"))
    assert ["role_scope"] == tried(life, "carrier-1", extend())


def test_a_grant_that_names_no_wmi_covers_no_recall() -> None:
    """Beside one that does, it would reach the cars of rivals."""
    life = opened()
    own = Grant("manufacturer", ("WMW",), "", (), 0, 0, ())
    change(life.chain, MEMBER, address("bmw"), grants=(own, Grant("manufacturer", (), "", (), 0, 0, ())))
    assert ["role_scope"] == tried(life, "bmw", extend())


def test_a_car_has_a_campaign_once_and_at_most_32() -> None:
    life = named()
    assert ["recall_present"] == tried(life, "bmw", extend())
    full = tuple(OpenRecall(address("bmw"), f"C{number}", "quality", 0) for number in range(RECALLS_MAX))
    change(life.chain, VEHICLE, VIN, recalls=full)
    assert ["recalls_full"] == tried(life, "bmw", extend())
    change(life.chain, VEHICLE, VIN, recalls=full[1:])
    assert [] == tried(life, "bmw", extend())


@pytest.mark.parametrize("existence", ["scrapped", "voided"])
def test_a_car_that_has_ended_is_not_named(existence: str) -> None:
    life = opened()
    change(life.chain, VEHICLE, VIN, existence=existence)
    assert ["vehicle_ended"] == tried(life, "bmw", extend())


def test_all_or_none_and_the_first_sixteen_are_told() -> None:
    life = opened()
    unknown = tuple(f"WBA8E9G50GNU3{number:04}" for number in range(20))
    assert ["vehicle_unknown"] * limits.BAD_VINS_NAMED_MAX == tried(life, "bmw", extend(VIN, *unknown))
    run = life.chain.run()
    ledger = run.judge(life.chain.check(life.chain.sign("bmw", extend(VIN, *unknown))))
    assert list(unknown[:16]) == [unmet.subject for unmet in ledger.unmet_guards]
    assert ["vehicle_unknown"] == tried(life, "bmw", extend(VIN, unknown[0]))
    assert () == car(life.chain).recalls


@pytest.mark.parametrize(
    ("vins", "says"),
    [((OTHERS[1], OTHERS[0]), "does not come after"), ((OTHERS[0], OTHERS[0]), "does not come after")],
)
def test_vins_ascend(vins: tuple[str, ...], says: str) -> None:
    with pytest.raises(Malformed, match=says):
        RecallExtend(CODE, "add", "scope", vins).check_static()


def test_a_car_is_taken_out_again() -> None:
    life = named("stop_drive")
    life.chain.do("bmw", extend(action="remove", reason="wrong"))
    assert ((), ()) == (car(life.chain).recalls, car(life.chain).flags)
    assert (0, 0, 1) == counts(life.chain)


# --- the stop-flag ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("recall_class", "flags"),
    [
        ("stop_drive", ["recall_do_not_drive"]),
        ("park_outside", []),
        ("safety", []),
        ("compliance", []),
        ("quality", []),
    ],
)
def test_one_class_forbids_driving(recall_class: str, flags: list[str]) -> None:
    life = named(recall_class)
    assert flags == [entry.name for entry in car(life.chain).flags]
    assert all(entry.is_firm and entry.until_ms == 0 for entry in car(life.chain).flags)


def test_the_flag_goes_with_the_last_recall_that_asks_for_it() -> None:
    life = named("stop_drive")
    life.chain.do("bmw", specimen("recall.open", campaign="SECOND", recall_class="stop_drive"))
    life.chain.do("bmw", extend(campaign="SECOND"))
    assert 1 == len(car(life.chain).flags)
    life.chain.do("workshop-berlin", done(life.chain))
    assert 1 == len(car(life.chain).flags)
    life.chain.do("workshop-berlin", done(life.chain, campaign="SECOND"))
    assert () == car(life.chain).flags


def test_other_flags_stay() -> None:
    life = named("stop_drive")
    change(life.chain, VEHICLE, VIN, flags=(*car(life.chain).flags, flag("stolen")))
    life.chain.do("workshop-berlin", done(life.chain))
    assert ["stolen"] == [entry.name for entry in car(life.chain).flags]


# --- recall.done ------------------------------------------------------------------------------------------
def test_a_recall_is_remedied_and_counted() -> None:
    life = named()
    before = car(life.chain)
    life.chain.do("workshop-berlin", done(life.chain))
    after = car(life.chain)
    assert ((), (0, 1, 0)) == (after.recalls, counts(life.chain))
    assert before.material_head == after.material_head, "nobody has to agree to a repair"
    life.chain.do("bmw", extend(reason="ineffective"))
    assert (1, 1, 0) == counts(life.chain)


def test_lifting_the_flag_is_not_material() -> None:
    life = named("stop_drive")
    before = car(life.chain).material_changes
    life.chain.do("workshop-berlin", done(life.chain))
    assert before == car(life.chain).material_changes


@pytest.mark.parametrize(
    ("sender", "changes", "codes"),
    [
        ("workshop-berlin", dict(campaign="OTHER"), ["campaign_unknown"]),
        ("workshop-berlin", dict(manufacturer=address("carrier-1")), ["campaign_unknown"]),
        ("workshop-berlin", dict(parts=()), ["remedy_evidence"]),
        ("workshop-berlin", dict(parts=(Part("OTHER", 1, True, None),)), ["remedy_evidence"]),
        ("inspector-1", dict(where=where("INS-1")), ["role_missing"]),
        ("bmw", dict(where=where()), []),
        ("workshop-berlin", dict(odometer=None), ["odometer_missing"]),
    ],
)
def test_who_remedies_and_with_what(sender: str, changes: dict[str, object], codes: list[str]) -> None:
    life = named()
    assert codes == tried(life, sender, done(life.chain, **changes))


def test_what_is_not_open_is_not_remedied() -> None:
    life = opened()
    assert ["recall_absent"] == tried(life, "workshop-berlin", done(life.chain))


def test_a_manufacturer_remedies_its_own_campaigns_only() -> None:
    life = named()
    grants = (Grant("manufacturer", ("WBA",), "", (), 0, 0, ()),)
    change(life.chain, MEMBER, address("carrier-1"), grants=grants)
    assert ["role_scope"] == tried(life, "carrier-1", done(life.chain, where=where()))


def test_a_remedy_is_not_done_before_there_is_one() -> None:
    life = named(remedy_from_day="2026-01-04")
    assert ["remedy_not_ready"] == tried(life, "workshop-berlin", done(life.chain))
    life.chain.now += 2 * DAY_MS
    assert [] == tried(life, "workshop-berlin", done(life.chain))


def test_a_remedy_of_before_the_campaign_named_the_car_closes_nothing() -> None:
    """The maker takes out a car that was remedied before; who dates a remedy back has not done it."""
    life = opened()
    life.chain.now += 100 * DAY_MS
    named_at = life.chain.now
    life.chain.do("bmw", extend())
    life.chain.now += 500 * DAY_MS
    tries = [tried(life, "workshop-berlin", done(life.chain, event_at_ms=named_at - 1 + late)) for late in (0, 1)]
    assert [["event_not_now"], []] == tries


def test_only_the_maker_buys_a_car_back() -> None:
    life = named(remedy="buy_back")
    assert ["role_scope"] == tried(life, "workshop-berlin", done(life.chain))
    assert [] == tried(life, "bmw", done(life.chain, where=where(), parts=()))


def test_software_is_shown_by_its_record() -> None:
    life = named(remedy="software")
    assert ["remedy_evidence"] == tried(life, "workshop-berlin", done(life.chain))
    missing = RecordName(99, bytes(32))
    assert ["record_unknown", "remedy_evidence"] == tried(life, "workshop-berlin", done(life.chain, software=missing))
    other = RecordName(0, bytes(32))
    assert ["record_differs", "remedy_evidence"] == tried(life, "workshop-berlin", done(life.chain, software=other))


@pytest.mark.parametrize("remedy", ["inspect", "repair"])
def test_other_remedies_need_no_part(remedy: str) -> None:
    life = named(remedy=remedy)
    assert [] == tried(life, "workshop-berlin", done(life.chain, parts=()))


def test_any_part_will_do_where_the_campaign_names_none() -> None:
    life = named(part_numbers=())
    assert [] == tried(life, "workshop-berlin", done(life.chain, parts=(Part("ANY", 1, True, None),)))
    assert ["remedy_evidence"] == tried(life, "workshop-berlin", done(life.chain, parts=()))


def test_a_car_that_ends_leaves_its_campaigns() -> None:
    life = named("stop_drive")
    ledger = ledger_of(life.chain, address("dismantler-1"))
    ended = without_recalls(ledger, car(life.chain))
    assert ((), ()) == (ended.recalls, ended.flags)
    recall = ledger.the(RECALL, IDENT)
    assert (0, 0, 1) == (recall.cars, recall.done, recall.removed)


# --- a thousand cars --------------------------------------------------------------------------------------
COUNT = limits.RECALL_VINS_MAX
ALL = tuple(f"WBA8E9G50GNU{number:05}" for number in range(COUNT))


@pytest.fixture(scope="module")
def thousand() -> Chain:
    chain = many_cars(COUNT, 14)
    chain.do("bmw", specimen("recall.open", recall_class="stop_drive"))
    return chain


def test_a_thousand_cars_fit_a_block_and_take_less_than_a_second(thousand: Chain) -> None:
    chain = thousand
    body = RecallExtend(CODE, "add", "scope", ALL)
    body.check_static()
    raw = chain.sign("bmw", body)
    assert len(raw) < limits.TX_BYTES_MAX
    assert 100 + 30 * COUNT == body.weigh() < ChainParams().block_weight_max
    run, tx = chain.run(), chain.check(raw)
    began = perf_counter()
    run.add(tx)
    run.finish()
    assert perf_counter() - began < 1
    assert body.weigh() <= run.weight < ChainParams().block_weight_max
    chain.produce(raw)
    assert (COUNT, 0, 0) == counts(chain)
    first = car(chain, ALL[0])
    assert ["recall_do_not_drive"] == [entry.name for entry in first.flags]
    receipt = chain.store.receipts(chain.store.height()).transactions[0]
    assert [RecordRef(vin, 1) for vin in ALL] == list(receipt.records)


def test_the_record_of_a_car_names_this_car_alone(thousand: Chain) -> None:
    raw = thousand.store.record(ALL[7], 1)
    record = stored_record(raw)
    assert "recall.extend" == face_of(record).kind
    assert (ALL[7],) == body_of(record, RecallExtend).vins
    assert len(raw) < 400


def test_the_weight_of_a_body_is_charged() -> None:
    assert 30 == extend(*OTHERS[:2]).weigh() - extend(OTHERS[0]).weigh()
    assert weight_of(extend(OTHERS[0]), 640) == 140
    assert register().weigh() == register().weight


# --- one refusal for each guard ------------------------------------------------------------------------------
def _opened(life: Life) -> None:
    life.chain.do("bmw", specimen("recall.open"))


def _named(life: Life) -> None:
    _opened(life)
    life.chain.do("bmw", extend())


def _full(life: Life) -> None:
    _opened(life)
    full = tuple(OpenRecall(address("bmw"), f"C{number}", "quality", 0) for number in range(RECALLS_MAX))
    change(life.chain, VEHICLE, VIN, recalls=full)


def _without_remedy(life: Life) -> None:
    life.chain.do("bmw", specimen("recall.open", remedy_from_day="2027-01-01"))
    life.chain.do("bmw", extend())


@table(
    Case("of no campaign", "wholesale", "bmw", lambda life: extend(), ("campaign_unknown",)),
    Case("of a car that is no car", "wholesale", "bmw", lambda life: extend(OTHERS[0]), ("vehicle_unknown",),
         (), _opened),
    Case("named twice", "wholesale", "bmw", lambda life: extend(), ("recall_present",), (), _named),
    Case("a thirty-third recall", "wholesale", "bmw", lambda life: extend(), ("recalls_full",), (), _full),
    Case("taken out for want of effect", "wholesale", "bmw",
         lambda life: extend(action="remove", reason="ineffective"), ("recall_reason",), (), _named),
    Case("taken out of what does not name it", "wholesale", "bmw", lambda life: extend(action="remove"),
         ("recall_absent",), (), _opened),
    Case("done without a part", "wholesale", "workshop-berlin", lambda life: done(life.chain, parts=()),
         ("remedy_evidence",), (), _named),
    Case("done before there is a remedy", "wholesale", "workshop-berlin", lambda life: done(life.chain),
         ("remedy_not_ready",), (), _without_remedy),
)  # fmt: skip
def test_a_recall(case: Case) -> None:
    assert case.codes == case.run()
