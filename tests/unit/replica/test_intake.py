"""What peers say about a height: nothing is taken in or passed on unless it is signed by whom it names, and fits."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace
from support.chain import Chain, address
from support.kept_state import never_signed
from support.life import register

from node import limits
from node.chain.block import Block, block_id_of
from node.chain.dev_genesis import DEV_PARTIES
from node.chain.vote import NIL, Proposal, Vote, sign_bytes_of
from node.crypto.dev_keys import dev_key
from node.replica import events as e
from node.replica.messages import (
    Blocks,
    CompactProposal,
    GetBlocks,
    Message,
    Presence,
    ProposalMessage,
    Status,
    VoteMessage,
)
from node.replica.presence import LISTEN_MS, NO_ECHO, Duty, presence_bytes
from node.replica.replica import STATUS_EVERY_MS, Replica, ReplicaConfig
from node.replica.signing import Signer
from node.replica.voting import PRESENCE_INTERVAL_MS
from node.txtypes.envelope import verify_raw, wire_id_of

NAMES = {address(p.name): p.name for p in DEV_PARTIES}
VALIDATORS = [p.name for p in DEV_PARTIES if p.power]
NO_POLKA = "a re-proposal comes without its polka"
X, Y = b"\x01" * 32, b"\x02" * 32
OWN, OTHER = b"1" * 16, b"2" * 16


class Node:
    """A replica before block 1 with two peers: a follower, or one that signs as `name`, past its listening."""

    def __init__(self, name: str = "", *, peers: int = 2, listens: bool = False) -> None:
        self.chain = Chain()
        self.name = name
        key = dev_key("consensus", name or "nobody")
        signer = Signer(address(name), key, never_signed(key.public), self.chain.genesis_hash) if name else None
        self.replica = Replica(self.chain.store, signer, ReplicaConfig(), OWN)
        self.now = self.chain.now
        self.did: list[e.Action] = []
        self.replica.start(self.now)
        for peer in range(1, peers + 1):
            self.feed(e.PeerConnected(peer, bytes([peer]) * 32))
        if not listens:
            self.pass_time(LISTEN_MS)
        self.chain.now = self.now
        self.did.clear()

    def feed(self, event: e.Event) -> None:
        for action in self.replica.handle(event, self.now):
            self.did.append(action)
            if isinstance(action, e.Verify):
                good = tuple(verify_raw(signed.raw, self.chain.genesis_hash) for signed in action.transactions)
                self.feed(e.Verified(action.job, good))

    def pass_time(self, ms: int) -> None:
        self.now += ms
        self.feed(e.Tick())

    def hear(self, *messages: Message) -> Node:
        for message in messages:
            self.feed(e.Received(1, message, self.now))
        return self

    def faults(self) -> list[str]:
        return [action.text for action in self.did if isinstance(action, e.Misbehaved)]

    def notices(self, name: str) -> list[dict]:
        return [action.fields for action in self.did if isinstance(action, e.Notice) and action.name == name]

    def relayed(self) -> list[Message]:
        """What went on to the others than the one it came from."""
        return [a.message for a in self.did if isinstance(a, e.Broadcast) and a.besides == 1]

    def prevotes(self) -> list[bytes]:
        said = [a.message for a in self.did if isinstance(a, e.Broadcast) and isinstance(a.message, VoteMessage)]
        return [message.vote.block_id for message in said if address(self.name) == message.vote.validator]

    # --- what others say ---
    def signed(self, message: Vote | Proposal, by: str) -> Vote | Proposal:
        return replace(
            message, signature=dev_key("consensus", by).sign(sign_bytes_of(message, self.chain.genesis_hash))
        )

    def vote(self, name: str = "bmw", by: str = "", **changes) -> Vote:
        vote = replace(Vote("prevote", 1, 0, X, address(name), bytes(64)), **changes)
        return self.signed(vote, by or name)

    def proposer(self, round_: int = 0) -> str:
        return NAMES[self.chain.store.head().validators.proposer(1, round_)]

    def block(self, round_: int = 0, count: int = 1, **changes) -> Block:
        vins = [f"WBA8E9G50GNU{i:05d}" for i in range(count)]
        block = self.chain.build(*(self.chain.sign("bmw", register(vin)) for vin in vins))
        return replace(block, header=replace(block.header, proposer=address(self.proposer(round_)), **changes))

    def proposal(self, block: Block, round_: int = 0, by: str = "", **changes) -> Proposal:
        block_id = block_id_of(block.header, self.chain.genesis_hash)
        proposer = self.proposer(round_)
        made = replace(Proposal(1, round_, block_id, -1, address(proposer), bytes(64)), **changes)
        return self.signed(made, by or proposer)

    def polka(self, block: Block, names: list[str], **changes) -> tuple[Vote, ...]:
        block_id = block_id_of(block.header, self.chain.genesis_hash)
        return tuple(self.vote(name, **{"block_id": block_id} | changes) for name in names)

    def presence(self, name: str, by: str = "", instance: bytes = OTHER, echo: bytes = NO_ECHO) -> Presence:
        said = presence_bytes(self.chain.genesis_hash, address(name), instance, echo, True)
        return Presence(address(name), instance, echo, True, dev_key("consensus", by or name).sign(said))


def full(node: Node, block: Block, proposal: Proposal, polka: tuple[Vote, ...] = ()) -> ProposalMessage:
    return ProposalMessage(proposal, block, polka)


def compact(node: Node, block: Block, proposal: Proposal, polka: tuple[Vote, ...] = ()) -> CompactProposal:
    ids = tuple(wire_id_of(node.chain.genesis_hash, raw) for raw in block.transactions)
    return CompactProposal(proposal, block.header, ids, block.evidence, block.last_commit, polka)


Form = Callable[..., ProposalMessage | CompactProposal]
both_forms = pytest.mark.parametrize("form", [full, compact])


# --- votes ----------------------------------------------------------------------------------------------
def test_a_vote_that_another_has_signed_is_the_peers_fault_and_counts_for_nobody() -> None:
    node = Node()
    forged = node.vote("bmw", by="dealer-munich")
    node.hear(VoteMessage(forged))
    assert (["a vote's signature does not verify"], []) == (node.faults(), node.relayed())
    assert not node.replica.machine.tally.has_vote(forged)
    good = node.vote("bmw")
    node.hear(VoteMessage(good))
    assert [VoteMessage(good)] == node.relayed()
    assert node.replica.machine.tally.has_vote(good)


@pytest.mark.parametrize(
    "changes",
    [{"name": "bank-1"}, {"block_id": b"\x01"}, {"block_id": X[:31]}, {"height": 2}],
    ids=["of no validator", "for a byte", "for 31 bytes", "of another height"],
)
def test_a_vote_that_can_mean_nothing_here_is_passed_over(changes: dict) -> None:
    node = Node()
    node.hear(VoteMessage(node.vote(**changes)))
    assert ([], []) == (node.faults(), node.relayed())
    assert 0 == node.replica.machine.tally.power_seen()


# --- proposals ------------------------------------------------------------------------------------------
@both_forms
def test_a_proposal_of_the_proposer_is_taken_and_relayed(form: Form) -> None:
    node = Node()
    block = node.block()
    message = form(node, block, node.proposal(block))
    node.hear(message)
    assert [] == node.faults()
    assert message.proposal == node.replica.machine.proposal(0)
    assert node.relayed() == ([message] if form is full else []), "by wire ids only once its body is whole"


@both_forms
def test_a_proposal_is_made_and_signed_by_whose_turn_it_is(form: Form) -> None:
    node = Node()
    block = node.block()
    other = next(name for name in VALIDATORS if name != node.proposer())
    node.hear(form(node, block, node.proposal(block, proposer=address(other), by=other)))
    node.hear(form(node, block, node.proposal(block, by=other)))
    assert [f"{address(other).hex()} does not propose in round 0", "a proposal's signature does not verify"] == (
        node.faults()
    )
    assert ([], None) == (node.relayed(), node.replica.machine.proposal(0))


@both_forms
def test_a_proposal_comes_with_its_own_block(form: Form) -> None:
    node = Node()
    block = node.block()
    node.hear(form(node, node.block(count=2), node.proposal(block)))
    assert ["the block is not the proposal's"] == node.faults()
    assert ([], None) == (node.relayed(), node.replica.machine.proposal(0))


@both_forms
def test_proposals_are_taken_of_the_rounds_of_the_window_and_of_this_height(form: Form) -> None:
    last = limits.ROUNDS_AHEAD_MAX
    node = Node()
    blocks = {round_: node.block(round_) for round_ in (last, last + 1)}
    node.hear(form(node, blocks[last + 1], node.proposal(blocks[last + 1], last + 1)))
    node.hear(form(node, blocks[last], node.proposal(blocks[last], last, height=2)))
    assert ([], []) == (node.faults(), node.relayed())
    assert [None, None] == [node.replica.machine.proposal(round_) for round_ in blocks]
    node.hear(form(node, blocks[last], node.proposal(blocks[last], last)))
    assert node.replica.machine.proposal(last) is not None


def test_a_proposal_that_comes_again_brings_the_body_that_was_missing() -> None:
    node = Node()
    block = node.block()
    proposal = node.proposal(block)
    node.hear(compact(node, block, proposal))
    assert not node.replica.machine.is_judged(proposal.block_id)
    node.hear(full(node, block, proposal))
    assert node.replica.machine.is_judged(proposal.block_id)


def test_who_has_a_link_to_every_validator_relays_no_proposal() -> None:
    node = Node(peers=3)
    block = node.block()
    node.hear(full(node, block, node.proposal(block)))
    assert [] == node.relayed()


# --- the time of a block --------------------------------------------------------------------------------
def voter() -> Node:
    """One that is not the proposer of the first two rounds."""
    others = {Node().proposer(round_) for round_ in (0, 1)}
    return Node(next(name for name in VALIDATORS if name not in others))


@both_forms
@pytest.mark.parametrize(
    ("off_ms", "is_timely"),
    [(0, True), (-60_000, False), (limits.PRECISION_MS, True), (limits.PRECISION_MS + 1, False)],
)
def test_a_new_block_is_voted_for_where_its_time_is_about_now(form: Form, off_ms: int, is_timely: bool) -> None:
    node = voter()
    node.chain.now += off_ms
    block = node.block()
    node.feed(e.Admit(1, tuple(node.chain.check(raw) for raw in block.transactions)))
    proposal = node.proposal(block)
    node.hear(form(node, block, proposal))
    assert [proposal.block_id if is_timely else NIL] == node.prevotes()
    assert is_timely == (not node.notices("untimely"))


def test_a_new_block_is_its_proposers_own() -> None:
    """Else an old block of another could come as a new one, whatever its time means."""
    node = voter()
    block = node.block(round_=0)
    block = replace(block, header=replace(block.header, proposer=address(node.proposer(1))))
    node.hear(full(node, block, node.proposal(block)))
    assert [NIL] == node.prevotes()
    assert 1 == len(node.notices("untimely"))


# --- polkas ---------------------------------------------------------------------------------------------
def again(node: Node, block: Block, polka: tuple[Vote, ...]) -> ProposalMessage:
    """The block of round 0 is proposed again in round 1."""
    return full(node, block, node.proposal(block, 1, valid_round=0), polka)


def replace_polka(message: ProposalMessage, polka: tuple[Vote, ...]) -> ProposalMessage:
    return ProposalMessage(message.proposal, message.block, polka)


def has_polka(node: Node, block: Block) -> bool:
    return node.replica.machine.tally.has_quorum("prevote", 0, block_id_of(block.header, node.chain.genesis_hash))


@pytest.mark.parametrize(("count", "is_polka"), [(4, True), (3, True), (2, False), (0, False)])
def test_a_polka_is_of_more_than_two_thirds(count: int, is_polka: bool) -> None:
    node = Node()
    block = node.block()
    node.hear(again(node, block, node.polka(block, VALIDATORS[:count])))
    assert ([] if is_polka else [NO_POLKA], is_polka) == (node.faults(), has_polka(node, block))


def test_in_a_polka_each_validator_counts_once() -> None:
    node = Node()
    block = node.block()
    node.hear(again(node, block, node.polka(block, [*VALIDATORS[:2], VALIDATORS[0], VALIDATORS[1]])))
    assert ([NO_POLKA], False) == (node.faults(), has_polka(node, block))


def test_a_re_proposal_that_comes_stripped_of_its_polka_does_not_keep_the_whole_one_out() -> None:
    node = Node()
    block = node.block()
    node.hear(full(node, block, node.proposal(block)))
    whole = again(node, block, node.polka(block, VALIDATORS[:3]))
    node.hear(replace_polka(whole, ()), whole)
    assert [NO_POLKA] == node.faults()
    assert has_polka(node, block)
    assert [whole] == [m for m in node.relayed() if isinstance(m, ProposalMessage) and m.proposal.round == 1]


@pytest.mark.parametrize("is_equivocated", [False, True], ids=["withheld", "beside two other votes"])
def test_who_is_locked_by_a_shown_polka_can_show_it(is_equivocated: bool) -> None:
    """The third vote of it may be one that nobody else ever hears: without it in our own re-proposal nobody would
    follow, and we would follow nobody, for ever."""
    liar = Node().proposer(0)
    later = next(round_ for round_ in range(1, 8) if Node().proposer(round_) == liar)
    name = Node().proposer(1)
    node = Node(name)
    other = next(v for v in VALIDATORS if v not in (liar, name))
    block = node.block()
    node.hear(full(node, block, node.proposal(block)))
    own = node.prevotes()
    assert [block_id_of(block.header, node.chain.genesis_hash)] == own
    (heard,) = node.polka(block, [other])
    node.hear(VoteMessage(heard))
    if is_equivocated:
        node.hear(VoteMessage(node.vote(liar, block_id=NIL)), VoteMessage(node.vote(liar, block_id=Y)))
    node.hear(full(node, block, node.proposal(block, later, valid_round=0), node.polka(block, [liar, name, other])))
    assert node.replica.machine.locked is not None
    for voter in (liar, other):
        node.hear(VoteMessage(node.vote(voter, kind="precommit", block_id=NIL)))
    node.pass_time(2_000)
    shown = [a.message for a in node.did if isinstance(a, e.Broadcast) and isinstance(a.message, ProposalMessage)]
    (again_here,) = [m for m in shown if m.proposal.round == 1][:1]
    assert {address(v) for v in (liar, name, other)} == {vote.validator for vote in again_here.polka}


@pytest.mark.parametrize(
    "changes",
    [{"kind": "precommit"}, {"height": 2}, {"round": 1}, {"block_id": Y}, {"block_id": NIL}, {"name": "bank-1"}],
    ids=lambda changes: next(iter(changes.values())) or "nil",
)
def test_one_vote_for_something_else_spoils_a_polka(changes: dict) -> None:
    node = Node()
    block = node.block()
    votes = node.polka(block, VALIDATORS[:3])
    odd = node.polka(block, [changes.get("name", VALIDATORS[3])], **{k: v for k, v in changes.items() if k != "name"})
    node.hear(again(node, block, (*votes, *odd)))
    assert ["a polka holds a vote for something else"] == node.faults()
    assert not has_polka(node, block)
    assert node.replica.machine.proposal(1) is None


def test_one_forged_vote_spoils_a_polka() -> None:
    node = Node()
    block = node.block()
    node.hear(again(node, block, node.polka(block, VALIDATORS[:2]) + node.polka(block, ["bmw"], by="police-1")))
    assert ["a polka's signature does not verify"] == node.faults()
    assert not has_polka(node, block)


def test_a_block_that_is_proposed_again_may_be_old() -> None:
    node = Node()
    node.chain.now -= 60_000
    block = node.block()
    node.hear(again(node, block, node.polka(block, VALIDATORS[:3])))
    assert [] == node.notices("untimely")


# --- our own key ----------------------------------------------------------------------------------------
def test_a_vote_under_our_key_that_we_have_not_given_stops_us_and_is_told() -> None:
    node = Node("bmw")
    node.hear(VoteMessage(node.vote("bmw")))
    assert Duty.STOPPED is node.replica.doppelganger.duty
    assert ["stopped"] == [fields["duty"] for fields in node.notices("duty")]


def test_a_vote_under_our_name_that_we_have_not_signed_stops_nobody() -> None:
    node = Node("bmw")
    node.hear(VoteMessage(node.vote("bmw", by="dealer-munich")))
    assert Duty.SIGNING is node.replica.doppelganger.duty
    assert ["a vote's signature does not verify"] == node.faults()


@pytest.mark.parametrize("by", ["dealer-munich", "bmw"])
def test_votes_under_the_names_of_others_change_nothing_and_tell_nothing(by: str) -> None:
    node = Node("bmw")
    node.hear(VoteMessage(node.vote("dealer-munich", by=by)))
    assert Duty.SIGNING is node.replica.doppelganger.duty
    assert [] == node.notices("duty")


@pytest.mark.parametrize(("is_told", "duty"), [(True, Duty.LISTENING), (False, Duty.SIGNING)])
def test_one_that_listens_and_hears_of_its_node_key_elsewhere_listens_on(is_told: bool, duty: Duty) -> None:
    node = Node("bmw", listens=True)
    node.pass_time(LISTEN_MS - 1)
    if is_told:
        node.feed(e.KeyInUse())
    node.pass_time(1)
    assert duty is node.replica.doppelganger.duty
    node.pass_time(LISTEN_MS)
    assert Duty.SIGNING is node.replica.doppelganger.duty
    Node().feed(e.KeyInUse())


def test_who_signs_with_a_key_that_the_chain_has_not_for_it_only_follows() -> None:
    """After a rotation, or under another's name: its votes would count here and nowhere else, up to a certificate that
    no other node takes."""
    node = Node("bmw")
    chain = Chain()
    key = dev_key("consensus", "buyer-1")
    replica = Replica(
        chain.store, Signer(address("bmw"), key, never_signed(key.public), chain.genesis_hash), ReplicaConfig(), OWN
    )
    node.chain, node.replica, node.now = chain, replica, chain.now
    replica.start(node.now)
    for peer in (1, 2):
        node.feed(e.PeerConnected(peer, bytes([peer]) * 32))
    node.pass_time(LISTEN_MS)
    assert Duty.SIGNING is replica.doppelganger.duty
    assert not replica.may_sign() and not replica.is_key_in_force()
    node.chain.now = node.now
    block = node.block()
    node.hear(full(node, block, node.proposal(block)))
    for _ in range(5):
        node.pass_time(1_000)
    assert [] == node.prevotes()


def test_genuine_votes_of_our_name_under_another_key_are_counted_and_nobodys_fault() -> None:
    """On the day of a rotation the new home listens to what the old one still signs."""
    node = Node()
    key = dev_key("consensus", "buyer-1")
    signer = Signer(address("bmw"), key, never_signed(key.public), node.chain.genesis_hash)
    node.replica = Replica(node.chain.store, signer, ReplicaConfig(), OWN)
    node.replica.start(node.now)
    for peer in (1, 2):
        node.feed(e.PeerConnected(peer, bytes([peer]) * 32, True))
    node.pass_time(LISTEN_MS)
    node.did.clear()
    for round_ in range(5):
        node.hear(VoteMessage(node.vote("bmw", round=round_)), VoteMessage(node.vote("bmw", height=7, round=round_)))
    assert [] == node.faults() == node.notices("duty")
    assert 5 == sum(len(node.replica.machine.tally.votes_of_round(round_)) for round_ in range(5))


def test_a_status_is_told_at_a_bounded_rate_however_fast_blocks_come() -> None:
    """A stranger that catches up would else be banned by everybody for saying so."""
    source = Chain()
    for _ in range(60):
        source.produce()
    node = Node()
    node.hear(Status(60, 0, 1))
    told: list[int] = []
    for _ in range(60):
        did, node.did = node.did, []
        for action in [a for a in did if isinstance(a, e.Send) and isinstance(a.message, GetBlocks)]:
            wanted = range(action.message.first, action.message.last + 1)
            node.feed(e.Received(action.peer, Blocks(tuple(source.store.committed(h) for h in wanted)), node.now))
        told += [a.message.height for a in did if isinstance(a, e.Broadcast) and isinstance(a.message, Status)]
        node.pass_time(1)
    assert 60 == node.chain.store.height()
    assert len(told) <= 3
    node.pass_time(STATUS_EVERY_MS)
    said = [a.message.height for a in node.did if isinstance(a, e.Broadcast) and isinstance(a.message, Status)]
    assert 60 == said[-1]


# --- presence -------------------------------------------------------------------------------------------
def test_a_presence_is_relayed_and_one_that_does_not_verify_is_nobodys_fault() -> None:
    node = Node()
    good = node.presence("bmw")
    node.hear(node.presence("bmw", by="dealer-munich"))
    assert ([], []) == (node.faults(), node.relayed()), "whoever is behind knows another key of that validator"
    node.hear(good)
    assert [good] == node.relayed()


def test_the_presence_of_no_validator_is_passed_over() -> None:
    node = Node()
    node.hear(node.presence("bank-1"))
    assert ([], []) == (node.faults(), node.relayed())


def test_one_processs_presence_is_relayed_so_often_and_no_oftener() -> None:
    node = Node()
    for ms, count in ((0, 1), (0, 1), (PRESENCE_INTERVAL_MS - 1, 1), (1, 2)):
        node.pass_time(ms)
        node.hear(node.presence("bmw"))
        assert count == len(node.relayed())
    node.hear(node.presence("bmw", instance=OWN))
    assert 3 == len(node.relayed())


def test_another_process_with_our_key_is_answered_with_its_echo() -> None:
    node = Node("bmw")
    node.hear(node.presence("bmw"))
    answers = [a.message for a in node.did if isinstance(a, e.Broadcast) and a.besides is None]
    assert [(OWN, OTHER)] == [(m.instance, m.echo) for m in answers if isinstance(m, Presence)]
    assert [] == node.notices("duty")


def test_of_two_processes_that_sign_with_one_key_the_greater_instance_stops() -> None:
    node = Node("bmw")
    node.hear(node.presence("bmw", instance=bytes(16), echo=OWN))
    assert Duty.STOPPED is node.replica.doppelganger.duty
    assert ["stopped"] == [fields["duty"] for fields in node.notices("duty")]
