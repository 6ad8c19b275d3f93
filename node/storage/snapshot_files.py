"""Snapshots in a folder: `<height>/` with `offer` and one numbered file for each chunk. A folder with that name is
complete. Whoever reads one trusts nothing in it, see `snapshot`."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from node.chain.genesis import Genesis
from node.codec import encode
from node.errors import Malformed
from node.storage.kv import KeyValue
from node.storage.snapshot import Offer, Restore, cut_snapshot, decode_offer

PARTIAL = ".partial"
"""The end of the name of a folder that is being written."""
_OFFER = "offer"


def snapshots_in(folder: Path) -> dict[int, Path]:
    """The complete snapshots by height, ascending; none where there is no such folder."""
    found = {int(path.name): path for path in folder.iterdir() if path.name.isdecimal()} if folder.is_dir() else {}
    return dict(sorted(found.items()))


def write_snapshot(folder: Path, height: int, view: KeyValue, genesis_hash: bytes) -> Offer:
    """Write the snapshot of `view` at its head, which is `height`. It replaces an older one of that height."""
    partial, final = folder / f"{height}{PARTIAL}", folder / str(height)
    shutil.rmtree(partial, ignore_errors=True)
    shutil.rmtree(final, ignore_errors=True)
    partial.mkdir(parents=True)

    def write_chunk(index: int, data: bytes) -> None:
        _write_synced(_chunk(partial, index), data)

    try:
        offer = cut_snapshot(view, genesis_hash, write_chunk)
        _write_synced(partial / _OFFER, encode(offer))
        partial.rename(final)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return offer


def read_offer(snapshot: Path) -> Offer:
    """Raises OSError and `Rejected`."""
    return decode_offer((snapshot / _OFFER).read_bytes())


def read_chunk(snapshot: Path, index: int) -> bytes:
    """Raises OSError."""
    return _chunk(snapshot, index).read_bytes()


def restore_snapshot(snapshot: Path, offer: Offer, kv: KeyValue, genesis: Genesis) -> None:
    """Make `kv`, which is empty, the store of the snapshot's height. `offer` has passed `check_offer`. Raises
    `Rejected` where the content does not lead to the offer's header."""
    restore = Restore(kv, genesis, offer)
    for index in range(len(offer.manifest.chunks)):
        try:
            data = read_chunk(snapshot, index)
        except OSError as error:
            raise Malformed(f"chunk {index} can't be read: {error.strerror}") from None
        restore.add(data)
    restore.finish()


def _chunk(snapshot: Path, index: int) -> Path:
    return snapshot / f"{index:05d}"


def _write_synced(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
