"""Networks whose every validator asks its signer over a connection that breaks, before or after the signer signed.

The production replica, the production stand-in and the production service; only the socket between them is played.
What the simulation checks after every event (nobody signs twice, no lock is broken, no fork) must hold, and when the
connections hold again, the chain must grow.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest
from support.simulation.node import SimulatedNode
from support.simulation.options import Options
from support.simulation.world import World

from node.codec import encode
from node.daemon.remote_signer import RemoteSigner
from node.daemon.signer import SignerService
from node.daemon.signer_wire import decode_reply, decode_request
from node.replica import events as e
from node.replica.replica import Replica
from node.replica.signer import LocalSigner, SignerAway
from node.storage.chain_store import ChainStore

LOST = 0.04


class BreakingChannel:
    """Loses a question, or the answer after the signer has signed and synced; then it is closed."""

    def __init__(self, node: SimulatedNode, service: SignerService) -> None:
        self._node = node
        self._service = service
        self._is_open = True

    def close(self) -> None:
        self._is_open = False

    def ask(self, request):
        assert self._is_open, "nobody talks on a closed connection"
        world = self._node.world
        fate = 1.0 if world.injector.is_over else world.chance("signer").random()
        if fate < LOST:
            world.faults["question_lost"] += 1
            raise SignerAway("the question is lost")
        reply = self._service.reply(decode_request(encode(request)))
        if fate < 2 * LOST:
            world.faults["answer_lost"] += 1
            raise SignerAway("the answer is lost")
        return decode_reply(encode(reply))


class NodeWithSigner(SimulatedNode):
    """Starts without a signer; one comes, and again whenever it was lost."""

    def boot(self) -> None:
        if self.is_up or self.is_banished:
            return
        world = self.world
        self.boots += 1
        self.up_since = world.now
        store = ChainStore(self.disk.kv, world.genesis)
        instance = sha256(f"{world.seed}/{self.label}/{self.boots}".encode()).digest()[:16]
        self.replica = Replica(store, None, world.config, instance)
        self._act(self.replica.start(self.now()))
        for other in world.nodes:
            if other is not self and other.is_up:
                world.network.connect(self, other)
        self._signer_comes_in(0, 3_000)

    def _signer_comes_in(self, first_ms: int, last_ms: int) -> None:
        self.world.later(self.world.chance("signer").randint(first_ms, last_ms), self._signer_comes, self.boots)

    def _signer_comes(self, boots: int) -> None:
        if boots != self.boots or not self.is_up:
            return
        ident = self.world.genesis_hash
        service = SignerService(LocalSigner(self.address, self.consensus, self.disk, ident), ident, Path("unused"))
        welcome = decode_reply(encode(service.welcome()))
        signer = RemoteSigner(BreakingChannel(self, service), welcome, ident, self._signer_lost)
        self.handle(e.SignerConnected(signer))

    def _signer_lost(self, _: str) -> None:
        self._signer_comes_in(50, 4_000)


class WorldOfSigners(World):
    def _make_nodes(self, names: list[str]) -> None:
        for index, name in enumerate(names):
            self.nodes.append(NodeWithSigner(self, index, name, name, ""))


@pytest.mark.parametrize("seed", range(6))
def test_broken_connections_to_signers_never_make_anybody_sign_twice_or_stand_still(seed: int) -> None:
    options = Options(powers=(1, 1, 1, 1), crashes=3, loss=0.02 * (seed % 3), fault_ms=40_000, transactions=0)
    world = WorldOfSigners(seed, options)

    world.play(heights=3)

    assert world.faults["question_lost"] > 2 and world.faults["answer_lost"] > 2
    assert 0 == world.evidence_committed
    assert world.checks.top >= 8
