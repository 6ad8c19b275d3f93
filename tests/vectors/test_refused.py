"""refused.json is complete in itself: two readers of the file, one of them without the node, refuse what it refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from support import second_codec as second
from support import second_state
from support.second_codec import h, pack, unpack

from node.chain.validators import ValidatorSet
from node.crypto.state_tree import StateTree
from node.errors import Rejected
from node.execution.block_run import BlockRun
from node.execution.head import ChainHead
from node.ledger.guards import GUARDS
from node.ledger.params import CHAIN
from node.txtypes.chain.validator_set import VALIDATORS
from node.txtypes.envelope import check_signatures, decode_signed_tx

FILE = json.loads((Path(__file__).parent / "refused.json").read_text("utf-8"))
GENESIS_HASH = bytes.fromhex(FILE["chain"]["genesis_hash"])
x = bytes.fromhex
State = dict[bytes, bytes]


def state_of(vector: dict[str, Any]) -> State:
    """Genesis, then what differs at the stage, then what differs for the transaction."""
    found = FILE["genesis"] | FILE["stages"][vector["stage"]] | vector["changes"]
    return {key.encode(): x(value) for key, value in found.items() if value is not None}


def raw_of(vector: dict[str, Any]) -> bytes:
    return x(vector["signed"]) + bytes(vector.get("zeros", 0))


def named(part: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("vector", FILE[part], ids=[vector["name"] for vector in FILE[part]])


# --- a reader that has the documents only --------------------------------------------------------------------
def required(state: State, sender: bytes, body: list[Any], time_ms: int) -> tuple[list[bytes], list[bytes]]:
    """Accounts that sign, the sender first, and the keys of an account that is opened."""
    others = [address for address in second_state.co_signers(state, sender, body, time_ms) if address is not None]
    return [sender, *others], body[1] if body[0] == "account.open" else []


def compared(keys: list[bytes], allowed: list[bytes], threshold: int) -> Iterator[str]:
    """PROTOCOL.md, section 4, execution, step 3: exactly `threshold` signatures by the account's keys."""
    valid = len([key for key in keys if key in allowed])
    if valid < threshold:
        yield "signature_missing"
    if valid > threshold or len(keys) > valid:
        yield "signature_superfluous"


def envelope_codes(vector: dict[str, Any]) -> list[str]:
    """Steps 1 to 3 of execution, as the document has them."""
    state, (payload, signatures) = state_of(vector), unpack(raw_of(vector))
    sender, _, expires, body = unpack(payload)
    codes = []
    if vector["time_ms"] > expires:
        codes.append("transaction_expired")
    elif expires > vector["time_ms"] + unpack(state[b"chain/params"])[1]:
        codes.append("expiry_too_far")
    if h("bmw/tx", GENESIS_HASH + payload).hex() in vector["window"]:
        codes.append("already_committed")
    given: dict[bytes, list[bytes]] = {}
    for address, key, _ in signatures:
        given.setdefault(address, []).append(key)
    accounts, new_keys = required(state, sender, body, vector["time_ms"])
    for address in dict.fromkeys(accounts):
        keys, account = given.pop(address, []), state.get(b"account/" + address.hex().encode())
        if account is None:
            codes.append("account_unknown")
        else:
            codes += compared(keys, *unpack(account)[1:3])
    if new_keys:
        codes += compared(given.pop(h("bmw/address", new_keys[0])[:20], []), new_keys, len(new_keys))
    return codes + ["signature_superfluous"] * len(given)


ENVELOPE = ("transaction_expired", "expiry_too_far", "already_committed", "account_unknown", "signature_missing",
            "signature_superfluous")  # fmt: skip


def check_all(payload: bytes, signatures: list[Any]) -> None:
    """Raises where a signature does not verify."""
    for _, key, signature in signatures:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, b"bmw/tx\x00" + GENESIS_HASH + payload)


@named("guards")
def test_the_documents_give_the_codes_of_the_envelope(vector: dict[str, Any]) -> None:
    raw = raw_of(vector)
    payload, signatures = unpack(raw)
    assert raw == pack([payload, signatures]) and payload == pack(unpack(payload))
    check_all(payload, signatures)
    if vector["codes"] == ["type_not_active"]:
        return
    codes = vector["codes"]
    if unpack(payload)[3][0] == "governance.propose":  # its `account_unknown` is of the member to be admitted
        codes = [code for code in codes if code != "account_unknown"]
    assert envelope_codes(vector) == [code for code in codes if code in ENVELOPE]
    assert vector["codes"][: len(envelope_codes(vector))] == envelope_codes(vector), "in the order of the document"


@named("guards")
def test_a_state_is_the_one_of_its_root(vector: dict[str, Any]) -> None:
    assert vector["state_root"] == root_of(vector["stage"], tuple(vector["changes"].items()))


@cache
def root_of(stage: str, changes: tuple[tuple[str, str | None], ...]) -> str:
    """The root of a state, which many vectors have, by the second reader; every value of it is canonical."""
    state = state_of({"stage": stage, "changes": dict(changes)})
    assert all(pack(unpack(value)) == value for value in state.values())
    return second.state_root(state, FILE["chain"]["tree_depth"]).hex()


@named("without_state")
def test_a_bad_signature_is_bad_and_what_is_too_large_is(vector: dict[str, Any]) -> None:
    raw = raw_of(vector)
    assert (vector["code"] == "too_large") == (len(raw) > 65_536)
    if vector["code"] == "bad_signature" and "small order" not in vector["name"]:
        payload, signatures = unpack(raw)
        assert raw == pack([payload, signatures])
        with pytest.raises(InvalidSignature):
            check_all(payload, signatures)


# --- the node, which has the file only -----------------------------------------------------------------------
class GivenState:
    """The state of a vector, and the transactions that its replay window has."""

    def __init__(self, vector: dict[str, Any]) -> None:
        self.values, self.window = state_of(vector), set(map(x, vector["window"]))
        self.records = {name: x(raw) for name, raw in vector["records"].items()}

    def get(self, key: bytes) -> bytes | None:
        return self.values.get(key)

    def bucket(self, number: int) -> bytes:
        raise AssertionError("no weight is computed for what is refused")

    def was_committed(self, txid: bytes) -> bool:
        return txid in self.window

    def record(self, vin: str, sequence: int) -> bytes | None:
        return self.records.get(f"{vin}/{sequence}")


@named("guards")
def test_the_node_refuses_it_over_the_given_state(vector: dict[str, Any]) -> None:
    state = GivenState(vector)
    validators = ValidatorSet(VALIDATORS.decode(state.values[b"validators/set"]).entries)
    params = CHAIN.decode(state.values[b"chain/params"])
    head = ChainHead(vector["height"] - 1, bytes(32), 0, x(vector["state_root"]), validators, params, validators)
    run = BlockRun(state, StateTree(FILE["chain"]["tree_depth"], ()), head, GENESIS_HASH, vector["time_ms"])
    tx = check_signatures(decode_signed_tx(raw_of(vector), GENESIS_HASH), GENESIS_HASH)

    assert vector["codes"] == [guard.code for guard in run.carry_out(tx).unmet_guards] != []


@named("without_state")
def test_the_node_refuses_it_without_a_state(vector: dict[str, Any]) -> None:
    with pytest.raises(Rejected) as refused:
        check_signatures(decode_signed_tx(raw_of(vector), GENESIS_HASH), GENESIS_HASH)
    assert vector["code"] == refused.value.code


def test_every_guard_is_in_the_file() -> None:
    """`not_judged` is of a node that failed: no transaction causes it."""
    assert set(GUARDS) - {code for vector in FILE["guards"] for code in vector["codes"]} == {"not_judged"}
    assert {"malformed", "bad_signature", "too_large"} == {vector["code"] for vector in FILE["without_state"]}
