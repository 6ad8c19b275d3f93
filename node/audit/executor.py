"""Execution of a chain block by block, for those who look at each block: full witnesses, and the search for censorship.

A replay (`node.audit.replay`) verifies many blocks at once; this verifies the next one, and keeps its state in a store
that outlives the process.
"""

from __future__ import annotations

from node.audit.divergence import Diverged
from node.audit.replay import txid_or_empty
from node.audit.replay_store import ReplayStore
from node.audit.signatures import certificate_fault
from node.chain.block import Committed, block_id_of
from node.chain.genesis import Genesis, genesis_hash, start_height
from node.errors import InvalidBlock, OperatorError, Rejected
from node.execution.block_validation import check_frame, execute_block
from node.execution.head import ChainHead
from node.storage.kv import KeyValue
from node.txtypes.envelope import CheckedTx, check_signatures, decode_signed_tx
from node.txtypes.rulesets import unknown_rules, unknown_ruleset


class Executor:
    """A chain that is executed from its genesis. `store` has the state after the last block."""

    def __init__(self, kv: KeyValue, genesis: Genesis) -> None:
        """Raises `OperatorError` for a chain that continues another: its first state is not in its genesis."""
        if genesis.continues is not None:
            raise OperatorError(
                f"this chain continues another after height {start_height(genesis)}, so it can't be executed from its "
                "genesis file: use 'bmw-audit replay' with --predecessor, or follow its headers"
            )
        self.store = ReplayStore(kv, genesis)
        self._hash = genesis_hash(genesis)

    @property
    def head(self) -> ChainHead:
        return self.store.head()

    def checked(self, committed: Committed) -> list[CheckedTx]:
        """The transactions of the next block, once its frame, its certificate and all signatures are verified. Raises
        `Diverged`, and `OperatorError` for a ruleset that this software does not know."""
        block, head = committed.block, self.head
        height = head.height + 1
        unknown = unknown_rules(head.params, height) or unknown_ruleset(height, block.header.ruleset_hash)
        if unknown:
            raise OperatorError(unknown)
        try:
            check_frame(block, head, self._hash)
        except InvalidBlock as error:
            raise Diverged(height, error.rule, str(error)) from None
        if fault := certificate_fault(committed, self._hash, head.validators):
            raise Diverged(height, "commit_certificate", f"the certificate does not decide the block: {fault}")
        return [self._checked(height, index, raw) for index, raw in enumerate(block.transactions)]

    def _checked(self, height: int, index: int, raw: bytes) -> CheckedTx:
        try:
            return check_signatures(decode_signed_tx(raw, self._hash), self._hash)
        except Rejected as error:
            txid = txid_or_empty(raw, self._hash)
            raise Diverged(height, f"transaction_{error.code}", str(error), index, txid) from None

    def execute(self, committed: Committed, transactions: list[CheckedTx]) -> None:
        """Execute the next block, whose transactions are `checked`, and keep the state after it. Raises `Diverged`."""
        block, store = committed.block, self.store
        try:
            result = execute_block(block, transactions, store.state, store.tree, self.head, self._hash)
        except InvalidBlock as error:
            raise Diverged(block.header.height, error.rule, str(error), error.index, error.txid) from None
        store.advance(result, block_id_of(block.header, self._hash))
