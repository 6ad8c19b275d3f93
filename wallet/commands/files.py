"""`bmw-wallet sign`, `cosign`, `submit`: transaction files, signed by several parties and sent by anybody."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from node.console import say
from node.crypto.addresses import address_of, to_text
from node.crypto.keyfile import KeyInfo
from node.errors import OperatorError
from node.ledger.body import TransactionBody
from wallet.client import problem_text, unmet_of
from wallet.commands.consent import Consent, agree, consent_options
from wallet.commands.shared import EXIT_REFUSED, PATH, accept_old_root, example, with_session
from wallet.commands.tx import echo_sent, signed_by
from wallet.proving import Place, Unproven
from wallet.session import Session, Signer
from wallet.show import counted, echo_json, echo_unmet, plain
from wallet.submitting import Sent, echo_kept, submit_many, submit_one
from wallet.txfile import TxDocument, read_document, read_documents, write_document

REFUSED_SHOWN_MAX = 20
"""Refused items of a batch that are printed one by one. Further ones are counted; --json prints all."""


def _signing_command(name: str, is_sender: bool, default: str, summary: str, examples: str) -> click.Command:
    @click.command(name, help=summary, epilog=example(examples))
    @click.argument("file", type=PATH)
    @click.option("--from", "names", multiple=True, metavar="NAME", help=f"the key [default: {default}]")
    @click.option("-o", "--output", type=PATH, metavar="FILE", help="write here instead of into the same file")
    @click.option("is_offline", "--offline", is_flag=True, help="ask no node: nothing that is shown is proven")
    @consent_options
    @with_session
    def command(
        session: Session, file: Path, names: tuple[str, ...], output: Path | None, is_offline: bool, consent: Consent
    ) -> None:
        if is_offline:
            session.go_offline()
        document = read_document(file, session.genesis_hash)
        signers = [session.signer(name) for name in names] or [_fitting(session, document, is_sender)]
        sender = document.payload.sender
        for signer in signers if is_sender else ():
            if (signer.address or session.keystore.info(signer.name).address) != sender:
                raise OperatorError(  # a superfluous signature would make the file worthless
                    f"{signer.name} is not the sender, {to_text(sender)}: use bmw-wallet cosign, or "
                    f"--from {signer.name}@{to_text(sender)} where its key is one of the sender's"
                )
        agree(session, document.payload, signers, consent, is_body_known=False, is_offline=is_offline)
        for signer in signers:
            document = signed_by(session, document, signer)
        session.outbox.keep([document], "written")
        write_document(output or file, document)
        if session.wants_json:
            echo_json(document.to_json())
        else:
            click.echo(f"{output or file} now has {counted(len(document.signatures), 'signature')}.", err=True)

    return command


sign = _signing_command(
    "sign", True, "the sender's", "Sign a transaction file as its sender, after showing what it means.",
    "bmw-wallet sign order.json\nbmw-wallet sign order.json --from buyer-1",
)  # fmt: skip
cosign = _signing_command(
    "cosign", False, "the only one that fits",
    "Add a further party's signature to a transaction file, after showing what it means.",
    "bmw-wallet cosign handover.json --from buyer-1 -o signed.json",
)  # fmt: skip


def _fitting(session: Session, document: TxDocument, is_sender: bool) -> Signer:
    """The signer if none is named: the only key that fits. Raises `OperatorError` for none or several."""
    payload = document.payload
    signed = {s.public_key for s in document.signatures}
    keys = [info for info in session.keystore.list() if info.public_key not in signed]
    fitting = [info for info in keys if (info.address == payload.sender) == is_sender]
    if not is_sender:
        fitting = _named(fitting, payload.body) or fitting
    if len(fitting) == 1:
        return Signer(fitting[0].name, None)
    if not fitting:
        party = f"the sender {to_text(payload.sender)}" if is_sender else "another party"
        raise OperatorError(f"no key in this home is {party}'s and has yet to sign: import it, or name one with --from")
    names = ", ".join(info.name for info in fitting)
    raise OperatorError(f"{names} could be meant: name the key that signs with --from")


def _named(keys: list[KeyInfo], body: TransactionBody) -> list[KeyInfo]:
    """The keys whose address or public key is a field of the body."""
    values = {value for name in body.__struct_fields__ if isinstance(value := getattr(body, name), bytes)}
    new = body.new_account_keys()
    addresses = values | ({address_of(new[0])} if new else set())
    return [info for info in keys if info.address in addresses or info.public_key in new]


@click.command("submit", epilog=example("bmw-wallet submit handover.json --wait\nbmw-wallet submit records/*.json"))
@click.argument("files", nargs=-1, required=True, type=PATH, metavar="FILE...")
@click.option("--wait", "is_waiting", is_flag=True, help="wait until everything is committed, and prove that it is")
@accept_old_root
@with_session
def submit(session: Session, files: tuple[Path, ...], is_waiting: bool, accept_old_root: bool) -> None:
    """Send signed transaction files: always the same bytes, so sending twice does no harm."""
    documents = [document for file in files for document in read_documents(file, session.genesis_hash)]
    if not documents:
        raise click.UsageError("the files have no transaction")
    if unsigned := sum(not document.signatures for document in documents):
        raise OperatorError(f"{unsigned} of {len(documents)} transactions have no signature: run bmw-wallet sign")
    session.check_chain()
    light = session.light_client(accept_old_root) if is_waiting else None
    if len(documents) == 1:
        echo_sent(session, submit_one(session, documents[0], light), documents[0])
    else:
        echo_results(session, submit_many(session, documents, light), documents)


def echo_results(session: Session, results: list[Sent], documents: list[TxDocument]) -> None:
    """Print the outcome of several submissions. Exits with 1 if any was refused."""
    if session.wants_json:
        echo_json({"results": [sent.to_json() for sent in results]})
    else:
        counts = Counter(_outcome(sent) for sent in results)
        click.echo(", ".join(f"{count} {plain(outcome)}" for outcome, count in sorted(counts.items())))
    for reason in sorted({sent.commit.reason for sent in results if isinstance(sent.commit, Unproven)}):
        click.echo(f"Not proven: {plain(reason)}.", err=True)
    refused = [sent for sent in results if sent.is_refused]
    for sent in refused[:REFUSED_SHOWN_MAX]:
        reason = problem_text(sent.problem, 0) if sent.problem else sent.status
        say(f"{sent.txid.hex()}: {reason}", "bad", err=True)
        echo_unmet(unmet_of(sent.problem))
    if len(refused) > REFUSED_SHOWN_MAX:
        click.echo(f"... and {len(refused) - REFUSED_SHOWN_MAX} more (--json shows all)", err=True)
    if refused:
        txids = {sent.txid for sent in refused}
        echo_kept([document for document in documents if document.txid in txids])
        raise click.exceptions.Exit(EXIT_REFUSED)


def _outcome(sent: Sent) -> str:
    if sent.is_refused:
        return "refused"
    if sent.status == "pending":
        return "pending"
    return f"{sent.status} (proven)" if isinstance(sent.commit, Place) else f"{sent.status} (as the node says)"
