"""Cases of customers: who opens, confirms, answers and closes one; their bounds and deadlines."""

from __future__ import annotations

from support.chain import DAY_MS, address
from support.life import VIN, Life
from support.ordering import BUYER, SELLER, codes_of
from support.specimens import specimen
from support.stages import at

from node.ledger.family import AsOf
from node.rpc.moments import moment_of
from node.txtypes.cases.case import CASE, CONFIRM_MS, SILENCE_MS, CaseView, status_at
from node.txtypes.rulesets import RULESETS


def opening(life: Life, **changes):
    return specimen("case.open", life.chain, **changes)


def opened(stage: str = "wholesale", **changes) -> tuple[Life, bytes]:
    life = at(stage)
    return life, life.chain.do(BUYER, opening(life, **changes))


def reply(life: Life, case: bytes, sequence: int = 0):
    return specimen("case.reply", life.chain, {"case": case}, sequence=sequence)


def closing(life: Life, case: bytes, outcome: str = "solved"):
    return specimen("case.close", life.chain, {"case": case}, outcome=outcome)


def status(life: Life, case: bytes) -> str:
    return status_at(life.chain.state(CASE, case), life.chain.now)


def view(life: Life, case: bytes) -> CaseView:
    as_of = AsOf(life.chain.now, RULESETS[1])
    return CaseView.of(case.hex(), life.chain.state(CASE, case), moment_of(life.chain.store), as_of)


def test_member_and_customer_write_in_turn_and_agree_that_it_is_solved() -> None:
    life, case = opened()
    life.chain.do(SELLER, reply(life, case))
    assert ["case_sequence"] == codes_of(life, SELLER, reply(life, case))
    life.chain.do(BUYER, reply(life, case, 1))
    life.chain.do(SELLER, closing(life, case))
    assert "proposed" == status(life, case)
    life.chain.do(BUYER, closing(life, case))
    assert ("closed", False) == (status(life, case), view(life, case).is_silent)
    assert ["case_status"] == codes_of(life, BUYER, reply(life, case, 2))


def test_silence_closes_and_a_reply_takes_it_up_again() -> None:
    life, case = opened()
    life.chain.do(SELLER, closing(life, case))
    life.chain.do(BUYER, reply(life, case))
    assert "open" == status(life, case)
    life.chain.do(SELLER, closing(life, case, "rejected"))
    life.chain.now += SILENCE_MS
    assert ("closed", True, "rejected") == (status(life, case), view(life, case).is_silent, view(life, case).outcome)


def test_strangers_have_no_word_in_it() -> None:
    life, case = opened()
    assert ["not_a_party"] == codes_of(life, "workshop-berlin", reply(life, case))
    assert ["not_a_party"] == codes_of(life, "workshop-berlin", closing(life, case))
    assert ["case_unknown"] == codes_of(life, BUYER, reply(life, bytes(32)))


def test_a_call_counts_once_the_customer_confirms_it() -> None:
    life = at("wholesale")
    written = opening(life, on_behalf=address(BUYER), channel="phone")
    assert ["not_a_party"] == codes_of(life, "workshop-berlin", written)
    case = life.chain.do(SELLER, written)
    confirm = specimen("case.confirm", life.chain, {"case": case})
    assert ["case_status"] == codes_of(life, SELLER, reply(life, case))
    assert ["not_a_party"] == codes_of(life, SELLER, confirm)
    life.chain.do(BUYER, confirm)
    assert "open" == status(life, case)
    late = life.chain.do(SELLER, written)
    life.chain.now += CONFIRM_MS
    assert "lapsed" == status(life, late)
    assert ["case_status"] == codes_of(life, BUYER, specimen("case.confirm", life.chain, {"case": late}))


def test_an_account_without_a_deal_opens_three_a_day() -> None:
    life = at("handed_over")
    for _ in range(3):
        life.chain.do(BUYER, opening(life))
    assert ["acts_exhausted"] == codes_of(life, BUYER, opening(life))
    assert [] == codes_of(life, BUYER, opening(life, order=life.order))
    assert [] == codes_of(life, BUYER, opening(life, vin=VIN))
    life.chain.now += DAY_MS
    assert [] == codes_of(life, BUYER, opening(life))


def test_ten_open_cases_are_enough() -> None:
    life = at("handed_over")
    cases = [life.chain.do(BUYER, opening(life, vin=VIN)) for _ in range(10)]
    assert ["cases_live"] == codes_of(life, BUYER, opening(life, vin=VIN))
    life.chain.do(BUYER, closing(life, cases[0], "given_up"))
    assert [] == codes_of(life, BUYER, opening(life, vin=VIN))


def test_a_case_names_an_order_of_the_customer_and_a_member() -> None:
    life = at("offered")
    assert ["not_a_party"] == codes_of(life, "workshop-berlin", opening(life, order=life.order))
    assert "not_a_member" in codes_of(life, SELLER, opening(life, member=address(BUYER)))
    assert ["not_a_party"] == codes_of(life, SELLER, opening(life))


def test_deadlines_follow_the_category() -> None:
    life, case = opened(category="REFUND")
    assert not view(life, case).is_late
    life.chain.now += DAY_MS + 1
    assert view(life, case).is_late
    life.chain.do(SELLER, reply(life, case))
    assert (1 * DAY_MS, 14 * DAY_MS) == (
        view(life, case).reply_due_ms - view(life, case).opened_at_ms,
        view(life, case).solution_due_ms - view(life, case).opened_at_ms,
    )  # fmt: skip


def test_a_case_has_32_replies() -> None:
    life, case = opened()
    for number in range(32):
        life.chain.do(SELLER, reply(life, case, number))
    assert ["replies_full"] == codes_of(life, SELLER, reply(life, case, 32))
    assert len(life.chain.store.state.get(CASE.key(case))) <= 4_096
