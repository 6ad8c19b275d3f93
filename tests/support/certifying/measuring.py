"""How large a certificate is and how long it takes to verify, for varied records of a car."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle
from random import Random
from statistics import median
from typing import Any, Final

from msgspec.structs import replace

from node.certificates.build import packed
from node.certificates.canonical import decode
from node.certificates.verifier import verify
from node.codec import encode
from node.txtypes.members.member import FRAUDS, Fraud, Frauds
from node.txtypes.vehicle.record import StoredRecord, content_of, face_of, stored_record
from support.certifying.asking import about
from support.certifying.chance import random_car
from support.certifying.made import MadeChain, made_records
from support.chain import DAY_MS
from support.javascript.asking import Answer, Question, ask_chromium, ask_node, chromium
from support.life import VIN
from support.vectors import story

SIZES: Final = ((10, 1), (50, 1), (50, 10), (200, 10), (0, 10))
"""What is measured: the records of a car, and the other entries in the bucket of each proven key, of which there are 1
in a chain of 260,000 keys and 10 in one of 2.6 million. 0 stands for one record of every type: the vectors' story."""
OPENING: Final = (
    "vehicle.register", "title.transfer", "listing.create", "order.accept", "order.handover", "registration.set",
)  # fmt: skip
COMMON: Final = (*["maintenance.record"] * 4, "odometer.read", "inspection.record")
SELDOM: Final = (
    "repair.record", "accident.report", "recall.extend", "recall.done", "part.bind", "software.update",
)  # fmt: skip
BARS: Final = {"raw": 25_000, "file": 12_000, "python_ms": 10, "node_ms": 50, "chromium_ms": 50}
"""Bytes and milliseconds that a certificate of 50 records must not exceed; the bytes where the tree has about one key a
bucket, as its depth is to be chosen. Each further key in a bucket adds 64 bytes to the proof of each key in it."""
TIMES: Final = 200
FRAUDS_LISTED: Final = 100
DEPTH: Final = 18


@dataclass(frozen=True)
class Measured:
    """A certificate's size in bytes and the medians of its verification, None where there is no Chromium."""

    records: int
    crowd: int
    raw: int
    file: int
    python_ms: float
    node_ms: float
    node_without_ed25519_ms: float
    chromium_ms: float | None

    def missed(self) -> list[str]:
        """Names of the bars that it misses, if they are for it."""
        if self.records != 50:
            return []
        names = BARS if self.crowd <= 1 else [name for name in BARS if name.endswith("_ms")]
        found = {name: getattr(self, name) for name in names}
        return [name for name in names if found[name] is not None and found[name] > BARS[name]]


def varied(chance: Random, value: Any) -> Any:
    """A value as another record would have it: other hashes and numbers, the same addresses and vocabulary."""
    match value:
        case list():
            return [varied(chance, each) for each in value]
        case bytes() if len(value) >= 16 and len(value) != 20:
            return chance.randbytes(len(value))
        case int() if not isinstance(value, bool) and value > 256:
            return value + chance.randrange(-(value // 16), value // 16)
    return value


def kinds_of(records: int) -> list[str]:
    """The types of a car's records as years of use leave them: mostly maintenance, inspections and readings."""
    common, seldom = cycle(COMMON), cycle(SELDOM)
    later = [next(seldom) if number % 8 == 7 else next(common) for number in range(records)]
    return [*OPENING, *later][:records]


def chain_of(kinds: Sequence[str], crowd: int) -> MadeChain:
    """A full tree of depth 18, four validators, and a car with records of these types, no two alike."""
    chance, life = Random(len(kinds)), story().chain
    chain = MadeChain({}, top=300, depth=DEPTH, crowd=crowd)
    examples: dict[str, list[StoredRecord]] = {}
    for _, raw in life.store.records(VIN, 0, 1_000):
        examples.setdefault(face_of(stored_record(raw)).kind, []).append(stored_record(raw))
    told = []
    for number, kind in enumerate(kinds or [name for name, found in examples.items() for _ in found]):
        record = examples[kind][number % len(examples[kind])]
        face, content = face_of(record), content_of(record)
        body = encode(varied(chance, decode(content.body, "a body")))
        later = {"height": 1_000 * number + 7, "time_ms": face.time_ms + number * DAY_MS}
        told.append((replace(face, txid=chance.randbytes(32), **later), body, content.outcome))
    chain.put_car(VIN, random_car(chance, chain.now_ms), made_records(told))
    marks = sorted(chance.randbytes(20) for _ in range(FRAUDS_LISTED))
    listed = tuple(Fraud(author, "", chain.now_ms - chance.randrange(900 * DAY_MS)) for author in marks)
    chain.values[FRAUDS.key("all")] = encode(Frauds(listed))
    return chain


def milliseconds(act: Callable[[], object]) -> float:
    """The median of `TIMES` calls."""
    taken = []
    for _ in range(TIMES):
        start = time.perf_counter()
        act()
        taken.append(time.perf_counter() - start)
    return 1_000 * median(taken)


def measure(sizes: Sequence[tuple[int, int]] = SIZES) -> list[Measured]:
    sized = []
    for records, crowd in sizes:
        chain = chain_of(kinds_of(records), crowd)
        raw = chain.certificates().history(VIN, lambda _: "whole")
        assert raw is not None
        sized.append((len(chain.histories[VIN]), chain, raw, packed(raw)))
    questions: list[Question] = [
        about(chain.root, chain.now_ms, file=file) | {"ask": "milliseconds", "times": TIMES}
        for _, chain, _, file in sized
    ]
    node, plain = ask_node(questions), ask_node(questions, without_ed25519=True)
    page: list[Answer] = ask_chromium(questions) if chromium() else [{"found": None}] * len(questions)
    found = []
    for n, (records, chain, raw, file) in enumerate(sized):
        taken = milliseconds(lambda f=file, c=chain: verify(f, c.root, c.now_ms))  # type: ignore[misc]
        answers = [answers[n]["found"] for answers in (node, plain, page)]
        found.append(Measured(records, chain.crowd, len(raw), len(file), taken, *answers))
    return found


def hash_microseconds() -> dict[str, dict[str, float]]:
    """What a SHA-256 hash of 100 bytes takes: our own, and that of WebCrypto."""
    question = {"ask": "microseconds_of_a_hash", "size": 100, "times": TIMES}
    found = {"node": ask_node([question])[0]["found"]}
    if chromium():
        found["chromium"] = ask_chromium([question])[0]["found"]
    return found
