"""The signer signs, persists and only then returns: whatever fails in between, every returned signature is on disk."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from support.chain import Chain
from support.traces import block_id, validator, vote

from node.chain.vote import NIL, Proposal, Vote, sign_bytes_of
from node.codec import encode
from node.consensus.messages import Lock, Step
from node.consensus.safety import (
    HardState,
    NeverSigned,
    SignedProposal,
    SignedVote,
    SigningRefused,
    StoredLock,
    decode_hard_state,
    last_step,
)
from node.crypto.dev_keys import dev_key
from node.crypto.signing import PrivateKey, is_signature
from node.errors import Corrupted, OperatorError
from node.replica.signer import NO_PROMISE, LocalSigner, Promise
from node.storage.safety_store import SafetyFile

GENESIS = b"g" * 32
KEY = dev_key("consensus", "bmw")
ADDRESS = validator("bmw")
X, Y = block_id("X"), block_id("Y")
H = 7

Sign = Callable[[LocalSigner], Vote | Proposal]


def test_the_state_of_another_key_is_none_of_ours() -> None:
    """A signer that accepted it would sign as if it knew its earlier signatures."""
    disk = Disk()
    other = dev_key("consensus", "dealer-munich")
    LocalSigner(ADDRESS, other, disk, GENESIS).sign_vote("prevote", H, 0, X, NO_PROMISE)
    assert not LocalSigner(ADDRESS, other, disk, GENESIS).was_missing
    mine = LocalSigner(ADDRESS, KEY, disk, GENESIS)
    assert mine.was_missing
    assert 0 == mine.state.height


def test_what_was_signed_under_another_name_is_not_given_out_again_and_not_contradicted() -> None:
    disk = Disk()
    LocalSigner(validator("another"), KEY, disk, GENESIS).sign_vote("prevote", H, 0, X, NO_PROMISE)
    mine = LocalSigner(ADDRESS, KEY, disk, GENESIS)
    assert not mine.was_missing
    for ident in (X, Y):
        with pytest.raises(SigningRefused):
            mine.sign_vote("prevote", H, 0, ident, NO_PROMISE)
    assert ADDRESS == mine.sign_vote("precommit", H, 0, X, NO_PROMISE).validator


class PowerCut(Exception):
    """The process was killed."""


class Disk:
    """A record in memory; `cut` names the moment of a power cut."""

    def __init__(self) -> None:
        self.raw: bytes | None = None
        self.cut = ""
        self.saves = 0

    def load(self) -> bytes | None:
        if self.cut == "load":
            raise PowerCut
        return self.raw

    def save(self, raw: bytes) -> None:
        self.saves += 1
        if self.cut == "before":
            raise PowerCut
        self.raw = raw
        if self.cut == "after":
            raise PowerCut

    def state(self) -> HardState:
        assert self.raw is not None
        state = decode_hard_state(self.raw)
        assert isinstance(state, HardState)
        return state


class BreakingKey(PrivateKey):
    """Cut the power while it signs."""

    def sign(self, message: bytes) -> bytes:
        raise PowerCut


def signer(disk: Disk | SafetyFile, key: PrivateKey = KEY) -> LocalSigner:
    return LocalSigner(ADDRESS, key, disk, GENESIS)


def prevote(block: bytes, round_: int = 0, height: int = H) -> Sign:
    return lambda s: s.sign_vote("prevote", height, round_, block, NO_PROMISE)


def precommit(block: bytes, round_: int = 0, height: int = H) -> Sign:
    return lambda s: s.sign_vote("precommit", height, round_, block, NO_PROMISE)


def propose(block: bytes, round_: int = 0, height: int = H, valid_round: int = -1) -> Sign:
    return lambda s: s.sign_proposal(height, round_, block, valid_round, NO_PROMISE)


EVERY_KIND = [
    pytest.param(propose, id="proposal"),
    pytest.param(prevote, id="prevote"),
    pytest.param(precommit, id="precommit"),
]


def stored(disk: Disk) -> list[Vote | Proposal]:
    return [m.proposal if isinstance(m, SignedProposal) else m.vote for m in disk.state().messages]


# --- what is returned is on disk -----------------------------------------------------------------------------
@pytest.mark.parametrize("kind", EVERY_KIND)
def test_what_is_returned_is_on_disk_and_verifies(kind: Callable[[bytes], Sign]) -> None:
    disk = Disk()
    message = kind(X)(signer(disk))
    assert [message] == stored(disk)
    assert (H, 0) == (disk.state().height, disk.state().round)
    assert is_signature(KEY.public, sign_bytes_of(message, GENESIS), message.signature)
    assert ADDRESS == (message.proposer if isinstance(message, Proposal) else message.validator)


@pytest.mark.parametrize("kind", EVERY_KIND)
@pytest.mark.parametrize("cut", ["sign", "before", "after"])
def test_a_power_cut_between_any_two_lines_hands_nothing_out_unsaved(kind: Callable[[bytes], Sign], cut: str) -> None:
    disk = Disk()
    first = propose(Y, 0, H - 1)(signer(disk))
    before = disk.raw
    disk.cut = cut
    victim = signer(disk, BreakingKey(KEY.seed()) if cut == "sign" else KEY)
    handed_out = []
    with pytest.raises(PowerCut):
        handed_out.append(kind(X)(victim))
    assert [] == handed_out
    # If the same process lives on, it has nothing that is not on disk, and must not sign another block if the disk may
    # have the first one; the same applies to a new process.
    disk.cut = ""
    if cut == "after":
        survivor = signer(disk)
        (saved,) = stored(disk)
        assert saved == kind(X)(survivor)
        with pytest.raises(SigningRefused):
            kind(Y)(survivor)
    else:
        assert before == disk.raw
        assert [first] == stored(disk)
        other = kind(Y)(signer(disk))
        assert [other] == stored(disk)


@pytest.mark.parametrize("cut", ["before", "after"])
def test_a_signer_that_could_not_save_does_not_believe_it_has_signed(cut: str) -> None:
    disk = Disk()
    victim = signer(disk)
    disk.cut = cut
    with pytest.raises(PowerCut):
        prevote(X)(victim)
    assert (0, 0, Step.NEW) == last_step(victim.state)
    assert victim.was_missing
    disk.cut = ""
    again = prevote(X)(victim)
    assert [again] == stored(disk)
    assert not victim.was_missing


def test_lock_valid_value_polka_and_body_are_saved_with_the_signature() -> None:
    disk, block = Disk(), Chain().build()
    polka = tuple(vote("prevote", "X", 0, by, height=H) for by in "abc")
    promise = Promise(Lock(0, X), Lock(0, X), polka, (block,))
    signer(disk).sign_vote("precommit", H, 0, X, promise)
    state = disk.state()
    assert (StoredLock(0, X), StoredLock(0, X), polka, (block,)) == (
        state.locked,
        state.valid,
        state.polka,
        state.bodies,
    )


# --- the same again, something else --------------------------------------------------------------------------
@pytest.mark.parametrize("kind", EVERY_KIND)
def test_the_same_again_is_the_stored_message_and_not_saved_again(kind: Callable[[bytes], Sign]) -> None:
    disk = Disk()
    once = kind(X)(signer(disk))
    assert 1 == disk.saves
    assert once == kind(X)(signer(disk, BreakingKey(KEY.seed())))
    assert 1 == disk.saves


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_something_else_for_the_same_step_is_refused_before_and_after_a_restart(kind: Callable[[bytes], Sign]) -> None:
    disk = Disk()
    living = signer(disk)
    once = kind(X)(living)
    for each in (living, signer(disk)):
        with pytest.raises(SigningRefused):
            kind(Y)(each)
    assert [once] == stored(disk)


def test_a_vote_for_nil_is_something_else_than_one_for_a_block() -> None:
    disk = Disk()
    prevote(NIL)(signer(disk))
    with pytest.raises(SigningRefused, match="another prevote was signed"):
        prevote(X)(signer(disk))


def test_the_same_block_with_another_valid_round_is_another_proposal() -> None:
    disk = Disk()
    propose(X, 2, valid_round=0)(signer(disk))
    with pytest.raises(SigningRefused, match="another proposal was signed"):
        propose(X, 2, valid_round=-1)(signer(disk))
    with pytest.raises(SigningRefused, match="another proposal was signed"):
        propose(X, 2, valid_round=1)(signer(disk))


@pytest.mark.parametrize(
    "earlier", [propose(X, 1), prevote(X, 1), prevote(X, 0), precommit(X, 0), precommit(X, 9, H - 1), propose(X, 5, 1)]
)
def test_an_earlier_step_is_refused(earlier: Sign) -> None:
    disk = Disk()
    precommit(X, 1)(signer(disk))
    before = disk.raw
    with pytest.raises(SigningRefused):
        earlier(signer(disk))
    assert before == disk.raw


def test_a_whole_height_and_the_next_one() -> None:
    disk = Disk()
    living = signer(disk)
    messages = [sign(living) for sign in (propose(X), prevote(X), precommit(X), prevote(NIL, 1), precommit(NIL, 1))]
    assert messages == stored(disk)
    assert (H, 1, Step.PRECOMMIT) == last_step(living.state)
    next_one = prevote(Y, 0, H + 1)(living)
    assert [next_one] == stored(disk)
    assert (H + 1, 0, Step.PREVOTE) == last_step(signer(disk).state)


# --- the floor, and what else the key may sign --------------------------------------------------------------------
def test_below_the_floor_nothing_is_signed() -> None:
    disk = Disk()
    living = signer(disk)
    living.raise_floor(9)
    living.raise_floor(4)
    for sign in (propose(X, 0, 8), prevote(X, 0, 8), precommit(X, 0, 8)):
        with pytest.raises(SigningRefused, match="signing starts at height 9"):
            sign(living)
    assert disk.raw is None
    assert 9 == prevote(X, 0, 9)(living).height


def test_the_floor_of_a_restart_is_the_height_that_was_signed_last() -> None:
    disk = Disk()
    assert 1 == signer(disk).floor
    assert signer(disk).was_missing
    prevote(X)(signer(disk))
    assert H == signer(disk).floor
    assert not signer(disk).was_missing


def test_a_new_key_has_lost_nothing_and_signs_at_once() -> None:
    disk = Disk()
    disk.raw = encode(NeverSigned(KEY.public))

    young = signer(disk)

    assert (young.was_missing, young.state.height, young.floor) == (False, 0, 1)
    assert 1 == prevote(X, 0, 1)(young).height
    assert 1 == disk.state().height


def test_the_word_of_another_key_says_nothing_of_this_one() -> None:
    """A backup of a consensus key in a home for which `init` generated another key."""
    disk = Disk()
    disk.raw = encode(NeverSigned(dev_key("consensus", "dealer-munich").public))

    assert signer(disk).was_missing


def test_only_presence_is_signed_without_a_promise() -> None:
    living = signer(Disk())
    message = b"bmw/presence\x00" + b"anything"
    assert is_signature(KEY.public, message, living.sign_raw(message))
    for other in (b"bmw/vote\x00" + GENESIS, b"bmw/presence", b""):
        with pytest.raises(AssertionError):
            living.sign_raw(other)


def test_a_damaged_hard_state_stops_the_signer_from_being_made() -> None:
    disk = Disk()
    prevote(X)(signer(disk))
    assert disk.raw is not None
    disk.raw = disk.raw[:-1]
    with pytest.raises(Corrupted):
        signer(disk)


# --- the file itself, with every call to the system failing once ----------------------------------------------------
FILE, FOLDER = ["open", "write", "fsync", "close", "rename"], ["open", "fsync", "close"]


def with_failing_call(monkeypatch: pytest.MonkeyPatch, at: int) -> list[str]:
    """Make the `at`-th system call of `save` fail; the list collects the names of its calls."""
    made: list[str] = []

    def failing(name: str, real: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object) -> object:
            made.append(name)
            if len(made) == at + 1:
                raise OSError(28, "No space left on device")
            return real(*args)

        return call

    for name in FILE:
        monkeypatch.setattr(os, name, failing(name, getattr(os, name)))
    return made


@pytest.mark.parametrize("at", range(len(FILE + FOLDER) + 1))
def test_a_call_that_fails_leaves_the_old_file_or_the_new_one(
    at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "hard-state"
    prevote(X)(signer(SafetyFile(path)))
    old = path.read_bytes()
    living = signer(SafetyFile(path))
    with monkeypatch.context() as patch:
        made = with_failing_call(patch, at)
        handed_out, faults = [], []
        try:
            handed_out.append(precommit(X)(living))
        except OperatorError as error:
            faults.append(str(error))
    assert (FILE + FOLDER)[: at + 1] == made[: at + 1]
    assert (at < len(FILE + FOLDER)) == bool(faults) == (not handed_out)
    assert all("No space left" in fault for fault in faults)
    survivor = signer(SafetyFile(path))
    if path.read_bytes() == old:
        assert not handed_out
        assert (H, 0, Step.PREVOTE) == last_step(survivor.state)
    else:
        assert (H, 0, Step.PRECOMMIT) == last_step(survivor.state)
        assert handed_out in ([], [precommit(X)(survivor)])


def test_the_file_is_for_its_owner_only_and_takes_no_damage_for_good(tmp_path: Path) -> None:
    path = tmp_path / "hard-state"
    prevote(X)(signer(SafetyFile(path)))
    assert 0o600 == path.stat().st_mode & 0o777
    good = path.read_bytes()
    for at in (0, 7, 8, 20, 40, len(good) - 1):
        path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        with pytest.raises(Corrupted, match="reset-signing"):
            signer(SafetyFile(path))
    for torn in (b"", good[:8], good[:39], good[:-1], good + b"\x00"):
        path.write_bytes(torn)
        with pytest.raises(Corrupted):
            signer(SafetyFile(path))
    path.write_bytes(good)
    assert (H, 0, Step.PREVOTE) == last_step(signer(SafetyFile(path)).state)


def test_a_half_written_temporary_file_is_nothing(tmp_path: Path) -> None:
    path = tmp_path / "hard-state"
    path.with_suffix(".tmp").write_bytes(b"half")
    living = signer(SafetyFile(path))
    assert living.was_missing
    message = prevote(X)(living)
    assert (SignedVote(message),) == signer(SafetyFile(path)).state.messages
