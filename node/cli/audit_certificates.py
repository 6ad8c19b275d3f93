"""`bmw-audit verify-certificate`: what a certificate proves, to somebody who has a genesis document or a checkpoint."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from node.certificates.canonical import InvalidCertificateFile, malformed
from node.certificates.compact import from_texts, verify_compact
from node.certificates.roots import CHECKPOINT_BYTES_MAX, root_of_checkpoint, root_of_genesis
from node.certificates.verifier import DAY_MS, Root, verify
from node.certificates.words import facts_of
from node.cli.exit_codes import FAILED, exit_codes, fail
from node.cli.json_output import json_option, print_json
from node.cli.options import example, read_genesis_file
from node.console import show_facts
from node.errors import OperatorError

FILE = click.Path(path_type=Path)
FILE_BYTES_MAX = 8 * 1024 * 1024
WITNESS_FILE_BYTES_MAX = 256 * 1024


@click.command(
    "verify-certificate",
    epilog=example(
        "bmw-audit verify-certificate WBA8E9G50GNU12345.bmwc --genesis genesis.json",
        "bmw-audit verify-certificate codes.txt --checkpoint checkpoint.json --max-age 30",
    ),
)
@click.argument("file", type=FILE)
@click.option(
    "--genesis", "genesis_file", type=FILE, metavar="FILE", help="The chain's genesis file, as the trust root."
)
@click.option("--checkpoint", type=FILE, metavar="FILE", help="A checkpoint, as the trust root.")
@click.option("--witnesses", type=FILE, metavar="FILE", help="JSON with the keys of your witnesses, and how many are "
              'needed: {"needed": 2, "keys": ["hex", ...]}.')  # fmt: skip
@click.option("--max-age", "age_max_days", type=click.IntRange(1, 36_500), metavar="DAYS",
              help="Refuse a certificate that is older.")  # fmt: skip
@click.option("--accept-old-root", is_flag=True, help="Trust a root that is more than 180 days old: compare its "
              "block id with somebody you trust first.")  # fmt: skip
@json_option
@exit_codes()
def verify_certificate(
    file: Path, genesis_file: Path | None, checkpoint: Path | None, witnesses: Path | None, age_max_days: int | None,
    accept_old_root: bool, as_json: bool,
) -> None:  # fmt: skip
    """Say what a certificate proves. FILE is a certificate, or the text of its codes, a line each.

    Nothing but the file and the trust root is used. Exit code 1 where it proves nothing, with a stable code; a
    certificate above 60 days is called old.
    """
    if (genesis_file is None) == (checkpoint is None):
        raise click.UsageError("give one trust root: --genesis or --checkpoint")
    now_ms, raw = time.time_ns() // 1_000_000, _read(file, FILE_BYTES_MAX)
    age_max_ms = (age_max_days or 0) * DAY_MS
    try:
        root = _root(genesis_file, checkpoint)
        if raw.startswith(b"BMW1"):
            texts = [line for line in raw.decode("ascii", "replace").split("\n") if line]
            verdict = verify_compact(
                from_texts(texts), root, now_ms, accept_old_root=accept_old_root, age_max_ms=age_max_ms
            )
        else:
            needed, keys = _witnesses(witnesses)
            verdict = verify(
                raw, root, now_ms, accept_old_root=accept_old_root, witnesses=keys, witnesses_needed=needed,
                age_max_ms=age_max_ms,
            )  # fmt: skip
    except InvalidCertificateFile as error:
        if as_json:
            print_json({"status": "invalid", "code": error.code, "text": str(error)})
        fail(f"the certificate proves nothing: {error}", FAILED)
    if as_json:
        print_json(verdict)
    else:
        show_facts(list(facts_of(verdict)))


def _root(genesis_file: Path | None, checkpoint: Path | None) -> Root:
    if genesis_file is not None:
        return root_of_genesis(read_genesis_file(genesis_file))
    assert checkpoint is not None, "one of the two"
    return root_of_checkpoint(_read(checkpoint, CHECKPOINT_BYTES_MAX))


def _witnesses(path: Path | None) -> tuple[int, tuple[bytes, ...]]:
    """(how many are needed, the keys) of the reader's own list."""
    if path is None:
        return 0, ()
    try:
        document = json.loads(_read(path, WITNESS_FILE_BYTES_MAX))
        keys, needed = tuple(bytes.fromhex(key) for key in document["keys"]), document.get("needed", 1)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise malformed(f"{path}: a list of witnesses has `keys` in hex and `needed`") from None
    if type(needed) is not int or not 0 < needed <= len(keys):
        raise malformed(f"{path}: `needed` is from 1 to the number of keys")
    return needed, keys


def _read(path: Path, limit: int) -> bytes:
    with path.open("rb") as stream:
        raw = stream.read(limit + 1)
    if len(raw) > limit:
        raise OperatorError(f"{path} has more than {limit} bytes: it is no certificate")
    return raw
