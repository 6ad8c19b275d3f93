"""Submission of signed transactions, one or many. Every attempt sends the same bytes, never a re-signed copy."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeVar

import click

from node import limits
from node.errors import OperatorError
from wallet.client import NodeClient, NodeRefused
from wallet.session import Session
from wallet.txfile import TxDocument, write_document

T = TypeVar("T")

TRIES: Final = 6
"""Attempts at a busy node (429), each after the time that the node's answer names."""

WAIT_MS: Final = 10_000
"""One request that waits for a commit: shorter than the timeout of any proxy."""

WAIT_TOTAL_S: Final = 60
"""The total time that --wait waits: several rounds of consensus, even slow ones."""

BATCH_HEX_MAX: Final = limits.RPC_BODY_BYTES_MAX - 64 * 1024

BUSY_CODES: Final = frozenset({"rate_limited", "too_many_connections", "pool_full", "syncing", "not_ready"})


@dataclass
class Sent:
    """The outcome of one submission. `problem` is the node's problem document if it refused the transaction."""

    txid: bytes
    status: str
    answer: dict[str, Any]
    problem: dict[str, Any] = field(default_factory=dict)

    @property
    def is_refused(self) -> bool:
        return bool(self.problem) or self.status not in ("pending", "committed")

    def to_json(self) -> dict[str, Any]:
        return self.answer | {"txid": self.txid.hex(), "status": self.status}


def _retried(send: Callable[[], T]) -> T:
    """The result of `send`, called again as long as the node is busy."""
    for _ in range(TRIES - 1):
        try:
            return send()
        except NodeRefused as refused:
            if refused.status != 429:
                raise
            time.sleep(refused.retry_after_s)
    return send()


def submit_one(session: Session, document: TxDocument, is_waiting: bool) -> Sent:
    """Submit a transaction. The outbox keeps it until a node answers, so that the same bytes can be sent again."""
    outbox = session.home / "outbox" / f"{document.txid.hex()}.json"
    write_document(outbox, document)
    try:
        sent = _submit(session.client, document, is_waiting)
    except NodeRefused:
        outbox.unlink(missing_ok=True)
        raise
    except OperatorError as error:
        raise type(error)(
            f"{error}; the signed transaction is kept: `bmw-wallet submit {outbox}` sends the same again"
        ) from None
    outbox.unlink(missing_ok=True)
    return sent


def _submit(client: NodeClient, document: TxDocument, is_waiting: bool) -> Sent:
    send = partial(_retried, partial(client.submit, document.raw, WAIT_MS if is_waiting else 0))
    answer = send()
    for _ in range(WAIT_TOTAL_S * 1000 // WAIT_MS - 1):
        if not is_waiting or answer.get("status") != "pending":
            break
        answer = send()
    if is_waiting and answer.get("status") == "pending":
        raise OperatorError(f"{document.txid.hex()} is accepted and not yet committed after {WAIT_TOTAL_S} s")
    return Sent(document.txid, str(answer.get("status")), answer)


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


def submit_many(session: Session, documents: list[TxDocument], is_waiting: bool) -> list[Sent]:
    """Submit transactions. Returns one result for each, in order; a refused one does not stop the others."""
    results: list[Sent] = []
    is_hidden = not sys.stderr.isatty()
    with click.progressbar(length=len(documents), label="submitting", file=sys.stderr, hidden=is_hidden) as bar:
        for batch in _batches(documents):
            results.extend(_submit_batch(session.client, batch))
            bar.update(len(batch))
    if not is_waiting:
        return results
    with click.progressbar(length=len(results), label="waiting   ", file=sys.stderr, hidden=is_hidden) as bar:
        for index, document in enumerate(documents):
            if results[index].status == "pending":
                try:
                    results[index] = _submit(session.client, document, True)
                except NodeRefused as refused:
                    results[index] = Sent(document.txid, "refused", {}, refused.problem)
            bar.update(1)
    return results


def _submit_batch(client: NodeClient, batch: list[TxDocument]) -> list[Sent]:
    """Submit one batch. Items that a busy node refused are sent again."""
    results: dict[int, Sent] = {}
    waiting = list(range(len(batch)))
    for attempt in range(TRIES):
        answers = _retried(partial(client.submit_batch, [batch[index].raw for index in waiting]))
        for index, answer in zip(waiting, answers, strict=True):
            problem = answer.get("problem")
            problem = problem if isinstance(problem, dict) else {}
            results[index] = Sent(batch[index].txid, str(answer.get("status")), answer, problem)
        waiting = [index for index in waiting if results[index].problem.get("code") in BUSY_CODES]
        if not waiting or attempt == TRIES - 1:
            break
        time.sleep(attempt + 1.0)
    return [results[index] for index in range(len(batch))]
