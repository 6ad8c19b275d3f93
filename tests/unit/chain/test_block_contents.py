"""Block contents must match the header; otherwise the sender is at fault."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.life import VIN, register
from support.stages import at

from node import limits
from node.chain.block import Block, Commit, check_contents
from node.chain.vote import NIL, Evidence, Vote
from node.crypto import merkle
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
        ({"transactions": ()}, "transactions do not match"),
        ({"evidence": (evidence(),)}, "evidence does not match"),
        ({"last_commit": Commit(1, 0, bytes(32), ())}, "last commit does not match"),
    ],
)
def test_a_part_that_the_header_does_not_name_is_refused(parts: dict, told: str) -> None:
    with pytest.raises(Malformed, match=told):
        check_contents(replace(block(), **parts))


def holding(*transactions: bytes) -> Block:
    """The block with these contents and a matching header."""
    plain = block()
    return replace(plain, header=replace(plain.header, tx_root=merkle.root(transactions)), transactions=transactions)


FULL = [
    number.to_bytes(4) * (limits.TX_BYTES_MAX // 4) for number in range(limits.BLOCK_BYTES_CAP // limits.TX_BYTES_MAX)
]


def test_a_body_may_be_as_large_as_any_chain_allows() -> None:
    check_contents(holding(*FULL))


@pytest.mark.parametrize(
    ("transactions", "told"),
    [
        ([*FULL, b"1"], "exceeds the size limit"),
        ([bytes(limits.TX_BYTES_MAX + 1)], "exceeds the size limit"),
        ([b"1", b"2", b"1"], "twice"),
    ],
    ids=["body", "transaction", "repeated"],
)
def test_a_body_that_no_block_may_have_is_refused_though_its_header_names_it(transactions: list, told: str) -> None:
    """A block too large to relay would crash the process, or occupy it with hashing."""
    with pytest.raises(Malformed, match=told):
        check_contents(holding(*transactions))
