"""The keys in which two sources of one chain differ, with both values and the transactions that wrote them.

Below the first block that differs both have the same state. It is restored from the nearest snapshot and the blocks
after it; then the first block of each side is executed over it. Where a side's own root does not come out, its software
or its disk has done something else: then its state as it has stored it is compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from node.audit.branch import Branch, Writer, executed
from node.audit.executor import decoded
from node.audit.pipeline import Pipeline
from node.audit.replay_store import ReplayStore
from node.audit.signatures import Findings, Range
from node.audit.sources import BlockSource, StoreSource
from node.audit.states import State, differing_values
from node.chain.block import Committed
from node.chain.genesis import Genesis, start_height
from node.codec import encode
from node.errors import Corrupted, Rejected
from node.ledger.body import type_of
from node.ledger.json_form import to_json
from node.storage import schema
from node.storage.chain_store import ChainReader
from node.storage.leveldb import LevelStore, WriteBackStore
from node.storage.snapshot import Offer, check_offer
from node.storage.snapshot_files import read_offer, restore_snapshot, snapshots_in
from node.txtypes.envelope import decode_signed_tx
from node.txtypes.registry import family_of

_decode_range = msgspec.msgpack.Decoder(Range).decode
Both = tuple[Any, Any]
"""What the first source has, and what the second."""


class Unverified:
    """Looks at no signature: whose blocks are equal is the question, not whether they are valid. Implements
    `RangeVerifiers`."""

    ahead = 1

    def submit(self, work: bytes) -> Future[bytes]:
        future: Future[bytes] = Future()
        future.set_result(encode([Findings()] * len(_decode_range(work).blocks)))
        return future

    def close(self) -> None:
        pass


@dataclass(frozen=True, slots=True)
class KeyDifference:
    """`values`: stored bytes, None where the key is absent. `writers`: None where no block is known."""

    key: str
    values: tuple[bytes | None, bytes | None]
    writers: tuple[Writer | None, Writer | None]

    def decoded(self) -> Both:
        """The values as JSON; hex where a value does not decode, None where it is absent."""
        return _decoded(self.key, self.values[0]), _decoded(self.key, self.values[1])

    def fields(self) -> dict[str, Both]:
        """The fields that differ; all of them where one side has none."""
        one, other = (value if isinstance(value, dict) else {"": value} for value in self.decoded())
        names = [name for name in (*one, *(n for n in other if n not in one)) if one.get(name) != other.get(name)]
        return {name: (one.get(name), other.get(name)) for name in names}

    def to_json(self) -> dict[str, Any]:
        writers = [writer and writer.to_json() for writer in self.writers]
        return {"key": self.key, "values": list(self.decoded()), "writers": writers}


@dataclass
class StateDifference:
    """What two sources have in one place and not in the other."""

    height: int
    """Of the states that are compared."""
    keys: list[KeyDifference] = field(default_factory=list)
    faults: tuple[str, str] = ("", "")
    """What is wrong on each side, with the height; empty where nothing is."""
    note: str = ""
    """Why there are no keys."""

    def to_json(self) -> dict[str, Any]:
        return {
            "height": self.height,
            "faults": [fault or None for fault in self.faults],
            "keys": [key.to_json() for key in self.keys],
            "note": self.note or None,
        }


def find_keys(
    genesis: Genesis, sources: tuple[BlockSource, BlockSource], snapshots: Sequence[Path], height: int
) -> StateDifference:
    """The sources have different blocks at `height`, the first such. Raises `OperatorError`, `Corrupted`, and
    `Diverged` where a block that both have is missing, damaged or not valid."""
    with _Finder(genesis, sources, snapshots) as finder:
        return finder.after_fork(height)


def find_stored_keys(
    genesis: Genesis, sources: tuple[BlockSource, BlockSource], snapshots: Sequence[Path]
) -> StateDifference | None:
    """The sources have the same blocks: what the state that one has stored differs in from that of the other, or from
    the recomputed one. None where it does not, or where no store ends at a height that both have. Raises as
    `find_keys`."""
    with _Finder(genesis, sources, snapshots) as finder:
        return finder.in_stores()


class _Finder:
    def __init__(self, genesis: Genesis, sources: tuple[BlockSource, BlockSource], snapshots: Sequence[Path]) -> None:
        self._genesis = genesis
        self._depth = genesis.tree_depth
        self._sources = sources
        self._start = start_height(genesis)
        self._open = ExitStack()
        found = [(height, path) for folder in snapshots for height, path in snapshots_in(folder).items()]
        self._snapshots = sorted(found, key=lambda entry: entry[0])

    def __enter__(self) -> _Finder:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    # --- what there is ------------------------------------------------------------------------------------
    def _block(self, side: int, height: int) -> Committed:
        ((_, raw),) = self._sources[side].blocks(height, height)
        return decoded(height, raw)

    def _offers(self, side: int, heights: range) -> Iterator[tuple[int, Path, Offer]]:
        """The snapshots whose header is the side's, ascending."""
        genesis = self._sources[side].genesis_hash
        for height, path in self._snapshots:
            if height not in heights or not self._sources[side].first <= height <= self._sources[side].last:
                continue
            try:
                offer = read_offer(path)
                check_offer(offer, genesis)
            except (OSError, Rejected):
                continue
            if offer.manifest.header == self._block(side, height).block.header:
                yield height, path, offer

    def _state_before(self, height: int) -> ReplayStore:
        """The state after the block before `height`, which both sources have. Raises `Diverged`."""
        for _, path, offer in reversed(list(self._offers(0, range(self._start + 1, height)))):
            try:
                store = self._restored(path, offer)
            except Rejected:
                continue
            break
        else:
            store = ReplayStore(self._new_kv(), self._genesis)
            offer = None
        self._go_on(0, store, height - 1, b"" if offer is None else encode(offer.commit))
        return store

    def _new_kv(self) -> WriteBackStore:
        folder = self._open.enter_context(TemporaryDirectory(prefix="bmw-audit-"))
        kv = WriteBackStore(LevelStore(Path(folder) / "state", is_temporary=True))
        self._open.callback(kv.close)
        return kv

    def _restored(self, path: Path, offer: Offer) -> ReplayStore:
        kv = self._new_kv()
        restore_snapshot(path, offer, kv, self._genesis)
        return ReplayStore(kv, self._genesis)

    def _go_on(self, side: int, store: ReplayStore, height: int, parent_commit: bytes) -> None:
        if height > store.height():
            Pipeline(self._sources[side], store, Unverified(), parent_commit=parent_commit).run(height)

    def _stored(self, side: int, height: int) -> tuple[int, State] | None:
        """The first state at or after `height` that the side has stored: a snapshot, or a store's own."""
        source = self._sources[side]
        for at, path, offer in self._offers(side, range(height, source.last + 1)):
            return at, State.of_snapshot(self._depth, path, offer)
        return (source.last, State.of_store(self._depth, source.kv)) if isinstance(source, StoreSource) else None

    # --- after a fork -------------------------------------------------------------------------------------
    def after_fork(self, height: int) -> StateDifference:
        store = self._state_before(height)
        one, other = (executed(store, self._block(side, height)) for side in (0, 1))
        texts = [branch.fault and f"block {height}: {branch.fault}" for branch in (one, other)]
        found = StateDifference(height, faults=(texts[0], texts[1]))
        if one.is_reproduced and other.is_reproduced:
            found.keys = list(_of_branches(store, one, other))
        else:
            self._compare_stored(found, store, (one, other))
        return found

    def _compare_stored(self, found: StateDifference, store: ReplayStore, branches: tuple[Branch, Branch]) -> None:
        """At the first height at which each side that our execution does not reproduce has stored a state."""
        states: list[State | None] = [None, None]
        for side, branch in enumerate(branches):
            if branch.is_reproduced:
                continue
            stored = self._stored(side, found.height)
            if stored is None or (found.height != store.height() + 1 and stored[0] != found.height):
                found.note = f"the {self._sources[side].name} has no stored state to compare: name its --snapshots"
                return
            found.height, states[side] = stored
        for side, branch in enumerate(branches):
            if branch.is_reproduced:
                states[side] = self._state_at(side, found.height, store)
        one, other = states
        if one is None or other is None:
            found.note = f"there is no state of both at height {found.height}: name more --snapshots"
            return
        roots = self._root_fault(0, found.height, one), self._root_fault(1, found.height, other)
        found.faults = found.faults[0] or roots[0], found.faults[1] or roots[1]
        writers = branches[0].writers, branches[1].writers
        found.keys = [
            KeyDifference(key.decode("ascii"), values, (writers[0].get(key), writers[1].get(key)))
            for key, values in differing_values(one, other).items()
        ]
        found.keys.sort(key=lambda difference: (difference.writers == (None, None), _first_index(difference)))

    def _root_fault(self, side: int, height: int, state: State) -> str:
        """Empty where the values of the state lead to the root of the side's header."""
        certified = self._block(side, height).block.header.state_root if height > self._start else state.tree.root
        if state.tree.root == certified:
            return ""
        return f"height {height}: its values lead to the state root {state.tree.root.hex()}, not to {certified.hex()}"

    def _state_at(self, side: int, height: int, store: ReplayStore) -> State | None:
        """The state of a side that our execution reproduces."""
        if height > self._sources[side].last:
            return None
        for at, path, offer in self._offers(side, range(height, height + 1)):
            assert at == height, "the only height of the range"
            return State.of_snapshot(self._depth, path, offer)
        self._go_on(side, store, height, b"")
        return State.of_store(self._depth, store.kv)

    # --- the same blocks ----------------------------------------------------------------------------------
    def in_stores(self) -> StateDifference | None:
        stores = [(side, source) for side, source in enumerate(self._sources) if isinstance(source, StoreSource)]
        height = min((source.last for _, source in stores), default=0)
        if not stores or height > min(source.last for source in self._sources):
            return None
        states: list[State | None] = [None, None]
        for side, source in stores:
            if source.last == height:
                states[side] = State.of_store(self._depth, source.kv)
        known = [state for state in states if state is not None]
        if len(known) == 1:
            computed = State.of_store(self._depth, self._state_before(height + 1).kv)
            states = [state or computed for state in states]
        one, other = states
        assert one is not None and other is not None, "both are stored, or one is computed"
        differing = differing_values(one, other)
        if not differing:
            return None
        faults = self._root_fault(0, height, one), self._root_fault(1, height, other)
        readers = [ChainReader(s.kv) if isinstance(s, StoreSource) else None for s in self._sources]
        writers = [_writers(reader, differing, height) for reader in readers]
        keys = [
            KeyDifference(key.decode("ascii"), values, (writers[0].get(key), writers[1].get(key)))
            for key, values in differing.items()
        ]
        return StateDifference(height, keys, faults)


def _of_branches(store: ReplayStore, one: Branch, other: Branch) -> Iterator[KeyDifference]:
    """In the order in which the values were written."""
    found = []
    for key in one.changes.keys() | other.changes.keys():
        before = store.state.get(key)
        values = one.changes.get(key, before), other.changes.get(key, before)
        if values[0] != values[1]:
            found.append(KeyDifference(key.decode("ascii"), values, (one.writers.get(key), other.writers.get(key))))
    yield from sorted(found, key=lambda difference: (_first_index(difference), difference.key))


def _first_index(difference: KeyDifference) -> tuple[bool, int]:
    """What the block itself has written comes after what its transactions have."""
    indexes = [writer.index for writer in difference.writers if writer is not None and writer.index >= 0]
    return not indexes, min(indexes, default=0)


def _writers(reader: ChainReader | None, keys: Iterable[bytes], height: int) -> dict[bytes, Writer]:
    """The newest writer of each key, by a store's receipts; these leave out quotas and the replay window."""
    wanted, found = {key.decode("ascii") for key in keys}, dict[bytes, Writer]()
    if reader is None:
        return found
    for at in range(height, reader.receipts_from() - 1, -1):
        receipts = reader.receipts(at) if wanted else None
        if receipts is None:
            break
        for index, receipt in reversed(list(enumerate(receipts.transactions))):
            for key in wanted & {change.key for change in receipt.changes}:
                wanted.discard(key)
                found[key.encode("ascii")] = _writer(reader, at, index)
    return found


def _writer(reader: ChainReader, height: int, index: int) -> Writer:
    block = reader.block(height)
    genesis = reader.kv.get(schema.META_GENESIS)
    assert block is not None and genesis is not None, "a block with receipts is stored"
    tx = decode_signed_tx(block.transactions[index], genesis)
    return Writer(height, index, tx.txid, type_of(tx.payload.body))


def _decoded(key: str, raw: bytes | None) -> Any:
    family = family_of(key.encode("ascii"))
    if raw is None or family is None:
        return raw and raw.hex()
    try:
        return to_json(family.decode(raw))
    except Corrupted:
        return raw.hex()
