"""The golden vectors of what is wrong: for every stable code, a good certificate with a single thing changed; and
checkpoints, good and broken."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from node.certificates.build import packed
from node.certificates.canonical import INFLATED_MAX, decode, tagged
from node.certificates.compact import to_texts
from node.certificates.roots import checkpoint_bytes, checkpoint_json
from node.certificates.verifier import Root, header_of
from node.chain.genesis import genesis_set
from node.chain.validators import ValidatorSet
from node.codec import encode
from support.certifying.asking import answered
from support.certifying.cases import (
    AUDITOR,
    WITNESS,
    Reading,
    Vector,
    car_chain,
    changing_chain,
    file_of,
    filled,
    good,
    noted,
    sale,
    witnessed,
)
from support.certifying.chance import UNBORN, sold
from support.certifying.made import validators_named
from support.chain import DAY_MS, HOUR_MS
from support.javascript.asking import Question
from support.life import VIN


# --- broken -----------------------------------------------------------------------------------------------------------
def altered(place: int, change: Callable[[Any], Any]) -> Question:
    """About the absence with one element changed."""
    elements = sale().absence()
    elements[place] = change(elements[place])
    return sale().about(elements)


def altered_history(place: int, change: Callable[[Any], Any]) -> Question:
    """About the history of the made car with one element changed."""
    car = Reading.of(car_chain())
    elements = decode(car.history("redacted"), "")
    elements[place] = change(elements[place])
    return car.about(elements)


def in_place(*path: int, value: Any) -> Callable[[Any], Any]:
    """A change of an element within."""

    def change(element: Any) -> Any:
        parent = element
        for place in path[:-1]:
            parent = parent[place]
        parent[path[-1]] = value(parent[path[-1]]) if callable(value) else value
        return element

    return change


def flipped(raw: bytes) -> bytes:
    return bytes([raw[0] ^ 1]) + raw[1:]


def loosely(place: int, encoding: bytes, header: bytes = b"\x9a") -> Question:
    """About the absence with one element in another encoding of the same value."""
    parts = [encode(element) for element in sale().absence()]
    if encoding:
        parts[place] = encoding
    return sale().about(header + b"".join(parts))


def broken() -> Iterator[Vector]:
    """With the code that each is for at the beginning of its name."""
    yield from _broken_files()
    yield from _loose_encodings()
    yield from _broken_certificates()
    yield from _broken_histories()
    yield from _broken_codes()


def _broken_files() -> Iterator[Vector]:
    real = sale()
    raw = encode(real.absence())
    deflated, code = packed(raw)[13:], "certificate_malformed: "
    yield code + "another magic", real.asked(file=b"BMWC2" + packed(raw)[5:])
    yield code + "a byte changed", real.asked(file=packed(raw)[:-1] + b"\x00")
    yield code + "cut off", real.asked(file=file_of(deflated[:-1]))
    yield code + "a byte follows", real.asked(file=file_of(deflated + b"\x00"))
    yield code + "another stream follows", real.asked(file=file_of(deflated * 2))
    yield code + "in the format of zlib", real.asked(file=file_of(zlib.compress(raw)))
    yield code + "nothing", real.asked(file=b"")
    yield code + "nothing compressed", real.asked(file=file_of(b""))
    yield code + "more than 4 MiB", real.asked(file=packed(raw + bytes(INFLATED_MAX)))


def _loose_encodings() -> Iterator[Vector]:
    code, (name, _, _, genesis, *_) = "certificate_malformed: ", sale().absence()
    for encoding in ("cc01", "cd0001", "ce00000001", "cf0000000000000001", "d001", "d10001", "ca3f800000"):
        yield f"{code}the version as {encoding}", loosely(1, bytes.fromhex(encoding))
    yield code + "its name as str 8", loosely(0, b"\xd9\x0f" + name.encode())
    yield code + "its chain as bin 16", loosely(3, b"\xc5\x00\x20" + genesis)
    yield code + "itself as array 16", loosely(0, b"", b"\xdc\x00\x0a")
    yield code + "no links as array 16", loosely(4, b"\xdc\x00\x00")
    yield code + "false for nil", loosely(9, b"\xc2")
    yield code + "a map for no witnesses", loosely(8, b"\x80")
    yield code + "a byte follows the encoding", loosely(9, b"\xc0\x00")


def _broken_certificates() -> Iterator[Vector]:
    real = sale()
    yield "certificate_malformed: version 2", altered(1, lambda _: 2)
    yield "certificate_malformed: another kind", altered(2, lambda _: "erasure")
    yield "certificate_malformed: eleven elements", real.about([*real.absence(), None])
    yield "certificate_malformed: a signature too many", altered(5, in_place(2, value=lambda all_: [*all_, b""]))
    yield "certificate_malformed: two items of one key", altered(6, lambda items: items * 2)
    yield "certificate_malformed: an absence with a history", altered(7, lambda _: [VIN, []])
    yield "certificate_malformed: 65 witnesses", real.about([*real.absence()[:8], witnessed(real)[8] * 65, None])
    yield "wrong_chain", altered(3, flipped)
    yield "root_too_old", real.about(real.absence(), later_ms=180 * DAY_MS)
    yield "signature_wrong: another header", altered(5, in_place(0, value=lambda raw: raw[:-1] + b"\x00"))
    yield (
        "not_followed: the root is of this height",
        real.about(real.absence(), root=replace_root(real.root, height=header_of(real.absence()[5][0]).height)),
    )
    yield (
        "not_followed: the root is of a later height",
        real.about(real.absence(), root=replace_root(real.root, height=header_of(real.absence()[5][0]).height + 1)),
    )
    yield "not_followed: other validators", real.about(real.absence(), root=replace_root(
        real.root, validators=encode(validators_named({"bank-1": 1}).entries)
    ))  # fmt: skip
    changing = Reading.of(changing_chain())
    links = changing.absence()
    yield "not_followed: a link is left out", changing.about([*links[:4], links[4][1:], *links[5:]])
    yield "not_followed: ahead of the clock", real.about(real.absence(), later_ms=-2 * HOUR_MS)
    yield "quorum_missing", altered(5, in_place(2, value=lambda all_: [*all_[:2], b"", b""]))
    yield "signature_wrong: a byte changed", altered(5, in_place(2, 0, value=flipped))
    yield "signature_wrong: no bytes", altered(5, in_place(2, 0, value=None))
    yield "signature_wrong: of another round", altered(5, in_place(1, value=lambda round_: round_ + 1))
    yield "signature_wrong: S too great", altered(5, in_place(2, 0, value=with_greater_s))
    yield "proof_wrong: a value", altered(6, in_place(0, 1, value=b"a car"))
    yield "proof_wrong: a sibling", altered(6, in_place(0, 2, 1, 0, value=flipped))
    yield "proof_wrong: a sibling too few", altered(6, in_place(0, 2, 1, value=lambda all_: all_[1:]))
    yield "proof_wrong: another key", altered(6, in_place(0, 0, value=f"vehicle/{VIN}"))
    yield "witness_missing", real.about(witnessed(real), witnesses=[AUDITOR.public], witnesses_needed=1)
    twice = witnessed(real)
    yield "signature_wrong: a witness twice", real.about([*twice[:8], twice[8] * 2, None])
    other = witnessed(real)
    other[8][0][1] = "light"
    yield "signature_wrong: a witness of another mode", real.about(other)
    for mode in ("ä", "f" * 100):
        other[8][0][1] = mode
        yield f"certificate_malformed: a witness of mode {mode[:2]}", real.about(other)
    yield "certificate_malformed: a validator is named eight times", of_one_validator()
    yield "certificate_malformed: a validator set that is a number", altered(5, with_set_that_is_a_number)
    late = noted(real)
    late[9][1] += 1
    yield "signature_wrong: a note of another time", real.about(late)
    yield "too_old_for_purpose", real.about(real.absence(), later_ms=DAY_MS + 1, age_max_ms=DAY_MS)


def _broken_histories() -> Iterator[Vector]:
    real = sale()
    order = decode(real.makes.order(sold().order) or b"", "")
    order[6] = [item for item in order[6] if not item[0].startswith("payment/")]
    yield "history_incomplete: a payment is left out", real.about(order)
    yield "history_incomplete: the frauds are left out", altered_history(6, lambda items: items[1:])
    yield "history_incomplete: the car is left out", altered_history(6, lambda items: items[:1])
    yield "history_incomplete: without the last record", altered_history(7, in_place(1, value=lambda all_: all_[:-1]))
    yield "history_incomplete: without the first record", altered_history(7, in_place(1, value=lambda all_: all_[1:]))
    yield "history_incomplete: another VIN", altered_history(7, in_place(0, value=UNBORN))
    yield "history_changed: a hidden record", altered_history(7, in_place(1, 0, value=[0, bytes(32)]))
    yield "history_changed: a content's digest", altered_history(7, in_place(1, 0, 2, value=flipped))
    yield "certificate_malformed: a record of no form", altered_history(7, in_place(1, 0, value=[3, b""]))
    yield "certificate_malformed: false is not form 0", altered_history(7, in_place(1, 0, value=[False, bytes(32)]))
    large = Reading.of(car_chain(depth=1, values=filled(640)))
    for name, path, value in (
        ("another index", (0, 2, 2, 1), lambda index: index + 1), ("another count", (0, 2, 2, 0), lambda n: n + 1),
        ("a path node", (0, 2, 2, 2, 0, 0), flipped), ("entries that are no neighbours", (0, 2), _apart),
        ("a count above 2^53", (0, 2, 2, 0), lambda _: 2**60 + 1),
    ):  # fmt: skip
        elements = in_place(6, *path, value=value)(large.absence())
        yield f"proof_wrong: a large bucket with {name}", large.about(elements)


def _apart(proof: list[Any]) -> list[Any]:
    """The proof with its first entry alone, so that the slot is beside it, but its neighbour is not shown."""
    entries, siblings, (count, index, paths) = proof
    return [entries[:64], siblings, [count, index, paths[:1]]]


def _broken_codes() -> Iterator[Vector]:
    car = Reading.of(car_chain())
    (text,) = to_texts(car.compact())

    def of(place: int, change: Callable[[Any], Any]) -> Question:
        elements = decode(car.compact(), "")
        elements[place] = change(elements[place])
        return car.asked(compact=encode(elements))

    yield "certificate_malformed: another prefix", car.asked(texts=["BMW2" + text[4:]])
    yield "certificate_malformed: one of two codes", car.asked(texts=["BMW1/1/2" + text[4:]])
    yield "certificate_malformed: a parent of 300 bytes", of(5, lambda _: bytes(300))
    yield "certificate_malformed: parts of two and of three", car.asked(texts=["BMW1/1/3" + text[4:], "BMW1/2/2:00"])
    yield "certificate_malformed: a letter that no code has", car.asked(texts=[text[:-3] + "a" + text[-2:]])
    yield "certificate_malformed: a group above two bytes", car.asked(texts=[text[:5] + ":::" + text[8:]])
    yield "certificate_malformed: a group of one letter", car.asked(texts=[text + "0" * (1 - (len(text) - 5) % 3 % 2)])
    yield "certificate_malformed: a code of another version", of(0, lambda _: 2)
    yield "certificate_malformed: a proposer that is no validator", of(6, lambda _: 4)
    yield "certificate_malformed: a proposer above 2^53", of(6, lambda _: 2**60)
    yield "certificate_malformed: a bit too many", of(11, lambda bits: bytes([bits[0] | 16]))
    yield "wrong_chain: a code", of(1, flipped)
    yield "root_too_old: a code", car.asked(compact=car.compact(), later_ms=181 * DAY_MS)
    yield "too_old_for_purpose: a code", car.asked(compact=car.compact(), later_ms=2 * DAY_MS, age_max_ms=DAY_MS)
    yield "quorum_missing: a code", of_two_signatures(car)
    yield "signature_wrong: a code of another state", of(13, lambda leaf: leaf[:-1] + bytes([leaf[-1] ^ 1]))
    yield "signature_wrong: a code of another proposer", of(6, lambda place: (place + 1) % 4)
    yield "proof_wrong: a code with a place beyond its bucket", of(14, lambda _: 2**60)
    yield "proof_wrong: a code with half an entry", of(15, lambda others: others + bytes(32))
    yield "proof_wrong: a code with a sibling too few", of(16, lambda siblings: siblings[1:])
    yield "not_followed: a code of the root's own height", of(2, lambda _: 0)


def of_two_signatures(car: Reading) -> Question:
    elements = decode(car.compact(), "")
    elements[10] = elements[10][:2]
    places = [n for n in range(4) if elements[11][0] >> n & 1][:2]
    elements[11] = bytes([sum(1 << n for n in places)])
    return car.asked(compact=encode(elements))


def of_one_validator() -> Question:
    """About a header that one of four validators has made alone, in a set that names it eight times."""
    one = genesis_set(car_chain().genesis).entries[0]
    chain = car_chain(top=5, sets=((5, ValidatorSet((one,) * 8)),))
    forged, key = chain.committed(5), f"vehicle/{UNBORN}"
    link = [encode(forged.block.header), forged.commit.round, list(forged.commit.signatures),
            encode(chain.validators(5).entries), None]  # fmt: skip
    proof = chain.proof(key.encode())
    item = [key, None, [proof.entries, list(proof.siblings), None]]
    elements = ["bmw-certificate", 1, "absence", chain.genesis_hash, [], link, [item], None, [], None]
    return Reading.of(chain).about(elements)


def with_set_that_is_a_number(point: list[Any]) -> list[Any]:
    """Whose hash the header names."""
    names = tagged("bmw/validators", b"\x05")
    header = decode(point[0], "")
    return [encode([*header[:7], names, names, *header[9:]]), *point[1:3], b"\x05", None]


def with_greater_s(signature: bytes) -> bytes:
    """The same signature with the order of the group added to S."""
    order = 2**252 + 27742317777372353535851937790883648493
    return signature[:32] + (int.from_bytes(signature[32:], "little") + order).to_bytes(32, "little")


def replace_root(root: Root, **changes: Any) -> Root:
    return Root(**{**root.__dict__, **changes})


# --- checkpoints ------------------------------------------------------------------------------------------------------
def checkpoints() -> Iterator[Vector]:
    root = sale().root
    signature = AUDITOR.sign(checkpoint_bytes(root)).hex()
    signed = {"name": "an auditor", "key": AUDITOR.public.hex(), "signature": signature}
    text = checkpoint_json(root, [signed])

    def of(
        before: str = "", after: str = "", needed: int = 1, signers: Sequence[bytes] = (AUDITOR.public,)
    ) -> Question:
        assert before in text
        changed = text.replace(before, after, 1).encode()
        keys = [key.hex() for key in signers]
        return {"ask": "checkpoint", "text": changed.hex(), "signers": keys, "needed": needed}

    yield "a checkpoint", of()
    yield "a checkpoint that a key has signed twice", of(needed=1, signers=(AUDITOR.public, AUDITOR.public))
    yield "a number in a field that nobody reads", of('"format"', '"more": 1.5, "format"')
    height = f'"height": {root.height}'
    for value in ("0.0", "1e3", "-1", "null", "true", '"0"', "9007199254740993"):
        yield f"certificate_malformed: height {value}", of(height, f'"height": {value}')
    listed = text[text.index('"signatures"') : text.index("]") + 1]
    yield "certificate_malformed: signatures that are a number", of(listed, '"signatures": 5')
    yield "certificate_malformed: another depth", of('"tree_depth": 6', '"tree_depth": 7')
    yield "certificate_malformed: another format", of("checkpoint/1", "checkpoint/2")
    yield "certificate_malformed: upper-case hex", of(root.block_id.hex(), root.block_id.hex().upper())
    yield "certificate_malformed: cut off", of(text[-9:], "")
    yield "certificate_malformed: a false signature", of(signature[:8], "00000000")
    yield "certificate_malformed: too few signers", of(needed=2)
    yield "certificate_malformed: a signer that is not named", of(signers=(WITNESS.public,))


# --- the file ---------------------------------------------------------------------------------------------------------
def certificates() -> dict[str, object]:
    """`certificates.json`: each root once, by a number."""
    roots: list[Any] = []
    found = []
    for name, question in [*good(), *broken()]:
        answer = answered(question)
        root = question.pop("root")
        if root not in roots:
            roots.append(root)
        found.append({"name": name, "root": roots.index(root), **question, **answer})
    documents = [{"name": name, **question, **answered(question)} for name, question in checkpoints()]
    return {"roots": roots, "verdicts": found, "checkpoints": documents}


def questions_in(file: dict[str, Any]) -> list[Question]:
    """The questions that the vectors are the answers of."""
    roots = [{**question, "root": file["roots"][question["root"]]} for question in file["verdicts"]]
    return roots + file["checkpoints"]
