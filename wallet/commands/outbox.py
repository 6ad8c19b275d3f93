"""`bmw-wallet outbox`: what this wallet has signed and some node may still commit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import click

from node.crypto.addresses import to_text
from node.errors import OperatorError, Rejected
from node.ledger.body import type_of
from node.ledger.json_form import time_to_text
from wallet.commands.shared import accept_old_root, example, with_session
from wallet.light import LightClient
from wallet.outbox import Kept
from wallet.proving import Place, Unproven, prove_commits
from wallet.session import Session
from wallet.show import counted, echo_json, echo_table, plain
from wallet.submitting import STATUSES, commit_json, retried, submit_many


@dataclass
class Entry:
    """A kept transaction, what a node says of it, and what is proven."""

    kept: Kept
    said: str = "unasked"
    commit: Place | Unproven | None = None
    has_expired: bool = False
    """A proven head has passed its expiry."""

    @property
    def is_committed(self) -> bool:
        return isinstance(self.commit, Place)

    @property
    def is_over(self) -> bool:
        return self.has_expired or self.is_committed

    @property
    def text(self) -> str:
        if isinstance(self.commit, Place):
            return f"committed at height {self.commit.height}, proven"
        said = {"unasked": "no node answers", "unknown": "unknown to this node"}.get(
            self.said, f"{self.said}, as the node says"
        )
        return f"over: expired, proven; {said}" if self.has_expired else said

    def to_json(self) -> dict[str, Any]:
        payload = self.kept.document.payload
        proven = commit_json(self.commit) | ({"proven": True} if self.has_expired else {})
        return {
            "txid": self.kept.document.txid.hex(), "type": type_of(payload.body), "sender": to_text(payload.sender),
            "expires_at": time_to_text(payload.expires_at_ms), "how": self.kept.hows, "status": self.said,
            "outstanding": not self.is_over, **proven,
        }  # fmt: skip


@click.command(
    "outbox", epilog=example("bmw-wallet outbox\nbmw-wallet outbox --resend\nbmw-wallet outbox 5f1c... --resend")
)
@click.argument("txids", nargs=-1, metavar="[TXID]...")
@click.option("--resend", is_flag=True, help="send the same bytes again: of all that were sent, or of those named")
@accept_old_root
@with_session
def outbox(session: Session, txids: tuple[str, ...], resend: bool, accept_old_root: bool) -> None:
    """What this wallet has signed and some node may still commit.

    A transaction is listed until its commit is proven, or until a proven head has passed its expiry. Before that no
    answer of a node is final: send the same bytes again or wait, and do not sign anew.
    """
    kept, unreadable = session.outbox.read()
    if unknown := sorted(set(txids) - {txid.hex() for txid in kept}):
        raise click.UsageError(f"{unknown[0]} is not in the outbox: `bmw-wallet outbox` lists what is")
    entries = [Entry(each) for txid, each in kept.items() if not txids or txid.hex() in txids]
    problems: list[Exception] = [OperatorError("; ".join(unreadable))] if unreadable else []
    light = session.light_client(accept_old_root)
    if entries:
        try:
            session.check_chain()
            if resend:
                _resend(session, [entry.kept for entry in entries], is_named=bool(txids))
            _ask(session, light, entries)
        except (Rejected, OperatorError) as error:
            problems.append(error)
        for entry in entries:
            entry.has_expired = entry.kept.document.payload.expires_at_ms < light.proven_ms
    over = {entry.kept.document.txid for entry in entries if entry.is_over}
    session.outbox.forget(lambda document: document.txid in over)
    session.outbox.drop_receipts({entry.kept.document.txid for entry in entries if entry.is_committed})
    if entries or not problems:
        _echo(session, entries)
    if problems:
        raise problems[-1]


def _resend(session: Session, kept: list[Kept], *, is_named: bool) -> None:
    """Submit what was submitted before, or all if they were named."""
    documents = [each.document for each in kept if is_named or "sent" in each.hows]
    if unsigned := sum(not document.signatures for document in documents):
        raise OperatorError(f"{counted(unsigned, 'transaction')} without a signature: run bmw-wallet sign")
    if documents:
        results = submit_many(session, documents, None)
        refused = sum(sent.is_refused for sent in results)
        click.echo(f"{counted(len(results), 'transaction')} sent again, {refused} of them refused.", err=True)


def _ask(session: Session, light: LightClient, entries: list[Entry]) -> None:
    """Ask the node about each transaction, prove the commits that it names, then its head."""
    heights = {}
    for entry in entries:
        txid = entry.kept.document.txid
        answer = retried(partial(session.client.transaction, txid))
        said = answer.get("status")
        entry.said = said if isinstance(said, str) and said in (*STATUSES, "unknown") else "no status"
        if entry.said == "committed":
            heights[txid] = answer.get("height")
    try:
        commits = prove_commits(light, session.genesis_hash, heights)
        for entry in entries:
            entry.commit = commits.get(entry.kept.document.txid)
    finally:
        light.verified_head()


def _echo(session: Session, entries: list[Entry]) -> None:
    if session.wants_json:
        echo_json({"transactions": [entry.to_json() for entry in entries]})
        return
    if not entries:
        click.echo("Nothing is outstanding.")
        return
    rows = []
    for entry in entries:
        payload = entry.kept.document.payload
        how, expires_at = ", ".join(entry.kept.hows), time_to_text(payload.expires_at_ms)
        rows.append((type_of(payload.body), entry.kept.document.txid.hex(), expires_at, how, entry.text))
    echo_table(("type", "txid", "expires", "how", "status"), rows)
    over = sum(entry.is_over for entry in entries)
    click.echo(f"{len(entries) - over} outstanding, {over} over and removed.")
    expired = {entry.kept.document.txid for entry in entries if entry.has_expired and not entry.is_committed}
    for path in sorted({path for txid, path in session.outbox.receipts().items() if txid in expired}):
        click.echo(f"A node had accepted what has expired: {path} has its receipt, for `bmw-audit censorship`.")
    for reason in sorted({entry.commit.reason for entry in entries if isinstance(entry.commit, Unproven)}):
        click.echo(f"Not proven: {plain(reason)}.", err=True)
