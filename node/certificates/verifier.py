"""The verifier of certificates: one module that needs nothing of this project, only PyNaCl beside the standard library.

A certificate is a file that proves the history of a car, that there is no car with a VIN, or what became of an order,
to somebody who trusts nothing but a root: a genesis document or a checkpoint (docs/CERTIFICATES.md). `verify` gives the
verdict as plain values, so that it can be shown in any language; `web/js/certificate.js` gives the same one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, NamedTuple

from node.certificates.canonical import (
    InvalidCertificateFile,
    decode,
    decode_with_last,
    encode,
    is_signature,
    malformed,
    shaped,
    tagged,
    unpack,
)
from node.certificates.subjects import SUBJECTS

DAY_MS: Final = 86_400_000
ROOT_AGE_MAX_MS: Final = 180 * DAY_MS
"""Validators that were removed can sign a false branch later: an older root needs the reader's word."""
OLD_MS: Final = 60 * DAY_MS
"""A certificate above this age is called old."""
AHEAD_MAX_MS: Final = 3_600_000
ZERO32: Final = bytes(32)
LINKS_MAX: Final = 4_096
WITNESSES_MAX: Final = 64


class Validator(NamedTuple):
    """One validator of a set: address (20 bytes), consensus key (32 bytes), power."""

    address: bytes
    key: bytes
    power: int


@dataclass(frozen=True)
class Root:
    """What the verifier trusts: a chain, and the point from which its headers are followed. `validators` decide the
    height after `height`; `block_id` is the genesis hash at the start of a chain."""

    genesis_hash: bytes
    tree_depth: int
    height: int
    block_id: bytes
    time_ms: int
    validators: bytes
    """Canonical encoding of the validator set."""


class Witness(NamedTuple):
    """A signature of a witness over the certificate's point. `mode`: `light` or `full`."""

    key: bytes
    mode: str
    time_ms: int
    signature: bytes


# --- headers --------------------------------------------------------------------------------------------------
class Header(NamedTuple):
    """A block header, in the order of its encoding."""

    version: int
    height: int
    time_ms: int
    parent_id: bytes
    proposer: bytes
    tx_root: bytes
    state_root: bytes
    validators_hash: bytes
    next_validators_hash: bytes
    ruleset_hash: bytes
    evidence_root: bytes
    last_commit_hash: bytes


class Point(NamedTuple):
    """A header that was followed: its id, and the set that decides the next height."""

    header: Header
    block_id: bytes
    next_set: bytes
    signed_power: int
    total_power: int


def validators_of(raw: bytes) -> list[Validator]:
    """The validators of an encoded set. One named twice would count twice, and so decide alone: addresses ascend."""
    entries = decode(raw, "the validator set")
    found = [Validator(*shaped(each, "bbi", "a validator")) for each in entries] if isinstance(entries, list) else []
    if not found or any(each.power < 1 for each in found):
        raise malformed("a validator set has validators with power")
    if any(a.address >= b.address for a, b in zip(found, found[1:], strict=False)):
        raise malformed("the validators are not in ascending order of their addresses")
    return found


def header_of(raw: bytes) -> Header:
    return Header(*shaped(decode(raw, "a header"), "iiibbbbbbbbb", "a header"))


def signed_by(header: Header, block_id: bytes, round_: int, signatures: Sequence[Any], validators: Sequence[Validator],
              genesis_hash: bytes) -> list[Validator]:  # fmt: skip
    """The validators whose precommits for the block are given. Raises `signature_wrong` for one that does not verify,
    and `quorum_missing` unless they have more than two thirds of the power."""
    if len(signatures) != len(validators):
        raise malformed(f"height {header.height}: {len(signatures)} signatures for {len(validators)} validators")
    vote = b"bmw/vote\x00" + genesis_hash + encode(["precommit", header.height, round_, block_id])
    signed = []
    for validator, signature in zip(validators, signatures, strict=True):
        if signature == b"":
            continue
        if not isinstance(signature, bytes) or not is_signature(validator.key, vote, signature):
            raise InvalidCertificateFile(
                "signature_wrong", f"height {header.height}: the signature of {validator.address.hex()} is false"
            )
        signed.append(validator)
    power, total = sum(each.power for each in signed), sum(each.power for each in validators)
    if 3 * power <= 2 * total:
        raise InvalidCertificateFile(
            "quorum_missing", f"height {header.height}: power {power} of {total} is not more than two thirds"
        )
    return signed


class Trusted(NamedTuple):
    """A point that a header follows. `validators` decide the next height; `named` is the set that a link may leave
    out."""

    block_id: bytes
    time_ms: int
    height: int
    validators: bytes
    named: bytes


def at_root(root: Root) -> Trusted:
    """The point of a trust root."""
    return Trusted(root.block_id, root.time_ms, root.height, root.validators, root.validators)


def follow(link: Any, trusted: Trusted, genesis_hash: bytes) -> Point:
    """A header at or after the trusted point. A later one follows where its certificate has more than two thirds of its
    own set, and more than a third of the trusted one has signed it too; the height next to the trusted one builds on it
    and is decided by exactly its set. Raises `not_followed`, `quorum_missing`, `signature_wrong`."""
    raw, round_, signatures, own_set, next_set = shaped(link, "bilBB", "a link")
    header, own_set = header_of(raw), trusted.named if own_set is None else own_set
    next_set = own_set if next_set is None else next_set
    block_id = tagged("bmw/header", genesis_hash + raw)
    is_it = block_id == trusted.block_id
    is_later = header.height > trusted.height and header.time_ms > trusted.time_ms
    names = (tagged("bmw/validators", own_set), tagged("bmw/validators", next_set))
    if not (is_it or is_later) or names != (header.validators_hash, header.next_validators_hash):
        raise InvalidCertificateFile(
            "not_followed", f"height {header.height} does not follow height {trusted.height} with the sets given"
        )
    validators = validators_of(own_set)
    signed = signed_by(header, block_id, round_, signatures, validators, genesis_hash)
    if header.height == trusted.height + 1:
        is_followed = header.parent_id == trusted.block_id and own_set == trusted.validators
    else:
        known = {(each.address, each.key): each.power for each in validators_of(trusted.validators)}
        both = sum(known.get((each.address, each.key), 0) for each in signed)
        is_followed = is_it or 3 * both > sum(known.values())
    if not is_followed:
        raise InvalidCertificateFile(
            "not_followed", f"height {header.height}: too few of the validators trusted at {trusted.height} signed it"
        )
    power = sum(each.power for each in signed)
    return Point(header, block_id, next_set, power, sum(each.power for each in validators))


def witness_bytes(
    genesis_hash: bytes, mode: str, height: int, block_id: bytes, state_root: bytes, time_ms: int
) -> bytes:
    """What a witness signs: `"bmw/witness" || 0x00 || genesis_hash || encode([mode, height, block_id, state_root,
    time_ms])`."""
    return b"bmw/witness\x00" + genesis_hash + encode([mode, height, block_id, state_root, time_ms])


# --- state ----------------------------------------------------------------------------------------------------
def check_item(key: bytes, value: bytes | None, proof: Any, root: bytes, tree_depth: int) -> None:
    """Raises `proof_wrong` unless the proof shows under the state root that the key has the value, or is absent. A
    proof is `[entries, siblings, large]`, as in docs/PROTOCOL.md, State; `large` is nil or `[count, index, paths]`."""
    entries, siblings, large = shaped(proof, "blL", "a proof")
    slot = tagged("bmw/slot", key)
    number = int.from_bytes(slot[:4], "big") >> (32 - tree_depth)
    each = [entries[at : at + 64] for at in range(0, len(entries), 64)]
    slots = [entry[:32] for entry in each]
    is_sound = (
        len(entries) % 64 == 0
        and len(siblings) == tree_depth
        and all(type(sibling) is bytes and len(sibling) == 32 for sibling in siblings)
        and all(a < b for a, b in zip(slots, slots[1:], strict=False))
        and all(int.from_bytes(s[:4], "big") >> (32 - tree_depth) == number for s in slots)
    )
    shown = next((entry[32:] for entry in each if entry[:32] == slot), None)
    node = _bucket(entries, each, slot, large) if is_sound else None
    if node is None or shown != (None if value is None else sha256(value).digest()):
        raise InvalidCertificateFile("proof_wrong", f"the proof of {key.decode()} does not show what is given")
    for sibling in siblings:
        pair = sibling + node if number & 1 else node + sibling
        node = sha256(pair).digest() if pair != bytes(64) else ZERO32
        number >>= 1
    if node != root:
        raise InvalidCertificateFile("proof_wrong", f"the proof of {key.decode()} does not lead to the state root")


def _bucket(entries: bytes, each: list[bytes], slot: bytes, large: list[Any] | None) -> bytes | None:
    """The hash of a bucket; of one with more than 256 entries only where those given decide about the slot."""
    if large is None:
        return None if len(each) > 256 else sha256(b"\x00" + entries).digest() if entries else ZERO32
    count, index, paths = shaped(large, "iil", "a large bucket")
    if not 256 < count < 1 << 32 or len(each) not in (1, 2) or len(paths) != len(each) or index > count - len(each):
        return None
    roots = {_root_of(entry, index + n, count, path) for n, (entry, path) in enumerate(zip(each, paths, strict=True))}
    root, first, last = roots.pop(), each[0][:32], each[-1][:32]
    is_outside = (index == 0 and slot < first) or (index + len(each) == count and slot > last)
    is_decided = slot in (first, last) or is_outside or first < slot < last
    return None if roots or root is None or not is_decided else (
        sha256(b"\x02" + count.to_bytes(4, "big") + root).digest()
    )  # fmt: skip


def _root_of(entry: bytes, index: int, count: int, path: Any) -> bytes | None:
    """The Merkle root of RFC 9162 that a path leads to."""
    node, first, last = sha256(b"\x00" + entry).digest(), index, count - 1
    for sibling in path if isinstance(path, list) else [None]:
        if last == 0 or type(sibling) is not bytes or len(sibling) != 32:
            return None
        if first & 1 or first == last:
            node = sha256(b"\x01" + sibling + node).digest()
            while first & 1 == 0 and first:
                first, last = first >> 1, last >> 1
        else:
            node = sha256(b"\x01" + node + sibling).digest()
        first, last = first >> 1, last >> 1
    return node if last == 0 else None


# --- the certificate --------------------------------------------------------------------------------------------
def verify(
    file: bytes, root: Root, now_ms: int, *, accept_old_root: bool = False, witnesses: Sequence[bytes] = (),
    witnesses_needed: int = 0, age_max_ms: int = 0,
) -> dict[str, Any]:  # fmt: skip
    """The verdict about a certificate file, as plain values: `sentence` and `status` (`good`, or `old` above 60 days)
    for people, what was proven, and how it is trusted. `witnesses`: the keys of the reader's own list, of which
    `witnesses_needed` must have signed. `age_max_ms`: 0, or the age above which the certificate serves no purpose.

    Raises `InvalidCertificateFile` with one of the codes `certificate_malformed`, `wrong_chain`, `root_too_old`,
    `not_followed`, `quorum_missing`, `signature_wrong`, `proof_wrong`, `history_incomplete`, `history_changed`,
    `witness_missing`, `too_old_for_purpose`."""
    raw = unpack(file)
    found, note_at = decode_with_last(raw, "the certificate")
    given = shaped(found, "sisblllLlL", "the certificate")
    name, version, kind, genesis, links, last, items, history, signed, note = given
    if (name, version) != ("bmw-certificate", 1) or kind not in SUBJECTS or len(links) > LINKS_MAX:
        raise malformed("it is of another version, or of a kind that is not known")
    if genesis != root.genesis_hash:
        raise InvalidCertificateFile("wrong_chain", f"it is of the chain {genesis.hex()}")
    check_root_age(root, now_ms, accept_old_root=accept_old_root)
    point = _follow_all([*links, last], root)
    header = point.header
    state = _items(items, header.state_root, root.tree_depth)
    subject = SUBJECTS[kind](state, history, header.time_ms)
    known = sum(key in witnesses for key in _witnessed(signed, point, genesis))
    if note is not None:
        key, issued_ms, signature = shaped(note, "bib", "the note")
        message = tagged("bmw/certificate-note", genesis + issued_ms.to_bytes(8, "big") + raw[:note_at])
        if not is_signature(key, message, signature):
            raise InvalidCertificateFile("signature_wrong", "the note's signature is false")
    if known < witnesses_needed:
        raise InvalidCertificateFile("witness_missing", f"{known} of the reader's witnesses signed it")
    age = check_age(header.time_ms, now_ms, age_max_ms)
    sentence = f"{subject['sentence']} This was so at height {header.height}, {age['age_days']} days ago."
    return subject | age | {
        "kind": kind, "sentence": sentence, "height": header.height, "time_ms": header.time_ms,
        "block_id": point.block_id.hex(), "trust": trust_in(point, root, now_ms, len(links), known),
    }  # fmt: skip


def trust_in(point: Point, root: Root, now_ms: int, links: int, witnesses: int) -> dict[str, int]:
    """How a point is trusted: from which root, over how many links, by how much power and how many witnesses."""
    return {
        "root_height": root.height, "root_age_days": max(0, now_ms - root.time_ms) // DAY_MS, "links": links,
        "signed_power": point.signed_power, "total_power": point.total_power, "witnesses": witnesses,
    }  # fmt: skip


def check_root_age(root: Root, now_ms: int, *, accept_old_root: bool) -> None:
    """Raises `root_too_old` for a root above the trusting period, unless the reader accepts it."""
    if now_ms - root.time_ms > ROOT_AGE_MAX_MS and not accept_old_root:
        raise InvalidCertificateFile("root_too_old", f"the root is {(now_ms - root.time_ms) // DAY_MS} days old")


def check_age(time_ms: int, now_ms: int, age_max_ms: int) -> dict[str, Any]:
    """`status` and `age_days` of a certificate of a time. Raises `not_followed` for one ahead of the clock, and
    `too_old_for_purpose` above `age_max_ms`."""
    age_ms = max(0, now_ms - time_ms)
    if time_ms > now_ms + AHEAD_MAX_MS:
        raise InvalidCertificateFile("not_followed", "its time is ahead of this clock")
    if age_max_ms and age_ms > age_max_ms:
        raise InvalidCertificateFile("too_old_for_purpose", f"it is {age_ms // DAY_MS} days old")
    return {"status": "old" if age_ms > OLD_MS else "good", "age_days": age_ms // DAY_MS}


def _follow_all(links: Sequence[Any], root: Root) -> Point:
    """The point that the last link leads to. Links lead there from the genesis block: those below the root's height are
    passed over, and tell no more than the set that the next one may leave out."""
    point, trusted = None, at_root(root)
    for link in links:
        raw, _, _, own_set, next_set = shaped(link, "bilBB", "a link")
        if header_of(raw).height < root.height:
            own_set = trusted.named if own_set is None else own_set
            trusted = trusted._replace(named=own_set if next_set is None else next_set)
        else:
            point = follow(link, trusted, root.genesis_hash)
            trusted = Trusted(point.block_id, point.header.time_ms, point.header.height, point.next_set, point.next_set)
    if point is None:
        raise InvalidCertificateFile("not_followed", f"it is of a height below the root's, {root.height}")
    return point


def _items(items: Sequence[Any], state_root: bytes, tree_depth: int) -> dict[str, bytes | None]:
    """The proven values by state key; None for a key that is absent."""
    state: dict[str, bytes | None] = {}
    for item in items:
        key, value, proof = shaped(item, "sBl", "an item")
        if state and key <= max(state):
            raise malformed("the items are not in ascending order of their keys")
        check_item(key.encode(), value, proof, state_root, tree_depth)
        state[key] = value
    return state


def _witnessed(signed: Sequence[Any], point: Point, genesis: bytes) -> set[bytes]:
    """The keys of the witnesses that signed the point. Raises `signature_wrong` for one that did not."""
    header, found = point.header, set[bytes]()
    if len(signed) > WITNESSES_MAX:
        raise malformed(f"at most {WITNESSES_MAX} witnesses sign a certificate")
    for entry in signed:
        witness = Witness(*shaped(entry, "bsib", "a witness"))
        message = witness_bytes(
            genesis, witness.mode, header.height, point.block_id, header.state_root, witness.time_ms
        )
        if witness.key in found or not is_signature(witness.key, message, witness.signature):
            raise InvalidCertificateFile("signature_wrong", f"the witness {witness.key.hex()} did not sign this")
        found.add(witness.key)
    return found
