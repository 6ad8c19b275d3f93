"""`bmw-wallet ref`: commitments, references and digests that transactions name."""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import click

from node.crypto.addresses import to_text
from node.crypto.hashing import commitment
from node.errors import Malformed, OperatorError
from node.rules.rails import RAILS, REFERENCE_HIGH_ENTROPY
from node.txtypes.sale.order import reference_id
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


@ref.command(
    "payment",
    epilog=example(
        "bmw-wallet ref payment --rail bank_transfer --provider payment-provider-1 5ab1c2d0-8a3f-4a91-b3a1-0c1d2e3f4a5b"
    ),
)
@click.option("--rail", required=True, type=click.Choice(sorted(RAILS)))
@click.option("--provider", required=True, metavar="ADDRESS", help="bmw1..., or the name of a key or a genesis account")
@click.option("--secret-file", type=PATH, metavar="FILE", help="the provider's own secret, at least 32 bytes")
@click.argument("reference")
@with_session
def payment(session: Session, rail: str, provider: str, secret_file: Path | None, reference: str) -> None:
    """The payment reference of an external REFERENCE: a UETR, a transaction hash, the number of a card payment.

    One that can be guessed (on the rails card, finance, trade_in) is keyed with the provider's secret first
    (HMAC-SHA256), so that nobody finds it by trial: keep that secret, the same one for ever.
    """
    try:
        address = session.address(provider)
    except Malformed as error:
        raise click.BadParameter(str(error), param_hint="--provider") from None
    if (secret_file is None) is not (rail in REFERENCE_HIGH_ENTROPY):
        needs = "is not keyed: leave --secret-file away" if secret_file else "can be guessed: give --secret-file FILE"
        raise click.UsageError(f"a reference on the rail {rail} {needs}")
    told = reference.encode()
    if secret_file is not None:
        told = hmac.digest(_secret(secret_file), told, "sha256")
    raw = reference_id(rail, address, told)
    _echo(session, {"reference": raw.hex(), "rail": rail, "provider": to_text(address)})


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
