"""Beginning the store of a successor chain with the last state of its predecessor."""

from __future__ import annotations

from collections.abc import Iterator

from node.chain.genesis import Genesis, genesis_hash
from node.codec import encode
from node.errors import Malformed
from node.execution.successor import LEFT_BEHIND, changed_values
from node.storage import schema
from node.storage.chain_store import ChainReader, StoredHead
from node.storage.kv import KeyValue, prefix_end
from node.storage.state_import import StateImport, root_of
from node.txtypes.chain.validator_set import VALIDATOR, VALIDATORS

PORTION = 10_000
"""Entries written at once."""


def import_predecessor(target: KeyValue, genesis: Genesis, predecessor: KeyValue, predecessor_depth: int) -> None:
    """Fill the empty `target`; it is a store only once its head is written, which comes last.

    Nothing that `predecessor` holds is believed: its records must chain to their cars' leaves and its state values lead
    to the root that the genesis names. Raises `Malformed` where they don't, or where the genesis does not fit them.
    """
    continues = genesis.continues
    if continues is None:
        raise Malformed("genesis.continues: names no chain, so this chain begins by itself")
    _check_head(genesis, predecessor)
    changes = changed_values(genesis, ChainReader(predecessor).state.get, validators_of(predecessor))
    before, after = StateImport(predecessor_depth), StateImport(genesis.tree_depth)
    puts: dict[bytes, bytes] = {}

    def put(entries: dict[bytes, bytes]) -> None:
        puts.update(entries)
        if len(puts) >= PORTION:
            target.write(dict(puts), [])
            puts.clear()

    for key, value in predecessor.scan(b"R", b"S"):
        before.take_record(key, value)
        after.take_record(key, value)
        put({key: value})
    waiting = dict(changes)
    for key, value in predecessor.scan(b"S", b"T"):
        before.take_value(key[1:], value)
        if not key[1:].startswith(LEFT_BEHIND):
            put(_taken_over(after, key[1:], waiting.pop(key[1:], value)))
    for state_key, value in sorted(waiting.items()):
        put(_taken_over(after, state_key, value))
    before.check_records()
    root = root_of(before.buckets(), predecessor_depth)
    if root != continues.state_root:
        raise Malformed(f"the predecessor's state has root {root.hex()}, genesis.continues names another")
    buckets = after.buckets()
    for number, bucket in buckets.items():
        put({schema.bucket_key(number): bucket})
    ident, height = genesis_hash(genesis), continues.height
    entries = encode(VALIDATORS.decode(changes[VALIDATORS.key("set")]).entries)
    put({schema.validators_key(height): entries, schema.META_BASE: schema.u64(height + 1)})
    put({schema.META_GENESIS: ident, schema.META_SCHEMA: schema.SCHEMA_VERSION.to_bytes(4, "big")})
    target.write(puts, [])
    head = StoredHead(height, ident, genesis.time_ms, root_of(buckets, genesis.tree_depth))
    target.write({schema.META_HEAD: encode(head)}, [])


def validators_of(kv: KeyValue) -> Iterator[tuple[bytes, bytes]]:
    """State key and value of everybody who is or was a validator."""
    prefix = schema.state_key(VALIDATOR.key(""))
    for key, raw in kv.scan(prefix, prefix_end(prefix)):
        yield key[1:], raw


def _check_head(genesis: Genesis, predecessor: KeyValue) -> None:
    """The predecessor was left where the genesis says."""
    continues, head = genesis.continues, ChainReader(predecessor).stored_head()
    assert continues is not None, "asked of a successor"
    ident = predecessor.get(schema.META_GENESIS)
    if head is None or ident != continues.genesis_hash:
        shown = "no chain" if ident is None else f"the chain {ident.hex()}"
        raise Malformed(f"the store holds {shown}, genesis.continues names {continues.genesis_hash.hex()}")
    if (head.height, head.block_id) != (continues.height, continues.block_id):
        raise Malformed(
            f"the store ends at height {head.height}, block {head.block_id.hex()}; genesis.continues names height "
            f"{continues.height}, block {continues.block_id.hex()}"
        )
    if genesis.time_ms <= head.time_ms:
        raise Malformed("genesis.time_ms: is not above the time of the block that is continued")


def _taken_over(after: StateImport, key: bytes, value: bytes) -> dict[bytes, bytes]:
    found = after.take_value(key, value)
    return {schema.state_key(key): value} | dict.fromkeys(found.index_keys, b"")
