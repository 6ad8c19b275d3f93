"""Requests that schemathesis makes of an OpenAPI document, from a seed, to whatever serves its paths."""

from __future__ import annotations

from collections import Counter
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings

ENDLESS = ("/v1/stream",)
"""Paths whose answers do not end."""


def promised(url: str, document: dict[str, Any], examples: int, start: int) -> Counter[int]:
    """How often each status was answered to `examples` requests of each path below `/v1` that is read. Raises at the
    first one of 500 and above, with the smallest request that hypothesis finds."""
    found, session = Counter[int](), requests.Session()
    schema = schemathesis.openapi.from_dict(document)
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.method.upper() != "GET" or not operation.path.startswith("/v1/") or operation.path in ENDLESS:
            continue

        @seed(start)
        @settings(
            max_examples=examples, database=None, deadline=None, suppress_health_check=list(HealthCheck),
            phases=(Phase.generate, Phase.shrink),
        )  # fmt: skip
        @given(case=operation.as_strategy())
        def answered(case: Any) -> None:
            answer = case.call(base_url=url, session=session, timeout=20)
            assert answer.status_code < 500, f"{answer.status_code} for {answer.request.url}"
            found[answer.status_code] += 1

        answered()
    session.close()
    return found
