"""Genesis document: a wrong field is rejected with its path; the hash does not depend on formatting."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from support.chain import address, dev_test_genesis

from node.chain.dev_genesis import dev_genesis
from node.chain.genesis import (
    GENESIS_BYTES_MAX,
    Continues,
    genesis_hash,
    genesis_to_json,
    parse_genesis,
    uses_dev_keys,
)
from node.crypto.addresses import to_text
from node.crypto.dev_keys import dev_key
from node.errors import Malformed
from node.execution.genesis_state import genesis_entries
from node.txtypes.chain.validator_set import possession_bytes
from node.txtypes.disputes.arbiters import ARBITERS

GENESIS = dev_test_genesis()
TEXT = genesis_to_json(GENESIS)
DOCUMENT: dict[str, Any] = json.loads(TEXT)
BMW, MUNICH, BUYER = 0, 1, 20
Path = tuple[str | int, ...]
GONE = object()


def edited(*edits: tuple[Path, Any]) -> dict[str, Any]:
    """The document with the values at these paths changed or removed."""
    document = deepcopy(DOCUMENT)
    for path, value in edits:
        inner = document
        for step in path[:-1]:
            inner = inner[step]
        if value is GONE:
            del inner[path[-1]]
        else:
            inner[path[-1]] = value(inner[path[-1]]) if callable(value) else value
    return document


def refusal(text: bytes) -> str:
    with pytest.raises(Malformed) as told:
        parse_genesis(text)
    return str(told.value)


def account(index: int, *path: str | int) -> Path:
    return ("accounts", index, *path)


def member(index: int, *path: str | int) -> Path:
    return account(index, "member", *path)


def test_the_good_document_is_good() -> None:
    assert "buyer-1" == DOCUMENT["accounts"][BUYER]["name"]
    assert GENESIS == parse_genesis(TEXT.encode()) == parse_genesis(json.dumps(edited()).encode())


def test_the_document_may_be_as_long_as_it_may_be() -> None:
    text = TEXT.encode().ljust(GENESIS_BYTES_MAX)
    assert GENESIS == parse_genesis(text)
    assert "bytes, at most" in refusal(text + b" ")


def test_the_whole_range_of_total_power_is_allowed() -> None:
    most = parse_genesis(json.dumps(edited((member(BMW, "validator", "power"), 970))).encode())
    others = [account.name for account in GENESIS.accounts if account.member is not None and account.member.validator]
    assert 1_000 == sum(a.member.validator.power for a in most.accounts if a.name in others)
    alone = [((*member(index, "validator"),), None) for index in range(1, 4)]
    least = parse_genesis(json.dumps(edited((member(BMW, "validator", "power"), 1), *alone)).encode())
    assert [1] == [a.member.validator.power for a in least.accounts if a.name in others and a.member.validator]


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("colour",), "blue", "genesis.colour: unknown field; known are chain_id, time, tree_depth"),
        (("params", "speed"), 1, "genesis.params.speed: unknown field"),
        (account(3, "nick"), "x", "genesis.accounts[3].nick: unknown field"),
        (member(BMW, "validator", "stake"), 1, "genesis.accounts[0].member.validator.stake: unknown field"),
        (member(BMW, "roles", 0, "scope"), 1, "genesis.accounts[0].member.roles[0].scope: unknown field"),
        (("chain_id",), GONE, "genesis.chain_id: missing"),
        (("time",), GONE, "genesis.time: missing"),
        (("params",), GONE, "genesis.params: missing"),
        (account(2, "address"), GONE, "genesis.accounts[2].address: missing"),
        (member(BMW, "validator", "power"), GONE, "genesis.accounts[0].member.validator.power: missing"),
        (("chain_id",), 7, "genesis.chain_id: a string expected"),
        (("chain_id",), "BMW", "genesis.chain_id: "),
        (("chain_id",), "bmw-dev\n", "genesis.chain_id: "),
        (("time",), "2026-01-01", "genesis.time: '2026-01-01' is not an RFC 3339 time"),
        (("time",), 1_767_225_600_000, "genesis.time: an RFC 3339 time expected"),
        (("time",), "2026-02-30T00:00:00Z", "genesis.time: "),
        (("tree_depth",), 25, "genesis.tree_depth: "),
        (("tree_depth",), 0, "genesis.tree_depth: "),
        (("tree_depth",), 6.0, "genesis.tree_depth: an integer expected"),
        (("tree_depth",), True, "genesis.tree_depth: an integer expected"),
        (("tree_depth",), "6", "genesis.tree_depth: an integer expected"),
        (("accounts",), [], "genesis.accounts: "),
        (("accounts",), {}, "genesis.accounts: a list expected"),
        (("params", "block_bytes_max"), 2**40, "genesis.params.block_bytes_max: "),
        (("params", "tx_lifetime_max_ms"), 8 * 24 * 3_600_000, "genesis.params.tx_lifetime_max_ms: "),
        (("params", "ruleset"), 2, "genesis.params: from height 1 on the chain is judged by ruleset 2, which"),
        (("params", "next_ruleset_hash"), "00" * 32, "genesis.params.next_ruleset_hash: 32 bytes where next_ruleset"),
        (("params", "next_ruleset"), 2, "genesis.params.next_ruleset_hash: 32 bytes where next_ruleset is set"),
        (account(4, "sealing_hash"), "ab", "genesis.accounts[4].sealing_hash: 32 bytes, or empty"),
        (account(4, "address"), "bmw1qqqq", "genesis.accounts[4].address: not an address"),
        (account(4, "address"), lambda text: text.upper(), "genesis.accounts[4].address: not an address"),
        (account(4, "address"), lambda text: text[:-1] + ("q" if text[-1] != "q" else "p"), "the checksum of"),
        (account(4, "address"), to_text(bytes(20)), "genesis.accounts[4].address: not the address of the first key"),
        (account(4, "address"), to_text(address("bmw")), "genesis.accounts[4].address: bmw1"),
        (account(4, "keys"), [], "accounts[4]"),
        (account(4, "keys", 0), "ab", "genesis.accounts[4].keys[0]: 32 bytes expected, 1 given"),
        (account(4, "keys", 0), "AB" * 32, "genesis.accounts[4].keys[0]: lower-case hex expected"),
        (account(4, "keys", 0), "0x" + "ab" * 31, "genesis.accounts[4].keys[0]: lower-case hex expected"),
        (account(4, "keys"), lambda keys: keys * 2, "genesis.accounts[4].threshold: 1 of 2 different keys"),
        (account(4, "threshold"), 2, "genesis.accounts[4].threshold: 2 of 1 different keys can't be met"),
        (account(4, "threshold"), 0, "accounts[4]"),
        (account(4, "name"), "bmw", "genesis.accounts[4].name: bmw occurs twice"),
        (account(4, "name"), "Bank", "accounts[4]"),
        (account(4, "sponsor"), to_text(bytes(20)), "genesis.accounts[4].sponsor: no account of this genesis"),
        (member(BMW, "country"), "XX", "genesis.accounts[0].member.country: XX is not a country of ISO 3166-1, nor XK"),
        (member(BMW, "country"), "de", "accounts[0].member"),
        (member(BMW, "node_key"), "ab", "genesis.accounts[0].member.node_key: 32 bytes, or empty"),
        (member(BMW, "node_address"), "nowhere", "accounts[0].member"),
        (member(BMW, "roles", 0, "role"), "king", "accounts[0].member.roles[0]"),
        (member(BMW, "roles", 0, "wmis", 0), "WBO", "accounts[0].member.roles[0]"),
        (member(BMW, "validator", "power"), 0, "accounts[0].member.validator"),
        (member(BMW, "validator", "power"), 1_001, "accounts[0].member.validator"),
        (member(BMW, "validator", "power"), 971, "genesis.accounts: total power 1001 is not between 1 and 1000"),
        (member(BMW, "validator", "possession"), "00" * 64,
         "genesis.accounts[0].member.validator.possession: does not prove possession"),
        (member(BMW, "validator", "consensus_key"), dev_key("node", "bmw").public.hex(),
         "genesis.accounts[0].member.validator.consensus_key: also used as account key or node key"),
        (member(BMW, "validator", "consensus_key"), dev_key("account", "bmw").public.hex(),
         "genesis.accounts[0].member.validator.consensus_key: also used as account key or node key"),
        (member(BMW, "validator", "consensus_key"), dev_key("consensus", "bank-1").public.hex(),
         "genesis.accounts[0].member.validator.possession: does not prove"),
        (("continues",), {"genesis_hash": "00" * 32}, "genesis.continues.height: missing"),
    ],
    ids=lambda value: ".".join(map(str, value)) if isinstance(value, tuple) else None,
)  # fmt: skip
def test_a_wrong_field_is_named_by_its_path(path: Path, value: Any, told: str) -> None:
    text = refusal(json.dumps(edited((path, value))).encode())
    assert told in text
    assert text.startswith("genesis")


def test_a_key_that_serves_two_members_is_refused() -> None:
    """Even with a proof of possession for the second member."""
    key = dev_key("consensus", "bmw")
    proof = key.sign(possession_bytes(bytes(32), address("dealer-munich"), key.public)).hex()
    document = edited(
        (member(MUNICH, "validator", "consensus_key"), key.public.hex()),
        (member(MUNICH, "validator", "possession"), proof),
    )
    assert refusal(json.dumps(document).encode()) == (
        "genesis.accounts[1].member.validator.consensus_key: used by another member too"
    )


def test_a_proof_of_possession_is_for_its_member() -> None:
    key = dev_key("consensus", "dealer-munich")
    proof = key.sign(possession_bytes(bytes(32), address("bmw"), key.public)).hex()
    document = edited((member(MUNICH, "validator", "possession"), proof))
    assert "accounts[1].member.validator.possession" in refusal(json.dumps(document).encode())


def test_there_are_at_most_fifteen_arbiters() -> None:
    """The development network has four; eleven more are as many as there can be."""
    grant = next(a["member"]["roles"][0] for a in DOCUMENT["accounts"] if a["name"] == "arbiter-1")
    edits = [(member(index, "roles"), lambda roles: [*roles, grant]) for index in range(12)]
    full = parse_genesis(json.dumps(edited(*edits[:11])).encode())
    arbiters = genesis_entries(full)[ARBITERS.key("all")]
    assert 15 == len(ARBITERS.decode(arbiters).addresses)
    assert "16 arbiters are more than 15" in refusal(json.dumps(edited(*edits)).encode())


def test_a_chain_without_power_is_refused() -> None:
    document = edited(*((member(index, "validator"), None) for index in range(4)))
    assert "total power 0" in refusal(json.dumps(document).encode())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda text: text.replace('"tree_depth": 6', '"tree_depth": 6, "tree_depth": 6'), "'tree_depth' occurs twice"),
        (lambda text: text.replace('"power": 10', '"power": 10, "power": 900', 1), "'power' occurs twice"),
        (lambda text: text[:-3], "not JSON"),
        (lambda text: text + "{}", "not JSON"),
        (lambda text: "", "not JSON"),
        (lambda text: "[]", "genesis: an object expected"),
        (lambda text: "null", "genesis: an object expected"),
        (lambda text: '"' + text[:10], "not JSON"),
        (lambda text: text.replace('"tree_depth": 6', '"tree_depth": NaN'), "genesis.tree_depth: an integer expected"),
        (lambda text: text.replace('"tree_depth": 6', '"tree_depth": 6e0'), "genesis.tree_depth: an integer expected"),
        (lambda text: text.replace('"tree_depth": 6', '"tree_depth": ' + "9" * 5_000), "not JSON"),
        (lambda text: "[" * 200_000, "not JSON"),
        (lambda text: '{"chain_id":' * 200_000, "not JSON"),
    ],
)
def test_text_that_is_no_such_document(change: Callable[[str], str], told: str) -> None:
    assert told in refusal(change(TEXT).encode())


def test_bytes_that_are_no_text_or_too_many_are_refused() -> None:
    assert "not JSON" in refusal(TEXT.encode().replace(b"bmw-test", b"bmw-\xff\xfe"))
    assert f"at most {GENESIS_BYTES_MAX}" in refusal(TEXT.encode() + b" " * GENESIS_BYTES_MAX)


# --- the hash ------------------------------------------------------------------------------------------
def test_the_hash_does_not_depend_on_the_form() -> None:
    def turned(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: turned(value[key]) for key in reversed(value)}
        return [turned(item) for item in value] if isinstance(value, list) else value

    forms = [json.dumps(DOCUMENT, separators=(",", ":")), json.dumps(DOCUMENT, indent=7), json.dumps(turned(DOCUMENT)),
             "\n\n" + TEXT, json.dumps(edited((("time",), "2026-01-01T01:00:00+01:00")))]  # fmt: skip
    assert {genesis_hash(GENESIS)} == {genesis_hash(parse_genesis(form.encode())) for form in forms}


def test_the_hash_depends_on_every_field() -> None:
    edits: list[tuple[Path, Any]] = [
        (("chain_id",), "bmw-test-2"),
        (("time",), "2026-01-01T00:00:00.001Z"),
        (("tree_depth",), 7),
        (("params", "block_txs_max"), 1_999),
        (account(BUYER, "name"), "buyer-9"),
        (account(BUYER, "sponsor"), to_text(address("bank-1"))),
        (account(BUYER, "sealing_hash"), "ab" * 32),
        (member(BMW, "country"), "AT"),
        (member(BMW, "roles", 0, "wmis"), ["WBA"]),
        (member(BMW, "validator", "power"), 11),
        (member(BMW, "node_key"), ""),
        (member(BMW, "node_address"), "bmw.example:26800"),
        (("accounts",), lambda accounts: [accounts[1], accounts[0], *accounts[2:]]),
        (
            ("continues",),
            {"genesis_hash": "00" * 32, "height": 5, "block_id": "11" * 32, "state_root": "22" * 32},
        ),
    ]
    hashes = {genesis_hash(parse_genesis(json.dumps(edited(edit)).encode())) for edit in edits}
    assert len(edits) == len(hashes - {genesis_hash(GENESIS)})


def test_a_successor_names_the_chain_it_continues() -> None:
    continues = {"genesis_hash": "00" * 32, "height": 5, "block_id": "11" * 32, "state_root": "22" * 32}
    genesis = parse_genesis(json.dumps(edited((("continues",), continues))).encode())
    assert Continues(bytes(32), 5, b"\x11" * 32, b"\x22" * 32) == genesis.continues
    assert genesis == parse_genesis(genesis_to_json(genesis).encode())


def test_development_keys_are_recognised() -> None:
    names = [entry.name for entry in dev_genesis().accounts]
    assert names == uses_dev_keys(dev_genesis())
    other = dev_key("account", "somebody-else")
    document = edited((account(BUYER, "name"), "stranger"), (account(BUYER, "keys", 0), other.public.hex()),
                      (account(BUYER, "address"), to_text(address("somebody-else"))))  # fmt: skip
    assert "stranger" not in uses_dev_keys(parse_genesis(json.dumps(document).encode()))
