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
from node.errors import OperatorError
from node.p2p.wire import GetOffer, OfferMessage
from node.storage.snapshot import CHUNK_BYTES, Offer, cut_snapshot

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
