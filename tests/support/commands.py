"""The command lines as a person calls them: in this process, or as the real entry points in one of their own."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from node.cli.audit import main as audit_main
from node.cli.node import cli as node_main
from node.crypto.dev_keys import dev_key
from wallet.cli import main as wallet_main
from wallet.keystore import Keystore

PASSPHRASE = "correct horse battery"
MAINS = {"bmw-node": node_main, "bmw-wallet": wallet_main, "bmw-audit": audit_main}


def import_dev_keys(home: Path, *names: str, passphrase: str = PASSPHRASE) -> None:
    """What `bmw-wallet key import --dev NAME` does, into files that are quick to open: the command's scrypt takes a
    quarter of a second of processor time, and again for each signature. A key that is there already is sealed anew."""
    keystore = Keystore(home, scrypt_n=2)
    for name in names:
        if keystore.has(name):
            keystore.delete(name)
        keystore.import_seed(name, dev_key("account", name).seed(), passphrase)


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.code == 0, self.err
        return json.loads(self.out)

    def refused(self, code: int, *words: str) -> str:
        """It ended with `code`, one sentence on standard error that has all the words, and nothing else there."""
        assert (code, "") == (self.code, self.out), (self.out, self.err)
        assert "Traceback" not in self.err, self.err
        sentence = self.err.strip().splitlines()[-1]
        assert sentence.startswith(("Error: ", "Refused ")), self.err
        for word in words:
            assert word in sentence, (word, sentence)
        return sentence


def _environment(changes: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("BMW_")} | dict(changes)


def run(program: str, *arguments: str | Path, stdin: str = "", **environment: str) -> Done:
    """In this process."""
    unset = {name: None for name in os.environ if name.startswith("BMW_")}
    result = CliRunner().invoke(
        MAINS[program], [str(a) for a in arguments], input=stdin, env=unset | environment, prog_name=program
    )
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Done(result.exit_code, result.stdout, result.stderr)


def process(
    program: str,
    *arguments: str | Path,
    stdin: str = "",
    file_bytes_max: int | None = None,
    timeout_s: float = 60,
    **environment: str,
) -> Done:
    """The installed program, in a process of its own. `file_bytes_max`: no file may grow beyond, as on a full disk."""

    def limit() -> None:
        if file_bytes_max is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes_max, file_bytes_max))

    done = subprocess.run(
        [Path(sys.executable).with_name(program), *(str(a) for a in arguments)],
        input=stdin,
        env=_environment(environment),
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        preexec_fn=limit,
    )
    return Done(done.returncode, done.stdout, done.stderr)
