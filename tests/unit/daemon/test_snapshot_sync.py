"""Does a new node, or one that was away, want a snapshot; whose it is; and who can't keep it from one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace
from support.chain import Chain
from support.snapshot_peers import Peers, cut

from node.chain.block import block_id_of
from node.chain.trust import Trust
from node.daemon import snapshot_fetch, snapshot_sync
from node.daemon.snapshot_sync import Choice, SnapshotSync
from node.p2p.wire import GetChunk, GetOffer
from node.storage.snapshot import Offer

FIRST, SECOND = 1, 2


@pytest.fixture(scope="module")
def grown() -> tuple[Chain, tuple, tuple, Trust]:
    """A chain of 31 blocks, its snapshots at 1 and at the end, and where somebody stood at 3."""
    chain = Chain()
    chain.produce()
    old = cut(chain)
    chain.produce()
    block = chain.produce()
    head = chain.store.head()
    own = Trust(head.height, head.block_id, head.time_ms, head.validators, block.header)
    for _ in range(28):
        chain.produce()
    return chain, old, cut(chain), own


def sync_of(
    grown: tuple, folder: Path, oldest: dict[int, int], first: tuple, own: Trust | None = None, later: float = 0.0
) -> int:
    """The height that a node gets; the second peer has the newest snapshot and may come a moment later."""
    chain, _, newest, _ = grown

    async def play() -> int:
        sync = SnapshotSync(chain.genesis, Choice(gap=20, accept_old_root=True), lambda: chain.now, own, 2)
        sync.network = Peers(chain, sync, oldest, {FIRST: first, SECOND: newest})
        sync.connected(FIRST, bytes(32))
        asyncio.get_running_loop().call_later(later, sync.connected, SECOND, bytes([2]) * 32)
        return await sync.run(folder)

    return asyncio.run(play())


def test_the_first_peer_that_comes_does_not_decide_alone(grown: tuple, tmp_path: Path) -> None:
    chain, old, _, _ = grown
    assert chain.store.height() == sync_of(grown, tmp_path / "in", {FIRST: 1, SECOND: 1}, old, later=0.05)


def test_a_snapshot_that_nobody_leads_on_from_is_not_used(
    grown: tuple, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Genuine, and so old that every peer has forgotten what came after it: a node would stand there for ever."""
    monkeypatch.setattr(snapshot_sync, "LOOK_S", 0.05)
    _, old, _, _ = grown
    assert 0 == sync_of(grown, tmp_path / "in", {FIRST: 25, SECOND: 25}, old, later=30.0)
    assert 1 == sync_of(grown, tmp_path / "in", {FIRST: 2, SECOND: 25}, old, later=30.0)


def test_who_was_away_until_its_peers_forgot_begins_again_from_its_own_head(grown: tuple, tmp_path: Path) -> None:
    chain, _, newest, own = grown
    assert chain.store.height() == sync_of(grown, tmp_path / "in", {FIRST: 25, SECOND: 5}, newest, own)
    assert 0 == sync_of(grown, tmp_path / "in", {FIRST: 25, SECOND: 4}, newest, own), "block 4 can be had"


def test_a_member_that_stands_low_itself_does_not_speak_for_all(
    grown: tuple, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be new as well: a node that is only beginning says that it has nothing."""
    chain, _, newest, _ = grown

    class OneIsLow(Peers):
        def height_of(self, peer: int) -> int:
            return 0 if peer == FIRST else super().height_of(peer)

    async def play() -> int:
        sync = SnapshotSync(chain.genesis, Choice(gap=20, accept_old_root=True), lambda: chain.now, None, 2)
        sync.member_keys = frozenset({bytes(32)})
        sync.network = OneIsLow(chain, sync, {FIRST: 1, SECOND: 25}, {FIRST: (None, {}), SECOND: newest})
        sync.connected(FIRST, bytes(32))
        sync.connected(SECOND, bytes([2]) * 32)
        return await sync.run(tmp_path / "in")

    assert chain.store.height() == asyncio.run(play())


def test_trust_in_a_block_that_the_own_store_has_is_asked_of_nobody(grown: tuple, tmp_path: Path) -> None:
    chain, _, newest, own = grown

    async def play() -> int:
        choice = Choice(gap=20, trust=(2, block_id_of(chain.store.block(2).header, chain.genesis_hash)))
        sync = SnapshotSync(chain.genesis, choice, lambda: chain.now, own, 2)
        sync.network = Peers(chain, sync, {FIRST: 25, SECOND: 25}, {FIRST: newest, SECOND: newest})
        sync.connected(FIRST, bytes(32))
        sync.connected(SECOND, bytes([2]) * 32)
        return await sync.run(tmp_path / "in")

    assert chain.store.height() == asyncio.run(play())


# --- strangers -------------------------------------------------------------------------------------------
LIARS = tuple(range(11, 17))


def made_up(offer: Offer, salt: int) -> tuple[Offer, dict[int, bytes]]:
    """A certified header over chunks that there are not."""
    hashes = tuple(bytes([salt, n]) * 16 for n in range(100))
    return Offer(replace(offer.manifest, chunks=hashes), offer.block, offer.commit), {}


def with_liars(
    grown: tuple, folder: Path, *, friend_after: float, own: Trust | None = None, pruned: bool = True
) -> tuple[int, Peers]:
    """Strangers come first, each with a snapshot of its own making, and say that all older blocks are gone (`pruned`);
    the one named peer, with the newest snapshot, later."""
    chain, _, newest, _ = grown
    oldest = dict.fromkeys(LIARS, chain.store.height() - 1 if pruned else 1) | {FIRST: 1}
    snapshots = {liar: made_up(newest[0], liar) for liar in LIARS} | {FIRST: newest}

    async def play() -> tuple[int, Peers]:
        sync = SnapshotSync(chain.genesis, Choice(gap=20, accept_old_root=True), lambda: chain.now, own, 1)
        network = sync.network = Peers(chain, sync, oldest, snapshots, named={FIRST})
        for liar in LIARS:
            sync.connected(liar, bytes([liar]) * 32)
        asyncio.get_running_loop().call_later(friend_after, sync.connected, FIRST, bytes(32))
        return await sync.run(folder), network

    return asyncio.run(play())


def test_however_many_strangers_come_first_the_named_peer_is_waited_for(grown: tuple, tmp_path: Path) -> None:
    height, network = with_liars(grown, tmp_path / "in", friend_after=0.05)
    assert grown[0].store.height() == height
    assert {FIRST} == {peer for peer, _ in network.asked}


def test_strangers_do_not_say_that_the_blocks_are_gone_where_a_named_peer_has_them(
    grown: tuple, tmp_path: Path
) -> None:
    assert (0, []) == (lambda height, network: (height, network.asked))(
        *with_liars(grown, tmp_path / "in", friend_after=0.05, own=grown[3])
    )


def test_a_strangers_snapshot_gives_way_to_a_named_peer(
    grown: tuple, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(snapshot_sync, "LOOK_S", 0.05)
    height, network = with_liars(grown, tmp_path / "in", friend_after=0.3)
    assert grown[0].store.height() == height
    assert FIRST in {peer for peer, _ in network.asked}
    refused = [record.fields for record in caplog.records if record.getMessage() == "snapshot_refused"]
    assert ["a member or a configured peer is linked now"] == [fields["why"] for fields in refused]


def test_of_strangers_snapshots_few_are_tried_and_none_for_long(
    grown: tuple, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(snapshot_sync, "LOOK_S", 0.05)
    monkeypatch.setattr(snapshot_fetch, "PACE_S", 0.1)
    height, network = with_liars(grown, tmp_path / "in", friend_after=60.0, pruned=False)
    assert 0 == height
    assert snapshot_sync.STRANGERS_MAX == len({peer for peer, _ in network.asked})
    refused = [record.fields for record in caplog.records if record.getMessage() == "snapshot_refused"]
    assert snapshot_sync.STRANGERS_MAX == len(refused)
    assert all("fewer than 12 chunks" in fields["why"] and fields["peers"] for fields in refused)
    assert not (tmp_path / "in").exists()


def test_a_strangers_snapshot_has_so_much_time(
    grown: tuple, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(snapshot_sync, "LOOK_S", 0.05)
    monkeypatch.setattr(snapshot_sync, "PATIENCE_S", 0.05)
    assert 0 == with_liars(grown, tmp_path / "in", friend_after=60.0, pruned=False)[0]
    refused = [record.fields["why"] for record in caplog.records if record.getMessage() == "snapshot_refused"]
    assert all("strangers alone offer it" in why for why in refused)
    assert snapshot_sync.STRANGERS_MAX == len(refused)


@pytest.mark.slow
def test_where_there_is_no_other_way_they_take_turns_until_somebody_known_comes(
    grown: tuple, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot_sync, "LOOK_S", 0.05)
    monkeypatch.setattr(snapshot_sync, "PATIENCE_S", 0.05)
    height, network = with_liars(grown, tmp_path / "in", friend_after=5.5)
    assert grown[0].store.height() == height
    tried = [peer for peer, chunk in network.asked if chunk == 0]
    assert snapshot_sync.STRANGERS_MAX == len(set(tried) - {FIRST})
    assert snapshot_sync.STRANGERS_MAX < len(tried) - 1
    assert FIRST == tried[-1]


class Slow(Peers):
    """Answers each question for a chunk after a while."""

    def send(self, peer: int, message: object) -> None:
        if isinstance(message, GetChunk):
            asyncio.get_running_loop().call_later(0.3, super().send, peer, message)
        else:
            super().send(peer, message)


@pytest.mark.parametrize(("oldest", "is_used"), [(25, True), (1, False)])
def test_the_only_one_may_be_slow_where_blocks_cannot_be_had(
    grown: tuple, oldest: int, is_used: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot_fetch, "PACE_S", 0.1)
    chain, _, newest, _ = grown

    async def play() -> int:
        sync = SnapshotSync(chain.genesis, Choice(gap=20, accept_old_root=True), lambda: chain.now, None, 1)
        sync.network = Slow(chain, sync, {FIRST: oldest}, {FIRST: newest})
        sync.connected(FIRST, bytes(32))
        return await sync.run(tmp_path / "in")

    assert (chain.store.height() if is_used else 0) == asyncio.run(play())


def test_a_friend_that_has_nothing_itself_ends_nothing(
    grown: tuple, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It may be new as well, and its operator has named us in turn."""
    monkeypatch.setattr(snapshot_sync, "LOOK_S", 0.05)
    chain, _, newest, _ = grown

    class FirstIsNew(Slow):
        def height_of(self, peer: int) -> int:
            return 0 if peer == FIRST else super().height_of(peer)

    async def play() -> int:
        sync = SnapshotSync(chain.genesis, Choice(gap=20, accept_old_root=True), lambda: chain.now, None, 1)
        sync.network = FirstIsNew(chain, sync, {FIRST: 1, SECOND: 25}, {FIRST: (None, {}), SECOND: newest}, {FIRST})
        sync.connected(SECOND, bytes([2]) * 32)
        asyncio.get_running_loop().call_later(0.15, sync.connected, FIRST, bytes(32))
        return await sync.run(tmp_path / "in")

    assert chain.store.height() == asyncio.run(play())
    assert "snapshot_refused" not in caplog.text


def test_one_peers_ever_new_snapshots_are_tried_twice(grown: tuple, tmp_path: Path) -> None:
    """A faulty member makes another one up whenever it is asked."""
    chain, _, newest, _ = grown

    class EverNew(Peers):
        def send(self, peer: int, message: object) -> None:
            if isinstance(message, GetOffer):
                self._snapshots[peer] = made_up(newest[0], len(self.asked))
                self._snapshots[peer][1].update(dict.fromkeys(range(100), b"made up"))
            super().send(peer, message)

    async def play() -> tuple[int, list[tuple[int, int]]]:
        sync = SnapshotSync(chain.genesis, Choice(gap=20, accept_old_root=True), lambda: chain.now, None, 1)
        network = sync.network = EverNew(chain, sync, {FIRST: 1}, {FIRST: newest})
        sync.connected(FIRST, bytes(32))
        return await sync.run(tmp_path / "in"), network.asked

    assert (0, [(FIRST, 0), (FIRST, 0)]) == asyncio.run(play())
