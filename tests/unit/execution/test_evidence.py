"""Evidence of equivocation: when it counts, that it counts once, and what it does."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.chain import Chain, address
from support.life import VIN, register
from support.stages import at, change

from node import limits
from node.chain.block import evidence_root
from node.chain.vote import NIL, Evidence, Proposal, Vote, evidence_id, sign_bytes_of, vote_sign_bytes
from node.crypto.dev_keys import dev_key
from node.errors import InvalidBlock
from node.ledger.params import CHAIN
from node.txtypes.chain.validator_set import EVIDENCE, VALIDATOR, VALIDATORS

LIAR = "dealer-shanghai"
LOW, HIGH = b"\x01" * 32, b"\x02" * 32


def vote(chain: Chain, block_id: bytes, name: str = LIAR, **changes) -> Vote:
    unsigned = Vote(**dict(kind="prevote", height=1, round=0, block_id=block_id, validator=address(name),
                           signature=bytes(64)) | changes)  # fmt: skip
    return replace(unsigned, signature=dev_key("consensus", name).sign(sign_bytes_of(unsigned, chain.genesis_hash)))


def pair(chain: Chain, first: bytes = LOW, second: bytes = HIGH, **changes) -> Evidence:
    return Evidence(vote(chain, first, **changes), vote(chain, second, **changes))


def rule_of(chain: Chain, *evidence: Evidence) -> str:
    """Why a block with this evidence is invalid; its header is right in everything else."""
    block = chain.build()
    header = replace(block.header, evidence_root=evidence_root(evidence))
    with pytest.raises(InvalidBlock) as told:
        chain.judge(replace(block, header=header, evidence=evidence))
    return told.value.rule


def powers(chain: Chain) -> dict[bytes, int]:
    return {entry.address: entry.power for entry in chain.state(VALIDATORS, "set").entries}


def chain_at(height: int) -> Chain:
    chain = at("").chain
    for _ in range(height):
        chain.produce()
    return chain


# --- what it does ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["prevote", "precommit"])
@pytest.mark.parametrize("first", [LOW, NIL], ids=["two blocks", "nil and a block"])
def test_an_equivocator_has_no_power_from_the_next_height_on(kind: str, first: bytes) -> None:
    chain = chain_at(1)
    evidence = pair(chain, first, kind=kind)
    block = chain.produce(evidence=(evidence,))
    assert address(LIAR) not in powers(chain)
    assert 3 == len(powers(chain)) == len(chain.store.head().validators)
    assert block.header.validators_hash != block.header.next_validators_hash
    assert 0 == chain.state(VALIDATOR, address(LIAR)).power
    assert block.header.height == chain.state(EVIDENCE, evidence_id(evidence)).height
    assert address(LIAR) in chain.store.validators(block.header.height)
    chain.produce()
    assert address(LIAR) not in chain.store.validators(chain.store.height())


def test_the_last_validator_keeps_its_power_and_the_offence_is_recorded() -> None:
    chain = chain_at(1)
    keep = tuple(e for e in chain.state(VALIDATORS, "set").entries if e.address == address(LIAR))
    change(chain, VALIDATORS, "set", entries=keep)
    evidence = pair(chain)
    chain.produce(evidence=(evidence,))
    assert {address(LIAR): 10} == powers(chain)
    assert chain.state(EVIDENCE, evidence_id(evidence)) is not None


def test_transactions_are_carried_out_before_the_evidence_and_both_count() -> None:
    chain = chain_at(1)
    chain.produce(chain.sign("bmw", register()), evidence=(pair(chain),))
    assert address(LIAR) not in powers(chain)
    assert chain.store.state.get(b"vehicle/" + VIN.encode()) is not None


def test_two_liars_in_one_block() -> None:
    chain = chain_at(1)
    chain.produce(evidence=(pair(chain), pair(chain, name="bmw")))
    assert {address("dealer-munich"), address("workshop-berlin")} == set(powers(chain))


# --- when it does not count --------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "changes",
    [{"round": 1}, {"height": 2}, {"kind": "precommit"}, {"name": "bmw"}],
    ids=lambda changes: next(iter(changes)),
)
def test_two_votes_for_different_steps_are_no_offence(changes: dict) -> None:
    chain = chain_at(3)
    assert "evidence_pair" == rule_of(chain, Evidence(vote(chain, LOW), vote(chain, HIGH, **changes)))


@pytest.mark.parametrize(("first", "second"), [(HIGH, LOW), (LOW, LOW), (NIL, NIL), (LOW, NIL)])
def test_the_two_ids_are_different_and_in_order(first: bytes, second: bytes) -> None:
    chain = chain_at(1)
    assert "evidence_order" == rule_of(chain, pair(chain, first, second))


@pytest.mark.parametrize(("height", "is_good"), [(1, True), (2, True), (3, False), (4, False)])
def test_the_offence_lies_below_the_block(height: int, is_good: bool) -> None:
    chain = chain_at(2)
    if is_good:
        chain.produce(evidence=(pair(chain, height=height),))
    else:
        assert "evidence_age" == rule_of(chain, pair(chain, height=height))


def test_an_offence_is_not_older_than_the_parameter() -> None:
    chain = chain_at(12)
    change(chain, CHAIN, "params", evidence_age_max=10)
    assert 13 == chain.build().header.height
    assert "evidence_age" == rule_of(chain, pair(chain, height=2))
    chain.produce(evidence=(pair(chain, height=3),))


@pytest.mark.parametrize(("admitted", "rule"), [(1, ""), (2, "evidence_admission")])
def test_an_offence_is_not_older_than_the_validators_admission(admitted: int, rule: str) -> None:
    """Whoever was punished and admitted again is not punished twice for the old votes."""
    chain = chain_at(2)
    change(chain, VALIDATOR, address(LIAR), admitted_height=admitted)
    if rule:
        assert rule == rule_of(chain, pair(chain))
    else:
        chain.produce(evidence=(pair(chain),))


def test_nobody_elses_votes_are_evidence() -> None:
    chain = chain_at(1)
    assert "evidence_admission" == rule_of(chain, pair(chain, name="bank-1"))


def test_an_offence_is_carried_out_once_whatever_the_signatures_or_ids() -> None:
    chain = chain_at(1)
    chain.produce(evidence=(pair(chain),))
    assert "evidence_repeated" == rule_of(chain, pair(chain))
    assert "evidence_repeated" == rule_of(chain, pair(chain, NIL, b"\x09" * 32))


def test_who_has_no_power_left_can_make_no_more_of_it() -> None:
    """Offences without end are free to whoever has nothing to lose: each would be a block, and stay in the state."""
    chain = chain_at(1)
    chain.produce(evidence=(pair(chain),))
    assert "evidence_power" == rule_of(chain, pair(chain, kind="precommit"))
    assert "evidence_power" == rule_of(chain, pair(chain, round=1))
    change(chain, VALIDATOR, address(LIAR), paused_power=10)
    assert chain.produce(evidence=(pair(chain, round=1),)).evidence


def test_a_block_has_one_piece_against_one_validator() -> None:
    chain = chain_at(1)
    for other in (pair(chain), pair(chain, NIL), pair(chain, round=1), pair(chain, kind="precommit")):
        assert "evidence_repeated" == rule_of(chain, pair(chain), other)
    chain.produce(evidence=(pair(chain), pair(chain, name="bmw")))
    assert {address("dealer-munich"), address("workshop-berlin")} == set(powers(chain))


@pytest.mark.parametrize("place", ["first", "second"])
def test_both_signatures_verify(place: str) -> None:
    chain = chain_at(1)
    evidence = pair(chain)
    wrong = replace(getattr(evidence, place), signature=bytes(64))
    assert "evidence_signature" == rule_of(chain, replace(evidence, **{place: wrong}))
    foreign = dev_key("consensus", "bmw").sign(sign_bytes_of(getattr(evidence, place), chain.genesis_hash))
    assert "evidence_signature" == rule_of(chain, replace(evidence, **{place: replace(wrong, signature=foreign)}))


def test_votes_of_another_chain_are_no_evidence() -> None:
    chain = chain_at(1)
    evidence = pair(chain)
    message = vote_sign_bytes(bytes(32), "prevote", 1, 0, HIGH)
    other = replace(evidence.second, signature=dev_key("consensus", LIAR).sign(message))
    assert "evidence_signature" == rule_of(chain, replace(evidence, second=other))


def test_a_block_has_at_most_eight_pieces() -> None:
    chain = chain_at(1)
    pieces = tuple(pair(chain, round=number) for number in range(limits.EVIDENCE_PER_BLOCK_MAX + 1))
    assert "evidence_count" == rule_of(chain, *pieces)
    assert "evidence_repeated" == rule_of(chain, *pieces[:-1])


def test_an_offence_is_named_by_its_step_alone() -> None:
    chain = chain_at(1)
    one = evidence_id(pair(chain))
    assert one == evidence_id(pair(chain, NIL, b"\x09" * 32))
    others = [pair(chain, round=1), pair(chain, height=2), pair(chain, kind="precommit"), pair(chain, name="bmw")]
    assert 5 == len({one, *(evidence_id(other) for other in others)})


def test_votes_and_proposals_are_signed_apart() -> None:
    chain = chain_at(1)
    proposal = Proposal(1, 0, LOW, -1, address(LIAR), bytes(64))
    messages = {sign_bytes_of(proposal, chain.genesis_hash), sign_bytes_of(vote(chain, LOW), chain.genesis_hash)}
    messages |= {sign_bytes_of(vote(chain, LOW, kind="precommit"), chain.genesis_hash)}
    messages |= {sign_bytes_of(replace(proposal, valid_round=0), chain.genesis_hash)}
    assert 4 == len(messages)
