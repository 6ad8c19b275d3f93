"""`bmw-node load` against a node that a test makes refuse, fail, hang or lie: what it reports."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.commands import PASSPHRASE, import_dev_keys, process, run
from support.loads import BATCH, document, key_of, load
from support.lying import Answer, LyingNode, lying, today

from node.load import offering
from node.load.pace import LATE_MAX_S


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


def test_a_node_that_stops_before_the_first_offer_ends_nothing(node: LyingNode, tmp_path: Path) -> None:
    with lying(today().chain) as stopped:
        stopped.lie = lambda path, told: Answer(503, {}) if path in (BATCH, "/v1/status") else told
        found = document(load(tmp_path, stopped, node))
        assert (found["committed"], found["nodes"][0]["accepted"]) == (10, 0)
    node.lie = lambda path, told: Answer(503, {}) if path == "/v1/status" else told
    load(tmp_path, node).refused(3, "no node answers", node.url)


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


def test_a_sender_has_no_more_undecided_transactions_than_a_pool_takes(
    silent: LyingNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offering, "UNDECIDED_PER_SENDER_MAX", 5)
    done = load(tmp_path, silent, rate=20, duration=1, timeout=1)
    found = json.loads(done.out)
    assert (done.code, found["accepted"], found["missed"], found["undecided"]) == (1, 5, 15, 5)


def test_an_answer_has_bounds(silent: LyingNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of bytes, of time, and a code in it of characters."""
    silent.lie = lambda path, told: Answer(429, {"code": "x" * 150}) if path == BATCH else told
    assert json.loads(load(tmp_path, silent).out)["refused"] == {"x" * offering.CODE_CHARS_MAX: 10}
    with monkeypatch.context() as changed:
        changed.setattr(offering, "ANSWER_BYTES_MAX", 100)
        assert json.loads(load(tmp_path, silent, timeout=1).out)["nodes"][0]["failed"] == {"answer too long": 10}
    monkeypatch.setattr(offering, "ANSWER_S", 0.3)
    silent.hangs = lambda path: path == BATCH
    found = json.loads(load(tmp_path, silent, timeout=1).out)
    silent.hangs = lambda path: False
    assert (found["nodes"][0]["failed"], found["unanswered"]) == ({"no answer in time": 10}, 10)


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


def test_a_load_in_a_process_of_its_own(node: LyingNode, tmp_path: Path) -> None:
    words = (node.url, "--chain-id", "bmw-test", "--key", key_of(tmp_path, "bmw"), "--duration", "0.3", "--json")
    assert process("bmw-node", "load", *words).json["committed"] == 3
