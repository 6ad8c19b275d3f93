"""Mempool admission and eviction against the head state, at the network's time."""

from __future__ import annotations

from itertools import islice
from typing import Final, NamedTuple

from node.errors import Corrupted, OperatorError
from node.execution.block_run import BlockResult, BlockRun
from node.ledger.guards import NOT_JUDGED, Unmet
from node.mempool.pool import Claim, Payer, Pool
from node.replica import events as e
from node.replica.block_builder import BlockBuilder, Built
from node.replica.step_context import StepContext
from node.replica.tx_gossip import TxGossip
from node.storage.chain_store import ChainStore
from node.txtypes.envelope import CheckedTx
from node.txtypes.forecast import Forecast, forecast_of
from node.txtypes.identity.quota import weight_of

JUDGED_AT_ONCE: Final = 200
"""Pending transactions rechecked in one event: a block may touch the whole pool, and votes must not wait behind it."""
OF_TIME: Final = {"transaction_expired", "expiry_too_far"}
"""Guards that a wrong local clock decides wrongly."""


class Judged(NamedTuple):
    """What judging a transaction over the head has found."""

    unmet: tuple[Unmet, ...]
    contended: tuple[bytes, ...]


class Admission:
    """Checks transactions against the head: before they enter the pool, and after each block that affects them."""

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
        """Steady time at which we took part in deciding the newest block; None if it came by block sync."""
        self._doubtful: dict[bytes, None] = {}
        """Ids of pool transactions that a block may have made invalid and that were not rechecked since."""

    # --- time -----------------------------------------------------------------------------------------
    def _network_ms(self) -> int:
        """The expected time of the next block: if we took part in deciding the newest, its time plus the time passed
        since, so that a wrong local clock expires no transaction; otherwise our clock's time."""
        if self._decided_ms is None:
            return self._context.wall_ms
        return self._store.head().time_ms + self._context.now_ms - self._decided_ms

    def clock_offset_ms(self) -> int | None:
        """How far our clock is ahead of the network's; None if we took no part in deciding the newest block."""
        return None if self._decided_ms is None else self._context.wall_ms - self._network_ms()

    # --- admission -------------------------------------------------------------------------------------------
    def _judging_run(self) -> BlockRun:
        """A run over the head that only checks and is never applied; replaced with every block."""
        if self._run is None:
            self._run = self._builder.run(max(self._network_ms(), self._store.head().time_ms + 1), records_reads=True)
        return self._run

    def forecast(self, tx: CheckedTx) -> Forecast:
        """What the transaction would change over the head, or every guard that is unmet."""
        return forecast_of(self._judging_run().foresee(tx))

    def _judged(self, tx: CheckedTx, *, in_full: bool = False) -> Judged:
        """Unmet guards over the head, and the state keys that were read; `in_full` includes the account's quota. A
        transaction that raises an unexpected exception is quarantined, and the node goes on."""
        try:
            run = self._judging_run()
            ledger = run.carry_out(tx) if in_full else run.judge(tx)
        except (Corrupted, OperatorError):
            raise  # the disk's fault, not the transaction's
        except Exception as error:
            self._run = None
            self._set_aside(tx, repr(error))
            return Judged((Unmet(NOT_JUDGED.code, tx.txid.hex(), "", ""),), ())
        return Judged(tuple(ledger.unmet_guards), ledger.contended)

    def admit(self, tx: CheckedTx, *, in_full: bool = False, announce_ms: int = 0) -> tuple[Unmet, ...] | str:
        """Add a verified transaction to the pool. Returns its unmet guards (empty: admitted), or why the pool is full.

        `in_full`: for local callers, who get an answer; gossiped transactions are executed in full only in a block.
        `announce_ms`: when to announce it, 0 for now."""
        self._tx_gossip.note_verified(tx)
        judged = self._judged(tx, in_full=in_full)
        return judged.unmet or self._tx_gossip.pooled(tx, judged.contended, self._claim(tx), announce_ms) or ()

    def _claim(self, tx: CheckedTx) -> Claim:
        weight, left = weight_of(tx.payload.body, len(tx.raw)), self._judging_run().weight_left(tx.payload.sender)
        return Claim(weight, tuple(Payer(address, rest) for address, rest in left))

    # --- eviction ------------------------------------------------------------------------------------------
    def _set_aside(self, tx: CheckedTx, why: str) -> None:
        self._context.notice("poison", "error", txid=tx.txid.hex(), why=why)
        self._tx_gossip.refuse(tx.wire_id)

    def _drop(self, tx: CheckedTx, unmet: tuple[Unmet, ...], *, is_expired: bool = False) -> None:
        self._pool.remove(tx.txid)
        self._context.add(e.Dropped(tx, unmet, is_expired))

    def on_built(self, built: Built) -> None:
        """Drop pool transactions that failed while a block was built."""
        for tx, unmet in built.failed:
            if tx.txid not in self._pool:
                continue  # it has expired, or a recheck has dropped it, while the block was built
            if any(guard.code in OF_TIME for guard in unmet):
                unmet = self._judged(tx).unmet
            if unmet:
                self._drop(tx, unmet)
        for tx, why in built.poison:
            self._set_aside(tx, why)
            self._drop(tx, ())

    def on_new_head(self, *, is_decided_here: bool) -> None:
        self._run, self._decided_ms = None, self._context.now_ms if is_decided_here else None

    def recheck(self, result: BlockResult) -> None:
        """Drop expired transactions, and mark those that the block may have made invalid."""
        for tx in self._pool.expired(result.time_ms):
            self._drop(tx, (), is_expired=True)
        self._doubtful.update((tx.txid, None) for tx in self._pool.touching(result.changes))

    def deadline_ms(self) -> int | None:
        """Now if there are transactions to recheck, else None."""
        return self._context.now_ms if self._doubtful else None

    def on_time(self) -> None:
        """Recheck up to `JUDGED_AT_ONCE` marked transactions."""
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
