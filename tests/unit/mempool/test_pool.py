"""The mempool: bounds, one signature set per txid, the index of state keys, and complete removal."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec.structs import replace
from support.chain import Chain, address
from support.life import register
from support.stages import at, signed

from node.crypto.addresses import to_text
from node.crypto.dev_keys import dev_key
from node.mempool.pool import Claim, Payer, Pool, PoolFull, PoolLimits
from node.txtypes.envelope import CheckedTx

VINS = [f"WBA8E9G50GNU1234{number}" for number in range(10)]
SENDERS = ("bmw", "workshop-berlin", "buyer-1")


@cache
def chain() -> Chain:
    return at("").chain


@cache
def tx(number: int, sender: str = "bmw", vin: str = VINS[0]) -> CheckedTx:
    """A registration; the number is its salt."""
    return chain().check(signed(chain(), address(sender), register(vin), key_of(sender), salt=number))


def key_of(name: str):
    return address(name), dev_key("account", name)


def claim(sponsor: bytes, *others: bytes, weight: int = 100, left: int = 10**9) -> Claim:
    return Claim(weight, tuple(Payer(party, left) for party in (*others, sponsor)))


def add(pool: Pool, entry: CheckedTx, contended: tuple[bytes, ...] = ()) -> bool:
    """Paid by the sender alone, as a member's."""
    return pool.add(entry, contended, claim(entry.payload.sender))


def check_room(pool: Pool, sender: bytes, size: int = 1) -> None:
    pool.check_room(sender, size, claim(sender))


def content(pool: Pool) -> dict[str, object]:
    """All that a pool holds, without what only ever rises or is a bound."""
    return {name: held for name, held in vars(pool).items() if name not in ("_next", "_first_expiry_ms")}


def full(pool: Pool, sender: bytes, size: int = 1) -> str:
    with pytest.raises(PoolFull) as told:
        check_room(pool, sender, size)
    return str(told.value)


# --- bounds ------------------------------------------------------------------------------
def test_the_count_is_bounded() -> None:
    pool = Pool(PoolLimits(txs_max=3))
    assert [True] * 3 == [add(pool, tx(number)) for number in range(3)]
    with pytest.raises(PoolFull, match="3 transactions"):
        add(pool, tx(3))
    assert (3, False) == (len(pool), tx(3).txid in pool)
    pool.remove(tx(0).txid)
    assert add(pool, tx(3))


def test_the_bytes_are_bounded_to_the_byte() -> None:
    size = len(tx(1).raw)
    assert size == len(tx(2).raw)
    pool = Pool(PoolLimits(bytes_max=2 * size))
    assert add(pool, tx(1)) and add(pool, tx(2))
    assert 2 * size == pool.bytes
    assert f"{2 * size} bytes" in full(pool, address("bmw"))
    check_room(pool, address("bmw"), 0)
    tight = Pool(PoolLimits(bytes_max=2 * size - 1))
    add(tight, tx(1))
    with pytest.raises(PoolFull):
        add(tight, tx(2))


def test_a_few_large_transactions_of_one_sender_leave_room_to_the_others() -> None:
    size = len(tx(1).raw)
    pool = Pool(PoolLimits(bytes_per_account_max=2 * size))
    assert add(pool, tx(1)) and add(pool, tx(2))
    assert f"already has 2 pending transactions ({2 * size} bytes)" in full(pool, address("bmw"))
    check_room(pool, address("buyer-1"), size)
    pool.remove(tx(1).txid)
    check_room(pool, address("bmw"), size)
    assert "1 pending" in full(pool, address("bmw"), size + 1)


def test_one_sender_cannot_crowd_out_the_others() -> None:
    pool = Pool(PoolLimits(txs_max=10, per_account_max=2))
    add(pool, tx(1))
    add(pool, tx(2))
    assert "2 pending transactions" in full(pool, address("bmw"))
    with pytest.raises(PoolFull):
        add(pool, tx(3))
    check_room(pool, address("buyer-1"), 1)
    assert add(pool, tx(4, "buyer-1"))
    pool.remove(tx(1).txid)
    assert add(pool, tx(3))


def test_a_transaction_that_is_there_is_no_refusal_even_when_the_pool_is_full() -> None:
    pool = Pool(PoolLimits(txs_max=1, per_account_max=1))
    assert add(pool, tx(1))
    assert add(pool, tx(1)) is False
    assert 1 == len(pool)


# --- one variant ------------------------------------------------------------------------------
def test_of_two_signature_sets_under_one_txid_the_first_stays() -> None:
    first = tx(7)
    raw = signed(chain(), address("bmw"), register(VINS[0]), key_of("bmw"), key_of("police-1"), salt=7)
    other = chain().check(raw)
    assert first.txid == other.txid and first.wire_id != other.wire_id
    pool = Pool()
    assert (True, False) == (add(pool, first), add(pool, other))
    assert (first, None) == (pool.by_wire_id(first.wire_id), pool.by_wire_id(other.wire_id))
    assert pool.get(first.txid) is first
    assert (len(first.raw), 1) == (pool.bytes, len(pool))
    pool.remove(first.txid)
    assert add(pool, other)
    assert pool.by_wire_id(other.wire_id) is other


# --- what a commit touches ------------------------------------------------------------------------------
def vehicle(vin: str) -> bytes:
    return b"vehicle/" + vin.encode()


def test_entries_are_found_by_the_state_keys_they_depend_on() -> None:
    pool = Pool()
    add(pool, tx(1), (b"vehicle/1", b"account/a"))
    add(pool, tx(2), (b"vehicle/2", b"account/a"))
    add(pool, tx(3), (b"account/b", b"vehicle/1"))
    add(pool, tx(4))
    assert [tx(1), tx(3)] == pool.touching([b"vehicle/1"])
    assert [tx(2)] == pool.touching([b"vehicle/2"])
    assert [tx(1), tx(2)] == pool.touching([b"account/a"])
    assert [tx(1), tx(3), tx(2)] == pool.touching([b"vehicle/1", b"account/a", b"account/b"])
    assert [] == pool.touching([b"vehicle/9", b"chain/params", b""])
    pool.remove(tx(1).txid)
    assert [tx(3)] == pool.touching([b"vehicle/1"])


def test_what_is_touched_comes_in_the_order_of_arrival() -> None:
    """Set order differs between processes and would break the simulator's determinism."""
    pool = Pool()
    arrivals = [tx(number) for number in (9, 3, 30, 12, 7, 1, 25, 14, 2, 21, 5, 8)]
    for entry in arrivals:
        add(pool, entry, (vehicle(VINS[0]),))
    assert arrivals == pool.touching([vehicle(VINS[0])]) == list(pool)


def test_an_entry_that_is_judged_again_depends_on_what_was_read_then() -> None:
    pool = Pool()
    add(pool, tx(1), (b"a", b"b"))
    add(pool, tx(2), (b"a",))
    pool.judged_again(tx(1).txid, (b"b", b"c"))
    assert [[tx(2)], [tx(1)], [tx(1)]] == [pool.touching([key]) for key in (b"a", b"b", b"c")]
    pool.judged_again(tx(2).txid, ())
    assert [] == pool.touching([b"a"])
    for entry in (tx(1), tx(2)):
        pool.remove(entry.txid)
    assert content(Pool()) == content(pool)


def test_the_first_variant_keeps_what_it_depends_on() -> None:
    pool = Pool()
    assert add(pool, tx(1), (b"a",))
    assert not add(pool, tx(1), (b"b",))
    assert [[tx(1)], []] == [pool.touching([key]) for key in (b"a", b"b")]


# --- time ------------------------------------------------------------------------------
def test_an_entry_is_expired_after_its_last_millisecond() -> None:
    pool = Pool()
    add(pool, tx(1))
    expires = tx(1).payload.expires_at_ms
    assert [[], [], [tx(1)]] == [pool.expired(expires + later) for later in (-1, 0, 1)]


def test_each_entry_expires_at_its_own_time_in_whatever_order_they_came() -> None:
    pool = Pool()
    first = tx(1).payload.expires_at_ms

    def expiring(number: int, later_ms: int) -> CheckedTx:
        payload = replace(tx(number).payload, expires_at_ms=first + later_ms)
        return CheckedTx(tx(number)._replace(payload=payload))

    entries = {later: expiring(number, later) for number, later in enumerate((20, 0, 30, 10))}
    for later in (20, 0, 30):
        add(pool, entries[later])
    for now, expired in ((0, []), (1, [0]), (20, []), (21, [20])):
        assert [entries[later] for later in expired] == pool.expired(first + now)
        for later in expired:
            pool.remove(entries[later].txid)
    add(pool, entries[10])
    assert [entries[10]] == pool.expired(first + 21), "one that came later and expires before the others"
    pool.remove(entries[10].txid)
    assert ([], [entries[30]]) == (pool.expired(first + 30), pool.expired(first + 31))


# --- complete removal ------------------------------------------------------------------------------
class RandomPool(RuleBasedStateMachine):
    """Compare the pool with a list in arrival order."""

    def __init__(self) -> None:
        super().__init__()
        self.bounds = PoolLimits(txs_max=12, bytes_max=12 * 420, per_account_max=6, bytes_per_account_max=5 * 420)
        self.pool = Pool(self.bounds)
        self.held: list[CheckedTx] = []

    @rule(number=st.integers(0, 20), sender=st.sampled_from(SENDERS))
    def add(self, number: int, sender: str) -> None:
        entry = tx(number, sender, VINS[number % 4])
        if entry in self.held:
            assert add(self.pool, entry) is False
            return
        own = [len(e.raw) for e in self.held if e.payload.sender == address(sender)]
        fits = (
            len(self.held) < self.bounds.txs_max
            and sum(len(e.raw) for e in self.held) + len(entry.raw) <= self.bounds.bytes_max
            and len(own) < self.bounds.per_account_max
            and sum(own) + len(entry.raw) <= self.bounds.bytes_per_account_max
        )
        if fits:
            assert add(self.pool, entry, (vehicle(entry.payload.body.vin), b"all"))
            self.held.append(entry)
        else:
            with pytest.raises(PoolFull):
                add(self.pool, entry)

    @rule(number=st.integers(0, 20), sender=st.sampled_from(SENDERS))
    def remove(self, number: int, sender: str) -> None:
        entry = tx(number, sender, VINS[number % 4])
        assert self.pool.remove(entry.txid) == (entry if entry in self.held else None)
        self.held = [e for e in self.held if e != entry]

    @rule(number=st.integers(0, 20), sender=st.sampled_from(SENDERS))
    def judge_again(self, number: int, sender: str) -> None:
        """Reads the same again: arrival order within a key is that of the judgement."""
        entry = tx(number, sender, VINS[number % 4])
        if entry in self.held:
            self.pool.judged_again(entry.txid, (b"all", vehicle(entry.payload.body.vin)))

    @invariant()
    def answers_are_the_lists(self) -> None:
        assert self.held == list(self.pool)
        assert (len(self.held), sum(len(e.raw) for e in self.held)) == (len(self.pool), self.pool.bytes)
        for vin in VINS[:4]:
            wanted = [e for e in self.held if e.payload.body.vin == vin]
            assert set(wanted) == set(self.pool.touching([vehicle(vin)]))
        assert set(self.held) == set(self.pool.touching([b"all"]))
        for entry in self.held:
            assert entry is self.pool.by_wire_id(entry.wire_id) is self.pool.get(entry.txid)

    def teardown(self) -> None:
        for entry in list(self.pool):
            self.pool.remove(entry.txid)
        assert content(Pool(self.bounds)) == content(self.pool)


RandomPool.TestCase.settings = settings(max_examples=30, stateful_step_count=30)
TestRandomPool = RandomPool.TestCase


def test_the_default_bounds_are_those_of_limits() -> None:
    mib = 1024 * 1024
    assert PoolLimits() == PoolLimits(50_000, 64 * mib, 5_000, 8 * mib, 10_000, 16 * mib)


# --- payers ------------------------------------------------------------------------------
def test_the_accounts_of_one_sponsor_share_its_part_of_the_pool() -> None:
    pool = Pool(PoolLimits(per_sponsor_max=3))
    sponsor, other = address("bmw"), address("dealer-munich")
    for number, sender in enumerate(("buyer-1", "buyer-1", "workshop-berlin")):
        assert pool.add(tx(number, sender), (), claim(sponsor, address(sender)))
    for party in (address("police-1"), sponsor):
        with pytest.raises(PoolFull, match=f"sponsor {to_text(sponsor)} .* 3 pending transactions"):
            pool.check_room(party, 1, claim(sponsor, party))
    pool.check_room(address("police-1"), 1, claim(other, address("police-1")))
    pool.remove(tx(0, "buyer-1").txid)
    pool.check_room(sponsor, 1, claim(sponsor))


def test_the_last_fifth_of_the_pool_is_for_those_who_have_little_in_it() -> None:
    pool = Pool(PoolLimits(txs_max=125))
    for number in range(100):
        assert add(pool, tx(number))
    assert "the pool is full (100 transactions" in full(pool, address("bmw"))
    for number in range(25):
        assert add(pool, tx(number, "buyer-1"))
    assert "the pool is full (125 transactions" in full(pool, address("police-1"))


@pytest.mark.parametrize("poor", [0, 1])
def test_no_payer_reserves_more_weight_than_its_quota_has_left(poor: int) -> None:
    """The account's own quota or the sponsor's: whichever ends first."""
    pool, buyer, sponsor = Pool(), address("buyer-1"), address("bmw")
    left = [300, 300]
    left[poor] = 250
    paid = Claim(100, (Payer(buyer, left[0]), Payer(sponsor, left[1])))
    assert pool.add(tx(1, "buyer-1"), (), paid) and pool.add(tx(2, "buyer-1"), (), paid)
    with pytest.raises(PoolFull, match=f"that {to_text((buyer, sponsor)[poor])} pays for use up its quota of weight"):
        pool.add(tx(3, "buyer-1"), (), paid)
    assert pool.add(tx(3, "buyer-1"), (), paid._replace(weight=0)), "governance is free"
    pool.remove(tx(1, "buyer-1").txid)
    assert pool.add(tx(4, "buyer-1"), (), paid)


def test_nobodys_second_turn_comes_before_everybodys_first() -> None:
    pool = Pool()
    busy, late = [tx(number) for number in range(150)], [tx(number, "buyer-1") for number in range(3)]
    for entry in (*busy[:120], *late, *busy[120:]):
        add(pool, entry)
    assert [*busy[:100], *late, *busy[100:]] == [entry.tx for entry in pool.in_turns()]
    assert [address("bmw")] * 100 + [address("buyer-1")] * 3 == [e.sponsor for e in pool.in_turns()][:103]
