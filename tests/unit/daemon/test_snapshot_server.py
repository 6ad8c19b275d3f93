"""Whose snapshot a new node tries first, and what it refuses before it has fetched anything."""

from __future__ import annotations

import asyncio
from collections import namedtuple
from pathlib import Path

import pytest
from msgspec.structs import replace
from support.chain import Chain
from support.life import Life, maintenance

from node.daemon.snapshot_sync import Choice, SnapshotSync
from node.daemon.snapshots import SnapshotServer
from node.errors import OperatorError
from node.p2p.wire import GetOffer, OfferMessage
from node.storage.snapshot import CHUNK_BYTES, Offer, cut_snapshot
from node.storage.snapshot_files import snapshots_in

STRANGER, MEMBER, OTHER_STRANGER = 1, 2, 3
MEMBER_KEY = b"\x07" * 32
Usage = namedtuple("Usage", "total used free")


def offer_of(chain: Chain) -> Offer:
    return cut_snapshot(chain.store.kv.snapshot(), chain.genesis_hash, lambda *_: None)


class Wire:
    """Peers that answer each question for their offer at once."""

    def __init__(self, sync: SnapshotSync, offers: dict[int, Offer]) -> None:
        self._sync = sync
        self._offers = offers

    def is_kept(self, peer: int) -> bool:
        return False

    def send(self, peer: int, message: object) -> None:
        if isinstance(message, GetOffer):
            self._sync.snapshot(peer, OfferMessage(self._offers[peer]))


def sync_with(chain: Chain, offers: dict[int, Offer]) -> SnapshotSync:
    genesis = chain.genesis
    member = replace(genesis.accounts[0].member, node_key=MEMBER_KEY)
    genesis = replace(genesis, accounts=(replace(genesis.accounts[0], member=member), *genesis.accounts[1:]))
    sync = SnapshotSync(genesis, Choice(), lambda: chain.now)
    sync._genesis_hash = chain.genesis_hash
    sync.network = Wire(sync, offers)
    for peer in offers:
        sync.connected(peer, MEMBER_KEY if peer == MEMBER else bytes([peer]) * 32)
    return sync


@pytest.fixture(scope="module")
def older_and_newer() -> tuple[Chain, Offer, Offer]:
    chain = Life(Chain()).to("born").chain
    older = offer_of(chain)
    chain.do("workshop-berlin", maintenance(chain, 100))
    return chain, older, offer_of(chain)


def test_a_members_snapshot_goes_before_a_strangers_newer_one(older_and_newer) -> None:
    """What a stranger's chunks hold is known only once all of them are here."""
    chain, older, newer = older_and_newer
    sync = sync_with(chain, {STRANGER: newer, MEMBER: older, OTHER_STRANGER: newer})

    found = asyncio.run(sync._offers())

    assert [(older.manifest, {MEMBER}), (newer.manifest, {STRANGER, OTHER_STRANGER})] == [
        (offer.manifest, peers) for offer, peers in found
    ]


def test_among_strangers_the_newest_goes_first(older_and_newer) -> None:
    chain, older, newer = older_and_newer
    sync = sync_with(chain, {STRANGER: older, OTHER_STRANGER: newer})

    assert [newer.manifest, older.manifest] == [offer.manifest for offer, _ in asyncio.run(sync._offers())]


def test_one_that_does_not_fit_on_the_disk_is_not_begun(
    older_and_newer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain, _, newer = older_and_newer
    sync = sync_with(chain, {STRANGER: newer})
    free = 2 * CHUNK_BYTES * len(newer.manifest.chunks) - 1
    monkeypatch.setattr("node.daemon.snapshot_sync.shutil.disk_usage", lambda _: Usage(free, 0, free))

    with pytest.raises(OperatorError, match="make room"):
        asyncio.run(sync._fetch(newer, {STRANGER}, tmp_path / "incoming"))

    assert not (tmp_path / "incoming").exists()


def test_snapshots_for_auditors_are_kept_and_only_the_newest_are_served(tmp_path: Path) -> None:
    """Blocks below the archived ones may be pruned: a replay takes its blocks from elsewhere."""
    chain = Life(Chain()).to("born").chain

    async def grow() -> SnapshotServer:
        server = SnapshotServer(tmp_path, chain.store, interval=2, archive_every=5)
        while chain.store.height() < 16:
            chain.produce()
            server.committed(chain.store.height())
            await server.stop()
        return server

    server = asyncio.run(grow())

    assert {5, 10, 15, 16} == set(snapshots_in(tmp_path))
    again = SnapshotServer(tmp_path, chain.store, interval=2, archive_every=5)
    for one in (server, again):
        assert 15 == one.needed_from(16)
        newest = one.answer(GetOffer())
        assert isinstance(newest, OfferMessage) and newest.offer is not None
        assert 16 == newest.offer.manifest.header.height == one.newest_height


def test_a_node_may_keep_snapshots_for_auditors_and_serve_none(tmp_path: Path) -> None:
    chain = Life(Chain()).to("born").chain

    async def grow() -> SnapshotServer:
        server = SnapshotServer(tmp_path, chain.store, interval=0, archive_every=3)
        while chain.store.height() < 9:
            chain.produce()
            server.committed(chain.store.height())
            await server.stop()
        return server

    server = asyncio.run(grow())
    assert [3, 6, 9] == list(snapshots_in(tmp_path))
    assert OfferMessage(None) == server.answer(GetOffer())
    assert 10 == server.needed_from(9)
