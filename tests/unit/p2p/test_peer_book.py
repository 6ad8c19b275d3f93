"""Whom to dial and who is banned, with time and jitter as arguments."""

from __future__ import annotations

import pytest

from node.p2p import peer_book
from node.p2p.budget import RATES, Budget
from node.p2p.peer_book import BAN_CAP_MS, BAN_MS, BAN_SCORE, DIAL_CAP_MS, DIAL_FIRST_MS, SCORE_HALF_LIFE_MS, PeerBook
from node.p2p.wire import Ping
from node.replica.messages import Blocks, VoteMessage

OWN, A, B = (bytes([i]) * 32 for i in range(3))


def book_with(*ports: int, is_configured: bool = True) -> PeerBook:
    book = PeerBook()
    for port in ports:
        book.add("10.0.0.1", port, is_configured=is_configured)
    return book


def due(book: PeerBook, now_ms: int, *connected: bytes) -> list[int]:
    return [known.port for known in book.due(now_ms, set(connected), OWN)]


def waits(book: PeerBook, jitter: float, times: int) -> list[int]:
    """How long each failed dial puts off the next one."""
    (known,) = book.due(0, set(), OWN)
    now, found = 0, []
    for _ in range(times):
        book.dialling(known, now, jitter)
        found.append(known.next_dial_ms - now)
        assert due(book, known.next_dial_ms - 1) == []
        now = known.next_dial_ms
    return found


# --- dialling ------------------------------------------------------------------------------------------
def test_a_dead_peer_is_dialled_less_and_less_often_up_to_a_cap() -> None:
    found = waits(book_with(1), 0.5, 12)
    assert [DIAL_FIRST_MS, 2 * DIAL_FIRST_MS, 4 * DIAL_FIRST_MS] == found[:3]
    assert sorted(found) == found and DIAL_CAP_MS == found[-1]


@pytest.mark.parametrize("jitter", [0.0, 0.999])
def test_jitter_spreads_by_a_quarter_either_way(jitter: float) -> None:
    for plain, spread in zip(waits(book_with(1), 0.5, 8), waits(book_with(1), jitter, 8), strict=True):
        assert 0.75 * plain - 1 <= spread <= 1.25 * plain
        assert spread != plain


def test_a_configured_peer_is_never_given_up_a_learned_one_is() -> None:
    configured, learned = book_with(1), book_with(1, is_configured=False)
    waits(configured, 0.5, 100)
    (known,) = learned.due(0, set(), OWN)
    for _ in range(21):
        learned.dialling(known, 0, 0.5)
    assert [1] == due(configured, 10**12)
    assert [] == due(learned, 10**12)


def test_a_link_that_was_there_is_dialled_again_soon() -> None:
    book = book_with(1)
    (known,) = book.due(0, set(), OWN)
    for _ in range(10):
        book.dialling(known, 0, 0.5)
    book.learned("10.0.0.1", 1, A)
    assert [] == due(book, 10**9, A), "connected"
    book.lost(A, 50_000)
    assert ([], [1]) == (due(book, 50_000 + DIAL_FIRST_MS - 1), due(book, 50_000 + DIAL_FIRST_MS))
    book.dialling(known, 60_000, 0.5)
    assert DIAL_FIRST_MS == known.next_dial_ms - 60_000, "and its backoff starts anew"


def test_neither_ourselves_nor_the_banned_are_dialled() -> None:
    book = book_with(1, 2)
    book.learned("10.0.0.1", 1, OWN)
    book.learned("10.0.0.1", 2, A)
    assert [2] == due(book, 0)
    book.misbehaved(A, BAN_SCORE, 0)
    assert ([], [2]) == (due(book, BAN_MS - 1), due(book, BAN_MS))


def test_learned_addresses_are_bounded_configured_ones_always_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer_book, "KNOWN_MAX", 3)
    book = book_with(*range(1, 10), is_configured=False)
    assert [1, 2, 3] == due(book, 0)
    book.add("10.0.0.2", 50, is_configured=True)
    assert [1, 2, 3, 50] == due(book, 0)


# --- misbehaviour --------------------------------------------------------------------------------------
def test_a_score_below_the_bound_is_no_ban_and_halves_with_time() -> None:
    book = PeerBook()
    assert not book.misbehaved(A, BAN_SCORE - 1, 0)
    assert not book.is_banned(A, 0)
    assert not book.misbehaved(A, BAN_SCORE // 2, SCORE_HALF_LIFE_MS), "half of it is forgotten"
    assert book.misbehaved(A, 10, SCORE_HALF_LIFE_MS)
    assert book.is_banned(A, SCORE_HALF_LIFE_MS)
    assert not book.is_banned(B, SCORE_HALF_LIFE_MS)


def test_a_ban_passes_and_each_one_is_twice_as_long_up_to_a_cap() -> None:
    book, now = PeerBook(), 0
    lengths = []
    for _ in range(10):
        assert book.misbehaved(A, BAN_SCORE, now)
        length = next(
            ms for ms in (BAN_MS * 2**i for i in range(20)) if not book.is_banned(A, now + min(ms, BAN_CAP_MS))
        )
        lengths.append(min(length, BAN_CAP_MS))
        assert book.is_banned(A, now + lengths[-1] - 1)
        now += lengths[-1]
    assert [BAN_MS, 2 * BAN_MS, 4 * BAN_MS] == lengths[:3]
    assert BAN_CAP_MS == lengths[-1]


def test_a_clock_that_goes_back_neither_bans_nor_pardons() -> None:
    book = PeerBook()
    assert not book.misbehaved(A, 60, 10_000)
    assert not book.misbehaved(A, 39, 0)
    assert book.misbehaved(A, 2, 0)


def test_records_of_strangers_are_bounded_and_the_newest_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer_book, "RECORDS_MAX", 3)
    book = PeerBook()
    keys = [bytes([i]) * 32 for i in range(10, 20)]
    for key in keys:
        book.misbehaved(key, BAN_SCORE, 0)
    assert [False] * 7 + [True] * 3 == [book.is_banned(key, 1) for key in keys]
    assert 3 == len(book._records)


# --- budgets -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", [Ping, VoteMessage, Blocks])
def test_a_budget_is_spent_by_number_and_comes_back_with_time(kind: type) -> None:
    budget, rate = Budget(0), RATES[kind]
    most = rate.messages * rate.burst
    assert all(budget.spend(kind, 1, 0) for _ in range(most))
    assert not budget.spend(kind, 1, 0)
    assert budget.spend(kind, 1, 2_000)
    assert budget.spend(Blocks if kind is Ping else Ping, 1, 0), "of each kind its own"


def test_a_budget_is_spent_by_size_too() -> None:
    budget, rate = Budget(0), RATES[Blocks]
    assert budget.spend(Blocks, rate.bytes * rate.burst, 0)
    assert not budget.spend(Blocks, 1, 0)
    assert budget.spend(Blocks, 1, 3_000)


def test_waiting_long_saves_up_no_more_than_the_burst() -> None:
    budget, rate = Budget(0), RATES[Ping]
    assert rate.messages * rate.burst == sum(
        budget.spend(Ping, 1, 10**9) for _ in range(10 * rate.messages * rate.burst)
    )
