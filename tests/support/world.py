"""A deterministic world for replicas: virtual clock, seeded links, crashes, disks that survive, one liar.

The production `Replica` runs in it, with the real codec, the real store code over memory, and real signatures. One
seeded stream of chance per name, so that a change in one place does not shuffle the others. Checks run after every
event; a violation raises `Violation` and the seed reproduces it.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from hashlib import sha256

from node.chain.dev_genesis import Party, build_genesis
from node.chain.vote import NIL, Vote, vote_sign_bytes
from node.codec import encode
from node.consensus.safety import SignedVote, decode_hard_state
from node.crypto.addresses import address_of
from node.crypto.dev_keys import dev_key
from node.execution.blocks import execute_block
from node.replica import events as e
from node.replica.messages import ProposalMessage, VoteMessage, decode_message
from node.replica.replica import Replica, ReplicaConfig
from node.replica.signing import Signer
from node.storage.chain_store import ChainStore
from node.storage.memory import MemoryStore
from node.txtypes.envelope import check_signatures, decode_signed_tx, verify_raw
from node.txtypes.vehicle import VehicleRegister
from wallet.compose import sign_transaction

START_MS = 1_767_225_600_000
HOUR_MS = 3_600_000


class Violation(AssertionError):
    """A property that must never break is broken."""


class Disk:
    """What survives a crash: the store, the hard state, the journal of accepted transactions."""

    def __init__(self) -> None:
        self.kv = MemoryStore()
        self.hard: bytes | None = None
        self.journal: dict[bytes, bytes] = {}

    def load(self) -> bytes | None:
        return self.hard

    def save(self, raw: bytes) -> None:
        self.hard = raw


class Node:
    def __init__(self, world: World, index: int, name: str) -> None:
        self.world = world
        self.index = index
        self.name = name
        self.disk = Disk()
        self.replica: Replica | None = None
        self.skew_ms = 0
        self.links: dict[int, int] = {}
        self.boots = 0
        self.is_liar = False
        self.tick_at = -1

    @property
    def is_up(self) -> bool:
        return self.replica is not None

    def now(self) -> int:
        return self.world.now + self.skew_ms

    def boot(self) -> None:
        self.boots += 1
        world = self.world
        store = ChainStore(self.disk.kv, world.genesis)
        address = address_of(dev_key("account", self.name).public)
        signer = Signer(address, dev_key("consensus", self.name), self.disk, store.genesis_hash)
        instance = sha256(f"{world.seed}/{self.name}/{self.boots}".encode()).digest()[:16]
        self.replica = Replica(store, signer, world.config, instance)
        self.act(self.replica.start(self.now()))
        transactions = tuple(world.check(raw) for raw in self.disk.journal.values())
        if transactions:
            self.handle(e.Admit(0, transactions))
        for other in world.nodes:
            if other is not self and other.is_up:
                world.connect(self, other)

    def crash(self) -> None:
        self.replica = None
        for other in list(self.links):
            self.world.disconnect(self, self.world.nodes[other])

    def handle(self, event: e.Event) -> None:
        if self.replica is not None:
            self.act(self.replica.handle(event, self.now()))
            self.world.check_node(self)

    def act(self, actions: list[e.Action]) -> None:
        for action in actions:
            match action:
                case e.Send(peer, message):
                    self.world.send_by_link(self, peer, message)
                case e.Broadcast(message, besides):
                    for peer in list(self.links.values()):
                        if peer != besides:
                            self.world.send_by_link(self, peer, message)
                case e.Verify(job, transactions):
                    good = tuple(self.world.is_good(signed.raw) for signed in transactions)
                    self.world.later(self.world.chance("verify").randint(1, 20), self.verified, job, good, self.boots)
                case e.BlockCommitted(block, result, transactions, _):
                    self.world.committed(self, block, result)
                    for tx in transactions:
                        self.disk.journal.pop(tx.txid, None)
                case e.Dropped(tx, _, is_expired):
                    if is_expired:
                        self.disk.journal.pop(tx.txid, None)
                case e.Admitted(_, outcomes):
                    self.world.outcomes.extend(outcomes)
                case e.Notice(name, _, fields):
                    self.world.notices[name] += 1
                    self.world.log(self, name, fields)
                case e.Halt(reason):
                    raise Violation(f"{self.name} halted: {reason}")
        self.schedule()

    def schedule(self) -> None:
        if self.replica is None:
            return
        at = max(self.replica.next_deadline_ms() - self.skew_ms, self.world.now + 1)
        if self.tick_at < self.world.now or at < self.tick_at:
            self.tick_at = at
            self.world.at(at, self.tick, self.boots, at)

    def tick(self, boots: int, at: int) -> None:
        if boots == self.boots and self.is_up and at == self.tick_at:
            self.tick_at = -1
            self.handle(e.Tick())

    def verified(self, job: int, good: tuple[bool, ...], boots: int) -> None:
        if boots == self.boots and self.is_up:
            self.handle(e.Verified(job, good))


class World:
    """`options` override what the seed would draw."""

    def __init__(self, seed: int, **options) -> None:
        self.seed = seed
        self._streams: dict[str, random.Random] = {}
        draw = self.chance("options")
        self.size = options.get("size", draw.choice([1, 2, 3, 4, 4, 4, 4, 5, 7]))
        powers = [draw.choice([1, 1, 1, 2, 3]) for _ in range(self.size)]
        self.powers = options.get("powers", powers if draw.random() < 0.4 else [1] * self.size)
        self.loss = options.get("loss", draw.choice([0, 0, 0.02, 0.1, 0.25]))
        self.duplicate = options.get("duplicate", draw.choice([0, 0, 0.1]))
        self.delay = options.get("delay", draw.choice([(1, 10), (5, 80), (20, 400), (1, 900)]))
        self.crashes = options.get("crashes", draw.choice([0, 1, 3, 6]))
        self.cuts = options.get("cuts", draw.choice([0, 0, 1, 3]))
        self.skew = options.get("skew", draw.choice([0, 0, 200, 400]))
        third = (sum(self.powers) - 1) // 3
        liars = [i for i, power in enumerate(self.powers) if power <= third]
        self.liar = options.get("liar", draw.choice(liars) if liars and draw.random() < 0.4 else None)
        self.config = ReplicaConfig(block_interval_min_ms=100, block_interval_empty_ms=1_500)
        names = [f"v{i}" for i in range(self.size)]
        parties = [Party(n, "DE", (("manufacturer", ()),), p) for n, p in zip(names, self.powers, strict=True)]
        self.genesis = build_genesis("bmw-sim", START_MS, tuple(parties), dev_key, tree_depth=4)
        self.nodes = [Node(self, i, name) for i, name in enumerate(names)]
        self.genesis_hash = ChainStore(MemoryStore(), self.genesis).genesis_hash
        self.now = START_MS + HOUR_MS
        self._queue: list = []
        self._sequence = 0
        self._next_link = 0
        self._peers: dict[int, tuple[int, int]] = {}
        self._blocked: set[frozenset[int]] = set()
        self._good: dict[bytes, bool] = {}
        self.chain: dict[int, tuple[bytes, bytes]] = {}
        self.heights: dict[int, int] = {}
        self.signed: dict[tuple, bytes] = {}
        self.notices: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.outcomes: list = []
        self.sent: dict[bytes, int] = {}
        self.lines: list[str] = []
        self._digest = sha256()
        self._cars = 0

    # --- chance, time ---
    def chance(self, name: str) -> random.Random:
        if name not in self._streams:
            self._streams[name] = random.Random(f"{self.seed}/{name}")
        return self._streams[name]

    def at(self, when: int, action, *args) -> None:
        self._sequence += 1
        heapq.heappush(self._queue, (when, self._sequence, action, args))

    def later(self, delay: int, action, *args) -> None:
        self.at(self.now + delay, action, *args)

    def log(self, node: Node, name: str, fields: dict) -> None:
        line = f"{self.now - START_MS - HOUR_MS:>8} {node.name} {name} {fields}"
        self._digest.update(line.encode())
        self.lines.append(line)
        del self.lines[:-300]

    def digest(self) -> str:
        return self._digest.hexdigest()

    def run_until(self, when: int, done=lambda: False) -> bool:
        """Play events up to `when`; True as soon as `done` holds."""
        while self._queue and self._queue[0][0] <= when:
            at, _, action, args = heapq.heappop(self._queue)
            self.now = max(self.now, at)
            action(*args)
            if done():
                return True
        self.now = max(self.now, when)
        return done()

    # --- network ---
    def connect(self, a: Node, b: Node) -> None:
        if b.index in a.links or frozenset((a.index, b.index)) in self._blocked:
            return
        self._next_link += 2
        to_b, to_a = self._next_link, self._next_link + 1
        a.links[b.index], b.links[a.index] = to_b, to_a
        self._peers[to_b], self._peers[to_a] = (a.index, b.index), (b.index, a.index)
        a.handle(e.PeerConnected(to_b, dev_key("node", b.name).public))
        b.handle(e.PeerConnected(to_a, dev_key("node", a.name).public))

    def disconnect(self, a: Node, b: Node) -> None:
        to_b, to_a = a.links.pop(b.index, None), b.links.pop(a.index, None)
        if to_b is not None:
            self._peers.pop(to_b)
            self._peers.pop(to_a)
            a.handle(e.PeerLost(to_b))
            b.handle(e.PeerLost(to_a))

    def send_by_link(self, node: Node, link: int, message) -> None:
        if link not in self._peers:
            return
        source, target = self._peers[link]
        raw = encode(self.lie(node, target, message) if node.is_liar else message)
        chance = self.chance("net")
        for _ in range(2 if chance.random() < self.duplicate else 1):
            if chance.random() < self.loss:
                self.faults["lost"] += 1
                continue
            self.later(chance.randint(*self.delay), self.deliver, link, source, target, raw)

    def deliver(self, link: int, source: int, target: int, raw: bytes) -> None:
        node = self.nodes[target]
        back = node.links.get(source)
        if link in self._peers and back is not None and node.is_up:
            node.handle(e.Received(back, decode_message(raw), node.now()))

    def lie(self, node: Node, target: int, message):
        """An equivocator: half of the network hears nil instead of its vote."""
        if isinstance(message, VoteMessage) and target % 2 and message.vote.block_id != NIL:
            vote = message.vote
            if vote.validator == address_of(dev_key("account", node.name).public):
                self.faults["equivocation"] += 1
                signed = vote_sign_bytes(self.genesis_hash, vote.kind, vote.height, vote.round, NIL)
                signature = dev_key("consensus", node.name).sign(signed)
                return VoteMessage(Vote(vote.kind, vote.height, vote.round, NIL, vote.validator, signature))
        if isinstance(message, ProposalMessage) and self.chance("lie").random() < 0.1:
            self.faults["withheld_proposal"] += 1
            return VoteMessage(Vote("prevote", 1, 0, NIL, message.proposal.proposer, bytes(64)))
        return message

    # --- transactions ---
    def is_good(self, raw: bytes) -> bool:
        if raw not in self._good:
            self._good[raw] = verify_raw(raw, self.genesis_hash)
        return self._good[raw]

    def check(self, raw: bytes):
        return check_signatures(decode_signed_tx(raw, self.genesis_hash), self.genesis_hash)

    def submit(self, node: Node) -> None:
        if not node.is_up:
            return
        self._cars += 1
        vin = f"WBA8E9G50GN{self._cars:06d}"
        body = VehicleRegister(vin, "330I", (), "MUC", "2025-12-01", "petrol", "km", "EU", "")
        key = dev_key("account", node.name)
        sender = address_of(key.public)
        raw = sign_transaction(
            sender, body, [(sender, key)], self.genesis_hash, salt=self._cars, expires_at_ms=self.now + 20 * HOUR_MS
        )
        tx = self.check(raw)
        before = len(self.outcomes)
        node.handle(e.Admit(self._cars, (tx,)))
        if self.outcomes[before:] == [()]:
            node.disk.journal[tx.txid] = raw
            self.sent[tx.txid] = node.index

    # --- checks ---
    def committed(self, node: Node, block, result) -> None:
        height = block.header.height
        entry = (encode(block.header), result.state_root)
        known = self.chain.setdefault(height, entry)
        if known != entry:
            raise Violation(f"fork at height {height}: {node.name} has another block")
        self.log(node, "committed", {"height": height, "txs": len(block.transactions)})

    def check_node(self, node: Node) -> None:
        if node.replica is None:
            return
        height = node.replica.store.height()
        if height < self.heights.get(node.index, 0):
            raise Violation(f"{node.name} went back from {self.heights[node.index]} to {height}")
        self.heights[node.index] = height
        if node.disk.hard is not None:
            for message in decode_hard_state(node.disk.hard).messages if self.chance("look").random() < 0.1 else ():
                if isinstance(message, SignedVote):
                    vote = message.vote
                    step = (vote.validator, vote.height, vote.round, vote.kind)
                    if self.signed.setdefault(step, vote.block_id) != vote.block_id:
                        raise Violation(f"{node.name} signed two votes for {step}")

    def replay(self) -> None:
        """A fresh store executes the longest chain from genesis and must find the same roots."""
        best = max(self.nodes, key=lambda n: self.heights.get(n.index, 0))
        source = ChainStore(best.disk.kv, self.genesis)
        fresh = ChainStore(MemoryStore(), self.genesis)
        for height in range(1, source.height() + 1):
            found = source.committed(height)
            txs = [self.check(raw) for raw in found.block.transactions]
            result = execute_block(found.block, txs, fresh.state, fresh.tree, fresh.head(), self.genesis_hash)
            fresh.commit_block(found.block, result, found.commit)
        if fresh.head().state_root != source.head().state_root:
            raise Violation("a replay from genesis finds another root")

    # --- the play ---
    def play(self, heights: int = 4, fault_ms: int = 25_000, heal_ms: int = 120_000) -> None:
        """Faults first, safety checked throughout; then heal and demand `heights` more blocks everywhere."""
        chance = self.chance("play")
        for node in self.nodes:
            node.skew_ms = chance.randint(-self.skew // 2, self.skew // 2) if self.skew else 0
            node.is_liar = node.index == self.liar
            self.later(chance.randint(0, 500), node.boot)
        start = self.now
        for _ in range(chance.randint(3, 12)):
            self.at(start + chance.randint(4_000, fault_ms), self.submit, chance.choice(self.nodes))
        for _ in range(self.crashes):
            when = start + chance.randint(1_000, fault_ms)
            victims = [chance.choice(self.nodes)] if chance.random() < 0.8 else list(self.nodes)
            for victim in victims:
                self.at(when, self._crash, victim)
                self.at(when + chance.randint(50, 6_000), self._boot, victim)
        for _ in range(self.cuts):
            when = start + chance.randint(1_000, fault_ms)
            side = {i for i in range(self.size) if chance.random() < 0.5}
            self.at(when, self._cut, side)
            self.at(when + chance.randint(500, 8_000), self._heal)
        self.run_until(start + fault_ms)
        self.heal()
        target = max(self.heights.values(), default=0) + heights
        honest = [node for node in self.nodes if not node.is_liar]
        if not self.run_until(
            self.now + heal_ms, lambda: all(self.heights.get(node.index, 0) >= target for node in honest)
        ):
            raise Violation(f"no progress to height {target} after healing: {self.heights}")
        self._settle(heal_ms)
        self.replay()

    def _settle(self, heal_ms: int) -> None:
        store = ChainStore(max(self.nodes, key=lambda n: self.heights.get(n.index, 0)).disk.kv, self.genesis)
        owed = [t for t, i in self.sent.items() if not self.nodes[i].is_liar]
        if not self.run_until(self.now + heal_ms, lambda: all(store.place(txid) for txid in owed)):
            missing = [txid.hex()[:8] for txid in owed if not store.place(txid)]
            raise Violation(f"accepted but never committed: {missing}")

    def heal(self) -> None:
        self.loss, self.duplicate, self.delay = 0, 0, (1, 30)
        self._heal()
        for node in self.nodes:
            self._boot(node)

    def _crash(self, node: Node) -> None:
        if node.is_up:
            self.faults["crash"] += 1
            node.crash()

    def _boot(self, node: Node) -> None:
        if not node.is_up:
            node.boot()

    def _cut(self, side: set[int]) -> None:
        self.faults["cut"] += 1
        for a in self.nodes:
            for b in self.nodes:
                if a.index in side and b.index not in side:
                    self._blocked.add(frozenset((a.index, b.index)))
                    self.disconnect(a, b)

    def _heal(self) -> None:
        self._blocked.clear()
        for a in self.nodes:
            for b in self.nodes:
                if a.index < b.index and a.is_up and b.is_up:
                    self.connect(a, b)
