"""Where a passphrase comes from: file, environment, terminal; and what is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.errors import OperatorError
from wallet.session import PASSPHRASE_BYTES_MAX, PASSPHRASE_VARIABLE, read_passphrase


@pytest.fixture
def _no_terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv(PASSPHRASE_VARIABLE, raising=False)
    with open(os.devnull) as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        yield


@pytest.mark.usefixtures("_no_terminal")
class TestPassphrase:
    @pytest.mark.parametrize("content", ["correct horse", "correct horse\n", "correct horse\r\n"])
    def test_file_wins_over_the_environment(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
    ) -> None:
        monkeypatch.setenv(PASSPHRASE_VARIABLE, "of the environment")
        (tmp_path / "secret").write_bytes(content.encode())

        assert read_passphrase(True, tmp_path / "secret") == "correct horse"
        assert read_passphrase(True, None) == "of the environment"

    def test_spaces_belong_to_the_passphrase(self, tmp_path: Path) -> None:
        (tmp_path / "secret").write_bytes(b"  correct horse \n")
        assert read_passphrase(True, tmp_path / "secret") == "  correct horse "

    @pytest.mark.parametrize("content", [b"", b"\n", b"one line\nanother\n", b"line\n\n", b"\xff\xfe", b"x" * 5000])
    def test_bad_file_is_refused(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "secret").write_bytes(content)
        with pytest.raises(OperatorError, match=str(tmp_path / "secret")):
            read_passphrase(False, tmp_path / "secret")

    def test_missing_or_endless_file_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(OperatorError, match="check the path"):
            read_passphrase(False, tmp_path / "secret")
        with pytest.raises(OperatorError, match=str(PASSPHRASE_BYTES_MAX)):
            read_passphrase(False, Path("/dev/zero"))

    def test_without_any_source_the_mend_is_named(self) -> None:
        with pytest.raises(OperatorError, match="--passphrase-file, or set BMW_WALLET_PASSPHRASE"):
            read_passphrase(False, None)

    def test_empty_variable_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(PASSPHRASE_VARIABLE, "")
        with pytest.raises(OperatorError, match="unset it"):
            read_passphrase(False, None)

    def test_minimum_is_for_new_keys(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(PASSPHRASE_VARIABLE, "seven77")
        (tmp_path / "secret").write_text("seven77\n")
        for file in (None, tmp_path / "secret"):
            assert read_passphrase(False, file) == "seven77"
            with pytest.raises(OperatorError, match="at least 8 characters") as caught:
                read_passphrase(True, file)
            assert "seven77" not in str(caught.value)
        monkeypatch.setenv(PASSPHRASE_VARIABLE, "eight888")
        assert read_passphrase(True, None) == "eight888"


ASK = """
import sys
from wallet.session import read_passphrase
sys.stdout.write(read_passphrase(sys.argv[1] == "confirm", None))
"""


@pytest.mark.parametrize(("confirm", "prompts"), [("confirm", 2), ("open", 1)])
def test_terminal_is_asked_and_echoes_nothing(confirm: str, prompts: int) -> None:
    environment = {name: value for name, value in os.environ.items() if name != PASSPHRASE_VARIABLE}
    master, slave = os.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", ASK, confirm],
        stdin=slave,
        stdout=subprocess.PIPE,
        stderr=slave,
        env=environment,
        start_new_session=True,
    ) as process:
        os.close(slave)
        shown = b""
        for asked in range(1, prompts + 1):
            while shown.count(b": ") < asked:  # what is typed before the prompt is thrown away
                shown += os.read(master, 1024)
            os.write(master, b"correct horse\n")
        assert process.stdout is not None
        answer = process.stdout.read()
    os.close(master)

    assert process.returncode == 0
    assert answer == b"correct horse"
    assert b"horse" not in shown
