"""`bmw-node signer --take`: the key is in one home at every moment, and where it is its signing state is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.commands import run
from support.stores import fingerprint

from node.chain.dev_genesis import dev_genesis
from node.cli.init import new_keys, write_home
from node.codec import encode
from node.consensus.safety import HardState, NeverSigned
from node.crypto.addresses import address_of, to_text
from node.crypto.dev_keys import dev_key
from node.daemon.config import load_config
from node.daemon.home import KEY_NAMES, Home
from node.errors import OperatorError
from node.storage.leveldb import LevelStore
from node.storage.safety_store import SafetyFile

STATE = encode(HardState(7, 2, (), None, None, (), ()))
MEMBER = to_text(address_of(dev_key("account", "bmw").public))


@pytest.fixture
def node(tmp_path: Path) -> Home:
    """A validator's home that has signed."""
    home = write_home(tmp_path / "n", dev_genesis(), {purpose: dev_key(purpose, "bmw") for purpose in KEY_NAMES}, {})
    SafetyFile(home.hard_state).save(STATE)
    return home


@pytest.fixture
def signer(tmp_path: Path) -> Home:
    return Home(tmp_path / "s")


def take(node: Home, signer: Home):
    return run("bmw-node", "signer", "--home", signer.path, "--take", node.path)


def member(signer: Home) -> str:
    return load_config(signer.config, {}, {}).node.validator


def test_key_and_state_move_and_the_member_is_written_down(node: Home, signer: Home) -> None:
    done = take(node, signer)

    assert 0 == done.code, done.err
    assert f'node.signer_socket = "{signer.signer_socket}"' in done.out
    assert dev_key("consensus", "bmw").public == signer.read_key("consensus").public
    assert STATE == SafetyFile(signer.hard_state).load()
    assert not node.key_file("consensus").exists()
    assert not node.hard_state.exists()
    assert MEMBER == member(signer)
    assert node.read_genesis() == signer.read_genesis()
    assert not signer.key_file("account").exists()
    assert not signer.key_file("node").exists()


def test_the_member_is_the_one_whose_consensus_key_the_chain_knows(node: Home, signer: Home) -> None:
    """As the node finds it: the account key of this home is not asked where the chain says more."""
    node.key_file("account").unlink()

    assert 0 == take(node, signer).code
    assert MEMBER == member(signer)


def test_a_key_that_the_chain_does_not_know_is_its_accounts(tmp_path: Path, signer: Home) -> None:
    keys = new_keys()
    home = write_home(tmp_path / "new", dev_genesis(), keys, {})

    assert 0 == take(home, signer).code
    assert to_text(address_of(keys["account"].public)) == member(signer)
    assert encode(NeverSigned(keys["consensus"].public)) == SafetyFile(signer.hard_state).load()


def test_a_running_node_keeps_its_key(node: Home, signer: Home) -> None:
    for hold in (lambda: LevelStore(node.store), node.hold_signing):
        held = hold()
        before = fingerprint(node.path / "keys")
        take(node, signer).refused(3, f"process {os.getpid()}")
        held.close()
        assert before == fingerprint(node.path / "keys")
        assert not signer.path.exists()


def test_taken_twice_says_so_and_changes_nothing(node: Home, signer: Home) -> None:
    assert 0 == take(node, signer).code
    before = fingerprint(signer.path)
    take(node, signer).refused(3, "taken already")

    assert before == fingerprint(signer.path)


def test_a_home_that_has_a_key_is_never_overwritten(node: Home, tmp_path: Path) -> None:
    other = write_home(tmp_path / "other", dev_genesis(), new_keys(), {})
    before = fingerprint(tmp_path / "other" / "keys"), fingerprint(node.path / "keys")
    take(node, other).refused(3, "another home already")

    assert before == (fingerprint(tmp_path / "other" / "keys"), fingerprint(node.path / "keys"))


def test_a_damaged_state_is_not_taken(node: Home, signer: Home) -> None:
    node.hard_state.write_bytes(b"garbage")
    take(node, signer).refused(3, "damaged")

    assert node.key_file("consensus").exists()
    assert not signer.path.exists()


def test_a_move_that_was_interrupted_is_ended_by_calling_it_again(
    node: Home, signer: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The power goes right before the key moves, and the node signs on; the state taken is then the newer one."""

    def power_cut(*_: object) -> None:
        raise OperatorError("the power is gone")

    with monkeypatch.context() as patch:
        patch.setattr("node.cli.signer._rename", power_cut)
        take(node, signer).refused(3, "power")
    assert node.key_file("consensus").exists() and node.hard_state.exists()
    assert not signer.key_file("consensus").exists()
    newer = encode(HardState(8, 0, (), None, None, (), ()))
    SafetyFile(node.hard_state).save(newer)

    assert 0 == take(node, signer).code
    assert newer == SafetyFile(signer.hard_state).load()
    assert dev_key("consensus", "bmw").public == signer.read_key("consensus").public


def test_a_signer_needs_to_know_its_member(node: Home, signer: Home) -> None:
    assert 0 == take(node, signer).code
    signer.config.write_text(signer.config.read_text().replace("\nvalidator = ", "\n# validator = "))
    run("bmw-node", "signer", "--home", signer.path).refused(3, "set node.validator")


@pytest.mark.parametrize(("name", "words"), [("x" * 120, "name a shorter one"), ("no/where", "can't be made")])
def test_a_path_that_can_be_no_socket_is_named(node: Home, tmp_path: Path, name: str, words: str) -> None:
    done = run("bmw-node", "signer", "--home", node.path, "--socket", tmp_path / name)

    assert 3 == done.code
    assert words in done.err.splitlines()[-1]


def test_a_group_that_does_not_exist_is_named(node: Home) -> None:
    run("bmw-node", "signer", "--home", node.path, "--group", "no-such-group").refused(3, "no group no-such-group")


def test_a_file_that_is_no_socket_is_not_removed(node: Home, tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("mine")
    found = run("bmw-node", "signer", "--home", node.path, "--socket", path)

    assert 3 == found.code
    assert "is no socket" in found.err
    assert "mine" == path.read_text()
