"""Arbiters: who they are, and what their votes come to in whatever order."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations, product

import pytest
from support.chain import address
from support.disputing import (
    ARBITERS,
    answered,
    copied,
    crashed,
    disputed,
    of,
    the_brand,
    voted,
    wholesale,
)
from support.governing import carry_out, codes_of
from support.stages import at, ledger_of

from node.rules.disputes import DISPUTE_OUTCOMES
from node.txtypes.chain.actions import RoleGrant, RoleSetStatus
from node.txtypes.disputes import arbiters
from node.txtypes.disputes.arbiters import ARBITERS as NAMED
from node.txtypes.disputes.arbiters import ARBITERS_MAX, Cast, is_settled, outcome_of


# --- arbiters -----------------------------------------------------------------------------------------------
def test_the_list_of_arbiters_follows_what_governance_grants() -> None:
    life = at("")
    at_genesis = life.chain.state(NAMED, "all").addresses
    assert sorted(map(address, ARBITERS)) == list(at_genesis)
    grant = RoleGrant(address("insurer-1"), "arbiter", (), "", (), 0, 0)
    assert "carried_out" == carry_out(life.chain, grant)
    assert {*at_genesis, address("insurer-1")} == set(life.chain.state(NAMED, "all").addresses)
    carry_out(life.chain, RoleSetStatus(address("arbiter-1"), "arbiter", "revoked", "ended"))
    assert address("arbiter-1") not in arbiters.named(ledger_of(life.chain))
    carry_out(life.chain, RoleSetStatus(address("arbiter-2"), "arbiter", "suspended", "ended"))
    assert address("arbiter-2") in arbiters.named(ledger_of(life.chain))


def test_there_are_at_most_fifteen_arbiters() -> None:
    life = at("")
    names = ("bank-1", "insurer-1", "carrier-1", "police-1", "dismantler-1", "registrar-1", "registrar-2", "bmw",
             "dealer-munich", "dealer-shanghai", "workshop-berlin")  # fmt: skip
    for name in names:
        grant = RoleGrant(address(name), "arbiter", (), "", (), 0, 0)
        assert [] == codes_of(life.chain, grant, "dealer-shanghai")
        carry_out(life.chain, grant)
    assert ARBITERS_MAX == len(arbiters.named(ledger_of(life.chain)))
    assert ["arbiters_full"] == codes_of(life.chain, RoleGrant(address("inspector-1"), "arbiter", (), "", (), 0, 0))
    again = RoleGrant(address("bank-1"), "arbiter", ("WBA",), "", (), 0, 0)
    assert [] == codes_of(life.chain, again, "dealer-shanghai"), "it is one already"


def casts(*votes: tuple[str, str]) -> list[Cast]:
    """(group, outcome) of each; `makers` is the maker's group."""
    return [Cast(bytes([n]) * 20, g.encode(), g == "makers", outcome) for n, (g, outcome) in enumerate(votes)]


@pytest.mark.parametrize(
    ("votes", "outcome"),
    [
        ((), "undecided"),
        ((("a", "annulled"), ("b", "annulled")), "undecided"),
        ((("a", "annulled"),) * 3, "undecided"),
        ((("a", "annulled"), ("a", "annulled"), ("b", "annulled")), "annulled"),
        ((("makers", "stands"), ("makers", "stands"), ("makers", "stands")), "undecided"),
        ((("makers", "stands"), ("makers", "stands"), ("a", "stands")), "stands"),
        ((("a", "annulled"), ("b", "annulled"), ("c", "stands")), "annulled"),
        ((("a", "annulled"), ("b", "stands"), ("c", "amended")), "undecided"),
        ((("a", "annulled"), ("b", "annulled"), ("c", "stands"), ("d", "stands")), "undecided"),
        ((("a", "undecided"), ("b", "undecided"), ("c", "stands")), "undecided"),
    ],
)
def test_what_votes_come_to(votes: tuple[tuple[str, str], ...], outcome: str) -> None:
    assert outcome == outcome_of(casts(*votes))


def completions(votes: list[Cast], waiting: list[Cast]) -> set[str]:
    """The outcome for every way in which those that wait vote or don't."""
    choices = [(None, *DISPUTE_OUTCOMES)] * len(waiting)
    return {
        outcome_of([*votes, *(c._replace(outcome=o) for c, o in zip(waiting, chosen, strict=True) if o is not None)])
        for chosen in product(*choices)
    }


@pytest.mark.parametrize("count", range(6))
def test_a_vote_is_settled_exactly_where_no_further_vote_can_change_it(count: int) -> None:
    groups = ("a", "a", "makers", "b", "c")
    for asked in product(("annulled", "stands", "undecided"), repeat=count):
        votes = casts(*zip(groups[:count], asked, strict=False))
        waiting = [Cast(bytes([20 + n]) * 20, g.encode(), g == "makers", "") for n, g in enumerate(groups[count:])]
        is_final = len(completions(votes, waiting)) == 1
        assert is_final == is_settled(votes, waiting, DISPUTE_OUTCOMES), (asked, groups)


def outcomes_by_order(settled: Callable[..., bool]) -> set[tuple[tuple[str, ...], frozenset[str]]]:
    """Every set of four votes with the outcomes that its orders come to: the vote ends as soon as `settled` says so."""
    groups, found = ("consumers", "consumers", "trade", "engineers"), set()
    for asked in product(DISPUTE_OUTCOMES, repeat=4):
        ballots = casts(*zip(groups, asked, strict=True))
        outcomes = set()
        for order in permutations(ballots):
            counted: list[Cast] = []
            for place, ballot in enumerate(order):
                counted.append(ballot)
                if settled(counted, order[place + 1 :], DISPUTE_OUTCOMES):
                    break
            outcomes.add(outcome_of(counted))
        found.add((asked, frozenset(outcomes)))
    return found


def test_no_order_of_votes_changes_an_outcome() -> None:
    assert [] == [asked for asked, outcomes in outcomes_by_order(is_settled) if len(outcomes) > 1]


def test_counting_the_first_three_would_be_noticed() -> None:
    """The mutant: the first majority wins."""

    def first_come(votes: list[Cast], waiting: object, outcomes: object) -> bool:
        return outcome_of(votes) != "undecided"

    assert [] != [asked for asked, outcomes in outcomes_by_order(first_come) if len(outcomes) > 1]


def test_no_order_of_votes_changes_an_outcome_on_a_chain() -> None:
    life = wholesale()
    ident = disputed(life, crashed(life), ground="wrong_damage")
    answered(life, ident)
    for ballots, outcome in (
        (dict(zip(ARBITERS, ("annulled", "annulled", "stands", "stands"), strict=True)), "undecided"),
        (dict(zip(ARBITERS, ("annulled", "annulled", "annulled", "stands"), strict=True)), "annulled"),
    ):
        seen = set()
        for order in list(permutations(ARBITERS))[::5]:
            fork = copied(life)
            for arbiter in order:
                if not of(fork, ident).outcome:
                    voted(fork, ident, ballots[arbiter], arbiter)
            seen.add((of(fork, ident).outcome, the_brand(fork)))
        assert {(outcome, outcome)} == seen
