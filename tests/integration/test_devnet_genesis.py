"""`bmw-node devnet`: a genesis of the day, which a folder keeps, so that its light clients trust it."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest
from support.commands import process
from support.processes import free_base_port

from node.chain.dev_genesis import dev_genesis
from node.chain.genesis import Genesis, genesis_hash, parse_genesis
from node.cli.local_network import LocalNetwork, start_of_day_ms
from node.daemon.home import Home
from node.errors import OperatorError
from node.source_tree import enclosing_source_tree

DAY_MS = 86_400_000


def test_the_days_genesis_is_the_same_all_day_and_never_of_the_future() -> None:
    noon = 1_795_867_200_000  # 2026-11-28T12:00:00Z
    assert start_of_day_ms(noon) == noon - DAY_MS // 2
    assert start_of_day_ms(start_of_day_ms(noon)) == start_of_day_ms(noon)
    assert dev_genesis(start_of_day_ms(noon)).time_ms == noon - DAY_MS // 2


@pytest.mark.parametrize("validators", [1, 4, 5])
def test_a_folder_keeps_its_genesis_on_later_days(tmp_path: Path, validators: int) -> None:
    made = LocalNetwork(tmp_path, validators, 30_000, genesis_ms=5 * DAY_MS)
    assert made.genesis.time_ms == 5 * DAY_MS
    again = LocalNetwork(tmp_path, validators, 30_000, genesis_ms=6 * DAY_MS)
    assert genesis_hash(again.genesis) == genesis_hash(made.genesis)
    assert [node.name for node in again.nodes] == [node.name for node in made.nodes]
    members = {account.name: account.member for account in made.genesis.accounts}
    for account in dev_genesis().accounts:
        known, member = account.member, members[account.name]
        if known is not None and member is not None:
            assert (known.group, known.sites, known.roles) == (member.group, member.sites, member.roles)
    for other in (2, 6):
        with pytest.raises(OperatorError, match="the homes of another network: name another folder"):
            LocalNetwork(tmp_path, other, 30_000, genesis_ms=6 * DAY_MS)


def test_a_folder_that_is_no_networks_is_refused(tmp_path: Path) -> None:
    LocalNetwork(tmp_path / "a", 1, 30_000, genesis_ms=5 * DAY_MS)
    LocalNetwork(tmp_path / "b", 1, 30_000, genesis_ms=6 * DAY_MS)
    shutil.copy(tmp_path / "b" / "genesis.json", tmp_path / "a" / "genesis.json")
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "genesis.json").write_text("{}")
    for name in ("a", "c"):
        with pytest.raises(OperatorError, match="another network"):
            LocalNetwork(tmp_path / name, 1, 30_000)


def test_a_folder_keeps_its_ports(tmp_path: Path) -> None:
    LocalNetwork(tmp_path, 2, 30_000)
    assert [(30_000, 30_100), (30_001, 30_101)] == [(n.rpc_port, n.p2p_port) for n in LocalNetwork(tmp_path, 2).nodes]
    with pytest.raises(OperatorError, match="RPC on port 30000, not on 31000: leave --base-port out, or name another"):
        LocalNetwork(tmp_path, 2, 31_000)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config = Home(tmp_path / "bmw").config
        config.write_text(config.read_text().replace("port = 30000", f"port = {taken.getsockname()[1]}"))
        with pytest.raises(OperatorError, match="is taken: end what listens there, or name another folder"):
            LocalNetwork(tmp_path, 2).check_ports()
    Home(tmp_path / "bmw").config.write_text("[rpc\n")
    with pytest.raises(OperatorError, match=r"config\.toml"):
        LocalNetwork(tmp_path, 2)


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed, and this test asks it what it ignores")
def test_git_offers_nothing_of_a_network_in_a_source_tree(tmp_path: Path) -> None:
    """Its keys are not for a commit, and its wallet is not refused for lying there."""
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    LocalNetwork(tmp_path / "net", 1, 30_000)

    done = subprocess.run(["git", "status", "--porcelain"], cwd=tmp_path, capture_output=True, text=True, check=True)

    assert done.stdout == ""
    assert enclosing_source_tree(tmp_path / "net" / "wallet", tmp_path.parent) is None
    LocalNetwork(tmp_path, 1, 30_000)
    assert not (tmp_path / ".gitignore").exists()


@pytest.mark.network
def test_a_later_run_continues_the_network_of_the_first(tmp_path: Path) -> None:
    """Its genesis is of the day of the first, so that a light client trusts it."""
    place = ("--validators", "1", "--dir", str(tmp_path / "net"))

    def devnet(*arguments: str) -> Genesis:
        done = process("bmw-node", "devnet", *place, *arguments, "--once", timeout_s=240)
        assert (done.code, done.err) == (0, "")
        genesis = parse_genesis((tmp_path / "net" / "genesis.json").read_bytes())
        assert f"genesis hash {genesis_hash(genesis).hex()}" in done.out
        return genesis

    first = devnet("--base-port", str(free_base_port()))
    assert 0 <= time.time() * 1000 - first.time_ms < 2 * DAY_MS
    assert genesis_hash(first) == genesis_hash(devnet())
