"""All links of a node: listening, dialling, who may stay, and messages to and from the replica."""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, assert_never

from node import limits
from node.codec import encode
from node.crypto.signing import PrivateKey
from node.errors import Busy, Rejected
from node.p2p.budget import Budget
from node.p2p.connection import Clock, Link, shake_hands
from node.p2p.framing import handshake_frame
from node.p2p.handshake import Handshake, goodbye
from node.p2p.peer_book import KnownPeer, PeerBook
from node.p2p.wire import (
    ADDRESSES_MAX,
    KEY_IN_USE,
    Bye,
    GetPeers,
    NetworkMessage,
    PeerAddress,
    Peers,
    Ping,
    Pong,
    SnapshotMessage,
    decode_wire,
)
from node.replica.messages import Message, Status

PING_MS = 3_000
SILENT_MS = 12_000
"""A link that has brought nothing for this long, though pinged, is dead."""
TAKEOVER_MS = 1_500
"""How long an old link with the same node key has to show that it lives before a new one replaces it."""
SIMULTANEOUS_MS = 2_000
TICK_S = 0.25
EXCHANGE_MS = 30_000


@dataclass(frozen=True)
class NetworkConfig:
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
    """What the network tells the node. `members`: node keys that are never crowded out."""

    connected: Callable[[int, bytes], None]
    lost: Callable[[int], None]
    received: Callable[[int, Message, int], None]
    key_in_use: Callable[[], None]
    notice: Callable[[str, str, dict[str, object]], None]
    members: Callable[[], set[bytes]]
    snapshot: Callable[[int, SnapshotMessage], None] = lambda *_: None


@dataclass
class _Peer:
    link: Link
    budget: Budget
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    pinged_ms: int = 0
    height: int = -1
    oldest: int = 1
    is_leaving: bool = False
    """Banned, and told so: what it still sends counts no more, so that one flood is one ban."""


class Network:
    def __init__(
        self, config: NetworkConfig, node_key: PrivateKey, genesis_hash: bytes, events: Events, clock: Clock
    ) -> None:
        self._config = config
        self._key = node_key
        self._genesis_hash = genesis_hash
        self._events = events
        self._clock = clock
        self._static = secrets.token_bytes(32)
        self._peers: dict[int, _Peer] = {}
        self._by_key: dict[bytes, int] = {}
        self._next_id = 1
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._shaking: dict[str, int] = {}
        self._exchanged_ms = 0
        self.book = PeerBook()
        self.counters: dict[str, int] = {"messages_in": 0, "messages_out": 0, "refused": 0, "over_budget": 0}
        for text in config.peers:
            host, _, port = text.rpartition(":")
            self.book.add(host, int(port), is_configured=True)

    # --- life ---
    async def start(self) -> None:
        """Listen and dial. Raises `Busy` where the port is taken."""
        try:
            self._server = await asyncio.start_server(self._accepted, self._config.host, self._config.port)
        except OSError as error:
            raise Busy(
                f"the p2p port {self._config.host}:{self._config.port} can't be listened on ({error.strerror}): "
                "stop what uses it, or set p2p.port"
            ) from None
        self._spawn(self._dial_loop())

    async def stop(self) -> None:
        for peer in list(self._peers.values()):
            peer.link.send(Bye("stopping"))
        await asyncio.gather(*(peer.link.flush_and_close() for peer in self._peers.values()), return_exceptions=True)
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # --- out ---
    def send(self, peer_id: int, message: Message | SnapshotMessage) -> None:
        peer = self._peers.get(peer_id)
        if peer is not None:
            self.counters["messages_out"] += 1
            peer.link.send(message)

    def broadcast(self, message: Message, besides: int | None = None) -> None:
        raw = encode(message)
        for peer_id, peer in self._peers.items():
            if peer_id != besides:
                self.counters["messages_out"] += 1
                peer.link.send(message, raw)

    def misbehaved(self, peer_id: int, code: str, text: str, weight: int) -> None:
        """Lower the peer's score; ban and disconnect at the threshold."""
        peer = self._peers.get(peer_id)
        if peer is None or peer.is_leaving:
            return
        self._events.notice("peer_misbehaved", "warning", {"peer": peer.link.hello.moniker, "code": code, "why": text})
        if self.book.misbehaved(peer.link.hello.node_key, weight, self._clock()):
            peer.is_leaving = True
            peer.link.send(Bye(f"banned: {code}"))
            self._spawn(peer.link.flush_and_close())

    def connected(self) -> dict[int, Link]:
        return {peer_id: peer.link for peer_id, peer in self._peers.items()}

    def height_of(self, peer_id: int) -> int:
        """As the peer says; -1 while it has said nothing."""
        return self._peers[peer_id].height if peer_id in self._peers else -1

    def oldest_of(self, peer_id: int) -> int:
        """The oldest block that the peer says it has."""
        return self._peers[peer_id].oldest if peer_id in self._peers else 1

    # --- dialling ---
    async def _dial_loop(self) -> None:
        while True:
            now = self._clock()
            for known in self.book.due(now, set(self._by_key), self._key.public):
                if len(self._peers) >= self._config.peers_max and not known.is_configured:
                    continue
                self.book.dialling(known, now, random.random())
                self._spawn(self._dial(known))
            self._keep_alive(now)
            if self._config.exchange and now - self._exchanged_ms > EXCHANGE_MS:
                self._exchanged_ms = now
                for peer in self._peers.values():
                    peer.link.send(GetPeers())
            await asyncio.sleep(TICK_S)

    def _keep_alive(self, now: int) -> None:
        for peer in self._peers.values():
            if now - peer.link.heard_ms > SILENT_MS:
                peer.link.close()
            elif now - peer.link.heard_ms > PING_MS and now - peer.pinged_ms > PING_MS:
                peer.pinged_ms = now
                peer.link.send(Ping())

    async def _dial(self, known: KnownPeer) -> None:
        try:
            async with asyncio.timeout(5):
                reader, writer = await asyncio.open_connection(known.host, known.port)
        except (OSError, TimeoutError):
            return
        await self._shake(reader, writer, known.host, known.port, known)

    # --- taking links ---
    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        host, port = (writer.get_extra_info("peername") or ("", 0))[:2]
        busy = self._shaking.get(host, 0) + sum(1 for p in self._peers.values() if p.link.host == host)
        if busy >= limits.PEERS_PER_ADDRESS_MAX * 2:
            writer.write(handshake_frame(goodbye("too many links from this address")))
            writer.close()
            return
        self._shaking[host] = self._shaking.get(host, 0) + 1
        try:
            await self._shake(reader, writer, host, port, None)
        finally:
            self._shaking[host] -= 1
            if not self._shaking[host]:
                del self._shaking[host]

    async def _shake(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        host: str,
        port: int,
        dialled: KnownPeer | None,
    ) -> None:
        handshake = Handshake(
            dialled is not None,
            self._key,
            self._static,
            secrets.token_bytes(32),
            self._genesis_hash,
            self._config.port,
            self._config.moniker,
        )
        try:
            link = await shake_hands(
                reader, writer, handshake, is_outbound=dialled is not None, host=host, port=port, clock=self._clock
            )
        except Rejected as error:
            self.counters["refused"] += 1
            self._events.notice("handshake_refused", "warning", {"host": host, "port": port, "why": str(error)})
            with contextlib.suppress(Exception):
                writer.close()
            return
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            with contextlib.suppress(Exception):
                writer.close()
            return
        except asyncio.CancelledError:
            writer.close()
            raise
        if dialled is not None:
            self.book.learned(dialled.host, dialled.port, link.hello.node_key)
        await self._settle(link)

    async def _settle(self, link: Link) -> None:
        """Keep the link, or say why not."""
        key, now = link.hello.node_key, self._clock()
        reason = ""
        members = self._events.members()
        if self.book.is_banned(key, now):
            reason = "banned for a while"
        elif self._config.members_only and key not in members:
            reason = "members only"
        elif key not in members:
            strangers = sum(1 for p in self._peers.values() if p.link.hello.node_key not in members)
            here = sum(1 for p in self._peers.values() if p.link.host == link.host)
            if strangers >= self._config.peers_max or here >= limits.PEERS_PER_ADDRESS_MAX:
                reason = "no room"
        if not reason and key in self._by_key and not await self._replaces(link):
            old = self._peers.get(self._by_key.get(key, 0))
            if link.is_outbound or (old is not None and now - old.link.opened_ms < SIMULTANEOUS_MS):
                reason = "already connected"
            else:
                reason = KEY_IN_USE
        if reason:
            self.counters["refused"] += 1
            link.send(Bye(reason))
            writing = self._spawn(link.write_loop())
            await link.flush_and_close()
            writing.cancel()
            return
        self._keep(link)

    async def _replaces(self, link: Link) -> bool:
        """Whether a second link with a known node key takes the first one's place."""
        key = link.hello.node_key
        old = self._peers[self._by_key[key]]
        if old.link.is_outbound != link.is_outbound and self._clock() - old.link.opened_ms < SIMULTANEOUS_MS:
            dialler = self._key.public if link.is_outbound else key
            other = key if link.is_outbound else self._key.public
            if dialler < other:
                old.link.close()
                self._drop(self._by_key[key])
                return True
            return False
        if link.is_outbound:
            return False
        asked = self._clock()
        old.link.send(Ping())
        while self._clock() - asked < TAKEOVER_MS:
            await asyncio.sleep(0.05)
            if key not in self._by_key:
                return True
            if old.link.heard_ms >= asked:  # its answer may come within the same millisecond
                return False
        old.link.close()
        self._drop(self._by_key.get(key, 0))
        return True

    def _keep(self, link: Link) -> None:
        peer_id, self._next_id = self._next_id, self._next_id + 1
        peer = _Peer(link, Budget(self._clock()))
        self._peers[peer_id] = peer
        self._by_key[link.hello.node_key] = peer_id
        if link.hello.listen_port and not link.is_outbound and self._config.exchange:
            self.book.add(link.host, link.hello.listen_port, is_configured=False, node_key=link.hello.node_key)
        self._events.notice("peer_connected", "info", {"peer": link.hello.moniker, "host": link.host})
        peer.tasks = [self._spawn(link.write_loop()), self._spawn(self._serve(peer_id, peer))]
        if self._config.exchange and link.is_outbound:
            link.send(GetPeers())
        self._events.connected(peer_id, link.hello.node_key)

    async def _serve(self, peer_id: int, peer: _Peer) -> None:
        try:
            await peer.link.read_loop(lambda raw, begun_ms: self._on_raw(peer_id, peer, raw, begun_ms))
        except Rejected as error:
            self.misbehaved(peer_id, error.code, str(error), 50)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            peer.link.close()
            self._drop(peer_id)

    def _drop(self, peer_id: int) -> None:
        peer = self._peers.pop(peer_id, None)
        if peer is None:
            return
        key = peer.link.hello.node_key
        if self._by_key.get(key) == peer_id:
            del self._by_key[key]
        for task in peer.tasks:
            if task is not asyncio.current_task():
                task.cancel()
        self.book.lost(key, self._clock())
        self._events.notice("peer_lost", "info", {"peer": peer.link.hello.moniker})
        self._events.lost(peer_id)

    # --- in ---
    async def _on_raw(self, peer_id: int, peer: _Peer, raw: bytes, first_ms: int) -> None:
        if peer_id not in self._peers or peer.is_leaving:
            return
        self.counters["messages_in"] += 1
        message = decode_wire(raw)
        if not peer.budget.spend(type(message), len(raw), self._clock()):
            self.counters["over_budget"] += 1
            self.misbehaved(peer_id, "over_budget", f"too many {type(message).__name__} messages", 2)
            return
        if isinstance(message, NetworkMessage):
            self._on_network_message(peer, message)
            return
        if isinstance(message, SnapshotMessage):
            self._events.snapshot(peer_id, message)
            return
        if isinstance(message, Status):
            peer.height, peer.oldest = message.height, message.oldest
        self._events.received(peer_id, message, first_ms)

    def _on_network_message(self, peer: _Peer, message: NetworkMessage) -> None:
        match message:
            case Ping():
                peer.link.send(Pong())
            case Pong():
                pass
            case Bye(reason):
                self._events.notice("peer_bye", "info", {"peer": peer.link.hello.moniker, "why": reason})
                if reason == KEY_IN_USE:
                    self._events.key_in_use()
                peer.link.close()
            case GetPeers():
                known = [
                    PeerAddress(k.node_key, k.host, k.port)
                    for k in self.book.addresses()
                    if k.node_key != peer.link.hello.node_key
                ]
                peer.link.send(Peers(tuple(known[:ADDRESSES_MAX])))
            case Peers(addresses):
                for address in addresses:
                    if address.node_key != self._key.public and self._config.exchange:
                        self.book.add(address.host, address.port, is_configured=False, node_key=address.node_key)
            case _:
                assert_never(message)
