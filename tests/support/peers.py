"""Nodes of the p2p layer on real sockets, and raw link ends that a test controls."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable
from dataclasses import fields
from hashlib import sha256

from node.crypto.signing import PrivateKey
from node.p2p.connection import Link, shake_hands
from node.p2p.handshake import Handshake
from node.p2p.network import Events, Network, NetworkConfig
from node.p2p.wire import WireMessage, decode_wire

GENESIS_HASH = sha256(b"the chain of these tests").digest()


def key_of(name: str) -> PrivateKey:
    return PrivateKey(sha256(name.encode()).digest())


async def until(condition: Callable[[], object], what: str = "the condition", timeout_s: float = 10.0) -> None:
    """Wait until the condition is true; fail after a deadline."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come within {timeout_s} s"
        await asyncio.sleep(0.005)


class Peer:
    """A network with a record of its events. Its clock can be moved forward."""

    def __init__(self, name: str, *peers: str, genesis_hash: bytes = GENESIS_HASH, **settings) -> None:
        self.key = key_of(name)
        self.ahead_ms = 0
        self.links: dict[int, bytes] = {}
        self.lost: list[int] = []
        self.received: list[tuple[int, WireMessage]] = []
        self.notices: list[tuple[str, dict]] = []
        self.members: dict[bytes, tuple[str, ...]] = {}
        self.keys_in_use = 0
        self.raw_ends: list[asyncio.StreamWriter] = []
        config = NetworkConfig(**{"port": 0, "peers": peers, "moniker": name} | settings)
        heard = {
            "connected": self._connected, "lost": self._lost, "received": self._received,
            "key_in_use": self._key_in_use, "notice": self._notice, "members": self._members,
        }  # fmt: skip
        events = Events(**{field.name: heard.get(field.name, lambda *_: None) for field in fields(Events)})
        self.network = Network(config, self.key, genesis_hash, events, self.clock)

    def clock(self) -> int:
        return time.time_ns() // 1_000_000 + self.ahead_ms

    def _connected(self, peer: int, key: bytes) -> None:
        self.links[peer] = key

    def _lost(self, peer: int) -> None:
        self.links.pop(peer)
        self.lost.append(peer)

    def _received(self, peer: int, message: WireMessage, _: int) -> None:
        self.received.append((peer, message))

    def _key_in_use(self) -> None:
        self.keys_in_use += 1

    def _notice(self, name: str, _: str, fields: dict) -> None:
        self.notices.append((name, fields))

    def _members(self) -> dict[bytes, tuple[str, ...]]:
        return self.members

    def told(self, name: str) -> list[str]:
        """The `why` of every notice with this name."""
        return [str(fields.get("why", "")) for notice, fields in self.notices if notice == name]

    @property
    def port(self) -> int:
        server = self.network.transport.server
        assert server is not None, "started"
        return int(server.sockets[0].getsockname()[1])

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def messages(self) -> list[WireMessage]:
        return [message for _, message in self.received]

    def is_linked_to(self, *others: PrivateKey) -> bool:
        return {key.public for key in others} == set(self.links.values())


@contextlib.asynccontextmanager
async def started(*peers: Peer):
    """Start the peers in order; stop them and close raw links to them at the end."""
    async with contextlib.AsyncExitStack() as stack:
        for peer in peers:
            await peer.network.start()
            stack.push_async_callback(peer.network.stop)
            stack.callback(lambda peer=peer: [writer.close() for writer in peer.raw_ends])
        yield peers[0] if len(peers) == 1 else peers


class RawLink:
    """One end of a link after its handshake: the test can send any bytes and reads messages."""

    def __init__(self, link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.link = link
        self.session = link._session
        self.reader = reader
        self.writer = writer
        self.said: list[WireMessage] = []

    async def read_to_end(self) -> list[WireMessage]:
        """Every message until the other end closes."""
        with contextlib.suppress(OSError):
            while data := await self.reader.read(65_536):
                self.said += [decode_wire(raw) for raw, _ in self.session.receive(data, 0)]
        return self.said

    def close(self) -> None:
        self.writer.close()


def a_handshake(is_initiator: bool, key: PrivateKey, genesis_hash: bytes = GENESIS_HASH) -> Handshake:
    return Handshake(is_initiator, key, secrets.token_bytes(32), secrets.token_bytes(32), genesis_hash, 0, "raw")


async def dialled(peer: Peer, key: PrivateKey, change: Callable[[Handshake], None] = lambda _: None) -> RawLink:
    """A link to `peer` by a node with `key`. Raises what the handshake raises."""
    reader, writer = await asyncio.open_connection("127.0.0.1", peer.port)
    peer.raw_ends.append(writer)
    handshake = a_handshake(True, key)
    change(handshake)
    link = await shake_hands(
        reader, writer, handshake, is_outbound=True, host="127.0.0.1", port=peer.port, clock=peer.clock
    )
    return RawLink(link, reader, writer)
