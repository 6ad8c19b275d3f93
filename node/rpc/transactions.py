"""Handlers for transactions: submit, batch, encode, check, status."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from node.chain.acceptance import BatchAcceptance, accept
from node.codec import encode
from node.crypto.addresses import from_text
from node.errors import Malformed
from node.execution.head import ChainHead
from node.ledger.family import View
from node.ledger.fields import OptionalTime
from node.ledger.json_form import json_form, time_from_text, time_to_text, to_json, union_from_json
from node.ledger.signed import sign_bytes, txid_of
from node.limits import TIME_MAX_MS, TX_BYTES_MAX
from node.rpc import answers, transaction_answers
from node.rpc.backend import Backend, Submitted, TxStatus
from node.rpc.call import JSON, MSGPACK, Call, Query, read_body, read_hash, read_hex, read_json
from node.rpc.chain_queries import committed_answer
from node.rpc.moments import Moment
from node.rpc.problems import Problem, guards_problem, problem_of, unmet_guards
from node.txtypes import envelope
from node.txtypes.envelope import CheckedTx, Payload, SignedTx
from node.txtypes.registry import TYPES

Json = dict[str, Any]
Submission = transaction_answers.Pending | transaction_answers.Committed
LIFETIME_DEFAULT_MS = 30 * 60_000

Hex = Annotated[str, Meta(description="lower-case hex", extra_json_schema={"pattern": r"^([0-9a-f]{2})*$"})]
"""Checked by `read_hex`, whose error is clearer than that of a pattern."""


class SubmitQuery(Query, frozen=True):
    wait: Annotated[str, Meta(pattern="^commit$", description="`commit`: answer once it is committed")] | None = None
    timeout_ms: Annotated[int, Meta(ge=0, description="how long to wait at most")] | None = None


class SubmitRequest(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A signed transaction, or send the same bytes as application/msgpack."""

    transaction: Hex


class BatchRequest(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Signed transactions, each with a result of its own."""

    transactions: list[Any]


class EncodeRequest(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """An unsigned transaction. `body` has its `type` and that type's fields."""

    sender: Annotated[str, Meta(description="address of the account that signs first")]
    body: dict[str, Any]
    expires_at: Annotated[str, Meta(description="RFC 3339; left out: 30 minutes after the head's time")] | None = None
    salt: Annotated[int | str, Meta(description="64-bit number or its digits; left out: random")] | None = None


class BatchResult(View, frozen=True):
    """The result of one transaction of a batch. `txid`: empty if the bytes do not decode. `status`: `refused` where
    this node knows nothing of the transaction."""

    txid: str
    status: str
    problem: answers.Problem | None = None
    height: int = 0
    index: int = 0
    until_ms: OptionalTime = 0


class BatchResults(View, frozen=True):
    """One result per transaction, in order. `acceptance`: the node's signed receipt of all that are pending, if there
    are any."""

    results: tuple[BatchResult, ...]
    acceptance: BatchAcceptance | None = None


class CheckRequest(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Signed (`transaction`) or unsigned (`sender`, `body` and the rest of an encode request)."""

    transaction: Hex | None = None
    sender: str | None = None
    body: dict[str, Any] | None = None
    expires_at: str | None = None
    salt: int | str | None = None


# --- encode ----------------------------------------------------------------------------------------------
def _salt(given: int | str | None) -> int:
    if given is None:
        return secrets.randbits(64)
    digits = str(given)
    if not digits.isdecimal() or not digits.isascii() or len(digits) > 20 or int(digits) >= 2**64:
        raise Malformed("salt: a number of up to 64 bits, or its digits")
    return int(digits)


def build_payload(backend: Backend, request: EncodeRequest) -> tuple[Payload, bytes]:
    """The payload and its canonical bytes, checked by the static rules of its type. Raises `Malformed` or `Problem`."""
    sender = from_text(request.sender)
    try:
        if not isinstance(request.body.get("type"), str):
            raise Malformed(f"body.type: one of {', '.join(sorted(TYPES))} expected")
        body = union_from_json(dict(TYPES), request.body, "body")
        if request.expires_at is None:
            expires = backend.reader().head().time_ms + LIFETIME_DEFAULT_MS
        else:
            expires = time_from_text(request.expires_at)
            if not 0 < expires <= TIME_MAX_MS:
                raise Malformed("expires_at: a time after 1970 expected")
        payload = Payload(sender, _salt(request.salt), expires, body)
        raw = encode(payload)
        envelope.decode_payload(raw)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise Problem("malformed", f"body: {error}") from None
    return payload, raw


async def encode_transaction(call: Call) -> transaction_answers.Encoded:
    _, body = await read_body(call.request, call.rpc.config, JSON)
    payload, raw = build_payload(call.backend, read_json(body, EncodeRequest))
    genesis_hash, salt = call.backend.genesis_hash, str(payload.salt)
    signed, txid = sign_bytes(genesis_hash, raw), txid_of(genesis_hash, raw)
    return transaction_answers.Encoded(raw, signed, txid, payload.sender, salt, payload.expires_at_ms)


# --- check -----------------------------------------------------------------------------------------------
async def check(call: Call) -> tuple[Moment, transaction_answers.Checked]:
    tx = await _read_check(call)
    found, language = call.backend.forecast(tx), call.language
    cautions = tuple(transaction_answers.Caution(c.code, subject, c.text(language)) for c, subject in found.cautions)
    return call.moment(), transaction_answers.Checked(
        not found.unmet, tx.txid, unmet_guards(found.unmet, language), found.signatures, found.records, found.changes,
        found.happenings, cautions,
    )  # fmt: skip


async def _read_check(call: Call) -> CheckedTx:
    """A signed transaction whose signatures verify, or an unsigned transaction."""
    genesis_hash = call.backend.genesis_hash
    media_type, raw = await read_body(call.request, call.rpc.config, MSGPACK, JSON)
    if media_type == JSON:
        given = read_json(raw, CheckRequest)
        if given.transaction is None:
            if given.sender is None or given.body is None:
                raise Problem("malformed", "body: either transaction, or sender and body expected")
            request = EncodeRequest(given.sender, given.body, given.expires_at, given.salt)
            payload, raw = build_payload(call.backend, request)
            if len(raw) > TX_BYTES_MAX:
                raise Problem("too_large", f"the payload has {len(raw)} bytes, at most {TX_BYTES_MAX} are allowed")
            return CheckedTx(SignedTx(b"", raw, payload, (), txid_of(genesis_hash, raw), b""))
        if any(field is not None for field in (given.sender, given.body, given.expires_at, given.salt)):
            raise Problem("malformed", "body: either transaction, or sender and body expected, not both")
        raw = read_hex(given.transaction, "transaction")
    return envelope.check_signatures(envelope.decode_signed_tx(raw, genesis_hash), genesis_hash)


# --- status ----------------------------------------------------------------------------------------------
def tx_status_view(status: TxStatus, now_ms: int, language: str) -> View:
    """A rejection is final only after the transaction has expired: until then another node's pool may have it."""
    unmet, expires_at_ms = unmet_guards(status.unmet, language), status.expires_at_ms
    match status.status:
        case "committed":
            return transaction_answers.Committed(status.txid, "committed", status.height, status.index)
        case "rejected":
            return transaction_answers.Rejected(status.txid, "rejected", unmet, now_ms > expires_at_ms, expires_at_ms)
        case "expired":
            return transaction_answers.Expired(status.txid, "expired", unmet, True, expires_at_ms)
        case _:
            return transaction_answers.Pending(status.txid, "pending", expires_at_ms)


async def transaction(call: Call) -> View:
    txid, reader = read_hash(call.request.match_info["txid"], "a txid"), call.reader()
    place = reader.place(txid)
    if place is not None:
        return committed_answer(call.backend, txid, place)
    status = call.backend.tx_status(txid)
    if status is None:
        text = f"{txid.hex()}: this node has not seen the transaction, or dropped its status after seven days"
        raise Problem("transaction_unknown", text)
    return tx_status_view(status, reader.head().time_ms, call.language)


# --- submit ----------------------------------------------------------------------------------------------
def _answer(outcome: Submitted, now_ms: int, language: str) -> Submission | Problem:
    """The status of a submitted transaction, or a `Problem` if it was rejected, has expired, could not be judged or
    found no room."""
    status = outcome.status
    if outcome.error is not None:
        problem, about = problem_of(outcome.error, language), _about(outcome, now_ms)
        if about is not None:
            problem.members["transaction"] = about
        return problem
    assert status is not None, "bytes without an error have a status"
    match status.status:
        case "rejected":
            return guards_problem(status.unmet, language, transaction=_about(outcome, now_ms))
        case "expired":
            until = time_to_text(status.expires_at_ms)
            text = f"it was valid until {until} and never got into a block"
            return Problem("transaction_expired", text, transaction=_about(outcome, now_ms))
        case "committed":
            return transaction_answers.Committed(status.txid, "committed", status.height, status.index)
        case _:
            return transaction_answers.Pending(status.txid, "pending", status.expires_at_ms)


def _acceptance(backend: Backend, head: ChainHead, accepted: Sequence[tuple[bytes, int]]) -> BatchAcceptance:
    """Sign the receipt of transactions that are in the journal."""
    now_ms = time.time_ns() // 1_000_000
    return accept(backend.genesis_hash, accepted, head.height, head.block_id, now_ms, backend.node_key, backend.sign)


def _about(outcome: Submitted, now_ms: int) -> Json | None:
    """The member `transaction` of a problem document: what this node knows of bytes that decode."""
    if not outcome.txid:
        return None
    status = outcome.status or TxStatus(outcome.txid, "", accepted=False)
    is_final = status.status in ("committed", "expired") or 0 < status.expires_at_ms < now_ms
    view = answers.SubmittedStatus(status.txid, status.status, is_final, status.accepted, status.expires_at_ms)
    return to_json(view)


async def submit(call: Call) -> tuple[int, View]:
    """202 with a receipt while it is pending, 200 once it is committed."""
    media_type, raw = await read_body(call.request, call.rpc.config, MSGPACK, JSON)
    if media_type == JSON:
        raw = read_hex(read_json(raw, SubmitRequest).transaction, "transaction")
    query: SubmitQuery = call.query
    if query.timeout_ms is not None and query.wait is None:
        raise Problem("malformed", "timeout_ms: requires wait=commit")
    (outcome,) = await asyncio.shield(call.backend.submit([raw]))  # a disconnect must not cancel: it may be journalled
    if query.wait is not None and outcome.status is not None and outcome.status.status == "pending":
        outcome = replace(outcome, status=await _wait(call, outcome.status))
    head = call.backend.reader().head()
    answer = _answer(outcome, head.time_ms, call.language)
    match answer:
        case Problem():
            raise answer
        case transaction_answers.Pending(txid, status, until_ms):
            accepted = [(txid, until_ms)]
            [receipt] = _acceptance(call.backend, head, accepted).receipts(accepted)
            return 202, transaction_answers.Accepted(txid, status, until_ms, receipt)
        case _:
            return 200, answer


async def _wait(call: Call, pending: TxStatus) -> TxStatus:
    """The status once decided, at the timeout, or when the node stops."""
    config, timeout_ms = call.rpc.config, call.query.timeout_ms
    timeout_ms = min(config.wait_ms_default if timeout_ms is None else timeout_ms, config.wait_ms_max)
    waiting = asyncio.ensure_future(call.backend.wait_for(pending.txid, timeout_ms))
    stop = asyncio.ensure_future(call.rpc.streams.stopping.wait())
    try:
        await asyncio.wait({waiting, stop}, return_when=asyncio.FIRST_COMPLETED)
        decided = waiting.result() if waiting.done() else call.backend.tx_status(pending.txid)
    finally:
        waiting.cancel()
        stop.cancel()
    return decided or pending


async def batch(call: Call) -> Json:
    """One result per transaction, in order; an invalid one does not affect the others."""
    _, body = await read_body(call.request, call.rpc.config, JSON)
    texts, most = read_json(body, BatchRequest).transactions, call.rpc.config.batch_max
    if len(texts) > most:
        raise Problem("batch_too_large", f"{len(texts)} transactions, at most {most} are allowed")
    parsed = [_hex_or_problem(text, f"transactions[{index}]") for index, text in enumerate(texts)]
    raws = [raw for raw in parsed if isinstance(raw, bytes)]
    outcomes = await asyncio.shield(call.backend.submit(raws)) if raws else []
    head = call.backend.reader().head()
    given = [_answer(outcome, head.time_ms, call.language) for outcome in outcomes]
    each = iter(given)
    answer: Json = {"results": [_result(raw if isinstance(raw, Problem) else next(each)) for raw in parsed]}
    accepted = [(view.txid, view.until_ms) for view in given if isinstance(view, transaction_answers.Pending)]
    if accepted:
        answer["acceptance"] = json_form(_acceptance(call.backend, head, accepted))
    return answer


def _hex_or_problem(text: Any, path: str) -> bytes | Problem:
    try:
        return read_hex(text, path)
    except Problem as problem:
        return problem


def _result(given: Submission | Problem) -> msgspec.Struct | Json:
    if not isinstance(given, Problem):
        return json_form(given)
    about = given.members.get("transaction")
    txid, status = ("", "") if about is None else (about["txid"], about["status"])
    return {"txid": txid, "status": status or "refused", "problem": given.document()}
