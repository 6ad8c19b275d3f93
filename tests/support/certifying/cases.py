"""The golden vectors of certificates: good ones of every kind, of a real sale and of made chains."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from random import Random
from typing import Any, Final

from msgspec.structs import replace

from node.certificates.build import Certificates, packed
from node.certificates.canonical import CHECKSUM_BYTES, MAGIC, decode, tagged
from node.certificates.compact import to_texts
from node.certificates.roots import root_of_genesis
from node.certificates.verifier import Root, header_of, witness_bytes
from node.codec import encode
from node.crypto.dev_keys import dev_key
from node.crypto.signing import PrivateKey
from node.txtypes.members.member import FRAUDS, Fraud, Frauds
from node.txtypes.vehicle.brands import Brand, Loss
from node.txtypes.vehicle.regions import OpenRecall
from node.txtypes.vehicle.vehicle import VEHICLE
from support.certifying.asking import about
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
    """One of four validators is replaced at heights 40, 60 and 80: genesis does not lead to the head in one step."""
    names = ("bmw", "dealer-munich", "dealer-shanghai", "workshop-berlin", "bank-1", "insurer-1", "validator-1")
    sets = ((40, names[1:5]), (60, names[2:6]), (80, names[3:7]))
    return car_chain(top=120, sets=tuple((first, validators_named(dict.fromkeys(who, 10))) for first, who in sets))


def filled(count: int) -> tuple[tuple[bytes, bytes], ...]:
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
    for link in (*links[4], links[5]):
        height = header_of(link[0]).height
        yield (
            f"from a checkpoint of height {height}, with all links",
            changed.about(links, root=checkpoint_of(changing, link)),
        )
    yield (
        "a code of the checkpoint",
        car.asked(compact=car.compact(), root=checkpoint_of(car_chain(), car.absence()[5])),
    )
    large = Reading.of(car_chain(depth=1, values=filled(640)))
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
    several = Reading.of(car_chain(depth=1, values=filled(80)))
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
