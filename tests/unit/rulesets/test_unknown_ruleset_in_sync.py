"""Blocks of a ruleset that a node does not know, delivered by peers: only the one after the head is judged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace
from support.blocks import sealed
from support.chain import Chain
from support.life import register
from support.newer_chain import Crossed, crossed, inspection
from support.newer_software import newer_software, older_software
from support.one_replica import a_follower

from node.chain.block import Block, Committed
from node.crypto import merkle
from node.replica import events as e
from node.replica.replica import Replica, ReplicaConfig


def whole(found: Crossed) -> list[Committed]:
    return [found.committed(height) for height in range(1, found.chain.store.height() + 1)]


def test_it_takes_all_before_the_activation_and_then_asks_for_newer_software() -> None:
    """The blocks beyond have arrived long before, and nobody is blamed for what is in them."""
    follower = a_follower(crossed().chain)
    follower.sync(whole(crossed()))
    assert crossed().height - 1 == follower.replica.store.height()
    assert f"from height {crossed().height} on the chain is judged by ruleset 2" in follower.replica.halted
    assert "install a newer version and start again; the store is intact" in follower.replica.halted
    assert [] == follower.faults()
    assert [follower.replica.halted] == [action.reason for action in follower.done if isinstance(action, e.Halt)]


def test_newer_software_takes_all() -> None:
    with newer_software():
        follower = a_follower(crossed().chain)
        follower.sync(whole(crossed()))
        assert crossed().chain.store.head() == follower.replica.store.head()


def test_what_a_block_of_an_unknown_ruleset_holds_is_not_decoded_ahead_of_its_turn() -> None:
    """Newer software may decode what this one takes for garbage, in a type of the same name too."""
    beyond = whole(crossed())[crossed().height :]
    changed = []
    for committed in beyond:
        block = sealed(committed.block, transactions=(b"\xc1",))
        header = replace(block.header, tx_root=merkle.root(block.transactions))
        changed.append(_certified(crossed().chain, replace(block, header=header)))
    follower = a_follower(crossed().chain)
    follower.sync(whole(crossed())[: crossed().height] + changed)
    assert "install a newer version" in follower.replica.halted
    assert [] == follower.faults()


def test_a_store_that_stands_before_the_activation_halts_when_it_starts() -> None:
    follower = a_follower(crossed().chain)
    follower.sync(whole(crossed()))
    restarted = Replica(follower.replica.store, None, ReplicaConfig(), bytes(16))
    actions = restarted.start(follower.now)
    assert follower.replica.halted == restarted.halted
    assert any(isinstance(action, e.Halt) for action in actions)


# --- a header, and what is certified -------------------------------------------------------------------------
def a_chain() -> Chain:
    chain = Chain()
    chain.produce(chain.sign("bmw", register()))
    return chain


def _certified(chain: Chain, block: Block) -> Committed:
    return Committed(block, chain.commit_for(block))


def test_a_decided_header_with_an_unknown_ruleset_asks_for_newer_software() -> None:
    chain = a_chain()
    block = chain.build()
    block = replace(block, header=replace(block.header, ruleset_hash=b"\x07" * 32, version=9))
    follower = a_follower(chain)
    follower.sync([*_own(chain), _certified(chain, block)])
    assert f"at height 2 the chain is judged by a ruleset with hash {'07' * 32}" in follower.replica.halted
    assert [] == follower.faults()


def test_a_header_with_an_unknown_ruleset_that_nobody_decided_is_its_peers_fault() -> None:
    chain = a_chain()
    block = chain.build()
    decided = _certified(chain, block)
    lie = replace(decided, block=replace(block, header=replace(block.header, ruleset_hash=bytes(32))))
    follower = a_follower(chain)
    follower.sync([*_own(chain), lie])
    assert ["invalid_certificate"] == follower.faults()
    assert not follower.replica.halted


@pytest.mark.parametrize("software", [older_software, newer_software])
def test_a_decided_block_with_a_type_that_is_not_active_halts_and_blames_nobody(software: Callable[[], Any]) -> None:
    with software():
        chain = a_chain()
        block = chain.build()
        block = sealed(block, transactions=(inspection(chain),))
        follower = a_follower(chain)
        follower.sync([*_own(chain), _certified(chain, block)])
        assert "block 2 was decided but does not execute here: type_not_active" in follower.replica.halted
        assert [] == follower.faults()


def _own(chain: Chain) -> list[Committed]:
    found = [chain.store.committed(height) for height in range(1, chain.store.height() + 1)]
    return [committed for committed in found if committed]
