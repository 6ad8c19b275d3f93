"""The snapshots of a node: cut while the chain runs, kept in its home, served to peers."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from node.errors import Corrupted, OperatorError, Rejected
from node.log import log
from node.p2p.wire import Chunk, GetChunk, GetOffer, GetValidators, OfferMessage, SnapshotMessage, ValidatorsMessage
from node.storage.chain_store import ChainStore
from node.storage.kv import KeyValue
from node.storage.snapshot import Offer, manifest_id
from node.storage.snapshot_files import PARTIAL, read_chunk, read_offer, snapshots_in, write_snapshot

KEPT = 2
"""Snapshots in the home: the newest, and the one before it, which a peer may still be fetching."""


class SnapshotServer:
    """The snapshots in `data/snapshots`. The newest are served; those of the heights that `archive_every` divides are
    kept for auditors, who replay the ranges of blocks between them at the same time."""

    def __init__(self, folder: Path, store: ChainStore, interval: int, archive_every: int = 0) -> None:
        """`interval`, `archive_every`: heights between two snapshots; 0: none are cut."""
        self._folder = folder
        self._store = store
        self._interval = interval
        self._archive_every = archive_every
        self._cutting: asyncio.Task[None] | None = None
        self._offers: dict[bytes, Path] = {}
        self._newest: Offer | None = None
        for path in self._folders()[-KEPT:] if interval else []:
            self._add_offer(path)

    def _folders(self) -> list[Path]:
        """The snapshots in order of height."""
        for path in self._folder.glob(f"*{PARTIAL}"):
            shutil.rmtree(path, ignore_errors=True)
        return list(snapshots_in(self._folder).values())

    def _is_archived(self, height: int) -> bool:
        return bool(self._archive_every) and height % self._archive_every == 0

    def _add_offer(self, path: Path) -> None:
        try:
            offer = read_offer(path)
        except (OSError, Rejected) as error:
            log("snapshot_unreadable", "warning", {"path": path, "why": str(error)})
            return
        self._offers[manifest_id(offer.manifest)] = path
        self._newest = offer

    def needed_from(self, head: int) -> int:
        """A node that starts from the oldest snapshot here needs the blocks from this height on: all of them where no
        snapshot is cut yet, none where none ever is."""
        if not self._interval:
            return head + 1
        return min((int(path.name) for path in self._offers.values()), default=0)

    @property
    def newest_height(self) -> int:
        """Height of the newest snapshot that is served; 0: none."""
        return max((int(path.name) for path in self._offers.values()), default=0)

    # --- cutting ---
    def committed(self, height: int) -> None:
        """Cut a snapshot if one is due and none is being cut: of the store at this moment, in a thread."""
        is_due = self._is_archived(height) or (self._interval and height % self._interval == 0)
        if is_due and (self._cutting is None or self._cutting.done()):
            self._cutting = asyncio.create_task(self._cut(height, self._store.kv.snapshot()))

    async def _cut(self, height: int, view: KeyValue) -> None:
        try:
            offer = await asyncio.to_thread(write_snapshot, self._folder, height, view, self._store.genesis_hash)
        except (OSError, Corrupted, OperatorError) as error:
            log("snapshot_failed", "error", {"height": height, "why": str(error)})
            return
        finally:
            view.close()
        if self._interval:
            self._add_offer(self._folder / str(height))
        for path in self._folders()[:-KEPT]:
            self._offers = {ident: kept for ident, kept in self._offers.items() if kept != path}
            if not self._is_archived(int(path.name)):
                await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)
        log("snapshot", "info", {"height": height, "chunks": len(offer.manifest.chunks),
                                 "entries": offer.manifest.entries})  # fmt: skip

    async def stop(self) -> None:
        if self._cutting is not None:
            await asyncio.gather(self._cutting, return_exceptions=True)

    # --- serving ---
    def answer(self, message: SnapshotMessage) -> SnapshotMessage | None:
        """None where there is no answer."""
        match message:
            case GetOffer():
                return OfferMessage(self._newest)
            case GetChunk(ident, index):
                return Chunk(ident, index, self._chunk(ident, index))
            case GetValidators(height):
                if self._store.first_height() <= height <= self._store.height() + 1:
                    return ValidatorsMessage(height, self._store.validators(height).entries)
        return None

    def _chunk(self, ident: bytes, index: int) -> bytes:
        path = self._offers.get(ident)
        if path is None:
            return b""
        try:
            return read_chunk(path, index)
        except OSError:
            return b""
