"""A second reader of the chain, written from docs/PROTOCOL.md alone: it uses none of the node's code.

    python docs/examples/read_chain.py http://127.0.0.1:26700 [VIN]

Needs the packages msgpack and pynacl. Checks encoding, ids, roots, sets, certificates, proposers and signatures of
every block, and with a VIN the proof of the vehicle and the chain of its records. It does not execute transactions;
bmw-audit does.
"""

import datetime
import hashlib
import json
import sys
import urllib.request
from functools import reduce
from math import gcd

import msgpack
from nacl.signing import VerifyKey


# --- section 1, 2, 3: encoding, hashes, addresses ---------------------------------------------------------
def sha(data):
    return hashlib.sha256(data).digest()


def tagged(tag, data):
    return sha(tag.encode() + b"\0" + data)


def encode(value):
    return msgpack.packb(value, use_bin_type=True)


def decode(raw):
    value = msgpack.unpackb(raw, raw=False)
    assert encode(value) == raw, "one encoding for each value"
    return value


def list_root(entries):
    if len(entries) < 2:
        return sha(b"\0" + entries[0]) if entries else sha(b"")
    split = 1 << (len(entries) - 1).bit_length() - 1
    return sha(b"\1" + list_root(entries[:split]) + list_root(entries[split:]))


def address(text):
    number = reduce(lambda n, c: n << 5 | "qpzry9x8gf2tvdw0s3jn54khce6mua7l".index(c), text[4:36], 0)
    return number.to_bytes(20, "big")


def millis(text):
    moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None
    return 0 if moment is None else round(moment.timestamp() * 1000)


# --- section 17: genesis ------------------------------------------------------------------------------------
def genesis_hash(document):
    def grant(g):
        times = [millis(g["starts_at"]), millis(g["ends_at"])]
        changes = [[c["status"], c["reason"], millis(c["at"])] for c in g["changes"]]
        return [g["role"], g["wmis"], g["country"], g["capabilities"], *times, changes]

    def validator(v):
        return v and [bytes.fromhex(v["consensus_key"]), bytes.fromhex(v["possession"]), v["power"]]

    def member(m):
        if m is None:
            return None
        roles = [grant(g) for g in m["roles"]]
        sites = [[*list(s.values())[:-1], millis(s["valid_until"])] for s in m["sites"]]
        node = bytes.fromhex(m["node_key"]), m["node_address"]
        return [m["country"], m["group"], roles, sites, validator(m["validator"]), *node]

    def account(a):
        keys = [bytes.fromhex(key) for key in a["keys"]]
        sealing, sponsor = bytes.fromhex(a["sealing_hash"]), address(a["sponsor"])
        return [a["name"], address(a["address"]), keys, a["threshold"], sealing, sponsor, member(a["member"])]

    accounts = [account(a) for a in document["accounts"]]
    params = [1, *document["params"].values()]
    params[-1] = bytes.fromhex(params[-1])  # next_ruleset_hash
    assert document["continues"] is None, "this reader follows one chain"
    return tagged("bmw/genesis", encode([document["chain_id"], millis(document["time"]), document["tree_depth"],
                                         params, accounts, None]))  # fmt: skip


# --- section 4, 5, 10: blocks ---------------------------------------------------------------------------------
def proposer(entries, height, round_):
    divisor = reduce(gcd, [power for _, _, power in entries])
    powers = [power // divisor for _, _, power in entries]
    credit, sequence = [0] * len(powers), []
    for _ in range(sum(powers)):
        credit = [c + p for c, p in zip(credit, powers, strict=True)]
        chosen = max(range(len(credit)), key=lambda i: (credit[i], -i))
        credit[chosen] -= sum(powers)
        sequence.append(entries[chosen][0])
    return sequence[(height + round_) % len(sequence)]


def check_block(raw, genesis, height, parent_id, entries, following):
    """`raw`: [block, certificate]; `entries`, `following`: the sets of this height and the next. Gives the block id."""
    (header, transactions, evidence, last_commit), (commit_height, round_, block_id, signatures) = decode(raw)
    assert block_id == tagged("bmw/header", genesis + encode(header))
    assert (header[0], header[1], commit_height, header[3]) == (1, height, height, parent_id)
    assert header[5] == list_root(transactions)
    assert header[10] == list_root([encode(piece) for piece in evidence])
    assert header[11] == (bytes(32) if height == 1 else tagged("bmw/commit-certificate", encode(last_commit)))
    assert header[7] == tagged("bmw/validators", encode(entries))
    assert header[8] == tagged("bmw/validators", encode(following))
    assert header[4] in [entry[0] for entry in entries]
    message, power = b"bmw/vote\0" + genesis + encode(["precommit", height, round_, block_id]), 0
    for (_, key, weight), signature in zip(entries, signatures, strict=True):
        if signature:
            VerifyKey(key).verify(message, signature)
            power += weight
    assert 3 * power > 2 * sum(weight for _, _, weight in entries)
    for transaction in transactions:
        payload, signers = decode(transaction)
        assert decode(payload)[0] in [signer[0] for signer in signers]
        assert [signer[:2] for signer in signers] == sorted(signer[:2] for signer in signers)
        for _, key, signature in signers:
            VerifyKey(key).verify(b"bmw/tx\0" + genesis + payload, signature)
    return block_id


# --- section 7, 9: proofs and records ---------------------------------------------------------------------------
def large_bucket(slot, slots, entries, large):
    """`large`: (number of all entries, index of the first one given, path of each)."""
    count, index, paths = large
    assert 256 < count and len(slots) == len(paths) in (1, 2) and 0 <= index <= count - len(slots)
    roots = {list_root_of(entries[64 * i : 64 * i + 64], index + i, count, path) for i, path in enumerate(paths)}
    before, behind = index == 0 and slot < slots[0], index + len(slots) == count and slot > slots[-1]
    assert len(roots) == 1 and (slot in slots or before or behind or slots[0] < slot < slots[-1])
    return sha(b"\2" + count.to_bytes(4, "big") + roots.pop())


def list_root_of(entry, index, count, path):
    if count == 1:
        assert not path
        return sha(b"\0" + entry)
    split = 1 << (count - 1).bit_length() - 1
    if index < split:
        return sha(b"\1" + list_root_of(entry, index, split, path[:-1]) + path[-1])
    return sha(b"\1" + path[-1] + list_root_of(entry, index - split, count - split, path[:-1]))


def check_proof(key, value, entries, siblings, root, depth, large=None):
    assert len(siblings) == depth
    slot = tagged("bmw/slot", key)
    number = int.from_bytes(slot, "big") >> (256 - depth)
    slots = [entries[at : at + 32] for at in range(0, len(entries), 64)]
    assert slots == sorted(set(slots)) and all(int.from_bytes(s, "big") >> (256 - depth) == number for s in slots)
    assert {s: entries[64 * i + 32 : 64 * i + 64] for i, s in enumerate(slots)}.get(slot) == (value and sha(value))
    assert large or len(slots) <= 256
    whole = sha(b"\0" + entries) if entries else bytes(32)
    node = large_bucket(slot, slots, entries, large) if large else whole
    for sibling in siblings:
        pair = sibling + node if number & 1 else node + sibling
        node, number = bytes(32) if pair == bytes(64) else sha(pair), number >> 1
    assert node == root


def history_head(digests):
    head = bytes(32)
    for sequence, digest in enumerate(digests):
        head = tagged("bmw/record", head + sequence.to_bytes(8, "big") + digest)
    return head


# --- over HTTP ------------------------------------------------------------------------------------------------
def main(node, vin=None):
    def get(path, kind="application/json"):
        request = urllib.request.Request(node + path, headers={"Accept": kind})
        with urllib.request.urlopen(request) as answer:
            return answer.read() if kind != "application/json" else json.load(answer)

    def entries(height):
        found = get(f"/v1/validators?height={height}")["validators"]
        return [[address(v["address"]), bytes.fromhex(v["consensus_key"]), v["power"]] for v in found]

    status, document = get("/v1/status"), get("/v1/genesis")
    genesis = parent = genesis_hash(document)
    assert genesis.hex() == status["genesis_hash"]
    for height in range(1, status["head"]["height"] + 1):
        raw = get(f"/v1/blocks/{height}", "application/msgpack")
        parent = check_block(raw, genesis, height, parent, entries(height), entries(height + 1))
    print("blocks hold up to height", status["head"]["height"], parent.hex())
    if vin:
        state = get(f"/v1/state/vehicle/{vin}?proof=true")
        header, value = decode(bytes.fromhex(state["header"]["raw"])), bytes.fromhex(state["value"])
        proof = state["proof"]
        siblings = [bytes.fromhex(s) for s in proof["siblings"]]
        if large := proof["large"]:
            paths = [[bytes.fromhex(s) for s in entry["path"]] for entry in large["paths"]]
            large = large["count"], large["index"], paths
        check_proof(f"vehicle/{vin}".encode(), value, bytes.fromhex(proof["entries"]), siblings, header[6],
                    document["tree_depth"], large)  # fmt: skip
        records = get(f"/v1/vehicles/{vin}/history?limit=1000")["records"]
        vehicle = decode(value)
        assert (vehicle[30], vehicle[32]) == (len(records), history_head(bytes.fromhex(r["digest"]) for r in records))
        print("vehicle proven,", len(records), "records, complete")


if __name__ == "__main__":
    main(*sys.argv[1:])
