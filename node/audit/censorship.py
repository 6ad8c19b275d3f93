"""Censorship: what became of transactions whose acceptance a node has signed.

The chain is executed block by block. At the end of each block after the receipt it is asked whether the transaction is
in it, whether it would have held there too, and whether it had room. A transaction that held until it expired while
blocks had room was left out by the proposers of these blocks.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from node.audit.executor import Executed
from node.audit.follow import Follower
from node.audit.replay_store import ReplayStore
from node.audit.sources import BlockSource
from node.chain.acceptance import Acceptance, receipts_of
from node.chain.block import Header
from node.chain.genesis import Genesis, genesis_hash, start_height
from node.crypto.addresses import to_text
from node.errors import BadSignature, Malformed, OperatorError
from node.execution.block_run import BlockRun
from node.ledger.guards import GuardsUnmet, Unmet
from node.ledger.json_form import from_json, to_json
from node.storage.leveldb import LevelStore, WriteBackStore
from node.txtypes.envelope import CheckedTx, check_signatures, decode_signed_tx
from node.txtypes.members.member import MEMBER

Verdict = Literal["committed", "invalid", "left_out", "no_room", "open", "another_chain"]
"""In a block; not valid any more; valid until its expiry while blocks had room; the same, but no block had room; not
decided within the source; accepted over a block that this source does not have."""
EVIDENCE: frozenset[Verdict] = frozenset({"left_out", "another_chain"})


@dataclass
class LeftOut:
    """How often a proposer left a transaction out that held and had room. `is_acceptor`: its member has published the
    key that signed the receipt, so it is its own node that had the transaction."""

    name: str
    blocks: int
    first: int
    last: int
    is_acceptor: bool


@dataclass
class Inquiry:
    """A receipt, its transaction, and what was found. `height`: of the block that decided it."""

    acceptance: Acceptance
    tx: CheckedTx
    verdict: Verdict = "open"
    height: int = 0
    unmet: tuple[Unmet, ...] = ()
    full_blocks: int = 0
    left_out_by: dict[bytes, LeftOut] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "txid": self.tx.txid.hex(),
            "verdict": self.verdict,
            "height": self.height or None,
            "unmet": [{"code": guard.code, "text": guard.text()} for guard in self.unmet],
            "acceptance": to_json(self.acceptance),
            "blocks_with_room": sum(each.blocks for each in self.left_out_by.values()),
            "blocks_full": self.full_blocks,
            "left_out_by": [
                {"proposer": to_text(address), "name": each.name, "blocks": each.blocks, "first": each.first,
                 "last": each.last, "accepted_it": each.is_acceptor}
                for address, each in sorted(self.left_out_by.items())
            ],
        }  # fmt: skip


def read_receipts(document: Any, raws: Sequence[bytes], genesis: bytes, name: str) -> list[Inquiry]:
    """The inquiries of the JSON answer to a submission, with `transaction` in hex, or to a batch, with `transactions`;
    unless their bytes are among `raws`. Raises `Malformed`, `BadSignature`, `WrongChain`."""
    if not isinstance(document, dict) or "acceptance" not in document:
        raise Malformed(f"{name}: a receipt has `acceptance`, from the answer to a submission, and `transaction`")
    if "results" in document:
        given = [*_bytes_of(document.get("transactions", []), f"{name}.transactions"), *raws]
        return [_inquiry(receipt, given, genesis, name) for _, receipt in receipts_of(document)]
    acceptance: Acceptance = from_json(Acceptance, document["acceptance"], f"{name}.acceptance")
    transaction = document.get("transaction")
    candidates = raws if transaction is None else _bytes_of([transaction], f"{name}.transaction")
    return [_inquiry(acceptance, candidates, genesis, name)]


def _bytes_of(texts: Any, place: str) -> list[bytes]:
    try:
        return [bytes.fromhex(text) for text in texts]
    except (TypeError, ValueError):
        raise Malformed(f"{place}: hex expected") from None


def _inquiry(acceptance: Acceptance, raws: Sequence[bytes], genesis: bytes, name: str) -> Inquiry:
    if not acceptance.is_signed(genesis):
        raise BadSignature(f"{name}: the receipt is not signed by its node key for this chain")
    for raw in raws:
        signed = decode_signed_tx(raw, genesis)
        if (signed.txid, signed.payload.expires_at_ms) == (acceptance.txid, acceptance.expires_at_ms):
            return Inquiry(acceptance, check_signatures(signed, genesis))
    raise Malformed(f"{name}: the transaction of the receipt is not given: add it as `transaction`, or beside it")


class Search:
    """The search for what became of transactions, over one source."""

    def __init__(
        self,
        genesis: Genesis,
        source: BlockSource,
        inquiries: Sequence[Inquiry],
        on_progress: Callable[[int, int], None] = lambda height, transactions: None,
    ) -> None:
        """Raises `OperatorError` for a source of another chain, or without its first blocks."""
        self._genesis, self._hash, self._source, self._on_progress = genesis, genesis_hash(genesis), source, on_progress
        self._inquiries = inquiries
        first = start_height(genesis) + 1
        if source.genesis_hash != self._hash:
            raise OperatorError(f"the {source.name} is of another chain: give the genesis file of that chain")
        if source.first > first:
            raise OperatorError(f"the {source.name} starts at block {source.first}, all blocks from {first} are needed")

    def run(self) -> Sequence[Inquiry]:
        """Execute the chain until every inquiry is decided, or to the end. Raises `Diverged`, `OperatorError`,
        `Corrupted`."""
        with tempfile.TemporaryDirectory(prefix="bmw-audit-") as folder:
            kv = WriteBackStore(LevelStore(Path(folder) / "state", is_temporary=True))
            try:
                self._run(Follower(self._genesis, kv))
            finally:
                kv.close()
        return self._inquiries

    def _run(self, follower: Follower) -> None:
        head = follower.store.head()
        self._check_view(self._inquiries, head.height, head.block_id)
        for executed in follower.follow(self._source, self._source.last):
            undecided = [each for each in self._inquiries if each.verdict == "open"]
            if not undecided:
                return
            self._judge(follower.store, executed, undecided)
            self._check_view(undecided, executed.result.height, executed.block_id)
            self._on_progress(executed.result.height, 0)

    def _check_view(self, inquiries: Sequence[Inquiry], height: int, block_id: bytes) -> None:
        for each in inquiries:
            if each.acceptance.height == height and each.acceptance.block_id != block_id:
                each.verdict, each.height = "another_chain", height

    def _judge(self, store: ReplayStore, executed: Executed, undecided: list[Inquiry]) -> None:
        """`store` has the state before the block."""
        header, transactions = executed.committed.block.header, executed.result.transactions
        taken = {tx.txid for tx in transactions}
        held: list[Inquiry] = []
        for each in undecided:
            if each.tx.txid in taken:  # also at the receipt's own head: it may have moved before the node answered
                each.verdict, each.height = "committed", header.height
            elif header.height <= each.acceptance.height:
                continue
            elif header.time_ms > each.acceptance.expires_at_ms:
                each.verdict, each.height = ("left_out" if each.left_out_by else "no_room"), header.height
            else:
                held.append(each)
        if not held:
            return
        run = BlockRun(store.state, store.tree, store.head(), self._hash, header.time_ms)
        for tx in transactions:
            run.add(tx)
        for each in held:
            try:
                if run.has_room(each.tx):
                    self._note_left_out(store, header, each)
                else:
                    each.full_blocks += 1
            except GuardsUnmet as error:
                each.verdict, each.height, each.unmet = "invalid", header.height, error.unmet

    def _note_left_out(self, store: ReplayStore, header: Header, inquiry: Inquiry) -> None:
        known = inquiry.left_out_by.get(header.proposer)
        if known is None:
            raw = store.state.get(MEMBER.key(header.proposer))
            member = None if raw is None else MEMBER.decode(raw)
            name = to_text(header.proposer) if member is None else member.name
            is_acceptor = member is not None and member.node_key == inquiry.acceptance.node_key
            known = inquiry.left_out_by[header.proposer] = LeftOut(name, 0, header.height, header.height, is_acceptor)
        known.blocks += 1
        known.last = header.height
