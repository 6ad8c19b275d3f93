"""`bmw-wallet sign`, `cosign`, `submit`: transactions as files, signed here and there, sent from anywhere."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from node.crypto.addresses import address_of, to_text
from node.crypto.keyfile import KeyInfo
from node.errors import OperatorError
from node.ledger.body import TransactionBody
from wallet.commands.shared import EXIT_REFUSED, Ended, errors_told, example, session_of, with_session
from wallet.commands.tx import signed_by, tell_sent
from wallet.session import Session, Signer, parse_signer
from wallet.show import echo_json, echo_unmet, facts, plain
from wallet.submitting import Sent, submit_many, submit_one
from wallet.txfile import TxDocument, read_document, read_documents, write_document

_PATH = click.Path(path_type=Path)
REFUSED_SHOWN_MAX = 20
"""Refused items of a batch that are told one by one; the rest is counted, and --json has them all."""


@click.command("sign", epilog=example("bmw-wallet sign order.json\nbmw-wallet sign order.json --from buyer-1"))
@click.argument("file", type=_PATH)
@click.option("--from", "names", multiple=True, metavar="NAME", help="the key [default: the sender's]")
@click.option("-o", "--output", type=_PATH, metavar="FILE", help="write here instead of into the same file")
@click.option("--yes", is_flag=True, help="don't ask")
@with_session
@click.pass_context
def sign(context: click.Context, file: Path, names: tuple[str, ...], output: Path | None, yes: bool) -> None:
    """Sign a transaction file as its sender, without any node."""
    _sign(context, file, names, output, yes, is_sender=True)


@click.command("cosign", epilog=example("bmw-wallet cosign handover.json --from buyer-1 -o signed.json"))
@click.argument("file", type=_PATH)
@click.option("--from", "names", multiple=True, metavar="NAME", help="the key [default: the only one that fits]")
@click.option("-o", "--output", type=_PATH, metavar="FILE", help="write here instead of into the same file")
@click.option("--yes", is_flag=True, help="don't ask")
@with_session
@click.pass_context
def cosign(context: click.Context, file: Path, names: tuple[str, ...], output: Path | None, yes: bool) -> None:
    """Add a further party's signature to a transaction file, without any node."""
    _sign(context, file, names, output, yes, is_sender=False)


def _sign(
    context: click.Context, file: Path, names: tuple[str, ...], output: Path | None, yes: bool, is_sender: bool
) -> None:
    with errors_told():
        session = session_of(context)
        session.genesis = session.offline_genesis()
        document = read_document(file, session.genesis_hash)
        signers = [parse_signer(session, name) for name in names] or [_fitting(session, document, is_sender)]
        if is_sender:
            _check_sender(session, document, signers)
        for line in facts(document.summary()):
            click.echo(line, err=True)
        if not yes and sys.stdin.isatty() and sys.stderr.isatty():
            click.confirm(f"Sign this with {', '.join(s.name for s in signers)}?", abort=True, err=True)
        for signer in signers:
            document = signed_by(session, document, signer)
        write_document(output or file, document)
        if session.wants_json:
            echo_json(document.to_json())
        else:
            count = len(document.signatures)
            click.echo(f"{output or file} now has {count} signature{'' if count == 1 else 's'}.", err=True)


def _check_sender(session: Session, document: TxDocument, signers: list[Signer]) -> None:
    """Raises `OperatorError`: a signature that nobody asked for makes the file worthless."""
    sender = document.payload.sender
    for signer in signers:
        info = session.keystore.info(signer.name)
        if (signer.address or info.address) != sender:
            raise OperatorError(
                f"{signer.name} is not the sender, {to_text(sender)}: use bmw-wallet cosign, or "
                f"--from {signer.name}@{to_text(sender)} where its key is one of the sender's"
            )


def _fitting(session: Session, document: TxDocument, is_sender: bool) -> Signer:
    """The key of this home that must be meant. Raises `OperatorError` where that is not clear."""
    payload = document.payload
    signed = {s.public_key for s in document.signatures}
    keys = [info for info in session.keystore.list() if info.public_key not in signed]
    fitting = [info for info in keys if (info.address == payload.sender) == is_sender]
    if not is_sender:
        fitting = _named(fitting, payload.body) or fitting
    if len(fitting) == 1:
        return Signer(fitting[0].name, None)
    if not fitting:
        who = f"the sender {to_text(payload.sender)}" if is_sender else "another party"
        raise OperatorError(f"no key in this home is {who}'s and has yet to sign: import it, or name one with --from")
    raise OperatorError(
        f"{', '.join(info.name for info in fitting)} could be meant: name the one that signs with --from"
    )


def _named(keys: list[KeyInfo], body: TransactionBody) -> list[KeyInfo]:
    """Those whose address or key stands in the body."""
    values = {value for name in body.__struct_fields__ if isinstance(value := getattr(body, name), bytes)}
    new = body.new_account_keys()
    opened = {address_of(new[0])} if new else set()
    return [info for info in keys if info.address in values | opened or info.public_key in new]


@click.command("submit", epilog=example("bmw-wallet submit handover.json --wait\nbmw-wallet submit records/*.json"))
@click.argument("files", nargs=-1, required=True, type=_PATH, metavar="FILE...")
@click.option("--wait", "is_waiting", is_flag=True, help="wait until everything is committed")
@with_session
@click.pass_context
def submit(context: click.Context, files: tuple[Path, ...], is_waiting: bool) -> None:
    """Send signed transaction files: always the same bytes, so sending twice does no harm."""
    with errors_told():
        session = session_of(context)
        documents = [document for file in files for document in read_documents(file, session.genesis_hash)]
        if not documents:
            raise click.UsageError("the files hold no transaction", context)
        unsigned = sum(not document.signatures for document in documents)
        if unsigned:
            raise OperatorError(f"{unsigned} of {len(documents)} transactions bear no signature: run bmw-wallet sign")
        session.check_chain()
        if len(documents) == 1:
            tell_sent(session, submit_one(session, documents[0], is_waiting), documents[0])
            return
        _tell_many(session, submit_many(session, documents, is_waiting))


def _tell_many(session: Session, results: list[Sent]) -> None:
    refused = [sent for sent in results if sent.is_refused]
    if session.wants_json:
        echo_json({"results": [sent.to_json() for sent in results]})
    else:
        counts: dict[str, int] = {}
        for sent in results:
            status = "refused" if sent.is_refused else sent.status
            counts[status] = counts.get(status, 0) + 1
        click.echo(", ".join(f"{count} {plain(status)}" for status, count in sorted(counts.items())))
    for sent in refused[:REFUSED_SHOWN_MAX]:
        click.secho(f"{sent.txid.hex()}: {plain(sent.why)}", fg="red", err=True)
        echo_unmet(sent.unmet)
    if len(refused) > REFUSED_SHOWN_MAX:
        click.echo(f"... and {len(refused) - REFUSED_SHOWN_MAX} more (--json shows all)", err=True)
    if refused:
        raise Ended(EXIT_REFUSED)
