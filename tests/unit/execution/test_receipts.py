"""Receipts: what each transaction did, from the effect itself; and that a row follows from block and state alone."""

from __future__ import annotations

import pytest
from support import rulesets
from support.blocks import offence
from support.chain import Chain, address
from support.governing import carry_out, propose, vote
from support.life import VIN, Life, accident, listing, maintenance, register, transfer
from support.memory_store import MemoryStore
from support.ordering import BUYER, SELLER, counter
from support.stages import at
from support.walk import Walk

from node.errors import Corrupted
from node.ledger.receipts import (
    BlockReceipts,
    Change,
    Happening,
    Receipt,
    RecordRef,
    change_of,
    decode_receipts,
    encode_receipts,
)
from node.limits import DAY_MS
from node.storage import schema
from node.storage.chain_store import ChainStore
from node.storage.schema import TxPlace
from node.txtypes.chain.actions import ParameterSet, RulesetActivate
from node.txtypes.identity.quota import QUOTA
from node.txtypes.registry import FAMILIES, HAPPENINGS
from node.txtypes.sale.listing_types import ListingWithdraw
from node.txtypes.sale.order_family import ORDER
from node.txtypes.vehicle.vehicle import VEHICLE

VEHICLE_KEY = f"vehicle/{VIN}"
PROVIDER = "payment-provider-1"
NOTHING = Receipt((), (), ())
WHOLE = encode_receipts(BlockReceipts((), NOTHING))


def account(name: str) -> str:
    return f"account/{address(name).hex()}"


def receipt(chain: Chain, index: int = 0) -> Receipt:
    """Of a transaction of the newest block."""
    row = chain.store.receipts(chain.store.height())
    assert row is not None
    return row.transactions[index]


def done(chain: Chain, sender: str, body, *cosigners: str) -> Receipt:
    chain.do(sender, body, *cosigners)
    return receipt(chain)


def change_in(found: Receipt, family: str) -> Change:
    (one,) = [change for change in found.changes if change.key.startswith(family + "/")]
    return one


# --- one transaction ------------------------------------------------------------------------------------
def test_a_birth_creates_a_car_with_its_first_record() -> None:
    found = done(at("").chain, "bmw", register())
    created = Change(VEHICLE_KEY, "created", "", (VEHICLE_KEY, account("bmw")))
    assert Receipt((RecordRef(VIN, 0),), (created,), ()) == found


def test_a_record_changes_its_car() -> None:
    chain = at("born").chain
    found = done(chain, "workshop-berlin", maintenance(chain))
    assert ((RecordRef(VIN, 1),), ("changed",)) == (found.records, tuple(change.how for change in found.changes))
    assert {VEHICLE_KEY, account("bmw")} == set(found.subjects())


def test_a_title_that_moves_concerns_the_old_and_the_new_holder() -> None:
    chain = at("born").chain
    found = done(chain, "bmw", transfer(chain), SELLER)
    assert (VEHICLE_KEY, account(SELLER), account("bmw")) == change_in(found, "vehicle").subjects
    assert (Happening("title.moved", (VEHICLE_KEY, account("bmw"), account(SELLER))),) == found.happenings


def test_a_sale_from_the_listing_to_the_handover() -> None:
    life = at("wholesale")
    chain = life.chain
    life.listing = chain.do(SELLER, listing(chain))
    listed = f"listing/{life.listing.hex()}"
    created = change_in(receipt(chain), "listing")
    assert ("created", "open", (listed, VEHICLE_KEY, account(SELLER))) == (
        created.how,
        created.status,
        created.subjects,
    )

    life.offered()
    ordered = f"order/{life.order.hex()}"
    subjects = (ordered, VEHICLE_KEY, account(SELLER), account(BUYER))
    assert Receipt((), (Change(ordered, "created", "offered", subjects),), ()) == receipt(chain)

    life.accepted()
    statuses = {change.key: (change.how, change.status) for change in receipt(chain).changes}
    assert {listed: ("changed", "reserved"), ordered: ("changed", "accepted"), VEHICLE_KEY: ("changed", "")} == statuses

    life.paying()
    paid = f"payment/{life.payment.hex()}"
    payment = change_in(receipt(chain), "payment")
    assert ("created", "initiated") == (payment.how, payment.status)
    assert (ordered, account(BUYER), account(PROVIDER)) == payment.subjects
    life.paid()
    assert (paid, "settled") == (change_in(receipt(chain), "payment").key, change_in(receipt(chain), "payment").status)

    life.delivered()
    assert ("arrived", (ordered,)) == (change_in(receipt(chain), "delivery").status,
                                       change_in(receipt(chain), "delivery").subjects)  # fmt: skip
    life.handed_over()
    found = receipt(chain)
    assert ["completed", "sold"] == [change_in(found, name).status for name in ("order", "listing")]
    assert (Happening("title.moved", (VEHICLE_KEY, account(SELLER), account(BUYER))),) == found.happenings
    assert {VEHICLE_KEY, listed, ordered, account(SELLER), account(BUYER)} <= set(found.subjects())


def test_what_governance_decides_is_in_the_receipt_of_the_vote() -> None:
    chain = at("").chain
    proposal = propose(chain, ParameterSet("block_txs_max", 77))
    assert ("created", "open") == (
        change_in(receipt(chain), "proposal").how,
        change_in(receipt(chain), "proposal").status,
    )
    vote(chain, proposal, SELLER)
    vote(chain, proposal, "workshop-berlin")
    decided = change_in(receipt(chain), "proposal")
    assert ("changed", "carried_out", (account("bmw"),)) == (decided.how, decided.status, decided.subjects)


@pytest.mark.parametrize("stage", Life.STAGES)
def test_no_quota_no_window_and_nothing_of_one_family_alone(stage: str) -> None:
    chain = at(stage).chain
    for height in range(1, chain.store.height() + 1):
        row = chain.store.receipts(height)
        assert row is not None
        for found in (*row.transactions, row.block):
            families = {change.key.partition("/")[0] for change in found.changes}
            assert families <= {name for name, family in FAMILIES.items() if family.concerns is not None}
            assert not families & {"quota", "window", "chain", "odometer"}
            assert all(change.subjects for change in found.changes)
            assert all(happening.name in HAPPENINGS for happening in found.happenings)


def test_what_is_written_and_stays_the_same_is_no_change() -> None:
    value = at("born").chain.state(VEHICLE, VIN)
    assert change_of(VEHICLE, VEHICLE.key(VIN), value, value) is None
    assert change_of(QUOTA, QUOTA.key(bytes(20)), None, object()) is None


def test_what_ends_concerns_whom_it_concerned_before() -> None:
    chain = at("born").chain
    vehicle = chain.state(VEHICLE, VIN)
    ended = change_of(VEHICLE, VEHICLE.key(VIN), vehicle, None)
    assert Change(VEHICLE_KEY, "ended", "", (VEHICLE_KEY, account("bmw"))) == ended
    assert ended is not None and "account" == ended.subjects[1].partition("/")[0]


def test_subjects_stand_once() -> None:
    twice = (Change("order/1", "changed", "", ("a", "b")), Change("order/2", "changed", "", ("b", "c")))
    found = Receipt((RecordRef(VIN, 1), RecordRef(VIN, 2)), twice, (Happening("title.moved", ("c", "d")),))
    assert {"a", "b", "c", "d"} == found.subjects()


# --- the block itself -----------------------------------------------------------------------------------
def test_evidence_is_in_the_receipt_of_the_block() -> None:
    chain = at("born").chain
    chain.produce(chain.sign("bmw", register(VIN[:-1] + "9")), evidence=(offence(chain, "dealer-shanghai"),))
    row = chain.store.receipts(chain.store.height())
    assert row is not None
    punished = account("dealer-shanghai")
    assert (Happening("evidence.punished", (punished,)),) == row.block.happenings
    validator = change_in(row.block, "validator")
    assert ("changed", "without power", (punished,)) == (validator.how, validator.status, validator.subjects)
    assert punished not in row.transactions[0].subjects()


def test_a_ruleset_that_begins_is_in_the_receipt_of_its_block(monkeypatch: pytest.MonkeyPatch) -> None:
    second = rulesets.learn(monkeypatch)
    chain = at("").chain
    carry_out(chain, RulesetActivate(2, 5, second.hash))
    rows = {}
    while chain.store.height() < 6:
        chain.produce()
        rows[chain.store.height()] = chain.store.receipts(chain.store.height())
    assert Receipt((), (), (Happening("ruleset.activated", ()),)) == rows[5].block
    assert NOTHING == rows[4].block == rows[6].block


def test_a_new_ruleset_judges_from_its_height_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """One more zone, another severity: the same transaction before and after."""
    second = rulesets.learn(monkeypatch)
    chain = at("born").chain
    scratch = accident(chain, 120, extent="cosmetic")
    dent = accident(chain, 130, damages=(scratch.damages[0].__class__(rulesets.NEW_ZONE, "cosmetic"),))
    assert ["code_unknown"] == chain.unmet(chain.sign("police-1", dent))
    chain.do("police-1", scratch)
    height = chain.store.height() + 5
    carry_out(chain, RulesetActivate(2, height, second.hash))
    while chain.store.height() < height - 1:
        chain.produce()
    assert [] == chain.unmet(chain.sign("police-1", dent)), "a transaction is judged by the next block's ruleset"
    chain.do("police-1", dent)
    outcomes = [body for _, body in chain.store.records(VIN, 1, 9)]
    assert b"severity:minor" in outcomes[0] and b"severity:total_candidate" in outcomes[1]


# --- a row is a function of block and state ---------------------------------------------------------------
@pytest.mark.parametrize("seed", range(3))
def test_two_stores_have_equal_rows(seed: int) -> None:
    """One has built the blocks, with what was refused between; the other gets them from it."""
    walk = Walk(seed)
    for _ in walk.blocks(30):
        pass
    built = walk.chain.store
    other = Chain(walk.chain.genesis)
    for height in range(1, built.height() + 1):
        block, commit = built.block(height), built.commit(height)
        assert block is not None and commit is not None
        other.store.commit_block(block, other.judge(block), commit)
    for prefix, end in ((b"Q", b"R"), (b"Y", b"Z"), (b"X", b"Y")):
        rows = list(built.kv.scan(prefix, end))
        assert rows == list(other.store.kv.scan(prefix, end))
        assert rows


def test_what_was_refused_leaves_nothing_in_the_row() -> None:
    chain = at("born").chain
    run = chain.run()
    run.add(chain.check(chain.sign("workshop-berlin", maintenance(chain))))
    refused = run.carry_out(chain.check(chain.sign("buyer-1", maintenance(chain, 110))))
    assert refused.unmet_guards
    (only,) = run.finish().receipts.transactions
    assert (RecordRef(VIN, 1),) == only.records


def test_two_of_a_block_have_each_their_own_before() -> None:
    """The second finds what the first has changed: its subjects are those of the value in between."""
    chain = at("born").chain
    chain.produce(
        chain.sign("bmw", transfer(chain, value=150), SELLER),
        chain.sign(SELLER, transfer(chain, "dealer-shanghai", 160), "dealer-shanghai"),
    )
    first, second = (receipt(chain, index) for index in (0, 1))
    assert (VEHICLE_KEY, account(SELLER), account("bmw")) == change_in(first, "vehicle").subjects
    assert (VEHICLE_KEY, account("dealer-shanghai"), account(SELLER)) == change_in(second, "vehicle").subjects


# --- finding transactions by what they concern --------------------------------------------------------------
LAST = (2**63, 2**32 - 1)


def test_the_transactions_of_a_car_an_order_and_an_account_are_found_the_newest_first() -> None:
    life = at("handed_over")
    store = life.chain.store
    places = [(place.height, place.index) for place in store.touching(VEHICLE_KEY, LAST, 100)]
    assert sorted(places, reverse=True) == places
    recorded = {height for height in range(1, store.height() + 1) if _touches(store, height, VEHICLE_KEY)}
    assert recorded == {height for height, _ in places}
    assert places[:2] == [(p.height, p.index) for p in store.touching(VEHICLE_KEY, LAST, 2)]
    assert places[2:] == [(p.height, p.index) for p in store.touching(VEHICLE_KEY, places[1], 100)]
    of_order = [place.height for place in store.touching(f"order/{life.order.hex()}", LAST, 100)]
    assert [9, 8, 7, 6, 5, 4] == of_order
    assert [] == store.touching("order/" + "00" * 32, LAST, 9)


def _touches(store: ChainStore, height: int, subject: str) -> bool:
    row = store.receipts(height)
    assert row is not None
    return any(subject in found.subjects() for found in row.transactions)


def test_whoever_has_signed_is_concerned() -> None:
    chain = at("born").chain
    chain.do("workshop-berlin", maintenance(chain))
    (place,) = chain.store.touching(account("workshop-berlin"), LAST, 9)
    assert (chain.store.height(), 0) == (place.height, place.index)


def test_the_transactions_of_one_block_are_one_entry_and_are_paged_one_by_one() -> None:
    chain = at("born").chain
    chain.produce(*[chain.sign("workshop-berlin", maintenance(chain, 100 + count)) for count in range(5)])
    subject, height = account("workshop-berlin"), chain.store.height()
    entry = schema.subject_key(subject, height)
    assert b"".join(index.to_bytes(4, "big") for index in range(5)) == chain.store.kv.get(entry)
    below, paged = LAST, []
    while found := chain.store.touching(subject, below, 2):
        paged += found
        below = (found[-1].height, found[-1].index)
    assert [TxPlace(height, index) for index in (4, 3, 2, 1, 0)] == paged == chain.store.touching(subject, LAST, 9)
    assert [] == chain.store.touching(subject, (height, 0), 9)


def test_pruning_takes_rows_and_entries_along() -> None:
    life = at("handed_over")
    chain = life.chain
    chain.now += 2 * DAY_MS
    for _ in range(3):
        chain.produce()
    assert 1 == chain.store.receipts_from()
    chain.store.prune(6, 100)
    assert 6 == chain.store.first_height() == chain.store.receipts_from()
    rows = [int.from_bytes(key[1:], "big") for key, _ in chain.store.kv.scan(b"Q", b"R")]
    assert list(range(6, chain.store.height() + 1)) == rows
    heights = {int.from_bytes(key[-8:], "big") for key, _ in chain.store.kv.scan(b"Y", b"Z")}
    assert min(heights) == 6
    assert [chain.store.receipts(height) for height in range(1, 6)] == [None] * 5
    assert [9, 8, 7, 6] == [p.height for p in chain.store.touching(f"order/{life.order.hex()}", LAST, 9)]


# --- as stored ------------------------------------------------------------------------------------------
def test_a_row_comes_back_from_its_bytes() -> None:
    chain = at("handed_over").chain
    for height in range(1, chain.store.height() + 1):
        row = chain.store.receipts(height)
        raw = dict(chain.store.kv.scan(b"Q", b"R"))[b"Q" + height.to_bytes(8, "big")]
        assert row == decode_receipts(raw) and raw == encode_receipts(row)


@pytest.mark.parametrize("raw", [b"", WHOLE[:-1], WHOLE + b"\x00", bytes([WHOLE[0] ^ 1]) + WHOLE[1:], WHOLE[8:]])
def test_a_row_that_does_not_decode_is_damage(raw: bytes) -> None:
    with pytest.raises(Corrupted, match="receipts"):
        decode_receipts(raw)


def test_a_row_stands_for_every_block_even_an_empty_one() -> None:
    chain = Chain(kv=MemoryStore())
    chain.produce()
    assert BlockReceipts((), NOTHING) == chain.store.receipts(1)
    assert chain.store.receipts(0) is None


def test_a_rejected_listing_of_another_keeps_its_subjects() -> None:
    life = at("offered")
    found = done(life.chain, SELLER, counter(life))
    assert ("changed", "countered") == (found.changes[0].how, found.changes[0].status)
    found = done(life.chain, SELLER, ListingWithdraw(life.listing))
    assert {"listing", "vehicle"} == {change.key.partition("/")[0] for change in found.changes}
    assert life.chain.state(ORDER, life.order).status == "countered", "offers fall without a transaction of their own"


def test_only_bookkeeping_leaves_no_receipts() -> None:
    silent = {name for name, family in FAMILIES.items() if family.concerns is None}
    assert silent == {
        "arbiters",
        "chain",
        "debtor",
        "consensus-key",
        "evidence",
        "frauds",
        "life",
        "live-cases",
        "live-offers",
        "makers",
        "member-name",
        "odometer",
        "open-disputes",
        "open-proposals",
        "payment-reference",
        "quota",
        "record-status",
        "uetr",
        "validators",
        "window",
    }
