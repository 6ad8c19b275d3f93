"""Account keys on disk: `HOME/keys/NAME.json`, sealed (`node.crypto.keyfile`), directory 0700, files 0600.

A backup is 24 English words of BIP 39. Their 32 bytes of entropy are the Ed25519 seed itself: no PBKDF2, no derivation
path, no BIP 39 passphrase. So the words restore the key with any BIP 39 word list and any Ed25519 library.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from mnemonic import Mnemonic

from node.crypto import keyfile
from node.crypto.keyfile import KeyInfo, is_key_name
from node.crypto.signing import PrivateKey
from node.errors import OperatorError, Rejected
from wallet.files import failed, write_file

MNEMONIC_WORDS: Final = 24
_SUFFIX: Final = ".json"
_BIP39 = Mnemonic("english")


def words_of(seed: bytes) -> str:
    """The backup of a 32-byte seed: 24 words, separated by single spaces."""
    assert len(seed) == 32, "a seed has 32 bytes"
    return _BIP39.to_mnemonic(seed)


def seed_of(words: str) -> bytes:
    """The 32-byte seed of a backup, in any case and spacing. Raises `OperatorError` that repeats no word."""
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
    """The keys of one wallet home. An existing key is never overwritten, not even by two processes at once. Any
    passphrase is accepted: `wallet.session` checks its length. `scrypt_n` is for new files."""

    def __init__(self, home: Path, scrypt_n: int = keyfile.SCRYPT_N) -> None:
        self._home = home
        self._directory = home / "keys"
        self._scrypt_n = scrypt_n

    def create(self, name: str, passphrase: str) -> tuple[PrivateKey, str]:
        """Store a new random key. Returns it with its 24 words, which are not stored."""
        key = self.import_seed(name, secrets.token_bytes(32), passphrase)
        return key, words_of(key.seed())

    def import_seed(self, name: str, seed: bytes, passphrase: str) -> PrivateKey:
        """Store the key of 32 secret bytes."""
        if len(seed) != 32:
            raise OperatorError(f"a seed has 32 bytes and this one {len(seed)}: give all 64 hex digits")
        self._check_free(name)  # early, because sealing is slow; the check under the lock is the one that counts
        key = PrivateKey(seed)
        salt, nonce = secrets.token_bytes(keyfile.SALT_BYTES), secrets.token_bytes(keyfile.NONCE_BYTES)
        data = keyfile.seal_key(key, name, passphrase, salt, nonce, self._scrypt_n)
        with self._locked() as directory:
            self._check_free(name)
            try:
                for left in self._directory.glob(f".{name}{_SUFFIX}.*.tmp"):
                    left.unlink()  # of a process that was killed
                write_file(self._path(name), data)
                os.fsync(directory)  # the name survives a power failure too
            except OSError as error:
                raise failed("write", self._path(name), error) from None
        return key

    def import_file(self, name: str, data: bytes, passphrase: str) -> PrivateKey:
        """Store the key of a sealed key file, sealed again as `name` with the same passphrase. Raises `Malformed`,
        `TooLarge` or `WrongPassphrase` for the file, `OperatorError` for the name."""
        self._check_free(name)
        return self.import_seed(name, keyfile.open_key(data, passphrase).seed(), passphrase)

    def export_file(self, name: str) -> bytes:
        """The bytes of the sealed file."""
        return self._read(name)[0]

    def list(self) -> list[KeyInfo]:
        """All keys in order of name. Skips other files. Raises `OperatorError` for a broken key file."""
        try:
            files = os.listdir(self._directory)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise failed("read", self._directory, error) from None
        names = [file.removesuffix(_SUFFIX) for file in files if file.endswith(_SUFFIX)]
        return [self._read(name)[1] for name in sorted(names) if is_key_name(name)]

    def has(self, name: str) -> bool:
        """Whether there is a key of that name, readable or not."""
        return is_key_name(name) and os.path.lexists(self._path(name))

    def info(self, name: str) -> KeyInfo:
        """Name, address and public key; needs no passphrase. Raises `OperatorError`."""
        return self._read(name)[1]

    def open(self, name: str, passphrase: str) -> PrivateKey:
        """The decrypted key. Raises `WrongPassphrase` or `OperatorError`."""
        data, _ = self._read(name)
        try:
            return keyfile.open_key(data, passphrase)
        except Rejected as error:
            raise _broken(self._path(name), error) from None

    def delete(self, name: str) -> None:
        """Delete a key file. Needs no passphrase, so that a key whose passphrase is lost can be deleted."""
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
                raise failed("delete", path, error) from None

    def _path(self, name: str) -> Path:
        if not is_key_name(name):
            raise OperatorError(
                f"{name[:60]!r} cannot be the name of a key: take 1 to 40 of a-z, 0-9, '.', '_', '-', "
                "with a letter or a digit first"
            )
        return self._directory / (name + _SUFFIX)

    def _missing(self, name: str) -> OperatorError:
        return OperatorError(f"there is no key {name} in {self._directory}: `bmw-wallet key list` shows all names")

    def _check_free(self, name: str) -> None:
        path = self._path(name)
        if os.path.lexists(path):
            raise OperatorError(f"there is a key {name} already ({path}): choose another name, or delete it first")

    def _read(self, name: str) -> tuple[bytes, KeyInfo]:
        path = self._path(name)
        try:
            # O_NONBLOCK: opening a pipe with a key's name must not block.
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            with os.fdopen(handle, "rb") as stream:
                status = os.fstat(handle)
                if not stat.S_ISREG(status.st_mode):
                    raise OperatorError(f"{path} is not a file: move it out of the way")
                _check_private(path, status, "600")
                data = stream.read(keyfile.KEY_FILE_BYTES_MAX + 1)
        except FileNotFoundError:
            raise self._missing(name) from None
        except OSError as error:
            raise failed("read", path, error) from None
        try:
            info = keyfile.key_info(data)
        except Rejected as error:
            raise _broken(path, error) from None
        if info.name != name:
            raise OperatorError(f"{path} holds the key {info.name}: rename the file to {info.name}{_SUFFIX}")
        return data, info

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int]:
        """The descriptor of the key directory, which is created if missing and locked against other writers."""
        with contextlib.ExitStack() as stack:
            try:
                self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
                if not self._directory.exists():
                    self._directory.mkdir(mode=0o700, exist_ok=True)
                    os.fsync(_open_directory(self._home, stack))
                handle = _open_directory(self._directory, stack)
            except OSError as error:
                raise failed("open", self._directory, error) from None
            _check_private(self._directory, os.fstat(handle), "700")
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield handle


def _open_directory(path: Path, stack: contextlib.ExitStack) -> int:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    stack.callback(os.close, handle)
    return handle


def _check_private(path: Path, status: os.stat_result, mode: str) -> None:
    if status.st_mode & 0o077:
        raise OperatorError(
            f"{path} has mode {stat.S_IMODE(status.st_mode):04o}, so others can read or replace your keys: "
            f"run `chmod {mode} {shlex.quote(str(path))}`"
        )


def _broken(path: Path, error: Rejected) -> OperatorError:
    return OperatorError(f"{path} is broken ({error}): move it, then restore the key from a backup or its 24 words")
