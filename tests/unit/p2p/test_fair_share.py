"""Per-peer quotas: charges, queueing and waiting times."""

from __future__ import annotations

import pytest

from node.p2p import fair_share
from node.p2p.fair_share import PeerQuota, Shares
from node.p2p.framing import Lane
from node.p2p.rate_limits import RATES
from node.p2p.wire import ANSWERS, FIRST, QUESTIONS, URGENT, GetChunk, Ping, lane_of
from node.replica.messages import Announce, Blocks, GetBlocks, GetBody, ProposalMessage, Transactions, VoteMessage

BURST_MS = fair_share.CPU_MS_PER_S * fair_share.CPU_BURST_S
ALL_BURST_MS = fair_share.CPU_STRANGERS_MS_PER_S * fair_share.CPU_BURST_S


# --- processor time ---------------------------------------------------------------------------------------
def test_who_has_used_up_its_time_waits_with_bulk_and_not_with_votes() -> None:
    quota = PeerQuota(None, 0)
    quota.worked(Announce, 0, BURST_MS + 30, 0)
    assert 100 == quota.wait_ms(Announce, 0, 0) == quota.wait_ms(GetBlocks, 0, 0)
    assert 0 == quota.wait_ms(VoteMessage, 0, 0) == quota.wait_ms(ProposalMessage, 0, 0) == quota.wait_ms(Ping, 0, 0)
    assert 0 == quota.wait_ms(Announce, 0, 100)


def test_blocks_that_we_execute_are_our_own_work_but_decoding_them_is_not() -> None:
    quota = PeerQuota(None, 0)
    for _ in range(100):
        quota.worked(Blocks, 0.1, 5_000, 0)
    assert 0 == quota.wait_ms(Announce, 0, 0)
    quota.worked(Blocks, BURST_MS, 0, 0)
    assert 0 < quota.wait_ms(Announce, 0, 0)


def test_who_owes_too_much_is_not_read_from_until_it_has_paid() -> None:
    quota = PeerQuota(None, 0)
    quota.worked(VoteMessage, BURST_MS + fair_share.CPU_DEBT_MS, 0, 0)
    assert not quota.is_overdrawn(0)
    quota.worked(VoteMessage, 30, 0, 0)
    assert (True, True, False) == (quota.is_overdrawn(0), quota.is_overdrawn(99), quota.is_overdrawn(100))


def test_strangers_share_what_they_have_and_members_do_not() -> None:
    shares = Shares(0)
    strangers, member = [PeerQuota(shares, 0) for _ in range(3)], PeerQuota(None, 0)
    for quota in strangers[:2]:
        quota.worked(Announce, ALL_BURST_MS / 2 + 1, 0, 0)
    assert 0 < strangers[2].wait_ms(Announce, 0, 0), "it has done nothing, but the others have"
    assert 0 == member.wait_ms(Announce, 0, 0)
    assert not strangers[2].is_overdrawn(0)


def test_many_strangers_that_keep_to_their_own_shares_are_not_read_from_while_they_owe_too_much_together() -> None:
    """Votes are never queued: only pausing reads bounds their cost."""
    shares = Shares(0)
    strangers, member = [PeerQuota(shares, 0) for _ in range(36)], PeerQuota(None, 0)
    for quota in strangers[:-1]:
        quota.worked(VoteMessage, BURST_MS / 10, 0, 0)
    assert all(quota.is_overdrawn(0) for quota in strangers) and not member.is_overdrawn(0)
    assert not any(quota.is_to_blame(0) for quota in strangers), "nobody is punished for others"


# --- answers ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", [GetBlocks, GetBody, GetChunk])
def test_questions_wait_once_the_answers_are_used_up(kind: type) -> None:
    quota = PeerQuota(Shares(0), 0)
    quota.answered(int(fair_share.ANSWER_STRANGER_BYTES_PER_S * (fair_share.ANSWER_BURST_S + 1)), 0)
    assert 1_000 == quota.wait_ms(kind, 0, 0)
    assert 0 == quota.wait_ms(Transactions, 0, 0) == quota.wait_ms(VoteMessage, 0, 0)


def test_questions_wait_while_the_answers_are_not_read() -> None:
    quota = PeerQuota(None, 0)
    assert 0 == quota.wait_ms(GetBlocks, fair_share.ANSWER_QUEUE_BYTES, 0)
    assert 0 < quota.wait_ms(GetBlocks, fair_share.ANSWER_QUEUE_BYTES + 1, 0)
    assert 0 == quota.wait_ms(Announce, fair_share.ANSWER_QUEUE_BYTES + 1, 0)


# --- the queue ------------------------------------------------------------------------------------------
def test_what_comes_after_what_waits_waits_behind_it_but_votes_do_not() -> None:
    quota = PeerQuota(None, 0)
    quota.put_off(GetBlocks(1, 1), 5, 30)
    assert not quota.is_due(GetBlocks, 0, 0) and not quota.is_due(Announce, 0, 0) and not quota.is_due(GetBody, 0, 0)
    assert quota.is_due(VoteMessage, 0, 0) and quota.is_due(ProposalMessage, 0, 0)
    assert (GetBlocks(1, 1), 5, 30) == quota.first() == quota.take()
    assert quota.first() is None and quota.is_due(GetBlocks, 0, 0)


@pytest.mark.parametrize(("count", "size"), [(fair_share.WAITING_MAX, 1), (2, fair_share.WAITING_BYTES_MAX // 2)])
def test_what_waits_is_bounded_by_number_and_by_size(count: int, size: int) -> None:
    quota = PeerQuota(None, 0)
    for _ in range(count):
        assert not quota.is_overdrawn(0)
        quota.put_off(GetBlocks(1, 1), 0, size)
    assert quota.is_overdrawn(0)
    quota.take()
    assert not quota.is_overdrawn(0)


def test_every_kind_has_its_rate_and_every_question_an_answer() -> None:
    assert set(QUESTIONS).isdisjoint(ANSWERS) and set(FIRST) <= set(URGENT) <= set(RATES)
    assert len(QUESTIONS) == len(ANSWERS)
    assert (Lane.VOTES, Lane.BLOCKS, Lane.BULK) == (
        lane_of(Ping()),
        lane_of(GetBody(1, bytes(32))),
        lane_of(GetBlocks(1, 1)),
    )
