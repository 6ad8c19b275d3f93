"""The clock that passes evenly, and the watch over the one that may be wrong."""

from __future__ import annotations

from support.chain import Chain, address

from node.daemon.clocks import UNTIMELY_WINDOW_MS, ClockWatch, steady_clock

VALIDATORS = Chain().store.head().validators


def test_a_steady_clock_begins_where_it_is_told_and_never_goes_back() -> None:
    clock = steady_clock(1_000)
    first = clock()
    assert 1_000 <= first <= clock()


def test_untimely_proposals_of_a_third_of_the_power_are_our_clocks_fault() -> None:
    now = [0]
    watch = ClockWatch(lambda: now[0])
    assert not watch.is_off(VALIDATORS)
    for _ in range(10):
        watch.saw_untimely(address("bmw"))
    assert not watch.is_off(VALIDATORS), "one validator can have a wrong clock, however often it proposes"
    watch.saw_untimely(address("dealer-munich"))
    assert watch.is_off(VALIDATORS)
    assert 11 == watch.untimely
    now[0] += UNTIMELY_WINDOW_MS
    assert not watch.is_off(VALIDATORS), "it has been mended"


def test_strangers_to_the_set_do_not_count() -> None:
    watch = ClockWatch(lambda: 0)
    for name in ("buyer-1", "bank-1", "insurer-1"):
        watch.saw_untimely(address(name))
    assert not watch.is_off(VALIDATORS)
