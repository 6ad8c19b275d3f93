"""Account keys on disk: `HOME/keys/NAME.json`, sealed (`node.crypto.keyfile`), directory 0700, files 0600.

A backup is 24 words of BIP 39 (English). Their 32 bytes of entropy ARE the Ed25519 seed: no PBKDF2, no derivation
path, no BIP 39 passphrase. So the words restore the key with any BIP 39 word list and any Ed25519 library.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from mnemonic import Mnemonic

from node.crypto.dev_keys import dev_key
from node.crypto.keyfile import (
    KEY_FILE_BYTES_MAX,
    NONCE_BYTES,
    SALT_BYTES,
    SCRYPT_N,
    KeyInfo,
    is_key_name,
    key_info,
    open_key,
    seal_key,
)
from node.crypto.signing import PrivateKey
from node.errors import OperatorError, Rejected

__all__ = ["KeyInfo", "Keystore", "words_of", "seed_of"]

MNEMONIC_WORDS: Final = 24
_SUFFIX: Final = ".json"
_BIP39 = Mnemonic("english")


def words_of(seed: bytes) -> str:
    """24 words with single spaces between them, the backup of a 32-byte seed."""
    assert len(seed) == 32, "a seed has 32 bytes"
    return _BIP39.to_mnemonic(seed)


def seed_of(words: str) -> bytes:
    """32 bytes. White space and case are free. Raises `OperatorError`, which never repeats a word: it may be logged."""
    typed = words.lower().split()
    if len(typed) != MNEMONIC_WORDS:
        raise OperatorError(f"the backup has {MNEMONIC_WORDS} words and {len(typed)} were given: give all of them")
    for place, word in enumerate(typed, start=1):
        if word not in _BIP39.wordlist:
            raise OperatorError(f"word {place} is not in the English BIP 39 list: compare its spelling with the backup")
    try:
        return bytes(_BIP39.to_entropy(typed))
    except ValueError:
        raise OperatorError("the words do not fit together: compare each and their order with the backup") from None


class Keystore:
    """The keys of one wallet home. Existing names are never overwritten, also not by two processes at once.

    Passphrases come from `wallet.passphrase`, which judges them; here any is taken. `scrypt_n` is for new files.
    """

    def __init__(self, home: Path, scrypt_n: int = SCRYPT_N) -> None:
        self._home = home
        self._directory = home / "keys"
        self._scrypt_n = scrypt_n

    def create(self, name: str, passphrase: str) -> tuple[PrivateKey, str]:
        """A new random key, stored, and its 24 words, which are kept nowhere."""
        key = self.import_seed(name, secrets.token_bytes(32), passphrase)
        return key, words_of(key.seed())

    def import_mnemonic(self, name: str, words: str, passphrase: str) -> PrivateKey:
        """The key of a backup's 24 words."""
        return self.import_seed(name, seed_of(words), passphrase)

    def import_seed(self, name: str, seed: bytes, passphrase: str) -> PrivateKey:
        """The key of 32 secret bytes."""
        if len(seed) != 32:
            raise OperatorError(f"a seed has 32 bytes and this one {len(seed)}: give all 64 hex digits")
        return self._add(name, PrivateKey(seed), passphrase)

    def import_dev(self, name: str, passphrase: str) -> PrivateKey:
        """The development network's account key of that name, which anybody can compute."""
        return self._add(name, dev_key("account", name), passphrase)

    def import_file(self, name: str, data: bytes, passphrase: str) -> PrivateKey:
        """A sealed key file from elsewhere, sealed again under `name` with the same passphrase.

        Raises `Malformed`, `TooLarge` or `WrongPassphrase` for the file, `OperatorError` for the name.
        """
        self._check_free(name)
        return self._add(name, open_key(data, passphrase), passphrase)

    def export_file(self, name: str) -> bytes:
        """The sealed file as it is."""
        return self._read(name)[0]

    def list(self) -> list[KeyInfo]:
        """All keys by name. Other files in the directory are passed over; a broken key file is an `OperatorError`."""
        try:
            files = os.listdir(self._directory)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _failed("read", self._directory, error) from None
        names = [file.removesuffix(_SUFFIX) for file in files if file.endswith(_SUFFIX)]
        return [self._read(name)[1] for name in sorted(names) if is_key_name(name)]

    def has(self, name: str) -> bool:
        """Whether there is a key of that name, be it one that can't be read."""
        return is_key_name(name) and os.path.lexists(self._path(name))

    def info(self, name: str) -> KeyInfo:
        """One key without its passphrase."""
        return self._read(name)[1]

    def open(self, name: str, passphrase: str) -> PrivateKey:
        """Raises `WrongPassphrase`, or `OperatorError` naming the mend."""
        data, _ = self._read(name)
        try:
            return open_key(data, passphrase)
        except Rejected as error:
            raise _broken(self._path(name), error) from None

    def delete(self, name: str) -> None:
        """For good, unless there is a backup. Takes no passphrase: whoever forgot it may delete, too."""
        path = self._path(name)
        if not os.path.lexists(path):
            raise self._missing(name)
        with self._locked() as directory:
            try:
                os.unlink(path)
                os.fsync(directory)
            except FileNotFoundError:
                raise self._missing(name) from None
            except OSError as error:
                raise _failed("delete", path, error) from None

    def _path(self, name: str) -> Path:
        if not is_key_name(name):
            raise OperatorError(
                f"{name[:60]!r} cannot be the name of a key: take 1 to 40 of a-z, 0-9, '.', '_', '-', "
                "with a letter or a digit first"
            )
        return self._directory / (name + _SUFFIX)

    def _missing(self, name: str) -> OperatorError:
        return OperatorError(
            f"there is no key {name} in {self._directory}: `bmw-wallet key list` shows those there are"
        )

    def _check_free(self, name: str) -> None:
        path = self._path(name)
        if os.path.lexists(path):
            raise OperatorError(
                f"there is a key {name} already ({path}): choose another name, or delete that key first"
            )

    def _add(self, name: str, key: PrivateKey, passphrase: str) -> PrivateKey:
        self._check_free(name)  # early, because sealing takes its time; it counts under the lock
        salt, nonce = secrets.token_bytes(SALT_BYTES), secrets.token_bytes(NONCE_BYTES)
        data = seal_key(key, name, passphrase, salt, nonce, self._scrypt_n)
        with self._locked() as directory:
            self._check_free(name)
            self._write(self._path(name), data, directory)
        return key

    def _write(self, path: Path, data: bytes, directory: int) -> None:
        """All of `data` under the name or nothing, whenever the power fails. The caller holds the lock."""
        temporary = path.with_name(f".{path.name}.tmp")
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)  # of a process that was killed right here
            try:
                handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
                with os.fdopen(handle, "wb") as stream:
                    stream.write(data)
                    stream.flush()
                    os.fsync(handle)
                os.rename(temporary, path)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(temporary)
                raise
            os.fsync(directory)
        except OSError as error:
            raise _failed("write", path, error) from None

    def _read(self, name: str) -> tuple[bytes, KeyInfo]:
        path = self._path(name)
        try:
            # O_NONBLOCK: opening a pipe that bears a key's name must not hang.
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            with os.fdopen(handle, "rb") as stream:
                status = os.fstat(handle)
                if not stat.S_ISREG(status.st_mode):
                    raise OperatorError(f"{path} is not a file: move it out of the way")
                _check_private(path, status, "600")
                data = stream.read(KEY_FILE_BYTES_MAX + 1)
        except FileNotFoundError:
            raise self._missing(name) from None
        except OSError as error:
            raise _failed("read", path, error) from None
        try:
            info = key_info(data)
        except Rejected as error:
            raise _broken(path, error) from None
        if info.name != name:
            raise OperatorError(f"{path} holds the key {info.name}: rename the file to {info.name}{_SUFFIX}")
        return data, info

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int]:
        """The key directory, made where it is missing, open for fsync and locked against other writers."""
        try:
            self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self._directory.exists():
                self._directory.mkdir(mode=0o700, exist_ok=True)
                _sync_directory(self._home)
            handle = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise _failed("open", self._directory, error) from None
        try:
            _check_private(self._directory, os.fstat(handle), "700")
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield handle
        finally:
            os.close(handle)


def _check_private(path: Path, status: os.stat_result, mode: str) -> None:
    if status.st_mode & 0o077:
        raise OperatorError(
            f"{path} has mode {stat.S_IMODE(status.st_mode):04o}, so that others can get at your keys: "
            f"run `chmod {mode} {shlex.quote(str(path))}`"
        )


def _sync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _failed(verb: str, path: Path, error: OSError) -> OperatorError:
    mend = "make room on the disk" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "check the path and its owner"
    return OperatorError(f"cannot {verb} {path} ({error.strerror}): {mend}")


def _broken(path: Path, error: Rejected) -> OperatorError:
    return OperatorError(
        f"{path} is broken ({error}): move it aside, then restore the key from a backup or its 24 words"
    )
