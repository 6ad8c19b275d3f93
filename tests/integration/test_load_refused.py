"""What `bmw-node load` refuses before it offers anything: other chains, wrong keys, too much at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.chain import Chain
from support.commands import run
from support.loads import document, key_of, load
from support.lying import LyingNode, lying, today

from node.chain.dev_genesis import DEV_PARTIES, build_genesis
from node.crypto.dev_keys import dev_key
from node.ledger.params import ChainParams
from node.limits import DAY_MS
from node.load import preparing


@pytest.fixture
def node() -> Iterator[LyingNode]:
    """On a chain of today, making a block of whatever is pending."""
    with lying(today().chain, is_producing=True) as found:
        yield found


def a_chain(params: ChainParams) -> Chain:
    """Of today, with a genesis of yesterday."""
    start_ms = time.time_ns() // 1_000_000 - DAY_MS
    chain = Chain(build_genesis("bmw-test", start_ms, DEV_PARTIES, dev_key, tree_depth=6, params=params))
    chain.now = time.time_ns() // 1_000_000
    return chain


def test_another_chain_is_refused_before_anything_is_sent(node: LyingNode, tmp_path: Path) -> None:
    done = load(tmp_path, node, chain_id="bmw-production-1")
    done.refused(1, "is of the chain bmw-test, not of bmw-production-1", "stay on a chain for ever")
    assert node.posted == []


def test_the_chain_must_be_named(node: LyingNode, tmp_path: Path) -> None:
    run("bmw-node", "load", node.url, "--key", key_of(tmp_path, "bmw")).refused(2, "--chain-id")
    assert node.posted == []


def test_a_node_cannot_pass_another_chain_off_as_this_one(node: LyingNode, tmp_path: Path) -> None:
    """What is signed is for the genesis whose id was named: signatures for another chain would be valid there."""
    node.lie = lambda path, told: told | {"chain_id": "harmless"} if path == "/v1/genesis" else told
    load(tmp_path, node, chain_id="harmless").refused(3, "does not take a sample", "does not verify")
    assert all(b'"transactions"' not in body for body in node.posted)


def test_nodes_of_two_chains_are_refused(node: LyingNode, tmp_path: Path) -> None:
    genesis = build_genesis("bmw-test", time.time_ns() // 1_000_000 - 2 * DAY_MS, DEV_PARTIES, dev_key, tree_depth=6)
    with lying(Chain(genesis)) as other:
        load(tmp_path, node, other).refused(1, "different genesis documents")


@pytest.mark.parametrize("path", ["/v1/genesis", "/v1/status"])
@pytest.mark.parametrize("told", [{}, [], {"head": 7}, b"<html>", None])
def test_what_does_not_answer_like_a_node_is_refused(node: LyingNode, tmp_path: Path, path: str, told: Any) -> None:
    node.lie = lambda asked, honest: told if asked == path else honest
    load(tmp_path, node).refused(3, node.url, "does not answer like a node")


@pytest.mark.parametrize(
    "url", ["127.0.0.1:26700", "ftp://127.0.0.1", "http://", "http://[::1", "http://127.0.0.1:99999", "http://a?b", ""]
)
def test_what_is_no_address_is_wrong_usage(tmp_path: Path, url: str) -> None:
    run("bmw-node", "load", url, "--chain-id", "x", "--key", key_of(tmp_path, "bmw")).refused(2, "not a node's address")


def test_too_many_nodes_are_wrong_usage(tmp_path: Path) -> None:
    urls = [f"http://127.0.0.1:{port}" for port in range(1, 102)]
    run("bmw-node", "load", *urls, "--chain-id", "x", "--key", key_of(tmp_path, "bmw")).refused(2, "at most 100")


def test_a_node_that_does_not_answer_is_named(tmp_path: Path) -> None:
    done = run("bmw-node", "load", "http://127.0.0.1:1", "--chain-id", "x", "--key", key_of(tmp_path, "bmw"))
    done.refused(3, "http://127.0.0.1:1", "connection refused", "leave it out")


def test_too_many_transactions_are_wrong_usage(node: LyingNode, tmp_path: Path) -> None:
    load(tmp_path, node, rate=1_000, duration=201).refused(2, "201,000 transactions", "at most 200,000", "--rate")
    load(tmp_path, node, rate=10_001).refused(2, "--rate")
    load(tmp_path, node, mix="births=1,cars=2").refused(2, "--mix", "'cars=2'")


def test_keys_that_can_send_nothing_are_refused(node: LyingNode, tmp_path: Path) -> None:
    load(tmp_path, node, keys=("workshop-berlin",)).refused(3, "can send nothing", "role_missing", "a manufacturer")
    load(tmp_path, node, keys=("bmw", "buyer-1")).refused(3, "can send nothing")
    load(tmp_path, node, keys=("nobody",)).refused(3, "can send nothing", "account_unknown")
    load(tmp_path, node, mix="births=1,maintenance=1").refused(3, "no key can send maintenance", "a workshop")
    assert all(b'"transactions"' not in body for body in node.posted), "nothing was offered"


def test_a_file_that_is_no_key_is_refused(node: LyingNode, tmp_path: Path) -> None:
    (tmp_path / "text.json").write_text("{}")
    for name, word in (("none.json", "can't be read"), ("text.json", "is no key file")):
        words = (node.url, "--chain-id", "bmw-test", "--key", tmp_path / name)
        run("bmw-node", "load", *words).refused(3, name, word)


def test_a_load_above_the_quota_of_the_day_is_refused(tmp_path: Path) -> None:
    """Otherwise it would measure its own refusals."""
    with lying(a_chain(ChainParams(weight_per_sponsor_day=10_000)), is_producing=True) as node:
        load(tmp_path, node, rate=100, duration=1).refused(3, "weighs", "has 10,000 left today", "lower --rate")
        assert document(load(tmp_path, node))["committed"] == 10
        load(tmp_path, node, rate=60, duration=1).refused(3, "left today")


def test_a_load_that_outlives_its_transactions_is_refused(tmp_path: Path) -> None:
    with lying(a_chain(ChainParams(tx_lifetime_max_ms=60_000)), is_producing=True) as node:
        load(tmp_path, node, duration=21).refused(3, "takes 31 s", "valid for 30 s", "lower --duration")
        assert document(load(tmp_path, node))["committed"] == 10


def test_the_search_for_cars_of_earlier_loads_ends(
    node: LyingNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document(load(tmp_path, node))
    monkeypatch.setattr(preparing, "CARS_SEEN_MAX", 0)
    load(tmp_path, node, keys=("workshop-berlin",), mix="maintenance").refused(3, "lists 0 cars")
