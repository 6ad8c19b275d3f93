"""The golden vectors of certificates: good ones of every kind, and broken ones for every stable code.

The good ones are of a real sale and of made chains. A broken one is a good one with a single thing wrong.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from hashlib import sha256
from random import Random
from typing import Any, Final

from msgspec.structs import replace

from node.certificates.build import Certificates, packed
from node.certificates.canonical import CHECKSUM_BYTES, INFLATED_MAX, MAGIC, decode, tagged
from node.certificates.compact import to_texts
from node.certificates.roots import checkpoint_bytes, checkpoint_json, root_of_genesis
from node.certificates.verifier import Root, header_of, witness_bytes
from node.codec import encode
from node.crypto.dev_keys import dev_key
from node.crypto.signing import PrivateKey
from node.txtypes.members.member import FRAUDS, Fraud, Frauds
from node.txtypes.vehicle.brands import Brand, Loss
from node.txtypes.vehicle.regions import OpenRecall
from node.txtypes.vehicle.vehicle import VEHICLE
from support.certifying.asking import about, answered
from support.certifying.chance import UNBORN, note, random_face, sold
from support.certifying.made import MadeChain, made_records, validators_named
from support.chain import DAY_MS, HOUR_MS, address
from support.javascript.asking import Question
from support.life import VIN, flag

FORMS: Final = ("whole", "redacted", "hidden")
WITNESS: Final = dev_key("node", "bmw")
AUDITOR: Final = PrivateKey(sha256(b"an auditor").digest())
Vector = tuple[str, Question]


# --- chains -----------------------------------------------------------------------------------------------------------
@cache
def car_chain(**given: Any) -> MadeChain:
    """A chain with a car that has everything to be known: flags, brands, a loss, an open recall, a marked author."""
    chain = MadeChain(dict(given.pop("values", ())), **given)
    now = chain.now_ms
    brands = (
        Brand("flood", "pending", now - 30 * DAY_MS, 1, 0), Brand("taxi", "pending", now - 30 * DAY_MS + 1, 1, 0),
        Brand("salvage", "pending", now - 40 * DAY_MS, 2, now), Brand("rebuilt", "annulled", now, 2, 0),
    )  # fmt: skip
    flags = (flag("stolen"), flag("court_hold", until_ms=now), flag("lien", until_ms=now + 1))
    car = replace(
        sold().chain.state(VEHICLE, VIN), flags=flags, brands=brands, existence="in_service",
        recalls=(OpenRecall(address("bmw"), "R-1", "safety", now),),
        loss=Loss("S", "pending", now - 30 * DAY_MS, 2, 0, address("police-1"), ("salvage",)),
    )  # fmt: skip
    chance = Random(1)
    faces = [replace(random_face(chance, now), author=address("bmw" if n % 2 else "buyer-1")) for n in range(3)]
    chain.put_car(VIN, car, made_records([(face, b"\xc0", ("verdict:LOGICAL",)) for face in faces]))
    chain.values[FRAUDS.key("all")] = encode(Frauds((Fraud(address("bmw"), "", faces[1].time_ms),)))
    return chain


def changing_chain() -> MadeChain:
    """Two validators are replaced at heights 40 and 80, so that the head of 120 is three links away from genesis."""
    names = ("bmw", "dealer-munich", "dealer-shanghai", "workshop-berlin", "bank-1", "insurer-1", "validator-1")
    sets = ((40, names[1:5]), (60, names[2:6]), (80, names[3:7]))
    return car_chain(top=120, sets=tuple((first, validators_named(dict.fromkeys(who, 10))) for first, who in sets))


def _filled(count: int) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((b"family/%d" % n, b"value") for n in range(count))


# --- questions --------------------------------------------------------------------------------------------------------
class Reading:
    """A chain as readers of its certificates see it."""

    def __init__(self, makes: Certificates, root: Root, now_ms: int) -> None:
        self.makes, self.root, self.now_ms = makes, root, now_ms

    @classmethod
    def of(cls, chain: MadeChain) -> Reading:
        return cls(chain.certificates(), chain.root, chain.now_ms)

    def about(self, raw: bytes | list[Any] | None, **given: Any) -> Question:
        """About a certificate that is not packed yet."""
        assert raw is not None
        return self.asked(file=packed(encode(raw) if isinstance(raw, list) else raw), **given)

    def asked(self, *, later_ms: int = 0, root: Root | None = None, **given: Any) -> Question:
        """About `file`, `compact` or `texts`; the rest are options."""
        shown = {name: given.pop(name) for name in ("file", "compact", "texts") if name in given}
        return about(root or self.root, self.now_ms + later_ms, given, **shown)

    def history(self, form: str = "whole", **options: Any) -> bytes:
        found = self.makes.history(VIN, lambda n: FORMS[n % 3] if form == "mixed" else form, **options)  # type: ignore[arg-type, return-value]
        assert found is not None
        return found

    def absence(self) -> list[Any]:
        found: list[Any] = decode(self.makes.absence(UNBORN) or b"", "")
        return found

    def compact(self) -> bytes:
        found = self.makes.compact(VIN)
        assert found is not None
        return found


@cache
def sale() -> Reading:
    chain = sold().chain
    makes = Certificates(chain.genesis, chain.store, chain.store.proof)
    return Reading(makes, root_of_genesis(chain.genesis), chain.now)


def witnessed(reading: Reading, mode: str = "full") -> list[Any]:
    """An absence that a witness has signed."""
    elements = reading.absence()
    raw = elements[5][0]
    header, block_id = header_of(raw), tagged("bmw/header", elements[3] + raw)
    message = witness_bytes(elements[3], mode, header.height, block_id, header.state_root, 7)
    elements[8] = [[WITNESS.public, mode, 7, WITNESS.sign(message)]]
    return elements


def noted(reading: Reading) -> list[Any]:
    elements = reading.absence()
    note(elements)
    return elements


# --- good -------------------------------------------------------------------------------------------------------------
def good() -> Iterator[Vector]:
    real, car = sale(), Reading.of(car_chain())
    yield "a whole history", real.about(real.history())
    yield "redacted and hidden records", real.about(real.history("mixed"))
    yield "with members and odometer", real.about(real.history("hidden", with_members=True, with_odometer=True))
    yield "an absence", real.about(real.absence())
    yield "an order with its payment", real.about(real.makes.order(sold().order))
    yield "flags, brands, a loss, a recall and a marked author", car.about(car.history())
    changing = changing_chain()
    changed = Reading.of(changing)
    links = changed.absence()
    yield "links over changes of the validator set", changed.about(links)
    yield (
        "from a checkpoint between them",
        changed.about([*links[:4], links[4][1:], *links[5:]], root=checkpoint_of(changing, links[4][0])),
    )
    large = Reading.of(car_chain(depth=1, values=_filled(640)))
    yield "a large bucket: a car", large.about(large.history("hidden"))
    yield "a large bucket: an absence", large.about(large.absence())
    yield "three of four validators", _three_of_four(car)
    yield "a witness of the reader", real.about(witnessed(real), witnesses=[WITNESS.public], witnesses_needed=1)
    yield "a witness of nobody", real.about(witnessed(real, "light"))
    yield "a note of the node that handed it out", real.about(noted(real))
    yield "60 days old", real.about(real.absence(), later_ms=60 * DAY_MS - HOUR_MS)
    yield "61 days old", real.about(real.absence(), later_ms=61 * DAY_MS)
    yield "an old root, accepted", real.about(real.absence(), later_ms=200 * DAY_MS, accept_old_root=True)
    yield "a clock an hour behind", real.about(real.absence(), later_ms=-HOUR_MS)
    yield "stored, not compressed", real.asked(file=stored(encode(real.absence())))
    yield "a compact one in one code", car.asked(texts=to_texts(car.compact()))
    several = Reading.of(car_chain(depth=1, values=_filled(80)))
    texts = to_texts(several.compact())
    assert len(texts) > 1
    yield "a compact one in several codes", several.asked(texts=texts[::-1])


def checkpoint_of(chain: MadeChain, link: list[Any]) -> Root:
    """The point that a link leads to, as a root."""
    header = header_of(link[0])
    following = encode(chain.validators(header.height + 1).entries)
    block_id = tagged("bmw/header", chain.genesis_hash + link[0])
    return Root(chain.genesis_hash, chain.depth, header.height, block_id, header.time_ms, following)


def _three_of_four(car: Reading) -> Question:
    elements = car.absence()
    elements[5][2][0] = b""
    return car.about(elements)


def stored(raw: bytes) -> bytes:
    """The file with one block that is not compressed (RFC 1951, 3.2.4)."""
    size = len(raw).to_bytes(2, "little")
    return file_of(b"\x01" + size + bytes(byte ^ 0xFF for byte in size) + raw)


def file_of(deflated: bytes) -> bytes:
    return MAGIC + sha256(deflated).digest()[:CHECKSUM_BYTES] + deflated


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
    large = Reading.of(car_chain(depth=1, values=_filled(640)))
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
