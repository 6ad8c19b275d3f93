"""A store older than hard state: after block sync the validator resumes from its hard state."""

from __future__ import annotations

from support.chain import Chain, address
from support.kept_state import kept
from support.life import register
from support.memory_store import MemoryStore

from node.chain.block import block_id_of
from node.chain.vote import Vote, vote_sign_bytes
from node.consensus.messages import Lock, Step
from node.consensus.safety import HardState, SignedVote, StoredLock
from node.crypto.dev_keys import dev_key
from node.replica.replica import Replica, ReplicaConfig
from node.replica.signer import LocalSigner
from node.storage.chain_store import ChainStore

KEY = dev_key("consensus", "bmw")
OTHERS = ("dealer-munich", "dealer-shanghai", "workshop-berlin")


def vote(chain: Chain, name: str, kind: str, block_id: bytes) -> Vote:
    signature = dev_key("consensus", name).sign(vote_sign_bytes(chain.genesis_hash, kind, 2, 1, block_id))
    return Vote(kind, 2, 1, block_id, address(name), signature)


def test_the_lock_of_a_height_that_had_to_be_caught_up_to_holds_again() -> None:
    """Found by the simulator, seed 200171: it had forgotten its lock."""
    chain = Chain()
    first = chain.build(chain.sign("bmw", register()))
    result, commit = chain.judge(first), chain.commit_for(first)
    behind = ChainStore(MemoryStore(), chain.genesis)
    chain.store.commit_block(first, result, commit)
    locked_on = chain.build()
    block_id = block_id_of(locked_on.header, chain.genesis_hash)
    own = vote(chain, "bmw", "precommit", block_id)
    polka = tuple(sorted((vote(chain, n, "prevote", block_id) for n in OTHERS), key=lambda v: v.validator))
    lock = StoredLock(1, block_id)
    state = HardState(2, 1, (SignedVote(own),), lock, lock, polka, (locked_on,))
    signer = LocalSigner(address("bmw"), KEY, kept(state), chain.genesis_hash)
    replica = Replica(behind, signer, ReplicaConfig(), bytes(16))
    replica.start(chain.now)
    assert (1, None) == (replica.machine.height, replica.machine.locked)

    replica._commit_delivered(first, result, commit)

    machine = replica.machine
    assert (2, 1, Step.PRECOMMIT) == (machine.height, machine.round, machine.step_now)
    assert Lock(1, block_id) == machine.locked == machine.valid
    assert replica._driver.undecided.get(block_id) is not None
    assert own in [m.vote for m in replica._driver.messages.own() if hasattr(m, "vote")]
