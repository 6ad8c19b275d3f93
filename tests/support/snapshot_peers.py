"""Peers that offer snapshots of one chain."""

from __future__ import annotations

from node.daemon.snapshot_sync import SnapshotSync
from node.p2p.wire import Chunk, GetChunk, GetOffer, GetValidators, OfferMessage, ValidatorsMessage
from node.replica.messages import Blocks, GetBlocks
from node.storage.snapshot import Offer, cut_snapshot
from support.chain import Chain


def cut(chain: Chain) -> tuple[Offer, dict[int, bytes]]:
    chunks: dict[int, bytes] = {}
    return cut_snapshot(chain.store.kv.snapshot(), chain.genesis_hash, chunks.__setitem__), chunks


class Peers:
    """Peers of one chain. `oldest` and `snapshots`: what each still has. `named`: those whom the operator named."""

    def __init__(
        self, chain: Chain, sync: SnapshotSync, oldest: dict[int, int], snapshots: dict, named: set[int] | None = None
    ) -> None:
        self._chain, self._sync, self._oldest, self._snapshots = chain, sync, oldest, snapshots
        self._named = set(oldest) if named is None else named
        self.asked: list[tuple[int, int]] = []
        """(peer, chunk)."""

    def height_of(self, peer: int) -> int:
        return self._chain.store.height()

    def is_kept(self, peer: int) -> bool:
        return peer in self._named

    def name_of(self, peer: int) -> str:
        return f"peer-{peer}@127.0.0.1:{peer}"

    def oldest_of(self, peer: int) -> int:
        return self._oldest[peer]

    def send(self, peer: int, message: object) -> None:
        offer, chunks = self._snapshots[peer]
        store = self._chain.store
        match message:
            case GetOffer():
                self._sync.snapshot(peer, OfferMessage(offer))
            case GetChunk(ident, index):
                self.asked.append((peer, index))
                if (data := chunks.get(index)) is not None:
                    self._sync.snapshot(peer, Chunk(ident, index, data))
            case GetBlocks(first, _):
                self._sync.received(peer, Blocks((store.committed(first),)), 0)
            case GetValidators(height):
                self._sync.snapshot(peer, ValidatorsMessage(height, store.validators(height).entries))
