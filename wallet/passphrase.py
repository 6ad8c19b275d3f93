"""The passphrase, from a file, the environment or the terminal, in this order."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

import click

from node.errors import OperatorError
from wallet.files import read_file

PASSPHRASE_VARIABLE: Final = "BMW_WALLET_PASSPHRASE"

PASSPHRASE_CHARS_MIN: Final = 8
"""For a new key only (NIST SP 800-63B, section 5.1.1.1): an existing key must stay usable."""

PASSPHRASE_BYTES_MAX: Final = 4096
"""Size of a passphrase file: a wrong path (a disk image, /dev/zero) must not be read to its end. Above: refused."""


def read_passphrase(is_new: bool, file: Path | None) -> str:
    """The passphrase for a key. `is_new`: ask twice on a terminal, and require the minimum length.

    `file` is the value of --passphrase-file. It has one line, whose line end does not count. Raises `OperatorError`.
    """
    if file is not None:
        source = f"the passphrase file {file}"
        passphrase = _line_of(file)
    elif PASSPHRASE_VARIABLE in os.environ:
        source = PASSPHRASE_VARIABLE
        passphrase = os.environ[PASSPHRASE_VARIABLE]
        if not passphrase:
            raise OperatorError(f"{PASSPHRASE_VARIABLE} is set but empty: unset it, or give it the passphrase")
    elif sys.stdin is not None and sys.stdin.isatty():
        source = "the passphrase"
        passphrase = click.prompt("Passphrase", hide_input=True, confirmation_prompt=is_new, err=True, type=str)
    else:
        raise OperatorError(
            "a passphrase is needed and there is no terminal to ask on: "
            f"name a file with --passphrase-file, or set {PASSPHRASE_VARIABLE}"
        )
    if is_new and len(passphrase) < PASSPHRASE_CHARS_MIN:
        raise OperatorError(f"{source} is too short: choose a passphrase of at least {PASSPHRASE_CHARS_MIN} characters")
    return passphrase


def _line_of(path: Path) -> str:
    raw = read_file(path, PASSPHRASE_BYTES_MAX, "passphrase file")
    try:
        line = raw.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise OperatorError(f"the passphrase file {path} is not UTF-8: save it as UTF-8") from None
    if not line or "\n" in line or "\r" in line:
        raise OperatorError(f"the passphrase file {path} must have exactly one line: the passphrase, nothing else")
    return line
