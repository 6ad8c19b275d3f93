"""What the HTTP interface asks of the node: the one seam between them. The daemon implements it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Protocol

from node.chain.genesis import Genesis
from node.crypto.state_tree import StateProof
from node.ledger.guards import Unmet
from node.replica.progress import SyncPace
from node.storage.chain_store import ChainReader
from node.txtypes.envelope import CheckedTx


@dataclass(frozen=True, slots=True)
class TxStatus:
    """What has become of a transaction. `unmet` where it is rejected; a rejection is final only once expired.

    status: pending (journalled here), committed, rejected, expired
    """

    txid: bytes
    status: str
    expires_at_ms: int = 0
    height: int = 0
    index: int = -1
    unmet: tuple[Unmet, ...] = ()


@dataclass(frozen=True, slots=True)
class PeerInfo:
    node_key: bytes
    address: str
    moniker: str
    is_outbound: bool
    height: int
    member: bytes
    """Member's address, empty for a stranger."""


@dataclass(frozen=True, slots=True)
class NodeStatus:
    moniker: str
    node_key: bytes
    validator: bytes
    """Address of the member this node signs for, empty where it does not."""
    is_validator: bool
    """That member, or the one whose account key is here, is in the set that decides the next height."""
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
    """This node's clock is far from the validators'."""


@dataclass(frozen=True, slots=True)
class CommittedHeight:
    """Handed to stream subscribers after each commit."""

    height: int


class NotAdmitted(Exception):
    """The pool takes no more from this sender, or at all. Answered 429 with Retry-After."""

    def __init__(self, text: str, retry_after_s: int = 1) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


class Syncing(Exception):
    """The node is behind and takes no transactions now. Answered 503."""


class Backend(Protocol):
    """Synchronous parts never block for long; nothing here blocks the event loop."""

    genesis: Genesis
    genesis_hash: bytes

    def reader(self) -> ChainReader:
        """The chain as it is now. Reads within one call without await are of one height."""
        ...

    def proof(self, key: bytes) -> StateProof:
        """Under the head's state root."""
        ...

    def status(self) -> NodeStatus: ...

    def peers(self) -> list[PeerInfo]: ...

    def tx_status(self, txid: bytes) -> TxStatus | None:
        """None where the txid is unknown here (also: never seen)."""
        ...

    def judge(self, tx: CheckedTx) -> tuple[Unmet, ...]:
        """Every guard that does not hold now; signatures that are missing are among them. Changes nothing."""
        ...

    async def submit(self, raws: list[bytes]) -> list[TxStatus | Exception]:
        """Decode, verify, admit, journal (synced) each; in order, one never spoils the others.

        An item's exception is `Malformed`, `TooLarge`, `BadSignature`, `GuardsUnmet`, `NotAdmitted` or `Syncing`.
        A txid that is known already gives its present fate.
        """
        ...

    async def wait_for(self, txid: bytes, timeout_ms: int) -> TxStatus | None:
        """The fate once it is no longer pending, or as it is at the timeout."""
        ...

    def commits(self) -> AsyncIterator[CommittedHeight]:
        """Heights as they are committed from now on; for the event stream. The iterator must be closed."""
        ...

    def metrics(self) -> dict[str, float]:
        """Samples by metric name (see `metrics.METRICS`), some with labels in braces."""
        ...
