"""The home of a node: a folder with its keys, settings, genesis and data."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from node.chain.genesis import Genesis, parse_genesis
from node.crypto.keyfile import node_key_file, parse_node_key_file
from node.crypto.signing import PrivateKey
from node.errors import OperatorError, Rejected
from node.file_lock import FileLock
from node.storage.lost_blocks import SIGNING_STATE

KEY_NAMES = ("consensus", "node", "account")


@dataclass(frozen=True)
class Home:
    """Paths in a home."""

    path: Path

    @property
    def config(self) -> Path:
        return self.path / "config.toml"

    @property
    def genesis(self) -> Path:
        return self.path / "genesis.json"

    @property
    def store(self) -> Path:
        return self.path / "data" / "store"

    @property
    def tree_file(self) -> Path:
        return self.path / "data" / "tree"

    @property
    def snapshots(self) -> Path:
        return self.path / "data" / "snapshots"

    @property
    def incoming(self) -> Path:
        """The store that is being made from a snapshot."""
        return self.path / "data" / "store.incoming"

    @property
    def journal(self) -> Path:
        return self.path / "data" / "journal"

    @property
    def hard_state(self) -> Path:
        return self.path / "data" / SIGNING_STATE

    @property
    def next_hard_state(self) -> Path:
        """The mark of the next consensus key, that it has signed nothing."""
        return self.path / "data" / "signing-next.state"

    @property
    def signer_socket(self) -> Path:
        return self.path / "data" / "signer.sock"

    @property
    def admin_socket(self) -> Path:
        return self.path / "data" / "admin.sock"

    def key_file(self, purpose: str) -> Path:
        return self.path / "keys" / f"{purpose}.json"

    def hold_signing(self) -> FileLock:
        """Be the only process that signs with this home or changes its signing state: two processes with one hard state
        would each know only their own signatures. Raises `Busy`."""
        return FileLock(self.path / "data" / "signing.lock", f"signs with the key of {self.path}")

    def make(self) -> None:
        for folder in (self.path, self.path / "keys", self.path / "data"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def check(self) -> None:
        """Raises `OperatorError` where this is not a home."""
        if not self.config.exists():
            raise OperatorError(f"{self.path} is no node's home: make one with 'bmw-node init {self.path}'")

    def read_genesis(self) -> Genesis:
        try:
            return parse_genesis(self.genesis.read_bytes())
        except OSError as error:
            raise OperatorError(
                f"the genesis file {self.genesis} can't be read ({error.strerror}): copy the network's genesis there"
            ) from None
        except Rejected as error:
            raise OperatorError(f"{self.genesis}: {error}") from None

    def write_key(self, purpose: str, key: PrivateKey) -> None:
        """Mode 0600 from the first byte; an existing key is never overwritten."""
        path = self.key_file(purpose)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise OperatorError(f"{path} exists already: keys are never overwritten; use another folder") from None
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(node_key_file(key))
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            path.unlink()
            raise

    def read_key(self, purpose: str) -> PrivateKey:
        path = self.key_file(purpose)
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
            if mode & 0o077:
                raise OperatorError(f"{path} can be read by others (mode {mode:04o}): run 'chmod 600 {path}'")
            return parse_node_key_file(path.read_bytes())
        except OSError as error:
            raise OperatorError(
                f"the key file {path} can't be read ({error.strerror}): restore it from its backup"
            ) from None
        except Rejected as error:
            raise OperatorError(f"{path}: {error}: restore it from its backup") from None
