"""Random certificates of made chains, and random changes of them; everything follows from a seed."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Any, Final

from msgspec.structs import replace

from node.certificates.build import packed
from node.certificates.canonical import decode, tagged
from node.certificates.compact import to_texts
from node.certificates.verifier import Root, header_of, witness_bytes
from node.codec import encode
from node.crypto.dev_keys import dev_key
from node.txtypes.members.member import FRAUDS, MEMBER, Fraud, Frauds
from node.txtypes.sale.order_family import ORDER
from node.txtypes.sale.payments import PAYMENT
from node.txtypes.vehicle.brands import Brand, Loss
from node.txtypes.vehicle.readings import ODOMETER
from node.txtypes.vehicle.record import Face
from node.txtypes.vehicle.regions import Alert, Flag, OpenRecall
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle
from support.certifying.asking import about, answered
from support.certifying.made import VALIDATORS, MadeChain, made_records, validators_named
from support.chain import DAY_MS, HOUR_MS, START_MS, address
from support.javascript.asking import Question
from support.life import VIN, Life
from support.specimens import specimen
from support.stages import at

AUTHORS: Final = ("bmw", "dealer-munich", "dealer-shanghai", "workshop-berlin", "buyer-1")
KINDS: Final = ("maintenance.record", "accident.report", "inspection.record", "repair.record", "title.transfer")
WITNESSES: Final = ("witness-1", "witness-2", "witness-3")
DEEP: Final = 18
UNBORN: Final = "WBA8E9G50GNU99999"


@cache
def sold() -> Life:
    """A real sale, from which made chains take their values."""
    return at("handed_over")


@cache
def _car() -> Vehicle:
    found: Vehicle = sold().chain.state(VEHICLE, VIN)
    return found


@cache
def _body(kind: str) -> bytes:
    return encode(specimen(kind))


@cache
def _values() -> dict[bytes, bytes]:
    """Members, the odometer, the order and its payment."""
    life, state = sold(), sold().chain.store.state
    keys = [ORDER.key(life.order), PAYMENT.key(life.payment), ODOMETER.key(VIN)]
    found = {key: state.get(key) for key in keys + [MEMBER.key(address(name)) for name in AUTHORS]}
    return {key: value for key, value in found.items() if value is not None}


@dataclass
class Certificate:
    """A certificate with all that a reader has: `raw` is its encoding, whole or compact."""

    raw: bytes
    root: Root
    now_ms: int
    is_compact: bool = False
    options: dict[str, Any] = field(default_factory=dict)

    def question(self, raw: bytes | None = None) -> Question:
        raw = self.raw if raw is None else raw
        given = {"compact": raw} if self.is_compact else {"file": packed(raw)}
        return about(self.root, self.now_ms, self.options, **given)


# --- certificates -----------------------------------------------------------------------------------------------------
def random_car(chance: Random, now_ms: int) -> Vehicle:
    """A car with flags, brands, alerts, recalls and a loss, many of which change just now."""
    some = lambda: chance.randrange(3)  # noqa: E731
    states = ("pending", "confirmed", "undecided", "annulled")
    setter = address("police-1")

    def about_now(*days: int) -> int:
        return now_ms - chance.choice(days) * DAY_MS + chance.choice((-1, 0, 1))

    def disputed() -> int:
        return chance.choice((0, about_now(0), about_now(-5, 5)))

    flags = [
        Flag(chance.choice(("stolen", "court_hold", "lien")), setter, "DE", b"", now_ms,
             chance.choice((0, about_now(0))), chance.random() < 0.5, n)
        for n in range(some())
    ]  # fmt: skip
    brands = [
        Brand(chance.choice(("flood", "taxi", "salvage")), chance.choice(states), about_now(30, 60, 1), n, disputed())
        for n in range(some())
    ]
    alerts = [
        Alert(code, chance.choice(("reported", "confirmed", "closed")), now_ms, now_ms, 1, n, setter, n)
        for n, code in enumerate(("cloned_vin", "export_unconfirmed")[: some()])
    ]
    recalls = [OpenRecall(address("bmw"), f"R-{n}", "safety", now_ms) for n in range(some())]
    loss = Loss("S", chance.choice(states), about_now(30, 60, 1), 3, disputed(), setter, ("salvage",))
    existence = chance.choice(("born", "in_service", "scrapped", "voided", "rebuilt"))
    return replace(
        _car(), flags=tuple(flags), brands=tuple(brands), alerts=tuple(alerts), recalls=tuple(recalls),
        loss=chance.choice((None, loss)), existence=existence, verdict=chance.choice(("LOGICAL", "ILLOGICAL")),
        accident_count=chance.randrange(300), transfer_count=chance.randrange(70_000),
    )  # fmt: skip


def random_face(chance: Random, now_ms: int) -> Face:
    author = chance.choice(AUTHORS)
    at_ms = now_ms - chance.randrange(900) * DAY_MS
    name = chance.choice((author, "", "Müller & Söhne", "上海汽车", "\ufeffbom", "🚗"))
    return Face(
        0, chance.randbytes(32), chance.choice((7, 300, 70_000, 2**33)), at_ms, address(author), name,
        chance.choice(KINDS), at_ms - chance.choice((0, 1, DAY_MS)),
    )  # fmt: skip


def random_chain(chance: Random, **given: Any) -> MadeChain:
    """A chain with one car, an order and other keys; at times with large buckets, set changes and silent validators."""
    depth, fillers = chance.choice(((6, 0), (6, 60), (3, 200), (2, 300), (1, 620)))
    top = chance.choice((1, 2, 3, 5, 40, 130, 300))
    chain = MadeChain(
        {b"family/%d" % n: b"value" for n in range(fillers)} | _values(), top=top,
        start_ms=START_MS + chance.randrange(170) * DAY_MS, **{"depth": depth} | given,
    )  # fmt: skip
    powers = dict.fromkeys(VALIDATORS[:4], 10)
    changes = []
    for height in sorted(chance.sample(range(2, top + 2), min(top, chance.randrange(4)))):
        powers = dict(list(powers.items())[1:]) | {VALIDATORS[4 + len(changes)]: chance.choice((1, 10, 300))}
        changes.append((height, validators_named(powers)))
    chain.sets = changes
    if not changes and chance.random() < 0.4:
        chain.silent = frozenset({chance.choice(chain.validators(top).entries).address})
    told = [(random_face(chance, chain.now_ms), _body(chance.choice(KINDS)), ("verdict:LOGICAL",) * chance.randrange(2))
            for _ in range(chance.randrange(9))]  # fmt: skip
    chain.put_car(VIN, random_car(chance, chain.now_ms), made_records(told))
    if chance.random() < 0.6:
        marks = [Fraud(address(name), chance.choice(("", "workshop")), told[0][0].time_ms if told else 0)
                 for name in chance.sample(AUTHORS, 2)]  # fmt: skip
        marks.sort(key=lambda mark: (mark.author, mark.role))
        chain.values[FRAUDS.key("all")] = encode(Frauds(tuple(marks)))
    return chain


def random_certificate(chance: Random, chain: MadeChain | None = None) -> Certificate:
    """A certificate that is good but for its age, its root's age and what its reader demands."""
    chain = chain or random_chain(chance)
    makes = chain.certificates()
    later = chance.choice((0, 1, 59 * DAY_MS, 60 * DAY_MS, 60 * DAY_MS + 1, 90 * DAY_MS, 200 * DAY_MS))
    now_ms = chain.now_ms + chance.choice((later, later, later, -HOUR_MS, -HOUR_MS - 1))
    options: dict[str, Any] = {"accept_old_root": chance.random() < 0.8}
    if chance.random() < 0.3:
        options["age_max_ms"] = chance.choice((DAY_MS, 60 * DAY_MS, 365 * DAY_MS))
    is_small = len(chain.proof(VEHICLE.key(VIN)).entries) and chain.proof(VEHICLE.key(VIN)).large is None
    if is_small and not chain.sets and chance.random() < 0.5:
        raw = makes.compact(VIN)
        assert raw is not None
        return Certificate(raw, chain.root, now_ms, is_compact=True, options=options)
    kind = chance.choice(("history", "history", "absence", "order"))
    forms = [chance.choice(("whole", "redacted", "hidden")) for _ in range(9)]
    made = {
        "history": lambda: makes.history(
            VIN, lambda sequence: forms[sequence],  # type: ignore[arg-type, return-value]
            with_odometer=chance.random() < 0.3, with_members=chance.random() < 0.3,
        ),
        "absence": lambda: makes.absence(UNBORN),
        "order": lambda: makes.order(sold().order),
    }[kind]()  # fmt: skip
    elements = decode(made, "a certificate")
    root = _some_root(chance, chain, elements)
    _witness(chance, elements, root.genesis_hash, options)
    if chance.random() < 0.3:
        note(elements)
    return Certificate(encode(elements), root, now_ms, options=options)


def _some_root(chance: Random, chain: MadeChain, elements: list[Any]) -> Root:
    """That of genesis; or the point of a link, from which the links are those that remain."""
    if not elements[4] or chance.random() < 0.5:
        return chain.root
    place = chance.randrange(len(elements[4]))
    header = header_of(elements[4][place][0])
    elements[4] = elements[4][place + 1 :]
    following = chain.validators(header.height + 1)
    block_id = tagged("bmw/header", chain.genesis_hash + encode(list(header)))
    return Root(
        chain.genesis_hash, chain.depth, header.height, block_id, header.time_ms, encode(following.entries)
    )  # fmt: skip


def _witness(chance: Random, elements: list[Any], genesis: bytes, options: dict[str, Any]) -> None:
    signing = chance.sample(WITNESSES, chance.choice((0, 0, 1, 3)))
    raw = elements[5][0]
    header, block_id = header_of(raw), tagged("bmw/header", genesis + raw)
    for name in signing:
        key, mode = dev_key("node", name), chance.choice(("light", "full"))
        message = witness_bytes(genesis, mode, header.height, block_id, header.state_root, header.time_ms + 1)
        elements[8].append([key.public, mode, header.time_ms + 1, key.sign(message)])
    if chance.random() < 0.4:
        trusted = chance.sample(WITNESSES, 2)
        options["witnesses"] = [dev_key("node", name).public for name in trusted]
        options["witnesses_needed"] = chance.randrange(3)


def note(elements: list[Any]) -> None:
    """Signed by a node, over all bytes before it."""
    key, issued_ms = dev_key("node", "bmw"), 2**41
    before = encode([*elements[:9], None])[:-1]
    message = tagged("bmw/certificate-note", elements[3] + issued_ms.to_bytes(8, "big") + before)
    elements[9] = [key.public, issued_ms, key.sign(message)]


def good_certificates(chance: Random) -> Iterator[Certificate]:
    """Random ones that are good for their readers. What proves that a key is absent proves it of every other key of its
    bucket, so those with absent keys are of a full tree of usual depth, where a changed key has another bucket."""
    full = random_chain(chance, depth=DEEP, crowd=1)
    while True:
        certificate = random_certificate(chance, chance.choice((None, full)))
        items = [] if certificate.is_compact else decode(certificate.raw, "a certificate")[6]
        is_clear = certificate.root == full.root or all(value is not None for _, value, _ in items)
        if is_clear and "found" in answered(certificate.question()):
            yield certificate


# --- changes ----------------------------------------------------------------------------------------------------------
ODD: Final = (
    None, True, False, 0, 1, 2, 3, -1, 127, 128, 256, 2**31, 2**32, 2**53, 2**53 + 1, 2**64 - 1, -(2**63), "", "full",
    "history", "absence", "order", VIN, b"", b"\x00", bytes(20), bytes(32), bytes(64), b"\xff" * 32, [], [[]], [None],
    [0, bytes(32)], [bytes(32), "full", 1, bytes(64)],
)  # fmt: skip
"""Values that a change puts in the place of others."""


def changed_structure(chance: Random, raw: bytes) -> bytes:
    """The encoding with one element replaced, removed, doubled, swapped or altered, or with signatures left out; still
    canonical."""
    value = decode(raw, "it")
    if len(value) == 10 and chance.random() < 0.1:
        signatures = value[5][2]
        value[5][2] = [chance.choice((b"", signature)) for signature in signatures]
        return encode(value)
    if len(value) == 10 and value[7] and value[7][1] and chance.random() < 0.2:
        records = value[7][1]
        records[chance.randrange(len(records))] = [0, chance.randbytes(32)]
        return encode(value)
    path, parent = value, None
    place = 0
    while isinstance(path, list) and path and (parent is None or chance.random() < 0.85):
        parent, place = path, chance.randrange(len(path))
        if path is value and len(path) == 10:
            place = chance.choice((0, 1, 2, 3, 4, 5, 5, 5, 6, 6, 6, 7, 7, 7, 8, 8, 9))
        path = path[place]
    assert isinstance(parent, list)
    match chance.randrange(6):
        case 0 | 1:
            alike = [odd for odd in ODD if type(odd) is type(path)] or ODD
            parent[place] = chance.choice(alike if chance.random() < 0.8 else ODD)
        case 2:
            del parent[place]
        case 3:
            parent.insert(place, deepcopy(parent[chance.randrange(len(parent))]))
        case 4:
            other = chance.randrange(len(parent))
            parent[place], parent[other] = parent[other], parent[place]
        case _:
            parent[place] = _altered(chance, path)
    return encode(value)


def _altered(chance: Random, value: Any) -> Any:
    match value:
        case bool() | None:
            return not value
        case int():
            return max(0, value + chance.choice((-1, 1, 1 << chance.randrange(40))))
        case str():
            return value[:-1] if chance.random() < 0.5 else value + chance.choice("aZ0ü")
        case bytes():
            return changed_bytes(chance, value)
    return value[: chance.randrange(len(value) + 1)]


def changed_bytes(chance: Random, raw: bytes) -> bytes:
    """The bytes with a few changed, left out, put in, doubled or exchanged; always different."""
    while True:
        found = bytearray(raw)
        start = chance.randrange(len(found) + 1)
        end = min(len(found), start + chance.choice((1, 1, 1, 2, 4, 32, 64)))
        match chance.randrange(7):
            case 0 | 1:
                if start < len(found):
                    found[start] ^= 1 << chance.randrange(8)
            case 2:
                if start < len(found):
                    found[start] = chance.randrange(256)
            case 3:
                del found[start:end]
            case 4:
                found[start:start] = chance.randbytes(end - start or 1)
            case 5:
                found[start:start] = found[start:end]
            case _:
                at = chance.randrange(len(found) + 1)
                part = found[start:end]
                found[start : start + len(part)] = found[at : at + len(part)]
        if found != raw:
            return bytes(found)


def changed_texts(chance: Random, texts: tuple[str, ...]) -> list[str]:
    """The texts of codes with one character changed, left out or put in."""
    while True:
        found = list(texts)
        number = chance.randrange(len(found))
        at = chance.randrange(len(found[number])) if chance.random() < 0.8 else chance.randrange(9)
        letter = chance.choice("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:aé")
        kept = chance.choice((1, 1, 1, 0, 0))
        end = at + chance.choice((1, 1, 0)) if kept else at + 1
        found[number] = found[number][:at] + letter * kept + found[number][end:]
        if found != list(texts):
            return found


def random_change(chance: Random, certificate: Certificate) -> Question:
    """The question about a certificate of which some bytes were changed: of the file, of what it inflates to (with its
    checksum set right), of a compact certificate, or characters of its codes."""
    if not certificate.is_compact:
        if chance.random() < 0.5:
            return certificate.question(changed_bytes(chance, certificate.raw))
        file = changed_bytes(chance, packed(certificate.raw))
        return about(certificate.root, certificate.now_ms, certificate.options, file=file)
    if chance.random() < 0.5:
        return certificate.question(changed_bytes(chance, certificate.raw))
    texts = changed_texts(chance, to_texts(certificate.raw))
    return about(certificate.root, certificate.now_ms, certificate.options, texts=texts)


def random_question(chance: Random) -> Question:
    """About a certificate as it was made, or with its structure changed once."""
    certificate = random_certificate(chance)
    if chance.random() < 0.4:
        return certificate.question()
    return certificate.question(changed_structure(chance, certificate.raw))
