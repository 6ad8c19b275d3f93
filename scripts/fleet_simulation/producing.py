"""The chain under a fleet: real transactions with real signatures, executed, sealed and committed to a store.

What is not real: one producer holds the keys of all validators, so that there is no vote and no network; the keys are
development keys, and salts are numbers. Signatures are verified unless the caller says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from support.memory_store import MemoryStore
from support.signing import sign_transaction

from fleet_simulation.genesis import VALIDATORS, fleet_genesis
from node.chain.block import EMPTY_COMMIT, Block, Commit, block_id_of
from node.chain.vote import vote_sign_bytes
from node.crypto.addresses import address_of
from node.crypto.dev_keys import dev_key
from node.crypto.signing import PrivateKey
from node.execution.block_run import BlockFull, BlockResult, BlockRun
from node.execution.block_validation import seal_block
from node.ledger.body import TransactionBody
from node.ledger.guards import GuardsUnmet
from node.storage.chain_store import ChainStore
from node.txtypes.envelope import CheckedTx, check_signatures, decode_signed_tx

BLOCK_TXS_MAX: Final = 2_000
LIFETIME_MS: Final = 3_600_000
KEPT_BLOCKS: Final = 3


class Outcome(NamedTuple):
    """What became of a transaction: its id, and the codes of the guards that refused it."""

    txid: bytes
    refused: tuple[str, ...]

    @property
    def is_accepted(self) -> bool:
        return not self.refused


class FleetChain:
    """One block is open at a time; a transaction is executed in it at once, and changes nothing where it is refused."""

    def __init__(self, start_ms: int, tree_depth: int, *, verifies: bool = True) -> None:
        self.genesis = fleet_genesis(start_ms, tree_depth)
        self.store = ChainStore(MemoryStore(), self.genesis)
        self.now = start_ms
        self.committed: list[Callable[[BlockResult], None]] = []
        """Called with the result of every block."""
        self.transactions = 0
        self._hash = self.store.genesis_hash
        self._verifies = verifies
        self._salt = 0
        self._keys: dict[str, tuple[bytes, PrivateKey]] = {}
        consensus = ((self.key(name)[0], dev_key("consensus", name)) for name in VALIDATORS)
        self._consensus = dict(consensus)
        self._run: BlockRun | None = None
        self._taken = 0

    @property
    def height(self) -> int:
        return self.store.height()

    @property
    def state_root(self) -> bytes:
        return self.store.head().state_root

    def key(self, name: str) -> tuple[bytes, PrivateKey]:
        """Address and key of an account."""
        known = self._keys.get(name)
        if known is None:
            key = dev_key("account", name)
            known = self._keys[name] = (address_of(key.public), key)
        return known

    def address(self, name: str) -> bytes:
        return self.key(name)[0]

    def state(self, family: Any, ident: Any) -> Any:
        """A state value as the open block has it."""
        return self._open()._overlay.get(family, family.key(ident))

    # --- transactions -----------------------------------------------------------------------------------
    def send(self, sender: str, body: TransactionBody, *cosigners: str) -> Outcome:
        """Sign a transaction and execute it in the open block; a full block is closed first."""
        tx = self._signed(sender, body, cosigners)
        if self._taken >= BLOCK_TXS_MAX:
            self.close()
        while True:
            try:
                self._open().add(tx)
            except GuardsUnmet as error:
                return Outcome(tx.txid, tuple(guard.code for guard in error.unmet))
            except BlockFull:
                self.close()
                continue
            self._taken += 1
            self.transactions += 1
            return Outcome(tx.txid, ())

    def _signed(self, sender: str, body: TransactionBody, cosigners: tuple[str, ...]) -> CheckedTx:
        self._salt += 1
        signers = [self.key(name) for name in dict.fromkeys((sender, *cosigners))]
        raw = sign_transaction(
            self.address(sender), body, signers, self._hash, salt=self._salt, expires_at_ms=self.now + LIFETIME_MS
        )
        signed = decode_signed_tx(raw, self._hash)
        return check_signatures(signed, self._hash) if self._verifies else CheckedTx(signed)

    # --- blocks -----------------------------------------------------------------------------------------
    def _open(self) -> BlockRun:
        if self._run is None:
            self.now = max(self.now, self.store.head().time_ms + 1)
            store = self.store
            self._run, self._taken = BlockRun(store.state, store.tree, store.head(), self._hash, self.now), 0
        return self._run

    def close(self) -> None:
        """Seal and commit the open block; older ones are pruned, as a node does."""
        run, store = self._open(), self.store
        head, result = store.head(), run.finish()
        last = EMPTY_COMMIT if store.is_at_start else store.commit(head.height)
        block = seal_block(run, result, head, head.validators.proposer(head.height + 1, 0), (), last)
        store.commit_block(block, result, self._commit_for(block))
        store.prune(store.height() - KEPT_BLOCKS, 10)
        self._run = None
        for told in self.committed:
            told(result)

    def _commit_for(self, block: Block) -> Commit:
        block_id = block_id_of(block.header, self._hash)
        message = vote_sign_bytes(self._hash, "precommit", block.header.height, 0, block_id)
        entries = self.store.head().validators.entries
        signatures = tuple(self._consensus[entry.address].sign(message) for entry in entries)
        return Commit(block.header.height, 0, block_id, signatures)
