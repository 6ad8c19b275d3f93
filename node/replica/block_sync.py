"""Delivered blocks: served to peers that are behind; verified in full and executed where we are."""

from __future__ import annotations

from collections.abc import Callable

from node import limits
from node.chain.block import Block, Commit, Committed, block_id_of, verify_commit
from node.errors import InvalidBlock, InvalidCertificate, Rejected
from node.execution.block_run import BlockResult
from node.replica.blocks import BlockMaker
from node.replica.catch_up import CatchUp
from node.replica.events import PeerId
from node.replica.jobs import Jobs, SyncJob
from node.replica.messages import Blocks, GetBlocks
from node.replica.transactions import Transactions as TransactionDesk
from node.replica.turn import Turn
from node.storage.chain_store import ChainStore

CERTIFICATE_BYTES = 4_096
"""Allowed for a certificate when blocks are packed into one answer."""


class BlockSync:
    """`commit` takes a block that was verified and executed."""

    def __init__(
        self,
        store: ChainStore,
        catch_up: CatchUp,
        maker: BlockMaker,
        desk: TransactionDesk,
        jobs: Jobs,
        turn: Turn,
        commit: Callable[[Block, BlockResult, Commit], None],
    ) -> None:
        self._store = store
        self._catch_up = catch_up
        self._maker = maker
        self._desk = desk
        self._jobs = jobs
        self._turn = turn
        self._commit = commit
        self._job = 0

    def serve(self, peer: PeerId, first: int) -> None:
        """Answer with as many blocks from `first` on as fit."""
        found: list[Committed] = []
        size = 0
        for height in range(first, min(first + limits.SYNC_BATCH_BLOCKS, self._store.height() + 1)):
            raw = self._store.block_bytes(height)
            committed = self._store.committed(height)
            if raw is None or committed is None:
                break
            size += len(raw) + CERTIFICATE_BYTES
            if found and size > limits.SYNC_BATCH_BYTES:
                break
            found.append(committed)
        self._turn.send(peer, Blocks(tuple(found)))

    def deadline_ms(self) -> int | None:
        return None if self._job else self._catch_up.next_deadline_ms(self._store.height(), self._turn.now_ms)

    def advance(self) -> None:
        """Ask for blocks where we are behind; verify and execute the next one that was delivered."""
        head, queue = self._store.height(), self._catch_up.queue
        if self._job:
            return
        while queue and queue[0][1].block.header.height <= head:
            queue.popleft()
        if not queue:
            peer = self._catch_up.whom_to_ask(head, self._turn.now_ms)
            if peer is not None:
                self._turn.send(peer, GetBlocks(head + 1))
            return
        peer, committed = queue[0]
        try:
            self._check(committed)
            _, unknown = self._desk.decode_block(committed.block.transactions)
        except Rejected as error:
            self._catch_up.lied(peer, self._turn.now_ms)
            self._turn.misbehaved(peer, error.code, f"delivered a bad block: {error}", 100)
            return
        if unknown:
            self._job = self._jobs.start(SyncJob(), unknown)
        else:
            self._take()

    def _check(self, committed: Committed) -> None:
        """A commit from a peer is checked in full. Raises `Rejected`."""
        block, commit = committed.block, committed.commit
        if commit.height != block.header.height:
            raise InvalidCertificate("the certificate is for another height")
        if commit.block_id != block_id_of(block.header, self._store.genesis_hash):
            raise InvalidCertificate("the certificate is for another block")
        verify_commit(commit, self._store.genesis_hash, self._store.head().validators)
        self._catch_up.verified(block.header.height, self._turn.now_ms)
        self._maker.check_frame(block)

    def on_verified(self, job: int, *, is_good: bool) -> None:
        if job != self._job:
            return
        self._job = 0
        if not self._catch_up.queue:
            return
        if is_good:
            self._take()
            return
        # More than two thirds signed the block's id, and the id commits to every byte of the body: nobody forged this.
        self._turn.halt(f"block {self._store.height() + 1} was decided with a transaction whose signature is wrong")

    def height_decided(self) -> None:
        """Consensus was faster than the check under way."""
        self._job = 0

    def _take(self) -> None:
        _, committed = self._catch_up.queue.popleft()
        block = committed.block
        transactions = [tx for raw in block.transactions if (tx := self._desk.known(raw)) is not None]
        if len(transactions) != len(block.transactions):
            return  # so many were verified meanwhile that some fell out of the memory: asked for again
        try:
            result = self._maker.execute(block, transactions)
        except InvalidBlock as error:
            self._turn.halt(f"block {block.header.height} was decided but does not execute here: {error}")
            return
        self._commit(block, result, committed.commit)
