"""The snapshots of a node: cut while the chain runs, kept in its home, served to peers."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

from node.codec import encode
from node.errors import Corrupted, OperatorError, Rejected
from node.log import log
from node.p2p.wire import Chunk, GetChunk, GetOffer, GetValidators, OfferMessage, SnapshotMessage, ValidatorsMessage
from node.storage.chain_store import ChainStore
from node.storage.kv import KeyValue
from node.storage.snapshot import Offer, cut_snapshot, decode_offer, manifest_id

KEPT = 2
"""Snapshots in the home: the newest, and the one before it, which a peer may still be fetching."""


class SnapshotServer:
    """`data/snapshots/<height>/`: `offer` and one file for each chunk. A folder with that name is complete."""

    def __init__(self, folder: Path, store: ChainStore, interval: int) -> None:
        self._folder = folder
        self._store = store
        self._interval = interval
        self._cutting: asyncio.Task[None] | None = None
        self._offers: dict[bytes, Path] = {}
        self._newest: Offer | None = None
        for path in self._folders() if interval else []:
            self._add_offer(path)

    def _folders(self) -> list[Path]:
        if not self._folder.exists():
            return []
        for path in self._folder.glob("*.partial"):
            shutil.rmtree(path, ignore_errors=True)
        return sorted((path for path in self._folder.iterdir() if path.name.isdigit()), key=lambda path: int(path.name))

    def _add_offer(self, path: Path) -> None:
        try:
            offer = decode_offer((path / "offer").read_bytes())
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

    # --- cutting ---
    def committed(self, height: int) -> None:
        """Cut a snapshot if one is due: of the store at this moment, in a thread."""
        if self._interval and height % self._interval == 0 and (self._cutting is None or self._cutting.done()):
            self._cutting = asyncio.create_task(self._cut(height, self._store.kv.snapshot()))

    async def _cut(self, height: int, view: KeyValue) -> None:
        try:
            offer = await asyncio.to_thread(self._write, height, view)
        except (OSError, Corrupted, OperatorError) as error:
            log("snapshot_failed", "error", {"height": height, "why": str(error)})
            return
        finally:
            view.close()
        self._add_offer(self._folder / str(height))
        for path in self._folders()[:-KEPT]:
            self._offers = {ident: kept for ident, kept in self._offers.items() if kept != path}
            await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)
        log("snapshot", "info", {"height": height, "chunks": len(offer.manifest.chunks),
                                 "entries": offer.manifest.entries})  # fmt: skip

    def _write(self, height: int, view: KeyValue) -> Offer:
        partial, final = self._folder / f"{height}.partial", self._folder / str(height)
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(final, ignore_errors=True)
        partial.mkdir(parents=True)

        def write_chunk(index: int, data: bytes) -> None:
            _write_synced(partial / f"{index:05d}", data)

        try:
            offer = cut_snapshot(view, self._store.genesis_hash, write_chunk)
            _write_synced(partial / "offer", encode(offer))
            partial.rename(final)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        return offer

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
            return (path / f"{index:05d}").read_bytes()
        except OSError:
            return b""


def _write_synced(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
