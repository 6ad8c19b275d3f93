"""What goes with a record that counts no more: the instrument that it told of, the recall that it reports as done; and
what stays visible of a reading that was taken back."""

from __future__ import annotations

import pytest
from support.chain import address
from support.disputing import amend, car, name_of, newest, outcomes_of, passed, reading, serviced, through, wholesale
from support.life import VIN, Life, acknowledge, km, where
from support.ordering import BUYER, SELLER, codes_of, handing_over
from support.registering import export, registered
from support.specimens import specimen
from support.stages import at

from node.ledger.fields import Odometer, OtherSource
from node.txtypes.service.recall import RECALL
from node.txtypes.service.remedy import RecallDone
from node.txtypes.vehicle.readings import ODOMETER
from node.txtypes.vehicle.stop_flags import flag_of

HOLDER, WORKSHOP, INSPECTOR = "dealer-munich", "workshop-berlin", "inspector-1"
OLD = Odometer(50_000, "km", "cluster", (OtherSource("body_computer", 50_000),))
CAMPAIGN = f"{address('bmw').hex()}-0016560700"


def odometer(life: Life):
    return life.chain.state(ODOMETER, VIN)


# --- the instrument ---------------------------------------------------------------------------------------
def replaced() -> tuple[Life, int]:
    """50,000 km, then another instrument, by which the car has gone 200 km more."""
    life = wholesale()
    for author, value in (("workshop-hamburg", 20_000), (INSPECTOR, 50_000)):
        passed(life, 100)
        reading(life, author, value)
    life.chain.do(WORKSHOP, specimen("odometer.replace", life.chain, old=OLD, odometer=km(0)), HOLDER)
    sequence = newest(life.chain)
    for author, value in (("workshop-hamburg", 100), (INSPECTOR, 200)):
        passed(life, 10)
        reading(life, author, value)
    assert ("LOGICAL", 1) == (odometer(life).verdict, len(odometer(life).segments))
    return life, sequence


def test_an_annulled_replacement_takes_its_instrument_with_it() -> None:
    """Else a replacement that never was would explain a rollback for ever, and arbiters could not mend it."""
    life, sequence = replaced()
    changes = car(life).material_changes
    through(life, sequence, "annulled")
    assert ("ILLOGICAL", ()) == (odometer(life).verdict, odometer(life).segments)
    assert changes < car(life).material_changes


def test_a_replacement_is_taken_back_with_a_witness_only() -> None:
    life, sequence = replaced()
    alone, witnessed = (amend(life.chain, sequence, witness=who) for who in (None, address(INSPECTOR)))
    assert ["witness_missing"] == codes_of(life, WORKSHOP, alone)
    life.chain.do(WORKSHOP, witnessed, INSPECTOR)
    assert ("ILLOGICAL", ()) == (odometer(life).verdict, odometer(life).segments)


def test_the_instruments_after_a_struck_one_count_on_from_the_one_before_it() -> None:
    life, sequence = replaced()
    passed(life, 40)
    old = Odometer(1_200, "km", "cluster", (OtherSource("body_computer", 1_200),))
    life.chain.do(WORKSHOP, specimen("odometer.replace", life.chain, old=old, odometer=km(5)), HOLDER)
    assert [50_000, 51_195] == [segment.offset_metres // 1_000 for segment in odometer(life).segments]
    through(life, sequence, "annulled")
    assert [1_195] == [segment.offset_metres // 1_000 for segment in odometer(life).segments]


# --- a reading that is taken back -------------------------------------------------------------------------
def test_a_reading_taken_back_for_a_lower_one_stays_visible() -> None:
    life = wholesale()
    high = serviced(life, 2_000)
    low = serviced(life, 700)
    changes = car(life).material_changes
    life.chain.do(
        WORKSHOP, amend(life.chain, high, replaced_by=name_of(life.chain, low), witness=address(INSPECTOR)), INSPECTOR
    )
    leaf = odometer(life)
    assert ("LOGICAL", True, 1, 1) == (leaf.verdict, "lowered" in leaf.reasons, leaf.lowered, leaf.corrections)
    assert changes + 1 == car(life).material_changes
    passed(life, 1)
    serviced(life, 800)
    assert "lowered" in odometer(life).reasons


@pytest.mark.parametrize("value", [2_000, 1_990, 2_100])
def test_one_that_is_taken_back_for_no_lower_one_does_not(value: int) -> None:
    life = wholesale()
    first, second = serviced(life, 2_000), serviced(life, value)
    life.chain.do(WORKSHOP, amend(life.chain, first, replaced_by=name_of(life.chain, second)))
    assert (0, 1) == (odometer(life).lowered, odometer(life).corrections)


def test_a_typing_error_taken_back_leaves_no_mark_nor_does_a_decision() -> None:
    life = wholesale()
    typed = serviced(life, 900_000)
    life.chain.do(WORKSHOP, amend(life.chain, typed))
    assert 0 == odometer(life).lowered
    wrong = serviced(life, 2_000)
    through(life, wrong, "amended")
    life.chain.do(WORKSHOP, amend(life.chain, wrong))
    assert (0, 2) == (odometer(life).lowered, odometer(life).corrections)


# --- a recall ---------------------------------------------------------------------------------------------
def remedied(recall_class: str = "safety") -> tuple[Life, int]:
    life = wholesale()
    life.chain.do("bmw", specimen("recall.open", recall_class=recall_class))
    life.chain.do("bmw", specimen("recall.extend"))
    life.chain.do(WORKSHOP, done(life))
    assert (0, 1) == counts(life)
    return life, newest(life.chain)


def done(life: Life, value: int = 200, **changes: object) -> RecallDone:
    body = specimen("recall.done", life.chain, odometer=km(value), **changes)
    assert isinstance(body, RecallDone)
    return body


def counts(life: Life) -> tuple[int, int]:
    recall = life.chain.state(RECALL, CAMPAIGN)
    return recall.cars, recall.done


def test_a_recall_that_was_not_done_is_open_again() -> None:
    life, sequence = remedied("stop_drive")
    changes = car(life).material_changes
    through(life, sequence, "annulled")
    assert (1, 0) == counts(life)
    assert ["0016560700"] == [recall.campaign for recall in car(life).recalls]
    flag = flag_of(car(life), "recall_do_not_drive", life.chain.now)
    assert flag is not None and address("bmw") == flag.setter
    assert changes + 1 == car(life).material_changes
    life.chain.do(WORKSHOP, done(life, 210))
    assert ((0, 1), ()) == (counts(life), car(life).flags)


def test_a_mistyped_record_of_a_recall_is_corrected_by_another() -> None:
    life, sequence = remedied()
    assert ["recall_absent"] == codes_of(life, WORKSHOP, done(life, 300))
    corrects = name_of(life.chain, sequence)
    assert "recall_absent" in codes_of(life, "workshop-hamburg", done(life, 300, corrects=corrects))
    life.chain.do(WORKSHOP, done(life, 300, corrects=name_of(life.chain, sequence)))
    corrected = newest(life.chain)
    life.chain.do(WORKSHOP, amend(life.chain, sequence, replaced_by=name_of(life.chain, corrected)))
    assert ((0, 1), ()) == (counts(life), car(life).recalls)
    assert ["recall_absent"] == codes_of(life, WORKSHOP, done(life, 310, corrects=name_of(life.chain, sequence)))
    life.chain.do(WORKSHOP, amend(life.chain, corrected, witness=address(INSPECTOR)), INSPECTOR)
    assert (1, 0) == counts(life)


def test_a_recall_of_the_wrong_car_is_open_on_the_right_one_and_named_twice_changes_nothing() -> None:
    life, sequence = remedied()
    life.chain.do("bmw", specimen("recall.extend", reason="ineffective"))
    through(life, sequence, "annulled")
    assert ((1, 1), 1) == (counts(life), len(car(life).recalls))


def test_a_correction_that_is_in_no_other_place_opens_no_recall() -> None:
    """Else each of many corrections would be another means to stop the car, long after somebody has repaired it."""
    life, sequence = remedied("stop_drive")
    corrections = []
    for value in (300, 300):
        life.chain.do(WORKSHOP, done(life, value, corrects=name_of(life.chain, sequence)))
        corrections.append(newest(life.chain))
    assert ["recall_absent"] == codes_of(
        life, WORKSHOP, done(life, 300, corrects=name_of(life.chain, corrections[0]))
    ), "it corrects nothing yet"
    life.chain.do(WORKSHOP, amend(life.chain, sequence, witness=address(INSPECTOR)), INSPECTOR)
    assert (1, 0) == counts(life)
    assert ["recall_present"] == codes_of(life, WORKSHOP, done(life, 300, corrects=name_of(life.chain, sequence)))
    life.chain.do("workshop-hamburg", done(life, 310, where=where()))
    for correction in corrections:
        life.chain.do(WORKSHOP, amend(life.chain, correction, witness=address(INSPECTOR)), INSPECTOR)
    assert ((0, 1), (), ()) == (counts(life), car(life).recalls, car(life).flags)


def test_software_of_a_struck_record_is_no_remedy() -> None:
    life = wholesale()
    life.chain.do("bmw", specimen("recall.open", remedy="software"))
    life.chain.do("bmw", specimen("recall.extend"))
    life.chain.do(WORKSHOP, specimen("software.update", life.chain, odometer=km(200), over_air=False))
    remedy = done(life, 210, parts=(), software=name_of(life.chain, newest(life.chain)))
    assert [] == codes_of(life, WORKSHOP, remedy)
    life.chain.do(WORKSHOP, amend(life.chain, newest(life.chain), witness=address(INSPECTOR)), INSPECTOR)
    assert ["remedy_evidence"] == codes_of(life, WORKSHOP, remedy)


def test_a_car_that_was_named_wrongly_has_the_recall_no_more() -> None:
    life = wholesale()
    for campaign in ("0016560700", "OTHER"):
        life.chain.do("bmw", specimen("recall.open", campaign=campaign, recall_class="stop_drive"))
        life.chain.do("bmw", specimen("recall.extend", campaign=campaign))
    first, second = newest(life.chain) - 1, newest(life.chain)
    changes = car(life).material_changes
    through(life, first, "annulled", author="bmw")
    assert ["OTHER"] == [recall.campaign for recall in car(life).recalls]
    assert (0, 0) == counts(life)
    assert ["recall_do_not_drive"] == [flag.name for flag in car(life).flags], "the other one requires it"
    life.chain.do("bmw", amend(life.chain, second, reason="duplicate"))
    assert ((), ()) == (car(life).recalls, car(life).flags)
    assert changes + 1 == car(life).material_changes, "the flag is another's now"


def test_a_car_that_is_named_anew_keeps_the_recall_and_one_taken_out_wrongly_gets_it_back() -> None:
    life, _ = remedied("stop_drive")
    named = newest(life.chain) - 1
    life.chain.do("bmw", specimen("recall.extend", reason="ineffective"))
    through(life, named, "annulled", author="bmw")
    assert ((1, 1), 1) == (counts(life), len(car(life).recalls))
    life.chain.do("bmw", specimen("recall.extend", action="remove"))
    assert ((0, 1), ()) == (counts(life), car(life).flags)
    life.chain.do("bmw", amend(life.chain, newest(life.chain), reason="duplicate"))
    assert ((1, 1), 1, 1) == (counts(life), len(car(life).recalls), len(car(life).flags))


# --- at the sale and at the border ------------------------------------------------------------------------
def test_the_handovers_own_reading_may_be_any_amount_above_the_agreed_one() -> None:
    life = at("paid")
    assert [] == codes_of(
        life, SELLER, specimen("order.handover", life.chain, {"order": life.order}, odometer=km(5_000)), BUYER
    )
    reading(life, WORKSHOP, 4_000)
    assert ["acknowledgement_missing"] == codes_of(
        life, SELLER, specimen("order.handover", life.chain, {"order": life.order}, odometer=km(5_000)), BUYER
    )
    life.chain.do(BUYER, acknowledge(life.chain, life.order))
    assert ["handover_reading"] == handing_over(life)
    assert [] == codes_of(
        life, SELLER, specimen("order.handover", life.chain, {"order": life.order}, odometer=km(5_000)), BUYER
    )


def test_after_another_instrument_the_agreed_distance_is_that_of_the_car() -> None:
    life = at("paid")
    life.chain.do(WORKSHOP, specimen("odometer.replace", life.chain, odometer=km(0), old=Odometer(
        200, "km", "cluster", (OtherSource("body_computer", 200),)
    )), SELLER)  # fmt: skip
    life.chain.do(BUYER, acknowledge(life.chain, life.order))
    assert [] == codes_of(
        life, SELLER, specimen("order.handover", life.chain, {"order": life.order}, odometer=km(1)), BUYER
    )


def test_an_export_says_that_a_recall_is_asked_for_at_its_end() -> None:
    life = wholesale()
    registered(life)
    for recall_class in ("safety", "compliance"):
        life.chain.do("bmw", specimen("recall.open", recall_class=recall_class, campaign=recall_class.upper()))
        life.chain.do("bmw", specimen("recall.extend", campaign=recall_class.upper()))
    life.chain.do("registrar-1", export(life.chain))
    assert ("recall_before_accept",) == outcomes_of(life, newest(life.chain))
