"""Transactions of local callers: verified, admitted and journalled before they are answered."""

from __future__ import annotations

import asyncio
from typing import Final

from msgspec.structs import replace

from node.daemon.pump import Pump
from node.daemon.tx_status import TxStatuses
from node.daemon.verifiers import Verifiers
from node.errors import BadSignature, Rejected
from node.ledger.guards import Unmet
from node.log import log
from node.replica import events as e
from node.rpc.backend import NotAdmitted, Submitted, TxStatus
from node.storage.chain_store import ChainStore
from node.txtypes.envelope import CheckedTx, SignedTx, decode_signed_tx

RELOADED_AT_ONCE = 200
"""Entries of the journal in one batch."""
AT_ONCE: Final = 64
"""Transactions of a caller that are decoded or admitted in one turn of the event loop: about 5 ms. A batch of 1,000
would block it for 70 ms."""
Outcome = tuple[Unmet, ...] | str


class Submissions:
    """Puts `Admit` events into the pump and matches the answers."""

    def __init__(self, store: ChainStore, pump: Pump, verifiers: Verifiers, tx_statuses: TxStatuses) -> None:
        self._store = store
        self._pump = pump
        self._verifiers = verifiers
        self._tx_statuses = tx_statuses
        self._waiting: dict[int, asyncio.Future[tuple[Outcome, ...]]] = {}
        self._next = 0
        self._left_over: list[CheckedTx] = []
        self._reloading: dict[int, list[CheckedTx]] = {}
        self.count = 0
        self.decoded = 0
        """Transactions decoded, those of the journal too."""

    def tx_status(self, txid: bytes) -> TxStatus | None:
        pooled = self._pump.replica.pool.get(txid)
        pooled_until = 0 if pooled is None else pooled.payload.expires_at_ms
        return self._tx_statuses.tx_status(txid, pooled_until, self._store.head().time_ms)

    # --- at start -----------------------------------------------------------------------------------
    async def reload(self) -> None:
        """Submit the journal to the pool again: a transaction that was answered 202 is never forgotten. In batches:
        there may be a day's rejected ones, and the replica is running."""
        raws, count = self._tx_statuses.load(), 0
        for at in range(0, len(raws), RELOADED_AT_ONCE):
            entries = []
            for raw in raws[at : at + RELOADED_AT_ONCE]:
                self.decoded += 1
                try:
                    entries.append(decode_signed_tx(raw, self._store.genesis_hash))
                except Rejected as error:
                    log("journal_entry", "error", {"why": str(error)})
            for signed in entries:
                self._tx_statuses.opened(signed.txid, signed.payload.expires_at_ms)
            # blocks are committed meanwhile
            self._tx_statuses.committed([s.txid for s in entries if self._store.place(s.txid) is not None])
            signatures = sum(len(signed.signatures) for signed in entries)
            good = await self._verifiers.verify([signed.raw for signed in entries], signatures)
            valid = [CheckedTx(signed) for signed, is_good in zip(entries, good, strict=True) if is_good]
            self._left_over += valid
            count += len(valid)
            self.admit_left_over()
        if count:
            log("journal_reloaded", "info", {"transactions": count})

    def admit_left_over(self) -> None:
        """Submit a batch of the journal's transactions that had no room in the pool so far."""
        if not self._left_over:
            return
        self._next += 1
        self._reloading[self._next] = self._left_over[:RELOADED_AT_ONCE]
        del self._left_over[:RELOADED_AT_ONCE]
        self._pump.post(e.Admit(self._next, tuple(self._reloading[self._next])))

    def _readmitted(self, transactions: list[CheckedTx], outcomes: tuple[Outcome, ...]) -> None:
        for tx, outcome in zip(transactions, outcomes, strict=True):
            if isinstance(outcome, str):
                self._left_over.append(tx)
            elif outcome:
                self._tx_statuses.rejected(tx.txid, tx.payload.expires_at_ms, outcome)

    # --- from callers -------------------------------------------------------------------------------
    def admitted(self, action: e.Admitted) -> None:
        """The replica's answer to an `Admit`."""
        if action.request in self._reloading:
            self._readmitted(self._reloading.pop(action.request), action.outcomes)
            return
        future = self._waiting.pop(action.request, None)
        if future is not None and not future.done():
            future.set_result(action.outcomes)

    async def submit(self, raws: list[bytes]) -> list[Submitted]:
        """The outcome of each. What is pending is on disk when this returns."""
        self.count += len(raws)
        self.decoded += len(raws)
        since = self._store.height()
        results: list[Submitted] = []
        fresh: dict[int, SignedTx] = {}
        by_gossip: dict[bytes, tuple[bytes, int]] = {}
        for index, raw in enumerate(raws):
            if index and index % AT_ONCE == 0:
                await asyncio.sleep(0)
            try:
                signed = decode_signed_tx(raw, self._store.genesis_hash)
            except Rejected as error:
                results.append(Submitted(b"", None, error))
                continue
            known = self.tx_status(signed.txid)
            results.append(Submitted(signed.txid, known))
            if known is None or known.status == "rejected":  # rejected is not final: it may be valid now
                fresh[index] = signed
            elif known.status == "pending" and not self._tx_statuses.is_journalled(signed.txid):
                pooled = self._pump.replica.pool.get(signed.txid)
                if pooled is not None:
                    by_gossip[signed.txid] = (pooled.raw, pooled.payload.expires_at_ms)
        signatures = sum(len(signed.signatures) for signed in fresh.values())
        good = await self._verifiers.verify([signed.raw for signed in fresh.values()], signatures)
        checked: dict[int, CheckedTx] = {}
        for (index, signed), is_good in zip(fresh.items(), good, strict=True):
            if is_good:
                checked[index] = CheckedTx(signed)
            else:
                bad = BadSignature("a signature of the transaction does not verify")
                results[index] = replace(results[index], error=bad)
        if checked:
            await self._admit(checked, results, since)
        if by_gossip:  # from gossip, or not on disk yet: what is answered must be
            await self._tx_statuses.accept(by_gossip, since)
        return results

    async def _admit(self, checked: dict[int, CheckedTx], results: list[Submitted], since: int) -> None:
        before = {tx.txid: self._tx_statuses.readmitting(tx.txid) for tx in checked.values()}
        outcomes = await self._outcomes(list(checked.values()))
        entries: dict[bytes, tuple[bytes, int]] = {}
        for (index, tx), outcome in zip(checked.items(), outcomes, strict=True):
            rejection, expires = before[tx.txid], tx.payload.expires_at_ms
            if outcome and rejection is not None:
                self._tx_statuses.rejected(tx.txid, rejection[0], rejection[1] if isinstance(outcome, str) else outcome)
            if isinstance(outcome, str):
                results[index] = replace(results[index], error=NotAdmitted(outcome))
            elif outcome:
                accepted = results[index].status is not None
                rejected = TxStatus(tx.txid, "rejected", expires, unmet=outcome, accepted=accepted)
                results[index] = Submitted(tx.txid, rejected)
            else:
                entries[tx.txid] = (tx.raw, expires)
                results[index] = Submitted(tx.txid, TxStatus(tx.txid, "pending", expires))
        if entries:
            await self._tx_statuses.accept(entries, since)

    async def _outcomes(self, transactions: list[CheckedTx]) -> list[Outcome]:
        """The replica's answers, a portion in each turn of the event loop."""
        outcomes: list[Outcome] = []
        for at in range(0, len(transactions), AT_ONCE):
            if at:
                await asyncio.sleep(0)
            self._next += 1
            future: asyncio.Future[tuple[Outcome, ...]] = asyncio.get_running_loop().create_future()
            self._waiting[self._next] = future
            self._pump.post(e.Admit(self._next, tuple(transactions[at : at + AT_ONCE])))
            outcomes += await future
        return outcomes

    async def wait_for(self, txid: bytes, timeout_ms: int) -> TxStatus | None:
        """Its status once that has changed, or after the timeout."""
        tx_status = self.tx_status(txid)
        if tx_status is not None and tx_status.status == "pending":
            await self._tx_statuses.wait(txid, timeout_ms)
            tx_status = self.tx_status(txid)
        return tx_status
