"""States of the operator board that a network seldom reaches, drawn by the real templates; and how it gathers."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from msgspec import convert, json
from support.rendering import page_of

from web.board import gathering
from web.board.alarms import RULES, UP, Alarm
from web.board.figures import fault_of, size_text, values_of
from web.board.gathering import REQUESTS_PER_SECOND, Board, NodeSeen, PeerTold, Seen, StatusTold
from web.nodes import Nodes, Unreachable, Watched
from web.pages.board import Blank
from web.recent import BlockSummary, RecentBlocks
from web.share import Share
from web.words import TAGS, Tag, words_of

STATUS = {
    "genesis_hash": "00" * 32, "head": {"height": 70, "time": "2026-01-01T00:00:00.000Z"}, "moniker": "munich-1",
    "validator_name": "dealer-munich", "signing": "signing", "round": 0, "step": "propose", "version": "0.1.0",
}  # fmt: skip
SAMPLES = {
    UP: 1.0, "bmw_height": 70.0, "bmw_peers": 2.0, "bmw_pool_txs": 1_234.0, "bmw_pool_bytes": 5_600_000.0,
    "bmw_head_age_seconds": 1.5, "bmw_disk_free_bytes": 9e9, "bmw_disk_bytes": 1e11, "bmw_clock_offset_seconds": -0.25,
    'bmw_memory_bytes{kind="anonymous"}': 64e6, "bmw_newest_snapshot_height": 60.0,
    "bmw_rpc_certificate_seconds_left": 30 * 86_400.0,
}  # fmt: skip
PEER = {"node_key": "ab" * 32, "address": "10.0.0.2:26800", "moniker": "<b>", "is_outbound": True, "height": -1,
        "member": "", "member_name": "", "score": 40}  # fmt: skip
CURRENT = {"total_power": 20, "validators": [{"address": "a", "name": "bmw", "power": 10},
                                             {"address": "b", "name": "dealer-munich", "power": 10}]}  # fmt: skip


def a_node(number: int = 1, fault: str = "", **told: Any) -> NodeSeen:
    samples = {UP: 0.0} if fault else SAMPLES
    peers = None if fault else (convert(PEER, PeerTold),)
    return NodeSeen(f"http://10.0.0.{number}:26700", fault, convert(STATUS | told, StatusTold), samples, peers)


def a_board(*nodes: NodeSeen, **told: Any) -> Seen:
    blocks = tuple(BlockSummary(height, "", "", "a", 0, "set", 0, (True, height < 62), (), (), int(height == 65))
                   for height in range(70, 60, -1))  # fmt: skip
    seen = {"blocks": blocks, "current": CURRENT, "sets": {"set": CURRENT["validators"]},
            "finality_s": (0.05, 0.06, 1.2)} | told  # fmt: skip
    return Seen(1_767_225_601.0, nodes, **seen)


def drawn(seen: Seen | None, tag: Tag = "en") -> str:
    def context(ask: Any) -> Mapping[str, Any]:
        live = None if seen is None else values_of(seen, ask.words, ask.link)
        return {"live": live, "nodes": [] if seen is None else seen.nodes, "blank": Blank()}

    return re.sub(r"\s+", " ", page_of("board.html", context, "/board", tag).replace("\N{NO-BREAK SPACE}", " "))


# --- states -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("tag", TAGS)
def test_before_anything_was_gathered(tag: Tag) -> None:
    page = drawn(None, tag)
    assert 'data-board="loading"' in page
    assert "data-reload" in page
    assert '<noscript><meta http-equiv="refresh"' in page


@pytest.mark.parametrize("tag", TAGS)
def test_what_a_node_tells_stands_on_the_page(tag: Tag) -> None:
    page = drawn(a_board(a_node()), tag)
    for text in ("munich-1", "1.234" if tag == "de" else "1,234", "5,6 MB" if tag == "de" else "5.6 MB", "&lt;b&gt;",
                 "60 ms", "64 MB", "0.1.0"):  # fmt: skip
        assert text in page, text
    assert "<b>" not in page


def test_one_silent_node_is_told_with_its_reason_and_as_it_was_last() -> None:
    fault = "ClientConnectorError: Cannot connect to host 10.0.0.2:26700 <x>"
    alarm = Alarm(RULES[0], ("http://10.0.0.2:26700",), 1_767_225_500.0)
    page = drawn(a_board(a_node(), a_node(2, fault, moniker="berlin-1"), alarms=(alarm,)))
    for text in ("1 of 2 nodes answer", "One alarm: a node does not answer", "since 31 Dec 2025, 23:58:20 UTC",
                 'href="/en/board/runbook#silent"', "not reachable", "&lt;x&gt;", "(1) Operator board"):  # fmt: skip
        assert text in page, text
    assert "No node answers." not in page
    assert page.count("berlin-1") >= 2


def test_all_silent() -> None:
    page = drawn(a_board(a_node(1, "TimeoutError: "), a_node(2, "it is of another chain, with genesis hash 00")))
    for text in (
        "No node answers.",
        "newest block 1 second old",
        "0 of 2 nodes answer",
        "no answer in time",
        "of another chain",
    ):
        assert text in page, text


def test_a_node_that_was_never_reached_has_no_figures() -> None:
    nothing = NodeSeen("http://10.0.0.1:26700", "not asked yet", None, {UP: 0.0}, None)
    page = drawn(Seen(1_767_225_601.0, (nothing,)))
    for text in ("10.0.0.1:26700", "not asked yet", "No block is known.", "no block since this server began to look"):
        assert text in page, text


def test_a_stalled_chain_is_critical() -> None:
    stalled = next(rule for rule in RULES if rule.code == "stalled")
    node = a_node()._replace(samples=SAMPLES | {"bmw_head_age_seconds": 300.0})
    values = values_of(a_board(node, alarms=(Alarm(stalled, ("http://10.0.0.1:26700",), 0.0),)),
                       words_of("de"), lambda path: f"/de{path}")  # fmt: skip
    assert {"text": "Die Kette steht seit 5 Minuten.", "tone": "warn"} == values["notice"]
    assert {"text": "Ein Alarm: die Kette steht seit einer Minute oder länger", "tone": "bad"} == values["summary"]


def test_votes_are_squares_and_a_table() -> None:
    values: Any = values_of(a_board(a_node()), words_of("en"), lambda path: f"/en{path}")
    first, second = values["validators"]
    assert ({"strip": "y" * 10}, {"strip": "y" + "n" * 9}) == (first["strip"], second["strip"])
    assert ("100 %", "10 %") == (first["share"], second["share"])
    assert {"text": "bmw", "href": "/en/member/bmw"} == first["name"]
    assert {"text": "One proof of double signing in these blocks.", "tone": "bad"} == values["evidence"]


def test_what_needs_a_look_is_marked() -> None:
    node = a_node(signing="waiting: signing state was lost")
    values: Any = values_of(a_board(node), words_of("en"), lambda path: path)
    assert {"text": "waiting: signing state was lost", "tone": "warn"} == values["n0.signing"]
    assert "bad" == values["n0.disk"]["tone"]
    assert "warn" == values["n0.links"][0]["score"]["tone"]
    assert "−0.25 s" == values["n0.clock"]
    behind: Any = values_of(a_board(node, a_node(2)._replace(samples=SAMPLES | {"bmw_height": 90.0})),
                            words_of("en"), lambda path: path)  # fmt: skip
    assert {"text": "20 blocks behind", "tone": "warn"} == behind["n0.badge"]


def test_faults_have_kinds_and_sizes_units() -> None:
    assert ["", "slow", "refused", "other"] == [fault_of(text) for text in (
        "", "ConnectionTimeoutError after 3.0 s: ", "ServerDisconnectedError: x", "ValueError: x")]  # fmt: skip
    told = [size_text(words_of("en"), size).replace("\N{NO-BREAK SPACE}", " ") for size in (0, 999, 1_500, 271e9)]
    assert ["0 B", "999 B", "1.5 kB", "271 GB"] == told


# --- gathering ----------------------------------------------------------------------------------------------------
class Counting(Nodes):
    """Nodes that answer from memory; when each was asked."""

    def __init__(self, count: int) -> None:
        super().__init__(tuple(f"http://n{place}" for place in range(count)), bytes(32), Share(64, 150))
        self.asked_at: list[float] = []
        for node in self.watched:
            node.fault, node.height, node.status = "", 70, STATUS

    async def told_by(self, node: Watched, path: str) -> bytes:
        self.asked_at.append(time.monotonic())
        if node.url == "http://n0":
            raise Unreachable("TimeoutError: ")
        if path == "/metrics":
            return b"bmw_height 70\nbmw_peers 3\n"
        if node.url == "http://n1":
            return b'{"peers": [{"address": 7}]}'
        return json.encode({"peers": [PEER]})

    async def json(self, path: str, query: Mapping[str, str] | None = None, language: str = "en",
                   *, is_own: bool = False) -> Any:  # fmt: skip
        assert is_own, "what strangers ask for bounds no figure of the board"
        self.asked_at.append(time.monotonic())
        return CURRENT if path == "/v1/validators" else {"blocks": []}

    @asynccontextmanager
    async def asked(self, *_: Any, **__: Any) -> AsyncIterator[Any]:
        raise Unreachable
        yield


def gathered(nodes: Counting, *, is_on: bool = True, requests: float = 0) -> Board:
    """A board that has looked once, and until so many requests were made."""

    async def run() -> Board:
        board = Board(nodes, RecentBlocks(nodes), is_on=is_on)
        await board.start()
        with suppress(TimeoutError):
            await board.look()
        while len(nodes.asked_at) < requests:
            await asyncio.sleep(0.01)
        await board.stop()
        return board

    return asyncio.run(run())


def test_the_nodes_are_asked_no_more_often_than_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("EVERY_S", "SOONEST_S", "PEERS_EVERY_S"):
        monkeypatch.setattr(gathering, name, 0.01)
    nodes = Counting(3)
    board = gathered(nodes, requests=2.5 * REQUESTS_PER_SECOND)
    at = nodes.asked_at
    assert all(later - earlier >= 0.99 for earlier, later in zip(at, at[int(REQUESTS_PER_SECOND) :], strict=False))
    assert board.seen is not None
    silent, odd, good = board.seen.nodes
    assert ("TimeoutError: ", "", "") == (silent.fault, odd.fault, good.fault)
    assert (None, (convert(PEER, PeerTold),)) == (odd.peers, good.peers)


def test_a_board_that_nobody_may_see_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "FRESH_S", 0.05)
    nodes = Counting(2)
    assert gathered(nodes, is_on=False).seen is None
    assert [] == nodes.asked_at
