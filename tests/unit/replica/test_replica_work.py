"""What a replica counts of its own work, transaction by transaction."""

from __future__ import annotations

from support.life import offer
from support.stages import at, fork

from node.replica import events as e
from node.replica.messages import Blocks, Status
from node.replica.replica import Replica, ReplicaConfig, Work

PEER = 7


def test_a_transaction_is_judged_when_it_is_admitted_and_decoded_and_executed_with_its_block() -> None:
    case = at("listed")
    chain, source = case.chain, fork(case.chain)
    replica = Replica(chain.store, None, ReplicaConfig(), bytes(16))
    replica.start(chain.now)
    assert replica.work() == Work(decoded=0, judged=0, executed=0)

    mine = chain.sign("buyer-1", offer(chain, case.listing))
    replica.handle(e.Admit(1, (chain.check(mine),)), chain.now)
    assert replica.work() == Work(decoded=0, judged=1, executed=0)

    foreign = chain.sign("buyer-1", offer(chain, case.listing))
    height = source.produce(mine, foreign).header.height
    now = source.now
    events = [
        e.PeerConnected(PEER, bytes(32), True),
        e.Received(PEER, Status(height, 0, 1), now),
        e.Tick(),
        e.Received(PEER, Blocks((source.store.committed(height),)), now + 500),
    ]
    for event in events:
        now += 500 if isinstance(event, e.Tick) else 0
        did = replica.handle(event, now)
    (job,) = [action.job for action in did if isinstance(action, e.Verify)]
    replica.handle(e.Verified(job, (True,)), now)

    assert chain.store.height() == height
    assert replica.work() == Work(decoded=1, judged=1, executed=2), "of the block only the foreign one is decoded"
