"""The wallet against a node that lies about time and about what became of a transaction."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.commands import run
from support.life import VIN
from support.lying import Answer, HomeWallet, LyingNode, copied, lying, today, wallet_home
from support.processes import wait_for

from node.ledger.json_form import time_from_text, time_to_text
from node.txtypes.envelope import decode_signed_tx

HOUR_MS = 3_600_000
YEARS_MS = 3 * 365 * 24 * HOUR_MS
SERVICE = (
    "tx", "maintenance.record", "--vin", VIN, "--services", "ENGINE_OIL", "--odometer", "6500km", "--next-due",
    '{"odometer": 30000, "at": "+730d"}', "--where", "site=,vin_source=obd,model_seen=330I", "--from",
    "workshop-berlin",
)  # fmt: skip
UNMET = {"type": "about:blank", "title": "x", "status": 422, "code": "guards_unmet", "detail": "not now",
         "unmet": [{"code": "order_status", "text": "try later"}]}  # fmt: skip


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wallet_home(tmp_path_factory.mktemp("keys") / "home", ("workshop-berlin",))


@pytest.fixture
def node(request: pytest.FixtureRequest) -> Iterator[LyingNode]:
    with lying(today().chain, is_producing=getattr(request, "param", True)) as started:
        yield started


@pytest.fixture
def wallet(node: LyingNode, keys: Path, tmp_path: Path) -> HomeWallet:
    return HomeWallet(copied(keys, tmp_path / "home"), node.url)


held_back = pytest.mark.parametrize("node", [False], indirect=True)
"""The chain moves only when the test moves it."""


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def outstanding(wallet: HomeWallet, *options: str) -> dict[str, dict[str, Any]]:
    """What the outbox lists, by txid."""
    return {row["txid"]: row for row in wallet("outbox", *options, "--json").json["transactions"]}


def saying(path: str, said: Any):
    """A lie: `path` answers this."""
    return lambda asked, document: said if asked == path else document


# --- times -----------------------------------------------------------------------------------------------
def with_head_time(ahead_ms: int):
    def lie(path: str, document: Any) -> Any:
        if path == "/v1/status":
            document["head"]["time"] = time_to_text(now_ms() + ahead_ms)
        return document

    return lie


@held_back
@pytest.mark.parametrize("ahead_ms", [YEARS_MS, HOUR_MS + 60_000])
def test_no_time_more_than_an_hour_ahead_reaches_a_signature(
    node: LyingNode, wallet: HomeWallet, ahead_ms: int
) -> None:
    node.lie = with_head_time(ahead_ms)
    wallet(*SERVICE).refused(3, "more than an hour ahead of this computer's clock", "--node")
    assert [] == node.posted


@held_back
@pytest.mark.parametrize(("told_ms", "signed_ms"), [(-YEARS_MS, 0), (HOUR_MS - 60_000, HOUR_MS - 60_000)])
def test_a_node_moves_signed_times_by_an_hour_at_most_and_never_back(
    node: LyingNode, wallet: HomeWallet, told_ms: int, signed_ms: int
) -> None:
    node.lie = with_head_time(told_ms)
    wallet(*SERVICE)
    payload = decode_signed_tx(node.posted[0], node.chain.genesis_hash).payload
    assert abs(payload.body.event_at_ms - (now_ms() + signed_ms)) <= 70_000  # type: ignore[attr-defined]
    assert 30 * 60_000 == payload.expires_at_ms - payload.body.event_at_ms  # type: ignore[attr-defined]


@held_back
def test_no_signature_outlives_what_any_chain_allows(node: LyingNode, wallet: HomeWallet, tmp_path: Path) -> None:
    """Held back, it would be valid in a year."""
    wallet(*SERVICE, "--expires", "+365d").refused(3, "7 days", "--expires")
    wallet(*SERVICE, "--expires", "+365d", "--offline", "-o", tmp_path / "t.json").refused(3, "7 days", "--expires")
    assert [] == node.posted and not (tmp_path / "t.json").exists()


# --- what was signed is kept -----------------------------------------------------------------------------
@held_back
@pytest.mark.parametrize(
    "problem",
    [
        UNMET,
        UNMET | {"final": True, "status": "rejected", "until": "2020-01-01T00:00:00Z"},
        {"code": "transaction_expired", "detail": "it was valid until 2020", "transaction": {"final": True}},
    ],
)
def test_a_refusal_is_not_final_and_the_bytes_are_kept(
    node: LyingNode, wallet: HomeWallet, problem: dict[str, Any]
) -> None:
    node.lie = saying("/v1/transactions", Answer(422, problem))
    done = wallet(*SERVICE)
    assert (1, "") == (done.code, done.out)
    assert "some node may still commit it" in done.err and "bmw-wallet outbox" in done.err
    (caught,) = node.posted
    node.lie = lambda path, document: document
    (row,) = outstanding(wallet).values()
    tx = decode_signed_tx(caught, node.chain.genesis_hash)
    assert (tx.txid.hex(), "maintenance.record") == (row["txid"], row["type"])
    assert time_to_text(tx.payload.expires_at_ms) == row["expires_at"]
    assert (True, "pending", False) == (row["outstanding"], row["status"], row["proven"])
    # the node that refused held the bytes back, and now commits them
    node.chain.now = now_ms()
    node.chain.produce(caught)
    (row,) = outstanding(wallet).values()
    head = node.chain.store.head()
    assert (False, "committed", True) == (row["outstanding"], row["status"], row["proven"])
    assert (head.height, 0, head.block_id.hex()) == (row["height"], row["index"], row["block_id"])
    assert {} == outstanding(wallet)


@held_back
def test_what_is_outstanding_is_forgotten_when_a_proven_head_has_passed_its_expiry(
    node: LyingNode, wallet: HomeWallet
) -> None:
    wallet(*SERVICE, "--expires", "+5m")
    expires_at_ms = decode_signed_tx(node.posted[0], node.chain.genesis_hash).payload.expires_at_ms

    def lie(path: str, document: Any) -> Any:
        if path == "/v1/status":
            document["head"]["time"] = time_to_text(expires_at_ms + 60_000)
        elif path.startswith("/v1/transactions/"):
            return Answer(
                200, {"txid": path[-64:], "status": "expired", "final": True, "until": "2020-01-01T00:00:00Z"}
            )
        return document

    node.lie = lie
    for _ in range(2):
        (row,) = outstanding(wallet).values()
        assert (True, "expired", False) == (row["outstanding"], row["status"], row["proven"])
    assert "as the node says" in wallet("outbox").out
    node.lie = lambda path, document: document
    node.chain.now = expires_at_ms
    node.chain.produce()
    assert 1 == len(outstanding(wallet)), "a block of that very time may still have it"
    node.chain.produce()
    (row,) = outstanding(wallet).values()
    assert (False, True) == (row["outstanding"], row["proven"])
    done = wallet("outbox")
    assert "Nothing is outstanding" in done.out
    assert [] == list((wallet.home / "outbox").rglob("*.json"))


@held_back
def test_a_receipt_outlives_the_expiry_and_is_evidence(node: LyingNode, wallet: HomeWallet) -> None:
    """The node accepts, and no block has it; the blocks had room."""
    wallet(*SERVICE)
    (receipt,) = (wallet.home / "receipts").rglob("*.json")
    (row,) = outstanding(wallet).values()
    node.chain.produce()
    node.chain.now = time_from_text(row["expires_at"]) + 1
    node.chain.produce()
    done = wallet("outbox")
    assert 0 == done.code and str(receipt) in done.out and "bmw-audit censorship" in done.out, done.err
    arguments = ("--node", node.url, "--genesis", wallet.home / "chain.json")
    found = run("bmw-audit", "censorship", receipt, *arguments)
    assert 1 == found.code and "left out" in found.out and "evidence of censorship" in found.err, found.err
    height, shown = node.chain.store.height(), run("bmw-audit", "censorship", receipt, *arguments, "--json")
    (inquiry,) = json.loads(shown.out)["inquiries"]
    assert ("left_out", row["txid"], 1) == (inquiry["verdict"], inquiry["txid"], inquiry["blocks_with_room"])
    assert [height - 1] == [each["first"] for each in inquiry["left_out_by"]]
    receipt.write_text(receipt.read_text().replace('"height": ', '"height": 1'))
    run("bmw-audit", "censorship", receipt, *arguments).refused(1, "not signed")


def test_a_receipt_goes_with_the_proven_commit(node: LyingNode, wallet: HomeWallet) -> None:
    assert 0 == wallet(*SERVICE).code
    wait_for(lambda: "committed" in wallet("outbox").out or not outstanding(wallet), what="the commit")
    assert [] == list((wallet.home / "receipts").rglob("*.json"))


@held_back
def test_the_same_bytes_are_sent_again_and_nothing_is_signed_anew(node: LyingNode, wallet: HomeWallet) -> None:
    node.lie = saying("/v1/transactions", Answer(422, UNMET))
    wallet(*SERVICE)
    wallet(*SERVICE, "--dry-run")
    sent, checked = node.posted
    node.lie = lambda path, document: document
    done = wallet("outbox", "--resend")
    assert 0 == done.code, done.err
    raws = [bytes.fromhex(raw) for raw in json.loads(node.posted[2])["transactions"]]
    assert [sent] == raws, "what was only checked is not sent"
    rows = outstanding(wallet)
    assert ["pending", "unknown"] == sorted(row["status"] for row in rows.values())
    assert [["checked"], ["sent"]] == sorted(row["how"] for row in rows.values())
    txid = decode_signed_tx(checked, node.chain.genesis_hash).txid.hex()
    assert [txid] == list(outstanding(wallet, "--resend", txid))
    assert checked.hex() in json.loads(node.posted[3])["transactions"], "it was named"
    wallet("outbox", "ab" * 32).refused(2, "ab" * 32)


def test_a_node_that_does_not_answer_hides_nothing(wallet: HomeWallet, node: LyingNode) -> None:
    wallet(*SERVICE)
    done = wallet("outbox", BMW_WALLET_NODE="http://127.0.0.1:1")
    assert 3 == done.code
    assert "maintenance.record" in done.out and "127.0.0.1:1" in done.err
    assert 1 == len(outstanding(wallet))


@held_back
def test_a_file_that_was_signed_is_outstanding_too(wallet: HomeWallet, node: LyingNode, tmp_path: Path) -> None:
    """Whoever has it can submit it."""
    file = tmp_path / "t.json"
    assert 0 == wallet(*SERVICE, "-o", file).code
    file.unlink()
    (row,) = outstanding(wallet).values()
    assert (["written"], True) == (row["how"], row["outstanding"])
    assert [] == node.posted


@held_back
def test_a_damaged_file_is_named_and_does_not_hide_the_others(node: LyingNode, wallet: HomeWallet) -> None:
    wallet(*SERVICE)
    (kept,) = (wallet.home / "outbox").rglob("*.json")
    damaged = kept.with_name("damaged.sent.json")
    damaged.write_bytes(kept.read_bytes()[:100])
    done = wallet("outbox", "--json")
    assert 3 == done.code and str(damaged) in done.err and "Traceback" not in done.err
    assert 1 == len(json.loads(done.out)["transactions"])
    assert 0 == wallet(*SERVICE).code, "it does not keep others from being sent"


def test_a_batch_is_kept_and_forgotten_as_a_whole_or_in_part(
    node: LyingNode, wallet: HomeWallet, tmp_path: Path
) -> None:
    files = [tmp_path / "1.json", tmp_path / "2.json"]
    for file, odometer in zip(files, ("6600km", "100km"), strict=True):
        assert 0 == wallet(*SERVICE[:7], odometer, *SERVICE[8:], "--offline", "-o", file).code
    shutil.rmtree(wallet.home / "outbox")
    done = wallet("submit", *files, "--wait", "--json")
    shown = json.loads(done.out)["results"]
    assert ("committed", True) == (shown[0]["status"], shown[0]["proven"])
    listed = outstanding(wallet)
    assert (1, [shown[1]["txid"]]) == (done.code, list(listed)) or (0, {}) == (done.code, listed)


# --- --wait --------------------------------------------------------------------------------------------------
def test_wait_proves_the_commit(node: LyingNode, wallet: HomeWallet) -> None:
    shown = wallet(*SERVICE, "--wait", "--json").json
    head = node.chain.store.head()
    assert ("committed", True, head.height, 0) == tuple(shown[n] for n in ("status", "proven", "height", "index"))
    assert head.block_id.hex() == shown["block_id"]
    assert {} == outstanding(wallet)
    assert "committed, proven" in wallet(*SERVICE, "--wait").out


@held_back
def test_a_commit_below_the_verified_height_is_proven_over_the_parents(node: LyingNode, wallet: HomeWallet) -> None:
    assert 0 == wallet(*SERVICE).code
    node.honest.produce()
    height = node.chain.store.height()
    for _ in range(3):
        node.chain.produce()
    assert 0 == wallet("vehicle", VIN, "--verify").code
    (row,) = outstanding(wallet).values()
    assert (True, "committed", height) == (row["proven"], row["status"], row["height"])


@held_back
@pytest.mark.parametrize("height", [10**6, "x"])
def test_a_commit_without_proof_is_as_the_node_says_and_stays_kept(
    node: LyingNode, wallet: HomeWallet, height: Any
) -> None:
    node.lie = saying("/v1/transactions", Answer(200, {"txid": "00" * 32, "status": "committed", "height": height}))
    done = wallet(*SERVICE, "--wait")
    assert 0 == done.code, done.err
    assert "committed, as the node says" in done.out and "Not proven: " in done.err
    assert "committed, proven" not in done.out
    node.lie = lambda path, document: document
    assert 1 == len(outstanding(wallet))


@held_back
def test_a_commit_that_its_block_disproves_is_refused(node: LyingNode, wallet: HomeWallet) -> None:
    height = node.chain.store.height()
    node.lie = saying("/v1/transactions", Answer(200, {"txid": "00" * 32, "status": "committed", "height": height}))
    wallet(*SERVICE, "--wait").refused(1, "invalid_proof", f"height {height}")
    node.lie = lambda path, document: document
    assert 1 == len(outstanding(wallet))


def test_an_old_root_proves_nothing_unless_it_is_accepted(
    node: LyingNode, wallet: HomeWallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.chain.trust.TRUSTING_PERIOD_MS", 1_000)
    done = wallet(*SERVICE, "--wait")
    assert 0 == done.code and "committed, as the node says" in done.out and "--accept-old-root" in done.err
    assert wallet(*SERVICE, "--wait", "--json", "--accept-old-root").json["proven"]


@held_back
@pytest.mark.parametrize("status", [5, "gone"])
def test_a_status_that_is_none_is_no_answer(node: LyingNode, wallet: HomeWallet, status: Any) -> None:
    node.lie = saying("/v1/transactions", Answer(200, {"txid": "00" * 32, "status": status}))
    wallet(*SERVICE).refused(3, "no status of a transaction", "bmw-wallet outbox")


@held_back
@pytest.mark.parametrize("status", ["rejected", "expired"])
def test_a_rejection_in_any_form_is_exit_code_1(node: LyingNode, wallet: HomeWallet, status: str) -> None:
    node.lie = saying("/v1/transactions", Answer(200, {"txid": "00" * 32, "status": status, "final": True}))
    done = wallet(*SERVICE)
    assert 1 == done.code and status in done.out and "some node may still commit it" in done.err
