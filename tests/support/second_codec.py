"""A second implementation of the encoding and the hashes, from docs/PROTOCOL.md and docs/schema.json and nothing of the
node.

Only `msgpack` and the standard library: what this and the node agree on, programs in other languages can too.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgpack

SCHEMA = json.loads((Path(__file__).resolve().parents[2] / "docs" / "schema.json").read_text())
DECLARED = SCHEMA["structs"] | SCHEMA["types"]
"""The structs of transactions, and the types."""

# The genesis document's, which schema.json does not have. `name:kind`; kinds: raw (as it is), hex, address, time, a
# struct of this table or of schema.json; `*` is a list of it, `?` one or nil.
STRUCTS = {
    "genesis": "chain_id:raw time:time tree_depth:raw params:params accounts:genesis-account* continues:raw",
    "genesis-account": "name:raw address:address keys:hex* threshold:raw sealing_hash:hex sponsor:address "
    "member:genesis-member?",
    "genesis-member": "country:raw group:raw roles:grant* sites:Site* validator:genesis-validator? "
    "node_key:hex node_address:raw",
    "genesis-validator": "consensus_key:hex possession:hex power:raw",
    "grant": "role:raw wmis:raw* country:raw capabilities:raw* starts_at:time ends_at:time changes:change*",
    "change": "status:raw reason:raw at:time",
    "params": "tx_lifetime_max_ms:raw block_bytes_max:raw block_txs_max:raw block_weight_max:raw timeout_cap_ms:raw "
    "evidence_age_max:raw proposal_lifetime_ms:raw weight_per_account_day:raw weight_per_sponsor_day:raw "
    "keys_per_account_day:raw keys_per_sponsor_day:raw odometer_fresh_ms:raw listing_lifetime_max_ms:raw "
    "offer_lifetime_max_ms:raw reservation_ms:raw hold_max_ms:raw relist_lock_ms:raw refund_ms:raw "
    "cancel_fee_max_permille:raw withdrawal_days:raw ruleset:raw next_ruleset:raw "
    "next_ruleset_height:raw next_ruleset_hash:hex",
}
VERSIONED = {"params": 1}
"""Structs that begin with a version."""


def pack(value: Any) -> bytes:
    return msgpack.packb(value, use_bin_type=True)


def unpack(raw: bytes) -> Any:
    return msgpack.unpackb(raw, raw=False, use_list=True)


def h(tag: str, data: bytes) -> bytes:
    return sha256(tag.encode() + b"\x00" + data).digest()


# --- values from JSON --------------------------------------------------------------------------------------
def values_of(struct: str, shown: dict[str, Any]) -> list[Any]:
    """A struct's JSON as the array that is encoded."""
    if struct in DECLARED:
        return _declared(DECLARED[struct], shown)
    fields = [field.split(":") for field in STRUCTS[struct].split()]
    assert {name for name, _ in fields} == set(shown), struct
    head = [VERSIONED[struct]] if struct in VERSIONED else []
    return head + [_value(kind, shown[name]) for name, kind in fields]


def _value(kind: str, shown: Any) -> Any:
    if kind.endswith("*"):
        return [_value(kind[:-1], item) for item in shown]
    if kind.endswith("?"):
        return None if shown is None else _value(kind[:-1], shown)
    plain = {"raw": "text", "hex": "bytes"}.get(kind, kind)
    return values_of(kind, shown) if kind in STRUCTS or kind in DECLARED else _encoded({"kind": plain}, shown)


def _declared(struct: dict[str, Any], shown: dict[str, Any]) -> list[Any]:
    names = {field["name"] for field in struct["fields"]}
    assert names == set(shown) - ({"type"} if "tag" in struct else set()), struct.get("tag", names)
    head = [struct["tag"]] if "tag" in struct else []
    return head + [_encoded(field, shown[field["name"]]) for field in struct["fields"]]


def _encoded(kind: dict[str, Any], shown: Any) -> Any:
    match kind["kind"]:
        case "bytes":
            return bytes.fromhex(shown)
        case "address":
            return address_bytes(shown)
        case "time":
            return millis(shown)
        case "money":
            return [int(shown["amount"]), shown["currency"]]
        case "list":
            return [_encoded(kind["item"], item) for item in shown]
        case "option":
            return None if shown is None else _encoded(kind["item"], shown)
        case "struct":
            return _declared(DECLARED[kind["struct"]], shown)
        case "union":
            return _declared(DECLARED[shown["type"]], shown)
        case _:
            return shown


def millis(text: str) -> int:
    if not text:
        return 0
    return (datetime.fromisoformat(text) - datetime.fromisoformat("1970-01-01T00:00:00Z")) // timedelta(milliseconds=1)


# --- bech32m (BIP 350), written from the specification ------------------------------------------------------
CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
BECH32M = 0x2BC830A3


def polymod(values: list[int]) -> int:
    generator = [0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3]
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for i in range(5):
            check ^= generator[i] if (top >> i) & 1 else 0
    return check


def expanded(prefix: str) -> list[int]:
    return [ord(x) >> 5 for x in prefix] + [0] + [ord(x) & 31 for x in prefix]


def bech32m_text(prefix: str, data: list[int]) -> str:
    check = polymod(expanded(prefix) + data + [0] * 6) ^ BECH32M
    return prefix + "1" + "".join(CHARSET[d] for d in data + [(check >> 5 * (5 - i)) & 31 for i in range(6)])


def address_text(raw: bytes) -> str:
    bits = "".join(f"{byte:08b}" for byte in raw)
    return bech32m_text("bmw", [int(bits[i : i + 5], 2) for i in range(0, len(bits), 5)])


def address_bytes(text: str) -> bytes:
    prefix, _, rest = text.partition("1")
    data = [CHARSET.index(c) for c in rest]
    assert prefix == "bmw" and polymod(expanded(prefix) + data) == BECH32M, text
    bits = "".join(f"{value:05b}" for value in data[:-6])
    return bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))


# --- trees ---------------------------------------------------------------------------------------------------
def list_root(entries: list[bytes]) -> bytes:
    """RFC 9162, section 2.1.1, as it is written: split at the largest power of two below the size."""
    if not entries:
        return sha256(b"").digest()
    if len(entries) == 1:
        return sha256(b"\x00" + entries[0]).digest()
    split = 1
    while split * 2 < len(entries):
        split *= 2
    return sha256(b"\x01" + list_root(entries[:split]) + list_root(entries[split:])).digest()


def path_root(entry: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """RFC 9162, section 2.1.3, from the top: the path's last node is the half that the entry is not in."""
    if size == 1:
        assert not path, "the path is too long"
        return sha256(b"\x00" + entry).digest()
    split = 1 << (size - 1).bit_length() - 1
    *inner, other = path
    if index < split:
        return sha256(b"\x01" + path_root(entry, index, split, inner) + other).digest()
    return sha256(b"\x01" + other + path_root(entry, index - split, size - split, inner)).digest()


def state_root(state: dict[bytes, bytes], depth: int) -> bytes:
    """Over (key, value), recursively from the top: what the documents say, without any bookkeeping."""
    slots = sorted((h("bmw/slot", key), sha256(value).digest()) for key, value in state.items())
    return _subtree(slots, 0, depth)


def _subtree(slots: list[tuple[bytes, bytes]], level: int, depth: int) -> bytes:
    if not slots:
        return bytes(32)
    if level == depth:
        entries = [slot + digest for slot, digest in slots]
        if len(entries) > 256:
            return sha256(b"\x02" + len(entries).to_bytes(4, "big") + list_root(entries)).digest()
        return sha256(b"\x00" + b"".join(entries)).digest()
    left = [entry for entry in slots if not _bit(entry[0], level)]
    right = [entry for entry in slots if _bit(entry[0], level)]
    return sha256(_subtree(left, level + 1, depth) + _subtree(right, level + 1, depth)).digest()


def _bit(slot: bytes, level: int) -> int:
    return slot[level // 8] >> (7 - level % 8) & 1


def root_of_proof(slot: bytes, entries: bytes, siblings: list[bytes]) -> bytes:
    """The root that a bucket and its siblings lead to."""
    node = sha256(b"\x00" + entries).digest() if entries else bytes(32)
    for distance, sibling in enumerate(siblings):
        pair = sibling + node if _bit(slot, len(siblings) - 1 - distance) else node + sibling
        node = sha256(pair).digest() if any(pair) else bytes(32)
    return node


def proposers(powers: list[tuple[bytes, int]], count: int) -> list[bytes]:
    """Smooth weighted round-robin from height 0, round 0, ties by address."""
    credit, turns = {address: 0 for address, _ in powers}, []
    total = sum(power for _, power in powers)
    for _ in range(count):
        for address, power in powers:
            credit[address] += power
        chosen = min(credit, key=lambda address: (-credit[address], address))
        credit[chosen] -= total
        turns.append(chosen)
    return turns
