"""The first minutes of a node that is new, or was away for too long: is the chain so far ahead that a snapshot is
quicker, whose is believed, fetch it, use it.

Runs before the replica does, with the network to itself. Whatever fails names the peer, the chunk and the reason, and
goes on with others; where no snapshot can be had, the node syncs by blocks.
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
"""How long a node waits for the peers that it is told of before it goes on with those it has: the first that comes must
not decide alone."""
BELIEVE_S = 300.0
"""For the headers that lead from the root to a snapshot's."""
PATIENCE_S = 600.0
STRANGERS_MAX = 3
"""What a snapshot that only strangers offer may take, and how many of them are tried while there may be another way."""
OFFERS_MAX = 2
"""Snapshots of one peer that are tried in vain."""
GAP_DEFAULT = 1_000
ENTRY_MEMORY_BYTES = 600
"""Of free memory for each state value, or car whose value is not there yet: several times what checking one needs."""


@dataclass(frozen=True)
class Choice:
    """What the operator has said. `trust`: (height, block id) instead of genesis as the root."""

    gap: int = GAP_DEFAULT
    trust: tuple[int, bytes] | None = None
    accept_old_root: bool = False


class SnapshotSync(SnapshotPeers):
    """From the first link to a whole store, or to the word that blocks are the way."""

    def __init__(
        self, genesis: Genesis, choice: Choice, clock: Callable[[], int], own: Trust | None = None, peers: int = 0
    ) -> None:
        """`own`: the head of the store that is there already. `peers`: how many the operator has named."""
        super().__init__(frozenset(a.member.node_key for a in genesis.accounts if a.member and a.member.node_key))
        self._genesis = genesis
        self._own = own
        self._named_peers = peers
        self._genesis_hash = genesis_hash(genesis)
        self._choice = choice
        self._clock = clock
        self._refused: set[bytes] = set()
        self._slow: Counter[bytes] = Counter()
        """Snapshots that were tried, by their manifest: what was wrong, and how often what was only slow."""
        self._in_vain: Counter[bytes] = Counter()
        """Snapshots by the node keys of those who offered them."""
        self._strangers_left = STRANGERS_MAX
        self._known: set[bytes] = set()
        """Node keys of members and named peers that were linked when a snapshot was begun."""
        self._unknown_rules = ""
        """What to tell the operator where every snapshot left needs newer software, and there are no blocks either."""
        self.progress: SnapshotProgress | None = None

    # --- what is done ---
    async def run(self, folder: Path) -> int:
        """The height of the snapshot that is now a store in `folder`; 0 where blocks are to be synced instead. Raises
        `OperatorError` where there is no way to go on, such as with this software."""
        await self._look()
        trust = None
        while self._is_far_behind():
            if trust is None and (trust := await self._root()) is None:
                return 0
            found = self._choose(await self._offers())
            if found is None:
                if self._unknown_rules and not self._leads_on(self._base(), is_newest_enough=False):
                    raise OperatorError(self._unknown_rules)
                log("snapshot_none", "info", {"why": "nobody offers one that was not tried; syncing by blocks instead"})
                return 0
            offer, peers, patience_s = found
            height, ident = offer.manifest.header.height, manifest_id(offer.manifest)
            try:
                if not self._leads_on(height):
                    raise InvalidCertificate("nobody has the blocks after it any more")
                async with asyncio.timeout(BELIEVE_S):
                    await self._believe(trust, offer, peers)
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
            self._in_vain.update(self.linked[peer] for peer in peers if peer in self.linked)
            self._strangers_left -= not peers & self.friends()
        if is_slow:
            self._slow[ident] += 1
        else:
            self._refused.add(ident)

    def _is_far_behind(self) -> bool:
        """Whether blocks can't be had, or a snapshot is quicker."""
        assert self.network is not None, "wired by the caller"
        best, base = max((self.network.height_of(peer) for peer in self.linked), default=0), self._base()
        if best > base and not self._leads_on(base):
            return True  # however few the blocks are: nobody has them any more
        return self._own is None and best - base >= self._choice.gap

    def _base(self) -> int:
        return start_height(self._genesis) if self._own is None else self._own.height

    def _leads_on(self, height: int, *, is_newest_enough: bool = True) -> bool:
        """Whether somebody says that it has the blocks after `height`, or that this is its newest: a member or a named
        peer, where any is linked that stands so high."""
        network = self.network
        assert network is not None, "wired by the caller"
        least = height if is_newest_enough else height + 1
        asked = {peer for peer in self.friends() if network.height_of(peer) >= least} or self.linked
        return any(network.height_of(peer) >= least and height >= network.oldest_of(peer) - 1 for peer in asked)

    async def _look(self) -> None:
        """Until as many members and named peers are linked as were named, and all have said where they stand, or the
        time to look is over. However many strangers come first, they don't end it."""
        assert self.network is not None, "wired by the caller"
        deadline = asyncio.get_running_loop().time() + LOOK_S
        while (left := deadline - asyncio.get_running_loop().time()) > 0:
            heights = [self.network.height_of(peer) for peer in self.friends()]
            if heights and min(heights) >= 0 and len(heights) >= self._named_peers > 0:
                break
            self.heard.clear()
            try:
                async with asyncio.timeout(left):
                    await self.heard.wait()
            except TimeoutError:
                break

    async def _root(self) -> Trust | None:
        """Our own head (with which `--trust` has been compared), genesis, or the header that the operator named; None
        where it may not be relied on."""
        wanted = self._choice.trust if self._own is None else None
        if wanted is None:
            trust = self._own or genesis_trust(self._genesis)
        else:
            found = await self._first_of(sorted(self.linked), lambda peer: self._named_root(peer, *wanted))
            if found is None:
                raise OperatorError(f"no peer has block {wanted[0]} with id {wanted[1].hex()}: compare --trust again")
            trust = found
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
            why = str(error) or "no answer to our question"
            log("snapshot_peer", "warning", {"peer": self.name(peer), "why": why})
            return None

    async def _offers(self) -> list[tuple[Offer, set[int]]]:
        """Distinct snapshots, each with the peers that have it: those of members and named peers first, the newest of
        them first.

        What the chunks hold is known to be the header's state only once all are there, so a stranger's come last.
        """
        found: dict[bytes, tuple[Offer, set[int]]] = {}
        peers = sorted(peer for peer, key in self.linked.items() if self._in_vain[key] < OFFERS_MAX)
        for peer, offer in zip(peers, await asyncio.gather(*map(self._offer_of, peers)), strict=True):
            if offer is not None:
                found.setdefault(manifest_id(offer.manifest), (offer, set()))[1].add(peer)
        friends = self.friends()
        return sorted(found.values(), key=lambda e: (not e[1] & friends, -e[0].manifest.header.height))

    def _choose(self, offers: list[tuple[Offer, set[int]]]) -> tuple[Offer, set[int], float] | None:
        """The first that was not tried yet; else, where blocks can't be had, the one that was slow least often. And how
        many seconds it has then, twice as many each time: 0 for the first, which must keep a pace."""
        idents = {manifest_id(offer.manifest): (offer, peers) for offer, peers in offers}
        left = {ident: found for ident, found in idents.items() if ident not in self._refused}
        for ident, (offer, peers) in left.items():
            if not self._slow[ident] and (self._strangers_left > 0 or peers & self.friends()):
                return offer, peers, 0.0
        slow = {ident: found for ident, found in left.items() if self._slow[ident]}
        if not slow or self._leads_on(self._base(), is_newest_enough=False):
            return None
        ident = min(slow, key=lambda ident: self._slow[ident])
        return *slow[ident], PATIENCE_S * 2.0 ** self._slow[ident] if len(slow) > 1 else inf

    async def _believe(self, trust: Trust, offer: Offer, peers: set[int]) -> None:
        """Its header is the chain's, as seen from the trust root. Raises `Rejected`."""
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
        """Every chunk into a store in `folder`. Raises `Rejected` where it is not what the header stands for, `TooSlow`
        and `GaveWay`."""
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
            fetch = SnapshotFetch(manifest, self.chunk, self.name, self._told, check)
            await fetch.run(friends, peers - friends, lambda chunk: in_thread(partial(restore.add, chunk)))
            await in_thread(restore.finish)
        finally:
            self.progress = None
            if work is not None:  # a thread goes on where we are cancelled, and must not write into a closed store
                await asyncio.gather(work, return_exceptions=True)
            kv.close()

    def _impatient(self, *, is_strangers: bool) -> Callable[[str], None]:
        """There may be other ways. Nobody vouches for what only strangers offer: it has so much time, and gives way."""
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
        """There was no other way."""
        begun, make_way = asyncio.get_running_loop().time(), self._for_new_friends()

        def check(why_slow: str) -> None:
            if why_slow and self._leads_on(self._base(), is_newest_enough=False):
                raise GaveWay(f"{why_slow}, and blocks can be had now")
            if asyncio.get_running_loop().time() - begun > patience_s:
                raise TooSlow(f"it took more than {patience_s:.0f} s, and there is another")
            make_way()

        return check

    def _for_new_friends(self) -> Callable[[], None]:
        """Gives way once a member or a named peer that is ahead of us is linked and was not when this was called; to
        each once, however often it comes and goes."""
        self._known.update(self.linked[peer] for peer in self.friends())
        base, network = self._base(), self.network
        assert network is not None, "wired by the caller"

        def make_way() -> None:
            ahead = {self.linked[peer] for peer in self.friends() if network.height_of(peer) > base}
            if ahead - self._known:
                raise GaveWay("a member or a named peer is linked now")

        return make_way

    def _told(self, progress: SnapshotProgress) -> None:
        self.progress = progress


def _memory_free() -> int:
    """Bytes that this machine could give us now; where it does not say (not Linux), as if there were no end."""
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return 2**50
