"""Problem documents (RFC 9457): every error has one, with a stable `code`; refused transactions carry `unmet`."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import msgspec
from aiohttp import web

from node.errors import BadSignature, Malformed, Rejected, TooLarge
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
    "bad_cursor": (400, "The cursor is not one of this list"),
    "wrong_chain": (400, "Made for another chain"),
    "bad_signature": (401, "A signature does not verify"),
    "not_permitted": (403, "The transaction is not permitted"),
    "not_found": (404, "There is no such path"),
    "block_unknown": (404, "There is no such block"),
    "transaction_unknown": (404, "There is no such transaction"),
    **{
        f"{name}_unknown": (404, f"There is no such {name}")
        for name, family in FAMILIES.items()
        if family.view is not None
    },
    "state_unknown": (404, "There is no such state key"),
    "method_not_allowed": (405, "The path does not have this method"),
    "not_acceptable": (406, "No representation that the request accepts"),
    "timeout": (408, "The request took too long to arrive"),
    "too_large": (413, "The request is too large"),
    "unsupported_media_type": (415, "The body has an unknown media type"),
    "guards_unmet": (422, "The transaction does not hold now"),
    "transaction_expired": (422, "The transaction has expired"),
    "limit_too_large": (422, "The page is too large"),
    "batch_too_large": (422, "The batch is too large"),
    "rate_limited": (429, "Too many requests"),
    "too_many_connections": (429, "Too many connections"),
    "pool_full": (429, "The pool takes no more now"),
    "internal": (500, "The node failed"),
    "syncing": (503, "The node is behind"),
    "not_ready": (503, "The node is not ready"),
    "streams_full": (503, "Too many event streams"),
}
"""Code to (status, title). Codes are stable."""


class Problem(Exception):
    """One error answer. `members` are further fields of the document, `headers` of the answer."""

    def __init__(self, code: str, detail: str, *, headers: dict[str, str] | None = None, **members: Any) -> None:
        super().__init__(detail)
        self.code = code
        self.status, self.title = PROBLEMS[code]
        self.detail = detail
        self.headers = headers or {}
        self.members = members

    def document(self) -> dict[str, Any]:
        """The problem document; its type leads to the page that explains the code."""
        return {
            "type": f"/docs#{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            **self.members,
        }

    def body(self) -> bytes:
        return msgspec.json.encode(self.document())

    def response(self) -> web.Response:
        return web.Response(body=self.body(), status=self.status, content_type=PROBLEM_TYPE, headers=self.headers)


@lru_cache(maxsize=256)
def language_of(accept_language: str) -> str:
    """The best of en, zh, de for an Accept-Language header (RFC 9110, 12.5.4); `en` where none fits."""
    wanted: list[tuple[float, int, str]] = []
    for place, part in enumerate(accept_language.split(",")[:20]):
        tag, _, quality = part.strip().partition(";")
        base = tag.strip().lower().split("-")[0]
        try:
            weight = float(quality.strip().removeprefix("q=")) if quality.strip() else 1.0
        except ValueError:
            weight = 0.0
        if weight > 0 and (base in LANGUAGES or base == "*"):
            wanted.append((-weight, place, "en" if base == "*" else base))
    return min(wanted)[2] if wanted else "en"


def unmet_guards(unmet: Iterable[Unmet], language: str) -> tuple[answers.Unmet, ...]:
    return tuple(answers.Unmet(g.code, g.subject, g.have, g.need, g.text(language)) for g in unmet)


def guards_problem(unmet: tuple[Unmet, ...], language: str, **members: Any) -> Problem:
    """403 where every unmet guard is a permission, else 422."""
    is_permission = bool(unmet) and all(guard.is_permission for guard in unmet)
    guards = unmet_guards(unmet, language)
    detail = "; ".join(guard.text for guard in guards)
    code = "not_permitted" if is_permission else "guards_unmet"
    return Problem(code, detail, unmet=[to_json(guard) for guard in guards], **members)


def problem_of(error: Exception, language: str, **members: Any) -> Problem:
    """The answer to what a backend or a decoder raised; anything unknown is ours, and is raised again."""
    match error:
        case Problem():
            return error
        case GuardsUnmet():
            return guards_problem(error.unmet, language, **members)
        case Malformed():
            return Problem("malformed", str(error), **members)
        case BadSignature():
            return Problem("bad_signature", str(error), **members)
        case TooLarge():
            return Problem("too_large", str(error), **members)
        case Rejected() if error.code in PROBLEMS:
            return Problem(error.code, str(error), **members)
        case NotAdmitted():
            wait = {"Retry-After": str(max(1, error.retry_after_s))}
            return Problem("pool_full", str(error), headers=wait, **members)
        case Syncing():
            text = str(error) or "the node is catching up with the chain and takes no transactions now"
            return Problem("syncing", text, headers={"Retry-After": "5"}, **members)
        case _:
            raise error


def http_problem(error: web.HTTPException, path: str, body_bytes_max: int) -> Problem:
    """For what aiohttp itself refuses: no such path, method, size."""
    match error:
        case web.HTTPNotFound():
            return Problem("not_found", f"{path}: no such path; /openapi.json lists them all")
        case web.HTTPMethodNotAllowed():
            allowed = ", ".join(sorted(error.allowed_methods))
            return Problem("method_not_allowed", f"{path} has {allowed}", headers={"Allow": allowed})
        case web.HTTPRequestEntityTooLarge():
            return Problem("too_large", f"the body is above {body_bytes_max} bytes")
        case _:
            return Problem("malformed", error.reason)
