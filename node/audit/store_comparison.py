"""Comparison of every key family of an audited store with the recomputed one, up to the first key that differs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice

from node.audit.divergence import Diverged
from node.storage import schema
from node.storage.chain_store import ChainReader
from node.storage.kv import KeyValue
from node.storage.schema import FAMILY_NAMES, key_text
from node.txtypes.chain.replay_window import hour_of

PORTION = 1_000
"""Entries compared at once."""
COMPARED = (b"I", b"K", b"R", b"S", b"T", b"V", b"W", b"X")
META = (schema.META_SCHEMA, schema.META_GENESIS, schema.META_HEAD)


def compare_families(audited: KeyValue, computed: KeyValue, first: int, height: int) -> tuple[dict[str, int], int]:
    """(keys compared by family, keys that can't be checked), where the chain's blocks are `first` to `height`.

    Raises `Diverged` at the first difference.
    """
    compared: Counter[str] = Counter()
    window_start = schema.window_key(hour_of(ChainReader(computed).head().time_ms), b"")
    for family in COMPARED:
        # past hours of the replay window may or may not be deleted yet
        start = window_start if window_start.startswith(family) else family
        compared[FAMILY_NAMES[family]] = _compare(audited, computed, family, start, height)
    receipts_from = max(ChainReader(audited).receipts_from(), ChainReader(computed).receipts_from())
    compared[FAMILY_NAMES[b"Q"]] = _compare(audited, computed, b"Q", schema.receipts_key(receipts_from), height)
    compared[FAMILY_NAMES[b"Y"]] = _compare_subjects(audited, computed, receipts_from, height)
    for family in (b"B", b"C"):
        compared[FAMILY_NAMES[family]] = _check_heights(audited, family, first, height)
    for key in META:
        if audited.get(key) != computed.get(key):
            raise _differs(key, height, "differs from the recomputed one")
    return dict(compared), _count_others(audited)


def _compare(audited: KeyValue, computed: KeyValue, family: bytes, start: bytes, height: int) -> int:
    stop = bytes([family[0] + 1])
    return _compare_entries(audited.scan(start, stop), computed.scan(start, stop), height)


def _compare_subjects(audited: KeyValue, computed: KeyValue, first: int, height: int) -> int:
    """Subject entries of the heights from `first` on: they are ordered by subject, not by height."""
    lowest = schema.u64(first)

    def entries(kv: KeyValue) -> Iterator[tuple[bytes, bytes]]:
        scanned = kv.scan(b"Y", b"Z")
        if ChainReader(kv).receipts_from() == first:
            return scanned
        return (entry for entry in scanned if entry[0][-12:-4] >= lowest)

    return _compare_entries(entries(audited), entries(computed), height)


def _compare_entries(theirs: Iterator[tuple[bytes, bytes]], ours: Iterator[tuple[bytes, bytes]], height: int) -> int:
    """In portions, entry by entry only where a portion differs."""
    count = 0
    while True:
        given, expected = list(islice(theirs, PORTION)), list(islice(ours, PORTION))
        if given != expected:
            raise _first_difference(given, expected, height)
        count += len(given)
        if len(given) < PORTION:
            return count


def _first_difference(theirs: list[tuple[bytes, bytes]], ours: list[tuple[bytes, bytes]], height: int) -> Diverged:
    for (key, value), (our_key, our_value) in zip(theirs, ours, strict=False):
        if key < our_key:
            return _differs(key, height, "is in the store and does not follow from the chain")
        if key > our_key:
            return _differs(our_key, height, "is missing from the store")
        if value != our_value:
            text = f"differs: the store has {_value(value)}, recomputed is {_value(our_value)}"
            return _differs(key, height, text)
    common = min(len(theirs), len(ours))
    if len(theirs) > common:
        return _differs(theirs[common][0], height, "is in the store and does not follow from the chain")
    return _differs(ours[common][0], height, "is missing from the store")


def _check_heights(audited: KeyValue, family: bytes, first: int, height: int) -> int:
    """Blocks and certificates were read by the replay; here surplus ones are found."""
    expected = first
    for key in _keys(audited, family):
        if key != family + schema.u64(expected) or expected > height:
            raise _differs(key, height, "is in the store and does not follow from the chain")
        expected += 1
    return expected - first


def _keys(kv: KeyValue, family: bytes) -> Iterator[bytes]:
    for key, _ in kv.scan(family, bytes([family[0] + 1])):
        yield key


def _count_others(audited: KeyValue) -> int:
    """Number of keys in no family that follows from the chain: those in the gaps between these families."""
    count, start = 0, b""
    for family in sorted(FAMILY_NAMES):
        count += sum(1 for _ in audited.scan(start, family))
        start = bytes([family[0] + 1])
    count += sum(1 for _ in audited.scan(start, b"\xff" * 64))
    return count - sum(1 for key in META if audited.get(key) is not None)


def _differs(key: bytes, height: int, text: str) -> Diverged:
    family = key[:1]
    name = FAMILY_NAMES.get(family, "meta entry")
    return Diverged(height, f"store_{name.replace(' ', '_')}", f"{name} {key_text(key)} {text}")


def _value(raw: bytes) -> str:
    start = raw[:48].hex()
    return f"{start}... ({len(raw)} bytes)" if len(raw) > 48 else start or "nothing"
