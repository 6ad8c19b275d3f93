"""A vote that a dispute has no room for leaves a value that no node can read: `Corrupted` stops every one of them."""

from __future__ import annotations

from support.chain import address
from support.disputing import ARBITERS, disputed, of, serviced, voted, wholesale
from support.disputing import answered as answered_record
from support.governing import carry_out
from support.life import Life
from support.specimens import specimen
from support.stages import at
from test_money_attacks import answered

from node.txtypes.chain.actions import RoleGrant, RoleSetStatus
from node.txtypes.disputes.order_dispute import ORDER_DISPUTE, Decision

NAMED = ("registrar-1", "registrar-2", "carrier-1", "insurer-1", "dealer-shanghai", "identity-attestor-1", "police-1",
         "workshop-hamburg", "bank-1", "dismantler-1", "inspector-1")  # fmt: skip
FOR, AGAINST = Decision("dismiss", 0, ""), Decision("resume", 0, "")


def votes(life: Life, dispute: bytes, arbiter: str, decision: Decision) -> None:
    life.chain.do(arbiter, specimen("order.resolve", life.chain, dispute=dispute, decision=decision))


def test_a_dispute_holds_every_vote_that_it_takes() -> None:
    life = at("handed_over")
    for name in NAMED:
        carry_out(life.chain, RoleGrant(address(name), "arbiter", (), "", (), 0, 0))
    dispute = answered(life)
    voters = (*ARBITERS, *NAMED)
    for place, arbiter in enumerate(voters[:14]):
        votes(life, dispute, arbiter, FOR if place % 2 else AGAINST)
    carry_out(life.chain, RoleSetStatus(address(voters[0]), "arbiter", "revoked", "ended"))
    carry_out(life.chain, RoleGrant(address("inspector-2"), "arbiter", (), "", (), 0, 0))
    votes(life, dispute, voters[14], FOR)
    assert not life.chain.state(ORDER_DISPUTE, dispute).closed_at_ms
    votes(life, dispute, "inspector-2", AGAINST)
    life.chain.state(ORDER_DISPUTE, dispute)


def test_a_dispute_of_a_record_holds_every_vote_that_it_takes() -> None:
    life = wholesale()
    for name in NAMED:
        carry_out(life.chain, RoleGrant(address(name), "arbiter", (), "", (), 0, 0))
    ident = disputed(life, serviced(life))
    answered_record(life, ident)
    voters = (*ARBITERS, *NAMED)
    for place, arbiter in enumerate(voters[:14]):
        voted(life, ident, "annulled" if place % 2 else "stands", arbiter)
    carry_out(life.chain, RoleSetStatus(address(voters[0]), "arbiter", "revoked", "ended"))
    carry_out(life.chain, RoleGrant(address("inspector-2"), "arbiter", (), "", (), 0, 0))
    voted(life, ident, "annulled", voters[14])
    assert not of(life, ident).outcome
    voted(life, ident, "stands", "inspector-2")
    assert of(life, ident)
