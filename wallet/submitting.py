"""Submission of signed transactions, one or many. Every attempt sends the same bytes, never a re-signed copy."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeVar, assert_never

import click

from node import limits
from node.errors import OperatorError, Rejected
from node.ledger.json_form import time_to_text
from wallet.client import NodeClient, NodeRefused, Unreachable
from wallet.light import LightClient
from wallet.proving import Place, Unproven, prove_commits
from wallet.session import Session
from wallet.txfile import TxDocument

T = TypeVar("T")

TRIES: Final = 6
"""Attempts at a busy node (429), each after the time that the node's answer names."""

WAIT_MS: Final = 10_000
"""One request that waits for a commit: shorter than the timeout of any proxy."""

WAIT_TOTAL_S: Final = 60
"""The total time that --wait waits: several rounds of consensus, even slow ones."""

BATCH_HEX_MAX: Final = limits.RPC_BODY_BYTES_MAX - 64 * 1024

BUSY_CODES: Final = frozenset({"rate_limited", "too_many_connections", "pool_full", "syncing", "not_ready"})

STATUSES: Final = frozenset({"pending", "committed", "rejected", "expired"})

KEPT: Final = "the signed transaction is kept: `bmw-wallet outbox` shows it, and sends the same again with --resend"


@dataclass
class Sent:
    """The outcome of one submission. `problem` is the node's problem document if it refused the transaction; `commit`
    is there once it was tried to prove what the node says."""

    txid: bytes
    status: str
    answer: dict[str, Any]
    problem: dict[str, Any] = field(default_factory=dict)
    commit: Place | Unproven | None = None

    @property
    def is_refused(self) -> bool:
        return bool(self.problem) or self.status not in ("pending", "committed")

    def to_json(self) -> dict[str, Any]:
        return self.answer | {"txid": self.txid.hex(), "status": self.status} | commit_json(self.commit)


def commit_json(commit: Place | Unproven | None) -> dict[str, Any]:
    """The members `proven` and what belongs to it; a proven place wins over what the node says."""
    match commit:
        case Place(height=height, index=index, block_id=block_id):
            return {"proven": True, "height": height, "index": index, "block_id": block_id.hex()}
        case Unproven(reason=reason):
            return {"proven": False, "reason": reason}
        case None:
            return {"proven": False}
        case _:
            assert_never(commit)


def retried(send: Callable[[], T]) -> T:
    """The result of `send`, called again as long as the node is busy."""
    for _ in range(TRIES - 1):
        try:
            return send()
        except NodeRefused as refused:
            if refused.status != 429:
                raise
            time.sleep(refused.retry_after_s)
    return send()


def submit_one(session: Session, document: TxDocument, light: LightClient | None) -> Sent:
    """Submit a transaction, and with a light client wait for its commit and prove it. The outbox keeps the bytes."""
    _sweep(session)
    session.outbox.keep([document], "sent")
    with _telling_kept([document]):
        sent = _submit(session.client, document, light is not None)
        session.outbox.keep_receipts([(document, sent.answer.get("acceptance"))])
        if light is not None:
            _prove(session, light, [sent])
    return sent


def _sweep(session: Session) -> None:
    """Forget what the newest header that was verified before proves to have expired. No node is asked."""
    with suppress(OperatorError):  # a trust store that cannot be read keeps nothing from being sent
        session.outbox.forget_expired(session.light_client(True).proven_ms)


@contextmanager
def _telling_kept(documents: list[TxDocument]) -> Iterator[None]:
    """Whatever goes wrong tells that the outbox keeps the documents."""
    try:
        yield
    except Rejected:
        echo_kept(documents)
        raise
    except OperatorError as error:
        raise type(error)(f"{error}; {KEPT}") from None


def echo_kept(documents: list[TxDocument]) -> None:
    """Tell on standard error that refused transactions may still be committed."""
    what = "The signed transaction is" if len(documents) == 1 else "The signed transactions are"
    until = time_to_text(max(document.payload.expires_at_ms for document in documents))
    click.echo(
        f"{what} kept: some node may still commit it until {until}. `bmw-wallet outbox` shows what became of it, and "
        "sends the same again with --resend.",
        err=True,
    )


def _prove(session: Session, light: LightClient, results: list[Sent]) -> None:
    """Prove the commits that the node names, and forget what is proven."""
    said = {sent.txid: sent.answer.get("height") for sent in results if sent.status == "committed"}
    commits = prove_commits(light, session.genesis_hash, said)
    for sent in results:
        sent.commit = commits.get(sent.txid)
    proven = {txid for txid, commit in commits.items() if isinstance(commit, Place)}
    session.outbox.forget(lambda document: document.txid in proven)
    session.outbox.drop_receipts(proven)


def _submit(client: NodeClient, document: TxDocument, is_waiting: bool) -> Sent:
    send = partial(retried, partial(client.submit, document.raw, WAIT_MS if is_waiting else 0))
    answer = send()
    for _ in range(WAIT_TOTAL_S * 1000 // WAIT_MS - 1):
        if not is_waiting or answer.get("status") != "pending":
            break
        answer = send()
    if is_waiting and answer.get("status") == "pending":
        raise OperatorError(f"{document.txid.hex()} is accepted and not yet committed after {WAIT_TOTAL_S} s")
    status = answer.get("status")
    if not isinstance(status, str) or status not in STATUSES:
        raise Unreachable("the node answers no status of a transaction: name another node")
    return Sent(document.txid, status, answer)


# --- many ----------------------------------------------------------------------------------------------
def _batches(documents: list[TxDocument]) -> Iterator[list[TxDocument]]:
    """The documents in order, in batches within the bounds on count and bytes."""
    batch: list[TxDocument] = []
    size = 0
    for document in documents:
        cost = 2 * len(document.raw) + 4
        if batch and (len(batch) == limits.RPC_BATCH_MAX or size + cost > BATCH_HEX_MAX):
            yield batch
            batch, size = [], 0
        batch.append(document)
        size += cost
    if batch:
        yield batch


def submit_many(session: Session, documents: list[TxDocument], light: LightClient | None) -> list[Sent]:
    """Submit transactions, and with a light client wait for their commits and prove them. Returns one result for each,
    in order; a refused one does not stop the others. The outbox keeps the bytes."""
    _sweep(session)
    for batch in _batches(documents):
        session.outbox.keep(batch, "sent")
    with _telling_kept(documents):
        results = _submit_many(session, documents, light is not None)
        if light is not None:
            _prove(session, light, results)
    return results


def _submit_many(session: Session, documents: list[TxDocument], is_waiting: bool) -> list[Sent]:
    results: list[Sent] = []
    is_hidden = not sys.stderr.isatty()
    with click.progressbar(length=len(documents), label="submitting", file=sys.stderr, hidden=is_hidden) as bar:
        for batch in _batches(documents):
            answered = _submit_batch(session.client, batch)
            given = [sent.answer.get("acceptance") for sent in answered]
            session.outbox.keep_receipts(zip(batch, given, strict=True))
            results.extend(answered)
            bar.update(len(batch))
    if not is_waiting:
        return results
    with click.progressbar(length=len(results), label="waiting   ", file=sys.stderr, hidden=is_hidden) as bar:
        for index, document in enumerate(documents):
            if results[index].status == "pending":
                try:
                    results[index] = _submit(session.client, document, True)
                except NodeRefused as refused:
                    results[index] = Sent(document.txid, "refused", {}, refused.problem or {"detail": str(refused)})
            bar.update(1)
    return results


def _submit_batch(client: NodeClient, batch: list[TxDocument]) -> list[Sent]:
    """Submit one batch. Items that a busy node refused are sent again."""
    results: dict[int, Sent] = {}
    waiting = list(range(len(batch)))
    for attempt in range(TRIES):
        answers = retried(partial(client.submit_batch, [batch[index].raw for index in waiting]))
        for index, answer in zip(waiting, answers, strict=True):
            problem = answer.get("problem")
            problem = problem if isinstance(problem, dict) else {}
            results[index] = Sent(batch[index].txid, str(answer.get("status")), answer, problem)
        waiting = [index for index in waiting if results[index].problem.get("code") in BUSY_CODES]
        if not waiting or attempt == TRIES - 1:
            break
        time.sleep(attempt + 1.0)
    return [results[index] for index in range(len(batch))]
