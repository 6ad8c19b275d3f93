"""Golden vectors: the code still makes them, and a second implementation computes the same from the documents.

The second half imports nothing of the node: `support.second_codec` has msgpack, hashlib and the documents.
"""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any, get_args

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from support import second_codec as second
from support import second_state, vectors
from support.second_codec import h, pack, unpack

from node.txtypes.chain.actions import Action

FOLDER = Path(__file__).parent
FILES = {name: json.loads((FOLDER / name).read_text("utf-8")) for name in vectors.FILES}
TRANSACTIONS = FILES["transactions.json"]["transactions"]
GENESIS_HASH = bytes.fromhex(FILES["genesis.json"]["genesis_hash"])
x = bytes.fromhex


def check_signature(public_key: str, message: bytes, signature: str) -> None:
    """Raises where it does not verify."""
    Ed25519PublicKey.from_public_bytes(x(public_key)).verify(x(signature), message)


# --- the code still makes them -------------------------------------------------------------------------------
@pytest.mark.parametrize("name", vectors.FILES)
def test_regenerating_gives_the_same_bytes(name: str) -> None:
    assert vectors.text_of(name) == (FOLDER / name).read_text("utf-8")


def test_check_says_which_file_differs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    assert 0 == vectors.main(["--check"])
    monkeypatch.setattr(vectors, "FOLDER", tmp_path)
    assert 0 == vectors.main([])
    assert 0 == vectors.main(["--check"])
    text = (tmp_path / "votes.json").read_text("utf-8")
    (tmp_path / "votes.json").write_text(text.replace('"round": 0', '"round": 1', 1), "utf-8")
    (tmp_path / "window.json").unlink()
    capsys.readouterr()
    assert 1 == vectors.main(["--check"])
    told = capsys.readouterr().err
    assert 2 == told.count("\n") and "votes.json" in told and "window.json" in told
    assert 2 == vectors.main(["--chekc"])


def test_all_files_speak_of_one_chain() -> None:
    named = {name: found["genesis_hash"] for name, found in FILES.items() if "genesis_hash" in found}
    assert {GENESIS_HASH.hex()} == set(named.values())
    assert len(named) >= 7


def test_the_story_has_every_type_and_every_action() -> None:
    """And nothing is proposed that no action is."""
    bodies = [vector["body"] for vector in TRANSACTIONS]
    assert {body["type"] for body in bodies} == set(second.SCHEMA["types"])
    actions = {body["action"]["type"] for body in bodies if body["type"] == "governance.propose"}
    assert actions == {str(action.__struct_config__.tag) for action in get_args(Action)}


# --- the second codec ------------------------------------------------------------------------------------------
def test_the_second_codec_knows_nothing_of_the_node() -> None:
    imported = set()
    for module in (second, second_state):
        lines = Path(module.__file__).read_text("utf-8").splitlines()
        imported |= {line.split()[1] for line in lines if line.startswith(("import ", "from "))}
    assert not {name for name in imported if name.startswith(("node", "wallet"))}
    assert {"support.second_codec"} == {name for name in imported if name.startswith("support")}
    assert "msgpack" in imported


@pytest.mark.parametrize("vector", TRANSACTIONS, ids=lambda vector: vector["name"])
def test_a_transactions_bytes_and_hashes(vector: dict[str, Any]) -> None:
    body = second.values_of(vector["type"], vector["body"])
    assert vector["body_bytes"] == pack(body).hex()
    sender = second.address_bytes(vector["sender"])
    payload = pack([sender, vector["salt"], vector["expires_at_ms"], body])
    assert vector["payload"] == payload.hex()
    message = b"bmw/tx\x00" + GENESIS_HASH + payload
    assert vector["sign_bytes"] == message.hex()
    assert vector["txid"] == h("bmw/tx", GENESIS_HASH + payload).hex()
    signatures = [
        [second.address_bytes(s["address"]), x(s["public_key"]), x(s["signature"])] for s in vector["signatures"]
    ]
    assert signatures == sorted(signatures) and signatures
    for entry in vector["signatures"]:
        check_signature(entry["public_key"], message, entry["signature"])
    signed = pack([payload, signatures])
    assert vector["signed"] == signed.hex()
    assert vector["wire_id"] == h("bmw/wire", GENESIS_HASH + signed).hex()
    assert [payload, signatures] == unpack(x(vector["signed"]))


def test_every_state_value_is_packed_the_one_way() -> None:
    proof = FILES["proof.json"]
    values = [*FILES["genesis.json"]["state"].values(), *FILES["window.json"]["state"].values()]
    values += [vector["value"] for vector in proof["present"]]
    assert len(values) > 40
    for value in values:
        assert pack(unpack(x(value))) == x(value)


@pytest.mark.parametrize(
    "vector", FILES["block.json"]["blocks"], ids=lambda vector: f"height {vector['header']['height']}"
)
def test_a_blocks_header_roots_and_certificate(vector: dict[str, Any]) -> None:
    header = [x(v) if isinstance(v, str) else v for v in vector["header"].values()]
    assert vector["header_bytes"] == pack(header).hex()
    block_id = h("bmw/header", GENESIS_HASH + pack(header))
    assert vector["block_id"] == block_id.hex()
    raws = [x(raw) for raw in vector["transactions"]]
    assert vector["header"]["tx_root"] == vector["tx_root"] == second.list_root(raws).hex()
    assert vector["tx_leaves"] == [second.list_root([raw]).hex() for raw in raws]
    assert vector["header"]["evidence_root"] == vector["evidence_root"] == second.list_root([]).hex()
    last = commit_values(vector["last_commit"])
    last_hash = h("bmw/commit-certificate", pack(last)) if last[0] else bytes(32)
    assert vector["header"]["last_commit_hash"] == vector["last_commit"]["hash"] == last_hash.hex()
    assert vector["block_bytes"] == pack([header, raws, [], last]).hex()
    commit = commit_values(vector["commit"])
    assert vector["commit"]["bytes"] == pack(commit).hex()
    message = b"bmw/vote\x00" + GENESIS_HASH + pack(["precommit", commit[0], commit[1], block_id])
    assert vector["commit_sign_bytes"] == message.hex() and commit[2] == block_id
    for validator, signature in zip(FILES["block.json"]["validators"], vector["commit"]["signatures"], strict=True):
        check_signature(validator["consensus_key"], message, signature)


def commit_values(vector: dict[str, Any]) -> list[Any]:
    signatures = [x(signature) for signature in vector["signatures"]]
    return [vector["height"], vector["round"], x(vector["block_id"]), signatures]


def test_the_paths_to_a_blocks_transactions() -> None:
    several = next(v for v in FILES["block.json"]["blocks"] if len(v["transactions"]) == 3)
    a, b, c = (x(leaf) for leaf in several["tx_leaves"])
    ab = second.sha256(b"\x01" + a + b).digest()
    assert [[b.hex(), c.hex()], [a.hex(), c.hex()], [ab.hex()]] == several["tx_paths"]


def test_the_validator_set_and_whose_turn_it_is() -> None:
    file = FILES["block.json"]
    entries = [[x(v["address"]), x(v["consensus_key"]), v["power"]] for v in file["validators"]]
    assert file["validators_hash"] == h("bmw/validators", pack(entries)).hex()
    powers = [(entry[0], entry[2]) for entry in entries]
    assert file["proposers"] == [address.hex() for address in second.proposers(powers, len(file["proposers"]))]
    for block in file["blocks"]:
        header, round_ = block["header"], block["commit"]["round"]
        assert file["validators_hash"] == header["validators_hash"]
        assert header["proposer"] == second.proposers(powers, header["height"] + round_ + 1)[-1].hex()


@pytest.mark.parametrize("vector", FILES["votes.json"]["messages"], ids=lambda vector: vector["name"])
def test_what_a_validator_signs(vector: dict[str, Any]) -> None:
    check_message(vector)


def check_message(vector: dict[str, Any]) -> list[Any]:
    if "kind" in vector:
        step = [vector["kind"], vector["height"], vector["round"], x(vector["block_id"])]
        tag, signer = b"bmw/vote\x00", vector["validator"]
    else:
        step = [vector["height"], vector["round"], x(vector["block_id"]), vector["valid_round"]]
        tag, signer = b"bmw/proposal\x00", vector["proposer"]
    message = tag + GENESIS_HASH + pack(step)
    assert vector["sign_bytes"] == message.hex()
    key = next(v["consensus_key"] for v in FILES["block.json"]["validators"] if v["address"] == signer)
    check_signature(key, message, vector["signature"])
    values = [*step, x(signer), x(vector["signature"])]
    assert vector["bytes"] == pack(values).hex()
    return values


def test_evidence_and_its_name() -> None:
    evidence = FILES["votes.json"]["evidence"]
    pair = [check_message(evidence["first"]), check_message(evidence["second"])]
    assert evidence["bytes"] == pack(pair).hex()
    kind, height, round_, _, validator, _ = pair[0]
    assert evidence["id"] == h("bmw/evidence", pack([validator, height, round_, kind])).hex()
    assert evidence["root_of_one"] == second.list_root([pack(pair)]).hex()


# --- state -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["present", "absent"])
def test_state_proofs(kind: str) -> None:
    file = FILES["proof.json"]
    assert any(vector["entries"] for vector in file[kind])
    for vector in file[kind]:
        slot, entries = h("bmw/slot", vector["key"].encode()), x(vector["entries"])
        assert vector["slot"] == slot.hex()
        assert vector["bucket"] == int.from_bytes(slot, "big") >> (256 - file["depth"])
        stored = {entries[i : i + 32]: entries[i + 32 : i + 64] for i in range(0, len(entries), 64)}
        wanted = None if vector["value"] is None else second.sha256(x(vector["value"])).digest()
        assert wanted == stored.get(slot)
        assert file["depth"] == len(vector["siblings"])
        root = second.root_of_proof(slot, entries, [x(s) for s in vector["siblings"]])
        assert file["state_root"] == root.hex()


def test_a_small_tree_grows() -> None:
    tree, state = FILES["proof.json"]["small_tree"], {}
    for (key, value), root in zip(tree["entries"], tree["roots_after_each"], strict=True):
        state[key.encode()] = value.encode()
        assert root == second.state_root(state, tree["depth"]).hex()


def test_a_large_bucket_hashes_as_a_list_and_is_proven_by_its_neighbours() -> None:
    tree = FILES["proof.json"]["large_bucket"]
    state = {f"family/{n}".encode(): f"value {n}".encode() for n in range(tree["keys"])}
    assert tree["root"] == second.state_root(state, tree["depth"]).hex()
    for proof in tree["proofs"]:
        slot, entries = h("bmw/slot", proof["key"].encode()), x(proof["entries"])
        given = [entries[at : at + 64] for at in range(0, len(entries), 64)]
        places = range(proof["index"], proof["index"] + len(given))
        roots = {
            second.path_root(entry, place, proof["count"], [x(node) for node in path])
            for entry, place, path in zip(given, places, proof["paths"], strict=True)
        }
        (root,) = roots
        bucket = sha256(b"\x02" + proof["count"].to_bytes(4, "big") + root).digest()
        (sibling,) = map(x, proof["siblings"])
        pair = sibling + bucket if slot[0] >> 7 else bucket + sibling
        assert tree["root"] == sha256(pair).hexdigest()
        if proof["value"] is None:
            assert given[0][:32] < slot < given[1][:32]
        else:
            assert given == [slot + sha256(proof["value"].encode()).digest()]


def test_the_state_of_height_0() -> None:
    file = FILES["genesis.json"]
    state = {key.encode(): x(value) for key, value in file["state"].items()}
    assert file["state_root"] == second.state_root(state, file["tree_depth"]).hex()


def test_the_genesis_hash_is_that_of_genesis_json() -> None:
    document = json.loads((FOLDER.parents[1] / "genesis.json").read_text("utf-8"))
    encoded = pack(second.values_of("genesis", document))
    assert FILES["genesis.json"]["encoding"] == encoded.hex()
    assert GENESIS_HASH == h("bmw/genesis", encoded)


def test_the_record_chain_leads_to_the_leaf() -> None:
    file, head = FILES["records.json"], bytes(32)
    txids = {vector["txid"]: vector for vector in TRANSACTIONS}
    for sequence, record in enumerate(file["records"]):
        face, content = x(record["face"]), x(record["content"])
        digest = h("bmw/record-body", face + h("bmw/record-content", content))
        head = h("bmw/record", head + sequence.to_bytes(8, "big") + digest)
        assert [sequence, digest.hex(), head.hex()] == [record["sequence"], record["digest"], record["head"]]
        version, number, txid, height, time_ms, author, _, kind, event_at_ms = unpack(face)
        content_version, salt, body, outcome = unpack(content)
        told = second_state.body_fields(unpack(body))
        assert event_at_ms == documented_event(kind, told, time_ms)
        check_outcome(kind, told, [code.partition(":")[0] for code in outcome])
        source = txids[txid.hex()]
        assert [1, 1, sequence, source["height"], source["type"]] == [version, content_version, number, height, kind]
        assert second.address_bytes(source["sender"]) == author
        sent = unpack(x(source["body_bytes"]))
        if kind == "recall.extend":  # the record is of one of the cars that it names
            assert file["vin"] in sent[4]
            sent[4] = [file["vin"]]
        assert pack(sent) == body
        secret = x(source["payload"]) + file["vin"].encode() + sequence.to_bytes(8, "big")
        assert h("bmw/record-salt", secret)[:16] == salt
    leaf = second_state.read("#### `vehicle/`", unpack(x(file["leaf"])))
    assert (leaf["record_count"], leaf["history_head"]) == (file["record_count"], head)
    assert (len(file["records"]), head.hex()) == (file["record_count"], file["history_head"])


def documented_event(kind: str, told: dict[str, Any], time_ms: int) -> int:
    """PROTOCOL.md, section 9."""
    if kind == "vehicle.register":
        return min(second.millis(told["produced_on"] + "T00:00:00Z"), time_ms)
    event: int = told.get("event_at", time_ms)
    return event


OUTCOMES = {
    "accident.report": ["severity", "self_reported", "incident_joined"],
    "inspection.record": ["inspection", "unpresented", "not_cleared", "findings_differ"],
    "repair.record": ["parts_unproven", "structural", "provisional"],
    "vehicle.total_loss": ["provisional", "before_import"],
    "registration.accept": ["claim_opened"],
    "registration.end": ["claim_takes_effect", "claim_objected"],
    "record.resolve": ["decided"],
    "record.close": ["decided"],
    "part.bind": ["unproven", "not_bound"],
    "software.update": ["gap", "rolled_back"],
}
"""The names of outcome codes that a type can have, in their order (PROTOCOL.md, section 9)."""
ALWAYS = ("accident.report", "inspection.record", "record.close")
"""Types with the first of their codes in any case."""


def check_outcome(kind: str, told: dict[str, Any], names: list[str]) -> None:
    has_reading = told.get("odometer") is not None
    assert has_reading == (names[-1:] == ["verdict"]), kind
    own = [name for name in (names[:-1] if has_reading else names) if name != "alert"]  # of every type
    assert own == [name for name in OUTCOMES.get(kind, []) if name in own], kind
    assert kind not in ALWAYS or own[0] == OUTCOMES[kind][0]


def test_the_replay_windows_buckets() -> None:
    buckets: dict[int, list[Any]] = {}
    file = FILES["window.json"]
    assert [t["txid"] for t in file["transactions"]] == [t["txid"] for t in TRANSACTIONS]
    for entry in file["transactions"]:
        hour = entry["expires_at_ms"] // 3_600_000
        count, head = buckets.get(hour, [0, bytes(32)])
        head = h("bmw/window", head + x(entry["txid"]) + entry["expires_at_ms"].to_bytes(8, "big"))
        buckets[hour] = [count + 1, head]
        assert [hour, count + 1, head.hex()] == [entry["hour"], entry["count"], entry["head"]]
    kept = [hour for hour in buckets if hour >= file["time_ms"] // 3_600_000]
    assert file["state"] == {str(hour): pack([1, *buckets[hour]]).hex() for hour in kept} != {}


# --- names, hashes -----------------------------------------------------------------------------------------------
def test_addresses() -> None:
    file = FILES["addresses.json"]
    for vector in file["addresses"]:
        assert vector["address"] == h("bmw/address", x(vector["public_key"]))[:20].hex()
    for vector in file["addresses"] + file["edges"]:
        assert vector["text"] == second.address_text(x(vector["address"]))
        assert vector["address"] == second.address_bytes(vector["text"]).hex()
    for text in file["refused"]:
        with pytest.raises((AssertionError, ValueError)):
            second.address_bytes(text)


def test_commitments_and_payment_references() -> None:
    file = FILES["hashes.json"]
    for vector in file["commitments"]:
        data = vector["kind"].encode() + x(vector["salt"]) + vector["value"].encode()
        assert vector["commitment"] == h("bmw/commit", data).hex()
    for vector in file["payment_references"]:
        rails = "bank" if vector["rail"] in ("bank_transfer", "instant_transfer") else vector["rail"]
        told = [rails, x(vector["provider"]), vector["kind"], x(vector["raw"])]
        assert vector["reference_key"] == h("bmw/payment-ref", pack(told)).hex()
    assert h("bmw/uetr", x(file["transfer"]["uetr"])).hex() == file["transfer"]["uetr_key"]


def test_a_creditor_reference_is_of_iso_11649() -> None:
    """The reference names the payment, and ISO 7064 (MOD 97-10) detects a digit that is typed wrongly."""
    vector = FILES["hashes.json"]["creditor_reference"]
    reference = vector["reference"]
    assert len(reference) == 25 and reference.startswith("RF") and reference[2:4].isdigit()
    assert int("".join(str(int(c, 36)) for c in reference[4:] + reference[:4])) % 97 == 1
    assert int(reference[4:], 36) == int(vector["payment"][:26], 16)


def test_the_disclosure_root_is_what_was_shown() -> None:
    file = FILES["hashes.json"]["disclosure"]
    listing = second_state.read("#### `listing/`", unpack(x(file["listing_value"])))
    vehicle = second_state.read("#### `vehicle/`", unpack(x(file["vehicle_value"])))
    material = [vehicle[name] for name in ("holder", "transfer_count", "origin", "grade", "covered_since_ms",
                                           "material_changes", "material_head")]  # fmt: skip
    root = h("bmw/material-root", pack([listing["vin"], *material]))
    price = listing["price"]
    shown = [root, x(file["listing"]), listing["version"], price["amount"], price["currency"]]
    assert file["disclosure_root"] == h("bmw/disclosure", pack(shown)).hex()


def test_the_proof_of_possession() -> None:
    file = FILES["hashes.json"]["possession"]
    data = x(file["genesis_hash"]) + x(file["member"]) + x(file["consensus_key"])
    assert file["sign_bytes"] == h("bmw/possession", data).hex()
    check_signature(file["consensus_key"], x(file["sign_bytes"]), file["signature"])
