"""Visits of a reader with `web/js/light.js`: what a node answers over HTTP, and the questions about it."""

from __future__ import annotations

import asyncio
from copy import deepcopy
from dataclasses import asdict
from typing import Any
from urllib.parse import quote

from node.certificates.roots import root_of_genesis
from node.certificates.verifier import Root
from node.chain.genesis import Genesis
from support.backend import SingleNode, serving
from support.chain import Chain
from support.http import get
from support.javascript.asking import Question
from support.light import KEY

Answers = dict[str, Any]
"""Path to the JSON that a node answers; any other path is answered 404."""


def state_path(key: bytes) -> str:
    return f"/v1/state/{quote(key.decode(), safe='')}?proof=true"


STATE = state_path(KEY)


def answers_of(chain: Chain, *keys: bytes) -> Answers:
    """What a node of this chain answers a light client: proofs, all headers, all validator sets."""

    async def asked() -> Answers:
        async with serving(SingleNode(chain)) as (_, _, http):
            top = chain.store.height()
            paths = ["/v1/validators", *map(state_path, keys or (KEY,))]
            paths += [f"/v1/headers/{height}" for height in range(1, top + 1)]
            paths += [f"/v1/validators?height={height}" for height in range(1, top + 2)]
            return {path: await get(http, path) for path in paths}

    return asyncio.run(asked())


def visit(answers: Answers, now_ms: int, key: bytes = KEY) -> dict[str, Any]:
    return {"answers": answers, "now_ms": now_ms, "key": key.decode()}


def visits(of: Genesis | Root, *given: dict[str, Any], **options: Any) -> Question:
    root = of if isinstance(of, Root) else root_of_genesis(of)
    told = {name: value.hex() if isinstance(value, bytes) else value for name, value in asdict(root).items()}
    return {"ask": "visits", "root": told, "options": options, "visits": list(given)}


def changed(answers: Answers, path: str, **fields: Any) -> Answers:
    """The answers with some fields of one document set."""
    found = deepcopy(answers)
    found[path] |= fields
    return found
