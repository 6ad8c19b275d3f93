"""The token bucket: refill, debt, waiting times."""

from __future__ import annotations

from node.token_bucket import TokenBucket


def test_tokens_are_taken_owed_waited_for_and_capped() -> None:
    bucket = TokenBucket(100, 200, 0)
    assert bucket.take(150, 0)
    assert (50, 0) == (bucket.left(0), bucket.wait_ms(0))
    assert not bucket.take(100, 0)
    assert (-50, 500) == (bucket.left(0), bucket.wait_ms(0))
    assert 0 == bucket.wait_ms(0, -50) < bucket.wait_ms(0, -49)
    assert 200 == bucket.left(10**9)


def test_the_debt_is_bounded() -> None:
    bucket = TokenBucket(10, 20, 0, debt_max=5)
    assert not bucket.take(1_000, 0)
    assert -5 == bucket.left(0)
    assert [False, True] == [bucket.take(1, 500), bucket.take(1, 700)]


def test_try_take_takes_all_or_nothing() -> None:
    bucket = TokenBucket(100, 10, 0)
    assert not bucket.try_take(11, 0)
    assert 10 == bucket.left(0)
    assert bucket.try_take(10, 0)
    assert (0, 10) == (bucket.left(0), bucket.wait_ms(0, 1))


def test_a_clock_that_steps_back_adds_and_removes_nothing() -> None:
    bucket = TokenBucket(100, 100, 10_000)
    bucket.take(100, 10_000)
    assert 0 == bucket.left(5_000)
    assert 100 == bucket.left(6_000)
