"""Governance: every rule of a validator's power, and what evidence takes."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.chain import address
from support.governing import (
    NOBODY,
    VALIDATING,
    admission,
    carry_out,
    chain_with,
    codes_of,
    give,
    power,
    power_of,
    propose,
    vote,
)
from support.stages import at, ledger_of

from node.crypto.dev_keys import dev_key
from node.errors import Malformed
from node.txtypes.chain import validator_set
from node.txtypes.chain.actions import ValidatorSetPower
from node.txtypes.chain.governance import PROPOSAL, GovernancePropose, GovernanceVote
from node.txtypes.chain.validator_set import CONSENSUS_KEY, VALIDATOR, VALIDATORS, ValidatorEntry


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
    with pytest.raises(Malformed, match=r"action\.consensus_key and possession: "):
        GovernancePropose(ValidatorSetPower(NOBODY, 1, bytes(key), bytes(proof))).check_static()
    GovernancePropose(ValidatorSetPower(NOBODY, 1, bytes(32), bytes(64))).check_static()
    GovernancePropose(ValidatorSetPower(NOBODY, 1, b"", b"")).check_static()


# --- evidence carried out -----------------------------------------------------------------------------
@pytest.mark.parametrize(("powers", "left"), [((10, 10), 0), ((10,), 10), ((0, 10), 0)])
def test_punishment_takes_all_power_unless_nothing_would_be_left(powers, left: int) -> None:
    chain = chain_with(*powers)
    ledger = ledger_of(chain)
    validator_set.punish(ledger, address("bmw"), bytes(32))
    assert left == validator_set.power_of(ledger, address("bmw"))
    assert chain.store.height() + 1 == ledger.get(validator_set.EVIDENCE, bytes(32)).height
    assert validator_set.total_power(validator_set.current(ledger)) >= 1


def test_punishment_of_who_has_no_power_moves_none() -> None:
    chain = chain_with(0, 10)
    ledger = ledger_of(chain)
    before = validator_set.current(ledger)
    validator_set.punish(ledger, address("bmw"), bytes(32))
    assert before == validator_set.current(ledger)
