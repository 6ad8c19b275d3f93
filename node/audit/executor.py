"""Execution of the blocks after a store's head, one at a time: each is judged whole before the store advances past it.

Whoever follows a chain executes it by this: a replay, which has the signatures of many blocks verified in advance, and
those who look at every block: tables, full witnesses, the search for censorship.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from node.audit.divergence import Diverged
from node.audit.replay_store import ReplayStore
from node.audit.signatures import Findings, certificate_fault, commit_fault, verify_block
from node.chain.block import Block, Committed, block_id_of, decode_committed
from node.chain.validators import ValidatorSet
from node.codec import encode
from node.errors import Corrupted, InvalidBlock, OperatorError, Rejected
from node.execution.block_run import BlockResult
from node.execution.block_validation import check_frame, execute_block
from node.execution.head import ChainHead
from node.ledger.signed import Signed, txid_of
from node.txtypes.envelope import CheckedTx, decode_signed_tx
from node.txtypes.rulesets import unknown_rules, unknown_ruleset


@dataclass(frozen=True, slots=True)
class Executed:
    """A verified block and what it does. `validators`: the set that decided it; `last_validators`: its parent's."""

    committed: Committed
    block_id: bytes
    result: BlockResult
    validators: ValidatorSet
    last_validators: ValidatorSet


class Executor:
    """Judges and executes the next block of `store`, which has the state of the last one, or nothing."""

    def __init__(self, store: ReplayStore, parent_commit: bytes = b"") -> None:
        """`parent_commit`: canonical bytes of a verified certificate of the head, empty where there is none at hand."""
        self.store = store
        self.parent_commit = parent_commit

    def executed(self, committed: Committed) -> Executed:
        """The next block, with everything in it verified here. Raises `Diverged`, and `OperatorError` for a ruleset
        that this software does not know."""
        validators = self.store.head().validators
        findings = verify_block(committed, self.parent_commit, self.store.genesis_hash, validators)
        return self.judged(committed, findings, validators)

    def judged(self, committed: Committed, findings: Findings, assumed: ValidatorSet) -> Executed:
        """The next block. `findings` on its signatures count where `assumed`, the set that they were made with, is the
        right one; else certificates are verified here. Raises as `executed`."""
        store = self.store
        block, head, genesis = committed.block, store.head(), store.genesis_hash
        height = head.height + 1
        self._check_rules(committed, head)
        try:
            check_frame(block, head, genesis, verify_last_commit=False)
        except InvalidBlock as error:
            if error.rule == "header_tx_root" and findings.index >= 0:
                raise self._transaction_fault(block, findings) from None
            raise Diverged(height, error.rule, str(error)) from None
        self._check_certificates(committed, findings, assumed)
        if findings.index >= 0:
            raise self._transaction_fault(block, findings)
        transactions = [self._decoded_tx(height, index, raw) for index, raw in enumerate(block.transactions)]
        try:
            result = execute_block(block, transactions, store.state, store.tree, head, genesis)
        except InvalidBlock as error:
            raise Diverged(height, error.rule, str(error), error.index, error.txid) from None
        except (OperatorError, Corrupted):
            raise
        except Exception as error:  # any failure to execute a certified block is a divergence
            raise Diverged(height, "execution_error", f"{type(error).__name__}: {error}") from error
        return Executed(committed, block_id_of(block.header, genesis), result, head.validators, head.last_validators)

    def advance(self, executed: Executed) -> None:
        """Keep the state after the block."""
        self.store.advance(executed.result, executed.block_id)
        self.parent_commit = encode(executed.committed.commit)

    def _check_rules(self, committed: Committed, head: ChainHead) -> None:
        """Before anything else is judged: another version may see it otherwise. Raises `OperatorError` where this
        software does not know the ruleset, as the state names it, or a header that the validators have decided."""
        height, header = head.height + 1, committed.block.header
        if unknown := unknown_rules(head.params, height):
            raise OperatorError(unknown)
        unknown = unknown_ruleset(height, header.ruleset_hash)
        if unknown and not certificate_fault(committed, self.store.genesis_hash, head.validators):
            raise OperatorError(unknown)

    def _check_certificates(self, committed: Committed, findings: Findings, assumed: ValidatorSet) -> None:
        head, genesis, header = self.store.head(), self.store.genesis_hash, committed.block.header
        last, own = findings.last_commit, findings.commit
        if head.last_validators != assumed and header.height > self.store.start_height + 1:
            is_parents = encode(committed.block.last_commit) == self.parent_commit
            last = "" if is_parents else commit_fault(committed.block.last_commit, genesis, head.last_validators)
        if last:
            raise Diverged(header.height, "last_commit", last)
        if head.validators != assumed:
            own = certificate_fault(committed, genesis, head.validators)
        if own:
            raise Diverged(header.height, "commit_certificate", f"the certificate does not decide the block: {own}")

    def _transaction_fault(self, block: Block, findings: Findings) -> Diverged:
        txid = txid_or_empty(block.transactions[findings.index], self.store.genesis_hash)
        return Diverged(block.header.height, findings.rule, findings.text, findings.index, txid)

    def _decoded_tx(self, height: int, index: int, raw: bytes) -> CheckedTx:
        try:
            return CheckedTx(decode_signed_tx(raw, self.store.genesis_hash))
        except Rejected as error:
            txid = txid_or_empty(raw, self.store.genesis_hash)
            raise Diverged(height, f"transaction_{error.code}", str(error), index, txid) from None


def decoded(height: int, raw: bytes) -> Committed:
    """Decode strictly. Raises `Diverged`, also for the block of another height."""
    try:
        committed = decode_committed(raw)
    except Rejected as error:
        raise Diverged(height, "block_encoding", str(error)) from None
    if committed.block.header.height != height:
        raise Diverged(height, "header_height", f"in its place is block {committed.block.header.height}")
    return committed


def txid_or_empty(raw: bytes, genesis: bytes) -> bytes:
    """The txid of an invalid transaction; empty where not even its envelope decodes."""
    try:
        return txid_of(genesis, msgspec.msgpack.decode(raw, type=Signed).payload)
    except (msgspec.ValidationError, msgspec.DecodeError):
        return b""
