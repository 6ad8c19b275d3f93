"""The journal of accepted transactions: a 202 is given only once the bytes are here, synced.

P<txid>                       signed bytes of a transaction that is not final yet
F<kept until, 8 bytes><txid>  fate of one that never committed, for seven days
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
from node.storage.leveldb import LevelStore


class Ended(msgspec.Struct, array_like=True, frozen=True):
    """Why a transaction expired without a commit."""

    expires_at_ms: int
    unmet: tuple[Unmet, ...]


def open_journal(path: Path) -> LevelStore:
    """Raises `Corrupted` with what that costs."""
    try:
        return LevelStore(path, is_small=True)
    except Corrupted as error:
        raise Corrupted(
            f"the journal in {path} is damaged ({error.__context__ or error}). It is no part of the chain, and no "
            "checkpoint has it: move it away and start again. Only what was accepted here and is not committed yet is "
            "lost by that; its senders submit it again"
        ) from None


class Journal:
    def __init__(self, kv: KeyValue) -> None:
        self._kv = kv

    def pending(self) -> Iterator[tuple[bytes, bytes]]:
        """(txid, signed bytes) of everything that was accepted and is not final."""
        for key, raw in self._kv.scan(b"P", b"Q"):
            yield key[1:], raw

    def accept(self, entries: dict[bytes, bytes]) -> None:
        """txid to signed bytes; on disk when this returns."""
        self._kv.write({b"P" + txid: raw for txid, raw in entries.items()}, [])

    def finish(self, committed: list[bytes], expired: dict[bytes, Ended], now_ms: int) -> None:
        """Committed transactions leave; expired ones leave a fate. Old fates go."""
        puts: dict[bytes, bytes] = {}
        deletes = [b"P" + txid for txid in (*committed, *expired)]
        for txid, ended in expired.items():
            key = b"F" + (now_ms + limits.FATE_KEPT_MS).to_bytes(8, "big") + txid
            puts[key] = msgspec.msgpack.encode(ended)
            puts[b"E" + txid] = key
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
