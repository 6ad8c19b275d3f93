"""What a peer has used, what has to wait for it, and for how long."""

from __future__ import annotations

import pytest

from node.p2p import pacing
from node.p2p.budget import RATES, Credit
from node.p2p.framing import Lane
from node.p2p.pacing import Pace, Shares
from node.p2p.wire import ANSWERS, FIRST, QUESTIONS, URGENT, GetChunk, Ping, lane_of
from node.replica.messages import Announce, Blocks, GetBlocks, GetBody, ProposalMessage, Transactions, VoteMessage

BURST_MS = pacing.CPU_MS_PER_S * pacing.CPU_BURST_S
ALL_BURST_MS = pacing.CPU_STRANGERS_MS_PER_S * pacing.CPU_BURST_S


def test_credit_is_spent_owed_waited_for_and_not_saved_up() -> None:
    credit = Credit(100, 2, 0)
    credit.take(150, 0)
    assert (50, 0) == (credit.left(0), credit.wait_ms(0))
    credit.take(100, 0)
    assert (-50, 500) == (credit.left(0), credit.wait_ms(0))
    assert 0 == credit.wait_ms(0, -50) < credit.wait_ms(0, -49)
    assert 200 == credit.left(10**9)


def test_a_clock_that_goes_back_takes_and_gives_nothing() -> None:
    credit = Credit(100, 1, 10_000)
    credit.take(100, 10_000)
    assert 0 == credit.left(5_000)
    assert 100 == credit.left(6_000)


# --- the processor ---------------------------------------------------------------------------------------
def test_who_has_used_up_its_time_waits_with_bulk_and_not_with_votes() -> None:
    pace = Pace(None, 0)
    pace.worked(Announce, 0, BURST_MS + 30, 0)
    assert 100 == pace.wait_ms(Announce, 0, 0) == pace.wait_ms(GetBlocks, 0, 0)
    assert 0 == pace.wait_ms(VoteMessage, 0, 0) == pace.wait_ms(ProposalMessage, 0, 0) == pace.wait_ms(Ping, 0, 0)
    assert 0 == pace.wait_ms(Announce, 0, 100)


def test_blocks_that_we_execute_are_our_own_work_but_decoding_them_is_not() -> None:
    pace = Pace(None, 0)
    for _ in range(100):
        pace.worked(Blocks, 0.1, 5_000, 0)
    assert 0 == pace.wait_ms(Announce, 0, 0)
    pace.worked(Blocks, BURST_MS, 0, 0)
    assert 0 < pace.wait_ms(Announce, 0, 0)


def test_who_owes_too_much_is_not_read_from_until_it_has_paid() -> None:
    pace = Pace(None, 0)
    pace.worked(VoteMessage, BURST_MS + pacing.CPU_DEBT_MS, 0, 0)
    assert not pace.is_overdrawn(0)
    pace.worked(VoteMessage, 30, 0, 0)
    assert (True, True, False) == (pace.is_overdrawn(0), pace.is_overdrawn(99), pace.is_overdrawn(100))


def test_strangers_share_what_they_have_and_members_do_not() -> None:
    shares = Shares(0)
    strangers, member = [Pace(shares, 0) for _ in range(3)], Pace(None, 0)
    for pace in strangers[:2]:
        pace.worked(Announce, ALL_BURST_MS / 2 + 1, 0, 0)
    assert 0 < strangers[2].wait_ms(Announce, 0, 0), "it has done nothing, but the others have"
    assert 0 == member.wait_ms(Announce, 0, 0)
    assert not strangers[2].is_overdrawn(0)


def test_many_strangers_that_keep_to_their_own_shares_are_not_read_from_while_they_owe_too_much_together() -> None:
    """Votes are urgent and never wait: only not reading bounds what they cost."""
    shares = Shares(0)
    strangers, member = [Pace(shares, 0) for _ in range(36)], Pace(None, 0)
    for pace in strangers[:-1]:
        pace.worked(VoteMessage, BURST_MS / 10, 0, 0)
    assert all(pace.is_overdrawn(0) for pace in strangers) and not member.is_overdrawn(0)
    assert not any(pace.is_to_blame(0) for pace in strangers), "nobody is punished for others"


# --- answers ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", [GetBlocks, GetBody, GetChunk])
def test_questions_wait_once_the_answers_are_used_up(kind: type) -> None:
    pace = Pace(Shares(0), 0)
    pace.answered(int(pacing.ANSWER_STRANGER_BYTES_PER_S * (pacing.ANSWER_BURST_S + 1)), 0)
    assert 1_000 == pace.wait_ms(kind, 0, 0)
    assert 0 == pace.wait_ms(Transactions, 0, 0) == pace.wait_ms(VoteMessage, 0, 0)


def test_questions_wait_while_the_answers_are_not_read() -> None:
    pace = Pace(None, 0)
    assert 0 == pace.wait_ms(GetBlocks, pacing.ANSWER_QUEUE_BYTES, 0)
    assert 0 < pace.wait_ms(GetBlocks, pacing.ANSWER_QUEUE_BYTES + 1, 0)
    assert 0 == pace.wait_ms(Announce, pacing.ANSWER_QUEUE_BYTES + 1, 0)


# --- what waits ------------------------------------------------------------------------------------------
def test_what_comes_after_what_waits_waits_behind_it_but_votes_do_not() -> None:
    pace = Pace(None, 0)
    pace.put_off(GetBlocks(1, 1), 5, 30)
    assert not pace.is_due(GetBlocks, 0, 0) and not pace.is_due(Announce, 0, 0) and not pace.is_due(GetBody, 0, 0)
    assert pace.is_due(VoteMessage, 0, 0) and pace.is_due(ProposalMessage, 0, 0)
    assert (GetBlocks(1, 1), 5, 30) == pace.first() == pace.take()
    assert pace.first() is None and pace.is_due(GetBlocks, 0, 0)


@pytest.mark.parametrize(("count", "size"), [(pacing.WAITING_MAX, 1), (2, pacing.WAITING_BYTES_MAX // 2)])
def test_what_waits_is_bounded_by_number_and_by_size(count: int, size: int) -> None:
    pace = Pace(None, 0)
    for _ in range(count):
        assert not pace.is_overdrawn(0)
        pace.put_off(GetBlocks(1, 1), 0, size)
    assert pace.is_overdrawn(0)
    pace.take()
    assert not pace.is_overdrawn(0)


def test_every_kind_has_its_rate_and_every_question_an_answer() -> None:
    assert set(QUESTIONS).isdisjoint(ANSWERS) and set(FIRST) <= set(URGENT) <= set(RATES)
    assert len(QUESTIONS) == len(ANSWERS)
    assert (Lane.VOTES, Lane.BLOCKS, Lane.BULK) == (
        lane_of(Ping()),
        lane_of(GetBody(1, bytes(32))),
        lane_of(GetBlocks(1, 1)),
    )
