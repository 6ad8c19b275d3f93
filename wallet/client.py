"""HTTP to the nodes: synchronous, bounded in time and bytes. The next node is tried when one does not answer.

Every call may be repeated: reads change nothing, and a transaction sent twice is one transaction (its txid).
"""

from __future__ import annotations

import http.client
import json
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from node import limits
from node.chain.block import Committed, decode_committed
from node.crypto.state_tree import LargeBucket, StateProof
from node.errors import Malformed, OperatorError, Rejected
from node.ledger.json_form import from_json
from node.txtypes.chain.validator_set import ValidatorEntry

DEFAULT_NODE: Final = "http://127.0.0.1:26700"

TIMEOUT_S: Final = 15.0
"""From connecting to the last byte of one node's answer, where the call itself is not meant to wait."""

CONNECT_TIMEOUT_S: Final = 5.0

ANSWER_BYTES_MAX: Final = 16 * 1024 * 1024
"""The largest useful answer is a block of 4 MiB decoded to JSON. Above: the node is passed over."""

JSON: Final = "application/json"
MSGPACK: Final = "application/msgpack"


class Unreachable(OperatorError):
    """No node gave an answer that can be used."""


class NodeRefused(Rejected):
    """A node answered with a problem document (RFC 9457). `unmet` are its guards, each with a text."""

    code = "node_refused"

    def __init__(self, node: str, status: int, problem: Mapping[str, Any], retry_after_s: float = 1.0) -> None:
        self.node = node
        self.status = status
        self.problem = dict(problem)
        self.problem_code = str(problem.get("code") or f"http_{status}")
        self.unmet = unmet_of(problem)
        self.retry_after_s = retry_after_s
        super().__init__(problem_text(problem, status))

    @property
    def is_busy(self) -> bool:
        """Whether the same bytes may well be taken a little later."""
        return self.status in (429, 503)


@dataclass(frozen=True, slots=True)
class UnmetGuard:
    """A guard as the node tells it."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    node: str
    status: int
    body: bytes
    retry_after_s: float


@dataclass(frozen=True, slots=True)
class StateEntry:
    """A state value, None where the key is absent, and its proof."""

    key: bytes
    value: bytes | None
    proof: StateProof


@dataclass(frozen=True, slots=True)
class StateAnswer:
    """State values of one height with everything that proves them; nothing is verified yet."""

    entries: tuple[StateEntry, ...]
    header: bytes
    commit: bytes


def unmet_of(problem: Mapping[str, Any]) -> tuple[UnmetGuard, ...]:
    """The unmet guards of a problem document, whatever else is in it."""
    listed = problem.get("unmet")
    found = []
    for guard in listed if isinstance(listed, list) else []:
        if isinstance(guard, dict):
            code = str(guard.get("code", ""))
            found.append(UnmetGuard(code, str(guard.get("text") or guard.get("subject") or code)))
    return tuple(found)


def problem_text(problem: Mapping[str, Any], status: int) -> str:
    detail = problem.get("detail") or problem.get("title") or f"HTTP {status}"
    return str(detail)


@dataclass(frozen=True, slots=True)
class NodeUrl:
    text: str
    is_tls: bool
    host: str
    port: int
    path: str


def parse_node_url(text: str) -> NodeUrl:
    """Raises `ValueError` that says what a node's address looks like."""
    hint = f"{text!r} is not a node's address: write it like {DEFAULT_NODE}"
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        raise ValueError(hint) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ValueError(hint)
    is_tls = parts.scheme == "https"
    path = parts.path.rstrip("/")
    host = parts.hostname
    default = 443 if is_tls else 80
    return NodeUrl(text.strip().rstrip("/"), is_tls, host, port if port is not None else default, path)


def parse_node_urls(text: str) -> tuple[NodeUrl, ...]:
    """A list with commas between. Raises `ValueError`."""
    found = tuple(parse_node_url(part) for part in text.split(",") if part.strip())
    if not found:
        raise ValueError(f"no node is named: write its address like {DEFAULT_NODE}")
    return found


class NodeClient:
    """The nodes of one wallet, in order of preference; the one that answered last is asked first."""

    def __init__(
        self,
        nodes: tuple[NodeUrl, ...],
        timeout_s: float = TIMEOUT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        assert nodes, "a client needs a node"
        self._nodes = list(nodes)
        self._timeout_s = timeout_s
        self._clock = clock

    # --- typed calls ---
    def status(self) -> dict[str, Any]:
        return self.get_json("/v1/status")

    def genesis(self) -> dict[str, Any]:
        return self.get_json("/v1/genesis")

    def committed(self, height: int) -> Committed:
        """A block with its certificate, decoded, not verified."""
        answer = self._expect_ok(self._call("GET", f"/v1/blocks/{height}", accept=MSGPACK))
        try:
            return decode_committed(answer.body)
        except Rejected as error:
            raise Unreachable(f"{answer.node} answers no block that can be read ({error}): name another node") from None

    def states(self, keys: Sequence[bytes]) -> StateAnswer:
        """State values of one height with their proofs."""
        texts = ",".join(key.decode("ascii") for key in keys)
        answer = self.get_json("/v1/state", {"keys": texts, "proof": "true"})
        if answer.get("header", "") is None:
            raise Unreachable("the chain has no block yet, so nothing is proven: wait for the first block")
        try:
            entries = tuple(_state_entry(entry) for entry in answer["entries"])
            return StateAnswer(entries, _raw(answer["header"]), _raw(answer["commit"]))
        except (KeyError, TypeError, ValueError) as error:
            raise Unreachable(
                f"{self._nodes[0].text} answers no proof that can be read ({error}): name another node"
            ) from None

    def state_value(self, key: bytes) -> bytes | None:
        """A state value as the node tells it, without proof."""
        try:
            value = self.get_json(f"/v1/state/{quote(key.decode('ascii'))}").get("value")
            return None if value is None else bytes.fromhex(value)
        except NodeRefused as refused:
            if refused.status == 404:
                return None
            raise
        except (TypeError, ValueError) as error:
            raise Unreachable(f"{self._nodes[0].text} answers no state value ({error}): name another node") from None

    def validators(self, height: int) -> tuple[ValidatorEntry, ...]:
        """The set that decides `height`, as the node tells it. Raises `Malformed` for anything else."""
        listed = self.get_json("/v1/validators", {"height": str(height)}).get("validators")
        if not isinstance(listed, list) or len(listed) > limits.VALIDATORS_MAX:
            raise Malformed("the node's validators are no list")
        wanted = ValidatorEntry.__struct_fields__
        return tuple(
            from_json(ValidatorEntry, {n: entry.get(n) for n in wanted} if isinstance(entry, dict) else entry, "entry")
            for entry in listed
        )

    def submit(self, raw: bytes, wait_ms: int = 0) -> dict[str, Any]:
        """Where the transaction stands. `wait_ms` asks the node to answer only when it is committed."""
        query = {"wait": "commit", "timeout_ms": str(wait_ms)} if wait_ms else {}
        answer = self._call("POST", "/v1/transactions", query, raw, MSGPACK, self._timeout_s + wait_ms / 1000)
        return self._object(self._expect_ok(answer))

    def submit_batch(self, raws: list[bytes]) -> list[dict[str, Any]]:
        """One result each, in order. At most `RPC_BATCH_MAX`."""
        assert 0 < len(raws) <= limits.RPC_BATCH_MAX, "a batch has a bound"
        answer = self.post_json("/v1/transactions/batch", {"transactions": [raw.hex() for raw in raws]}, 60.0)
        results = answer.get("results")
        if not isinstance(results, list) or len(results) != len(raws) or not all(isinstance(r, dict) for r in results):
            raise Unreachable(f"{self._nodes[0].text} did not answer every item of the batch: submit the files again")
        return results

    def check(self, raw: bytes) -> dict[str, Any]:
        """A dry run: would it hold now, and every unmet guard if not."""
        return self._object(self._expect_ok(self._call("POST", "/v1/transactions/check", {}, raw, MSGPACK)))

    def transaction(self, txid: bytes) -> dict[str, Any]:
        return self.get_json(f"/v1/transactions/{txid.hex()}")

    # --- untyped calls ---
    def get_json(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        return self._object(self._expect_ok(self._call("GET", path, query or {})))

    def post_json(self, path: str, value: Any, timeout_s: float | None = None) -> dict[str, Any]:
        body = json.dumps(value).encode()
        return self._object(self._expect_ok(self._call("POST", path, {}, body, JSON, timeout_s)))

    def pages(self, path: str, query: Mapping[str, str], name: str, limit: int) -> list[dict[str, Any]]:
        """The items of a list, page after page, at most `limit`."""
        found: list[dict[str, Any]] = []
        cursor = ""
        while len(found) < limit:
            wanted = {**query, "limit": str(min(limits.RPC_PAGE_MAX, limit - len(found)))}
            answer = self.get_json(path, wanted | ({"cursor": cursor} if cursor else {}))
            items = answer.get(name)
            if not isinstance(items, list):
                raise Unreachable(f"{self._nodes[0].text} answers no list of {name}: name another node")
            found.extend(item for item in items if isinstance(item, dict))
            following = str(answer.get("cursor") or "")
            if not following or following == cursor or not items:
                break
            cursor = following
        return found[:limit]

    # --- transport ---
    def _object(self, answer: Answer) -> dict[str, Any]:
        try:
            value = json.loads(answer.body)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise Unreachable(f"{answer.node} does not answer like a node: check its address")
        return value

    def _expect_ok(self, answer: Answer) -> Answer:
        if 200 <= answer.status < 300:
            return answer
        try:
            problem = json.loads(answer.body)
        except (ValueError, RecursionError):
            problem = {}
        raise NodeRefused(
            answer.node, answer.status, problem if isinstance(problem, dict) else {}, answer.retry_after_s
        )

    def _call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = "",
        timeout_s: float | None = None,
        accept: str = JSON,
    ) -> Answer:
        """The first answer below 500. Raises `Unreachable` where there is none."""
        target = path + ("?" + urlencode(query) if query else "")
        headers = {"Accept": accept, "Accept-Language": "en", "User-Agent": "bmw-wallet", "Connection": "close"}
        if body is not None:
            headers["Content-Type"] = content_type
        failures = []
        for node in list(self._nodes):
            try:
                answer = self._exchange(node, method, target, headers, body, timeout_s or self._timeout_s)
            except (OSError, http.client.HTTPException, _Unusable) as error:
                failures.append(f"{node.text}: {_reason(error)}")
                continue
            if answer.status >= 500:
                failures.append(f"{node.text}: {_server_problem(answer)}")
                continue
            self._nodes.remove(node)
            self._nodes.insert(0, node)
            return answer
        raise Unreachable(
            f"no node answers ({'; '.join(failures)}): start it, or name another with --node or BMW_WALLET_NODE"
        )

    def _exchange(
        self, node: NodeUrl, method: str, target: str, headers: dict[str, str], body: bytes | None, timeout_s: float
    ) -> Answer:
        deadline = self._clock() + timeout_s
        connection: http.client.HTTPConnection
        if node.is_tls:
            context = ssl.create_default_context()
            connection = http.client.HTTPSConnection(node.host, node.port, timeout=CONNECT_TIMEOUT_S, context=context)
        else:
            connection = http.client.HTTPConnection(node.host, node.port, timeout=CONNECT_TIMEOUT_S)
        try:
            connection.connect()
            connection.sock.settimeout(timeout_s)
            connection.request(method, node.path + target, body=body, headers=headers)
            response = connection.getresponse()
            read = bytearray()
            while chunk := response.read1(65536):
                read += chunk
                if len(read) > ANSWER_BYTES_MAX:
                    raise _Unusable(f"the answer is above {ANSWER_BYTES_MAX} bytes")
                if self._clock() > deadline:
                    raise _Unusable("the answer takes too long")
            return Answer(node.text, response.status, bytes(read), _retry_after(response.getheader("Retry-After")))
        finally:
            connection.close()


def _state_entry(entry: Any) -> StateEntry:
    value, proof, large = entry["value"], entry["proof"], None
    if (given := proof["large"]) is not None:
        paths = tuple(tuple(map(bytes.fromhex, path["path"])) for path in given["paths"])
        large = LargeBucket(int(given["count"]), int(given["index"]), paths)
    return StateEntry(
        entry["key"].encode("ascii"),
        None if value is None else bytes.fromhex(value),
        StateProof(bytes.fromhex(proof["entries"]), tuple(map(bytes.fromhex, proof["siblings"])), large),
    )


def _raw(shown: Any) -> bytes:
    """Canonical bytes, given in hex or as the `raw` of what is shown decoded."""
    return bytes.fromhex(shown["raw"] if isinstance(shown, dict) else shown)


class _Unusable(Exception):
    """An answer that is cut off."""


def _retry_after(text: str | None) -> float:
    return float(min(int(text), 60)) if text is not None and text.isascii() and text.isdigit() else 1.0


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__


def _server_problem(answer: Answer) -> str:
    try:
        problem = json.loads(answer.body)
    except (ValueError, RecursionError):
        problem = None
    return problem_text(problem if isinstance(problem, dict) else {}, answer.status)
