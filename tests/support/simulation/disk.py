"""What a power cut leaves: a store, a hard state and a journal whose last write happened as a whole or not at all."""

from __future__ import annotations

from collections.abc import Callable

from node.codec import encode
from node.consensus.safety import HardState, NeverSigned, SignedVote, decode_hard_state
from node.storage.journal import Journal
from node.storage.memory import MemoryStore


class PowerCut(BaseException):
    """The machine is gone between two instructions. No code may catch it: not an `Exception`."""


class SyncedStore(MemoryStore):
    """The production memory store; every batch passes the disk's fuse."""

    def __init__(self, disk: Disk, entries: dict[bytes, bytes] | None = None) -> None:
        super().__init__(entries)
        self._disk = disk

    def write(self, puts: dict[bytes, bytes], deletes: list[bytes]) -> None:
        self._disk.write(lambda: super(SyncedStore, self).write(puts, deletes))

    def copy(self) -> dict[bytes, bytes]:
        return dict(self._entries)


class Disk:
    """Implements `SafetyStore` for its node.

    `fuse` is after how many more writes the power goes; the last one is then kept or lost as a whole, as a batch in
    LevelDB's log is, and a file that is written aside, synced and renamed.
    """

    def __init__(self, consensus_key: bytes) -> None:
        self.kv = SyncedStore(self)
        self.journal_kv = SyncedStore(self)
        self.hard: bytes | None = encode(NeverSigned(consensus_key))
        self.fuse: int | None = None
        self.is_last_kept = False
        self.is_forgetful = False
        """An amnesiac's disk: takes the hard state and keeps nothing."""
        self.writes = 0
        self.signed: set[bytes] = set()
        """Every own signature that was on disk at some time."""

    @property
    def journal(self) -> Journal:
        return Journal(self.journal_kv)

    def write(self, apply: Callable[[], None]) -> None:
        self.writes += 1
        if self.fuse is not None:
            self.fuse -= 1
            if self.fuse <= 0:
                self.fuse = None
                if self.is_last_kept:
                    apply()
                raise PowerCut
        apply()

    # --- hard state ---
    def load(self) -> bytes | None:
        return self.hard

    def save(self, raw: bytes) -> None:
        if not self.is_forgetful:
            self.write(lambda: self._keep(raw))

    def _keep(self, raw: bytes) -> None:
        self.hard = raw
        state = decode_hard_state(raw)
        assert isinstance(state, HardState), "a signer keeps what it signed"
        for message in state.messages:
            signed = message.vote if isinstance(message, SignedVote) else message.proposal
            self.signed.add(signed.signature)

    # --- backups ---
    def backup(self) -> tuple[dict[bytes, bytes], bytes | None]:
        return self.kv.copy(), self.hard

    def restore_store(self, entries: dict[bytes, bytes]) -> None:
        self.kv = SyncedStore(self, entries)
