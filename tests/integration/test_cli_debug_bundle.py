"""bmw-node debug bundle: what it tells of a stopped node and of a running one, and that no key is in it."""

from __future__ import annotations

import base64
import json
import shutil
import stat
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from support.commands import run
from support.life_home import height_of, life_home
from support.processes import running_network, wait_for
from support.stores import fingerprint

from node.crypto.dev_keys import dev_key
from node.daemon.home import KEY_NAMES, Home


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return life_home(tmp_path_factory.mktemp("life"))


@pytest.fixture
def home(life: Path, tmp_path: Path) -> Home:
    shutil.copytree(life, tmp_path / "home")
    return Home(tmp_path / "home")


def unpacked(file: Path) -> dict[str, bytes]:
    with tarfile.open(file) as archive:
        return {member.name.removeprefix("bmw-debug/"): archive.extractfile(member).read() for member in archive}


def check_no_key(found: dict[str, bytes], names: list[str]) -> None:
    content = b"\n".join(name.encode() + b"\n" + content for name, content in found.items())
    for name in names:
        for purpose in KEY_NAMES:
            seed = dev_key(purpose, name).seed()
            for form in (seed, seed.hex().encode(), seed.hex().upper().encode(), base64.b64encode(seed)[:-1]):
                assert form not in content, (purpose, name)


def test_a_bundle_of_a_stopped_node_tells_what_its_files_tell_and_no_key(home: Home, tmp_path: Path) -> None:
    seed = dev_key("consensus", "bmw").seed()
    leaky = [b"first line", b"seed=" + seed.hex().encode(), b"raw " + seed, base64.b64encode(seed), b"last line"]
    (home.path / "node.log").write_bytes(b"\n".join(leaky))
    other = tmp_path / "collected.log"
    other.write_text("".join(f"line {i}\n" for i in range(200_000)))
    home.config.write_text(home.config.read_text() + f'# once: {seed.hex()}\n[node]\nmoniker = "{seed.hex()}"\n')
    home.config.write_text(
        home.config.read_text().replace("[node]", "", 1).replace("verify_workers", "# verify_workers")
    )
    file = tmp_path / "fault.tar.gz"
    before = fingerprint(home.path)
    done = run("bmw-node", "debug", "bundle", "--home", home.path, file, "--log", other)
    assert 0 == done.code, done.err
    assert before == fingerprint(home.path)
    assert 0o600 == stat.S_IMODE(file.stat().st_mode)
    found = unpacked(file)
    check_no_key(found, ["bmw"])
    assert b"(key removed)" in found["config.json"]
    assert found["logs/node.log"].startswith(b"first line\nseed=(key removed)\nraw (key removed)\n")
    assert found["logs/collected.log"].endswith(b"line 199999\n")
    assert len(found["logs/collected.log"]) < 1024 * 1024 + 1
    assert found["logs/collected.log"].startswith(b"line ")
    about, store, signing = (json.loads(found[f"{name}.json"]) for name in ("about", "store", "signing"))
    height = height_of(home)
    assert (False, store["genesis_hash"]) == (about["running"], about["genesis_hash"])
    assert "msgspec" in about["libraries"]
    assert (height, height + 1, 2) == (store["height"], signing["height"], signing["round"])
    run("bmw-node", "debug", "bundle", "--home", home.path, file).refused(3, "exists already")
    missing = ("--log", tmp_path / "no.log")
    run("bmw-node", "debug", "bundle", "--home", home.path, tmp_path / "b", *missing).refused(3, "--log")
    run("bmw-node", "debug", "bundle", "--home", home.path, tmp_path / "no" / "b").refused(3, "can't be written")


def test_a_bundle_says_what_could_not_be_read(home: Home, tmp_path: Path) -> None:
    home.hard_state.write_bytes(b"damaged")
    home.genesis.write_text("{")
    shutil.rmtree(home.store)
    assert 0 == run("bmw-node", "debug", "bundle", "--home", home.path, tmp_path / "b.tar.gz").code
    found = unpacked(tmp_path / "b.tar.gz")
    assert "reset-signing" in json.loads(found["signing.json"])["error"]
    assert "no store" in json.loads(found["store.json"])["error"]
    assert "genesis.json" in json.loads(found["about.json"])["error"]


def test_a_bundle_without_a_log_says_where_the_log_is(home: Home, tmp_path: Path) -> None:
    done = run("bmw-node", "debug", "bundle", "--home", home.path, tmp_path / "b.tar.gz")
    for text in (done.out, unpacked(tmp_path / "b.tar.gz")["logs/none.txt"].decode()):
        assert "no log is in it" in text and "journalctl -u UNIT > node.log" in text and "--log node.log" in text


def test_a_node_knows_whether_a_file_or_the_journal_has_its_log(tmp_path: Path) -> None:
    code = (
        "import json, os; from node.daemon.debug_view import log_view; from node.cli.debug import _no_log; "
        "err = os.fstat(2); of_file = log_view(); os.environ['JOURNAL_STREAM'] = f'{err.st_dev}:{err.st_ino}'; "
        "print(json.dumps([of_file, log_view(), _no_log(log_view()['journal']), os.getpid()]))"
    )
    with (tmp_path / "err.txt").open("w") as err:
        done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=err, text=True, check=True)
    of_file, of_journal, hint, pid = json.loads(done.stdout)
    assert {"file": str(tmp_path / "err.txt"), "journal": ""} == of_file
    assert "" == of_journal["file"]
    assert of_journal["journal"] == f"_PID={pid}" or of_journal["journal"].endswith(".service")
    assert f"journalctl {of_journal['journal']} > node.log" in hint


# --- on a network --------------------------------------------------------------------------------------
@pytest.mark.network
def test_a_bundle_of_a_running_node_shows_consensus_as_it_sees_it_and_no_key(tmp_path: Path) -> None:
    """Two of four can't decide: their votes stand, and each is shown under its validator."""
    with running_network(tmp_path, start=False) as network:
        pair = network.nodes[:2]
        for node in pair:
            node.start()
        bundles = iter(tmp_path / f"{number}.tar.gz" for number in range(1_000))

        def seen() -> dict[str, bytes]:
            file = next(bundles)
            assert 0 == run("bmw-node", "debug", "bundle", "--home", pair[0].home.path, file).code
            return unpacked(file)

        def both_vote() -> bool:
            consensus = json.loads(seen().get("consensus.json", b'{"validators": []}'))
            return sum(bool(entry["votes"]) for entry in consensus["validators"]) == 2

        wait_for(both_vote, 30, "votes of two validators")
        found = seen()
        check_no_key(found, [node.name for node in network.nodes])
        about, consensus, status = (json.loads(found[f"{name}.json"]) for name in ("about", "consensus", "status"))
        assert about["running"]
        assert (1, 0) == (consensus["height"], consensus["head"]["height"])
        kinds = {vote["kind"] for entry in consensus["validators"] for vote in entry["votes"]}
        assert kinds <= {"prevote", "precommit"}
        assert (4, 0) == (len(consensus["validators"]), json.loads(found["metrics.json"])["height"])
        assert pair[0].name == status["moniker"]
        assert [pair[1].name] == [peer["moniker"] for peer in json.loads(found["peers.json"])]
        assert b"_debug" in found["threads.txt"]
        assert b"Task-" in found["tasks.txt"]
        assert found["logs/node.log"]
        assert {"config.json", "files.json", "signing.json"} <= found.keys()
