"""Blocks, certificates and what leads to them: ids, places of transactions, validator sets, the head."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from node.chain.block import (
    EMPTY_COMMIT,
    Block,
    Commit,
    Header,
    block_id_of,
    commit_hash,
    decode_block,
    decode_commit,
    evidence_root,
    verify_commit,
)
from node.chain.genesis import Genesis, genesis_hash, genesis_set, start_height
from node.chain.validators import ValidatorSet
from node.codec import encode
from node.crypto import merkle
from node.errors import Corrupted, InvalidCertificate, Rejected
from node.execution.genesis_state import genesis_entries, genesis_head
from node.storage import schema
from node.storage.chain_store import StoredHead
from node.storage.verify_report import Reads, StoreDamage, damage_at
from node.txtypes.chain.validator_set import ValidatorEntry
from node.txtypes.envelope import Signed, txid_of


class _Parent(NamedTuple):
    """What a block is held against."""

    ident: bytes
    time_ms: int
    certificate: bytes
    """As it is stored; empty where there is none."""
    validators: ValidatorSet | None
    """The set that signed it; None where that is not known for sure."""


class BlockCheck:
    """From the first block to the head. Each certificate proves its header, and that the next set; the first set is the
    one of genesis, or where the store begins later the one that it has for its first block."""

    def __init__(self, reads: Reads, genesis: Genesis) -> None:
        self._reads = reads
        self._kv = reads.kv
        self._genesis_hash = genesis_hash(genesis)
        validators, self._start = genesis_set(genesis), start_height(genesis)
        self.head = StoredHead(self._start, self._genesis_hash, genesis.time_ms, self._start_root(genesis))
        """As the blocks say."""
        self._validators: ValidatorSet | None = validators
        self._parent: _Parent | None = _Parent(self._genesis_hash, genesis.time_ms, b"", validators)
        self._sets = {max(self._start, 1)}
        self._first, self._last = self._start + 1, self._start
        self._is_whole = True
        self._transactions = 0

    @property
    def state_head(self) -> StoredHead:
        """What the state is held against: the newest head there is, be it only claimed where blocks are damaged."""
        claimed = self._claimed()
        return claimed if claimed is not None and claimed.height > self.head.height else self.head

    def beginning(self) -> Iterator[StoreDamage]:
        """The genesis set as it is stored. Goes before `blocks`."""
        assert self._validators is not None, "genesis has a set"
        first = max(self._start, 1)
        stored, is_cut = self._reads.get(schema.validators_key(first)), self._base() > self._start + 1
        if stored != encode(self._validators.entries) and not (is_cut and stored is None):
            yield damage_at(schema.validators_key(first), first, "is not the set of the genesis file")

    def blocks(self) -> Iterator[StoreDamage]:
        """One walk over all of them. What can't be read is named, and the walk goes on behind it."""
        claimed = self._claimed()
        expected = self._first = self._base()
        self._last = expected - 1
        if expected > self._start + 1:
            self._lose_track(expected)
        for key, raw in self._reads.family(b"B", claimed.height if claimed else 0):
            height = schema.height_in(key)
            if height < self._first:
                yield damage_at(schema.META_BASE, height, f"says that the blocks begin at {self._first}")
                expected = self._first = height
            if height != expected:
                gap = "is missing" if height == expected + 1 else f"and all up to {height - 1} are missing"
                yield damage_at(schema.block_key(expected), expected, gap, is_derived=False)
                self._is_whole = False
                self._lose_track(height)
            try:
                yield from self._block(key, height, raw)
            except Corrupted as error:
                yield self._reads.unreadable(error, height)
                self._is_whole = False
                self._lose_track(height + 1)
            self._last, expected = height, height + 1

    def _base(self) -> int:
        """Where the blocks begin, as the store says: above the first where it was pruned or made from a snapshot."""
        first = self._start + 1
        try:
            raw = self._kv.get(schema.META_BASE)
        except Corrupted:
            return first
        return first if raw is None else max(int.from_bytes(raw, "big"), first)

    def _start_root(self, genesis: Genesis) -> bytes:
        """A successor's first root follows from its predecessor's state, which is not here: what the store says."""
        if genesis.continues is None:
            return genesis_head(genesis, genesis_entries(genesis)).state_root
        claimed = self._claimed()
        return claimed.state_root if claimed is not None and claimed.height == self._start else b""

    # --- one block ----------------------------------------------------------------------------------------
    def _block(self, key: bytes, height: int, raw: bytes) -> Iterator[StoreDamage]:
        try:
            block = decode_block(raw)
        except Rejected as error:
            yield damage_at(key, height, f"does not decode: {error}", is_derived=False)
            self._is_whole = False
            self._lose_track(height + 1)
            return
        header = block.header
        ident = block_id_of(header, self._genesis_hash)
        for text in self._objections(height, block):
            yield damage_at(key, height, text, is_derived=False)
        certificate = self._reads.get(schema.commit_key(height))
        for fault_key, text in self._certificate_faults(certificate, height, ident):
            yield damage_at(fault_key, height, text, is_derived=False)
        ident_key = schema.block_id_key(ident)
        if self._reads.get(ident_key) != schema.u64(height):
            yield damage_at(ident_key, height, f"does not lead to block {height}")
        yield from self._places(height, block)
        self.head = StoredHead(height, ident, header.time_ms, header.state_root)
        self._parent = _Parent(ident, header.time_ms, certificate or b"", self._validators)
        yield from self._follow_validators(height, header)

    def _objections(self, height: int, block: Block) -> Iterator[str]:
        header, parent = block.header, self._parent
        if header.height != height:
            yield f"stands in the place of block {height} and says it is {header.height}"
        if parent is not None:
            if header.parent_id != parent.ident:
                yield f"names {header.parent_id.hex()} as its parent, which is {parent.ident.hex()}"
            if header.time_ms <= parent.time_ms:
                yield "is not later than its parent"
        if merkle.root(block.transactions) != header.tx_root:
            yield "holds other transactions than its header says (tx_root)"
        if evidence_root(block.evidence) != header.evidence_root:
            yield "holds other evidence than its header says (evidence_root)"
        if commit_hash(block.last_commit) != header.last_commit_hash:
            yield "holds another last commit than its header says (last_commit_hash)"
        if self._validators is not None and header.validators_hash != self._validators.hash:
            yield "was not made by the validator set of its height (validators_hash)"
        fault = self._last_commit_fault(block)
        if fault:
            yield f"holds a last commit that does not prove its parent: {fault}"

    def _last_commit_fault(self, block: Block) -> str:
        commit, parent = block.last_commit, self._parent
        if block.header.height == self._start + 1:
            return "" if commit == EMPTY_COMMIT else "the first block has none"
        if (commit.height, commit.block_id) != (block.header.height - 1, block.header.parent_id):
            return "it is for another block"
        if parent is None or parent.validators is None or encode(commit) == parent.certificate:
            return ""  # the parent's own certificate was judged with the parent
        return self._signature_fault(commit, parent.validators)

    def _certificate_faults(self, raw: bytes | None, height: int, ident: bytes) -> Iterator[tuple[bytes, str]]:
        key = schema.commit_key(height)
        if raw is None:
            yield key, "is missing"
            return
        try:
            commit = decode_commit(raw)
        except Rejected as error:
            yield key, f"does not decode: {error}"
            return
        fault = self._signature_fault(commit, self._validators) if self._validators is not None else ""
        if fault or commit.height != height:
            yield key, fault or f"is of height {commit.height}"
        elif commit.block_id != ident:
            yield schema.block_key(height), f"is not the block that was decided, {commit.block_id.hex()}"

    def _signature_fault(self, commit: Commit, validators: ValidatorSet) -> str:
        try:
            verify_commit(commit, self._genesis_hash, validators)
        except InvalidCertificate as error:
            return f"does not verify: {error}"
        return ""

    def _places(self, height: int, block: Block) -> Iterator[StoreDamage]:
        for index, raw in enumerate(block.transactions):
            try:
                txid = _txid(raw, self._genesis_hash)
            except Corrupted as error:
                yield damage_at(schema.block_key(height), height, f"transaction {index}: {error}", is_derived=False)
                continue
            self._transactions += 1
            key = schema.tx_key(txid)
            if self._reads.get(key) != _place(height, index):
                yield damage_at(key, height, f"does not lead to transaction {index} of block {height}")

    # --- validator sets -----------------------------------------------------------------------------------
    def _follow_validators(self, height: int, header: Header) -> Iterator[StoreDamage]:
        """The set of the next height: what the header names, by the entry that must be there where it changes."""
        wanted = header.next_validators_hash
        if wanted != header.validators_hash:
            self._sets.add(height + 1)
        if self._validators is not None and self._validators.hash == wanted:
            return
        stored = self._in_force(height + 1)
        if stored is not None and stored.hash == wanted:
            self._validators = stored
            return
        if self._validators is not None:
            yield damage_at(
                schema.validators_key(height + 1),
                height,
                "is missing or not the one that the block before names; certificates from there on are not verified",
            )
        self._validators = None

    def _in_force(self, height: int) -> ValidatorSet | None:
        """By the stored entries alone."""
        try:
            for _, raw in self._kv.scan(schema.validators_key(0), schema.validators_key(height + 1), reverse=True):
                return ValidatorSet(msgspec.msgpack.decode(raw, type=tuple[ValidatorEntry, ...]))
        except (msgspec.MsgspecError, Corrupted):
            pass
        return None

    def _lose_track(self, height: int) -> None:
        """The block before `height` is not known."""
        self._parent, self._validators = None, self._in_force(height)

    # --- the head, and what is left over ------------------------------------------------------------------
    def _claimed(self) -> StoredHead | None:
        try:
            raw = self._kv.get(schema.META_HEAD)
            return None if raw is None else msgspec.msgpack.decode(raw, type=StoredHead)
        except (msgspec.MsgspecError, Corrupted):
            return None

    def meta(self) -> Iterator[StoreDamage]:
        """What the store says of itself. Goes after `blocks`."""
        claimed, height = self._claimed(), self._last
        if claimed is not None and claimed.height > height:
            text = f"is missing, though the head is at {claimed.height}"
            yield damage_at(schema.block_key(height + 1), height + 1, text, is_derived=False)
            self._is_whole = False
        elif self.head.height == height and self._reads.get(schema.META_HEAD) != encode(self.head):
            yield damage_at(schema.META_HEAD, height, "does not name the last block")
        if self._reads.get(schema.META_GENESIS) != self._genesis_hash:
            yield damage_at(schema.META_GENESIS, 0, "is not the hash of the genesis file")
        if self._reads.get(schema.META_SCHEMA) != schema.SCHEMA_VERSION.to_bytes(4, "big"):
            yield damage_at(schema.META_SCHEMA, 0, f"is not {schema.SCHEMA_VERSION}")

    def left_over(self) -> Iterator[StoreDamage]:
        """Entries that lead nowhere; where blocks are missing, nobody can say. Goes after `meta`."""
        blocks = range(self._first, self._last + 1)
        for key, _ in self._reads.family(b"C"):
            if schema.height_in(key) not in blocks:
                yield damage_at(
                    key, schema.height_in(key), "stands without its block", is_derived=self._first == self._start + 1
                )
        ids = sum(1 for _ in self._reads.family(b"I"))
        sets = [key for key, _ in self._reads.family(b"V")]
        places = sum(1 for _ in self._reads.family(b"T"))
        if not self._is_whole or self._first > self._start + 1:
            return
        for key in sets:
            if schema.height_in(key) not in self._sets:
                yield damage_at(key, self.head.height, "stands where the set did not change")
        if ids != len(blocks):
            yield from self._needless_ids()
        if places != self._transactions:
            yield from self._needless_places()

    def _needless_ids(self) -> Iterator[StoreDamage]:
        for key, value in self._reads.family(b"I"):
            raw = self._reads.get(schema.block_key(int.from_bytes(value, "big")))
            if raw is None or block_id_of(decode_block(raw).header, self._genesis_hash) != key[1:]:
                yield damage_at(key, self.head.height, "leads to no block of that id")

    def _needless_places(self) -> Iterator[StoreDamage]:
        for key, value in self._reads.family(b"T"):
            raw = self._reads.get(b"B" + value[:8])
            index = int.from_bytes(value[8:], "big")
            transactions = () if raw is None else decode_block(raw).transactions
            if index >= len(transactions) or _txid(transactions[index], self._genesis_hash) != key[1:]:
                yield damage_at(key, self.head.height, "leads to no transaction of that id")


def _place(height: int, index: int) -> bytes:
    return schema.u64(height) + index.to_bytes(4, "big")


def _txid(raw: bytes, genesis: bytes) -> bytes:
    """Of signed bytes that stand under a certificate: their envelope is enough. Raises `Corrupted`."""
    try:
        return txid_of(genesis, msgspec.msgpack.decode(raw, type=Signed).payload)
    except msgspec.MsgspecError as error:
        raise Corrupted(f"does not decode: {error}") from None
