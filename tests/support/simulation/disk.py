"""Simulated disk with power cuts: store, hard state and journal, each written atomically."""

from __future__ import annotations

from collections.abc import Callable

from sortedcontainers import SortedDict

from node.codec import encode
from node.consensus.safety import HardState, NeverSigned, SignedVote, decode_hard_state
from node.storage.journal import Journal
from support.memory_store import MemoryStore


class PowerCut(BaseException):
    """The power is cut between two instructions. Not an `Exception`, so that no code catches it."""


class SimulatedStore(MemoryStore):
    """The memory store, whose batches pass the disk's fuse.

    As in LevelDB, an unsynced batch is durable only after the next synced one.
    """

    def __init__(self, disk: Disk, entries: dict[bytes, bytes] | None = None) -> None:
        super().__init__(entries)
        self._disk = disk
        self._safe: dict[bytes, bytes] | None = None
        """The entries that survive a power cut; None if all do."""

    def write(self, puts: dict[bytes, bytes], deletes: list[bytes], *, sync: bool = True) -> None:
        if not sync and self._safe is None:
            self._safe = self.copy()
        self._disk.write(lambda: self._apply(puts, deletes, sync))

    def _apply(self, puts: dict[bytes, bytes], deletes: list[bytes], sync: bool) -> None:
        super().write(puts, deletes)
        if sync:
            self._safe = None

    def lose_unsynced(self) -> None:
        if self._safe is not None:
            self._entries = SortedDict(self._safe)
            self._safe = None

    def copy(self) -> dict[bytes, bytes]:
        return dict(self._entries)


class Disk:
    """Implements `SafetyStore` for its node.

    `fuse`: number of further writes until the power cut. The last write is kept or lost as a whole, like a batch in
    LevelDB's log, or a file that is written aside, synced and renamed.
    """

    def __init__(self, consensus_key: bytes) -> None:
        self.kv = SimulatedStore(self)
        self.journal_kv = SimulatedStore(self)
        self.hard: bytes | None = encode(NeverSigned(consensus_key))
        self.fuse: int | None = None
        self.is_last_kept = False
        self.is_forgetful = False
        """Whether hard state is discarded, for an amnesiac validator."""
        self.writes = 0
        self.signed: set[bytes] = set()
        """Every own signature that was ever on disk."""

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

    def lose_unsynced(self) -> None:
        """Lose unsynced writes in a power cut."""
        self.kv.lose_unsynced()
        self.journal_kv.lose_unsynced()

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
        self.kv = SimulatedStore(self, entries)
