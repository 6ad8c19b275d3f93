"""Configuration and services shared by the parts of a replica."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from node.chain.block import Block, Commit
from node.execution.block_run import BlockResult
from node.mempool.pool import Pool, PoolLimits
from node.replica.block_builder import BlockBuilder, Built
from node.replica.events import PeerId
from node.replica.evidence_pool import EvidencePool
from node.replica.messages import Message
from node.replica.pending_verifications import PendingVerifications
from node.replica.signing_duty import SigningDuty
from node.replica.step_context import StepContext
from node.replica.tx_gossip import TxGossip
from node.storage.chain_store import ChainStore


@dataclass(frozen=True)
class ReplicaConfig:
    """Local policy of a replica; nothing here is a consensus rule."""

    block_interval_min_ms: int = 50
    block_interval_full_ms: int = 200
    block_interval_empty_ms: int = 10_000
    build_txs_max: int = 1_000
    pool: PoolLimits = field(default_factory=PoolLimits)
    announce_after_ms: int = 0
    """How long a submitted transaction waits for a block of this node before it is announced."""
    slice_txs: int = 128
    """Transactions of a block that are executed in one event: about 20 ms. A block of 1,000 takes 150 ms, and whatever
    arrives meanwhile would wait for it."""
    stopwatch: Callable[[], float] = field(default=lambda: 0.0)
    """Seconds, to bound the time of building a block; constant by default, so that only `build_txs_max` bounds it."""


@dataclass(frozen=True)
class Services:
    """The parts of a replica that a consensus driver needs."""

    store: ChainStore
    config: ReplicaConfig
    context: StepContext
    pool: Pool
    builder: BlockBuilder
    tx_gossip: TxGossip
    verifications: PendingVerifications
    evidence: EvidencePool
    signing_duty: SigningDuty
    commit: Callable[[Block, BlockResult, Commit], None]
    on_built: Callable[[Built], None]
    relay: Callable[[Message, PeerId], None]
    """Relay a message to all peers except its sender, unless all validators are linked to one another."""
