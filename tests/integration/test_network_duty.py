"""A validator's duty changes while the network runs: its key is rotated by governance; it pauses and resumes."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from support.commands import PASSPHRASE, Done, import_dev_keys, run
from support.council import VOTERS
from support.processes import Load, check_no_fork, running_network, wait_for, wait_height

from node.chain.genesis import genesis_hash
from node.chain.vote import vote_sign_bytes
from node.cli.local_network import LocalNetwork, LocalNode
from node.crypto.addresses import address_of, to_text
from node.crypto.signing import PrivateKey, is_signature

pytestmark = pytest.mark.network

Wallet = Callable[..., Done]
EVERYBODY = ("bmw", *VOTERS)


def a_wallet(network: LocalNetwork) -> Wallet:
    """With the keys of all four members; it asks the first node."""
    settings = {
        "BMW_WALLET_HOME": str(network.folder / "wallet"), "BMW_WALLET_GENESIS": str(network.genesis_file),
        "BMW_WALLET_NODE": network.nodes[0].url, "BMW_WALLET_PASSPHRASE": PASSPHRASE,
    }  # fmt: skip

    def call(*arguments: str) -> Done:
        return run("bmw-wallet", *arguments, **settings)

    import_dev_keys(network.folder / "wallet", *EVERYBODY)
    return call


def committed(wallet: Wallet, kind: str, *options: str, by: str) -> dict:
    """The transaction, and the height at which it was committed."""
    done: dict = wallet("tx", kind, *options, "--from", by, "--wait", "--json").json
    assert "committed" == done["status"], done
    return done


def address(node: LocalNode) -> str:
    return to_text(address_of(node.home.read_key("account").public))


def signature(seen_by: LocalNode, height: int, of: LocalNode) -> tuple[bytes, bytes]:
    """What `of` has signed in the certificate of this height, empty where that lacks it; and what it has to be over."""
    entries = [entry["address"] for entry in seen_by.get(f"/v1/validators?height={height}")["validators"]]
    if address(of) not in entries:
        return b"", b""
    commit = seen_by.get(f"/v1/blocks/{height}")["commit"]
    assert len(entries) == len(commit["signatures"])
    ident = genesis_hash(of.home.read_genesis())
    message = vote_sign_bytes(ident, "precommit", height, commit["round"], bytes.fromhex(commit["block_id"]))
    return bytes.fromhex(commit["signatures"][entries.index(address(of))] or ""), message


def heights_signed(seen_by: LocalNode, first: int, last: int, of: LocalNode, key: PrivateKey) -> list[int]:
    """Heights whose certificate holds a signature of `of`; every one is by `key`."""
    found = []
    for height in range(first, last + 1):
        signed, message = signature(seen_by, height, of)
        assert not signed or is_signature(key.public, message, signed), f"height {height}: another key's"
        if signed:
            found.append(height)
    return found


def wait_signed(seen_by: LocalNode, above: int, of: LocalNode, key: PrivateKey) -> int:
    """The first height above with its signature: a certificate holds a quorum, which need not be everybody."""
    found: list[int] = []

    def is_there() -> bool:
        found[:] = heights_signed(seen_by, above + 1, seen_by.height(), of, key)
        return bool(found)

    wait_for(is_there, 40, f"{of.name} signs above height {above}")
    return found[0]


def wait_duty(node: LocalNode, duty: str) -> None:
    """Also of one that has just been started."""

    def is_so() -> bool:
        with contextlib.suppress(OSError, ValueError):
            return bool(node.get("/v1/status")["signing"] == duty)
        return False

    wait_for(is_so, 30, f"{node.name}: {duty}")


def proposers(node: LocalNode, first: int, last: int) -> set[str]:
    return {node.get(f"/v1/blocks/{height}")["header"]["proposer"] for height in range(first, last + 1)}


# --- rotation ------------------------------------------------------------------------------------------
def test_a_consensus_key_is_rotated_in_place_while_blocks_go_on(tmp_path: Path) -> None:
    """The process goes on: it signs with the old key up to the height that carries the rotation out, and with the new
    one above it, also after kill -9."""
    with running_network(tmp_path / "net") as network:
        first, node = network.nodes[0], network.nodes[3]
        old_key, wallet = node.home.read_key("consensus"), a_wallet(network)
        with Load(network.nodes[:3], genesis_hash(network.genesis)):
            wait_signed(first, 0, node, old_key)
            told = run("bmw-node", "keys", "rotate", "--home", node.home.path, "--power", "10", "--json").json
            assert address(node) == told["member"]
            new_key = node.home.read_key("consensus-next")
            proposal = committed(wallet, "governance.propose", "--action", told["action"], by="bmw")["txid"]
            action = ("--yes", "--accept-old-root", "--expect", f"action={told['action']}")
            vote = ("governance.vote", "--proposal", proposal, "--approve", *action)
            committed(wallet, *vote, by=VOTERS[0])
            wait_for(lambda: "20 of 40 power, 27 needed" in status_of(node), 20, "the status tells what it waits for")
            assert proposal in status_of(node)
            assert "20 of 40 power, 27 needed" in wallet("proposals").out
            rotated_at = committed(wallet, *vote, by=VOTERS[1])["height"]
            assert heights_signed(first, 1, rotated_at, node, old_key)
            signed_at = wait_signed(first, rotated_at, node, new_key)
            assert signed_at > rotated_at
            assert "rotation" not in status_of(node)
            assert new_key.public == node.home.read_key("consensus").public
            node.kill()
            reached = first.height()
            node.start()
            wait_duty(node, "signing")
            wait_signed(first, reached, node, new_key)
        network.nodes[1].kill()  # three of four are needed, and one of them has the new key
        three = [first, network.nodes[2], node]
        reached = first.height()
        wait_height(three, reached + 4, 60)
        assert heights_signed(first, reached + 3, reached + 4, node, new_key) == [reached + 3, reached + 4]
        network.nodes[1].start()
        wait_height(network.nodes, reached + 4, 60)
        assert [] == evidence(first, rotated_at, first.height())
        reused = json.dumps(json.loads(told["action"]) | {"power": 9})
        refused = wallet("tx", "governance.propose", "--action", reused, "--from", "bmw", "--dry-run", "--json")
        assert "consensus_key_used" in refused.out + refused.err, "a key serves once"
        check_no_fork(network)


def status_of(node: LocalNode) -> str:
    return run("bmw-node", "status", "--node", node.url).out


def evidence(node: LocalNode, first: int, last: int) -> list[dict]:
    return [each for height in range(first, last + 1) for each in node.get(f"/v1/blocks/{height}")["evidence"]]


# --- pause -----------------------------------------------------------------------------------------------
def test_a_validator_steps_aside_by_itself_and_comes_back(tmp_path: Path) -> None:
    with running_network(tmp_path / "net") as network:
        first, paused, others = network.nodes[0], network.nodes[3], network.nodes[:3]
        key, name = paused.home.read_key("consensus"), "workshop-berlin"
        assert name == paused.name
        wallet = a_wallet(network)
        with Load(others, genesis_hash(network.genesis)):
            wait_signed(first, 0, paused, key)
            paused_at = committed(wallet, "validator.pause", by=name)["height"]
            wait_duty(paused, "not_a_validator")
            wait_height(network.nodes, paused_at + 3, 60)

            refused = wallet("tx", "validator.pause", "--from", "dealer-munich", "--dry-run", "--json")
            assert "power_moves_third" in refused.out + refused.err, "of four equal ones one at a time"

            assert 0 == paused.stop()  # what the pause was for
            reached = first.height()
            wait_height(others, reached + 4, 60)
            paused.start()
            wait_height([paused], reached + 4, 60)
            wait_duty(paused, "not_a_validator")
            resumed_at = committed(wallet, "validator.resume", by=name)["height"]
            for height in range(paused_at + 1, resumed_at + 1):
                entries = first.get(f"/v1/validators?height={height}")["validators"]
                assert address(paused) not in {entry["address"] for entry in entries}
            assert [] == heights_signed(first, paused_at + 1, resumed_at, paused, key)
            assert address(paused) not in proposers(first, paused_at + 1, resumed_at)
            wait_duty(paused, "signing")
            wait_signed(first, resumed_at, paused, key)
        network.nodes[1].kill()  # its power counts again: three of four are needed
        reached = first.height()
        wait_height([first, network.nodes[2], paused], reached + 4, 60)
        assert heights_signed(first, reached + 3, reached + 4, paused, key) == [reached + 3, reached + 4]
        network.nodes[1].start()
        wait_height(network.nodes, reached + 4, 60)
        check_no_fork(network)
