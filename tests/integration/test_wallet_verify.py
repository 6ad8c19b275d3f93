"""`--verify` against a node that falsifies its answers: what is printed is what an honest node's answer prints, or an
error, whichever field is false."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.chain import DAY_MS, address
from support.disputing import dispute, newest
from support.governing import carry_out
from support.life import VIN, maintenance, terms
from support.lying import (
    Answer,
    HomeWallet,
    LyingNode,
    at_place,
    copied,
    lying,
    places,
    today,
    wallet_home,
    with_place,
)
from support.registering import put, suspend

from node import limits
from node.crypto.addresses import to_text
from node.ledger.json_form import to_json
from node.storage import schema
from node.txtypes.chain.actions import RoleSetStatus
from node.txtypes.disputes.types import RecordWithdraw
from node.txtypes.vehicle.record import content_digest, stored_record

HISTORY = f"/v1/vehicles/{VIN}/history"
LIAR = to_text(address("liar"))


@pytest.fixture(scope="module")
def node() -> Iterator[LyingNode]:
    with lying(today().chain) as started:
        yield started


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wallet_home(tmp_path_factory.mktemp("keys") / "home", ("buyer-1", "workshop-berlin"))


@pytest.fixture
def wallet(node: LyingNode, keys: Path, tmp_path: Path) -> Iterator[HomeWallet]:
    yield HomeWallet(copied(keys, tmp_path / "home"), node.url)
    node.lie = lambda path, document: document


# --- histories -----------------------------------------------------------------------------------------------
def of_records(change):
    """A lie about each record of the history."""

    def lie(path: str, document: Any) -> Any:
        return (
            document | {"records": [change(record) for record in document["records"]]} if path == HISTORY else document
        )

    return lie


def test_names_lateness_and_fraud_marks_are_computed_from_what_is_proven(node: LyingNode, wallet: HomeWallet) -> None:
    wallet("history", VIN, "--verify")
    honest = wallet("history", VIN, "--verify")
    assert 0 == honest.code and "structural" in honest.out and "workshop-berlin" in honest.out
    node.lie = of_records(lambda r: r | {"author_is_fraudulent": True, "late": True, "id": "liar", "digest": "00" * 32})
    assert honest == wallet("history", VIN, "--verify")
    node.lie = of_records(lambda r: r | {"author_name": "liar"})
    wallet("history", VIN, "--verify").refused(1, "invalid_proof")


def without_content(chain, record: dict[str, Any]) -> dict[str, Any]:
    raw = chain.store.kv.get(schema.record_key(VIN, record["sequence"]))
    digest = content_digest(stored_record(raw).content)
    return record | {"content": None, "salt": None, "outcome": None, "content_digest": digest.hex()}


def test_a_record_without_its_content_shows_its_proven_face(node: LyingNode, wallet: HomeWallet) -> None:
    honest = wallet("history", VIN, "--verify").out
    count = len(wallet("history", VIN, "--json").json["records"])
    hidden = of_records(lambda r: without_content(node.chain, r) if r["kind"] == "accident.report" else r)
    node.lie = hidden
    out = wallet("history", VIN, "--verify").out
    (line,) = (line for line in honest.splitlines() if "accident.report" in line)
    assert line in out and "structural" not in out
    assert f"{count} records, 1 of them withheld by the node" in out
    lies = {
        "kind": "maintenance.record", "author_name": "liar", "author": LIAR, "height": 1, "txid": "00" * 32,
        "event_at": "2020-01-01T00:00:00Z", "content_digest": "00" * 32,
    }  # fmt: skip
    for name, value in lies.items():
        node.lie = lambda path, document, name=name, value=value: of_records(
            lambda r: r | {name: value} if r["content"] is None else r
        )(path, hidden(path, document))
        wallet("history", VIN, "--verify").refused(1, "invalid_proof")


def test_a_record_that_is_a_digest_shows_nothing_but_its_place(node: LyingNode, wallet: HomeWallet) -> None:
    """The structural accident of `wallet_lies`: it was shown as a service."""
    node.lie = of_records(
        lambda r: r | {"content": None, "content_digest": None, "kind": "maintenance.record", "outcome": ["liar"],
                       "author_name": "liar", "late": True, "author": LIAR, "sequence": r["sequence"]}
        if r["kind"] == "accident.report" else r
    )  # fmt: skip
    done = wallet("history", VIN, "--verify")
    assert 0 == done.code and "liar" not in done.out and LIAR not in done.out
    (withheld,) = (line for line in done.out.splitlines() if "only its digest" in line)
    shown = wallet("history", VIN, "--verify", "--json").json
    sequence = len(shown["records"]) - 1
    assert f"{'?':16}  #{sequence} withheld: only its digest is shown" == withheld
    assert "1 of them withheld by the node" in done.out
    assert {"id", "sequence", "content", "digest"} == set(shown["records"][sequence])
    assert 1 == shown["verified"]["withheld"]


def test_fraud_marks_come_from_the_proven_list(tmp_path: Path, keys: Path) -> None:
    chain = today().chain
    carry_out(chain, RoleSetStatus(address("workshop-berlin"), "workshop", "revoked", "fraud", chain.now - 90 * DAY_MS))
    with lying(chain) as node:
        wallet = HomeWallet(copied(keys, tmp_path / "home"), node.url)
        honest = wallet("history", VIN, "--verify").out
        assert 2 == honest.count("AUTHOR REVOKED FOR FRAUD")
        node.lie = of_records(lambda r: r | {"author_is_fraudulent": False})
        assert honest == wallet("history", VIN, "--verify").out


@pytest.mark.parametrize("times", [1, 3])
def test_a_record_that_is_added_while_a_report_is_proven_is_read_with_the_next_try(
    tmp_path: Path, keys: Path, times: int
) -> None:
    chain = today().chain
    with lying(chain) as node:
        wallet, added = HomeWallet(copied(keys, tmp_path / "home"), node.url), list[int]()
        before = wallet("report", VIN, "--verify", "--json").json["record_count"]

        def lie(path: str, document: Any) -> Any:
            if path == "/v1/batteries" and len(added) < times:
                added.append(6_500 + len(added))
                node.honest.produce(chain.sign("workshop-berlin", maintenance(chain, added[-1])))
            return document

        node.lie = lie
        if times == 1:
            shown = wallet("report", VIN, "--verify", "--json").json
            assert before + 1 == shown["record_count"] == shown["records_read"]
        else:
            sentence = wallet("report", VIN, "--verify").refused(1, "invalid_proof")
            assert "records were added" in sentence and "3 tries" in sentence


def test_a_report_of_more_values_than_one_request_has_is_proven(tmp_path: Path, keys: Path) -> None:
    life = today()
    chain, count = life.chain, limits.RPC_KEYS_MAX + 10
    chain.do("registrar-1", put(chain))
    for number in range(count):
        chain.do("registrar-1", suspend(chain, resume=number % 2 == 1, holder_signs=True), "buyer-1")
        ident = chain.do("buyer-1", dispute(chain, newest(chain)))
        chain.do("buyer-1", RecordWithdraw(ident))
    with lying(chain) as node:
        wallet = HomeWallet(copied(keys, tmp_path / "home"), node.url)
        proven = wallet("report", VIN, "--verify", "--json").json
        assert count == len(proven["disputes"])
        told = wallet("report", VIN, "--json").json
        assert told == {name: value for name, value in proven.items() if name != "verified"}


def test_a_battery_that_is_not_in_the_car_is_not_in_its_report(node: LyingNode, wallet: HomeWallet) -> None:
    honest = wallet("report", VIN, "--verify").out
    node.lie = lambda path, document: (
        document | {"batteries": [{"id": "ab" * 32}]} if path == "/v1/batteries" else document
    )
    assert honest == wallet("report", VIN, "--verify").out
    node.lie = lambda path, document: (
        document | {"batteries": [{"id": "liar"}]} if path == "/v1/batteries" else document
    )
    wallet("report", VIN, "--verify").refused(1, "malformed")


def test_an_absence_that_the_node_only_claims_is_not_shown_as_proven(node: LyingNode, wallet: HomeWallet) -> None:
    assert "buyer-1" in wallet("key", "list").out
    wallet("vehicle", VIN, "--verify")
    for code in ("account_unknown", "vehicle_unknown", "invalid_proof"):
        problem = {"code": code, "detail": "it is proven that there is no such thing"}
        node.lie = lambda path, document, problem=problem: Answer(404, problem) if path == "/v1/state" else document
        for command in (("account",), ("account", "buyer-1"), ("vehicle", VIN), ("history", VIN)):
            sentence = wallet(*command, "--verify").refused(1, code)
            assert sentence.startswith("Refused by the node"), sentence


# --- every field, one after the other --------------------------------------------------------------------------
def otherwise(value: Any) -> list[Any]:
    """Other values for a place of a JSON document: a plausible one, and the wrong types."""
    match value:
        case bool():
            plausible: Any = not value
        case int():
            plausible = value + 1
        case str() if value.startswith("bmw1"):
            plausible = LIAR
        case str() if value and len(value) % 2 == 0 and set(value) <= set("0123456789abcdef"):
            plausible = f"{int(value[:2], 16) ^ 1:02x}" + value[2:]
        case str() if value[:2] == "20" and value.endswith("Z"):
            plausible = "2020-01-01T00:00:00.000Z"
        case str():
            plausible = "liar"
        case _:
            plausible = "liar"
    wrong: list[Any] = [
        None,
        7,
        -1,
        2**70,
        1.5,
        1e400,
        True,
        "",
        "\ud800\x1b[31m",
        [],
        [None],
        [[[]]],
        {},
        {"type": []},
    ]
    return [plausible, *wrong]


COMMANDS = {
    "vehicle": ("vehicle", VIN), "history": ("history", VIN), "account": ("account", "buyer-1"),
    "accounts": ("account",), "order": ("order", ""), "listings": ("listings",), "report": ("report", VIN),
}  # fmt: skip

ONE_EACH = [name for name in COMMANDS if name != "accounts"]
"""Without the one that does for each account what `account` does."""


def recorded(node: LyingNode, wallet: HomeWallet, command: tuple[str, ...]) -> tuple[Any, list[tuple[str, Any]]]:
    """What an honest node's answers print, and these answers."""
    answers: list[tuple[str, Any]] = []
    node.lie = lambda path, document: answers.append((path, document)) or document
    return wallet(*command), answers


def telling_places(document: Any) -> list[tuple[Any, ...]]:
    """Every place of a document; of places that differ in a list's index alone, the first and the last: all items of a
    list are read and proven by the same lines."""
    alike: dict[tuple[Any, ...], list[tuple[Any, ...]]] = {}
    for place in places(document):
        alike.setdefault(tuple("item" if isinstance(step, int) else step for step in place), []).append(place)
    return [place for found in alike.values() for place in dict.fromkeys((found[0], found[-1]))]


def falsified(
    answers: list[tuple[str, Any]], *, is_plausible: bool, turn: int = 0, turns: int = 1
) -> Iterator[tuple[str, tuple[Any, ...], Any]]:
    """(path, place in its answer, what is said there instead): every telling place of the last answer of each path.
    `turn` of `turns`: of wrong types every so many-th place."""
    for path, document in dict(answers).items():
        for count, place in enumerate(telling_places(document)):
            if count % turns != turn:
                continue
            values = otherwise(at_place(document, place))
            value = values[0] if is_plausible else values[1 + count // turns % (len(values) - 1)]
            if value != at_place(document, place):
                yield path, place, value


def lie_of(false: str, place: tuple[Any, ...], value: Any):
    """The lie that changes one place of the answers of a path, where they have it."""

    def lie(path: str, document: Any) -> Any:
        with contextlib.suppress(KeyError, IndexError, TypeError):
            return with_place(document, place, value) if path == false else document
        return document

    return lie


def command_of(name: str) -> tuple[str, ...]:
    return ("order", today().order.hex()) if name == "order" else COMMANDS[name]


@pytest.mark.slow
@pytest.mark.parametrize("is_plausible", [True, False], ids=["plausible", "wrong-type"])
@pytest.mark.parametrize("name", [name for name in ONE_EACH if name != "listings"])
def test_whatever_is_false_verify_prints_the_truth_or_an_error(
    node: LyingNode, wallet: HomeWallet, name: str, is_plausible: bool
) -> None:
    command = (*command_of(name), "--verify", *(() if is_plausible else ("--json",)))
    assert 0 == wallet(*command).code, "the newest header is the trust root from here on"
    honest, answers = recorded(node, wallet, command)
    assert 0 == honest.code, honest.err
    accepted = 0
    for path, place, value in falsified(answers, is_plausible=is_plausible, turns=1 if is_plausible else 3):
        node.lie = lie_of(path, place, value)
        done = wallet(*command)
        where = (path, place, value)
        assert "Traceback" not in done.err, where
        if done.code == 0 and is_withheld(path, place, value):
            assert "liar" not in done.out and "withheld" in done.out, where
        elif done.code == 0 and is_listed(path):
            assert set(done.out.split()) <= {*honest.out.split(), "-", "[],", "[]"}, where
            assert "that there are no more is the node's word" in done.err, where
        elif done.code == 0:
            assert honest == done, where
            accepted += 1
        else:
            assert done.code in (1, 3), where
            assert "" == done.out and 1 == len(done.err.splitlines()), where
            assert done.err.startswith(("Error: ", "Refused ")), where
    assert accepted, "not every field is used"


def is_withheld(path: str, place: tuple[Any, ...], value: Any) -> bool:
    """Whether the lie leaves out the content of a record, which every node may."""
    return path == HISTORY and value is None and place[0] == "records" and place[2:] == ("content",)


def is_listed(path: str) -> bool:
    """Whether the answer is a list of an account's cars or orders: what it has is proven, that it has all is not."""
    return path.startswith("/v1/accounts/") and path.endswith(("/vehicles", "/orders"))


# --- no traceback ----------------------------------------------------------------------------------------------
@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_answers_of_wrong_types_are_one_sentence_at_most(node: LyingNode, wallet: HomeWallet, name: str) -> None:
    for turn, options in enumerate(((), ("--json",))):
        command = (*command_of(name), *options)
        _, answers = recorded(node, wallet, command)
        for path, place, value in falsified(answers, is_plausible=False, turn=turn, turns=2):
            node.lie = lie_of(path, place, value)
            assert_one_sentence(wallet(*command), (path, place, value))


def assert_one_sentence(done, where: Any) -> None:
    assert "Traceback" not in done.err, where
    assert done.code in (0, 1, 3), where
    assert "\x1b" not in done.out + done.err, where
    if done.code:
        assert "" == done.out and done.err.startswith(("Error: ", "Refused ")), (where, done)
        assert 1 == len(done.err.splitlines()), (where, done)


ODD = {"damages": 5, "odometer": {"value": [], "unit": 1, "source": {}}}
WHOLE = [
    None, 7, "x", [], [{}], {}, {"listings": 5}, {"cursor": {}}, {"head": [], "genesis_hash": 5},
    {"records": [{"sequence": {}, "kind": [], "content": {"a": 1}, "outcome": [{"b": 2}]}]},
    {"records": [{"kind": "accident.report", "content": ODD, "outcome": 5}]},
    {"listings": [{"price": {"amount": "9" * 5_000, "currency": []}, "expires_at": []}]},
    {"header": {"raw": "90"}, "commit": {"raw": "90"}, "entries": []},
    b"[" * 5_000, b'{"a":' * 900 + b"1" + b"}" * 900, b"\xff\xfe", b"", b"9" * 5_000,
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", ONE_EACH)
def test_an_answer_that_is_something_else_is_one_sentence(node: LyingNode, wallet: HomeWallet, name: str) -> None:
    for options in [(), ("--json",)] + [("--verify",)] * (name != "listings"):
        command = (*command_of(name), *options)
        _, answers = recorded(node, wallet, command)
        for false in dict(answers):
            for value in WHOLE:
                node.lie = lambda path, document, false=false, value=value: value if path == false else document
                assert_one_sentence(wallet(*command), (false, value))


SERVICE = (
    "tx", "maintenance.record", "--vin", VIN, "--services", "ENGINE_OIL", "--odometer", "6500km", "--next-due",
    '{"odometer": 30000, "at": "+730d"}', "--where", "site=,vin_source=obd,model_seen=330I", "--from",
    "workshop-berlin",
)  # fmt: skip
WRITES = {
    "submit": ("submit", "1.json", "--wait"), "batch": ("submit", "1.json", "2.json", "--wait"), "outbox": ("outbox",),
    "resend": ("outbox", "--resend"), "dry-run": (*SERVICE, "--dry-run"),
    "genesis": ("vehicle", VIN, "--verify"),
    "offer": (
        "tx", "order.offer", "--listing", "", "--terms", json.dumps(to_json(terms())), "--expires-at", "+2d", "--from",
        "buyer-1", "--yes", "--expect", f"vin={VIN}", "--expect", "seller=dealer-munich",
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", WRITES)
def test_answers_of_wrong_types_to_what_is_sent_are_one_sentence(keys: Path, name: str, tmp_path: Path) -> None:
    """Also when the wallet has to take the genesis from the node."""
    with lying(today().chain) as node:
        wallet = HomeWallet(copied(keys, tmp_path / "home"), node.url)
        for number, odometer in enumerate(("6500km", "6600km"), start=1):
            words = (*SERVICE[:7], odometer, *SERVICE[8:])
            assert 0 == wallet(*words, "--offline", "-o", tmp_path / f"{number}.json").code
        command = tuple(tmp_path / word if str(word).endswith(".json") else word for word in WRITES[name])
        command = tuple(today().listing.hex() if word == "" else word for word in command)
        environment = {"BMW_WALLET_GENESIS": ""} if name == "genesis" else {}
        wallet("submit", tmp_path / "1.json", tmp_path / "2.json")
        node.honest.produce()
        outbox = wallet.home / "outbox"
        shutil.copytree(outbox, tmp_path / "outbox")

        def call(where: Any) -> None:
            done = wallet(*command, **environment)
            assert "Traceback" not in done.err and "\x1b" not in done.out + done.err, where
            assert done.code in (0, 1, 2, 3), where
            if done.code:
                assert any(
                    line.startswith(("Error: ", "Refused ", "Usage", "It is not valid now"))
                    for line in done.err.splitlines()
                ) or ("bmw-wallet outbox" in done.err), (where, done)
            (wallet.home / "genesis.json").unlink(missing_ok=True)
            shutil.rmtree(outbox)
            shutil.copytree(tmp_path / "outbox", outbox)

        answers: list[tuple[str, Any]] = []
        node.lie = lambda path, document: answers.append((path, document)) or document
        call(None)
        assert len(dict(answers)) > 1, answers
        for path, document in dict(answers).items():
            for value in WHOLE:
                node.lie = lambda asked, honest, path=path, value=value: value if asked == path else honest
                call((path, value))
            if "/v1/blocks" not in path:
                for _, place, value in falsified([(path, document)], is_plausible=False, turns=2):
                    node.lie = lie_of(path, place, value)
                    call((path, place, value))


def test_problem_documents_of_wrong_types_are_one_sentence(node: LyingNode, wallet: HomeWallet) -> None:
    for status in (404, 422, 503):
        for problem in (
            None, 7, [], {}, {"detail": {}}, {"detail": [], "title": 5, "code": {}}, {"unmet": 5}, {"unmet": [5, {}]},
            {"unmet": [{"code": [], "text": {}}]}, {"code": "\x1b[31m\ud800", "detail": "\ud800\n\x1b"}, b"<html>",
        ):  # fmt: skip
            node.lie = lambda path, document, s=status, p=problem: Answer(s, p)
            done = wallet("vehicle", VIN)
            assert "Traceback" not in done.err and done.code in (1, 3), (status, problem)
            assert done.err.startswith(("Error: ", "Refused ")) and "\x1b" not in done.err, (status, problem)
