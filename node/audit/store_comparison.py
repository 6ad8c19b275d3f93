"""Comparison of every key family of an audited store with the recomputed one, up to the first key that differs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice

from node.audit.divergence import Diverged
from node.audit.sources import StoreSource
from node.execution.block_run import BlockResult
from node.ledger.receipts import encode_receipts
from node.storage import schema
from node.storage.chain_store import ChainReader
from node.storage.kv import KeyValue
from node.storage.schema import FAMILY_NAMES, key_text
from node.txtypes.chain.replay_window import hour_of
from node.txtypes.envelope import decode_signed_tx

PORTION = 1_000
"""Entries compared at once."""
COMPARED = (b"I", b"K", b"R", b"S", b"T", b"V", b"W", b"X")
META = (schema.META_SCHEMA, schema.META_GENESIS, schema.META_HEAD)


class ReceiptsComparison:
    """Comparison of an audited store's receipts and subject entries with the recomputed ones, block by block, so that
    a replay need not store its own.

    Subject entries are not in order of height. They are compared by number and by the sum of Python's hashes of them,
    which are keyed (SipHash) with a key that each process draws: nobody can prepare wrong entries with the right sum,
    unless the auditor fixes the key with PYTHONHASHSEED.
    """

    def __init__(self, source: StoreSource) -> None:
        self._source = source
        self._audited = source.kv
        with source.named_errors():
            self._first = ChainReader(source.kv).receipts_from()
        self._sum = 0
        self._rows = 0
        self._entries = 0
        self._bad_row: tuple[bytes, bytes | None, bytes] | None = None
        """Key, stored and expected value of the first row that differs: raised at the end, because a fault of the chain
        itself is more important."""

    def add(self, result: BlockResult) -> None:
        """Compare a block's row, and take its subject entries into the sum."""
        if result.height < self._first:
            return
        key, expected = schema.receipts_key(result.height), encode_receipts(result.receipts)
        with self._source.named_errors():
            stored = self._audited.get(key)
        if stored != expected and self._bad_row is None:
            self._bad_row = key, stored, expected
        keys = schema.subject_keys(result.height, result.receipts, result.transactions)
        self._sum += sum(map(hash, keys))
        self._rows += 1
        self._entries += len(keys)

    def finish(self, height: int) -> dict[str, int]:
        """Keys compared by family. Raises `Diverged`."""
        with self._source.named_errors():
            self._check(height)
        return {FAMILY_NAMES[b"Q"]: self._rows, FAMILY_NAMES[b"Y"]: self._entries}

    def _check(self, height: int) -> None:
        if self._bad_row is not None:
            raise _difference(*self._bad_row, height)
        _check_heights(self._audited, b"Q", self._first, height)
        lowest, total, count, is_empty = schema.u64(self._first), 0, 0, True
        for key, value in self._audited.scan(b"Y", b"Z"):
            if key[-12:-4] >= lowest:
                total, count, is_empty = total + hash(key), count + 1, is_empty and not value
        if (total, count, is_empty) != (self._sum, self._entries, True):
            raise self._differing_entry(height)

    def _differing_entry(self, height: int) -> Diverged:
        """By the rows, which are those of the chain."""
        reader = ChainReader(self._audited)

        @lru_cache(1_000)
        def expected(of_height: int) -> frozenset[bytes]:
            receipts, block = reader.receipts(of_height), reader.block(of_height)
            if receipts is None or block is None:
                return frozenset()
            transactions = (decode_signed_tx(raw, self._source.genesis_hash) for raw in block.transactions)
            return frozenset(schema.subject_keys(of_height, receipts, transactions))

        for of_height in range(self._first, height + 1):
            for key in sorted(expected(of_height)):
                if (stored := self._audited.get(key)) != b"":
                    return _difference(key, stored, b"", height)
        surplus = (key for key, _ in self._audited.scan(b"Y", b"Z") if key not in expected(schema.place_in(key).height))
        return _differs(next(surplus), height, "is in the store and does not follow from the chain")


def compare_families(source: StoreSource, computed: KeyValue, first: int, height: int) -> tuple[dict[str, int], int]:
    """(keys compared by family, keys that can't be checked), where the chain's blocks are `first` to `height`.

    Raises `Diverged` at the first difference.
    """
    with source.named_errors():
        return _compare_families(source.kv, computed, first, height)


def _compare_families(audited: KeyValue, computed: KeyValue, first: int, height: int) -> tuple[dict[str, int], int]:
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
    return _compare_entries(audited.scan(start, stop), computed.scan(start, stop), height)


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


def _difference(key: bytes, stored: bytes | None, expected: bytes, height: int) -> Diverged:
    return _first_difference([] if stored is None else [(key, stored)], [(key, expected)], height)


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
