"""A chain with a single producer that holds every validator's key: the whole ledger without consensus."""

from __future__ import annotations

from functools import cache

from node.chain.block import EMPTY_COMMIT, Block, Commit, block_id_of
from node.chain.dev_genesis import DEV_PARTIES, build_genesis
from node.chain.vote import Evidence, vote_sign_bytes
from node.crypto.addresses import address_of
from node.crypto.dev_keys import dev_key
from node.execution.block_run import BlockResult, BlockRun
from node.execution.block_validation import check_frame, execute_block, seal_block
from node.ledger.body import TransactionBody
from node.ledger.guards import GuardsUnmet
from node.ledger.params import ChainParams
from node.storage.chain_store import ChainStore
from node.txtypes.envelope import CheckedTx, check_signatures, decode_signed_tx
from support.memory_store import MemoryStore
from support.signing import sign_transaction

START_MS = 1_767_225_600_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


@cache
def address(name: str) -> bytes:
    return address_of(dev_key("account", name).public)


def dev_test_genesis(depth: int = 6, params: ChainParams | None = None):
    return build_genesis("bmw-test", START_MS, DEV_PARTIES, dev_key, tree_depth=depth, params=params)


class Chain:
    """Blocks are made on demand; every one is also judged like a foreign one before it is committed."""

    def __init__(self, genesis=None, kv=None, state_history: int = 0) -> None:
        self.genesis = genesis or dev_test_genesis()
        self.store = ChainStore(kv if kv is not None else MemoryStore(), self.genesis, state_history)
        self.genesis_hash = self.store.genesis_hash
        self.now = max(START_MS + DAY_MS, self.store.head().time_ms + 1000)
        self._salt = self.store.height() * 100_000
        self.last_result: BlockResult | None = None

    # --- transactions ---
    def sign(self, sender: str, body: TransactionBody, *cosigners: str, lifetime_ms: int = HOUR_MS, extra=()) -> bytes:
        self._salt += 1
        signers = [(address(name), dev_key("account", name)) for name in (sender, *cosigners)]
        return sign_transaction(
            address(sender),
            body,
            signers + list(extra),
            self.genesis_hash,
            salt=self._salt,
            expires_at_ms=self.now + lifetime_ms,
        )

    def check(self, raw: bytes) -> CheckedTx:
        return check_signatures(decode_signed_tx(raw, self.genesis_hash), self.genesis_hash)

    def run(self, *, records_reads: bool = False) -> BlockRun:
        store = self.store
        return BlockRun(store.state, store.tree, store.head(), self.genesis_hash, self.now, records_reads=records_reads)

    def contended(self, raw: bytes) -> set[str]:
        """The state keys that a pending transaction depends on: those that judging it reads."""
        return {key.decode("ascii") for key in self.run(records_reads=True).judge(self.check(raw)).contended}

    def unmet(self, raw: bytes) -> list[str]:
        """Codes of every unmet guard now; empty where the transaction would hold."""
        try:
            self.run().add(self.check(raw))
        except GuardsUnmet as error:
            return [guard.code for guard in error.unmet]
        return []

    # --- blocks ---
    def commit_for(self, block: Block) -> Commit:
        head = self.store.head()
        block_id = block_id_of(block.header, self.genesis_hash)
        message = vote_sign_bytes(self.genesis_hash, "precommit", block.header.height, 0, block_id)
        names = {address(p.name): p.name for p in DEV_PARTIES}
        signatures = tuple(dev_key("consensus", names[e.address]).sign(message) for e in head.validators.entries)
        return Commit(block.header.height, 0, block_id, signatures)

    def build(self, *raws: bytes, evidence: tuple[Evidence, ...] = ()) -> Block:
        head = self.store.head()
        run = self.run()
        for raw in raws:
            run.add(self.check(raw))
        result = run.finish(evidence)
        last = EMPTY_COMMIT if self.store.is_at_start else self.store.commit(head.height)
        proposer = head.validators.proposer(head.height + 1, 0)
        return seal_block(run, result, head, proposer, evidence, last)

    def judge(self, block: Block) -> BlockResult:
        head = self.store.head()
        check_frame(block, head, self.genesis_hash)
        txs = [self.check(raw) for raw in block.transactions]
        return execute_block(block, txs, self.store.state, self.store.tree, head, self.genesis_hash)

    def produce(self, *raws: bytes, evidence: tuple[Evidence, ...] = (), pass_ms: int = 1000) -> Block:
        block = self.build(*raws, evidence=evidence)
        self.last_result = self.judge(block)
        self.store.commit_block(block, self.last_result, self.commit_for(block))
        self.now += pass_ms
        return block

    def do(self, sender: str, body: TransactionBody, *cosigners: str, extra=()) -> bytes:
        """One transaction in a block of its own; its txid."""
        raw = self.sign(sender, body, *cosigners, extra=extra)
        self.produce(raw)
        return self.check(raw).txid

    def state(self, family, ident):
        raw = self.store.state.get(family.key(ident))
        return None if raw is None else family.decode(raw)
