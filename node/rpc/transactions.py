"""Transactions in: submit, batch, encode, check. The ledger decides; here its answers become statuses."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable
from typing import Annotated, Any, TypeVar

import msgspec
from aiohttp import web
from msgspec import Meta

from node.codec import encode
from node.errors import Malformed, Rejected
from node.ledger.family import View
from node.ledger.json_form import time_from_text, time_to_text, to_json, union_from_json
from node.limits import TX_BYTES_MAX
from node.rpc import answers
from node.rpc.backend import Backend, NotAdmitted, Syncing, TxStatus
from node.rpc.config import RpcConfig
from node.rpc.problems import Problem, guards_problem, problem_of, unmet_guards
from node.rpc.receipt_answers import committed_answer
from node.rpc.request_parsing import JSON, MSGPACK, Query, read_address, read_body, read_hex, read_json
from node.txtypes.envelope import (
    CheckedTx,
    Payload,
    SignedTx,
    check_signatures,
    decode_payload,
    decode_signed_tx,
    sign_bytes,
    txid_of,
)
from node.txtypes.registry import TYPES

T = TypeVar("T")
Json = dict[str, Any]

LIFETIME_DEFAULT_MS = 30 * 60_000
U64_MAX = 2**64 - 1

Hex = Annotated[str, Meta(description="lower-case hex", extra_json_schema={"pattern": r"^([0-9a-f]{2})*$"})]
"""Checked by `read_hex`, which says so in words."""


class SubmitQuery(Query, frozen=True):
    wait: Annotated[str, Meta(pattern="^commit$", description="`commit`: answer once it is committed")] | None = None
    timeout_ms: Annotated[int, Meta(ge=0, description="how long to wait at most")] | None = None


class SubmitRequest(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A signed transaction, or send the same bytes as application/msgpack."""

    transaction: Hex


class BatchRequest(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Signed transactions; each is answered for itself."""

    transactions: list[Any]


class EncodeRequest(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """An unsigned transaction. `body` has its `type` and that type's fields."""

    sender: Annotated[str, Meta(description="address of the account that signs first")]
    body: dict[str, Any]
    expires_at: Annotated[str, Meta(description="RFC 3339; left out: 30 minutes after the head's time")] | None = None
    salt: Annotated[int | str, Meta(description="64-bit number, or its digits; left out: chosen at random")] | None = (
        None
    )


class BatchResult(View, frozen=True):
    """What has become of one transaction of a batch; `txid` is empty where the bytes have none."""

    txid: str
    status: str
    problem: answers.Problem | None = None
    height: int = 0
    index: int = 0
    expires_at: str = ""


class BatchResults(View, frozen=True):
    """One result for each transaction, in order."""

    results: tuple[BatchResult, ...]


class CheckRequest(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Signed (`transaction`) or unsigned (`sender`, `body` and the rest of an encode request)."""

    transaction: Hex | None = None
    sender: str | None = None
    body: dict[str, Any] | None = None
    expires_at: str | None = None
    salt: int | str | None = None


# --- reading -------------------------------------------------------------------------------------------
async def read_transaction(request: web.Request, config: RpcConfig) -> bytes:
    """The signed bytes of either form."""
    media_type, raw = await read_body(request, config, MSGPACK, JSON)
    if media_type == MSGPACK:
        return raw
    return read_hex(read_json(raw, SubmitRequest).transaction, "transaction")


def _salt(given: int | str | None) -> int:
    if given is None:
        return secrets.randbits(64)
    if isinstance(given, str):
        if not given.isdecimal() or not given.isascii() or len(given) > 20:
            raise Problem("malformed", "salt: a number of up to 64 bits, or its digits")
        given = int(given)
    if not 0 <= given <= U64_MAX:
        raise Problem("malformed", "salt: a number of up to 64 bits, or its digits")
    return given


def build_payload(backend: Backend, request: EncodeRequest) -> tuple[Payload, bytes]:
    """The payload and its canonical bytes, checked by the type's static rule."""
    sender = read_address(request.sender)
    try:
        if not isinstance(request.body.get("type"), str):
            raise Malformed(f"body.type: one of {', '.join(sorted(TYPES))} expected")
        body = union_from_json(dict(TYPES), request.body, "body")
        expires = time_from_text(request.expires_at) if request.expires_at is not None else 0
        if request.expires_at is None:
            expires = backend.reader().head().time_ms + LIFETIME_DEFAULT_MS
        elif not 0 < expires <= 2**53:
            raise Malformed("expires_at: a time after 1970 expected")
        payload = Payload(sender, _salt(request.salt), expires, body)
        raw = encode(payload)
        decode_payload(raw)
    except Malformed as error:
        raise Problem("malformed", str(error)) from None
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise Problem("malformed", f"body: {error}") from None
    return payload, raw


# --- answering -------------------------------------------------------------------------------------------
def tx_status_view(status: TxStatus, now_ms: int, language: str) -> View:
    """A rejection is final only once the transaction has expired: until then it may be in another pool."""
    match status.status:
        case "committed":
            return answers.Committed(status.txid, "committed", status.height, status.index)
        case "rejected":
            unmet = unmet_guards(status.unmet, language)
            is_final = now_ms > status.expires_at_ms
            return answers.Rejected(status.txid, "rejected", unmet, is_final, status.expires_at_ms)
        case "expired":
            unmet = unmet_guards(status.unmet, language)
            return answers.Expired(status.txid, "expired", unmet, True, status.expires_at_ms)
        case _:
            return answers.Pending(status.txid, "pending", status.expires_at_ms)


def transaction_answer(backend: Backend, txid: bytes, language: str) -> View:
    """What has become of a transaction. Raises `Problem` where it is unknown here."""
    reader = backend.reader()
    place = reader.place(txid)
    if place is not None:
        return committed_answer(backend, txid, place)
    status = backend.tx_status(txid)
    if status is None:
        text = f"{txid.hex()}: never seen here, or its fate was forgotten after seven days"
        raise Problem("transaction_unknown", text)
    return tx_status_view(status, reader.head().time_ms, language)


def submitted_answer(backend: Backend, status: TxStatus, language: str) -> tuple[int, View]:
    """(HTTP status, answer) of a submitted transaction. Raises `Problem` for one that was refused."""
    view = tx_status_view(status, backend.reader().head().time_ms, language)
    match view:
        case answers.Committed():
            return 200, view
        case answers.Rejected():
            until = time_to_text(view.until_ms)
            raise guards_problem(status.unmet, language, txid=view.txid.hex(), final=view.final, until=until)
        case answers.Expired():
            text = f"it was valid until {time_to_text(view.until_ms)} and never got into a block"
            raise Problem("transaction_expired", text, txid=view.txid.hex())
        case _:
            return 202, view


async def _despite_disconnect(work: Awaitable[T]) -> T:
    """A caller that hangs up does not undo what was accepted."""
    return await asyncio.shield(asyncio.ensure_future(work))


async def submit(
    backend: Backend, config: RpcConfig, raw: bytes, query: SubmitQuery, language: str, stopping: asyncio.Event
) -> tuple[int, View]:
    """202 once journalled, 200 once committed."""
    if query.timeout_ms is not None and query.wait is None:
        raise Problem("malformed", "timeout_ms: goes with wait=commit")
    result = (await _despite_disconnect(backend.submit([raw])))[0]
    if isinstance(result, Exception):
        raise problem_of(result, language)
    if query.wait is not None and result.status == "pending":
        wanted = config.wait_ms_default if query.timeout_ms is None else query.timeout_ms
        result = await _wait(backend, result, min(wanted, config.wait_ms_max), stopping)
    return submitted_answer(backend, result, language)


async def _wait(backend: Backend, tx_status: TxStatus, timeout_ms: int, stopping: asyncio.Event) -> TxStatus:
    """The fate as it is once decided, at the timeout, or when the node stops."""
    waiting = asyncio.ensure_future(backend.wait_for(tx_status.txid, timeout_ms))
    stop = asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait({waiting, stop}, return_when=asyncio.FIRST_COMPLETED)
        decided = waiting.result() if waiting.done() else backend.tx_status(tx_status.txid)
    finally:
        waiting.cancel()
        stop.cancel()
    return decided or tx_status


async def submit_batch(backend: Backend, config: RpcConfig, request: BatchRequest, language: str) -> Json:
    """A result for each, in order; a bad one never spoils the others."""
    given = request.transactions
    if len(given) > config.batch_max:
        raise Problem("batch_too_large", f"{len(given)} transactions, at most {config.batch_max} are allowed")
    raws: list[bytes] = []
    problems: dict[int, Problem] = {}
    for index, text in enumerate(given):
        try:
            if not isinstance(text, str):
                raise Problem("malformed", f"transactions[{index}]: lower-case hex expected")
            raws.append(read_hex(text, f"transactions[{index}]"))
        except Problem as problem:
            problems[index] = problem
    tx_statuses = iter(await _despite_disconnect(backend.submit(raws)) if raws else [])
    results: list[Json] = []
    raw_of = iter(raws)
    for index in range(len(given)):
        if index in problems:
            results.append(_refused("", problems[index]))
        else:
            results.append(_result(backend, next(raw_of), next(tx_statuses), language))
    return {"results": results}


def _refused(txid: str, problem: Problem) -> Json:
    return {"txid": txid, "status": "refused", "problem": problem.document()}


def _result(backend: Backend, raw: bytes, outcome: TxStatus | Exception, language: str) -> Json:
    try:
        if isinstance(outcome, Exception):
            raise problem_of(outcome, language)
        shown = to_json(submitted_answer(backend, outcome, language)[1])
    except Problem as problem:
        if isinstance(outcome, TxStatus):
            return {"txid": outcome.txid.hex(), "status": outcome.status, "problem": problem.document()}
        is_readable = isinstance(outcome, NotAdmitted | Syncing) or getattr(outcome, "code", "") in (
            "guards_unmet",
            "bad_signature",
        )
        return _refused(_txid_of_raw(backend, raw) if is_readable else "", problem)
    return shown


def _txid_of_raw(backend: Backend, raw: bytes) -> str:
    try:
        return decode_signed_tx(raw, backend.genesis_hash).txid.hex()
    except Rejected:
        return ""


def encode_answer(backend: Backend, request: EncodeRequest) -> answers.Encoded:
    payload, raw = build_payload(backend, request)
    return answers.Encoded(
        raw,
        sign_bytes(backend.genesis_hash, raw),
        txid_of(backend.genesis_hash, raw),
        payload.sender,
        str(payload.salt),
        payload.expires_at_ms,
    )


async def read_check(request: web.Request, backend: Backend, config: RpcConfig) -> CheckedTx:
    """What is to be judged: signed bytes whose signatures verify, or an unsigned transaction."""
    media_type, raw = await read_body(request, config, MSGPACK, JSON)
    if media_type == JSON:
        asked = read_json(raw, CheckRequest)
        unsigned = (asked.sender, asked.body, asked.expires_at, asked.salt)
        if asked.transaction is None:
            if asked.sender is None or asked.body is None:
                raise Problem("malformed", "body: either transaction, or sender and body expected")
            return _unsigned(backend, EncodeRequest(asked.sender, asked.body, asked.expires_at, asked.salt))
        if any(field is not None for field in unsigned):
            raise Problem("malformed", "body: either transaction, or sender and body expected, not both")
        raw = read_hex(asked.transaction, "transaction")
    return check_signatures(decode_signed_tx(raw, backend.genesis_hash), backend.genesis_hash)


def _unsigned(backend: Backend, request: EncodeRequest) -> CheckedTx:
    payload, raw = build_payload(backend, request)
    if len(raw) > TX_BYTES_MAX:
        raise Problem("too_large", f"the payload has {len(raw)} bytes, at most {TX_BYTES_MAX} are allowed")
    return CheckedTx(SignedTx(b"", raw, payload, (), txid_of(backend.genesis_hash, raw), b""))


def check_answer(backend: Backend, tx: CheckedTx, language: str) -> answers.Checked:
    unmet = backend.judge(tx)
    return answers.Checked(not unmet, tx.txid, unmet_guards(unmet, language))
