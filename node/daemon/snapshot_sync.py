"""Snapshot sync of a node that is new, or was away for too long: decide whether a snapshot is quicker than blocks,
choose an offer, verify its header, fetch its chunks.

Members and configured peers are friends, all other peers are strangers.

Runs before the replica, with the network to itself. A failure is logged with peer, chunk and reason, and other offers
are tried; where no snapshot can be used, the node syncs by blocks.
"""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import partial
from math import inf
from pathlib import Path

from node.chain.block import block_id_of
from node.chain.genesis import Genesis, genesis_hash, start_height
from node.chain.trust import LightBlock, Trust, advance, check_root_age, genesis_trust
from node.chain.validators import ValidatorSet
from node.daemon.snapshot_fetch import GaveWay, SnapshotFetch, SnapshotProgress, TooSlow
from node.daemon.snapshot_peers import ANSWER_S, PeerSource, SnapshotPeers
from node.errors import InvalidCertificate, OperatorError, Rejected
from node.log import log
from node.p2p.wire import GetOffer, OfferMessage
from node.storage.leveldb import LevelStore
from node.storage.snapshot import CHUNK_BYTES, Offer, Restore, check_offer, manifest_id
from node.txtypes.rulesets import unknown_ruleset

LOOK_S = 3.0
"""Time to wait for configured peers before going on with those connected: the first to connect must not decide
alone."""
HEADERS_S = 300.0
"""Time to verify the headers that lead from the root to a snapshot's."""
PATIENCE_S = 600.0
STRANGERS_MAX = 3
"""Time for a snapshot that only strangers offer, and how many of those are tried while there may be another way."""
OFFERS_MAX = 2
"""Failed snapshots of one peer after which its offers are ignored."""
GAP_DEFAULT = 1_000
ENTRY_MEMORY_BYTES = 600
"""Free memory for each state value, or car whose value is not there yet: several times what checking one needs."""


@dataclass(frozen=True)
class Choice:
    """The operator's options. `trust`: (height, block id) of the trust root, instead of genesis."""

    gap: int = GAP_DEFAULT
    trust: tuple[int, bytes] | None = None
    accept_old_root: bool = False


class SnapshotSync(SnapshotPeers):
    """From the first link to a complete store, or to the decision to sync by blocks."""

    def __init__(
        self, genesis: Genesis, choice: Choice, clock: Callable[[], int], own: Trust | None = None, peers: int = 0
    ) -> None:
        """`own`: the head of the store in the home. `peers`: how many are configured."""
        super().__init__(frozenset(a.member.node_key for a in genesis.accounts if a.member and a.member.node_key))
        self._genesis = genesis
        self._own = own
        self._named_peers = peers
        self._genesis_hash = genesis_hash(genesis)
        self._choice = choice
        self._clock = clock
        self._refused: set[bytes] = set()
        self._slow: Counter[bytes] = Counter()
        """Snapshots that were tried, by manifest id: the wrong ones, and how often each was only slow."""
        self._failed: Counter[bytes] = Counter()
        """Node key to its number of failed snapshots."""
        self._strangers_left = STRANGERS_MAX
        self._friends_seen: set[bytes] = set()
        """Node keys of friends that were linked when a snapshot was started."""
        self._unknown_rules = ""
        """What to tell the operator where every snapshot left needs newer software, and there are no blocks either."""
        self.progress: SnapshotProgress | None = None

    async def run(self, folder: Path) -> int:
        """Returns the height of the snapshot that is a store in `folder` now; 0 where blocks are to be synced instead.

        Raises `OperatorError` where there is no way to go on, such as with this software."""
        await self._wait_for_peers()
        trust = None
        while self._is_far_behind():
            if trust is None and (trust := await self._root()) is None:
                return 0
            chosen = self._choose(await self._offers())
            if chosen is None:
                if self._unknown_rules and not self._can_sync_from(self._base(), is_newest_enough=False):
                    raise OperatorError(self._unknown_rules)
                log(
                    "snapshot_none", "info", {"why": "no peer offers one that was not tried; syncing by blocks instead"}
                )
                return 0
            offer, peers, patience_s = chosen
            height, ident = offer.manifest.header.height, manifest_id(offer.manifest)
            try:
                if not self._can_sync_from(height):
                    raise InvalidCertificate("no peer has the blocks after it any more")
                async with asyncio.timeout(HEADERS_S):
                    await self._verify_header(trust, offer, peers)
                self._check_rules(offer)
                await self._fetch(offer, peers, folder, patience_s)
                return height
            except (Rejected, OperatorError, TimeoutError, TooSlow, GaveWay) as error:
                shutil.rmtree(folder, ignore_errors=True)
                why = str(error) or "its headers took too long"
                log("snapshot_refused", "warning", {"height": height, "peers": self.names(peers), "why": why})
                if not isinstance(error, GaveWay):
                    self._note_failure(ident, peers, is_slow=isinstance(error, TooSlow))
        return 0

    def _note_failure(self, ident: bytes, peers: set[int], *, is_slow: bool) -> None:
        if not self._slow[ident]:
            self._failed.update(self.linked[peer] for peer in peers if peer in self.linked)
            self._strangers_left -= not peers & self.friends()
        if is_slow:
            self._slow[ident] += 1
        else:
            self._refused.add(ident)

    def _is_far_behind(self) -> bool:
        """Whether no peer has our next blocks, or a snapshot is quicker."""
        assert self.network is not None, "wired by the caller"
        best, base = max((self.network.height_of(peer) for peer in self.linked), default=0), self._base()
        if best > base and not self._can_sync_from(base):
            return True  # however few the blocks are: no peer has them any more
        return self._own is None and best - base >= self._choice.gap

    def _base(self) -> int:
        return start_height(self._genesis) if self._own is None else self._own.height

    def _can_sync_from(self, height: int, *, is_newest_enough: bool = True) -> bool:
        """Whether a peer says that it has the blocks after `height`, or that this is its newest. Where a friend at that
        height is linked, only friends are believed."""
        network = self.network
        assert network is not None, "wired by the caller"
        least = height if is_newest_enough else height + 1
        asked = {peer for peer in self.friends() if network.height_of(peer) >= least} or self.linked
        return any(network.height_of(peer) >= least and height >= network.oldest_of(peer) - 1 for peer in asked)

    async def _wait_for_peers(self) -> None:
        """Until as many friends are linked as peers are configured, and all have sent their height, or `LOOK_S` is
        over. Strangers, however many, do not end the wait."""
        assert self.network is not None, "wired by the caller"
        deadline = asyncio.get_running_loop().time() + LOOK_S
        while (left := deadline - asyncio.get_running_loop().time()) > 0:
            heights = [self.network.height_of(peer) for peer in self.friends()]
            if heights and min(heights) >= 0 and len(heights) >= self._named_peers > 0:
                break
            self.changed.clear()
            try:
                async with asyncio.timeout(left):
                    await self.changed.wait()
            except TimeoutError:
                break

    async def _root(self) -> Trust | None:
        """The trust root: our own head (already compared with `--trust`), genesis, or the block of `--trust`; None
        where it is too old."""
        wanted = self._choice.trust if self._own is None else None
        if wanted is None:
            trust = self._own or genesis_trust(self._genesis)
        else:
            named = await self._first_of(sorted(self.linked), lambda peer: self._named_root(peer, *wanted))
            if named is None:
                raise OperatorError(f"no peer has block {wanted[0]} with id {wanted[1].hex()}: compare --trust again")
            trust = named
        try:
            check_root_age(trust, self._clock(), self._choice.accept_old_root)
        except Rejected as error:
            log("snapshot_root", "warning", {"why": f"{error}; syncing by blocks instead"})
            return None
        return trust

    async def _first_of(self, peers: Iterable[int], attempt: Callable[[int], Awaitable[Trust]]) -> Trust | None:
        for peer in peers:
            try:
                return await attempt(peer)
            except (Rejected, TimeoutError) as error:
                log("snapshot_peer", "warning", {"peer": self.name(peer), "why": str(error) or "no answer"})
        return None

    async def _named_root(self, peer: int, height: int, block_id: bytes) -> Trust:
        header = (await self.committed(peer, height)).block.header
        if block_id_of(header, self._genesis_hash) != block_id:
            raise InvalidCertificate(f"its block {height} has another id than --trust names")
        following = ValidatorSet(await self.validators(peer, height + 1))
        if following.hash != header.next_validators_hash:
            raise InvalidCertificate(f"it gives another validator set than block {height} names")
        return Trust(height, block_id, header.time_ms, following, header)

    async def _offer_of(self, peer: int) -> Offer | None:
        try:
            answer = await self.ask(peer, GetOffer(), OfferMessage, None, ANSWER_S)
            assert isinstance(answer, OfferMessage), "answers are matched by kind"
            if answer.offer is not None:
                await asyncio.to_thread(check_offer, answer.offer, self._genesis_hash)
            return answer.offer
        except (Rejected, TimeoutError) as error:
            why = str(error) or "no answer"
            log("snapshot_peer", "warning", {"peer": self.name(peer), "why": why})
            return None

    async def _offers(self) -> list[tuple[Offer, set[int]]]:
        """Distinct snapshots, each with the peers that offer it: those of friends first, the newest of them first.

        Chunks are known to hold the header's state only once all are there, so those of strangers come last.
        """
        offers: dict[bytes, tuple[Offer, set[int]]] = {}
        peers = sorted(peer for peer, key in self.linked.items() if self._failed[key] < OFFERS_MAX)
        for peer, offer in zip(peers, await asyncio.gather(*map(self._offer_of, peers)), strict=True):
            if offer is not None:
                offers.setdefault(manifest_id(offer.manifest), (offer, set()))[1].add(peer)
        friends = self.friends()
        return sorted(offers.values(), key=lambda e: (not e[1] & friends, -e[0].manifest.header.height))

    def _choose(self, offers: list[tuple[Offer, set[int]]]) -> tuple[Offer, set[int], float] | None:
        """The first untried offer; else, where no peer has our next blocks, the one that was slow least often. With the
        seconds that it may take, doubled at each attempt: 0 for the first attempt, which must keep its pace."""
        idents = {manifest_id(offer.manifest): (offer, peers) for offer, peers in offers}
        left = {ident: candidate for ident, candidate in idents.items() if ident not in self._refused}
        for ident, (offer, peers) in left.items():
            if not self._slow[ident] and (self._strangers_left > 0 or peers & self.friends()):
                return offer, peers, 0.0
        slow = {ident: candidate for ident, candidate in left.items() if self._slow[ident]}
        if not slow or self._can_sync_from(self._base(), is_newest_enough=False):
            return None
        ident = min(slow, key=lambda ident: self._slow[ident])
        return *slow[ident], PATIENCE_S * 2.0 ** self._slow[ident] if len(slow) > 1 else inf

    async def _verify_header(self, trust: Trust, offer: Offer, peers: set[int]) -> None:
        """Verify from the trust root that the offer's header is the chain's. Raises `Rejected`."""
        header = offer.manifest.header
        if header.height == trust.height:
            if offer.commit.block_id != trust.block_id:
                raise InvalidCertificate("its block is not the one that is trusted")
            return
        loop = asyncio.get_running_loop()
        source = PeerSource(self, offer, sorted(peers), loop)
        await asyncio.to_thread(advance, trust, LightBlock(header, offer.commit), source, self._genesis_hash)

    def _check_rules(self, offer: Offer) -> None:
        """Raises `OperatorError` where this software does not know the ruleset that judged a header that we believe."""
        header = offer.manifest.header
        if unknown := unknown_ruleset(header.height, header.ruleset_hash):
            self._unknown_rules = unknown
            raise OperatorError(unknown)

    async def _fetch(self, offer: Offer, peers: set[int], folder: Path, patience_s: float = 0.0) -> None:
        """Fetch every chunk into a store in `folder`. Raises `Rejected` where they are not the header's state,
        `TooSlow` and `GaveWay`."""
        manifest = offer.manifest
        shutil.rmtree(folder, ignore_errors=True)
        needed, free = len(manifest.chunks) * CHUNK_BYTES, shutil.disk_usage(folder.parent).free
        if 2 * needed > free:
            raise OperatorError(f"it needs about {needed} bytes, and {free} are free here: make room")
        kv = LevelStore(folder)
        work: asyncio.Future[None] | None = None

        async def in_thread(step: Callable[[], None]) -> None:
            nonlocal work
            work = asyncio.ensure_future(asyncio.to_thread(step))
            await asyncio.shield(work)

        try:
            restore = Restore(kv, self._genesis, offer, entries_max=_memory_free() // ENTRY_MEMORY_BYTES)
            friends = peers & self.friends()
            check = self._patient(patience_s) if patience_s else self._impatient(is_strangers=not friends)
            fetch = SnapshotFetch(manifest, self.chunk, self.name, self._on_progress, check)
            await fetch.run(friends, peers - friends, lambda chunk: in_thread(partial(restore.add, chunk)))
            await in_thread(restore.finish)
        finally:
            self.progress = None
            if work is not None:  # a thread outlives a cancellation, and must not write into a closed store
                await asyncio.gather(work, return_exceptions=True)
            kv.close()

    def _impatient(self, *, is_strangers: bool) -> Callable[[str], None]:
        """Check of a first attempt: it must keep its pace. An offer of strangers alone has limited time, and gives way
        to a friend."""
        begun, make_way = asyncio.get_running_loop().time(), self._for_new_friends()

        def check(why_slow: str) -> None:
            if why_slow:
                raise TooSlow(why_slow)
            if is_strangers and asyncio.get_running_loop().time() - begun > PATIENCE_S:
                raise TooSlow(f"strangers alone offer it, and it took more than {PATIENCE_S:.0f} s")
            if is_strangers:
                make_way()

        return check

    def _patient(self, patience_s: float) -> Callable[[str], None]:
        """Check of an offer that is tried again because there was no other way."""
        begun, make_way = asyncio.get_running_loop().time(), self._for_new_friends()

        def check(why_slow: str) -> None:
            if why_slow and self._can_sync_from(self._base(), is_newest_enough=False):
                raise GaveWay(f"{why_slow}, and a peer has our next blocks now")
            if asyncio.get_running_loop().time() - begun > patience_s:
                raise TooSlow(f"it took more than {patience_s:.0f} s, and there is another")
            make_way()

        return check

    def _for_new_friends(self) -> Callable[[], None]:
        """Gives way once a friend that is ahead of us is linked and was not when this was called; to each friend once,
        however often it reconnects."""
        self._friends_seen.update(self.linked[peer] for peer in self.friends())
        base, network = self._base(), self.network
        assert network is not None, "wired by the caller"

        def make_way() -> None:
            ahead = {self.linked[peer] for peer in self.friends() if network.height_of(peer) > base}
            if ahead - self._friends_seen:
                raise GaveWay("a member or a configured peer is linked now")

        return make_way

    def _on_progress(self, progress: SnapshotProgress) -> None:
        self.progress = progress


def _memory_free() -> int:
    """Memory available on this machine, in bytes; practically unlimited where it does not say (not Linux)."""
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return 2**50
