"""The key of an auditor: a wallet's key file, or a plain one."""

from __future__ import annotations

import os
from pathlib import Path

import click

from node.crypto.keyfile import key_info, open_key, parse_node_key_file
from node.crypto.signing import PrivateKey
from node.errors import OperatorError, Rejected

PASSPHRASE_VARIABLE = "BMW_AUDIT_PASSPHRASE"
KEY_HELP = (
    f"The auditor's key file: a wallet's, whose passphrase is in {PASSPHRASE_VARIABLE} or is asked for, or a plain one."
)


def read_key(path: Path, variable: str = PASSPHRASE_VARIABLE) -> PrivateKey:
    """The key in a file. `variable`: the one of the environment that has the passphrase of a wallet's file, else it is
    asked for. Raises `OperatorError`, `Malformed` or `WrongPassphrase`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise OperatorError(f"the key file {path} can't be read ({error.strerror}): check the path") from None
    try:
        name = key_info(data).name
    except Rejected:
        try:
            return parse_node_key_file(data)
        except Rejected as error:
            raise OperatorError(f"{path} is no key file ({error}): check --key") from None
    passphrase = os.environ.get(variable)
    if passphrase is None:
        passphrase = click.prompt(f"Passphrase of {name}", hide_input=True, err=True)
    return open_key(data, passphrase)
