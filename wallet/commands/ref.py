"""`bmw-wallet ref`: commitments, references and digests that transactions name."""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import click

from node.crypto.hashing import commitment
from node.errors import OperatorError
from node.usage import Commands
from wallet.commands.shared import PATH, example, with_session
from wallet.files import read_file
from wallet.session import Session
from wallet.show import echo_facts, echo_json

READ_AT_ONCE: Final = 1024 * 1024

SECRET_BYTES_MAX: Final = 4096


@click.group(
    "ref", cls=Commands, epilog=example("bmw-wallet ref commitment invoice 2026-1\nbmw-wallet ref document report.pdf")
)
def ref() -> None:
    """Compute what transactions name by a hash: commitments, payment references, documents."""


def _echo(session: Session, values: dict[str, Any]) -> None:
    echo_json(values) if session.wants_json else echo_facts(values)


@ref.command("commitment", epilog=example("bmw-wallet ref commitment invoice 2026-1"))
@click.argument("kind")
@click.argument("value")
@click.option("--salt", metavar="HEX", help="32 bytes, to check an earlier commitment [default: new ones]")
@with_session
def commitment_to(session: Session, kind: str, value: str, salt: str | None) -> None:
    """A commitment to a guessable VALUE, such as an invoice's number.

    KIND says what it is, such as invoice or plate. Keep the salt: with it and the value you prove later what you
    committed to; whoever has the salt can try values.
    """
    if not (kind.isascii() and kind.replace("-", "").replace("_", "").isalnum()):
        raise click.UsageError(f"KIND {kind!r}: a word such as invoice or plate")
    try:
        raw = secrets.token_bytes(32) if salt is None else bytes.fromhex(salt)
    except ValueError:
        raw = b""
    if len(raw) != 32:
        raise click.UsageError(f"--salt {salt}: 64 characters of hex are expected")
    _echo(session, {"commitment": commitment(kind, raw, value.encode()).hex(), "salt": raw.hex()})


@ref.command("payment", epilog=example("bmw-wallet ref payment --secret-file secret.bin 74987500123456789012345"))
@click.option("--secret-file", required=True, type=PATH, metavar="FILE", help="the provider's own, at least 32 bytes")
@click.argument("reference")
@with_session
def payment(session: Session, secret_file: Path, reference: str) -> None:
    """The entry of an external REFERENCE, as `payment.attest` names it: a booked entry of an account, the number of a
    card payment, a loan.

    It is keyed with the provider's secret (HMAC-SHA256), so that nobody finds it by trial: keep that secret, the same
    one for ever. Letters count as upper-case ones.
    """
    entry = hmac.digest(_secret(secret_file), reference.strip().upper().encode(), "sha256")
    _echo(session, {"entry": entry.hex()})


def _secret(path: Path) -> bytes:
    secret = read_file(path, SECRET_BYTES_MAX, "secret")
    if len(secret) < 32:
        raise OperatorError(f"the secret {path} has {len(secret)} bytes: make one of at least 32 random bytes")
    return secret


@ref.command("document", epilog=example("bmw-wallet ref document report.pdf --media-type application/pdf"))
@click.argument("file", type=PATH)
@click.option("--media-type", default="application/pdf", show_default=True, metavar="TYPE")
@with_session
def document(session: Session, file: Path, media_type: str) -> None:
    """The hash and size of a document, as `--attachments` takes them. The document itself stays with you."""
    digest, size = sha256(), 0
    try:
        with file.open("rb") as stream:
            while chunk := stream.read(READ_AT_ONCE):
                digest.update(chunk)
                size += len(chunk)
    except OSError as error:
        raise OperatorError(f"cannot read the document {file} ({error.strerror}): check the path") from None
    values = {"sha256": digest.hexdigest(), "size": size, "media_type": media_type}
    if session.wants_json:
        echo_json(values)
    else:
        click.echo(",".join(f"{name}={value}" for name, value in values.items()))
