"""Co-signatures of the head, gathered from the configured witnesses when a certificate is asked for.

A witness signs the head on request, so a certificate of the head can carry co-signatures. Witnesses are asked at the
same time and for a short time only, and one that does not answer is left alone for a while: no certificate waits long.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final

import aiohttp

from node.certificates.cosignature import PATH, Cosignature
from node.errors import Rejected
from node.execution.head import ChainHead
from node.ledger.json_form import from_json
from node.log import log

TIMEOUT_S: Final = 2.0
"""Time that all witnesses together get. A certificate has the co-signatures that are there by then."""
REST_S: Final = 15.0
"""Time for which a witness that gave no answer is not asked."""
ANSWER_BYTES_MAX: Final = 64 * 1024
HEADS_KEPT: Final = 16
"""Heads whose co-signatures are remembered."""


class Cosigning:
    """Asks the witnesses of one node."""

    def __init__(self, urls: Sequence[str], genesis_hash: bytes) -> None:
        self._urls = tuple(url.rstrip("/") for url in urls)
        self._genesis_hash = genesis_hash
        self._resting: dict[str, float] = {}
        self._given: OrderedDict[bytes, dict[str, Cosignature]] = OrderedDict()
        self._under_way: dict[tuple[str, bytes], asyncio.Task[None]] = {}
        self._session: aiohttp.ClientSession | None = None

    async def of(self, head: ChainHead) -> list[list[object]]:
        """The co-signatures of a head as a certificate has them, one a key: `[key, mode, time_ms, signature]`."""
        given = self._given.setdefault(head.block_id, {})
        if len(self._given) > HEADS_KEPT:
            self._given.popitem(last=False)
        now = asyncio.get_running_loop().time()
        lacking = [url for url in self._urls if url not in given and self._resting.get(url, 0.0) <= now]
        if lacking:
            await asyncio.wait([self._asked(url, head, given) for url in lacking], timeout=TIMEOUT_S)
        by_key = {each.key: each for each in given.values()}
        return [[key, each.mode, each.time_ms, each.signature] for key, each in sorted(by_key.items())]

    def _asked(self, url: str, head: ChainHead, given: dict[str, Cosignature]) -> asyncio.Task[None]:
        """The one request to a witness about a head, which all certificates of that head wait for."""
        about = (url, head.block_id)
        if about not in self._under_way:
            self._under_way[about] = asyncio.create_task(self._ask(url, head, given))
            self._under_way[about].add_done_callback(lambda _: self._under_way.pop(about, None))
        return self._under_way[about]

    async def _ask(self, url: str, head: ChainHead, given: dict[str, Cosignature]) -> None:
        try:
            document = await self._document(f"{url}{PATH}{head.height}")
            found: Cosignature = from_json(Cosignature, document, "co-signature")
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, Rejected) as error:
            self._resting[url] = asyncio.get_running_loop().time() + REST_S
            log("witness_silent", "warning", {"witness": url, "why": str(error) or type(error).__name__})
            return
        seen = (found.genesis_hash, found.height, found.block_id, found.state_root)
        if not found.is_signed() or seen != (self._genesis_hash, head.height, head.block_id, head.state_root):
            self._resting[url] = asyncio.get_running_loop().time() + REST_S
            log("witness_differs", "error", {"witness": url, "height": head.height, "block": found.block_id})
            return
        given[url] = found

    async def _document(self, url: str) -> Any:
        """The JSON that a witness answers. Raises `ValueError` for an error status, or for too much."""
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S))
        async with self._session.get(url, allow_redirects=False) as answer:
            raw = await answer.content.read(ANSWER_BYTES_MAX)
            if answer.status != 200:
                raise ValueError(f"status {answer.status}")
            return json.loads(raw)

    async def close(self, _: object = None) -> None:
        for task in list(self._under_way.values()):
            task.cancel()
        if self._session is not None:
            await self._session.close()
