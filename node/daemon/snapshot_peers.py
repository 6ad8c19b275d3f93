"""Requests to peers before there is a replica: for offers, chunks, headers and validator sets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable

from node.chain.block import Committed
from node.errors import InvalidCertificate, Rejected
from node.log import log
from node.p2p.network import Network
from node.p2p.wire import Chunk, GetChunk, GetValidators, OfferMessage, SnapshotMessage, ValidatorsMessage
from node.replica.messages import Blocks, GetBlocks, Message, Status
from node.storage.snapshot import Offer
from node.txtypes.chain.validator_set import ValidatorEntry

ANSWER_S = 5.0


class SnapshotPeers:
    """The caller sets `network` and wires its events to `connected`, `lost`, `received` and `snapshot`."""

    def __init__(self, member_keys: frozenset[bytes]) -> None:
        self.member_keys = member_keys
        self.network: Network | None = None
        self.linked: dict[int, bytes] = {}
        """Link to node key."""
        self._waiting: dict[tuple[int, type, object], asyncio.Future[object]] = {}
        self.changed = asyncio.Event()

    # --- the network's events ---
    def connected(self, peer: int, node_key: bytes) -> None:
        self.linked[peer] = node_key
        if self.network is not None:
            self.network.send(peer, Status(0, 0, 1))
        self.changed.set()

    def lost(self, peer: int) -> None:
        self.linked.pop(peer, None)
        for key, future in list(self._waiting.items()):
            if key[0] == peer and not future.done():
                future.set_exception(InvalidCertificate("the peer disconnected"))
        self.changed.set()

    def received(self, peer: int, message: Message, _: int) -> None:
        self.changed.set()
        if isinstance(message, Blocks):
            self._answered(peer, Blocks, None, message)

    def snapshot(self, peer: int, message: SnapshotMessage) -> None:
        match message:
            case OfferMessage():
                self._answered(peer, OfferMessage, None, message)
            case Chunk(ident, index):
                self._answered(peer, Chunk, (ident, index), message)
            case ValidatorsMessage(height):
                self._answered(peer, ValidatorsMessage, height, message)
            case _:
                pass  # nothing to serve yet

    def friends(self) -> set[int]:
        """Links to members and to configured peers."""
        assert self.network is not None, "wired by the caller"
        return {peer for peer, key in self.linked.items() if key in self.member_keys or self.network.is_kept(peer)}

    def name(self, peer: int) -> str:
        return self.network.name_of(peer) if self.network is not None else str(peer)

    def names(self, peers: set[int]) -> str:
        return " ".join(self.name(peer) for peer in sorted(peers))

    # --- requests ---
    def _answered(self, peer: int, kind: type, what: object, message: object) -> None:
        future = self._waiting.get((peer, kind, what))
        if future is not None and not future.done():
            future.set_result(message)

    async def ask(
        self, peer: int, request: Message | SnapshotMessage, kind: type, what: object, timeout_s: float
    ) -> object:
        """Raises `TimeoutError`, or `Rejected` where the peer disconnects."""
        assert self.network is not None, "wired by the caller"
        key = (peer, kind, what)
        future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._waiting[key] = future
        try:
            self.network.send(peer, request)
            async with asyncio.timeout(timeout_s):
                return await future
        finally:
            self._waiting.pop(key, None)

    async def committed(self, peer: int, height: int) -> Committed:
        answer = await self.ask(peer, GetBlocks(height, height), Blocks, None, ANSWER_S)
        assert isinstance(answer, Blocks), "answers are matched by kind"
        if len(answer.blocks) != 1 or answer.blocks[0].block.header.height != height:
            raise InvalidCertificate(f"it does not have block {height}")
        return answer.blocks[0]

    async def validators(self, peer: int, height: int) -> tuple[ValidatorEntry, ...]:
        answer = await self.ask(peer, GetValidators(height), ValidatorsMessage, height, ANSWER_S)
        assert isinstance(answer, ValidatorsMessage), "answers are matched by kind"
        return answer.entries

    async def chunk(self, peer: int, ident: bytes, index: int, timeout_s: float) -> Chunk:
        answer = await self.ask(peer, GetChunk(ident, index), Chunk, (ident, index), timeout_s)
        assert isinstance(answer, Chunk), "answers are matched by kind"
        return answer


class PeerSource:
    """Peers as a `trust.HeaderSource`, for the thread that verifies headers."""

    def __init__(self, sync: SnapshotPeers, offer: Offer, peers: list[int], loop: asyncio.AbstractEventLoop) -> None:
        self._sync = sync
        self._offer = offer
        self._peers = peers
        self._loop = loop

    def _wait(self, work: Awaitable[object]) -> object:
        async def run() -> object:
            return await work

        try:
            return asyncio.run_coroutine_threadsafe(run(), self._loop).result(2 * ANSWER_S)
        except TimeoutError:
            raise InvalidCertificate("a peer does not answer") from None

    def committed(self, height: int) -> Committed:
        for peer in self._peers:
            try:
                committed = self._wait(self._sync.committed(peer, height))
            except Rejected as error:
                log("snapshot_peer", "warning", {"peer": self._sync.name(peer), "why": str(error)})
                continue
            assert isinstance(committed, Committed), "as requested"
            return committed
        raise InvalidCertificate(f"no peer has block {height}")

    def validators(self, height: int) -> Iterable[tuple[ValidatorEntry, ...]]:
        yield self._offer.manifest.validators
        yield self._offer.manifest.next_validators
        for peer in self._peers:
            try:
                entries = self._wait(self._sync.validators(peer, height))
            except Rejected:
                continue
            assert isinstance(entries, tuple), "as requested"
            yield entries
