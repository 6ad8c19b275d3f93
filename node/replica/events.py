"""What goes into a replica and what comes out: two closed unions of plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from node.chain.block import Block
from node.execution.block_run import BlockResult
from node.replica.messages import Message
from node.replica.signer import ConsensusSigner
from node.txtypes.envelope import CheckedTx, SignedTx
from node.txtypes.unmet import Unmet

PeerId = int
"""Names one connection; never used again for another."""


# --- events -------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Tick:
    """`next_deadline_ms` has passed."""


@dataclass(frozen=True, slots=True)
class PeerConnected:
    peer: PeerId
    node_key: bytes
    is_member: bool = False
    """The node key is one that a member has published."""


@dataclass(frozen=True, slots=True)
class PeerLost:
    peer: PeerId


@dataclass(frozen=True, slots=True)
class Received:
    """A decoded message. `received_ms`: when its first frame left the socket, in steady time."""

    peer: PeerId
    message: Message
    received_ms: int


@dataclass(frozen=True, slots=True)
class Verified:
    """Answers `Verify`: for each transaction whether all its signatures verify."""

    job: int
    results: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Admit:
    """Verified transactions of local callers; answered by `Admitted` in the same step."""

    request: int
    transactions: tuple[CheckedTx, ...]


@dataclass(frozen=True, slots=True)
class KeyInUse:
    """A peer has a living link to another process with our node key."""


@dataclass(frozen=True, slots=True)
class SignerConnected:
    """The process that holds the consensus key is there, or there again: sign with this one from now on."""

    signer: ConsensusSigner


@dataclass(frozen=True, slots=True)
class Failed:
    """The node around the replica can't go on, e.g. its disk is full: the replica halts."""

    reason: str


Event = Tick | PeerConnected | PeerLost | Received | Verified | Admit | KeyInUse | SignerConnected | Failed


# --- actions ------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Send:
    peer: PeerId
    message: Message


@dataclass(frozen=True, slots=True)
class Broadcast:
    """To every peer but `besides`."""

    message: Message
    besides: PeerId | None = None


@dataclass(frozen=True, slots=True)
class Misbehaved:
    """Lower the peer's score; the shell disconnects and bans at its threshold."""

    peer: PeerId
    code: str
    text: str
    weight: int = 10


@dataclass(frozen=True, slots=True)
class Verify:
    """`sender`: the peer whose share it costs; 0 for what is our own work."""

    job: int
    transactions: tuple[SignedTx, ...]
    sender: PeerId = 0


@dataclass(frozen=True, slots=True)
class Admitted:
    """What became of each transaction of an `Admit`: the unmet guards (empty: admitted), or the pool's refusal."""

    request: int
    outcomes: tuple[tuple[Unmet, ...] | str, ...]


@dataclass(frozen=True, slots=True)
class BlockCommitted:
    """A block is on disk. For journal, streams, metrics."""

    block: Block
    result: BlockResult
    transactions: tuple[CheckedTx, ...]
    round: int


@dataclass(frozen=True, slots=True)
class Dropped:
    """An admitted transaction does not hold any more (not final before it expires), or has expired."""

    tx: CheckedTx
    unmet: tuple[Unmet, ...]
    is_expired: bool


@dataclass(frozen=True, slots=True)
class Notice:
    """For the log: a stable name, a level, fields."""

    name: str
    level: str
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Halt:
    """The node must stop taking part: it can't go on without being wrong. One sentence for the operator."""

    reason: str


Action = Send | Broadcast | Misbehaved | Verify | Admitted | BlockCommitted | Dropped | Notice | Halt
