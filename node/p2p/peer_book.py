"""Whom to dial, who misbehaved, who is banned. Pure: time and jitter are arguments."""

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
"""A link that lasted no longer was none: the peer refused us, and will again."""
DIAL_CAP_MS = 5_000
DIAL_OTHERS_CAP_MS = 60_000
"""For addresses that others gave us: they may be wrong, and somebody else's machine."""
KNOWN_MAX = 1_000
KNOWN_PER_SOURCE_MAX = 64
"""Learned addresses in all, and from one peer."""
OWN_WORDS_MAX = 16
"""Addresses that linked peers of one host say are their own: keys and ports cost nothing."""
FAILURES_MAX = 20
FAILURES_UNREACHED_MAX = 5
"""Dials in vain until a learned address is forgotten, and one where nobody has ever answered: it may be anybody's."""
RECORDS_MAX = 10_000
"""Node keys whose misbehaviour is remembered. A key costs a stranger nothing: beyond, the oldest record goes."""


@dataclass
class KnownPeer:
    """An address that may be dialled. `node_key` is empty until the first handshake tells it, unless it was given.

    `member`: the node key of the member that has published it. `source`: the node key of the peer that told us.
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
    """A handshake with that host has told its node key; before, it is somebody else's word."""

    @property
    def is_kept(self) -> bool:
        return self.is_configured or bool(self.member)


@dataclass
class PeerRecord:
    score: float = 0.0
    scored_ms: int = 0
    bans: int = 0
    banned_until_ms: int = 0


class PeerBook:
    """Addresses by (host, port), misbehaviour by node key."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], KnownPeer] = {}
        self._records: dict[bytes, PeerRecord] = {}
        self._kept: tuple[set[bytes], set[str]] | None = None

    def add(self, host: str, port: int, *, is_configured: bool, node_key: bytes = b"", source: bytes = b"") -> None:
        """Configured addresses always stay. Learned ones are bounded, and are numbers: a name would have to be
        resolved, by a server that its giver may run. Without `source`, and with a key: what a linked peer says of its
        own host."""
        key = (host, port)
        if key in self._known:
            return
        if not is_configured:
            if len(self._known) >= KNOWN_MAX or not _is_number(host):
                return
            if source and sum(1 for k in self._known.values() if k.source == source) >= KNOWN_PER_SOURCE_MAX:
                return
        own_word = bool(node_key) and not source and not is_configured
        if own_word and self._own_words(address_of(host)) >= OWN_WORDS_MAX:
            return
        self._known[key] = KnownPeer(host, port, is_configured, node_key, source, is_reached=own_word)
        self._kept = None

    def _own_words(self, address: str) -> int:
        return sum(
            1
            for known in self._known.values()
            if known.node_key and not known.source and not known.is_kept and address_of(known.host) == address
        )

    def publish(self, addresses: Mapping[bytes, tuple[str, ...]]) -> None:
        """What members publish, node key to each "host:port" of it: the whole of it, in place of what there was."""
        self._kept = None
        wanted = {
            parsed: key for key, texts in addresses.items() for text in texts if (parsed := _parsed(text)) is not None
        }
        for place, known in list(self._known.items()):
            if known.member and wanted.get(place) != known.member:
                known.member = b""
                if not known.is_configured:
                    del self._known[place]
        for place, node_key in wanted.items():
            known = self._known.setdefault(place, KnownPeer(*place, is_configured=False))
            if known.member != node_key:
                known.member = known.node_key = node_key

    def learned(self, host: str, port: int, node_key: bytes) -> bool:
        """A handshake with this address has shown its node key. False where a member has published it for another."""
        known = self._known.get((host, port))
        if known is None:
            return True
        if known.member and known.member != node_key:
            return False
        known.node_key, known.is_reached = node_key, True
        self._kept = None
        return True

    def due(self, now_ms: int, linked: Mapping[bytes, str], own_key: bytes) -> list[KnownPeer]:
        """Addresses to dial now: not linked, not banned, not ourselves, their backoff over. Configured ones first,
        then those that members have published. `linked`: node key to host.

        Whose an address is that nobody has reached is hearsay: naming it as one's own must not keep others from it.
        """
        found = [
            known
            for known in self._known.values()
            if known.next_dial_ms <= now_ms
            and known.node_key != own_key
            and not (
                known.node_key in linked or self.is_banned(known.node_key, now_ms)
                if known.is_reached or known.is_kept
                else linked.get(known.node_key) == known.host
            )
        ]
        return sorted(found, key=lambda known: (not known.is_configured, not known.member, known.next_dial_ms))

    def kept(self) -> tuple[set[bytes], set[str]]:
        """Node keys and hosts of configured and published addresses."""
        if self._kept is None:
            kept = [known for known in self._known.values() if known.is_kept]
            self._kept = {known.node_key for known in kept if known.node_key}, {known.host for known in kept}
        return self._kept

    def dialling(self, known: KnownPeer, now_ms: int, jitter: float) -> None:
        """Back off: doubling to a cap, spread by `jitter` in [0, 1), so that a dead seed is not hammered."""
        cap = DIAL_CAP_MS if known.is_configured else DIAL_OTHERS_CAP_MS
        delay = min(DIAL_FIRST_MS * 2 ** min(known.failures, 10), cap)
        known.failures += 1
        known.next_dial_ms = now_ms + int(delay * (0.75 + 0.5 * jitter))
        most = FAILURES_MAX if known.is_reached else FAILURES_UNREACHED_MAX
        if known.failures > most and not known.is_kept:
            self._known.pop((known.host, known.port), None)

    def lost(self, node_key: bytes, now_ms: int, lived_ms: int) -> None:
        """A link ended: its address may be dialled again soon, but where the peer has just sent us away."""
        if lived_ms < SENT_AWAY_MS:
            return
        for known in self._known.values():
            if known.node_key == node_key and (known.is_reached or known.is_kept):
                known.failures, known.next_dial_ms = 0, now_ms + DIAL_FIRST_MS

    def misbehaved(self, node_key: bytes, weight: int, now_ms: int) -> bool:
        """Add to the decaying score; True where the peer is banned by it. Each ban is twice as long as the last.

        In place of a node key `record_of(host)` may stand: a new key costs nothing, a new address does.
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
        """What may be told to others: no hearsay."""
        return [known for known in self._known.values() if known.node_key and (known.is_reached or known.is_kept)]


def record_of(host: str) -> bytes:
    """Under which misbehaviour from an address is noted, whatever node keys come from it."""
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
