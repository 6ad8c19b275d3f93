"""The result of a replay, for people and programs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from node.audit.divergence import Divergence


@dataclass
class ReplayReport:
    """Result of a replay. Without `divergence` everything up to `height` is valid."""

    chain_id: str
    genesis_hash: bytes
    source: str
    height: int = 0
    block_id: bytes = b""
    state_root: bytes = b""
    time_ms: int = 0
    transactions: int = 0
    types: dict[str, int] = field(default_factory=dict)
    compared: dict[str, int] = field(default_factory=dict)
    """Of a store: key family to number of keys that equal the recomputed ones."""
    unaudited_keys: int = 0
    """Keys of a store that do not follow from the chain, so they can't be checked."""
    seconds: float = 0.0
    divergence: Divergence | None = None
    """Of this chain, or of its predecessor."""
    predecessor: ReplayReport | None = None
    """Of the chain that this one continues, up to the break; its last state is the first of this one."""

    ranges: int = 0
    """Of a replay over ranges: how many were joined, and how many of them the work folder had already."""
    ranges_resumed: int = 0
    snapshots_refused: dict[int, str] = field(default_factory=dict)
    """Height to the reason. Such a snapshot was not used: the range before it was replayed through it."""
    not_continued: int = 0
    """Blocks of the source after the last one asked for. Of a predecessor: decided, but left out by its successor."""
    first_validators: frozenset[bytes] = frozenset()
    """Addresses of the validators of the first block."""
    validators: dict[bytes, str] = field(default_factory=dict)
    """Validators of the height after the last: address to member's name."""

    def validators_left_out(self, successor: ReplayReport) -> list[str]:
        """Names of validators here that are not in the successor's first set."""
        return sorted(name for address, name in self.validators.items() if address not in successor.first_validators)

    def to_json(self) -> dict[str, Any]:
        return {
            "result": "ok" if self.divergence is None else "diverged",
            "chain_id": self.chain_id,
            "genesis_hash": self.genesis_hash.hex(),
            "source": self.source,
            "height": self.height,
            "block_id": self.block_id.hex(),
            "state_root": self.state_root.hex(),
            "transactions": self.transactions,
            "types": self.types,
            "keys_compared": self.compared,
            "keys_unaudited": self.unaudited_keys,
            "seconds": round(self.seconds, 3),
            "divergence": None if self.divergence is None else self.divergence.to_json(),
            "ranges": self.ranges,
            "ranges_resumed": self.ranges_resumed,
            "snapshots_refused": {str(height): why for height, why in self.snapshots_refused.items()},
            "predecessor": None
            if self.predecessor is None
            else self.predecessor.to_json()
            | {
                "validators_left_out": self.predecessor.validators_left_out(self),
                "blocks_left_out": self.predecessor.not_continued,
            },
        }
