"""Doppelganger protection: the listening process gives way, one of two remains, own replayed messages are ignored."""

from __future__ import annotations

import pytest
from support.traces import block_id, validator

from node.chain.vote import NIL, Vote, vote_sign_bytes
from node.consensus.messages import Step
from node.consensus.safety import last_step
from node.crypto.dev_keys import dev_key
from node.replica.doppelganger import (
    INTERVAL_MS,
    KEY_IN_USE_MS,
    LISTEN_MS,
    LISTEN_RESTARTED_MS,
    NO_ECHO,
    Doppelganger,
    Duty,
    is_genuine,
)
from node.replica.messages import Presence
from node.replica.signer import NO_PROMISE, LocalSigner

GENESIS = b"g" * 32
KEY = dev_key("consensus", "bmw")
ADDRESS = validator("bmw")
LOW, HIGH, THIRD = b"1" * 16, b"2" * 16, b"3" * 16
X, Y = block_id("X"), block_id("Y")
H = 7
NOW = 1_000_000


class Disk:
    def __init__(self) -> None:
        self.raw: bytes | None = None

    def load(self) -> bytes | None:
        return self.raw

    def save(self, raw: bytes) -> None:
        self.raw = raw


def a_signer(disk: Disk | None = None) -> LocalSigner:
    return LocalSigner(ADDRESS, KEY, disk or Disk(), GENESIS)


def a_double(instance: bytes = LOW, signer: LocalSigner | None = None, is_at_height: bool = False) -> Doppelganger:
    return Doppelganger(signer or a_signer(), instance, GENESIS, NOW, is_at_height)


def signing(instance: bytes = LOW, signer: LocalSigner | None = None) -> Doppelganger:
    double = a_double(instance, signer)
    double.on_tick(NOW + LISTEN_MS, True, False)
    assert Duty.SIGNING is double.duty
    return double


def said(double: Doppelganger) -> Presence:
    """Its next presence message when due."""
    message = double.on_tick(double.deadline_ms(), True, False)
    assert message is not None
    return message


def a_vote(kind: str, block: bytes, round_: int = 0, height: int = H) -> Vote:
    return Vote(kind, height, round_, block, ADDRESS, KEY.sign(vote_sign_bytes(GENESIS, kind, height, round_, block)))


# --- listening -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("is_at_height", "listens_ms"), [(False, 3_000), (True, 1_500)])
def test_it_listens_so_long_and_then_signs(is_at_height: bool, listens_ms: int) -> None:
    assert (LISTEN_MS, LISTEN_RESTARTED_MS) == (3_000, 1_500)
    double = a_double(is_at_height=is_at_height)
    double.on_tick(NOW, True, False)
    double.on_tick(NOW + listens_ms - 1, True, False)
    assert Duty.LISTENING is double.duty
    assert NOW + listens_ms == min(double.deadline_ms(), NOW + listens_ms)
    double.on_tick(NOW + listens_ms, True, False)
    assert Duty.SIGNING is double.duty


def test_silence_proves_nothing_while_there_is_nobody_to_speak() -> None:
    double = a_double()
    double.on_tick(NOW + LISTEN_MS, False, False)
    double.on_tick(NOW + LISTEN_MS + 499, True, False)
    assert Duty.LISTENING is double.duty
    double.on_tick(NOW + LISTEN_MS + 500, True, False)
    assert Duty.SIGNING is double.duty


def test_the_only_validator_of_a_chain_waits_for_no_peers() -> None:
    double = a_double()
    double.on_tick(NOW + LISTEN_MS, False, True)
    assert Duty.SIGNING is double.duty


def test_a_stopped_one_never_signs_again() -> None:
    double = a_double()
    double.stop("why")
    double.stop("another why")
    double.on_tick(NOW + 10 * LISTEN_MS, True, True)
    assert (Duty.STOPPED, "why") == (double.duty, double.why)


def test_a_stopped_one_answers_each_other_instance_once() -> None:
    double, other = a_double(HIGH), signing(LOW)
    double.stop("why")
    other.heard(said(double))
    assert double.heard(said(other)) is not None
    assert double.heard(said(other)) is None
    assert "why" == double.why


# --- presence ----------------------------------------------------------------------------------------------
def test_it_says_that_it_lives_once_a_second() -> None:
    double = a_double()
    first = double.on_tick(NOW, False, False)
    assert first is not None
    assert (ADDRESS, LOW, NO_ECHO, False) == (first.validator, first.instance, first.echo, first.is_signing)
    assert double.on_tick(NOW + INTERVAL_MS - 1, False, False) is None
    assert NOW + INTERVAL_MS == double.deadline_ms()
    assert double.on_tick(NOW + INTERVAL_MS, False, False) is not None
    assert said(signing()).is_signing


def test_presence_is_signed_for_key_chain_and_every_field() -> None:
    message = said(a_double())
    assert is_genuine(message, KEY.public, GENESIS)
    assert not is_genuine(message, dev_key("consensus", "dealer-munich").public, GENESIS)
    assert not is_genuine(message, KEY.public, b"h" * 32)
    for changed in (
        Presence(validator("other"), LOW, NO_ECHO, False, message.signature),
        Presence(ADDRESS, HIGH, NO_ECHO, False, message.signature),
        Presence(ADDRESS, LOW, HIGH, False, message.signature),
        Presence(ADDRESS, LOW, NO_ECHO, True, message.signature),
    ):
        assert not is_genuine(changed, KEY.public, GENESIS)


# --- challenge and echo -----------------------------------------------------------------------------------------
def test_a_new_instance_is_answered_at_once_with_its_echo_and_only_once() -> None:
    double, other = signing(LOW), a_double(HIGH)
    answer = double.heard(said(other))
    assert answer is not None
    assert HIGH == answer.echo
    assert double.heard(said(other)) is None
    assert Duty.SIGNING is double.duty
    assert HIGH == said(double).echo


def test_the_listener_gives_way_to_the_one_that_signs_whatever_their_instances() -> None:
    for mine, theirs in ((LOW, HIGH), (HIGH, LOW)):
        listener, signer = a_double(mine), signing(theirs)
        answer = signer.heard(said(listener))
        assert answer is not None
        last_word = listener.heard(answer)
        assert Duty.STOPPED is listener.duty
        assert theirs.hex()[:8] in listener.why
        assert last_word is not None
        signer.heard(last_word)
        assert Duty.SIGNING is signer.duty


@pytest.mark.parametrize("make", [a_double, signing], ids=["both listen", "both sign"])
def test_of_two_alike_the_greater_instance_gives_way(make) -> None:
    low, high = make(LOW), make(HIGH)
    to_high = low.heard(said(high))
    to_low = high.heard(to_high)
    assert Duty.STOPPED is high.duty
    low.heard(to_low)
    assert Duty.STOPPED is not low.duty


def test_a_message_without_our_echo_stops_nobody() -> None:
    """It may be replayed, for example from our own previous process."""
    listener = a_double(HIGH)
    listener.heard(said(signing(LOW)))
    assert Duty.LISTENING is listener.duty
    echo_of_another = signing(LOW)
    echo_of_another.heard(said(a_double(THIRD)))
    listener.heard(said(echo_of_another))
    assert Duty.LISTENING is listener.duty


def test_our_own_message_coming_back_is_nothing() -> None:
    double = a_double()
    assert double.heard(said(double)) is None
    assert NO_ECHO == said(double).echo


def test_whoever_is_told_that_its_node_key_is_in_use_listens_on_but_not_for_ever() -> None:
    """The claim is unsigned: it must not keep a validator from signing."""
    double, now = a_double(), NOW
    while now < NOW + KEY_IN_USE_MS - 1_000:
        double.key_is_connected_elsewhere(now)
        now += 1_000
        double.on_tick(now, True, False)
        assert Duty.LISTENING is double.duty
    double.key_is_connected_elsewhere(now)
    double.on_tick(NOW + KEY_IN_USE_MS, True, False)
    assert Duty.SIGNING is double.duty
    double.key_is_connected_elsewhere(NOW + KEY_IN_USE_MS)
    assert Duty.SIGNING is double.duty


def test_the_presence_of_the_other_still_stops_who_was_told() -> None:
    double, other = a_double(HIGH), signing(LOW)
    double.key_is_connected_elsewhere(NOW)
    answer = double.heard(said(other))
    assert answer is not None
    other.heard(answer)
    double.heard(said(other))
    assert (Duty.STOPPED, Duty.SIGNING) == (double.duty, other.duty)


# --- votes under our key -------------------------------------------------------------------------------------------
def one_that_has_signed() -> Doppelganger:
    """Height 7: prevote X and precommit nil in round 0, prevote Y in round 2."""
    signer = a_signer()
    signer.sign_vote("prevote", H, 0, X, NO_PROMISE)
    signer.sign_vote("precommit", H, 0, NIL, NO_PROMISE)
    signer.sign_vote("prevote", H, 2, Y, NO_PROMISE)
    return signing(LOW, signer)


@pytest.mark.parametrize(
    "vote",
    [
        a_vote("prevote", X, 0),
        a_vote("precommit", NIL, 0),
        a_vote("prevote", Y, 2),
        a_vote("prevote", X, 1),
        a_vote("precommit", X, 9, H - 1),
        a_vote("prevote", X, 0, 1),
    ],
)
def test_our_own_votes_and_older_ones_stop_nobody(vote: Vote) -> None:
    double = one_that_has_signed()
    double.saw_vote(vote)
    assert Duty.SIGNING is double.duty


@pytest.mark.parametrize(
    "vote",
    [
        a_vote("prevote", X, 2),
        a_vote("prevote", NIL, 2),
        a_vote("precommit", Y, 2),
        a_vote("precommit", NIL, 2),
        a_vote("prevote", Y, 3),
        a_vote("prevote", Y, 0, H + 1),
        a_vote("precommit", NIL, 0, H + 5),
    ],
)
def test_a_vote_that_we_cannot_have_given_stops_us(vote: Vote) -> None:
    double = one_that_has_signed()
    double.saw_vote(vote)
    assert Duty.STOPPED is double.duty
    assert f"{vote.kind} of height {vote.height}, round {vote.round}" in double.why


def test_a_prevote_that_is_not_stored_beside_a_stored_precommit_is_no_proof() -> None:
    """It is below our last signed step, so it may be our own; only a later one can't be."""
    signer = a_signer()
    signer.sign_vote("precommit", H, 0, NIL, NO_PROMISE)
    double = signing(LOW, signer)
    double.saw_vote(a_vote("prevote", X))
    assert Duty.SIGNING is double.duty


@pytest.mark.parametrize("kind", ["prevote", "precommit"])
def test_after_a_proposal_alone_any_vote_of_its_round_is_foreign(kind: str) -> None:
    signer = a_signer()
    signer.sign_proposal(H, 0, X, -1, NO_PROMISE)
    double = signing(LOW, signer)
    double.saw_vote(a_vote(kind, X))
    assert Duty.STOPPED is double.duty


def test_without_hard_state_a_vote_of_ours_keeps_us_away_from_its_height_and_the_next() -> None:
    signer = a_signer()
    double = a_double(LOW, signer)
    double.saw_vote(a_vote("precommit", X, 3, H))
    assert Duty.LISTENING is double.duty
    assert H + 2 == signer.floor
    double.on_tick(NOW + LISTEN_MS, True, False)
    double.saw_vote(a_vote("prevote", X, 5, H + 1))
    assert Duty.SIGNING is double.duty, "below the floor: ours, from before the state was lost"
    double.saw_vote(a_vote("prevote", X, 0, H + 2))
    assert Duty.STOPPED is double.duty


def test_with_hard_state_a_foreign_vote_stops_a_listener_as_well() -> None:
    disk = Disk()
    a_signer(disk).sign_vote("prevote", H, 0, X, NO_PROMISE)
    restarted = a_signer(disk)
    assert (H, 0, Step.PREVOTE) == last_step(restarted.state)
    double = a_double(LOW, restarted, is_at_height=True)
    double.saw_vote(a_vote("prevote", X))
    assert Duty.LISTENING is double.duty
    double.saw_vote(a_vote("precommit", X))
    assert Duty.STOPPED is double.duty
