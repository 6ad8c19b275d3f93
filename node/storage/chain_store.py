"""The chain on disk: blocks, certificates, state, state tree, records and indexes.

All of a block is written in one synced batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import TypeVar

import msgspec

from node import limits
from node.chain.block import Block, Commit, Committed, block_id_of, decode_block, decode_commit
from node.chain.genesis import Genesis, genesis_hash, start_height
from node.chain.validators import ValidatorSet
from node.codec import Value, encode
from node.crypto.state_tree import StateProof, StateTree, bucket_of, prove, siblings_from, slot_of
from node.errors import Corrupted, OperatorError, Rejected
from node.execution.block_run import BlockResult
from node.execution.genesis_state import buckets_of, genesis_entries, genesis_head
from node.execution.head import ChainHead
from node.ledger.family import Family, index_changes
from node.ledger.params import CHAIN
from node.ledger.receipts import BlockReceipts, decode_receipts, encode_receipts
from node.storage import schema
from node.storage.kv import KeyValue, T, prefix_end, write_portions
from node.storage.pruned_rows import rows_of_blocks
from node.storage.schema import TxPlace
from node.storage.state_history import StateAt, StateHistory, kept_heights
from node.storage.window_sweep import WindowSweep
from node.txtypes.chain.replay_window import hour_of
from node.txtypes.chain.validator_set import ValidatorEntry
from node.txtypes.registry import family_of
from node.txtypes.rulesets import unknown_ruleset

V = TypeVar("V", bound=Value)
ReadTree = Callable[[int, bytes], StateTree | None]


class StoredHead(msgspec.Struct, array_like=True, frozen=True):
    """The head as the store records it, not yet compared with the rest of the store."""

    height: int
    block_id: bytes
    time_ms: int
    state_root: bytes


_decode_head = msgspec.msgpack.Decoder(StoredHead).decode
_decode_entries = msgspec.msgpack.Decoder(tuple[ValidatorEntry, ...]).decode


class StateView:
    """State reads over a store or a snapshot of one. Implements `StateReader`."""

    def __init__(self, kv: KeyValue) -> None:
        self._kv = kv

    def get(self, key: bytes) -> bytes | None:
        return self._kv.get(schema.state_key(key))

    def bucket(self, number: int) -> bytes:
        return self._kv.get(schema.bucket_key(number)) or b""

    def was_committed(self, txid: bytes) -> bool:
        return self._kv.get(schema.tx_key(txid)) is not None

    def record(self, vin: str, sequence: int) -> bytes | None:
        return self._kv.get(schema.record_key(vin, sequence))


class ChainReader:
    """All reads of a chain, over a store, a snapshot of one, or a copy."""

    def __init__(self, kv: KeyValue) -> None:
        self.kv = kv
        self.state = StateView(kv)

    def _decoded(self, key: bytes, decode: Callable[[bytes], T], name: str) -> T | None:
        raw = self.kv.get(key)
        try:
            return None if raw is None else decode(raw)
        except (Rejected, msgspec.MsgspecError) as error:
            raise Corrupted(f"{name} does not decode: {error}") from None

    def stored_head(self) -> StoredHead | None:
        """None where the store was never started."""
        return self._decoded(schema.META_HEAD, _decode_head, "the store's head")

    def height(self) -> int:
        head = self.stored_head()
        return -1 if head is None else head.height

    def head(self) -> ChainHead:
        """The head with its validator sets and parameters. Raises `Corrupted` where one of them is missing."""
        head = self.stored_head()
        params = self.state.get(CHAIN.key("params"))
        if head is None or params is None:
            raise Corrupted("the store has no head: it was never finished; wipe it and sync again")
        validators, last = self.validators(head.height + 1), self.validators(max(head.height, 1))
        return ChainHead(
            head.height, head.block_id, head.time_ms, head.state_root, validators, CHAIN.decode(params), last
        )

    def kept_heights(self) -> range:
        """The heights whose state can be read with `at`: the head, and those of the state history below it."""
        return kept_heights(self.kv, self.height())

    def at(self, height: int) -> ChainReader:
        """The chain with its head and state as they were after one of the `kept_heights`."""
        return ChainReader(StateAt(self.kv, height))

    def check_rules(self) -> None:
        """Raises `OperatorError` where the head block names a ruleset that this software does not have: it cannot read
        the state. A damaged block is ignored."""
        head, genesis = self.stored_head(), self.kv.get(schema.META_GENESIS)
        raw = None if head is None else self.block_bytes(head.height)
        if head is None or genesis is None or raw is None:
            return
        with suppress(Rejected):
            header = decode_block(raw).header
            unknown = unknown_ruleset(head.height, header.ruleset_hash)
            if unknown and block_id_of(header, genesis) == head.block_id:
                raise OperatorError(unknown)

    def validators(self, height: int) -> ValidatorSet:
        """The set that decides `height`, up to one above the head; at the genesis state the first set."""
        for _, raw in self.kv.scan(schema.validators_key(0), schema.validators_key(height + 1), reverse=True):
            try:
                return ValidatorSet(_decode_entries(raw))
            except msgspec.MsgspecError as error:
                raise Corrupted(f"a stored validator set does not decode: {error}") from None
        raise Corrupted(f"the store has no validator set for height {height}")

    def first_height(self) -> int:
        """The oldest height whose block is stored; above the chain's first after a snapshot or pruning."""
        return int.from_bytes(self.kv.get(schema.META_BASE) or b"\x01", "big")

    def block(self, height: int) -> Block | None:
        return self._decoded(schema.block_key(height), decode_block, f"block {height}")

    def block_bytes(self, height: int) -> bytes | None:
        return self.kv.get(schema.block_key(height))

    def commit(self, height: int) -> Commit | None:
        return self._decoded(schema.commit_key(height), decode_commit, f"the certificate of {height}")

    def committed(self, height: int) -> Committed | None:
        block, commit = self.block(height), self.commit(height)
        return None if block is None or commit is None else Committed(block, commit)

    def height_of(self, block_id: bytes) -> int | None:
        raw = self.kv.get(schema.block_id_key(block_id))
        return None if raw is None else int.from_bytes(raw, "big")

    def place(self, txid: bytes) -> TxPlace | None:
        raw = self.kv.get(schema.tx_key(txid))
        return None if raw is None else schema.place_in(raw)

    def record(self, vin: str, sequence: int) -> bytes | None:
        return self.state.record(vin, sequence)

    def records(self, vin: str, start: int, limit: int, *, reverse: bool = False) -> Iterator[tuple[int, bytes]]:
        """(sequence, record bytes) from `start` upwards, or (reverse) below `start` downwards."""
        prefix, at = schema.record_key(vin, 0)[:-8], schema.record_key(vin, start)
        low, high = (prefix, at) if reverse else (at, prefix_end(prefix))
        for key, value in islice(self.kv.scan(low, high, reverse=reverse), limit):
            yield int.from_bytes(key[-8:], "big"), value

    def window(self) -> Iterator[tuple[bytes, bytes]]:
        """The rows of the replay window, without those of passed hours."""
        head = self.stored_head()
        return self.kv.scan(schema.window_start(hour_of(head.time_ms) if head is not None else 0), b"X")

    def entries(self, prefix: bytes, start: str, limit: int) -> list[str]:
        """The keys of an index or a family without their `prefix`, ascending from `start`."""
        scanned = self.kv.scan(prefix + start.encode("ascii"), prefix_end(prefix))
        return [key[len(prefix) :].decode("ascii") for key, _ in islice(scanned, limit)]

    def values(self, family: Family[V]) -> Iterator[tuple[str, V]]:
        """(id, value) of every state value of a family, ascending by id."""
        start = schema.state_key(family.key(""))
        for key, raw in self.kv.scan(start, prefix_end(start)):
            yield key[len(start) :].decode("ascii"), family.decode(raw)

    def receipts(self, height: int) -> BlockReceipts | None:
        """What the transactions of a block did; None where the store does not have the row."""
        raw = self.kv.get(schema.receipts_key(height))
        return None if raw is None else decode_receipts(raw)

    def receipts_from(self) -> int:
        """The first height from which the store has the receipts of every block."""
        return max(self.first_height(), int.from_bytes(self.kv.get(schema.META_RECEIPTS) or b"", "big"))

    def touching(self, subject: str, below: tuple[int, int], limit: int) -> list[TxPlace]:
        """The places of the transactions that concern a subject, the newest first, before the place `below`."""
        return list(islice(self._touching(subject, TxPlace(*below)), limit))

    def _touching(self, subject: str, below: TxPlace) -> Iterator[TxPlace]:
        end = schema.subject_key(subject, below.height) + b"\x00"  # the entry of that height is in the scan
        for key, indexes in self.kv.scan(schema.subject_prefix(subject), end, reverse=True):
            height = schema.subject_height_in(key)
            for at in range(len(indexes) - 4, -1, -4):
                index = int.from_bytes(indexes[at : at + 4], "big")
                if height < below.height or index < below.index:
                    yield TxPlace(height, index)

    def buckets(self) -> Iterator[tuple[int, bytes]]:
        for key, value in self.kv.scan(b"K", b"L"):
            yield int.from_bytes(key[1:], "big"), value


def index_entries(state: Iterable[tuple[bytes, bytes]]) -> Iterator[bytes]:
    """Store keys of the index entries of (state key, value) pairs. Raises `Corrupted`."""
    for key, raw in state:
        family = family_of(key)
        if family is not None and family.indexes:
            yield from family.index_keys(key[len(family.name) + 1 :].decode("ascii"), family.decode(raw))


def upgrade(kv: KeyValue) -> None:
    """Rebuild the indexes of a store of an older schema version from its state. The version is written last, so an
    interrupted upgrade starts again. Raises `Corrupted`."""
    stored = schema.read_version(kv.get(schema.META_SCHEMA))
    if stored == schema.SCHEMA_VERSION:
        return
    if stored < 1:
        raise Corrupted("the store has no schema version: rebuild it with 'bmw-node reindex'")
    write_portions(kv, ((key, None) for key, _ in kv.scan(b"X", b"Y")))
    write_portions(kv, ((entry, b"") for entry in index_entries((key[1:], raw) for key, raw in kv.scan(b"S", b"T"))))
    kv.write({schema.META_SCHEMA: schema.SCHEMA_VERSION.to_bytes(4, "big")}, [])


def check_layout(kv: KeyValue) -> None:
    """Raises `Corrupted` where rows have an earlier layout: those of the replay window named by txid, or subject
    entries without a value, one for each transaction."""
    window, entry = (next(kv.scan(family, bytes([family[0] + 1])), None) for family in (b"W", b"Y"))
    if (window is not None and len(window[0]) != schema.WINDOW_KEY_BYTES) or (entry is not None and not entry[1]):
        raise Corrupted("older software has written the store: rebuild it with 'bmw-node reindex'")


class ChainStore(ChainReader):
    """A `ChainReader` that also writes blocks; the state tree and the head are in memory."""

    def __init__(
        self, kv: KeyValue, genesis: Genesis, state_history: int = 0, read_tree: ReadTree = lambda _depth, _root: None
    ) -> None:
        """Open the chain, or start it at height 0. `state_history`: heights below the head whose state is kept.
        `read_tree`: a tree that was kept for this depth and root, if there is one. Raises `Corrupted` where the stored
        tree and root disagree, and `OperatorError` for another chain's store and for one that only newer software can
        read."""
        super().__init__(kv)
        self.genesis = genesis
        self.genesis_hash = genesis_hash(genesis)
        self.start_height = start_height(genesis)
        self._history = StateHistory(kv, state_history)
        self._sweep = WindowSweep(kv)
        stored = kv.get(schema.META_GENESIS)
        if stored is None and genesis.continues is not None:
            raise OperatorError(
                f"this chain continues the chain {genesis.continues.genesis_hash.hex()} from height "
                f"{self.start_height}, and its first state is missing: import it with 'bmw-node inherit'"
            )
        if stored is None:
            self._start()
        elif stored != self.genesis_hash:
            raise OperatorError(
                f"the store belongs to the chain with genesis hash {stored.hex()}, not {self.genesis_hash.hex()}: "
                "use its genesis file, or another folder"
            )
        self.check_rules()
        check_layout(kv)
        upgrade(kv)
        self._head = super().head()
        kept = read_tree(genesis.tree_depth, self._head.state_root)
        self.tree = kept if kept is not None else StateTree(genesis.tree_depth, self.buckets())
        if self.tree.root != self._head.state_root:
            raise Corrupted(
                f"the stored state tree has root {self.tree.root.hex()}, the head says "
                f"{self._head.state_root.hex()}: restore a checkpoint, or wipe the store and sync again"
            )

    def _start(self) -> None:
        entries = genesis_entries(self.genesis)
        head = genesis_head(self.genesis, entries)
        buckets = buckets_of(entries, self.genesis.tree_depth)
        puts = {schema.state_key(key): value for key, value in entries.items()}
        puts |= {schema.bucket_key(number): bucket for number, bucket in buckets.items()}
        puts |= dict.fromkeys(index_entries(entries.items()), b"")
        puts[schema.validators_key(1)] = encode(head.validators.entries)
        puts[schema.META_GENESIS] = self.genesis_hash
        puts[schema.META_SCHEMA] = schema.SCHEMA_VERSION.to_bytes(4, "big")
        puts[schema.META_HEAD] = encode(StoredHead(0, head.block_id, head.time_ms, head.state_root))
        self.kv.write(puts, [])

    def head(self) -> ChainHead:
        return self._head

    def height(self) -> int:
        return self._head.height

    @property
    def is_at_start(self) -> bool:
        """No block yet: the head is the genesis state."""
        return self._head.block_id == self.genesis_hash

    def commit_block(self, block: Block, result: BlockResult, commit: Commit) -> ChainHead:
        """Write a decided block and everything that follows from it; returns the new head."""
        height = block.header.height
        assert height == self._head.height + 1, "blocks are committed in order"
        assert result.state_root == block.header.state_root, "executed to another root than the header's"
        block_id = block_id_of(block.header, self.genesis_hash)
        assert commit.block_id == block_id, "the certificate is for another block"
        block_rows = {schema.block_key(height): encode(block), schema.commit_key(height): encode(commit)}
        return self._advance(result, block_id, block_rows)

    def _advance(self, result: BlockResult, block_id: bytes, block_rows: dict[bytes, bytes]) -> ChainHead:
        """Write one batch with the new head, then update the tree and the head in memory."""
        puts, deletes = self._batch(result, block_id)
        history_puts, history_deletes = self._history.entries(result, self.tree)
        puts |= history_puts
        deletes += history_deletes
        puts.update(block_rows)
        height = result.height
        if result.validators != self._head.validators:
            puts[schema.validators_key(height + 1)] = encode(result.validators.entries)
        puts[schema.META_HEAD] = encode(StoredHead(height, block_id, result.time_ms, result.state_root))
        self.kv.write(puts, deletes)
        self.tree.apply(result.tree)
        self._head = ChainHead(
            height, block_id, result.time_ms, result.state_root, result.validators, result.params, self._head.validators
        )
        return self._head

    def _batch(self, result: BlockResult, block_id: bytes) -> tuple[dict[bytes, bytes], list[bytes]]:
        """(puts, deletes) of everything that follows from the block."""
        puts: dict[bytes, bytes] = {schema.block_id_key(block_id): schema.u64(result.height)}
        deletes: list[bytes] = []
        for key, value in result.changes.items():
            family, new = result.overlay.changes[key]
            stored = schema.state_key(key)
            if family.indexes:
                added, gone = index_changes(family, key, result.overlay.before[key], new)
                puts.update(dict.fromkeys(added, b""))
                deletes.extend(gone)
            if value is None:
                deletes.append(stored)
            else:
                puts[stored] = value
        for number, bucket in result.tree.buckets.items():
            if bucket:
                puts[schema.bucket_key(number)] = bucket
            else:
                deletes.append(schema.bucket_key(number))
        for record in result.records:
            puts[schema.record_key(record.vin, record.sequence)] = record.body
        puts.update(self._receipt_entries(result))
        for index, tx in enumerate(result.transactions):
            place, expires_at_ms = schema.place(result.height, index), tx.payload.expires_at_ms
            puts[schema.tx_key(tx.txid)] = place
            puts[schema.window_start(hour_of(expires_at_ms)) + place] = tx.txid + schema.u64(expires_at_ms)
        deletes += self._window_to_sweep(result)
        return puts, deletes

    def _receipt_entries(self, result: BlockResult) -> dict[bytes, bytes]:
        entries = schema.subject_entries(result.height, result.receipts, result.transactions)
        entries[schema.receipts_key(result.height)] = encode_receipts(result.receipts)
        return entries

    def _window_to_sweep(self, result: BlockResult) -> list[bytes]:
        """Keys of the window's passed hours, and the places of those transactions whose blocks are pruned."""
        passed, oldest = self._sweep.passed(result.time_ms, len(result.transactions)), self.first_height()
        pruned = [schema.tx_key(value[:32]) for key, value in passed if schema.place_in(key).height < oldest]
        return [key for key, _ in passed] + pruned

    def prune(self, first: int, count: int, txs_max: int = limits.BLOCK_TXS_MAX) -> int:
        """Delete at most `count` blocks below `first`, oldest first; returns their number. State and records stay.

        `txs_max`: it ends before a block, other than the oldest, with which there would be more transactions.
        """
        base = self.first_height()
        end = min(first, base + count, self._head.height)
        if end <= base:
            return 0
        deletes, end = rows_of_blocks(self, range(base, end), hour_of(self._head.time_ms), txs_max)
        self.kv.write({schema.META_BASE: schema.u64(end)}, deletes)
        return end - base

    def proof(self, key: bytes, height: int | None = None) -> StateProof:
        """Proof that the key is present or absent under the state root of the head, or of one of the `kept_heights`."""
        tree, number = self.tree, bucket_of(slot_of(key), self.tree.depth)
        if height is None or height == self._head.height:
            return prove(key, self.state.bucket(number), tree.siblings(number))
        past = StateAt(self.kv, height)
        siblings = siblings_from(number, tree.depth, lambda index: past.node(index, tree))
        return prove(key, StateView(past).bucket(number), siblings)
