"""`bmw-node load` against a node that a test makes refuse, fail, hang or lie: what it reports, and what it refuses."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.chain import Chain
from support.commands import PASSPHRASE, Done, import_dev_keys, process, run
from support.lying import Answer, LyingNode, lying, today

from node.chain.dev_genesis import DEV_PARTIES, build_genesis
from node.crypto.dev_keys import dev_key
from node.crypto.keyfile import node_key_file
from node.ledger.params import ChainParams
from node.limits import DAY_MS
from node.load.pace import LATE_MAX_S

BATCH = "/v1/transactions/batch"


@pytest.fixture
def node() -> Iterator[LyingNode]:
    """On a chain of today, making a block of whatever is pending."""
    with lying(today().chain, is_producing=True) as found:
        yield found


@pytest.fixture
def silent() -> Iterator[LyingNode]:
    """The same, making no block."""
    with lying(today().chain) as found:
        yield found


def key_of(folder: Path, name: str) -> Path:
    path = folder / f"{name}.json"
    path.write_bytes(node_key_file(dev_key("account", name)))
    return path


def load(folder: Path, *nodes: LyingNode, keys: tuple[str, ...] = ("bmw",), **options: Any) -> Done:
    """A load of ten transactions, as fast as that; `options` replace its own."""
    given = {"chain_id": "bmw-test", "rate": 50, "duration": 0.2, "timeout": 10} | options
    words = [word for name, value in given.items() for word in ("--" + name.replace("_", "-"), str(value))]
    words += [word for name in keys for word in ("--key", str(key_of(folder, name)))]
    return run("bmw-node", "load", *(node.url for node in nodes), *words, "--json")


def document(done: Done, code: int = 0) -> Any:
    assert (code, "") == (done.code, done.err if code == 0 else ""), done.err
    return json.loads(done.out)


# --- what it reports ------------------------------------------------------------------------------------------
def test_everything_is_committed(node: LyingNode, tmp_path: Path) -> None:
    found = document(load(tmp_path, node))
    counts = ("offered", "accepted", "committed", "missed", "undecided", "unanswered", "registered_first")
    assert [found[name] for name in counts] == [10, 10, 10, 0, 0, 0, 0]
    assert (found["refused"], found["rejected"]) == ({}, {})
    assert found["kinds"] == {"births": {"offered": 10, "committed": 10}}
    assert 0 < found["answer_ms"]["p50"] <= found["answer_ms"]["max"]
    assert 0 < found["finality_ms"]["p50"] <= found["finality_ms"]["p99"] <= found["finality_ms"]["max"]
    (told,) = found["nodes"]
    assert (told["url"], told["offered"], told["accepted"], told["failed"]) == (node.url, 10, 10, {})
    blocks = found["blocks"]
    assert (blocks["of_others"], blocks["last"]) == (0, node.chain.store.height())
    assert 1 <= blocks["count"] <= 10 and blocks["transactions"]["max"] <= 10


def test_people_are_shown_tables(node: LyingNode, tmp_path: Path) -> None:
    done = run("bmw-node", "load", node.url, "--chain-id", "bmw-test", "--key", key_of(tmp_path, "bmw"),
               "--rate", "50", "--duration", "0.2")  # fmt: skip
    assert (0, "") == (done.code, done.err)
    for line in ("chain                 bmw-test", "committed             10", "measured\tp50\tp90\tp99\tmax"):
        assert line in done.out.splitlines(), done.out
    assert any(line.startswith(f"{node.url}\t10\t10\t0\t0\t") for line in done.out.splitlines()), done.out


def test_each_key_sends_what_its_roles_permit(node: LyingNode, tmp_path: Path) -> None:
    """The manufacturer registers the cars that the workshop writes about, a car for eight records."""
    found = document(load(tmp_path, node, keys=("bmw", "workshop-berlin"), mix="births=1,maintenance=4", duration=0.4))
    assert found["kinds"] == {"births": {"offered": 4, "committed": 4}, "maintenance": {"offered": 16, "committed": 16}}
    assert (found["registered_first"], found["committed"]) == (2, 20)


def test_a_workshop_alone_writes_about_cars_of_earlier_loads(node: LyingNode, tmp_path: Path) -> None:
    few = load(tmp_path, node, keys=("workshop-berlin",), mix="maintenance")
    few.refused(3, "writes about 2 cars", "lists 0 cars", "add the key of a manufacturer")
    document(load(tmp_path, node))
    found = document(load(tmp_path, node, keys=("workshop-berlin",), mix="maintenance"))
    assert (found["registered_first"], found["committed"]) == (0, 10)


def test_requests_have_as_many_transactions_as_asked_for(node: LyingNode, tmp_path: Path) -> None:
    assert document(load(tmp_path, node, batch=4))["committed"] == 10
    batches = [json.loads(body)["transactions"] for body in node.posted if b'"transactions"' in body]
    assert [len(batch) for batch in batches] == [4, 4, 2]


def test_a_key_of_a_wallet_is_opened(node: LyingNode, tmp_path: Path) -> None:
    import_dev_keys(tmp_path, "bmw")
    words = (node.url, "--chain-id", "bmw-test", "--key", tmp_path / "keys" / "bmw.json", "--duration", "0.2")
    done = run("bmw-node", "load", *words, "--json", BMW_WALLET_PASSPHRASE=PASSPHRASE)
    assert document(done)["committed"] == 2
    run("bmw-node", "load", *words, BMW_WALLET_PASSPHRASE="another").refused(3, "passphrase")


# --- refusals, failures, lateness ---------------------------------------------------------------------------
def test_refusals_are_counted_by_code(silent: LyingNode, tmp_path: Path) -> None:
    silent.honest.pool_max = 2
    done = load(tmp_path, silent, batch=5, timeout=1)
    found = json.loads(done.out)
    assert (1, 10, 2) == (done.code, found["offered"], found["accepted"])
    assert found["refused"] == found["nodes"][0]["refused"] == {"pool_full": 8}


def test_a_guard_is_named_rather_than_its_problem(silent: LyingNode, tmp_path: Path) -> None:
    def exhausted(path: str, honest: Any) -> Any:
        unmet = [{"code": "weight_exhausted", "subject": "x", "have": "", "need": "", "text": "used up"}]
        told = {"status": 422, "code": "guards_unmet", "unmet": unmet}
        return Answer(200, {"results": [{"status": "rejected", "problem": told}]}) if path == BATCH else honest

    silent.lie = exhausted
    done = load(tmp_path, silent)
    assert (1, {"weight_exhausted": 10}) == (done.code, json.loads(done.out)["refused"])
    assert "Error: no transaction was accepted" in done.err


def test_a_request_that_is_refused_as_a_whole(silent: LyingNode, tmp_path: Path) -> None:
    silent.lie = lambda path, told: Answer(429, {"status": 429, "code": "rate_limited"}) if path == BATCH else told
    done = load(tmp_path, silent, batch=5)
    assert (1, {"rate_limited": 10}) == (done.code, json.loads(done.out)["refused"])


@pytest.mark.parametrize(
    ("lie", "why"),
    [
        (Answer(503, {"status": 503, "code": "syncing"}), "syncing"),
        (Answer(502, b"<html>Bad gateway"), "no answer of a node"),
        (Answer(200, {"results": []}), "no answer of a node"),
        (Answer(200, {"results": [7]}), "no answer of a node"),
        (Answer(200, []), "no answer of a node"),
    ],
)
def test_what_gets_no_answer_goes_to_the_next_node(node: LyingNode, tmp_path: Path, lie: Answer, why: str) -> None:
    with lying(today().chain) as other:
        other.lie = lambda path, honest: lie if path == BATCH else honest
        found = document(load(tmp_path, other, node))
        assert (found["offered"], found["committed"], found["unanswered"]) == (10, 10, 0)
        failing, good = found["nodes"]
        assert (list(failing["failed"]), failing["accepted"], good["accepted"]) == ([why], 0, 10)
        assert failing["offered"] < 5, "it is passed over for a while"


def test_what_no_node_answers_is_unanswered(silent: LyingNode, tmp_path: Path) -> None:
    silent.lie = lambda path, told: Answer(503, {"code": "not_ready"}) if path == BATCH else told
    done = load(tmp_path, silent)
    found = json.loads(done.out)
    assert (1, 10, 0) == (done.code, found["unanswered"], found["accepted"])
    assert found["nodes"][0]["failed"] == {"not_ready": 10}


def handed_in(node: LyingNode) -> int:
    """Requests with transactions that the node has answered."""
    return sum(b'"transactions"' in body for body in node.posted)


def test_a_node_that_hangs_slows_nothing_down(node: LyingNode, tmp_path: Path) -> None:
    """Its requests wait, up to the number that may be in flight; the rate stays the same."""
    with lying(today().chain, is_producing=True) as hanging:
        hanging.hangs = lambda path: path == BATCH and handed_in(node) < 72
        found = document(load(tmp_path, hanging, node, duration=1.5, in_flight=3))
    assert (found["offered"], found["missed"], found["committed"]) == (75, 0, 75)
    assert [told["offered"] for told in found["nodes"]] == [3, 72]
    assert found["answer_ms"]["p50"] < 500 < found["answer_ms"]["max"]


def test_what_finds_no_room_in_time_is_missed(node: LyingNode, tmp_path: Path) -> None:
    """The only request in flight is answered once the schedule of two seconds is over."""
    first_s: list[float] = []

    def hangs(path: str) -> bool:
        if path == BATCH:
            first_s.append(time.monotonic())
        return path == BATCH and time.monotonic() < first_s[0] + 2 + 2 * LATE_MAX_S

    node.hangs = hangs
    found = document(load(tmp_path, node, rate=20, duration=2, in_flight=1))
    assert (found["offered"], found["missed"], found["committed"]) == (1, 39, 1)


# --- decisions ----------------------------------------------------------------------------------------------
def test_what_is_not_decided_in_time_is_told(silent: LyingNode, tmp_path: Path) -> None:
    done = load(tmp_path, silent, timeout=1)
    found = json.loads(done.out)
    assert (1, 10, 10, 0) == (done.code, found["accepted"], found["undecided"], found["committed"])
    assert "Error: 10 of 10 accepted transactions are in no block" in done.err
    assert (found["finality_ms"], found["blocks"]["count"], found["blocks"]["transactions"]) == (None, 0, None)


def test_what_a_node_drops_later_is_rejected(silent: LyingNode, tmp_path: Path) -> None:
    def dropped(path: str, honest: Any) -> Any:
        unmet = [{"code": "readings_today", "subject": "x", "have": "8", "need": "", "text": "too many"}]
        is_asked = path.startswith("/v1/transactions/") and path not in (BATCH, "/v1/transactions/check")
        return Answer(200, {"status": "rejected", "unmet": unmet}) if is_asked else honest

    silent.lie = dropped
    done = load(tmp_path, silent)
    found = json.loads(done.out)
    assert (1, {"readings_today": 10}, 0) == (done.code, found["rejected"], found["undecided"])


def test_a_commit_that_no_stream_tells_is_asked_for(node: LyingNode, tmp_path: Path) -> None:
    node.hangs = lambda path: path == "/v1/stream"
    try:
        found = document(load(tmp_path, node))
    finally:
        node.hangs = lambda path: False
    assert (found["committed"], found["finality_ms"]) == (10, None), "committed, nobody saw when"


# --- what it refuses ----------------------------------------------------------------------------------------
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
    params = ChainParams(weight_per_sponsor_day=10_000)
    start_ms = time.time_ns() // 1_000_000 - DAY_MS
    chain = Chain(build_genesis("bmw-test", start_ms, DEV_PARTIES, dev_key, tree_depth=6, params=params))
    chain.now = time.time_ns() // 1_000_000
    with lying(chain, is_producing=True) as node:
        load(tmp_path, node, rate=100, duration=1).refused(3, "weighs", "has 10,000 left today", "lower --rate")
        assert document(load(tmp_path, node))["committed"] == 10
        load(tmp_path, node, rate=60, duration=1).refused(3, "left today")


def test_a_load_that_outlives_its_transactions_is_refused(tmp_path: Path) -> None:
    start_ms, params = time.time_ns() // 1_000_000 - DAY_MS, ChainParams(tx_lifetime_max_ms=60_000)
    chain = Chain(build_genesis("bmw-test", start_ms, DEV_PARTIES, dev_key, tree_depth=6, params=params))
    chain.now = time.time_ns() // 1_000_000
    with lying(chain, is_producing=True) as node:
        load(tmp_path, node, duration=21).refused(3, "takes 31 s", "valid for 30 s", "lower --duration")
        assert document(load(tmp_path, node))["committed"] == 10


def test_a_load_in_a_process_of_its_own(node: LyingNode, tmp_path: Path) -> None:
    words = (node.url, "--chain-id", "bmw-test", "--key", key_of(tmp_path, "bmw"), "--duration", "0.3", "--json")
    assert process("bmw-node", "load", *words).json["committed"] == 3
