"""Governance in a test: powers by name, a proposal, votes on it, what speaks against it."""

from __future__ import annotations

from msgspec.structs import replace

from node.crypto.dev_keys import dev_key
from node.txtypes.chain import validator_set
from node.txtypes.chain.actions import Action, ParameterSet, ValidatorSetPower
from node.txtypes.chain.governance import PROPOSAL, GovernancePropose, GovernanceVote
from node.txtypes.chain.validator_set import VALIDATORS, ValidatorEntry
from support.chain import Chain, address
from support.stages import at, force, ledger_of

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
    return validator_set.power_of(ledger_of(chain), address(name))


def admission(chain: Chain, name: str = "bank-1", power: int = 5, key: str = "", genesis: bytes = b"") -> Action:
    secret = dev_key("consensus", key or name)
    proof = validator_set.possession_bytes(genesis or chain.genesis_hash, address(name), secret.public)
    return ValidatorSetPower(address(name), power, secret.public, secret.sign(proof))


def power(name: str, value: int) -> Action:
    return ValidatorSetPower(address(name), value, b"", b"")
