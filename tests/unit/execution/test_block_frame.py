"""What makes a block invalid: every rule of the frame and of execution, one broken at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace as with_
from functools import cache

import pytest
from msgspec.structs import replace
from support.blocks import sealed
from support.chain import HOUR_MS, Chain, address
from support.life import VIN, register
from support.stages import at, change, force

from node.chain.block import EMPTY_COMMIT, Block, Commit
from node.chain.vote import vote_sign_bytes
from node.crypto import merkle
from node.crypto.dev_keys import dev_key
from node.errors import InvalidBlock
from node.execution.block_run import BlockFull, BlockRun
from node.execution.block_validation import check_frame
from node.execution.head import ChainHead
from node.ledger.guards import GuardsUnmet
from node.ledger.params import CHAIN
from node.limits import HOUR_MS as WINDOW_HOUR_MS
from node.txtypes.chain.replay_window import HOURS_MAX, hour_of, passed_hours

OTHER = b"\x07" * 32
VINS = [VIN[:-1] + str(number) for number in range(9)]


@cache
def _second() -> tuple[Chain, Block]:
    """A chain at height 1 and a good block 2 with three transactions."""
    chain = at("born").chain
    return chain, chain.build(*(chain.sign("bmw", register(vin)) for vin in VINS[:3]))


def rule_of(chain: Chain, block: Block) -> str:
    with pytest.raises(InvalidBlock) as told:
        chain.judge(block)
    assert str(told.value).startswith(told.value.rule)
    return told.value.rule


def test_the_good_block_is_good() -> None:
    chain, block = _second()
    assert chain.judge(block).state_root == block.header.state_root
    check_frame(block, chain.store.head(), chain.genesis_hash)


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("version", 2, "header_version"),
        ("height", 1, "header_height"),
        ("height", 3, "header_height"),
        ("parent_id", OTHER, "header_parent"),
        ("proposer", bytes(20), "header_proposer"),
        ("proposer", address("bank-1"), "header_proposer"),
        ("tx_root", OTHER, "header_tx_root"),
        ("tx_root", merkle.EMPTY_ROOT, "header_tx_root"),
        ("state_root", OTHER, "state_root"),
        ("validators_hash", OTHER, "header_validators"),
        ("next_validators_hash", OTHER, "header_next_validators"),
        ("ruleset_hash", OTHER, "header_ruleset"),
        ("evidence_root", OTHER, "header_evidence_root"),
        ("last_commit_hash", OTHER, "header_last_commit"),
        ("last_commit_hash", bytes(32), "header_last_commit"),
    ],
)
def test_every_field_of_the_header(field: str, value: object, rule: str) -> None:
    chain, block = _second()
    assert rule == rule_of(chain, replace(block, header=replace(block.header, **{field: value})))


def test_time_is_strictly_above_the_parents() -> None:
    chain, block = _second()
    parent = chain.store.head().time_ms
    for time_ms in (0, parent - 1, parent):
        assert "header_time" == rule_of(chain, replace(block, header=replace(block.header, time_ms=time_ms)))
    chain = at("born").chain
    chain.now = parent + 1
    chain.produce()
    assert parent + 1 == chain.store.head().time_ms


def test_any_validator_may_have_proposed_it() -> None:
    """Whose turn it was, consensus judges; a re-proposed block keeps its first proposer."""
    chain, block = _second()
    for entry in chain.store.head().validators.entries:
        chain.judge(replace(block, header=replace(block.header, proposer=entry.address)))


# --- the transactions ----------------------------------------------------------------------------------
def test_transactions_left_out_swapped_or_added_are_not_the_headers() -> None:
    chain, block = _second()
    a, b, c = block.transactions
    extra = chain.sign("bmw", register(VINS[6]))
    for transactions in ((a, b), (b, a, c), (a, b, c, extra), (a, b, c, c), ()):
        assert "header_tx_root" == rule_of(chain, replace(block, transactions=transactions))
        assert rule_of(chain, sealed(block, transactions=transactions)) in ("state_root", "already_committed")


@pytest.mark.parametrize(
    ("second", "rule"),
    [
        (lambda chain, first: first, "already_committed"),
        (lambda chain, first: chain.sign("bmw", register(VINS[0])), "vehicle_exists"),
        (lambda chain, first: chain.sign("bmw", register(VIN)), "vehicle_exists"),
        (lambda chain, first: chain.sign("bmw", register(VINS[1]), "police-1"), "signature_superfluous"),
        (lambda chain, first: chain.sign("buyer-1", register(VINS[1])), "role_missing"),
        (lambda chain, first: chain.sign("bmw", register(VINS[1]), lifetime_ms=-1), "transaction_expired"),
        (lambda chain, first: chain.sign("bmw", register(VINS[1]), lifetime_ms=25 * HOUR_MS), "expiry_too_far"),
        (lambda chain, first: chain.store.block(1).transactions[0], "already_committed"),
    ],
)
def test_one_transaction_that_does_not_hold_makes_the_block_invalid_and_is_named(
    second: Callable[[Chain, bytes], bytes], rule: str
) -> None:
    chain = at("born").chain
    first = chain.sign("bmw", register(VINS[0]))
    wrong = second(chain, first)
    block = sealed(chain.build(first), transactions=(first, wrong))
    with pytest.raises(InvalidBlock) as told:
        chain.judge(block)
    assert (rule, 1, chain.check(wrong).txid) == (told.value.rule, told.value.index, told.value.txid)
    assert told.value.txid.hex() in str(told.value)


def test_a_block_has_at_most_so_many_transactions_and_bytes() -> None:
    chain, block = _second()
    head = chain.store.head()
    size = sum(len(raw) + 5 for raw in block.transactions)
    for bounds, rule in (
        ({"block_txs_max": 2}, "block_txs"),
        ({"block_txs_max": 3}, ""),
        ({"block_bytes_max": size - 1}, "block_bytes"),
        ({"block_bytes_max": size}, ""),
    ):
        tight = with_params(head, **bounds)
        if not rule:
            check_frame(block, tight, chain.genesis_hash)
            continue
        with pytest.raises(InvalidBlock, match=rule):
            check_frame(block, tight, chain.genesis_hash)


def test_a_blocks_weight_may_be_reached_and_its_first_transaction_passes_whatever_it_weighs() -> None:
    chain = at("born").chain
    first, second = (chain.check(chain.sign("bmw", register(vin))) for vin in VINS[:2])

    def run(weight_max: int) -> BlockRun:
        head = with_params(chain.store.head(), block_weight_max=weight_max)
        return BlockRun(chain.store.state, chain.store.tree, head, chain.genesis_hash, chain.now)

    free = run(10_000)
    free.add(first)
    free.add(second)
    exact, tight, least = run(free.weight), run(free.weight - 1), run(1)
    for one in (exact, tight, least):
        one.add(first)
    exact.add(second)
    assert free.weight == exact.weight
    for one in (tight, least):
        with pytest.raises(BlockFull):
            one.add(second)
        assert 1 == len(one.finish().transactions)


def with_params(head: ChainHead, **changes: int) -> ChainHead:
    return with_(head, params=replace(head.params, **changes))


def test_a_block_is_judged_by_the_ruleset_of_its_height() -> None:
    chain = at("born").chain
    height = chain.store.height() + 1
    change(chain, CHAIN, "params", next_ruleset=1, next_ruleset_height=height)
    chain.produce()
    params = chain.state(CHAIN, "params")
    assert (1, 0, 0) == (params.ruleset, params.next_ruleset, params.next_ruleset_height)


# --- the last commit -------------------------------------------------------------------------------------
def signed_commit(chain: Chain, names: tuple[str, ...], **changes) -> Commit:
    """The certificate of the head by these validators, over what it says."""
    head = chain.store.head()
    commit = replace(Commit(head.height, 0, head.block_id, ()), **changes)
    message = vote_sign_bytes(chain.genesis_hash, "precommit", commit.height, commit.round, commit.block_id)
    signatures = tuple(
        next((dev_key("consensus", n).sign(message) for n in names if address(n) == entry.address), b"")
        for entry in head.last_validators.entries
    )
    return replace(commit, signatures=signatures)


ALL = ("bmw", "dealer-munich", "dealer-shanghai", "workshop-berlin")


@pytest.mark.parametrize("names", [ALL, ALL[1:], ALL[:3]])
def test_any_quorum_is_a_last_commit(names: tuple[str, ...]) -> None:
    chain, block = _second()
    chain.judge(sealed(block, last_commit=signed_commit(chain, names)))


@pytest.mark.parametrize(
    ("name", "commit", "told"),
    [
        ("two of four", lambda chain: signed_commit(chain, ALL[:2]), "not more than two thirds"),
        ("nobody", lambda chain: signed_commit(chain, ()), "not more than two thirds"),
        ("the empty one", lambda chain: EMPTY_COMMIT, "for height 0, not 1"),
        ("another height", lambda chain: signed_commit(chain, ALL, height=2), "for height 2, not 1"),
        ("another block", lambda chain: signed_commit(chain, ALL, block_id=OTHER), "another block than the parent"),
        ("nil", lambda chain: signed_commit(chain, ALL, block_id=b""), "another block than the parent"),
        ("too few entries", lambda chain: shortened(signed_commit(chain, ALL)), "3 signatures for 4 validators"),
        ("a bad one among enough", lambda chain: bent(signed_commit(chain, ALL)), "does not verify"),
        ("another round", lambda chain: replace(signed_commit(chain, ALL), round=1), "does not verify"),
    ],
)
def test_a_last_commit_that_proves_nothing(name: str, commit: Callable[[Chain], Commit], told: str) -> None:
    chain, block = _second()
    with pytest.raises(InvalidBlock, match=told) as error:
        chain.judge(sealed(block, last_commit=commit(chain)))
    assert "last_commit" == error.value.rule


def shortened(commit: Commit) -> Commit:
    return replace(commit, signatures=commit.signatures[:3])


def bent(commit: Commit) -> Commit:
    first, *others = commit.signatures
    return replace(commit, signatures=(first[:-1] + bytes([first[-1] ^ 1]), *others))


def test_block_1_has_an_empty_last_commit() -> None:
    chain = at("").chain
    block = chain.build()
    assert (chain.genesis_hash, bytes(32)) == (block.header.parent_id, block.header.last_commit_hash)
    full = Commit(0, 0, chain.genesis_hash, (bytes(64),) * 4)
    assert "last_commit" == rule_of(chain, sealed(block, last_commit=full))


def test_a_replay_that_verifies_certificates_itself_may_leave_that_out() -> None:
    chain, block = _second()
    wrong = sealed(block, last_commit=bent(signed_commit(chain, ALL)))
    check_frame(wrong, chain.store.head(), chain.genesis_hash, verify_last_commit=False)
    with pytest.raises(InvalidBlock):
        check_frame(wrong, chain.store.head(), chain.genesis_hash)


# --- nothing stays of what is not decided ----------------------------------------------------------------
def test_judging_leaves_no_trace() -> None:
    chain, block = _second()
    before, root = dict(chain.store.kv.scan(b"", b"\xff")), chain.store.tree.root
    chain.judge(block)
    rule_of(chain, replace(block, header=replace(block.header, state_root=OTHER)))
    assert before == dict(chain.store.kv.scan(b"", b"\xff"))
    assert root == chain.store.tree.root


def test_a_refused_transaction_leaves_no_trace_in_its_run() -> None:
    chain = at("born").chain
    good = [chain.check(chain.sign("bmw", register(vin))) for vin in VINS[:2]]
    refused = chain.check(chain.sign("buyer-1", register(VINS[3])))
    clean, tried = chain.run(), chain.run()
    for tx in good:
        clean.add(tx)
    for tx, is_good in (
        (refused, False), (good[0], True), (refused, False), (good[1], True), (good[0], False), (refused, False),
    ):  # fmt: skip
        if is_good:
            tried.add(tx)
        else:
            with pytest.raises(GuardsUnmet):
                tried.add(tx)
    assert clean.finish() == tried.finish()
    assert (clean.weight, clean.bytes) == (tried.weight, tried.bytes)


# --- the window's hours ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("parent", "now", "hours"),
    [
        (0, 1, []),
        (0, WINDOW_HOUR_MS - 1, []),
        (0, WINDOW_HOUR_MS, [0]),
        (WINDOW_HOUR_MS - 1, WINDOW_HOUR_MS, [0]),
        (WINDOW_HOUR_MS, 2 * WINDOW_HOUR_MS - 1, []),
        (WINDOW_HOUR_MS, 4 * WINDOW_HOUR_MS, [1, 2, 3]),
        (5, 10_000 * WINDOW_HOUR_MS, list(range(HOURS_MAX))),
    ],
)
def test_an_hour_has_passed_when_all_of_its_transactions_have_expired(parent: int, now: int, hours: list[int]) -> None:
    assert hours == list(passed_hours(parent, now))
    for hour in hours:
        assert (hour + 1) * WINDOW_HOUR_MS <= now
        assert hour_of((hour + 1) * WINDOW_HOUR_MS - 1) == hour


def test_the_state_before_the_block_counts_and_not_the_one_after() -> None:
    """A parameter that a transaction changes rules from the next height on."""
    chain = at("born").chain
    force(chain, CHAIN, "params", replace(chain.state(CHAIN, "params"), block_txs_max=1))
    block = chain.build(chain.sign("bmw", register(VINS[0])), chain.sign("bmw", register(VINS[1])))
    assert "block_txs" == rule_of(chain, block)
