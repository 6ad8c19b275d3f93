"""`web/js/light.js`, in Node.js and in a page in Chromium: it believes what the validators decided, and nothing else.

The answers are those of a node over HTTP; the rules are those of `tests/unit/wallet/test_light_client.py`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator
from copy import deepcopy
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace
from support.chain import DAY_MS, HOUR_MS, Chain
from support.javascript.asking import Answer, Question, ask_chromium, ask_node, chromium
from support.javascript.visiting import STATE, Answers, answers_of, changed, visit, visits
from support.life import maintenance
from support.light import KEY, ChainSource, born, handed_on, liars, light_client, usurping
from support.lying import at_place, places, with_place
from support.stages import fork

from node.certificates.roots import root_of_genesis
from node.certificates.verifier import Root
from node.chain.block import Commit, block_id_of, decode_header
from node.codec import encode
from node.crypto.addresses import to_text
from node.crypto.hashing import tagged
from node.txtypes.chain.validator_set import ValidatorEntry
from node.txtypes.vehicle.vehicle import VEHICLE

UNBORN = VEHICLE.key("WBA8E9G50GNU99999")
in_chromium = pytest.mark.skipif(chromium() is None, reason="Chromium is not installed: apt install chromium")
Case = Generator[list[Question], list[Any], None]
"""Yields its questions and is sent the outcomes: Chromium is started once for all cases."""
CASES: list[Callable[[], Case]] = []


def case(function: Callable[[], Case]) -> Callable[[], Case]:
    CASES.append(function)
    return function


@pytest.fixture(
    scope="module",
    params=[pytest.param(ask_node, id="node"), pytest.param(ask_chromium, id="chromium", marks=in_chromium)],
)
def answered(request: pytest.FixtureRequest) -> dict[str, tuple[Case, list[Answer]]]:
    """Every case that waits for its answers, by its name."""
    waiting = {each.__name__: each() for each in CASES}
    questions = {name: next(each) for name, each in waiting.items()}
    answers = iter(request.param([question for asked in questions.values() for question in asked]))
    return {name: (waiting[name], [next(answers) for _ in asked]) for name, asked in questions.items()}


def test_every_case(answered: dict[str, tuple[Case, list[Answer]]], name: str) -> None:
    waiting, answers = answered[name]
    assert [] == [answer for answer in answers if "found" not in answer]
    with pytest.raises(StopIteration):
        waiting.send([answer["found"] for answer in answers])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "name" in metafunc.fixturenames:
        metafunc.parametrize("name", [each.__name__ for each in CASES])


@cache
def _told() -> tuple[Chain, Answers]:
    chain = born()
    return chain, answers_of(chain, KEY, UNBORN)


def told() -> tuple[Chain, Answers]:
    chain, answers = _told()
    return chain, deepcopy(answers)


def with_header(answers: Answers, header: Callable[[Any], Any], path: str = STATE, **commit: Any) -> Answers:
    """The answers with another header and certificate."""
    raw = encode(header(decode_header(bytes.fromhex(answers[path]["header"]["raw"]))))
    told_commit = answers[path]["commit"]
    made = Commit(
        commit.get("height", told_commit["height"]), told_commit["round"], bytes.fromhex(told_commit["block_id"]),
        tuple(commit.get("signatures", [bytes.fromhex(each) for each in told_commit["signatures"]])),
    )  # fmt: skip
    return changed(answers, path, header={"raw": raw.hex()}, commit={"raw": encode(made).hex()})


# --- what is true ---
@case
def value_and_absence_are_proven_and_the_newest_header_is_the_next_root() -> Case:
    chain, answers = told()
    value, height, now = chain.store.state.get(KEY).hex(), chain.store.height(), chain.now
    later = fork(chain)
    later.do("workshop-berlin", maintenance(later, 5_000))
    newer = later.store.state.get(KEY).hex()
    (found,) = yield [visits(
        chain.genesis, visit(answers, now), visit(answers, now, UNBORN),
        visit(answers_of(later), later.now), visit(answers, now),
    )]  # fmt: skip
    assert [value, height, []] == found[0]
    assert [None, height, []] == found[1]
    assert [newer, height + 1, []] == found[2] and newer != value
    assert "behind_trust" == found[3]


@case
def a_chain_whose_validators_were_all_replaced_is_followed_over_headers_in_between() -> Case:
    chain = handed_on()
    answers = answers_of(chain)
    lacking = {path: document for path, document in answers.items() if "headers" not in path}
    (found, refused) = yield [
        visits(chain.genesis, visit(answers, chain.now)), visits(chain.genesis, visit(lacking, chain.now)),
    ]  # fmt: skip
    value, height, asked = found[0]
    assert (chain.store.state.get(KEY).hex(), chain.store.height()) == (value, height)
    source = ChainSource(chain)
    light_client(source, Path(tempfile.mkdtemp())).verified_states((KEY,))
    assert source.asked == asked and asked
    assert ["unreachable"] == refused


# --- what is not ---
@case
def what_a_node_makes_up_is_refused() -> Case:
    chain, answers = told()
    now, document = chain.now, answers[STATE]
    signatures = [bytes.fromhex(each) for each in document["commit"]["signatures"]]
    proof = document["proof"]
    cases = {
        "another value": (changed(answers, STATE, value=document["value"][:-2] + "ff"), "proof_wrong"),
        "an absence that is none": (changed(answers, STATE, value=None), "proof_wrong"),
        "another sibling": (
            changed(answers, STATE, proof=proof | {"siblings": ["00" * 32, *proof["siblings"][1:]]}), "proof_wrong",
        ),
        "fewer siblings": (changed(answers, STATE, proof=proof | {"siblings": proof["siblings"][1:]}), "proof_wrong"),
        "no proof": (changed(answers, STATE, proof=None), "certificate_malformed"),
        "another header": (
            with_header(answers, lambda header: replace(header, state_root=bytes(32))), "signature_wrong",
        ),
        "two of four signatures": (
            with_header(answers, lambda header: header, signatures=[*signatures[:2], b"", b""]), "quorum_missing",
        ),
        "a signature of another": (
            with_header(answers, lambda header: header, signatures=[signatures[1], *signatures[1:]]), "signature_wrong",
        ),
        "of genesis, where nothing is decided": (changed(answers, STATE, header=None, commit=None),
                                                 "certificate_malformed"),
        "a list for an object": ({**answers, STATE: []}, "certificate_malformed"),
        "nothing": ({**answers, STATE: None}, "unreachable"),
        "not found": ({}, "unreachable"),
    }  # fmt: skip
    found = yield [visits(chain.genesis, visit(told_so, now)) for told_so, _ in cases.values()]
    assert {name: [code] for name, (_, code) in cases.items()} == dict(zip(cases, found, strict=True))


@case
def a_set_that_only_the_node_vouches_for_decides_nothing() -> Case:
    """It signs headers of its own, at every height, and hands itself out willingly."""
    chain, answers = told()
    source = usurping(chain, liars())
    shown = source.states([KEY])
    forged = changed(answers, STATE, header={"raw": shown.header.hex()}, commit={"raw": shown.commit.hex()})
    for height in range(1, chain.store.height() + 1):
        committed = source.committed(height)
        parts = {
            "header": {"raw": encode(committed.block.header).hex()},
            "commit": {"raw": encode(committed.commit).hex()},
        }
        forged = changed(forged, f"/v1/headers/{height}", **parts)
    entries = [{"address": to_text(e.address), "consensus_key": e.consensus_key.hex(), "power": e.power}
               for e in source.validators(1)]  # fmt: skip
    for path in (path for path in answers if "validators" in path):
        forged = changed(forged, path, validators=entries)
    withheld = {path: document for path, document in forged.items() if "validators" not in path}
    found = yield [visits(chain.genesis, visit(each, chain.now)) for each in (forged, withheld)]
    assert [["not_followed"], ["not_followed"]] == found


@case
def keys_of_small_order_sign_nothing() -> Case:
    """For the point 1 as a key, and as R with S = 0, the equation of Ed25519 holds for every message: some WebCrypto
    accept that. A root that names such keys decides nothing."""
    chain, answers = told()
    one = b"\x01" + bytes(31)
    entries = tuple(ValidatorEntry(bytes([n]) * 20, one, 10) for n in range(1, 5))
    genesis = root_of_genesis(chain.genesis)
    root = Root(
        **{**{name: getattr(genesis, name) for name in Root.__dataclass_fields__}, "validators": encode(entries)}
    )
    own = tagged("bmw/validators", encode(entries))
    forged = with_header(
        answers, lambda header: replace(header, validators_hash=own, next_validators_hash=own),
        signatures=[one + bytes(32)] * 4,
    )  # fmt: skip
    found = yield [visits(root, visit(forged, chain.now))]
    assert [["signature_wrong"]] == found


@case
def two_blocks_of_one_height_are_a_conflict() -> Case:
    """Both are signed by all validators. Who has seen one, in whatever window, is shown no other."""
    chain = born()
    one, other = fork(chain), fork(chain)
    one.do("workshop-berlin", maintenance(one, 5_000))
    other.do("workshop-berlin", maintenance(other, 6_000))
    on_top = fork(other)
    on_top.produce()
    first = visit(answers_of(one), one.now)
    found = yield [
        visits(chain.genesis, first, visit(answers_of(other), other.now), first),
        visits(chain.genesis, first, visit(answers_of(on_top), on_top.now)),
    ]  # fmt: skip
    height = one.store.height()
    assert block_id_of(one.store.block(height).header, b"") != block_id_of(other.store.block(height).header, b"")
    value = one.store.state.get(KEY).hex()
    assert [[value, height, []], "conflict", [value, height, []]] == found[0]
    assert [[value, height, []], "conflict"] == found[1]


@case
def clocks_and_the_age_of_the_root() -> Case:
    chain, answers = told()
    made = decode_header(bytes.fromhex(answers[STATE]["header"]["raw"])).time_ms
    late = chain.genesis.time_ms + 180 * DAY_MS
    found = yield [
        visits(chain.genesis, visit(answers, made - HOUR_MS)),
        visits(chain.genesis, visit(answers, made - HOUR_MS - 1)),
        visits(chain.genesis, visit(answers, late)),
        visits(chain.genesis, visit(answers, late + 1)),
        visits(chain.genesis, visit(answers, late + 1), accept_old_root=True),
        visits(chain.genesis, visit(answers, late), visit(answers, late + 1)),
    ]  # fmt: skip
    good = [chain.store.state.get(KEY).hex(), chain.store.height(), []]
    assert [[good], ["not_followed"], [good], ["root_too_old"], [good], [good, good]] == found


@case
def no_random_change_of_an_answer_is_believed() -> Case:
    """Each is refused, or concerns what the light client does not read: the outcome is then the true one."""
    chance, (chain, answers) = Random(7), told()
    document = answers[STATE]
    every = list(places(document))
    read = [place for place in every if place[0] in ("value", "proof") or place[-1] == "raw"]
    odd = (None, True, -1, 2**53 + 2, 1.5, "", "zz", "00" * 32, [], {}, [None], {"path": 1})

    def changed_once() -> Answers:
        place = chance.choice(read if chance.random() < 0.8 else every)
        was = at_place(document, place)
        now = chance.choice(odd)
        if isinstance(was, str) and was and chance.random() < 0.8:
            at = chance.randrange(len(was))
            now = was[:at] + chance.choice("0123456789abcdef") + was[at + chance.randrange(2) :]
        return {**answers, STATE: with_place(document, place, now)}

    found = yield [visits(chain.genesis, visit(changed_once(), chain.now)) for _ in range(400)]
    good = [chain.store.state.get(KEY).hex(), chain.store.height(), []]
    refusals = {outcome[0] for outcome in found if outcome != [good]}
    assert {"proof_wrong", "signature_wrong", "certificate_malformed"} <= refusals
    assert all(isinstance(refusal, str) for refusal in refusals)
    assert 300 < sum(outcome != [good] for outcome in found)
