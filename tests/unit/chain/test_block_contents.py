"""A block's body is the one that its header names: else whoever sent it is at fault."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.life import VIN, register
from support.stages import at

from node.chain.block import Block, Commit, check_contents
from node.chain.vote import NIL, Evidence, Vote
from node.errors import Malformed


def block() -> Block:
    chain = at("born").chain
    return chain.build(chain.sign("bmw", register(VIN[:-1] + "6")))


def evidence() -> Evidence:
    votes = (Vote("prevote", 1, 0, block_id, bytes(20), bytes(64)) for block_id in (NIL, bytes(32)))
    return Evidence(*votes)


def test_a_body_and_its_header_belong_together() -> None:
    check_contents(block())


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"transactions": ()}, "transactions are not those"),
        ({"evidence": (evidence(),)}, "evidence is not that"),
        ({"last_commit": Commit(1, 0, bytes(32), ())}, "last commit is not that"),
    ],
)
def test_a_part_that_the_header_does_not_name_is_refused(parts: dict, told: str) -> None:
    with pytest.raises(Malformed, match=told):
        check_contents(replace(block(), **parts))
