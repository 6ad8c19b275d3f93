"""The validator set of one height: powers, quorum, and whose turn it is to propose."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from math import gcd

from node.codec import encode
from node.crypto.hashing import tagged
from node.txtypes.chain.validator_set import ValidatorEntry


@dataclass(frozen=True)
class ValidatorSet:
    """Ascending by address, every power at least 1, total at most 1,000."""

    entries: tuple[ValidatorEntry, ...]
    total: int = field(init=False)
    hash: bytes = field(init=False)
    _by_address: dict[bytes, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "total", sum(entry.power for entry in self.entries))
        object.__setattr__(self, "hash", tagged("bmw/validators", encode(self.entries)))
        object.__setattr__(self, "_by_address", {entry.address: i for i, entry in enumerate(self.entries)})

    def __len__(self) -> int:
        return len(self.entries)

    def __contains__(self, address: bytes) -> bool:
        return address in self._by_address

    def get(self, address: bytes) -> ValidatorEntry | None:
        index = self._by_address.get(address)
        return None if index is None else self.entries[index]

    def index(self, address: bytes) -> int:
        """Place in the set; raises KeyError for anyone else."""
        return self._by_address[address]

    def power(self, address: bytes) -> int:
        entry = self.get(address)
        return entry.power if entry else 0

    def is_quorum(self, power: int) -> bool:
        """More than two thirds of the total."""
        return 3 * power > 2 * self.total

    def is_third(self, power: int) -> bool:
        """At least one third: one correct validator more than the faulty ones can be."""
        return 3 * power >= self.total

    def proposer(self, height: int, round_: int) -> bytes:
        """Address of the proposer: smooth weighted round-robin, index `(height + round) mod period`."""
        sequence = _proposer_sequence(self.entries)
        return sequence[(height + round_) % len(sequence)]


@lru_cache(maxsize=64)
def _proposer_sequence(entries: tuple[ValidatorEntry, ...]) -> tuple[bytes, ...]:
    """Each turn every validator gains its power, the highest (ties by address) proposes and pays the total.

    Period: total power over the powers' greatest common divisor.
    """
    divisor = gcd(*(entry.power for entry in entries))
    powers = [entry.power // divisor for entry in entries]
    total = sum(powers)
    credit = [0] * len(powers)
    sequence = []
    for _ in range(total):
        credit = [c + p for c, p in zip(credit, powers, strict=True)]
        chosen = max(range(len(credit)), key=lambda i: (credit[i], -i))
        credit[chosen] -= total
        sequence.append(entries[chosen].address)
    return tuple(sequence)
