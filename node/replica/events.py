"""Events and actions: input and output of a replica, two closed unions of plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from node.chain.block import Block
from node.execution.block_run import BlockResult
from node.ledger.guards import Unmet
from node.replica.messages import Message
from node.replica.signer import ConsensusSigner
from node.txtypes.envelope import CheckedTx, SignedTx

PeerId = int
"""Identifies one connection; never reused."""


# --- events -------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Tick:
    """`next_deadline_ms` has passed."""


@dataclass(frozen=True, slots=True)
class PeerConnected:
    """A link was opened. `is_member`: its node key is published by a member."""

    peer: PeerId
    node_key: bytes
    is_member: bool = False


@dataclass(frozen=True, slots=True)
class PeerLost:
    """The link of a peer was closed."""

    peer: PeerId


@dataclass(frozen=True, slots=True)
class Received:
    """A decoded message. `received_ms`: steady time at which its first frame was read."""

    peer: PeerId
    message: Message
    received_ms: int


@dataclass(frozen=True, slots=True)
class Verified:
    """Answers `Verify`: whether all signatures of each transaction verify."""

    job: int
    results: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Admit:
    """Verified transactions of a local caller; answered by `Admitted` in the same step."""

    request: int
    transactions: tuple[CheckedTx, ...]


@dataclass(frozen=True, slots=True)
class KeyInUse:
    """A peer claims to have a live link to another process with our node key."""


@dataclass(frozen=True, slots=True)
class SignerConnected:
    """The remote signer has connected or reconnected: use this one from now on."""

    signer: ConsensusSigner


@dataclass(frozen=True, slots=True)
class Failed:
    """The node around the replica can't go on, e.g. its disk is full: the replica halts."""

    reason: str


Event = Tick | PeerConnected | PeerLost | Received | Verified | Admit | KeyInUse | SignerConnected | Failed


# --- actions ------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Send:
    """Send a message to one peer."""

    peer: PeerId
    message: Message


@dataclass(frozen=True, slots=True)
class Broadcast:
    """Send a message to every peer except `besides`."""

    message: Message
    besides: PeerId | None = None


@dataclass(frozen=True, slots=True)
class Misbehaved:
    """Raise the peer's misbehaviour score by `weight`; the network bans it at the threshold."""

    peer: PeerId
    code: str
    text: str
    weight: int = 10


@dataclass(frozen=True, slots=True)
class Verify:
    """Verify signatures. `sender`: the peer whose quota is charged; 0 for our own work."""

    job: int
    transactions: tuple[SignedTx, ...]
    sender: PeerId = 0


@dataclass(frozen=True, slots=True)
class Admitted:
    """Answers `Admit`: for each transaction its unmet guards (empty: admitted), or why the pool refused it."""

    request: int
    outcomes: tuple[tuple[Unmet, ...] | str, ...]


@dataclass(frozen=True, slots=True)
class BlockCommitted:
    """A block is on disk. For the journal, streams and metrics."""

    block: Block
    result: BlockResult
    transactions: tuple[CheckedTx, ...]
    round: int


@dataclass(frozen=True, slots=True)
class Dropped:
    """A transaction left the pool without a block: expired, or with guards now unmet (not final before it expires)."""

    tx: CheckedTx
    unmet: tuple[Unmet, ...]
    is_expired: bool


@dataclass(frozen=True, slots=True)
class Notice:
    """A log record: stable name, level, fields."""

    name: str
    level: str
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Halt:
    """The node must stop taking part, since going on could be wrong. `reason`: one sentence for the operator."""

    reason: str


Action = Send | Broadcast | Misbehaved | Verify | Admitted | BlockCommitted | Dropped | Notice | Halt
