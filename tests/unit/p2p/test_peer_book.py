"""Peer addresses to dial, scores and bans, with time and jitter as arguments."""

from __future__ import annotations

import pytest

from node.p2p import peer_book
from node.p2p.peer_book import (
    BAN_CAP_MS,
    BAN_MS,
    BAN_SCORE,
    DIAL_CAP_MS,
    DIAL_FIRST_MS,
    DIAL_OTHERS_CAP_MS,
    KNOWN_MAX,
    KNOWN_PER_SOURCE_MAX,
    OWN_WORDS_MAX,
    SCORE_HALF_LIFE_MS,
    SENT_AWAY_MS,
    PeerBook,
    record_of,
)
from node.p2p.rate_limits import RATES, RateLimits
from node.p2p.wire import Ping
from node.replica.messages import Blocks, VoteMessage

OWN, A, B = (bytes([i]) * 32 for i in range(3))


def book_with(*ports: int, is_configured: bool = True) -> PeerBook:
    book = PeerBook()
    for port in ports:
        book.add("10.0.0.1", port, is_configured=is_configured)
    return book


def due(book: PeerBook, now_ms: int, *connected: bytes) -> list[int]:
    return [entry.port for entry in book.due(now_ms, dict.fromkeys(connected, "10.0.0.1"), OWN)]


def waits(book: PeerBook, jitter: float, times: int) -> list[int]:
    """Backoff after each failed dial."""
    (entry,) = book.due(0, {}, OWN)
    now, backoffs = 0, []
    for _ in range(times):
        book.dialling(entry, now, jitter)
        backoffs.append(entry.next_dial_ms - now)
        assert due(book, entry.next_dial_ms - 1) == []
        now = entry.next_dial_ms
    return backoffs


# --- dialling ------------------------------------------------------------------------------------------
def test_a_dead_peer_is_dialled_less_and_less_often_up_to_a_cap() -> None:
    backoffs = waits(book_with(1), 0.5, 12)
    assert [DIAL_FIRST_MS, 2 * DIAL_FIRST_MS, 4 * DIAL_FIRST_MS] == backoffs[:3]
    assert sorted(backoffs) == backoffs and DIAL_CAP_MS == backoffs[-1]


@pytest.mark.parametrize("jitter", [0.0, 0.999])
def test_jitter_spreads_by_a_quarter_either_way(jitter: float) -> None:
    for plain, spread in zip(waits(book_with(1), 0.5, 8), waits(book_with(1), jitter, 8), strict=True):
        assert 0.75 * plain - 1 <= spread <= 1.25 * plain
        assert spread != plain


def test_a_configured_peer_is_never_given_up_a_learned_one_is() -> None:
    configured, learned = book_with(1), book_with(1, is_configured=False)
    waits(configured, 0.5, 100)
    (entry,) = learned.due(0, {}, OWN)
    for _ in range(21):
        learned.dialling(entry, 0, 0.5)
    assert [1] == due(configured, 10**12)
    assert [] == due(learned, 10**12)


def test_a_link_that_was_there_is_dialled_again_soon() -> None:
    book = book_with(1)
    (entry,) = book.due(0, {}, OWN)
    for _ in range(10):
        book.dialling(entry, 0, 0.5)
    book.learned("10.0.0.1", 1, A)
    assert [] == due(book, 10**9, A), "connected"
    book.lost(A, 50_000, SENT_AWAY_MS)
    assert ([], [1]) == (due(book, 50_000 + DIAL_FIRST_MS - 1), due(book, 50_000 + DIAL_FIRST_MS))
    book.dialling(entry, 60_000, 0.5)
    assert DIAL_FIRST_MS == entry.next_dial_ms - 60_000, "and its backoff starts anew"


def test_a_peer_that_sends_us_away_at_once_is_not_hammered() -> None:
    """Otherwise a second process with its node key would dial every peer twice a second forever."""
    book = book_with(1)
    (entry,) = book.due(0, {}, OWN)
    for _ in range(10):
        book.dialling(entry, 0, 0.5)
        book.learned("10.0.0.1", 1, A)
        book.lost(A, 0, SENT_AWAY_MS - 1)
    assert entry.next_dial_ms == DIAL_CAP_MS


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
    assert [50, 1, 2, 3] == due(book, 0)


def test_one_peer_can_not_fill_the_book_and_names_are_not_learned() -> None:
    book = PeerBook()
    for port in range(1, 500):
        book.add("10.0.0.1", port, is_configured=False, source=A)
    book.add("10.0.0.2", 1, is_configured=False, source=B)
    book.add("resolve.me.example", 1, is_configured=False, source=B)
    book.add("2001:db8::1", 1, is_configured=False, source=B)
    assert KNOWN_PER_SOURCE_MAX + 2 == len(due(book, 0))


def test_an_address_that_others_gave_us_is_soon_dialled_no_more_than_once_a_minute() -> None:
    assert DIAL_OTHERS_CAP_MS == waits(book_with(1, is_configured=False), 0.5, 12)[-1]


# --- what members publish --------------------------------------------------------------------------------
def test_published_addresses_are_dialled_after_configured_ones_and_before_learned_ones() -> None:
    book = book_with(1, is_configured=False)
    book.publish({A: ("10.0.0.1:2",), B: ("node.member.example:3",)})
    book.add("10.0.0.1", 4, is_configured=True)
    assert [4, 2, 3, 1] == due(book, 0)
    assert [4, 3, 1] == due(book, 0, A)
    assert ({A, B}, {"10.0.0.1", "node.member.example"}) == book.kept()


def test_what_is_published_no_more_is_forgotten_but_where_it_is_configured() -> None:
    book = book_with(1)
    book.publish({A: ("10.0.0.1:1",), B: ("10.0.0.1:2",)})
    assert [1, 2] == due(book, 0)
    book.publish({B: ("10.0.0.1:3",)})
    assert [1, 3] == due(book, 0)
    book.publish({})
    assert [1] == due(book, 0)


def test_a_published_address_is_its_members_and_nobody_elses() -> None:
    book = PeerBook()
    book.publish({A: ("10.0.0.1:1",)})
    assert not book.learned("10.0.0.1", 1, B)
    assert A in book.kept()[0] and B not in book.kept()[0]
    assert book.learned("10.0.0.1", 1, A)


def test_a_published_address_is_never_given_up() -> None:
    book = PeerBook()
    book.publish({A: ("10.0.0.1:1",)})
    waits(book, 0.5, 100)
    assert [1] == due(book, 10**12)


@pytest.mark.parametrize("text", ["", "host", ":1", "host:", "host:0", "host:65536", "host:99999", "host:x", "host:²"])
def test_what_is_no_address_is_not_dialled(text: str) -> None:
    book = PeerBook()
    book.publish({A: (text,)})
    assert [] == due(book, 0)


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


def test_a_score_can_be_asked_for_and_decays() -> None:
    book = PeerBook()
    assert 0 == book.score(A, 0)
    book.misbehaved(A, 40, 0)
    assert (40, 20, 5) == tuple(book.score(A, halves * SCORE_HALF_LIFE_MS) for halves in (0, 1, 3))


def test_an_address_is_one_record_whatever_its_form() -> None:
    assert record_of("2001:db8::1") == record_of("2001:db8:0:0:ffff::2") != record_of("2001:db8:0:1::1")
    assert record_of("10.0.0.1") != record_of("10.0.0.2")
    assert len(record_of("10.0.0.1")) != 32 or record_of("10.0.0.1") not in (A, B)


# --- budgets -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", [Ping, VoteMessage, Blocks])
def test_a_budget_is_spent_by_number_and_comes_back_with_time(kind: type) -> None:
    rate_limits, rate = RateLimits(0), RATES[kind]
    most = rate.messages * rate.burst
    assert all(rate_limits.spend(kind, 1, 0) for _ in range(most))
    assert not rate_limits.spend(kind, 1, 0)
    assert rate_limits.spend(kind, 1, 2_000)
    assert rate_limits.spend(Blocks if kind is Ping else Ping, 1, 0), "of each kind its own"


def test_a_budget_is_spent_by_size_too() -> None:
    rate_limits, rate = RateLimits(0), RATES[Blocks]
    assert rate_limits.spend(Blocks, rate.bytes * rate.burst, 0)
    assert not rate_limits.spend(Blocks, 1, 0)
    assert rate_limits.spend(Blocks, 1, 3_000)


def test_waiting_long_saves_up_no_more_than_the_burst() -> None:
    rate_limits, rate = RateLimits(0), RATES[Ping]
    assert rate.messages * rate.burst == sum(
        rate_limits.spend(Ping, 1, 10**9) for _ in range(10 * rate.messages * rate.burst)
    )


def test_a_member_that_publishes_anothers_key_takes_nothing_from_its_owner() -> None:
    book = PeerBook()
    book.publish({A: ("10.0.0.1:1", "10.6.6.6:1")})

    assert {"10.0.0.1", "10.6.6.6"} == {entry.host for entry in book.due(0, {}, OWN)}
    assert book.learned("10.0.0.1", 1, A)
    assert not book.learned("10.6.6.6", 1, B), "whoever is there shows another key"


# --- hearsay -----------------------------------------------------------------------------------------------
LIAR, VICTIM = b"\x11" * 32, b"\x12" * 32


def test_addresses_that_were_only_told_are_not_told_on_and_soon_forgotten() -> None:
    """Otherwise one peer could make a whole network dial another machine forever."""
    book = PeerBook()
    book.add("192.0.2.7", 1, is_configured=False, node_key=VICTIM, source=LIAR)
    assert [] == book.addresses()
    now, dials = 0, 0
    while due_now := book.due(now := now + 60_000, {}, b""):
        (entry,) = due_now
        book.dialling(entry, now, 0.0)
        book.lost(VICTIM, now, 10**9)
        dials += 1
    assert 6 == dials


def test_an_address_that_answered_is_told_on_and_dialled_again_soon() -> None:
    book = PeerBook()
    book.add("192.0.2.7", 1, is_configured=False, node_key=VICTIM, source=LIAR)
    assert book.learned("192.0.2.7", 1, VICTIM)
    assert [("192.0.2.7", 1)] == [(entry.host, entry.port) for entry in book.addresses()]
    (entry,) = book.due(0, {}, b"")
    book.dialling(entry, 0, 0.0)
    book.lost(VICTIM, 1_000, 10**9)
    assert 0 == entry.failures


def test_what_a_linked_peer_says_of_its_own_host_is_told_on() -> None:
    book = PeerBook()
    book.add("192.0.2.7", 1, is_configured=False, node_key=VICTIM)
    assert 1 == len(book.addresses())


def test_who_names_anothers_address_as_its_own_keeps_nobody_from_it() -> None:
    book = PeerBook()
    book.add("192.0.2.7", 1, is_configured=False, node_key=LIAR, source=LIAR)
    book.add("192.0.2.8", 1, is_configured=False, node_key=VICTIM, source=LIAR)
    linked = {LIAR: "10.6.6.6", VICTIM: "192.0.2.8"}
    assert ["192.0.2.7"] == [entry.host for entry in book.due(0, linked, OWN)], "the other is linked from there"
    book.misbehaved(LIAR, BAN_SCORE, 0)
    assert ["192.0.2.7"] == [entry.host for entry in book.due(0, linked, OWN)]
    assert book.learned("192.0.2.7", 1, B)
    assert [] == book.due(0, linked | {B: "192.0.2.7"}, OWN)


def test_one_host_under_ever_new_keys_leaves_room_for_others() -> None:
    book = PeerBook()
    for port in range(1, 2 * KNOWN_MAX):
        book.add("10.6.6.6", port, is_configured=False, node_key=port.to_bytes(32, "big"))
        book.add(f"2001:db8::{port:x}", 1, is_configured=False, node_key=port.to_bytes(32, "big"))
    assert 2 * OWN_WORDS_MAX == len(book.addresses())
    book.add("192.0.2.7", 1, is_configured=False, node_key=VICTIM)
    assert "192.0.2.7" in {entry.host for entry in book.addresses()}
