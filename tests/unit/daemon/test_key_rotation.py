"""`bmw-node keys rotate`: a home's next consensus key takes its place without ever finding another key's state."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.chain import Chain, address
from support.commands import run
from support.governing import carry_out

from node.cli.init import write_home
from node.codec import encode
from node.consensus.safety import HardState, NeverSigned, SignedVote, SigningRefused
from node.crypto.addresses import to_text
from node.crypto.dev_keys import dev_key
from node.crypto.signing import is_signature
from node.daemon.home import KEY_NAMES, Home
from node.daemon.key_rotation import make_next, next_key, rotated, switch
from node.errors import OperatorError
from node.replica.signer import NO_PROMISE, LocalSigner
from node.storage.leveldb import LevelStore
from node.storage.safety_store import SafetyFile
from node.txtypes.chain.actions import ValidatorSetPower
from node.txtypes.chain.validator_set import possession_bytes

BMW = address("bmw")
OLD = dev_key("consensus", "bmw")


@pytest.fixture
def chain() -> Chain:
    return Chain()


@pytest.fixture
def home(chain: Chain, tmp_path: Path) -> Home:
    """A validator's home that has signed at height 7."""
    made = write_home(tmp_path / "home", chain.genesis, {purpose: dev_key(purpose, "bmw") for purpose in KEY_NAMES}, {})
    signer_of(made, chain).sign_vote("prevote", 7, 0, bytes(32), NO_PROMISE)
    return made


def signer_of(home: Home, chain: Chain) -> LocalSigner:
    return LocalSigner(BMW, home.read_key("consensus"), SafetyFile(home.hard_state), chain.genesis_hash)


def rotate(home: Home, *options: str):
    return run("bmw-node", "keys", "rotate", "--home", home.path, *options)


def on_chain(chain: Chain, told: dict, power: int = 10) -> None:
    key, possession = (bytes.fromhex(told[name]) for name in ("consensus_key", "possession"))
    assert "carried_out" == carry_out(chain, ValidatorSetPower(BMW, power, key, possession))


def test_the_next_key_is_made_once_and_takes_over_when_the_chain_names_it(chain: Chain, home: Home) -> None:
    told = rotate(home, "--json").json
    assert told == rotate(home, "--json").json, "the same until it is in place"
    key = bytes.fromhex(told["consensus_key"])
    assert to_text(BMW) == told["member"]
    assert is_signature(key, possession_bytes(chain.genesis_hash, BMW, key), bytes.fromhex(told["possession"]))
    assert 0o600 == home.key_file("consensus-next").stat().st_mode & 0o777
    assert '"power": 25' in rotate(home, "--power", "25").out
    assert rotated(home, chain.store, BMW) is None, "the chain still names the old one"
    assert OLD.public == home.read_key("consensus").public
    signer_of(home, chain).sign_vote("prevote", 8, 0, bytes(32), NO_PROMISE)
    on_chain(chain, told)
    taken = rotated(home, chain.store, BMW)
    assert taken is not None and key == taken.public == home.read_key("consensus").public
    assert next_key(home) is None and rotated(home, chain.store, BMW) is None
    new = signer_of(home, chain)
    assert (False, 1) == (new.was_missing, new.floor), "it has signed nothing, and knows it"
    new.sign_vote("prevote", 9, 0, bytes(32), NO_PROMISE)
    again = signer_of(home, chain)
    with pytest.raises(SigningRefused):
        again.sign_vote("prevote", 8, 0, bytes(32), NO_PROMISE)
    assert told["consensus_key"] != rotate(home, "--json").json["consensus_key"], "the next rotation has a new one"
    assert OLD.public == home.read_key(f"consensus-{OLD.public.hex()[:8]}").public


def test_a_key_that_the_chain_names_for_nobody_or_another_stays_the_next(chain: Chain, home: Home) -> None:
    make_next(home)
    other = dev_key("consensus", "other")
    possession = other.sign(possession_bytes(chain.genesis_hash, BMW, other.public))
    on_chain(chain, {"consensus_key": other.public.hex(), "possession": possession.hex()})
    assert rotated(home, chain.store, BMW) is None
    assert rotated(home, chain.store, address("bank-1")) is None
    assert OLD.public == home.read_key("consensus").public
    assert not signer_of(home, chain).was_missing


def kept_old(home: Home) -> None:
    home.write_key(f"consensus-{OLD.public.hex()[:8]}", OLD)


def moved_mark(home: Home) -> None:
    kept_old(home)
    home.next_hard_state.rename(home.hard_state)


@pytest.mark.parametrize("done", [lambda home: None, kept_old, moved_mark])
def test_a_switch_is_finished_after_a_crash_at_any_point(
    chain: Chain, home: Home, done: Callable[[Home], None]
) -> None:
    key = make_next(home)
    done(home)
    before = signer_of(home, chain)
    assert OLD.public == before.public and before.was_missing is (done is moved_mark), "the old key never finds a mark"
    switch(home)
    new = signer_of(home, chain)
    assert (key.public, False, 1) == (new.public, new.was_missing, new.floor)


@pytest.mark.parametrize(
    "state",
    [
        None,
        HardState(20, 0, (), None, None, (), ()),
        NeverSigned(OLD.public),
        NeverSigned(dev_key("consensus", "other").public),
    ],
)
def test_without_its_mark_a_next_key_counts_as_one_that_may_have_signed(
    chain: Chain, home: Home, state: HardState | NeverSigned | None
) -> None:
    """It was copied here from elsewhere, or its mark was lost: no other state may pass for its own."""
    make_next(home)
    home.next_hard_state.unlink()
    if state is not None:
        SafetyFile(home.hard_state).save(encode(state))
    switch(home)
    assert signer_of(home, chain).was_missing


def test_an_old_signer_that_is_retired_signs_nothing_and_writes_nothing(chain: Chain, home: Home) -> None:
    old = signer_of(home, chain)
    make_next(home)
    switch(home)
    before = home.hard_state.read_bytes()
    old.retire()
    with pytest.raises(SigningRefused):
        old.sign_vote("precommit", 100, 0, bytes(32), NO_PROMISE)
    assert before == home.hard_state.read_bytes()
    assert all(not isinstance(m, SignedVote) or m.vote.height < 100 for m in old.state.messages)


def test_a_signers_home_rotates_on_its_operators_word(chain: Chain, home: Home, tmp_path: Path) -> None:
    """A signer does not see the chain, so a stopped one is told to switch."""
    signer = Home(tmp_path / "signer")
    assert 0 == run("bmw-node", "signer", "--home", signer.path, "--take", home.path).code
    told = rotate(signer, "--json").json
    assert to_text(BMW) == told["member"]
    assert told["consensus_key"] in rotate(signer, "--switch").out
    new = signer_of(signer, chain)
    assert (told["consensus_key"], False, 1) == (new.public.hex(), new.was_missing, new.floor)
    rotate(signer, "--switch").refused(3, "no next consensus key waits")


def test_what_a_rotation_refuses(chain: Chain, home: Home, tmp_path: Path) -> None:
    rotate(home, "--switch").refused(3, "no next consensus key waits")
    make_next(home)
    run("bmw-node", "signer", "--home", tmp_path / "s", "--take", home.path).refused(3, "a next consensus key waits")
    with home.hold_signing():
        rotate(home, "--switch").refused(3, "stop it first")
    LevelStore(home.store).close()
    rotate(home, "--switch").refused(3, "by itself")
    home.key_file("consensus").unlink()
    rotate(home).refused(3, "has no consensus key", "signer")
    with pytest.raises(OperatorError):
        switch(home)
