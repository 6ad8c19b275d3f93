"""Bringing a store of an older schema version up to date when it opens.

Indexes follow from the state, so they are built anew, whatever form they had.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from node.errors import Corrupted
from node.storage import schema
from node.storage.kv import KeyValue
from node.txtypes.registry import family_of

PORTION = 10_000
"""Entries written at once."""


def upgrade(kv: KeyValue) -> None:
    """Build what the present schema version has and the store has not. The version is written last: a store that stops
    half-way begins again. Raises `Corrupted`."""
    stored = schema.read_version(kv.get(schema.META_SCHEMA))
    if stored == schema.SCHEMA_VERSION:
        return
    if stored < 1:
        raise Corrupted("the store does not say its schema version: 'bmw-node reindex' makes it anew")
    while stale := [key for key, _ in islice(kv.scan(b"X", b"Y"), PORTION)]:
        kv.write({}, stale)
    entries = _index_keys(kv)
    while portion := list(islice(entries, PORTION)):
        kv.write(dict.fromkeys(portion, b""), [])
    kv.write({schema.META_SCHEMA: schema.SCHEMA_VERSION.to_bytes(4, "big")}, [])


def _index_keys(kv: KeyValue) -> Iterator[bytes]:
    for key, raw in kv.scan(b"S", b"T"):
        family = family_of(key[1:])
        if family is not None and family.indexes:
            yield from family.index_keys(key[len(family.name) + 2 :].decode("ascii"), family.decode(raw))
