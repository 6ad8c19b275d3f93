"""Check of the blocks and certificates, and of the ids, places, validator sets and head that follow from them."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from node.chain.block import (
    EMPTY_COMMIT,
    Block,
    Commit,
    block_id_of,
    check_contents,
    decode_block,
    decode_commit,
    verify_commit,
)
from node.chain.genesis import Genesis, genesis_hash, genesis_set, start_height
from node.chain.validators import ValidatorSet
from node.codec import encode
from node.errors import Corrupted, InvalidCertificate, Malformed, Rejected
from node.execution.genesis_state import genesis_entries, genesis_head
from node.ledger.signed import Signed, txid_of
from node.storage import schema
from node.storage.chain_store import ChainReader, StoredHead
from node.storage.kv import unless_damaged
from node.storage.verify_report import Reads, StoreDamage, damage_at


class BlockCheck:
    """Checks from the first block to the head. Each certificate proves its header, which proves the next validator set.
    The first set is that of genesis; in a pruned store it is the stored one of the first block."""

    def __init__(self, reads: Reads, genesis: Genesis) -> None:
        self._reads = reads
        self._reader = ChainReader(reads.kv)
        self._genesis_hash = genesis_hash(genesis)
        self._start = start_height(genesis)
        self._claimed = unless_damaged(self._reader.stored_head, None)
        self._base = max(unless_damaged(self._reader.first_height, 0), self._start + 1)
        """The first stored height by the store's own entry: above the chain's first after a snapshot or pruning."""
        if genesis.continues is None:
            root = genesis_head(genesis, genesis_entries(genesis)).state_root
        else:  # follows from the predecessor's state, which is not here
            root = self._claimed.state_root if self._claimed and self._claimed.height == self._start else b""
        self.head = StoredHead(self._start, self._genesis_hash, genesis.time_ms, root)
        """The head by the blocks read so far."""
        self._validators: ValidatorSet | None = genesis_set(genesis)
        """The set of the next block; None where it is not proven."""
        self._parent: StoredHead | None = self.head
        self._parent_certificate = b""
        self._parent_validators: ValidatorSet | None = self._validators
        self._sets = {max(self._start, 1)}
        self._first, self._last = self._start + 1, self._start
        self._is_whole = True
        self._transactions = 0

    @property
    def state_head(self) -> StoredHead:
        """The head that the state is checked against: the newest, even if damaged blocks leave it unproven."""
        return max(self.head, self._claimed or self.head, key=lambda head: head.height)

    def genesis_validators(self) -> Iterator[StoreDamage]:
        """Compare the stored genesis set. Runs before `blocks`."""
        assert self._validators is not None, "genesis has a set"
        key = schema.validators_key(max(self._start, 1))
        stored, is_cut = self._reads.get(key), self._base > self._start + 1
        if stored != encode(self._validators.entries) and not (is_cut and stored is None):
            yield damage_at(key, schema.height_in(key), "is not the set of the genesis file")

    def blocks(self) -> Iterator[StoreDamage]:
        """Walk over all blocks. An unreadable block is reported, and the walk continues after it."""
        expected = self._first = self._base
        self._last = expected - 1
        if expected > self._start + 1:
            self._parent, self._validators = None, self._in_force(expected)
        for key, raw in self._reads.family(b"B", self._claimed.height if self._claimed else 0):
            height = schema.height_in(key)
            if height < self._first:
                yield damage_at(schema.META_BASE, height, f"is {self._first}, but there is an older block")
                expected = self._first = height
            if height != expected:
                gap = "is missing" if height == expected + 1 else f"and all up to {height - 1} are missing"
                yield damage_at(schema.block_key(expected), expected, gap, is_derived=False)
                self._lose_track(height)
            try:
                yield from self._block(key, height, decode_block(raw))
            except Rejected as error:
                yield damage_at(key, height, f"does not decode: {error}", is_derived=False)
                self._lose_track(height + 1)
            except Corrupted as error:
                yield self._reads.unreadable(error, height)
                self._lose_track(height + 1)
            self._last, expected = height, height + 1

    def _lose_track(self, height: int) -> None:
        """The block before `height` is unknown."""
        self._is_whole = False
        self._parent, self._validators = None, self._in_force(height)

    # --- one block ----------------------------------------------------------------------------------------
    def _block(self, key: bytes, height: int, block: Block) -> Iterator[StoreDamage]:
        header = block.header
        ident = block_id_of(header, self._genesis_hash)
        for text in self._faults(height, block):
            yield damage_at(key, height, text, is_derived=False)
        certificate = self._reads.get(schema.commit_key(height))
        for place, text in self._certificate_faults(certificate, height, ident):
            yield damage_at(place, height, text, is_derived=False)
        ident_key = schema.block_id_key(ident)
        if self._reads.get(ident_key) != schema.u64(height):
            yield damage_at(ident_key, height, f"does not lead to block {height}")
        yield from self._places(height, block)
        self.head = self._parent = StoredHead(height, ident, header.time_ms, header.state_root)
        self._parent_certificate, self._parent_validators = certificate or b"", self._validators
        yield from self._follow_validators(height, block)

    def _faults(self, height: int, block: Block) -> Iterator[str]:
        header, parent = block.header, self._parent
        if header.height != height:
            yield f"is in the place of block {height} and has height {header.height}"
        if parent is not None and header.parent_id != parent.block_id:
            yield f"names {header.parent_id.hex()} as its parent, which is {parent.block_id.hex()}"
        if parent is not None and header.time_ms <= parent.time_ms:
            yield "is not later than its parent"
        try:
            check_contents(block)
        except Malformed as error:
            yield f"does not match its header: {error}"
        if self._validators is not None and header.validators_hash != self._validators.hash:
            yield "was not made by the validator set of its height (validators_hash)"
        if fault := self._last_commit_fault(block):
            yield f"has a last commit that does not prove its parent: {fault}"

    def _last_commit_fault(self, block: Block) -> str:
        commit, parent = block.last_commit, self._parent
        if block.header.height == self._start + 1:
            return "" if commit == EMPTY_COMMIT else "the first block must not have one"
        if (commit.height, commit.block_id) != (block.header.height - 1, block.header.parent_id):
            return "it is for another block"
        if parent is None or encode(commit) == self._parent_certificate:  # verified with the parent
            return ""
        return self._signature_fault(commit, self._parent_validators)

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
        fault = self._signature_fault(commit, self._validators)
        if fault or commit.height != height:
            yield key, fault or f"is of height {commit.height}"
        elif commit.block_id != ident:
            yield schema.block_key(height), f"is not the block that was decided, {commit.block_id.hex()}"

    def _signature_fault(self, commit: Commit, validators: ValidatorSet | None) -> str:
        try:
            if validators is not None:
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
            if self._reads.get(key) != schema.place(height, index):
                yield damage_at(key, height, f"does not lead to transaction {index} of block {height}")

    # --- validator sets -----------------------------------------------------------------------------------
    def _follow_validators(self, height: int, block: Block) -> Iterator[StoreDamage]:
        """Find the set of the next height, which the header names; where it changes, a stored entry must have it."""
        wanted, before = block.header.next_validators_hash, self._validators
        if wanted != block.header.validators_hash:
            self._sets.add(height + 1)
        if before is not None and before.hash == wanted:
            return
        stored = self._in_force(height + 1)
        self._validators = stored if stored is not None and stored.hash == wanted else None
        if self._validators is None and before is not None:
            text = "is missing or not the one that the block before names; certificates from there on are not verified"
            yield damage_at(schema.validators_key(height + 1), height, text)

    def _in_force(self, height: int) -> ValidatorSet | None:
        """The set of `height` by the stored entries alone."""
        return unless_damaged(lambda: self._reader.validators(height), None)

    # --- the head and superfluous entries -----------------------------------------------------------------
    def meta(self) -> Iterator[StoreDamage]:
        """Check the meta entries. Runs after `blocks`."""
        claimed, height = self._claimed, self._last
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

    def superfluous(self) -> Iterator[StoreDamage]:
        """Report entries that lead nowhere; where blocks are missing, these can't be determined. Runs after `meta`."""
        blocks, is_complete = range(self._first, self._last + 1), self._first == self._start + 1
        for key, _ in self._reads.family(b"C"):
            if schema.height_in(key) not in blocks:
                yield damage_at(key, schema.height_in(key), "has no block", is_derived=is_complete)
        ids = sum(1 for _ in self._reads.family(b"I"))
        sets = [key for key, _ in self._reads.family(b"V")]
        older = range(self._start + 1, self._first)
        places = sum(schema.place_in(value).height not in older for _, value in self._reads.family(b"T"))
        if self._is_whole and places != self._transactions:
            yield from self._superfluous_places(older)
        if not self._is_whole or not is_complete:
            return
        for key in sets:
            if schema.height_in(key) not in self._sets:
                yield damage_at(key, self.head.height, "is at a height where the set did not change")
        if ids != len(blocks):
            for key, value in self._reads.family(b"I"):
                raw = self._reads.get(b"B" + value)
                if raw is None or block_id_of(decode_block(raw).header, self._genesis_hash) != key[1:]:
                    yield damage_at(key, self.head.height, "leads to no block of that id")

    def _superfluous_places(self, older: range) -> Iterator[StoreDamage]:
        """Report places that lead to no transaction. `older`: heights whose blocks are not stored any more."""
        for key, value in self._reads.family(b"T"):
            place = schema.place_in(value)
            if place.height in older:
                continue
            raw = self._reads.get(b"B" + value[:8])
            transactions = () if raw is None else decode_block(raw).transactions
            if place.index >= len(transactions) or _txid(transactions[place.index], self._genesis_hash) != key[1:]:
                yield damage_at(key, self.head.height, "leads to no transaction of that id")


def _txid(raw: bytes, genesis: bytes) -> bytes:
    """The txid of a transaction in a block; only its envelope is decoded. Raises `Corrupted`."""
    try:
        return txid_of(genesis, msgspec.msgpack.decode(raw, type=Signed).payload)
    except msgspec.MsgspecError as error:
        raise Corrupted(f"does not decode: {error}") from None
