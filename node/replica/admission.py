"""Who gets into the pool, and who leaves it without a block: judged over the head, at the time of the network."""

from __future__ import annotations

from itertools import islice
from typing import Final, NamedTuple

from node.errors import Corrupted, OperatorError
from node.execution.block_run import BlockResult, BlockRun
from node.ledger.guards import NOT_JUDGED, Unmet
from node.mempool.pool import Pool
from node.replica import events as e
from node.replica.block_builder import BlockBuilder, Built
from node.replica.step_context import StepContext
from node.replica.tx_gossip import TxGossip
from node.storage.chain_store import ChainStore
from node.txtypes.envelope import CheckedTx

JUDGED_AT_ONCE: Final = 500
"""Waiting transactions that are looked at again in one event: a block may touch all of the pool, votes come between."""
OF_TIME: Final = {"transaction_expired", "expiry_too_far"}
"""Guards that a clock of ours which is off decides wrongly."""


class Judged(NamedTuple):
    """What judging a transaction over the head has found."""

    unmet: tuple[Unmet, ...]
    contended: tuple[bytes, ...]


class Admission:
    def __init__(
        self, store: ChainStore, pool: Pool, tx_gossip: TxGossip, builder: BlockBuilder, context: StepContext
    ) -> None:
        self._store = store
        self._pool = pool
        self._tx_gossip = tx_gossip
        self._builder = builder
        self._context = context
        self._run: BlockRun | None = None
        self._decided_ms: int | None = None
        """When we took part in deciding the newest block; None where it was delivered."""
        self._doubtful: dict[bytes, None] = {}
        """Transaction ids in the pool that a block may have made invalid and that were not looked at since."""

    # --- time -----------------------------------------------------------------------------------------
    def _network_ms(self) -> int:
        """What time the next block may have. Where we took part in the newest, that is its time and what has passed
        since, so that a clock of ours which is an hour off makes no transaction an expired one; else it is our clock's.
        """
        if self._decided_ms is None:
            return self._context.wall_ms
        return self._store.head().time_ms + self._context.now_ms - self._decided_ms

    def clock_offset_ms(self) -> int | None:
        """How far our clock is ahead of the newest block's time and what has passed since; None where we took no part
        in deciding it."""
        return None if self._decided_ms is None else self._context.wall_ms - self._network_ms()

    # --- in -------------------------------------------------------------------------------------------
    def _judging_run(self) -> BlockRun:
        """A run over the head that judges and never applies; renewed with every block."""
        if self._run is None:
            self._run = self._builder.run(max(self._network_ms(), self._store.head().time_ms + 1), records_reads=True)
        return self._run

    def judge(self, tx: CheckedTx) -> tuple[Unmet, ...]:
        """Everything that keeps the transaction out of a block over the head."""
        return tuple(self._judging_run().carry_out(tx).unmet_guards)

    def _judged(self, tx: CheckedTx, *, in_full: bool = False) -> Judged:
        """The guards that are not met over the head, `in_full` the quota too, and the state keys that were read. A
        transaction that raises something it must not is set aside, and the node goes on."""
        try:
            run = self._judging_run()
            ledger = run.carry_out(tx) if in_full else run.judge(tx)
        except (Corrupted, OperatorError):
            raise  # the disk's fault, not the transaction's
        except Exception as error:
            self._run = None
            self._set_aside(tx, repr(error))
            return Judged((NOT_JUDGED.unmet(tx.txid.hex()),), ())
        return Judged(tuple(ledger.unmet_guards), ledger.contended)

    def admit(self, tx: CheckedTx, *, in_full: bool = False) -> tuple[Unmet, ...] | str:
        """Unmet guards (none: it is in the pool), or why the pool takes no more. `in_full`: for callers of our own, who
        are answered; what gossip brings is carried out only in a block."""
        self._tx_gossip.note_verified(tx)
        judged = self._judged(tx, in_full=in_full)
        return judged.unmet or self._tx_gossip.pooled(tx, judged.contended) or ()

    # --- out ------------------------------------------------------------------------------------------
    def _set_aside(self, tx: CheckedTx, why: str) -> None:
        self._context.notice("poison", "error", txid=tx.txid.hex(), why=why)
        self._tx_gossip.refuse(tx.wire_id)

    def _drop(self, tx: CheckedTx, unmet: tuple[Unmet, ...], *, is_expired: bool = False) -> None:
        self._pool.remove(tx.txid)
        self._context.add(e.Dropped(tx, unmet, is_expired))

    def on_built(self, built: Built) -> None:
        """What building a block found in the pool that can't be in one."""
        for tx, unmet in built.failed:
            if any(guard.code in OF_TIME for guard in unmet):
                unmet = self._judged(tx).unmet
            if unmet:
                self._drop(tx, unmet)
        for tx, why in built.poison:
            self._set_aside(tx, why)
            self._drop(tx, ())

    def on_new_head(self, *, is_decided_here: bool) -> None:
        self._run, self._decided_ms = None, self._context.now_ms if is_decided_here else None

    def look_again(self, result: BlockResult) -> None:
        """At everything that stood on the old head: what has expired, and what the block has changed."""
        for tx in self._pool.expired(result.time_ms):
            self._drop(tx, (), is_expired=True)
        self._doubtful.update((tx.txid, None) for tx in self._pool.touching(result.changes))

    def deadline_ms(self) -> int | None:
        """When `on_time` wants to be called: at once, or not at all."""
        return self._context.now_ms if self._doubtful else None

    def on_time(self) -> None:
        """Judge some of what the blocks have changed."""
        for txid in list(islice(self._doubtful, JUDGED_AT_ONCE)):
            del self._doubtful[txid]
            tx = self._pool.get(txid)
            if tx is None:
                continue
            judged = self._judged(tx)
            if judged.unmet:
                self._drop(tx, judged.unmet)
            else:
                self._pool.judged_again(txid, judged.contended)
