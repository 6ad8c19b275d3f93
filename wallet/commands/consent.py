"""What is signed is shown and agreed to before it is signed: by a person who is asked, or by a program that gives the
values that it expects."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, Final, NamedTuple

import click

from node.errors import Malformed, OperatorError
from node.ledger.family import AsOf, Reader
from node.ledger.json_form import time_to_text
from node.txtypes.envelope import Payload
from wallet.commands.shared import accept_old_root
from wallet.meaning import Meaning, check_expected, meaning
from wallet.session import Session, Signer
from wallet.show import counted, facts

PROVEN_AGE_MAX_MS: Final = 10 * 60_000
"""Age of the block that a signer's view is proven at. Above: nothing is signed, because a node that withholds newer
blocks could prove what was true before them. A chain at rest makes a block every `block_interval_empty_ms` (10 s)."""


class Consent(NamedTuple):
    """The values of `--yes`, `--expect` and `--accept-old-root`."""

    yes: bool
    expected: tuple[str, ...]
    accept_old_root: bool


def consent_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add `--yes`, `--expect`, `--accept-old-root`, passed together as `consent`."""

    @click.option("yes", "--yes", is_flag=True,
                  help="don't ask; for programs, which must then give every essential value with --expect")  # fmt: skip
    @click.option("expected", "--expect", multiple=True, metavar="NAME=VALUE",
                  help="sign only if the value shown under this name is this one (may be repeated)")  # fmt: skip
    @accept_old_root
    @wraps(command)
    def wrapped(*arguments: Any, yes: bool, expected: tuple[str, ...], accept_old_root: bool, **values: Any) -> None:
        command(*arguments, consent=Consent(yes, expected, accept_old_root), **values)

    return wrapped


def show_offline(session: Session, payload: Payload) -> Meaning:
    """Show what `payload` says; nothing is proven."""
    found = meaning(payload, None, None, session.key_names())
    _echo(found)
    click.echo("Nothing of this is proven: --offline asks no node.", err=True)
    return found


def agree(
    session: Session, payload: Payload, signers: Sequence[Signer], consent: Consent, *, is_body_known: bool,
    is_offline: bool,
) -> None:  # fmt: skip
    """Show what `payload` means, and return once the signer agrees. `is_body_known`: the caller has composed the body
    here, so that a program need not expect its fields. Raises `NotExpected`, `click.UsageError`, `click.Abort`."""
    found = show_offline(session, payload) if is_offline else show_proven(session, payload, consent)
    try:
        names = session.names(time.time_ns() // 1_000_000)
        check_expected(found, _by_name(consent.expected), names)
    except Malformed as error:
        raise click.UsageError(str(error)) from None
    if consent.yes:
        given = {name.replace("-", "_") for name in _by_name(consent.expected)}
        if missing := [n for n in found.essential(is_body_known=is_body_known) if n not in given]:
            options = " ".join(f"--expect {name}=VALUE" for name in missing)
            raise click.UsageError(f"--yes signs only what is expected: give {options}")
    elif not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise click.UsageError("there is no terminal to ask on: use --yes, and --expect NAME=VALUE for what is signed")
    else:
        click.confirm(f"Sign this with {', '.join(s.name for s in signers)}?", abort=True, err=True)


def show_proven(session: Session, payload: Payload, consent: Consent) -> Meaning:
    """Show what `payload` means over proven values. Raises `OperatorError` where the newest proven block is old."""
    session.check_chain()
    own = session.key_names()
    light = session.light_client(consent.accept_old_root)

    def compute(reader: Reader, as_of: AsOf) -> Meaning:
        return meaning(payload, reader, as_of, own)

    found, report = session.verified(light, compute), light.report()
    age_ms = time.time_ns() // 1_000_000 - report.time_ms
    if age_ms > PROVEN_AGE_MAX_MS:
        raise OperatorError(
            f"the node's newest block, {report.height}, is {counted(age_ms // 60_000, 'minute')} old, so what it shows "
            "may have changed: name another node with --node, or check this clock"
        )
    _echo(found)
    click.echo(f"(proven at height {report.height}, {time_to_text(report.time_ms)})", err=True)
    return found


def _echo(found: Meaning) -> None:
    """On standard error: standard output is for the result."""
    for title, is_proven in (("The transaction:", False), ("What it touches, proven:", True)):
        if shown := {f.name: f.text for f in found.facts.values() if f.is_proven is is_proven}:
            click.secho(title, bold=True, err=True)
            for line in facts(shown):
                click.echo("  " + line, err=True)
    if found.change:
        click.secho(found.change, bold=True, err=True)


def _by_name(expected: tuple[str, ...]) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for text in expected:
        name, equals, value = text.partition("=")
        if not equals:
            raise Malformed(f"--expect {text}: write NAME=VALUE")
        values.setdefault(name, []).append(value)
    return values
