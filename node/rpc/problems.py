"""Problem documents (RFC 9457): the body of every error, with a stable `code`; `unmet` lists guards that failed."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import msgspec
from aiohttp import web

from node.errors import Rejected
from node.ledger.guards import GuardsUnmet, Unmet
from node.ledger.json_form import to_json
from node.rpc import answers
from node.rpc.backend import NotAdmitted, Syncing
from node.txtypes.registry import FAMILIES

PROBLEM_TYPE = "application/problem+json"
LANGUAGES = ("en", "zh", "de")

PROBLEMS: dict[str, tuple[int, str]] = {
    "malformed": (400, "The request is malformed"),
    "unknown_parameter": (400, "There is no such query parameter"),
    "bad_cursor": (400, "The cursor is not valid for this list"),
    "wrong_chain": (400, "The transaction is for another chain"),
    "bad_signature": (401, "A signature does not verify"),
    "not_permitted": (403, "The transaction is not permitted"),
    "not_found": (404, "There is no such path"),
    "block_unknown": (404, "There is no such block"),
    "height_not_kept": (404, "The state of this height is not kept"),
    "transaction_unknown": (404, "There is no such transaction"),
    **{f"{f.word}_unknown": (404, f"There is no such {f.name}") for f in FAMILIES.values() if f.view},
    "state_unknown": (404, "There is no such state key"),
    "vehicle_exists": (409, "There is a vehicle with this VIN"),
    "certificate_unavailable": (409, "This node can give no such certificate now"),
    "method_not_allowed": (405, "The path does not support this method"),
    "not_acceptable": (406, "No acceptable representation"),
    "timeout": (408, "The request took too long to arrive"),
    "too_large": (413, "The request is too large"),
    "unsupported_media_type": (415, "The body has an unknown media type"),
    "expectation_failed": (417, "The expectation can not be met"),
    "guards_unmet": (422, "The transaction is not valid now"),
    "transaction_expired": (422, "The transaction has expired"),
    "limit_too_large": (422, "The page is too large"),
    "batch_too_large": (422, "The batch is too large"),
    "rate_limited": (429, "Too many requests"),
    "too_many_connections": (429, "Too many connections"),
    "pool_full": (429, "The pool is full"),
    "internal": (500, "The node failed"),
    "syncing": (503, "The node is behind the chain"),
    "not_ready": (503, "The node is not ready"),
    "streams_full": (503, "Too many event streams"),
}
"""Code to (status, title). Codes are stable."""


class Problem(Exception):
    """An error response. `members`: additional members of the document; `headers`: of the response."""

    def __init__(self, code: str, detail: str, *, headers: dict[str, str] | None = None, **members: Any) -> None:
        super().__init__(detail)
        self.code, self.detail, self.members = code, detail, members
        self.status, self.title = PROBLEMS[code]
        self.headers = headers or {}

    def document(self) -> dict[str, Any]:
        """The JSON document. `type` links to the documentation of the code."""
        fixed = {"type": f"/docs#{self.code}", "title": self.title, "status": self.status, "detail": self.detail}
        return {**fixed, "code": self.code, **self.members}

    def response(self) -> web.Response:
        body = msgspec.json.encode(self.document())
        return web.Response(body=body, status=self.status, content_type=PROBLEM_TYPE, headers=self.headers)


@lru_cache(maxsize=256)
def language_of(accept_language: str) -> str:
    """The preferred of en, zh, de by an Accept-Language header (RFC 9110, 12.5.4); `en` if it names none of them."""
    accepted: list[tuple[float, int, str]] = []
    for place, part in enumerate(accept_language.split(",")[:20]):
        tag, _, quality = part.strip().partition(";")
        base = tag.strip().lower().split("-")[0]
        try:
            weight = float(quality.strip().removeprefix("q=")) if quality.strip() else 1.0
        except ValueError:
            weight = 0.0
        if weight > 0 and (base in LANGUAGES or base == "*"):
            accepted.append((-weight, place, "en" if base == "*" else base))
    return min(accepted)[2] if accepted else "en"


def unmet_guards(unmet: Iterable[Unmet], language: str) -> tuple[answers.Unmet, ...]:
    return tuple(answers.Unmet(g.code, g.subject, g.have, g.need, g.text(language)) for g in unmet)


def guards_problem(unmet: tuple[Unmet, ...], language: str, **members: Any) -> Problem:
    """403 if every unmet guard is a permission, else 422."""
    code = "not_permitted" if unmet and all(guard.is_permission for guard in unmet) else "guards_unmet"
    guards = unmet_guards(unmet, language)
    detail = "; ".join(guard.text for guard in guards)
    return Problem(code, detail, unmet=[to_json(guard) for guard in guards], **members)


def problem_of(error: Exception, language: str) -> Problem:
    """The problem for an error of a backend or decoder. Raises any other error again: it is a defect of the node."""
    match error:
        case Problem():
            return error
        case GuardsUnmet():
            return guards_problem(error.unmet, language)
        case Rejected() if error.code in PROBLEMS:
            return Problem(error.code, str(error))
        case NotAdmitted():
            return Problem("pool_full", str(error), headers={"Retry-After": str(max(1, error.retry_after_s))})
        case Syncing():
            text = str(error) or "the node is behind the chain and accepts no transactions now"
            return Problem("syncing", text, headers={"Retry-After": "5"})
        case _:
            raise error


def http_problem(error: web.HTTPException, request: web.BaseRequest, body_bytes_max: int) -> Problem:
    """The problem for an error that aiohttp raises: unknown path or method, body too large, unknown expectation."""
    path = request.path
    match error:
        case web.HTTPNotFound():
            return Problem("not_found", f"{path}: no such path; /openapi.json lists all paths")
        case web.HTTPMethodNotAllowed():
            allowed = ", ".join(sorted(error.allowed_methods))
            return Problem("method_not_allowed", f"{path} allows {allowed}", headers={"Allow": allowed})
        case web.HTTPExpectationFailed():
            expected = request.headers.get("Expect", "")
            return Problem("expectation_failed", f"Expect: {expected[:80]} given, 100-continue is supported")
        case web.HTTPRequestEntityTooLarge():
            return Problem("too_large", f"the body is above {body_bytes_max} bytes")
        case _:
            return Problem("malformed", error.reason)
