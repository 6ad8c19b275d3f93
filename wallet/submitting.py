"""Signed bytes to the chain: one or many, waiting or not. The same bytes are sent again, never a re-signed copy."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Protocol, TypeVar

import click

from node import limits
from node.errors import OperatorError
from wallet.client import NodeClient, NodeRefused, UnmetGuard, problem_text, unmet_of
from wallet.session import Session
from wallet.show import is_terminal
from wallet.txfile import TxDocument, write_document

T = TypeVar("T")

TRIES: Final = 6
"""A busy node (429, 503) is asked again, after the time it names, this often."""

WAIT_MS: Final = 10_000
"""One request that waits for a commit; below every proxy's patience."""

WAIT_TOTAL_S: Final = 60
"""How long --wait waits in all: some rounds of consensus, even slow ones."""

BATCH_HEX_MAX: Final = limits.RPC_BODY_BYTES_MAX - 64 * 1024

BUSY_CODES: Final = frozenset({"rate_limited", "too_many_connections", "pool_full", "syncing", "not_ready"})


class StillPending(OperatorError):
    """It was taken, and not yet committed."""


@dataclass
class Sent:
    """What became of one transaction. `problem` where it was refused."""

    txid: bytes
    status: str
    answer: dict[str, Any]
    problem: dict[str, Any] = field(default_factory=dict)

    @property
    def is_refused(self) -> bool:
        return bool(self.problem) or self.status not in ("pending", "committed")

    @property
    def unmet(self) -> tuple[UnmetGuard, ...]:
        return unmet_of(self.problem)

    @property
    def why(self) -> str:
        return problem_text(self.problem, 0) if self.problem else self.status

    def to_json(self) -> dict[str, Any]:
        return self.answer | {"txid": self.txid.hex(), "status": self.status}


def _patiently(send: Callable[[], T], sleep: Callable[[float], None]) -> T:
    for attempt in range(TRIES):
        try:
            return send()
        except NodeRefused as refused:
            if not refused.is_busy or attempt == TRIES - 1:
                raise
            sleep(refused.retry_after_s)
    raise AssertionError("the loop returns or raises")


def submit_one(session: Session, document: TxDocument, is_waiting: bool) -> Sent:
    """Kept in the home's outbox until a node has answered, so that the very bytes can be sent again."""
    outbox = session.home / "outbox" / f"{document.txid.hex()}.json"
    write_document(outbox, document)
    try:
        sent = _submit(session.client, document, is_waiting, session.sleep)
    except NodeRefused:
        outbox.unlink(missing_ok=True)
        raise
    except OperatorError as error:
        raise type(error)(
            f"{error}; the signed transaction is kept: `bmw-wallet submit {outbox}` sends the same again"
        ) from None
    outbox.unlink(missing_ok=True)
    return sent


def _submit(client: NodeClient, document: TxDocument, is_waiting: bool, sleep: Callable[[float], None]) -> Sent:
    answer = _patiently(lambda: client.submit(document.raw, WAIT_MS if is_waiting else 0), sleep)
    rounds = WAIT_TOTAL_S * 1000 // WAIT_MS
    while is_waiting and answer.get("status") == "pending":
        rounds -= 1
        if rounds <= 0:
            raise StillPending(f"{document.txid.hex()} is taken and not yet committed after {WAIT_TOTAL_S} s")
        answer = _patiently(lambda: client.submit(document.raw, WAIT_MS), sleep)
    return Sent(document.txid, str(answer.get("status")), answer)


# --- many ----------------------------------------------------------------------------------------------
class SubmitProgress(Protocol):
    def update(self, n_steps: int) -> None: ...


class _Silent:
    def update(self, n_steps: int) -> None:
        """Not on a terminal: nothing to show."""


@contextmanager
def progress(length: int, label: str) -> Iterator[SubmitProgress]:
    """A bar on standard error, on a terminal only."""
    if not is_terminal():
        yield _Silent()
        return
    with click.progressbar(length=length, label=label, file=sys.stderr) as shown:
        yield shown


def batches(documents: list[TxDocument]) -> Iterator[list[TxDocument]]:
    """In order, each within the batch's bounds of count and bytes."""
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
    """One result each, in order; a bad one never spoils the others."""
    results: list[Sent] = []
    with progress(len(documents), "submitting") as bar:
        for batch in batches(documents):
            results.extend(_submit_batch(session, batch))
            bar.update(len(batch))
    if is_waiting:
        with progress(len(results), "waiting   ") as bar:
            waited = []
            for document, sent in zip(documents, results, strict=True):
                waited.append(_submit_again(session, document) if sent.status == "pending" else sent)
                bar.update(1)
            results = waited
    return results


def _submit_again(session: Session, document: TxDocument) -> Sent:
    """The same bytes answer with their present state, or once they are committed."""
    try:
        return _submit(session.client, document, True, session.sleep)
    except NodeRefused as refused:
        return Sent(document.txid, "refused", {}, refused.problem)


def _submit_batch(session: Session, batch: list[TxDocument]) -> list[Sent]:
    """Items that a busy node did not take are sent again."""
    done: dict[int, Sent] = {}
    waiting = list(range(len(batch)))
    for attempt in range(TRIES):
        raws = [batch[index].raw for index in waiting]
        results = _patiently(partial(session.client.submit_batch, raws), session.sleep)
        busy = []
        for index, result in zip(waiting, results, strict=True):
            found = result.get("problem")
            problem = found if isinstance(found, dict) else {}
            done[index] = Sent(batch[index].txid, str(result.get("status")), result, problem)
            if problem.get("code") in BUSY_CODES:
                busy.append(index)
        waiting = busy
        if not waiting or attempt == TRIES - 1:
            break
        session.sleep(float(attempt + 1))
    return [done[index] for index in range(len(batch))]
