"""Pool transactions are rechecked after blocks that affect them, some at a time."""

from __future__ import annotations

import pytest
from support.chain import DAY_MS, HOUR_MS, Chain, address
from support.kept_state import never_signed
from support.life import VIN, accident, attest, handover, initiate, offer, register
from support.signers import rotate
from support.stages import at, change, force, fork, signed

from node.chain.dev_genesis import DEV_PARTIES
from node.crypto.addresses import address_of
from node.crypto.dev_keys import dev_key
from node.crypto.signing import PrivateKey
from node.ledger.guards import Unmet
from node.ledger.params import CHAIN
from node.mempool.pool import PoolLimits
from node.replica import admission
from node.replica import events as e
from node.replica.doppelganger import LISTEN_MS
from node.replica.messages import Blocks, ProposalMessage, Status
from node.replica.replica import Replica, ReplicaConfig
from node.replica.signer import LocalSigner
from node.txtypes.envelope import CheckedTx
from node.txtypes.identity.account import AccountOpen, AccountUpdateKeys
from node.txtypes.identity.quota import QUOTA, Quota
from node.txtypes.sale.ending import OrderCancel
from node.txtypes.sale.listing_types import ListingWithdraw
from node.txtypes.sale.order_family import ORDER
from node.txtypes.sale.payments import PAYMENT

PEER = 7


def test_a_block_that_touches_all_of_the_pool_has_it_judged_a_part_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "JUDGED_AT_ONCE", 3)
    case = at("listed")
    chain, source = case.chain, fork(case.chain)
    replica = Replica(chain.store, None, ReplicaConfig(), bytes(16))
    replica.start(chain.now)
    offers = [chain.check(chain.sign("buyer-1", offer(chain, case.listing))) for _ in range(7)]
    replica.handle(e.Admit(1, tuple(offers)), chain.now)
    assert 7 == len(replica.pool)

    block = source.produce(source.sign("dealer-munich", ListingWithdraw(case.listing)))
    now = source.now
    events = [
        e.PeerConnected(PEER, bytes(32), True),
        e.Received(PEER, Status(block.header.height, 0, 1), now),
        e.Tick(),
        e.Received(PEER, Blocks((source.store.committed(block.header.height),)), now + 500),
    ]
    for event in events:
        now += 500 if isinstance(event, e.Tick) else 0
        did = replica.handle(event, now)
    (job,) = [action.job for action in did if isinstance(action, e.Verify)]

    dropped = []
    did = replica.handle(e.Verified(job, (True,)), now)
    assert block.header.height == replica.store.height()
    while True:
        dropped.append([action.tx for action in did if isinstance(action, e.Dropped)])
        if replica.next_deadline_ms() > now:
            break
        did = replica.handle(e.Tick(), now)
    assert [3, 3, 1] == [len(some) for some in dropped]
    assert offers == [tx for some in dropped for tx in some]
    assert 0 == len(replica.pool)


def test_a_proposer_whose_clock_is_ahead_drops_nothing_as_expired() -> None:
    """By its own clock the transaction has expired, but nobody else would vote for a block of that time."""
    chain = Chain()
    names = {address(p.name): p.name for p in DEV_PARTIES if p.power}
    name = names[chain.store.head().validators.proposer(2, 0)]
    key, ahead = dev_key("consensus", name), 2 * HOUR_MS
    signer = LocalSigner(address(name), key, never_signed(key.public), chain.genesis_hash)
    replica = Replica(chain.store, signer, ReplicaConfig(), bytes(16))
    now = chain.now
    replica.start(now, now + ahead)
    replica.handle(e.PeerConnected(PEER, bytes(32), True), now, now + ahead)
    now += LISTEN_MS
    replica.handle(e.Tick(), now, now + ahead)
    chain.now = now
    block = chain.build()
    replica._commit(block, chain.judge(block), chain.commit_for(block))
    tx = chain.check(chain.sign("bmw", register(), lifetime_ms=HOUR_MS))

    did = replica.handle(e.Admit(1, (tx,)), now, now + ahead)
    for _ in range(20):
        now += 50
        did += replica.handle(e.Tick(), now, now + ahead)

    said = [a.message for a in did if isinstance(a, e.Broadcast)]
    proposal = next(message for message in said if isinstance(message, ProposalMessage))
    assert proposal.block.header.time_ms > tx.payload.expires_at_ms
    assert [] == [action for action in did if isinstance(action, e.Dropped)]
    assert tx.txid in replica.pool


def test_what_no_block_takes_because_its_quota_is_used_up_is_not_admitted() -> None:
    chain = Chain()
    change(chain, CHAIN, "params", keys_per_sponsor_day=10)
    force(chain, QUOTA, address("bmw"), Quota(chain.now // DAY_MS, 0, 10, ()))
    replica = Replica(chain.store, None, ReplicaConfig(), bytes(16))
    replica.start(chain.now)
    tx = chain.check(chain.sign("bmw", register()))

    (answer, *_) = replica.handle(e.Admit(1, (tx,)), chain.now)

    assert ["keys_exhausted"] == [guard.code for guard in answer.outcomes[0]]
    assert 0 == len(replica.pool)


def test_the_accounts_of_one_sponsor_keep_nobody_else_out() -> None:
    """They cost a few signatures each, and together they could fill every pool."""
    chain, keys = Chain(), [PrivateKey(bytes([number]) * 32) for number in range(1, 11)]
    for key in keys:
        chain.do("bank-1", AccountOpen((key.public,), 1, b""), extra=[(address_of(key.public), key)])
    config = ReplicaConfig(pool=PoolLimits(txs_max=200, per_account_max=30, per_sponsor_max=120))
    replica = Replica(chain.store, None, config, bytes(16))
    replica.start(chain.now)

    def admit(tx: CheckedTx) -> tuple[Unmet, ...] | str:
        (answer, *_) = replica.handle(e.Admit(1, (tx,)), chain.now)
        return answer.outcomes[0]

    for salt in range(30):
        for key in keys:
            sender = address_of(key.public)
            body = AccountUpdateKeys((key.public,), 1, b"")
            admit(chain.check(signed(chain, sender, body, (sender, key), salt=salt)))
    assert 120 == len(replica.pool)
    honest = chain.check(chain.sign("bmw", register()))
    assert () == admit(honest)
    assert honest in [entry.tx for entry in replica.pool.in_turns()][:101]


def test_what_is_pending_is_reserved_in_the_quota_of_its_payer() -> None:
    """Else a proposer finds out only while it builds that most of the pool can't be paid for."""
    chain = Chain()
    change(chain, CHAIN, "params", weight_per_account_day=1_000)
    replica = Replica(chain.store, None, ReplicaConfig(), bytes(16))
    replica.start(chain.now)
    txs = [chain.check(chain.sign("buyer-1", rotate("buyer-1"))) for _ in range(20)]
    outcomes = [replica.handle(e.Admit(1, (tx,)), chain.now)[0].outcomes[0] for tx in txs]
    fits = 1_000 // (100 + len(txs[0].raw) // 64)
    assert [()] * fits == outcomes[:fits]
    assert all("quota of weight" in outcome for outcome in outcomes[fits:])
    *_, built = replica._builder.building(replica.pool.in_turns, [], address("bmw"), chain.now)
    assert (fits, ()) == (len(built.block.transactions), built.failed)


def committed(replica: Replica, source: Chain, *raws: bytes) -> list[e.Action]:
    """A block of `raws` that others have decided, then as many ticks as it takes to look at the pool again."""
    chain = Chain(source.genesis, source.store.kv.snapshot())
    chain.now = source.now
    block = chain.build(*raws)
    replica._commit(block, chain.judge(block), chain.commit_for(block))
    did: list[e.Action] = []
    while replica.next_deadline_ms() <= chain.now:
        did += replica.handle(e.Tick(), chain.now)
    return did


def test_a_pending_handover_falls_with_an_accident_of_its_car() -> None:
    """The handover names its order only; its guards read the vehicle, so a change of the vehicle touches it."""
    life = at("paid")
    chain = life.chain
    replica = Replica(chain.store, None, ReplicaConfig(), bytes(16))
    replica.start(chain.now)
    pending = chain.check(chain.sign("dealer-munich", handover(chain, life.order), "buyer-1"))
    other = chain.check(chain.sign("bmw", register(VIN[:-1] + "9")))
    replica.handle(e.Admit(1, (pending, other)), chain.now)
    assert 2 == len(replica.pool)

    did = committed(replica, chain, chain.sign("police-1", accident(chain, 170)))

    dropped = [action for action in did if isinstance(action, e.Dropped)]
    assert [pending] == [action.tx for action in dropped]
    assert ["disclosure_stale", "acknowledgement_missing"] == [guard.code for guard in dropped[0].unmet]
    assert [other] == list(replica.pool)


def test_what_a_second_judgement_has_read_counts_from_then_on() -> None:
    """A cancellation reads no payment while there is none; once one has been initiated, its steps concern it."""
    life = at("accepted")
    chain = life.chain
    chain.now = chain.state(ORDER, life.order).accepted_at_ms + 11 * DAY_MS
    replica = Replica(chain.store, None, ReplicaConfig(), bytes(16))
    replica.start(chain.now)
    pending = chain.check(chain.sign("dealer-munich", OrderCancel(life.order, "buyer_default")))
    replica.handle(e.Admit(1, (pending,)), chain.now)

    initiated = chain.sign("buyer-1", initiate(life.order))
    assert [] == [action for action in committed(replica, chain, initiated) if isinstance(action, e.Dropped)]
    key = PAYMENT.key(chain.check(initiated).txid)
    assert [pending] == replica.pool.touching([key])

    chain.now += 1_000
    paid = attest(chain, chain.check(initiated).txid, "pending")
    did = committed(replica, chain, chain.sign("payment-provider-1", paid))
    assert [["cancel_reason"]] == [[g.code for g in a.unmet] for a in did if isinstance(a, e.Dropped)]
    assert 0 == len(replica.pool)
