"""Vote tally: exact thresholds, equivocators, certificates, kept and dropped rounds."""

from __future__ import annotations

import pytest
from support.traces import HEIGHT, block_id, block_name, validator, validator_name, validator_set, vote

from node import limits
from node.chain.validators import ValidatorSet
from node.chain.vote import NIL
from node.consensus.machine import Machine
from node.consensus.messages import RoundStarted, ScheduleTimeout, StartHeight, Step, TimeoutFired, VoteReceived
from node.consensus.tally import VOTES_PER_STEP_MAX, Tally

X, Y, Z = block_id("X"), block_id("Y"), block_id("Z")
NAMES = "abcdefghij"


def equal(count: int) -> ValidatorSet:
    return validator_set(**dict.fromkeys(NAMES[:count], 1))


def tally_of(validators: ValidatorSet, *votes: str) -> Tally:
    """Votes as words: 'prevote X 0 abc'."""
    tally = Tally(validators)
    for words in votes:
        kind, block, round_, names = words.split()
        for name in names:
            tally.add(vote(kind, block, int(round_), name))
    return tally


# --- thresholds -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("total", "quorum"), [(1, 1), (2, 2), (3, 3), (4, 3), (5, 4), (6, 5), (7, 5), (9, 7), (10, 7)])
def test_a_quorum_is_more_than_two_thirds_of_power(total: int, quorum: int) -> None:
    for count in range(total + 1):
        tally = tally_of(equal(total), *[f"prevote X 0 {name}" for name in NAMES[:count]])
        assert (count >= quorum) == tally.has_quorum("prevote", 0, X)
        assert (count >= quorum) == tally.has_quorum_of_any("prevote", 0)
        assert ([(0, X)] if count >= quorum else []) == tally.quorum_ids("prevote")


@pytest.mark.parametrize(("total", "third"), [(1, 1), (2, 1), (3, 1), (4, 2), (6, 2), (7, 3), (9, 3), (10, 4)])
def test_a_third_is_a_third_or_more_of_power(total: int, third: int) -> None:
    for count in range(total + 1):
        tally = tally_of(equal(total), *[f"precommit nil 5 {name}" for name in NAMES[:count]])
        assert (5 if count >= third else -1) == tally.skip_round()


@pytest.mark.parametrize(
    ("powers", "voters", "is_quorum"),
    [
        ({"a": 3, "b": 1, "c": 1, "d": 1}, "ab", False),  # 12 > 12 is false
        ({"a": 3, "b": 1, "c": 1, "d": 1}, "abc", True),
        ({"a": 3, "b": 1, "c": 1, "d": 1}, "bcd", False),
        ({"a": 4, "b": 3, "c": 2, "d": 1}, "abd", True),
        ({"a": 4, "b": 3, "c": 2, "d": 1}, "acd", True),
        ({"a": 4, "b": 3, "c": 2, "d": 1}, "ac", False),
        ({"a": 334, "b": 333, "c": 333}, "ab", True),
        ({"a": 334, "b": 333, "c": 333}, "bc", False),  # 1998 > 2000
        ({"a": 667, "b": 333}, "a", True),
        ({"a": 666, "b": 334}, "a", False),
    ],
)
def test_powers_count_not_heads(powers: dict[str, int], voters: str, is_quorum: bool) -> None:
    tally = tally_of(validator_set(**powers), f"precommit X 0 {voters}")
    assert is_quorum == tally.has_quorum("precommit", 0, X)
    assert is_quorum == tally.has_quorum_of_any("precommit", 0)


def test_rounds_kinds_and_blocks_are_counted_apart() -> None:
    tally = tally_of(equal(4), "prevote X 0 ab", "prevote X 1 c", "precommit X 0 c", "prevote Y 0 c")
    assert not tally.has_quorum("prevote", 0, X)
    assert tally.has_quorum_of_any("prevote", 0)
    assert not tally.has_quorum_of_any("precommit", 0)
    assert not tally.has_quorum_of_any("prevote", 1)
    assert [] == tally.quorum_ids("prevote")


def test_a_quorum_for_nil_is_a_quorum_and_names_no_block() -> None:
    tally = tally_of(equal(4), "precommit nil 0 abc")
    assert tally.has_quorum("precommit", 0, NIL)
    assert [] == tally.quorum_ids("precommit")


def test_strangers_weigh_nothing() -> None:
    tally = tally_of(equal(4), "prevote X 0 abxyz")
    assert not tally.has_quorum("prevote", 0, X)
    assert not tally.has_quorum_of_any("prevote", 0)
    assert 2 == tally.power_seen()


def test_quorums_of_several_rounds_are_all_named() -> None:
    tally = tally_of(equal(4), "precommit X 0 abc", "precommit Y 3 bcd", "precommit Z 2 ab")
    assert {(0, X), (3, Y)} == set(tally.quorum_ids("precommit"))


# --- equivocators ---------------------------------------------------------------------------------------
def test_the_same_vote_again_changes_nothing() -> None:
    tally = tally_of(equal(4), "prevote X 0 ab")
    assert tally.add(vote("prevote", "X", 0, "b")) is None
    assert not tally.has_quorum("prevote", 0, X)
    assert not tally.has_quorum_of_any("prevote", 0)


@pytest.mark.parametrize(("first", "second"), [("X", "Y"), ("Y", "X"), ("nil", "X"), ("X", "nil")])
@pytest.mark.parametrize("kind", ["prevote", "precommit"])
def test_two_ids_in_one_step_are_evidence_in_order(kind: str, first: str, second: str) -> None:
    tally = Tally(equal(4))
    assert tally.add(vote(kind, first, 3, "d")) is None
    evidence = tally.add(vote(kind, second, 3, "d"))
    assert evidence is not None
    low, high = sorted((first, second), key=block_id)
    assert (vote(kind, low, 3, "d"), vote(kind, high, 3, "d")) == (evidence.first, evidence.second)


def test_different_rounds_kinds_or_validators_are_no_evidence() -> None:
    tally = Tally(equal(4))
    votes = [
        ("prevote", "X", 0, "d"),
        ("prevote", "Y", 1, "d"),
        ("precommit", "Z", 0, "d"),
        ("prevote", "Y", 0, "c"),
    ]
    assert [None] * 4 == [tally.add(vote(*words)) for words in votes]


def test_both_votes_of_an_equivocator_count_each_for_its_id() -> None:
    tally = tally_of(equal(7), "prevote X 0 abcd", "prevote Y 0 efg")
    tally.add(vote("prevote", "Y", 0, "d"))
    assert not tally.has_quorum("prevote", 0, X)
    assert not tally.has_quorum("prevote", 0, Y)
    assert vote("prevote", "X", 0, "d") in tally.votes_of_round(0)
    assert vote("prevote", "Y", 0, "d") in tally.votes_of_round(0)
    tally.add(vote("prevote", "X", 0, "e"))
    assert tally.has_quorum("prevote", 0, X)
    tally.add(vote("prevote", "Y", 0, "c"))
    assert tally.has_quorum("prevote", 0, Y)


def test_an_equivocator_is_one_sender_where_any_votes_count() -> None:
    tally = tally_of(equal(4), "prevote X 0 ad", "prevote Y 0 d")
    assert not tally.has_quorum_of_any("prevote", 0)
    tally.add(vote("prevote", "nil", 0, "b"))
    assert tally.has_quorum_of_any("prevote", 0)


def test_a_third_vote_of_one_step_is_not_kept() -> None:
    assert 2 == VOTES_PER_STEP_MAX
    tally = tally_of(equal(4), "prevote X 0 d", "prevote Y 0 d")
    assert tally.add(vote("prevote", "Z", 0, "d")) is None
    assert vote("prevote", "Z", 0, "d") not in tally.votes_of_round(0)
    assert 2 == len(tally.votes_of_round(0))
    for name in "bc":
        tally.add(vote("prevote", "Z", 0, name))
    assert not tally.has_quorum("prevote", 0, Z)


def test_a_certificate_is_a_unit_beside_the_votes() -> None:
    tally = tally_of(equal(4), "prevote X 0 d", "prevote Y 0 d", "prevote Z 0 bc")
    tally.add_certificate("prevote", 0, Z)
    assert tally.has_quorum("prevote", 0, Z)
    assert tally.has_quorum_of_any("prevote", 0)
    assert [(0, Z)] == tally.quorum_ids("prevote")
    assert not tally.has_quorum("prevote", 0, X)
    assert not tally.has_quorum("prevote", 1, Z)
    assert not tally.has_quorum("precommit", 0, Z)
    assert {validator("b"), validator("c")} == set(tally.votes_for("prevote", 0, Z))


def test_the_votes_of_a_certificate_can_be_shown_whatever_was_heard_of_their_senders() -> None:
    tally = tally_of(equal(4), "prevote nil 0 d", "prevote X 0 d", "prevote Z 0 c")
    certificate = [vote("prevote", "Z", 0, name) for name in "bcd"]
    tally.add_certificate("prevote", 0, Z, certificate)
    assert {validator(name) for name in "bcd"} == set(tally.votes_for("prevote", 0, Z))
    assert {validator("d")} == set(tally.votes_for("prevote", 0, X))
    tally.forget_rounds_below(9, {0})
    assert 3 == len(tally.votes_for("prevote", 0, Z))


# --- the skip rule -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("rounds", "skip"),
    [
        ({"a": 60, "b": 60, "c": 60, "d": 3}, 60),
        ({"a": 6, "b": 5, "c": 4, "d": 4}, 5),
        ({"a": 9, "b": 0, "c": 0, "d": 0}, 0),
        ({"a": 9, "b": 8}, 8),
        ({"a": 9}, -1),
        ({}, -1),
    ],
)
def test_the_highest_round_that_a_third_has_reached(rounds: dict[str, int], skip: int) -> None:
    tally = Tally(equal(4))
    for name, round_ in rounds.items():
        tally.note_round(validator(name), round_)
    assert skip == tally.skip_round()


def test_the_skip_rule_weighs_powers() -> None:
    tally = Tally(validator_set(a=4, b=3, c=2, d=1))
    for name, round_ in {"d": 9, "c": 8, "b": 7, "a": 6}.items():
        tally.note_round(validator(name), round_)
    assert 7 == tally.skip_round()
    tally.note_round(validator("a"), 8)
    assert 8 == tally.skip_round()


def test_a_validators_newest_round_never_goes_back() -> None:
    tally = Tally(equal(3))
    tally.note_round(validator("a"), 7)
    tally.add(vote("prevote", "X", 2, "a"))
    assert 7 == tally.skip_round()
    assert 1 == tally.power_seen()


# --- what is kept ----------------------------------------------------------------------------------------
def kept_rounds(tally: Tally, last: int) -> list[int]:
    return [round_ for round_ in range(last + 1) if tally.votes_of_round(round_)]


def test_old_prevotes_go_unless_they_are_named_and_precommits_stay() -> None:
    tally = tally_of(equal(4), *[f"prevote X {round_} abc" for round_ in range(6)], "precommit X 1 abc")
    tally.forget_rounds_below(4, keep={2})
    assert [1, 2, 4, 5] == kept_rounds(tally, 5)
    assert not tally.has_quorum("prevote", 1, X)
    assert tally.has_quorum("prevote", 2, X)
    assert [(1, X)] == tally.quorum_ids("precommit")


def test_votes_for_and_votes_of_round_return_what_was_added() -> None:
    tally = tally_of(equal(4), "prevote X 2 ab", "prevote nil 2 c", "precommit X 2 b", "precommit X 1 b")
    assert {"a", "b"} == {validator_name(address) for address in tally.votes_for("prevote", 2, X)}
    assert {"c"} == {validator_name(address) for address in tally.votes_for("prevote", 2, NIL)}
    assert {} == tally.votes_for("prevote", 7, X)
    votes = [(v.kind, block_name(v.block_id), validator_name(v.validator)) for v in tally.votes_of_round(2)]
    assert [
        ("precommit", "X", "b"),
        ("prevote", "X", "a"),
        ("prevote", "X", "b"),
        ("prevote", "nil", "c"),
    ] == sorted(votes)


def test_flooding_with_future_rounds_is_bounded() -> None:
    """One validator votes in a hundred thousand rounds: only votes of the window and its newest round are kept."""
    machine = Machine(2520, equal(4), validator("a"))
    machine.step(StartHeight())
    for round_ in [*range(1, 2_000), limits.ROUND_CAP]:
        for block in ("X", "Y", "Z"):
            for kind in ("prevote", "precommit"):
                machine.step(VoteReceived(vote(kind, block, round_, "d")))
    kept = kept_rounds(machine.tally, 2_000)
    assert list(range(1, limits.ROUNDS_AHEAD_MAX + 1)) == kept
    assert 4 * len(kept) == sum(len(machine.tally.votes_of_round(round_)) for round_ in kept)
    assert 0 == machine.round


def test_going_through_many_rounds_keeps_a_window_of_prevotes() -> None:
    machine = Machine(2520, equal(4), None)
    machine.step(StartHeight())
    last = 100
    for round_ in range(1, last + 1):
        for name in "bc":
            effects = machine.step(VoteReceived(vote("prevote", "nil", round_, name)))
        assert [RoundStarted(round_), ScheduleTimeout(Step.PROPOSE, round_)] == effects
    assert list(range(last - limits.ROUNDS_AHEAD_MAX, last + 1)) == kept_rounds(machine.tally, last)


def test_who_is_not_in_the_set_follows_and_signs_nothing() -> None:
    machine = Machine(HEIGHT, equal(1), validator("x"))
    assert machine.own is None
    machine.step(StartHeight())
    effects = machine.step(TimeoutFired(Step.PROPOSE, 0))
    assert (Step.PREVOTE, []) == (machine.step_now, effects)
