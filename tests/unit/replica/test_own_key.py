"""Our own key in another process: when a validator stops or keeps listening; and presence messages."""

from __future__ import annotations

import pytest
from support.chain import Chain, address
from support.hearing import OTHER, OWN, Node, full
from support.kept_state import never_signed

from node.crypto.dev_keys import dev_key
from node.replica import events as e
from node.replica.doppelganger import LISTEN_MS, Duty
from node.replica.messages import Presence, VoteMessage
from node.replica.replica import Replica, ReplicaConfig
from node.replica.signer import LocalSigner
from node.replica.signing_duty import PRESENCE_INTERVAL_MS


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
    """After a rotation, or with another's address: its votes would count only here, and could make a certificate that
    no other node accepts."""
    node = Node("bmw")
    chain = Chain()
    key = dev_key("consensus", "buyer-1")
    replica = Replica(
        chain.store,
        LocalSigner(address("bmw"), key, never_signed(key.public), chain.genesis_hash),
        ReplicaConfig(),
        OWN,
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
    """During a rotation the process with the new key receives votes of the old key."""
    node = Node()
    key = dev_key("consensus", "buyer-1")
    signer = LocalSigner(address("bmw"), key, never_signed(key.public), node.chain.genesis_hash)
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
