"""The first store of a successor chain, from the last state of its predecessor."""

from __future__ import annotations

from collections.abc import Iterator

from node.chain.genesis import Continues, Genesis, genesis_hash
from node.codec import encode
from node.errors import Malformed
from node.execution.successor import LEFT_BEHIND, changed_values
from node.storage import schema
from node.storage.chain_store import ChainReader, StoredHead
from node.storage.kv import KeyValue, prefix_end, write_portions
from node.storage.state_import import StateImport, root_of
from node.txtypes.chain.validator_set import VALIDATOR, VALIDATORS


def import_predecessor(target: KeyValue, genesis: Genesis, predecessor: KeyValue, predecessor_depth: int) -> None:
    """Fill the empty `target`. Its head is written last, and makes it a store.

    `predecessor` is not trusted: its records must chain to their vehicles' leaves, and its state values must hash to
    the root that the genesis names. Raises `Malformed` where they don't, or where the genesis does not fit them.
    """
    continues = genesis.continues
    if continues is None:
        raise Malformed("genesis.continues: names no chain, so this chain has no predecessor")
    _check_head(genesis, continues, predecessor)
    changes = changed_values(genesis, ChainReader(predecessor).state.get, validators_of(predecessor))
    before, after = StateImport(predecessor_depth), StateImport(genesis.tree_depth)
    write_portions(target, _records_and_values(predecessor, changes, before, after))
    before.check_records()
    root = root_of(before.buckets(), predecessor_depth)
    if root != continues.state_root:
        raise Malformed(f"the predecessor's state has root {root.hex()}, genesis.continues names another")
    buckets = after.buckets()
    write_portions(target, ((schema.bucket_key(number), bucket) for number, bucket in buckets.items()))
    ident, height = genesis_hash(genesis), continues.height
    puts = {
        schema.validators_key(height): encode(VALIDATORS.decode(changes[VALIDATORS.key("set")]).entries),
        schema.META_BASE: schema.u64(height + 1),
        schema.META_GENESIS: ident,
        schema.META_SCHEMA: schema.SCHEMA_VERSION.to_bytes(4, "big"),
    }
    target.write(puts, [])
    head = StoredHead(height, ident, genesis.time_ms, root_of(buckets, genesis.tree_depth))
    target.write({schema.META_HEAD: encode(head)}, [])


def _records_and_values(
    predecessor: KeyValue, changes: dict[bytes, bytes], before: StateImport, after: StateImport
) -> Iterator[tuple[bytes, bytes]]:
    """Store entries of the records and of the successor's state values. Adds the predecessor's state to `before`, the
    successor's to `after`."""
    for key, value in predecessor.scan(b"R", b"S"):
        before.take_record(key, value)
        after.take_record(key, value)
        yield key, value
    added = dict(changes)
    for key, value in predecessor.scan(b"S", b"T"):
        before.take_value(key[1:], value)
        if not key[1:].startswith(LEFT_BEHIND):
            yield from after.take_value(key[1:], added.pop(key[1:], value)).rows.items()
    for key, value in sorted(added.items()):
        yield from after.take_value(key, value).rows.items()


def validators_of(kv: KeyValue) -> Iterator[tuple[bytes, bytes]]:
    """(state key, value) of every present and former validator."""
    prefix = schema.state_key(VALIDATOR.key(""))
    for key, raw in kv.scan(prefix, prefix_end(prefix)):
        yield key[1:], raw


def _check_head(genesis: Genesis, continues: Continues, predecessor: KeyValue) -> None:
    """The predecessor ends where the genesis says. Raises `Malformed`."""
    head, ident = ChainReader(predecessor).stored_head(), predecessor.get(schema.META_GENESIS)
    if head is None or ident != continues.genesis_hash:
        chain = "no chain" if ident is None else f"the chain {ident.hex()}"
        raise Malformed(f"the store has {chain}, genesis.continues names {continues.genesis_hash.hex()}")
    if (head.height, head.block_id) != (continues.height, continues.block_id):
        raise Malformed(
            f"the store ends at height {head.height}, block {head.block_id.hex()}; genesis.continues names height "
            f"{continues.height}, block {continues.block_id.hex()}"
        )
    if genesis.time_ms <= head.time_ms:
        raise Malformed("genesis.time_ms: is not above the time of the block that is continued")
