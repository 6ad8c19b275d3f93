"""Links between nodes: delay, loss, duplication, reordering, clogs, one-way cuts, partitions. Everything is bytes."""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import TYPE_CHECKING, Any

from node.crypto.dev_keys import dev_key
from node.errors import Rejected
from node.p2p.rate_limits import RateLimits
from node.p2p.wire import decode_wire
from node.replica import events as e
from node.replica.messages import Message
from support.simulation.errors import Violation

if TYPE_CHECKING:
    from support.simulation.node import SimulatedNode
    from support.simulation.world import World

DECODED_MAX = 4_000
Topic = tuple[str, bytes]
"""Kind of a consensus message, and its signer."""
NO_TOPIC: Topic = ("", b"")


class Network:
    def __init__(self, world: World) -> None:
        self._world = world
        self._next_link = 0
        self.peers: dict[int, tuple[int, int]] = {}
        """Link to (source, target)."""
        self.partitioned: set[frozenset[int]] = set()
        self.deaf: set[tuple[int, int]] = set()
        """(source, target) of directions that lose all messages."""
        self.clogged: dict[tuple[int, int], int] = {}
        """(source, target) to the time until which messages are delayed."""
        options = world.options
        self.loss, self.duplicate, self.delay = options.loss, options.duplicate, options.delay
        self.starving: Counter[tuple[int, Topic]] = Counter()
        """(target, topic) that is held back, whoever relays it, to the number of faults that hold it."""
        self._rate_limits: dict[tuple[int, int], RateLimits] = {}
        self._decoded: OrderedDict[bytes, Any] = OrderedDict()

    # --- links ---
    def connect(self, a: SimulatedNode, b: SimulatedNode) -> None:
        if b.index in a.links or frozenset((a.index, b.index)) in self.partitioned or not (a.is_up and b.is_up):
            return
        self._next_link += 2
        to_b, to_a = self._next_link, self._next_link + 1
        a.links[b.index], b.links[a.index] = to_b, to_a
        self.peers[to_b], self.peers[to_a] = (a.index, b.index), (b.index, a.index)
        a.handle(e.PeerConnected(to_b, dev_key("node", b.name).public, is_member=True))
        b.handle(e.PeerConnected(to_a, dev_key("node", a.name).public, is_member=True))

    def disconnect(self, a: SimulatedNode, b: SimulatedNode) -> None:
        to_b, to_a = a.links.pop(b.index, None), b.links.pop(a.index, None)
        if to_b is not None and to_a is not None:
            del self.peers[to_b], self.peers[to_a]
            a.handle(e.PeerLost(to_b))
            b.handle(e.PeerLost(to_a))

    def connect_all(self) -> None:
        nodes = self._world.nodes
        for a in nodes:
            for b in nodes:
                if a.index < b.index:
                    self.connect(a, b)

    def heal(self) -> None:
        """Let every link deliver all messages again, soon."""
        self.loss, self.duplicate, self.delay = 0.0, 0.0, (1, 30)
        self.starving.clear()
        self.partitioned.clear()
        self.deaf.clear()
        self.clogged.clear()
        self.connect_all()

    def hold(self, pairs: list[tuple[int, Topic]]) -> None:
        """Hold back topics from targets, until each is released as often."""
        self.starving.update(pairs)

    def release(self, pairs: list[tuple[int, Topic]]) -> None:
        self.starving.subtract(pairs)
        for pair in pairs:
            if self.starving[pair] <= 0:
                del self.starving[pair]

    # --- messages ---
    def count(self, link: int, kind: type, size: int) -> None:
        """Check that an honest node stays below its peers' rate limits: otherwise they would ban it."""
        source, target = self.peers[link]
        rate_limits = self._rate_limits.get((source, target))
        if rate_limits is None:
            rate_limits = self._rate_limits[source, target] = RateLimits(self._world.now)
        if not rate_limits.spend(kind, size, self._world.now) and not self._world.nodes[source].is_faulty:
            name = self._world.nodes[source].label
            raise Violation(f"{name} sends more {kind.__name__} messages than its peers allow")

    def send(self, link: int, raw: bytes, topic: Topic = NO_TOPIC) -> None:
        """Send bytes over a link. `topic`: kind and signer of a vote or proposal."""
        world = self._world
        source, target = self.peers[link]
        chance = world.chance("net")
        for _ in range(2 if chance.random() < self.duplicate else 1):
            is_lost = (source, target) in self.deaf or (target, topic) in self.starving
            if is_lost or (self.loss and chance.random() < self.loss):
                world.faults["message_lost"] += 1
                continue
            delay = chance.randint(*self.delay)
            until = self.clogged.get((source, target), 0)
            if until > world.now:
                world.faults["message_clogged"] += 1
                delay += until - world.now
            world.later(delay, self._deliver, link, source, target, raw)

    def _deliver(self, link: int, source: int, target: int, raw: bytes) -> None:
        world = self._world
        node = world.nodes[target]
        back = node.links.get(source)
        if link not in self.peers or back is None or not node.is_up:
            return
        try:
            message = self._decode(raw)
        except Rejected as error:
            if not world.nodes[source].is_faulty:
                raise Violation(f"{world.nodes[source].label} sent bytes that do not decode: {error}") from None
            world.faults["message_refused"] += 1
            return
        world.note_delivery(source, target, raw)
        if node.behaviour is None or node.behaviour.hears(message):
            node.handle(e.Received(back, message, world.now))

    def _decode(self, raw: bytes) -> Message:
        """The production decoder; messages are immutable, so the same bytes are decoded once."""
        message = self._decoded.get(raw)
        if message is None:
            message = self._decoded[raw] = decode_wire(raw)
            if len(self._decoded) > DECODED_MAX:
                self._decoded.popitem(last=False)
        return message
