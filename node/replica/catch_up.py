"""Block sync scheduler: which peer is asked for which blocks, and the blocks that have arrived. Sends nothing itself.

Disjoint ranges are requested from several peers at once; a range that is not delivered in time is requested from
another peer. Blocks are executed strictly in order, and a bad block discards all blocks of the peer that sent it.
"""

from __future__ import annotations

from dataclasses import dataclass

from node import limits
from node.chain.block import Committed
from node.replica.events import PeerId

REQUEST_TIMEOUT_MS = 4_000
"""A peer that has not answered after this is treated as slow."""
HEDGE_MS = 1_000
"""If the next block has not arrived after this, a second peer is asked for it too (hedged request)."""
SLOW_MS = 4_000
EMPTY_MS = 1_000
"""Pause for a slow peer, and for one that delivered none of the blocks it claims to have; doubled each time."""
DOUBLINGS_MAX = 4
FAILURES_BELIEVED = 2
"""After this many failures a peer's claimed head is ignored until its pause is over."""
MEMBERS_LEAD = 2
"""A member is preferred to strangers until it has failed this many times more."""
NEAR_DELAY_MS = 400
"""Delay before requesting a single missing block: consensus usually brings it."""
DELIVERED_WINDOW_MS = 5_000
LIAR_MS = 60_000
RANGE_BLOCKS = 40
REQUESTS_MAX = 8
"""Concurrent requests; one more is allowed for the next block."""
AHEAD_BLOCKS = 320
AHEAD_BYTES = 32 * 1024 * 1024
"""Blocks that may wait to be executed. Above: only the next block is requested."""


@dataclass
class PeerView:
    """A peer's claims about its chain, and how reliably it delivers."""

    node_key: bytes
    height: int = 0
    oldest: int = 1
    slow_until_ms: int = 0
    is_member: bool = False
    failures: int = 0
    """Requests it did not answer; halved when it delivers."""

    def is_believed(self, now_ms: int) -> bool:
        return self.failures < FAILURES_BELIEVED or self.slow_until_ms <= now_ms


@dataclass(frozen=True, slots=True)
class Request:
    """Heights `first` to `last`, requested from one peer."""

    first: int
    last: int
    until_ms: int


@dataclass(frozen=True, slots=True)
class Arrived:
    """A delivered block that is not executed yet."""

    peer: PeerId
    committed: Committed
    size: int


class CatchUp:
    """Peers, open requests and delivered blocks. `head` is the caller's committed height."""

    def __init__(self) -> None:
        self.peers: dict[PeerId, PeerView] = {}
        self.faults: list[tuple[PeerId, str]] = []
        """Faults since the caller last cleared them: peer (0: all) and description."""
        self._requests: dict[PeerId, Request] = {}
        self._arrived: dict[int, Arrived] = {}
        self._arrived_bytes = 0
        self._behind_since_ms: int | None = None
        self._stranded_at = -1
        self._delivered_height = 0
        self._delivered_ms = -DELIVERED_WINDOW_MS

    def is_mesh(self, validators: int) -> bool:
        """Whether as many members are linked as there are other validators: others then need a late relay, or none."""
        return sum(view.is_member for view in self.peers.values()) >= validators - 1

    def best_height(self, now_ms: int) -> int:
        """The highest head claimed by a peer that has not just failed to deliver."""
        best = 0
        for peer in self.peers.values():
            if peer.height > best and peer.is_believed(now_ms):
                best = peer.height
        return best

    def is_catching_up(self, head: int, now_ms: int) -> bool:
        """Whether a peer *delivered* a verified commit above the head within the last 5 s."""
        if head + 1 in self._arrived:
            return True
        return self._delivered_height > head and now_ms - self._delivered_ms < DELIVERED_WINDOW_MS

    # --- requests ---
    def whom_to_ask(self, head: int, now_ms: int) -> list[tuple[PeerId, Request]]:
        """Requests to send now; they are recorded as open."""
        self._give_up_late(now_ms)
        best = self.best_height(now_ms)
        if best <= head:
            self._behind_since_ms = None
            return []
        if self._behind_since_ms is None:
            self._behind_since_ms = now_ms
        if best == head + 1 and now_ms - self._behind_since_ms < NEAR_DELAY_MS:
            return []
        self._note_stranded(head)
        requests = []
        while True:
            first = self._first_wanted(head, best, now_ms)
            if first is None:
                break
            is_next = first == head + 1  # all others wait for it, so it is requested in any case
            is_full = len(self._requests) >= REQUESTS_MAX + is_next
            if is_full or (self._arrived_bytes >= AHEAD_BYTES and not is_next):
                break
            peer = self._best_peer(first, head, now_ms)
            if peer is None:
                break
            top = min(best, head + AHEAD_BLOCKS, self.peers[peer].height, first + RANGE_BLOCKS - 1)
            last = first
            while last < top and not self._is_covered(last + 1):
                last += 1
            request = Request(first, last, now_ms + REQUEST_TIMEOUT_MS)
            self._requests[peer] = request
            requests.append((peer, request))
        return requests

    def is_stranded(self, head: int) -> bool:
        """Whether every linked member is ahead, and no peer that is ahead still has the next block."""
        members = [view for view in self.peers.values() if view.is_member]
        ahead = [view for view in self.peers.values() if view.height > head]
        return bool(members) and all(m in ahead for m in members) and all(view.oldest > head + 1 for view in ahead)

    def _note_stranded(self, head: int) -> None:
        ahead = [view.oldest for view in self.peers.values() if view.height > head]
        if ahead and min(ahead) > head + 1 and self._stranded_at != head:
            self._stranded_at = head
            why = f"peers keep blocks from {min(ahead)} on, but {head + 1} is needed: restart, to load a snapshot"
            self.faults.append((0, why))

    def _give_up_late(self, now_ms: int) -> None:
        for peer, request in list(self._requests.items()):
            if request.until_ms <= now_ms:
                del self._requests[peer]
                self._failed(peer, SLOW_MS, now_ms)
                self.faults.append((peer, f"did not deliver blocks {request.first} to {request.last} in time"))

    def _is_covered(self, height: int) -> bool:
        return height in self._arrived or any(r.first <= height <= r.last for r in self._requests.values())

    def _first_wanted(self, head: int, best: int, now_ms: int) -> int | None:
        hedge_ms = self._hedge_ms(head)
        if hedge_ms is not None and hedge_ms <= now_ms:
            return head + 1
        for height in range(head + 1, min(best, head + AHEAD_BLOCKS) + 1):
            if not self._is_covered(height):
                return height
        return None

    def _hedge_ms(self, head: int) -> int | None:
        """When to ask a second peer for the next block; None unless exactly one is asked."""
        asked = [r for r in self._requests.values() if r.first <= head + 1 <= r.last]
        if len(asked) != 1 or head + 1 in self._arrived:
            return None
        return asked[0].until_ms - REQUEST_TIMEOUT_MS + HEDGE_MS

    def _best_peer(self, first: int, head: int, now_ms: int) -> PeerId | None:
        """Of the peers that claim to have `first` and are not paused: fewest failures, members preferred, then the
        highest usable head."""
        able = [
            (view.failures - MEMBERS_LEAD * view.is_member, -min(view.height, head + AHEAD_BLOCKS), peer)
            for peer, view in self.peers.items()
            if peer not in self._requests and view.height >= first >= view.oldest and view.slow_until_ms <= now_ms
        ]
        return min(able)[2] if able else None

    def _failed(self, peer: PeerId, slow_ms: int, now_ms: int) -> None:
        """Pause the peer, longer with each failure."""
        view = self.peers.get(peer)
        if view is not None:
            until_ms = now_ms + (slow_ms << min(view.failures, DOUBLINGS_MAX))
            view.slow_until_ms = max(view.slow_until_ms, until_ms)
            view.failures += 1

    # --- deliveries ---
    def delivered(self, peer: PeerId, blocks: tuple[Committed, ...], head: int, now_ms: int) -> None:
        """Keep the blocks that were requested from this peer; missing ones are requested again."""
        request = self._requests.pop(peer, None)
        if request is None:
            return
        expected = request.first
        for committed in blocks:
            if committed.block.header.height != expected or expected > request.last:
                break
            if expected > head and expected not in self._arrived:
                size = sum(len(raw) for raw in committed.block.transactions) + 2_000
                self._arrived[expected] = Arrived(peer, committed, size)
                self._arrived_bytes += size
            expected += 1
        if expected > request.first and peer in self.peers:
            self.peers[peer].failures //= 2
        if expected == request.first:
            self._failed(peer, EMPTY_MS, now_ms)
            self.faults.append((peer, f"delivered nothing of blocks {request.first} to {request.last}"))

    def next(self, head: int) -> Arrived | None:
        """The block after the head, if it has arrived; older ones are dropped."""
        if not self._arrived:
            return None
        for height in [height for height in self._arrived if height <= head]:
            self._forget(height)
        return self._arrived.get(head + 1)

    def ahead(self, head: int, count: int) -> list[Arrived]:
        """At most `count` consecutive arrived blocks after the next one."""
        consecutive = []
        for height in range(head + 2, head + 2 + count):
            if height not in self._arrived:
                break
            consecutive.append(self._arrived[height])
        return consecutive

    def drop(self, height: int) -> None:
        """Forget a block, where it is still here."""
        if height in self._arrived:
            self._forget(height)

    def _forget(self, height: int) -> None:
        self._arrived_bytes -= self._arrived.pop(height).size

    def held(self) -> int:
        """Number of arrived blocks, including those behind a gap."""
        return len(self._arrived)

    def waiting(self, head: int) -> int:
        """Number of consecutive arrived blocks after the head. Those behind a gap don't count: they are unverified."""
        height = head + 1
        while height in self._arrived:
            height += 1
        return height - head - 1

    def verified(self, height: int, now_ms: int) -> None:
        """A delivered commit of `height` was verified."""
        self._delivered_height, self._delivered_ms = height, now_ms

    def lied(self, peer: PeerId, height: int, now_ms: int) -> None:
        """Drop all blocks of a peer that delivered a bad one, and pause it for long."""
        for at in [at for at, arrived in self._arrived.items() if arrived.peer == peer or at == height]:
            self._forget(at)
        self._failed(peer, LIAR_MS, now_ms)
        self.faults.append((peer, f"delivered a bad block {height}"))

    def committed(self) -> None:
        self._behind_since_ms = None

    def next_deadline_ms(self, head: int, now_ms: int) -> int | None:
        if head + 1 in self._arrived:
            return now_ms
        deadlines = [request.until_ms for request in self._requests.values()]
        able = [
            view.slow_until_ms
            for peer, view in self.peers.items()
            if view.height > head and view.oldest <= head + 1 and peer not in self._requests
        ]
        if not able or len(self._requests) > REQUESTS_MAX:
            return min(deadlines, default=None)
        near = (now_ms if self._behind_since_ms is None else self._behind_since_ms) + NEAR_DELAY_MS
        hedge_ms = self._hedge_ms(head)
        if hedge_ms is not None or not self._is_covered(head + 1):
            deadlines.extend(max(near, hedge_ms or near, slow_until) for slow_until in able)
        return min(deadlines, default=None)

    def lost(self, peer: PeerId) -> None:
        """Remove the peer and its blocks: a bad one could not be punished any more."""
        self.peers.pop(peer, None)
        self._requests.pop(peer, None)
        for height in [height for height, arrived in self._arrived.items() if arrived.peer == peer]:
            self._forget(height)


assert RANGE_BLOCKS <= limits.SYNC_BATCH_BLOCKS, "a range fits into one answer"
