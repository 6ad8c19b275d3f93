"""Comparison of every key family of an audited store with the recomputed one, up to the first key that differs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from node.audit.divergence import Diverged
from node.execution.window import hour_of
from node.storage import schema
from node.storage.chain_store import ChainReader
from node.storage.kv import KeyValue
from node.storage.schema import FAMILY_NAMES, key_text

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
    for family in (b"B", b"C"):
        compared[FAMILY_NAMES[family]] = _check_heights(audited, family, first, height)
    for key in META:
        if audited.get(key) != computed.get(key):
            raise _differs(key, height, "differs from the recomputed one")
    return dict(compared), _count_others(audited)


def _compare(audited: KeyValue, computed: KeyValue, family: bytes, start: bytes, height: int) -> int:
    stop = bytes([family[0] + 1])
    theirs, ours = audited.scan(start, stop), computed.scan(start, stop)
    count = 0
    for entry in theirs:
        expected = next(ours, None)
        if entry == expected:
            count += 1
            continue
        if expected is None or entry[0] < expected[0]:
            raise _differs(entry[0], height, "is in the store and does not follow from the chain")
        if entry[0] > expected[0]:
            raise _differs(expected[0], height, "is missing from the store")
        raise _differs(
            entry[0], height, f"differs: the store has {_value(entry[1])}, recomputed is {_value(expected[1])}"
        )
    missing = next(ours, None)
    if missing is not None:
        raise _differs(missing[0], height, "is missing from the store")
    return count


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
