"""docs/PROTOCOL.md is enough for a second implementation: docs/examples/read_chain.py was written from it alone."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from support.chain import Chain
from support.client_tools import node_js
from support.life import VIN, maintenance, many_cars, register, transfer

from node.chain.block import Committed
from node.chain.dev_genesis import dev_genesis
from node.chain.genesis import genesis_hash, genesis_to_json
from node.codec import encode
from node.crypto.addresses import address_of, to_text
from node.crypto.dev_keys import dev_key, dev_seed
from node.execution.genesis_state import genesis_entries, genesis_head
from node.ledger.json_form import time_from_text, time_to_text, union_from_json
from node.ledger.signed import assemble, sign_bytes, txid_of, wire_id_of
from node.txtypes.registry import TYPES
from node.txtypes.rulesets import RULESETS
from node.txtypes.vehicle.record import record_digest
from node.txtypes.vehicle.vehicle import VEHICLE
from wallet.txfile import build_payload, sign_payload

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
TRANSACTIONS = json.loads((ROOT / "tests" / "vectors" / "transactions.json").read_text())
VECTOR = json.loads((DOCS / "examples" / "vector.json").read_text())


def _example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / "examples" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


READER, WRITER = _example("read_chain"), _example("write_chain")


@pytest.fixture(scope="module")
def chain() -> Chain:
    made = Chain()
    made.do("bmw", register())
    made.do("workshop-berlin", maintenance(made))
    made.do("bmw", transfer(made), "dealer-munich")
    return made


def _entries(chain: Chain, height: int) -> list[list[object]]:
    return [[e.address, e.consensus_key, e.power] for e in chain.store.validators(height).entries]


def test_the_reader_computes_the_genesis_hash_from_the_json(chain: Chain) -> None:
    assert READER.genesis_hash(json.loads(genesis_to_json(chain.genesis))) == chain.genesis_hash


def test_the_reader_accepts_every_block(chain: Chain) -> None:
    parent = chain.genesis_hash
    for height in range(1, chain.store.height() + 1):
        committed = chain.store.committed(height)
        assert committed is not None
        sets = _entries(chain, height), _entries(chain, height + 1)
        parent = READER.check_block(encode(committed), chain.genesis_hash, height, parent, *sets)

    assert parent == chain.store.head().block_id


def test_the_reader_refuses_a_block_without_one_of_its_transactions(chain: Chain) -> None:
    committed = chain.store.committed(2)
    assert committed is not None
    block = committed.block
    tampered = Committed(type(block)(block.header, (), block.evidence, block.last_commit), committed.commit)

    with pytest.raises(AssertionError):
        READER.check_block(
            encode(tampered), chain.genesis_hash, 2, block.header.parent_id, _entries(chain, 2), _entries(chain, 3)
        )


def test_the_reader_proves_presence_and_absence(chain: Chain) -> None:
    root, depth = chain.store.head().state_root, chain.genesis.tree_depth
    for key in (VEHICLE.key(VIN), VEHICLE.key("WBA8E9G50GNU99999")):
        proof, value = chain.store.proof(key), chain.store.state.get(key)

        READER.check_proof(key, value, proof.entries, list(proof.siblings), root, depth)
        with pytest.raises(AssertionError):
            READER.check_proof(key, b"another", proof.entries, list(proof.siblings), root, depth)


def test_the_reader_proves_presence_and_absence_in_large_buckets() -> None:
    chain = many_cars(600, depth=1)
    root = chain.store.head().state_root
    for number in (7, 99_999):
        key = VEHICLE.key(f"WBA8E9G50GNU{number:05}")
        proof, value = chain.store.proof(key), chain.store.state.get(key)
        assert proof.large is not None
        large = (proof.large.count, proof.large.index, list(proof.large.paths))
        READER.check_proof(key, value, proof.entries, list(proof.siblings), root, 1, large)
        for forged in (b"another", None if value else b"another"):
            with pytest.raises(AssertionError):
                READER.check_proof(key, forged, proof.entries, list(proof.siblings), root, 1, large)
        with pytest.raises(AssertionError):
            READER.check_proof(key, value, proof.entries, list(proof.siblings), root, 1)


def test_the_reader_chains_the_records(chain: Chain) -> None:
    vehicle = chain.state(VEHICLE, VIN)
    digests = [record_digest(raw) for _, raw in chain.store.records(VIN, 0, 100)]

    assert READER.history_head(digests) == vehicle.history_head
    assert len(digests) == vehicle.record_count == 3


def test_proposers_are_the_documented_sequence(chain: Chain) -> None:
    for height in range(1, 9):
        expected = chain.store.head().validators.proposer(height, 1)
        assert READER.proposer(_entries(chain, 1), height, 1) == expected


def test_the_vector_of_the_documents_is_what_the_code_makes() -> None:
    key = dev_key("account", "workshop-berlin")
    address, genesis = address_of(key.public), genesis_hash(dev_genesis())
    request = VECTOR["request"]
    body = union_from_json(dict(TYPES), request["body"], "body")
    expires = time_from_text(request["expires_at"])
    payload = build_payload(address, body, salt=request["salt"], expires_at_ms=expires)
    signature = sign_payload(payload, genesis, address, key)
    raw = assemble(payload, [signature])

    assert VECTOR == {
        "genesis_hash": genesis.hex(),
        "public_key": key.public.hex(),
        "request": request | {"sender": to_text(address)},
        "payload": payload.hex(),
        "sign_bytes": sign_bytes(genesis, payload).hex(),
        "txid": txid_of(genesis, payload).hex(),
        "signature": signature.signature.hex(),
        "signed": raw.hex(),
        "wire_id": wire_id_of(genesis, raw).hex(),
    }


def test_the_values_that_protocol_md_names_are_those_of_the_code() -> None:
    text = "".join((DOCS / "PROTOCOL.md").read_text().split())
    genesis = dev_genesis()
    head = genesis_head(genesis, genesis_entries(genesis))
    named = [genesis_hash(genesis), head.state_root, head.validators.hash, RULESETS[1].hash]
    named += [dev_seed("account", "workshop-berlin"), dev_key("account", "workshop-berlin").public]

    assert [value.hex() for value in named if value.hex() not in text] == []
    assert all(VECTOR[name] in text for name in ("payload", "txid", "signature", "wire_id"))


@pytest.mark.parametrize("vector", TRANSACTIONS["transactions"], ids=lambda vector: vector["name"])
def test_the_writer_encodes_every_vector_by_the_schema_alone(vector: dict[str, Any]) -> None:
    genesis = bytes.fromhex(TRANSACTIONS["genesis_hash"])
    expires = time_to_text(vector["expires_at_ms"])
    payload = WRITER.encode_payload({"sender": vector["sender"], "salt": vector["salt"], "expires_at": expires,
                                     "body": vector["body"]})  # fmt: skip
    entries = [[WRITER.address(s["address"]), bytes.fromhex(s["public_key"]), bytes.fromhex(s["signature"])]
               for s in vector["signatures"]]  # fmt: skip

    assert payload.hex() == vector["payload"]
    assert WRITER.txid_of(genesis, payload).hex() == vector["txid"]
    assert WRITER.envelope(payload, entries[::-1]).hex() == vector["signed"]


@pytest.mark.network
def test_the_examples_in_node_js_hold_every_vector() -> None:
    vectors = ROOT / "tests" / "vectors" / "transactions.json"
    done = subprocess.run(
        [node_js(), str(DOCS / "examples" / "vector.mjs"), str(vectors)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")
    assert VECTOR["txid"] in done.stdout
    assert f"{len(TRANSACTIONS['transactions'])} transactions of {len(TYPES)} types" in done.stdout


@pytest.mark.network
@pytest.mark.parametrize("configured", [None, "", "48649fec", "z" * 64])
def test_the_program_that_writes_asks_for_the_genesis_hash_of_its_chain(configured: str | None, tmp_path: Path) -> None:
    """Every development network has its own: no example may pin one."""
    environment = {"PATH": os.environ["PATH"]} | ({} if configured is None else {"GENESIS_HASH": configured})
    done = subprocess.run(
        [node_js(), str(DOCS / "examples" / "record.mjs"), "http://127.0.0.1:1", "WBA8E9G50GNU12345", "12000"],
        capture_output=True, text=True, check=False, timeout=60, env=environment, cwd=tmp_path,
    )  # fmt: skip

    assert done.returncode == 1
    assert "set GENESIS_HASH to the genesis hash of your chain" in done.stderr
    assert [] == list(tmp_path.iterdir())
    for program in ("send.mjs", "record.mjs", "batch.mjs", "write_chain.py"):
        assert not re.search("[0-9a-f]{64}", (DOCS / "examples" / program).read_text("utf-8"))


@pytest.mark.parametrize("program", ["read_chain.py", "write_chain.py"])
def test_the_examples_use_nothing_of_the_node(program: str) -> None:
    text = (DOCS / "examples" / program).read_text()
    names = {
        name.split(".")[0] for names in re.findall(r"^(?:import|from) ([\w.]+)", text, re.MULTILINE) for name in [names]
    }

    assert not names & {"node", "wallet"}
    assert names - set(sys.stdlib_module_names) <= {"msgpack", "nacl"}
