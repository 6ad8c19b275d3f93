"""Governance: who may propose and vote, what decides, members, parameters and rulesets."""

from __future__ import annotations

import pytest
from support.chain import DAY_MS, Chain, address
from support.governing import (
    CHANGE,
    NOBODY,
    carry_out,
    chain_with,
    codes_of,
    give,
    power_of,
    propose,
    vote,
)
from support.life import changed
from support.newer_software import newer_software, ruleset_2
from support.stages import at, change, ledger_of

from node import limits
from node.errors import OperatorError
from node.ledger.params import CHAIN, SETTABLE, ChainParams
from node.replica.events import Halt
from node.replica.replica import Replica, ReplicaConfig
from node.txtypes.chain.actions import (
    Action,
    MemberAdmit,
    MemberSetStatus,
    ParameterSet,
    RoleGrant,
    RoleSetStatus,
    RulesetActivate,
)
from node.txtypes.chain.governance import OPEN_PROPOSALS, PROPOSAL, GovernanceVote
from node.txtypes.chain.validator_set import VALIDATOR
from node.txtypes.members.member import MEMBER, MEMBER_NAME, is_fraudulent, reason_of

HASH = bytes(range(32))


# --- who may ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("sender", "codes"),
    [
        ("bmw", []),
        ("workshop-berlin", []),
        ("bank-1", ["not_a_validator"]),
        ("buyer-1", ["not_a_member", "not_a_validator"]),
    ],
)
def test_a_validators_member_proposes_and_votes(sender: str, codes: list[str]) -> None:
    chain = at("").chain
    assert codes == codes_of(chain, CHANGE, sender)
    proposal = propose(chain, CHANGE, "dealer-shanghai")
    assert codes == chain.unmet(chain.sign(sender, GovernanceVote(proposal, True)))


def test_a_suspended_member_neither_proposes_nor_votes_even_with_power() -> None:
    chain = at("").chain
    proposal = propose(chain, CHANGE)
    change(chain, MEMBER, address("dealer-munich"), changes=changed("suspended", "other"))
    assert ["not_a_member"] == codes_of(chain, CHANGE, "dealer-munich")
    assert ["not_a_member"] == chain.unmet(chain.sign("dealer-munich", GovernanceVote(proposal, True)))


def test_votes_on_what_is_not_there_or_closed_or_twice() -> None:
    chain = at("").chain

    def codes(proposal: bytes, by: str = "dealer-munich") -> list[str]:
        return chain.unmet(chain.sign(by, GovernanceVote(proposal, True)))

    assert ["proposal_unknown"] == codes(bytes(32))
    proposal = propose(chain, CHANGE)
    assert ["already_voted"] == codes(proposal, "bmw")
    assert [] == codes(proposal)
    assert "open" == vote(chain, proposal, "dealer-munich", approve=False)
    assert ["already_voted"] == codes(proposal)
    assert "refused" == vote(chain, proposal, "dealer-shanghai", approve=False)
    assert ["proposal_closed"] == codes(proposal, "workshop-berlin")


def test_a_proposal_is_open_until_before_its_expiry() -> None:
    chain = at("").chain
    proposal = propose(chain, CHANGE)
    expires = chain.state(PROPOSAL, proposal).expires_at_ms
    assert chain.now - 1000 + 14 * DAY_MS == expires
    chain.now = expires - 1
    assert [] == chain.unmet(chain.sign("dealer-munich", GovernanceVote(proposal, True)))
    chain.now = expires
    assert ["proposal_closed"] == chain.unmet(chain.sign("dealer-munich", GovernanceVote(proposal, True)))


def test_a_member_has_eight_open_proposals() -> None:
    chain = at("").chain
    proposals = [propose(chain, ParameterSet("block_txs_max", 100 + i)) for i in range(limits.PROPOSALS_OPEN_MAX - 1)]
    assert [] == codes_of(chain, CHANGE)
    proposals.append(propose(chain, CHANGE))
    assert ["proposals_open"] == codes_of(chain, CHANGE)
    assert [] == codes_of(chain, CHANGE, "dealer-munich")
    vote(chain, proposals[3], "dealer-munich", "workshop-berlin", approve=False)
    assert [] == codes_of(chain, CHANGE)
    propose(chain, CHANGE)
    assert proposals[3] not in {open_.proposal for open_ in chain.state(OPEN_PROPOSALS, address("bmw")).proposals}
    assert ["proposals_open"] == codes_of(chain, CHANGE)
    chain.now = chain.state(PROPOSAL, proposals[0]).expires_at_ms
    assert [] == codes_of(chain, CHANGE)


# --- what decides -------------------------------------------------------------------------------------
def test_exactly_two_thirds_are_not_enough() -> None:
    chain = chain_with(10, 10, 10)
    proposal = propose(chain, CHANGE)
    assert "open" == vote(chain, proposal, "dealer-munich")
    assert 2_000 == chain.state(CHAIN, "params").block_txs_max
    assert "carried_out" == vote(chain, proposal, "dealer-shanghai")
    assert 100 == chain.state(CHAIN, "params").block_txs_max


@pytest.mark.parametrize(
    ("powers", "status"), [((2, 1), "open"), ((21, 10), "carried_out"), ((20, 11), "open"), ((5,), "carried_out")]
)
def test_a_proposer_with_more_than_two_thirds_decides_alone(powers, status: str) -> None:
    chain = chain_with(*powers)
    proposal = propose(chain, CHANGE)
    assert status == chain.state(PROPOSAL, proposal).status
    assert (status == "open") == (chain.state(OPEN_PROPOSALS, address("bmw")) is not None)


@pytest.mark.parametrize(
    ("powers", "status"), [((10, 10, 10), "refused"), ((10, 9, 9), "open"), ((11, 10, 10), "open")]
)
def test_a_third_against_refuses(powers, status: str) -> None:
    chain = chain_with(*powers)
    assert status == vote(chain, propose(chain, CHANGE), "dealer-munich", approve=False)


def test_votes_weigh_what_their_members_have_when_they_are_counted() -> None:
    chain = chain_with(10, 10, 10, 10)
    proposal = propose(chain, CHANGE)
    assert "open" == vote(chain, proposal, "dealer-munich")
    give(chain, {"bmw": 30, "dealer-munich": 30, "dealer-shanghai": 10, "workshop-berlin": 10})
    assert "carried_out" == vote(chain, proposal, "dealer-shanghai", approve=False)


def test_an_action_that_has_become_impossible_closes_the_proposal_as_failed() -> None:
    chain = at("").chain
    first, second = (propose(chain, MemberAdmit(address("buyer-1"), name, "DE")) for name in ("one", "two"))
    assert "carried_out" == vote(chain, first, "dealer-munich", "dealer-shanghai")
    assert "open" == vote(chain, second, "dealer-munich")
    assert "failed" == vote(chain, second, "dealer-shanghai")
    assert (address("bmw"), address("dealer-munich"), address("dealer-shanghai")) == chain.state(PROPOSAL, second).yes
    assert "one" == chain.state(MEMBER, address("buyer-1")).name
    assert ["proposal_closed"] == chain.unmet(chain.sign("workshop-berlin", GovernanceVote(second, True)))


# --- member.admit, member.set_status ------------------------------------------------------------------
@pytest.mark.parametrize(
    ("action", "codes"),
    [
        (MemberAdmit(address("buyer-1"), "buyer", "DE"), []),
        (MemberAdmit(NOBODY, "buyer", "DE"), ["account_unknown"]),
        (MemberAdmit(address("bmw"), "other", "DE"), ["member_exists"]),
        (MemberAdmit(address("buyer-1"), "bmw", "DE"), ["member_name_taken"]),
        (MemberAdmit(address("buyer-1"), "buyer", "XX"), ["code_unknown"]),
        (MemberAdmit(address("bank-1"), "bmw", "XX"), ["code_unknown", "member_exists", "member_name_taken"]),
    ],
)
def test_who_can_be_admitted(action: Action, codes: list[str]) -> None:
    assert codes == codes_of(at("").chain, action)


def test_an_admitted_member_starts_with_nothing() -> None:
    chain = at("").chain
    assert "carried_out" == carry_out(chain, MemberAdmit(address("buyer-1"), "buyer", "AT"))
    member = chain.state(MEMBER, address("buyer-1"))
    assert ("buyer", "AT", "active", 3, (), ()) == (
        member.name, member.country, member.status, member.admitted_height, member.grants, member.sites,
    )  # fmt: skip
    assert address("buyer-1") == chain.state(MEMBER_NAME, "buyer").address


@pytest.mark.parametrize("status", ["active", "suspended", "revoked"])
def test_a_status_is_set_on_a_member_that_is_not_revoked(status: str) -> None:
    chain = at("").chain
    assert [] == codes_of(chain, MemberSetStatus(address("bank-1"), status, "other"))
    assert [] == codes_of(chain, MemberSetStatus(address("dealer-munich"), status, "other"))
    assert ["member_unknown"] == codes_of(chain, MemberSetStatus(address("buyer-1"), status, "other"))
    change(chain, MEMBER, address("bank-1"), changes=changed("suspended", "other"))
    assert [] == codes_of(chain, MemberSetStatus(address("bank-1"), status, "other"))
    change(chain, MEMBER, address("bank-1"), changes=changed("revoked", "other"))
    assert ["member_unknown"] == codes_of(chain, MemberSetStatus(address("bank-1"), status, "other"))


@pytest.mark.parametrize(
    ("powers", "codes"),
    [
        ((10,), ["last_member", "power_total"]),
        ((10, 10, 10), ["power_moves_third"]),
        ((10, 11, 10), []),
        ((10, 10, 10, 10), []),
    ],
)
def test_who_loses_power_by_suspension_moves_it(powers, codes: list[str]) -> None:
    chain = chain_with(*powers)
    assert codes == codes_of(chain, MemberSetStatus(address("bmw"), "suspended", "request"))
    assert [] == codes_of(chain, MemberSetStatus(address("bmw"), "active", "request"))
    assert [] == codes_of(chain, MemberSetStatus(address("bank-1"), "suspended", "request"))


@pytest.mark.parametrize(
    ("status", "reason", "marked"),
    [("suspended", "fraud", False), ("revoked", "fraud", True), ("revoked", "ended", False)],
)
def test_who_is_not_active_has_no_power_and_fraud_marks(status: str, reason: str, marked: bool) -> None:
    chain = at("").chain
    assert "carried_out" == carry_out(chain, MemberSetStatus(address("dealer-shanghai"), status, reason))
    member = chain.state(MEMBER, address("dealer-shanghai"))
    assert (status, reason) == (member.status, reason_of(member.changes))
    assert marked == is_fraudulent(ledger_of(chain), address("dealer-shanghai"), chain.now)
    assert 0 == power_of(chain, "dealer-shanghai")
    assert 0 == chain.state(VALIDATOR, address("dealer-shanghai")).power
    assert address("dealer-shanghai") not in chain.store.head().validators
    assert 3 == len(chain.store.head().validators)


def test_a_reinstated_member_has_no_reason_and_no_power() -> None:
    chain = at("").chain
    carry_out(chain, MemberSetStatus(address("dealer-shanghai"), "suspended", "request"))
    assert "carried_out" == carry_out(chain, MemberSetStatus(address("dealer-shanghai"), "active", "request"))
    member = chain.state(MEMBER, address("dealer-shanghai"))
    assert ("active", "", 0) == (member.status, reason_of(member.changes), power_of(chain, "dealer-shanghai"))


def test_a_member_that_is_active_already_keeps_its_power() -> None:
    chain = at("").chain
    assert "carried_out" == carry_out(chain, MemberSetStatus(address("dealer-shanghai"), "active", "request"))
    assert 10 == power_of(chain, "dealer-shanghai")
    assert 40 == chain.store.head().validators.total


def test_fraud_is_never_forgotten() -> None:
    chain = at("").chain
    carry_out(chain, RoleSetStatus(address("insurer-1"), "insurer", "revoked", "fraud"))
    assert is_fraudulent(ledger_of(chain), address("insurer-1"), chain.now)
    carry_out(chain, MemberSetStatus(address("insurer-1"), "suspended", "request"))
    assert is_fraudulent(ledger_of(chain), address("insurer-1"), chain.now)
    carry_out(chain, MemberSetStatus(address("insurer-1"), "active", "request"))
    carry_out(chain, RoleGrant(address("insurer-1"), "insurer", (), "", (), 0, 0))
    carry_out(chain, RoleSetStatus(address("insurer-1"), "insurer", "suspended", "request"))
    assert is_fraudulent(ledger_of(chain), address("insurer-1"), chain.now)


# --- parameter.set, ruleset.activate ------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "value", "codes"),
    [
        ("tx_lifetime_max_ms", 60_000, []),
        ("tx_lifetime_max_ms", 59_999, ["parameter_range"]),
        ("tx_lifetime_max_ms", limits.TX_LIFETIME_CAP_MS, []),
        ("tx_lifetime_max_ms", limits.TX_LIFETIME_CAP_MS + 1, ["parameter_range"]),
        ("block_bytes_max", limits.BLOCK_BYTES_CAP, []),
        ("block_bytes_max", limits.BLOCK_BYTES_CAP + 1, ["parameter_range"]),
        ("ruleset", 1, ["parameter_unknown"]),
        ("next_ruleset", 0, ["parameter_unknown"]),
        ("next_ruleset_height", 9, ["parameter_unknown"]),
        ("next_ruleset_hash", 9, ["parameter_unknown"]),
        ("no_such_thing", 1, ["parameter_unknown"]),
    ],
)
def test_parameters_have_names_and_ranges(name: str, value: int, codes: list[str]) -> None:
    assert codes == codes_of(at("").chain, ParameterSet(name, value))


def test_every_parameter_but_the_ruleset_can_be_set() -> None:
    chain = at("").chain
    assert set(ChainParams.__struct_fields__) - {
        "ruleset", "next_ruleset", "next_ruleset_height", "next_ruleset_hash",
    } == set(SETTABLE)  # fmt: skip
    for name in SETTABLE:
        value = getattr(ChainParams(), name) + 1
        assert "carried_out" == carry_out(chain, ParameterSet(name, value))
        assert value == getattr(chain.state(CHAIN, "params"), name)
        assert value == getattr(chain.store.head().params, name)
    assert ChainParams(**{name: getattr(ChainParams(), name) + 1 for name in SETTABLE}) == chain.state(CHAIN, "params")


def test_a_ruleset_is_newer_and_ahead() -> None:
    """Whether this software knows the version is not asked: nodes of all versions must answer alike."""
    chain = at("").chain
    height = chain.store.height() + 1
    assert [] == codes_of(chain, RulesetActivate(2, height + 1, HASH))
    assert [] == codes_of(chain, RulesetActivate(9_999, height + 1, HASH))
    assert ["height_passed"] == codes_of(chain, RulesetActivate(2, height, HASH))
    assert ["ruleset_not_newer"] == codes_of(chain, RulesetActivate(1, height + 1, HASH))
    assert ["ruleset_not_newer", "height_passed"] == codes_of(chain, RulesetActivate(1, 0, HASH))


def test_a_ruleset_starts_at_its_height() -> None:
    with newer_software():
        chain = at("").chain
        assert "carried_out" == carry_out(chain, RulesetActivate(2, 5, ruleset_2().hash))
        assert (1, 2, 5, ruleset_2().hash) == _rulesets(chain)
        chain.produce()
        assert (1, 2, 5, ruleset_2().hash) == _rulesets(chain)
        block = chain.produce()
        assert 5 == block.header.height
        assert ruleset_2().hash == block.header.ruleset_hash
        assert (2, 0, 0, b"") == _rulesets(chain)


def test_software_that_does_not_know_a_ruleset_stops_before_its_height() -> None:
    chain = at("").chain
    assert "carried_out" == carry_out(chain, RulesetActivate(2, 5, HASH))
    chain.produce()
    assert 4 == chain.store.height()
    with pytest.raises(OperatorError, match=r"from height 5 on .* ruleset 2.* install a newer version"):
        chain.run()
    replica = Replica(chain.store, None, ReplicaConfig(), bytes(16))
    actions = replica.start(chain.now)
    assert [action.reason for action in actions if isinstance(action, Halt)] == [replica.halted]
    assert "the store is intact" in replica.halted


def _rulesets(chain: Chain) -> tuple[int, int, int, bytes]:
    params = chain.state(CHAIN, "params")
    return params.ruleset, params.next_ruleset, params.next_ruleset_height, params.next_ruleset_hash
