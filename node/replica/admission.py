"""Mempool admission and eviction against the head state, at the network's time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Final, NamedTuple

from node import limits
from node.errors import Corrupted, OperatorError
from node.execution.block_run import BlockResult, BlockRun
from node.ledger.guards import NOT_JUDGED, Unmet
from node.ledger.overlay import Ledger
from node.mempool.pool import Claim, Payer, Pool, PoolFull
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
SENDERS_KEPT: Final = 10_000
"""Senders whose payers are kept for the present head. Anybody can name any sender, and a chain may stand still."""
OF_TIME: Final = {"transaction_expired", "expiry_too_far"}
"""Guards that a wrong local clock decides wrongly."""


class Judged(NamedTuple):
    """What judging a transaction over the head has found."""

    unmet: tuple[Unmet, ...]
    contended: tuple[bytes, ...]


class Admission:
    """Checks transactions against the head: before they enter the pool, and after each block that affects them."""

    def __init__(
        self,
        store: ChainStore,
        pool: Pool,
        tx_gossip: TxGossip,
        builder: BlockBuilder,
        context: StepContext,
        announce_after_ms: int = 0,
    ) -> None:
        """`announce_after_ms`: how long a submitted transaction waits for a block of ours before it is announced."""
        self._store = store
        self._pool = pool
        self._tx_gossip = tx_gossip
        self._builder = builder
        self._context = context
        self._run: BlockRun | None = None
        self._payers: dict[bytes, tuple[Payer, ...]] = {}
        """A cache for the present head: for each sender, the accounts that pay for its transactions, and the weight
        that the quota of each has left today."""
        self._short_of_keys: set[bytes] = set()
        """Those of the senders in `_payers` of whose payers one has used half of its quota of new state keys."""
        self._decided_ms: int | None = None
        """Steady time at which we took part in deciding the newest block; None if it came by block sync."""
        self._doubtful: dict[bytes, None] = {}
        """Ids of pool transactions that a block may have made invalid and that were not rechecked since."""
        self._late: deque[tuple[int, bytes]] = deque()
        """Ids of transactions that were admitted without being judged, each with the time from which to do it."""
        self._announce_after_ms = announce_after_ms
        self._held: deque[tuple[int, bytes]] = deque()
        """Ids of submitted transactions that are not announced yet, each with the time from which to do it."""
        self._unannounced: set[bytes] = set()
        """Those of the doubtful that are announced once they are judged."""
        self.judged = 0
        """Transactions judged over the head, each as often as it was."""

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

    def _judged(self, tx: CheckedTx, judge: Callable[[BlockRun, CheckedTx], Ledger] = BlockRun.judge) -> Judged:
        """Unmet guards over the head, and the state keys that were read. A transaction that raises an unexpected
        exception is quarantined, and the node goes on."""
        self.judged += 1
        try:
            ledger = judge(self._judging_run(), tx)
        except (Corrupted, OperatorError):
            raise  # the disk's fault, not the transaction's
        except Exception as error:
            self._run = None
            self._set_aside(tx, repr(error))
            return Judged((Unmet(NOT_JUDGED.code, tx.txid.hex(), "", ""),), ())
        return Judged(tuple(ledger.unmet_guards), ledger.contended)

    def admit(self, tx: CheckedTx) -> tuple[Unmet, ...] | str:
        """Add a verified transaction to the pool, and announce it. Returns its unmet guards (empty: admitted), or why
        the pool is full. It is executed in full only in a block."""
        self._tx_gossip.note_verified(tx)
        return self._pooled(tx, self._judged(tx), self._tx_gossip.announce)

    def submit(self, tx: CheckedTx) -> tuple[Unmet, ...] | str:
        """As `admit`, for a caller of this node, who gets the answer. It is executed in full where a payer may have too
        little left of a quota: then the answer names the quota."""
        self._tx_gossip.note_verified(tx)
        claim = self._claim(tx)
        is_short = any(payer.left < claim.weight for payer in claim.payers) or tx.payload.sender in self._short_of_keys
        judged = self._judged(tx, BlockRun.carry_out if is_short else BlockRun.judge)
        return self._pooled(tx, judged, self._hold if self._announce_after_ms else self._tx_gossip.announce)

    def admit_late(self, tx: CheckedTx) -> None:
        """Add a transaction of another node to the pool after checking expiry, replay and signers only. The guards of
        its type are judged, and it is announced, after `LATE_ANNOUNCE_MS`, or after `LATE_BACKLOG_MS` while the pool
        holds more than fits into one block. By then a block has executed most of them. Until then an invalid one
        occupies its sender's share of the pool."""
        self._tx_gossip.note_verified(tx)
        self._pooled(tx, self._judged(tx, BlockRun.judge_envelope), self._judge_late)

    def _hold(self, tx: CheckedTx) -> None:
        self._held.append((self._context.now_ms + self._announce_after_ms, tx.txid))

    def _judge_late(self, tx: CheckedTx) -> None:
        self._late.append((self._context.now_ms + limits.LATE_ANNOUNCE_MS, tx.txid))

    def _pooled(self, tx: CheckedTx, judged: Judged, if_new: Callable[[CheckedTx], None]) -> tuple[Unmet, ...] | str:
        """Add a transaction without unmet guards to the pool; `if_new` is called where it was not there."""
        if judged.unmet:
            return judged.unmet
        try:
            if self._pool.add(tx, judged.contended, self._claim(tx)):
                if_new(tx)
        except PoolFull as error:
            return str(error)
        return ()

    def _claim(self, tx: CheckedTx) -> Claim:
        return Claim(weight_of(tx.payload.body, len(tx.raw)), self._payers_of(tx.payload.sender))

    def _payers_of(self, sender: bytes) -> tuple[Payer, ...]:
        payers = self._payers.get(sender)
        if payers is None:
            if len(self._payers) >= SENDERS_KEPT:
                self._payers.clear()
                self._short_of_keys.clear()
            quotas = self._judging_run().quotas_left(sender)
            payers = self._payers[sender] = tuple(Payer(quota.address, quota.weight) for quota in quotas)
            if any(quota.is_short_of_keys for quota in quotas):
                self._short_of_keys.add(sender)
        return payers

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
        self._payers.clear()
        self._short_of_keys.clear()
        self._run, self._decided_ms = None, self._context.now_ms if is_decided_here else None

    def recheck(self, result: BlockResult) -> None:
        """Drop expired transactions, and mark those that the block may have made invalid."""
        for tx in self._pool.expired(result.time_ms):
            self._drop(tx, (), is_expired=True)
        self._doubtful.update((tx.txid, None) for tx in self._pool.touching(result.changes))

    def deadline_ms(self) -> int | None:
        """Now if there are transactions to recheck, else when the next one is to be judged or announced."""
        if self._doubtful:
            return self._context.now_ms
        held = [self._held[0][0]] if self._held else []
        late = [self._late[0][0] + self._patience_ms()] if self._late else []
        return min(held + late, default=None)

    def _patience_ms(self) -> int:
        """Milliseconds added to the delay of `admit_late`: 0 unless the pool holds more than one block takes."""
        has_backlog = len(self._pool) > self._builder.txs_max
        return limits.LATE_BACKLOG_MS - limits.LATE_ANNOUNCE_MS if has_backlog else 0

    def on_time(self) -> None:
        """Judge up to `JUDGED_AT_ONCE` transactions that are marked, or that were admitted without it; announce those
        that have waited long enough for a block of ours."""
        while self._held and self._held[0][0] <= self._context.now_ms:
            tx = self._pool.get(self._held.popleft()[1])
            if tx is not None:
                self._tx_gossip.announce(tx)
        late_until = self._context.now_ms - self._patience_ms()
        while self._late and self._late[0][0] <= late_until and len(self._doubtful) < JUDGED_AT_ONCE:
            txid = self._late.popleft()[1]
            if txid in self._pool:
                self._doubtful[txid] = None
                self._unannounced.add(txid)
        for txid in list(islice(self._doubtful, JUDGED_AT_ONCE)):
            del self._doubtful[txid]
            tx = self._pool.get(txid)
            if tx is None:
                self._unannounced.discard(txid)
                continue
            judged = self._judged(tx)
            if judged.unmet:
                self._drop(tx, judged.unmet)
            else:
                self._pool.judged_again(txid, judged.contended)
                if txid in self._unannounced:
                    self._tx_gossip.announce(tx)
            self._unannounced.discard(txid)
