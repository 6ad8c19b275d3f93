"""State history: at every height that is kept, values and proofs are those that the head gave then; after a crash, a
snapshot and a change of the setting too."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from support.chain import Chain, address
from support.life import VIN, Life, maintenance, register
from support.memory_store import MemoryStore
from support.stages import fork
from support.walk import Walk

from node.audit.invariants import check_invariants
from node.crypto.state_tree import StateProof, verify_state_proof
from node.errors import OperatorError
from node.execution.head import ChainHead
from node.storage import schema
from node.storage.chain_store import ChainReader, ChainStore
from node.storage.kv import KeyValue
from node.storage.leveldb import LevelStore
from node.storage.snapshot import Restore, cut_snapshot
from node.storage.store_check import StoreCheck
from node.txtypes.vehicle.vehicle import VEHICLE

PROOFS = 12
"""Proofs taken at a height."""


class Then:
    """What the head of a store gave at one height."""

    def __init__(self, store: ChainStore, chance: Random, unknown: tuple[bytes, ...] = ()) -> None:
        self.head: ChainHead = store.head()
        self.values = {key[1:]: value for key, value in store.kv.scan(b"S", b"T")}
        sample = chance.sample(sorted(self.values), min(PROOFS, len(self.values)))
        self.proofs: dict[bytes, StateProof] = {key: store.proof(key) for key in (*sample, *unknown)}

    def check(self, store: ChainStore, keys: set[bytes]) -> None:
        """`keys`: those that any height had."""
        height, past = self.head.height, store.at(self.head.height)
        assert self.head == past.head()
        assert self.values == {key: value for key in keys if (value := past.state.get(key)) is not None}
        for key, proof in self.proofs.items():
            assert proof == store.proof(key, height)
            verify_state_proof(key, self.values.get(key), proof, self.head.state_root, store.tree.depth)


def check_all(store: ChainStore, told: dict[int, Then]) -> None:
    """Every kept height of a store is as it was told."""
    keys = set().union(*(then.values for then in told.values()))
    for height in store.kept_heights():
        told[height].check(store, keys)


def history_rows(kv: KeyValue) -> int:
    return sum(1 for start, stop in ((b"H", b"I"), (b"U", b"V")) for _ in kv.scan(start, stop))


def births(chain: Chain, count: int, first: int = 0) -> None:
    for number in range(first, first + count):
        chain.do("bmw", register(f"WBA8E9G50GNU{number:05}"))


# --- values and proofs ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("seed", range(2))
def test_every_value_and_proof_of_a_random_life_is_what_the_head_gave(seed: int, tmp_path: Path) -> None:
    walk, chance = Walk(seed, is_signed=False), Random(seed)
    chain, kv = walk.chain, LevelStore(tmp_path / "store")
    kv.write(dict(chain.store.kv.scan(b"", b"\xff")), [])
    chain.store = ChainStore(kv, chain.genesis, 40)
    told = {0: Then(chain.store, chance)}
    for block in walk.steps(400):
        if block.is_whole:
            told[block.height] = Then(chain.store, chance, (VEHICLE.key(f"WBA8E9G50GNU{block.height:05}"),))
    head = chain.store.height()
    assert head > 60 and range(head - 40, head + 1) == chain.store.kept_heights()
    assert len({len(then.values) for then in told.values()}) > 20, "keys came and went"
    check_all(chain.store, told)
    chain.store.kv.close()
    reopened = ChainStore(LevelStore(tmp_path / "store"), chain.genesis, 40)
    check_all(reopened, told)
    reopened.kv.close()


def test_a_key_that_another_begins_with_is_not_taken_for_it() -> None:
    """`window/1` and `window/10` are neighbours in the store."""
    kv = MemoryStore()
    for row, height in ((b"Swindow/1", 3), (b"Swindow/10", 1), (b"Swindow/10", 2), (b"Swindow/1", 2**40)):
        kv.write({schema.undo_key(row, height): row + b"|%d" % height}, [])
    rows = [value for _, value in kv.scan(schema.undo_key(b"Swindow/1", 0), schema.undo_end(b"Swindow/1"))]
    assert [b"Swindow/1|3", b"Swindow/1|%d" % 2**40] == rows


# --- what is kept -----------------------------------------------------------------------------------------------------
def test_without_the_setting_nothing_is_written_and_only_the_head_is_kept() -> None:
    chain = Chain()
    births(chain, 3)
    assert 0 == history_rows(chain.store.kv) and chain.store.kv.get(schema.META_HISTORY) is None
    assert range(3, 4) == chain.store.kept_heights()


def test_rows_of_heights_that_are_no_longer_kept_are_deleted() -> None:
    chain = Chain(state_history=3)
    counts = []
    for number in range(12):
        births(chain, 1, number)
        counts.append(history_rows(chain.store.kv))
        assert range(max(0, number - 2), number + 2) == chain.store.kept_heights()
    heights = [schema.height_in(key) for key, _ in chain.store.kv.scan(b"U", b"V")]
    assert [10, 11, 12] == heights
    assert max(counts[4:]) <= 1.5 * counts[3], "it does not grow"
    assert [] == list(StoreCheck(chain.store.kv, chain.genesis).damages())


def test_a_history_that_is_switched_off_goes_bit_by_bit_and_then_costs_nothing() -> None:
    chain = Chain(state_history=50)
    births(chain, 10)
    chain.store = ChainStore(chain.store.kv, chain.genesis)
    assert range(11) == chain.store.kept_heights(), "it is still right: no block has been made without it"
    left = [history_rows(chain.store.kv)]
    for number in range(10, 13):
        births(chain, 1, number)
        left.append(history_rows(chain.store.kv))
        assert range(number + 1, number + 2) == chain.store.kept_heights()
    assert left == sorted(left, reverse=True) and left[0] > left[1] > left[2] > left[3] == 0


def test_after_a_gap_the_history_begins_anew() -> None:
    """The rows of before the gap are still there, and answer nothing."""
    chain, chance, told = Chain(state_history=50), Random(0), {}
    births(chain, 10)
    chain.store = ChainStore(chain.store.kv, chain.genesis)
    births(chain, 1, 10)
    chain.store = ChainStore(chain.store.kv, chain.genesis, 50)
    told[11] = Then(chain.store, chance)
    assert range(11, 12) == chain.store.kept_heights()
    for number in range(11, 15):
        births(chain, 1, number)
        told[number + 1] = Then(chain.store, chance)
    assert range(11, 16) == chain.store.kept_heights()
    check_all(chain.store, told)
    assert [12, 13, 14, 15] == [schema.height_in(key) for key, _ in chain.store.kv.scan(b"U", b"V")]


def test_a_history_that_is_made_shorter_is_shorter_with_the_next_block() -> None:
    chain = Chain(state_history=50)
    births(chain, 10)
    chain.store = ChainStore(chain.store.kv, chain.genesis, 2)
    births(chain, 1, 10)
    assert range(9, 12) == chain.store.kept_heights()
    births(chain, 3, 11)
    assert [13, 14] == [schema.height_in(key) for key, _ in chain.store.kv.scan(b"U", b"V")]


def test_after_a_snapshot_the_history_begins_with_its_height() -> None:
    source = Life(Chain()).to("handed_over").chain
    chunks: list[bytes] = []
    offer = cut_snapshot(source.store.kv, source.genesis_hash, lambda _, chunk: chunks.append(chunk))
    kv = MemoryStore()
    restore = Restore(kv, source.genesis, offer)
    for chunk in chunks:
        restore.add(chunk)
    restore.finish()
    chain, chance = Chain(source.genesis, kv, state_history=50), Random(0)
    chain.now, base = source.now, source.store.height()
    told = {base: Then(chain.store, chance)}
    assert range(base, base + 1) == chain.store.kept_heights()
    for number in range(3):
        chain.do("workshop-berlin", maintenance(chain, 5_000 + number))
        told[chain.store.height()] = Then(chain.store, chance)
    assert range(base, base + 4) == chain.store.kept_heights()
    check_all(chain.store, told)
    check_invariants(chain.store)


def test_a_copy_has_the_history() -> None:
    life = Life(Chain(state_history=50)).to("listed")
    past = ChainReader(fork(life.chain).store.kv).at(1)
    holder = VEHICLE.decode(past.state.get(VEHICLE.key(VIN)) or b"").holder
    assert address("bmw") == holder != life.chain.state(VEHICLE, VIN).holder


# --- crashes ----------------------------------------------------------------------------------------------------------
class Recording(MemoryStore):
    """Keeps its batches, and can lose power before one."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[tuple[dict[bytes, bytes], list[bytes]]] = []
        self.has_power = True

    def write(self, puts: dict[bytes, bytes], deletes: list[bytes]) -> None:
        if not self.has_power:
            raise OperatorError("the disk is full")
        self.batches.append((puts, deletes))
        super().write(puts, deletes)


def test_every_prefix_of_batches_has_its_history() -> None:
    kv, chance = Recording(), Random(0)
    chain = Chain(kv=kv, state_history=4)
    told = {0: Then(chain.store, chance)}
    for number in range(9):
        births(chain, 1, number)
        told[number + 1] = Then(chain.store, chance)
    assert 10 == len(kv.batches), "a block is one batch"
    left = MemoryStore()
    for height, batch in enumerate(kv.batches):
        left.write(*batch)
        store = ChainStore(MemoryStore(dict(left.scan(b"", b"\xff"))), chain.genesis, 4)
        assert range(max(0, height - 4), height + 1) == store.kept_heights()
        check_all(store, told)


def test_a_block_that_cannot_be_written_leaves_the_history_as_it_was() -> None:
    kv = Recording()
    chain, chance = Chain(kv=kv, state_history=2), Random(0)
    births(chain, 4)
    told = {height: Then(chain.store, chance) for height in (4,)}
    block = chain.build(chain.sign("bmw", register()))
    result, rows = chain.judge(block), history_rows(kv)
    kv.has_power = False
    with pytest.raises(OperatorError):
        chain.store.commit_block(block, result, chain.commit_for(block))
    assert (rows, range(2, 5)) == (history_rows(kv), chain.store.kept_heights())
    kv.has_power = True
    chain.store.commit_block(block, result, chain.commit_for(block))
    told[5] = Then(chain.store, chance)
    assert [4, 5] == [schema.height_in(key) for key, _ in kv.scan(b"U", b"V")]
    keys = set(told[4].values) | set(told[5].values)
    told[4].check(chain.store, keys)


WRITER = """
import sys
from pathlib import Path
from support.chain import Chain
from support.life import register
from node.storage.leveldb import LevelStore

chain = Chain(kv=LevelStore(Path(sys.argv[1])), state_history=5)
while True:
    chain.do("bmw", register(f"WBA8E9G50GNU{chain.store.height():05}"))
    print(chain.store.height(), flush=True)
"""


def test_after_kill_9_every_kept_height_proves_its_values(tmp_path: Path) -> None:
    """The oracle is the header of each height: a wrong value or sibling does not lead to its root."""
    folder, expected = tmp_path / "store", 0
    command, environment = [sys.executable, "-c", WRITER, folder], {**os.environ, "PYTHONPATH": ":".join(sys.path)}
    for stop in (7, 12, 20):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as writer:
            assert writer.stdout is not None
            while expected < stop:
                expected = int(writer.stdout.readline())
            writer.kill()
        kv = LevelStore(folder)
        store = ChainStore(kv, Chain().genesis, 5)
        head = store.height()
        assert head >= expected and range(head - 5, head + 1) == store.kept_heights()
        for height in store.kept_heights():
            block, past = store.block(height), store.at(height)
            assert block is not None and past.head().state_root == block.header.state_root
            for number in (0, height - 1, height, height + 1, head):
                key = VEHICLE.key(f"WBA8E9G50GNU{number:05}")
                value = past.state.get(key)
                assert (number < height) == (value is not None)
                proof = store.proof(key, height)
                verify_state_proof(key, value, proof, block.header.state_root, store.tree.depth)
        kv.close()
