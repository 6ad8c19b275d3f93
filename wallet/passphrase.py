"""Where a passphrase comes from: a file, the environment, the terminal, in this order."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

import click

from node.errors import OperatorError

PASSPHRASE_VARIABLE: Final = "BMW_WALLET_PASSPHRASE"

PASSPHRASE_CHARS_MIN: Final = 8
"""For a new key only (NIST SP 800-63B, section 5.1.1.1): what opened a key once must go on opening it."""

PASSPHRASE_BYTES_MAX: Final = 4096
"""Of a passphrase file, so that a wrong path (a disk image, /dev/zero) ends soon. Above: `OperatorError`."""


def read_passphrase(confirm: bool, file: Path | None) -> str:
    """`confirm` says that the passphrase is for a new key: asked twice on a terminal, and of a minimum length.

    `file` is what --passphrase-file names: its one line, without the line's end. Raises `OperatorError`.
    """
    if file is not None:
        source = f"the passphrase file {file}"
        passphrase = _from_file(file)
    elif PASSPHRASE_VARIABLE in os.environ:
        source = PASSPHRASE_VARIABLE
        passphrase = os.environ[PASSPHRASE_VARIABLE]
        if not passphrase:
            raise OperatorError(f"{PASSPHRASE_VARIABLE} is set but empty: unset it, or give it the passphrase")
    elif sys.stdin is not None and sys.stdin.isatty():
        source = "the passphrase"
        passphrase = click.prompt("Passphrase", hide_input=True, confirmation_prompt=confirm, err=True, type=str)
    else:
        raise OperatorError(
            "a passphrase is needed and there is no terminal to ask on: "
            f"name a file with --passphrase-file, or set {PASSPHRASE_VARIABLE}"
        )
    if confirm and len(passphrase) < PASSPHRASE_CHARS_MIN:
        raise OperatorError(f"{source} is too short: choose a passphrase of at least {PASSPHRASE_CHARS_MIN} characters")
    return passphrase


def _from_file(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            raw = stream.read(PASSPHRASE_BYTES_MAX + 1)
    except OSError as error:
        raise OperatorError(f"cannot read the passphrase file {path} ({error.strerror}): check the path") from None
    if len(raw) > PASSPHRASE_BYTES_MAX:
        raise OperatorError(f"{path} has more than {PASSPHRASE_BYTES_MAX} bytes: name a file with just the passphrase")
    try:
        line = raw.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise OperatorError(f"the passphrase file {path} is not UTF-8: save it as UTF-8") from None
    if not line or "\n" in line or "\r" in line:
        raise OperatorError(
            f"the passphrase file {path} must hold exactly one line: write the passphrase, nothing else"
        )
    return line
