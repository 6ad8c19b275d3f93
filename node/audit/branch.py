"""One side of a comparison after the last block that both have: what its first block does, by our own execution."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from node.audit.executor import txid_or_empty
from node.audit.replay_store import ReplayStore
from node.audit.signatures import verify_block
from node.chain.block import Committed
from node.errors import Corrupted, Rejected
from node.execution.block_run import BlockFull, BlockRun
from node.ledger.body import type_of
from node.ledger.guards import Unmet
from node.ledger.overlay import Ledger
from node.txtypes.envelope import CheckedTx, decode_signed_tx

FAILURES = (Rejected, BlockFull, Corrupted, AssertionError, LookupError, TypeError, ValueError)
"""What executing a block that no honest validator signs may raise."""


@dataclass(frozen=True, slots=True)
class Writer:
    """The transaction that wrote a value; `index` -1: the block itself (evidence, the replay window, a ruleset)."""

    height: int
    index: int
    txid: bytes = b""
    type: str = ""

    def to_json(self) -> dict[str, Any]:
        named = self.index >= 0
        return {
            "height": self.height,
            "index": self.index if named else None,
            "txid": self.txid.hex() if named else None,
            "type": self.type if named else None,
        }

    def __str__(self) -> str:
        if self.index < 0:
            return f"block {self.height} itself"
        return f"transaction {self.index} of block {self.height}, {self.type}, txid {self.txid.hex()}"


@dataclass
class Branch:
    """`fault`: why the block is not valid, empty where it is; `root`: what the state hashes to after it, by our own
    execution."""

    fault: str = ""
    root: bytes = b""
    is_reproduced: bool = False
    """Whether `root` is that of the header."""
    changes: dict[bytes, bytes | None] = field(default_factory=dict)
    writers: dict[bytes, Writer] = field(default_factory=dict)


class _Run(BlockRun):
    """Goes on where a guard is unmet, as the validators of the branch have, and keeps the ledger of the last one."""

    def carry_out(self, tx: CheckedTx) -> Ledger:
        self.unmet: list[Unmet] = []
        self.ledger = super().carry_out(tx)
        self.unmet += self.ledger.unmet_guards
        self.ledger.unmet_guards.clear()
        return self.ledger

    def judge(self, tx: CheckedTx) -> Ledger:
        ledger = super().judge(tx)
        self.unmet += ledger.unmet_guards
        ledger.unmet_guards.clear()
        return ledger


def executed(store: ReplayStore, committed: Committed) -> Branch:
    """Execute the block over the store's state, which does not change. A transaction that is not valid is named, and
    carried out all the same: if the block's root comes out then, this is what its validators have done."""
    branch, block, head = Branch(), committed.block, store.head()
    genesis, height = store.genesis_hash, head.height + 1
    found = verify_block(committed, b"", genesis, head.validators)
    if found.commit:
        branch.fault = f"its certificate does not decide it: {found.commit}"
    elif found.index >= 0:
        txid = txid_or_empty(block.transactions[found.index], genesis)
        branch.fault = f"transaction {found.index}, txid {txid.hex() or 'unknown'}, rule {found.rule}: {found.text}"
    run = _Run(store.state, store.tree, head, genesis, block.header.time_ms)
    for index, raw in enumerate(block.transactions):
        txid = b""
        try:
            tx = CheckedTx(decode_signed_tx(raw, genesis))
            txid = tx.txid
            run.add(tx)
        except FAILURES as error:
            branch.fault = (
                branch.fault or f"transaction {index}, txid {txid.hex() or 'unknown'}, can't be executed: {error}"
            )
            break
        if run.unmet and not branch.fault:
            unmet = run.unmet[0]
            branch.fault = f"transaction {index}, txid {txid.hex()}, rule {unmet.code}: {unmet.text()}"
        writer = Writer(height, index, txid, type_of(tx.payload.body))
        branch.writers.update(dict.fromkeys(run.ledger.changes, writer))
    try:
        result = run.finish(block.evidence)
    except FAILURES as error:
        branch.fault = branch.fault or f"it can't be executed: {error}"
        return branch
    branch.changes, branch.root = result.changes, result.state_root
    branch.is_reproduced = branch.root == block.header.state_root
    itself = Writer(height, -1)
    branch.writers = {key: branch.writers.get(key, itself) for key in result.changes}
    if not branch.is_reproduced and not branch.fault:
        root = block.header.state_root.hex()
        branch.fault = f"its transactions lead to the state root {branch.root.hex()}, its header has {root}"
    return branch
