"""The compact form of a certificate: small enough for one code on paper, it pins a car's state and its history's head.

It leaves out what its verifier computes: the state root follows from the proof, and the validator set is that of the
root. So it exists only where the set of the root is still the one that decides, and where the car's bucket is small.
Like the verifier it needs nothing of this project.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final

from node.certificates.canonical import InvalidCertificateFile, decode, encode, malformed, shaped, tagged
from node.certificates.subjects import car_of, summary_of, vin_of
from node.certificates.verifier import Header, Root, at_root, check_age, check_root_age, follow, trust_in, validators_of

VERSION: Final = 1
HEADER_VERSION: Final = 1
TEXT_MAX: Final = 4_290
"""Characters of one code: QR version 40 at level L holds 4,296 in its alphanumeric mode. Above, there are several."""
CODES_MAX: Final = 4
NO_EVIDENCE: Final = sha256(b"").digest()
ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
_PLACE: Final = re.compile(r"BMW1(?:/([1-4])/([2-4]))?:")


# --- text of codes (RFC 9285) -------------------------------------------------------------------------------------
def to_texts(raw: bytes) -> tuple[str, ...]:
    """What the codes hold: `BMW1:` and base45, or up to four parts that begin `BMW1/1/2:`. Raises `ValueError` above
    that."""
    text = "".join(_triple(raw[at : at + 2]) for at in range(0, len(raw), 2))
    if len(text) + 5 <= TEXT_MAX:
        return (f"BMW1:{text}",)
    parts = -(-len(text) // (TEXT_MAX - 9))
    if parts > CODES_MAX:
        raise ValueError(f"{len(raw)} bytes do not fit in {CODES_MAX} codes")
    size = -(-len(text) // parts)
    return tuple(f"BMW1/{n + 1}/{parts}:{text[n * size : (n + 1) * size]}" for n in range(parts))


def from_texts(texts: Sequence[str]) -> bytes:
    """The bytes of codes, in any order. Raises `certificate_malformed`."""
    parts: dict[int, str] = {}
    counts = set[int]()
    for text in texts:
        found = _PLACE.match(text)
        if found is None:
            raise malformed("this is no code of a certificate")
        counts.add(int(found[2] or 1))
        parts[int(found[1] or 1)] = text[found.end() :]
    wanted = max(counts, default=1)
    if len(counts) > 1 or sorted(parts) != list(range(1, wanted + 1)):
        raise malformed(f"{len(parts)} of {wanted} codes are given")
    return _from_base45("".join(parts[number] for number in sorted(parts)))


def _triple(pair: bytes) -> str:
    value = int.from_bytes(pair, "big")
    digits = (value % 45, value // 45 % 45, value // 2025)[: len(pair) + 1]
    return "".join(ALPHABET[digit] for digit in digits)


def _from_base45(text: str) -> bytes:
    found = bytearray()
    for at in range(0, len(text), 3):
        digits = [ALPHABET.find(letter) for letter in text[at : at + 3]]
        value = sum(digit * 45**place for place, digit in enumerate(digits))
        size = len(digits) - 1
        if min(digits) < 0 or size < 1 or value >= 1 << (8 * size):
            raise malformed("the code is damaged")
        found += value.to_bytes(size, "big")
    return bytes(found)


# --- verification -------------------------------------------------------------------------------------------------
def verify_compact(
    raw: bytes, root: Root, now_ms: int, *, accept_old_root: bool = False, age_max_ms: int = 0
) -> dict[str, Any]:
    """The verdict about a compact certificate, as `verifier.verify` gives it: the car's state, the number of its
    records and the head of its history, against which records from anywhere are checked. Raises
    `InvalidCertificateFile`."""
    given = shaped(decode(raw, "the code"), "ibiiibibbblbsbibl", "the code")
    version, chain, height, round_, time_ms, parent, proposer, tx_root, last_commit, rules = given[:10]
    signatures, bitmap, vin, leaf, place, others, siblings = given[10:]
    if version != VERSION:
        raise malformed("the code is of another version")
    if chain != root.genesis_hash[:8]:
        raise InvalidCertificateFile("wrong_chain", f"it is of a chain that begins {chain.hex()}")
    check_root_age(root, now_ms, accept_old_root=accept_old_root)
    validators = validators_of(root.validators)
    if proposer >= len(validators):
        raise malformed("the code names a proposer that is no validator")
    set_hash = tagged("bmw/validators", root.validators)
    vin_of(vin)
    header = Header(
        HEADER_VERSION, height, time_ms, parent, validators[proposer].address, tx_root,
        _state_root(f"vehicle/{vin}".encode(), leaf, place, others, siblings, root.tree_depth), set_hash, set_hash,
        rules, NO_EVIDENCE, last_commit,
    )  # fmt: skip
    link = [encode(list(header)), round_, _by_validator(signatures, bitmap, len(validators)), None, None]
    point = follow(link, at_root(root), root.genesis_hash)
    age = check_age(time_ms, now_ms, age_max_ms)
    car = car_of(leaf, f"vehicle/{vin}")
    return age | {
        "kind": "compact", "vin": vin, "height": height, "time_ms": time_ms, "block_id": point.block_id.hex(),
        "vehicle": summary_of(car, time_ms), "record_count": car["record_count"],
        "history_head": car["history_head"].hex(),
        "trust": trust_in(point, root, now_ms, 0, 0),
        "sentence": f"The state of {vin} and the head of its {car['record_count']} records are proven; which of its "
                    f"authors were revoked for fraud only the whole certificate shows. This was so at height {height}, "
                    f"{age['age_days']} days ago.",
    }  # fmt: skip


def _by_validator(signatures: Sequence[Any], bitmap: bytes, count: int) -> list[Any]:
    """The signature of each validator, empty for one that is not given."""
    signed = [n for n in range(count) if n // 8 < len(bitmap) and bitmap[n // 8] >> (n % 8) & 1]
    if len(bitmap) != -(-count // 8) or len(signed) != len(signatures) or bitmap[-1] >> ((count - 1) % 8 + 1):
        raise malformed("the code's signatures and its validators do not belong together")
    given = dict(zip(signed, signatures, strict=True))
    return [given.get(n, b"") for n in range(count)]


def _state_root(key: bytes, leaf: bytes, place: int, others: bytes, siblings: Sequence[Any], tree_depth: int) -> bytes:
    """The state root that follows from a value, the other entries of its bucket and the siblings."""
    slot = tagged("bmw/slot", key)
    entries = others[: 64 * place] + slot + sha256(leaf).digest() + others[64 * place :]
    slots = [entries[at : at + 32] for at in range(0, len(entries), 64)]
    number = int.from_bytes(slot[:4], "big") >> (32 - tree_depth)
    is_sound = (
        len(others) % 64 == 0 and 64 * place <= len(others) and len(slots) <= 256 and len(siblings) == tree_depth
        and all(type(sibling) is bytes and len(sibling) == 32 for sibling in siblings)
        and all(a < b for a, b in zip(slots, slots[1:], strict=False))
        and all(int.from_bytes(s[:4], "big") >> (32 - tree_depth) == number for s in slots)
    )  # fmt: skip
    if not is_sound:
        raise InvalidCertificateFile("proof_wrong", "the code's proof is not one of this chain's tree")
    node = sha256(b"\x00" + entries).digest()
    for sibling in siblings:
        node = sha256(sibling + node if number & 1 else node + sibling).digest()
        number >>= 1
    return node
