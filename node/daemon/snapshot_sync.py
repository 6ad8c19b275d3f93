"""The first minutes of a node that is new, or was away for too long: is the chain so far ahead that a snapshot is
quicker, whose is believed, fetch it, use it.

Runs before the replica does, with the network to itself. Whatever fails names the peer, the chunk and the reason, and
goes on with others; where no snapshot can be had, the node syncs by blocks.
"""

from __future__ import annotations

import asyncio
import shutil
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from node.chain.block import Committed, block_id_of
from node.chain.genesis import Genesis, genesis_hash, start_height
from node.chain.trust import LightBlock, Trust, advance, check_root_age, genesis_trust
from node.chain.validators import ValidatorSet
from node.daemon.log import log
from node.errors import InvalidCertificate, OperatorError, Rejected
from node.p2p.network import Network
from node.p2p.wire import (
    Chunk,
    GetChunk,
    GetOffer,
    GetValidators,
    OfferMessage,
    SnapshotMessage,
    ValidatorsMessage,
)
from node.replica.messages import Blocks, GetBlocks, Message, Status
from node.storage.leveldb import LevelStore
from node.storage.snapshot import CHUNK_BYTES, Offer, Restore, check_offer, chunk_hash, manifest_id
from node.txtypes.validators import ValidatorEntry

LOOK_S = 3.0
"""How long a node waits for the peers that it is told of before it goes on with those it has: the first that comes must
not decide alone."""
ANSWER_S = 5.0
CHUNK_S = 10.0
CHUNKS_AHEAD = 8
"""Chunks that may wait in memory for the one before them."""
GAP_DEFAULT = 1_000
ENTRY_MEMORY_BYTES = 600
"""Of free memory for each state value, or car whose value is not there yet: several times what checking one needs."""


@dataclass(frozen=True)
class Choice:
    """What the operator has said. `trust`: (height, block id) instead of genesis as the root."""

    gap: int = GAP_DEFAULT
    trust: tuple[int, bytes] | None = None
    accept_old_root: bool = False


@dataclass
class _Chunks:
    """Chunks of one manifest, fetched from every peer that offers it."""

    hashes: tuple[bytes, ...]
    wanted: deque[int]
    arrived: dict[int, bytes] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    next: int = 0


class SnapshotSync:
    """`network` is given by the caller, who wires its events to `connected`, `lost`, `received`, `snapshot`."""

    def __init__(
        self, genesis: Genesis, choice: Choice, clock: Callable[[], int], own: Trust | None = None, peers: int = 0
    ) -> None:
        """`own`: the head of the store that is there already. `peers`: how many the operator has named."""
        self._genesis = genesis
        self._own = own
        self._named_peers = peers
        self._genesis_hash = genesis_hash(genesis)
        self._choice = choice
        self._clock = clock
        self._peers: set[int] = set()
        self._members: set[int] = set()
        self.member_keys = frozenset(a.member.node_key for a in genesis.accounts if a.member and a.member.node_key)
        """Of genesis, until the caller knows better."""
        self._waiting: dict[tuple[int, type, object], asyncio.Future[object]] = {}
        self._heard = asyncio.Event()
        self.network: Network | None = None
        self.progress = ""

    # --- the network's events ---
    def connected(self, peer: int, node_key: bytes) -> None:
        self._peers.add(peer)
        if node_key in self.member_keys:
            self._members.add(peer)
        if self.network is not None:
            self.network.send(peer, Status(0, 0, 1))
        self._heard.set()

    def lost(self, peer: int) -> None:
        self._peers.discard(peer)
        for key, future in list(self._waiting.items()):
            if key[0] == peer and not future.done():
                future.set_exception(InvalidCertificate("the peer is gone"))
        self._heard.set()

    def received(self, peer: int, message: Message, _: int) -> None:
        self._heard.set()
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
                pass  # we have nothing to serve yet

    def _answered(self, peer: int, kind: type, what: object, message: object) -> None:
        future = self._waiting.get((peer, kind, what))
        if future is not None and not future.done():
            future.set_result(message)

    async def _ask(
        self, peer: int, question: Message | SnapshotMessage, kind: type, what: object, timeout_s: float
    ) -> object:
        """Raises `TimeoutError`, or `Rejected` where the peer has gone."""
        assert self.network is not None, "wired by the caller"
        key = (peer, kind, what)
        future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._waiting[key] = future
        try:
            self.network.send(peer, question)
            async with asyncio.timeout(timeout_s):
                return await future
        finally:
            self._waiting.pop(key, None)

    # --- what is done ---
    async def run(self, folder: Path) -> int:
        """The height of the snapshot that is now a store in `folder`; 0 where blocks are to be synced instead."""
        best = await self._best_height()
        base = start_height(self._genesis) if self._own is None else self._own.height
        if best - base < self._choice.gap or (self._own is not None and self._leads_on(base)):
            return 0
        trust = await self._root()
        if trust is None:
            return 0
        for offer, peers in await self._offers():
            height = offer.manifest.header.height
            if not self._leads_on(height):
                why = "nobody has the blocks after it any more"
                log("snapshot_refused", "warning", {"height": height, "peers": self._names(peers), "why": why})
                continue
            try:
                await self._believe(trust, offer, peers)
                await self._fetch(offer, peers, folder)
            except (Rejected, OperatorError, TimeoutError) as error:
                shutil.rmtree(folder, ignore_errors=True)
                log("snapshot_refused", "warning", {"height": height, "peers": self._names(peers), "why": str(error)})
                continue
            return height
        return 0

    def _leads_on(self, height: int) -> bool:
        """Whether somebody says that it has the blocks after `height`, or that this is its newest: a member, where any
        is linked."""
        network = self.network
        assert network is not None, "wired by the caller"
        asked = {peer for peer in self._members if network.height_of(peer) >= height} or self._peers
        return any(network.height_of(peer) >= height >= network.oldest_of(peer) - 1 for peer in asked)

    async def _best_height(self) -> int:
        """Once every peer that was named is linked and all have said where they stand, or the time to look is over."""
        assert self.network is not None, "wired by the caller"
        deadline = asyncio.get_running_loop().time() + LOOK_S
        while (left := deadline - asyncio.get_running_loop().time()) > 0:
            heights = [self.network.height_of(peer) for peer in self._peers]
            if heights and min(heights) >= 0 and len(heights) >= self._named_peers > 0:
                break
            self._heard.clear()
            try:
                async with asyncio.timeout(left):
                    await self._heard.wait()
            except TimeoutError:
                break
        return max((self.network.height_of(peer) for peer in self._peers), default=0)

    async def _root(self) -> Trust | None:
        """Our own head (with which `--trust` has been compared), genesis, or the header that the operator named; None
        where it may not be relied on."""
        wanted = self._choice.trust if self._own is None else None
        if wanted is None:
            trust = self._own or genesis_trust(self._genesis)
        else:
            found = await self._first_of(sorted(self._peers), lambda peer: self._named_root(peer, *wanted))
            if found is None:
                raise OperatorError(f"no peer has block {wanted[0]} with id {wanted[1].hex()}: compare --trust again")
            trust = found
        try:
            check_root_age(trust, self._clock(), self._choice.accept_old_root)
        except Rejected as error:
            log("snapshot_root", "warning", {"why": f"{error}; syncing by blocks instead"})
            return None
        return trust

    def _name(self, peer: int) -> str:
        return self.network.name_of(peer) if self.network is not None else str(peer)

    def _names(self, peers: set[int]) -> str:
        return " ".join(self._name(peer) for peer in sorted(peers))

    async def _first_of(self, peers: Iterable[int], attempt: Callable[[int], Awaitable[Trust]]) -> Trust | None:
        for peer in peers:
            try:
                return await attempt(peer)
            except (Rejected, TimeoutError) as error:
                log("snapshot_peer", "warning", {"peer": self._name(peer), "why": str(error) or "no answer"})
        return None

    async def _named_root(self, peer: int, height: int, block_id: bytes) -> Trust:
        header = (await self._committed(peer, height)).block.header
        if block_id_of(header, self._genesis_hash) != block_id:
            raise InvalidCertificate(f"its block {height} has another id than --trust names")
        following = ValidatorSet(await self._validators(peer, height + 1))
        if following.hash != header.next_validators_hash:
            raise InvalidCertificate(f"it gives another validator set than block {height} names")
        return Trust(height, block_id, header.time_ms, following, header)

    async def _offer_of(self, peer: int) -> Offer | None:
        try:
            answer = await self._ask(peer, GetOffer(), OfferMessage, None, ANSWER_S)
            assert isinstance(answer, OfferMessage), "answers are matched by kind"
            if answer.offer is not None:
                await asyncio.to_thread(check_offer, answer.offer, self._genesis_hash)
            return answer.offer
        except (Rejected, TimeoutError) as error:
            why = str(error) or "no answer to our question"
            log("snapshot_peer", "warning", {"peer": self._name(peer), "why": why})
            return None

    async def _offers(self) -> list[tuple[Offer, set[int]]]:
        """Distinct snapshots, each with the peers that have it: those of members first, the newest of them first.

        What the chunks hold is known to be the header's state only once all are there, so a stranger's come last.
        """
        found: dict[bytes, tuple[Offer, set[int]]] = {}
        peers = sorted(self._peers)
        for peer, offer in zip(peers, await asyncio.gather(*map(self._offer_of, peers)), strict=True):
            if offer is not None:
                found.setdefault(manifest_id(offer.manifest), (offer, set()))[1].add(peer)
        return sorted(found.values(), key=lambda e: (not e[1] & self._members, -e[0].manifest.header.height))

    async def _believe(self, trust: Trust, offer: Offer, peers: set[int]) -> None:
        """Its header is the chain's, as seen from the trust root. Raises `Rejected`."""
        header = offer.manifest.header
        if header.height == trust.height:
            if offer.commit.block_id != trust.block_id:
                raise InvalidCertificate("its block is not the one that is trusted")
            return
        loop = asyncio.get_running_loop()
        source = _PeerSource(self, offer, sorted(peers), loop)
        await asyncio.to_thread(advance, trust, LightBlock(header, offer.commit), source, self._genesis_hash)

    async def _committed(self, peer: int, height: int) -> Committed:
        answer = await self._ask(peer, GetBlocks(height, height), Blocks, None, ANSWER_S)
        assert isinstance(answer, Blocks), "answers are matched by kind"
        if len(answer.blocks) != 1 or answer.blocks[0].block.header.height != height:
            raise InvalidCertificate(f"it does not have block {height}")
        return answer.blocks[0]

    async def _validators(self, peer: int, height: int) -> tuple[ValidatorEntry, ...]:
        answer = await self._ask(peer, GetValidators(height), ValidatorsMessage, height, ANSWER_S)
        assert isinstance(answer, ValidatorsMessage), "answers are matched by kind"
        return answer.entries

    # --- chunks ---
    async def _fetch(self, offer: Offer, peers: set[int], folder: Path) -> None:
        """Every chunk into a store in `folder`. Raises `Rejected` where it is not what the header stands for."""
        manifest = offer.manifest
        shutil.rmtree(folder, ignore_errors=True)
        needed, free = len(manifest.chunks) * CHUNK_BYTES, shutil.disk_usage(folder.parent).free
        if 2 * needed > free:
            raise OperatorError(f"it needs about {needed} bytes, and {free} are free here: make room")
        kv = LevelStore(folder)
        chunks = _Chunks(manifest.chunks, deque(range(len(manifest.chunks))))
        ident = manifest_id(manifest)
        fetching = [asyncio.create_task(self._fetch_from(peer, ident, chunks)) for peer in sorted(peers)]
        try:
            restore = Restore(kv, self._genesis, offer, entries_max=_memory_free() // ENTRY_MEMORY_BYTES)
            started = asyncio.get_running_loop().time()
            while chunks.next < len(chunks.hashes):
                if chunks.next in chunks.arrived:
                    await asyncio.to_thread(restore.add, chunks.arrived.pop(chunks.next))
                    chunks.next += 1
                    chunks.changed.set()
                    self._tell(manifest.header.height, chunks, asyncio.get_running_loop().time() - started)
                    continue
                if all(task.done() for task in fetching):
                    raise InvalidCertificate(f"chunk {chunks.next} could be had from nobody")
                chunks.changed.clear()
                waiting = asyncio.create_task(chunks.changed.wait())
                await asyncio.wait({waiting, *fetching}, timeout=1.0, return_when=asyncio.FIRST_COMPLETED)
                waiting.cancel()
            await asyncio.to_thread(restore.finish)
        finally:
            for task in fetching:
                task.cancel()
            await asyncio.gather(*fetching, return_exceptions=True)
            kv.close()

    def _tell(self, height: int, chunks: _Chunks, seconds: float) -> None:
        total = len(chunks.hashes)
        left = seconds / chunks.next * (total - chunks.next)
        self.progress = f"snapshot {height}: chunk {chunks.next} of {total}, {left:.0f} s left"
        if chunks.next % 16 == 0 or chunks.next == total:
            log("snapshot_sync", "info", {"height": height, "chunk": chunks.next, "of": total, "left_s": int(left)})

    async def _fetch_from(self, peer: int, ident: bytes, chunks: _Chunks) -> None:
        """One peer's part of the work; ends where it fails, what it did not bring goes to the others."""
        while True:
            while not chunks.wanted or min(chunks.wanted) >= chunks.next + CHUNKS_AHEAD:
                if chunks.next + len(chunks.arrived) >= len(chunks.hashes):
                    return
                await asyncio.sleep(0.02)
            index = min(chunks.wanted)
            chunks.wanted.remove(index)
            try:
                answer = await self._ask(peer, GetChunk(ident, index), Chunk, (ident, index), CHUNK_S)
                assert isinstance(answer, Chunk), "answers are matched by kind"
                if chunk_hash(answer.data) != chunks.hashes[index]:
                    raise InvalidCertificate("its data is not what the manifest names")
            except (Rejected, TimeoutError) as error:
                why = str(error) or "no answer in time"
                log("snapshot_chunk", "warning", {"peer": self._name(peer), "chunk": index, "why": why})
                chunks.wanted.append(index)
                return
            chunks.arrived[index] = answer.data
            chunks.changed.set()


def _memory_free() -> int:
    """Bytes that this machine could give us now; where it does not say (not Linux), as if there were no end."""
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return 2**50


class _PeerSource:
    """Peers as `trust.Source`, for the thread that follows the headers."""

    def __init__(self, sync: SnapshotSync, offer: Offer, peers: list[int], loop: asyncio.AbstractEventLoop) -> None:
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
                found = self._wait(self._sync._committed(peer, height))
            except Rejected as error:
                log("snapshot_peer", "warning", {"peer": self._sync._name(peer), "why": str(error)})
                continue
            assert isinstance(found, Committed), "as asked"
            return found
        raise InvalidCertificate(f"no peer has block {height}")

    def validators(self, height: int) -> Iterable[tuple[ValidatorEntry, ...]]:
        yield self._offer.manifest.validators
        yield self._offer.manifest.next_validators
        for peer in self._peers:
            try:
                found = self._wait(self._sync._validators(peer, height))
            except Rejected:
                continue
            assert isinstance(found, tuple), "as asked"
            yield found
