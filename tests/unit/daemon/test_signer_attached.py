"""A replica whose signer comes later, goes, and comes again: what it knew of the key stays known."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.chain import Chain, address

from node.chain.block import Block, block_id_of
from node.chain.dev_genesis import DEV_PARTIES
from node.chain.vote import Proposal, Vote, proposal_sign_bytes, vote_sign_bytes
from node.codec import encode
from node.consensus.messages import Lock
from node.consensus.safety import NeverSigned, decode_hard_state
from node.crypto.dev_keys import dev_key
from node.daemon.remote_signer import RemoteSigner
from node.daemon.signer import SignerService
from node.daemon.signer_wire import decode_reply, decode_request
from node.replica import events as e
from node.replica.doppelganger import Duty
from node.replica.messages import Presence, ProposalMessage, VoteMessage
from node.replica.replica import Replica, ReplicaConfig
from node.replica.signer import LocalSigner, Promise, SignerAway
from node.storage.safety_store import SafetyFile

PEER = 7
OWN = "bmw"
OTHERS = [party.name for party in DEV_PARTIES if party.power and party.name != OWN]


class Wire:
    """The service without the socket between; `is_cut`: the process is gone."""

    def __init__(self, service: SignerService) -> None:
        self._service = service
        self.is_cut = False

    def close(self) -> None:
        self.is_cut = True

    def ask(self, request):
        if self.is_cut:
            raise SignerAway("gone")
        return decode_reply(encode(self._service.reply(decode_request(encode(request)))))


class Validator:
    """One replica that starts without a signer, and what it says."""

    def __init__(self, folder: Path) -> None:
        self.chain = Chain()
        self.disk = SafetyFile(folder / "signing.state")
        self.disk.save(encode(NeverSigned(dev_key("consensus", OWN).public)))
        self.replica = Replica(self.chain.store, None, ReplicaConfig(), bytes(16))
        self.now = self.chain.now
        self.said: list = []
        self._act(self.replica.start(self.now))
        self.feed(e.PeerConnected(PEER, bytes(32)))

    def feed(self, event: e.Event) -> None:
        self._act(self.replica.handle(event, self.now))

    def _act(self, actions) -> None:
        self.said.extend(actions)

    def pass_time(self, ms: int) -> None:
        self.now += ms
        self.feed(e.Tick())

    def attach(self, name: str = OWN) -> tuple[RemoteSigner, Wire]:
        ident = self.chain.genesis_hash
        signer = LocalSigner(address(OWN), dev_key("consensus", name), self.disk, ident)
        wire = Wire(SignerService(signer, ident, Path("unused")))
        remote = RemoteSigner(wire, wire._service.welcome(), ident)
        self.feed(e.SignerConnected(remote))
        return remote, wire

    def hear(self, message) -> None:
        self.feed(e.Received(PEER, message, self.now))

    def said_of(self, kind: type) -> list:
        found = [a.message for a in self.said if isinstance(a, e.Send | e.Broadcast) and isinstance(a.message, kind)]
        self.said.clear()
        return found

    def duty(self) -> Duty | None:
        double = self.replica.doppelganger
        return double.duty if double is not None else None

    def vote(self, name: str, kind: str, height: int, round_: int, block_id: bytes) -> Vote:
        signed = vote_sign_bytes(self.chain.genesis_hash, kind, height, round_, block_id)
        return Vote(kind, height, round_, block_id, address(name), dev_key("consensus", name).sign(signed))


@pytest.fixture
def validator(tmp_path: Path) -> Validator:
    return Validator(tmp_path)


def test_without_a_signer_it_says_nothing_and_with_one_it_listens_before_it_signs(validator: Validator) -> None:
    validator.pass_time(20_000)
    assert [] == validator.said_of(Presence | VoteMessage | ProposalMessage)
    assert validator.duty() is None

    validator.attach()
    assert Duty.LISTENING is validator.duty()
    validator.pass_time(3_100)
    assert Duty.SIGNING is validator.duty()
    assert validator.said_of(Presence)


def test_while_the_signer_is_away_nothing_is_said_in_its_name(validator: Validator) -> None:
    _, wire = validator.attach()
    validator.pass_time(3_100)
    wire.is_cut = True
    validator.said.clear()
    for _ in range(30):
        validator.pass_time(1_000)

    assert [] == validator.said_of(Presence | VoteMessage | ProposalMessage)
    assert "" == validator.replica.halted


def test_it_listens_again_when_the_signer_is_back(validator: Validator) -> None:
    """A second copy that started meanwhile could not have heard us."""
    _, wire = validator.attach()
    validator.pass_time(3_100)
    wire.is_cut = True
    validator.attach()

    assert Duty.LISTENING is validator.duty()
    validator.pass_time(3_100)
    assert Duty.SIGNING is validator.duty()


def test_who_was_stopped_stays_stopped_with_this_key_and_not_with_another(validator: Validator) -> None:
    validator.attach()
    validator.pass_time(3_100)
    validator.hear(VoteMessage(validator.vote(OWN, "precommit", 1, 3, b"")))
    assert Duty.STOPPED is validator.duty()
    why = validator.replica.doppelganger.why

    validator.attach()
    assert (Duty.STOPPED, why) == (validator.duty(), validator.replica.doppelganger.why)
    validator.attach("dealer-munich")
    assert Duty.LISTENING is validator.duty()


def test_the_next_signer_is_told_the_floor_that_the_last_one_could_not_be_told(validator: Validator) -> None:
    remote, wire = validator.attach()
    wire.is_cut = True
    remote.raise_floor(9)
    again, _ = validator.attach()

    assert 9 == again.floor
    assert 9 == again._channel._service.welcome().floor


def test_what_a_lost_answer_signed_is_sent_by_whoever_connects_next(validator: Validator) -> None:
    """The signer signed and synced; the node never heard of it, and must not be surprised by its own vote."""
    ident = validator.chain.genesis_hash
    lost = LocalSigner(address(OWN), dev_key("consensus", OWN), validator.disk, ident)
    validator.attach()
    signed = lost.sign_vote("prevote", 1, 0, b"", Promise(None, None, (), ()))
    validator.said.clear()
    validator.attach()
    validator.pass_time(1_600)
    assert Duty.SIGNING is validator.duty()
    validator.pass_time(1_100)

    assert VoteMessage(signed) in validator.said_of(VoteMessage)


def test_a_kept_polka_is_not_replaced_by_the_few_prevotes_that_are_heard_again(validator: Validator) -> None:
    """It once was: the re-proposal's polka proved nothing any more, and a locked network stood still for good."""
    chain = validator.chain
    block = chain.build()
    block_id = block_id_of(block.header, chain.genesis_hash)
    polka = tuple(
        sorted((validator.vote(n, "prevote", 1, 0, block_id) for n in OTHERS), key=lambda vote: vote.validator)
    )
    lock = Lock(0, block_id)
    lost = LocalSigner(address(OWN), dev_key("consensus", OWN), validator.disk, chain.genesis_hash)
    lost.sign_vote("precommit", 1, 0, block_id, Promise(lock, lock, polka, (block,)))
    validator.attach()
    validator.pass_time(1_600)
    validator.hear(VoteMessage(polka[0]))
    for name in OTHERS:
        validator.hear(VoteMessage(validator.vote(name, "precommit", 1, 0, b"")))
    validator.pass_time(2_000)
    validator.hear(_proposal(validator, block, block_id, 1, polka))

    state = decode_hard_state(validator.disk.load())
    assert (1, 1) == (state.height, state.round)
    assert {vote.validator for vote in polka} <= {vote.validator for vote in state.polka}


def _proposal(validator: Validator, block: Block, block_id: bytes, round_: int, polka) -> ProposalMessage:
    chain = validator.chain
    proposer = chain.store.head().validators.proposer(1, round_)
    name = next(n for n in [OWN, *OTHERS] if address(n) == proposer)
    signed = proposal_sign_bytes(chain.genesis_hash, 1, round_, block_id, 0)
    proposal = Proposal(1, round_, block_id, 0, proposer, dev_key("consensus", name).sign(signed))
    return ProposalMessage(proposal, block, polka)
