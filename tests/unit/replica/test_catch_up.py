"""Block sync: ranges from several peers, slow and lying peers, and unproven claims."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.chain import Chain, address
from support.life import register
from support.memory_store import MemoryStore

from node import limits
from node.chain.block import Block, Commit, Committed, block_id_of
from node.chain.dev_genesis import DEV_PARTIES
from node.chain.vote import vote_sign_bytes
from node.crypto import merkle
from node.crypto.dev_keys import dev_key
from node.ledger.signed import verify_raw
from node.replica import events as e
from node.replica.block_sync import CERTIFICATE_BYTES
from node.replica.catch_up import (
    AHEAD_BLOCKS,
    DOUBLINGS_MAX,
    HEDGE_MS,
    LIAR_MS,
    NEAR_DELAY_MS,
    RANGE_BLOCKS,
    REQUEST_TIMEOUT_MS,
    REQUESTS_MAX,
    SLOW_MS,
    CatchUp,
    PeerView,
)
from node.replica.messages import Blocks, GetBlocks, Status
from node.replica.replica import Replica, ReplicaConfig
from node.storage.chain_store import ChainStore


def test_made_up_blocks_behind_a_gap_make_nobody_refuse_transactions(source: Chain) -> None:
    """One stranger withholds the next blocks, another delivers arbitrary later ones."""
    replica = Replica(ChainStore(MemoryStore(), source.genesis), None, ReplicaConfig(), bytes(16))
    now = source.now
    replica.start(now)
    for peer in (1, 2):
        replica.handle(e.PeerConnected(peer, bytes([peer]) * 32), now)
        replica.handle(e.Received(peer, Status(3 * RANGE_BLOCKS, 0, 1), now), now)
    replica.handle(e.Tick(), now)
    requests = replica.sync._requests
    later = next(peer for peer, request in requests.items() if request.first > 1)
    made_up = blocks(source, requests[later].first, requests[later].last)
    replica.handle(e.Received(later, Blocks(made_up), now), now)
    assert RANGE_BLOCKS == replica.sync.held()
    assert not replica.is_syncing()
    replica.handle(e.PeerLost(later), now)
    assert 0 == replica.sync.held(), "nobody answers for them any more"


@pytest.fixture(scope="module")
def source() -> Chain:
    chain = Chain()
    for index in range(3 * RANGE_BLOCKS):
        chain.produce(chain.sign("bmw", register(f"WBA8E9G50GNU{index:05d}")))
    return chain


def blocks(source: Chain, first: int, last: int) -> tuple[Committed, ...]:
    blocks = [source.store.committed(height) for height in range(first, last + 1)]
    assert all(blocks)
    return tuple(committed for committed in blocks if committed)


def catch_up(**heights: int) -> CatchUp:
    sync = CatchUp()
    for name, height in heights.items():
        sync.peers[int(name[1:])] = PeerView(b"", height)
    return sync


def ranges(asked) -> list[tuple[int, int, int]]:
    return [(peer, request.first, request.last) for peer, request in asked]


# --- requests --------------------------------------------------------------------------------
def test_every_peer_that_is_ahead_gets_a_range_of_its_own() -> None:
    sync = catch_up(p1=500, p2=500, p3=90, p4=3)
    n = RANGE_BLOCKS
    assert [(1, 11, 10 + n), (2, 11 + n, 10 + 2 * n)] == ranges(sync.whom_to_ask(10, 1_000))[:2]
    assert [] == ranges(sync.whom_to_ask(10, 1_000)), "what is under way is not asked again"


def test_one_height_behind_waits_for_consensus_first() -> None:
    sync = catch_up(p1=11)
    assert [] == sync.whom_to_ask(10, 1_000)
    assert [(1, 11, 11)] == ranges(sync.whom_to_ask(10, 1_000 + NEAR_DELAY_MS))


def test_a_peer_that_has_pruned_what_we_need_is_not_asked() -> None:
    sync = catch_up(p1=500, p2=500)
    sync.peers[1].oldest = 100
    assert 2 == ranges(sync.whom_to_ask(10, 1_000))[0][0]


def test_a_slow_peers_range_goes_to_another(source: Chain) -> None:
    sync = catch_up(p1=60, p2=60)
    assert 2 == len(sync.whom_to_ask(0, 1_000))
    sync.delivered(2, blocks(source, RANGE_BLOCKS + 1, 60), 0, 1_100)
    later = 1_000 + REQUEST_TIMEOUT_MS
    assert [(2, 1, RANGE_BLOCKS)] == ranges(sync.whom_to_ask(0, later))
    assert [(1, "did not deliver blocks 1 to 40 in time")] == sync.faults


def test_a_short_answer_is_completed_by_whoever_is_free(source: Chain) -> None:
    sync = catch_up(p1=30)
    sync.whom_to_ask(0, 1_000)
    sync.delivered(1, blocks(source, 1, 12), 0, 1_100)
    assert [(1, 13, 30)] == ranges(sync.whom_to_ask(0, 1_100))
    assert 12 == sync.held()


def test_what_was_not_asked_for_is_not_kept(source: Chain) -> None:
    sync = catch_up(p1=30, p2=30)
    sync.delivered(2, blocks(source, 1, 5), 0, 1_000)
    assert 0 == sync.held()
    sync.whom_to_ask(0, 1_000)
    sync.delivered(1, blocks(source, 2, 5), 0, 1_000)
    assert 0 == sync.held()
    assert sync.faults


def test_a_liars_other_blocks_go_too_and_it_is_asked_last(source: Chain) -> None:
    sync = catch_up(p1=80, p2=80)
    sync.whom_to_ask(0, 1_000)
    sync.delivered(1, blocks(source, 1, 40), 0, 1_000)
    sync.delivered(2, blocks(source, 41, 80), 0, 1_000)
    sync.lied(1, 1, 1_000)
    assert 40 == sync.held()
    assert [(2, 1, 40)] == ranges(sync.whom_to_ask(0, 1_001))
    assert sync.peers[1].slow_until_ms == 1_000 + LIAR_MS


def test_what_waits_is_bounded() -> None:
    sync = catch_up(**{f"p{i}": 10_000 for i in range(1, 40)})
    asked = ranges(sync.whom_to_ask(0, 1_000))
    assert max(last for _, _, last in asked) <= AHEAD_BLOCKS
    assert sum(last - first + 1 for _, first, last in asked) <= AHEAD_BLOCKS


def test_the_next_block_is_asked_for_however_much_waits_for_it(source: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise arrived blocks would wait forever for one that is never requested."""
    monkeypatch.setattr("node.replica.catch_up.AHEAD_BYTES", 1)
    sync = catch_up(p1=80, p2=80)
    assert [(1, 1, 40)] == ranges(sync.whom_to_ask(0, 1_000))[:1]
    sync.delivered(2, blocks(source, 41, 80), 0, 1_100)
    sync.lost(1)

    assert [(2, 1, 40)] == ranges(sync.whom_to_ask(0, 1_200))


def test_claims_that_are_not_kept_lose_their_weight(source: Chain) -> None:
    """Two strangers that claim the greatest height and deliver nothing must not keep us from the one that delivers."""
    sync = catch_up(p1=2**53, p2=2**53, p3=3 * RANGE_BLOCKS)
    now, head = 1_000, 0
    while head < 3 * RANGE_BLOCKS and now < 60_000:
        for peer, request in sync.whom_to_ask(head, now):
            if peer == 3:
                sync.delivered(3, blocks(source, request.first, request.last), head, now)
        while sync.next(head) is not None:
            sync.drop(head + 1)
            head += 1
        now = max(now + 1, sync.next_deadline_ms(head, now) or now)
    assert now < 1_000 + 2 * REQUEST_TIMEOUT_MS
    for _ in range(6):
        now += 2 * LIAR_MS
        sync.whom_to_ask(head, now)
        sync.whom_to_ask(head, now + REQUEST_TIMEOUT_MS)
    assert [1, 2] == [peer for peer, view in sync.peers.items() if view.failures > DOUBLINGS_MAX]
    assert sync.best_height(now + REQUEST_TIMEOUT_MS) == 3 * RANGE_BLOCKS
    assert sync.peers[1].slow_until_ms - now > 8 * SLOW_MS, "each time it is left alone for longer"


def test_the_next_block_is_asked_of_one_more_where_all_places_are_taken() -> None:
    """Eight silent peers must not delay it; and a deadline without anything to do would make the node spin."""
    sync = catch_up(**{f"p{number}": 10_000 for number in range(1, REQUESTS_MAX + 3)})
    now = 1_000
    assert REQUESTS_MAX == len(sync.whom_to_ask(0, now))
    asked = []
    for _ in range(50):
        later = sync.next_deadline_ms(0, now)
        assert later is not None and later > now, "every deadline brings us on"
        now = later
        asked += ranges(sync.whom_to_ask(0, now))
        if now >= 1_000 + REQUEST_TIMEOUT_MS:
            break
    assert (1, 1) == asked[0][1:] and HEDGE_MS == 1_000


def test_members_are_asked_before_strangers() -> None:
    sync = catch_up(p1=500, p2=90)
    sync.peers[2].is_member = True

    assert 2 == ranges(sync.whom_to_ask(10, 1_000))[0][0]


def test_claims_are_no_catching_up() -> None:
    sync = catch_up(p1=1_000_000)
    sync.whom_to_ask(0, 1_000)
    assert not sync.is_catching_up(0, 1_000)


# --- a follower with peers --------------------------------------------------------------------------------
class Follower:
    """A fresh replica; each peer is a function of the source's blocks."""

    def __init__(self, source: Chain, peers: dict) -> None:
        self.source = source
        self.peers = peers
        self.store = ChainStore(MemoryStore(), source.genesis)
        self.replica = Replica(self.store, None, ReplicaConfig(), bytes(16))
        self.now = source.now
        self.faults: list[tuple[int, str]] = []
        self.halted = ""
        self.queue: list[e.Event] = []
        self._act(self.replica.start(self.now))
        for peer in peers:
            self.queue += [e.PeerConnected(peer, bytes(32)), self._status(peer)]

    def _status(self, peer: int) -> e.Received:
        return e.Received(peer, Status(self.source.store.height(), 0, 1), self.now)

    def _act(self, actions) -> None:
        for action in actions:
            if isinstance(action, e.Verify):
                good = tuple(verify_raw(s.raw, self.source.genesis_hash) for s in action.transactions)
                self.queue.append(e.Verified(action.job, good))
            elif isinstance(action, e.Send) and isinstance(action.message, GetBlocks):
                answer = self.peers[action.peer](blocks(self.source, action.message.first, action.message.last))
                if answer is not None:
                    self.queue.append(e.Received(action.peer, Blocks(answer), self.now))
            elif isinstance(action, e.Misbehaved):
                self.faults.append((action.peer, action.text))
            elif isinstance(action, e.Halt):
                self.halted = action.reason

    def run(self, steps: int = 4_000) -> Follower:
        for _ in range(steps):
            if self.store.height() == self.source.store.height() or self.halted:
                break
            if self.queue:
                self._act(self.replica.handle(self.queue.pop(0), self.now))
            else:
                self.now = max(self.now, self.replica.next_deadline_ms())
                self._act(self.replica.handle(e.Tick(), self.now))
        return self


def honest(blocks):
    return blocks


def silent(_):
    return None


def nothing(_):
    return ()


def copied_signature(blocks):
    commit = blocks[0].commit
    signatures = (commit.signatures[1], *commit.signatures[1:])
    return (replace(blocks[0], commit=replace(commit, signatures=signatures)), *blocks[1:])


def too_few_signatures(blocks):
    commit = blocks[0].commit
    return (replace(blocks[0], commit=replace(commit, signatures=(b"", b"", *commit.signatures[2:]))), *blocks[1:])


def swapped_bodies(blocks):
    first, second, *rest = blocks
    block = replace(first.block, transactions=second.block.transactions)
    return (replace(first, block=block), second, *rest)


def swapped_body_ahead(blocks):
    return (blocks[0], *swapped_bodies(blocks[1:])) if len(blocks) > 2 else blocks


def forged_signature_ahead(blocks):
    """A later block whose transaction has a bad signature, under a forged header."""
    if len(blocks) < 4:
        return blocks
    raw = bytearray(blocks[3].block.transactions[0])
    raw[-1] ^= 1
    return (*blocks[:3], replace(blocks[3], block=replace(blocks[3].block, transactions=(bytes(raw),))), *blocks[4:])


def certified(source: Chain, block: Block, **changes) -> Committed:
    """A block with a certificate by all validators, all of them faulty."""
    empty = Commit(block.header.height, 0, block_id_of(block.header, source.genesis_hash), ())
    commit = replace(empty, **changes)
    message = vote_sign_bytes(source.genesis_hash, "precommit", commit.height, 0, commit.block_id)
    names = {address(party.name): party.name for party in DEV_PARTIES}
    entries = source.store.validators(block.header.height).entries
    signatures = tuple(dev_key("consensus", names[entry.address]).sign(message) for entry in entries)
    return Committed(block, replace(commit, signatures=signatures))


def certificate_of_another_height(source: Chain):
    return lambda blocks: (certified(source, blocks[0].block, height=blocks[0].commit.height + 1), *blocks[1:])


def certificate_of_another_block(source: Chain):
    return lambda blocks: (certified(source, blocks[0].block, block_id=b"\x07" * 32), *blocks[1:])


def certified_against_the_frame(source: Chain):
    def lie(blocks):
        block = blocks[0].block
        return (certified(source, replace(block, header=replace(block.header, proposer=bytes(20)))), *blocks[1:])

    return lie


@pytest.mark.parametrize(
    "liar", [certificate_of_another_height, certificate_of_another_block, certified_against_the_frame]
)
def test_what_a_quorum_has_signed_is_still_looked_at(source: Chain, liar) -> None:
    follower = Follower(source, {1: liar(source), 2: honest}).run()
    assert {1} == {peer for peer, _ in follower.faults}
    assert source.store.head() == follower.store.head()
    kept = [follower.store.committed(height) for height in (1, RANGE_BLOCKS + 1)]
    assert kept == [source.store.committed(height) for height in (1, RANGE_BLOCKS + 1)]


def test_a_decided_block_with_a_wrong_signature_halts(source: Chain) -> None:
    def lie(blocks):
        raw = bytearray(blocks[0].block.transactions[0])
        raw[-1] ^= 1
        block = replace(blocks[0].block, transactions=(bytes(raw),))
        header = replace(block.header, tx_root=merkle.root(block.transactions))
        return (certified(source, replace(block, header=header)),)

    follower = Follower(source, {1: lie}).run(200)
    assert "block 1 was decided with a transaction whose signature does not verify" == follower.halted
    assert 0 == follower.store.height()


def test_a_bad_block_ahead_of_a_block_whose_signatures_are_known(source: Chain) -> None:
    """The next block is verified already when the one after it turns out bad: both came from the same peer."""
    follower = Follower(source, {1: swapped_body_ahead, 2: honest})
    for height in range(1, 4):
        for raw in source.store.block(height).transactions:
            follower.replica._tx_gossip.note_verified(source.check(raw))
    follower.run()
    assert source.store.head() == follower.store.head()


@pytest.mark.parametrize(
    "liar",
    [copied_signature, too_few_signatures, swapped_bodies, swapped_body_ahead, forged_signature_ahead, silent, nothing],
)
def test_with_one_honest_peer_the_chain_is_caught_up(source: Chain, liar) -> None:
    follower = Follower(source, {1: liar, 2: honest, 3: liar}).run()
    assert "" == follower.halted
    assert source.store.height() == follower.store.height()
    assert source.store.head() == follower.store.head()
    assert 2 not in {peer for peer, _ in follower.faults}
    if liar not in (silent, nothing):
        assert follower.faults


def test_many_honest_peers_share_the_work(source: Chain) -> None:
    asked: list[int] = []

    def peer(number: int):
        return lambda blocks: (asked.append(number), blocks)[1]

    follower = Follower(source, {number: peer(number) for number in (1, 2, 3)}).run()
    assert source.store.head() == follower.store.head()
    assert {1, 2, 3} == set(asked)
    assert [] == follower.faults


# --- serving ---------------------------------------------------------------------------------------
def served(chain: Chain, first: int, last: int) -> list[int]:
    """Heights of the answer to one request."""
    replica = Replica(chain.store, None, ReplicaConfig(), bytes(16))
    replica.start(chain.now)
    replica.handle(e.PeerConnected(1, bytes(32)), chain.now)
    actions = replica.handle(e.Received(1, GetBlocks(first, last), chain.now), chain.now)
    (answer,) = [a.message for a in actions if isinstance(a, e.Send) and isinstance(a.message, Blocks)]
    return [committed.block.header.height for committed in answer.blocks]


def test_an_answer_holds_as_many_blocks_as_fit_and_at_least_one(source: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(range(3, 8)) == served(source, 3, 7)
    two = sum(len(source.store.block_bytes(height) or b"") + CERTIFICATE_BYTES for height in (3, 4))
    for size, count in ((two, 2), (two - 1, 1), (1, 1)):
        monkeypatch.setattr(limits, "SYNC_BATCH_BYTES", size)
        assert count == len(served(source, 3, 7))


def test_what_was_pruned_or_is_not_there_yet_is_not_served() -> None:
    chain = Chain()
    for _ in range(6):
        chain.produce()
    chain.store.prune(4, 10)
    assert [] == served(chain, 1, 6)
    assert [4, 5, 6] == served(chain, 4, 9)
    assert [] == served(chain, 7, 9)
