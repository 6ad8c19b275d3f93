"""The peer-to-peer network of a node: its links, dialling, eviction, and messages to and from the replica."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, assert_never

from node import limits
from node.codec import encode
from node.crypto.signing import PrivateKey
from node.errors import Rejected
from node.p2p.connection import Clock, Link
from node.p2p.duplicate_links import DuplicateLinks
from node.p2p.eviction import PeerSlot, room_for
from node.p2p.fair_share import SIGNATURE_MS, Shares
from node.p2p.peer import Peer, Service
from node.p2p.peer_book import PeerBook, record_of
from node.p2p.transport import Transport
from node.p2p.wire import (
    ADDRESSES_MAX,
    ANSWERS,
    KEY_IN_USE,
    Bye,
    GetPeers,
    NetworkMessage,
    PeerAddress,
    Peers,
    Ping,
    Pong,
    SnapshotMessage,
    WireMessage,
)
from node.replica.messages import Message, Status, Transactions

PING_MS = 3_000
SILENT_MS = 12_000
"""A link that was pinged and received nothing for this long is dead."""
TICK_S = 0.25
EXCHANGE_MS = 30_000
MESSAGE_MS = 60_000
"""A link whose peer leaves a message incomplete for this long is closed: it only occupies memory and a slot."""
LEARNED_LINKS = 8
"""Outbound links to strangers. Configured peers and members are dialled in any case."""
MEMBER_LINKS = limits.VALIDATORS_MAX
"""Links to members. Above, published addresses are not dialled: members dial us, or are reached through others."""
BROKEN_WEIGHT = 50
"""Score for a frame or message that no correct peer sends."""
BROKEN_ADDRESS_WEIGHT = 20
"""Score of the address it came from, for the same."""
LEAVING_MAX = 128
"""Refused links that are sent a reason at the same time. Above: the link is closed without one."""
SCORE_OF_A_BANNED_STRANGER = 30
"""Score of a banned stranger's address: after four bans, all strangers from there are refused for a while."""


@dataclass(frozen=True)
class NetworkConfig:
    """Settings of the section `p2p`. `exchange`: whether peer addresses are asked for and learned."""

    host: str = "127.0.0.1"
    port: int = 26800
    peers: tuple[str, ...] = ()
    """host:port of nodes to stay connected to."""
    moniker: str = ""
    members_only: bool = False
    peers_max: int = limits.PEERS_MAX
    exchange: bool = True


@dataclass
class Events:
    """Callbacks of the network into the node. `members`: node keys of active members, which are never evicted, with the
    addresses that each has published."""

    connected: Callable[[int, bytes], None]
    lost: Callable[[int], None]
    received: Callable[[int, Message, int], None]
    key_in_use: Callable[[], None]
    notice: Callable[[str, str, dict[str, object]], None]
    members: Callable[[], Mapping[bytes, tuple[str, ...]]]
    snapshot: Callable[[int, SnapshotMessage], None] = lambda *_: None


class Network:
    """Keeps the links, and routes messages between them and the node's callbacks."""

    def __init__(
        self, config: NetworkConfig, node_key: PrivateKey, genesis_hash: bytes, events: Events, clock: Clock
    ) -> None:
        self._config = config
        self._key = node_key
        self._events = events
        self._clock = clock
        self._peers: dict[int, Peer] = {}
        self._by_key: dict[bytes, int] = {}
        self._duplicate_links = DuplicateLinks(node_key.public, self._holder, self._drop, clock)
        self._next_id = 1
        self._tasks: set[asyncio.Task[None]] = set()
        self._leaving = 0
        self._ticked_ms = clock()
        self._exchanged_ms = 0
        self._shares = Shares(clock())
        self._published: Mapping[bytes, tuple[str, ...]] = {}
        self.book = PeerBook()
        self.counters: dict[str, int] = dict.fromkeys(
            ("messages_in", "messages_out", "refused", "unfinished", "over_budget", "put_off", "evicted"), 0
        )
        self._closed_bytes_in = self._closed_bytes_out = 0
        for text in config.peers:
            host, _, port = text.rpartition(":")
            self.book.add(host, int(port), is_configured=True)
        place, identity = (config.host, config.port), (node_key, genesis_hash, config.moniker)
        self._service = Service(self._handle, self._score, self._spawn, self.counters, clock)
        self.transport = Transport(place, identity, self.book, self.counters, events.notice, clock, self._settle)

    # --- start and stop ---
    async def start(self) -> None:
        """Listen and dial. Raises `Busy` if the port is taken."""
        await self.transport.start()
        self._spawn(self._tick_loop())

    async def stop(self) -> None:
        for peer in list(self._peers.values()):
            peer.link.send(Bye("stopping"))
        await asyncio.gather(*(peer.link.flush_and_close() for peer in self._peers.values()), return_exceptions=True)
        await self.transport.stop()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # --- sending ---
    def send(self, peer_id: int, message: Message | SnapshotMessage) -> None:
        peer = self._peers.get(peer_id)
        if peer is not None:
            self.counters["messages_out"] += 1
            raw = encode(message)
            if isinstance(message, ANSWERS):
                peer.quota.answered(len(raw), self._clock())
            peer.link.send(message, raw)

    def broadcast(self, message: Message, besides: int | None = None) -> None:
        raw = encode(message)
        for peer_id, peer in self._peers.items():
            if peer_id != besides:
                self.counters["messages_out"] += 1
                peer.link.send(message, raw)

    def verifies_for(self, peer_id: int, signatures: int) -> None:
        """Charge the peer's quota for `signatures` that are about to be verified in its transactions."""
        if peer_id in self._peers:
            quota = self._peers[peer_id].quota
            quota.worked(Transactions, 0, signatures * SIGNATURE_MS, self._clock())

    def misbehaved(self, peer_id: int, code: str, text: str, weight: int) -> None:
        """Lower the peer's score; ban and disconnect at the threshold."""
        if peer_id in self._peers:
            self._score(self._peers[peer_id], code, text, weight)

    def _score(self, peer: Peer, code: str, text: str, weight: int) -> None:
        if peer.is_leaving:
            return
        self._events.notice("peer_misbehaved", "warning", {"peer": peer.link.hello.moniker, "code": code, "why": text})
        now = self._clock()
        if self.book.misbehaved(peer.key, weight, now):
            if not self._is_kept(peer.key):
                self.book.misbehaved(record_of(peer.link.host), SCORE_OF_A_BANNED_STRANGER, now)
            self._send_away(peer, f"banned: {code}")

    def _send_away(self, peer: Peer, why: str) -> None:
        peer.is_leaving = True
        peer.link.send(Bye(why))
        self._spawn(peer.link.flush_and_close())

    def traffic(self) -> tuple[int, int]:
        """Bytes received and sent on all links so far, the closed ones included."""
        links = [peer.link for peer in self._peers.values()]
        received, sent = sum(link.bytes_in for link in links), sum(link.bytes_out for link in links)
        return self._closed_bytes_in + received, self._closed_bytes_out + sent

    def connected(self) -> dict[int, Link]:
        return {peer_id: peer.link for peer_id, peer in self._peers.items()}

    def _holder(self, key: bytes) -> Peer | None:
        return self._peers.get(self._by_key.get(key, 0))

    def height_of(self, peer_id: int) -> int:
        """Head height in the peer's last status; -1 before the first."""
        return self._peers[peer_id].height if peer_id in self._peers else -1

    def score_of(self, peer_id: int) -> int:
        """Misbehaviour of the peer now; at `BAN_SCORE` it is banned."""
        return round(self.book.score(self._peers[peer_id].key, self._clock())) if peer_id in self._peers else 0

    def oldest_of(self, peer_id: int) -> int:
        """Oldest block in the peer's last status."""
        return self._peers[peer_id].oldest if peer_id in self._peers else 1

    def is_kept(self, peer_id: int) -> bool:
        """Whether the peer is an active member or configured by the operator, and so never evicted."""
        return peer_id in self._peers and self._is_kept(self._peers[peer_id].key)

    def name_of(self, peer_id: int) -> str:
        """A label for logs: the peer's moniker, which is unverified, and its address."""
        peer = self._peers.get(peer_id)
        return f"{peer.link.hello.moniker}@{peer.link.host}:{peer.link.port}" if peer else "a lost peer"

    # --- periodic work ---
    async def _tick_loop(self) -> None:
        while True:
            now = self._clock()
            self._dial_due(now)
            self._keep_alive(now)
            if self._config.exchange and now - self._exchanged_ms > EXCHANGE_MS:
                self._exchanged_ms = now
                for peer in self._peers.values():
                    peer.link.send(GetPeers())
            await asyncio.sleep(TICK_S)

    def _dial_due(self, now: int) -> None:
        members = self._events.members()
        if members != self._published:
            self._published = dict(members)
            self.book.publish(self._published)
        of_members = sum(1 for key in self._by_key if key in members)
        dialled = sum(1 for p in self._peers.values() if p.link.is_outbound and not self._is_kept(p.key))
        linked = {p.key: p.link.host for p in self._peers.values()}
        for address in self.book.due(now, linked, self._key.public):
            if address.member and not address.is_configured and of_members >= MEMBER_LINKS:
                continue
            if not address.is_configured and not address.member:
                if dialled >= min(LEARNED_LINKS, self._config.peers_max):
                    break
                dialled += 1
            if not self.transport.dial(address):
                break

    def _keep_alive(self, now: int) -> None:
        late, self._ticked_ms = now - self._ticked_ms, now
        for peer in list(self._peers.values()):
            silent = now - peer.link.heard_ms
            since = peer.link.waiting_since_ms()
            if late > PING_MS and silent < late + SILENT_MS:
                continue  # our own event loop was late, not the peer
            if silent > SILENT_MS or (since is not None and now - since > MESSAGE_MS):
                peer.link.close()
            elif silent > PING_MS and now - peer.pinged_ms > PING_MS:
                peer.pinged_ms = now
                peer.link.send(Ping())

    # --- accepting and evicting ---
    def _is_kept(self, key: bytes) -> bool:
        """Whether the node key belongs to an active member or a configured peer."""
        return key in self._events.members() or key in self.book.kept()[0]

    def _slots(self) -> list[PeerSlot]:
        now = self._clock()
        return [
            PeerSlot(peer_id, p.link.host, p.link.is_outbound, self.book.score(p.key, now), p.link.opened_ms)
            for peer_id, p in self._peers.items()
            if not p.is_leaving and not self._is_kept(p.key)
        ]

    async def _settle(self, link: Link) -> None:
        """Keep the link, or close it with the reason."""
        key, now = link.hello.node_key, self._clock()
        reason = ""
        if self.book.is_banned(key, now):
            reason = "banned for a while"
        elif self._config.members_only and not self._is_kept(key):
            reason = "members only"
        elif not self._is_kept(key) and self.book.is_banned(record_of(link.host), now):
            reason = "strangers from this address are refused for a while"
        elif not await self._duplicate_links.is_won_by(link):
            reason = self._duplicate_links.why_lost(link)
        elif not self._is_kept(key) and not self._make_room(link):
            reason = "no room"
        if not reason:
            self._keep(link)
            return
        self.counters["refused"] += 1
        if self._leaving >= LEAVING_MAX:
            link.close()
            return
        self._leaving += 1
        try:
            link.send(Bye(reason))
            writing = self._spawn(link.write_loop())
            await link.flush_and_close()
            writing.cancel()
        finally:
            self._leaving -= 1

    def _make_room(self, link: Link) -> bool:
        """Whether a stranger's link is kept; a worse one may be evicted for it."""
        score = self.book.score(link.hello.node_key, self._clock())
        new = PeerSlot(0, link.host, link.is_outbound, score, link.opened_ms)
        fits, evicted = room_for(new, self._slots(), self._config.peers_max)
        if evicted is not None:
            self.counters["evicted"] += 1
            self._send_away(self._peers[evicted], "no room any more")
        return fits

    def _keep(self, link: Link) -> None:
        peer_id, self._next_id = self._next_id, self._next_id + 1
        shares = None if self._is_kept(link.hello.node_key) else self._shares
        peer = Peer(peer_id, link, shares, self._service)
        self._peers[peer_id] = peer
        self._by_key[link.hello.node_key] = peer_id
        if link.hello.listen_port and not link.is_outbound and self._config.exchange:
            self.book.add(link.host, link.hello.listen_port, is_configured=False, node_key=link.hello.node_key)
        self._events.notice("peer_connected", "info", {"peer": link.hello.moniker, "host": link.host})
        peer.tasks = [self._spawn(link.write_loop()), self._spawn(self._serve(peer))]
        if self._config.exchange and link.is_outbound:
            link.send(GetPeers())
        self._events.connected(peer_id, link.hello.node_key)

    async def _serve(self, peer: Peer) -> None:
        try:
            await peer.link.read_loop(peer.on_raw)
        except Rejected as error:
            self._score(peer, error.code, str(error), BROKEN_WEIGHT)
            if not self._is_kept(peer.key):  # a new node key costs an attacker nothing, a new address does
                self.book.misbehaved(record_of(peer.link.host), BROKEN_ADDRESS_WEIGHT, self._clock())
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._drop(peer.id)

    def _drop(self, peer_id: int) -> None:
        peer = self._peers.pop(peer_id, None)
        if peer is None:
            return
        peer.link.close()  # here too: a task cancelled before its first step has closed nothing
        self._closed_bytes_in += peer.link.bytes_in
        self._closed_bytes_out += peer.link.bytes_out
        key = peer.key
        if self._by_key.get(key) == peer_id:
            del self._by_key[key]
        peer.stop()
        now = self._clock()
        self.book.lost(key, now, now - peer.link.opened_ms)
        self._events.notice("peer_lost", "info", {"peer": peer.link.hello.moniker})
        self._events.lost(peer_id)

    # --- receiving ---
    def _handle(self, peer: Peer, message: WireMessage, begun_ms: int) -> None:
        if isinstance(message, NetworkMessage):
            self._on_network_message(peer, message)
        elif isinstance(message, SnapshotMessage):
            self._events.snapshot(peer.id, message)
        else:
            if isinstance(message, Status):
                peer.height, peer.oldest = message.height, message.oldest
            self._events.received(peer.id, message, begun_ms)

    def _on_network_message(self, peer: Peer, message: NetworkMessage) -> None:
        match message:
            case Ping():
                peer.link.send(Pong())
            case Pong():
                pass
            case Bye(reason):
                self._events.notice("peer_bye", "info", {"peer": peer.link.hello.moniker, "why": reason})
                if reason == KEY_IN_USE and peer.link.is_outbound and self._is_kept(peer.key):
                    self._events.key_in_use()
                peer.link.close()
            case GetPeers():
                others = [
                    PeerAddress(k.node_key, k.host, k.port) for k in self.book.addresses() if k.node_key != peer.key
                ]
                peer.link.send(Peers(tuple(random.sample(others, min(len(others), ADDRESSES_MAX)))))
            case Peers(addresses):
                for address in addresses:
                    if address.node_key != self._key.public and self._config.exchange:
                        self.book.add(address.host, address.port, is_configured=False, node_key=address.node_key,
                                      source=peer.key)  # fmt: skip
            case _:
                assert_never(message)
