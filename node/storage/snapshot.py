"""A snapshot: the data from which a node continues at a height without the blocks below it.

Its manifest names the header, both validator sets and the hash of every chunk. None of it is trusted until the header
is certified from a trust root and the content of the chunks hashes to that header's state root. Chunks are zstd frames
of canonical lists of (key, value), ascending over all chunks:

    R<vin>/<sequence8>            vehicle record; each vehicle's records must chain to its leaf
    S<state key>                  state value; all of them must hash to the state root
    W<hour8><height8><index4>     txid and expiry8, in block order; each hour must chain to its window leaf

Indexes follow from the state and are not in it. docs/PROTOCOL.md, Snapshots.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from hashlib import sha256
from typing import Annotated

import zstandard
from msgspec import Meta

from node import limits
from node.chain.block import Block, Commit, Header, block_id_of, check_contents, verify_commit
from node.chain.genesis import Genesis, genesis_hash, start_height
from node.chain.validators import ValidatorSet
from node.codec import Decoder, Value, encode
from node.crypto.hashing import tagged
from node.errors import Malformed
from node.ledger.fields import Hash32
from node.storage import schema
from node.storage.chain_store import ChainReader, StoredHead
from node.storage.kv import KeyValue, write_portions
from node.storage.schema import TxPlace
from node.storage.state_import import StateImport
from node.txtypes.chain.replay_window import EMPTY, WindowBucket, extended
from node.txtypes.chain.validator_set import VALIDATORS, ValidatorEntry
from node.txtypes.envelope import decode_signed_tx

VERSION = 1
CHUNK_BYTES = 1024 * 1024
"""A chunk is closed when its uncompressed entries reach this size."""
CHUNK_BYTES_MAX = 2 * CHUNK_BYTES
"""A chunk that is larger, uncompressed or compressed, is rejected."""
CHUNKS_MAX = 65_536
ZSTD_LEVEL = 3

Entries = Annotated[tuple[ValidatorEntry, ...], Meta(max_length=limits.VALIDATORS_MAX)]


class Manifest(Value, tag="snapshot", frozen=True):
    """The content of a snapshot. All nodes make the same manifest for the same height."""

    version: Annotated[int, Meta(ge=1, le=1_000)]
    genesis_hash: Hash32
    header: Header
    validators: Entries
    next_validators: Entries
    chunks: Annotated[tuple[Hash32, ...], Meta(max_length=CHUNKS_MAX)]
    entries: Annotated[int, Meta(ge=0, le=2**40)]


class Offer(Value, tag="snapshot_offer", frozen=True):
    """A manifest with the block of its height and a certificate, which may differ from node to node."""

    manifest: Manifest
    block: Block
    commit: Commit


class _Pairs(Value, frozen=True):
    pairs: tuple[tuple[bytes, bytes], ...]


decode_offer: Decoder[Offer] = Decoder(Offer, limits.FRAME_BYTES_MAX, "snapshot offer")
_decode_pairs: Decoder[_Pairs] = Decoder(_Pairs, CHUNK_BYTES_MAX, "snapshot chunk")


def manifest_id(manifest: Manifest) -> bytes:
    return tagged("bmw/snapshot", encode(manifest))


def chunk_hash(data: bytes) -> bytes:
    return sha256(data).digest()


# --- cutting ------------------------------------------------------------------------------------------
def cut_snapshot(kv: KeyValue, genesis: bytes, write_chunk: Callable[[int, bytes], None]) -> Offer:
    """Make a snapshot of `kv`, a view of one moment, at its head. `write_chunk` gets each chunk when it is complete."""
    reader = ChainReader(kv)
    head = reader.head()
    committed = reader.committed(head.height)
    assert committed is not None, "a height above 0 has its block"
    compressor = zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_content_size=True)
    hashes: list[bytes] = []
    entries, size, pairs = 0, 0, list[tuple[bytes, bytes]]()

    def close() -> None:
        data = compressor.compress(encode(_Pairs(tuple(pairs))))
        write_chunk(len(hashes), data)
        hashes.append(chunk_hash(data))
        pairs.clear()

    for key, value in _contents(kv):
        pairs.append((key, value))
        entries += 1
        size += len(key) + len(value) + 8
        if size >= CHUNK_BYTES:
            close()
            size = 0
    close()
    sets = head.last_validators.entries, head.validators.entries
    manifest = Manifest(VERSION, genesis, committed.block.header, *sets, tuple(hashes), entries)
    return Offer(manifest, committed.block, committed.commit)


def _contents(kv: KeyValue) -> Iterator[tuple[bytes, bytes]]:
    yield from kv.scan(b"R", b"T")  # records, then state
    yield from ChainReader(kv).window()


# --- restoring ----------------------------------------------------------------------------------------
def check_offer(offer: Offer, genesis: bytes) -> None:
    """The offer is consistent; its header must still be verified against a trust root. Raises `Rejected`."""
    manifest, header = offer.manifest, offer.manifest.header
    if manifest.version != VERSION:
        raise Malformed(f"the snapshot has version {manifest.version}, this software reads {VERSION}")
    if manifest.genesis_hash != genesis:
        raise Malformed("the snapshot is of another chain")
    if offer.block.header != header:
        raise Malformed("the snapshot's block is not the one of its header")
    check_contents(offer.block)
    validators, following = ValidatorSet(manifest.validators), ValidatorSet(manifest.next_validators)
    if header.validators_hash != validators.hash or header.next_validators_hash != following.hash:
        raise Malformed("the snapshot's validator sets are not those of its header")
    if (offer.commit.height, offer.commit.block_id) != (header.height, block_id_of(header, genesis)):
        raise Malformed("the snapshot's certificate is for another block")
    verify_commit(offer.commit, genesis, validators)


def entries_in(chunk: bytes) -> tuple[tuple[bytes, bytes], ...]:
    """The entries of a chunk. Raises `Rejected`."""
    return _decode_pairs(decompressed(chunk, CHUNK_BYTES_MAX)).pairs


class Restore:
    """Writes chunks, in order, into an empty store, which is unusable until `finish` has verified everything."""

    def __init__(self, kv: KeyValue, genesis: Genesis, offer: Offer, entries_max: int = 2**40) -> None:
        """`offer` has passed `check_offer`, and its header is trusted. `entries_max`: see `StateImport`."""
        self._kv = kv
        self._genesis = genesis
        self._offer = offer
        self._next = self._entries = 0
        self._last_key = b""
        self._state_import = StateImport(genesis.tree_depth, entries_max)
        self._windows: dict[int, WindowBucket] = {}
        self._heights = range(start_height(genesis) + 1, offer.manifest.header.height + 1)

    @cached_property
    def _of_head(self) -> dict[bytes, TxPlace]:
        """Places of the transactions of the header's block that have not been added. Raises `Malformed`."""
        txs = (decode_signed_tx(raw, self._offer.manifest.genesis_hash) for raw in self._offer.block.transactions)
        return {tx.txid: TxPlace(self._heights[-1], index) for index, tx in enumerate(txs)}

    def add(self, data: bytes) -> None:
        """Write the next chunk. Raises `Rejected`."""
        manifest = self._offer.manifest
        if self._next >= len(manifest.chunks) or chunk_hash(data) != manifest.chunks[self._next]:
            raise Malformed(f"chunk {self._next} is not the one that the manifest names")
        puts: dict[bytes, bytes] = {}
        for key, value in entries_in(data):
            if key <= self._last_key:
                raise Malformed(f"chunk {self._next}: its keys do not ascend")
            self._last_key = key
            self._entries += 1
            puts.update(self._rows(key, value))
        self._kv.write(puts, [])
        self._next += 1

    def _rows(self, key: bytes, value: bytes) -> dict[bytes, bytes]:
        """The store's entries for an entry of a chunk. Raises `Malformed`."""
        match key[:1]:
            case b"R":
                self._state_import.take_record(key, value)
                return {key: value}
            case b"S":
                return self._state_import.take_value(key[1:], value)
            case b"W":
                if len(key) != schema.WINDOW_KEY_BYTES or len(value) != 40:
                    raise Malformed("an entry of the replay window has the wrong size")
                hour, txid, expires_at_ms = schema.window_hour_in(key), value[:32], int.from_bytes(value[32:], "big")
                self._check_place(txid, schema.place_in(key))
                self._windows[hour] = extended(self._windows.get(hour, EMPTY), [(txid, expires_at_ms)])
                return {key: value, schema.tx_key(txid): key[9:]}
            case _:
                raise Malformed(f"chunk {self._next}: a key of a family that snapshots do not have")

    def _check_place(self, txid: bytes, place: TxPlace) -> None:
        """The chain can have the place. Only the places in the header's block are proven: of the others the window's
        leaf proves the order within an hour. Raises `Malformed`."""
        if place.height not in self._heights or place.index >= limits.BLOCK_TXS_MAX:
            raise Malformed(f"a transaction's place is outside the chain: height {place.height}, index {place.index}")
        expected = self._of_head.pop(txid, None)
        if place != expected and (expected is not None or place.height == self._heights[-1]):
            raise Malformed("a transaction's place is not that of the header's block")

    def finish(self) -> None:
        """Verify everything against the certified header, then write the head. Raises `Rejected`."""
        manifest, genesis = self._offer.manifest, genesis_hash(self._genesis)
        header, height = manifest.header, manifest.header.height
        if self._next != len(manifest.chunks) or self._entries != manifest.entries:
            raise Malformed(f"the snapshot has {self._entries} entries, its manifest says {manifest.entries}")
        self._state_import.check_records()
        if self._of_head:
            raise Malformed(f"{len(self._of_head)} transactions of the header's block have no place")
        if self._windows != self._state_import.window_leaves:
            raise Malformed("the replay window does not lead to its leaves")
        root = self._state_import.root()
        if root != header.state_root:
            raise Malformed(f"the state has root {root.hex()}, the header says {header.state_root.hex()}")
        raw = self._kv.get(schema.state_key(VALIDATORS.key("set")))
        if raw is None or VALIDATORS.decode(raw).entries != manifest.next_validators:
            raise Malformed("the snapshot's next validator set is not the state's")
        block_id = block_id_of(header, genesis)
        write_portions(self._kv, self._state_import.bucket_rows())
        puts = {
            schema.block_key(height): encode(self._offer.block),
            schema.commit_key(height): encode(self._offer.commit),
            schema.block_id_key(block_id): schema.u64(height),
            schema.validators_key(height): encode(manifest.validators),
            schema.validators_key(height + 1): encode(manifest.next_validators),
            schema.META_GENESIS: genesis,
            schema.META_SCHEMA: schema.SCHEMA_VERSION.to_bytes(4, "big"),
            schema.META_BASE: schema.u64(height),
            schema.META_RECEIPTS: schema.u64(height + 1),
            schema.META_HEAD: encode(StoredHead(height, block_id, header.time_ms, header.state_root)),
        }
        self._kv.write(puts, [])


def decompressed(data: bytes, size_max: int) -> bytes:
    """The content of a zstd frame; its declared size bounds the output and is checked first. Raises `Malformed`."""
    try:
        size = zstandard.frame_content_size(data)
        if not 0 <= size <= size_max:
            raise Malformed(f"zstd frame of {size} bytes decompressed, at most {size_max} are allowed")
        return zstandard.ZstdDecompressor(max_window_size=2**23).decompress(data, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise Malformed(f"zstd frame does not decompress: {error}") from None
