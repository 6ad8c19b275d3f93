"""Tests over HTTP: run one as a coroutine, read answers, tell what a problem document must be."""

from __future__ import annotations

import asyncio
import functools
import json


def over_http(test):
    """Run an async test in a loop of its own; pytest sees a function without arguments."""

    def run() -> None:
        asyncio.run(test())

    functools.update_wrapper(run, test)
    del run.__wrapped__
    return run


async def get(http, path: str, status: int = 200, **headers: str):
    """The JSON of an answer with `status`; every answer names its height."""
    async with http.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()}) as answer:
        text = await answer.text()
        assert status == answer.status, text
        assert answer.headers["X-Chain-Height"].isdecimal()
        if status < 400:
            return json.loads(text)
        return problem_in(answer, text)


async def post(http, path: str, value=None, status: int = 200, *, raw: bytes | None = None, **headers: str):
    """POST JSON, or raw bytes as a signed transaction."""
    if raw is None:
        body, media_type = json.dumps(value).encode(), "application/json"
    else:
        body, media_type = raw, "application/msgpack"
    names = {"Content-Type": media_type} | {name.replace("_", "-"): text for name, text in headers.items()}
    async with http.post(path, data=body, headers=names) as answer:
        text = await answer.text()
        assert status == answer.status, text
        assert answer.headers["X-Chain-Height"].isdecimal()
        return json.loads(text) if status < 400 else problem_in(answer, text)


def problem_in(answer, text: str):
    """The problem document of an answer, checked against RFC 9457 and our additions."""
    assert "application/problem+json" == answer.headers["Content-Type"], text
    problem = json.loads(text)
    assert {"type", "title", "status", "detail", "code"} <= set(problem), problem
    assert answer.status == problem["status"]
    assert problem["code"] in problem["type"]
    assert problem["title"] and problem["detail"]
    return problem


def codes(problem) -> set[str]:
    """Codes of every unmet guard."""
    return {guard["code"] for guard in problem["unmet"]}
