"""The journal: an accepted transaction is never forgotten, a fate is kept for seven days and no longer."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from support.memory_store import MemoryStore

from node.ledger.guards import Unmet
from node.limits import FATE_KEPT_MS
from node.storage.journal import Ended, Journal
from node.storage.leveldb import LevelStore

NOW = 1_767_225_600_000
DAY_MS = 24 * 3_600_000
TXIDS = [bytes([number]) * 32 for number in range(6)]
ENDED = Ended(NOW - 1, (Unmet("not_the_holder", "WBA8E9G50GNU12345", "", ""), Unmet("stop_flag", "", "lien", "none")))


def test_what_is_accepted_is_pending_until_it_is_final() -> None:
    journal = Journal(MemoryStore())
    journal.accept({TXIDS[0]: b"one", TXIDS[1]: b"two"})
    journal.accept({TXIDS[2]: b"three"})
    assert {TXIDS[0]: b"one", TXIDS[1]: b"two", TXIDS[2]: b"three"} == dict(journal.pending())
    journal.finish([TXIDS[0]], {TXIDS[1]: ENDED}, NOW)
    assert {TXIDS[2]: b"three"} == dict(journal.pending())
    assert [None, ENDED, None] == [journal.ended(txid) for txid in TXIDS[:3]]


def test_it_is_on_disk_when_accept_returns(tmp_path) -> None:
    for number, txid in enumerate(TXIDS):
        journal = Journal(LevelStore(tmp_path))
        assert number == len(dict(journal.pending()))
        journal.accept({txid: b"signed bytes %d" % number})
        journal.close()


def test_accept_and_finish_write_one_batch_and_nothing_writes_none() -> None:
    class Counting(MemoryStore):
        batches = 0

        def write(self, puts: dict[bytes, bytes], deletes: list[bytes]) -> None:
            self.batches += 1
            super().write(puts, deletes)

    kv = Counting()
    journal = Journal(kv)
    journal.accept(dict.fromkeys(TXIDS, b"raw"))
    assert kv.batches == 1
    journal.finish(TXIDS[:3], dict.fromkeys(TXIDS[3:], ENDED), NOW)
    assert kv.batches == 2
    journal.finish([], {}, NOW)
    assert kv.batches == 2


@pytest.mark.parametrize(("later_ms", "is_kept"), [(0, True), (FATE_KEPT_MS, True), (FATE_KEPT_MS + 1, False)])
def test_a_fate_is_kept_for_seven_days(later_ms: int, is_kept: bool) -> None:
    assert FATE_KEPT_MS == 7 * DAY_MS
    kv = MemoryStore()
    journal = Journal(kv)
    journal.finish([], {TXIDS[0]: ENDED}, NOW)
    journal.finish([], {}, NOW + later_ms)
    assert (journal.ended(TXIDS[0]) == ENDED) is is_kept
    assert (2 if is_kept else 0) == len(list(kv.scan(b"", b"\xff")))


class RandomFates(RuleBasedStateMachine):
    """Against plain dictionaries: nothing pending is lost, nothing old stays."""

    def __init__(self) -> None:
        super().__init__()
        self.kv = MemoryStore()
        self.journal = Journal(self.kv)
        self.now = NOW
        self.pending: dict[bytes, bytes] = {}
        self.ended: dict[bytes, tuple[int, Ended]] = {}
        self.used: set[bytes] = set()
        self.count = 0

    @rule(number=st.integers(1, 5))
    def accept(self, number: int) -> None:
        fresh = {(self.count + n).to_bytes(32, "big"): b"raw %d" % (self.count + n) for n in range(number)}
        self.count += number
        self.journal.accept(fresh)
        self.pending |= fresh

    @rule(data=st.data(), pass_ms=st.sampled_from((0, 1, DAY_MS, 8 * DAY_MS)))
    def finish(self, data: st.DataObject, pass_ms: int) -> None:
        self.now += pass_ms
        done = data.draw(st.lists(st.sampled_from(sorted(self.pending)), unique=True)) if self.pending else []
        committed, expired = done[::2], {txid: Ended(self.now, ()) for txid in done[1::2]}
        self.journal.finish(committed, expired, self.now)
        self.pending = {txid: raw for txid, raw in self.pending.items() if txid not in done}
        self.ended = {t: (until, e) for t, (until, e) in self.ended.items() if until >= self.now}
        self.ended |= {txid: (self.now + FATE_KEPT_MS, ended) for txid, ended in expired.items()}

    @invariant()
    def nothing_is_lost_and_nothing_old_stays(self) -> None:
        assert self.pending == dict(self.journal.pending())
        for number in range(self.count):
            txid = number.to_bytes(32, "big")
            assert self.journal.ended(txid) == (self.ended[txid][1] if txid in self.ended else None)
        assert len(self.pending) + 2 * len(self.ended) == len(list(self.kv.scan(b"", b"\xff")))


RandomFates.TestCase.settings = settings(max_examples=30, stateful_step_count=20)
TestRandomFates = RandomFates.TestCase
