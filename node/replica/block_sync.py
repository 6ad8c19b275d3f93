"""Block sync: serves blocks to peers that are behind; verifies and executes those delivered to us."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from node import limits
from node.chain.block import Block, Commit, Committed, block_id_of, check_contents, verify_commit
from node.errors import InvalidBlock, InvalidCertificate, Rejected
from node.execution.block_run import BlockResult
from node.replica.block_builder import BlockBuilder
from node.replica.catch_up import Arrived, CatchUp
from node.replica.events import PeerId
from node.replica.messages import Blocks, GetBlocks
from node.replica.pending_verifications import PendingVerifications, SyncJob
from node.replica.progress import SyncPace, SyncProgress
from node.replica.step_context import StepContext
from node.replica.tx_gossip import TxGossip
from node.storage.chain_store import ChainStore
from node.txtypes.rulesets import unknown_ruleset

VERIFY_AHEAD = 8
"""Blocks whose signatures are verified ahead of execution."""
DECODED_AT_ONCE = 500
"""Transactions after which no further block is decoded in one event: eight large ones take 100 ms."""
CERTIFICATE_BYTES = 4_096
"""Estimated size of a certificate when blocks are packed into one answer."""


class BlockSync:
    """`commit` is called with each block that was verified and executed."""

    def __init__(
        self,
        store: ChainStore,
        catch_up: CatchUp,
        builder: BlockBuilder,
        tx_gossip: TxGossip,
        verifications: PendingVerifications,
        context: StepContext,
        commit: Callable[[Block, BlockResult, Commit], None],
    ) -> None:
        self._store = store
        self._catch_up = catch_up
        self._builder = builder
        self._tx_gossip = tx_gossip
        self._verifications = verifications
        self._context = context
        self._commit = commit
        self._checking: dict[bytes, tuple[int, int]] = {}
        self._good: dict[bytes, int] = {}
        self._bad: dict[bytes, int] = {}
        self._progress = SyncProgress()
        self._in_slices: Iterator[None] | None = None
        """The block after the head that is being executed."""
        self._has_committed = False
        """Whether this event has committed a large block; the next one goes on."""

    def serve(self, peer: PeerId, first: int, last: int) -> None:
        """Send the blocks from `first` to `last`, as many as fit into one answer."""
        blocks: list[Committed] = []
        size = 0
        for height in range(first, min(last, first + limits.SYNC_BATCH_BLOCKS - 1, self._store.height()) + 1):
            raw = self._store.block_bytes(height)
            committed = self._store.committed(height)
            if raw is None or committed is None:
                break
            size += len(raw) + CERTIFICATE_BYTES
            if blocks and size > limits.SYNC_BATCH_BYTES:
                break
            blocks.append(committed)
        self._context.send(peer, Blocks(tuple(blocks)))

    def deadline_ms(self) -> int | None:
        if self._in_slices is not None:
            return self._context.now_ms
        arrived = self._catch_up.next(self._store.height())
        if arrived is not None and arrived.committed.commit.block_id in self._checking:
            return self._context.now_ms if any(self._unverified_ahead()) else None
        return self._catch_up.next_deadline_ms(self._store.height(), self._context.now_ms)

    def advance(self) -> None:
        """Request missing blocks; verify ahead; check and execute the next block that has arrived."""
        head = self._store.height()
        for peer, request in self._catch_up.whom_to_ask(head, self._context.now_ms):
            self._context.send(peer, GetBlocks(request.first, request.last))
        for faulty, why in self._catch_up.faults:
            self._context.notice("sync_fault", "warning", **({"peer": faulty} if faulty else {}), why=why)
        self._catch_up.faults.clear()
        arrived = self._catch_up.next(head)
        if arrived is None or self._has_committed:
            self._has_committed = False
            return
        height, block_id = head + 1, arrived.committed.commit.block_id
        if self._in_slices is not None or block_id in self._checking:
            self._verify_ahead()
            return
        try:
            self._check(arrived.committed)
            if block_id in self._bad:
                # More than two thirds signed the block's id, and the id commits to every byte of the body.
                self._context.halt(f"block {height} was decided with a transaction whose signature does not verify")
                return
            if unknown := unknown_ruleset(height, arrived.committed.block.header.ruleset_hash):
                self._context.halt(unknown)
                return
            self._builder.check_frame(arrived.committed.block)
            is_ready = self._is_verified(arrived.committed)
        except Rejected as error:
            self._refuse(arrived.peer, height, error)
            return
        if is_ready or len(arrived.committed.block.transactions) < DECODED_AT_ONCE:
            self._verify_ahead()
        if is_ready and self._catch_up.next(head) is arrived:  # else a bad block ahead discarded all of its peer's
            self._in_slices = self._executing(arrived.committed)
            self.work()

    def _verify_ahead(self) -> None:
        """Start the verification of blocks after the next one."""
        decoded = 0
        for later in self._unverified_ahead():
            block = later.committed.block
            try:
                self._is_verified(later.committed)
            except Rejected as error:
                self._refuse(later.peer, block.header.height, error)
                return
            decoded += len(block.transactions)
            if decoded >= DECODED_AT_ONCE:
                return

    def _unverified_ahead(self) -> Iterator[Arrived]:
        for later in self._catch_up.ahead(self._store.height(), VERIFY_AHEAD):
            header, block_id = later.committed.block.header, later.committed.commit.block_id
            if unknown_ruleset(header.height, header.ruleset_hash):
                return  # nothing here can decode it, and whether the chain has decided it is not known yet
            if not any(block_id in known for known in (self._good, self._checking, self._bad)):
                yield later

    def work(self) -> None:
        """A slice of the block that is being executed."""
        if self._in_slices is not None and next(self._in_slices, True):
            self._in_slices = None

    def _refuse(self, peer: PeerId, height: int, error: Rejected) -> None:
        self._catch_up.lied(peer, height, self._context.now_ms)
        self._context.misbehaved(peer, error.code, f"delivered a bad block {height}: {error}", 100)

    def _is_verified(self, committed: Committed) -> bool:
        """Whether every signature in the body is verified; starts verification if not. Raises `Rejected`."""
        block, block_id = committed.block, committed.commit.block_id
        if block_id in self._good:
            return True
        if block_id in self._checking or block_id in self._bad:
            return False
        if block_id != block_id_of(block.header, self._store.genesis_hash):
            raise InvalidCertificate("the certificate is for another block")
        check_contents(block)
        height = block.header.height
        _, unknown = self._tx_gossip.decode_block(block.transactions)
        if not unknown:
            self._good[block_id] = height
            return True
        self._checking[block_id] = (height, self._verifications.start(SyncJob(height, block_id), unknown))
        return False

    def _check(self, committed: Committed) -> None:
        """Verify a delivered block's certificate, and that the block is the one it decides. Raises `Rejected`."""
        block, commit = committed.block, committed.commit
        if commit.height != block.header.height:
            raise InvalidCertificate("the certificate is for another height")
        if commit.block_id != block_id_of(block.header, self._store.genesis_hash):
            raise InvalidCertificate("the certificate is for another block")
        verify_commit(commit, self._store.genesis_hash, self._store.head().validators)
        # Before the commit counts: a valid certificate with a false body must not stop us from signing.
        check_contents(block)
        self._catch_up.verified(block.header.height, self._context.now_ms)

    def on_verified(self, purpose: SyncJob, job: int, *, is_good: bool) -> None:
        """A body's signatures were checked. A bad body is handled when its certificate can be: at its height."""
        if self._checking.get(purpose.block_id) == (purpose.height, job):
            del self._checking[purpose.block_id]
            (self._good if is_good else self._bad)[purpose.block_id] = purpose.height

    def height_decided(self) -> None:
        """Forget verification results of decided heights."""
        self._in_slices = None
        head = self._store.height()
        self._checking = {i: check for i, check in self._checking.items() if check[0] > head}
        self._good = {i: height for i, height in self._good.items() if height > head}
        self._bad = {i: height for i, height in self._bad.items() if height > head}

    def _executing(self, committed: Committed) -> Iterator[None]:
        """It stays among the arrived ones until it is the head: it is not missing."""
        block, height = committed.block, committed.block.header.height
        transactions = [tx for raw in block.transactions if (tx := self._tx_gossip.verified(raw)) is not None]
        if len(transactions) != len(block.transactions):
            self._good.pop(committed.commit.block_id, None)
            self._catch_up.drop(height)
            return  # evicted from the cache of verified transactions meanwhile: request the block again
        result = None
        try:
            for result in self._builder.executing(block, transactions):
                if result is None:
                    yield
        except InvalidBlock as error:
            self._context.halt(f"block {height} was decided but does not execute here: {error}")
            return
        assert result is not None, "the last of the slices gives it"
        if self._builder.is_long(block):
            yield
        self._catch_up.drop(height)
        self._has_committed = self._builder.is_long(block)
        self._commit(block, result, committed.commit)
        self._progress.add(height, self._context.now_ms)
        pace = self.pace()
        if pace.target and self._progress.is_notice_due(self._context.now_ms):
            self._context.notice("syncing", "info", height=height, of=pace.target, per_s=pace.blocks_per_second,
                              left_s=pace.seconds_left)  # fmt: skip

    def pace(self) -> SyncPace:
        """Sync progress: target height, speed and remaining time."""
        return self._progress.pace(self._store.height(), self._catch_up.best_height(self._context.now_ms))
