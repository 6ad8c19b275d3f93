"""A made chain: signed headers over any state, without blocks, from which the product's own builder cuts certificates.

Validator sets, heights, bucket sizes and values of state are free here, where a real chain would take thousands of
transactions to get to them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256

from msgspec.structs import replace

from node.certificates.build import Certificates
from node.certificates.roots import root_of_genesis
from node.certificates.verifier import Root
from node.chain.block import EMPTY_COMMIT, Block, Commit, Committed, Header, block_id_of, evidence_root
from node.chain.genesis import Genesis, genesis_hash, genesis_set
from node.chain.validators import ValidatorSet
from node.chain.vote import vote_sign_bytes
from node.codec import encode
from node.crypto.dev_keys import dev_key
from node.crypto.signing import PrivateKey
from node.crypto.state_tree import StateProof, StateTree, bucket_of, changed_bucket, prove, slot_of
from node.txtypes.chain.validator_set import ValidatorEntry
from node.txtypes.rulesets import RULESETS
from node.txtypes.vehicle.record import Content, Face, StoredRecord, digest_of, next_history_head
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle
from support.chain import START_MS, address, dev_test_genesis

BLOCK_MS = 1_000


def validators_named(powers: Mapping[str, int]) -> ValidatorSet:
    """The set of development validators with these powers."""
    entries = [ValidatorEntry(address(n), dev_key("consensus", n).public, power) for n, power in powers.items()]
    return ValidatorSet(tuple(sorted(entries, key=lambda entry: entry.address)))


def made_records(told: Sequence[tuple[Face, bytes, tuple[str, ...]]]) -> list[StoredRecord]:
    """The records of faces, bodies and outcomes, each with its sequence and a salt of its own."""
    return [
        StoredRecord(
            encode(replace(face, sequence=sequence)),
            encode(Content(sha256(b"salt %d" % sequence).digest()[:16], body, outcome)),
        )
        for sequence, (face, body, outcome) in enumerate(told)
    ]  # fmt: skip


def with_records(vehicle: Vehicle, records: Sequence[StoredRecord]) -> Vehicle:
    """The vehicle whose history these records are."""
    head = bytes(32)
    for sequence, record in enumerate(records):
        head = next_history_head(head, sequence, digest_of(record))
    return replace(vehicle, record_count=len(records), history_head=head)


@dataclass
class MadeChain:
    """A chain whose head is at `top`. `sets`: (first height, validator set), ascending, after the one of genesis.
    Implements what `Certificates` reads of a store."""

    values: dict[bytes, bytes]
    histories: dict[str, list[StoredRecord]] = field(default_factory=dict)
    top: int = 1
    depth: int = 6
    sets: Sequence[tuple[int, ValidatorSet]] = ()
    start_ms: int = START_MS
    silent: frozenset[bytes] = frozenset()
    """Addresses of validators that sign nothing."""
    crowd: int = 0
    """Entries of other keys beside each key; if there are any, no other bucket is empty."""

    @cached_property
    def genesis(self) -> Genesis:
        return dev_test_genesis(self.depth)

    @cached_property
    def genesis_hash(self) -> bytes:
        return genesis_hash(self.genesis)

    @cached_property
    def root(self) -> Root:
        return root_of_genesis(self.genesis)

    @property
    def now_ms(self) -> int:
        """The time of the head."""
        return self.start_ms + self.top * BLOCK_MS

    def certificates(self) -> Certificates:
        return Certificates(self.genesis, self, self.proof)  # type: ignore[arg-type]

    # --- state ---
    @property
    def state(self) -> dict[bytes, bytes]:
        return self.values

    @cached_property
    def _buckets(self) -> dict[int, bytes]:
        numbers = {key: bucket_of(slot_of(key), self.depth) for key in self.values}
        found = {number: self._others(number, 1) for number in range(1 << self.depth)} if self.crowd else {}
        found |= {number: self._others(number, self.crowd) for number in numbers.values()}
        for key, value in self.values.items():
            number = numbers[key]
            found[number] = changed_bucket(found.get(number, b""), slot_of(key), sha256(value).digest())
        return found

    def _others(self, number: int, count: int) -> bytes:
        """Entries with made-up slots of one bucket, ascending."""
        prefix = number << (32 - self.depth)
        slots = sorted(
            (prefix | n).to_bytes(4, "big") + sha256(b"%d %d" % (number, n)).digest()[4:] for n in range(count)
        )
        return b"".join(slot + sha256(slot).digest() for slot in slots)

    @cached_property
    def _tree(self) -> StateTree:
        return StateTree(self.depth, self._buckets.items())

    def proof(self, key: bytes) -> StateProof:
        number = bucket_of(slot_of(key), self.depth)
        return prove(key, self._buckets.get(number, b""), self._tree.siblings(number))

    def put_car(self, vin: str, vehicle: Vehicle, records: Sequence[StoredRecord]) -> None:
        self.values[VEHICLE.key(vin)] = encode(with_records(vehicle, records))
        self.histories[vin] = list(records)

    def records(self, vin: str, start: int, end: int) -> Iterator[tuple[int, bytes]]:
        for sequence, record in list(enumerate(self.histories[vin]))[start:end]:
            yield sequence, encode(record)

    # --- headers ---
    def height(self) -> int:
        return self.top

    def first_height(self) -> int:
        return 1

    def validators(self, height: int) -> ValidatorSet:
        passed = [each for first, each in self.sets if first <= height]
        return passed[-1] if passed else genesis_set(self.genesis)

    @cached_property
    def _headers(self) -> list[Header]:
        """From height 1 on. Only the head's has the state's root: nothing is proven under the others."""
        found: list[Header] = []
        parent = self.genesis_hash
        for height in range(1, self.top + 1):
            own = self.validators(height)
            found.append(Header(
                1, height, self.start_ms + height * BLOCK_MS, parent, own.proposer(height, 0), sha256(b"").digest(),
                self._tree.root if height == self.top else bytes(32), own.hash, self.validators(height + 1).hash,
                RULESETS[1].hash, evidence_root(()), sha256(b"%d" % height).digest(),
            ))  # fmt: skip
            parent = block_id_of(found[-1], self.genesis_hash)
        return found

    def committed(self, height: int) -> Committed:
        header = self._headers[height - 1]
        ident = block_id_of(header, self.genesis_hash)
        message = vote_sign_bytes(self.genesis_hash, "precommit", height, height % 3, ident)
        signatures = tuple(
            b"" if entry.address in self.silent else key_of(entry).sign(message)
            for entry in self.validators(height).entries
        )
        return Committed(Block(header, (), (), EMPTY_COMMIT), Commit(height, height % 3, ident, signatures))


_KEYS: dict[bytes, PrivateKey] = {}


def key_of(entry: ValidatorEntry) -> PrivateKey:
    """The consensus key of a development validator."""
    if not _KEYS:
        _KEYS.update({key.public: key for key in (dev_key("consensus", name) for name in VALIDATORS)})
    return _KEYS[entry.consensus_key]


VALIDATORS = (
    "bmw", "dealer-munich", "dealer-shanghai", "workshop-berlin", "workshop-hamburg", "bank-1", "insurer-1",
    *(f"validator-{number}" for number in range(32)),
)  # fmt: skip
"""Names of the development keys that can be validators of a made chain."""
