"""The validator set of one height: powers, quorum and proposer."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from math import gcd

from node.codec import encode
from node.crypto.hashing import tagged
from node.txtypes.chain.validator_set import ValidatorEntry


@dataclass(frozen=True)
class ValidatorSet:
    """Validators in ascending order of address; each power at least 1, the total at most 1,000."""

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
        """Position in the set. Raises `KeyError` for a non-member."""
        return self._by_address[address]

    def power(self, address: bytes) -> int:
        entry = self.get(address)
        return entry.power if entry else 0

    def is_quorum(self, power: int) -> bool:
        """Whether `power` is more than two thirds of the total."""
        return 3 * power > 2 * self.total

    def is_third(self, power: int) -> bool:
        """Whether `power` is at least a third of the total, and so includes a correct validator."""
        return 3 * power >= self.total

    def proposer(self, height: int, round_: int) -> bytes:
        """The proposer's address: smooth weighted round-robin at index `(height + round) mod period`."""
        sequence = _proposer_sequence(self.entries)
        return sequence[(height + round_) % len(sequence)]


@lru_cache(maxsize=64)
def _proposer_sequence(entries: tuple[ValidatorEntry, ...]) -> tuple[bytes, ...]:
    """One period of the round-robin: total power divided by the powers' greatest common divisor.

    In each step every validator gains its power; the highest (ties by address) proposes and loses the total.
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
