"""Store folders as a whole: keeping others out, reading one without changing it, exchanging one for another.

    store                        the node's
    store.reading                links and copies, while a command reads a store that must stay as it is
    store.rebuilt                being made; whole once it holds the file REBUILT, which says what for
    store.before-<why>           the old one after an exchange
    store.unwanted               the old one that nobody asked to keep: the next start removes it

The exchange is one system call where the system has it (Linux); elsewhere two renames, between which a node that
starts brings the new store in.
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
from pathlib import Path

import msgspec

from node.errors import Busy, OperatorError
from node.storage.leveldb import HOLDER_FILE

MARKER = "REBUILT"
SNAPSHOT = "snapshot"
"""In place of a command, where a snapshot takes the store's place."""
TABLES = (".ldb", ".sst")
"""LevelDB never changes these once they are written, so a link is as good as a copy."""
LEFT_OUT = ("LOCK", HOLDER_FILE, "LOG", "LOG.old", MARKER)
_RENAME_EXCHANGE = 2
_AT_FDCWD = -100


class Rebuilt(msgspec.Struct, frozen=True):
    """What a whole rebuilt store is for; stands in its folder until the exchange is over."""

    command: str
    before: int
    """Height of the store that it takes the place of."""
    height: int
    kept_as: str
    """Name that the old store gets."""


def rebuilt_folder(store: Path) -> Path:
    return store.with_name(store.name + ".rebuilt")


def bytes_in(folder: Path) -> int:
    """Size of all files."""
    return sum(entry.stat().st_size for entry in folder.iterdir() if entry.is_file())


# --- who else ---------------------------------------------------------------------------------------------
@contextlib.contextmanager
def repairing(store: Path) -> Iterator[None]:
    """One at a time that makes stores beside each other in a folder. Raises `Busy`."""
    with _held(store.parent, f"a repair or a beginning node is at work in {store.parent}: wait until it has ended"):
        yield


@contextlib.contextmanager
def _held(folder: Path, else_: str) -> Iterator[None]:
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise OperatorError(f"{folder} can't be opened ({error.strerror}): check the path") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Busy(else_) from None
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked(store: Path) -> Iterator[None]:
    """No node can open the store within. Raises `Busy` where one has it open."""
    try:
        descriptor = os.open(store / "LOCK", os.O_RDONLY)
    except FileNotFoundError:
        descriptor = -1  # nobody has ever opened it as a store: a copy
    except OSError as error:
        raise OperatorError(f"{store / 'LOCK'} can't be read ({error.strerror}): check its owner and mode") from None
    try:
        if descriptor >= 0:
            _lock(descriptor, store)
        yield
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def _lock(descriptor: int, store: Path) -> None:
    """A read lock of the kind that LevelDB's own conflicts with; it belongs to the descriptor, not the process."""
    flock = struct.pack("hhqqi4x", fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0)
    try:
        fcntl.fcntl(descriptor, getattr(fcntl, "F_OFD_SETLK", fcntl.F_SETLK), flock)
    except OSError:
        try:
            holder = f"process {int((store / HOLDER_FILE).read_text())}"
        except (OSError, ValueError):
            holder = "another process"
        raise Busy(f"the store in {store} is in use by {holder}: stop that node first") from None


# --- reading without a trace ------------------------------------------------------------------------------
@contextlib.contextmanager
def reading(store: Path) -> Iterator[Path]:
    """A folder with the store's content: opening a store changes its files, so the original is not opened.

    Raises `Busy` where it is in use and `OperatorError` where it can't be read.
    """
    if not (store / "CURRENT").is_file():
        raise OperatorError(f"there is no store in {store}: check the path, or make one with 'bmw-node start'")
    place = store.with_name(store.name + ".reading")
    copy = place / "copy"
    why = f"the store in {store} can't be read by way of {place}"
    try:
        place.mkdir(exist_ok=True)
    except OSError as error:
        raise OperatorError(f"{why} ({error.strerror}): check owner and free space") from None
    with _held(place, f"another command reads the store by way of {place}: wait until it has ended"):
        shutil.rmtree(copy, ignore_errors=True)
        try:
            with repairing(store), locked(store):
                copy.mkdir(parents=True)
                for entry in sorted(store.iterdir()):
                    if entry.is_file() and entry.name not in LEFT_OUT:
                        _linked(entry, copy / entry.name)
            yield copy
        except OSError as error:
            raise OperatorError(f"{why} ({error.strerror}): check owner and free space") from None
        finally:
            shutil.rmtree(place, ignore_errors=True)


def _linked(entry: Path, target: Path) -> None:
    if entry.suffix in TABLES:
        with contextlib.suppress(OSError):  # a file system without links, or another's file
            os.link(entry, target)
            return
    shutil.copyfile(entry, target)


# --- the exchange -----------------------------------------------------------------------------------------
def unwanted_folder(store: Path) -> Path:
    return store.with_name(store.name + ".unwanted")


def kept_name(store: Path, why: str) -> str:
    """The first free name for the old store."""
    name = f"{store.name}.before-{why}"
    number = 1
    while store.with_name(name if number == 1 else f"{name}-{number}").exists():
        number += 1
    return name if number == 1 else f"{name}-{number}"


def finish_rebuilt(folder: Path, purpose: Rebuilt) -> None:
    """Everything in the folder reaches the disk, then the file that says that it is whole."""
    for entry in folder.iterdir():
        _sync(entry)
    marker = folder / MARKER
    marker.write_bytes(msgspec.json.encode(purpose))
    _sync(marker)
    _sync(folder)
    _sync(folder.parent)


def exchange(store: Path) -> Path:
    """Put the whole rebuilt store in the store's place; returns where the old one is now. Raises `Busy`."""
    rebuilt = rebuilt_folder(store)
    purpose = marked(rebuilt)
    assert purpose is not None, "only a whole store is put in place"
    kept = store.with_name(purpose.kept_as)
    with locked(store):
        if not _swap(store, rebuilt):
            os.rename(store, kept)
        settle(store)
    return kept


def _swap(one: Path, other: Path) -> bool:
    """Exchange two names at once; False where the system can't."""
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        return False
    if call(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EXDEV):
        return False
    raise OSError(number, os.strerror(number), str(one))


def settle(store: Path) -> Rebuilt | None:
    """Finish an exchange that was begun, wherever it was broken off; what it was for, None where there was none.

    A rebuilt store whose exchange had not begun stays as it is.
    """
    rebuilt = rebuilt_folder(store)
    if not store.exists() and marked(rebuilt) is not None:
        os.rename(rebuilt, store)
    purpose = marked(store) if store.exists() else None
    if purpose is None:
        return None
    _sync(store.parent)
    if rebuilt.exists():
        os.rename(rebuilt, store.with_name(purpose.kept_as))
        _sync(store.parent)
    (store / MARKER).unlink(missing_ok=True)
    return purpose


def drop_unfinished(store: Path) -> None:
    """Give back the room of what was killed before its store was whole or in place, or before the old one was gone. The
    caller has the store open, and no snapshot is being put in place."""
    shutil.rmtree(unwanted_folder(store), ignore_errors=True)
    rebuilt = rebuilt_folder(store)
    purpose = marked(rebuilt)
    if purpose is None or purpose.command == SNAPSHOT:  # what a repair has finished may be about to be put in place
        shutil.rmtree(rebuilt, ignore_errors=True)


def marked(folder: Path) -> Rebuilt | None:
    """What a whole rebuilt store is for; None for any other."""
    try:
        return msgspec.json.decode((folder / MARKER).read_bytes(), type=Rebuilt)
    except (OSError, msgspec.MsgspecError):
        return None


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
