"""Store directories: locking one, reading one without changing it, exchanging one for another.

    store                        the node's store
    store.reading                links and copies, while a command reads a store that must not change
    store.rebuilt                a new store; whole once it has the file REBUILT, which states its purpose
    store.before-<why>           the old store after an exchange
    store.unwanted               an old store that is not to be kept: the next start removes it

On Linux the exchange is one system call; elsewhere it is two renames, and a node that starts between them finishes it.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import shutil
import struct
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import msgspec

from node.errors import Busy, OperatorError
from node.storage.leveldb import HOLDER_FILE, in_use

MARKER = "REBUILT"
SNAPSHOT = "snapshot"
"""`Rebuilt.command` of a store that was made from a snapshot."""
TABLES = (".ldb", ".sst")
"""LevelDB never changes these files once they are written, so a link is as good as a copy."""
LEFT_OUT = ("LOCK", HOLDER_FILE, "LOG", "LOG.old", MARKER)
_RENAME_EXCHANGE, _AT_FDCWD = 2, -100


class Rebuilt(msgspec.Struct, frozen=True):
    """The purpose of a whole rebuilt store; the marker file in its folder until the exchange is over."""

    command: str
    before: int
    """Height of the old store."""
    height: int
    kept_as: str
    """Name of the old store after the exchange."""


def rebuilt_folder(store: Path) -> Path:
    return store.with_name(store.name + ".rebuilt")


def bytes_in(folder: Path) -> int:
    """Total size of the files."""
    return sum(entry.stat().st_size for entry in folder.iterdir() if entry.is_file())


# --- locks ------------------------------------------------------------------------------------------------
def repairing(store: Path) -> contextlib.AbstractContextManager[None]:
    """Lock the folder of a store against other commands that make stores in it. Raises `Busy`."""
    return folder_locked(store.parent, f"a repair or a starting node is at work in {store.parent}: wait until it ends")


@contextlib.contextmanager
def folder_locked(folder: Path, busy: str) -> Iterator[None]:
    """Lock a folder against other commands. Raises `Busy` with the text `busy`."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise OperatorError(f"{folder} can't be opened ({error.strerror}): check the path") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Busy(busy) from None
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked(store: Path) -> Iterator[None]:
    """Keep every node from opening the store. Raises `Busy` where a node has it open."""
    try:
        descriptor = os.open(store / "LOCK", os.O_RDONLY)
    except FileNotFoundError:  # a copy that was never opened as a store
        yield
        return
    except OSError as error:
        raise OperatorError(f"{store / 'LOCK'} can't be read ({error.strerror}): check its owner and mode") from None
    # A read lock conflicts with LevelDB's own; an OFD lock belongs to the descriptor, not to the process.
    flock = struct.pack("hhqqi4x", fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0)
    try:
        try:
            fcntl.fcntl(descriptor, getattr(fcntl, "F_OFD_SETLK", fcntl.F_SETLK), flock)
        except OSError:
            raise in_use(store) from None
        yield
    finally:
        os.close(descriptor)


# --- reading without a trace ------------------------------------------------------------------------------
@contextlib.contextmanager
def reading(store: Path) -> Iterator[Path]:
    """A folder with links to and copies of the store's files: opening the store itself would change it. Raises `Busy`
    where the store is in use and `OperatorError` where it can't be read."""
    if not (store / "CURRENT").is_file():
        raise OperatorError(f"there is no store in {store}: check the path, or make one with 'bmw-node start'")
    place = store.with_name(store.name + ".reading")
    copy = place / "copy"
    try:
        place.mkdir(exist_ok=True)
        with folder_locked(place, f"another command reads the store by way of {place}: wait until it ends"):
            try:
                shutil.rmtree(copy, ignore_errors=True)
                with repairing(store), locked(store):
                    copy.mkdir(parents=True)
                    for entry in sorted(store.iterdir()):
                        if entry.is_file() and entry.name not in LEFT_OUT:
                            link_or_copy(entry, copy / entry.name)
                yield copy
            finally:
                shutil.rmtree(place, ignore_errors=True)
    except OSError as error:
        raise OperatorError(
            f"the store in {store} can't be read by way of {place} ({error.strerror}): check owner and free space"
        ) from None


def link_or_copy(entry: Path, target: Path) -> None:
    """Link a table, which never changes; copy any other file of a store."""
    if entry.suffix in TABLES:
        with contextlib.suppress(OSError):  # a file system without links, or a file of another owner
            os.link(entry, target)
            return
    shutil.copyfile(entry, target)


# --- the exchange -----------------------------------------------------------------------------------------
def unwanted_folder(store: Path) -> Path:
    return store.with_name(store.name + ".unwanted")


def kept_name(store: Path, why: str) -> str:
    """The first free name for the old store."""
    names = (f"{store.name}.before-{why}{'' if number == 1 else f'-{number}'}" for number in count(1))
    return next(name for name in names if not store.with_name(name).exists())


def finish_rebuilt(folder: Path, purpose: Rebuilt) -> None:
    """Sync every file of the folder, then write the marker that states that it is whole."""
    for entry in folder.iterdir():
        sync(entry)
    marker = folder / MARKER
    marker.write_bytes(msgspec.json.encode(purpose))
    sync(marker)
    sync(folder)
    sync(folder.parent)


def exchange(store: Path) -> Path:
    """Replace the store by the whole rebuilt one; returns the new path of the old one. Raises `Busy`."""
    rebuilt = rebuilt_folder(store)
    purpose = marked(rebuilt)
    assert purpose is not None, "the rebuilt store is whole"
    kept = store.with_name(purpose.kept_as)
    with locked(store):
        if not _swap(store, rebuilt):
            os.rename(store, kept)
        settle(store)
    return kept


def _swap(one: Path, other: Path) -> bool:
    """Exchange two names in one system call; False where the system has no such call."""
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None or call(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return call is not None
    number = ctypes.get_errno()
    if number in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EXDEV):
        return False
    raise OSError(number, os.strerror(number), str(one))


def settle(store: Path) -> Rebuilt | None:
    """Finish an exchange that has begun and was interrupted; returns its purpose, None where there was none."""
    rebuilt = rebuilt_folder(store)
    if not store.exists() and marked(rebuilt) is not None:
        os.rename(rebuilt, store)
    purpose = marked(store) if store.exists() else None
    if purpose is None:
        return None
    sync(store.parent)
    if rebuilt.exists():
        os.rename(rebuilt, store.with_name(purpose.kept_as))
        sync(store.parent)
    (store / MARKER).unlink(missing_ok=True)
    return purpose


def drop_unfinished(store: Path) -> None:
    """Remove the remains of interrupted commands: unfinished stores, and old ones that are not to be kept. The caller
    has the store open, and no snapshot is about to replace it."""
    shutil.rmtree(unwanted_folder(store), ignore_errors=True)
    rebuilt = rebuilt_folder(store)
    purpose = marked(rebuilt)
    if purpose is None or purpose.command == SNAPSHOT:  # a repair may be about to exchange a finished one
        shutil.rmtree(rebuilt, ignore_errors=True)


def marked(folder: Path) -> Rebuilt | None:
    """The purpose of a whole rebuilt store; None for any other."""
    try:
        return msgspec.json.decode((folder / MARKER).read_bytes(), type=Rebuilt)
    except (OSError, msgspec.MsgspecError):
        return None


def sync(path: Path) -> None:
    """Sync a file or a directory to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
