"""Comparison of every key family of an audited store with the recomputed one, up to the first key that differs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from node.audit.divergence import Diverged
from node.audit.sources import StoreSource
from node.storage import schema
from node.storage.chain_store import ChainReader
from node.storage.kv import KeyValue
from node.storage.schema import FAMILY_NAMES, key_text
from node.txtypes.chain.replay_window import hour_of

PORTION = 1_000
"""Entries compared at once."""
META = (schema.META_SCHEMA, schema.META_GENESIS, schema.META_HEAD)
META_FAMILY = b"M"
FAMILIES = (b"I", b"K", b"R", b"S", b"T", b"V", b"W", b"X", b"B", b"C", META_FAMILY)
"""In the order in which they are compared."""


Found = int | Diverged
"""Number of equal keys of a family, or the first that differs."""


def compare_families(source: StoreSource, computed: KeyValue, first: int, height: int) -> tuple[dict[str, int], int]:
    """(keys compared by family, keys that can't be checked), where the chain's blocks are `first` to `height`.

    Raises `Diverged` at the first difference.
    """
    compared: dict[str, int] = {}
    with source.named_errors():
        for family, found in each_family(source.kv, computed, FAMILIES, first, height):
            if isinstance(found, Diverged):
                raise found
            if family != META_FAMILY:
                compared[FAMILY_NAMES[family]] = found
        return compared, count_others(source.kv)


def each_family(
    audited: KeyValue, computed: KeyValue, families: Iterable[bytes], first: int, height: int
) -> Iterator[tuple[bytes, Found]]:
    """What the comparison of each of the families finds."""
    for family in families:
        try:
            yield family, _compare_family(audited, computed, family, first, height)
        except Diverged as difference:
            yield family, difference


def _compare_family(audited: KeyValue, computed: KeyValue, family: bytes, first: int, height: int) -> int:
    if family in (b"B", b"C"):
        return check_heights(audited, family, first, height)
    if family == META_FAMILY:
        for key in META:
            if audited.get(key) != computed.get(key):
                raise differs(key, height, "differs from the recomputed one")
        return len(META)
    # past hours of the replay window may or may not be deleted yet
    is_window = family == b"W"
    start = schema.window_start(hour_of(ChainReader(computed).head().time_ms)) if is_window else family
    stop = bytes([family[0] + 1])
    return compare_entries(audited.scan(start, stop), computed.scan(start, stop), height)


def compare_entries(theirs: Iterator[tuple[bytes, bytes]], ours: Iterator[tuple[bytes, bytes]], height: int) -> int:
    """In portions, entry by entry only where a portion differs."""
    count = 0
    while True:
        given, expected = list(islice(theirs, PORTION)), list(islice(ours, PORTION))
        if given != expected:
            raise _firstdifference(given, expected, height)
        count += len(given)
        if len(given) < PORTION:
            return count


def difference(key: bytes, stored: bytes | None, expected: bytes, height: int) -> Diverged:
    return _firstdifference([] if stored is None else [(key, stored)], [(key, expected)], height)


def _firstdifference(theirs: list[tuple[bytes, bytes]], ours: list[tuple[bytes, bytes]], height: int) -> Diverged:
    for (key, value), (our_key, our_value) in zip(theirs, ours, strict=False):
        if key < our_key:
            return differs(key, height, "is in the store and does not follow from the chain")
        if key > our_key:
            return differs(our_key, height, "is missing from the store")
        if value != our_value:
            text = f"differs: the store has {_value(value)}, recomputed is {_value(our_value)}"
            return differs(key, height, text)
    common = min(len(theirs), len(ours))
    if len(theirs) > common:
        return differs(theirs[common][0], height, "is in the store and does not follow from the chain")
    return differs(ours[common][0], height, "is missing from the store")


def check_heights(audited: KeyValue, family: bytes, first: int, height: int) -> int:
    """Blocks and certificates were read by the replay; here surplus ones are found."""
    expected = first
    for key in _keys(audited, family):
        if key != family + schema.u64(expected) or expected > height:
            raise differs(key, height, "is in the store and does not follow from the chain")
        expected += 1
    return expected - first


def _keys(kv: KeyValue, family: bytes) -> Iterator[bytes]:
    for key, _ in kv.scan(family, bytes([family[0] + 1])):
        yield key


def count_others(audited: KeyValue) -> int:
    """Number of keys in no family that follows from the chain: those in the gaps between these families."""
    count, start = 0, b""
    for family in sorted(FAMILY_NAMES):
        count += sum(1 for _ in audited.scan(start, family))
        start = bytes([family[0] + 1])
    count += sum(1 for _ in audited.scan(start, b"\xff" * 64))
    return count - sum(1 for key in META if audited.get(key) is not None)


def differs(key: bytes, height: int, text: str) -> Diverged:
    family = key[:1]
    name = FAMILY_NAMES.get(family, "meta entry")
    return Diverged(height, f"store_{name.replace(' ', '_')}", f"{name} {key_text(key)} {text}")


def _value(raw: bytes) -> str:
    start = raw[:48].hex()
    return f"{start}... ({len(raw)} bytes)" if len(raw) > 48 else start or "nothing"
