"""The journal of accepted transactions. A submission is answered with 202 only after its bytes are synced here.

P<txid>                       signed bytes of a transaction that is not final yet
F<kept until, 8 bytes><txid>  why a transaction expired, kept for seven days
E<txid>                       key of its F entry
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from node import limits
from node.errors import Corrupted
from node.ledger.guards import Unmet
from node.storage.kv import KeyValue
from node.storage.leveldb import Damaged, LevelStore


class Ended(msgspec.Struct, array_like=True, frozen=True):
    """Why a transaction expired without a commit."""

    expires_at_ms: int
    unmet: tuple[Unmet, ...]


def open_journal(path: Path) -> LevelStore:
    """Raises `Corrupted` with the fix and what it loses."""
    try:
        return LevelStore(path, is_small=True)
    except Damaged as error:
        raise Corrupted(
            f"the journal in {path} is damaged ({error.detail}). It is no part of the chain, and no "
            "checkpoint has it: move it away and start again. This loses only transactions that were accepted here and "
            "are not committed yet; their senders must submit them again"
        ) from None


class Journal:
    def __init__(self, kv: KeyValue) -> None:
        self._kv = kv

    def pending(self) -> Iterator[tuple[bytes, bytes]]:
        """(txid, signed bytes) of every accepted transaction that is not final."""
        for key, raw in self._kv.scan(b"P", b"Q"):
            yield key[1:], raw

    def accept(self, entries: dict[bytes, bytes]) -> None:
        """Add transactions, txid to signed bytes; they are synced when this returns."""
        self._kv.write({b"P" + txid: raw for txid, raw in entries.items()}, [])

    def finish(self, committed: list[bytes], expired: dict[bytes, Ended], now_ms: int) -> None:
        """Remove committed transactions, replace expired ones by their `Ended`, and remove entries that are too old."""
        puts: dict[bytes, bytes] = {}
        deletes = [b"P" + txid for txid in (*committed, *expired)]
        for txid, ended in expired.items():
            key = b"F" + (now_ms + limits.FATE_KEPT_MS).to_bytes(8, "big") + txid
            puts |= {key: msgspec.msgpack.encode(ended), b"E" + txid: key}
        for key, _ in self._kv.scan(b"F", b"F" + now_ms.to_bytes(8, "big")):
            deletes += [key, b"E" + key[9:]]
        if puts or deletes:
            self._kv.write(puts, deletes)

    def ended(self, txid: bytes) -> Ended | None:
        key = self._kv.get(b"E" + txid)
        raw = None if key is None else self._kv.get(key)
        return None if raw is None else msgspec.msgpack.decode(raw, type=Ended)

    def close(self) -> None:
        self._kv.close()
