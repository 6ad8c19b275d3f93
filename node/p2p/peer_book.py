"""Whom to dial, who misbehaved, who is banned. Pure: time and jitter are arguments."""

from __future__ import annotations

from dataclasses import dataclass

BAN_SCORE = 100
BAN_MS = 60_000
BAN_CAP_MS = 3_600_000
SCORE_HALF_LIFE_MS = 60_000
DIAL_FIRST_MS = 250
DIAL_CAP_MS = 5_000
KNOWN_MAX = 1_000
RECORDS_MAX = 10_000
"""Node keys whose misbehaviour is remembered. A key costs a stranger nothing: beyond, the oldest record goes."""


@dataclass
class KnownPeer:
    """An address that may be dialled. `node_key` is empty until the first handshake tells it."""

    host: str
    port: int
    is_configured: bool
    node_key: bytes = b""
    failures: int = 0
    next_dial_ms: int = 0


@dataclass
class Record:
    score: float = 0.0
    scored_ms: int = 0
    bans: int = 0
    banned_until_ms: int = 0


class PeerBook:
    """Addresses by (host, port), misbehaviour by node key."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], KnownPeer] = {}
        self._records: dict[bytes, Record] = {}

    def add(self, host: str, port: int, *, is_configured: bool, node_key: bytes = b"") -> None:
        """Learned addresses are bounded; configured ones always stay."""
        key = (host, port)
        if key in self._known:
            return
        if not is_configured and len(self._known) >= KNOWN_MAX:
            return
        self._known[key] = KnownPeer(host, port, is_configured, node_key)

    def learned(self, host: str, port: int, node_key: bytes) -> None:
        """A handshake with this address has shown its node key."""
        known = self._known.get((host, port))
        if known is not None:
            known.node_key, known.failures = node_key, 0

    def due(self, now_ms: int, connected: set[bytes], own_key: bytes) -> list[KnownPeer]:
        """Addresses to dial now: not connected, not banned, not ourselves, their backoff over."""
        return [
            known
            for known in self._known.values()
            if known.next_dial_ms <= now_ms
            and not (known.node_key and (known.node_key in connected or known.node_key == own_key))
            and not self.is_banned(known.node_key, now_ms)
        ]

    def dialling(self, known: KnownPeer, now_ms: int, jitter: float) -> None:
        """Back off: doubling to a cap, spread by `jitter` in [0, 1), so that a dead seed is not hammered."""
        delay = min(DIAL_FIRST_MS * 2 ** min(known.failures, 10), DIAL_CAP_MS)
        known.failures += 1
        known.next_dial_ms = now_ms + int(delay * (0.75 + 0.5 * jitter))
        if known.failures > 20 and not known.is_configured:
            self._known.pop((known.host, known.port), None)

    def lost(self, node_key: bytes, now_ms: int) -> None:
        """A link ended: its address may be dialled again soon."""
        for known in self._known.values():
            if known.node_key == node_key:
                known.failures, known.next_dial_ms = 0, now_ms + DIAL_FIRST_MS

    def misbehaved(self, node_key: bytes, weight: int, now_ms: int) -> bool:
        """Add to the decaying score; True where the peer is banned by it. Each ban is twice as long as the last."""
        record = self._records.pop(node_key, None) or Record()
        if len(self._records) >= RECORDS_MAX:
            del self._records[next(iter(self._records))]
        self._records[node_key] = record
        halves = max(0, now_ms - record.scored_ms) / SCORE_HALF_LIFE_MS
        record.score = record.score * 0.5**halves + weight
        record.scored_ms = now_ms
        if record.score < BAN_SCORE:
            return False
        record.banned_until_ms = now_ms + min(BAN_MS * 2**record.bans, BAN_CAP_MS)
        record.bans += 1
        record.score = 0.0
        return True

    def is_banned(self, node_key: bytes, now_ms: int) -> bool:
        record = self._records.get(node_key)
        return record is not None and now_ms < record.banned_until_ms

    def addresses(self) -> list[KnownPeer]:
        return [known for known in self._known.values() if known.node_key]
