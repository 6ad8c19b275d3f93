"""Golden vectors: what another implementation has to compute, written from the code and held to it ever after.

`scripts/vectors` writes `tests/vectors/*.json`; `scripts/vectors --check` says which of them differ. Changing one is a
decision: it means that the encoding or a hash has changed, and with it every chain.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path

from msgspec.structs import asdict
from msgspec.structs import replace as changed

from node.chain.block import Block, Commit, block_id_of, commit_hash, evidence_root
from node.chain.genesis import genesis_hash, parse_genesis
from node.chain.vote import NIL, Evidence, Proposal, Vote, evidence_id, sign_bytes_of, vote_sign_bytes
from node.codec import encode
from node.crypto import merkle
from node.crypto.addresses import address_of, to_text
from node.crypto.dev_keys import dev_key
from node.crypto.hashing import ZERO32, commitment
from node.crypto.state_tree import StateTree, bucket_of, changed_bucket, prove, slot_of
from node.ledger.body import type_of
from node.ledger.json_form import to_json
from node.ledger.signed import sign_bytes
from node.storage.chain_store import ChainStore
from node.txtypes.chain.replay_window import EMPTY, WINDOW, extended, hour_of
from node.txtypes.chain.validator_set import possession_bytes
from node.txtypes.registry import FAMILIES
from node.txtypes.rulesets import RULESETS
from node.txtypes.sale.disclosure import disclosure_root
from node.txtypes.sale.listing import LISTING
from node.txtypes.sale.payments import creditor_reference, reference_key, uetr_key
from node.txtypes.vehicle.record import next_history_head, record_digest, stored_record
from node.txtypes.vehicle.vehicle import VEHICLE
from support.certifying.broken import certificates
from support.chain import address
from support.life import VIN
from support.memory_store import MemoryStore
from support.played import Story
from support.refused import refused
from support.vector_sale import UETR
from support.vector_story import play

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "tests" / "vectors"
NAMES = ("bmw", "dealer-munich", "dealer-shanghai", "workshop-berlin", "bank-1", "payment-provider-1", "buyer-1")


@cache
def story() -> Story:
    return play()


def _hex(entries: list[bytes] | tuple[bytes, ...]) -> list[str]:
    return [entry.hex() for entry in entries]


def _chain() -> dict[str, str]:
    return {"genesis_hash": story().chain.genesis_hash.hex()}


# --- transactions --------------------------------------------------------------------------------------
def transactions() -> dict[str, object]:
    chain = story().chain
    vectors = []
    for played in story().played:
        tx = chain.check(played.raw)
        payload = tx.payload
        vectors.append(
            {
                "name": played.name,
                "type": type_of(payload.body),
                "height": played.height,
                "index": played.index,
                "sender": to_text(payload.sender),
                "salt": payload.salt,
                "expires_at_ms": payload.expires_at_ms,
                "body": to_json(payload.body),
                "body_bytes": encode(payload.body).hex(),
                "payload": tx.payload_bytes.hex(),
                "sign_bytes": sign_bytes(chain.genesis_hash, tx.payload_bytes).hex(),
                "txid": tx.txid.hex(),
                "signatures": [
                    {"address": to_text(s.address), "public_key": s.public_key.hex(), "signature": s.signature.hex()}
                    for s in tx.signatures
                ],
                "signed": tx.raw.hex(),
                "wire_id": tx.wire_id.hex(),
            }
        )
    return {**_chain(), "transactions": vectors}


# --- blocks ----------------------------------------------------------------------------------------------
def _block_vector(block: Block, commit: Commit) -> dict[str, object]:
    genesis = story().chain.genesis_hash
    raws = block.transactions
    header = {k: v.hex() if isinstance(v, bytes) else v for k, v in asdict(block.header).items()}
    return {
        "header": header,
        "header_bytes": encode(block.header).hex(),
        "block_id": block_id_of(block.header, genesis).hex(),
        "transactions": _hex(raws),
        "tx_leaves": _hex([merkle.leaf_hash(raw) for raw in raws]),
        "tx_root": merkle.root(raws).hex(),
        "tx_paths": [_hex(merkle.inclusion_path(raws, index)) for index in range(len(raws))],
        "evidence_root": evidence_root(block.evidence).hex(),
        "last_commit": _commit_vector(block.last_commit),
        "block_bytes": encode(block).hex(),
        "commit": _commit_vector(commit),
        "commit_sign_bytes": vote_sign_bytes(genesis, "precommit", commit.height, 0, commit.block_id).hex(),
    }


def _commit_vector(commit: Commit) -> dict[str, object]:
    return {
        "height": commit.height,
        "round": commit.round,
        "block_id": commit.block_id.hex(),
        "signatures": _hex(commit.signatures),
        "bytes": encode(commit).hex(),
        "hash": commit_hash(commit).hex(),
    }


def block() -> dict[str, object]:
    """Block 1, whose last commit is empty; the block with several transactions; the empty one at the end."""
    store = story().chain.store
    several = next(played.height for played in story().played if played.index == 2)
    found = [(store.block(height), store.commit(height)) for height in (1, several, store.height())]
    validators = store.validators(several)
    return {
        **_chain(),
        "validators": [
            {"address": e.address.hex(), "consensus_key": e.consensus_key.hex(), "power": e.power}
            for e in validators.entries
        ],
        "validators_hash": validators.hash.hex(),
        "proposers": _hex([validators.proposer(height, 0) for height in range(8)]),
        "ruleset_hash": RULESETS[1].hash.hex(),
        "blocks": [_block_vector(block, commit) for block, commit in found if block and commit],
    }


# --- votes -----------------------------------------------------------------------------------------------
def _vote(name: str, kind: str, height: int, round_: int, block_id: bytes) -> Vote:
    unsigned = vote_sign_bytes(story().chain.genesis_hash, kind, height, round_, block_id)
    signature = dev_key("consensus", name).sign(unsigned)
    return Vote(kind, height, round_, block_id, address(name), signature)  # type: ignore[arg-type]


def _proposal(name: str, height: int, round_: int, block_id: bytes, valid_round: int) -> Proposal:
    proposal = Proposal(height, round_, block_id, valid_round, address(name), bytes(64))
    signature = dev_key("consensus", name).sign(sign_bytes_of(proposal, story().chain.genesis_hash))
    return changed(proposal, signature=signature)


def _message_vector(name: str, message: Vote | Proposal) -> dict[str, object]:
    fields = {k: v.hex() if isinstance(v, bytes) else v for k, v in asdict(message).items()}
    return {
        "name": name,
        **fields,
        "sign_bytes": sign_bytes_of(message, story().chain.genesis_hash).hex(),
        "bytes": encode(message).hex(),
    }


def votes() -> dict[str, object]:
    ids = (b"\x11" * 32, b"\x22" * 32)
    found = {
        "prevote": _vote("bmw", "prevote", 7, 0, ids[0]),
        "prevote for nil": _vote("bmw", "prevote", 7, 1, NIL),
        "precommit": _vote("dealer-munich", "precommit", 7, 0, ids[0]),
        "precommit for nil, of a high round": _vote("dealer-munich", "precommit", 70_000, 300, NIL),
        "new proposal": _proposal("bmw", 7, 0, ids[0], -1),
        "proposal of an earlier round's block": _proposal("dealer-munich", 7, 2, ids[0], 0),
    }
    evidence = Evidence(*(_vote("dealer-shanghai", "prevote", 7, 0, ident) for ident in ids))
    return {
        **_chain(),
        "messages": [_message_vector(name, message) for name, message in found.items()],
        "evidence": {
            "first": _message_vector("for the lower id", evidence.first),
            "second": _message_vector("for the higher id", evidence.second),
            "bytes": encode(evidence).hex(),
            "id": evidence_id(evidence).hex(),
            "root_of_one": evidence_root((evidence,)).hex(),
        },
    }


# --- state -----------------------------------------------------------------------------------------------
def _proof_vector(store: ChainStore, key: bytes) -> dict[str, object]:
    proof, value = store.proof(key), store.state.get(key)
    return {
        "key": key.decode("ascii"),
        "value": None if value is None else value.hex(),
        "slot": slot_of(key).hex(),
        "bucket": bucket_of(slot_of(key), store.tree.depth),
        "entries": proof.entries.hex(),
        "siblings": _hex(proof.siblings),
    }


def _absent_beside_another(store: ChainStore) -> bytes:
    """The first made-up key whose bucket holds something."""
    numbers = (b"vehicle/NONE%d" % n for n in range(1_000_000))
    return next(key for key in numbers if store.state.bucket(bucket_of(slot_of(key), store.tree.depth)))


def _small_tree() -> dict[str, object]:
    depth, entries = 2, {b"family/%d" % n: b"value %d" % n for n in range(6)}
    buckets: dict[int, bytes] = {}
    roots = []
    for key, value in entries.items():
        number = bucket_of(slot_of(key), depth)
        digest = sha256(value).digest()
        buckets[number] = changed_bucket(buckets.get(number, b""), slot_of(key), digest)
        roots.append(StateTree(depth, buckets.items()).root.hex())
    return {
        "depth": depth,
        "entries": [[key.decode(), value.decode()] for key, value in entries.items()],
        "roots_after_each": roots,
    }


def _large_bucket() -> dict[str, object]:
    """600 keys at depth 1: both buckets have more than 256 entries. One key is there, the other is not."""
    state = {b"family/%d" % n: b"value %d" % n for n in range(600)}
    buckets = {0: b"", 1: b""}
    for key, value in state.items():
        number = bucket_of(slot_of(key), 1)
        buckets[number] = changed_bucket(buckets[number], slot_of(key), sha256(value).digest())
    tree = StateTree(1, buckets.items())
    proofs = []
    for key in (b"family/7", b"family/600"):
        number = bucket_of(slot_of(key), 1)
        made = prove(key, buckets[number], tree.siblings(number))
        assert made.large is not None
        proofs.append(
            {
                "key": key.decode(),
                "value": state[key].decode() if key in state else None,
                "entries": made.entries.hex(),
                "siblings": _hex(made.siblings),
                "count": made.large.count,
                "index": made.large.index,
                "paths": [_hex(path) for path in made.large.paths],
            }
        )
    return {"depth": 1, "keys": 600, "root": tree.root.hex(), "proofs": proofs}


def proof() -> dict[str, object]:
    store = story().chain.store
    vehicle = VEHICLE.key(VIN)
    return {
        **_chain(),
        "height": store.height(),
        "depth": store.tree.depth,
        "state_root": store.head().state_root.hex(),
        "present": [_proof_vector(store, key) for key in (vehicle, b"chain/params", b"validators/set")],
        "absent": [_proof_vector(store, key) for key in (b"vehicle/NOT-BORN", _absent_beside_another(store))],
        "small_tree": _small_tree(),
        "large_bucket": _large_bucket(),
    }


def records() -> dict[str, object]:
    """The whole history of the story's car, and the leaf that commits to it."""
    store, head, found = story().chain.store, ZERO32, []
    vehicle = story().chain.state(VEHICLE, VIN)
    for sequence, raw in store.records(VIN, 0, 1_000):
        record, digest = stored_record(raw), record_digest(raw)
        head = next_history_head(head, sequence, digest)
        encodings = {"face": record.face.hex(), "content": record.content.hex()}
        found.append({"sequence": sequence, **encodings, "digest": digest.hex(), "head": head.hex()})
    return {
        **_chain(),
        "vin": VIN,
        "leaf": encode(vehicle).hex(),
        "record_count": vehicle.record_count,
        "history_head": vehicle.history_head.hex(),
        "records": found,
    }


def window() -> dict[str, object]:
    """The buckets of the replay window as they grow; the last of each is the state value at the story's end, unless its
    hour has passed by then."""
    chain, found = story().chain, []
    buckets = {}
    for played in story().played:
        tx = chain.check(played.raw)
        expires = tx.payload.expires_at_ms
        hour = hour_of(expires)
        buckets[hour] = extended(buckets.get(hour, EMPTY), [(tx.txid, expires)])
        found.append(
            {
                "txid": tx.txid.hex(),
                "expires_at_ms": expires,
                "hour": hour,
                "count": buckets[hour].count,
                "head": buckets[hour].head.hex(),
            }
        )
    kept = {str(hour): chain.state(WINDOW, str(hour)) for hour in buckets}
    state = {hour: encode(bucket).hex() for hour, bucket in kept.items() if bucket is not None}
    return {**_chain(), "transactions": found, "time_ms": chain.store.head().time_ms, "state": state}


# --- names, hashes ---------------------------------------------------------------------------------------
def addresses() -> dict[str, object]:
    keys = [dev_key("account", name).public for name in NAMES]
    return {
        "addresses": [
            {"name": name, "public_key": key.hex(), "address": address_of(key).hex(), "text": to_text(address_of(key))}
            for name, key in zip(NAMES, keys, strict=True)
        ],
        "edges": [{"address": raw.hex(), "text": to_text(raw)} for raw in (bytes(20), b"\xff" * 20)],
        "refused": [
            to_text(bytes(20)).upper(),
            to_text(bytes(20))[:-1] + "q",
            to_text(bytes(20)).replace("bmw1", "bc1"),
            to_text(bytes(20))[:-1],
            "",
        ],
    }


def hashes() -> dict[str, object]:
    """Commitments, references, disclosure, proofs of possession: hashes that parties compute outside a node."""
    chain, salt = story().chain, bytes(range(32))
    provider, consensus = address("payment-provider-1"), dev_key("consensus", "bmw").public
    listed, paid = story().txids["listing.create again"], story().txids["payment.initiate"]
    listing, vehicle = chain.state(LISTING, listed), chain.state(VEHICLE, VIN)
    possession = possession_bytes(chain.genesis_hash, address("bmw"), consensus)
    return {
        **_chain(),
        "commitments": [
            {
                "kind": kind,
                "salt": salt.hex(),
                "value": value,
                "commitment": commitment(kind, salt, value.encode()).hex(),
            }
            for kind, value in (("plate", "M-AB 1234"), ("phone", "+498938200"), ("plate", "京A12345"))
        ],
        "payment_references": [
            {
                "rail": rail,
                "provider": provider.hex(),
                "kind": kind,
                "raw": raw.hex(),
                "reference_key": reference_key(rail, provider, kind, raw).hex(),
            }
            for rail, kind, raw in (
                ("bank_transfer", "entry", sha256(b"keyed").digest()),
                ("instant_transfer", "entry", sha256(b"keyed").digest()),
                ("bank_transfer", "uetr", UETR),
                ("card", "entry", sha256(b"keyed").digest()),
            )
        ],
        "transfer": {"uetr": UETR.hex(), "uetr_key": uetr_key(UETR).hex()},
        "creditor_reference": {"payment": paid.hex(), "reference": creditor_reference(paid)},
        "disclosure": {
            "listing": listed.hex(),
            "listing_value": encode(listing).hex(),
            "vehicle_value": encode(vehicle).hex(),
            "disclosure_root": disclosure_root(listed, listing, vehicle).hex(),
        },
        "possession": {
            "genesis_hash": chain.genesis_hash.hex(),
            "member": address("bmw").hex(),
            "consensus_key": consensus.hex(),
            "sign_bytes": possession.hex(),
            "signature": dev_key("consensus", "bmw").sign(possession).hex(),
        },
    }


def genesis() -> dict[str, object]:
    """The hash of `genesis.json`, and the state of height 0 that follows from it."""
    document = parse_genesis((ROOT / "genesis.json").read_bytes())
    store = ChainStore(MemoryStore(), document)
    return {
        "encoding": encode(document).hex(),
        "genesis_hash": genesis_hash(document).hex(),
        "tree_depth": document.tree_depth,
        "state": {
            key[1:].decode("ascii"): value.hex()
            for key, value in store.kv.scan(b"S", b"T")
            if key[1:].split(b"/")[0].decode("ascii") in FAMILIES
        },
        "state_root": store.head().state_root.hex(),
    }


FILES: dict[str, Callable[[], dict[str, object]]] = {
    "transactions.json": transactions,
    "block.json": block,
    "votes.json": votes,
    "proof.json": proof,
    "records.json": records,
    "window.json": window,
    "addresses.json": addresses,
    "hashes.json": hashes,
    "genesis.json": genesis,
    "refused.json": refused,
    "certificates.json": certificates,
}


@cache
def text_of(name: str) -> str:
    """What the file must hold."""
    return json.dumps(FILES[name](), indent=1, ensure_ascii=False) + "\n"


def differing() -> list[str]:
    """Names of files that are missing or hold something else."""
    wanted = {name: text_of(name) for name in FILES}
    return [n for n, text in wanted.items() if not (FOLDER / n).exists() or (FOLDER / n).read_text("utf-8") != text]


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--check"]):
        print("usage: scripts/vectors [--check]", file=sys.stderr)
        return 2
    stale = differing()
    if arguments:
        for name in stale:
            print(f"tests/vectors/{name} differs: run scripts/vectors, if the change is meant", file=sys.stderr)
        return 1 if stale else 0
    for name in stale:
        (FOLDER / name).write_text(text_of(name), "utf-8")
        print(f"wrote tests/vectors/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
