"""The clock that passes evenly, and the watch over the one that may be wrong."""

from __future__ import annotations

import pytest
from support.chain import Chain, address

from node.daemon.clocks import FAR_MS, ClockWatch, steady_clock

VALIDATORS = Chain().store.head().validators
HOUR_MS = 3_600_000


def test_a_steady_clock_begins_where_it_is_told_and_never_goes_back() -> None:
    clock = steady_clock(1_000)
    first = clock()
    assert 1_000 <= first <= clock()


@pytest.mark.parametrize("offset_ms", [FAR_MS, HOUR_MS, -FAR_MS, -HOUR_MS])
def test_blocks_of_a_third_of_the_power_far_from_our_clock_are_its_fault(offset_ms: int) -> None:
    watch = ClockWatch()
    assert not watch.is_off(VALIDATORS)
    for _ in range(5):
        watch.saw(address("bmw"), offset_ms)
    assert not watch.is_off(VALIDATORS), "one proposer alone proves nothing"
    watch.saw(address("dealer-munich"), offset_ms)
    assert watch.is_off(VALIDATORS) and watch.offset_ms == offset_ms


def test_a_block_that_fits_says_that_the_clock_is_right() -> None:
    """As after a pause of this process, or once the clock has been mended."""
    watch = ClockWatch()
    for name in ("bmw", "dealer-munich"):
        watch.saw(address(name), HOUR_MS)
    watch.saw(address("dealer-shanghai"), FAR_MS - 1)
    assert not watch.is_off(VALIDATORS)


def test_blocks_that_were_only_delivered_say_nothing() -> None:
    watch = ClockWatch()
    for name in ("bmw", "dealer-munich", "dealer-shanghai"):
        watch.saw(address(name), None)
    assert not watch.is_off(VALIDATORS)
    for name in ("bmw", "dealer-munich"):
        watch.saw(address(name), HOUR_MS)
    watch.saw(address("dealer-shanghai"), None)
    assert watch.is_off(VALIDATORS)


def test_strangers_to_the_set_do_not_count() -> None:
    watch = ClockWatch()
    for name in ("buyer-1", "bank-1", "insurer-1"):
        watch.saw(address(name), HOUR_MS)
    assert not watch.is_off(VALIDATORS)
