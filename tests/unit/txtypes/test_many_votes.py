"""More arbiters vote on a dispute than it has room for: the votes of those who are no longer named fall away."""

from __future__ import annotations

from support.chain import address
from support.disputing import ARBITERS, of, serviced, voted, wholesale
from support.disputing import answered as answered_record
from support.disputing import disputed as disputed_record
from support.governing import carry_out
from support.life import Life
from support.selling import answered, vote
from support.stages import at

from node.txtypes.chain.actions import RoleGrant, RoleSetStatus
from node.txtypes.disputes.arbiters import ARBITERS_MAX
from node.txtypes.disputes.order_dispute import ORDER_DISPUTE, Decision, OrderDispute

NAMED = ("registrar-1", "registrar-2", "carrier-1", "insurer-1", "dealer-shanghai", "identity-attestor-1", "police-1",
         "workshop-hamburg", "bank-1", "dismantler-1", "inspector-1")  # fmt: skip
VOTERS, LATE = (*ARBITERS, *NAMED), "inspector-2"
FOR, AGAINST = Decision("dismiss", 0, ""), Decision("resume", 0, "")


def name_all(life: Life) -> None:
    """As many arbiters as there can be."""
    assert len(VOTERS) == ARBITERS_MAX
    for name in NAMED:
        carry_out(life.chain, RoleGrant(address(name), "arbiter", (), "", (), 0, 0))


def replace_first(life: Life) -> None:
    """Another arbiter takes the place of the first one, which has voted."""
    carry_out(life.chain, RoleSetStatus(address(VOTERS[0]), "arbiter", "revoked", "ended"))
    carry_out(life.chain, RoleGrant(address(LATE), "arbiter", (), "", (), 0, 0))


def order_dispute(life: Life, ident: bytes) -> OrderDispute:
    return life.chain.state(ORDER_DISPUTE, ident)


def test_a_dispute_about_an_order_holds_every_vote_that_it_takes() -> None:
    life = at("handed_over")
    name_all(life)
    dispute = answered(life)
    for place, arbiter in enumerate(VOTERS[:14]):
        vote(life, dispute, FOR if place % 2 else AGAINST, arbiter)
    assert 14 == len(order_dispute(life, dispute).votes)
    replace_first(life)
    vote(life, dispute, AGAINST, VOTERS[14])
    found = order_dispute(life, dispute)
    assert (14, 0) == (len(found.votes), found.closed_at_ms)
    assert address(VOTERS[0]) not in {each.arbiter for each in found.votes}
    vote(life, dispute, FOR, LATE)
    found = order_dispute(life, dispute)
    assert (ARBITERS_MAX, FOR) == (len(found.votes), found.decision)


def test_a_dispute_about_a_record_holds_every_vote_that_it_takes() -> None:
    life = wholesale()
    name_all(life)
    ident = disputed_record(life, serviced(life))
    answered_record(life, ident)
    for place, arbiter in enumerate(VOTERS[:14]):
        voted(life, ident, "annulled" if place % 2 else "stands", arbiter)
    assert 14 == len(of(life, ident).votes)
    replace_first(life)
    voted(life, ident, "stands", VOTERS[14])
    assert (14, "") == (len(of(life, ident).votes), of(life, ident).outcome)
    voted(life, ident, "annulled", LATE)
    assert (ARBITERS_MAX, "annulled") == (len(of(life, ident).votes), of(life, ident).outcome)


def test_a_vote_of_who_is_no_longer_named_decides_nothing() -> None:
    life = at("handed_over")
    dispute = answered(life)
    vote(life, dispute, AGAINST, *ARBITERS[:2])
    carry_out(life.chain, RoleSetStatus(address(ARBITERS[0]), "arbiter", "revoked", "ended"))
    vote(life, dispute, AGAINST, ARBITERS[2])
    found = order_dispute(life, dispute)
    assert ([address(name) for name in ARBITERS[1:3]], 0) == ([v.arbiter for v in found.votes], found.closed_at_ms)
    vote(life, dispute, AGAINST, ARBITERS[3])
    assert AGAINST == order_dispute(life, dispute).decision
