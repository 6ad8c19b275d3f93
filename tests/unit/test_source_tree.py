"""Keys are not made inside a source tree, where they could be published; folders that git ignores are fine."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.commands import run
from support.stores import fingerprint

from node.source_tree import enclosing_source_tree
from wallet.cli import main

ROOT = Path(__file__).resolve().parents[2]
needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed here")


def git_tree(path: Path, ignored: str = "") -> Path:
    path.mkdir(parents=True, exist_ok=True)
    subprocess.run(["git", "init", "--quiet", str(path)], check=True)
    (path / ".gitignore").write_text(ignored)
    return path


def copy_of_this_project(path: Path) -> Path:
    """What an unpacked archive of the source has, as far as the rule looks."""
    for name in ("setup.cfg", "wallet/keystore.py"):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, path / name)
    return path


@needs_git
@pytest.mark.parametrize("home", ["", "wallet", "src/deep/wallet"])
def test_a_home_in_a_git_tree_is_found(tmp_path: Path, home: str) -> None:
    tree = git_tree(tmp_path / "user" / "erp")
    assert tree == enclosing_source_tree(tree / home, tmp_path / "user")
    link = tmp_path / "link"
    link.symlink_to(tree)
    assert tree == enclosing_source_tree(link / home, tmp_path / "user")


def test_a_home_in_a_copy_of_this_project_is_found(tmp_path: Path) -> None:
    tree = copy_of_this_project(tmp_path / "bmw-chain-0.1.0")
    for home in (tree, tree / "wallet", tree / "wallet" / "mine", tree / "build" / "wallet"):
        assert tree == enclosing_source_tree(home, tmp_path / "user")


@needs_git
def test_a_git_file_of_a_work_tree_counts_and_the_environment_of_a_hook_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = git_tree(tmp_path / "other", "wallet/\n")
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / ".git").write_text(f"gitdir: {other / '.git'}\n")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    assert tmp_path / "linked" == enclosing_source_tree(tmp_path / "linked" / "wallet", tmp_path / "user")


@needs_git
def test_homes_that_no_commit_takes_up_are_none_of_it(tmp_path: Path) -> None:
    user = git_tree(tmp_path / "user")  # settings kept in git, as many do
    assert enclosing_source_tree(user / ".bmw-wallet", user) is None
    assert enclosing_source_tree(tmp_path / "srv" / "wallet", user) is None
    tree = git_tree(copy_of_this_project(user / "bmw-chain"), "build/\n")
    assert enclosing_source_tree(tree / "build" / "devnet" / "wallet", user) is None
    (tree / "mine").mkdir()
    (tree / "mine" / ".gitignore").write_text("*\n")
    assert enclosing_source_tree(tree / "mine", user) is None
    assert enclosing_source_tree(tree / "mine2", user) == tree


def test_a_link_to_itself_is_left_to_those_who_open_it(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert enclosing_source_tree(tmp_path / "loop", tmp_path) is None


def test_without_git_nothing_counts_as_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tree" / ".git").mkdir(parents=True)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert tmp_path / "tree" == enclosing_source_tree(tmp_path / "tree" / "wallet", tmp_path / "user")


@pytest.mark.parametrize("by_option", [True, False])
def test_the_wallet_refuses_such_a_home_before_it_writes(tmp_path: Path, by_option: bool) -> None:
    home = copy_of_this_project(tmp_path / "source") / "wallet"
    before = sorted(home.rglob("*"))
    arguments = ["key", "new", "alice", *(["--home", str(home)] if by_option else [])]
    environment = {"BMW_WALLET_PASSPHRASE": "a long passphrase", "BMW_WALLET_HOME": str(home)}

    done = CliRunner().invoke(main, arguments, env=environment)

    assert done.exit_code == 2
    assert f"{home} is in the source tree {tmp_path / 'source'}" in done.output
    assert "~/.bmw-wallet" in done.output
    assert before == sorted(home.rglob("*"))


@pytest.mark.parametrize("command", ["init", "testnet --output", "signer --take NODE --home"])
def test_the_node_makes_no_keys_in_such_a_home(command: str, tmp_path: Path) -> None:
    """Homes of development networks may lie there: their keys are public."""
    tree = copy_of_this_project(tmp_path / "source")
    assert 0 == run("bmw-node", "init", tmp_path / "node", "--genesis", ROOT / "genesis.json").code
    before = fingerprint(tmp_path)

    arguments = command.replace("NODE", str(tmp_path / "node")).split()
    run("bmw-node", *arguments, tree / "net").refused(
        3, f"{tree / 'net'} is in the source tree {tree}", "name a folder outside, or let git ignore this one"
    )

    assert before == fingerprint(tmp_path)
