"""HTTP client of the nodes: synchronous, with bounds on time and bytes, falling back to the next node.

Every call can be repeated: reads change nothing, and a transaction that is sent twice is one transaction (its txid).
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

from node import limits
from node.chain.acceptance import receipts_of
from node.chain.block import Committed, decode_committed
from node.crypto.state_tree import LargeBucket, StateProof
from node.errors import Malformed, OperatorError, Rejected
from node.ledger.json_form import from_json, to_json
from node.txtypes.chain.validator_set import ValidatorEntry
from wallet.defaults import DEFAULT_NODE as DEFAULT_NODE

TIMEOUT_S: Final = 15.0
"""From connecting to the last byte of a node's answer, on top of the time that the node is asked to wait."""

CONNECT_TIMEOUT_S: Final = 5.0
BATCH_TIMEOUT_S: Final = 60.0

ANSWER_BYTES_MAX: Final = 16 * 1024 * 1024
"""The largest useful answer is a block of 4 MiB decoded to JSON. Above: the next node is tried."""

JSON_DEPTH_MAX: Final = 32
"""Levels of a JSON answer; a block has about ten. Above: no answer of a node."""

JSON: Final = "application/json"
MSGPACK: Final = "application/msgpack"

Query = Mapping[str, str] | None
Body = bytes | dict[str, Any] | None
"""Bytes are MessagePack; an object is sent as JSON."""


class Unreachable(OperatorError):
    """No node gave a usable answer."""


class NoBlockYet(OperatorError):
    """The chain is at its genesis, whose state no certificate proves."""


WRONG_SHAPE: Final = (KeyError, TypeError, ValueError, AttributeError, OverflowError)
"""What reading a node's JSON raises where it has another shape than it should."""


class UnmetGuard(NamedTuple):
    """An unmet guard in a node's answer."""

    code: str
    text: str


def unmet_of(problem: Mapping[str, Any]) -> tuple[UnmetGuard, ...]:
    """The unmet guards that a problem document lists."""
    listed = problem.get("unmet")
    return tuple(
        UnmetGuard(code := str(guard.get("code", "")), str(guard.get("text") or guard.get("subject") or code))
        for guard in (listed if isinstance(listed, list) else [])
        if isinstance(guard, dict)
    )


def problem_text(problem: Mapping[str, Any], status: int) -> str:
    """What a problem document says happened, or just the HTTP status."""
    return str(problem.get("detail") or problem.get("title") or f"HTTP {status}")


class NodeRefused(Rejected):
    """A node answered with an error status, and as a rule with a problem document (RFC 9457)."""

    code = "node_refused"

    def __init__(self, status: int, problem: dict[str, Any], retry_after_s: float) -> None:
        super().__init__(problem_text(problem, status))
        self.status = status
        self.problem = problem
        self.problem_code = str(problem.get("code") or f"http_{status}")
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class StateEntry:
    """A state value, None where the key is absent, and its proof."""

    key: bytes
    value: bytes | None
    proof: StateProof


@dataclass(frozen=True, slots=True)
class StateAnswer:
    """State values of one height with their proofs, header and commit certificate; nothing is verified yet."""

    entries: tuple[StateEntry, ...]
    header: bytes
    commit: bytes


class NodeClient:
    """The nodes of one wallet in order of preference; the node that answered last is tried first. `advice`: how to fix
    it if none answers."""

    def __init__(self, nodes: Sequence[str], advice: str = "name another with --node or BMW_WALLET_NODE") -> None:
        self._nodes = list(nodes)
        self._advice = advice

    @property
    def answered_by(self) -> str:
        """The address of the node that answered last."""
        return self._nodes[0]

    # --- reads ---
    def call_json(
        self, path: str, query: Query = None, body: Body = None, timeout_s: float = TIMEOUT_S
    ) -> dict[str, Any]:
        """The JSON object that a node answers. Raises `NodeRefused` or `Unreachable`, as every call here does."""
        value = _json_object(self._call(path, query, body, timeout_s))
        if value is None:
            raise Unreachable(f"{self._nodes[0]} does not answer like a node: check its address")
        return value

    def file(self, path: str, query: Query = None) -> bytes:
        """The bytes of a file that a node answers."""
        return self._call(path, query, accept="application/octet-stream, text/plain")

    def pages(self, path: str, query: Mapping[str, str], name: str, limit: int) -> list[dict[str, Any]]:
        """The first `limit` items of the list `name`, fetched page by page."""
        rows: list[dict[str, Any]] = []
        cursor = ""
        while len(rows) < limit:
            page = {**query, "limit": str(min(limits.RPC_PAGE_MAX, limit - len(rows)))}
            answer = self.call_json(path, page | ({"cursor": cursor} if cursor else {}))
            items = answer.get(name)
            if not isinstance(items, list):
                raise self._unusable(f"no list of {name}")
            rows.extend(item for item in items if isinstance(item, dict))
            last, cursor = cursor, answer.get("cursor") or ""
            if not isinstance(cursor, str) or not cursor.isascii():
                raise self._unusable(f"a list of {name} with a cursor that is none")
            if not cursor or cursor == last or not items:
                break
        return rows[:limit]

    def committed(self, height: int) -> Committed:
        """A block with its certificate, decoded, not verified."""
        raw = self._call(f"/v1/blocks/{height}", accept=MSGPACK)
        try:
            return decode_committed(raw)
        except Rejected as error:
            raise self._unusable(f"no block that can be read ({error})") from None

    def states(self, keys: Sequence[bytes], height: int = 0) -> StateAnswer:
        """State values of one height with their proofs; `height` 0: of the head."""
        query = {"keys": b",".join(keys).decode("ascii"), "proof": "true"} | at_height(height)
        answer = self.call_json("/v1/state", query)
        if answer.get("header", "") is None:
            raise NoBlockYet("the chain has no block yet, so nothing is proven: wait for the first block")
        try:
            entries = tuple(_state_entry(entry) for entry in answer["entries"])
            header, commit = (bytes.fromhex(answer[name]["raw"]) for name in ("header", "commit"))
            return StateAnswer(entries, header, commit)
        except WRONG_SHAPE as error:
            raise self._unusable(f"no proof that can be read ({error})") from None

    def state_value(self, key: bytes) -> bytes | None:
        """A state value without proof."""
        try:
            value = self.call_json(f"/v1/state/{quote(key.decode('ascii'))}").get("value")
            return None if value is None else bytes.fromhex(value)
        except NodeRefused as refused:
            if refused.status == 404:
                return None
            raise
        except WRONG_SHAPE as error:
            raise self._unusable(f"no state value ({error})") from None

    def validators(self, height: int) -> tuple[ValidatorEntry, ...]:
        """The validator set that decides `height`, not verified. Raises `Malformed`."""
        listed = self.call_json("/v1/validators", {"height": str(height)}).get("validators")
        if not isinstance(listed, list) or len(listed) > limits.VALIDATORS_MAX:
            raise Malformed("the node's validators are no list")
        names = ValidatorEntry.__struct_fields__
        return tuple(
            from_json(ValidatorEntry, {n: entry.get(n) for n in names} if isinstance(entry, dict) else entry, "entry")
            for entry in listed
        )

    # --- writes ---
    def submit(self, raw: bytes, wait_ms: int = 0) -> dict[str, Any]:
        """The status of a transaction after submitting it. With `wait_ms` the node waits that long for the commit."""
        query = {"wait": "commit", "timeout_ms": str(wait_ms)} if wait_ms else {}
        return self.call_json("/v1/transactions", query, raw, TIMEOUT_S + wait_ms / 1000)

    def transaction(self, txid: bytes) -> dict[str, Any]:
        """What a node says about a transaction; its status is `unknown` where the node has not seen it."""
        try:
            return self.call_json(f"/v1/transactions/{txid.hex()}")
        except NodeRefused as refused:
            if refused.status == 404:
                return {"status": "unknown"}
            raise

    def submit_batch(self, raws: list[bytes]) -> list[dict[str, Any]]:
        """One result for each transaction, in order, each pending one with its `acceptance`. At most
        `RPC_BATCH_MAX`."""
        assert 0 < len(raws) <= limits.RPC_BATCH_MAX, "a batch has a bound"
        body = {"transactions": [raw.hex() for raw in raws]}
        answer = self.call_json("/v1/transactions/batch", {}, body, BATCH_TIMEOUT_S)
        results = answer.get("results")
        if not isinstance(results, list) or len(results) != len(raws) or not all(isinstance(r, dict) for r in results):
            raise Unreachable(f"{self._nodes[0]} did not answer every item of the batch: submit the files again")
        with suppress(Rejected):
            for result, receipt in receipts_of(answer):
                result["acceptance"] = to_json(receipt)
        return results

    def check(self, raw: bytes) -> dict[str, Any]:
        """Whether a transaction is valid now, with every unmet guard if it is not."""
        return self.call_json("/v1/transactions/check", {}, raw)

    # --- transport ---
    def _unusable(self, answer: str) -> Unreachable:
        return Unreachable(f"{self._nodes[0]} answers {answer}: name another node")

    def _call(
        self, path: str, query: Query = None, body: Body = None, timeout_s: float = TIMEOUT_S, accept: str = JSON
    ) -> bytes:
        """The first answer below status 500 to a GET, or a POST if there is a body. Raises `NodeRefused` for an error
        status, `Unreachable` without an answer."""
        target = path + ("?" + urlencode(query) if query else "")
        headers = {"Accept": accept, "Accept-Language": "en", "User-Agent": "bmw-wallet", "Connection": "close"}
        if body is not None:
            headers["Content-Type"] = MSGPACK if isinstance(body, bytes) else JSON
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        failures = []
        for node in tuple(self._nodes):
            try:
                status, answer, retry_after_s = _exchange(node, target, headers, content, timeout_s)
            except (OSError, http.client.HTTPException) as error:
                failures.append(f"{node}: {_reason(error)}")
                continue
            problem = {} if 200 <= status < 300 else _json_object(answer) or {}
            if status >= 500:
                failures.append(f"{node}: {problem_text(problem, status)}")
                continue
            self._nodes.remove(node)
            self._nodes.insert(0, node)
            if 200 <= status < 300:
                return answer
            raise NodeRefused(status, problem, retry_after_s)
        raise Unreachable(f"no node answers ({'; '.join(failures)}): start it, or {self._advice}")


def at_height(height: int) -> dict[str, str]:
    """The query for the state after a height; 0: that of the head."""
    return {"height": str(height)} if height else {}


def _exchange(
    node: str, target: str, headers: Mapping[str, str], body: bytes | None, timeout_s: float
) -> tuple[int, bytes, float]:
    """Status, body and `Retry-After` in seconds of one node's answer."""
    url = urlsplit(node)
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    port = kind.default_port if url.port is None else url.port
    deadline = time.monotonic() + timeout_s
    with closing(kind(url.hostname or "", port, timeout=CONNECT_TIMEOUT_S)) as connection:
        connection.connect()
        connection.sock.settimeout(timeout_s)
        connection.request("GET" if body is None else "POST", url.path + target, body, headers)
        response = connection.getresponse()
        answer = bytearray()
        while chunk := response.read1(65536):
            answer += chunk
            if len(answer) > ANSWER_BYTES_MAX:
                raise http.client.HTTPException(f"the answer is above {ANSWER_BYTES_MAX} bytes")
            if time.monotonic() > deadline:
                raise http.client.HTTPException("the answer takes too long")
        retry_after = response.getheader("Retry-After", "")
        is_number = retry_after.isascii() and retry_after.isdigit()
        return response.status, bytes(answer), float(min(int(retry_after), 60)) if is_number else 1.0


def _json_object(body: bytes) -> dict[str, Any] | None:
    """The JSON object in `body`, None for anything else."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and not _is_too_deep(value) else None


def _is_too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(JSON_DEPTH_MAX):
        nested = (each.values() if isinstance(each, dict) else each for each in level if isinstance(each, dict | list))
        level = [item for items in nested for item in items]
    return bool(level)


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__


def _state_entry(entry: Any) -> StateEntry:
    value, proof, large = entry["value"], entry["proof"], None
    if (bucket := proof["large"]) is not None:
        paths = tuple(tuple(map(bytes.fromhex, path["path"])) for path in bucket["paths"])
        large = LargeBucket(int(bucket["count"]), int(bucket["index"]), paths)
    return StateEntry(
        entry["key"].encode("ascii"),
        None if value is None else bytes.fromhex(value),
        StateProof(bytes.fromhex(proof["entries"]), tuple(map(bytes.fromhex, proof["siblings"])), large),
    )
