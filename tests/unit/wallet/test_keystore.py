"""The wallet's keys on disk."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from node.crypto.addresses import address_of
from node.crypto.dev_keys import dev_key
from node.crypto.keyfile import KeyInfo, WrongPassphrase, open_key
from node.errors import Malformed, OperatorError
from wallet.keystore import Keystore, seed_of, words_of

PASSPHRASE = "correct horse"
ZERO_WORDS = "abandon " * 23 + "art"
"""BIP 39's own vector for 32 zero bytes."""


@pytest.fixture
def keystore(tmp_path: Path) -> Keystore:
    return Keystore(tmp_path / "home", scrypt_n=2)


def key_path(tmp_path: Path, name: str) -> Path:
    return tmp_path / "home" / "keys" / f"{name}.json"


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_created_key_opens_and_is_listed(keystore: Keystore) -> None:
    assert keystore.list() == []
    key, words = keystore.create("alice", PASSPHRASE)

    assert key.seed() == keystore.open("alice", PASSPHRASE).seed()
    assert len(words.split(" ")) == 24
    assert [KeyInfo("alice", address_of(key.public), key.public)] == keystore.list()
    assert keystore.info("alice") == keystore.list()[0]


def test_created_keys_differ(keystore: Keystore) -> None:
    assert keystore.create("a", PASSPHRASE)[0].public != keystore.create("b", PASSPHRASE)[0].public
    assert [info.name for info in keystore.list()] == ["a", "b"]


def test_modes_whatever_the_umask(keystore: Keystore, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        keystore.create("alice", PASSPHRASE)
    finally:
        os.umask(before)

    assert mode_of(tmp_path / "home") == 0o700
    assert mode_of(tmp_path / "home" / "keys") == 0o700
    assert mode_of(key_path(tmp_path, "alice")) == 0o600
    assert os.listdir(tmp_path / "home" / "keys") == ["alice.json"]


def test_wrong_passphrase(keystore: Keystore) -> None:
    keystore.create("alice", PASSPHRASE)
    with pytest.raises(WrongPassphrase):
        keystore.open("alice", "another horse")


def test_mnemonic_restores_the_same_address(keystore: Keystore, tmp_path: Path) -> None:
    key, words = keystore.create("alice", PASSPHRASE)
    elsewhere = Keystore(tmp_path / "elsewhere", scrypt_n=2)

    typed = f"  {words.upper()}\n".replace(" ", "\n", 5)
    restored = elsewhere.import_seed("alice-again", seed_of(typed), "other phrase")

    assert restored.seed() == key.seed()
    assert elsewhere.info("alice-again").address == keystore.info("alice").address
    assert elsewhere.open("alice-again", "other phrase").public == key.public


def test_entropy_of_the_words_is_the_seed() -> None:
    assert bytes(32) == seed_of(ZERO_WORDS)
    assert words_of(bytes(32)) == ZERO_WORDS
    assert words_of(b"\xff" * 32) == "zoo " * 23 + "vote"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("", "24 words and 0"),
        ("abandon " * 11 + "about", "24 words and 12"),
        ("abandon " * 23 + "zoo", "their order"),
        ("abandon " * 22 + "secretish art", "word 23 "),
    ],
)
def test_wrong_words_are_explained_and_never_repeated(words: str, sentence: str) -> None:
    with pytest.raises(OperatorError, match=sentence) as caught:
        seed_of(words)
    assert "abandon" not in str(caught.value)
    assert "secretish" not in str(caught.value)


def test_development_key(keystore: Keystore) -> None:
    keystore.import_seed("buyer-1", dev_key("account", "buyer-1").seed(), PASSPHRASE)
    assert keystore.open("buyer-1", PASSPHRASE).public == dev_key("account", "buyer-1").public


def test_seed_of_another_length_is_refused(keystore: Keystore) -> None:
    assert keystore.import_seed("alice", bytes(32), PASSPHRASE).seed() == bytes(32)
    with pytest.raises(OperatorError, match="32 bytes"):
        keystore.import_seed("bob", bytes(31), PASSPHRASE)


def test_export_and_import_under_another_name(keystore: Keystore) -> None:
    key, _ = keystore.create("alice", PASSPHRASE)
    exported = keystore.export_file("alice")

    assert open_key(exported, PASSPHRASE).seed() == key.seed()
    assert keystore.import_file("bob", exported, PASSPHRASE).seed() == key.seed()
    assert keystore.open("bob", PASSPHRASE).seed() == key.seed()
    assert keystore.export_file("bob") != exported
    with pytest.raises(WrongPassphrase):
        keystore.import_file("carol", exported, "another horse")
    with pytest.raises(Malformed):
        keystore.import_file("carol", exported[:-9], PASSPHRASE)
    assert [info.name for info in keystore.list()] == ["alice", "bob"]


def test_existing_name_is_never_overwritten(keystore: Keystore, tmp_path: Path) -> None:
    keystore.create("buyer-1", PASSPHRASE)
    before = key_path(tmp_path, "buyer-1").read_bytes()
    for attempt in (
        lambda: keystore.create("buyer-1", PASSPHRASE),
        lambda: keystore.import_seed("buyer-1", bytes(32), PASSPHRASE),
        lambda: keystore.import_file("buyer-1", before, PASSPHRASE),
    ):
        with pytest.raises(OperatorError, match=r"already.*choose another name"):
            attempt()
    assert key_path(tmp_path, "buyer-1").read_bytes() == before


def test_dangling_link_counts_as_existing(keystore: Keystore, tmp_path: Path) -> None:
    keystore.create("alice", PASSPHRASE)
    key_path(tmp_path, "bob").symlink_to(tmp_path / "nowhere")
    with pytest.raises(OperatorError, match="already"):
        keystore.create("bob", PASSPHRASE)


def test_of_many_that_create_one_name_at_once_one_wins(tmp_path: Path) -> None:
    def attempt(_: int) -> bytes:
        try:
            return Keystore(tmp_path / "home", scrypt_n=2).create("alice", PASSPHRASE)[0].public
        except OperatorError:
            return b""

    with ThreadPoolExecutor(16) as pool:
        won = [public for public in pool.map(attempt, range(64)) if public]

    assert won == [Keystore(tmp_path / "home").open("alice", PASSPHRASE).public]


@pytest.mark.parametrize("name", ["", ".", "..", "../alice", "/etc/passwd", "Alice", "a b", "a\n", "-a", "a" * 41])
def test_bad_name_is_refused_everywhere(keystore: Keystore, name: str) -> None:
    for attempt in (
        lambda: keystore.create(name, PASSPHRASE),
        lambda: keystore.import_seed(name, bytes(32), PASSPHRASE),
        lambda: keystore.import_file(name, b"", PASSPHRASE),
        lambda: keystore.export_file(name),
        lambda: keystore.open(name, PASSPHRASE),
        lambda: keystore.info(name),
        lambda: keystore.delete(name),
    ):
        with pytest.raises(OperatorError, match="cannot be the name"):
            attempt()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o777])
def test_file_that_others_can_read_is_refused_with_the_mend(keystore: Keystore, tmp_path: Path, mode: int) -> None:
    keystore.create("alice", PASSPHRASE)
    path = key_path(tmp_path, "alice")
    path.chmod(mode)
    for attempt in (
        lambda: keystore.open("alice", PASSPHRASE),
        lambda: keystore.export_file("alice"),
        lambda: keystore.list(),
    ):
        with pytest.raises(OperatorError, match=f"chmod 600 {path}"):
            attempt()
    path.chmod(0o600)
    keystore.open("alice", PASSPHRASE)


def test_directory_that_others_can_write_is_refused_with_the_mend(keystore: Keystore, tmp_path: Path) -> None:
    directory = tmp_path / "home" / "keys"
    directory.mkdir(parents=True)
    directory.chmod(0o777)
    with pytest.raises(OperatorError, match=f"chmod 700 {directory}"):
        keystore.create("alice", PASSPHRASE)
    assert os.listdir(directory) == []


def test_missing_key(keystore: Keystore) -> None:
    for attempt in (
        lambda: keystore.open("alice", PASSPHRASE),
        lambda: keystore.export_file("alice"),
        lambda: keystore.delete("alice"),
    ):
        with pytest.raises(OperatorError, match="no key alice"):
            attempt()


def test_deleted_key_is_gone_and_its_name_free(keystore: Keystore) -> None:
    keystore.create("alice", PASSPHRASE)
    keystore.create("bob", PASSPHRASE)
    keystore.delete("alice")

    assert [info.name for info in keystore.list()] == ["bob"]
    keystore.create("alice", PASSPHRASE)


def test_broken_file_is_the_operators_and_can_be_deleted(keystore: Keystore, tmp_path: Path) -> None:
    keystore.create("alice", PASSPHRASE)
    path = key_path(tmp_path, "alice")
    path.write_bytes(path.read_bytes()[:100])
    for attempt in (lambda: keystore.open("alice", PASSPHRASE), keystore.list):
        with pytest.raises(OperatorError, match=f"{path} is broken"):
            attempt()
    keystore.delete("alice")
    assert keystore.list() == []


def test_renamed_file_is_refused_naming_its_own_name(keystore: Keystore, tmp_path: Path) -> None:
    keystore.create("alice", PASSPHRASE)
    key_path(tmp_path, "alice").rename(key_path(tmp_path, "bob"))
    with pytest.raises(OperatorError, match=r"rename the file to alice\.json"):
        keystore.open("bob", PASSPHRASE)


def test_other_files_are_passed_over(keystore: Keystore, tmp_path: Path) -> None:
    keystore.create("alice", PASSPHRASE)
    for name in (".alice.json.tmp", "alice.json~", "README", ".DS_Store", "Upper.json", ".json"):
        (tmp_path / "home" / "keys" / name).write_text("x")
    assert [info.name for info in keystore.list()] == ["alice"]


def test_pipe_or_folder_with_a_keys_name_does_not_hang(keystore: Keystore, tmp_path: Path) -> None:
    keystore.create("alice", PASSPHRASE)
    os.mkfifo(key_path(tmp_path, "pipe"), 0o600)
    key_path(tmp_path, "folder").mkdir(0o700)
    for name in ("pipe", "folder"):
        with pytest.raises(OperatorError):
            keystore.open(name, PASSPHRASE)


def test_home_that_is_a_file_is_the_operators(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("x")
    with pytest.raises(OperatorError, match="check the path"):
        Keystore(tmp_path / "home", scrypt_n=2).create("alice", PASSPHRASE)
    with pytest.raises(OperatorError, match="check the path"):
        Keystore(tmp_path / "home").list()


KILLED_AT = """
import os, signal, sys
from pathlib import Path
from wallet.keystore import Keystore

left = int(sys.argv[2])

def dying(call):
    def called(*arguments):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*arguments)
    return called

os.fsync, os.rename = dying(os.fsync), dying(os.rename)
Keystore(Path(sys.argv[1]), scrypt_n=2).import_seed("alice", bytes(32), "correct horse")
"""


@pytest.mark.parametrize("calls", range(5))
def test_kill_while_writing_leaves_all_or_nothing_under_the_name(
    keystore: Keystore, tmp_path: Path, calls: int
) -> None:
    """The calls: fsync of the home, fsync of the file, rename, fsync of the directory; the fifth never comes."""
    run = subprocess.run([sys.executable, "-c", KILLED_AT, str(tmp_path / "home"), str(calls)], timeout=60, check=False)

    assert run.returncode == (0 if calls == 4 else -signal.SIGKILL)
    if calls < 3:
        assert keystore.list() == []
        keystore.import_seed("alice", bytes(32), PASSPHRASE)
    assert keystore.open("alice", PASSPHRASE).seed() == bytes(32)
    assert os.listdir(tmp_path / "home" / "keys") == ["alice.json"]


DISK_FULL = """
import resource, signal, sys
from pathlib import Path
from node.errors import OperatorError
from wallet.keystore import Keystore

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    Keystore(Path(sys.argv[1]), scrypt_n=2).create("alice", "correct horse")
except OperatorError as error:
    sys.exit(3)
"""


def test_write_that_fails_midway_leaves_nothing(tmp_path: Path) -> None:
    run = subprocess.run([sys.executable, "-B", "-c", DISK_FULL, str(tmp_path / "home")], timeout=60, check=False)

    assert run.returncode == 3
    assert os.listdir(tmp_path / "home" / "keys") == []
