"""The node as the HTTP interface uses it: the `Backend` protocol, which the daemon implements, and its values."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Literal, Protocol

import msgspec

from node.chain.genesis import Genesis
from node.crypto.state_tree import StateProof
from node.ledger.guards import Unmet
from node.replica.progress import SyncPace
from node.storage.chain_store import ChainReader
from node.txtypes.envelope import CheckedTx
from node.txtypes.forecast import Forecast

TxStatusName = Literal["pending", "committed", "rejected", "expired", ""]
"""Empty for a transaction that a node knows nothing of."""


class TxStatus(msgspec.Struct, frozen=True):
    """`status`: pending (in the pool or the journal), committed, rejected (`unmet` says why; final only after expiry),
    expired. `accepted`: False for a rejection of bytes that this node never had in its pool or journal, so that no
    other node has them from it."""

    txid: bytes
    status: TxStatusName
    expires_at_ms: int = 0
    height: int = 0
    index: int = -1
    unmet: tuple[Unmet, ...] = ()
    accepted: bool = True


class Submitted(msgspec.Struct, frozen=True):
    """The outcome of one submission. `status`: of the transaction at this node, None where it knows nothing of it.
    `error`: why these bytes could not be judged or had no room. `txid`: empty where the bytes do not decode."""

    txid: bytes
    status: TxStatus | None
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class PeerInfo:
    node_key: bytes
    address: str
    moniker: str
    is_outbound: bool
    height: int
    member: bytes
    """Address of the member that runs the peer, empty if unknown."""
    score: int = 0
    """Misbehaviour of the peer, which decays; at 100 it is banned."""


@dataclass(frozen=True, slots=True)
class NodeStatus:
    moniker: str
    node_key: bytes
    validator: bytes
    """Address of the member that this node signs for, empty if none."""
    is_validator: bool
    """Whether that member, or the member whose account key is here, is a validator of the next height."""
    is_syncing: bool
    signing: str
    """signing, listening, catching_up, waiting: <until when>, stopped: <why>, signer unreachable: <why>,
    not_a_validator; no_key and another_key: a validator whose consensus key is not here, or not the chain's; halted."""
    round: int
    step: str
    peers: int
    pool_txs: int
    pool_bytes: int
    halted: str
    """Why the node has halted, or empty."""
    version: str
    pace: SyncPace = field(default_factory=SyncPace)
    """Progress of block sync."""
    is_clock_off: bool = False
    """Whether this node's clock differs too much from the validators' clocks."""


class NotAdmitted(Exception):
    """The pool is full, in total or for this sender. Answered 429 with Retry-After."""

    def __init__(self, text: str, retry_after_s: int = 1) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


class Syncing(Exception):
    """The node is behind the chain and accepts no transactions now. Answered 503."""


class Backend(Protocol):
    """No method blocks the event loop; synchronous methods return quickly."""

    genesis: Genesis
    genesis_hash: bytes
    node_key: bytes
    """Public, 32 bytes."""

    def sign(self, message: bytes) -> bytes:
        """The node key's signature. The message begins with a tag, or is a tagged hash, so that it means one thing."""

    def reader(self) -> ChainReader:
        """The chain at its head. Reads without an await between them are of one height."""

    def proof(self, key: bytes, height: int | None = None) -> StateProof:
        """A proof against the state root of the head, or of another height whose state is kept."""

    def status(self) -> NodeStatus: ...

    def peers(self) -> list[PeerInfo]: ...

    def tx_status(self, txid: bytes) -> TxStatus | None:
        """None for a txid that this node does not know."""

    def forecast(self, tx: CheckedTx) -> Forecast:
        """What the transaction would change now, or every guard that is unmet. Changes nothing."""

    async def submit(self, raws: list[bytes]) -> list[Submitted]:
        """Decode, verify, admit and journal (synced) each transaction, in order and independently of the others. An
        item's error is `Malformed`, `TooLarge`, `BadSignature`, `NotAdmitted` or `Syncing`."""

    async def wait_for(self, txid: bytes, timeout_ms: int) -> TxStatus | None:
        """The status once it is no longer pending, or at the timeout."""

    def commits(self) -> AsyncGenerator[int, None]:
        """The height of each block that is committed from now on. The caller closes the generator."""

    def metrics(self) -> dict[str, float]:
        """Samples by metric name (see `metrics.METRICS`), some with labels in braces."""
