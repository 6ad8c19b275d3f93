"""Chunks from many peers: who lies, says nothing or is slow is named, and the others bring the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from hashlib import sha256

import pytest
from msgspec.structs import replace
from support.chain import Chain

from node.daemon import snapshot_fetch
from node.daemon.snapshot_fetch import (
    CHUNKS_AHEAD,
    FRIENDS_TIMEOUTS,
    STRANGERS_TIMEOUTS,
    SnapshotFetch,
    SnapshotProgress,
    TooSlow,
)
from node.errors import InvalidCertificate
from node.p2p.wire import Chunk
from node.storage.snapshot import Manifest, chunk_hash, cut_snapshot

Answer = Callable[[int], Awaitable[bytes]]
DATA = [sha256(bytes([n])).digest() * 4 for n in range(30)]


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    chain = Chain()
    chain.produce()
    offer = cut_snapshot(chain.store.kv.snapshot(), chain.genesis_hash, lambda *_: None)
    return replace(offer.manifest, chunks=tuple(map(chunk_hash, DATA)))


async def honest(index: int) -> bytes:
    return DATA[index]


async def lying(index: int) -> bytes:
    return b"another one"


async def silent(index: int) -> bytes:
    raise TimeoutError


async def never(index: int) -> bytes:
    await asyncio.get_running_loop().create_future()
    raise AssertionError("not reached")


def fetched(
    manifest: Manifest, peers: dict[int, Answer], friends: set[int] | None = None, take_s: float = 0.0
) -> tuple[list[bytes], list[SnapshotProgress], list[tuple[int, int]]]:
    """(what was taken, in order; what was told; who was asked for which). `friends`: all, where it is not said."""
    known = set(peers) if friends is None else friends
    taken: list[bytes] = []
    told: list[SnapshotProgress] = []
    asked: list[tuple[int, int]] = []

    async def ask(peer: int, ident: bytes, index: int, timeout_s: float) -> Chunk:
        asked.append((peer, index))
        assert index <= len(taken) + CHUNKS_AHEAD, "no more wait in memory"
        async with asyncio.timeout(timeout_s):
            return Chunk(ident, index, await peers[peer](index))

    async def take(data: bytes) -> None:
        await asyncio.sleep(take_s)
        taken.append(data)

    def check(why_slow: str) -> None:
        if why_slow:
            raise TooSlow(why_slow)

    asyncio.run(SnapshotFetch(manifest, ask, str, told.append, check).run(known, set(peers) - known, take))
    return taken, told, asked


def warnings(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    found = [record.fields for record in caplog.records if record.getMessage() == "snapshot_chunk"]
    return [(fields["peer"], fields["why"]) for fields in found]


def test_all_chunks_come_in_their_order_and_progress_is_told(manifest: Manifest) -> None:
    taken, told, asked = fetched(manifest, {1: honest, 2: honest})
    assert taken == DATA
    assert len(DATA) == len(asked)
    assert [(n + 1, len(DATA)) for n in range(len(DATA))] == [(progress.chunk, progress.of) for progress in told]
    assert 0 == told[-1].left_s


def test_who_lies_is_named_with_the_chunk_and_asked_no_more(
    manifest: Manifest, caplog: pytest.LogCaptureFixture
) -> None:
    taken, _, asked = fetched(manifest, {1: lying, 2: honest})
    assert taken == DATA
    assert [("1", "its data does not match the manifest")] == warnings(caplog)
    assert [0] == [index for peer, index in asked if peer == 1]


@pytest.mark.parametrize(("friends", "times"), [({1, 2}, FRIENDS_TIMEOUTS), (set(), STRANGERS_TIMEOUTS)])
def test_who_does_not_answer_is_asked_a_few_times(
    manifest: Manifest, friends: set[int], times: int, caplog: pytest.LogCaptureFixture
) -> None:
    taken, _, asked = fetched(manifest, {1: silent, 2: honest}, friends)
    assert taken == DATA
    assert times * [("1", "no answer in time")] == warnings(caplog)
    assert times == sum(peer == 1 for peer, _ in asked)


def test_however_many_repeat_a_friends_offer_and_say_nothing_the_friend_brings_it(manifest: Manifest) -> None:
    taken, _, asked = fetched(manifest, dict.fromkeys(range(40), never) | {99: honest}, {99})
    assert taken == DATA
    assert {99} == {peer for peer, _ in asked}


def test_what_friends_do_not_bring_strangers_are_asked_for(manifest: Manifest) -> None:
    taken, _, asked = fetched(manifest, {1: lying, 2: silent, 3: honest}, {1, 2})
    assert taken == DATA
    assert {1, 2, 3} == {peer for peer, _ in asked}


def test_our_own_work_is_nobodys_slowness(manifest: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot_fetch, "PACE_S", 0.3)
    assert DATA == fetched(manifest, {1: honest}, take_s=0.05)[0]


def test_an_answer_that_is_lost_now_and_then_loses_no_peer(manifest: Manifest) -> None:
    lost: set[int] = set()

    async def lossy(index: int) -> bytes:
        if index % 15 == 0 and index not in lost:
            lost.add(index)
            raise TimeoutError
        return DATA[index]

    assert fetched(manifest, {1: lossy})[0] == DATA


def test_nobody_is_waited_for_alone(manifest: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many slow ones as chunks may wait would else hold all of them, each answer just in time."""
    monkeypatch.setattr(snapshot_fetch, "HEDGE_S", 0.05)
    peers: dict[int, Answer] = dict.fromkeys(range(CHUNKS_AHEAD), never)
    taken, _, asked = fetched(manifest, peers | {99: honest})
    assert taken == DATA
    assert CHUNKS_AHEAD >= sum(peer != 99 for peer, _ in asked) - CHUNKS_AHEAD


def test_what_nobody_has_is_said(manifest: Manifest) -> None:
    async def most(index: int) -> bytes:
        return b"" if index == 7 else DATA[index]

    with pytest.raises(InvalidCertificate, match="no peer delivers chunk 7"):
        fetched(manifest, {1: most, 2: most})


def test_an_offer_that_comes_too_slowly_is_told(manifest: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot_fetch, "PACE_S", 0.2)

    async def some(index: int) -> bytes:
        return await (honest if index < 14 else never)(index)

    with pytest.raises(TooSlow, match="fewer than 12 chunks came in 0 s, and 16 are left"):
        fetched(manifest, {1: some})
