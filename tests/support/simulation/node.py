"""A simulated node: the production replica, its disk and clock, and the executor of its actions."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from hashlib import sha256
from typing import TYPE_CHECKING

from node.chain.vote import Proposal, Vote
from node.codec import encode
from node.consensus.safety import NeverSigned
from node.crypto.addresses import address_of
from node.crypto.dev_keys import dev_key
from node.crypto.signing import PrivateKey
from node.replica import events as e
from node.replica.messages import Blocks, CompactProposal, Message, ProposalMessage, VoteMessage
from node.replica.replica import Replica
from node.replica.signer import LocalSigner
from node.storage.chain_store import ChainStore
from support.simulation.byzantine.behaviour import Behaviour
from support.simulation.disk import Disk, PowerCut
from support.simulation.errors import Violation
from support.simulation.network import NO_TOPIC, Topic
from support.simulation.submissions import READMISSION

if TYPE_CHECKING:
    from support.simulation.world import World


class SimulatedNode:
    """`label` is unique; `name` selects the keys, which twins share. `fault`: why it is faulty, or empty."""

    def __init__(self, world: World, index: int, name: str, label: str, fault: str) -> None:
        self.world = world
        self.index = index
        self.name = name
        self.label = label
        self.fault = fault
        self.behaviour: Behaviour | None = None
        self.account = dev_key("account", name)
        self.consensus = dev_key("consensus", name)
        self.address = address_of(self.account.public)
        self.disk = Disk(self.consensus.public)
        self.replica: Replica | None = None
        self.skew_ms = 0
        self.links: dict[int, int] = {}
        self.boots = 0
        self.up_since = 0
        self.knows_its_loss = False
        """Its hard state was lost under a non-empty store: it must not sign heights that it may have signed."""
        self.is_banished = False
        """Deliberately kept down: boots do nothing."""
        self.software: Callable[[], AbstractContextManager[None]] = nullcontext
        """All of its code runs within it."""
        self.stopped = ""
        """Why it has halted, where that is what it should do."""
        self.actions_left: int | None = None
        """Number of further actions until a power cut."""
        self._tick_at = -1

    @property
    def is_up(self) -> bool:
        return self.replica is not None

    @property
    def is_faulty(self) -> bool:
        return bool(self.fault)

    @property
    def running(self) -> Replica:
        assert self.replica is not None, f"{self.label} is down"
        return self.replica

    def now(self) -> int:
        """Its wall-clock time; steady time is the same for all."""
        return self.world.now + self.skew_ms

    # --- start and stop -----------------------------------------------------------------------------------------
    def boot(self) -> None:
        if not self.is_up and not self.is_banished:
            with self.software():
                self._boot()

    def _boot(self) -> None:
        world = self.world
        self.boots += 1
        self.up_since = world.now
        try:
            store = ChainStore(self.disk.kv, world.genesis)
            signer = LocalSigner(self.address, self.consensus, self.disk, store.genesis_hash)
            instance = sha256(f"{world.seed}/{self.label}/{self.boots}".encode()).digest()[:16]
            self.replica = Replica(store, signer, world.config, instance)
            actions = self.replica.start(world.now, self.now())
        except PowerCut:
            self.lose_power()
            return
        world.checks.after_event(self)
        self._act(actions)
        pending = tuple(world.decoded(raw) for _, raw in self.disk.journal.pending())
        if pending:
            self.handle(e.Admit(READMISSION, pending))
        for other in world.nodes:
            if other is not self and other.is_up and self.is_up:
                world.network.connect(self, other)

    def crash(self) -> None:
        if self.is_up:
            self.world.faults["crash"] += 1
            self._stop()

    def lose_power(self) -> None:
        """Cut the power; the node boots again by itself."""
        world = self.world
        world.faults["power_cut"] += 1
        world.log(self, "power_cut", {})
        self._stop()
        self.disk.lose_unsynced()
        world.later(world.chance("power").randint(50, 6_000), self.boot)

    def _stop(self) -> None:
        self.replica, self.stopped = None, ""
        self.actions_left = self.disk.fuse = None
        for other in list(self.links):
            self.world.network.disconnect(self, self.world.nodes[other])

    def change_key(self, key: PrivateKey) -> None:
        """Restart with a new consensus key that has signed nothing: the operator's part of a key rotation."""
        self.crash()
        self.consensus, self.disk.hard = key, encode(NeverSigned(key.public))
        self.boot()

    # --- events and actions ---------------------------------------------------------------------------
    def handle(self, event: e.Event) -> None:
        if self.replica is None:
            return
        with self.software():
            try:
                actions = self.replica.handle(event, self.world.now, self.now())
            except PowerCut:
                self.lose_power()
                return
            self.world.checks.after_event(self)
        self._act(actions)

    def _act(self, actions: list[e.Action]) -> None:
        for action in actions:
            if self.actions_left is not None:
                self.actions_left -= 1
                if self.actions_left < 0:
                    self.lose_power()
            if self.replica is None:
                return
            try:
                self._carry_out(action)
            except PowerCut:
                self.lose_power()
                return
        self._schedule()

    def _carry_out(self, action: e.Action) -> None:
        world = self.world
        match action:
            case e.Send(peer, message):
                self._send([peer], message)
            case e.Broadcast(message, besides):
                self._send([link for link in self.links.values() if link != besides], message)
            case e.Verify(job, transactions):
                good = tuple(world.is_good(signed.raw) for signed in transactions)
                world.later(world.chance("verify").randint(1, 20), self._verified, job, good, self.boots)
            case e.BlockCommitted(_, _, transactions, _):
                self.disk.journal.finish([tx.txid for tx in transactions], {}, self.now())
            case e.Dropped(tx, _, is_expired):
                world.notices["dropped"] += 1
                world.submissions.dropped(self, tx.txid)
                if is_expired:
                    raise Violation(f"{tx.txid.hex()[:8]} expired, though every transaction lives longer than the play")
            case e.Admitted(request, outcomes):
                world.submissions.answered(self, request, outcomes)
            case e.Misbehaved(peer, code, text, _):
                world.checks.accused(self, peer, code, text)
            case e.Notice(name, _, fields):
                world.notices[name] += 1
                world.log(self, name, fields)
                world.checks.noticed(self, name, fields)
            case e.Halt(reason) if "install a newer version" in reason and self.software is not nullcontext:
                self.stopped = reason
            case e.Halt(reason):
                raise Violation(f"{self.label} halted: {reason}")

    def _send(self, links: list[int], message: Message) -> None:
        world = self.world
        own = own_message(message, self.address)
        if own is not None:
            world.checks.signed(self, own)
        if self.behaviour is None:
            raw, topic = encode(message), _topic_of(message, self.address)
            for link in links:
                if link in world.network.peers:
                    world.network.count(link, type(message), len(raw))
                    world.network.send(link, raw, topic)
            return
        for link in links:
            if link in world.network.peers:
                target = world.network.peers[link][1]
                for said in self.behaviour.outgoing(target, message):
                    self.say(link, said)

    def say(self, link: int, said: Message | bytes) -> None:
        """Send a message of a faulty node, whatever its replica sends."""
        if not isinstance(said, bytes):
            own = own_message(said, self.address)
            if own is not None:
                self.world.checks.claimed(own)
            for vote in said.polka if isinstance(said, ProposalMessage | CompactProposal) else ():
                if vote.validator == self.address:
                    self.world.checks.claimed(vote)
        self.world.network.send(link, said if isinstance(said, bytes) else encode(said))

    # --- time -----------------------------------------------------------------------------------------
    def _schedule(self) -> None:
        if self.replica is None or self.stopped:
            return
        world = self.world
        at = max(self.replica.next_deadline_ms(), world.now + 1)
        if self._tick_at < world.now or at < self._tick_at:
            self._tick_at = at
            world.clock.at(at, self._tick, self.boots, at)

    def _tick(self, boots: int, at: int) -> None:
        if boots == self.boots and self.is_up and at == self._tick_at:
            self._tick_at = -1
            self.handle(e.Tick())

    def _verified(self, job: int, good: tuple[bool, ...], boots: int) -> None:
        if boots == self.boots:
            self.handle(e.Verified(job, good))


def _topic_of(message: Message, sender: bytes) -> Topic:
    if isinstance(message, VoteMessage):
        return message.vote.kind, message.vote.validator
    if isinstance(message, ProposalMessage | CompactProposal):
        return "proposal", message.proposal.proposer
    return ("blocks", sender) if isinstance(message, Blocks) else NO_TOPIC


def own_message(message: Message, address: bytes) -> Vote | Proposal | None:
    """The vote or proposal in `message` if `address` signed it."""
    if isinstance(message, VoteMessage) and message.vote.validator == address:
        return message.vote
    if isinstance(message, ProposalMessage | CompactProposal) and message.proposal.proposer == address:
        return message.proposal
    return None
