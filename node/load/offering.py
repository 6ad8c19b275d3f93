"""Offering: one run of a load. It offers signed transactions at a pace to nodes in turn, and follows them to a block.

The loop is open: a node that answers late does not slow the others. What bounds it are the requests in flight of each
node and the undecided transactions of each sender; a place in the schedule that finds no room in time is missed.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import aiohttp

from node.load.following import StreamEvent, follow
from node.load.nodes import Node, Turns
from node.load.pace import Pace
from node.load.ways import Way
from node.load.writers import SignedLoad
from wallet.client import ANSWER_BYTES_MAX, unmet_of

UNDECIDED_PER_SENDER_MAX: Final = 4_000
"""Undecided transactions of one sender: below `limits.POOL_PER_ACCOUNT_MAX`, above which a pool refuses what the
network could carry. Above: places in the schedule are missed."""
ANSWER_S: Final = 15.0
"""Time for one answer. Above, the node gave none, and the next node gets the same bytes."""
CONNECT_S: Final = 5.0
ASK_EVERY_S: Final = 1.0
ASKED_MAX: Final = 200
"""The number of undecided transactions whose status one round of questions asks for. A round begins when no block has
had any of them for `ASK_EVERY_S` seconds."""
ROOM_S: Final = 0.05
"""Seconds between two looks for a free place while all nodes have as many requests in flight as they may."""
CODE_CHARS_MAX: Final = 40
"""Characters of a code that a node answers; codes of this software are shorter. The rest is cut off."""


class NoAnswer(Exception):
    """A node gave no usable answer; the text is why, in two or three words or as a code."""


class Offering:
    """A run. `heads`: the nodes' addresses, and the height from which on the blocks of each are followed. `timeout_s`:
    how long after the last offer the accepted transactions are waited for."""

    def __init__(
        self, heads: Mapping[str, int], load: Sequence[SignedLoad], pace: Pace, *, in_flight_max: int, timeout_s: float,
    ) -> None:  # fmt: skip
        assert len(load) >= pace.total, "a transaction is signed for every place in the schedule"
        self.pace = pace
        self.turns = Turns(list(heads), in_flight_max)
        self.ways: dict[bytes, Way] = {}
        """By txid, in the order in which they were offered."""
        self.blocks: dict[int, int] = {}
        """The number of transactions, also of others, by height."""
        self._load = iter(load)
        self._heads = heads
        self._timeout_s = timeout_s
        self._by_sender: Counter[bytes] = Counter()
        """Offered transactions of each sender that may be in a pool."""
        self.undecided = 0
        """Accepted transactions that are not decided."""
        self._began = 0.0
        self._moved = asyncio.Event()
        """Set by each answer and each commit."""
        self._stopped = False

    async def run(self) -> None:
        """Offer everything, then wait until all is decided that was accepted, at most `timeout_s`."""
        connector = aiohttp.TCPConnector(limit=0)
        timeout = aiohttp.ClientTimeout(total=ANSWER_S, sock_connect=CONNECT_S)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as http:
            self._http = http
            self._began = asyncio.get_running_loop().time()
            following = [
                asyncio.create_task(follow(http, url, head + 1, self._reported)) for url, head in self._heads.items()
            ]
            try:
                async with asyncio.TaskGroup() as requests:
                    await self._offer_all(requests)
                await self._settle()
            finally:
                for task in following:
                    task.cancel()
                await asyncio.gather(*following, return_exceptions=True)

    def stop(self) -> None:
        """Offer nothing more; what was offered is still followed."""
        self._stopped = True
        self._moved.set()

    @property
    def elapsed_s(self) -> float:
        return asyncio.get_running_loop().time() - self._began

    # --- offering ---
    async def _offer_all(self, requests: asyncio.TaskGroup) -> None:
        ahead = next(self._load, None)
        while not self._stopped and self.pace.size and ahead is not None:
            wait_s = self.pace.due_s - self.elapsed_s
            if wait_s > 0:
                await asyncio.sleep(min(wait_s, ASK_EVERY_S / 10))  # in pieces, so that `stop` does not wait for long
                continue
            self.pace.skip_late(self.elapsed_s)
            has_room = self._by_sender[ahead.sender] < UNDECIDED_PER_SENDER_MAX
            node = self.turns.take(self.elapsed_s) if has_room and self.pace.size else None
            if node is None:
                await self._sleep(ROOM_S)
                continue
            due_s, ways = self.pace.due_s, list[Way]()
            for _ in range(self.pace.take()):
                assert ahead is not None, "a transaction is signed for every place"
                ways.append(Way(ahead, due_s, self.elapsed_s))
                self.ways[ahead.txid] = ways[-1]
                self._by_sender[ahead.sender] += 1
                ahead = next(self._load, None)
            node.in_flight += 1
            requests.create_task(self._offer(ways, node))
            await asyncio.sleep(0)  # answers are read also while the schedule is behind

    async def _sleep(self, seconds: float) -> None:
        """Sleep until an answer, a commit or `stop`, at most `seconds`."""
        self._moved.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._moved.wait(), seconds)

    async def _offer(self, ways: list[Way], node: Node) -> None:
        """Offer transactions in one request; those that get no answer go to the next node, as the same bytes."""
        tried: list[Node] = []
        while True:
            tried.append(node)
            try:
                results = await self._hand_in(ways, node)
            except NoAnswer as error:
                node.failed(str(error), len(ways), self.elapsed_s)
                other = self.turns.other(self.elapsed_s, tried)
                if other is None:
                    for way in ways:
                        self._decided(way)
                    break
                node = other
                node.in_flight += 1
                continue
            finally:
                tried[-1].in_flight -= 1
            for way, result in zip(ways, results, strict=True):
                self._answered(way, node, result)
            break
        self._moved.set()

    async def _hand_in(self, ways: list[Way], node: Node) -> list[Mapping[str, Any]]:
        """One result for each. Raises `NoAnswer`."""
        node.offered += len(ways)
        sent_s = self.elapsed_s
        document = {"transactions": [way.signed.raw.hex() for way in ways]}
        status, answer = await self._exchange("POST", f"{node.url}/v1/transactions/batch", document)
        node.answers_ms.append((self.elapsed_s - sent_s) * 1_000)
        if status >= 500:
            raise NoAnswer(_code(answer, status))
        if status != 200:  # of the request as a whole, such as 429
            return [{"problem": {"code": _code(answer, status)}}] * len(ways)
        results = answer.get("results")
        if not isinstance(results, list) or len(results) != len(ways) or not all(isinstance(r, dict) for r in results):
            raise NoAnswer("no answer of a node")
        return results

    async def _exchange(self, method: str, url: str, document: Any = None) -> tuple[int, dict[str, Any]]:
        """Status and JSON object. Raises `NoAnswer`."""
        try:
            async with self._http.request(method, url, json=document, allow_redirects=False) as answer:
                raw = bytearray()
                async for piece in answer.content.iter_chunked(65_536):
                    raw += piece
                    if len(raw) > ANSWER_BYTES_MAX:
                        raise NoAnswer("answer too long")
                found = json.loads(raw)
        except TimeoutError:
            raise NoAnswer("no answer in time") from None
        except aiohttp.ClientConnectorError as error:
            # aiohttp's own text has the address in it. Failed look-ups have negative numbers, bad certificates none.
            number = getattr(getattr(error, "os_error", None), "errno", None) or 0
            raise NoAnswer(os.strerror(number).lower() if number > 0 else "no connection") from None
        except (aiohttp.ClientError, OSError):
            raise NoAnswer("connection lost") from None
        except (ValueError, RecursionError):
            raise NoAnswer("no answer of a node") from None
        return answer.status, found if isinstance(found, dict) else {}

    def _answered(self, way: Way, node: Node, result: Mapping[str, Any]) -> None:
        way.answered_s = self.elapsed_s
        if result.get("status") in ("pending", "committed"):
            node.accepted += 1
            way.accepted_by = node.url
            self.undecided += way.is_open  # a stream may have been faster
        else:
            problem = result.get("problem")
            way.refusal = _code(problem if isinstance(problem, dict) else {}, 0)
            node.refusals[way.refusal] += 1
            self._decided(way)

    def _decided(self, way: Way) -> None:
        """It does not count towards `UNDECIDED_PER_SENDER_MAX` any more."""
        self._by_sender[way.signed.sender] -= way.is_counted
        way.is_counted = False

    # --- following ---
    def _reported(self, event: StreamEvent) -> None:
        height = event.data.get("height")
        if not isinstance(height, int) or height < 1:
            return
        if event.name == "block" and isinstance(event.data.get("transactions"), int):
            self.blocks[height] = event.data["transactions"]
        elif event.name == "transaction" and isinstance(txid := event.data.get("txid"), str):
            with suppress(ValueError):
                self._committed(self.ways.get(bytes.fromhex(txid)), height, self.elapsed_s)

    def _committed(self, way: Way | None, height: int, at_s: float | None) -> None:
        if way is None or way.height:
            return
        self.undecided -= way.is_open
        self._decided(way)
        way.height, way.committed_s = height, at_s
        self._moved.set()

    async def _settle(self) -> None:
        """Wait for what is undecided. A node tells of what it has dropped only when it is asked."""
        deadline_s = self.elapsed_s + self._timeout_s
        self._stopped = False
        while self.undecided and not self._stopped and (left_s := deadline_s - self.elapsed_s) > 0:
            before, until_s = self.undecided, self.elapsed_s + min(left_s, ASK_EVERY_S)
            while self.undecided == before and (wait_s := until_s - self.elapsed_s) > 0 and not self._stopped:
                await self._sleep(wait_s)
            if self.undecided == before:
                undecided = [way for way in self.ways.values() if way.is_open]
                await asyncio.gather(*(self._ask(way) for way in undecided[:ASKED_MAX]))

    async def _ask(self, way: Way) -> None:
        """Ask the node that accepted a transaction what has become of it."""
        try:
            url = f"{way.accepted_by}/v1/transactions/{way.signed.txid.hex()}"
            status, answer = await self._exchange("GET", url)
        except NoAnswer:
            return
        if status != 200 or not way.is_open:
            return
        height = answer.get("height")
        if answer.get("status") == "committed" and isinstance(height, int) and height > 0:
            self._committed(way, height, None)
        elif answer.get("status") in ("rejected", "expired"):
            unmet = unmet_of(answer)
            way.rejection = (unmet[0].code if unmet else str(answer["status"]))[:CODE_CHARS_MAX]
            self.undecided -= 1
            self._decided(way)


def _code(problem: Mapping[str, Any], status: int) -> str:
    """The stable code of a problem document: that of its first unmet guard, else its own, else the HTTP status."""
    unmet = unmet_of(problem)
    return str((unmet[0].code if unmet else "") or problem.get("code") or f"http_{status}")[:CODE_CHARS_MAX]
