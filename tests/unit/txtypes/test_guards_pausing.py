"""validator.pause and validator.resume: power goes and comes back, evidence stays."""

from __future__ import annotations

from support.chain import Chain, address
from support.life import VIN, register

from node.chain.vote import Evidence, Vote, vote_sign_bytes
from node.crypto.dev_keys import dev_key
from node.txtypes.chain.actions import ValidatorSetPower
from node.txtypes.chain.governance import GovernancePropose, GovernanceVote
from node.txtypes.chain.validator_set import VALIDATOR, ValidatorPause, ValidatorResume

NAMES = ("bmw", "dealer-munich", "dealer-shanghai", "workshop-berlin")


def powers(chain: Chain) -> dict[str, int]:
    entries = {entry.address: entry.power for entry in chain.store.head().validators.entries}
    return {name: entries.get(address(name), 0) for name in NAMES}


def carry(chain: Chain, action, names=("dealer-munich", "dealer-shanghai")) -> None:
    proposal = chain.do("bmw", GovernancePropose(action))
    for name in names:
        chain.do(name, GovernanceVote(proposal, True))


def double_vote(chain: Chain, name: str, height: int) -> Evidence:
    votes = []
    for block_id in (bytes(32), b"\x01" * 32):
        signed = vote_sign_bytes(chain.genesis_hash, "prevote", height, 0, block_id)
        votes.append(Vote("prevote", height, 0, block_id, address(name), dev_key("consensus", name).sign(signed)))
    return Evidence(*votes)


def test_a_validator_pauses_and_comes_back_with_its_power() -> None:
    chain = Chain()
    chain.do("workshop-berlin", ValidatorPause())
    assert {"bmw": 10, "dealer-munich": 10, "dealer-shanghai": 10, "workshop-berlin": 0} == powers(chain)
    assert ["not_a_validator"] == chain.unmet(chain.sign("workshop-berlin", ValidatorPause()))
    chain.do("workshop-berlin", ValidatorResume())
    assert {10} == set(powers(chain).values())
    assert ["not_paused"] == chain.unmet(chain.sign("workshop-berlin", ValidatorResume()))


def test_only_members_with_power_pause_and_only_the_paused_resume() -> None:
    chain = Chain()
    assert ["not_a_validator"] == chain.unmet(chain.sign("inspector-1", ValidatorPause()))
    assert "not_a_member" in chain.unmet(chain.sign("buyer-1", ValidatorPause()))
    assert ["not_paused"] == chain.unmet(chain.sign("bmw", ValidatorResume()))
    assert {"not_a_member", "not_paused"} == set(chain.unmet(chain.sign("buyer-1", ValidatorResume())))


def test_one_height_moves_less_than_a_third_by_pauses_too() -> None:
    chain = Chain()
    first, second = (chain.sign(name, ValidatorPause()) for name in NAMES[1:3])
    run = chain.run()
    run.add(chain.check(first))
    assert ["power_moves_third"] == [u.code for u in run.judge(chain.check(second)).unmet_guards]
    chain.produce(first)
    assert ["power_moves_third"] == chain.unmet(second), "10 of 30 is a third"


def test_nobody_comes_back_above_a_third_of_what_the_others_have_left() -> None:
    chain = Chain()
    chain.do("workshop-berlin", ValidatorPause())
    carry(chain, ValidatorSetPower(address("bmw"), 1, b"", b""))
    resume = chain.sign("workshop-berlin", ValidatorResume())
    assert [] == chain.unmet(resume), "10 of 31"
    carry(chain, ValidatorSetPower(address("dealer-munich"), 7, b"", b""))
    assert ["power_above_third", "power_moves_third"] == chain.unmet(resume), "10 of 28"
    assert 0 == powers(chain)["workshop-berlin"]


def test_a_pause_is_no_way_out_of_evidence() -> None:
    """The offence lies before the pause; neither the pause nor coming back is a new admission."""
    chain = Chain()
    chain.do("bmw", register(VIN))
    offence = double_vote(chain, "workshop-berlin", 1)
    chain.do("workshop-berlin", ValidatorPause())
    chain.produce(evidence=(offence,))
    assert 0 == chain.state(VALIDATOR, address("workshop-berlin")).paused_power
    assert ["not_paused"] == chain.unmet(chain.sign("workshop-berlin", ValidatorResume()))

    chain = Chain()
    chain.do("bmw", register(VIN))
    offence = double_vote(chain, "workshop-berlin", 1)
    chain.do("workshop-berlin", ValidatorPause())
    chain.do("workshop-berlin", ValidatorResume())
    chain.produce(evidence=(offence,))
    assert 0 == powers(chain)["workshop-berlin"]


def test_what_governance_decides_meanwhile_counts() -> None:
    chain = Chain()
    chain.do("workshop-berlin", ValidatorPause())
    carry(chain, ValidatorSetPower(address("workshop-berlin"), 5, b"", b""))
    assert 5 == powers(chain)["workshop-berlin"]
    assert ["not_paused"] == chain.unmet(chain.sign("workshop-berlin", ValidatorResume()))
