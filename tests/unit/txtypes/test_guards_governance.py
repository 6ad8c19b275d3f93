"""Governance: who may propose and vote, what decides, every action's guards and effect, every rule of power."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.chain import DAY_MS, Chain, address
from support.stages import at, change, force, ledger_of

from node import limits
from node.crypto.dev_keys import dev_key
from node.errors import Malformed, OperatorError
from node.execution import block_run
from node.replica.events import Halt
from node.replica.replica import Replica, ReplicaConfig
from node.rules import ruleset
from node.txtypes import validators
from node.txtypes.governance import (
    OPEN_PROPOSALS,
    PROPOSAL,
    Action,
    GovernancePropose,
    GovernanceVote,
    MemberAdmit,
    MemberSetStatus,
    ParameterSet,
    RoleGrant,
    RoleSetStatus,
    RulesetActivate,
    ValidatorSetPower,
)
from node.txtypes.members import MEMBER, MEMBER_NAME, Grant
from node.txtypes.params import CHAIN, SETTABLE, ChainParams
from node.txtypes.validators import CONSENSUS_KEY, VALIDATOR, VALIDATORS, ValidatorEntry

VALIDATING = ("bmw", "dealer-munich", "dealer-shanghai", "workshop-berlin")
NOBODY = bytes(20)
CHANGE = ParameterSet("block_txs_max", 100)


def chain_with(*powers: int) -> Chain:
    """A chain whose first validators have these powers; the others are none."""
    chain = at("").chain
    give(chain, dict(zip(VALIDATING, powers, strict=False)))
    return chain


def give(chain: Chain, powers: dict[str, int], **moved: int) -> None:
    entries = [ValidatorEntry(address(n), dev_key("consensus", n).public, p) for n, p in powers.items() if p]
    state = chain.state(VALIDATORS, "set")
    force(chain, VALIDATORS, "set", replace(state, entries=tuple(sorted(entries, key=lambda e: e.address)), **moved))


def propose(chain: Chain, action: Action, by: str = "bmw") -> bytes:
    return chain.do(by, GovernancePropose(action))


def vote(chain: Chain, proposal: bytes, *voters: str, approve: bool = True) -> str:
    """The proposal's status after these votes, each in a block of its own."""
    for voter in voters:
        chain.do(voter, GovernanceVote(proposal, approve))
    return chain.state(PROPOSAL, proposal).status


def carry_out(chain: Chain, action: Action) -> str:
    return vote(chain, propose(chain, action), "dealer-munich", "workshop-berlin")


def codes_of(chain: Chain, action: Action, by: str = "bmw") -> list[str]:
    return chain.unmet(chain.sign(by, GovernancePropose(action)))


def power_of(chain: Chain, name: str) -> int:
    return validators.power_of(ledger_of(chain), address(name))


def admission(chain: Chain, name: str = "bank-1", power: int = 5, key: str = "", genesis: bytes = b"") -> Action:
    secret = dev_key("consensus", key or name)
    proof = validators.possession_bytes(genesis or chain.genesis_hash, address(name), secret.public)
    return ValidatorSetPower(address(name), power, secret.public, secret.sign(proof))


def power(name: str, value: int) -> Action:
    return ValidatorSetPower(address(name), value, b"", b"")


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
    change(chain, MEMBER, address("dealer-munich"), status="suspended")
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
    assert proposals[3] not in dict(chain.state(OPEN_PROPOSALS, address("bmw")).proposals)
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
        (MemberAdmit(address("buyer-1"), "buyer", "XX"), ["country_unknown"]),
        (MemberAdmit(address("bank-1"), "bmw", "XX"), ["member_exists", "member_name_taken", "country_unknown"]),
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
    change(chain, MEMBER, address("bank-1"), status="suspended")
    assert [] == codes_of(chain, MemberSetStatus(address("bank-1"), status, "other"))
    change(chain, MEMBER, address("bank-1"), status="revoked")
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
    ("status", "reason", "is_fraudulent"),
    [("suspended", "fraud", False), ("revoked", "fraud", True), ("revoked", "ended", False)],
)
def test_who_is_not_active_has_no_power_and_fraud_marks(status: str, reason: str, is_fraudulent: bool) -> None:
    chain = at("").chain
    assert "carried_out" == carry_out(chain, MemberSetStatus(address("dealer-shanghai"), status, reason))
    member = chain.state(MEMBER, address("dealer-shanghai"))
    assert (status, reason, is_fraudulent) == (member.status, member.reason, member.is_fraudulent)
    assert 0 == power_of(chain, "dealer-shanghai")
    assert 0 == chain.state(VALIDATOR, address("dealer-shanghai")).power
    assert address("dealer-shanghai") not in chain.store.head().validators
    assert 3 == len(chain.store.head().validators)


def test_a_reinstated_member_has_no_reason_and_no_power() -> None:
    chain = at("").chain
    carry_out(chain, MemberSetStatus(address("dealer-shanghai"), "suspended", "request"))
    assert "carried_out" == carry_out(chain, MemberSetStatus(address("dealer-shanghai"), "active", "request"))
    member = chain.state(MEMBER, address("dealer-shanghai"))
    assert ("active", "", 0) == (member.status, member.reason, power_of(chain, "dealer-shanghai"))


def test_a_member_that_is_active_already_keeps_its_power() -> None:
    chain = at("").chain
    assert "carried_out" == carry_out(chain, MemberSetStatus(address("dealer-shanghai"), "active", "request"))
    assert 10 == power_of(chain, "dealer-shanghai")
    assert 40 == chain.store.head().validators.total


def test_fraud_is_never_forgotten() -> None:
    chain = at("").chain
    carry_out(chain, RoleSetStatus(address("insurer-1"), "insurer", "revoked", "fraud"))
    assert chain.state(MEMBER, address("insurer-1")).is_fraudulent
    carry_out(chain, MemberSetStatus(address("insurer-1"), "suspended", "request"))
    assert chain.state(MEMBER, address("insurer-1")).is_fraudulent
    carry_out(chain, MemberSetStatus(address("insurer-1"), "active", "request"))
    carry_out(chain, RoleGrant(address("insurer-1"), "insurer", (), "", 0, 0))
    carry_out(chain, RoleSetStatus(address("insurer-1"), "insurer", "suspended", "request"))
    assert chain.state(MEMBER, address("insurer-1")).is_fraudulent


# --- role.grant, role.set_status ----------------------------------------------------------------------
def role_grant(**changes) -> Action:
    fields = dict(member=address("bank-1"), role="dealer", wmis=(), country="", starts_at_ms=0, ends_at_ms=0)
    return RoleGrant(**fields | changes)


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({}, []),
        ({"country": "FR", "wmis": ("WBA",)}, []),
        ({"country": "XX"}, ["country_unknown"]),
        ({"member": address("buyer-1")}, ["not_a_member"]),
        ({"role": "bank"}, ["grant_exists"]),
        ({"role": "bank", "wmis": ("WBA",)}, []),
        ({"role": "bank", "country": "FR"}, ["grant_exists"]),
    ],
)
def test_a_role_is_granted_once_per_scope(changes: dict, codes: list[str]) -> None:
    assert codes == codes_of(at("").chain, role_grant(**changes))


def test_a_revoked_role_can_be_granted_again_a_suspended_one_can_not() -> None:
    chain = at("").chain
    carry_out(chain, RoleSetStatus(address("bank-1"), "bank", "suspended", "request"))
    assert ["grant_exists"] == codes_of(chain, role_grant(role="bank"))
    carry_out(chain, RoleSetStatus(address("bank-1"), "bank", "revoked", "request"))
    assert [] == codes_of(chain, role_grant(role="bank"))


@pytest.mark.parametrize(
    ("starts", "ends", "codes"),
    [
        (0, None, []),
        (50, None, []),
        (-50, -1, ["expiry_passed"]),
        (-50, 0, ["expiry_passed"]),
        (-50, 1, []),
        (50, 50, ["expiry_passed"]),
        (50, 51, []),
    ],
)
def test_a_role_ends_after_its_start_and_after_now(starts: int, ends: int | None, codes: list[str]) -> None:
    """In milliseconds from now; None has no end."""
    chain = at("").chain
    end = 0 if ends is None else chain.now + ends
    assert codes == codes_of(chain, role_grant(starts_at_ms=chain.now + starts, ends_at_ms=end))


@pytest.mark.parametrize(("count", "codes"), [(31, []), (32, ["grants_full"])])
def test_a_member_has_thirty_two_grants(count: int, codes: list[str]) -> None:
    chain = at("").chain
    grants = tuple(Grant("carrier", (f"W{i:02}",), "", 0, 0, "revoked", "ended") for i in range(count))
    change(chain, MEMBER, address("bank-1"), grants=grants)
    assert codes == codes_of(chain, role_grant())


def test_a_granted_role_is_the_members() -> None:
    chain = at("").chain
    before = chain.state(MEMBER, address("bank-1")).grants
    assert "carried_out" == carry_out(chain, role_grant(wmis=("WBA",), country="AT", starts_at_ms=5, ends_at_ms=2**50))
    granted = Grant("dealer", ("WBA",), "AT", 5, 2**50, "active", "")
    assert (*before, granted) == chain.state(MEMBER, address("bank-1")).grants


@pytest.mark.parametrize(
    ("name", "role", "codes"),
    [
        ("bank-1", "bank", []),
        ("bank-1", "dealer", ["grant_unknown"]),
        ("buyer-1", "bank", ["member_unknown"]),
    ],
)
def test_a_status_is_set_on_a_role_that_is_held(name: str, role: str, codes: list[str]) -> None:
    assert codes == codes_of(at("").chain, RoleSetStatus(address(name), role, "suspended", "other"))


def test_a_revoked_role_stays_revoked_and_others_are_untouched() -> None:
    chain = at("").chain
    action = RoleSetStatus(address("bank-1"), "bank", "revoked", "ended")
    assert "carried_out" == carry_out(chain, action)
    statuses = [(g.role, g.status, g.reason) for g in chain.state(MEMBER, address("bank-1")).grants]
    assert [("bank", "revoked", "ended"), ("payment_provider", "active", "")] == statuses
    assert not chain.state(MEMBER, address("bank-1")).is_fraudulent
    assert ["grant_unknown"] == codes_of(chain, RoleSetStatus(address("bank-1"), "bank", "active", "other"))


def test_what_is_revoked_is_left_alone_by_a_status_of_the_same_role() -> None:
    chain = at("").chain
    carry_out(chain, RoleSetStatus(address("bank-1"), "bank", "revoked", "ended"))
    carry_out(chain, role_grant(role="bank", country="DE"))
    for status, reason in (("suspended", "request"), ("active", "")):
        carry_out(chain, RoleSetStatus(address("bank-1"), "bank", status, "request"))
        grants = [g for g in chain.state(MEMBER, address("bank-1")).grants if g.role == "bank"]
        assert [("", "revoked", "ended"), ("DE", status, reason)] == [(g.country, g.status, g.reason) for g in grants]


@pytest.mark.parametrize(
    ("status", "reason", "is_fraudulent"),
    [("suspended", "fraud", False), ("revoked", "fraud", True), ("revoked", "ended", False)],
)
def test_a_role_that_is_revoked_for_fraud_marks_its_member(status: str, reason: str, is_fraudulent: bool) -> None:
    chain = at("").chain
    carry_out(chain, RoleSetStatus(address("bank-1"), "bank", status, reason))
    assert is_fraudulent == chain.state(MEMBER, address("bank-1")).is_fraudulent


# --- validator.set_power ------------------------------------------------------------------------------
def test_a_newcomer_is_admitted_with_a_key_that_it_possesses() -> None:
    chain = at("").chain
    assert [] == codes_of(chain, admission(chain))
    assert ["not_a_member"] == codes_of(chain, admission(chain, "buyer-1"))
    assert ["possession_unproven"] == codes_of(chain, power("bank-1", 5))
    assert ["consensus_key_used"] == codes_of(chain, admission(chain, key="dealer-munich"))
    assert ["consensus_key_used"] == codes_of(chain, admission(chain, "bmw", 10))
    assert ["possession_unproven"] == codes_of(chain, admission(chain, genesis=bytes(32)))
    foreign = admission(chain, "insurer-1", key="bank-1")
    assert ["possession_unproven"] == codes_of(chain, replace(foreign, member=address("bank-1")))
    assert ["possession_unproven"] == codes_of(chain, replace(admission(chain), possession=bytes(64)))
    assert ["possession_unproven"] == codes_of(chain, power("buyer-1", 0))


def test_an_admission_is_written_down_and_rules_the_next_height() -> None:
    chain = at("").chain
    height = chain.store.height() + 3
    assert "carried_out" == carry_out(chain, admission(chain))
    key = dev_key("consensus", "bank-1").public
    record = chain.state(VALIDATOR, address("bank-1"))
    assert (key, 5, height + 1) == (record.consensus_key, record.power, record.admitted_height)
    assert address("bank-1") == chain.state(CONSENSUS_KEY, key).member
    assert ValidatorEntry(address("bank-1"), key, 5) == chain.store.head().validators.get(address("bank-1"))
    state = chain.state(VALIDATORS, "set")
    assert (height, 40, 5) == (state.moved_height, state.moved_from_total, state.moved)
    assert sorted(e.address for e in state.entries) == [e.address for e in state.entries]
    assert address("bank-1") not in chain.store.validators(height)
    assert address("bank-1") in chain.store.validators(height + 1)
    chain.produce()


def test_power_changes_keep_the_admission_and_a_return_starts_a_new_one() -> None:
    chain = at("").chain
    carry_out(chain, power("dealer-shanghai", 12))
    record = chain.state(VALIDATOR, address("dealer-shanghai"))
    assert (12, 1) == (record.power, record.admitted_height)
    carry_out(chain, power("dealer-shanghai", 0))
    assert (0, 1) == (
        power_of(chain, "dealer-shanghai"),
        chain.state(VALIDATOR, address("dealer-shanghai")).admitted_height,
    )
    height = chain.store.height() + 3
    assert "carried_out" == carry_out(chain, power("dealer-shanghai", 7))
    assert (7, height + 1) == (
        power_of(chain, "dealer-shanghai"), chain.state(VALIDATOR, address("dealer-shanghai")).admitted_height,
    )  # fmt: skip


def test_a_new_key_is_a_new_admission_and_the_old_one_never_serves_again() -> None:
    chain = at("").chain
    height = chain.store.height() + 3
    assert "carried_out" == carry_out(chain, admission(chain, "dealer-shanghai", 10, key="fresh"))
    record = chain.state(VALIDATOR, address("dealer-shanghai"))
    assert (dev_key("consensus", "fresh").public, height + 1) == (record.consensus_key, record.admitted_height)
    assert 0 == chain.state(VALIDATORS, "set").moved
    assert ["consensus_key_used"] == codes_of(chain, admission(chain, "dealer-shanghai", 10))
    assert ["consensus_key_used"] == codes_of(chain, admission(chain, "bank-1", 5, key="fresh"))


@pytest.mark.parametrize(
    ("given", "codes"),
    [
        (15, []),
        (16, ["power_above_third"]),
        (23, ["power_above_third"]),
        (24, ["power_above_third", "power_moves_third"]),
        (10, []),
        (0, []),
    ],
)
def test_no_change_lifts_a_member_above_a_third(given: int, codes: list[str]) -> None:
    assert codes == codes_of(at("").chain, power("bmw", given))


@pytest.mark.parametrize(
    ("given", "codes"),
    [
        (13, []),
        (14, ["power_moves_third"]),
        (20, ["power_moves_third"]),
        (21, ["power_above_third", "power_moves_third"]),
    ],
)
def test_one_height_moves_less_than_a_third(given: int, codes: list[str]) -> None:
    chain = at("").chain
    assert codes == codes_of(chain, admission(chain, power=given))


def test_a_member_above_a_third_may_be_lowered_and_kept_but_not_lifted() -> None:
    chain = chain_with(50, 10, 10, 10)
    assert [] == codes_of(chain, power("bmw", 50))
    assert [] == codes_of(chain, power("bmw", 40))
    assert ["power_above_third"] == codes_of(chain, power("bmw", 51))


@pytest.mark.parametrize(
    ("height_ahead", "moved", "base", "given", "codes"),
    [
        (1, 10, 40, 13, []),
        (1, 10, 40, 14, ["power_moves_third"]),
        (1, 10, 43, 14, []),
        (0, 10, 40, 14, []),
        (1, 20, 40, 10, ["power_moves_third"]),
    ],
)
def test_what_a_height_has_moved_adds_up(height_ahead: int, moved: int, base: int, given: int, codes) -> None:
    chain = at("").chain
    chain.produce()
    give(chain, dict.fromkeys(VALIDATING, 10), moved_height=chain.store.height() + height_ahead,
         moved_from_total=base, moved=moved)  # fmt: skip
    assert codes == codes_of(chain, power("bmw", given))


def test_two_proposals_of_one_block_may_not_move_a_third_together() -> None:
    chain = at("").chain
    proposals = [propose(chain, power(name, 3)) for name in VALIDATING[:2]]
    for proposal in proposals:
        vote(chain, proposal, "dealer-munich")
    chain.produce(*(chain.sign("workshop-berlin", GovernanceVote(p, True)) for p in proposals))
    assert ["carried_out", "failed"] == [chain.state(PROPOSAL, p).status for p in proposals]
    state = chain.state(VALIDATORS, "set")
    assert (40, 7) == (state.moved_from_total, state.moved)


def test_two_small_moves_of_one_block_are_counted_from_its_start() -> None:
    chain = at("").chain
    proposals = [propose(chain, power(name, 8)) for name in VALIDATING[:2]]
    for proposal in proposals:
        vote(chain, proposal, "dealer-munich")
    chain.produce(*(chain.sign("workshop-berlin", GovernanceVote(p, True)) for p in proposals))
    state = chain.state(VALIDATORS, "set")
    assert (chain.store.height(), 40, 4) == (state.moved_height, state.moved_from_total, state.moved)
    carry_out(chain, power("workshop-berlin", 9))
    state = chain.state(VALIDATORS, "set")
    assert (chain.store.height(), 36, 1) == (state.moved_height, state.moved_from_total, state.moved)


@pytest.mark.parametrize(
    ("powers", "given", "codes"),
    [
        ((10,), 0, ["power_total"]),
        ((300, 300, 300, 90), 310, []),
        ((300, 300, 300, 90), 311, ["power_total"]),
    ],
)
def test_the_total_stays_between_one_and_a_thousand(powers, given: int, codes: list[str]) -> None:
    assert codes == codes_of(chain_with(*powers), power("bmw", given))


@pytest.mark.parametrize(("count", "codes"), [(99, []), (100, ["power_total"])])
def test_the_set_has_a_hundred_members(count: int, codes: list[str]) -> None:
    chain = at("").chain
    extra = {f"x{i}": 1 for i in range(count - 4)}
    give(chain, dict.fromkeys(VALIDATING, 10) | extra)
    assert codes == codes_of(chain, admission(chain, power=1))
    assert [] == codes_of(chain, power("bmw", 11))


def test_a_full_set_refuses_newcomers_only() -> None:
    chain = at("").chain
    give(chain, {"bmw": 10, "dealer-munich": 10} | {f"x{i}": 1 for i in range(98)})
    assert ["power_total"] == codes_of(chain, power("dealer-shanghai", 1))
    assert [] == codes_of(chain, power("dealer-shanghai", 0))


def test_the_least_total_may_stay_as_it_is() -> None:
    assert [] == codes_of(chain_with(1), power("bmw", 1))


def test_power_0_for_who_has_none_is_no_new_admission() -> None:
    chain = at("").chain
    for _ in range(2):
        assert "carried_out" == carry_out(chain, power("dealer-shanghai", 0))
        record = chain.state(VALIDATOR, address("dealer-shanghai"))
        assert (0, 1) == (record.power, record.admitted_height)


@pytest.mark.parametrize(("key", "proof"), [(0, 64), (32, 0), (31, 64), (32, 63)])
def test_key_and_proof_come_together(key: int, proof: int) -> None:
    with pytest.raises(Malformed, match="consensus_key and possession"):
        GovernancePropose(ValidatorSetPower(NOBODY, 1, bytes(key), bytes(proof))).check_static()
    GovernancePropose(ValidatorSetPower(NOBODY, 1, bytes(32), bytes(64))).check_static()
    GovernancePropose(ValidatorSetPower(NOBODY, 1, b"", b"")).check_static()


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
        ("no_such_thing", 1, ["parameter_unknown"]),
    ],
)
def test_parameters_have_names_and_ranges(name: str, value: int, codes: list[str]) -> None:
    assert codes == codes_of(at("").chain, ParameterSet(name, value))


def test_every_parameter_but_the_ruleset_can_be_set() -> None:
    chain = at("").chain
    assert set(ChainParams.__struct_fields__) - {"ruleset", "next_ruleset", "next_ruleset_height"} == set(SETTABLE)
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
    assert [] == codes_of(chain, RulesetActivate(2, height + 1))
    assert [] == codes_of(chain, RulesetActivate(9_999, height + 1))
    assert ["height_passed"] == codes_of(chain, RulesetActivate(2, height))
    assert ["ruleset_not_newer"] == codes_of(chain, RulesetActivate(1, height + 1))
    assert ["ruleset_not_newer", "height_passed"] == codes_of(chain, RulesetActivate(1, 0))


def test_a_ruleset_starts_at_its_height(monkeypatch) -> None:
    monkeypatch.setitem(ruleset._TABLES, 2, ruleset._TABLES[1] | {"new.table": ("x",)})
    monkeypatch.setattr(block_run, "RULESET_VERSIONS", frozenset({1, 2}))
    chain = at("").chain
    assert "carried_out" == carry_out(chain, RulesetActivate(2, 5))
    assert (1, 2, 5) == _rulesets(chain)
    chain.produce()
    assert (1, 2, 5) == _rulesets(chain)
    block = chain.produce()
    assert 5 == block.header.height
    assert ruleset.ruleset_hash(2) == block.header.ruleset_hash != ruleset.ruleset_hash(1)
    assert (2, 0, 0) == _rulesets(chain)
    ruleset.ruleset_hash.cache_clear()


def test_software_that_does_not_know_a_ruleset_stops_before_its_height() -> None:
    chain = at("").chain
    assert "carried_out" == carry_out(chain, RulesetActivate(2, 5))
    chain.produce()
    assert 4 == chain.store.height()
    with pytest.raises(OperatorError, match=r"from height 5 on .* ruleset 2.* install a newer version"):
        chain.run()
    replica = Replica(chain.store, None, ReplicaConfig(), bytes(16))
    actions = replica.start(chain.now)
    assert [action.reason for action in actions if isinstance(action, Halt)] == [replica.halted]
    assert "the store is intact" in replica.halted


def _rulesets(chain: Chain) -> tuple[int, int, int]:
    params = chain.state(CHAIN, "params")
    return params.ruleset, params.next_ruleset, params.next_ruleset_height


# --- evidence carried out -----------------------------------------------------------------------------
@pytest.mark.parametrize(("powers", "left"), [((10, 10), 0), ((10,), 10), ((0, 10), 0)])
def test_punishment_takes_all_power_unless_nothing_would_be_left(powers, left: int) -> None:
    chain = chain_with(*powers)
    ledger = ledger_of(chain)
    validators.punish(ledger, address("bmw"), bytes(32))
    assert left == validators.power_of(ledger, address("bmw"))
    assert chain.store.height() + 1 == ledger.get(validators.EVIDENCE, bytes(32)).height
    assert validators.total_power(validators.current(ledger)) >= 1


def test_punishment_of_who_has_no_power_moves_none() -> None:
    chain = chain_with(0, 10)
    ledger = ledger_of(chain)
    before = validators.current(ledger)
    validators.punish(ledger, address("bmw"), bytes(32))
    assert before == validators.current(ledger)
