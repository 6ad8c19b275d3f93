"""Peer address book and ban list: addresses to dial, misbehaviour scores, bans. Pure: time and jitter are arguments."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass

from node.limits import HOUR_MS
from node.p2p.eviction import address_of

BAN_SCORE = 100
BAN_MS = 60_000
BAN_CAP_MS = HOUR_MS
SCORE_HALF_LIFE_MS = 60_000
DIAL_FIRST_MS = 250
SENT_AWAY_MS = 5_000
"""A link that ended sooner counts as refused: the dial backoff is not reset."""
DIAL_CAP_MS = 5_000
DIAL_OTHERS_CAP_MS = 60_000
"""Backoff cap of learned addresses, which may be wrong: the machine may not even be a node."""
KNOWN_MAX = 1_000
KNOWN_PER_SOURCE_MAX = 64
"""Learned addresses in total, and from one peer."""
OWN_WORDS_MAX = 16
"""Addresses that linked peers of one host claim as their own: node keys and ports cost nothing."""
FAILURES_MAX = 20
FAILURES_UNREACHED_MAX = 5
"""Failed dials after which a learned address is forgotten, and one that has never answered: it may be anybody's."""
RECORDS_MAX = 10_000
"""Node keys with a misbehaviour record. A new key costs nothing, so beyond this the oldest record is dropped."""


@dataclass
class KnownPeer:
    """An address that may be dialled. `node_key` is empty until the first handshake, unless it was given.

    `member`: node key of the member that published the address. `source`: node key of the peer that told us.
    """

    host: str
    port: int
    is_configured: bool
    node_key: bytes = b""
    source: bytes = b""
    member: bytes = b""
    failures: int = 0
    next_dial_ms: int = 0
    is_reached: bool = False
    """A handshake with the host has proved `node_key`; before that it is hearsay."""

    @property
    def is_kept(self) -> bool:
        return self.is_configured or bool(self.member)


@dataclass
class PeerRecord:
    """Misbehaviour of a node key or an address; `score` decays by half every `SCORE_HALF_LIFE_MS`."""

    score: float = 0.0
    scored_ms: int = 0
    bans: int = 0
    banned_until_ms: int = 0


class PeerBook:
    """Addresses by (host, port), misbehaviour by node key."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, int], KnownPeer] = {}
        self._records: dict[bytes, PeerRecord] = {}
        self._kept: tuple[set[bytes], set[str]] | None = None

    def add(self, host: str, port: int, *, is_configured: bool, node_key: bytes = b"", source: bytes = b"") -> None:
        """Add an address. Configured ones are never dropped. Learned ones are bounded and must be IP addresses: a name
        would be resolved by a server that an attacker may run. A node key without `source` is a linked peer's claim
        about its own host."""
        key = (host, port)
        if key in self._entries:
            return
        if not is_configured:
            if len(self._entries) >= KNOWN_MAX or not _is_number(host):
                return
            if source and sum(1 for k in self._entries.values() if k.source == source) >= KNOWN_PER_SOURCE_MAX:
                return
        own_word = bool(node_key) and not source and not is_configured
        if own_word and self._own_words(address_of(host)) >= OWN_WORDS_MAX:
            return
        self._entries[key] = KnownPeer(host, port, is_configured, node_key, source, is_reached=own_word)
        self._kept = None

    def _own_words(self, address: str) -> int:
        return sum(
            1
            for entry in self._entries.values()
            if entry.node_key and not entry.source and not entry.is_kept and address_of(entry.host) == address
        )

    def publish(self, addresses: Mapping[bytes, tuple[str, ...]]) -> None:
        """Replace all published addresses: node key to the "host:port" texts of each member."""
        self._kept = None
        wanted = {
            parsed: key for key, texts in addresses.items() for text in texts if (parsed := _parsed(text)) is not None
        }
        for place, entry in list(self._entries.items()):
            if entry.member and wanted.get(place) != entry.member:
                entry.member = b""
                if not entry.is_configured:
                    del self._entries[place]
        for place, node_key in wanted.items():
            entry = self._entries.setdefault(place, KnownPeer(*place, is_configured=False))
            if entry.member != node_key:
                entry.member = entry.node_key = node_key

    def learned(self, host: str, port: int, node_key: bytes) -> bool:
        """A handshake has proved the address's node key. False if a member has published the address with another."""
        entry = self._entries.get((host, port))
        if entry is None:
            return True
        if entry.member and entry.member != node_key:
            return False
        entry.node_key, entry.is_reached = node_key, True
        self._kept = None
        return True

    def due(self, now_ms: int, linked: Mapping[bytes, str], own_key: bytes) -> list[KnownPeer]:
        """Addresses to dial now: not linked, not banned, not our own, backoff over. Configured ones first, then those
        that members have published. `linked`: node key to host.

        The node key of an address that was never reached is hearsay: a false claim must not keep us from dialling it.
        """
        due = [
            entry
            for entry in self._entries.values()
            if entry.next_dial_ms <= now_ms
            and entry.node_key != own_key
            and not (
                entry.node_key in linked or self.is_banned(entry.node_key, now_ms)
                if entry.is_reached or entry.is_kept
                else linked.get(entry.node_key) == entry.host
            )
        ]
        return sorted(due, key=lambda entry: (not entry.is_configured, not entry.member, entry.next_dial_ms))

    def kept(self) -> tuple[set[bytes], set[str]]:
        """Node keys and hosts of configured and published addresses."""
        if self._kept is None:
            kept = [entry for entry in self._entries.values() if entry.is_kept]
            self._kept = {entry.node_key for entry in kept if entry.node_key}, {entry.host for entry in kept}
        return self._kept

    def dialling(self, entry: KnownPeer, now_ms: int, jitter: float) -> None:
        """Schedule the next dial: exponential backoff up to a cap, spread by `jitter` in [0, 1)."""
        cap = DIAL_CAP_MS if entry.is_configured else DIAL_OTHERS_CAP_MS
        delay = min(DIAL_FIRST_MS * 2 ** min(entry.failures, 10), cap)
        entry.failures += 1
        entry.next_dial_ms = now_ms + int(delay * (0.75 + 0.5 * jitter))
        most = FAILURES_MAX if entry.is_reached else FAILURES_UNREACHED_MAX
        if entry.failures > most and not entry.is_kept:
            self._entries.pop((entry.host, entry.port), None)

    def lost(self, node_key: bytes, now_ms: int, lived_ms: int) -> None:
        """A link ended: reset the backoff of its address, unless the peer refused us."""
        if lived_ms < SENT_AWAY_MS:
            return
        for entry in self._entries.values():
            if entry.node_key == node_key and (entry.is_reached or entry.is_kept):
                entry.failures, entry.next_dial_ms = 0, now_ms + DIAL_FIRST_MS

    def misbehaved(self, node_key: bytes, weight: int, now_ms: int) -> bool:
        """Add to the decaying score; True if the peer is now banned. Each ban is twice as long as the last.

        `node_key` may be `record_of(host)` instead: a new key costs nothing, a new address does.
        """
        record = self._records.pop(node_key, None) or PeerRecord()
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

    def score(self, node_key: bytes, now_ms: int) -> float:
        record = self._records.get(node_key)
        if record is None:
            return 0.0
        halves = max(0, now_ms - record.scored_ms) / SCORE_HALF_LIFE_MS
        return float(record.score * 0.5**halves)

    def is_banned(self, node_key: bytes, now_ms: int) -> bool:
        record = self._records.get(node_key)
        return record is not None and now_ms < record.banned_until_ms

    def addresses(self) -> list[KnownPeer]:
        """Addresses to pass on to other peers: no hearsay."""
        return [entry for entry in self._entries.values() if entry.node_key and (entry.is_reached or entry.is_kept)]


def record_of(host: str) -> bytes:
    """Key of the misbehaviour record of an address, for all node keys that come from it."""
    return b"host " + address_of(host).encode()


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _parsed(text: str) -> tuple[str, int] | None:
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65_535:
        return None
    return host, int(port)
