"""Certificates: Python, Node.js and a page in Chromium give the verdicts and codes of the vectors, with WebCrypto's
Ed25519 and without it; and all of them accept the signatures that libsodium accepts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.certifying.asking import answered
from support.certifying.broken import questions_in
from support.javascript.asking import Answer, Question, ask_chromium, ask_node, chromium

FOLDER = Path(__file__).parent
CERTIFICATES: dict[str, Any] = json.loads((FOLDER / "certificates.json").read_text("utf-8"))
ED25519: dict[str, Any] = json.loads((FOLDER / "ed25519.json").read_text("utf-8"))
VECTORS = CERTIFICATES["verdicts"] + CERTIFICATES["checkpoints"]
CODES = {
    "certificate_malformed", "wrong_chain", "root_too_old", "not_followed", "quorum_missing", "signature_wrong",
    "proof_wrong", "history_incomplete", "history_changed", "witness_missing", "too_old_for_purpose",
}  # fmt: skip
in_chromium = pytest.mark.skipif(chromium() is None, reason="Chromium is not installed: apt install chromium")
Asks = Callable[[list[Question]], list[Answer]]
EVERYWHERE = pytest.mark.parametrize(
    "asks",
    [
        pytest.param(lambda questions: [answered(question) for question in questions], id="python"),
        pytest.param(ask_node, id="node"),
        pytest.param(lambda questions: ask_node(questions, without_ed25519=True), id="node-without-ed25519"),
        pytest.param(ask_chromium, id="chromium", marks=in_chromium),
        pytest.param(
            lambda questions: ask_chromium(questions, without_ed25519=True), id="chromium-without-ed25519",
            marks=in_chromium,
        ),
    ],
)  # fmt: skip


def answer_of(vector: dict[str, Any]) -> Answer:
    return {name: vector[name] for name in ("found", "code") if name in vector}


def signatures() -> list[tuple[str, Question, bool]]:
    """The published ones. And forged ones by each point of small order: S is 0 and R another such point, or S is 1 and
    R the base point, which holds for each message whose hash is a multiple of the point's order. Chromium 156 and
    Node.js 20 accept 157 of them without our filter, Node.js 24 none."""
    found = [(case["name"], case, case["found"]) for case in ED25519["signatures"]]
    for key in ED25519["small_order"]:
        for signature in [r + "00" * 32 for r in ED25519["small_order"]] + [f"58{'66' * 31}01{'00' * 31}"]:
            for message in range(8):
                forged = {"key": key, "message": f"{message:02x}", "signature": signature}
                found.append((f"forged by {key}", forged, False))
    return found


def test_every_code_has_a_vector_and_every_vector_its_code() -> None:
    assert {vector["code"] for vector in VECTORS if "code" in vector} == CODES
    for vector in VECTORS:
        first = vector["name"].partition(":")[0]
        assert vector.get("code", "") == (first if first in CODES else ""), vector["name"]
    kinds = [vector["found"]["kind"] for vector in CERTIFICATES["verdicts"] if "found" in vector]
    assert {"history", "absence", "order", "compact"} == set(kinds)


@EVERYWHERE
def test_verdicts_and_codes(asks: Asks) -> None:
    answers = asks(questions_in(CERTIFICATES))
    differing = [(v["name"], answer) for v, answer in zip(VECTORS, answers, strict=True) if answer != answer_of(v)]
    assert [] == differing


@EVERYWHERE
def test_what_is_too_long_is_refused(asks: Asks) -> None:
    """A megabyte of a code, and of a certificate that is one array of nothing."""
    root = questions_in(CERTIFICATES)[0] | {"options": {}}
    del root["file"]
    answers = asks([{**root, "texts": ["BMW1:" + "0" * 999_999]}, {**root, "compact": "dd000fffff" + "c0" * 0xFFFFF}])
    assert [{"code": "certificate_malformed"}] * 2 == answers


@EVERYWHERE
def test_signatures_that_libraries_disagree_on(asks: Asks) -> None:
    cases = signatures()
    answers = asks([{**question, "ask": "signature"} for _, question, _ in cases])
    wanted = [(name, {"found": is_good}) for name, _, is_good in cases]
    assert [] == [name for (name, right), answer in zip(wanted, answers, strict=True) if answer != right]
